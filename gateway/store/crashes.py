"""Crash reports of boards: the newest few of each, as they came."""

import sqlite3
from dataclasses import dataclass

from gateway.store.database import Database
from gateway.wire.crash import Crash, decode_crash

MAX_CRASHES = 20  # of a device


@dataclass(frozen=True, slots=True)
class CrashReport:
    """What came of one crash. A board tells it once, or again if it could not know that it had arrived."""

    device_id: int
    payload: bytes
    received_ms: int

    @property
    def crash(self) -> Crash:
        """What it says."""
        return decode_crash(self.payload)


def keep(sql: sqlite3.Connection, report: CrashReport) -> bool:
    """Keep a report, whose payload was decoded before, unless it is here; whether it was new. In a transaction."""
    kept = sql.execute(
        "INSERT INTO crash (device_id, received_ms, payload) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        (report.device_id, report.received_ms, report.payload),
    )
    sql.execute(
        "DELETE FROM crash WHERE device_id = ? AND id <= "
        "(SELECT id FROM crash WHERE device_id = ? ORDER BY id DESC LIMIT 1 OFFSET ?)",
        (report.device_id, report.device_id, MAX_CRASHES),
    )
    return kept.rowcount > 0


def newest(db: Database, device_id: int, most: int = MAX_CRASHES) -> list[CrashReport]:
    """The newest reports of a device, the newest first."""
    rows = db.connection.execute(
        "SELECT device_id, payload, received_ms FROM crash WHERE device_id = ? ORDER BY id DESC LIMIT ?",
        (device_id, most),
    )
    return [CrashReport(*row) for row in rows]
