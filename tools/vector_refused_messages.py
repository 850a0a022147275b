"""The births, states, crashes, acks that a reader must refuse though their MAC is right, and other envelopes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import cbor2

from tools.vector_messages import messages
from tools.vector_refused import BAD_FRAME, WRONG_VERSION, Refused, Row

__all__ = ["refused_envelopes", "refused_messages"]

BAD_BIRTH, BAD_CRASH, BAD_MAC = "bad_birth", "bad_crash", "bad_mac"


def refused_messages() -> Iterator[Refused]:
    """Every payload that is not a frame and must be refused."""
    for role, rows in (("birth", _births()), ("state", _states()), ("crash", _crashes()), ("ack", _acks())):
        for name, why, reason, data in rows:
            yield Refused(f"{role}_{name}", why, role, reason, data)


def _births() -> Iterator[Row]:
    good = next(m.items for m in messages() if m.name == "smallest")
    channel = good[6][0]

    def birth(index: int, value: Any) -> bytes:
        return cbor2.dumps([value if i == index else item for i, item in enumerate(good)])

    yield "empty", "no byte at all", BAD_BIRTH, b""
    yield "sequence", "a birth is an array", BAD_BIRTH, cbor2.dumps(good)[1:]
    yield "version_2", "not our version", WRONG_VERSION, birth(0, 2)
    yield "version_true", "true is not 1", BAD_BIRTH, birth(0, value=True)
    yield "short", "an item is missing", BAD_BIRTH, cbor2.dumps(good[:-1])
    yield "long", "an item too many", BAD_BIRTH, cbor2.dumps([*good, 0])
    yield "byte_after", "a byte after the end", BAD_BIRTH, cbor2.dumps(good) + b"\0"
    fields: tuple[tuple[int, Any, str], ...] = (
        (1, 0, "boot"), (1, True, "boot"), (2, "Fridge", "kind"), (2, "", "kind"), (2, "k" * 33, "kind"),
        (3, "", "model"), (4, "line\nbreak", "firmware"), (5, "n" * 65, "name"), (5, b"n", "name"), (5, 3, "name"),
        (6, [], "channels"), (6, [[f"c{i}", "/", 1, 1, 3, "use"] for i in range(65)], "channels"),
        (6, [[f"c{i}", "/", 1, 1, 0, "use"] for i in range(33)], "channels"), (6, [channel, channel], "channels"),
        (6, {}, "channels"), (6, [channel[:-1]], "channels"), (6, [dict(enumerate(channel))], "channels"),
    )  # fmt: skip
    for index, value, what in fields:
        name = f"{what}_{cbor2.dumps(value).hex()[:12]}"
        yield name, f"{what} is not what it must be", BAD_BIRTH, birth(index, value)
    for index, value in (
        (0, "Beats"), (0, "1beat"), (0, ""), (0, 1), (1, ""), (1, "u" * 65), (2, 0), (2, -1), (2, 10**9 + 1), (3, 0),
        (3, True), (4, 4), (4, -1), (4, None), (5, "Use"), (5, 7), (5, "-use"), (5, "my use"),
    ):  # fmt: skip
        broken = [value if i == index else item for i, item in enumerate(channel)]
        name = f"channel_{index}_{cbor2.dumps(value).hex()[:12]}"
        yield name, "a field of a channel is not what it must be", BAD_BIRTH, birth(6, [broken])
    not_utf8 = cbor2.dumps(good).replace(b"am", b"a\xff", 1)
    yield "not_utf8", "text that is not UTF-8", BAD_BIRTH, not_utf8


def _states() -> Iterator[Row]:
    for name, item, reason in (
        ("version", [2, 7, 1], WRONG_VERSION), ("true", [1, 7, True], BAD_FRAME), ("three", [1, 7, 3], BAD_FRAME),
        ("boot", [1, 0, 1], BAD_FRAME), ("boot_true", [1, True, 1], BAD_FRAME), ("short", [1, 7], BAD_FRAME),
        ("long", [1, 7, 1, 0], BAD_FRAME), ("number", 1, BAD_FRAME), ("float", [1, 7, 1.0], BAD_FRAME),
        ("version_float", [1.0, 7, 1], BAD_FRAME), ("kept_odd", [1, 7, 1, [4]], BAD_FRAME),
        ("kept_offline", [1, 7, 0, [4, 0]], BAD_FRAME), ("kept_empty", [1, 7, 1, []], BAD_FRAME),
        ("kept_nothing", [1, 7, 1, [0, 0]], BAD_FRAME), ("kept_nothing_after", [1, 7, 1, [4, 0, 0, 0]], BAD_FRAME),
        ("kept_sent_unmeasured", [1, 7, 1, [4, 2]], BAD_FRAME), ("kept_wide", [1, 7, 1, [2**30, 0]], BAD_FRAME),
        ("kept_true", [1, 7, 1, [True, 0]], BAD_FRAME), ("kept_negative", [1, 7, 1, [-1, 0]], BAD_FRAME),
        ("kept_four_pairs", [1, 7, 1, [1, 0] * 4], BAD_FRAME), ("kept_number", [1, 7, 1, 4], BAD_FRAME),
        ("kept_channel_64", [1, 7, 1, [0, 0, 0, 0, 16, 0]], BAD_FRAME),
    ):  # fmt: skip
        yield name, "not [1, boot, 0 to 2, a list of pairs]", reason, cbor2.dumps(item)


def _crashes() -> Iterator[Row]:
    good = next(m.items for m in messages() if m.name == "crash")
    starts = good[5]
    yield "empty", "no byte at all", BAD_CRASH, b""
    yield "number", "no array", BAD_CRASH, b"\x01"
    yield "byte_after", "a byte after the end", BAD_CRASH, cbor2.dumps(good) + b"\0"
    yield "short", "no text", BAD_CRASH, cbor2.dumps(good[:-1])
    yield "long", "an item too many", BAD_CRASH, cbor2.dumps([*good, 0])
    for name, why, reason, index, value in (
        ("version_2", "not our version", WRONG_VERSION, 0, 2),
        ("version_true", "true is not 1", BAD_CRASH, 0, True),
        ("boot_negative", "boot is out of range", BAD_CRASH, 1, -1),
        ("boot_large", "boot is out of range", BAD_CRASH, 1, 2**32),
        ("boot_true", "true is not 1", BAD_CRASH, 1, True),
        ("cause_256", "cause is out of range", BAD_CRASH, 2, 256),
        ("cause_text", "cause is not a number", BAD_CRASH, 2, "watchdog"),
        ("heap_negative", "heap is out of range", BAD_CRASH, 3, -1),
        ("nth_0", "the first that was noted is 1", BAD_CRASH, 4, 0),
        ("starts_6", "a cause is missing", BAD_CRASH, 5, starts[:-1]),
        ("starts_8", "a cause too many", BAD_CRASH, 5, [*starts, 0]),
        ("starts_negative", "a count is out of range", BAD_CRASH, 5, [-1, *starts[1:]]),
        ("starts_number", "a number in place of counts", BAD_CRASH, 5, 9),
        ("text_text", "the text is bytes", BAD_CRASH, 6, "ValueError"),
        ("text_null", "no text is empty bytes", BAD_CRASH, 6, None),
        ("text_701", "the text is too long", BAD_CRASH, 6, b"x" * 701),
    ):
        yield name, why, reason, cbor2.dumps([value if i == index else item for i, item in enumerate(good)])


def _acks() -> Iterator[Row]:
    now = 1_780_000_000
    yield "version", "not our version", WRONG_VERSION, cbor2.dumps([2, now, 1, [7, 42]])
    for name, why, items in (
        ("without_boots", "an ack of nothing", [now, 1]),
        ("without_wait", "no wait_s", [now, [7, 42]]),
        ("without_numbers", "the form before time_s and wait_s", [[7, 42]]),
        ("version_alone", "nothing but a version", []),
        ("wait_601", "wait_s is out of range", [now, 601, [7, 42]]),
        ("wait_negative", "wait_s is out of range", [now, -1, [7, 42]]),
        ("wait_true", "true is not 1", [now, True, [7, 42]]),
        ("wait_null", "wait_s is missing", [now, None, [7, 42]]),
        ("wait_float", "wait_s is not whole", [now, 0.5, [7, 42]]),
        ("time_negative", "time_s is out of range", [-1, 1, [7, 42]]),
        ("time_large", "time_s is out of range", [2**36 + 1, 1, [7, 42]]),
        ("time_null", "time_s is missing", [None, 1, [7, 42]]),
        ("time_text", "time_s is not a number", ["now", 1, [7, 42]]),
        ("boots_9", "one boot too many", [now, 1, *([9 - i, 1] for i in range(9))]),
        ("boot_0", "no boot has this number", [now, 1, [0, 1]]),
        ("boot_large", "no boot has this number", [now, 1, [2**32, 1]]),
        ("boot_true", "true is not 1", [now, 1, [True, 1]]),
        ("seq_negative", "seq is out of range", [now, 1, [7, -1]]),
        ("seq_large", "seq is out of range", [now, 1, [7, 2**32]]),
        ("seq_null", "seq is missing", [now, 1, [7, None]]),
        ("mark_short", "a boot without a seq", [now, 1, [7]]),
        ("mark_long", "three numbers in a mark", [now, 1, [7, 42, 1]]),
        ("mark_number", "a number in place of a mark", [now, 1, 7]),
        ("mark_second", "the second mark is wrong", [now, 1, [7, 42], [8, "x"]]),
    ):
        yield name, why, BAD_FRAME, cbor2.dumps([1, *items])
    yield "number", "no array", BAD_FRAME, b"\x01"
    yield "byte_after", "a byte after the end", BAD_FRAME, cbor2.dumps([1, now, 1, [7, 42]]) + b"\0"


def refused_envelopes(message: bytes, payload: bytes) -> Iterator[Refused]:
    """Envelopes in the role `up` that are not ours, made from the right one of `payload`."""
    tag, n = message[-8:], len(payload)
    start, string, end = message[:6], message[6:-9], message[-9:]
    for name, why, data in (
        ("empty", "no byte at all", b""),
        ("bare", "a payload without an envelope", payload),
        ("tagged", "tag 17 before it", b"\xd1" + message),
        ("byte_after", "a byte after the end", message + b"\0"),
        ("mac_wrong", "another MAC", message[:-1] + bytes((message[-1] ^ 1,))),
        ("mac_none", "an empty MAC", message[:-9] + b"\x40"),
        ("mac_seven", "a MAC of seven bytes", message[:-9] + b"\x47" + tag[:7]),
        ("mac_sixteen", "a MAC of 16 bytes", message[:-9] + b"\x50" + tag + bytes(8)),
        ("mac_text", "the MAC as text", message[:-9] + b"\x68" + tag),
        ("three_items", "without the unprotected header", b"\x83\x43\xa1\x01\x04" + string + b"\x48" + tag),
        ("algorithm_5", "another algorithm", message[:4] + b"\x05" + message[5:]),
        ("algorithm_unprotected", "the algorithm unprotected", b"\x84\x40\xa1\x01\x04" + message[6:]),
        ("key_id", "an unprotected header", message[:5] + b"\xa1\x04\x41\x31" + message[6:]),
        ("detached", "no payload", start + b"\xf6\x48" + tag),
        ("payload_text", "the payload as text", start + bytes((0x60 + n,)) + payload + end),
        ("length_of_one_byte", "a length that is not in its shortest form", start + bytes((0x58, n)) + payload + end),
        ("length_of_two_bytes", "the same in two bytes", start + bytes((0x59, 0, n)) + payload + end),
        ("length_of_four_bytes", "the same in four bytes", start + bytes((0x5A, 0, 0, 0, n)) + payload + end),
        ("payload_in_chunks", "a payload of unknown length", start + b"\x5f" + string + b"\xff" + end),
        ("array_of_unknown_length", "the array of unknown length", b"\x9f" + message[1:] + b"\xff"),
    ):
        yield Refused(f"envelope_{name}", why, "up", BAD_MAC, data)
    for size in range(1, len(message)):
        yield Refused(f"envelope_cut_{size:02}", f"cut after {size} bytes", "up", BAD_MAC, message[:size])
