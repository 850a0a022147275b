"""From a message to what may be stored: each kind of bad input has its reason, and none of them raises or grows."""

from __future__ import annotations

import tracemalloc
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.app.examine import Weight, examine, weigh
from gateway.store import dead, frames
from gateway.store.dead import DeadLetter
from gateway.store.devices import Device
from gateway.store.frames import SealedBirth, SealedFrame, StateChange
from gateway.store.retention import used_bytes
from gateway.wire import topics
from gateway.wire.cose import MAX_MESSAGE_BYTES, seal
from gateway.wire.frame import decode
from tools import vectors

VECTORS = vectors.load()
KEY = bytes.fromhex(VECTORS["key"])
FRIDGE, GONE = "a0b1c2d3e4f5", "00000000dead"
DEVICES = {
    FRIDGE: Device(1, FRIDGE, "Fridge", KEY, revoked=False, online=True, seen_ms=None),
    GONE: Device(2, GONE, "Sold", KEY, revoked=True, online=False, seen_ms=None),
}
NOW_MS = 1_780_000_000_000
FRAME = bytes.fromhex(next(v["payload"] for v in VECTORS["frames"] if v["name"] == "plain"))
BIRTH = bytes.fromhex(next(v["payload"] for v in VECTORS["births"] if v["name"] == "fridge"))


def look(topic: str, message: bytes) -> frames.Incoming:
    return examine(topic, message, DEVICES, NOW_MS)


def sealed(what: str, payload: bytes, key: bytes = KEY, device: str = FRIDGE) -> frames.Incoming:
    return look(f"hg/1/{device}/{what}", seal(key, what, payload))


def reason(item: frames.Incoming) -> str:
    assert isinstance(item, DeadLetter), item
    assert item.received_ms == NOW_MS
    assert item.detail
    return item.reason


class TestWhatIsRight:
    def test_a_frame(self):
        item = sealed("up", FRAME)
        assert isinstance(item, SealedFrame)
        assert (item.device_id, item.boot, item.seq, item.received_ms, item.why) == (1, 7, 42, NOW_MS, None)
        assert item.frame is not None
        assert item.sealed == seal(KEY, "up", FRAME)

    def test_a_birth(self):
        item = sealed("birth", BIRTH)
        assert isinstance(item, SealedBirth)
        assert (item.device_id, item.birth.boot, item.payload) == (1, 7, BIRTH)

    @pytest.mark.parametrize("online", [0, 1])
    def test_a_state(self, online: int):
        assert sealed("state", cbor2.dumps([1, 7, online])) == StateChange(1, 7, bool(online), NOW_MS)


