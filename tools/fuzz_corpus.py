"""The kept inputs, tests/fuzz/corpus/<target>/: a few that between them reach every line that any input reached.

    python -m tools.fuzz_corpus FOLDER [target …]     keep what inputs in FOLDER/<target>/ reach and the corpus does not
    python -m tools.fuzz_corpus --again [target …]    choose anew among what is kept (the parsers have changed)

A file is named for its content. Texts are kept as they are (.txt), other inputs as hex digits (.hex), so that a change
can be read. What once was a finding is kept for good, under a name that begins with `finding-`.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from tools import fuzz_targets
from tools.fuzz_targets import Target

__all__ = ["CORPUS", "decoded", "encoded", "inputs", "keep", "main", "read"]

CORPUS = Path(__file__).resolve().parent.parent / "tests" / "fuzz" / "corpus"
FINDING = "finding-"
MAX_FILES = 14  # of a target, without its findings
MAX_BYTES = 600  # of an input that is kept for what it reaches
_ROOT = str(Path(__file__).resolve().parent.parent)


def encoded(target: Target, data: bytes, prefix: str = "") -> tuple[str, bytes]:
    """(file name, file content) of an input."""
    name = prefix + hashlib.sha256(data).hexdigest()[:12]
    if target.text and _readable(data):
        return name + ".txt", data
    digits = data.hex()
    lines = [digits[i : i + 120] for i in range(0, len(digits), 120)] or [""]
    return name + ".hex", ("\n".join(lines) + "\n").encode()


def decoded(path: Path) -> bytes:
    """The input in a file of the corpus."""
    content = path.read_bytes()
    return bytes.fromhex(content.decode("ascii")) if path.suffix == ".hex" else content


def read(target: str, corpus: Path = CORPUS) -> dict[Path, bytes]:
    """The kept inputs of a target."""
    return {path: decoded(path) for path in sorted((corpus / target).glob("*")) if path.suffix in (".hex", ".txt")}


def inputs(target: Target, corpus: Path = CORPUS) -> list[bytes]:
    """What a run begins with: the target's own valid inputs, then the kept ones."""
    return list(dict.fromkeys([*target.seeds(), *read(target.name, corpus).values()]))


def keep(target: Target, data: bytes, prefix: str = "", corpus: Path = CORPUS) -> Path:
    """Write an input into the corpus; returns its file."""
    name, content = encoded(target, data, prefix)
    path = corpus / target.name / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def _readable(data: bytes) -> bool:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    # A lone carriage return would not survive every checkout.
    return all(c == "\n" or c.isprintable() for c in text)


def _reached(parse: Callable[[bytes], None], declared: tuple[type[Exception], ...], data: bytes) -> set[Any]:
    """The pairs of lines, one after the other in one function of ours, that an input passes."""
    pairs: set[Any] = set()
    last: dict[FrameType, int] = {}

    def trace(frame: FrameType, event: str, _argument: object) -> Any:
        code = frame.f_code
        if event == "call":
            here = code.co_filename.startswith(_ROOT) or "tomllib" in code.co_filename
            if not here or "/tools/fuzz" in code.co_filename or "/.venv/" in code.co_filename:
                return None
            last[frame] = 0
        elif event == "line":
            pairs.add((code, last[frame], frame.f_lineno))
            last[frame] = frame.f_lineno
        elif event == "return":
            last.pop(frame, None)
        return trace

    sys.settrace(trace)
    try:
        parse(data)
    except declared:
        pass
    except Exception:  # noqa: BLE001 - a finding, which is kept as such
        pairs.clear()
    finally:
        sys.settrace(None)
    return pairs


def choose(target: Target, *groups: Iterable[bytes]) -> list[bytes]:
    """Those inputs that reach what the target's own do not: of each group, after those before it, the best first.

    So what is kept already stays, and the corpus does not change with every run.
    """
    chosen: list[bytes] = []
    with target.open() as parse:
        reached: set[Any] = set()
        for seed in target.seeds():
            reached |= _reached(parse, target.declared, seed)
        for group in groups:
            left = {data: new for data in group if (new := _reached(parse, target.declared, data) - reached)}
            while left and len(chosen) < MAX_FILES:
                best = max(left, key=lambda data: (len(left[data]), -len(data), data))
                chosen.append(best)
                gained = left.pop(best)
                reached |= gained
                left = {data: rest for data, new in left.items() if (rest := new - gained)}
    return chosen


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tools.fuzz_corpus", description="Chooses what the corpus keeps.")
    parser.add_argument("--again", action="store_true", help="choose anew among what is kept")
    parser.add_argument("names", nargs="*", help="a folder (without --again), then targets; none means all")
    options = parser.parse_args(arguments)
    names: list[str] = options.names
    found = None if options.again else Path(names.pop(0)) if names else None
    if found is None and not options.again:
        parser.error("name the folder with the found inputs, or say --again")
    for target in fuzz_targets.named(names):
        kept = read(target.name)
        old = {path: data for path, data in kept.items() if not path.name.startswith(FINDING)}
        new = set()
        if found is not None:
            files = [path for path in (found / target.name).glob("*") if path.stat().st_size <= MAX_BYTES]
            new = {path.read_bytes() for path in files}
        chosen = choose(target, sorted(old.values()), sorted(new))
        for path in old:
            path.unlink()
        for data in chosen:
            keep(target, data)
        print(
            f"{target.name}: {len(chosen)} of {len(old) + len(new)} kept, {len(kept) - len(old)} findings beside them"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
