"""The next key of a board inside its command: what the firmware has to do is pinned here as bytes."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.wire.errors import FrameError
from gateway.wire.rekey import unwrap, wrap

KEY, NEXT, NONCE, DEVICE = bytes(range(32)), bytes(range(32, 64)), bytes(range(16)), "5e0000000001"
ARGUMENT = "000102030405060708090a0b0c0d0e0f60e1f73cc6f2b2c56d26224586bc5358c2861830c2892db7acedebfe848ceb90"


def test_the_argument_is_these_bytes():
    assert wrap(KEY, DEVICE, NONCE, NEXT) == ARGUMENT
    assert unwrap(KEY, DEVICE, ARGUMENT) == NEXT


def test_the_pad_is_hmac_sha256_spelt_out():
    pad = hmac.new(KEY, b"hearthgate/1 next key" + DEVICE.encode() + NONCE, hashlib.sha256).digest()
    assert bytes(a ^ b for a, b in zip(bytes.fromhex(ARGUMENT)[16:], pad, strict=True)) == NEXT


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32), st.binary(min_size=16, max_size=16))
def test_what_is_wrapped_comes_out_and_only_under_its_key(key: bytes, later: bytes, nonce: bytes):
    argument = wrap(key, DEVICE, nonce, later)
    assert unwrap(key, DEVICE, argument) == later
    assert unwrap(key, "5e0000000002", argument) != later
    assert unwrap(bytes(32) if key != bytes(32) else bytes(31) + b"\1", DEVICE, argument) != later


@pytest.mark.parametrize("argument", ["", "00", ARGUMENT[:-2], ARGUMENT + "00", ARGUMENT.upper(), "x" + ARGUMENT[1:]])
def test_another_form_is_refused(argument: str):
    with pytest.raises(FrameError):
        unwrap(KEY, DEVICE, argument)


@pytest.mark.parametrize(("nonce", "later"), [(b"", NEXT), (NONCE, b""), (NONCE, bytes(16))])
def test_a_nonce_and_a_key_have_their_lengths(nonce: bytes, later: bytes):
    with pytest.raises(FrameError):
        wrap(KEY, DEVICE, nonce, later)
