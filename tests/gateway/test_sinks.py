"""The sinks that the settings name: one of each kind, and what cannot be made is told at start."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gateway.app.settings import SettingsError, SinkSettings
from gateway.app.sinks import make_sink
from gateway.forward.file_sink import FileSink
from gateway.forward.https_sink import HttpsSink
from gateway.forward.sink import Sink
from gateway.forward.stream_sink import StreamSink


def sink(kind: str, **fields: Any) -> SinkSettings:
    return SinkSettings.model_validate({"name": "cloud", "kind": kind, "recipient": "shop", **fields})


def https(token: Path) -> SinkSettings:
    return sink("https", url="https://cloud.example", token_file=token)


@pytest.mark.parametrize(
    ("kind", "fields", "made"),
    [
        ("file", {"path": "x"}, FileSink),
        ("https", {"url": "https://cloud.example"}, HttpsSink),
        ("stream", {}, StreamSink),
    ],
)
def test_each_kind_has_its_own(tmp_path: Path, kind: str, fields: dict[str, Any], made: type[Sink]):
    token = tmp_path / "token"
    token.write_text("s3cret\n")
    assert type(make_sink(sink(kind, token_file=token, **fields))) is made


@pytest.mark.parametrize("content", ["", "\n", "two\nlines", "two words", "tökén"])
def test_a_token_that_cannot_stand_in_a_header_is_told(tmp_path: Path, content: str):
    token = tmp_path / "token"
    token.write_text(content, encoding="utf-8")
    with pytest.raises(SettingsError, match=r"sink cloud: .*token_file") as why:
        make_sink(https(token))
    assert content.strip() == "" or content not in str(why.value)


def test_files_that_are_not_there_are_told(tmp_path: Path):
    with pytest.raises(SettingsError, match="No such file"):
        make_sink(https(tmp_path / "none"))
