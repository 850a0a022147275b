"""The journal on littlefs when the power goes, at every byte that a scenario writes to flash.

Each case runs its scenario once for every place where the power can go, and looks at what the next start finds.
"""

import gc
from array import array

import flash_stage
from flash_stage import payload, power_off, power_on, walk
from journal import Counter, Journal
from segments import Segments

BLOCKS = 20
EVENT = 45  # bytes of a frame that matters, and of no other


class PowerIsOff(Exception):
    pass


class Board:
    """What is known of a board from outside, over all its boots: `given` the sizes of all frames that its journals
    took, `promised` up to where they then were on flash, `acked` up to where they were confirmed, `stored` the boot
    counter when it was last stored."""

    def __init__(self, limit_bytes):
        self.limit_bytes = limit_bytes
        self.given = {}
        self.promised = {}
        self.acked = {}
        self.stored = 0

    def copy(self):
        board = Board(self.limit_bytes)
        for boot, sizes in self.given.items():
            board.given[boot] = array("H", sizes)
        board.promised.update(self.promised)
        board.acked.update(self.acked)
        board.stored = self.stored
        return board

    def start(self):
        """As start.py does."""
        segments = Segments("frames", self.limit_bytes)
        counter = Counter("boot")
        self.boot = max(counter.value, segments.boot) + 1
        try:
            counter.store(self.boot)
        except OSError:
            raise PowerIsOff from None
        self.look()
        self.stored = self.boot
        self.given[self.boot] = array("H")
        self.journal = Journal(self.boot, segments)

    def look(self):
        if self.flash.dead:
            raise PowerIsOff

    def append(self, count=1, keep=False, size=60):
        for _ in range(count):
            self.given[self.boot].append(size)
            seq = len(self.given[self.boot])
            if self.journal.append(seq, payload(self.boot, seq, size), keep):
                self.promised[self.boot] = seq
            self.look()

    def events(self, count=1):
        self.append(count, True, EVENT)

    def spill(self):
        if self.journal.spill():
            self.promised[self.boot] = len(self.given[self.boot])
        self.look()

    def offline(self):
        for now_ms in (0, 60000):
            self.journal.tend(now_ms, online=False)
        if not self.journal.exposed:
            self.promised[self.boot] = len(self.given[self.boot])
        self.look()

    def ack(self, boot, seq):
        self.acked[boot] = seq
        self.journal.ack(boot, seq)
        self.look()

    def check(self, may_go):
        """The next start finds all that was promised, as it was, in order, and nothing else. It may miss frames of
        which `may_go(boot, seq, size)` is true, but finds that the last of a boot is gone. Returns how many it finds
        that were confirmed."""
        assert Counter("boot").value >= self.stored, "the boot counter went back"
        segments = Segments("frames", self.limit_bytes)
        assert (segments.cut, segments.flash_errors) == (0, 0)
        found = {boot: set() for boot in self.given}
        last = (0, 0)
        again = 0
        for boot, seq, data in walk(segments):
            assert (boot, seq) > last, "order"
            last = (boot, seq)
            size = self.given[boot][seq - 1]
            assert data == payload(boot, seq, size) or (not data and may_go(boot, seq, size)), (boot, seq)
            found[boot].add(seq)
            again += seq <= self.acked.get(boot, 0)
        for boot, promised in self.promised.items():
            if promised > self.acked.get(boot, 0):
                assert found[boot] and max(found[boot]) >= promised, ("never to be missed", boot, promised)
            for seq in range(self.acked.get(boot, 0) + 1, promised + 1):
                if seq not in found[boot]:
                    assert may_go(boot, seq, self.given[boot][seq - 1]), ("lost", boot, seq)
        # And it goes on.
        self.start()
        assert self.boot > last[0], "a boot is used twice"
        self.events()
        assert self.promised[self.boot] == 1
        return again


def none(boot, seq, size):
    return False


def series(boot, seq, size):
    return size != EVENT


def places(puts, stride):
    """Where the power can go: before every byte that is programmed, or every so many; of an erasure at its begin and
    within."""
    at = before = 0
    for length in puts:
        if length > 0:
            yield from range(at, at + length, stride)
        elif before >= 0:
            yield at
            yield at + 100
        at += abs(length)
        before = length


