"""segments.py on littlefs: the newest file, which is written over when all in it is confirmed.

In one life nothing that was confirmed comes again. After a restart it may, once: as much as one segment holds.
"""

import os

from cut_cases import each_cut
from flash_stage import numbers, positions, power_off, power_on, put, ring
from segments import Segments

FOLDER = "frames"


def test_the_file_that_is_written_over_gives_nothing_twice():
    flash = power_on()
    segments = Segments()
    acked = writes = 0
    # Shorter and longer than what they are written over, and read to the end or not.
    for count in (3, 1, 30, 2, 40, 50, 1, 1):
        for each in range(2):
            first, last = acked + 1, acked + count
            put(segments, ring(1, first, last))
            writes += 1
            assert os.listdir(FOLDER) == ["1"]
            assert segments.after(1, acked)[1] == first
            if each:
                assert numbers(segments) == list(range(first, last + 1))
            segments.ack(1, last)
            assert (segments.count, segments.frames, segments.acked) == (0, 0, last)
            assert segments.after(0, 0) is None and segments.after(1, last) is None
            acked = last
    assert segments.flash_writes == writes, "a removal is a write that can be spared"
    power_off(flash)


def test_a_restart_finds_what_was_confirmed_last_once_and_not_again():
    flash = power_on()
    first = Segments()
    put(first, ring(1, 1, 50))
    put(first, ring(1, 51, 60))
    first.ack(1, 60)
    # No more than the newest file, and in order.
    second = Segments()
    assert (second.boot, second.count) == (1, 1)
    again = positions(second)
    assert 0 < second.frames == len(again) < 55 and again[-1] == (1, 60)
    put(second, ring(2, 1, 2))
    found = positions(second)
    assert (found[:-2], found[-2:]) == (again, [(2, 1), (2, 2)])
    second.ack(2, 2)
    assert positions(second) == again
    second.ack(1, 60)
    assert (second.count, second.frames, second.acked) == (0, 0, 2)
    # Of the first life nothing is left.
    third = Segments()
    assert positions(third) == [(2, 1), (2, 2)]
    third.ack(2, 2)
    assert (third.count, os.listdir(FOLDER)) == (0, [])
    put(third, ring(3, 1, 1))
    assert positions(third) == positions(Segments()) == [(3, 1)]
    power_off(flash)


def test_a_reader_and_a_restart_find_nothing_of_what_was_written_over():
    flash = power_on()
    segments = Segments()
    put(segments, ring(1, 1, 40))
    assert segments.after(1, 39)[1] == 40
    segments.ack(1, 40)
    put(segments, ring(1, 41, 41))
    # The reader was far behind where the file now ends.
    assert segments.after(1, 40)[1] == 41
    put(segments, ring(1, 42, 43))
    assert numbers(segments) == numbers(Segments()) == [41, 42, 43]
    segments.ack(1, 42)
    assert numbers(segments) == [43]
    power_off(flash)


def test_a_file_that_cannot_be_written_over_takes_nothing_with_it():
    flash = power_on()
    segments = Segments()
    put(segments, ring(1, 1, 3))
    segments.ack(1, 3)
    flash.dead = True
    for _ in range(5):
        assert segments.append(ring(1, 4, 6), 0, 225) == (0, 0)
        assert (segments.count, segments.frames, segments.after(0, 0)) == (0, 0, None)
    flash.dead = False
    put(segments, ring(1, 4, 6))
    assert (segments.count, segments.failures) == (1, 0)
    assert os.listdir(FOLDER) == ["1"]
    assert numbers(segments) == numbers(Segments()) == [4, 5, 6]
    power_off(flash)


def test_a_file_is_written_over_where_others_filled_the_flash():
    flash = power_on()
    segments = Segments()
    put(segments, ring(1, 1, 50))
    segments.ack(1, 50)
    with open("film", "wb") as file:
        try:
            while True:
                file.write(bytes(1024))
                file.flush()
        except OSError:
            pass
    written = 50
    for _ in range(4):
        records = ring(1, written + 1, written + 10)
        written += segments.append(records, 0, len(records))[1]
    assert written >= 80, "at the most one try finds no room beside what it is to replace"
    assert numbers(segments) == numbers(Segments()) == list(range(51, written + 1))
    power_off(flash)


def test_a_segment_that_is_written_over():
    """Its old records or its new ones are there: of what was confirmed, never more than it held at once."""

    def scenario(board):
        board.start()
        # So small that it lies in the directory, in a block of its own, and small again.
        for series in (0, 0, 2, 3, 1, 0):
            board.append(series)
            board.events()
            board.ack(1, len(board.given[1]))
        board.events()

    assert each_cut(scenario) == 4


def test_a_segment_of_several_blocks_that_is_written_over():
    def scenario(board):
        board.start()
        for size in (60, 6000, 3000, 60):
            board.append(1, True, size)
            board.ack(1, len(board.given[1]))
        board.events()

    assert each_cut(scenario, stride=31) == 1


def test_a_segment_that_an_earlier_life_left_to_be_written_over():
    def prepare(board):
        board.start()
        board.append(1)
        board.events(2)
        board.ack(1, 3)

    def scenario(board):
        board.start()
        board.events()
        board.ack(2, 1)
        board.append(1)
        board.ack(1, 3)
        board.events()
        board.ack(2, 3)
        board.events()

    assert 3 <= each_cut(scenario, prepare) <= 5
