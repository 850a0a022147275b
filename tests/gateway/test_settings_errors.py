"""A sentence on what is wrong with the settings: it names the line, or the variable, and what to write."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic_core import ErrorDetails

from gateway.app.settings_errors import explain, line_of, unknown

TOML = """\
timezone = "Europe/Berlin"

[broker]
host = "broker.local"
port = 8883

[[sinks]]
name = "cloud"
purposes = ["service"]

[[sinks]]
name = "files"
path = "out/events.jsonl"

[log]
style = "json"
"""


def error(*loc: str | int, kind: str = "value_error", msg: str = "Value error, too small", **ctx: Any) -> ErrorDetails:
    return ErrorDetails(type=kind, loc=loc, msg=msg, input=None, ctx=ctx)


class TestExplain:
    def test_a_line_of_the_file_is_named_where_there_is_one(self):
        assert explain(error("broker", "port"), TOML, "a.toml", ()) == "a.toml, line 5: broker.port: too small"
        assert explain(error("broker", "port"), "", "settings", ()) == "settings: broker.port: too small"
        assert explain(error(), TOML, "a.toml", ()) == "a.toml: settings: too small"

    def test_a_variable_is_named_before_the_file_whose_line_it_overrules(self):
        said = explain(error("broker", "port"), TOML, "a.toml", ["PATH", "HearthGate_Broker__Port"])
        assert said == "environment variable HEARTHGATE_BROKER__PORT: broker.port: too small"
        said = explain(error("sinks", 0, "url"), TOML, "a.toml", ["HEARTHGATE_SINKS"])
        assert said == "environment variable HEARTHGATE_SINKS: sinks.0.url: too small"

    def test_an_error_below_the_field_that_was_checked_has_the_place_of_its_own(self):
        said = explain(error("sinks", where=[1, "path"]), TOML, "a.toml", ())
        assert said == "a.toml, line 13: sinks.1.path: too small"

    @pytest.mark.parametrize("name", ["file", "https", "stream"])
    def test_a_kind_of_sink_may_be_the_name_of_something_else(self, name: str):
        said = explain(unknown(name), f"[{name}]\n", "a.toml", ())
        assert said.startswith(f"a.toml, line 1: {name}: no such setting")


class TestLineOf:
    @pytest.mark.parametrize(
        ("text", "where", "line"),
        [
            (TOML, ["timezone"], 1),
            (TOML, ["broker"], 3),
            (TOML, ["broker", "host"], 4),
            (TOML, ["broker", "port"], 5),
            (TOML, ["broker", "user"], 3),
            (TOML, ["sinks", 0, "name"], 8),
            (TOML, ["sinks", 1, "name"], 12),
            (TOML, ["sinks", 0], 7),
            (TOML, ["sinks", 1], 11),
            (TOML, ["sinks", 1, "url"], 11),
            (TOML, ["sinks", 0, "purposes", 0], 9),
            (TOML, ["log", "style"], 16),
            (TOML, ["nothing"], None),
            (TOML, [], None),
            ("", ["store"], None),
            ('store.path = "x"', ["store", "path"], 1),
            ('# store\nstore = { path = "x" }', ["store", "path"], 2),
            ('sinks = [{ name = "x" }, { name = "y" }]', ["sinks", 1, "name"], 1),
            ("[ store ]\n  path=1", ["store", "path"], 2),
            ("[store] # where\npath = 1 # here", ["store", "path"], 2),
        ],
    )
    def test_it_names_the_line_or_the_nearest_that_holds_it(self, text: str, where: list[str | int], line: int | None):
        assert line_of(text, where) == line
