"""Safe mode: nothing is measured, switched or sent; the prompt is free, and the LED flashes fast."""

import json

import machine
from crash import read
from micropython import const

# The pattern of board.lit(3, …).
_BLINK_MS = const(125)


def make():
    """Makes the board safe and says why. That ends with the next start."""
    print("hearthgate: safe mode: the last starts did not last: nothing is measured, switched or sent")
    for report in read():
        print("crash %d, boot %d:" % (report[3], report[0]), str(report[5], "utf-8").strip() or "the watchdog bit")
    print("hearthgate: mend it (hearthgate flash), then reset it, or take its power away for a moment")
    led = None
    for kind, name, settings in _parts():
        # What heats is off after a reset. Opened, it holds its pin at off, whatever lies on the line.
        if kind == "relay" or name == "led":
            try:
                part = __import__(kind).open(settings)
                if name == "led":
                    led = part
            except Exception as error:
                print("hearthgate: safe mode:", name, repr(error))
    if led is not None and hasattr(machine, "Timer"):
        blink = machine.Timer(0)
        blink.init(period=_BLINK_MS, mode=blink.PERIODIC, callback=lambda _: led.set(1 - led.value))


def _parts():
    """The rows of parts in board.json, which may be what is broken."""
    try:
        with open("board.json") as file:
            rows = json.load(file).get("parts")
        return [row for row in rows if isinstance(row, list) and len(row) == 3]
    except (OSError, ValueError, AttributeError, TypeError):
        return []
