"""Runs on the emulated 32-bit board (tools/bench_qemu.py): what loading, starting and sealing cost there."""

import gc
import json
import sys
import time

ROUNDS = 5
STARTING = ("start", "starts", "port")


def free():
    gc.collect()
    gc.collect()
    return gc.mem_free()


def load(names):
    """Heap and time that each takes, on top of those before it."""
    costs = []
    for name in names:
        before = free()
        began = time.ticks_us()
        __import__(name)
        took_us = time.ticks_diff(time.ticks_us(), began)
        costs.append((name, before - free(), took_us))
    print(json.dumps(costs))


def start(stand_ins):
    """A whole board from its board.json: started, and running for a while without a network."""
    import asyncio  # noqa: PLC0415 - counted, as all else

    empty = free()
    gc.threshold(4096)  # as main.py has it
    for name in stand_ins:
        __import__(name)
    without = empty - free()  # a real board has these in its ROM
    began = time.ticks_ms()
    module = __import__("start")
    board = module.make()
    took_ms = time.ticks_diff(time.ticks_ms(), began)
    del module
    for name in STARTING:
        sys.modules.pop(name, None)
    gc.threshold(-1)
    made = free() + without
    found = []

    async def a_while():
        running = asyncio.create_task(board.supervisor.run())
        await asyncio.sleep_ms(3000)
        found.append(free() + without)
        running.cancel()

    asyncio.run(a_while())
    figures = {"empty": empty, "start_ms": took_ms, "made": made, "free": found[0], "crashes": board.supervisor.crashes}
    print(json.dumps(figures))


def timed(work):
    """Best milliseconds of one call."""
    best = 1 << 30
    for _ in range(ROUNDS):
        gc.collect()
        began = time.ticks_us()
        work()
        best = min(best, time.ticks_diff(time.ticks_us(), began))
    return best / 1000


def seal():
    """Sealing 60 rows of a fridge, beside json.dumps of the same; and opening an ack."""
    import frame  # noqa: PLC0415
    import mac  # noqa: PLC0415

    with open("rows.json") as file:
        rows = json.load(file)
    framer = frame.Framer(6)
    columns = frame.Columns(6)
    for row in rows:
        columns.add(row)
    key = mac.Mac0(bytes(range(32)))
    ack = key.seal(b"ack", bytes(24))

    def sealed():
        return key.seal(b"up", framer.columns(40, 4321, 1795000000, 86400000, 10000, columns))

    figures = {
        "seal_ms": timed(sealed),
        "json_ms": timed(lambda: json.dumps(rows)),
        "open_ms": timed(lambda: key.open(b"ack", ack)),
        "sealed_bytes": len(sealed()),
        "json_bytes": len(json.dumps(rows)),
    }
    print(json.dumps(figures))
