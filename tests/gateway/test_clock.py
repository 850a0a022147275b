"""The clock of a boot: readings are never placed in another order than the one in which they were measured."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import example, given
from hypothesis import strategies as st

from gateway.store.clock import APART_MS, MEASURED, PLACED, Clock, Neighbours, Span
from gateway.wire.birth import Birth
from gateway.wire.frame import Event, Frame, Gap

NOW_S = 1_780_000_000
YEAR_S = 365 * 86_400
ALONE = Neighbours()


def rows(uptime_s: int, offset_s: int | None, n: int = 6, step_s: int = 10) -> Span:
    """A frame of n rows, by a clock that says `offset_s` at uptime 0."""
    return Span(uptime_s * 1000, uptime_s * 1000, (uptime_s + (n - 1) * step_s) * 1000, series=True, own_s=offset_s)


def event(uptime_s: int, offset_s: int | None) -> Span:
    return Span(uptime_s * 1000, uptime_s * 1000, uptime_s * 1000, series=False, own_s=offset_s)


def place(clock: Clock, span: Span, beside: Neighbours = ALONE, late_s: int = 1) -> tuple[int, int] | None:
    """(offset in seconds, label) of a frame that comes `late_s` after its last reading by a right clock."""
    assert span.last_ms is not None
    time = clock.place(span, (NOW_S + late_s) * 1000 + span.last_ms, beside)
    return None if time is None else ((time[0] - span.starts_ms) // 1000 - NOW_S, time[1])


class TestSpan:
    def test_rows_events_gaps_and_thinned_rows(self):
        def frame(**more) -> Frame:
            return Frame(**{"boot": 1, "seq": 1, "time_s": 100, "uptime_ms": 7_500, "step_ms": 0, "rows": 0,
                            "columns": [], "events": (), **more})  # fmt: skip

        assert Span.of(frame(rows=3, step_ms=1000)) == Span(7_500, 7_500, 9_500, series=True, own_s=93)
        assert Span.of(frame(rows=1)) == Span(7_500, 7_500, 7_500, series=True, own_s=93)
        thinned = Span.of(frame(rows=2, step_ms=60_000, each=6))
        assert (thinned.first_ms, thinned.last_ms) == (7_500, 7_500 + 110_000)  # the twelfth reading
        happened = Span.of(frame(events=(Event(1, 20, 0), Event(1, 10, 0))))
        assert happened == Span(7_500, 7_510, 7_520, series=False, own_s=93)
        assert Span.of(frame(gap=Gap(1, 2, 3), time_s=None)) == Span(7_500, None, None, series=False, own_s=None)


class TestOneBoot:
    def test_a_steady_clock_is_believed(self):
        clock = Clock()
        assert [place(clock, rows(at, NOW_S)) for at in (0, 60, 120)] == [(0, MEASURED)] * 3

    def test_without_a_clock_nobody_can_say(self):
        clock = Clock()
        assert place(clock, rows(0, None)) is None
        assert clock == Clock()

    def test_a_clock_that_is_set_late_tells_for_what_comes_after_it_too(self):
        clock = Clock()
        assert place(clock, rows(60, NOW_S)) == (0, MEASURED)
        assert place(clock, rows(120, None)) == (0, PLACED)

    def test_a_step_forward_is_followed_at_once(self):
        clock = Clock()
        place(clock, rows(0, NOW_S - 3600))
        assert place(clock, rows(60, NOW_S)) == (0, MEASURED)

    def test_a_step_back_is_followed_as_far_as_there_is_room_between_readings(self):
        clock = Clock()
        place(clock, rows(0, NOW_S + 60))
        offsets = [place(clock, rows(60 * i, NOW_S)) for i in range(1, 9)]
        # ten seconds lie between two rows, and one millisecond of them is kept
        assert (
            offsets
            == [(51, PLACED), (42, PLACED), (33, PLACED), (24, PLACED), (15, PLACED), (6, PLACED)] + [(0, MEASURED)] * 2
        )

    def test_a_step_back_is_followed_at_once_after_a_pause(self):
        clock = Clock()
        place(clock, rows(0, NOW_S + 60))
        assert place(clock, rows(600, NOW_S)) == (0, MEASURED)

    def test_an_event_never_steps_back_because_rows_from_before_it_may_come(self):
        clock = Clock()
        place(clock, rows(0, NOW_S + 60))
        assert place(clock, event(600, NOW_S)) == (60, PLACED)

    def test_rows_that_an_event_has_overtaken_go_with_it(self):
        clock = Clock()
        place(clock, rows(0, NOW_S))
        assert place(clock, event(100, NOW_S + 60), late_s=61) == (60, MEASURED)
        assert place(clock, rows(60, NOW_S)) == (60, PLACED)  # 100 lies within
        assert place(clock, rows(180, NOW_S)) == (0, MEASURED)

    def test_a_clock_that_is_years_ahead_is_not_believed(self):
        clock = Clock()
        assert place(clock, rows(0, NOW_S + YEAR_S)) is None
        assert place(clock, rows(60, NOW_S)) == (0, MEASURED)
        assert place(clock, rows(120, NOW_S + YEAR_S)) == (0, PLACED)
        assert place(clock, rows(180, NOW_S)) == (0, MEASURED)

    def test_a_clock_that_was_never_set_is_not_believed(self):
        clock = Clock()
        assert place(clock, rows(0, 946_684_800)) is None  # 2000-01-01, where an ESP32 begins
        assert place(clock, rows(60, NOW_S)) == (0, MEASURED)

    def test_a_clock_that_is_a_year_behind_is_left_as_soon_as_it_is_right(self):
        clock = Clock()
        assert place(clock, rows(0, NOW_S - YEAR_S)) == (-YEAR_S, MEASURED)
        assert place(clock, rows(60, NOW_S)) == (0, MEASURED)
        assert place(clock, rows(120, NOW_S - YEAR_S)) != (-YEAR_S, MEASURED)

    def test_honest_clocks_may_lie_a_little_apart(self):
        assert place(Clock(), rows(0, NOW_S + APART_MS // 1000), late_s=0) == (APART_MS // 1000, MEASURED)
        assert place(Clock(), rows(0, NOW_S + APART_MS // 1000 + 1), late_s=0) is None

    def test_an_uptime_beyond_all_calendars_has_no_time_and_harms_nothing(self):
        clock = Clock()
        place(clock, rows(0, NOW_S))
        before = Clock(clock.offset_s, clock.begin_ms, clock.end_ms, clock.ahead_ms)
        assert clock.place(Span(2**48, 2**48, 2**48, series=False, own_s=None), NOW_S * 1000, ALONE) is None
        assert clock.place(Span(2**46, 2**46, 2**46, series=True, own_s=NOW_S), NOW_S * 1000, ALONE) is None
        assert clock == before

    def test_a_gap_frame_tells_the_time_and_is_no_reading(self):
        clock = Clock()
        gap = Span(60_000, None, None, series=False, own_s=NOW_S)
        assert clock.place(gap, NOW_S * 1000, ALONE) == ((NOW_S + 60) * 1000, MEASURED)
        assert (clock.begin_ms, clock.end_ms) == (None, None)
        assert place(clock, rows(0, None)) == (0, PLACED)


class TestBootsBesideEachOther:
    def test_a_boot_with_an_earlier_clock_begins_where_the_one_before_ended(self):
        before = Neighbours(before_ms=(NOW_S + 100) * 1000)
        clock = Clock()
        assert place(clock, rows(5, NOW_S), before) == (100, PLACED)
        assert [place(clock, rows(5 + 60 * i, NOW_S)) for i in range(1, 3)] == [(91, PLACED), (82, PLACED)]

    def test_a_boot_whose_clock_is_far_behind_the_one_before_does_not_know_the_time(self):
        before = Neighbours(before_ms=(NOW_S + 301) * 1000)
        clock = Clock()
        assert place(clock, rows(0, NOW_S), before, late_s=3600) is None
        assert place(clock, rows(60, NOW_S + 400), before, late_s=3600) == (400, MEASURED)

    def test_an_end_in_the_future_is_that_of_a_wrong_gateway_and_says_nothing(self):
        ends_ms = [None, (NOW_S - 5) * 1000, (NOW_S + YEAR_S) * 1000]
        assert Neighbours.of(ends_ms, [None, 7, 6], NOW_S * 1000) == Neighbours((NOW_S - 5) * 1000, 6)
        assert Neighbours.of(ends_ms[2:], [], NOW_S * 1000) == ALONE

    def test_an_older_boot_that_is_heard_later_ends_before_the_newer_one_began(self):
        after = Neighbours(after_ms=(NOW_S + 50) * 1000)
        clock = Clock()
        assert place(clock, rows(0, NOW_S + 20), after, late_s=999) == (0, PLACED)
        assert place(clock, rows(60, NOW_S + 20), after, late_s=999) is None  # no room is left for all of it
        assert place(clock, event(55, NOW_S + 20), after, late_s=999) is None

    def test_an_older_boot_that_ends_in_time_is_placed_by_its_own_clock(self):
        after = Neighbours(before_ms=(NOW_S - 1) * 1000, after_ms=(NOW_S + 500) * 1000)
        clock = Clock()
        assert [place(clock, rows(60 * i, NOW_S), after) for i in range(3)] == [(0, MEASURED)] * 3


@dataclass
class _Said:
    """One frame of a board: when it began after the one before ended, what it is, and its clock's error."""

    pause_s: int
    rows: int
    error_s: int | None
    late_s: int


