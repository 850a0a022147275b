"""start.py: which boot it is, how much flash the journal may take, and what the clock starts with."""

import os

import start
from journal import Counter, Journal
from segments import Segments


class Disk:
    """The module os, with a file system of another size."""

    def __init__(self, free_blocks):
        self.free_blocks = free_blocks

    def statvfs(self, path):
        return (4096, 4096, 1000, self.free_blocks, self.free_blocks, 0, 0, 0, 0, 255)


def life(boot, frames):
    journal = Journal(boot, Segments("frames"), 2048)
    for seq in range(1, frames + 1):
        journal.append(seq, bytes(1000), True)
    assert not journal.exposed


def test_every_start_is_another_boot():
    assert [start._boot(0).value for _ in range(3)] == [1, 2, 3]
    assert Counter("boot").value == 3


def test_a_boot_lies_beyond_all_that_are_on_flash():
    life(9, 2)
    found = start._segments(65536)
    assert start._boot(found.boot).value == 10
    assert Counter("boot").value == 10
    assert start._boot(found.boot).value == 11


def test_a_counter_that_cannot_be_stored_still_moves_on():
    def full(self, value):
        raise OSError(28)

    Counter.store = full
    assert start._boot(4).value == 5


def test_the_journal_takes_a_third_of_what_is_free_at_most():
    start.os = Disk(90)
    assert start._segments(1 << 20).limit == 30
    assert start._segments(65536).limit == 16
    # What it takes already is not lost to it after a restart.
    life(1, 12)
    taken = Segments("frames").count
    assert taken >= 3
    start.os = Disk(90 - taken)
    assert start._segments(1 << 20).limit == 30


def test_a_board_without_flash_for_frames_leaves_it_alone():
    assert start._segments(0) is None
    assert "frames" not in os.listdir()


def test_a_clock_starts_with_what_the_system_knows():
    assert start._clock({}).source == "system"
    start.port.system_time_s = lambda: None
    assert start._clock({}).source is None
    assert start._clock({"speed": 60, "epoch_ms": 1_700_000_000_000}).source == "system"