class TestWhatIsWrong:
    @pytest.mark.parametrize(
        "topic",
        ["", "hg/1", f"hg/1/{FRIDGE}", f"hg/1/{FRIDGE}/ack", f"hg/1/{FRIDGE}/cmd", f"hg/2/{FRIDGE}/up",
         f"hg/1/{FRIDGE}/up/", f"hg/1/{FRIDGE}/up\n", f"/hg/1/{FRIDGE}/up", f"hg/1/{FRIDGE.upper()}/up",
         "hg/1/fridge/up",
         f"hg/1/{FRIDGE[:-1]}/up", f"hg/1/{FRIDGE}/UP", "hg/1/+/up", "\0", "hg/1/٠٠٠٠٠٠٠٠٠٠٠٠/up", "x" * 65_535],
    )  # fmt: skip
    def test_a_topic_that_is_not_a_boards(self, topic: str):
        assert reason(look(topic, seal(KEY, "up", FRAME))) == "unknown_topic"

    def test_an_unknown_device_is_told_how_it_is_enrolled(self):
        item = sealed("up", FRAME, device="ffffffffffff")
        assert reason(item) == "unknown_device"
        assert "hearthgate devices add ffffffffffff" in item.detail

    def test_a_revoked_device(self):
        assert reason(sealed("up", FRAME, device=GONE)) == "revoked_device"

    @pytest.mark.parametrize("what", topics.UP)
    def test_a_wrong_key(self, what: str):
        assert reason(sealed(what, FRAME, key=bytes(32))) == "bad_mac"

    @pytest.mark.parametrize("what", topics.UP)
    def test_a_message_of_another_role(self, what: str):
        for other in {"birth", "up", "state", "ack", "cmd"} - {what}:
            assert reason(look(f"hg/1/{FRIDGE}/{what}", seal(KEY, other, FRAME))) == "bad_mac"

    @pytest.mark.parametrize("message", [b"", b"\0", FRAME, b"online", b'{"temperature": 5}', b"\xff" * 400])
    def test_no_mac(self, message: bytes):
        for what in topics.UP:
            assert reason(look(f"hg/1/{FRIDGE}/{what}", message)) == "bad_mac"

    @pytest.mark.parametrize("size", [MAX_MESSAGE_BYTES + 1, 1_000_000])
    def test_a_message_too_large(self, size: int):
        assert reason(look(f"hg/1/{FRIDGE}/up", bytes(size))) == "too_large"
        assert reason(sealed("up", FRAME + bytes(size))) == "too_large"

    @pytest.mark.parametrize(
        "vector", [pytest.param(v, id=v["name"]) for v in VECTORS["refused"] if v["role"] in topics.UP]
    )
    def test_a_right_mac_around_what_must_be_refused(self, vector: dict[str, Any]):
        item = sealed(vector["role"], bytes.fromhex(vector["payload"]))
        if isinstance(item, SealedFrame):
            # Its boot and seq could be read: it is set aside under them, and acked.
            assert item.frame is None
            assert item.why is not None
            assert item.why[0] == vector["reason"]
        else:
            assert reason(item) == vector["reason"]

    def test_2_to_the_60_rows(self):
        item = sealed("up", b"".join(map(cbor2.dumps, [1, 7, 42, None, 0, 1000, 2**60, bytes(1000)])))
        assert isinstance(item, SealedFrame)
        assert (item.boot, item.seq, item.frame) == (7, 42, None)
        assert item.why is not None
        assert "4096" in item.why[1]

    @pytest.mark.parametrize("tail", [b"", b"\xff", b"\xf9\x3c\x00", b"\x9f\xff", b"\x81" * 5000, b"\xc2\x59\xff\xff"])
    def test_a_frame_whose_number_can_be_read_is_named_though_the_rest_is_poison(self, tail: bytes):
        item = sealed("up", b"\x01\x07\x18\x2a" + tail)
        assert isinstance(item, SealedFrame)
        assert (item.boot, item.seq, item.frame) == (7, 42, None)

    @pytest.mark.parametrize(
        "head", [b"\x01", b"\x01\x07", b"\x01\x00\x01", b"\x01\x07\x00", b"\x01\x07\x1b" + b"\xff" * 8]
    )
    def test_a_frame_without_a_number_is_a_dead_letter(self, head: bytes):
        assert reason(sealed("up", head)) == "bad_frame"

    def test_a_later_version_is_not_acked_for_a_number_that_it_may_not_hold_there(self):
        assert reason(sealed("up", b"\x02" + FRAME[1:])) == "wrong_version"


class TestWeight:
    """What hastens a commit: nothing of a stranger's."""

    @pytest.mark.parametrize("vector", [pytest.param(v, id=v["name"]) for v in VECTORS["frames"]])
    def test_events_are_urgent_and_other_frames_are_not(self, vector: dict[str, Any]):
        payload = bytes.fromhex(vector["payload"])
        wanted = Weight.URGENT if decode(payload).events else Weight.SERIES
        assert weigh(DEVICES[FRIDGE], "up", seal(KEY, "up", payload)) is wanted

    def test_a_board_that_comes_or_goes_is_urgent(self):
        for what, payload in (("birth", BIRTH), ("state", b"\x83\x01\x07\x01")):
            assert weigh(DEVICES[FRIDGE], what, seal(KEY, what, payload)) is Weight.URGENT

    @pytest.mark.parametrize(
        "message", [b"", seal(bytes(32), "up", FRAME), seal(KEY, "birth", FRAME), bytes(1_000_000)]
    )
    def test_a_stranger_weighs_nothing(self, message: bytes):
        assert weigh(DEVICES[FRIDGE], "up", message) is Weight.STRAY

    def test_what_cannot_be_read_hastens_nothing(self):
        for payload in (b"", b"\xff", b"\x9f", b"\x81" * 100):
            assert weigh(DEVICES[FRIDGE], "up", seal(KEY, "up", payload)) is not Weight.URGENT


