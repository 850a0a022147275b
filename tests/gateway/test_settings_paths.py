"""gateway.app.settings_paths: a path in the settings file begins at its folder, wherever the command is typed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gateway.app import update_order
from gateway.app.settings import Settings, SettingsError, load
from gateway.app.settings_paths import beside
from tests.gateway.commands import run

ALL = """\
[store]
path = "data/house.sqlite"

[broker]
password_file = "gateway.password"
ca = "/etc/ca.crt"
folder = "broker"

[[sinks]]
name = "cloud"
kind = "https"
recipient = "manufacturer"
url = "https://cloud.example/v1/events"
token_file = "cloud.token"
ca = "cloud.crt"
certificate = "own.crt"
key = "../own.key"

[[sinks]]
name = "files"
kind = "file"
recipient = "researcher"
path = "out.jsonl"
"""


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A household's folder; commands are typed in another one."""
    (tmp_path / "house").mkdir()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    return tmp_path / "house"


def settings(house: Path, text: str) -> Settings:
    (house / "hearthgate.toml").write_text(text)
    return load(house / "hearthgate.toml")


def test_every_path_of_the_file_begins_at_its_folder(house: Path) -> None:
    found = settings(house, ALL)
    assert found.store.path == house / "data" / "house.sqlite"
    broker, (cloud, files) = found.broker, found.sinks
    assert (broker.password_file, broker.folder) == (house / "gateway.password", house / "broker")
    assert broker.ca == Path("/etc/ca.crt")
    assert (cloud.token_file, cloud.ca) == (house / "cloud.token", house / "cloud.crt")
    assert (cloud.certificate, cloud.key, cloud.path) == (house / "own.crt", house / "../own.key", None)
    assert files.path == house / "out.jsonl"
    assert found.folder == house


def test_the_database_that_the_file_does_not_name_is_beside_it_too(house: Path) -> None:
    for text in ("", "[store]\nmax_mb = 64\n", '[broker]\nhost = "pi"\n'):
        assert settings(house, text).store.path == house / "hearthgate.sqlite"


def test_a_variable_begins_where_the_command_is_typed(house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEARTHGATE_STORE__PATH", "other.sqlite")
    monkeypatch.setenv("HEARTHGATE_BROKER", '{"ca": "other.crt"}')
    found = settings(house, ALL)
    assert (found.store.path, found.broker.ca) == (Path("other.sqlite"), Path("other.crt"))
    assert found.broker.folder == house / "broker"


def test_the_file_of_the_working_folder_says_what_it_always_said(house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings(house, ALL)
    monkeypatch.chdir(house)
    assert load().store.path == Path("data/house.sqlite")
    assert load().folder == Path()


@pytest.mark.parametrize(
    "text", ["store = 1", "sinks = 1", "sinks = [1]", "broker = []", "broker.ca = 1", "store.a = 1"]
)
def test_what_has_another_form_is_told_as_ever(house: Path, text: str) -> None:
    with pytest.raises(SettingsError, match=r"hearthgate\.toml, line 1: "):
        settings(house, text)


def test_what_was_said_stays_as_it_was(house: Path) -> None:
    said: dict[str, Any] = {"store": {"path": "a"}, "sinks": [{"path": "b"}]}
    placed = beside(house, Settings, said)
    assert (placed["store"]["path"], placed["sinks"][0]["path"]) == (house / "a", house / "b")
    assert said == {"store": {"path": "a"}, "sinks": [{"path": "b"}]}


def test_a_command_typed_elsewhere_works_on_the_same_household(house: Path) -> None:
    (house / "hearthgate.toml").write_text("")
    run(house, "devices", "add", "a0b1c2d3e4f5", "--name", "Cellar fridge", "--write-key", "k")
    elsewhere = Path.cwd()
    assert "Cellar fridge" in run(elsewhere, "-s", str(house / "hearthgate.toml"), "devices", "list").stdout
    assert not list(elsewhere.iterdir())


def test_firmware_for_the_households_own_boards_is_made_wherever_the_gateway_was_started(house: Path) -> None:
    (house / "boards" / "mine").mkdir(parents=True)
    (house / "boards" / "mine" / "board.toml").write_text('base = "kettle-esp32"\n')
    _, built = update_order._build(None, house, f"mine {6 | 3 << 8 | 10 << 10}")
    assert "kettle.mpy" in built
