"""segments.py and upkeep.py on a flash that other files have filled to the last block, and on one of two segments: what
gives way, and that of each boot something stays by which its loss is noticed."""

import gc
import os
import random

from flash_stage import payload, power_off, power_on, put, ring, walk
from journal import Counter, Journal
from segments import Segments


def crowd():
    """Somebody else's file takes all that is free."""
    with open("film", "ab") as file:
        try:
            while True:
                file.write(bytes(512))
                file.flush()
        except OSError:
            pass


def newest(held):
    """boot -> the highest number that is there, as a frame or as what says that it is gone; and how many frames are."""
    found, frames = {}, 0
    for boot, seq, data in walk(held):
        assert not data or data == payload(boot, seq, len(data)), (boot, seq)
        assert seq > found.get(boot, 0), "order"
        found[boot] = seq
        frames += len(data) > 0
    return found, frames


def test_of_two_full_segments_the_newer_gives_up_no_more_than_it_has_to():
    flash = power_on(40)
    segments = Segments(limit_bytes=8192)
    for boot in range(1, 7):
        # Three boots fill a segment with events to the last byte but one.
        put(segments, ring(boot, 1, 13, range(1, 14), 90))
    assert (segments.count, segments.frames, segments.dropped) == (2, 6 * 13, 0)
    put(segments, ring(7, 1, 1, (1,)))
    found, frames = newest(segments)
    assert found == {1: 13, 2: 13, 3: 13, 4: 13, 5: 13, 6: 13, 7: 1}
    # Of the newer one frame: what says of the three boots before it takes so much.
    assert (segments.count, segments.dropped, frames) == (2, 3 * 13 + 1, 3 * 13)
    assert segments.frames == frames + 3
    assert newest(Segments(limit_bytes=8192)) == (found, frames)
    power_off(flash)


def lives(first, last, count):
    for boot in range(first, last + 1):
        put(Segments(), ring(boot, 1, count, range(1, count + 1), 85))


def test_a_crowded_flash_forgets_no_loss():
    """So many boots that what says of their losses needs a block, and then so few that it fits in a directory."""
    for boots, count in ((60, 4), (12, 20)):
        flash = power_on(24)
        lives(1, boots, count)
        crowd()
        segments = Segments()
        taken = 0
        for seq in range(1, 151):
            records = ring(boots + 1, seq, seq, (seq,))
            taken = max(taken, seq * segments.append(records, 0, len(records))[1])
            if seq % 50 == 0:
                found, _ = newest(segments)
                assert all(found[boot] == count for boot in range(1, boots + 1)), found
        # What it said it took is there, and what it did not take nobody was promised.
        found, _ = newest(Segments())
        assert found.get(boots + 1, 0) == taken
        for boot in sorted(found):
            segments.ack(boot, found[boot])
        assert (segments.count, segments.frames) == (0, 0), "and it goes on when the gateway has heard of it"
        power_off(flash)
        os.remove("flash.img")


def test_a_journal_begins_on_a_flash_without_a_free_block():
    flash = power_on(24)
    os.mkdir("frames")
    with open("film", "wb") as file:
        while os.statvfs("/flash")[3]:
            file.write(bytes(4096))
            file.flush()
    for limit_bytes in (4096, 8192, 16384):
        j = Journal(1, Segments(), limit_bytes)
        for seq in range(1, 40):
            j.append(seq, payload(1, seq), True)
            assert 0 <= j.fill <= 100
            assert j.after(1, seq - 1) == (1, seq, payload(1, seq))
        j.ack(1, 39)
        assert j.held == 0
    power_off(flash)


def history(seed):
    """What a board does over some boots whose flash others fill and leave again, and whose gateway is away. Whatever
    it had on flash is there, or something of the same boot comes behind it. Returns how many frames it gave up."""
    random.seed(seed)
    flash = power_on(24)
    promised = {}
    boot = gone = 0
    for _ in range(12):
        segments = Segments()
        boot = max(Counter("boot").value, boot, segments.boot) + 1
        j = Journal(boot, segments, 3000)
        for seq in range(1, 2 + random.getrandbits(5)):
            dice = random.getrandbits(6)
            if dice < 6:
                crowd()
            elif dice < 8:
                if "film" in os.listdir():
                    os.remove("film")
            elif dice < 9 and promised:
                first = min(promised)
                j.ack(first, promised.pop(first))
            j.append(seq, payload(boot, seq, 40 + random.getrandbits(8)), dice % 4 > 0)
            if dice & 16:
                j.spill()
            if not j.exposed:
                promised[boot] = seq
            gc.collect()
        gone += j.dropped
        found, _ = newest(Segments())
        for there, seq in promised.items():
            assert found.get(there, 0) >= seq, (seed, boot, there, seq, found)
    power_off(flash)
    os.remove("flash.img")
    return gone


def test_random_histories_on_a_crowded_flash_lose_nothing_unsaid():
    gone = sum(history(seed) for seed in range(12))
    print(gone, "frames given up")
    assert gone > 100
