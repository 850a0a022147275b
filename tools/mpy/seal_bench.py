"""Runs on the board (MicroPython): times and weighs the sealing of a frame beside json.dumps of the same rows.

Reads the rows as a line of JSON from standard input, prints one line of JSON.
"""

import gc
import json
import sys
import time

if sys.argv[-1] == "plain":
    import plain

    sys.modules["bitpack"] = plain.load("bitpack")

import frame
import mac

NAMES = ("fridge_temp", "freezer_temp", "door", "top_shelf", "bottom_shelf", "power")
ROUNDS = 7
TIMES = 60

rows = json.loads(sys.stdin.readline())
objects = [dict(zip(NAMES, (r[0] / 16, r[1] / 16, r[2], r[3] / 1000, r[4] / 1000, r[5]))) for r in rows]
framer = frame.Framer(6)
columns = frame.Columns(6)
for row in rows:
    columns.add(row)
key = mac.Mac0(bytes(range(32)))


def seal():
    return key.seal(b"up", framer.columns(40, 4321, 1795000000, 86400000, 10000, columns))


def json_ints():
    return json.dumps(rows)


def json_objects():
    return json.dumps(objects)


def best_us(work):
    best = 1 << 30
    for _ in range(ROUNDS):
        gc.collect()
        began = time.ticks_us()
        for _ in range(TIMES):
            work()
        best = min(best, time.ticks_diff(time.ticks_us(), began))
    return best / TIMES


def heap(work):
    """Bytes that one call takes from the heap, garbage included: nothing is collected while it runs."""
    gc.collect()
    gc.disable()
    before = gc.mem_alloc()
    result = work()
    taken = gc.mem_alloc() - before
    gc.enable()
    return taken, len(result)


seal()
# In turn, so that a machine that slows down slows both.
times = [(best_us(seal), best_us(json_ints), best_us(json_objects)) for _ in range(3)]
seal_us, ints_us, objects_us = sorted(times, key=lambda t: t[0] / t[1])[1]
seal_heap, sealed = heap(seal)
json_heap, written = heap(json_ints)
print(
    json.dumps(
        {
            "seal_us": seal_us,
            "json_ints_us": ints_us,
            "json_objects_us": objects_us,
            "seal_heap": seal_heap,
            "json_heap": json_heap,
            "sealed_bytes": sealed,
            "json_bytes": written,
        }
    )
)
