"""Bytes on the wire: one day of fridge rows in our frames, and in what others would send."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import cbor2

from tools.bench import Figure
from tools.onboard import load
from tools.simrows import CHANNELS, rows

SEED = 1
HOURS = 24
STEP_MS = 10_000
SEAL_BYTES = 17  # COSE_Mac0: tag and envelope
BOOT = 40  # a board that has seen some power cuts: two bytes in CBOR
START_S = 1_795_000_000
START_MS = 86_400_000  # it has been up for a day: five bytes, as for the next 49 days
_UNITS = ("Cel", "Cel", "/", "kg", "kg", "W")
_SCALES = (16, 16, 1, 1000, 1000, 1)

Block = Sequence[Sequence[int]]


def _scaled(row: Sequence[int]) -> list[float | int]:
    return [value if den == 1 else value / den for value, den in zip(row, _SCALES, strict=True)]


def senml_json(block: Block, time_s: int) -> bytes:
    """RFC 8428 section 5 with base name and base time, a record a value."""
    records: list[dict[str, Any]] = []
    for i, row in enumerate(block):
        for name, unit, value in zip(CHANNELS, _UNITS, _scaled(row), strict=True):
            records.append({"n": name, "u": unit, "v": value, "t": i * STEP_MS // 1000})
    records[0] = {"bn": "5e0000000002:", "bt": time_s} | records[0]
    return json.dumps(records, separators=(",", ":")).encode()


def senml_cbor(block: Block, time_s: int) -> bytes:
    """RFC 8428 section 6: the same with integer labels, shortest floats."""
    records: list[dict[int, Any]] = []
    for i, row in enumerate(block):
        for name, unit, value in zip(CHANNELS, _UNITS, _scaled(row), strict=True):
            records.append({0: name, 1: unit, 2: value, 6: i * STEP_MS // 1000})
    records[0] = {-2: "5e0000000002:", -3: time_s} | records[0]
    return cbor2.dumps(records, canonical=True)


def plain_json(block: Block, time_s: int) -> bytes:
    """What most boards send: an object a row."""
    return json.dumps(
        [
            {"t": time_s + i * STEP_MS // 1000} | dict(zip(CHANNELS, _scaled(row), strict=True))
            for i, row in enumerate(block)
        ],
        separators=(",", ":"),
    ).encode()


def cbor_map(block: Block, time_s: int) -> bytes:
    """An object a row, in CBOR, scaled integers."""
    return cbor2.dumps(
        [{"t": time_s + i * STEP_MS // 1000} | dict(zip(CHANNELS, row, strict=True)) for i, row in enumerate(block)]
    )


def deflated_map(block: Block, time_s: int) -> bytes:
    """The same, deflated."""
    return _deflate(cbor_map(block, time_s))


def deflated_deltas(block: Block, time_s: int) -> bytes:
    """Columns of differences in CBOR, deflated: what a careful engineer does without a coder of his own. No MAC."""
    columns = [[col[0], *(b - a for a, b in pairwise(col))] for col in zip(*block, strict=True)]
    body = cbor2.dumps([1, BOOT, 1, time_s, START_MS, STEP_MS, columns])
    return _deflate(body)


def sealed_deltas(block: Block, time_s: int) -> bytes:
    """The same in the envelope that ours comes in, so that like stands beside like."""
    return deflated_deltas(block, time_s) + bytes(SEAL_BYTES)


def _deflate(body: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(body) + packer.flush()


OTHERS: dict[str, Callable[[Block, int], bytes]] = {
    "senml-cbor": senml_cbor,
    "senml-json": senml_json,
    "json": plain_json,
    "cbor-map": cbor_map,
    "cbor-map-deflated": deflated_map,
    "cbor-deltas-deflated, no MAC": deflated_deltas,
    "cbor-deltas-deflated, with our MAC": sealed_deltas,
}


def sealed_sizes(day: Block, rows_a_frame: int) -> int:
    """Bytes of all MQTT payloads of a day in our frames, MAC included."""
    frame, mac = load("frame"), load("mac").Mac0(bytes(range(32)))
    framer, columns = frame.Framer(len(CHANNELS)), frame.Columns(len(CHANNELS))
    total = 0
    for seq, at in enumerate(range(0, len(day), rows_a_frame), start=1):
        columns.clear()
        for row in day[at : at + rows_a_frame]:
            columns.add(row)
        elapsed_ms = at * STEP_MS
        payload = framer.columns(BOOT, seq, START_S + elapsed_ms // 1000, START_MS + elapsed_ms, STEP_MS, columns)
        total += len(mac.seal(b"up", payload))
    return total


def lone_kettle_row() -> int:
    """Bytes of a lone row of a heating kettle's 4 channels, before the MAC's envelope."""
    frame = load("frame")
    columns = frame.Columns(4)
    columns.add([1437, 1012, 2187, 1])  # 89.8 C, 1.012 kg, 2187 W, heating
    return len(frame.Framer(4).columns(BOOT, 4321, START_S, START_MS, 0, columns))


def figures() -> Iterator[Figure]:
    """Every figure of this group."""
    day = list(rows(SEED, HOURS, STEP_MS))
    values = len(day) * len(CHANNELS)
    for rows_a_frame in (60, 6, 1):
        ours = sealed_sizes(day, rows_a_frame) / values
        blocks = [day[at : at + rows_a_frame] for at in range(0, len(day), rows_a_frame)]
        for other, encode in OTHERS.items():
            theirs = sum(len(encode(block, START_S)) for block in blocks) / values
            name = "wire.bytes_per_value" if rows_a_frame == 60 else f"wire.bytes_per_value.{rows_a_frame}_rows"
            target = "at most 0.30, MAC included" if rows_a_frame == 60 and other == "senml-cbor" else ""
            suffix = (
                "" if other == "senml-cbor" else f".vs_{other.replace('-', '_').replace(', ', '_').replace(' ', '_')}"
            )
            yield Figure(name + suffix, ours, "B", other, theirs, target)
    row = [1437, 1012, 2187, 1]
    beside = cbor2.dumps({"t": START_S, "water_temp": row[0], "water_mass": row[1], "power": row[2], "heating": row[3]})
    yield Figure("wire.single_row_bytes", lone_kettle_row(), "B", "cbor-map", len(beside), "at most 24 before the MAC")
