"""A sink's queue over a real database: what leaves, under which grant, and what never does."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.consent.grants import Hours
from gateway.consent.pseudonym import Pseudonyms
from gateway.consent.vocabulary import Granularity
from tests.gateway.sinks import DAY_MS, HOUR_MS, at, fill, filled, minute


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
                "consentversion": 1,
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
            ("io.hearthgate.event.v1", "2026-05-28T20:26:40Z", 0),
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
        assert filled(queue) == []  # nobody knows its time yet: it waits for the board's clock
        household.receive(board.rows(2, [[2, 0, 0]], uptime_ms=20_000, time_s=household.now_ms // 1000))
        household.receive(board.rows(3, [[3, 0, 0]], uptime_ms=30_000))
        assert [(e["data"]["time_label"], e["data"]["values"]) for e in filled(queue)] == [
            ("placed", [1 / 16]),
            ("measured", [2 / 16]),
            ("placed", [3 / 16]),
        ]
        assert household.count("parked") == 0

    def test_a_clock_is_waited_for_a_day_and_no_longer(self, household: Any, board: Any):
        queue = household.queue()
        household.grant(start_ms=0)
        household.receive(board.birth(), board.rows(1, [[1, 0, 0]], uptime_ms=0))
        fill(queue)
        household.now_ms += DAY_MS - 1
        assert (queue.backlog(), filled(queue), household.count("parked")) == (0, [], 1)
        household.now_ms += 1
        assert (queue.backlog(), filled(queue), household.count("parked")) == (1, [], 0)
        assert household.db.counters()["withheld.no_clock"] == 1
        # what it says when it has a clock at last is shared again, and what was decided is not asked again
        household.receive(board.rows(2, [[2, 0, 0]], uptime_ms=20_000, time_s=household.now_ms // 1000))
        assert [e["data"]["values"] for e in filled(queue)] == [[2 / 16]]

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
