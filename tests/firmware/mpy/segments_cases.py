"""segments.py on littlefs: what a restart finds, what acks free, what damage costs."""

import os

from flash_stage import numbers, positions, power_off, power_on, put, put_many, ring
from segments import Segments

FOLDER = "frames"
HEAD = 15


def damage(name, at, what):
    with open(FOLDER + "/" + name, "r+b") as file:
        file.seek(at)
        file.write(what)


def test_a_restart_finds_everything_and_begins_a_new_segment():
    flash = power_on()
    first = Segments()
    assert (first.boot, first.count, first.frames) == (0, 0, 0)
    assert put(first, ring(1, 1, 10)) == 1
    assert put(first, ring(1, 11, 12)) == 1
    second = Segments()
    assert (second.boot, second.count, second.frames, second.cut) == (1, 1, 12, 0)
    put(second, ring(2, 1, 3))
    assert sorted(os.listdir(FOLDER)) == ["1", "2"]
    power_off(flash)
    flash = power_on()
    third = Segments()
    assert (third.boot, third.count, third.frames) == (2, 2, 15)
    assert positions(third) == [(1, seq) for seq in range(1, 13)] + [(2, 1), (2, 2), (2, 3)]
    power_off(flash)


def test_a_segment_stays_within_a_block_but_takes_a_larger_frame():
    flash = power_on(40)
    segments = Segments()
    assert put(segments, ring(1, 1, 100)) == 2
    assert all(os.stat(FOLDER + "/" + name)[6] <= 4096 for name in ("1", "2"))
    put(segments, ring(1, 101, 101, size=6000))
    put(segments, ring(1, 102, 103))
    assert os.stat(FOLDER + "/3")[6] == 6000 + HEAD
    assert numbers(segments) == list(range(1, 104))
    assert numbers(Segments()) == list(range(1, 104))
    power_off(flash)


def test_acks_free_whole_segments_from_the_oldest_on():
    flash = power_on(40)
    segments = Segments()
    put_many(segments, 4, 1, 200)
    count = segments.count
    segments.ack(4, 50)
    assert (segments.count, segments.frames) == (count, 150)
    assert numbers(segments) == list(range(51, 201))
    segments.ack(4, 60)
    assert segments.count == count - 1
    segments.ack(3, 99)
    segments.ack(5, 99)
    assert segments.frames == 140
    writes = segments.flash_writes
    segments.ack(4, 61)
    assert segments.flash_writes == writes, "an ack that frees no segment costs no flash"
    # What was confirmed and still lies there comes again after a restart; the gateway's ack says so again.
    after = Segments()
    assert after.frames == 146
    after.ack(4, 61)
    assert after.frames == 139
    segments.ack(4, 200)
    assert (segments.count, segments.frames, segments.acked) == (0, 0, 200)
    assert segments.after(0, 0) is None
    left = os.listdir(FOLDER)
    assert len(left) == 1, "the newest file waits to be written over"
    put(segments, ring(4, 201, 202))
    assert os.listdir(FOLDER) == left
    assert numbers(segments) == numbers(Segments()) == [201, 202]
    power_off(flash)


def test_boots_behind_an_older_one_wait_for_it_and_are_not_offered():
    flash = power_on(60)
    for boot in range(1, 41):
        put(Segments(), ring(boot, 1, 1))
    segments = Segments()
    assert segments.count == 40
    for boot in range(40, 1, -1):
        segments.ack(boot, 1)
    assert segments.count == 40
    assert positions(segments)[0] == (1, 1)
    assert len(segments.marks) <= 32
    segments.ack(1, 1)
    # Those that were too many to remember are sent again, and confirmed again.
    rest = positions(segments)
    assert 0 < len(rest) < 10
    for boot, seq in rest:
        segments.ack(boot, seq)
    assert (segments.count, segments.frames, segments.marks) == (0, 0, {})
    power_off(flash)


def test_a_bad_record_cuts_its_segment_and_the_next_goes_on():
    for at, what in ((75 * 2 + 20, b"?"), (75 * 2, b"\xff\xff"), (75 * 2 + 11, b"0000"), (75 * 2 + 6, b"\x09")):
        flash = power_on()
        first = Segments()
        put(first, ring(1, 1, 5))
        put(Segments(), ring(2, 1, 5))
        damage("1", at, what)
        segments = Segments()
        assert segments.cut == 1
        assert (segments.boot, segments.frames) == (2, 7)
        assert positions(segments) == [(1, 1), (1, 2)] + [(2, seq) for seq in range(1, 6)]
        segments.ack(1, 2)
        segments.ack(2, 5)
        assert os.listdir(FOLDER) == []
        power_off(flash)


def test_files_that_are_no_segments_do_no_harm():
    flash = power_on()
    put(Segments(), ring(1, 1, 3))
    for name, text in (("9", b""), ("4", b"not a record, but long enough for one"), ("1.new", b"half"), ("x", b"")):
        with open(FOLDER + "/" + name, "wb") as file:
            file.write(text)
    segments = Segments()
    assert numbers(segments) == [1, 2, 3]
    assert segments.cut == 1
    assert os.listdir(FOLDER) == ["1"]
    put(segments, ring(2, 1, 1))
    assert sorted(os.listdir(FOLDER)) == ["1", "10"]
    power_off(flash)


def test_a_dead_flash_raises_nothing_but_when_it_is_read():
    flash = power_on()
    put(Segments(), ring(1, 1, 3))
    flash.dead = True
    segments = Segments()
    assert (segments.count, segments.boot) == (0, 0)
    assert segments.flash_errors > 0
    assert segments.append(ring(2, 1, 1), 0, 75) == (0, 0)
    assert segments.failures
    segments.ack(2, 1)
    assert segments.after(0, 0) is None
    flash.dead = False
    power_off(flash)
    flash = power_on()
    assert positions(Segments()) == [(1, 1), (1, 2), (1, 3)]
    power_off(flash)


def test_flash_that_fails_for_a_while_is_written_to_again():
    flash = power_on()
    segments = Segments()
    put(segments, ring(1, 1, 3))
    flash.dead = True
    for _ in range(20):
        assert segments.append(ring(1, 4, 6), 0, 225) == (0, 0)
    try:
        positions(segments)
        raise AssertionError("it cannot be read")
    except OSError:
        pass
    flash.dead = False
    put(segments, ring(1, 4, 6))
    assert segments.failures == 0
    assert sorted(os.listdir(FOLDER)) == ["1", "2"]
    assert numbers(segments) == [1, 2, 3, 4, 5, 6]
    power_off(flash)
    flash = power_on()
    assert numbers(Segments()) == [1, 2, 3, 4, 5, 6]
    power_off(flash)


def test_a_segment_that_cannot_be_read_again_and_again_is_given_up():
    import segments as module

    flash = power_on()
    put(Segments(), ring(1, 1, 3))
    found = Segments()
    put(found, ring(2, 1, 3))

    def refuse(path, mode="r"):
        if path == FOLDER + "/1":
            raise OSError(5)
        return open(path, mode)

    module.open = refuse
    for _ in range(3):
        try:
            found.after(0, 0)
            raise AssertionError("it cannot be read")
        except OSError:
            pass
    assert positions(found) == [(2, 1), (2, 2), (2, 3)]
    assert os.listdir(FOLDER) == ["2"]
    del module.open
    power_off(flash)
