"""upkeep.py on littlefs: what gives way when the journal on flash is full."""

import gc
import os
import sys
from array import array

from flash_stage import numbers, payload, positions, power_off, power_on, put, put_many, ring, walk
from segments import Segments, record

HEAD = 15


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


def test_a_reader_and_acks_go_on_while_segments_are_written_anew():
    flash = power_on(40)
    segments = Segments(limit_bytes=4 * 4096)
    read = acked = 0
    for first in range(1, 300, 10):
        put(segments, ring(1, first, first + 9, (first + 4, first + 9), 200))
        now = [seq for seq in numbers(Segments(limit_bytes=4 * 4096)) if seq > acked]
        # It goes on behind the frame that it was given before.
        assert segments.after(1, read)[1] == next(seq for seq in now if seq > read)
        assert segments.after(0, 0)[1] == now[0]
        acked += 3
        segments.ack(1, acked)
        assert segments.after(0, 0)[1] == next(seq for seq in now if seq > acked)
        read = segments.after(1, max(read, acked + 1))[1]
    assert segments.dropped > 50
    segments.ack(1, 300)
    assert (segments.count, segments.frames, segments.after(0, 0)) == (0, 0, None)
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
    assert segments.flash_errors > 0
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
    assert segments.flash_errors == 0
    assert segments.dropped > 0
    power_off(flash)


def test_what_goes_wrong_while_room_is_made_takes_nothing_away():
    flash = power_on(40)
    segments = Segments(limit_bytes=3 * 4096)
    put_many(segments, 1, 1, 162)
    for wrong in (MemoryError(), OSError(5), ImportError()):

        class Upkeep:
            def compact(self, segments, wrong=wrong):
                raise wrong

        sys.modules["upkeep"] = Upkeep()
        assert segments.append(ring(1, 163, 163), 0, 75) == (0, 0)
        assert "upkeep" not in sys.modules
        assert numbers(segments) == list(range(1, 163))
    put(segments, ring(1, 163, 163))
    assert numbers(segments)[-1] == 163
    power_off(flash)


def test_that_the_last_frames_of_a_boot_went_stays_until_it_is_confirmed():
    """A full flash over many short boots, of which every third ends in an event."""
    flash = power_on(40)
    last = {}
    for boot in range(1, 40):
        segments = Segments(limit_bytes=4 * 4096)
        count = 3 + boot % 5
        put(segments, ring(boot, 1, count, (count,) if boot % 3 == 0 else (), 300))
        last[boot] = count
        held, frames = {}, 0
        for there, seq, data in walk(segments):
            assert not data or data == payload(there, seq, 300)
            assert there not in held or held[there] < seq
            held[there] = seq
            frames += 1
        assert held == last, "what nothing comes behind is never missed"
        assert segments.frames == frames and segments.count <= 4
    found = {}
    for boot, seq, data in walk(segments):
        found.setdefault(boot, []).append(seq if data else -seq)
    assert all(seqs == [-last[boot]] for boot, seqs in found.items() if boot < 20 and boot % 3)
    # Events are all there.
    assert all(last[boot] in seqs for boot, seqs in found.items() if boot % 3 == 0)
    for boot in sorted(last):
        segments.ack(boot, last[boot])
    assert (segments.count, segments.frames, segments.after(0, 0)) == (0, 0, None)
    power_off(flash)


def test_a_flash_full_of_nothing_but_losses_forgets_the_oldest():
    flash = power_on(40)
    for boot in range(1, 700):
        if boot % 10 == 1:
            segments = Segments(limit_bytes=2 * 4096)
        put(segments, ring(boot, 1, 1, size=400))
    assert segments.count <= 2
    boots = [boot for boot, _, _ in walk(segments)]
    assert boots == list(range(boots[0], 700)) and len(boots) > 100
    power_off(flash)


def test_the_oldest_file_goes_first_even_if_its_loss_has_to_stay():
    """Events of a boot, and then those of another that never ends."""
    flash = power_on(40)
    put(Segments(limit_bytes=4 * 4096), ring(1, 1, 20, range(1, 21)))
    segments = Segments(limit_bytes=4 * 4096)
    for seq in range(1, 1501):
        put(segments, ring(2, seq, seq, (seq,)))
    names = sorted(int(name) for name in os.listdir("frames"))
    assert names[-1] - names[0] == 3, names
    found = list(walk(segments))
    assert [(boot, seq, data) for boot, seq, data in found if boot == 1] == [(1, 20, b"")]
    seqs = [seq for boot, seq, _ in found if boot == 2]
    assert seqs == list(range(seqs[0], 1501))
    power_off(flash)


def test_acks_go_on_when_losses_were_forgotten():
    flash = power_on(40)
    for first in (1, 301):
        gone = bytearray()
        for boot in range(first, first + 273):
            gone.extend(record(boot, 1, b"", keep=True))
        put(Segments(limit_bytes=2 * 4096), gone)
    segments = Segments(limit_bytes=2 * 4096)
    segments.ack(301, 1)  # it knows now what the oldest is
    put(segments, ring(600, 1, 1, size=400))
    held = array("H")
    for boot, seq, _ in walk(segments):
        assert seq == 1
        held.append(boot)
    assert held[0] > 1
    for boot in held:
        segments.ack(boot, 1)
    assert (segments.count, segments.frames, segments.after(0, 0)) == (0, 0, None)
    power_off(flash)
