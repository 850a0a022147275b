"""vectors.json under CPython: the gateway reads every message to its meaning, the firmware's own files produce it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import cbor2
import pytest

from gateway.wire.birth import decode_birth, encode_birth
from gateway.wire.cose import open_sealed, seal, split
from gateway.wire.crash import decode_crash
from gateway.wire.downlink import MAX_ACK_BOOTS, decode_ack, encode_ack, encode_command
from gateway.wire.errors import FrameError, WireError
from gateway.wire.frame import decode
from gateway.wire.state import decode_state, encode_state
from tools import onboard, vectors

VECTORS = vectors.load()
KEY = bytes.fromhex(VECTORS["key"])
DECODERS = {"up": decode, "birth": decode_birth, "state": decode_state, "crash": decode_crash, "ack": decode_ack}


def each(section: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("vector", [pytest.param(v, id=v["name"]) for v in VECTORS[section]])


def every_message() -> pytest.MarkDecorator:
    found = [(role, v) for section, role in VECTORS["roles"].items() for v in VECTORS[section]]
    return pytest.mark.parametrize(("role", "vector"), [pytest.param(r, v, id=f"{r}-{v['name']}") for r, v in found])


def test_the_file_is_what_the_code_produces():
    assert vectors.PATH.read_text(encoding="utf-8") == vectors.text(), "python -m tools.vectors --write"


def test_there_are_enough_frames_by_board_and_by_hand_and_of_every_kind():
    by_board = [v["board"] for v in VECTORS["frames"]]
    assert by_board.count(True) >= 60
    assert by_board.count(False) >= 40
    meanings = [v["meaning"] for v in VECTORS["frames"]]
    assert {kind: sum(kind in meaning for meaning in meanings) >= 8 for kind in ("each", "gap")} == {
        "each": True, "gap": True,
    }  # fmt: skip


@each("frames")
def test_the_gateway_reads_a_frame_to_its_meaning(vector: dict[str, Any]):
    meaning = vector["meaning"]
    frame = decode(bytes.fromhex(vector["payload"]))
    assert [frame.boot, frame.seq] == [meaning["boot"], meaning["seq"]]
    assert [frame.time_s, frame.uptime_ms, frame.step_ms] == [meaning[k] for k in ("time_s", "uptime_ms", "step_ms")]
    assert [[e.channel, e.offset_ms, e.value] for e in frame.events] == meaning.get("events", [])
    assert [list(column) for column in frame.columns] == meaning.get("columns", [])
    assert frame.rows == (len(meaning["columns"][0]) if "columns" in meaning else 0)
    assert frame.each == meaning.get("each", 1)
    assert [list(column) for column in frame.lows] == meaning.get("lows", [])
    assert [list(column) for column in frame.highs] == meaning.get("highs", [])
    assert (asdict(frame.gap) if frame.gap else None) == meaning.get("gap")
    numbers = [v for name in ("lows", "columns", "highs") for column in meaning.get(name, []) for v in column]
    assert frame.values == len(numbers) - numbers.count(None) + len(frame.events)
    assert frame.readings == max(frame.rows, len(frame.events))


@pytest.mark.parametrize("vector", [pytest.param(v, id=v["name"]) for v in VECTORS["frames"] if v["board"]])
def test_the_firmware_produces_the_frame(vector: dict[str, Any]):
    frame, meaning = onboard.load("frame"), vector["meaning"]
    head = [meaning[k] for k in ("boot", "seq", "time_s", "uptime_ms")]
    if "events" in meaning:
        payload = frame.events_frame(*head, meaning["events"])
    elif "gap" in meaning:
        payload = frame.gap_frame(*head, *meaning["gap"].values())
    else:
        series = [*meaning.get("lows", []), *meaning["columns"], *meaning.get("highs", [])]
        columns = frame.Columns(len(series), len(series[0]))
        for row in zip(*series, strict=True):
            columns.add(row)
        framer, each = frame.Framer(columns.channels, columns.capacity), meaning.get("each", 1)
        payload = framer.columns(*head, meaning["step_ms"], columns, each)
    assert bytes(payload).hex() == vector["payload"]


@pytest.mark.parametrize(
    ("channels", "each"), [(1, 6), (2, 6), (4, 6), (32, 6), (3, 0), (3, -1), (3, 65_536)]
)  # fmt: skip
def test_the_firmware_refuses_to_thin_what_is_no_thinned_frame(channels: int, each: int):
    frame = onboard.load("frame")
    columns = frame.Columns(channels, 2)
    columns.add([1] * channels)
    with pytest.raises(ValueError, match="thinned"):
        frame.Framer(channels, 2).columns(7, 42, None, 0, 60_000, columns, each)


@pytest.mark.parametrize(
    "gap", [(7, 30, 12), (7, 40, 42), (7, 43, 43), (8, 1, 2), (6, 0, 2), (6, 0, 0), (0, 1, 2), (6, 1, 2**32)]
)
def test_the_firmware_refuses_a_gap_of_numbers_that_it_never_gave_out(gap: tuple[int, int, int]):
    with pytest.raises(ValueError, match="gap"):
        onboard.load("frame").gap_frame(7, 42, None, 250, *gap)


@each("births")
def test_the_gateway_reads_a_birth_to_its_meaning_and_back(vector: dict[str, Any]):
    payload = bytes.fromhex(vector["payload"])
    birth = decode_birth(payload)
    read = {name: getattr(birth, name) for name in ("boot", "kind", "model", "firmware", "name")}
    read["channels"] = [asdict(channel) | {"kind": channel.kind.name.lower()} for channel in birth.channels]
    assert read == vector["meaning"]
    assert encode_birth(birth) == payload


@each("states")
def test_the_gateway_reads_a_state_to_its_meaning(vector: dict[str, Any]):
    payload = bytes.fromhex(vector["payload"])
    state = decode_state(payload)
    read = {name: getattr(state, name) for name in ("boot", "online", "quiet")}
    assert {**read, "kept": state.use.words()} == vector["meaning"]
    assert encode_state(state) == payload


@each("crashes")
def test_the_gateway_reads_a_crash_to_its_meaning(vector: dict[str, Any]):
    crash = asdict(decode_crash(bytes.fromhex(vector["payload"])))
    assert crash | {"starts": list(crash["starts"])} == vector["meaning"]


@each("acks")
def test_the_gateway_writes_an_ack(vector: dict[str, Any]):
    assert encode_ack(**vector["meaning"]).hex() == vector["payload"]


@each("acks")
def test_an_ack_reads_back_to_its_meaning(vector: dict[str, Any]):
    ack = asdict(decode_ack(bytes.fromhex(vector["payload"])))
    assert ack | {"upto": [list(mark) for mark in ack["upto"]]} == vector["meaning"]


@pytest.mark.parametrize(
    ("upto", "time_s", "wait_s"),
    [
        ([], 0, 0), ([(7, 1)] * (MAX_ACK_BOOTS + 1), 0, 0), ([(0, 1)], 0, 0), ([(7, -1)], 0, 0), ([(7, 2**32)], 0, 0),
        ([(7, 1)], -1, 0), ([(7, 1)], 2**36 + 1, 0), ([(7, 1)], 0, -1), ([(7, 1)], 0, 601), ([(7, 1)], 1.5, 0),
        ([(7, 1)], 0, 0.05), ([(7, 1.0)], 0, 0),
    ],
)  # fmt: skip
def test_the_gateway_writes_no_ack_that_it_would_not_read(upto: Any, time_s: Any, wait_s: Any):
    with pytest.raises(FrameError):
        encode_ack(upto, time_s=time_s, wait_s=wait_s)


@each("commands")
def test_the_gateway_writes_a_command(vector: dict[str, Any]):
    assert encode_command(**vector["meaning"]).hex() == vector["payload"]


@every_message()
def test_both_sides_seal_to_the_same_bytes_and_open_them(role: str, vector: dict[str, Any]):
    payload, sealed = bytes.fromhex(vector["payload"]), bytes.fromhex(vector["sealed"])
    mac = onboard.load("mac").Mac0(KEY)
    assert seal(KEY, role, payload) == sealed
    assert mac.seal(role.encode(), payload) == sealed
    assert open_sealed(KEY, role, sealed) == split(sealed) == mac.open(role.encode(), sealed) == payload


@every_message()
def test_a_message_opens_in_its_own_role_and_under_its_own_key_only(role: str, vector: dict[str, Any]):
    sealed = bytes.fromhex(vector["sealed"])
    for other in {"birth", "up", "ack", "cmd", "state", "crash", ""} - {role}:
        with pytest.raises(WireError):
            open_sealed(KEY, other, sealed)
        with pytest.raises(ValueError, match="mac"):
            onboard.load("mac").Mac0(KEY).open(other.encode(), sealed)
    with pytest.raises(WireError):
        open_sealed(KEY[:-1] + b"\0", role, sealed)


@each("acks")
def test_the_firmware_reads_an_ack(vector: dict[str, Any]):
    meaning = vector["meaning"]
    says = [1, meaning["time_s"], meaning["wait_s"], *meaning["upto"]]
    assert onboard.load("cbor").loads(bytes.fromhex(vector["payload"])) == says


@each("commands")
def test_the_firmware_reads_a_command(vector: dict[str, Any]):
    items = onboard.load("cbor").loads(bytes.fromhex(vector["payload"]))
    assert items == [1, *vector["meaning"].values()]
    assert [type(arg) for arg in items[4]] == [type(arg) for arg in vector["meaning"]["args"]]


@pytest.mark.parametrize("section", ["births", "states", "crashes", "acks", "commands"])
def test_messages_are_deterministic_cbor(section: str):
    for vector in VECTORS[section]:
        payload = bytes.fromhex(vector["payload"])
        assert cbor2.dumps(cbor2.loads(payload), canonical=True) == payload


@each("refused")
def test_the_gateway_refuses(vector: dict[str, Any]):
    with pytest.raises(WireError) as refusal:
        DECODERS[vector["role"]](bytes.fromhex(vector["payload"]))
    assert refusal.value.reason == vector["reason"]
    assert len(str(refusal.value)) < 300


@each("envelopes")
def test_both_sides_refuse_the_envelope(vector: dict[str, Any]):
    sealed = bytes.fromhex(vector["sealed"])
    with pytest.raises(WireError) as refusal:
        open_sealed(KEY, "up", sealed)
    assert refusal.value.reason == vector["reason"]
    with pytest.raises(ValueError, match="mac"):
        onboard.load("mac").Mac0(KEY).open(b"up", sealed)
