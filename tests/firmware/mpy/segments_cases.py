"""segments.py and upkeep.py on littlefs: what is found after a restart, what damage costs, what gives way when it is
full, and what it costs the flash."""

import gc
import os
import sys

from flash_stage import payload, power_off, power_on, walk
from segments import Segments, record

FOLDER = "frames"
HEAD = 15


def ring(boot, first, last, kept=(), size=60):
    records = bytearray()
    for seq in range(first, last + 1):
        records.extend(record(boot, seq, payload(boot, seq, size), seq in kept))
    return records


def put(segments, records):
    """Writes all, as a journal does. Returns in how many files."""
    at = files = 0
    while at < len(records):
        end, frames = segments.append(records, at, len(records))
        assert frames, "flash took nothing"
        at = end
        files += 1
    return files


def put_many(segments, boot, first, last):
    """Series, so many that they do not fit in memory."""
    for begin in range(first, last + 1, 50):
        put(segments, ring(boot, begin, min(last, begin + 49)))


def positions(segments):
    found = []
    for boot, seq, data in walk(segments):
        assert data == payload(boot, seq, len(data)), (boot, seq)
        found.append((boot, seq))
    assert found == sorted(found)
    return found


def numbers(segments):
    return [seq for _, seq in positions(segments)]


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
    writes = segments.writes
    segments.ack(4, 61)
    assert segments.writes == writes, "an ack that frees no segment costs no flash"
    # What was confirmed and still lies there comes again after a restart; the gateway's ack says so again.
    after = Segments()
    assert after.frames == 146
    after.ack(4, 61)
    assert after.frames == 139
    segments.ack(4, 200)
    assert (segments.count, segments.frames, segments.acked) == (0, 0, 200)
    assert os.listdir(FOLDER) == []
    put(segments, ring(4, 201, 202))
    assert numbers(segments) == [201, 202]
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
    assert len(segments.upto) <= 32
    segments.ack(1, 1)
    # Those that were too many to remember are sent again, and confirmed again.
    rest = positions(segments)
    assert 0 < len(rest) < 10
    for boot, seq in rest:
        segments.ack(boot, seq)
    assert (segments.count, segments.frames, segments.upto) == (0, 0, {})
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


def test_full_joins_what_fits_together_before_anything_goes():
    flash = power_on(40)
    for boot in range(1, 21):
        segments = Segments(limit_bytes=16384)
        put(segments, ring(boot, 1, 2))
        assert segments.count <= 4
        assert segments.dropped == 0
    assert segments.frames == 40
    assert positions(segments) == [(boot, seq) for boot in range(1, 21) for seq in (1, 2)]
    assert positions(Segments()) == positions(segments)
    power_off(flash)


def test_full_drops_the_oldest_series_first_and_events_last():
    flash = power_on(40)
    segments = Segments(limit_bytes=6 * 4096)
    events = series = 0
    for first in range(1, 400, 10):
        put(segments, ring(1, first, first + 9, (first + 9,), 300))
        assert segments.count <= 6
        now = numbers(segments)
        last = first + 9
        assert segments.frames == len(now) and len(now) + segments.dropped == last
        events = [seq for seq in now if seq % 10 == 0]
        assert events == list(range(10, last + 1, 10)), "an event went while there was a series"
        # Series go from the oldest on: those that are left are the newest, without a hole.
        series = [seq for seq in now if seq % 10]
        assert series == [seq for seq in range(series[0], last + 1) if seq % 10]
        assert segments.dropped or series[0] == 1
        gc.collect()
    assert len(events) == 40 and len(series) > 10
    assert numbers(Segments(limit_bytes=6 * 4096)) == now
    power_off(flash)


def test_full_of_events_drops_the_oldest_events_and_no_newer_ones():
    flash = power_on(40)
    segments = Segments(limit_bytes=4 * 4096)
    put(segments, ring(1, 1, 10, size=400))
    for first in range(11, 200, 10):
        put(segments, ring(1, first, first + 9, range(first, first + 10), 300))
        now = numbers(segments)
        # Nothing but the oldest is missing.
        assert now == list(range(now[0], first + 10))
        assert len(now) + segments.dropped == first + 9
    assert len(now) > 3 * 4096 // (300 + HEAD)
    power_off(flash)


def test_mostly_events_still_lose_every_series_first():
    flash = power_on(40)
    segments = Segments(limit_bytes=5 * 4096)
    lost = 0
    for first in range(1, 100, 8):
        put(segments, ring(1, first, first + 7, range(first, first + 7), 300))
        now = numbers(segments)
        gone = first + 7 - len(now) - len([seq for seq in range(8, first + 8, 8) if seq not in now])
        if gone > lost:
            assert not any(seq % 8 == 0 for seq in now if seq < first), "an event went before a series"
            lost = gone
    assert lost > 20
    power_off(flash)


