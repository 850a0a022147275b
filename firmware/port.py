"""What differs between an ESP32 and the unix port: id, watchdog, reset, who keeps the time. (Wi-Fi is wifi.py.)

Nothing of this module is kept in memory after the start: `reset` is the port's own function.
"""

import binascii
import sys
import time

import machine
import micropython
from micropython import const

# Twice what a board that asks for a name may be blocked: two name servers that are silent, 7 s each.
_WATCHDOG_MS = const(30000)
_HANDED_OVER_MS = const(3600000)

# Restarts the board. On the unix port the process ends with status 0; whoever started it may start it again.
reset = machine.reset if hasattr(machine, "reset") else sys.exit


def unique_id():
    """12 lower-case hex digits, or None where the port has no id of its own."""
    if not hasattr(machine, "unique_id"):
        return None
    return binascii.hexlify(machine.unique_id()).decode()[:12]


def watchdog():
    """Starts the hardware's watchdog; None where there is none. It cannot be stopped again: only a supervisor that
    will run may ask for it."""
    return machine.WDT(timeout=_WATCHDOG_MS) if hasattr(machine, "WDT") else None


def hand_over():
    """A person took the prompt (Ctrl-C, mpremote): this start counts as none that did not last, and a watchdog that
    runs is given an hour, for it cannot be stopped."""
    lasted()
    micropython.kbd_intr(3)  # a serial link on the prompt's line had taken it away
    if hasattr(machine, "WDT"):
        machine.WDT(timeout=_HANDED_OVER_MS)


def reset_cause():
    """Why the machine says it started: 1 power-on, 2 hard reset, 3 watchdog, 4 deep sleep, 5 soft reset, 0 something
    else. A port that does not say so is a process, whose start is its power-on."""
    return machine.reset_cause() if hasattr(machine, "reset_cause") else 1


def lasted():
    """This start is none of those that did not last."""
    import starts

    del sys.modules["starts"]
    starts.lasted()


def halt(error=None):
    """Ends where the board cannot work: at the prompt, where a person can mend it, or with exit status 1. After a crash
    it is tried again in a moment; but a process ends with its error, for nobody may start it again."""
    if error is None:
        lasted()
        if not hasattr(machine, "reset"):
            sys.exit(1)
    elif hasattr(machine, "reset"):
        time.sleep(1)
        machine.reset()
    else:
        raise error


def system_time_s():
    """Unix seconds where an operating system keeps the clock, else None: a board starts without knowing."""
    return None if hasattr(machine, "reset") else int(time.time())
