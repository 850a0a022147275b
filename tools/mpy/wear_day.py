"""Runs on the board (MicroPython): a whole board's day on a littlefs whose bytes and blocks are counted.

Everything is the firmware's own, from start.py on, and the board's simulated world with it; simulated are the time
(wear_time.py), the flash chip (sim_flash.py) and what lies beyond the MQTT client (wear_link.py).

Reads one line of JSON from standard input: board (a board.json), image (the file that is the flash), blocks of 4 KiB in
it, hours, and away: a list of [from_s, to_s] in every hour in which the network is away. Its last line is JSON too.
"""

import builtins
import json
import sys

import wear_time

wear_time.install()

import asyncio

import sim_flash
import wear_link

sys.modules["mqtt"] = wear_link
_HOUR_MS = 3_600_000


class Written:
    """A file that counts what is written to it, before littlefs adds its own."""

    bytes = 0

    def __init__(self, file):
        self._file = file

    def write(self, data):
        Written.bytes += len(data)
        return self._file.write(data)

    def close(self):
        self._file.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._file.close()


machine_open = open


def counting_open(path, mode="r"):
    file = machine_open(path, mode)
    return Written(file) if mode[0] in "wa" else file


def network(away):
    """up(now_ms) of a network that is away in those seconds of every hour."""
    return lambda now_ms: not any(first <= now_ms % _HOUR_MS // 1000 < last for first, last in away)


async def live(board, hours):
    task = asyncio.create_task(board.supervisor.run())
    for _ in range(hours):
        await asyncio.sleep_ms(_HOUR_MS)
        if task.done():
            raise RuntimeError("the board has ended")


def main():
    scenario = json.loads(sys.stdin.readline())
    flash = sim_flash.mount(scenario["image"], blocks=scenario["blocks"])
    table = scenario["board"]
    with open("board.json", "w") as file:
        json.dump(table, file)
    key = bytes(int(table["key"][at : at + 2], 16) for at in range(0, 64, 2))
    script = wear_link.script = wear_link.Script(network(scenario["away"]), table["device"], key)
    programmed, erased = flash.programmed, flash.erased
    builtins.open = counting_open
    import start  # noqa: PLC0415 - it must find flash and time as they will be

    board = start.make()
    asyncio.run(live(board, scenario["hours"]))
    journal, sealer, link = board.journal, board.sealer, board.link
    told = {
        "programmed": flash.programmed - programmed,
        "erased": flash.erased - erased,
        "written": Written.bytes,
        "flash_writes": journal.flash_writes,
        "flash_errors": journal.flash_errors,
        "frames": sealer.seq,
        "events": sealer.events,
        "thinned": sealer.thinned,
        "payload_bytes": link.payload_bytes,
        "retransmits": link.retransmits,
        "confirmed": script.frames,
        "twice": script.twice,
        "commits": script.commits,
        "acked": journal.acked,
        "dropped": journal.dropped,
        "held": journal.held,
        "exposed": journal.exposed,
        "flash_bytes": journal.flash_bytes,
        "refused": link.refused,
    }
    # Not part of the day: who takes the flash from here finds all of it there.
    journal.spill()
    print(json.dumps(told))


main()