def test_what_is_confirmed_but_blocked_goes_without_being_counted_as_dropped():
    flash = power_on(40)
    put(Segments(), ring(1, 1, 2))
    segments = Segments(limit_bytes=4 * 4096)
    put_many(segments, 2, 1, 150)
    segments.ack(2, 150)
    assert (segments.count, segments.frames) == (4, 152)
    put(segments, ring(2, 151, 152))
    assert segments.dropped == 0
    assert positions(segments) == [(1, 1), (1, 2), (2, 151), (2, 152)]
    segments.ack(1, 2)
    segments.ack(2, 152)
    assert (segments.count, segments.frames) == (0, 0)
    power_off(flash)


def test_a_flash_that_others_filled_gives_up_its_oldest_and_recovers():
    flash = power_on(24)
    segments = Segments()
    put_many(segments, 1, 1, 250)
    taken = segments.count
    with open("film", "wb") as file:
        try:
            while True:
                file.write(bytes(1024))
                file.flush()
        except OSError:
            pass
    first, tries = 251, 0
    while first < 600:
        tries += 1
        records = ring(1, first, first + 9)
        _, frames = segments.append(records, 0, len(records))
        if frames:
            first += frames
        assert tries < 200
    assert segments.errors > 0
    assert segments.count <= taken
    now = numbers(segments)
    assert now[-1] == first - 1
    assert len(now) + segments.dropped == first - 1
    assert numbers(Segments()) == now
    power_off(flash)


def test_no_more_than_is_free_is_taken():
    flash = power_on(20)
    segments = Segments()
    assert 8 < segments.limit < 16
    put_many(segments, 1, 1, 1500)
    assert segments.errors == 0
    assert segments.dropped > 0
    power_off(flash)


def test_a_dead_flash_raises_nothing_but_when_it_is_read():
    flash = power_on()
    put(Segments(), ring(1, 1, 3))
    flash.dead = True
    segments = Segments()
    assert (segments.count, segments.boot) == (0, 0)
    assert segments.errors > 0
    assert segments.append(ring(2, 1, 1), 0, 75) == (0, 0)
    assert segments.failing
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
    assert segments.append(ring(1, 4, 6), 0, 225) == (0, 0)
    try:
        positions(segments)
        raise AssertionError("it cannot be read")
    except OSError:
        pass
    assert segments.errors == 2
    flash.dead = False
    put(segments, ring(1, 4, 6))
    assert not segments.failing
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


def test_what_goes_wrong_while_room_is_made_takes_nothing_away():
    flash = power_on(40)
    segments = Segments(limit_bytes=3 * 4096)
    put_many(segments, 1, 1, 162)
    for wrong in (MemoryError(), OSError(5), ImportError()):

        class Upkeep:
            def make_room(self, segments, wrong=wrong):
                raise wrong

        sys.modules["upkeep"] = Upkeep()
        assert segments.append(ring(1, 163, 163), 0, 75) == (0, 0)
        assert "upkeep" not in sys.modules
        assert numbers(segments) == list(range(1, 163))
    put(segments, ring(1, 163, 163))
    assert numbers(segments)[-1] == 163
    power_off(flash)


def test_reading_on_costs_no_more_the_longer_the_journal_is():
    flash = power_on(60)
    segments = Segments()
    put_many(segments, 1, 1, 400)
    reads = [0]
    real = flash.readblocks

    def counting(*arguments):
        reads[0] += 1
        return real(*arguments)

    position = (0, 0)
    costs = []
    flash.readblocks = counting
    while True:
        reads[0] = 0
        entry = segments.after(*position)
        if entry is None:
            break
        costs.append(reads[0])
        position = entry[:2]
    assert len(costs) == 400
    assert max(costs) < 60 + 2 * min(costs), costs
    flash.readblocks = real
    power_off(flash)


def test_what_an_event_costs_the_flash():
    flash = power_on(128)
    segments = Segments()
    events = 200
    flash.programmed = flash.erased = 0
    for event in range(events):
        series, matters = 2 * event + 1, 2 * event + 2
        pair = record(1, series, payload(1, series, 60), 0) + record(1, matters, payload(1, matters, 45), 1)
        put(segments, pair)
        segments.ack(1, matters)
    assert segments.count == 0
    programmed, erased = flash.programmed / events, flash.erased / events
    print(f"an event with a series, confirmed: {programmed:.0f} B programmed, {erased:.2f} blocks erased")
    assert programmed <= 350 and erased <= 1.1
    flash.programmed = flash.erased = 0
    for first in range(1001, 1601):
        put(segments, ring(1, first, first))
    print(f"a frame of 60 B a minute, offline: {flash.programmed / 600:.0f} B, {flash.erased / 600:.2f} blocks")
    assert flash.erased / 600 < 1.2
    power_off(flash)


def test_what_it_costs_the_heap():
    flash = power_on()
    for name in ("segments", "upkeep"):
        sys.modules.pop(name, None)
    gc.collect()
    gc.collect()
    before = gc.mem_free()
    import journal
    from segments import Segments as Anew

    gc.collect()
    loaded = gc.mem_free()
    held = journal.Journal(1, Anew())
    gc.collect()
    print(f"heap: {before - loaded} B of code, {loaded - gc.mem_free()} B of objects")
    assert before - gc.mem_free() < 11000
    assert held.size == 0
    power_off(flash)
