"""The demo's audit: the household's ledger verifies, and no longer does once a byte of the database is changed."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from tools.demo_household import DATABASE, say

__all__ = ["audit", "change_a_byte"]

ROOT = Path(__file__).resolve().parents[1]
PATIENCE_S = 60.0
_COUNT = re.compile(rb'"(events|version)":(\d+)')
_AROUND = 60  # bytes of an entry: the same stand nowhere else in the file


async def audit(folder: Path) -> dict[str, Any]:
    """Ask the command about the database in `folder`, and about a copy of which one byte was changed. The gateway is
    no longer running."""
    database, copy = folder / DATABASE, folder / "changed.sqlite"
    before = await _verify(database)
    say(f"Audit    `hearthgate audit verify` says {'yes' if before['ok'] else 'NO'}: {before['rows']} rows")
    for fault in before["faults"]:
        say(f"         {fault}")
    n, old, new = await asyncio.to_thread(change_a_byte, database, copy)
    after = await _verify(copy)
    say(f"         one byte of a copy is changed: row {n} says {new} instead of {old}")
    fault = (before["faults"] or after["faults"] or [None])[0]
    say(f"         `hearthgate audit verify` says {'YES' if after['ok'] else 'no: ' + str(fault)}")
    return {"audit_before": before["ok"], "audit_after_edit": after["ok"], "fault": fault}


def change_a_byte(database: Path, copy: Path) -> tuple[int, str, str]:
    """Copy a database, and make a row of the copy's ledger say another number of events, or another version: (row, what
    it said, what it says)."""
    with closing(sqlite3.connect(database)) as sql:
        sql.execute("VACUUM INTO ?", (str(copy),))  # without pages that hold older copies of the row
        rows = sql.execute("SELECT n, entry FROM ledger ORDER BY kind <> 'sending', n").fetchall()
    content = bytearray(copy.read_bytes())
    for n, entry in rows:
        for match in _COUNT.finditer(entry):
            at = match.start(2)
            start = max(0, at - _AROUND)
            around = entry[start : at + 1]
            if content.count(around) != 1:
                continue
            name, old = match[1].decode(), match[2].decode()
            new = ("2" if old[0] == "1" else "1") + old[1:]
            content[content.index(around) + at - start] = ord(new[0])
            copy.write_bytes(content)
            return n, f"{name} {old}", f"{name} {new}"
    raise LookupError(f"{database}: no row of its ledger can be changed")


async def _verify(database: Path) -> dict[str, Any]:
    environment = os.environ | {"HEARTHGATE_STORE__PATH": str(database), "PYTHONPATH": str(ROOT)}
    asked = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway", "audit", "verify", "--json",
        cwd=database.parent, env=environment, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(PATIENCE_S):
        out, _ = await asked.communicate()
    if asked.returncode not in (0, 1):
        raise OSError(f"`hearthgate audit verify` ended with status {asked.returncode}")
    verdict: dict[str, Any] = json.loads(out)
    return verdict
