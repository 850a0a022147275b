"""Fixtures of the tests of the board's MQTT client."""

from __future__ import annotations

import asyncio

import pytest

from tests.conftest import BrokerFactory
from tests.firmware.mqtt_stage import Play, Scene, Stage


@pytest.fixture(params=["mosquitto", "amqtt_broker"])
def broker(request: pytest.FixtureRequest) -> BrokerFactory:
    """The factory of each kind of broker in turn."""
    factory: BrokerFactory = request.getfixturevalue(request.param)
    return factory


@pytest.fixture
def play(micropython: str) -> Play:
    """Run a coroutine that is given a Stage; no puppet outlives it."""

    def run(scene: Scene) -> None:
        async def played() -> None:
            stage = Stage(micropython)
            try:
                await scene(stage)
            finally:
                await stage.clear()

        asyncio.run(played())

    return run