class TestInTheStore:
    """The same, through a commit: nothing is stored, nothing stops."""

    def test_one_of_each_and_a_good_frame_last(self, household: Any, board: Any):
        good = board.rows(1, [[320, 0, 1800]])
        changed = board.birth(name="Other")
        done = household.receive(
            board.birth(),
            ("hg/1/ffffffffffff/up", good[1]),
            (good[0], good[1][:-1]),
            (good[0], bytes(1_000_000)),
            board.say("up", b"\x02\x01\x01"),
            board.say("up", b"\xff"),
            changed,
            good,
            good,
        )
        assert (done.stored, done.duplicates, done.dead) == (1, 1, 6)
        assert sorted(reason for reason, _ in household.dead()) == [
            "bad_frame", "bad_mac", "birth_changed", "too_large", "unknown_device", "wrong_version",
        ]  # fmt: skip

    def test_a_flood_of_junk_does_not_grow_memory(self, household: Any, board: Any, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(dead, "MAX_DEAD_LETTERS", 100)

        def flood(start: int) -> None:
            for i in range(start, start + 40):
                household.receive(*[(f"hg/1/{FRIDGE}/up", b"junk" * 5000 + bytes((i, j))) for j in range(20)])

        flood(0)
        tracemalloc.start()
        flood(40)
        before, _ = tracemalloc.get_traced_memory()
        flood(80)
        after, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert after - before < 200_000
        assert household.count("dead_letter") == 100
        assert used_bytes(household.db) < 2_000_000


json_like = st.recursive(
    st.none()
    | st.booleans()
    | st.floats()
    | st.integers(-(2**70), 2**70)
    | st.binary(max_size=20)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.integers(), inner, max_size=3),
    max_leaves=12,
)


@given(st.text() | st.sampled_from([f"hg/1/{FRIDGE}/{what}" for what in topics.UP]), st.binary(max_size=300))
def test_random_messages_never_raise(topic: str, message: bytes):
    assert isinstance(look(topic, message), DeadLetter)


@given(st.sampled_from(topics.UP), st.binary(max_size=300))
def test_random_payloads_under_a_right_mac_never_raise(what: str, payload: bytes):
    sealed(what, payload)
    assert weigh(DEVICES[FRIDGE], what, seal(KEY, what, payload)) in Weight


@given(st.sampled_from(topics.UP), st.lists(json_like, max_size=9))
def test_any_cbor_under_a_right_mac_never_raises(what: str, items: list[Any]):
    sealed(what, cbor2.dumps(items))
    sealed(what, b"".join(map(cbor2.dumps, items)))
    sealed(what, b"".join(map(cbor2.dumps, [1, 7, 42, *items])))
    sealed(what, cbor2.dumps([1, *items]))


@given(st.data())
def test_a_changed_message_is_refused_and_a_changed_payload_never_raises(data: st.DataObject):
    what, payload = data.draw(st.sampled_from([("up", FRAME), ("birth", BIRTH), ("state", b"\x83\x01\x07\x01")]))
    changed = bytearray(payload)
    for place in data.draw(st.lists(st.integers(0, len(payload) - 1), min_size=1, max_size=4)):
        changed[place] = data.draw(st.integers(0, 255))
    sealed(what, bytes(changed))
    message = bytearray(seal(KEY, what, payload))
    place = data.draw(st.integers(0, 8 * len(message) - 1))
    message[place >> 3] ^= 1 << (place & 7)
    assert reason(look(f"hg/1/{FRIDGE}/{what}", bytes(message))) == "bad_mac"
