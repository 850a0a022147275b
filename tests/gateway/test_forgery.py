"""Forged and replayed messages of each kind are refused and counted, by gateway and board (tools/forgery.py)."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path
from typing import Any

import pytest

from gateway.store.database import Database
from gateway.wire import cose
from tools import forgery, onboard
from tools.forgery_draw import WAYS, Forger, Genuine
from tools.forgery_tally import Tally

MUTATIONS = 300
ALL = 10_000
"""Of the kinds that a house lives from, half a minute in all. `python -m tools.forgery` does so with each."""
MOST = ("frame", "birth", "command", "ack", "manifest")

KEY, OTHER = bytes(range(32)), bytes(range(1, 33))


def tally(kind: str, mutations: int = MUTATIONS) -> Tally:
    (found,) = forgery.run([kind], mutations, 5, lambda *_: None)
    return found


@pytest.mark.parametrize("kind", forgery.KINDS)
def test_all_of_a_kind_is_refused_and_counted(kind: str):
    mutations = ALL if kind in MOST else MUTATIONS
    found = tally(kind, mutations)
    assert found.accepted == 0, found.cases
    assert found.counted == found.mutations == mutations, found.cases
    assert found.replays_counted == found.replays == (0 if kind == "want" else mutations // 4), found.cases
    assert found.control, "a genuine message is refused too"
    assert set(found.ways) == set(WAYS)


def test_the_command_says_it_in_one_object(capsys: pytest.CaptureFixture[str]):
    assert forgery.main(["birth", "command", "--mutations", "40", "--seed", "3", "--json"]) == 0
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert said["holds"]
    assert {kind: figures["mutations"] for kind, figures in said["kinds"].items()} == {"birth": 40, "command": 40}
    assert [figures["counted"] for figures in said["kinds"].values()] == [50, 50]


# A proof that finds nothing might see nothing: each of these is a hole, and the run has to show it.


@pytest.mark.parametrize("kind", ["frame", "birth", "crash"])
def test_a_gateway_that_checks_no_mac_is_found(monkeypatch: pytest.MonkeyPatch, kind: str):
    monkeypatch.setattr("gateway.app.examine.open_sealed", lambda key, role, message: cose.split(message))
    found = tally(kind, 60)
    assert found.accepted > 0
    assert not found.holds


def test_a_replay_that_nobody_counts_is_found(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    count = Database.count
    monkeypatch.setattr(
        Database, "count", lambda self, name, n=1: None if name == "births_repeated" else count(self, name, n)
    )
    assert forgery.main(["birth", "--mutations", "40"]) == 1
    told = capsys.readouterr()
    assert "BROKEN" in told.out
    assert "10 of 10 replays were not counted" in told.err


@pytest.mark.parametrize(
    ("kind", "module", "check"),
    [
        ("command", "mac", "if differs:"),
        ("command", "link", "if counter <= self._counter.value:"),
        ("command", "link", "if now_s >= expiry_s:"),
        ("manifest", "manifest", "if not highest < head[2] < _MOST_NUMBER:"),
        ("manifest", "manifest", 'if head[3:5] != [b"hearthgate", model]:'),
    ],
)
def test_a_board_that_leaves_out_a_check_is_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str, module: str, check: str
):
    firmware = tmp_path / "firmware"
    shutil.copytree(onboard.FIRMWARE, firmware)
    source = firmware / f"{module}.py"
    text = source.read_text(encoding="utf-8")
    assert text.count(check) == 1
    source.write_text(text.replace(check, "if False:"), encoding="utf-8")
    monkeypatch.setattr(onboard, "FIRMWARE", firmware)
    found = tally(kind, 100)
    assert found.accepted > 0
    assert not found.holds


def forger(seed: int) -> Forger:
    own = [Genuine("a", "cmd", cose.seal(KEY, "cmd", bytes(range(n, 2 * n)))) for n in (3, 30, 120)]
    others = [Genuine("a", "ack", cose.seal(KEY, "ack", b"\x83\x01\x02\x03"))]
    strangers = [Genuine("b", "cmd", cose.seal(OTHER, "cmd", own[0].payload))]
    return Forger(random.Random(seed), own, others, strangers, [("a", "ack"), ("b", "cmd")], KEY)


def test_no_forgery_opens_and_the_same_seed_draws_the_same():
    one, two = forger(7), forger(7)
    keys = {"a": KEY, "b": OTHER}
    for _ in range(3000):
        draw = one.draw()
        assert draw == two.draw()
        with pytest.raises(ValueError):
            cose.open_sealed(keys[draw.device], draw.role, draw.message)
    assert set(one.drawn) == set(WAYS)
    assert one.drawn.total() == 3000


def test_what_turns_out_to_be_genuine_is_drawn_again_and_told(monkeypatch: pytest.MonkeyPatch):
    mine = forger(1)
    lot: Any = iter([mine.own[0].sealed, mine.own[1].sealed, b"no message"])
    monkeypatch.setitem(WAYS, "bits", lambda forger: forger.made("bits", next(lot)))
    monkeypatch.setattr(mine.dice, "choice", lambda _: "bits")
    assert mine.draw().message == b"no message"
    assert mine.again == 2
