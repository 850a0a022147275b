"""Counts starts: which cause the machine gave for each, and how many in a row did not last. Loaded when one begins,
fails or has lasted.

After three starts that did not last nothing is started (safe.py): a loop of restarts would end nowhere, and keep who
mends the board from its prompt.

On flash is a line of numbers: starts in a row that did not last; then how often the machine gave the cause 0, 1, 2 …;
then power-ons after a start that did not last. The machine's word is all there is, and no port has one for a brown-out:
MicroPython's newer ESP32 ports call it a power-on, the older a watchdog's bite. So a supply that sags shows up as
watchdogs, or as power-ons that come too soon.
"""

import os
import sys

from micropython import const

_MOST = const(3)
_POWER_ON = const(1)
_WATCHDOG = const(3)
_CAUSES = const(6)
_SOON = const(7)  # the place of the last number


def begin(why):
    """Notes a start, which has that cause (port.reset_cause). Returns whether the board may start; else it is to be
    made safe."""
    items = read()
    if why == _POWER_ON:
        # Whoever pulls the plug and puts it back wants another try.
        items[_SOON] += items[0] > 0
        items[0] = 0
    items[1 + (why if 0 <= why < _CAUSES else 0)] += 1
    items[0] += 1
    failed = items[0] > _MOST
    if failed:
        # Safe mode ends with the next start, whatever makes it.
        items[0] = 0
    _store(items)
    if why == _WATCHDOG:
        end(None)
    return not failed


def end(error):
    """Keeps a report of what ended a start, for the gateway: an exception, or with None the watchdog."""
    if error is not None:
        sys.print_exception(error)
    from crash import keep

    del sys.modules["crash"]
    keep(error)


def lasted():
    """This start is none of those that did not last: it did, or it ends on purpose."""
    items = read()
    if items[0]:
        items[0] = 0
        _store(items)


def read():
    """The numbers; all 0 where there are none, or a cut left something else."""
    for path in ("starts", "starts" + ".new"):
        try:
            with open(path, "rb") as file:
                line = file.read(128)
            items = [int(word) for word in line.split()]
            # Without its end of line it was cut while it was written.
            if line.endswith(b"\n") and len(items) == _SOON + 1 and min(items) >= 0:
                return items
        except (OSError, ValueError):
            pass
    return [0] * (_SOON + 1)


def _store(items):
    try:
        with open("starts" + ".new", "wb") as file:
            file.write(b" ".join([b"%d" % item for item in items]) + b"\n")
        os.rename("starts" + ".new", "starts")
    except OSError as error:
        # A board whose flash is full starts all the same, and is not counted.
        print("starts: not kept:", error)
