"""Which of the slots /a and /b runs: a line on flash, which an update changes with one rename. Loaded to ask or change.

In `slot` are: the slot that is started; the highest number of an update that ever was started; how it went; and a word
of bits, the series channels that read nothing when it was. How it went: 0, it stays; from 1 on it is on trial, and was
started once less than that; -1, its starts did not last; -2, it did not pass (trial.py). The loader counts the starts.
"""

import os
import sys


def running():
    """The slot that this firmware was loaded from, "a" or "b"; None where it lies in no slot."""
    slot = sys.path[0][1:]
    return slot if slot in ("a", "b") else None


def read():
    """[slot, number, how it went, bits]. Without a whole line: those of a board that never had an update."""
    try:
        with open("slot") as file:
            line = file.read(80)
        slot, number, went, bits = line.split()
        if line.endswith("\n"):
            return [slot, int(number), int(went), int(bits)]
    except (OSError, ValueError):
        pass
    return ["a", 0, 0, 0]


def store(items):
    """Makes them hold, in one step. Raises OSError, and then what held still holds."""
    with open("slot" + ".new", "wb") as file:
        file.write(b"%s %d %d %d\n" % tuple(items))
    os.rename("slot" + ".new", "slot")
