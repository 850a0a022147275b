"""serial_link.py: what reading a line costs. (Whole links, with noise: tests/emulated/test_serial_link.py.)"""

import asyncio
import gc

import serial_link
from cobs import enclose

UPDATE = 111
DEVICE = bytes(6)


class Ended(BaseException):
    pass


class Line:
    """Gives what is on the line in pieces, as asyncio's StreamReader does."""

    left, at = b"", 0

    def __init__(self, port):
        pass

    async def read(self, size):
        if Line.at >= len(Line.left):
            raise Ended
        data = Line.left[Line.at : Line.at + size]
        Line.at += size
        return data


class Loop:
    StreamReader = Line
    Event, Lock, sleep_ms = asyncio.Event, asyncio.Lock, asyncio.sleep_ms


serial_link.asyncio = Loop


def play(coroutine):
    """Until the line has nothing more."""
    try:
        coroutine.send(None)
    except Ended:
        return


def heard(data, size):
    """What the reader makes of it, frame by frame; None for what is none."""
    client = serial_link.Client(None, 0, "00" * 6, will=("state", b""), on_message=None, on_connect=None)
    frames = []
    client._hear = frames.append
    client._size = size
    Line.left, Line.at = data, 0
    play(client._read())
    return frames


def test_frames_are_found_however_the_bytes_come():
    payloads = [bytes(range(n % 256)) * (n // 256 + 1) for n in (0, 1, 255, 1000)]
    line = b"noise" + b"".join([enclose(UPDATE, n + 1, DEVICE, payload) for n, payload in enumerate(payloads)])
    for size in (1, 7, 256):
        frames = heard(line, size)
        assert frames[0] is None, "the noise before the first"
        assert [frame[3] for frame in frames[1:]] == payloads, size


def test_what_is_longer_than_any_frame_is_forgotten():
    good = enclose(UPDATE, 1, DEVICE, b"good")
    assert heard(b"x" * 20000 + good, 1)[-1][3] == b"good"


def test_reading_byte_by_byte_copies_nothing_over_and_over():
    line = enclose(UPDATE, 1, DEVICE, bytes([n & 0xFF for n in range(300)]))

    async def only_read():
        stream = Line(None)
        while True:
            await stream.read(1)

    def taken(read):
        Line.left, Line.at = line, 0
        gc.collect()
        gc.disable()
        before = gc.mem_alloc()
        play(read())
        after = gc.mem_alloc()
        gc.enable()
        return after - before

    client = serial_link.Client(None, 0, "00" * 6, will=("state", b""), on_message=None, on_connect=None)
    client._hear = lambda frame: None
    taken(client._read)  # what is made once is made
    own = taken(client._read) - taken(only_read)
    print("bytes of the heap for", len(line), "bytes of the line:", own)
    # A copy for each byte would be 100 times as much.
    assert own < 20 * len(line)
