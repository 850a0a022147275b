"""Fuzz targets of the firmware: what a board reads from outside, run under CPython."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import cbor2

from tools import fuzz_mutate, onboard, vectors
from tools.fuzz_reader import board_module, read
from tools.fuzz_target import Broken, Parse, Refused, Target
from tools.fuzz_wire import envelopes, payloads

__all__ = ["TARGETS"]

_NOW_S = 1_780_000_000


def _opened(name: str) -> Callable[[], AbstractContextManager[Parse]]:
    @contextmanager
    def opened() -> Iterator[Parse]:
        with read(name) as parser:

            def parse(data: bytes) -> None:
                parser(data)

            yield parse

    return opened


@contextmanager
def _mac() -> Iterator[Parse]:
    from gateway.wire.cose import OVERHEAD_BYTES, seal, split
    from gateway.wire.errors import WireError

    with read("mac") as parser:

        def parse(data: bytes) -> None:
            try:
                payload = split(data)
            except WireError:
                payload = None
            if payload is not None and len(data) >= OVERHEAD_BYTES:
                # The envelope that the gateway takes, the board takes; both know one spelling only.
                if parser(seal(vectors.KEY, "up", payload)) != payload.hex():
                    raise Broken("the board opens another payload than the gateway")
            elif _takes(parser, data):
                raise Broken("the board takes an envelope that the gateway refuses")
            parser(data)

        yield parse


def _takes(parser: Callable[[bytes], str], data: bytes) -> bool:
    try:
        parser(data)
    except ValueError:
        return False
    return True


@contextmanager
def _cbor() -> Iterator[Parse]:
    from gateway.wire.errors import WireError
    from gateway.wire.item import read as strict

    loads = onboard.load("cbor").loads

    def parse(data: bytes) -> None:
        try:
            value = strict(data)
        except WireError:
            loads(data)
            return
        try:
            mine = loads(data)
        except ValueError as why:
            raise Broken(f"the board refuses what the gateway takes: {why}") from why
        if repr(mine) != repr(value):
            raise Broken("board and gateway read different values")

    yield parse


@contextmanager
def _ack() -> Iterator[Parse]:
    from gateway.wire.downlink import decode_ack
    from gateway.wire.errors import WireError

    link = board_module("board_link")

    def confirmed(data: bytes) -> int | None:
        """The last frame that these acks confirm; None where one of them is not as the gateway makes it."""
        upto = 0
        for _, payload in fuzz_mutate.split(data):
            try:
                marks = decode_ack(payload).upto
            except WireError:
                return None
            if any(boot > link.BOOT or (boot == link.BOOT and seq > link.FRAMES) for boot, seq in marks):
                return None
            upto = max([upto, *(seq for boot, seq in marks if boot == link.BOOT)])
        return upto

    with read("ack") as parser:

        def parse(data: bytes) -> None:
            said = parser(data)
            upto = confirmed(data)
            if upto is not None:
                held = " ".join(f"{link.BOOT}.{seq}" for seq in range(upto + 1, link.FRAMES + 1))
                if not said.startswith(f"holds {held}, "):
                    raise Broken(f"frames 1 to {upto} are confirmed, and the board {said}")
            # An ack that says no more than the one before is counted, and is a right one all the same.
            reasons = said.partition("refused ")[2].partition(":")[0]
            if wrong := [why for why in reasons.split(", ") if why and why.split(" ")[0] != "old"]:
                raise Refused(", ".join(wrong))

        yield parse


@contextmanager
def _command() -> Iterator[Parse]:
    with read("command") as parser:

        def parse(data: bytes) -> None:
            said = parser(data)
            if "refused :" not in said:
                raise Refused(said.partition("refused ")[2].partition(":")[0])

        yield parse


def _acks() -> Iterator[bytes]:
    known = payloads("acks")
    yield from (fuzz_mutate.join([(0, payload)]) for payload in known)
    yield fuzz_mutate.join([(1, known[0]), *((0, payload) for payload in known)])
    for marks in ([[7, 3]], [[7, 2], [6, 9]], [[7, 6]], [[7, 7]], [[8, 1]]):
        yield fuzz_mutate.join([(0, cbor2.dumps([1, _NOW_S, 30, *marks]))])
    steps = [cbor2.dumps([1, _NOW_S + seq, 1, [7, seq]]) for seq in (2, 5, 1, 6)]
    yield fuzz_mutate.join([(n & 1, payload) for n, payload in enumerate(steps)])


def _commands() -> Iterator[bytes]:
    known = payloads("commands")
    yield from (fuzz_mutate.join([(0, payload)]) for payload in known)
    live = [cbor2.dumps([1, counter, _NOW_S + 60, "live", [30]]) for counter in (1, 2, 2, 9)]
    yield fuzz_mutate.join([(0, payload) for payload in live])
    yield fuzz_mutate.join([(1, live[0]), (0, live[3]), (0, live[1])])


def _connections() -> Iterator[bytes]:
    """What a broker says after a CONNECT."""
    packet: Any = onboard.load("mqtt_packet")
    known = vectors.load()
    connack, suback, puback, ping = b"\x20\x02\x00\x00", b"\x90\x04\x00\x02\x01\x01", b"\x40\x02\x00\x01", b"\xd0\x00"
    yield connack + suback + puback + ping
    yield b"\x20\x02\x00\x05"
    for what, section in (("ack", "acks"), ("cmd", "commands")):
        for vector in known[section]:
            topic = packet.text(f"hg/1/5e0000000001/{what}")
            sealed = bytes.fromhex(vector["sealed"])
            yield connack + bytes(packet.packet(0x32, topic, 7, sealed)) + bytes(packet.packet(0x31, topic, 0, sealed))
    yield connack + bytes(packet.packet(0x30, packet.text("t"), 0, bytes(300)))


def _board_files() -> Iterator[bytes]:
    """board.json of the emulated boards."""
    from gateway.flash import boardfile

    for board in boardfile.list_boards(onboard.FIRMWARE.parent / "boards"):
        table = boardfile.to_board_json(
            board, device="5e0000000001", key_hex=vectors.KEY.hex(), name=None, mqtt={"host": "localhost"},
            wifi={"ssid": "home", "password": "secret"}, sim=None,
        )  # fmt: skip
        yield json.dumps(table).encode()
        table["mqtt"]["tls"] = {"ca": "ca.pem", "server_hostname": "broker"}
        yield json.dumps(table | {"channels": table["channels"][:2], "durable": True, "flash_bytes": 0}).encode()


def _counters() -> Iterable[bytes]:
    return (b"1\n", b"4294967295\n", b"12", b"", b"-3\n", b"7\n8\n", b" 9 \n", b"1_000\n")


def _segments() -> Iterator[bytes]:
    rows = [(0, b"\0\0\0\1" + seq.to_bytes(4, "big") + bytes(range(20 * seq))) for seq in range(1, 4)]
    events = [(1, b"\0\0\0\2\0\0\0\1" + payload[:40]) for payload in payloads("frames")[:2]]
    yield fuzz_mutate.join(rows)
    yield fuzz_mutate.join([*rows, *events])
    yield fuzz_mutate.join([*rows, (2, b"\5\0\1\0"), *events])
    yield fuzz_mutate.join([(2, bytes(64))])
    yield fuzz_mutate.join([(2, b"\xff" * 64), *rows])


def _value_errors() -> tuple[type[Exception], ...]:
    return (ValueError,)


def _config_errors() -> tuple[type[Exception], ...]:
    # CPython's reader of JSON calls itself; a board's does not.
    return (ValueError, RecursionError)


TARGETS = (
    Target(
        "mac", "the board's COSE_Mac0, beside the gateway's", _mac, envelopes, fuzz_mutate.octets, share=1500,
        cost_us=80, errors=_value_errors, max_bytes=512,
    ),
    Target(
        "cbor", "the board's CBOR, beside the gateway's", _cbor,
        lambda: payloads("births", "states", "acks", "commands", role="birth"), fuzz_mutate.cbor, share=700,
        cost_us=200, errors=_value_errors, max_bytes=384,
    ),
    Target(
        "ack", "acks, as the board's link takes them", _ack, _acks, fuzz_mutate.batch, share=200, cost_us=1100,
        max_bytes=512,
    ),
    Target(
        "command", "commands, as the board's link obeys them", _command, _commands, fuzz_mutate.batch, share=200,
        cost_us=700, max_bytes=512,
    ),
    Target(
        "mqtt", "what a broker says: whole MQTT packets", _opened("mqtt"), _connections, fuzz_mutate.octets,
        share=800, cost_us=200, errors=_value_errors, max_bytes=768,
    ),
    Target(
        "segments", "a segment of the journal on flash, after a restart", _opened("segments"), _segments,
        fuzz_mutate.batch, share=120, cost_us=1500, max_bytes=1024,
    ),
    Target(
        "counter", "a counter's file", _opened("counter"), _counters, fuzz_mutate.octets, share=100, cost_us=100,
        max_bytes=64,
    ),
    Target(
        "config", "board.json", _opened("config"), _board_files, fuzz_mutate.text, share=150, cost_us=340,
        errors=_config_errors, text=True, max_bytes=4096,
    ),
)  # fmt: skip
