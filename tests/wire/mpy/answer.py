"""Runs on MicroPython with the firmware on its path: answers one request a line (JSON) with one line (JSON).

frame    meaning                  the payload that the firmware's encoder makes
seal     role, payload            the sealed message
open     role, sealed             the payload and what it says; every single-bit flip of the message must be refused
refuse   role, sealed             whether it was refused
crash    payload                  what the firmware says of a crash that it kept: the topic, and the sealed message
native   -                        whether the native loops are in use
"""

import json
import sys
from binascii import hexlify, unhexlify

import cbor
import crash
import packing
from frame import Columns, Framer, events_frame, gap_frame
from mac import Mac0

mac = Mac0(bytes(range(32)))


def frame(meaning):
    boot, seq, time_s, uptime_ms = (meaning[k] for k in ("boot", "seq", "time_s", "uptime_ms"))
    if "events" in meaning:
        return events_frame(boot, seq, time_s, uptime_ms, meaning["events"])
    if "gap" in meaning:
        return gap_frame(boot, seq, time_s, uptime_ms, *(meaning["gap"][k] for k in ("boot", "first", "last")))
    series = meaning.get("lows", []) + meaning["columns"] + meaning.get("highs", [])
    rows = len(series[0])
    columns = Columns(len(series), rows)
    for i in range(rows):
        columns.add([column[i] for column in series])
    framer = Framer(len(series), rows)
    return framer.columns(boot, seq, time_s, uptime_ms, meaning["step_ms"], columns, meaning.get("each", 1))


def refused(role, sealed):
    try:
        mac.open(role, sealed)
    except ValueError:
        return True
    return False


def open_and_tamper(role, sealed):
    payload = mac.open(role, sealed)
    changed = bytearray(sealed)
    taken = 0
    for i in range(8 * len(sealed)):
        changed[i >> 3] ^= 1 << (i & 7)
        taken += not refused(role, changed)
        changed[i >> 3] ^= 1 << (i & 7)
    for n in range(len(sealed)):
        taken += not refused(role, sealed[:n])
    return {"payload": hexlify(payload).decode(), "says": cbor.loads(payload), "taken": taken}


class Client:
    """A connection that keeps what is published."""

    def __init__(self):
        self.said = []

    async def publish(self, topic, message):
        self.said.append((topic, bytes(message)))


def told(payload):
    with open("crash", "wb") as file:
        file.write(cbor.dumps([cbor.loads(payload)[1:]]))
    client = Client()
    try:  # noqa: SIM105 - MicroPython has no contextlib
        crash.say(client, "hg/1/5e0000000001/", mac).send(None)  # this client makes nobody wait
    except StopIteration:
        pass
    ((topic, message),) = client.said
    return {"topic": topic, "sealed": hexlify(message).decode(), "left": crash.read()}


def answer(request):
    what = request["what"]
    if what == "frame":
        return {"payload": hexlify(frame(request["meaning"])).decode()}
    if what == "crash":
        return told(unhexlify(request["payload"]))
    if what == "native":
        return {"native": not isinstance(packing.bitpack, type)}
    role = request["role"].encode()
    if what == "seal":
        return {"sealed": hexlify(mac.seal(role, unhexlify(request["payload"]))).decode()}
    sealed = unhexlify(request["sealed"])
    return open_and_tamper(role, sealed) if what == "open" else {"refused": refused(role, sealed)}


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))))
