"""What a board says of itself besides its birth: whether it is there, quiet, and which channels it keeps to itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cbor2

from gateway.wire.errors import FrameError
from gateway.wire.frame import MAX_CHANNEL, MAX_COUNTER, VERSION, integer, load

_WORD_BITS = 30  # what a 32-bit board holds in a small integer
_MAX_PAIRS = 3
_QUIET = 2


@dataclass(frozen=True, slots=True)
class Use:
    """Which channels a board keeps to itself, as bits by channel index: `off` are not sent, and those of them that are
    `unmeasured` are not even measured."""

    off: int = 0
    unmeasured: int = 0

    def words(self) -> list[int]:
        """As a state and the command `use` say it: (off, unmeasured) for channels 0 to 29, then for 30 to 59, then for
        the rest, as far as something is off."""
        words = []
        off, unmeasured = self.off, self.unmeasured
        while off:
            words += [off % (1 << _WORD_BITS), unmeasured % (1 << _WORD_BITS)]
            off, unmeasured = off >> _WORD_BITS, unmeasured >> _WORD_BITS
        return words

    @classmethod
    def of_words(cls, words: Sequence[Any]) -> "Use":
        """What such words say. Raises FrameError, also for words that say more than it takes."""
        if len(words) % 2 or len(words) > 2 * _MAX_PAIRS:
            raise FrameError(f"which channels are kept is said in up to {_MAX_PAIRS} pairs of words")
        off = unmeasured = 0
        for n in range(0, len(words), 2):
            for word in words[n : n + 2]:
                integer(word, 0, (1 << _WORD_BITS) - 1, "a word of channels")
            off |= words[n] << n // 2 * _WORD_BITS
            unmeasured |= words[n + 1] << n // 2 * _WORD_BITS
        use = cls(off, unmeasured)
        if unmeasured & ~off or off >> MAX_CHANNEL + 1 or use.words() != list(words):
            raise FrameError("what is not measured is not sent either; of channels that are used nothing is said")
        return use


ALL_USED = Use()


@dataclass(frozen=True, slots=True)
class State:
    """What a board says of itself in `boot`, or the broker in its place. `quiet`: somebody held its button, and until
    the next such press it says nothing of what it measures. `quiet` and `use` are not known of a board that is not
    `online`."""

    boot: int
    online: bool
    quiet: bool = False
    use: Use = ALL_USED


def decode_state(payload: bytes) -> State:
    """The payload of a sealed `state`. Raises FrameError or VersionError."""
    item = load(payload, FrameError)
    if len(item) not in (3, 4) or (len(item) == 4 and not (type(item[3]) is list and item[3])):
        raise FrameError("a state is [1, boot, 0 to 2] and a list of words, if the board keeps channels to itself")
    integer(item[1], 1, MAX_COUNTER, "boot")
    integer(item[2], 0, _QUIET, "the state")
    if item[2] == 0 and len(item) > 3:
        raise FrameError("a board that is offline says nothing of its channels")
    return State(item[1], item[2] > 0, item[2] == _QUIET, Use.of_words(item[3]) if len(item) > 3 else ALL_USED)


def encode_state(state: State) -> bytes:
    """The payload of a state (boards do this in firmware; tests and tools here)."""
    presence = (_QUIET if state.quiet else 1) if state.online else 0
    kept = [state.use.words()] if state.online and state.use.off else []
    return cbor2.dumps([VERSION, state.boot, presence, *kept])
