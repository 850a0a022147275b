"""The settings: what is wrong is told with file, line and what to write, and nothing wrong is let through."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gateway.app.settings import Settings, SettingsError, load
from gateway.consent.vocabulary import PURPOSES

GOOD = """\
timezone = "Europe/Berlin"

[store]
path = "data/hearthgate.sqlite"
commit_window_ms = 500

[broker]
host = "broker.local"
port = 8883
ca = "ca.pem"

[[sinks]]
name = "cloud"
kind = "https"
recipient = "manufacturer"
url = "https://cloud.example/v1/events"
purposes = ["service"]

[[sinks]]
name = "files"
kind = "file"
recipient = "researcher"
path = "out/events.jsonl"

[log]
style = "json"
"""


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    for name in ("HEARTHGATE_TIMEZONE", "HEARTHGATE_BROKER__PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def write(text: str | bytes) -> Path:
    path = Path("house.toml")
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def complaint(text: str | bytes) -> str:
    with pytest.raises(SettingsError) as why:
        load(write(text))
    return str(why.value)


def changed(line: str, instead: str) -> str:
    assert GOOD.count(line) == 1
    return GOOD.replace(line, instead)


class TestGood:
    def test_a_whole_file(self):
        settings = load(write(GOOD))
        assert settings.timezone == "Europe/Berlin"
        assert (settings.store.path, settings.store.commit_window_ms) == (Path("data/hearthgate.sqlite"), 500)
        assert (settings.broker.host, settings.broker.port, settings.broker.builtin) == ("broker.local", 8883, False)
        assert [sink.name for sink in settings.sinks] == ["cloud", "files"]
        assert settings.sinks[0].purposes == ("service",)
        assert settings.sinks[1].purposes == tuple(PURPOSES)

    def test_without_a_file_the_defaults_hold_and_nothing_leaves(self):
        settings = load()
        assert settings.sinks == ()
        store = settings.store
        assert (store.commit_window_ms, store.quiet_commit_window_s, store.max_mb) == (1000, 120, 4096)
        assert settings.broker.client_id is None
        assert settings.console.host == "127.0.0.1"
        assert settings == Settings()

    def test_the_default_file_is_found_where_the_command_runs(self):
        Path("hearthgate.toml").write_text(GOOD)
        assert load().broker.port == 8883

    def test_the_environment_wins_over_the_file(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("HEARTHGATE_BROKER__PORT", "1884")
        settings = load(write(GOOD))
        assert (settings.broker.port, settings.broker.host) == (1884, "broker.local")

    def test_own_words_come_from_a_variable_of_ours_and_of_no_other_program(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("VOCABULARY", "/usr/share/words")
        assert load().own_words == {}
        words = {"purposes": {"energy-advice": "to advise you on saving electricity"}}
        monkeypatch.setenv("HEARTHGATE_VOCABULARY", json.dumps(words))
        assert load().own_words == words

    def test_settings_do_not_change_under_way(self):
        settings = load(write(GOOD))
        with pytest.raises(ValueError, match="frozen"):
            settings.broker.port = 1


class TestBad:
    @pytest.mark.parametrize(
        ("line", "instead", "number", "said"),
        [
            ('timezone = "Europe/Berlin"', 'timezone = "Europe/Berln"', 1, "for example Europe/Berlin"),
            ('timezone = "Europe/Berlin"', "timezone = 2", 1, "timezone"),
            ("commit_window_ms = 500", "commit_window_ms = 60000", 5, "less than or equal to 30000"),
            ("commit_window_ms = 500", "commit_window = 500", 5, "no such setting; check its spelling"),
            ("commit_window_ms = 500", "quiet_commit_window_s = 601", 5, "less than or equal to 600"),
            ("commit_window_ms = 500", "quiet_commit_window_s = 0", 5, "greater than or equal to 1"),
            ("commit_window_ms = 500", "max_mb = 1", 5, "greater than or equal to 16"),
            ("port = 8883", 'client_id = ""', 9, "broker.client_id"),
            ("port = 8883", "port = 70000", 9, "65535"),
            ("port = 8883", 'port = "mqtt"', 9, "broker.port"),
            ('host = "broker.local"', "host = 3", 8, "broker.host"),
            ("[store]", "[stor]", 3, "no such setting"),
            ('kind = "https"', 'kind = "htttps"', 14, "sinks.0.kind"),
            ('recipient = "manufacturer"', 'recipient = "The Manufacturer"', 15, "lower-case word"),
            ('recipient = "researcher"\n', "", 19, "must be set"),
            ('url = "https://cloud.example/v1/events"\n', "", 12, "needs a url"),
            (
                'url = "https://cloud.example/v1/events"',
                'url = "http://cloud.example/"',
                12,
                "must begin with https://",
            ),
            ('url = "https://cloud.example/v1/events"', 'url = "http://127.0.0.1:80@cloud.example/"', 12, "https://"),
            ('url = "https://cloud.example/v1/events"', 'url = "https://"', 12, "https://"),
            ('url = "https://cloud.example/v1/events"', 'url = "file:///etc/passwd"', 12, "https://"),
            ('purposes = ["service"]', 'purposes = ["fun"]', 17, "the purposes are"),
            ('purposes = ["service"]', 'purposes = ["service", 4]', 17, "sinks.0.purposes"),
            ('path = "out/events.jsonl"\n', "", 19, "needs a path"),
            ('path = "out/events.jsonl"', 'path = "o"\nmax_mb = 0', 24, "sinks.1.max_mb"),
            ('path = "out/events.jsonl"', 'path = "o"\ncertificate = "c.pem"', 19, "certificate and key go together"),
            ('style = "json"', 'style = "xml"', 26, "log.style"),
        ],
    )
    def test_an_error_names_the_file_the_line_and_the_key(self, line: str, instead: str, number: int, said: str):
        told = complaint(changed(line, instead))
        assert told.startswith(f"house.toml, line {number}: "), told
        assert said in told

    def test_two_sinks_of_one_name(self):
        told = complaint(changed('name = "files"', 'name = "cloud"'))
        assert "two sinks are named 'cloud'" in told
        assert told.startswith("house.toml")

    def test_every_error_is_told_at_once(self):
        text = changed("port = 8883", "port = 70000").replace('style = "json"', 'style = "xml"')
        assert [line.split(":")[0] for line in complaint(text).splitlines()] == [
            "house.toml, line 9",
            "house.toml, line 26",
        ]

    def test_what_is_not_toml_is_told_with_its_line(self):
        told = complaint("[store]\npath = \n")
        assert "house.toml" in told
        assert "line 2" in told
        assert "Correct that line" in told

    def test_what_is_not_text_is_told(self):
        assert "Save it as UTF-8" in complaint(b'timezone = "\xff"')

    def test_a_file_that_is_not_there_is_told(self):
        with pytest.raises(SettingsError, match=r"nowhere\.toml: No such file"):
            load(Path("nowhere.toml"))
        with pytest.raises(SettingsError, match="directory"):
            load(Path())

    def test_a_variable_at_fault_is_named_and_not_a_line_of_the_file(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("HEARTHGATE_BROKER__PORT", "mqtt")
        told = complaint(GOOD)
        assert "HEARTHGATE_BROKER__PORT" in told
        assert "line" not in told

    @pytest.mark.parametrize("line", ["_env_file = 3", "__pydantic_self__ = 1", "_case_sensitive = true"])
    def test_what_would_be_an_argument_of_the_library_is_no_setting(self, line: str):
        told = complaint(f"{line}\n")
        assert told.startswith("house.toml, line 1: ")
        assert "no such setting" in told

    @pytest.mark.parametrize("table", ["file", "stream", "broker.https"])
    def test_what_is_no_setting_is_named_even_if_a_kind_of_sink_is_called_so(self, table: str):
        told = complaint(f"[{table}]\n")
        assert told.startswith(f"house.toml, line 1: {table}: no such setting")

    def test_a_variable_that_is_not_json_is_a_sentence_too(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("HEARTHGATE_SINKS", "cloud")
        assert "sinks" in complaint(GOOD).lower()
