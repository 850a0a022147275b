"""When stored frames were measured: told as soon as it is known, in the order of their numbers, and never swapped."""

from __future__ import annotations

import random
from itertools import pairwise
from typing import Any

import pytest

from gateway.store.database import Database
from tests.gateway.conftest import Household
from tests.gateway.said import Life, read

ROWS = [[320, 0, 1800], [321, 0, 1800]]
NOW_S = 1_780_000_000
YEAR_S = 365 * 86_400


@pytest.fixture
def life(household: Any, board: Any) -> Life:
    return Life(household, board)


def labels(household: Any) -> list[str]:
    return [f.label for f in read(household)]


def swapped(household: Any) -> list[tuple[int, int]]:
    """Pairs of readings, as (boot, uptime), of which the one that was measured later is told to be earlier."""
    readings = []
    for f in read(household):
        if f.time_ms is not None:
            offsets = [e.offset_ms for e in f.frame.events] or [row * f.frame.step_ms for row in range(f.frame.rows)]
            readings += [((f.frame.boot, f.frame.uptime_ms + at), f.time_ms + at) for at in offsets]
    readings.sort()
    return [a[0] for a, b in pairwise(readings) if b[1] < a[1]]


def unsendable(household: Any) -> list[int]:
    """Frames of which a sink with a grant for everything, told two days later, has sent nothing."""
    household.queue()
    household.db.connection.execute("UPDATE sink SET cursor = 0")
    queue = household.queue()  # opened again, it begins there
    for category in ("temperature", "door", "stock"):
        household.grant(category=category, start_ms=0)
    household.now_ms += 2 * 86_400_000
    while queue.fill():
        pass
    assert queue.backlog() == 0
    return [f.id for f in read(household) if f.time_ms is None]


class TestShown:
    def test_a_time_says_how_it_is_known(self, household: Any, board: Any):
        household.receive(board.birth(), board.rows(1, ROWS, uptime_ms=5_250))
        (frame,) = read(household)
        assert frame.start() == (household.now_ms - 10_000, "arrival")  # the last of two rows came now
        household.now_ms += 70_000
        household.receive(board.rows(2, ROWS, uptime_ms=65_250, time_s=NOW_S))
        first, second = read(household)
        assert first.start() == (NOW_S * 1000 + 250 - 60_000, "placed")
        assert second.start() == (NOW_S * 1000 + 250, "measured")

    def test_events_without_a_clock_are_put_so_that_the_last_one_came_now(self, household: Any, board: Any):
        household.receive(board.birth(), board.events(1, [(3, 0, 1), (3, 4_000, 0)]))
        (frame,) = read(household)
        assert frame.start() == (household.now_ms - 4_000, "arrival")

    def test_another_boot_says_nothing_about_the_clock(self, household: Any, board: Any):
        household.receive(board.birth(boot=1), board.birth(boot=2))
        household.receive(board.rows(1, ROWS, boot=1), board.rows(1, ROWS, boot=2, time_s=NOW_S))
        assert [f.start()[1] for f in read(household)] == ["arrival", "measured"]

    def test_a_frame_above_a_gap_is_shown_by_its_own_clock_until_its_time_is_settled(self, household: Any, board: Any):
        household.receive(board.birth(), board.rows(5, ROWS, time_s=NOW_S))
        (frame,) = read(household)
        assert (frame.time_ms, frame.start()) == (None, (NOW_S * 1000, "measured"))


class TestAboveAGap:
    def test_a_frame_gets_its_time_when_the_gap_closes(self, household: Any, life: Life):
        said = [life.minute() for _ in range(6)]
        household.receive(said[0], said[3], said[2], said[5])
        assert [f.time_ms is None for f in read(household)] == [False, True, True, True]
        household.receive(said[1])
        assert [f.time_ms is None for f in read(household)] == [False] * 4 + [True]
        assert [f.turn for f in read(household)] == [1, 5, 5, 5, 4]  # with the frame that closed it
        household.receive(said[4])
        assert labels(household) == ["measured"] * 6
        assert swapped(household) == []

    def test_a_gap_that_is_lifted_gives_them_their_time(self, household: Any, life: Life):
        said = [life.minute() for _ in range(4)]
        household.receive(said[0], said[2])
        household.receive(said[3], life.gap(1, 2, 2))
        assert labels(household) == ["measured"] * 4
        assert [f.turn for f in read(household)] == [1, 4, 4, 4]

    def test_one_that_is_set_aside_closes_a_gap_too(self, household: Any, life: Life):
        said = [life.minute() for _ in range(3)]
        household.receive(said[0], said[2])
        household.receive(life.board.say("up", b"\x01\x01\x02\xff"))
        assert labels(household) == ["measured"] * 2
        assert household.receive(said[2]).acks == {(1, 1): 3}

    def test_a_clock_that_is_set_above_a_gap_counts_when_it_is_closed(self, household: Any, life: Life):
        life.error_s = None
        said = [life.minute() for _ in range(3)]
        life.error_s = 0
        said += [life.minute() for _ in range(2)]
        household.receive(said[0], said[2], said[3])
        assert labels(household) == ["arrival"] * 3
        household.receive(said[1])
        assert labels(household) == ["placed"] * 3 + ["measured"]
        household.receive(said[4])
        assert swapped(household) == []


