"""The formats of an export, each read back by something that did not write it: csv, json, pyarrow, and a little
resolver of SenML."""

from __future__ import annotations

import csv
import io
import json
import math
import re
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateway.access import csv_rows, formats, parquet, senml
from gateway.access.formats import Format
from gateway.access.readings import Readings
from gateway.access.slices import AccessError, Slice
from gateway.access.spelling import Numbers, seconds, timestamps
from gateway.store import devices
from gateway.store.reader import FrameReader
from gateway.wire.birth import Channel, ValueKind
from tests.gateway.conftest import FRIDGE
from tests.gateway.said import gap, thinned

NOW_S = 1_780_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ROWS = [[320, 0, 1800], [-321, 1, 1801], [None, 0, None]]


@pytest.fixture
def lived(household: Any, board: Any) -> Any:
    """Series, events, thinned rows and a gap, with times of every label, of two devices with names that bite."""
    other = household.board("ffffffffffff")
    devices.enrol(household.db, board.device, '=1+1,"Küche"\n', household.now_ms, board.key)
    household.receive(board.birth(), other.birth())
    household.receive(
        board.rows(1, ROWS, uptime_ms=250),
        board.rows(2, ROWS, uptime_ms=60_250, time_s=NOW_S),
        board.events(3, [(3, 500, 1), (4, 100, -7), (3, 900, 0)], time_s=NOW_S + 60, uptime_ms=120_250),
        thinned(board, 4, [[(300, 320, 330), (0, 0, 1), None], [(301, 321, 331), (0, 1, 1), (5, 6, 7)]], 6,
                time_s=NOW_S + 120, uptime_ms=180_250),
        gap(board, 6, 1, 5, 5, time_s=NOW_S + 300, uptime_ms=360_250),
        board.rows(7, ROWS[:1], time_s=NOW_S + 360, uptime_ms=420_250),
        other.rows(1, ROWS),
        other.events(2, [(3, 0, 1)]),
    )  # fmt: skip
    return household


def written(household: Any, chosen: Format, **wanted: Any) -> bytes:
    readings = Readings(household.db, Slice(**wanted))
    return b"".join(formats.encode(chosen, readings.blocks(), readings.words.units))


def expected(household: Any) -> list[dict[str, Any]]:
    """Every reading, by way of what the sinks read and of exact fractions."""
    names = {d.device: d.name for d in devices.registry(household.db).values()}
    found = []
    for stored in FrameReader(household.db).all():
        frame, birth = stored.frame, stored.birth
        start_ms, label = stored.start()

        def reading(row: int, after_ms: int, channel: Any, raw: tuple[int, ...]) -> dict[str, Any]:
            scaled = [channel.scaled(value) for value in raw]
            return {
                "time": None if label == "arrival" else start_ms + after_ms,  # noqa: B023
                "placed": start_ms + after_ms,  # noqa: B023
                "time_label": label,  # noqa: B023
                "received": stored.received_ms,  # noqa: B023
                "device": stored.device,  # noqa: B023
                "name": names[stored.device],  # noqa: B023
                "kind": "fridge",
                "channel": channel.name,
                "unit": channel.unit,
                "category": channel.category,
                "value": scaled[0],
                "min": scaled[1] if len(scaled) > 1 else None,
                "max": scaled[2] if len(scaled) > 1 else None,
                "each": frame.each,  # noqa: B023
                "boot": frame.boot,  # noqa: B023
                "seq": frame.seq,  # noqa: B023
                "row": row,
            }

        for row, event in enumerate(frame.events):
            found.append(reading(row, event.offset_ms, birth.channels[event.channel], (event.value,)))
        for column, values in enumerate(frame.columns):
            for row, raw in enumerate(values):
                if raw is not None:
                    ends = (frame.lows[column][row], frame.highs[column][row]) if frame.lows else ()
                    found.append(reading(row, row * frame.step_ms, birth.series[column][1], (raw, *ends)))
    assert len(found) > 30
    assert {r["time_label"] for r in found} == {"measured", "placed", "arrival"}
    return found


