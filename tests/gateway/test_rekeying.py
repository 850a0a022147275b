"""A board's key is changed without losing a frame: what opens when, and a board that lives through it at a broker."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiomqtt
import cbor2
import pytest

from gateway.app import rekeying
from gateway.app.gateway import Gateway
from gateway.app.inbox import Arrived, Message
from gateway.app.rekeying import NextKeys
from gateway.app.settings import Broker, Settings, Store
from gateway.broker.access import GATEWAY, mqtt_password
from gateway.broker.folder import BrokerFolder
from gateway.store import devices, frames
from gateway.store.database import Database, StoreError
from gateway.store.dead import DeadLetter
from gateway.store.thread import StoreThread
from gateway.wire.cose import open_sealed
from gateway.wire.errors import MacError
from gateway.wire.rekey import VERB, unwrap
from gateway.wire.state import ALL_USED, State, encode_state
from tools import household_loop

DEVICE = "a0b1c2d3e4f5"
PATIENCE_S = 30.0


def take(household: Any, keys: NextKeys, *messages: tuple[str, bytes]) -> list[str]:
    """What ingest makes of a batch: the kind of each message, or why it is refused."""
    keys.refresh(household.db)
    batch = [Arrived(Message(*message), household.now_ms) for message in messages]
    found = keys.examine_all(batch, devices.registry(household.db))
    frames.commit(household.db, found)
    keys.settle(household.db)
    return [one.reason if isinstance(one, DeadLetter) else type(one).__name__ for one in found]


def rows(board: Any, seq: int) -> tuple[str, bytes]:
    topic, payload = board.rows(seq, [[320, 0, 1500]])
    return topic, payload


@pytest.fixture
def later(household: Any, board: Any) -> Any:
    """The same board with its next key."""
    return type(board)(DEVICE, rekeying.begin(household.db, DEVICE, household.now_ms).next.key, board.channels)


def test_both_keys_open_until_the_next_is_used_and_then_only_that(household: Any, board: Any, later: Any):
    keys = NextKeys()
    assert take(household, keys, board.birth(), rows(board, 1)) == ["SealedBirth", "SealedFrame"]
    assert take(household, keys, rows(board, 2), later.birth(2), rows(board, 3), rows(later, 3)) == [
        "SealedFrame", "SealedBirth", "bad_mac", "SealedFrame",
    ]  # fmt: skip
    assert take(household, keys, rows(board, 4), rows(later, 4)) == ["bad_mac", "SealedFrame"]
    assert rekeying.pending(household.db) == {}
    assert devices.registry(household.db)[DEVICE].key == later.key
    assert household.db.counters()["keys_changed"] == 1
    assert household.db.counters()["messages_old_key"] == 3
    assert household.count("frame") == 4


def test_a_frame_that_comes_again_under_the_next_key_is_the_same_frame(household: Any, board: Any, later: Any):
    keys = NextKeys()
    take(household, keys, board.birth(), rows(board, 1), rows(later, 1))
    assert household.count("frame") == 1


def test_a_stranger_neither_ends_nor_moves_it(household: Any, board: Any, later: Any):
    stranger = type(board)(DEVICE, bytes(32), board.channels)
    keys = NextKeys()
    assert take(household, keys, stranger.birth(), (later.birth()[0], later.birth()[1][:-1] + b"x")) == ["bad_mac"] * 2
    other = later.birth()
    assert take(household, keys, (f"hg/1/{DEVICE}/up", other[1])) == ["bad_mac"]
    assert DEVICE in rekeying.pending(household.db)


def test_a_change_that_was_cut_off_before_it_was_noted_is_done_by_the_next_message(
    household: Any, board: Any, later: Any
):
    keys = NextKeys()
    keys.refresh(household.db)
    batch = [Arrived(Message(*later.birth()), household.now_ms)]
    frames.commit(household.db, keys.examine_all(batch, devices.registry(household.db)))
    assert take(household, NextKeys(), rows(later, 1)) == ["SealedFrame"]
    assert devices.registry(household.db)[DEVICE].key == later.key


def test_there_are_never_three_keys(household: Any, board: Any, later: Any):
    with pytest.raises(StoreError, match="being changed already"):
        rekeying.begin(household.db, DEVICE, household.now_ms)
    with pytest.raises(StoreError, match="no device"):
        rekeying.begin(household.db, "000000000000", household.now_ms)


def test_a_board_that_got_its_next_key_by_cable_has_only_that(household: Any, board: Any, later: Any):
    assert not rekeying.finish(household.db, DEVICE, bytes(32)), "flashed with another one"
    assert take(household, NextKeys(), rows(board, 1)) == ["SealedFrame"]
    assert rekeying.finish(household.db, DEVICE, later.key)
    assert not rekeying.finish(household.db, DEVICE, later.key)
    assert rekeying.pending(household.db) == {}
    assert take(household, NextKeys(), rows(board, 2), later.birth(2)) == ["bad_mac", "SealedBirth"]
    assert household.db.counters()["keys_changed"] == 1


def test_enrolling_anew_ends_it(household: Any, board: Any, later: Any):
    devices.enrol(household.db, DEVICE, "Kitchen", household.now_ms, bytes(32))
    assert rekeying.pending(household.db) == {}
    assert take(household, NextKeys(), later.birth()) == ["bad_mac"]
    assert rekeying.begin(household.db, DEVICE, household.now_ms).next.key != later.key


def test_revoking_ends_it(household: Any, board: Any, later: Any):
    devices.revoke(household.db, DEVICE, household.now_ms)
    assert rekeying.pending(household.db) == {}
    assert take(household, NextKeys(), later.birth()) == ["revoked_device"]


def test_it_goes_with_its_device(household: Any, board: Any, later: Any):
    household.db.connection.execute("DELETE FROM device")
    assert household.count("rekey") == 0


def test_a_full_disk_does_not_end_the_gateway(household: Any, board: Any, later: Any, monkeypatch: pytest.MonkeyPatch):
    told: list[str] = []

    async def command(device: str, verb: str, args: Any) -> bool:
        told.append(verb)
        return True

    def fails(_: Database) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    async def scene() -> None:
        store = StoreThread()
        telling = rekeying.Rekeying(household.db, store, command)
        monkeypatch.setattr(rekeying, "pending", fails)
        running = asyncio.create_task(telling.run())
        await asyncio.sleep(20)
        assert (told, running.done()) == ([], False)
        monkeypatch.undo()
        await asyncio.sleep(20)
        assert told
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        store.close()

    household.receive(board.say("state", encode_state(State(1, online=True, quiet=False, use=ALL_USED))))
    household_loop.run(scene())


class Sim:
    """What a board's firmware does with a command to change its key, at a real broker."""

    def __init__(self, make: Any, key: bytes, channels: Any, port: int, tls: Any) -> None:
        self._make, self._channels, self._port, self._tls = make, channels, port, tls
        self.keys = [key]
        self.boot = 0
        self.acked = 0
        self.refused = 0

    async def life(self, until: Callable[[], bool]) -> None:
        """From one start to the next: with its newest key; while it has an older one, under either password."""
        self.boot += 1
        board = self._make(DEVICE, self.keys[-1], self._channels)
        tries = 0
        while not until():
            password = mqtt_password(self.keys[-1 - tries % len(self.keys)])
            tries += 1
            try:
                async with aiomqtt.Client(
                    "127.0.0.1", self._port, username=DEVICE, password=password, identifier=DEVICE,
                    tls_context=self._tls, timeout=5,
                ) as client:  # fmt: skip
                    await client.subscribe([(f"hg/1/{DEVICE}/{what}", 1) for what in ("ack", "cmd")])
                    for topic, payload in (board.birth(self.boot), board.state(1, self.boot)):
                        await client.publish(topic, payload, qos=1, retain=True)
                    feed = asyncio.create_task(self._feed(client, board))
                    try:
                        if await self._listen(client, until):
                            return
                    finally:
                        feed.cancel()
                        await asyncio.gather(feed, return_exceptions=True)
            except aiomqtt.MqttError:
                self.refused += 1
                await asyncio.sleep(0.05)

    async def _feed(self, client: aiomqtt.Client, board: Any) -> None:
        seq = 0
        with contextlib.suppress(aiomqtt.MqttError):
            while True:
                seq += 1
                await client.publish(*board.rows(seq, [[320, 0, 1500]], boot=self.boot), qos=1)
                await asyncio.sleep(0.05)

    async def _listen(self, client: aiomqtt.Client, until: Callable[[], bool]) -> bool:
        """True when the key changed: the board starts again."""
        while not until():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.2):
                    async for message in client.messages:
                        role = message.topic.value.rpartition("/")[2]
                        try:
                            item = cbor2.loads(open_sealed(self.keys[-1], role, bytes(message.payload)))
                        except MacError:
                            continue
                        if role == "ack":
                            self.acked += 1
                        elif item[3] == VERB:
                            self.keys.append(unwrap(self.keys[-1], DEVICE, item[4][0]))
                            return True
        return False


