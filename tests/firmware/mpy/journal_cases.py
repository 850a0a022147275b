"""journal.py: its bound, its order, its acks; and counters that outlive a cut."""

import os
import random

import journal
from journal import Counter, Journal

COST = 48  # what the journal counts for a frame beside its bytes


def payload(seq, size=100):
    return bytes([seq & 255]) * size


def filled(count, limit=1 << 20, kept=()):
    j = Journal(7, limit)
    for seq in range(1, count + 1):
        j.append(7, seq, payload(seq), seq in kept)
    return j


def walk(j, boot=0, seq=0):
    found = []
    while True:
        entry = j.after(boot, seq)
        if entry is None:
            return found
        boot, seq = entry[0], entry[1]
        found.append(entry)


def test_frames_come_back_in_order_and_unchanged():
    j = filled(5)
    assert walk(j) == [(7, seq, payload(seq)) for seq in range(1, 6)]
    assert walk(j, 7, 3) == [(7, 4, payload(4)), (7, 5, payload(5))]
    assert j.after(7, 5) is None
    assert j.after(8, 0) is None
    assert j.after(6, 99) == (7, 1, payload(1))


def test_an_ack_is_cumulative_and_counts():
    j = filled(5)
    j.ack(7, 3)
    assert [seq for _, seq, _ in walk(j)] == [4, 5]
    assert j.acked == 3
    j.ack(7, 2)
    assert j.acked == 3
    j.ack(6, 5)
    assert j.acked == 3
    j.ack(7, 5)
    assert j.after(0, 0) is None
    assert j.size == 0
    j.append(7, 6, payload(6))
    assert walk(j) == [(7, 6, payload(6))]


def test_full_drops_the_oldest_series_and_remembers_the_gap():
    j = filled(10, 5 * (100 + COST))
    assert j.size <= 5 * (100 + COST)
    frames = walk(j)
    assert [seq for _, seq, _ in frames] == list(range(1, 11)), "a gap is walked number by number"
    lost = [seq for _, seq, data in frames if data is None]
    assert lost == list(range(1, len(lost) + 1))
    assert j.dropped == len(lost)
    assert len(j._frames) == 1 + 10 - len(lost), "gaps side by side are one"


def test_events_go_only_after_every_series():
    j = filled(12, 5 * (100 + COST), kept=(1, 4, 5))
    kept = [seq for _, seq, data in walk(j) if data is not None]
    assert kept[:3] == [1, 4, 5]
    assert kept[-1] == 12
    for seq in range(13, 40):
        j.append(7, seq, payload(seq), True)
        assert j.size <= j.limit_bytes
    assert [seq for _, seq, data in walk(j) if data is not None][-1] == 39


def test_what_was_sent_is_never_changed():
    j = filled(3)
    j.mark_sent(7, 2)
    j.limit_bytes = 3 * (100 + COST)
    for seq in range(4, 9):
        j.append(7, seq, payload(seq))
    assert walk(j)[:3] == [(7, 1, payload(1)), (7, 2, payload(2)), (7, 3, None)]


def test_a_gap_is_acked_in_part():
    j = filled(10, 5 * (100 + COST))
    j.ack(7, 2)
    assert walk(j)[0] == (7, 3, None)
    j.ack(7, 10)
    assert j.size == 0
    assert j.acked + j.dropped == 10


def test_random_histories_keep_order_bound_and_account():
    for seed in range(20):
        random.seed(seed)
        j = Journal(1, 2000)
        sealed = sent = acked = 0
        for _ in range(300):
            dice = random.getrandbits(3)
            if dice < 5:
                sealed += 1
                j.append(1, sealed, payload(sealed, 20 + random.getrandbits(7)), random.getrandbits(2) == 0)
            elif dice == 5 and sealed > sent:
                sent = min(sealed, max(sent, acked) + 1 + random.getrandbits(2))
                j.mark_sent(1, sent)
            elif sent > acked:
                acked += 1
                j.ack(1, acked)
            frames = walk(j)
            assert [seq for _, seq, _ in frames] == list(range(acked + 1, sealed + 1))
            assert all(data is None or data[0] == seq & 255 for _, seq, data in frames)
            on_the_way = sum(len(data) + COST for _, seq, data in frames if data is not None and seq <= sent)
            assert j.size <= 2000 + on_the_way + 200
            waiting = sum(1 for _, _, data in frames if data is not None)
            gone = sum(1 for _, _, data in frames if data is None)
            assert j.acked + j.dropped + waiting == sealed, (seed, gone)


def test_a_counter_starts_at_zero_and_outlives_its_object():
    assert Counter("boot").value == 0
    Counter("boot").store(5)
    assert Counter("boot").value == 5


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
    for torn in ("", "9", "99999", "12\0\0\n", "-7\n", "boot\n"):
        with open("boot.new", "w") as file:
            file.write(torn)
        assert Counter("boot").value == 1234, torn


def test_a_counter_survives_where_rename_first_removes():
    """As FAT does it: the old file is gone, the new one not yet renamed."""
    Counter("boot").store(8)
    os.rename("boot", "boot.new")
    assert Counter("boot").value == 8