def without(item: dict[str, Any], *names: str) -> dict[str, Any]:
    return {key: value for key, value in item.items() if key not in names}


def unix_ms(text: str) -> int:
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", text)
    return (datetime.fromisoformat(text) - EPOCH) // timedelta(milliseconds=1)


class TestCsv:
    def test_every_reading_comes_back(self, lived: Any):
        rows = list(csv.DictReader(io.StringIO(written(lived, Format.CSV).decode(), newline="")))
        assert tuple(rows[0]) == csv_rows.COLUMNS
        read = [
            row
            | {name: float(row[name]) if row[name] else None for name in ("value", "min", "max")}
            | {name: int(row[name]) for name in ("each", "boot", "seq", "row")}
            | {"time": unix_ms(row["time"]) if row["time"] else None, "received": unix_ms(row["received"])}
            | {"name": row["name"].removeprefix("'")}
            for row in rows
        ]
        assert read == [without(item, "placed") for item in expected(lived)]

    def test_lines_end_as_the_rfc_says(self, lived: Any):
        assert written(lived, Format.CSV, channels=frozenset({"door"})).count(b"\r\n") == 13

    @pytest.mark.parametrize(
        "name",
        ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1", "  =1", "'quoted'", '=HYPERLINK("http://a","b")'],
    )
    def test_a_name_is_never_a_formula(self, household: Any, board: Any, name: str):
        devices.enrol(household.db, board.device, name, household.now_ms, board.key)
        household.receive(board.birth(), board.rows(1, ROWS))
        rows = list(csv.DictReader(io.StringIO(written(household, Format.CSV).decode(), newline="")))
        assert {row["name"] for row in rows} == {"'" + name}

    def test_a_unit_is_never_a_formula_either(self, household: Any):
        board = household.board(channels=[["x", "=cmd|' /C calc'!A0", 1, 1, 0, "use"]])
        household.receive(board.birth(), board.rows(1, [[1]]))
        (row,) = csv.DictReader(io.StringIO(written(household, Format.CSV).decode(), newline=""))
        assert row["unit"] == "'=cmd|' /C calc'!A0"

    def test_a_harmless_name_stays_as_it_is(self):
        assert [csv_rows.cell(text) for text in ("Küche", "a=b", "x-1", "", " y")] == ["Küche", "a=b", "x-1", "", " y"]

    def test_a_number_below_zero_is_a_number(self, lived: Any):
        rows = csv.DictReader(io.StringIO(written(lived, Format.CSV).decode(), newline=""))
        assert "-20.0625" in {row["value"] for row in rows}


class TestJson:
    @pytest.mark.parametrize("chosen", [Format.JSON, Format.JSONL])
    def test_every_reading_comes_back(self, lived: Any, chosen: Format):
        text = written(lived, chosen).decode()
        items = json.loads(text) if chosen is Format.JSON else [json.loads(line) for line in text.splitlines()]
        missing = {"min": None, "max": None, "each": 1}
        read = [
            missing
            | item
            | {"time": unix_ms(item["time"]) if item["time"] else None, "received": unix_ms(item["received"])}
            for item in items
        ]
        assert read == [without(item, "placed") for item in expected(lived)]
        assert {"min" in item for item in items} == {True, False}

    def test_an_array_has_an_object_a_line(self, lived: Any):
        lines = written(lived, Format.JSON).decode().splitlines()
        assert (lines[0], lines[-1], len(lines)) == ("[", "]", len(expected(lived)) + 2)

    def test_nothing_is_an_empty_array_or_no_line(self, household: Any):
        assert (written(household, Format.JSON), written(household, Format.JSONL)) == (b"[]\n", b"")


FIELDS = {"bn": str, "bt": (int, float), "bu": str, "n": str, "u": str, "t": (int, float), "v": (int, float)}
OURS = {"time_label": str, "unit": str}