@pytest.mark.parametrize("broker", ["mosquitto", "builtin"])
def test_a_board_goes_over_to_its_next_key_at_a_real_broker(
    household: Any, board: Any, request: pytest.FixtureRequest, broker: str
):
    household.db.close()
    if broker == "mosquitto":
        house = request.getfixturevalue("household_broker")("127.0.0.1")
        folder: BrokerFolder = house.folder
        folder.admit({DEVICE: mqtt_password(board.key)})
        house.reload()
        tls = house.tls()
        at = Broker(
            host="127.0.0.1", port=house.port, ca=folder.path / "ca.crt", user=GATEWAY, folder=folder.path,
            password_file=folder.path / "gateway.password",
        )  # fmt: skip
    else:
        tls, at = None, Broker(host="127.0.0.1", port=0, builtin=True)
    asyncio.run(rotation(household.path, at, board, tls))


async def rotation(path: Path, at: Broker, board: Any, tls: Any) -> None:
    gateway = Gateway(Settings(store=Store(path=path, commit_window_ms=20, quiet_commit_window_s=1), broker=at))
    began = time.monotonic()
    try:
        await gateway.start()
        await asyncio.wait_for(gateway.source.connected.wait(), PATIENCE_S)
        sim = Sim(type(board), board.key, board.channels, gateway.broker_port, tls)

        async def lives() -> None:
            while time.monotonic() < began + PATIENCE_S:
                await sim.life(lambda: False)

        living = asyncio.create_task(lives())
        try:
            await until(lambda: sim.acked > 2)
            # As a command beside the gateway does it.
            await gateway.store(rekeying.begin, gateway.db, DEVICE, gateway.now_ms())
            await gateway._changed_beside()
            await until(lambda: len(sim.keys) == 2)
            acked = sim.acked
            await until(lambda: sim.acked > acked + 2)
            known = (await gateway.store(devices.registry, gateway.db))[DEVICE]
            assert known.key == sim.keys[1] != board.key
            # The old password lets nobody in any more, and the new one does: the next connection is of that one.
            del sim.keys[0]
            await until(lambda: not living.done() and sim.acked > acked + 4)
            assert await refused(gateway.broker_port, mqtt_password(board.key), tls)
        finally:
            living.cancel()
            await asyncio.gather(living, return_exceptions=True)
        assert not await gateway.store(lost, gateway.db)
        assert "bad_mac" not in str(await gateway.store(gateway.db.counters))
    finally:
        await gateway.close()


def lost(db: Database) -> list[tuple[int, int]]:
    """Boots with a number that is missing below the newest."""
    return [
        (boot, n)
        for boot, n, last in db.connection.execute(
            "SELECT boot, count(*), max(seq) FROM frame GROUP BY boot"
        ).fetchall()
        if n != last
    ]


async def refused(port: int, password: str, tls: Any) -> bool:
    try:
        async with aiomqtt.Client(
            "127.0.0.1", port, username=DEVICE, password=password, identifier=DEVICE, tls_context=tls, timeout=5
        ):
            return False
    except aiomqtt.MqttError as why:
        return "Not authorized" in str(why) or "code:5" in str(why)


async def until(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not reached():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)
