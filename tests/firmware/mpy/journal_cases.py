"""journal.Journal: its bound, its order, its acks, and what goes to flash when."""

import gc
import random

from flash_stage import payload, power_off, power_on, walk
from journal import Journal
from segments import Segments

BOOT = 7
HEAD = 15  # what a record takes beside the frame


class NoFlash:
    """Segments on a flash that refuses everything."""

    limit, count, frames, acked, dropped, flash_writes, flash_errors, cut, failures = 4, 0, 0, 0, 0, 0, 0, 0, 0

    def append(self, buf, at, most):
        self.flash_errors += 1
        self.failures += 1
        return at, 0

    def after(self, boot, seq):
        raise OSError(5)

    def ack(self, boot, seq):
        pass


def filled(count, limit=1 << 20, kept=(), segments=None, size=100):
    j = Journal(BOOT, segments, limit)
    for seq in range(1, count + 1):
        j.append(seq, payload(BOOT, seq, size), seq in kept)
    return j


def numbers(j):
    found = []
    for boot, seq, data in walk(j):
        assert data == payload(boot, seq, len(data)), (boot, seq)
        found.append(seq)
    return found


def test_frames_come_back_in_order_and_unchanged():
    j = filled(5)
    assert list(walk(j)) == [(BOOT, seq, payload(BOOT, seq, 100)) for seq in range(1, 6)]
    assert j.after(BOOT, 3) == (BOOT, 4, payload(BOOT, 4, 100))
    assert j.after(BOOT, 5) is None
    assert j.after(BOOT + 1, 0) is None
    assert j.after(BOOT - 1, 99) == (BOOT, 1, payload(BOOT, 1, 100))
    assert (j.held, j.exposed, j.size) == (5, 5 * (100 + HEAD), 5 * (100 + HEAD))


def test_two_readers_do_not_disturb_each_other():
    j = filled(20)
    for backlog in range(1, 10):
        live = backlog + 11
        assert j.after(BOOT, backlog - 1)[1] == backlog
        assert j.after(BOOT, live - 1)[1] == live


def test_an_ack_is_cumulative_and_counts():
    j = filled(5)
    j.ack(BOOT, 3)
    assert numbers(j) == [4, 5]
    assert (j.acked, j.held) == (3, 2)
    for boot, seq in ((BOOT, 2), (BOOT - 1, 5), (BOOT + 1, 5)):
        j.ack(boot, seq)
        assert j.acked == 3
    j.ack(BOOT, 5)
    assert j.after(0, 0) is None
    assert (j.size, j.exposed, j.held) == (0, 0, 0)
    j.append(6, payload(BOOT, 6))
    assert numbers(j) == [6]


def test_a_reader_goes_on_where_it_was_after_an_ack_and_a_drop():
    j = filled(10)
    assert j.after(BOOT, 4)[1] == 5
    j.ack(BOOT, 3)
    assert j.after(BOOT, 5)[1] == 6
    j._drop()
    assert j.after(BOOT, 6)[1] == 7
    j.ack(BOOT, 8)
    assert j.after(BOOT, 7)[1] == 9


def test_without_flash_the_oldest_series_goes_and_leaves_a_hole_in_the_numbers():
    j = filled(10, 5 * (100 + HEAD))
    assert j.size <= 5 * (100 + HEAD)
    assert numbers(j) == [6, 7, 8, 9, 10]
    assert (j.dropped, j.held, j.fill) == (5, 5, 100)
    assert not j.spill()


def test_without_flash_events_go_only_after_every_series():
    j = filled(12, 5 * (100 + HEAD), kept=(1, 4, 5))
    assert numbers(j) == [1, 4, 5, 11, 12]
    for seq in range(13, 40):
        assert not j.append(seq, payload(BOOT, seq, 100), True)
        assert j.size <= j.limit_bytes
    assert numbers(j) == [35, 36, 37, 38, 39]
    assert j.dropped == 34


def test_a_frame_larger_than_the_bound_stays_until_the_next():
    j = filled(1, 50)
    assert numbers(j) == [1]
    j.append(2, payload(BOOT, 2))
    assert numbers(j) == [2]