def resolved(pack: str) -> list[dict[str, Any]]:
    """RFC 8428 section 4.6, with what sections 4.2 to 4.5 ask of each record."""
    found, base = [], {"bn": "", "bt": 0, "bu": None}
    for record in json.loads(pack):
        for field, value in record.items():
            assert isinstance(value, (FIELDS | OURS)[field])
            assert not isinstance(value, bool)
        base |= {field: value for field, value in record.items() if field.startswith("b")}
        item = {
            "n": base["bn"] + record.get("n", ""),
            "t": base["bt"] + record.get("t", 0),
            "v": record["v"],
            "u": record.get("u", base["bu"]),
        } | {field: record[field] for field in OURS if field in record}
        assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9\-:./_]*", item["n"])
        assert item["t"] >= 2**28  # below, a time counts from now
        assert math.isfinite(item["v"])
        found.append(item)
    return sorted(found, key=lambda item: item["t"])


class TestSenml:
    def test_every_reading_comes_back(self, lived: Any):
        wanted = []
        for item in expected(lived):
            name = f"urn:hearthgate:device:{item['device']}/{item['channel']}"
            same = {"t": item["placed"], "u": item["unit"]}
            if item["time_label"] != "measured":
                same |= {"time_label": item["time_label"]}
            ends = {"/min": item["min"], "/max": item["max"]} if item["each"] > 1 else {}
            wanted += [{"n": name + end, "v": value} | same for end, value in ({"": item["value"]} | ends).items()]
        read = [item | {"t": round(item["t"] * 1000)} for item in resolved(written(lived, Format.SENML).decode())]

        def order(item: dict[str, Any]) -> Any:
            return item["t"], item["n"], item["v"]

        assert sorted(read, key=order) == sorted(wanted, key=order)

    def test_base_fields_carry_what_readings_share(self, household: Any, board: Any):
        household.receive(board.birth(), board.rows(1, ROWS[:2], time_s=NOW_S, uptime_ms=250))
        lines = written(household, Format.SENML, channels=frozenset({"fridge_temp"})).decode().splitlines()
        assert lines == [
            "[",
            '{"bn":"urn:hearthgate:device:a0b1c2d3e4f5/fridge_temp","bt":1780000000.25,"bu":"Cel","v":20},',
            '{"t":10,"v":-20.0625}',
            "]",
        ]

    def test_a_unit_that_is_not_registered_has_a_field_of_its_own(self, household: Any):
        board = household.board(channels=[["x", "furlong", 1, 1, 0, "use"], *FRIDGE])
        household.receive(board.birth(), board.rows(1, [[1, 320, 0, 1800]], time_s=NOW_S))
        said = {item["n"].split("/")[1]: item for item in resolved(written(household, Format.SENML).decode())}
        assert (said["x"]["u"], said["x"]["unit"]) == (None, "furlong")
        assert (said["fridge_temp"]["u"], said["top_shelf"]["u"]) == ("Cel", "kg")
        assert all(item["u"] is None or item["u"] in senml.UNITS for item in said.values())

    def test_one_that_was_not_announced_ends_it(self, household: Any):
        board = household.board(channels=[["x", "furlong", 1, 1, 0, "use"]])
        household.receive(board.birth(), board.rows(1, [[1]], time_s=NOW_S))
        with pytest.raises(AccessError, match="export again"):
            list(senml.encode(Readings(household.db, Slice()).blocks(), units=["Cel"]))

    def test_nothing_is_an_empty_array(self, household: Any):
        assert written(household, Format.SENML) == b"[]\n"


