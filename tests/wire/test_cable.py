"""wire/cable.py and firmware/cobs.py: COBS by its paper's examples, frames through noise, alike at both ends."""

import random
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.wire.cable import MAX_FRAME_BYTES, CableFrame, Deframer, cobs, decode, encode, next_seq, uncobs
from tools.onboard import load

DEVICE = "5e00000000c1"
BOARD = load("cobs")

UP_TO_FE, UP_TO_FF = bytes(range(1, 255)), bytes(range(1, 256))
# The examples of the paper and of the article on it in Wikipedia: (bytes, stuffed).
EXAMPLES = [
    (b"", b"\x01"),
    (b"\x00", b"\x01\x01"),
    (b"\x00\x00", b"\x01\x01\x01"),
    (b"\x00\x11\x00", b"\x01\x02\x11\x01"),
    (b"\x11\x22\x00\x33", b"\x03\x11\x22\x02\x33"),
    (b"\x11\x22\x33\x44", b"\x05\x11\x22\x33\x44"),
    (b"\x11\x00\x00\x00", b"\x02\x11\x01\x01\x01"),
    (UP_TO_FE, b"\xff" + UP_TO_FE),
    (b"\x00" + UP_TO_FE, b"\x01\xff" + UP_TO_FE),
    (UP_TO_FF, b"\xff" + UP_TO_FE + b"\x02\xff"),
    (UP_TO_FF[1:] + b"\x00", b"\xff" + UP_TO_FF[1:] + b"\x01\x01"),
    (UP_TO_FF[2:] + b"\x00\x01", b"\xfe" + UP_TO_FF[2:] + b"\x02\x01"),
    (b"E\x00\x00,Ly\x00\x00@\x06O7", b"\x02E\x01\x04,Ly\x01\x05@\x06O7"),
]


def test_the_crc_is_the_one_of_zlib():
    assert zlib.crc32(b"123456789") == 0xCBF43926
    body = bytes.fromhex("750101" + DEVICE) + b"hi"
    assert encode(CableFrame(ord("u"), 1, DEVICE, b"hi"))[1:-1] == cobs(body + zlib.crc32(body).to_bytes(4, "little"))


@pytest.mark.parametrize(("data", "stuffed"), EXAMPLES)
def test_cobs_by_its_examples(data: bytes, stuffed: bytes):
    assert cobs(data) == bytes(BOARD.cobs(data)) == stuffed
    assert uncobs(stuffed) == bytes(BOARD.uncobs(stuffed)) == data


@given(st.binary(max_size=1200), st.integers(0, 4))
def test_cobs_goes_there_and_back_at_both_ends(data: bytes, few: int):
    data = bytes(byte if byte > 51 * few else 0 for byte in data) if few < 4 else data.replace(b"\x00", b"\x01")
    stuffed = cobs(data)
    assert 0 not in stuffed and len(stuffed) <= len(data) + len(data) // 254 + 1
    assert bytes(BOARD.cobs(data)) == stuffed
    assert uncobs(stuffed) == bytes(BOARD.uncobs(stuffed)) == data


@given(st.binary(min_size=1, max_size=600))
def test_what_is_no_cobs_reads_the_same_at_both_ends(data: bytes):
    data = data.replace(b"\x00", b"\x05")
    theirs = BOARD.uncobs(data)
    assert uncobs(data) == (None if theirs is None else bytes(theirs))


def a_frame(dice: random.Random, most: int = 400) -> CableFrame:
    return CableFrame(dice.choice(b"busckhpaAdo"), dice.randint(1, 255), DEVICE, dice.randbytes(dice.randrange(most)))


def test_frames_come_out_whole_however_the_stream_is_cut():
    dice = random.Random(1)
    frames = [a_frame(dice) for _ in range(50)]
    stream = b"".join(map(encode, frames))
    for size in (1, 2, 3, 7, 64, 1000, len(stream)):
        deframer = Deframer()
        pieces = (stream[at : at + size] for at in range(0, len(stream), size))
        assert [frame for piece in pieces for frame in deframer.feed(piece)] == frames
        assert deframer.noise == 0


def test_prints_between_frames_cost_none():
    dice = random.Random(2)
    frames = [a_frame(dice) for _ in range(200)]
    deframer = Deframer()
    stream = b"".join(encode(frame) + b"mqtt: connected\r\n" * dice.randrange(3) for frame in frames)
    assert list(deframer.feed(stream)) == frames
    assert deframer.noise > 0


def test_noise_never_makes_a_frame_that_was_not_sent():
    dice = random.Random(3)
    deframer = Deframer()
    sent, got = set(), []
    for _ in range(3000):
        frame = a_frame(dice, 60)
        sent.add(frame)
        data = bytearray(encode(frame))
        for _ in range(dice.randrange(4)):
            at = dice.randrange(len(data))
            what = dice.randrange(3)
            if what == 0:
                del data[at]
            elif what == 1:
                data[at] ^= 1 << dice.randrange(8)
            else:
                data[at:at] = data[at : at + dice.randrange(1, 9)]
            if not data:
                break
        got += deframer.feed(bytes(data))
    assert len(got) > 500
    assert set(got) <= sent


def test_memory_stays_bounded_on_a_line_without_an_end():
    deframer = Deframer()
    for _ in range(1000):
        assert list(deframer.feed(b"x" * 1000)) == []
        assert len(deframer._rest) <= 2 * MAX_FRAME_BYTES + 1000
    good = CableFrame(ord("u"), 1, DEVICE, b"payload")
    assert list(deframer.feed(encode(good))) == [good], "the first 00 is an end again"


def test_what_is_too_long_is_refused():
    frame = CableFrame(ord("o"), 1, DEVICE, bytes(MAX_FRAME_BYTES - 13))
    assert decode(encode(frame)[1:-1]) == frame
    with pytest.raises(ValueError, match="too many"):
        encode(CableFrame(ord("o"), 1, DEVICE, bytes(MAX_FRAME_BYTES - 12)))


def test_no_frame_begins_as_a_persons_ctrl_c():
    dice = random.Random(4)
    for device in ("000000000000", DEVICE, "ffffffffffff"):
        for _ in range(500):
            frame = CableFrame(dice.choice(b"aAdoHkr"), dice.randint(1, 255), device, dice.randbytes(dice.randrange(9)))
            data = encode(frame)
            assert data[1] >= 4 and not data[1:].startswith(b"\r\x03")


def test_seq_goes_round_without_a_zero():
    seen, seq = [], 0
    for _ in range(600):
        seq = next_seq(seq)
        seen.append(seq)
    assert seen[:2] == [1, 2] and seen[254:257] == [255, 1, 2] and 0 not in seen