def test_random_histories_keep_order_bound_and_account():
    for seed in range(20):
        random.seed(seed)
        j = Journal(1, None, 2000)
        sealed = acked = 0
        for _ in range(300):
            if random.getrandbits(3) < 6:
                sealed += 1
                j.append(sealed, payload(1, sealed, 20 + random.getrandbits(7)), random.getrandbits(2) == 0)
            elif sealed > acked:
                acked = min(sealed, acked + 1 + random.getrandbits(2))
                j.ack(1, acked)
            seen = numbers(j)
            assert seen == sorted(seen)
            assert not seen or (seen[0] > acked and seen[-1] == sealed)
            assert j.size <= 2000
            assert j.acked + j.dropped + j.held == sealed, seed
            assert j.held == len(seen)


def test_memory_is_one_piece_and_is_given_back():
    gc.collect()
    before = gc.mem_alloc()
    j = filled(120, 16384)
    gc.collect()
    taken = gc.mem_alloc() - before
    assert taken < 120 * (100 + HEAD) + 2048, taken
    j.ack(BOOT, 120)
    gc.collect()
    assert gc.mem_alloc() - before < 1024


def test_no_memory_for_a_frame_changes_nothing():
    j = filled(3)
    state = (j.size, j.exposed, j.held, j.dropped)
    try:
        j.append(4, bytearray(60000))
        raise AssertionError("there was memory for all of it")
    except MemoryError:
        pass
    assert (j.size, j.exposed, j.held, j.dropped) == state
    assert numbers(j) == [1, 2, 3]
    j.append(4, payload(BOOT, 4))
    assert numbers(j) == [1, 2, 3, 4]


def test_release_without_flash_gives_memory_back_and_keeps_the_newest():
    j = filled(40, 16384, kept=(2, 39))
    gc.collect()
    before = gc.mem_free()
    assert j.release()
    gc.collect()
    assert gc.mem_free() - before > 800
    assert j.dropped > 0
    assert 2 in numbers(j)
    while j.release():
        pass
    assert numbers(j) == [40]


def test_release_puts_everything_on_flash_first():
    flash = power_on()
    j = filled(40, 16384, segments=Segments())
    assert j.exposed and j.release()
    assert (j.dropped, j.size, j.exposed, j.held) == (0, 0, 0, 40)
    assert numbers(j) == list(range(1, 41))
    assert j.release() is False
    power_off(flash)


def test_few_copies_of_what_is_on_flash_stay_in_memory():
    flash = power_on()
    j = Journal(BOOT, Segments())
    for seq in range(1, 120):
        j.append(seq, payload(BOOT, seq), True)
        assert (j.exposed, j.held) == (0, seq)
        assert j.size <= 2048
        assert j.after(BOOT, seq - 1)[1] == seq
    assert numbers(j) == list(range(1, 120))
    power_off(flash)


def test_what_matters_is_on_flash_at_once_with_all_before_it():
    flash = power_on()
    j = Journal(BOOT, Segments())
    assert not j.append(1, payload(BOOT, 1))
    assert (j.flash_writes, j.flash_bytes) == (0, 0)
    assert j.append(2, payload(BOOT, 2), True)
    assert (j.exposed, j.flash_writes, j.flash_bytes, j.held) == (0, 1, 4096, 2)
    assert numbers(Segments()) == [1, 2]
    assert numbers(j) == [1, 2]
    j.ack(BOOT, 2)
    assert (j.flash_bytes, j.acked, j.held) == (0, 2, 0)
    power_off(flash)


def test_a_durable_board_has_everything_on_flash():
    flash = power_on()
    j = Journal(BOOT, Segments(), always=True)
    assert all(j.append(seq, payload(BOOT, seq)) for seq in range(1, 6))
    assert numbers(Segments()) == [1, 2, 3, 4, 5]
    power_off(flash)