errors = st.one_of(
    st.none(), st.just(0), st.integers(-400, 400), st.sampled_from([-YEAR_S, YEAR_S, -3600, 3600, 86_400, -NOW_S])
)
frames = st.builds(_Said, st.integers(0, 300), st.integers(0, 12), errors, st.integers(0, 100_000))
boots = st.lists(st.lists(frames, min_size=1, max_size=12), min_size=1, max_size=4)


@given(boots, st.randoms(use_true_random=False))
@example([[_Said(0, 6, 60, 0), _Said(0, 6, 0, 0)], [_Said(0, 6, -30, 0)]], None)
def test_whatever_clocks_do_readings_are_placed_in_the_order_in_which_they_were_measured(said, rng):
    """Frames of a boot come in the order of their numbers; which boot is heard when is chance."""
    clocks = [Clock() for _ in said]
    placed: list[list[tuple[int, int]]] = [[] for _ in said]
    born_s, spans = NOW_S, []
    for boot in said:
        up_s, of_boot = 0, []
        for f in boot:
            up_s += f.pause_s
            span = event(up_s, 0) if f.rows == 0 else rows(up_s, 0, f.rows)
            own_s = None if f.error_s is None else born_s + f.error_s
            of_boot.append((Span(span.starts_ms, span.first_ms, span.last_ms, span.series, own_s), born_s, f.late_s))
            up_s = (span.last_ms or 0) // 1000 + 10
        spans.append(of_boot)
        born_s += up_s
    turns = [n for n, boot in enumerate(said) for _ in boot]
    if rng is not None:
        rng.shuffle(turns)
    for n in turns:
        span, born, late_s = spans[n].pop(0)
        received_ms = (born + late_s) * 1000 + span.last_ms
        beside = Neighbours.of((c.end_ms for c in clocks[:n]), (c.begin_ms for c in clocks[n + 1 :]), received_ms)
        time = clocks[n].place(span, received_ms, beside)
        if time is not None:
            moved = time[0] - span.starts_ms
            placed[n] += [(span.first_ms, span.first_ms + moved), (span.last_ms, span.last_ms + moved)]
            assert time[1] == PLACED or moved == (span.own_s or 0) * 1000
    for of_boot in placed:
        times = [at for _, at in sorted(of_boot)]
        assert times == sorted(times)
    for one, other in ((a, b) for i, a in enumerate(placed) for b in placed[i + 1 :]):
        if one and other:
            back_ms = max(at for _, at in one) - min(at for _, at in other)
            # Clocks that disagree by more than honest ones do cannot be told apart: no order is promised then.
            assert back_ms <= 0 or back_ms > APART_MS


def test_the_birth_says_nothing_about_gaps():
    assert Birth(1, "fridge", "m", "f", "n", ()).fits(Frame(1, 1, None, 0, 0, 0, [], (), gap=Gap(1, 1, 2)))
