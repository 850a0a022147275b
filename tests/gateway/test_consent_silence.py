"""No byte leaves after the revoking call has returned, measured at the sockets (tools/consent_silence.py)."""

from __future__ import annotations

import asyncio
import json

import pytest

from gateway.forward.https_sink import HttpsSink
from tools import consent_silence


def test_twenty_revocations_under_load_leave_no_byte_after(capsys: pytest.CaptureFixture[str]):
    assert consent_silence.main(["--revocations", "20", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["revocations"], said["bytes_after"]) == (20, 0)
    assert said["under_way"] > 0
    assert said["bytes"] > 0


def test_bytes_after_are_seen_where_nothing_ends_what_is_under_way(monkeypatch: pytest.MonkeyPatch):
    """The measure itself: a sink that lets its batch go on sends, and both ends see it."""

    async def not_at_all(_: HttpsSink) -> None:
        await asyncio.sleep(0)

    monkeypatch.setattr("tools.consent_silence._PATIENCE_S", 1.0)
    monkeypatch.setattr("tools.consent_silence.HttpsSink.abort", not_at_all)
    monkeypatch.setattr("gateway.forward.forwarder.Forwarder._abort", lambda self, _: self._sink.abort())
    found = asyncio.run(consent_silence.measure(6, slow=True, tls=False))
    assert found["bytes_after"] > 0
