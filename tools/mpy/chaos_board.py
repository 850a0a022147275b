"""Runs in the place of sim_flash.py (MicroPython): the same board, with a witness of what its journal promises and a
hand at its plug.

`chaos_board.py IMAGE CODE_FOLDER BOARD_JSON BLOCKS WITNESS ORDERS BUDGET CLOCK`: WITNESS is a file of the machine, not
of the board, to which a line is added for each promise (tools/chaos_witness.py). ORDERS is a file that appears, is
obeyed and removed. BUDGET: bytes of flash that can be written until the power goes; -1: it stays. CLOCK: 0 = the board
has none.
"""

import sys

IMAGE, CODE, BOARD_JSON, BLOCKS, WITNESS, ORDERS, BUDGET, CLOCK = sys.argv[1:9]

import asyncio
import binascii
import gc
import os

import journal
import mqtt
import port
import segments
import sim_flash
import vfs
from board import Board

_LOOK_MS = 50
_MOMENT_MS = 1500  # enough for a reading of a board whose time runs as the gateway's does
_MEASURE = ("appliance", "driver", "button", "base", "door")  # tasks by which a board gets something to say
# The longest pause before the next connection is a minute: a run of ten minutes has no time for many of those.
_BACKOFF_MS = (300, 3000)

# The file writes through: a kill takes nothing with it. What an earlier life was cut in gets its end of line.
witness = open(WITNESS, "ab")
witness.write(b"\n")


def note(what, *numbers):
    witness.write((what + " " + " ".join([str(number) for number in numbers]) + "\n").encode())


class Counted(segments.Segments):
    """Frames on flash, with somebody who writes down at once how many were given up: the power may go before the
    journal hears of it."""

    gone = 0

    @property
    def dropped(self):
        return self.gone

    @dropped.setter
    def dropped(self, count):
        if count > self.gone:
            own = Watched.life
            note("d", own.watched, own.dropped + count)
        self.gone = count


class Watched(journal.Journal):
    """The journal, with somebody who writes down what it says."""

    def __init__(self, boot, *args, **kwargs):
        Watched.life = self
        self.watched = boot
        self.newest = self.promised = self.lost = 0
        self.told = {}
        super().__init__(boot, *args, **kwargs)

    def append(self, seq, payload, keep=False):
        # Before, because the frame may be on flash when the power goes.
        note("s", self.watched, seq, binascii.crc32(payload))
        try:
            super().append(seq, payload, keep)
        except MemoryError:
            note("u", self.watched, seq)
            raise
        self.newest = seq
        self.look()

    def ack(self, boot, seq):
        if seq > self.told.get(boot, 0):
            self.told[boot] = seq
            note("a", boot, seq)
        super().ack(boot, seq)
        self.look()

    def spill(self):
        done = super().spill()
        self.look()
        return done

    def tend(self, *args):
        super().tend(*args)
        self.look()

    def release(self):
        done = super().release()
        self.look()
        return done

    def look(self):
        if self.dropped != self.lost:
            self.lost = self.dropped
            note("d", self.watched, self.lost)
        if self.newest > self.promised and not self.exposed:
            self.promised = self.newest
            note("p", self.watched, self.newest)


class Impatient(mqtt.Client):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, backoff_ms=_BACKOFF_MS, **kwargs)


def put(text, path):
    """As flashing a board does: only what differs."""
    try:
        with open(path) as file:
            if file.read() == text:
                return
    except OSError:
        pass
    with open(path, "w") as file:
        file.write(text)


def widen():
    """Makes MicroPython's table of names grow now. It doubles: the few names that are the witness's own would make it
    take 7 KiB in one piece late in the start, when the heap no longer has such a piece."""
    for number in range(1000):
        before = gc.mem_alloc()
        getattr(gc, "_%d" % number, None)
        if gc.mem_alloc() - before > 6000:
            return


async def obey(board):
    """Does what is ordered, for ever."""
    while True:
        await asyncio.sleep_ms(_LOOK_MS)
        try:
            with open(ORDERS) as file:  # noqa: ASYNC230 - a moment
                verb, number = file.read().split()
            os.remove(ORDERS)
        except OSError:
            continue
        if verb == "cut":
            flash.cut_after(int(number))
        if verb != "clock" or step(board.clock, int(number)):
            note("x", verb, number)
        if verb == "quiet":
            await be_quiet(board)


def step(clock, seconds):
    """Puts the clock off. Whether it is: one that was never set cannot be."""
    before = clock.offset_s
    if before is not None:
        clock.set_time_s(max(0, clock.time_s() + seconds))
    return clock.offset_s != before


async def be_quiet(board):
    """Measures no more; seals what there is, and tells when the gateway has all of it."""
    if board.clock.offset_s is None:
        # All of this boot gets its time from a frame that is sealed after the gateway has told it.
        while board.clock.offset_s is None:
            await asyncio.sleep_ms(200)
        await asyncio.sleep_ms(_MOMENT_MS)
    for name in _MEASURE:
        board.supervisor.stop(name)
    board.appliance.seal()
    while board.journal.after(0, 0) is not None:
        await asyncio.sleep_ms(200)
    board.report()
    note("q", board.sealer.boot)


def run(board):
    # As its `add` does, which has left the memory by now.
    board.supervisor._watched.append(["chaos", lambda: obey(board), None, None, 0, None])
    really_run(board)


journal.Journal = Watched
segments.Segments = Counted
mqtt.Client = Impatient
really_run, Board.run = Board.run, run
if CLOCK == "0":
    port.system_time_s = lambda: None

# As sim_flash.mount does it, with the power cut in between.
flash = sim_flash.Flash(IMAGE, int(BLOCKS))
if not flash.formatted():
    vfs.VfsLfs2.mkfs(flash)
if int(BUDGET) >= 0:
    flash.cut_after(int(BUDGET))
vfs.mount(vfs.VfsLfs2(flash), "/flash")
os.chdir("/flash")
with open(BOARD_JSON) as file:
    put(file.read(), "board.json")
widen()
__import__("main")
