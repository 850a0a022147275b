"""sealer.py: numbers without a hole, whatever the memory does."""

from journal import Journal
from mac import Mac0
from packing import Columns
from sealer import Sealer


class TightJournal(Journal):
    """Has no memory for the next `short` frames; each frame that is dropped makes room for one."""

    short = 0

    def append(self, boot, seq, payload, keep=False):
        if self.short:
            raise MemoryError("as scripted")
        super().append(boot, seq, payload, keep)

    def drop(self):
        self.short = max(0, self.short - 1)
        return super().drop()


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


def test_numbers_rise_by_one_and_everything_is_counted():
    sealer, journal = made()
    frames = []
    sealer.on_frame = lambda: frames.append(sealer.seq)
    seal(sealer)
    sealer.event_list([(2, 0, 1), (2, 10, 0)], None, 7000, keep=True)
    seal(sealer, 1)
    assert frames == [1, 2, 3]
    assert [seq for _, seq, _ in waiting(journal)] == [1, 2, 3]
    assert (sealer.rows, sealer.values, sealer.events) == (4, 8, 2)


def test_short_memory_lets_the_oldest_go():
    sealer, journal = made()
    for _ in range(6):
        seal(sealer)
    journal.short = 2
    seal(sealer)
    frames = waiting(journal)
    assert [seq for _, seq, _ in frames] == [1, 2, 3, 4, 5, 6, 7]
    assert [seq for _, seq, payload in frames if payload is None] == [1, 2]
    assert journal.dropped == 2


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


def test_a_filler_is_the_same_each_time_and_differs_by_number():
    sealer, _ = made()
    assert sealer.gap(3, 9) == sealer.gap(3, 9)
    assert sealer.gap(3, 9) != sealer.gap(3, 10)
