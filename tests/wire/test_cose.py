"""The envelope against code and bytes that are not ours: pycose, and the COSE working group's own example."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycose.algorithms import HMAC25664
from pycose.headers import Algorithm
from pycose.keys import SymmetricKey
from pycose.messages import Mac0Message

from gateway.wire.cose import MAX_MESSAGE_BYTES, OVERHEAD_BYTES, open_sealed, seal, split
from gateway.wire.errors import MacError, SizeError, WireError
from tools import onboard, vectors

KEY = bytes(range(32))
ROLES = ("up", "birth", "state", "ack", "cmd")
SIZES = (0, 1, 22, 23, 24, 25, 255, 256, 257, 1000)
Seal = Callable[[bytes, str, bytes], bytes]


def seal_on_board(key: bytes, role: str, payload: bytes) -> bytes:
    return bytes(onboard.load("mac").Mac0(key).seal(role.encode(), payload))


def open_on_board(key: bytes, role: str, message: bytes) -> bytes:
    return bytes(onboard.load("mac").Mac0(key).open(role.encode(), message))


def seal_with_pycose(key: bytes, role: str, payload: bytes) -> bytes:
    message = Mac0Message(phdr={Algorithm: HMAC25664}, uhdr={}, payload=payload, external_aad=role.encode())
    message.key = SymmetricKey(key)
    return message.encode(tag=False)


def open_with_pycose(key: bytes, role: str, sealed: bytes) -> tuple[bool, Any]:
    message = Mac0Message.from_cose_obj(cbor2.loads(sealed), allow_unknown_attributes=False)
    message.external_aad = role.encode()
    message.key = SymmetricKey(key)
    return message.verify_tag(), message


@pytest.fixture(params=[seal, seal_on_board], ids=["gateway", "board"])
def ours(request: pytest.FixtureRequest) -> Seal:
    return request.param


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("size", SIZES)
def test_pycose_opens_what_we_seal(ours: Seal, role: str, size: int):
    payload = bytes(i & 0xFF for i in range(size))
    sealed = ours(KEY, role, payload)
    assert len(sealed) == size + OVERHEAD_BYTES + (0 if size < 24 else 1 if size < 256 else 2) - 1
    verified, message = open_with_pycose(KEY, role, sealed)
    assert verified
    assert message.payload == payload
    assert message.phdr == {Algorithm: HMAC25664}
    assert message.uhdr == {}
    assert not open_with_pycose(KEY, role + "x", sealed)[0]


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("size", SIZES[1:])  # pycose says nil for an empty payload
def test_we_open_what_pycose_seals(role: str, size: int):
    payload = bytes(size)
    sealed = seal_with_pycose(KEY, role, payload)
    assert sealed == seal(KEY, role, payload)
    assert open_sealed(KEY, role, sealed) == open_on_board(KEY, role, sealed) == payload


@pytest.mark.parametrize("size", [16, 24, 31, 32, 63, 64])
def test_keys_of_every_length_mean_the_same_to_all(size: int):
    key = bytes(range(size))
    sealed = seal(key, "up", b"payload")
    assert sealed == seal_on_board(key, "up", b"payload")
    if size in (16, 24, 32):  # pycose takes no other
        assert sealed == seal_with_pycose(key, "up", b"payload")


@pytest.mark.parametrize("size", [0, 15, 65])
def test_a_board_refuses_a_key_that_is_too_short_or_too_long(size: int):
    with pytest.raises(ValueError, match="key"):
        onboard.load("mac").Mac0(bytes(size))


def test_the_example_of_the_cose_working_group():
    """HMac-enc-05 of github.com/cose-wg/Examples: HMAC 256/64, implicit key; without its tag 17, and with no role."""
    key = bytes.fromhex("849B57219DAE48DE646D07DBB533566E976686457C1491BE3A76DCEA6C427188")
    message = bytes.fromhex("8443A10104A054546869732069732074686520636F6E74656E742E4811F9E357975FB849")
    content = b"This is the content."
    assert seal(key, "", content) == seal_on_board(key, "", content) == message
    assert open_sealed(key, "", message) == open_on_board(key, "", message) == content


@pytest.mark.parametrize("name", ["lone_zero", "plain", "dense_k_9", "events_256"])
def test_every_flip_of_one_bit_is_refused_on_both_sides(name: str):
    sealed = bytes.fromhex(next(v["sealed"] for v in vectors.load()["frames"] if v["name"] == name))
    board = onboard.load("mac").Mac0(KEY)
    # Of a long message each byte of the envelope and every seventh of the payload: the rest is the same to the MAC.
    places = range(len(sealed)) if len(sealed) < 200 else [*range(16), *range(16, len(sealed), 7)]
    for place in places:
        for bit in range(8):
            changed = bytearray(sealed)
            changed[place] ^= 1 << bit
            with pytest.raises(WireError):
                open_sealed(KEY, "up", bytes(changed))
            with pytest.raises(ValueError, match="mac"):
                board.open(b"up", bytes(changed))


@given(st.binary(max_size=64))
def test_random_bytes_are_refused_and_nothing_else_happens(message: bytes):
    with pytest.raises(MacError):
        open_sealed(KEY, "up", message)
    with pytest.raises(ValueError, match="mac"):
        onboard.load("mac").Mac0(KEY).open(b"up", message)


@given(st.binary(max_size=40))
def test_random_bytes_in_the_form_of_an_envelope_are_refused(rest: bytes):
    message = b"\x84\x43\xa1\x01\x04\xa0" + rest
    with pytest.raises(MacError):
        open_sealed(KEY, "up", message)
    with pytest.raises(ValueError, match="mac"):
        onboard.load("mac").Mac0(KEY).open(b"up", message)


def test_the_largest_message_is_read_and_a_larger_one_is_not():
    room = MAX_MESSAGE_BYTES - OVERHEAD_BYTES - 1
    largest = seal(KEY, "up", bytes(room))
    assert len(largest) == MAX_MESSAGE_BYTES
    assert open_sealed(KEY, "up", largest) == split(largest) == bytes(room)
    with pytest.raises(SizeError):
        open_sealed(KEY, "up", seal(KEY, "up", bytes(room + 1)))
    with pytest.raises(SizeError):
        open_sealed(KEY, "up", bytes(1_000_000))
