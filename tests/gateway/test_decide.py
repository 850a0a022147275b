"""The one decision, by its properties: what must hold for any grants, any reading and any moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.consent.decide import GrantIndex, Reading, Reason, Share, Withhold, decide
from gateway.consent.grants import ANY_DEVICE, Grant, GrantError, Hours, describe
from gateway.consent.vocabulary import CATEGORIES, FINEST_FIRST, GRANULARITIES, PURPOSES, Granularity

DEVICES = ("a0b1c2d3e4f5", "000000000001")
RECIPIENTS = ("manufacturer", "shop")
DAY_MS = 86_400_000
T0 = 1_780_000_000_000

# Few words and a few days, so that grants and readings often meet.
moments = st.integers(T0 - 3 * DAY_MS, T0 + 3 * DAY_MS)
hours = st.none() | st.builds(
    Hours, st.integers(0, 1440), st.integers(0, 1440), st.sampled_from(["UTC", "Europe/Berlin", "Pacific/Chatham"])
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
        granularity=draw(st.sampled_from(Granularity)),
        hours=draw(hours),
        start_ms=start,
        expiry_ms=start + draw(st.integers(1, 4 * DAY_MS)),
        text="I agree.",
        language="en",
        created_ms=start,
        revoked_ms=draw(st.none() | moments),
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
    at = draw(st.integers(grant.start_ms, grant.expiry_ms - 1))
    now = draw(st.integers(grant.start_ms, grant.expiry_ms - 1))
    event = grant.granularity is Granularity.EVENT or draw(st.booleans())
    return Reading(device, grant.category, at, event), grant, now


def allows(grant: Grant, reading: Reading, recipient: str, purpose: str, now_ms: int) -> bool:
    """The rule again, in other words."""
    if reading.time_ms is None:
        return False
    if grant.hours is not None:
        local = datetime.fromtimestamp(reading.time_ms / 1000, ZoneInfo(grant.hours.timezone))
        minute = local.hour * 60 + local.minute
        start, end = grant.hours.start_min, grant.hours.end_min
        inside = start <= minute < end if start < end else not end <= minute < start
    else:
        inside = True
    return (
        inside
        and (grant.recipient, grant.purpose, grant.category) == (recipient, purpose, reading.category)
        and (ANY_DEVICE in grant.devices or reading.device in grant.devices)
        and grant.revoked_ms is None
        and grant.start_ms <= now_ms < grant.expiry_ms
        and grant.start_ms <= reading.time_ms < grant.expiry_ms
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
        assert FINEST_FIRST.index(answer.granularity) == min(FINEST_FIRST.index(g.granularity) for g in allowing)
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
            ["device", "category", "recipient", "purpose", "revoked", "early", "late", "old", "new", "timeless"]
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
        case "early":
            now_ms, expected = grant.start_ms - data.draw(st.integers(1, 2**40)), Reason.NOT_STARTED
        case "late":
            now_ms, expected = grant.expiry_ms + data.draw(st.integers(0, 2**40)), Reason.EXPIRED
        case "timeless":
            reading, expected = replace(reading, time_ms=None), Reason.NO_CLOCK
        case "old":
            before = grant.start_ms - data.draw(st.integers(1, 2**40))
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
        assert FINEST_FIRST.index(after.granularity) <= FINEST_FIRST.index(before.granularity)


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
        "shorter": [replace(grant, expiry_ms=data.draw(st.integers(grant.start_ms + 1, grant.expiry_ms)))],
        "later": [replace(grant, start_ms=data.draw(st.integers(grant.start_ms, grant.expiry_ms - 1)))],
    }[data.draw(st.sampled_from(["removed", "revoked", "shorter", "later"]))]
    after = decide(reading, recipient, purpose, [*grants[:i], *less, *grants[i + 1 :]], now_ms)
    if isinstance(before, Withhold):
        assert isinstance(after, Withhold)
    elif isinstance(after, Share):
        assert FINEST_FIRST.index(after.granularity) >= FINEST_FIRST.index(before.granularity)


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


@given(a_grant())
def test_a_grant_comes_back_from_its_record(grant: Grant):
    again = Grant.from_json(grant.to_json(), grant.revoked_ms)
    assert again == grant
    assert again.text_sha256 == grant.text_sha256
    assert grant.recipient in describe(grant)


def grant_of(**fields: object) -> Grant:
    sound = {
        "id": "g-" + "0" * 16, "subject": "Robin", "devices": ("*",), "category": "door", "recipient": "shop",
        "purpose": "service", "granularity": Granularity.RAW, "hours": None, "start_ms": T0, "expiry_ms": T0 + DAY_MS,
        "text": "I agree.", "language": "en", "created_ms": T0,
    }  # fmt: skip
    return Grant(**{**sound, **fields})  # type: ignore[arg-type]


class TestHours:
    @staticmethod
    def ask(start: str, end: str, at: str, timezone: str = "Europe/Berlin") -> bool:
        def minutes(text: str) -> int:
            hour, minute = text.split(":")
            return int(hour) * 60 + int(minute)

        local = datetime.fromisoformat(at).replace(tzinfo=ZoneInfo(timezone))
        return Hours(minutes(start), minutes(end), timezone).contain(int(local.timestamp() * 1000))

    @pytest.mark.parametrize(
        ("start", "end", "at", "inside"),
        [
            ("08:00", "20:00", "2026-05-01T08:00:00", True),
            ("08:00", "20:00", "2026-05-01T07:59:59.999", False),
            ("08:00", "20:00", "2026-05-01T19:59:59.999", True),
            ("08:00", "20:00", "2026-05-01T20:00:00", False),
            ("22:00", "06:00", "2026-05-01T23:30:00", True),
            ("22:00", "06:00", "2026-05-02T05:59:00", True),
            ("22:00", "06:00", "2026-05-02T06:00:00", False),
            ("22:00", "06:00", "2026-05-02T12:00:00", False),
            ("00:00", "24:00", "2026-05-02T23:59:59", True),
            ("00:00", "24:00", "2026-05-02T00:00:00", True),
            ("24:00", "06:00", "2026-05-02T05:00:00", True),
            ("24:00", "06:00", "2026-05-02T23:00:00", False),
        ],
    )
    def test_hours_are_local_half_open_and_may_pass_midnight(self, start: str, end: str, at: str, inside: bool):
        assert self.ask(start, end, at) == inside

    def test_summer_time_is_the_households(self):
        morning = Hours(8 * 60, 9 * 60, "Europe/Berlin")
        winter = datetime(2026, 1, 15, 7, 30, tzinfo=ZoneInfo("UTC"))
        summer = datetime(2026, 7, 15, 6, 30, tzinfo=ZoneInfo("UTC"))
        for at in (winter, summer):
            assert morning.contain(int(at.timestamp() * 1000))
            assert not morning.contain(int(at.timestamp() * 1000) - 3_600_000)


class TestGrants:
    @pytest.mark.parametrize(
        ("fields", "said"),
        [
            ({"id": "g-1"}, "id"),
            ({"subject": ""}, "subject"),
            ({"subject": "x" * 65}, "subject"),
            ({"devices": ()}, "devices"),
            ({"devices": ("kitchen",)}, "devices"),
            ({"devices": ("*", "a0b1c2d3e4f5")}, "devices"),
            ({"devices": ("*", "*")}, "devices"),
            ({"category": "everything"}, "category"),
            ({"purpose": "fun"}, "purpose"),
            ({"recipient": "The Shop"}, "recipient"),
            ({"hours": Hours(60, 60, "UTC")}, "hours"),
            ({"hours": Hours(0, 1441, "UTC")}, "hours"),
            ({"hours": Hours(-1, 60, "UTC")}, "hours"),
            ({"hours": Hours(0, 60, "Mars/Olympus")}, "timezone"),
            ({"hours": Hours(0, 60, "../../etc/passwd")}, "timezone"),
            ({"hours": Hours(0, 60, "")}, "timezone"),
            ({"expiry_ms": T0}, "expire"),
            ({"start_ms": -1}, "1970"),
            ({"expiry_ms": 10**17}, "4147"),
            ({"text": ""}, "text"),
            ({"text": "x" * 4001}, "text"),
        ],
    )
    def test_a_grant_that_cannot_be_given_says_which_field_and_what_it_takes(
        self, fields: dict[str, object], said: str
    ):
        with pytest.raises(GrantError, match=said):
            grant_of(**fields)

    @pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"hours": 3}', "not json"])
    def test_a_record_that_cannot_be_read_is_a_grant_error(self, text: str):
        with pytest.raises(GrantError, match="cannot be read"):
            Grant.from_json(text, None)

    def test_a_record_that_was_cut_is_a_grant_error(self):
        record = grant_of().to_json()
        for n in range(len(record)):
            with pytest.raises(GrantError):
                Grant.from_json(record[:n], None)

    def test_every_word_of_consent_has_a_sentence(self):
        assert set(GRANULARITIES) == set(Granularity) == set(FINEST_FIRST)
        for words in (CATEGORIES, PURPOSES, GRANULARITIES):
            assert all(len(sentence) > 10 for sentence in words.values())
        for granularity in Granularity:
            assert GRANULARITIES[granularity] in describe(grant_of(granularity=granularity))

    def test_the_digest_is_of_the_exact_text(self):
        texts: Sequence[str] = ("I agree.", "I agree. ", "Ich stimme zu.")
        assert len({grant_of(text=text).text_sha256 for text in texts}) == 3
