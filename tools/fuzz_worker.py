"""One process that feeds one target: started by tools.fuzz_run, never by hand.

Coverage guides it where atheris (libFuzzer for Python) is installed. Elsewhere the place in the code at which a reader
refuses an input does: an input that is refused where none was before is worth mutating further.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import importlib.util
import json
import random
import resource
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tools import fuzz_mutate
from tools.fuzz_slot import Slot
from tools.fuzz_target import Broken, Refused

__all__ = ["HANG_S", "main"]

HANG_S = 1.0
"""Processor time that an input may take; the clock on the wall tells more about the machine's other work."""

MEMORY_BYTES = 1 << 30
_MAX_POOL = 3000
_MOST_RUNS = 2**31 - 1  # what libFuzzer can count
_MAX_FINDINGS = 10
_SHRINK_S = 2.0
# What coverage is measured of: our code, and the reader of TOML, which is Python too.
_INSTRUMENTED = ("gateway", "tomllib", "tools")
_NOT_INSTRUMENTED = (
    "tools.fuzz_mutate",
    "tools.fuzz_slot",
    "tools.fuzz_target",
    "tools.fuzz_worker",
    "tools.fuzz_corpus",
)

Place = tuple[str, int] | str | None


class Runner:
    """Gives one input after the other to a reader, and keeps what must not happen in `folder`."""

    def __init__(
        self, parse: Callable[[bytes], None], declared: tuple[type[Exception], ...], slot: Slot, folder: Path
    ) -> None:
        self._parse = parse
        self._declared = declared
        self._slot = slot
        self._folder = folder
        self._found: set[tuple[str, Place]] = set()

    def __call__(self, data: bytes) -> Place:
        """Read one input; returns where it was refused, None if it was taken."""
        slot = self._slot
        slot.begin(data)
        began = time.process_time_ns()
        place, error = self._read(data)
        took_ns = time.process_time_ns() - began
        slot.end(accepted=place is None and error is None, took_ns=took_ns)
        if error is not None:
            self._keep("crash", data, error, place)
        elif took_ns > HANG_S * 1e9:
            self._keep("hang", data, TimeoutError(f"{took_ns / 1e9:.1f} s"), None)
        return place

    def _read(self, data: bytes) -> tuple[Place, BaseException | None]:
        try:
            self._parse(data)
        except self._declared as why:
            return _place(why), None
        except (Exception, SystemExit) as why:  # noqa: BLE001 - this is what is looked for
            return _place(why), why
        return None, None

    def _keep(self, kind: str, data: bytes, error: BaseException, place: Place) -> None:
        key = _key(error, place)
        if key in self._found or len(self._found) >= _MAX_FINDINGS:
            return
        self._found.add(key)
        if isinstance(error, Broken) and error.data is not None:
            data = error.data
        elif kind == "crash":
            data = self._shrunk(data, key)
        text = "".join(traceback.format_exception(error)[-12:])
        record = {"kind": kind, "input": data.hex(), "error": f"{key[0]}: {error}"[:500], "trace": text[-4000:]}
        (self._folder / f"{len(self._found)}.json").write_text(json.dumps(record), encoding="utf-8")

    def _shrunk(self, data: bytes, key: tuple[str, Place]) -> bytes:
        """A shorter input that fails at the same place, as far as that is found in a short time."""
        until = time.monotonic() + _SHRINK_S
        size = len(data) // 2
        while size and time.monotonic() < until:
            at = 0
            while at < len(data) and time.monotonic() < until:
                shorter = data[:at] + data[at + size :]
                place, error = self._read(shorter)
                if error is not None and _key(error, place) == key:
                    data = shorter
                else:
                    at += size
            size //= 2
        return data


def _key(error: BaseException, place: Place) -> tuple[str, Place]:
    """What makes two failures the same. Where a recursion or the memory happened to end says nothing."""
    return type(error).__name__, None if isinstance(error, (RecursionError, MemoryError)) else place


def _place(why: BaseException) -> Place:
    """Where it was raised; the reason of what refuses without an exception of its own."""
    if isinstance(why, Refused):
        return str(why)[:80]
    step = why.__traceback__
    while step is not None and step.tb_next is not None:
        step = step.tb_next
    return None if step is None else (step.tb_frame.f_code.co_filename, step.tb_lineno)


