"""A fuzz target: one reader of bytes from outside, and what it may do with them.

It may take them or refuse them, in the words that it declares, within a second and a bounded memory. Anything else
that happens is a finding: another exception, a hang, a death of the process, or an answer that is wrong (Broken).
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tools.fuzz_mutate import Mutator

__all__ = ["Broken", "Parse", "Refused", "Target", "scratch"]

Parse = Callable[[bytes], None]
_MEMORY = Path("/dev/shm")  # noqa: S108 - files that are written a thousand times a second belong in memory


class Refused(Exception):
    """The reader refused the input in its own way, which is not an exception; the text is the reason."""


class Broken(Exception):
    """The reader took the input and gave an answer that cannot be right. `data`: the input, if it is an earlier one."""

    def __init__(self, what: str, data: bytes | None = None) -> None:
        super().__init__(what)
        self.data = data


@dataclass(frozen=True)
class Target:
    """One reader.

    `open`: makes the reader ready and gives the function that reads one input; it raises `errors` or Refused where the
    reader refuses. `seeds`: valid inputs. `share`: how many inputs it gets beside the other targets; `cost_us`: what
    one takes, about. `text`: inputs are texts (TOML, JSON, requests). `max_bytes`: of one input.
    """

    name: str
    about: str
    open: Callable[[], AbstractContextManager[Parse]]
    seeds: Callable[[], Iterable[bytes]]
    mutate: Mutator
    share: int
    cost_us: int
    errors: Callable[[], tuple[type[Exception], ...]] = tuple
    text: bool = False
    max_bytes: int = 2048

    @property
    def declared(self) -> tuple[type[Exception], ...]:
        """The exceptions by which an input is refused."""
        return (Refused, *self.errors())


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder for a run: in memory where the system has such a place, unless TMPDIR says where."""
    place = None if "TMPDIR" in os.environ or not _MEMORY.is_dir() else _MEMORY
    with tempfile.TemporaryDirectory(prefix="hearthgate-fuzz-", dir=place) as folder:
        yield Path(folder)
