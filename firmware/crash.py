"""Crash reports: what is known of a crash, kept on flash until there is a connection to tell it. Loaded only then.

On flash is one file, an array of at most two reports: the first since the last time that one was told, which most often
is the reason of all others, and the newest. Each is [boot, cause, heap, nth, starts, text] (gateway/wire/frame.cddl).
"""

import gc
import io
import os
import sys

import cbor
from micropython import const

# The end of a traceback says what happened and where; a report is a message of less than a kilobyte.
_TEXT_BYTES = const(700)
_VERSION = const(1)


def keep(error):
    """Keeps a report of an exception, or with None of the watchdog's bite before this start. It never raises: whoever
    has a crash to report has trouble enough."""
    try:
        gc.collect()
        heap = gc.mem_free()
        from port import reset_cause
        from starts import read as count

        for name in ("port", "starts"):
            sys.modules.pop(name, None)
        text = io.BytesIO()
        if error is not None:
            sys.print_exception(error, text)
        items = read()
        nth = items[-1][3] + 1 if items else 1
        report = [_boot(), reset_cause(), heap, nth, count()[1:], text.getvalue()[-_TEXT_BYTES:]]
        _store(items[:1] + [report])
    except Exception as error:
        print("crash: not kept:", error)


def read():
    """The reports that wait, at most two."""
    for path in ("crash", "crash" + ".new"):
        try:
            with open(path, "rb") as file:
                items = cbor.loads(file.read())
            if 0 < len(items) <= 2 and all(len(item) == 6 for item in items):
                return items
        except (OSError, ValueError, IndexError, TypeError):
            pass
    return []


async def say(client, topic, mac):
    """Publishes what waits, and forgets it once the broker has it: no promise as for a frame, but a crash is no
    reading, and who crashes again says so again. Raises OSError if the connection ends."""
    items = read()
    for item in items:
        await client.publish(topic + "crash", mac.seal(b"crash", cbor.dumps([_VERSION] + item)))
    # What came meanwhile is told another time.
    left = [item for item in read() if item not in items]
    if left:
        _store(left)
        return
    for path in ("crash", "crash" + ".new"):
        try:
            os.remove(path)
        except OSError:
            pass


def _boot():
    """The number of the boot that this is, or, before it has one, of the last."""
    try:
        with open("boot", "rb") as file:
            return int(file.read(32))
    except (OSError, ValueError):
        return 0


def _store(items):
    with open("crash" + ".new", "wb") as file:
        file.write(cbor.dumps(items))
    os.rename("crash" + ".new", "crash")
