"""The broker's certificates in time: what the gateway renews itself, and what it says, on a real Mosquitto."""

from __future__ import annotations

import asyncio
import getpass
import logging
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.app import renewal
from gateway.app.gateway import Gateway
from gateway.app.renewal import Weight
from gateway.app.settings import Broker, Settings
from gateway.broker.folder import BrokerFolder, Told
from gateway.web.live import Live
from tests.broker_house import Household

NOW = datetime.now(UTC)
PATIENCE_S = 20.0


@pytest.fixture
def house(household_broker: Callable[..., Household]) -> Household:
    return household_broker("127.0.0.1")


def settings(house: Household) -> Broker:
    path = house.folder.path
    return Broker(
        host="127.0.0.1",
        port=house.port,
        user="gateway",
        password_file=path / "gateway.password",
        ca=path / "ca.crt",
        folder=path,
    )


def age(house: Household, days_left: int) -> None:
    """Let the broker show a certificate that is good for so long."""
    house.folder.renew(NOW - timedelta(days=730 - days_left))
    house.reload()


def shown(house: Household) -> str:
    return ssl.get_server_certificate(("127.0.0.1", house.port))


def bad(broker: Broker) -> list[str]:
    """What the doctor says is wrong, and how to mend it."""
    return [f"{found.what} -> {found.mend}" for found in renewal.ailments(broker) if found.weight is Weight.BAD]


def test_a_certificate_that_ends_soon_is_renewed_and_mosquitto_shows_the_new_one(
    house: Household, caplog: pytest.LogCaptureFixture
) -> None:
    age(house, 59)
    before = shown(house)
    with caplog.at_level(logging.INFO):
        assert renewal.look_after(settings(house)) is None
    assert "the broker's certificate was renewed" in caplog.text
    assert shown(house) != before
    assert (house.folder.expiries().server - NOW).days >= 729
    assert bad(settings(house)) == []


def test_one_that_is_good_for_longer_stays(house: Household) -> None:
    age(house, 61)
    before = shown(house)
    assert renewal.look_after(settings(house)) is None
    assert shown(house) == before


def test_one_that_has_ended_is_renewed_too(house: Household) -> None:
    age(house, -3)
    assert any("ended on" in one for one in bad(settings(house)))
    assert renewal.look_after(settings(house)) is None
    assert bad(settings(house)) == []


def test_without_the_authoritys_key_it_is_said_what_to_do(house: Household) -> None:
    age(house, 45)
    (house.folder.path / "ca.key").rename(house.folder.path / "elsewhere")
    trouble = renewal.look_after(settings(house))
    assert trouble is not None
    assert "no board and no gateway connects" in trouble
    assert "ca.key" in trouble
    assert bad(settings(house))


def test_a_gateway_that_does_not_run_is_a_hint_first_and_then_a_fault(house: Household) -> None:
    age(house, 45)
    assert bad(settings(house)) == []
    assert Weight.HINT in [found.weight for found in renewal.ailments(settings(house))]
    age(house, 20)
    (said,) = bad(settings(house))
    assert "hearthgate broker renew" in said


def test_a_mosquitto_that_was_not_told_is_told_and_one_that_cannot_be_is_said(
    house: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.folder.renew(NOW)
    monkeypatch.setattr(renewal, "_ANSWER_S", 1.0)
    with monkeypatch.context() as other:
        other.setattr(BrokerFolder, "reload", lambda _: Told.NOT_ALLOWED)
        assert "systemctl reload hearthgate-broker" in str(renewal.look_after(settings(house)))
    assert renewal.look_after(settings(house)) is None
    assert house.folder.shows(shown(house))


def test_an_authority_that_ends_within_a_year_is_said_and_how_to_change_it(tmp_path: Path) -> None:
    folder = BrokerFolder(tmp_path / "broker")
    past = NOW - timedelta(days=19.5 * 365)
    folder.set_up(
        hosts=["localhost"], port=1, gateways=[], devices={}, now=past, user=getpass.getuser(), executable="mosquitto"
    )
    broker = Broker(host="127.0.0.1", port=1, folder=folder.path)
    trouble = str(renewal.look_after(broker))
    assert "hearthgate broker rotate-ca" in trouble
    assert (folder.expiries().server - NOW).days > 100, "what can be renewed is"
    folder.rotate_ca(NOW)
    assert renewal.look_after(broker) is None, "it is being done"
    folder.finish_ca(NOW)
    assert bad(broker) == []


def test_the_gateway_does_it_by_itself_and_the_console_shows_what_it_cannot(
    house: Household, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(renewal, "_FIRST_S", 0.0)
    monkeypatch.setattr(renewal, "_AGAIN_S", 0.2)
    age(house, 10)
    made = Settings.model_validate({"store": {"path": tmp_path / "h.sqlite"}, "broker": settings(house).model_dump()})

    async def until(reached: Callable[[], object]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not reached():  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.05)

    async def scene() -> None:
        gateway = Gateway(made)
        await gateway.start()
        try:
            await until(lambda: (house.folder.expiries().server - NOW).days > 700)
            assert Live(gateway).troubles == []
            (house.folder.path / "ca.key").rename(tmp_path / "elsewhere")
            (house.folder.path / "ca.crt").write_bytes(b"")
            await until(lambda: gateway.renewal.trouble)
            assert any("certificate" in plain for plain, _ in Live(gateway).troubles)
        finally:
            await gateway.close()

    asyncio.run(scene())
