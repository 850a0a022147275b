"""Fuzz targets that are files of a household: the settings, a board's description, an exported household."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

from tools import fuzz_mutate, onboard, vectors
from tools.fuzz_target import Broken, Parse, Target, scratch

__all__ = ["TARGETS"]

_BOARDS = onboard.FIRMWARE.parent / "boards"
_BOARD = "kettle-sim"
_DEVICE = "5e0000000001"
_NOW_MS = 1_780_000_100_000

_SETTINGS = """timezone = "Europe/Berlin"

[store]
path = "hearthgate.sqlite"
commit_window_ms = 1000

[broker]
host = "localhost"
port = 1883
user = "gateway"
password_file = "mqtt.password"

[console]
enabled = true
host = "127.0.0.1"
port = 8080

[log]
style = "json"
level = "info"

[vocabulary.purposes]
betting = { sentence = "to place bets", dpv = "dpv:Marketing", adults_only = true }

[vocabulary.categories]
noise = "how loud it is"
gait = { sentence = "how you walk", special = true }

[vocabulary.granularities]
6h = "lowest, mean and highest of six hours"

[[sinks]]
name = "maker"
kind = "https"
recipient = "manufacturer"
purposes = ["product-improvement"]
url = "https://cloud.example/v1/events"
token_file = "maker.token"

[[sinks]]
name = "mine"
kind = "file"
recipient = "household"
path = "readings.jsonl"
max_mb = 64
keep = 10
"""


def _settings_errors() -> tuple[type[Exception], ...]:
    from gateway.app.settings import SettingsError

    return (SettingsError,)


@contextmanager
def _settings() -> Iterator[Parse]:
    from gateway.app.settings import SettingsError, load

    # What the environment sets would win over the input.
    plain = {name: value for name, value in os.environ.items() if not name.upper().startswith("HEARTHGATE_")}
    with mock.patch.dict(os.environ, plain, clear=True), scratch() as folder:
        path = folder / "hearthgate.toml"

        def parse(data: bytes) -> None:
            path.write_bytes(data)
            try:
                settings = load(path)
            except SettingsError as why:
                if str(path) not in str(why):
                    raise Broken(f"the error does not name the file: {why}") from why
                raise
            names = [sink.name for sink in settings.sinks]
            if len(set(names)) < len(names):
                raise Broken("two sinks have one name")

        yield parse


def _settings_seeds() -> Iterator[bytes]:
    yield _SETTINGS.encode()
    tables = _SETTINGS.split("\n\n")
    yield from (table.encode() for table in tables)
    yield b'sinks = [{name = "a", kind = "file", recipient = "b", path = "c"}]\nstore.path = "d"\n'
    yield b""


def _board_errors() -> tuple[type[Exception], ...]:
    from gateway.flash.boardfile import BoardFileError

    return (BoardFileError,)


@contextmanager
def _board() -> Iterator[Parse]:
    from gateway.flash import boardfile

    config = onboard.load("config")
    with scratch() as folder:
        shutil.copytree(_BOARDS, folder / "boards")
        path = folder / "boards" / _BOARD / "board.toml"

        def parse(data: bytes) -> None:
            path.write_bytes(data)
            board = boardfile.load(path)
            table = boardfile.to_board_json(
                board, device=_DEVICE, key_hex="00" * 32, name=None, mqtt={"host": "localhost"}, wifi=None,
                sim=None,
            )  # fmt: skip
            try:
                config.check(table)
            except config.ConfigError as why:
                raise Broken(f"the board refuses what was made for it: {why}") from why

        yield parse


def _board_seeds() -> Iterator[bytes]:
    whole = (_BOARDS / _BOARD / "board.toml").read_bytes()
    yield whole
    lines = [line for line in whole.splitlines(keepends=True) if line.strip() and not line.startswith(b"#")]
    yield b"".join(lines)
    # With one channel of each kind it is half as long, and mutations meet every key more often.
    head, *channels = b"".join(lines).split(b"[[channels]]")
    tail = b"[sim]" + channels[-1].partition(b"[sim]")[2] if b"[sim]" in channels[-1] else b""
    yield b"[[channels]]".join([head, channels[0], channels[-1].partition(b"[sim]")[0]]) + tail


@contextmanager
def _household() -> Iterator[Parse]:
    from gateway.app.household import export, take_in
    from gateway.store.database import Database

    with scratch() as folder:
        db = Database(folder / "hearthgate.sqlite")
        secret = db.secret

        def parse(data: bytes) -> None:
            # As the command does, which has read the file as UTF-8.
            text = data.decode("utf-8", "replace")
            try:
                take_in(db, text, _NOW_MS)
                take_in(db, export(db), _NOW_MS)
            finally:
                with db.transaction() as sql:
                    sql.execute("DELETE FROM consent_grant")
                    sql.execute("DELETE FROM device")
                    sql.execute("UPDATE meta SET value = ? WHERE name = 'household_secret'", (secret,))

        yield parse
        db.close()


def _household_errors() -> tuple[type[Exception], ...]:
    from gateway.errors import HearthgateError

    return (HearthgateError,)


def _household_seeds() -> Iterator[bytes]:
    from gateway.app.household import export
    from gateway.consent import register
    from gateway.consent.grants import Grant, Hours
    from gateway.consent.vocabulary import Granularity
    from gateway.store import devices
    from gateway.store.database import Database

    with scratch() as folder, contextlib.closing(Database(folder / "hearthgate.sqlite")) as db:
        with db.transaction() as sql:
            sql.execute("UPDATE meta SET value = ? WHERE name = 'household_secret'", (bytes(32),))
        yield export(db).encode()
        devices.enrol(db, _DEVICE, "Kettle", 0, vectors.KEY)
        yield export(db).encode()
        grant = Grant(
            id="g-0123456789abcdef", subject="Anna", devices=(_DEVICE,), category="temperature",
            recipient="manufacturer", purpose="product-improvement", granularity=Granularity("15min"),
            hours=Hours(420, 1320, "Europe/Berlin"), start_ms=_NOW_MS, expiry_ms=_NOW_MS + 86_400_000,
            text="I agree.", language="en", created_ms=_NOW_MS,
        )  # fmt: skip
        register.give(db, grant)
        yield export(db).encode()
        register.take_back(db, grant.id, _NOW_MS)
        yield export(db).encode()


TARGETS = (
    Target(
        "settings", "hearthgate.toml", _settings, _settings_seeds, fuzz_mutate.text, share=100, cost_us=1700,
        errors=_settings_errors, text=True, max_bytes=4608,
    ),
    Target(
        "board", "board.toml, and the board.json that comes of it", _board, _board_seeds, fuzz_mutate.text, share=60,
        cost_us=3000, errors=_board_errors, text=True, max_bytes=4096,
    ),
    Target(
        "household", "the file of `hearthgate household import`", _household, _household_seeds, fuzz_mutate.text,
        share=100, cost_us=600, errors=_household_errors, text=True, max_bytes=4096,
    ),
)  # fmt: skip
