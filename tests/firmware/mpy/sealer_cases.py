"""sealer.py: numbers without a hole, whatever the memory does; thinned frames and gaps."""

import cbor
from journal import Journal
from mac import Mac0
from packing import Columns
from sealer import Sealer
from thinning import Thinned


class TightJournal(Journal):
    """Has no memory for the next `short` frames; each time it lets go of something makes room for one."""

    short = 0

    def append(self, seq, payload, keep=False):
        if self.short:
            raise MemoryError("as scripted")
        super().append(seq, payload, keep)

    def release(self):
        self.short = max(0, self.short - 1)
        return super().release()


def made():
    journal = TightJournal(3)
    return Sealer(Mac0(bytes(32)), journal, 3, 2), journal


def seal(sealer, rows=3):
    columns = Columns(2)
    for row in range(rows):
        columns.add((row, None))
    sealer.columns(columns, 1_700_000_000, 5000, 10000)
    assert columns.rows == 0


def waiting(journal):
    found = []
    at = (0, 0)
    while True:
        entry = journal.after(*at)
        if entry is None:
            return found
        at = entry[:2]
        found.append(entry)


def items(journal, seq, count):
    data = Mac0(bytes(32)).open(b"up", journal.after(3, seq - 1)[2])
    return cbor.loads(bytes((0x80 + count,)) + data)


def test_numbers_rise_by_one_and_everything_is_counted():
    sealer, journal = made()
    frames = []
    sealer.on_frame = lambda: frames.append(sealer.seq)
    seal(sealer)
    sealer.event_list([(2, 0, 1), (2, 10, 0)], None, 7000, keep=True)
    seal(sealer, 1)
    assert frames == [1, 2, 3]
    assert [seq for _, seq, _ in waiting(journal)] == [1, 2, 3]
    assert (sealer.rows, sealer.values, sealer.events, sealer.thinned, sealer.gaps) == (4, 8, 2, 0, 0)


def test_short_memory_lets_the_oldest_go():
    sealer, journal = made()
    for _ in range(6):
        seal(sealer)
    journal.short = 2
    seal(sealer)
    left = [seq for _, seq, _ in waiting(journal)]
    assert left == list(range(journal.dropped + 1, 8))
    assert 2 <= journal.dropped < 6


def test_a_frame_that_cannot_be_kept_leaves_no_hole():
    sealer, journal = made()
    seal(sealer)
    journal.short = 99
    try:
        seal(sealer)
        raise AssertionError("there is no memory")
    except MemoryError:
        pass
    assert sealer.seq == 1
    journal.short = 0
    seal(sealer)
    assert [seq for _, seq, _ in waiting(journal)] == [1, 2]


def test_a_gap_is_a_frame_of_its_own():
    sealer, journal = made()
    for _ in range(5):
        seal(sealer)
    sealer.gap(2, 7, 9, None, 60_000)
    sealer.gap(3, 1, 5, 1_700_000_000, 60_250)
    assert items(journal, 6, 8) == [1, 3, 6, None, 60_000, 2, 7, 9]
    assert items(journal, 7, 8) == [1, 3, 7, 1_700_000_000, 60_250, 3, 1, 5]
    assert (sealer.gaps, sealer.rows, sealer.values) == (2, 15, 30)


def test_thinned_rows_say_how_many_each_stands_for():
    sealer, journal = made()
    measured, thin = Columns(2), Thinned(2, 4)
    for start_ms in (0, 60_000):
        for row in range(6):
            measured.add((row, -row))
        thin.take(measured, start_ms, 100_000)
    sealer.columns(thin, None, 0, 60_000, 6)
    assert thin.rows == 0
    thinned = items(journal, 1, 9)
    assert thinned[:8] == [1, 3, 1, None, 0, 60_000, 2, 6]
    assert (sealer.thinned, sealer.rows, sealer.values) == (1, 2, 12)


def test_the_fill_is_that_of_the_journal():
    sealer, journal = made()
    assert sealer.fill == 0
    journal.limit_bytes = 400
    for _ in range(5):
        seal(sealer)
    assert sealer.fill == journal.fill > 50
