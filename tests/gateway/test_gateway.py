"""The gateway as one thing: the ceiling of its store, what it says of a damaged file, and who looks at it."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.app import gateway as gateway_module
from gateway.app.gateway import Gateway
from gateway.app.inbox import Message
from gateway.app.settings import Broker, Settings, SinkSettings, Store
from gateway.store import frames
from gateway.store.database import StoreFull
from gateway.web.live import Live

PATIENCE_S = 20.0
FILE_SINK = SinkSettings(name="files", kind="file", recipient="researcher", path=Path("out.jsonl"))

pytestmark = pytest.mark.asyncio


def settings(household: Any, port: int, *sinks: SinkSettings, client_id: str | None = None, **store: Any) -> Settings:
    return Settings(
        store=Store.model_construct(**{**Store().model_dump(), "path": household.path, **store}),
        broker=Broker(host="127.0.0.1", port=port, client_id=client_id),
        sinks=sinks,
    )


async def until(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not reached():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


async def test_the_oldest_frames_make_room(household: Any, board: Any, free_port: int):
    household.receive(board.birth(), *[board.rows(seq, [[seq, 0, 0]] * 60) for seq in range(1, 2001)])
    gateway = Gateway(settings(household, free_port, max_mb=0.1))
    try:
        await gateway.store(gateway._make_room)
        left = await gateway.store(
            lambda: [row[0] for row in gateway.db.connection.execute("SELECT seq FROM frame ORDER BY id")]
        )
    finally:
        await gateway.close()
    assert 0 < len(left) < 2000
    assert left == list(range(2001 - len(left), 2001))


async def test_what_a_sink_has_not_had_stays_and_nothing_more_is_taken(
    household: Any, board: Any, free_port: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("gateway.app.ingest.ROOM_BYTES", 1)
    household.queue("files")
    household.receive(board.birth(), *[board.rows(seq, [[seq, 0, 0]] * 60) for seq in range(1, 2001)])
    gateway = Gateway(settings(household, free_port, FILE_SINK, max_mb=0.1))
    gateway.ingest.retry_s = 0.02
    ingest = asyncio.create_task(gateway.ingest.run())
    try:
        await gateway.ingest.deliver(Message(*board.rows(2001, [[1, 0, 0]])))
        await until(lambda: gateway.ingest.trouble is not None)
        (told,) = Live(gateway).troubles
        assert "Your appliances hold on to it" in told[0]
        assert "[store] max_mb" in told[1]
        assert await gateway.store(lambda: household.count("frame")) == 2000
        await gateway.store(lambda: gateway.db.connection.execute("UPDATE sink SET cursor = 2000"))
        await asyncio.wait_for(gateway.ingest.settle(), PATIENCE_S)
        assert gateway.ingest.trouble is None
        assert Live(gateway).troubles == []
    finally:
        ingest.cancel()
        await asyncio.gather(ingest, return_exceptions=True)
        await gateway.close()


async def test_a_sink_that_the_settings_no_longer_name_keeps_nothing(household: Any, board: Any, free_port: int):
    household.queue("gone")
    household.receive(board.birth(), *[board.rows(seq, [[seq, 0, 0]] * 60) for seq in range(1, 2001)])
    for sinks, full in (((), False), ((FILE_SINK.model_copy(update={"name": "gone"}),), True)):
        gateway = Gateway(settings(household, free_port, *sinks, max_mb=0.02))
        try:
            if full:
                with pytest.raises(StoreFull):
                    await gateway.store(gateway._make_room)
            else:
                await gateway.store(gateway._make_room)
        finally:
            await gateway.close()


async def test_a_damaged_file_is_told_in_the_log_and_on_the_console(
    household: Any, board: Any, free_port: int, caplog: pytest.LogCaptureFixture
):
    household.receive(board.birth(), *[board.rows(seq, [[seq, 0, 0]] * 60) for seq in range(1, 501)])
    household.db.close()
    with household.path.open("r+b") as file:
        file.seek(household.path.stat().st_size // 2)
        file.write(b"\xa5" * 20_000)
    gateway = Gateway(settings(household, free_port))
    try:
        ((plain, detail),) = Live(gateway).troubles
        assert "damaged" in plain
        assert ".damaged-" in detail
        assert detail in caplog.text
    finally:
        await gateway.close()


async def test_damage_that_is_found_later_is_told_too(
    household: Any, mosquitto: Callable[[], Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(gateway_module, "_CHECK_AFTER_S", 0.0)
    monkeypatch.setattr(gateway_module.Database, "check_rest", lambda self, stop: "page 7 is damaged")
    gateway = Gateway(settings(household, mosquitto().port))
    try:
        await gateway.start()
        await until(lambda: gateway.notice == "page 7 is damaged")
        assert "page 7" in caplog.text
        assert [detail for _, detail in Live(gateway).troubles] == ["page 7 is damaged"]
    finally:
        await gateway.close()


async def test_who_looks_at_the_console_sees_what_comes_soon(
    household: Any, board: Any, mosquitto: Callable[[], Any], caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.INFO, "gateway")
    gateway = Gateway(settings(household, mosquitto().port, commit_window_ms=100))
    done: list[frames.Committed] = []
    gateway.on_commit(done.append)
    try:
        await gateway.start()
        await gateway.ingest.deliver(Message(*board.birth()))
        await until(lambda: len(done) == 1)
        await gateway.ingest.deliver(Message(*board.rows(1, [[1, 0, 0]])))
        await asyncio.sleep(0.4)
        assert len(done) == 1
        await Live(gateway).home()
        await until(lambda: len(done) == 2)
        assert done[1].stored == 1
    finally:
        await gateway.close()


async def test_its_name_at_the_broker_is_its_own_or_what_the_settings_say(household: Any, free_port: int):
    names = []
    for client_id in (None, None, "upstairs"):
        gateway = Gateway(settings(household, free_port, client_id=client_id))
        names.append(gateway.source._client_id)
        await gateway.close()
    assert names[0] == names[1]
    assert names[0].startswith("hearthgate-")
    assert len(names[0]) <= 23  # what every broker must take (MQTT 3.1.1, section 3.1.3.1)
    assert names[2] == "upstairs"


async def test_what_cannot_be_closed_keeps_nothing_else_open(
    household: Any, free_port: int, monkeypatch: pytest.MonkeyPatch
):
    builtin = Settings(store=Store(path=household.path), broker=Broker(host="127.0.0.1", port=free_port, builtin=True))
    first = Gateway(builtin)

    async def stuck() -> None:
        raise TimeoutError

    monkeypatch.setattr(first._broker, "close", stuck)
    with pytest.raises(TimeoutError):
        await first.close()
    second = Gateway(builtin)  # there is no other on this database
    await second.close()


async def test_a_sink_that_cannot_be_asked_again_keeps_no_recipient_from_hearing_what_to_erase(
    household: Any, board: Any, free_port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    left = tmp_path / "out.jsonl"
    file_sink = FILE_SINK.model_copy(update={"path": left, "purposes": ("research",)})
    grant = household.grant(recipient="researcher", purpose="research", since_ms=0)
    gateway = Gateway(settings(household, free_port, file_sink), now_ms=lambda: household.now_ms)
    asked: list[bool] = []
    try:
        await gateway.start()
        await gateway.ingest.deliver(Message(*board.birth()))
        time_s = household.now_ms // 1000
        await gateway.ingest.deliver(Message(*board.rows(1, [[1, 0, 0]], time_s=time_s, uptime_ms=60_000)))
        await gateway.ingest.settle()
        await until(left.exists)

        async def fails() -> None:
            raise sqlite3.OperationalError("disk I/O error")

        monkeypatch.setattr(gateway.forwarders[0], "recheck", fails)
        monkeypatch.setattr(gateway._participation, "changed", lambda: asked.append(True))
        with pytest.raises(sqlite3.OperationalError):
            await gateway.revoke(grant.id)
        await until(lambda: len(left.read_text().splitlines()) == 2)
        assert "io.hearthgate.erasure.v1" in left.read_text().splitlines()[1]
        assert asked == [True]
    finally:
        await gateway.close()