def explore(
    run: Callable[[bytes], Place],
    mutate: fuzz_mutate.Mutator,
    seeds: Sequence[bytes],
    *,
    rng: random.Random,
    max_bytes: int,
    more: Callable[[], bool],
) -> list[bytes]:
    """Mutate and run while there is `more` to do; returns the inputs that were refused where none was before."""
    pool = [seed[:max_bytes] for seed in seeds] or [b""]
    found: list[bytes] = []
    seen = set()
    for seed in pool:
        seen.add(run(seed))
        if not more():
            return found
    while more():
        data = mutate(rng, pool[int(rng.random() * len(pool))], pool)[:max_bytes]
        place = run(data)
        if place not in seen and len(pool) < _MAX_POOL:
            seen.add(place)
            pool.append(data)
            found.append(data)
    return found


def _limits(inputs: int, seconds: float) -> Callable[[], bool]:
    """Whether there is more to do; asked once after each input."""
    left = inputs
    until = time.monotonic() + seconds

    def more() -> bool:
        nonlocal left
        left -= 1
        return left >= 0 and (left & 15 != 0 or time.monotonic() < until)

    return more


def _under_atheris(
    run: Callable[[bytes], Place],
    mutate: fuzz_mutate.Mutator,
    seeds: Sequence[bytes],
    options: argparse.Namespace,
    max_bytes: int,
) -> None:
    """Hand over to libFuzzer, which ends the process."""
    import atheris

    folder: Path = options.folder
    begun, found = folder / "seeds", folder / "found"
    for path in (begun, found):
        path.mkdir(exist_ok=True)
    for number, seed in enumerate(seeds):
        (begun / str(number)).write_bytes(seed[:max_bytes])
    rng = random.Random(options.seed)
    pool = list(seeds) or [b"\0"]

    def one(data: bytes) -> None:
        run(data)

    def next_input(data: bytes, most: int, _seed: int) -> bytes:
        # Some by libFuzzer, who knows which comparisons failed; some by what knows the format, from what libFuzzer
        # found (most of it is refused early) or from a valid input.
        dice = rng.random()
        if dice < 0.4:
            return bytes(atheris.Mutate(data, most))
        return mutate(rng, data if dice < 0.7 else pool[int(rng.random() * len(pool))], pool)[:most]

    limits = [
        f"-runs={min(options.inputs, _MOST_RUNS)}",
        f"-max_total_time={max(1, int(options.seconds))}",
        f"-seed={options.seed}",
    ]
    # Hangs and memory are the supervisor's: it tells processor time from waiting.
    quiet = [
        f"-artifact_prefix={folder}/",
        f"-max_len={max_bytes}",
        "-timeout=3600",
        "-rss_limit_mb=0",
        "-print_final_stats=0",
        "-verbosity=0",
    ]
    gc.collect()
    atheris.Setup([sys.argv[0], *limits, *quiet, str(found), str(begun)], one, custom_mutator=next_input)
    atheris.Fuzz()


@contextlib.contextmanager
def _instrumented(engine: str) -> Iterator[None]:
    if engine != "atheris":
        yield
        return
    import atheris

    from tools import onboard

    firmware = [path.stem for path in onboard.FIRMWARE.glob("*.py")]
    with atheris.instrument_imports(include=[*_INSTRUMENTED, *firmware], exclude=list(_NOT_INSTRUMENTED)):
        yield


def engine() -> str:
    """atheris where it is installed, else builtin."""
    return "atheris" if importlib.util.find_spec("atheris") else "builtin"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one target until its inputs or its seconds are used up."""
    parser = argparse.ArgumentParser()
    parser.add_argument("target")
    parser.add_argument("folder", type=Path, help="holds the slot; takes findings and what was found worth keeping")
    parser.add_argument("--engine", choices=("atheris", "builtin", "draw"), required=True)
    parser.add_argument("--inputs", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--seed", type=int, required=True)
    options = parser.parse_args(arguments)
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))
    slot = Slot(options.folder / "slot")
    with contextlib.ExitStack() as stack:
        with _instrumented(options.engine):
            from tools import fuzz_corpus, fuzz_targets

            target = fuzz_targets.find(options.target)
            parse: Any = stack.enter_context(target.open()) if options.engine != "draw" else len
        seeds = fuzz_corpus.inputs(target)
        with contextlib.suppress(*target.declared, Exception):
            parse(seeds[0])  # what is loaded or made once is not the first input's cost
        run = Runner(parse, target.declared, slot, options.folder)
        if options.engine == "atheris":
            _under_atheris(run, target.mutate, seeds, options, target.max_bytes)
        more = _limits(options.inputs, options.seconds)
        rng = random.Random(options.seed)
        found = explore(run, target.mutate, seeds, rng=rng, max_bytes=target.max_bytes, more=more)
        (options.folder / "found").mkdir(exist_ok=True)
        for number, data in enumerate(found):
            (options.folder / "found" / str(number)).write_bytes(data)
    return 0


if __name__ == "__main__":
    sys.exit(main())
