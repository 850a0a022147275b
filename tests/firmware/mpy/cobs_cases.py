"""cobs.py under MicroPython: what goes in comes out, and what a line did to it is seen."""

import cobs

DEVICE = b"\x5e\x00\x00\x00\x00\xc1"


def test_frames_come_out_as_they_went_in():
    for size in (0, 1, 2, 100, 240, 241, 242, 253, 254, 255, 256, 700, 4083):
        for filling in (0, 1, 255):
            payload = bytes([filling]) * size
            framed = bytes(cobs.enclose(117, 200, DEVICE, payload))
            assert framed[:1] == framed[-1:] == b"\0" and 0 not in framed[1:-1]
            assert cobs.disclose(bytearray(framed[1:-1])) == (117, 200, DEVICE, payload)
    assert cobs.disclose(cobs.enclose(117, 1, DEVICE, bytes(4084))[1:-1]) is None


def test_every_flipped_bit_and_every_lost_or_doubled_byte_is_seen():
    framed = bytes(cobs.enclose(117, 200, DEVICE, b"a reading \0 or two"))[1:-1]
    for at in range(len(framed)):
        for bit in range(8):
            flipped = bytearray(framed)
            flipped[at] ^= 1 << bit
            for piece in bytes(flipped).split(b"\0"):
                assert cobs.disclose(piece) is None
        assert cobs.disclose(framed[:at] + framed[at + 1 :]) is None or framed[at] == framed[at - 1]
        assert cobs.disclose(framed[:at] + framed[at : at + 1] + framed[at:]) is None


def test_what_is_no_frame_is_none():
    for piece in (b"", b"\x01", b"mqtt: connected", bytes(range(1, 256)), b"\xff" * 5000):
        assert cobs.disclose(piece) is None
