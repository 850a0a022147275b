"""Names that leave the house: the same for ever to one recipient, and unlike to any two."""

from __future__ import annotations

import re
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from gateway.consent.pseudonym import Pseudonyms
from gateway.store.database import Database

SECRET = bytes(range(32))
DEVICE = "a0b1c2d3e4f5"
devices = st.from_regex(r"[0-9a-f]{12}", fullmatch=True)
words = st.from_regex(r"[a-z][a-z0-9-]{0,31}", fullmatch=True)


@given(words, devices)
def test_a_pseudonym_has_its_form_and_tells_nothing_of_the_device(recipient: str, device: str):
    name = Pseudonyms(SECRET, recipient).device(device)
    assert re.fullmatch(r"[0-9a-f]{24}", name)
    assert device not in name
    assert name == Pseudonyms(SECRET, recipient).device(device)


@given(st.lists(words, min_size=2, max_size=5, unique=True), devices)
def test_two_recipients_get_unlike_names_for_the_same_device_and_event(recipients: list[str], device: str):
    names = [Pseudonyms(SECRET, recipient) for recipient in recipients]
    assert len({name.device(device) for name in names}) == len(recipients)
    assert len({name.event("service", device, 1, 2, 0, 0) for name in names}) == len(recipients)


@given(st.lists(devices, min_size=2, max_size=10, unique=True))
def test_two_devices_have_unlike_names(many: list[str]):
    names = Pseudonyms(SECRET, "shop")
    assert len({names.device(device) for device in many}) == len(many)


parts = st.lists(words | st.integers(-(2**40), 2**40), min_size=1, max_size=6)


@given(parts, parts)
def test_an_event_has_one_id_and_another_event_another(one: list[str | int], other: list[str | int]):
    names = Pseudonyms(SECRET, "shop")
    assert re.fullmatch(r"[0-9a-f]{32}", names.event(*one))
    assert (names.event(*one) == names.event(*other)) == (list(map(str, one)) == list(map(str, other)))


def test_two_households_have_nothing_in_common(tmp_path: Path):
    one, other = Database(tmp_path / "one.sqlite"), Database(tmp_path / "other.sqlite")
    assert Pseudonyms(one.secret, "shop").device(DEVICE) != Pseudonyms(other.secret, "shop").device(DEVICE)
    one.close()
    other.close()


def test_names_do_not_change_from_version_to_version():
    """A recipient that knew a device by its pseudonym must know it after an update. HMAC-SHA-256, written down once."""
    names = Pseudonyms(SECRET, "manufacturer")
    assert names.device(DEVICE) == "110808e58ec23b1c0cb10e8b"
    assert names.event("service", DEVICE, 7, 42, 0, 0) == "ab735469f214b3f6ec9bdcd0553cd873"


def test_a_devices_name_is_never_an_events_name():
    names = Pseudonyms(SECRET, "manufacturer")
    assert not names.event(DEVICE).startswith(names.device(DEVICE))
