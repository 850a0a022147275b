"""wire/crash.py: what a board says of a crash, whatever its text holds, and nothing else."""

import cbor2
import pytest

from gateway.wire.crash import MAX_TEXT_BYTES, STARTS, Crash, decode_crash, encode_crash
from gateway.wire.errors import CrashError, VersionError, WireError

COUNTS = (0, 9, 2, 1, 0, 30, 1)
TEXT = b'Traceback (most recent call last):\n  File "link.py", line 7, in run\nValueError: as scripted\n'


def test_a_report_reads_as_it_was_written():
    crash = decode_crash(encode_crash(7, 3, 30000, 2, COUNTS, TEXT))
    assert crash == Crash(7, 3, 30000, 2, COUNTS, TEXT.decode())
    assert (crash.headline, crash.cause_word) == ("ValueError: as scripted", "watchdog")


def test_a_report_without_a_text_says_what_happened():
    assert decode_crash(encode_crash(0, 3, 0, 1, COUNTS, b"\n \n")).headline == (
        "it did not answer, and was started again (watchdog)"
    )
    assert decode_crash(encode_crash(0, 77, 0, 1, COUNTS, b"")).cause_word == "cause 77"


@pytest.mark.parametrize("byte", [bytes([byte]) for byte in range(256) if byte not in b"\n\t\r"])
def test_no_byte_of_a_text_steers_a_terminal(byte: bytes):
    text = decode_crash(encode_crash(1, 1, 1, 1, COUNTS, b"a" + byte + b"b\xc3")).text
    assert text.isprintable() or text == "a\ufffdb\ufffd"
    assert text[0] == "a" and text[-1] == "\ufffd"


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (1, -1), (1, 2**32), (1, True), (1, None), (2, -1), (2, 256), (3, -1), (3, 2**32), (3, "1"), (4, 0), (4, 2**32),
        (5, None), (5, []), (5, [0] * 6), (5, [0] * 8), (5, [0] * 6 + [-1]), (5, [0] * 6 + [2**32]),
        (6, "text"), (6, None), (6, bytes(MAX_TEXT_BYTES + 1)),
    ],
)  # fmt: skip
def test_what_is_out_of_bounds_is_refused(place: int, value: object):
    item: list[object] = [1, 7, 3, 30000, 2, list(COUNTS), TEXT]
    item[place] = value
    with pytest.raises(CrashError):
        decode_crash(cbor2.dumps(item))


def test_another_form_is_refused():
    good = encode_crash(7, 3, 30000, 2, COUNTS, TEXT)
    for size in range(len(good)):
        with pytest.raises(WireError):
            decode_crash(good[:size])
    for bad in (good + b"\x00", cbor2.dumps([1, 7, 3, 30000, 2, list(COUNTS)]), cbor2.dumps(7)):
        with pytest.raises(CrashError):
            decode_crash(bad)
    with pytest.raises(VersionError):
        decode_crash(cbor2.dumps([2, *cbor2.loads(good)[1:]]))


def test_every_count_has_a_name():
    assert len(STARTS) == len(COUNTS)