def each_cut(scenario, prepare=None, may_go=none, limit_bytes=262144, stride=1):
    """Runs the scenario whole, then once for each place, all from one and the same flash. Returns the most that was
    found although it was confirmed."""
    before = Board(limit_bytes)
    before.flash = power_on(BLOCKS)
    if prepare is not None:
        prepare(before)
    power_off(before.flash)
    flash_stage.keep()
    board = before.copy()
    board.flash = power_on(BLOCKS)
    board.flash.puts = []
    scenario(board)
    puts = array("h", board.flash.puts)
    power_off(board.flash)
    cuts = again = 0
    for place in places(puts, stride):
        cuts += 1
        gc.collect()
        flash_stage.put_back()
        board = before.copy()
        board.flash = power_on(BLOCKS)
        board.flash.cut_after(place)
        try:
            scenario(board)
            raise AssertionError(f"the power did not go before byte {place}")
        except PowerIsOff:
            power_off(board.flash)
        board.flash = power_on(BLOCKS)
        try:
            again = max(again, board.check(may_go))
        except Exception:
            print("power cut before byte", place)
            raise
        power_off(board.flash)
    print(cuts, "cuts in", sum(abs(length) for length in puts), "bytes")
    return again


def outage(board):
    """An event on a good link, an outage with events and series, a restart in it, and the backlog goes."""
    board.start()
    board.append(1)
    board.events()
    board.ack(1, 2)
    board.append(2)
    board.offline()
    board.events()
    board.start()
    board.append(1)
    board.offline()
    board.events()
    board.ack(1, 4)
    board.ack(2, 1)
    board.ack(1, 5)
    board.ack(2, 2)


def test_an_outage():
    each_cut(outage)


def test_a_spill_of_several_segments():
    def scenario(board):
        board.start()
        board.append(3, size=4000)
        board.events()
        board.ack(board.boot, 2)

    each_cut(scenario, stride=31)


def test_neighbours_that_become_one():
    def prepare(board):
        for _ in range(4):
            board.start()
            board.append(2)
            board.events()

    def scenario(board):
        board.start()
        board.append(1)
        board.events()

    each_cut(scenario, prepare, limit_bytes=16384, stride=5)


def filled(board):
    """Four segments, full of series with an event here and there."""
    board.start()
    for _ in range(4):
        board.append(2, size=500)
        board.events()
        board.append(5, size=500)
        board.events()
        board.spill()


def test_series_that_give_way():
    def scenario(board):
        board.start()
        board.append(1, size=3000)
        board.events(3)

    each_cut(scenario, filled, series, limit_bytes=16384, stride=37)


def test_events_that_move_from_segment_to_segment():
    def prepare(board):
        board.start()
        for _ in range(4):
            board.append(1, size=1000)
            board.events(50)

    def scenario(board):
        board.start()
        board.append(1, size=3500)
        board.events()

    each_cut(scenario, prepare, series, limit_bytes=16384, stride=193)


def test_the_oldest_events_that_give_way():
    def prepare(board):
        board.start()
        board.events(280)

    def oldest(boot, seq, size):
        return seq <= 140

    def scenario(board):
        board.start()
        board.events(2)

    each_cut(scenario, prepare, oldest, limit_bytes=16384, stride=5)


def lives(board):
    """Four segments, full of what short boots left: series, and at times an event before or behind them."""
    for count in (9, 1, 14, 2, 5, 1, 3, 4):
        board.start()
        if count % 2:
            board.events()
        board.append(count, size=380)
        if count % 4 == 0:
            board.events()
        board.spill()


def test_the_last_series_of_boots_that_give_way():
    def scenario(board):
        board.start()
        board.append(9, size=400)
        board.spill()
        board.events()

    each_cut(scenario, lives, series, limit_bytes=16384, stride=37)


def test_the_last_events_of_boots_that_give_way():
    def prepare(board):
        for _ in range(7):
            board.start()
            board.events(37)

    def oldest(boot, seq, size):
        return boot <= 5

    def scenario(board):
        board.start()
        board.events(12)

    each_cut(scenario, prepare, oldest, limit_bytes=16384, stride=397)
