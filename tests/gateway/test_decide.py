"""The one decision, by its properties: what must hold for any grants, any reading and any moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.consent.decide import (
    GrantIndex,
    Reading,
    Reason,
    Share,
    Withhold,
    decide,
    decide_runs,
    decide_span,
    decide_whole,
    nearest,
)
from gateway.consent.grants import ANY_DEVICE, Grant, Hours, describe
from gateway.consent.vocabulary import Granularity

DEVICES = ("a0b1c2d3e4f5", "000000000001")
RECIPIENTS = ("manufacturer", "shop")
DAY_MS = 86_400_000
T0 = 1_780_000_000_000

# Few words and a few days, so that grants and readings often meet.
moments = st.integers(T0 - 3 * DAY_MS, T0 + 3 * DAY_MS)
WEEK = (None, (0, 1, 2, 3, 4), (5, 6), (4,), (0, 2, 6))
hours = st.none() | st.builds(
    Hours,
    st.integers(0, 1440),
    st.integers(0, 1440),
    st.sampled_from(["UTC", "Europe/Berlin", "Pacific/Chatham", "America/St_Johns"]),
    st.sampled_from(WEEK),
).filter(lambda h: h.start_min != h.end_min)


@st.composite
def a_grant(draw: st.DrawFn) -> Grant:
    start = draw(moments)
    return Grant(
        id=f"g-{draw(st.integers(0, 2**64 - 1)):016x}",
        subject="Robin",
        devices=draw(st.sampled_from([(ANY_DEVICE,), DEVICES, DEVICES[:1], DEVICES[1:]])),
        category=draw(st.sampled_from(["temperature", "door"])),
        recipient=draw(st.sampled_from(RECIPIENTS)),
        purpose=draw(st.sampled_from(["service", "research"])),
        granularity=draw(st.sampled_from([*Granularity, Granularity("6h"), Granularity("10min")])),
        hours=draw(hours),
        start_ms=start,
        expiry_ms=start + draw(st.integers(1, 4 * DAY_MS)),
        text="I agree.",
        language="en",
        created_ms=start,
        revoked_ms=draw(st.none() | moments),
        since_ms=draw(st.none() | st.integers(start - 3 * DAY_MS, start)),
        paused_ms=draw(st.none() | st.none() | moments),
        resumed_ms=draw(st.none() | st.none() | moments),
    )


readings = st.builds(
    Reading,
    device=st.sampled_from(DEVICES),
    category=st.sampled_from(["temperature", "door"]),
    time_ms=moments | st.none(),
    is_event=st.booleans(),
)
some_grants = st.lists(a_grant(), max_size=6, unique_by=lambda g: g.id)
recipients = st.sampled_from(RECIPIENTS)
purposes = st.sampled_from(["service", "research"])


@st.composite
def that_meet(draw: st.DrawFn) -> tuple[Reading, Grant, int]:
    """A reading, a grant that speaks of it, and a moment: mostly a yes."""
    grant = draw(a_grant())
    device = draw(st.sampled_from(DEVICES)) if grant.devices == (ANY_DEVICE,) else draw(st.sampled_from(grant.devices))
    grant = replace(grant, paused_ms=None, resumed_ms=None)
    at = draw(st.integers(grant.agreed_from_ms, grant.expiry_ms - 1))
    now = draw(st.integers(grant.start_ms, grant.expiry_ms - 1))
    event = grant.granularity is Granularity.EVENT or draw(st.booleans())
    return Reading(device, grant.category, at, event), grant, now


def allows(grant: Grant, reading: Reading, recipient: str, purpose: str, now_ms: int) -> bool:
    """The rule again, in other words."""
    if reading.time_ms is None:
        return False
    inside = grant.hours is None
    if grant.hours is not None:
        local = datetime.fromtimestamp(reading.time_ms / 1000, ZoneInfo(grant.hours.timezone))
        # The window that began today, or the one that began yesterday, on the wall clock of the household.
        for begun in (local.date(), local.date() - timedelta(days=1)):
            midnight = datetime(begun.year, begun.month, begun.day)  # noqa: DTZ001
            start = midnight + timedelta(minutes=grant.hours.start_min)
            length = timedelta(minutes=(grant.hours.end_min - grant.hours.start_min) % 1440 or 1440)
            of_days = grant.hours.days is None or begun.weekday() in grant.hours.days
            inside |= of_days and start <= local.replace(tzinfo=None) < start + length
    return (
        inside
        and (grant.recipient, grant.purpose, grant.category) == (recipient, purpose, reading.category)
        and (ANY_DEVICE in grant.devices or reading.device in grant.devices)
        and grant.revoked_ms is None
        and grant.paused_ms is None
        and grant.start_ms <= now_ms < grant.expiry_ms
        and (grant.start_ms if grant.since_ms is None else grant.since_ms) <= reading.time_ms < grant.expiry_ms
        and (grant.resumed_ms is None or grant.resumed_ms <= reading.time_ms)
        and (reading.is_event or grant.granularity != "event")
    )


@given(readings, recipients, purposes, moments)
def test_without_a_grant_the_answer_is_no(reading: Reading, recipient: str, purpose: str, now_ms: int):
    assert decide(reading, recipient, purpose, (), now_ms) == Withhold(Reason.NO_GRANT)


@given(readings, recipients, purposes, some_grants, moments)
def test_it_shares_if_and_only_if_a_grant_allows_it_and_then_the_finest(
    reading: Reading, recipient: str, purpose: str, grants: list[Grant], now_ms: int
):
    answer = decide(reading, recipient, purpose, grants, now_ms)
    allowing = [g for g in grants if allows(g, reading, recipient, purpose, now_ms)]
    if allowing:
        assert isinstance(answer, Share)
        assert answer.grant in allowing
        assert answer.granularity.fineness == min(g.granularity.fineness for g in allowing)
    else:
        assert isinstance(answer, Withhold)


@given(that_meet())
def test_a_grant_that_speaks_of_it_is_a_yes_but_for_revocation_and_hours(meeting: tuple[Reading, Grant, int]):
    reading, grant, now_ms = meeting
    open_grant = replace(grant, revoked_ms=None, hours=None)
    assert decide(reading, grant.recipient, grant.purpose, [open_grant], now_ms) == Share(open_grant)


@given(that_meet(), st.data())
def test_one_thing_that_differs_is_a_no(meeting: tuple[Reading, Grant, int], data: st.DataObject):
    reading, grant, now_ms = meeting
    grant = replace(grant, revoked_ms=None, hours=None)
    recipient, purpose = grant.recipient, grant.purpose
    match data.draw(
        st.sampled_from(
            [
                "device",
                "category",
                "recipient",
                "purpose",
                "revoked",
                "paused",
                "in_pause",
                "early",
                "late",
                "old",
                "new",
                "timeless",
            ]
        )
    ):
        case "device":
            grant, expected = replace(grant, devices=("ffffffffffff",)), Reason.NO_GRANT
        case "category":
            reading, expected = replace(reading, category="stock"), Reason.NO_GRANT
        case "recipient":
            recipient, expected = "somebody", Reason.NO_GRANT
        case "purpose":
            purpose, expected = "marketing", Reason.NO_GRANT
        case "revoked":
            # Whenever it was revoked: even a moment that lies ahead of a clock that was set back.
            grant, expected = replace(grant, revoked_ms=data.draw(st.integers(0, 2**43))), Reason.REVOKED
        case "paused":
            grant, expected = grant.paused(data.draw(st.integers(0, 2**43))), Reason.PAUSED
        case "in_pause":
            # What was measured before the pause ended stays at home, whenever it arrives.
            ended = reading.time_ms + data.draw(st.integers(1, 2**40))
            grant, expected = grant.paused(0).resumed(ended), Reason.PAUSED
        case "early":
            now_ms, expected = grant.start_ms - data.draw(st.integers(1, 2**40)), Reason.NOT_STARTED
        case "late":
            now_ms, expected = grant.expiry_ms + data.draw(st.integers(0, 2**40)), Reason.EXPIRED
        case "timeless":
            reading, expected = replace(reading, time_ms=None), Reason.NO_CLOCK
        case "old":
            before = grant.agreed_from_ms - data.draw(st.integers(1, 2**40))
            reading, expected = replace(reading, time_ms=before), Reason.BEFORE_GRANT
        case _:
            after = grant.expiry_ms + data.draw(st.integers(0, 2**40))
            reading, expected = replace(reading, time_ms=after), Reason.EXPIRED
    assert decide(reading, recipient, purpose, [grant], now_ms) == Withhold(expected)


@given(readings, recipients, purposes, some_grants, a_grant(), moments)
def test_one_more_grant_never_turns_a_yes_into_a_no(
    reading: Reading, recipient: str, purpose: str, grants: list[Grant], more: Grant, now_ms: int
):
    before = decide(reading, recipient, purpose, grants, now_ms)
    after = decide(reading, recipient, purpose, [*grants, more], now_ms)
    if isinstance(before, Share):
        assert isinstance(after, Share)
        assert after.granularity.fineness <= before.granularity.fineness


@given(readings, recipients, purposes, some_grants.filter(bool), moments, st.data())
def test_taking_back_never_turns_a_no_into_a_yes(
    reading: Reading, recipient: str, purpose: str, grants: list[Grant], now_ms: int, data: st.DataObject
):
    before = decide(reading, recipient, purpose, grants, now_ms)
    i = data.draw(st.integers(0, len(grants) - 1))
    grant = grants[i]
    less = {
        "removed": [],
        "revoked": [grant.revoked(now_ms)],
        "paused": [grant.paused(now_ms)],
        "shorter": [replace(grant, expiry_ms=data.draw(st.integers(grant.start_ms + 1, grant.expiry_ms)))],
        "later": [replace(grant, since_ms=None, start_ms=data.draw(st.integers(grant.start_ms, grant.expiry_ms - 1)))],
    }[data.draw(st.sampled_from(["removed", "revoked", "paused", "shorter", "later"]))]
    after = decide(reading, recipient, purpose, [*grants[:i], *less, *grants[i + 1 :]], now_ms)
    if isinstance(before, Withhold):
        assert isinstance(after, Withhold)
    elif isinstance(after, Share):
        assert after.granularity.fineness >= before.granularity.fineness


@given(readings, recipients, purposes, some_grants, moments, st.randoms(use_true_random=False))
def test_the_order_of_the_grants_does_not_matter(
    reading: Reading, recipient: str, purpose: str, grants: list[Grant], now_ms: int, rng
):
    shuffled = list(grants)
    rng.shuffle(shuffled)
    assert decide(reading, recipient, purpose, grants, now_ms) == decide(reading, recipient, purpose, shuffled, now_ms)


@given(readings, recipients, purposes, some_grants, moments)
def test_the_index_gives_the_same_answer_as_all_grants(
    reading: Reading, recipient: str, purpose: str, grants: list[Grant], now_ms: int
):
    index = GrantIndex(grants)
    candidates = index.candidates(recipient, purpose, reading.category, reading.device)
    assert len(candidates) <= len(grants)
    assert decide(reading, recipient, purpose, candidates, now_ms) == decide(
        reading, recipient, purpose, grants, now_ms
    )
    assert index.by_id == {grant.id: grant for grant in grants}


@given(readings, recipients, purposes, some_grants, moments)
def test_the_reason_told_is_that_of_the_grant_that_came_nearest(
    reading: Reading, recipient: str, purpose: str, grants: list[Grant], now_ms: int
):
    answer = decide(reading, recipient, purpose, grants, now_ms)
    if isinstance(answer, Share):
        return
    alone = {decide(reading, recipient, purpose, [grant], now_ms) for grant in grants}
    assert answer in alone or (not grants and answer == Withhold(Reason.NO_GRANT))


@given(some_grants, st.none() | st.integers(-(2**62), 2**62), st.integers(-(2**62), 2**62), st.booleans())
def test_it_answers_for_any_time_at_all(grants: list[Grant], time_ms: int | None, now_ms: int, is_event: bool):
    reading = Reading(DEVICES[0], "temperature", time_ms, is_event)
    assert isinstance(decide(reading, "shop", "service", grants, now_ms), Share | Withhold)


@given(some_grants, recipients, purposes, st.data())
def test_every_candidate_counts_and_all_revoked_ones_count_as_one(
    grants: list[Grant], recipient: str, purpose: str, data: st.DataObject
):
    grants = [*grants, *(replace(g, id=f"g-ffffffff{i:08x}", revoked_ms=5) for i, g in enumerate(grants))]
    candidates = GrantIndex(grants).candidates(recipient, purpose, "door", DEVICES[0])
    speak = [
        g
        for g in grants
        if (g.recipient, g.purpose, g.category) == (recipient, purpose, "door") and g.covers(DEVICES[0])
    ]
    assert [g for g in candidates if g.revoked_ms is None] == sorted(
        (g for g in speak if g.revoked_ms is None), key=lambda g: (g.granularity.fineness, -g.expiry_ms, g.id)
    )
    # one that names the device, and one that names every device
    assert sum(g.revoked_ms is not None for g in candidates) <= 2


@given(st.lists(st.sampled_from(Reason)))
def test_the_nearest_reason_is_one_of_them(reasons: list[Reason]):
    assert nearest(reasons) in reasons or (not reasons and nearest(reasons) is Reason.NO_GRANT)


# About what the next tests ask: all grants speak of the same readings, and most are in force.
CLOCKS_FORWARD = 1_774_746_000_000  # Berlin, 2026-03-29 01:00 UTC
short_windows = st.builds(
    lambda start, length, zone, days: Hours(start, (start + length) % 1441, zone, days),
    st.integers(0, 1440),
    st.integers(1, 120) | st.integers(1, 1439),
    st.sampled_from(["Europe/Berlin", "America/St_Johns"]),
    st.sampled_from(WEEK),
).filter(lambda h: h.start_min != h.end_min)


@st.composite
def of_one_thing(draw: st.DrawFn) -> tuple[list[Grant], int]:
    """Grants of one thing, and the time about which they have their edges."""
    about = draw(st.sampled_from([T0, CLOCKS_FORWARD]))
    near = st.integers(about - DAY_MS, about + DAY_MS)
    grants = []
    for i in range(draw(st.integers(1, 4))):
        start = draw(st.just(about - 9 * DAY_MS) | near)
        grant = a_plain_grant(
            id=f"g-{i:016x}",
            granularity=draw(st.sampled_from([Granularity.RAW, Granularity.EVENT, Granularity.DAY])),
            hours=draw(st.none() | short_windows),
            start_ms=start,
            expiry_ms=max(start + 1, draw(st.just(about + 9 * DAY_MS) | near)),
        )
        state = draw(st.sampled_from(["", "", "", "", "revoked", "paused", "resumed"]))
        if state:
            grant = replace(grant, **{f"{state}_ms": draw(near)})
        grants.append(grant)
    return grants, about


@settings(max_examples=300)
@given(of_one_thing(), st.data(), st.booleans())
def test_a_frame_at_once_is_every_reading_of_it_one_by_one(
    things: tuple[list[Grant], int], data: st.DataObject, is_event: bool
):
    grants, about = things
    now_ms = about + data.draw(st.sampled_from([0, 2 * DAY_MS, -2 * DAY_MS]))
    step = data.draw(st.sampled_from([1, 1000, 60_000, 600_000, 3_600_000, DAY_MS]))
    rows = data.draw(st.integers(0, 60))
    start = about + data.draw(st.integers(-DAY_MS, DAY_MS))
    times: Sequence[int] = range(start, start + step * rows, step)
    if rows and data.draw(st.booleans()):
        # Rows that the sensor missed, and events that lie in any order.
        times = data.draw(st.lists(st.sampled_from(times), max_size=20))
    asked: Sequence[Grant] = grants
    if data.draw(st.booleans()):
        asked = GrantIndex(grants).candidates("shop", "service", "door", DEVICES[0])
    runs = list(decide_runs(DEVICES[0], "door", times, "shop", "service", asked, now_ms, is_event=is_event))
    at_once = [answer for start, stop, answer in runs for _ in range(start, stop)]
    assert at_once == [
        decide(Reading(DEVICES[0], "door", at_ms, is_event), "shop", "service", grants, now_ms) for at_ms in times
    ]
    # They follow on each other, and neighbours differ: a run is as long as it can be.
    assert [run[0] for run in runs[1:]] == [run[1] for run in runs[:-1]]
    assert all(a[2] != b[2] for a, b in pairwise(runs))


@settings(max_examples=200)
@given(of_one_thing(), st.integers(-DAY_MS, DAY_MS), st.sampled_from([0, 60_000, 900_000, DAY_MS]), st.booleans())
def test_what_cannot_be_taken_apart_leaves_if_one_grant_allows_all_of_it(
    things: tuple[list[Grant], int], start: int, length: int, is_event: bool
):
    grants, now_ms = things
    first, last = now_ms + start, now_ms + start + length
    answer = decide_whole(DEVICES[0], "door", first, last, "shop", "service", grants, now_ms, is_event=is_event)
    # Every edge lies at a full minute or is an end of a grant: none is missed by these.
    edges = {edge + by for g in grants for edge in (g.measured_from_ms, g.expiry_ms) for by in (-1, 0)}
    moments = [first, last, *range(first - first % 60_000 + 60_000, last, 60_000), *edges]
    allowing = [
        grant
        for grant in grants
        if all(
            isinstance(decide(Reading(DEVICES[0], "door", at_ms, is_event), "shop", "service", [grant], now_ms), Share)
            for at_ms in moments
            if first <= at_ms <= last
        )
    ]
    if allowing:
        assert isinstance(answer, Share)
        assert answer.grant in allowing
        assert answer.granularity.fineness == min(grant.granularity.fineness for grant in allowing)
    else:
        assert isinstance(answer, Withhold)


@given(some_grants, recipients, purposes, readings, moments)
def test_a_moment_is_the_shortest_time_of_all(
    grants: list[Grant], recipient: str, purpose: str, reading: Reading, now_ms: int
):
    expected = decide(reading, recipient, purpose, grants, now_ms)
    for at_once in (decide_span, decide_whole):
        assert expected == at_once(
            reading.device, reading.category, reading.time_ms, reading.time_ms, recipient, purpose, grants, now_ms,
            is_event=reading.is_event,
        )  # fmt: skip


def test_a_frame_without_an_edge_in_it_is_one_question():
    grant = a_plain_grant(hours=Hours(8 * 60, 20 * 60, "Europe/Berlin"), expiry_ms=T0 + 100 * DAY_MS)
    noon = int(datetime(2026, 6, 1, 12, tzinfo=ZoneInfo("Europe/Berlin")).timestamp() * 1000)

    def ask(first_ms: int, last_ms: int) -> Share | Withhold | None:
        return decide_span(DEVICES[0], "door", first_ms, last_ms, "shop", "service", [grant], noon, is_event=False)

    assert ask(noon, noon + 599_000) == Share(grant)
    evening = noon + 8 * 3_600_000
    assert ask(evening - 1, evening) is None
    assert ask(evening, evening + 1) == Withhold(Reason.OUTSIDE_HOURS)


def a_plain_grant(**fields: object) -> Grant:
    plain = {
        "id": "g-" + "0" * 16, "subject": "Robin", "devices": ("*",), "category": "door", "recipient": "shop",
        "purpose": "service", "granularity": Granularity.RAW, "hours": None, "start_ms": T0, "expiry_ms": T0 + DAY_MS,
        "text": "I agree.", "language": "en", "created_ms": T0,
    }  # fmt: skip
    return Grant(**{**plain, **fields})  # type: ignore[arg-type]


@given(a_grant())
def test_a_grant_comes_back_from_its_record(grant: Grant):
    again = Grant.from_json(grant.to_json(), grant.revoked_ms, grant.paused_ms, grant.resumed_ms)
    assert again == grant
    assert again.text_sha256 == grant.text_sha256
    assert grant.recipient in describe(grant)
