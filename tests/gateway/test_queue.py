"""A sink's queue over a real database: what leaves, under which grant, in which order, and what never does."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from datetime import datetime
from fractions import Fraction
from typing import Any

import pytest

from gateway.consent.grants import Hours
from gateway.consent.pseudonym import Pseudonyms
from gateway.consent.vocabulary import Granularity
from gateway.forward import queue as queue_module
from gateway.forward.buckets import GRACE_MS
from gateway.store.database import Database

QUARTER_MS, HOUR_MS, DAY_MS = 900_000, 3_600_000, 86_400_000


def events(queue: Any) -> list[dict[str, Any]]:
    """What may be sent now."""
    return [json.loads(queued.body) for queued in queue.take(10_000)]


def fill(queue: Any) -> None:
    for _ in range(1000):
        if not queue.fill():
            return
    raise AssertionError("fill never ends")


def filled(queue: Any) -> list[dict[str, Any]]:
    fill(queue)
    return events(queue)


def at(household: Any) -> dict[str, int]:
    """Time and uptime of a frame that is measured now."""
    return {"time_s": household.now_ms // 1000, "uptime_ms": 60_000}


def minute(household: Any, board: Any, seq: int, **more: Any) -> Any:
    """A minute of rows every 10 s that ends now; the clock is a minute later then."""
    rows = [[320 + i + seq % 5, i % 2, 1800 - seq] for i in range(6)]
    head = at(household)
    household.now_ms += 60_000
    return board.rows(seq, rows, **{**head, **more})


class TestDefaultIsNo:
    def test_without_a_grant_nothing_leaves(self, household: Any, board: Any):
        queue = household.queue()
        household.receive(board.birth(), minute(household, board, 1), board.events(2, [(3, 0, 1)], **at(household)))
        assert filled(queue) == []
        assert household.count("outbox") == household.count("bucket") == 0
        assert household.db.counters()["withheld.no_grant"] == 19
        assert queue.backlog() == 0

    @pytest.mark.parametrize(
        "other",
        [{"recipient": "shop"}, {"purpose": "research"}, {"category": "door"}, {"devices": ("ffffffffffff",)}],
    )
    def test_a_grant_for_something_else_lets_nothing_out(self, household: Any, board: Any, other: dict[str, Any]):
        queue = household.queue()
        household.grant(category=other.get("category", "stock"), **{k: v for k, v in other.items() if k != "category"})
        household.receive(board.birth(), board.rows(1, [[320, None, None]] * 3, **at(household)))
        assert filled(queue) == []

    def test_what_was_decided_on_is_not_asked_again_when_a_grant_comes_later(self, household: Any, board: Any):
        queue = household.queue()
        household.receive(board.birth(), minute(household, board, 1))
        fill(queue)
        household.grant(start_ms=0)
        assert filled(queue) == []

    def test_a_grant_is_never_retroactive_even_for_what_was_not_decided_on_yet(self, household: Any, board: Any):
        queue = household.queue()
        household.receive(board.birth(), minute(household, board, 1))
        household.grant()
        household.receive(minute(household, board, 2))
        sent = filled(queue)
        assert [len(e["data"]["values"]) for e in sent] == [6]
        assert sent[0]["time"] == "2026-05-28T20:27:40Z"
        assert household.db.counters()["withheld.before_grant"] == 6

    def test_a_grant_that_begins_inside_a_frame_shares_what_comes_after(self, household: Any, board: Any):
        queue = household.queue()
        head = at(household)
        household.now_ms += 25_000
        household.grant()
        household.now_ms += 35_000
        household.receive(board.birth(), board.rows(1, [[i, 0, 0] for i in range(6)], **head))
        (sent,) = filled(queue)
        assert sent["data"]["values"] == [3 / 16, 4 / 16, 5 / 16]

    def test_a_new_sink_begins_with_what_comes_from_now_on(self, household: Any, board: Any):
        household.grant(start_ms=0)
        household.receive(board.birth(), minute(household, board, 1))
        queue = household.queue()
        assert filled(queue) == []
        household.receive(minute(household, board, 2))
        assert len(filled(queue)) == 1
        assert household.queue().backlog() == 0  # opened again, it is not new

    def test_placed_readings_are_not_retroactive_either(self, household: Any, board: Any):
        queue = household.queue()
        household.receive(board.birth())
        old = board.rows(1, [[320, 0, 0]] * 6, uptime_ms=0)
        household.now_ms += HOUR_MS
        household.grant()
        late = board.rows(2, [[321, 0, 0]] * 6, uptime_ms=HOUR_MS, time_s=household.now_ms // 1000)
        household.receive(old, late)
        assert [e["data"]["time_label"] for e in filled(queue)] == ["measured"]

    def test_readings_without_a_clock_from_before_the_grant_do_not_leave(self, household: Any, board: Any):
        queue = household.queue()
        household.receive(board.birth())
        kept = [board.rows(seq, [[320, 0, 0]] * 6, uptime_ms=60_000 * seq) for seq in range(1, 61)]  # an hour offline
        household.now_ms += HOUR_MS
        household.grant()
        household.receive(*kept)
        assert filled(queue) == []


class TestWhatLeaves:
    def test_a_run_of_readings(self, household: Any, board: Any):
        queue, grant = household.queue(), household.grant()
        household.receive(board.birth(), minute(household, board, 1))
        names = Pseudonyms(household.db.secret, "manufacturer")
        assert filled(queue) == [
            {
                "specversion": "1.0",
                "id": names.event("product-improvement", board.device, 1, 1, 0, 0),
                "source": f"urn:hearthgate:device:{names.device(board.device)}",
                "type": "io.hearthgate.readings.v1",
                "time": "2026-05-28T20:26:40Z",
                "subject": "fridge_temp",
                "datacontenttype": "application/json",
                "consentgrant": grant.id,
                "consentpurpose": "product-improvement",
                "consentgranularity": "raw",
                "consentexpiry": "2027-05-28T20:26:40Z",
                "consentrecipient": "manufacturer",
                "data": {
                    "unit": "Cel",
                    "category": "temperature",
                    "time_label": "measured",
                    "step_ms": 10_000,
                    "values": [(321 + i) / 16 for i in range(6)],
                },
            }
        ]

    def test_an_event(self, household: Any, board: Any):
        queue = household.queue()
        household.grant(category="door", granularity=Granularity.EVENT)
        household.receive(board.birth(), board.events(1, [(3, 0, 1), (3, 1_500, 0), (4, 0, 2)], **at(household)))
        sent = filled(queue)
        assert [(e["type"], e["time"], e["data"]["value"]) for e in sent] == [
            ("io.hearthgate.event.v1", "2026-05-28T20:26:40Z", 1),
            ("io.hearthgate.event.v1", "2026-05-28T20:26:41.500Z", 0),
        ]
        assert len({e["id"] for e in sent}) == 2

    def test_event_granularity_holds_the_readings_between_back(self, household: Any, board: Any):
        queue = household.queue()
        household.grant(category="door", granularity=Granularity.EVENT)
        household.receive(board.birth(), minute(household, board, 1))
        assert filled(queue) == []
        assert household.db.counters()["withheld.not_an_event"] == 6

    def test_nothing_that_names_the_house_leaves(self, household: Any, board: Any):
        queue = household.queue()
        household.grant()
        household.grant(category="door")
        household.receive(
            board.birth(name="Robin's kitchen"), minute(household, board, 1), board.events(2, [(3, 0, 1)])
        )
        fill(queue)
        for queued in queue.take():
            for secret in (board.device, "Robin", "Kitchen", board.key.hex(), household.db.secret.hex()):
                assert secret not in queued.body

    def test_gaps_and_hours_cut_a_run_and_times_stay_right(self, household: Any, board: Any):
        queue = household.queue()
        household.grant(hours=Hours(20 * 60 + 27, 20 * 60 + 29, "UTC"))
        rows = [[None if i == 7 else 16 * i, 0, 0] for i in range(30)]  # 20:26:40 to 20:31:30
        head = at(household)
        household.now_ms += 300_000
        household.receive(board.birth(), board.rows(1, rows, **head))
        assert [(e["time"], e["data"]["values"]) for e in filled(queue)] == [
            ("2026-05-28T20:27:00Z", [2, 3, 4, 5, 6]),
            ("2026-05-28T20:28:00Z", [8, 9, 10, 11, 12, 13]),
        ]
        assert household.db.counters()["withheld.outside_hours"] == 2 + 16

    def test_the_finer_of_two_grants_holds_and_nothing_leaves_twice(self, household: Any, board: Any):
        queue = household.queue()
        household.grant(granularity=Granularity.QUARTER_HOUR)
        raw = household.grant(expiry_ms=household.now_ms + 120_000)
        household.receive(board.birth(), minute(household, board, 1))
        fill(queue)
        assert [e["consentgrant"] for e in events(queue)] == [raw.id]
        assert household.count("bucket") == 0

    def test_each_purpose_gets_events_of_its_own(self, household: Any, board: Any):
        queue = household.queue(purposes=("service", "research", "marketing"))
        for purpose in ("service", "research"):
            household.grant(purpose=purpose)
        household.receive(board.birth(), minute(household, board, 1))
        sent = filled(queue)
        assert sorted(e["consentpurpose"] for e in sent) == ["research", "service"]
        assert len({e["id"] for e in sent}) == 2

    def test_two_recipients_cannot_join_what_they_got(self, household: Any, board: Any):
        one, other = household.queue("a", "manufacturer"), household.queue("b", "shop")
        household.grant()
        household.grant(recipient="shop")
        household.receive(board.birth(), minute(household, board, 1))
        (left,), (right,) = filled(one), filled(other)
        assert left["data"] == right["data"]
        assert left["source"] != right["source"]
        assert left["id"] != right["id"]

    def test_a_time_is_labelled_as_it_is_known(self, household: Any, board: Any):
        queue = household.queue()
        household.grant(start_ms=0)
        household.receive(board.birth(), board.rows(1, [[1, 0, 0]], uptime_ms=0))
        fill(queue)
        household.receive(board.rows(2, [[2, 0, 0]], uptime_ms=20_000, time_s=household.now_ms // 1000))
        household.receive(board.rows(3, [[3, 0, 0]], uptime_ms=10_000))
        # the first was decided on when nobody could know its time: it stays at home
        assert [e["data"]["time_label"] for e in filled(queue)] == ["measured", "placed"]
        assert household.db.counters()["withheld.no_clock"] == 1

    def test_a_clock_that_is_wrong_by_ages_stops_nothing(self, household: Any, board: Any):
        queue = household.queue()
        household.grant(start_ms=0, granularity=Granularity.DAY, hours=Hours(0, 60, "Europe/Berlin"))
        household.grant(start_ms=0, category="door")
        frames = [(0, 2**48), (None, 0), (2**36, 0), (None, 2**48), (0, 0), (2**36, 2**48)]
        for seq, (time_s, uptime_ms) in enumerate(frames, start=1):
            household.receive(board.birth(boot=seq // 3 + 1))
            rows = [[1, 0, 0], [2, 1, 0]]
            household.receive(board.rows(seq % 3 + 1, rows, boot=seq // 3 + 1, time_s=time_s, uptime_ms=uptime_ms))
            household.receive(board.rows(4, rows, boot=seq // 3 + 1, step_ms=2**31 - 1))
        filled(queue)
        assert queue.backlog() == 0


class TestOrder:
    def test_parked_frames_wait_for_their_birth(self, household: Any, board: Any):
        queue = household.queue()
        household.grant()
        household.receive(minute(household, board, 1), minute(household, board, 2))
        assert filled(queue) == []
        assert household.count("parked") == 2
        household.receive(board.birth())
        assert [e["time"] for e in filled(queue)] == ["2026-05-28T20:26:40Z", "2026-05-28T20:27:40Z"]
        assert household.count("parked") == 0

    def test_parked_frames_wait_for_the_gap_to_close_and_are_then_in_order(self, household: Any, board: Any):
        queue = household.queue()
        household.grant()
        frames = [minute(household, board, seq) for seq in range(1, 7)]
        household.receive(board.birth(), frames[0], frames[3], frames[2])
        assert len(filled(queue)) == 1
        assert household.count("parked") == 2
        household.receive(frames[5], frames[1], frames[4])
        sent = filled(queue)
        assert [e["time"] for e in sent] == sorted(e["time"] for e in sent)
        assert len(sent) == 6

    def test_more_parked_frames_than_one_fill_takes_are_still_in_order(
        self, household: Any, board: Any, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(queue_module, "_FRAMES_A_FILL", 5)
        queue = household.queue()
        household.grant()
        frames = [minute(household, board, seq) for seq in range(1, 31)]
        household.receive(board.birth(), *frames[1:20])
        fill(queue)
        assert household.count("parked") == 19
        household.receive(frames[0], *frames[20:])
        sent = filled(queue)
        assert len(sent) == 30
        assert [e["time"] for e in sent] == sorted(e["time"] for e in sent)

    def test_readings_that_waited_are_not_late_for_their_aggregate(
        self, household: Any, board: Any, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(queue_module, "_FRAMES_A_FILL", 5)
        queue = household.queue()
        household.grant(granularity=Granularity.QUARTER_HOUR)
        frames = [minute(household, board, seq) for seq in range(1, 46)]
        household.receive(board.birth(), *frames[1:40])
        fill(queue)
        household.receive(frames[0], *frames[40:])
        fill(queue)
        assert household.db.counters().get("late", 0) == 0

    def test_the_first_frame_that_comes_last_is_not_late_for_a_sink_that_reads_slowly(
        self, household: Any, board: Any, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(queue_module, "_FRAMES_A_FILL", 5)
        queue = household.queue()
        household.grant(granularity=Granularity.QUARTER_HOUR)
        frames = [minute(household, board, seq) for seq in range(1, 41)]
        household.receive(board.birth(), *frames[1:], frames[0])
        fill(queue)
        assert household.db.counters().get("late", 0) == 0

    def test_a_board_with_much_to_say_does_not_keep_another_waiting(
        self, household: Any, board: Any, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(queue_module, "_FRAMES_A_FILL", 4)
        other = household.board("ffffffffffff")
        queue = household.queue()
        household.grant()
        frames = [minute(household, board, seq) for seq in range(1, 41)]
        one = minute(household, other, 1)
        household.receive(other.birth(), board.birth(), *frames[:20], one, *frames[20:])
        sources = [e["source"] for e in filled(queue)]
        assert len(sources) == 41
        assert sources.index(next(s for s in sources if sources.count(s) == 1)) <= 24

    def test_a_sink_that_is_far_behind_looks_ahead_only_so_far(
        self, household: Any, board: Any, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(queue_module, "_FRAMES_A_FILL", 4)
        monkeypatch.setattr(queue_module, "MAX_PARKED", 10)
        queue = household.queue()
        household.grant()
        household.receive(board.birth(), *[minute(household, board, seq) for seq in range(1, 101)])
        while queue.backlog():
            queue.fill()
            assert household.count("parked") <= 10
        assert [e["time"] for e in events(queue)] == sorted(e["time"] for e in events(queue))
        assert queue.depth() == 100

    def test_frames_that_do_not_fit_the_birth_that_came_after_them_are_counted(self, household: Any, board: Any):
        queue = household.queue()
        household.grant()
        household.receive(board.rows(1, [[1, 2]], **at(household)), minute(household, board, 2))
        fill(queue)
        household.receive(board.birth())
        assert len(filled(queue)) == 1
        assert household.db.counters()["frames_not_of_birth"] == 1
        assert household.count("parked") == 0


class TestTakingBack:
    def test_what_is_queued_is_dropped_when_its_grant_is_revoked(self, household: Any, board: Any):
        queue, grant = household.queue(), household.grant()
        kept = household.grant(category="door")
        household.receive(board.birth(), minute(household, board, 1))
        fill(queue)
        assert queue.depth() == 2
        household.revoke(grant)
        assert [e["consentgrant"] for e in events(queue)] == [kept.id]
        assert queue.depth() == 1

    def test_a_revocation_by_another_process_is_seen_at_once(self, household: Any, board: Any):
        queue, grant = household.queue(), household.grant()
        household.receive(board.birth(), minute(household, board, 1))
        fill(queue)
        other = Database(household.path)
        other.connection.execute("UPDATE consent_grant SET revoked_ms = 1 WHERE id = ?", (grant.id,))
        other.revise("grants")
        other.close()
        assert events(queue) == []  # by the decision alone: nobody has emptied the outbox
        assert queue.depth() == 0
        assert household.db.counters()["withheld.revoked"] == 1

    @pytest.mark.parametrize("granularity", [Granularity.RAW, Granularity.QUARTER_HOUR])
    def test_what_is_queued_is_dropped_when_its_grant_has_expired(
        self, household: Any, board: Any, granularity: Granularity
    ):
        queue = household.queue()
        household.grant(granularity=granularity, expiry_ms=household.now_ms + 3 * HOUR_MS)
        household.receive(board.birth(), *[minute(household, board, seq) for seq in range(1, 31)])
        fill(queue)
        assert queue.depth() > 0
        household.now_ms += 3 * HOUR_MS
        assert events(queue) == []
        assert queue.depth() == 0

    def test_a_half_filled_aggregate_is_dropped_when_its_grant_is_revoked(self, household: Any, board: Any):
        queue, grant = household.queue(), household.grant(granularity=Granularity.HOUR)
        household.receive(board.birth(), *[minute(household, board, seq) for seq in range(1, 5)])
        fill(queue)
        assert household.count("bucket") == 1
        household.revoke(grant)
        assert household.count("bucket") == 0
        household.now_ms += 3 * HOUR_MS
        assert filled(queue) == []

    def test_a_grant_that_vanished_lets_nothing_out(self, household: Any, board: Any):
        queue = household.queue()
        household.grant()
        household.receive(board.birth(), minute(household, board, 1))
        fill(queue)
        with household.db.transaction() as sql:
            sql.execute("DELETE FROM consent_grant")
            household.db.revise("grants")
        assert events(queue) == []

    def test_a_grant_that_cannot_be_read_is_a_no_and_stops_nothing(self, household: Any, board: Any):
        queue, broken = household.queue(), household.grant()
        whole = household.grant(category="stock")
        with household.db.transaction() as sql:
            record = broken.to_json().replace(
                '"hours": null', '"hours": {"start_min": 0, "end_min": 9, "timezone": "X/Y"}'
            )
            sql.execute("UPDATE consent_grant SET record = ? WHERE id = ?", (record, broken.id))
            household.db.revise("grants")
        household.receive(board.birth(), minute(household, board, 1))
        assert [e["consentgrant"] for e in filled(queue)] == [whole.id]

    def test_revoking_twice_is_the_same_as_once(self, household: Any):
        grant = household.grant()
        household.revoke(grant)
        household.now_ms += 1000
        household.revoke(grant)
        (revoked_ms,) = household.db.connection.execute("SELECT revoked_ms FROM consent_grant").fetchone()
        assert revoked_ms == household.now_ms - 1000


class TestRetries:
    def test_what_was_not_confirmed_is_taken_again_byte_for_byte_after_a_crash(self, household: Any, board: Any):
        queue = household.queue()
        household.grant()
        household.grant(category="stock", granularity=Granularity.QUARTER_HOUR)
        household.receive(board.birth(), *[minute(household, board, seq) for seq in range(1, 31)])
        fill(queue)
        first = [queued.body for queued in queue.take()]
        assert len(first) > 30
        household.db.close()
        household.db = Database(household.path)
        household.now_ms += 5000
        again = household.queue()
        assert not again.fill()
        assert [queued.body for queued in again.take()] == first

    def test_what_was_confirmed_never_comes_again(self, household: Any, board: Any):
        queue = household.queue()
        household.grant()
        frames = [minute(household, board, seq) for seq in range(1, 4)]
        household.receive(board.birth(), *frames)
        fill(queue)
        queue.delivered(queue.take(2))
        assert queue.depth() == 1
        household.receive(*frames)  # the board sends them again
        assert len(filled(queue)) == 1
        queue.delivered(queue.take())
        assert filled(queue) == []
        assert household.db.counters()["cloud_events_sent"] == 3

    def test_a_fill_that_fails_is_done_again_whole(self, household: Any, board: Any, monkeypatch: pytest.MonkeyPatch):
        queue = household.queue()
        household.grant()
        household.receive(board.birth(), minute(household, board, 1), minute(household, board, 2))
        calls = []

        def fail_at_second(*args: Any) -> None:
            calls.append(args)
            if len(calls) == 2:
                raise RuntimeError("power cut")
            insert(*args)

        insert = queue._insert
        monkeypatch.setattr(queue, "_insert", fail_at_second)
        with pytest.raises(RuntimeError):
            queue.fill()
        assert queue.depth() == 0
        monkeypatch.undo()
        assert len(filled(queue)) == 2

    def test_each_sink_goes_at_its_own_pace(self, household: Any, board: Any):
        fast, slow = household.queue("fast"), household.queue("slow")
        household.grant()
        household.receive(board.birth(), minute(household, board, 1))
        fill(fast)
        fast.delivered(fast.take())
        household.receive(minute(household, board, 2))
        fill(fast)
        assert (fast.depth(), slow.depth(), slow.backlog()) == (1, 0, 2)
        assert len(filled(slow)) == 2

    def test_the_outbox_has_a_bound_and_the_frames_wait(
        self, household: Any, board: Any, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(queue_module, "MAX_OUTBOX", 10)
        monkeypatch.setattr(queue_module, "_FRAMES_A_FILL", 4)
        queue = household.queue()
        household.grant()
        household.receive(board.birth(), *[minute(household, board, seq) for seq in range(1, 101)])
        fill(queue)
        assert 10 <= queue.depth() < 14
        assert queue.backlog() == 100 - queue.depth()
        seen: list[str] = []
        while batch := queue.take(7):
            seen += [json.loads(queued.body)["time"] for queued in batch]
            queue.delivered(batch)
            fill(queue)
            assert queue.depth() < 14
        assert seen == sorted(seen)
        assert len(seen) == 100

    def test_frames_that_each_give_many_events_do_not_pass_the_bound_by_far(
        self, household: Any, board: Any, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(queue_module, "MAX_OUTBOX", 100)
        queue = household.queue()
        household.grant(category="door")
        many = [(3, i, i & 1) for i in range(256)]
        household.receive(board.birth(), *[board.events(seq, many, **at(household)) for seq in range(1, 101)])
        household.now_ms += 1000
        fill(queue)
        assert queue.depth() <= 100 + 256


class TestAggregates:
    @pytest.mark.parametrize("granularity", [Granularity.QUARTER_HOUR, Granularity.HOUR, Granularity.DAY])
    def test_they_equal_a_straightforward_computation(self, household: Any, board: Any, granularity: Granularity):
        length_ms = granularity.bucket_ms
        assert length_ms is not None
        step_ms = length_ms // 45
        rng = random.Random(granularity.value)
        queue, grant = (
            household.queue(),
            household.grant(granularity=granularity, expiry_ms=household.now_ms + 20 * DAY_MS),
        )
        expected: dict[int, list[int]] = defaultdict(list)
        household.receive(board.birth())
        for seq in range(1, 12):
            rows = [[None if rng.random() < 0.1 else rng.randint(-500, 500), 0, 0] for _ in range(rng.randint(1, 50))]
            for i, row in enumerate(rows):
                time_ms = household.now_ms + i * step_ms
                if row[0] is not None:
                    expected[time_ms - time_ms % length_ms].append(row[0])
            head = at(household)
            household.now_ms += len(rows) * step_ms
            household.receive(board.rows(seq, rows, step_ms=step_ms, **head))
            if seq % 3 == 0:
                fill(queue)
        fill(queue)
        household.now_ms += length_ms + GRACE_MS
        sent = filled(queue)
        assert len(sent) == len(expected) > 3
        for event, (start_ms, values) in zip(sent, sorted(expected.items()), strict=True):
            begin, end = (datetime.fromisoformat(event["data"][key]).timestamp() * 1000 for key in ("from", "to"))
            assert (begin, end) == (start_ms, start_ms + length_ms)
            assert event["time"] == event["data"]["from"]
            assert event["type"] == "io.hearthgate.aggregate.v1"
            assert event["consentgrant"] == grant.id
            assert event["consentgranularity"] == granularity.value
            data = event["data"]
            assert (data["count"], data["min"], data["max"]) == (len(values), min(values) / 16, max(values) / 16)
            assert data["mean"] == pytest.approx(float(Fraction(sum(values), 16 * len(values))), abs=5e-5)
            assert "values" not in data

    def test_an_aggregate_is_sent_when_the_boards_rows_have_passed_its_end_and_not_before(
        self, household: Any, board: Any
    ):
        queue = household.queue()
        household.grant(granularity=Granularity.QUARTER_HOUR)
        household.receive(board.birth())
        for seq in range(1, 4):  # 20:26:40 to 20:29:40
            household.receive(minute(household, board, seq))
            assert filled(queue) == []
        household.receive(minute(household, board, 4))
        (sent,) = filled(queue)
        assert (sent["data"]["from"], sent["data"]["to"]) == ("2026-05-28T20:15:00Z", "2026-05-28T20:30:00Z")
        assert sent["data"]["count"] == 20

    def test_an_event_does_not_close_an_aggregate_before_the_rows_that_it_overtook(self, household: Any, board: Any):
        queue = household.queue()
        household.grant(granularity=Granularity.QUARTER_HOUR)
        household.receive(board.birth(), minute(household, board, 1))
        frame = minute(household, board, 3)
        household.now_ms += 600_000
        household.receive(board.events(2, [(3, 0, 1)], **at(household)))
        assert filled(queue) == []
        household.receive(frame)
        fill(queue)
        assert household.db.counters().get("late", 0) == 0

    def test_a_silent_boards_aggregate_is_sent_after_the_grace(self, household: Any, board: Any):
        queue = household.queue()
        household.grant(granularity=Granularity.QUARTER_HOUR)
        household.receive(board.birth(), minute(household, board, 1))
        fill(queue)
        end_ms = household.now_ms - household.now_ms % QUARTER_MS + QUARTER_MS
        household.now_ms = end_ms + GRACE_MS - 1
        assert filled(queue) == []
        household.now_ms += 1
        assert len(filled(queue)) == 1

    def test_an_outage_longer_than_the_grace_is_aggregated_whole_when_the_board_is_back(
        self, household: Any, board: Any
    ):
        queue = household.queue()
        household.grant(granularity=Granularity.QUARTER_HOUR)
        household.now_ms += QUARTER_MS - household.now_ms % QUARTER_MS
        household.receive(board.birth())
        kept = [minute(household, board, seq) for seq in range(1, 181)]  # three hours without a link
        assert filled(queue) == []
        counts: list[int] = []
        for i in range(0, len(kept), 8):  # as many as a board sends ahead of its acks
            household.receive(*kept[i : i + 8])
            household.now_ms += 2000
            fill(queue)
            counts += [e["data"]["count"] for e in events(queue)]
            queue.delivered(queue.take())
        assert counts == [90] * 12
        assert household.db.counters().get("late", 0) == 0

    def test_what_comes_after_an_aggregate_was_sent_is_late_and_never_a_second_aggregate_of_the_same_name(
        self, household: Any, board: Any
    ):
        queue = household.queue()
        household.grant(granularity=Granularity.QUARTER_HOUR)
        household.receive(board.birth(), minute(household, board, 1))
        waiting = minute(household, board, 2)  # the link goes down before this one
        fill(queue)
        household.now_ms += GRACE_MS + 2 * QUARTER_MS
        (sent,) = filled(queue)
        queue.delivered(queue.take())
        household.receive(waiting)
        household.now_ms += GRACE_MS + 2 * QUARTER_MS
        assert [e["id"] for e in filled(queue) if e["id"] == sent["id"]] == []
        assert household.db.counters()["late"] == 6

    def test_a_clock_that_runs_ahead_does_not_close_every_aggregate_to_come(self, household: Any, board: Any):
        queue = household.queue()
        household.grant(granularity=Granularity.QUARTER_HOUR)
        ahead = board.rows(1, [[320, 0, 0]] * 6, time_s=household.now_ms // 1000 + 10**7, uptime_ms=0)
        household.receive(board.birth(), board.birth(boot=2), ahead)
        fill(queue)
        household.receive(*[minute(household, board, seq, boot=2) for seq in range(1, 8)])
        fill(queue)
        assert household.db.counters().get("late", 0) == 0

    def test_a_scale_that_changes_with_a_new_boot_is_not_mixed_with_the_old(self, household: Any, board: Any):
        queue = household.queue()
        household.grant(granularity=Granularity.QUARTER_HOUR)
        finer = [["fridge_temp", "Cel", 1, 100, 0, "temperature"], *board.channels[1:]]
        household.receive(board.birth(boot=1), board.birth(boot=2, channels=finer))
        household.receive(board.rows(1, [[80, 0, 0]] * 3, **at(household)))
        household.now_ms += 30_000
        household.receive(board.rows(1, [[500, 0, 0]] * 3, boot=2, **at(household)))
        fill(queue)
        household.now_ms += GRACE_MS + 2 * QUARTER_MS
        sent = filled(queue)
        assert sum(e["data"]["count"] for e in sent) == 6
        assert {(e["data"]["min"], e["data"]["max"]) for e in sent} == {(5, 5)}
        assert len({e["id"] for e in sent}) == len(sent)

    def test_an_aggregate_is_labelled_by_the_less_certain_time_in_it(self, household: Any, board: Any):
        queue = household.queue()
        household.grant(granularity=Granularity.HOUR, start_ms=0)
        household.receive(board.birth())
        household.receive(board.rows(1, [[80, 0, 0]] * 2, uptime_ms=0, time_s=household.now_ms // 1000))
        household.receive(board.rows(2, [[80, 0, 0]] * 2, uptime_ms=30_000))
        fill(queue)
        household.now_ms += GRACE_MS + 2 * HOUR_MS
        assert [(e["data"]["count"], e["data"]["time_label"]) for e in filled(queue)] == [(4, "placed")]

    def test_hours_that_cut_an_aggregate_leave_the_rest_out_and_it_is_sent(self, household: Any, board: Any):
        queue = household.queue()
        household.grant(granularity=Granularity.HOUR, hours=Hours(20 * 60 + 28, 20 * 60 + 29, "UTC"))
        household.receive(board.birth(), *[minute(household, board, seq) for seq in range(1, 6)])
        fill(queue)
        household.now_ms += GRACE_MS + HOUR_MS
        (sent,) = filled(queue)
        assert sent["data"]["count"] == 6

    def test_the_mean_of_many_large_values_is_exact(self, household: Any, board: Any):
        queue = household.queue()
        household.grant(category="stock", granularity=Granularity.DAY)
        household.receive(board.birth())
        for seq in range(1, 60):
            household.receive(board.rows(seq, [[0, 0, 2**29 - 1]] * 60, **at(household)))
        fill(queue)
        household.now_ms += 2 * DAY_MS
        (sent,) = filled(queue)
        assert sent["data"]["mean"] == sent["data"]["min"] == sent["data"]["max"] == (2**29 - 1) / 1000
