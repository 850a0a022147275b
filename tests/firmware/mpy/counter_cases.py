"""journal.Counter: a number that only grows, whenever the power goes."""

import os

import journal
from journal import Counter


def test_a_counter_starts_at_zero_and_outlives_its_object():
    assert Counter("boot").value == 0
    Counter("boot").store(5)
    assert Counter("boot").value == 5


def test_a_counter_holds_whatever_the_wire_carries():
    for value in (1 << 30, 1780000000, (1 << 32) - 1):
        Counter("command").store(value)
        assert Counter("command").value == value


def test_a_counter_survives_a_cut_between_write_and_rename():
    Counter("boot").store(5)
    real = journal.os

    class Cut:
        def rename(self, old, new):
            raise OSError(5)

    journal.os = Cut()
    counter = Counter("boot")
    try:
        counter.store(6)
        raise AssertionError("the cut must show")
    except OSError:
        journal.os = real
    assert counter.value == 5
    # Either number is good; going back to one that was used is not.
    assert Counter("boot").value in (5, 6)
    counter = Counter("boot")
    counter.store(counter.value + 1)
    assert Counter("boot").value == 7


def test_a_counter_survives_a_cut_in_the_middle_of_writing():
    Counter("boot").store(1234)
    for torn in (b"", b"9", b"99999", b"12\0\0\n", b"-7\n", b"boot\n", b"\xff\xfe\n", b"1\xa02\n"):
        with open("boot.new", "wb") as file:
            file.write(torn)
        assert Counter("boot").value == 1234, torn


def test_a_counter_survives_where_rename_first_removes():
    """As FAT does it: the old file is gone, the new one not yet renamed."""
    Counter("boot").store(8)
    os.rename("boot", "boot.new")
    assert Counter("boot").value == 8