def test_tend_spills_only_without_a_good_link_and_not_at_once():
    flash = power_on()
    j = Journal(BOOT, Segments())
    j.append(1, payload(BOOT, 1))
    for second in range(1000):
        j.tend(second * 1000, online=True)
    assert j.flash_writes == 0, "a good link spares flash"
    j.ack(BOOT, 1)
    j.append(2, payload(BOOT, 2))
    spilled = None
    for second in range(1000, 1100):
        j.tend(second * 1000, online=False)
        if spilled is None and not j.exposed:
            spilled = second - 1000
    assert spilled == 60
    for seq in range(3, 60):
        j.append(seq, payload(BOOT, seq))
        j.tend(1100000 + seq, online=False)
        assert j.exposed < 2048
    assert j.flash_writes <= 4
    power_off(flash)


def test_tend_does_not_try_a_broken_flash_every_second():
    segments = NoFlash()
    j = filled(30, segments=segments)
    for second in range(600):
        j.tend(second * 1000, online=False)
    assert 10 <= segments.flash_errors <= 22
    assert numbers(Journal(BOOT)) == []


def test_a_broken_flash_raises_nothing_and_memory_goes_on_alone():
    j = filled(40, 2000, kept=(3,), segments=NoFlash())
    assert j.held == 2000 // (100 + HEAD)
    assert j.dropped == 40 - j.held
    assert j.flash_errors > 0
    assert 90 < j.fill <= 100
    # What is on flash cannot be read now: whoever asks for it must not take it for gone.
    assert j.after(0, 0) is None
    # What memory holds can be.
    assert j.after(BOOT, 39) == (BOOT, 40, payload(BOOT, 40, 100))
    j.ack(BOOT, 40)
    assert j.held == 0


def test_full_memory_goes_to_flash_in_one_write_and_nothing_is_dropped():
    flash = power_on(40)
    j = Journal(BOOT, Segments(), 4000)
    for seq in range(1, 201):
        j.append(seq, payload(BOOT, seq, 85))
        assert j.size <= 4000
    assert j.dropped == 0
    assert j.flash_writes < 10
    assert numbers(j) == list(range(1, 201))
    power_off(flash)


def test_frames_of_earlier_boots_come_first_and_are_acked_boot_by_boot():
    flash = power_on()
    for boot in (3, 5):
        j = Journal(boot, Segments())
        for seq in range(1, 5):
            j.append(seq, payload(boot, seq))
        j.spill()
    j = Journal(BOOT, Segments())
    for seq in range(1, 5):
        j.append(seq, payload(BOOT, seq))
    order = [(boot, seq) for boot, seq, _ in walk(j)]
    assert order == [(boot, seq) for boot in (3, 5, BOOT) for seq in range(1, 5)]
    assert j.held == 12
    assert j.after(3, 4)[:2] == (5, 1)
    assert j.after(4, 99)[:2] == (5, 1)
    j.ack(BOOT, 2)
    j.ack(5, 4)
    assert [(boot, seq) for boot, seq, _ in walk(j)] == [(3, 1), (3, 2), (3, 3), (3, 4), (BOOT, 3), (BOOT, 4)]
    j.ack(3, 4)
    assert (j.flash_bytes, j.held, j.acked) == (0, 2, 2)
    power_off(flash)


def test_fill_tells_of_flash_and_memory_together():
    flash = power_on(64)
    j = Journal(BOOT, Segments(limit_bytes=65536), 8192)
    seq = 0
    while j.fill < 75:
        assert j.dropped == 0
        seq += 1
        j.append(seq, payload(BOOT, seq, 500))
        if seq % 8 == 0:
            j.spill()
    assert 48000 < j.flash_bytes < 65536
    j.ack(BOOT, seq)
    assert j.fill == 0
    power_off(flash)


def test_memory_holds_nothing_that_flash_has_given_up():
    """Else a hole would be told of frames that are still here."""
    for every in (1, 8):
        flash = power_on()
        j = Journal(every, Segments(limit_bytes=16384), 60000)
        j.ack(1, 99)  # what the life before this one left
        for seq in range(1, 100):
            # One in so many is of a series.
            j.append(seq, payload(every, seq, 300), seq % every != 0)
            j.spill()
            at = (0, 0)
            held = 0
            while j.after(*at) is not None:
                at = j.after(*at)[:2]
                held += 1
            assert (held, held + j.dropped) == (j.held, seq)
        assert j.dropped > 0
        j.ack(every, 99)
        power_off(flash)
