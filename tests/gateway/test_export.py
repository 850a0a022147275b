"""What an export holds: every reading and event that is kept, or a slice of them, whatever is missing or damaged."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.access.readings import Block, Readings, Tally
from gateway.access.slices import AccessError, Slice, moment
from gateway.store.database import Database
from gateway.store.reader import FrameReader
from tests.gateway import damaged
from tests.gateway.conftest import FRIDGE
from tests.gateway.said import gap, thinned

NOW_S = 1_780_000_000
NOW_MS = NOW_S * 1000
ROWS = [[320, 0, 1800], [321, 1, 1801], [None, 0, None]]


def taken(household: Any, **wanted: Any) -> tuple[list[tuple[Any, ...]], Tally]:
    """(device, channel, boot, seq, row, raw, time_ms) of each reading, and the tally."""
    readings = Readings(household.db, Slice(**wanted))
    rows = [item for block in readings.blocks() for item in _flat(block)]
    assert readings.tally.all == len(rows)
    return rows, readings.tally


def _flat(block: Block) -> Iterator[tuple[Any, ...]]:
    for run in block.runs:
        for row, raw in zip(run.rows, run.raw, strict=True):
            yield block.device, run.channel.name, block.boot, block.seq, row, raw, block.times_ms[row]


def channels(rows: list[tuple[Any, ...]]) -> set[str]:
    return {row[1] for row in rows}


def test_everything_is_in_it(household: Any, board: Any):
    other = household.board("ffffffffffff")
    household.receive(board.birth(), other.birth(), board.rows(1, ROWS, time_s=NOW_S, uptime_ms=250))
    household.receive(other.rows(1, ROWS, time_s=NOW_S), gap(board, 3, 1, 2, 2, time_s=NOW_S))
    household.receive(board.events(4, [(3, 500, 1), (4, 100, 7), (3, 900, 0)], time_s=NOW_S))
    rows, tally = taken(household)
    assert [row[1:] for row in rows if row[0] == board.device] == [
        ("fridge_temp", 1, 1, 0, 320, NOW_MS + 250),
        ("fridge_temp", 1, 1, 1, 321, NOW_MS + 10_250),
        ("door", 1, 1, 0, 0, NOW_MS + 250),
        ("door", 1, 1, 1, 1, NOW_MS + 10_250),
        ("door", 1, 1, 2, 0, NOW_MS + 20_250),
        ("top_shelf", 1, 1, 0, 1800, NOW_MS + 250),
        ("top_shelf", 1, 1, 1, 1801, NOW_MS + 10_250),
        ("door_event", 1, 4, 0, 1, NOW_MS + 500),
        ("fault", 1, 4, 1, 7, NOW_MS + 100),
        ("door_event", 1, 4, 2, 0, NOW_MS + 900),
    ]
    assert (tally.readings, tally.events, tally.timeless, tally.unborn, tally.damaged) == (14, 3, 0, 0, 0)
    assert tally.devices == {board.device, other.device}
    assert (tally.first_ms, tally.last_ms) == (NOW_MS, NOW_MS + 20_250)


def test_it_agrees_with_the_reader_of_the_sinks(household: Any):
    damaged.has_lived(household)
    household.db = Database(household.path)
    expected = [
        (f.device, f.birth.series[column][1].name, f.frame.boot, f.seq, row, raw, f.start()[0] + row * f.frame.step_ms)
        for f in FrameReader(household.db).all()
        for column, values in enumerate(f.frame.columns)
        for row, raw in enumerate(values)
    ]
    assert len(expected) == 602 * 6
    assert taken(household)[0] == expected


def test_a_frame_without_a_clock_is_in_it_and_has_no_time(household: Any, board: Any):
    household.receive(board.birth(), board.rows(1, ROWS[:2], uptime_ms=5_000))
    (block,) = Readings(household.db, Slice()).blocks()
    assert (block.label, block.received_ms) == ("arrival", household.now_ms)
    tally = taken(household)[1]
    assert (tally.timeless, tally.first_ms, tally.last_ms) == (6, None, None)


def test_a_frame_above_a_gap_is_told_by_its_own_clock(household: Any, board: Any):
    household.receive(board.birth(), board.rows(5, ROWS[:1], time_s=NOW_S))
    (block,) = Readings(household.db, Slice()).blocks()
    assert (block.label, list(block.times_ms)) == ("measured", [NOW_MS])


def test_a_thinned_frame_has_its_ends(household: Any, board: Any):
    cells = [[(300, 320, 330), (0, 0, 1), None], [(301, 321, 331), (0, 1, 1), (5, 6, 7)]]
    household.receive(board.birth(), thinned(board, 1, cells, 6, time_s=NOW_S))
    (block,) = Readings(household.db, Slice()).blocks()
    assert block.each == 6
    found = {run.channel.name: (run.rows, run.lows, run.raw, run.highs) for run in block.runs}
    assert found["fridge_temp"] == (range(2), [300, 301], [320, 321], [330, 331])
    assert found["top_shelf"] == ([1], [5], [6], [7])
    assert list(block.times_ms) == [NOW_MS, NOW_MS + 60_000]


def test_a_frame_whose_birth_has_not_come_is_counted(household: Any, board: Any):
    household.receive(board.rows(1, ROWS, time_s=NOW_S), gap(board, 3, 1, 2, 2))  # a gap holds no reading
    rows, tally = taken(household)
    assert (rows, tally.unborn, tally.damaged) == ([], 1, 0)
    household.receive(board.birth())
    assert len(taken(household)[0]) == 7


def test_boots_have_the_names_and_scales_of_their_own_birth(household: Any, board: Any):
    renamed = [["inner_temp", "Cel", 1, 8, 0, "temperature"], *FRIDGE[1:]]
    household.receive(board.birth(1), board.birth(2, channels=renamed))
    household.receive(board.rows(1, ROWS[:1], boot=1, time_s=NOW_S), board.rows(1, ROWS[:1], boot=2, time_s=NOW_S + 60))
    runs = [run for block in Readings(household.db, Slice()).blocks() for run in block.runs]
    assert [run.channel.scaled(run.raw[0]) for run in runs if run.channel.category == "temperature"] == [20, 40]


@pytest.mark.parametrize(
    "what", ["sealed = x'00'", "sealed = 'text'", "received_ms = 'soon'", "label = 9", "time_ms = -5", "boot = 'x'"]
)
def test_a_damaged_frame_is_counted_and_stops_nothing(household: Any, board: Any, what: str):
    household.receive(board.birth(), *[board.rows(seq, ROWS[:2], time_s=NOW_S + 20 * seq) for seq in (1, 2, 3)])
    household.db.connection.execute(f"UPDATE frame SET {what} WHERE id = 2")
    rows, tally = taken(household)
    assert {row[3] for row in rows} == {1, 3}
    assert tally.damaged + tally.unborn == 1


def test_a_damaged_birth_is_counted_with_its_frames(household: Any, board: Any):
    household.receive(board.birth(1), board.birth(2))
    household.receive(board.rows(1, ROWS[:1], boot=1, time_s=NOW_S), board.rows(1, ROWS[:1], boot=2, time_s=NOW_S + 60))
    household.db.connection.execute("UPDATE boot SET birth = x'ff' WHERE boot = 1")
    rows, tally = taken(household)
    assert ({row[2] for row in rows}, tally.damaged) == ({2}, 1)


def test_damaged_pages_take_only_what_they_hold(household: Any):
    damaged.has_lived(household)
    household.db = Database(household.path)
    whole = len(taken(household)[0])
    household.db.close()
    damaged.overwrite(household.path, 60)  # of some of its frames
    # as a gateway has it that has not met the damage yet
    with contextlib.closing(sqlite3.connect(household.path)) as sql:
        rows, tally = taken(SimpleNamespace(db=SimpleNamespace(path=household.path, connection=sql)))
    assert 0 < tally.damaged < 50
    assert len(rows) == whole - 6 * tally.damaged


class TestSlices:
    @pytest.fixture(autouse=True)
    def _two_boards(self, household: Any, board: Any):
        self.board, self.other = board, household.board("ffffffffffff")
        household.receive(board.birth(), self.other.birth())
        household.receive(board.rows(1, ROWS, time_s=NOW_S), self.other.rows(1, ROWS, time_s=NOW_S + 5))
        household.receive(board.events(2, [(3, 0, 1), (4, 500, 7), (3, 900, 0)], time_s=NOW_S + 60, uptime_ms=60_000))

    def test_of_a_device(self, household: Any):
        assert {row[0] for row in taken(household, devices=frozenset({"ffffffffffff"}))[0]} == {"ffffffffffff"}

    def test_of_a_category_events_too(self, household: Any):
        assert channels(taken(household, categories=frozenset({"door"}))[0]) == {"door", "door_event"}

    def test_of_channels(self, household: Any):
        wanted = frozenset({"door", "fault"})
        assert channels(taken(household, channels=wanted)[0]) == wanted
        rows = taken(household, channels=wanted, categories=frozenset({"door"}), devices=frozenset({"ffffffffffff"}))[0]
        assert [(row[0], row[1]) for row in rows] == [("ffffffffffff", "door")] * 3

    def test_of_a_time_row_by_row(self, household: Any):
        rows, tally = taken(household, from_ms=NOW_MS + 10_000, to_ms=NOW_MS + 60_500)
        assert {row[6] for row in rows} == {NOW_MS + at for at in (10_000, 20_000, 15_000, 25_000, 60_000)}
        assert [row[1:5] for row in rows if row[3] == 2] == [("door_event", 1, 2, 0)]
        assert (tally.first_ms, tally.last_ms) == (NOW_MS + 10_000, NOW_MS + 60_000)
        assert taken(household, from_ms=NOW_MS + 61_000)[0] == []
        assert taken(household, to_ms=NOW_MS)[0] == []

    def test_without_a_time_by_its_arrival(self, household: Any):
        third = household.board("eeeeeeeeeeee")
        household.receive(third.birth())
        household.now_ms += 86_400_000
        household.receive(third.rows(1, ROWS[:1]))
        assert len(taken(household, from_ms=household.now_ms)[0]) == 3
        assert taken(household, from_ms=household.now_ms + 1)[0] == []
        assert taken(household, devices=frozenset({"eeeeeeeeeeee"}), to_ms=household.now_ms)[0] == []

    @pytest.mark.parametrize("what", ["devices", "categories", "channels"])
    def test_a_word_that_was_never_here_is_an_error_that_names_those_that_were(self, household: Any, what: str):
        with pytest.raises(AccessError, match=r"'dor' was ever here; there: .*(door|a0b1c2d3e4f5)"):
            Readings(household.db, Slice(**{what: frozenset({"dor"})}))


def test_nothing_is_in_an_empty_store(household: Any):
    assert taken(household)[0] == []


def test_what_comes_while_it_runs_does_not_make_it_endless(household: Any, board: Any):
    household.receive(board.birth(), *[board.rows(seq, ROWS[:1], time_s=NOW_S + seq) for seq in range(1, 601)])
    shares: list[tuple[float, int]] = []
    seq = 600
    for _ in Readings(household.db, Slice()).blocks(lambda share, done: shares.append((share, done))):
        seq += 1
        household.receive(board.rows(seq, ROWS[:1], time_s=NOW_S + seq))
    assert seq == 1200
    assert shares == [(250 / 600, 750), (500 / 600, 1500), (1.0, 1800)]


def test_what_went_meanwhile_is_skipped(household: Any, board: Any):
    household.receive(board.birth(), *[board.rows(seq, ROWS[:1], time_s=NOW_S + seq) for seq in range(1, 601)])
    household.db.connection.execute("DELETE FROM frame WHERE id < 100 OR id BETWEEN 200 AND 560")
    assert len(taken(household)[0]) == 3 * 140


class TestMoments:
    @pytest.mark.parametrize(
        ("text", "unix_ms"),
        [
            ("2026-05-28T20:26:40Z", NOW_MS),
            ("2026-05-28T20:26:40.250+00:00", NOW_MS + 250),
            ("2026-05-28T22:26:40", NOW_MS),
            ("2026-05-28 22:26:40", NOW_MS),
            ("2026-05-28", NOW_MS - 22 * 3_600_000 - 26 * 60_000 - 40_000),
            ("20260528", NOW_MS - 22 * 3_600_000 - 26 * 60_000 - 40_000),
            ("1780000000", NOW_MS),
            ("1780000000.25", NOW_MS + 250),
            ("1780000000250", NOW_MS + 250),
        ],
    )
    def test_are_read_as_people_write_them(self, text: str, unix_ms: int):
        assert moment(text, "Europe/Berlin") == unix_ms

    @pytest.mark.parametrize("text", ["", "yesterday", "28.05.2026", "-1", "9" * 40, "0001-01-01", "2026-13-01"])
    def test_or_are_an_error_that_shows_how(self, text: str):
        with pytest.raises(AccessError, match="write it like 2026-05-28"):
            moment(text, "Europe/Berlin")

    def test_an_empty_span_is_an_error(self):
        with pytest.raises(AccessError, match="--from is not before --to"):
            Slice(from_ms=5, to_ms=5)
