"""The board's TLS against certificates as `hearthgate broker` makes them, on a real Mosquitto with its own files."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.broker.access import mqtt_password
from gateway.broker.folder import BrokerFolder
from tests.broker_house import DEVICE, KEY, Household
from tests.firmware.mqtt_stage import Play, Stage

NOW = datetime.now(UTC)


@pytest.fixture
def house(household_broker: Callable[..., Household]) -> Household:
    return household_broker("hearth.home", "127.0.0.1", "::1")


def board(
    house: Household, ca: Path | None = None, name: str | None = "hearth.home", key: bytes = KEY
) -> dict[str, Any]:
    """What board.json says of the broker."""
    return {
        "client_id": DEVICE,
        "user": DEVICE,
        "password": mqtt_password(key),
        "tls": {"ca": str(ca or house.folder.path / "ca.crt"), "server_hostname": name},
    }


def refused(play: Play, house: Household, because: str, **settings: Any) -> None:
    async def scene(stage: Stage) -> None:
        puppet = await stage(house.port, **settings)
        state = await puppet.until(lambda state: state["last_error"])
        assert because in state["last_error"]
        assert state["connects"] == 0

    play(scene)


def accepted(play: Play, house: Household, **settings: Any) -> None:
    async def scene(stage: Stage) -> None:
        puppet = await stage(house.port, subscribe=[f"hg/1/{DEVICE}/cmd"], **settings)
        await puppet.event("connect")

    play(scene)


@pytest.mark.parametrize("name", ["hearth.home", "127.0.0.1", None])
def test_a_board_connects_by_each_name_and_address_of_the_certificate(play: Play, house: Household, name: str | None):
    accepted(play, house, **board(house, name=name))


def test_another_authority_is_refused(play: Play, house: Household, tmp_path: Path):
    other = BrokerFolder(tmp_path / "other")
    house.make(other, ["hearth.home"])
    refused(play, house, "not correctly signed by the trusted CA", **board(house, ca=other.path / "ca.crt"))


@pytest.mark.parametrize("name", ["hearth.example", "127.0.0.2"])
def test_another_name_is_refused(play: Play, house: Household, name: str):
    refused(play, house, "does not match with the expected CN", **board(house, name=name))


def test_an_expired_certificate_is_refused(play: Play, house: Household):
    house.folder.renew(NOW - timedelta(days=800))
    house.reload()
    refused(play, house, "validity has expired", **board(house))


def test_a_certificate_of_tomorrow_is_refused(play: Play, house: Household):
    """Of an authority of tomorrow: whatever an authority signs holds since it was made."""
    house.folder.rotate_ca(NOW + timedelta(days=3))
    house.folder.finish_ca(NOW + timedelta(days=3))
    house.reload()
    refused(play, house, "validity starts in the future", **board(house))


def test_a_certificate_that_was_renewed_holds_since_its_authority_does(play: Play, house: Household):
    house.folder.renew(NOW + timedelta(days=3))
    house.reload()
    accepted(play, house, **board(house))


def test_the_password_of_another_key_is_refused(play: Play, house: Household):
    refused(play, house, "", **board(house, key=bytes(32)))


def test_boards_of_either_authority_connect_while_it_is_changed(play: Play, house: Household, tmp_path: Path):
    old = tmp_path / "old.crt"
    shutil.copyfile(house.folder.path / "ca.crt", old)
    house.folder.rotate_ca(NOW)
    both = tmp_path / "both.crt"
    shutil.copyfile(house.folder.path / "ca.crt", both)
    assert both.read_bytes() == house.folder.ca() != old.read_bytes()
    house.folder.renew(NOW)
    house.reload()
    accepted(play, house, **board(house, ca=old))
    accepted(play, house, **board(house, ca=both))
    house.folder.finish_ca(NOW)
    house.reload()
    accepted(play, house, **board(house, ca=both))
    accepted(play, house, **board(house))
    refused(play, house, "not correctly signed by the trusted CA", **board(house, ca=old))
