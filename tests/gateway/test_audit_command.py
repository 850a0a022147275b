"""`hearthgate audit`, run as a person runs it: yes as long as nothing was changed, and what was changed is named."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from gateway.consent import audit
from gateway.consent.evidence import signed_head
from gateway.store.database import Database
from tests.gateway import commands
from tests.gateway.commands import Done
from tools.demo_audit import change_a_byte


def run(folder: Path, *arguments: str, **variables: str) -> Done:
    return commands.run(folder, "audit", *arguments, **variables)


def edit(database: Path, statement: str) -> None:
    with closing(sqlite3.connect(database)) as sql:
        assert sql.execute(statement).rowcount > 0
        sql.commit()


@pytest.fixture
def house(tmp_path: Path, household: Any) -> Path:
    """A household whose ledger has seven rows."""
    for _ in range(3):
        household.revoke(household.grant())
    household.db.close()
    return tmp_path


def test_it_says_yes_and_after_a_byte_was_changed_no(house: Path):
    yes = run(house, "verify")
    assert (yes.returncode, "Yes: 7 rows" in yes.stdout) == (0, True)
    row, old, new = change_a_byte(house / "hearthgate.sqlite", house / "changed.sqlite")
    assert (old, new) != (new, old)
    no = run(house, "verify", HEARTHGATE_STORE__PATH="changed.sqlite")
    assert no.returncode == 1
    assert "No: 1 fault in 7 rows." in no.stdout
    assert f"row {row} (" in no.stdout
    assert "edited" in no.stdout
    assert run(house, "verify").returncode == 0


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("DELETE FROM ledger WHERE n = 4", "row 4: removed"),
        ("UPDATE ledger SET n = CASE n WHEN 3 THEN -4 WHEN 4 THEN -3 END WHERE n IN (3, 4)", "reordered"),
        ("UPDATE ledger SET kind = 'grant' WHERE n = 5", "row 5 (grant): edited"),
    ],
)
def test_every_fault_is_named(house: Path, statement: str, fault: str):
    edit(house / "hearthgate.sqlite", statement)
    if "CASE" in statement:
        edit(house / "hearthgate.sqlite", "UPDATE ledger SET n = -n WHERE n < 0")
    done = run(house, "verify", "--json")
    assert done.returncode == 1
    verdict = json.loads(done.stdout)
    assert verdict["ok"] is False
    assert fault in " ".join(verdict["faults"])


def test_an_end_that_was_cut_off_is_seen_against_what_somebody_kept(house: Path):
    assert run(house, "head", "kept.cose").returncode == 0
    held = run(house, "verify", "--anchor", "kept.cose")
    assert (held.returncode, "Held against signed head: row 7" in held.stdout) == (0, True)
    edit(house / "hearthgate.sqlite", "DELETE FROM ledger WHERE n > 5")
    assert run(house, "verify").returncode == 0
    cut = run(house, "verify", "--anchor", "kept.cose")
    assert (cut.returncode, "rows 6 to 7: truncated" in cut.stdout) == (1, True)
    other = run(house, "verify", "--anchor", "kept.cose", "--key", "00" * 32)
    assert (other.returncode, "kept.cose: it names the key" in other.stderr) == (2, True)


def test_an_export_is_verified_without_the_database(house: Path):
    done = run(house, "export", "ledger.jsonl")
    key = done.stderr.split()[-1].rstrip(".")
    assert done.returncode == 0
    assert run(house, "export", "ledger.jsonl").returncode == 2
    away = house / "away"
    away.mkdir()
    (away / "ledger.jsonl").write_bytes((house / "ledger.jsonl").read_bytes())
    yes = run(away, "verify", "--file", "ledger.jsonl", "--key", key)
    assert (yes.returncode, "Yes: 7 rows" in yes.stdout) == (0, True)
    assert "ask the household" in run(away, "verify", "--file", "ledger.jsonl").stdout
    assert "another key" in run(away, "verify", "--file", "ledger.jsonl", "--key", "00" * 32).stderr
    lines = (away / "ledger.jsonl").read_text().splitlines(keepends=True)
    for left, status, says in (
        (lines[:3] + lines[4:], 1, "row 4: removed"),
        (lines[:-2] + lines[-1:], 1, "row 7: truncated"),
        (lines[:-1], 2, "does not end with a signed head"),
        (["no\n", *lines[1:]], 2, "line 1"),
        ([], 2, "not JSON"),
    ):
        (away / "ledger.jsonl").write_text("".join(left))
        done = run(away, "verify", "--file", "ledger.jsonl", "--key", key)
        assert (done.returncode, says in done.stdout + done.stderr) == (status, True), done
    assert not (away / "hearthgate.sqlite").exists()


def test_what_is_no_ledger_is_not_said_to_verify(tmp_path: Path):
    done = run(tmp_path, "verify")
    assert (done.returncode, "no database" in done.stderr) == (2, True)
    assert not (tmp_path / "hearthgate.sqlite").exists()
    for arguments in (("--file", "nowhere.jsonl"), ("--file", ".")):
        done = run(tmp_path, "verify", *arguments)
        assert (done.returncode, "Traceback" in done.stderr) == (2, False)


def test_rows_are_shown_in_words_and_narrowed(house: Path):
    said = run(house, "show").stdout.splitlines()
    assert len(said) == 7
    assert "Robin gave g-0000000000000001: manufacturer may get temperature (raw)" in said[1]
    assert len(run(house, "show", "--limit", "2").stdout.splitlines()) == 2
    assert len(run(house, "show", "--grant", "g-0000000000000002").stdout.splitlines()) == 2
    assert len(json.loads(run(house, "show", "--recipient", "manufacturer", "--json").stdout)) == 6
    assert "nothing of this" in run(house, "show", "--recipient", "operator").stdout
    assert "nothing of this" in run(house, "show", "--since", "2099-01-01").stdout


def test_a_receipt_and_a_head_of_another_household_are_no_anchors(house: Path, tmp_path: Path):
    other = Database(tmp_path / "other.sqlite")
    (house / "other.cose").write_bytes(signed_head(other, 5))
    public = audit.signing_key(other).public
    other.close()
    done = run(house, "verify", "--anchor", "other.cose")
    assert (done.returncode, "names the key" in done.stderr) == (2, True)
    assert run(house, "verify", "--anchor", "other.cose", "--key", public.hex()).returncode == 0