class TestParquet:
    def read(self, data: bytes) -> Any:
        import pyarrow.parquet as pq

        return pq.ParquetFile(io.BytesIO(data))

    def test_every_reading_comes_back(self, lived: Any):
        table = self.read(written(lived, Format.PARQUET)).read()
        read = [
            item
            | {name: item[name] and (item[name] - EPOCH) // timedelta(milliseconds=1) for name in ("time", "received")}
            for item in table.to_pylist()
        ]
        assert read == [without(item, "placed") for item in expected(lived)]

    def test_columns_have_types(self, lived: Any):
        schema = self.read(written(lived, Format.PARQUET)).schema_arrow
        assert tuple(schema.names) == csv_rows.COLUMNS
        kinds = {field.name: str(field.type) for field in schema}
        assert kinds["time"] == kinds["received"] == "timestamp[ms, tz=UTC]"
        assert {kinds[name] for name in ("value", "min", "max")} == {"double"}
        assert (kinds["boot"], kinds["seq"], kinds["row"], kinds["each"]) == ("uint32", "uint32", "uint16", "uint16")
        assert {field.name for field in schema if field.nullable} == {"time", "min", "max"}

    def test_row_groups_are_bounded_and_written_as_they_fill(
        self, household: Any, board: Any, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(parquet, "_GROUP_ROWS", 40)
        household.receive(board.birth(), *[board.rows(seq, ROWS[:2], time_s=NOW_S + seq) for seq in range(1, 41)])
        pieces = list(parquet.encode(Readings(household.db, Slice()).blocks()))
        assert len(pieces) == 6
        assert len(set(map(len, pieces))) > 1
        found = self.read(b"".join(pieces))
        assert [found.metadata.row_group(n).num_rows for n in range(found.num_row_groups)] == [42] * 5 + [30]

    def test_nothing_is_a_file_without_rows(self, household: Any):
        assert self.read(written(household, Format.PARQUET)).metadata.num_rows == 0

    def test_without_pyarrow_a_sentence_says_how_to_get_it(self, household: Any, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setitem(sys.modules, "pyarrow", None)
        with pytest.raises(AccessError, match=r"pip install 'hearthgate\[parquet\]'"):
            written(household, Format.PARQUET)
        assert written(household, Format.CSV)


class TestSpelling:
    def test_times_always_have_milliseconds_so_that_they_sort_as_text(self):
        said = timestamps([1_780_000_000_250, 1_780_000_000_000, 59_999, 60_000])
        assert said == [
            "2026-05-28T20:26:40.250Z", "2026-05-28T20:26:40.000Z", "1970-01-01T00:00:59.999Z",
            "1970-01-01T00:01:00.000Z",
        ]  # fmt: skip

    @pytest.mark.parametrize(("ms", "text"), [(0, "0"), (1, "0.001"), (1500, "1.5"), (-250, "-0.25"), (10_000, "10")])
    def test_seconds_are_exact(self, ms: int, text: str):
        assert seconds(ms) == text

    @pytest.mark.parametrize(("num", "den"), [(1, 1), (1, 16), (1, 1000), (3, 7), (10**9, 3), (999_999_937, 10**9)])
    def test_numbers_are_those_that_sinks_get(self, num: int, den: int):
        channel = Channel("x", "Cel", num, den, ValueKind.GAUGE, "temperature")
        numbers = Numbers(num, den)
        for raw in (0, 1, -1, 7, 16, 320, -321, 2**29 - 1, -(2**29)):
            said = json.loads(numbers[raw])
            assert (said, type(said)) == (channel.scaled(raw), type(channel.scaled(raw)))

    def test_what_is_kept_of_them_is_bounded(self):
        numbers = Numbers(1, 16)
        assert [numbers[raw] for raw in range(120_000)][-1] == str(119_999 / 16)
        assert len(numbers) < 60_000


@pytest.mark.parametrize(
    ("name", "chosen"),
    [
        ("a.csv", Format.CSV), ("a.CSV", Format.CSV), ("a.json", Format.JSON), ("a.jsonl", Format.JSONL),
        ("a.ndjson", Format.JSONL), ("a.senml.json", Format.SENML), ("a.senml", Format.SENML),
        ("a.parquet", Format.PARQUET),
    ],
)  # fmt: skip
def test_a_suffix_tells_the_format(name: str, chosen: Format):
    assert formats.by_suffix(name) is chosen


@pytest.mark.parametrize("name", ["a", "a.txt", "csv", "a.csv.gz"])
def test_another_suffix_does_not(name: str):
    with pytest.raises(AccessError, match="add --format with one of csv, json, jsonl, senml, parquet"):
        formats.by_suffix(name)