class TestClocksThatJump:
    def minutes(self, life: Life, n: int) -> None:
        for _ in range(n):
            said = [life.minute(), life.event()]
            life.household.receive(*said)

    def test_ntp_steps_back_by_a_minute(self, household: Any, life: Life):
        life.error_s = 60
        self.minutes(life, 3)
        life.error_s = 0
        self.minutes(life, 25)
        assert swapped(household) == []
        assert labels(household)[-1] == "measured"  # and it is believed in the end
        assert unsendable(household) == []

    @pytest.mark.parametrize("error_s", [YEAR_S, -YEAR_S, 20 * YEAR_S, -20 * YEAR_S])
    def test_a_clock_is_wrong_by_years_and_then_right(self, household: Any, life: Life, error_s: int):
        life.error_s = error_s
        self.minutes(life, 3)
        life.error_s = 0
        self.minutes(life, 3)
        life.error_s = error_s
        self.minutes(life, 3)
        life.error_s = 0
        self.minutes(life, 3)
        assert swapped(household) == []
        assert labels(household)[-1] == "measured"
        assert unsendable(household) == []

    def test_a_clock_that_is_set_late_places_all_that_was_before(self, household: Any, life: Life):
        life.error_s = None
        self.minutes(life, 40)
        life.error_s = 0
        self.minutes(life, 1)
        assert labels(household) == ["placed"] * 80 + ["measured"] * 2
        assert swapped(household) == []
        assert unsendable(household) == []

    def test_a_clock_that_is_never_set_keeps_nothing_waiting_for_ever(self, household: Any, life: Life):
        life.error_s = None
        self.minutes(life, 3)
        assert unsendable(household) == [1, 2, 3, 4, 5, 6]
        assert household.count("parked") == 0
        assert household.db.counters()["withheld.no_clock"] > 0

    def test_a_step_while_frames_come_out_of_order(self, household: Any, life: Life):
        said = []
        for error_s in (60, 60, 0, 0, -120, 300, 0, 0, 0, 0):
            life.error_s = error_s
            said += [life.minute(), life.event()]
        rng = random.Random(3)
        for _ in range(4):
            rng.shuffle(said)
            household.receive(*said[:7])
        household.receive(*said)
        assert len(read(household)) == 20
        assert swapped(household) == []
        assert unsendable(household) == []

    @pytest.mark.parametrize("behind_s", [5, 60, 299])
    def test_a_restart_with_an_earlier_clock(self, household: Any, life: Life, behind_s: int):
        self.minutes(life, 3)
        life.start()
        life.error_s = -behind_s
        self.minutes(life, 5)
        life.error_s = 0
        self.minutes(life, 3)
        assert swapped(household) == []
        assert labels(household)[-1] == "measured"
        assert unsendable(household) == []

    def test_a_restart_with_a_clock_far_behind_waits_for_a_better_one(self, household: Any, life: Life):
        self.minutes(life, 3)
        life.start()
        life.error_s = -3600
        self.minutes(life, 3)
        assert labels(household)[-6:] == ["arrival"] * 6
        life.error_s = 0
        self.minutes(life, 1)
        assert labels(household)[-8:] == ["placed"] * 6 + ["measured"] * 2
        assert swapped(household) == []

    def test_a_boot_that_is_heard_after_the_next_one_ends_before_it(self, household: Any, life: Life):
        life.error_s = 40
        old = [life.minute() for _ in range(3)]
        household.now_ms += 25_000
        life.start()
        life.error_s = 0
        self.minutes(life, 2)
        household.receive(*old)
        assert swapped(household) == []
        assert labels(household)[:3] == ["measured", "measured", "placed"]

    def test_the_gateways_own_clock_is_a_year_behind_for_a_while(self, household: Any, life: Life):
        self.minutes(life, 2)
        household.now_ms -= YEAR_S * 1000
        life.error_s = YEAR_S
        self.minutes(life, 2)
        household.now_ms += YEAR_S * 1000
        life.error_s = 0
        self.minutes(life, 2)
        assert swapped(household) == []
        assert labels(household)[-1] == "measured"


def test_what_is_known_of_a_clock_comes_back_after_a_crash(household: Any, life: Life):
    """A twin that never crashes says the same."""
    twin = Household(household.path.with_name("twin.sqlite"))
    twin.board()
    for n, error_s in enumerate((None, None, 30, 30, 0, 0, -20, 0, 0, 0, YEAR_S, 0)):
        life.error_s = error_s
        if n == 6:
            life.start()
            twin.receive(life.board.birth(2))
        said = [life.minute(), life.event(), life.minute()]
        for messages in (said[2:], said[:2]):  # out of order too
            household.receive(*messages)
            twin.now_ms = household.now_ms
            twin.receive(*messages)
        household.db.connection.close()  # nothing is saved as `close` would
        household.db = Database(household.path)
    twin.receive(life.board.birth(1))
    assert swapped(household) == []
    assert [(f.time_ms, f.label, f.turn) for f in read(household)] == [(f.time_ms, f.label, f.turn) for f in read(twin)]
    assert set(labels(household)) == {"measured", "placed"}
    twin.db.close()
