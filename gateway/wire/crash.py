"""What a board says of a crash, or of a bite of its watchdog, at its next connection."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cbor2

from gateway.wire.errors import CrashError
from gateway.wire.frame import MAX_COUNTER, VERSION, integer, load

MAX_TEXT_BYTES = 700
MAX_CAUSE = 255
CAUSES = ("an unknown cause", "power-on", "hard reset", "watchdog", "deep sleep", "soft reset")
"""What a machine calls the cause of a start, by its number. MicroPython calls a brown-out power-on or watchdog."""
STARTS = (*CAUSES, "power-on soon after another start")
"""What the numbers in `Crash.starts` count."""


@dataclass(frozen=True, slots=True)
class Crash:
    """One report. `boot`: in which it happened (0: before the first). `cause`: of that start, as the machine says, or,
    after the watchdog's bite, of the start after it. `heap`: bytes free after it. `nth`: how many the board noted since
    it last told one; the first and the newest of them are told. `starts`: how often each of `STARTS` was, ever.
    `text`: the end of the traceback; empty where the watchdog bit, which leaves none."""

    boot: int
    cause: int
    heap: int
    nth: int
    starts: tuple[int, ...]
    text: str

    @property
    def cause_word(self) -> str:
        """The cause in words."""
        return CAUSES[self.cause] if self.cause < len(CAUSES) else f"cause {self.cause}"

    @property
    def headline(self) -> str:
        """What happened, in a line: the last of its traceback."""
        lines = self.text.strip().splitlines()
        return lines[-1].strip() if lines else f"it did not answer, and was started again ({self.cause_word})"


def decode_crash(payload: bytes) -> Crash:
    """The payload of a sealed `crash`. Raises CrashError or VersionError."""
    item = load(payload, CrashError)
    if len(item) != 7:
        raise CrashError(f"a crash report has 7 items, not {len(item)}")
    _, boot, cause, heap, nth, starts, text = item
    integer(boot, 0, MAX_COUNTER, "boot", CrashError)
    integer(cause, 0, MAX_CAUSE, "cause", CrashError)
    integer(heap, 0, MAX_COUNTER, "heap", CrashError)
    integer(nth, 1, MAX_COUNTER, "nth", CrashError)
    if type(starts) is not list or len(starts) != len(STARTS):
        raise CrashError(f"a crash report counts {len(STARTS)} kinds of starts")
    for count in starts:
        integer(count, 0, MAX_COUNTER, "starts", CrashError)
    if type(text) is not bytes or len(text) > MAX_TEXT_BYTES:
        raise CrashError(f"the text of a crash report is at most {MAX_TEXT_BYTES} bytes")
    return Crash(boot, cause, heap, nth, tuple(starts), _readable(text))


def encode_crash(boot: int, cause: int, heap: int, nth: int, starts: Sequence[int], text: bytes) -> bytes:
    """The payload of a crash report (boards do this in firmware; tests and tools here)."""
    item: list[Any] = [VERSION, boot, cause, heap, nth, list(starts), text]
    return cbor2.dumps(item)


def _readable(text: bytes) -> str:
    """Its first character may be cut, and an error's text may hold anything: it is shown on terminals and pages."""
    lines = text.decode("utf-8", "replace").replace("\r", "").replace("\t", "    ")
    return "".join(c if c == "\n" or c.isprintable() else "\ufffd" for c in lines)
