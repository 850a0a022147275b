"""What the journal on flash costs: bytes programmed and read, blocks erased, heap."""

import gc
import sys

from flash_stage import payload, power_off, power_on, put, put_many, ring
from segments import Segments, record


def test_reading_on_costs_no_more_the_longer_the_journal_is():
    flash = power_on(60)
    segments = Segments()
    put_many(segments, 1, 1, 400)
    most = 0
    position = (0, 0)
    for _ in range(400):
        flash.read = 0
        position = segments.after(position[0], position[1])[:2]
        most = max(most, flash.read)
    print(f"at most {most} B are read to go on by one frame")
    assert 0 < most < 20000
    power_off(flash)


def test_making_room_reads_little_of_a_long_journal():
    flash = power_on(100)
    segments = Segments(limit_bytes=64 * 4096)
    times = flash.read = 0
    for first in range(1, 1600, 8):
        dropped, before = segments.dropped, flash.read
        put(segments, ring(1, first, first + 7, (first,), 300))
        if segments.dropped > dropped:
            times += 1
        else:
            flash.read = before
    # Mostly directories: littlefs goes through one from its begin for every name.
    print(f"{flash.read / times:.0f} B are read to make room")
    assert times > 50 and flash.read / times < 1500000
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
    assert programmed <= 250 and erased <= 1.1
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
