"""A slot on trial: it stays if its sensors read, the broker is reached and the gateway has stored a frame of it.

Looked at once a second. If that is not so in time, the other slot runs again, as after starts that do not last.
"""

import sys

import slots
from micropython import const

# Real milliseconds. A gateway that gathers for its commit and a broker that is restarted meanwhile fit into it.
_LIMIT_MS = const(600000)


def look(board):
    """Goes on with the trial; whether it is still going on."""
    items = slots.read()
    if items[0] != slots.running():
        # The loader could not count a start of that slot, and started this one instead.
        return False
    good = False
    try:
        if not board.sealer.seq:
            # The first row goes at once: it is its ack that is waited for.
            board.appliance.seal()
        # A sensor that read nothing before says nothing about this firmware.
        good = board.link.client.connected and board.journal.acked and not board.appliance.failures() & ~items[3]
    except Exception as error:
        # Whatever this firmware does, the time for it runs out.
        print("update", repr(error))
    try:
        if good:
            items[2] = 0
            slots.store(items)
            _lasted()
            print("update: it stays:", items[1])
            return False
        if board.clock.real_ms() >= _LIMIT_MS:
            items[0] = "a" if items[0] == "b" else "b"
            items[2] = -2
            slots.store(items)
            _lasted()
            print("update: it did not pass:", items[1])
            board.appliance.reboot_asked = True
            return False
    except OSError as error:
        print("slot", error)
    return True


def _lasted():
    """Starts of a trial are none that did not last: safe mode is not for them."""
    from starts import lasted

    sys.modules.pop("starts", None)
    lasted()
