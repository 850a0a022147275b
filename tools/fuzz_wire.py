"""Fuzz targets of the gateway: every reader between a broker's bytes and the database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from tools import fuzz_mutate, onboard, vectors
from tools.fuzz_target import Broken, Parse, Target

__all__ = ["TARGETS", "envelopes", "payloads"]

_MAX_SEED = 1024


def payloads(*sections: str, role: str | None = None) -> list[bytes]:
    """The payloads of these sections of the vectors, and of what must be refused in a role."""
    known = vectors.load()
    found = [vector["payload"] for section in sections for vector in known[section]]
    found += [vector["payload"] for vector in known["refused"] if vector["role"] == role]
    # The large ones only repeat what the small ones do, and make a run slow.
    return [data for data in map(bytes.fromhex, found) if len(data) <= _MAX_SEED]


def _wire_errors() -> tuple[type[Exception], ...]:
    from gateway.wire.errors import WireError

    return (WireError,)


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise Broken(what)


@contextmanager
def _envelope() -> Iterator[Parse]:
    from gateway.wire.cose import TAG_BYTES, open_sealed, seal, split
    from gateway.wire.errors import MacError

    def parse(data: bytes) -> None:
        payload = split(data)
        sealed = seal(vectors.KEY, "up", payload)
        _require(sealed[:-TAG_BYTES] == data[:-TAG_BYTES], "a payload has two envelopes")
        _require(open_sealed(vectors.KEY, "up", sealed) == payload, "what was sealed does not open")
        try:
            open_sealed(vectors.KEY, "up", data)
        except MacError:
            _require(sealed != data, "a right MAC is refused")
            raise
        _require(sealed == data, "a wrong MAC is taken")

    yield parse


def envelopes() -> Iterator[bytes]:
    """Sealed messages of every role, and envelopes that are not ours."""
    known = vectors.load()
    for section in (*known["roles"], "envelopes"):
        for vector in known[section]:
            data = bytes.fromhex(vector["sealed"])
            if len(data) <= _MAX_SEED:
                yield data


def _check_columns(columns: Sequence[Sequence[int | None]], rows: int) -> None:
    from gateway.wire.columns import MAX_CHANNELS, VALUE_MAX, VALUE_MIN

    _require(len(columns) <= MAX_CHANNELS, "more columns than a frame may have")
    for column in columns:
        _require(len(column) == rows, "a column has another number of rows")
        values = [value for value in column if value is not None]
        if values:
            _require(min(values) >= VALUE_MIN and max(values) <= VALUE_MAX, "a value is out of range")


@contextmanager
def _frame() -> Iterator[Parse]:
    import cbor2

    from gateway.wire.frame import VERSION, decode

    def parse(data: bytes) -> None:
        frame = decode(data)
        for columns in (frame.columns, frame.lows, frame.highs):
            _check_columns(columns, frame.rows)
        if frame.lows:
            _require(len(frame.lows) == len(frame.columns) == len(frame.highs), "not as many lows and highs as means")
        kinds = bool(frame.columns) + bool(frame.events) + (frame.gap is not None)
        _require(kinds == 1, "a frame is columns, events or a gap")
        _require(frame.readings >= 0 and frame.values >= 0, "a frame counts less than nothing")
        head = (VERSION, frame.boot, frame.seq, frame.time_s, frame.uptime_ms)
        _require(data.startswith(b"".join(map(cbor2.dumps, head))), "a head has two spellings")

    yield parse


@contextmanager
def _columns() -> Iterator[Parse]:
    from gateway.wire.columns import unpack

    def parse(data: bytes) -> None:
        rows = int.from_bytes(data[:2], "big")
        _check_columns(unpack(data[2:], rows), rows)

    yield parse


def _packed() -> Iterator[bytes]:
    from gateway.wire.errors import WireError
    from gateway.wire.item import read_sequence

    for payload in payloads("frames", role="up"):
        try:
            items = read_sequence(payload)
        except WireError:
            continue
        body = items[-1] if items else None
        if isinstance(body, bytes) and len(items) > 5:
            rows = items[6] if len(items) > 6 else 1
            if isinstance(rows, int) and 0 <= rows < 1 << 16:
                yield rows.to_bytes(2, "big") + body


@contextmanager
def _birth() -> Iterator[Parse]:
    from gateway.wire.birth import decode_birth, encode_birth

    def parse(data: bytes) -> None:
        birth = decode_birth(data)
        _require(encode_birth(birth) == data, "a birth has two spellings")
        for channel in birth.channels:
            channel.scaled(-1)

    yield parse


@contextmanager
def _state() -> Iterator[Parse]:
    from gateway.wire.state import decode_state, encode_state

    def parse(data: bytes) -> None:
        _require(encode_state(decode_state(data)) == data, "a state has two spellings")

    yield parse


@contextmanager
def _crash() -> Iterator[Parse]:
    from gateway.wire.crash import MAX_TEXT_BYTES, decode_crash

    def parse(data: bytes) -> None:
        crash = decode_crash(data)
        _require(len(crash.text) <= 4 * MAX_TEXT_BYTES, "a crash report is longer than it may be")
        _require("\x1b" not in crash.text + crash.headline, "a crash report steers the terminal that shows it")

    yield parse


def _crashes() -> Iterator[bytes]:
    from gateway.wire.crash import encode_crash

    yield encode_crash(0, 1, 30000, 1, [0] * 7, b"")
    yield encode_crash(
        7, 3, 30000, 12, [0, 1, 2, 3, 300, 70000, 2**32 - 1], b'  File "link.py", line 7\nValueError: \xff\x1b\n'
    )


@contextmanager
def _cable() -> Iterator[Parse]:
    from gateway.wire.cable import MAX_FRAME_BYTES, Deframer, encode, uncobs

    board = onboard.load("cobs")

    def parse(data: bytes) -> None:
        for piece in data.split(b"\0"):
            theirs, ours = board.uncobs(piece), uncobs(piece)
            _require((None if theirs is None else bytes(theirs)) == ours, "board and gateway unstuff differently")
        found = list(Deframer().feed(data + b"\0"))
        told = [frame for frame in map(board.disclose, data.split(b"\0")) if frame is not None]
        mine = [(frame.kind, frame.seq, bytes.fromhex(frame.device), frame.payload) for frame in found]
        _require(mine == told or len(data) > MAX_FRAME_BYTES, "board and gateway find different frames")
        for frame in found:
            again = encode(frame)
            _require(again == bytes(board.enclose(*told[0])) or frame != found[0], "a frame is written differently")
            _require(list(Deframer().feed(again)) == [frame], "a frame does not read as it was written")
        cut = Deframer()
        pieces = (data[at : at + 7] for at in range(0, len(data), 7))
        _require([f for piece in (*pieces, b"\0") for f in cut.feed(piece)] == found, "pieces make other frames")

    yield parse


def _cables() -> Iterator[bytes]:
    from gateway.wire.cable import CableFrame, encode

    frames = [CableFrame(kind, kind, "5e00000000c1", bytes(range(kind))) for kind in b"hHkpaAduosbcwr"]
    yield from map(encode, frames)
    yield b"mqtt: connected\r\n".join(map(encode, frames))
    yield encode(CableFrame(ord("u"), 255, "000000000000", bytes(range(1, 256)) * 3))


def _seeds(*sections: str, role: str | None = None) -> Any:
    def seeds() -> Iterable[bytes]:
        return payloads(*sections, role=role)

    return seeds


TARGETS = (
    Target(
        "envelope", "COSE_Mac0 of any message", _envelope, envelopes, fuzz_mutate.octets, share=1500, cost_us=30,
        errors=_wire_errors, max_bytes=512,
    ),
    Target(
        "frame", "payload of an up message", _frame, _seeds("frames", role="up"), fuzz_mutate.cbor, share=1300,
        cost_us=150, errors=_wire_errors, max_bytes=768,
    ),
    Target(
        "columns", "packed columns: rows in two bytes, then the bits", _columns, _packed, fuzz_mutate.octets,
        share=1100, cost_us=220, errors=_wire_errors, max_bytes=512,
    ),
    Target(
        "birth", "payload of a birth", _birth, _seeds("births", role="birth"), fuzz_mutate.cbor, share=600, cost_us=390,
        errors=_wire_errors, max_bytes=1024,
    ),
    Target(
        "state", "payload of a state", _state, _seeds("states", role="state"), fuzz_mutate.cbor, share=1100,
        cost_us=100, errors=_wire_errors, max_bytes=256,
    ),
    Target(
        "crash", "payload of a crash report", _crash, _crashes, fuzz_mutate.cbor, share=300, cost_us=100,
        errors=_wire_errors, max_bytes=1024,
    ),
    Target(
        "cable", "what comes on a serial line, at the gateway and on a board", _cable, _cables, fuzz_mutate.octets,
        share=300, cost_us=200, max_bytes=2048,
    ),
)  # fmt: skip
