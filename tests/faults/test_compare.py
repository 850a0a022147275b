from typing import Any

from tools.chaos_compare import at_cloud, at_store, unheard
from tools.chaos_times import Stored
from tools.chaos_witness import Witness, read

DEVICE = "5e0000000001"


def witness(*lines: str) -> dict[str, Witness]:
    return {DEVICE: read(line + "\n" for line in lines)}


def row(boot: int, seq: int, crc: int, start_ms: int | None = 1000, **fields: Any) -> Stored:
    end_ms = fields.pop("end_ms", start_ms)
    return Stored(DEVICE, boot, seq, crc, start_ms, end_ms, fields.pop("is_series", True), **fields)


def test_all_is_well():
    verdict = at_store(witness("s 1 1 10", "s 1 2 20", "p 1 2"), [row(1, 1, 10, 1000), row(1, 2, 20, 2000)])
    assert (verdict.accepted, verdict.stored, verdict.volatile) == (2, 2, 0)
    assert not (verdict.lost or verdict.doubled or verdict.reordered)


def test_lost_names_board_boot_and_seq_and_which_promise():
    verdict = at_store(witness("s 3 1 10", "s 3 2 20", "s 3 3 30", "a 3 1", "p 3 2"), [])
    assert verdict.lost == [
        f"board {DEVICE}, boot 3, seq 1 was acked and is not in the store",
        f"board {DEVICE}, boot 3, seq 2 was on the board's flash and is not in the store",
    ]
    assert verdict.volatile == 1


def test_what_was_never_promised_may_be_stored_all_the_same():
    verdict = at_store(witness("s 1 1 10"), [row(1, 1, 10)])
    assert (verdict.accepted, verdict.stored, verdict.volatile) == (0, 1, 0)


def test_a_durable_board_loses_only_the_frame_that_the_power_cut_struck():
    lines = witness("s 1 1 10", "p 1 1", "s 1 2 20", "s 1 3 30", "s 2 1 40")
    verdict = at_store(lines, [row(1, 1, 10)], durable={DEVICE})
    assert verdict.volatile == 3
    assert verdict.lost == [
        f"board {DEVICE}, boot 1, seq 2 is of a durable board, was not put on flash and is not in the store"
    ]


def test_a_gap_does_not_excuse_a_loss():
    said = row(2, 1, 5, None, end_ms=None, is_series=False, gap=(1, 1, 9))
    verdict = at_store(witness("s 1 1 10", "p 1 1", "s 2 1 5"), [said])
    assert len(verdict.lost) == 1
    assert "says that the board no longer holds it" in verdict.lost[0]
    assert verdict.gaps == 1


def test_what_a_small_board_gave_up_and_said_is_no_loss():
    said = row(2, 1, 5, None, end_ms=None, is_series=False, gap=(1, 1, 2))
    lines = witness("s 1 1 10", "s 1 2 11", "s 1 3 12", "p 1 3", "s 2 1 5", "d 2 3")
    verdict = at_store(lines, [said], small={DEVICE})
    assert verdict.dropped == 2
    assert verdict.lost == [f"board {DEVICE}, boot 1, seq 3 was on the board's flash and is not in the store"]


def test_a_small_board_gave_up_no_more_than_it_counted():
    said = row(2, 1, 5, None, end_ms=None, is_series=False, gap=(1, 1, 3))
    lines = ("s 1 1 10", "s 1 2 11", "s 1 3 12", "p 1 3", "s 2 1 5")
    verdict = at_store(witness(*lines), [said], small={DEVICE})
    assert (verdict.dropped, len(verdict.lost)) == (0, 3)
    verdict = at_store(witness(*lines, "d 1 1", "d 2 1"), [said], small={DEVICE})
    assert verdict.dropped == 2
    assert verdict.lost == [
        f"board {DEVICE}, boot 1, seq 3 was on the board's flash and is not in the store "
        f"(board {DEVICE}, boot 2, seq 1 says that the board no longer holds it, one more than it counted)"
    ]


def test_what_was_acked_before_it_was_said_to_be_gone_is_lost_by_the_gateway():
    said = row(2, 1, 5, None, end_ms=None, is_series=False, gap=(1, 1, 2))
    for acked_first, lost in (
        (("s 1 1 10", "s 1 2 11", "p 1 2", "a 1 1", "s 2 1 5", "a 1 2"), ["seq 1 was acked"]),
        (("s 1 1 10", "s 1 2 11", "p 1 2", "s 2 1 5", "a 1 2"), []),
    ):
        verdict = at_store(witness(*acked_first, "d 2 9"), [said], small={DEVICE})
        assert verdict.dropped == 2 - len(lost)
        assert [sentence.split(", ", 2)[2].split(" and")[0] for sentence in verdict.lost] == lost


def test_an_account_that_nobody_can_read_is_no_account():
    assert unheard(witness("s 1 1 10", "p 1 1", "???"), {DEVICE: 1}) == []
    assert unheard(witness("s 1 1 10", "p 1 1", "???", "s one"), {DEVICE: 1}) == [
        f"of what board {DEVICE} promised in 1 lives 2 lines are unread"
    ]
    assert unheard(witness("s 1 1 10"), {DEVICE: 1}) == [
        f"board {DEVICE} promised nothing, so nothing that it lost could be seen"
    ]


def test_doubled_rows_other_bytes_and_reused_numbers():
    rows = [row(1, 1, 10), row(1, 1, 10), row(1, 2, 99, 2000)]
    verdict = at_store(witness("s 1 1 10", "s 1 2 20", "s 1 3 30", "s 1 3 31"), rows, [(DEVICE, 1, 3)])
    assert verdict.doubled == [
        f"board {DEVICE}, boot 1, seq 3 was sealed as two frames",
        f"board {DEVICE}, boot 1, seq 1 is in the store 2 times",
        f"board {DEVICE}, boot 1, seq 2 is in the store with bytes that the board did not seal",
        f"board {DEVICE}, boot 1, seq 3 came with other bytes than stored",
    ]


def test_order_and_missing_times_are_part_of_it():
    rows = [row(1, 1, 1, 1000, end_ms=2500), row(1, 2, 2, 2000), row(1, 3, 3, None)]
    verdict = at_store(witness("s 1 1 1", "s 1 2 2", "s 1 3 3"), rows)
    assert verdict.reordered == [f"board {DEVICE}, boot 1, seq 2 begins 500 ms before the last row of boot 1, seq 1"]
    assert verdict.timeless == 1
    assert verdict.untimed == [
        f"board {DEVICE}, boot 1, seq 3 has no time, though its boot has one and nothing before it is missing"
    ]


def body(event_id: str, values: list[float], **fields: Any) -> dict[str, Any]:
    return {
        "id": event_id,
        "source": "urn:hearthgate:device:abc",
        "subject": "fridge_temp",
        "time": "2026-01-01T00:00:00Z",
        "data": {"values": values, "step_ms": 500},
        **fields,
    }


AT_MS = 1_767_225_600_000
READINGS = {
    ("abc", "fridge_temp", AT_MS, 4.5): ["board 1, boot 1, seq 1"],
    ("abc", "fridge_temp", AT_MS + 500, 4.0): ["board 1, boot 1, seq 2"],
}


def test_the_cloud_has_everything_once():
    verdict = at_cloud(READINGS, [body("one", [4.5, 4.0])])
    assert (verdict.expected, verdict.lost, verdict.doubled, verdict.sentences) == (2, 0, 0, [])


def test_lost_to_the_cloud():
    verdict = at_cloud(READINGS, [body("one", [4.5])])
    assert (verdict.lost, verdict.doubled) == (1, 0)
    assert verdict.sentences == [
        "board 1, boot 1, seq 2: 1 readings are in the store and never reached the cloud, "
        f"first fridge_temp = 4 at {AT_MS + 500} ms of abc"
    ]


def test_two_events_about_one_reading():
    verdict = at_cloud(READINGS, [body("one", [4.5, 4.0]), body("two", [4.5])])
    assert (verdict.lost, verdict.doubled) == (0, 1)
    assert "board 1, boot 1, seq 1: of event one and two 1 readings are too many" in verdict.sentences[0]


def test_a_reading_with_another_time_is_lost_and_doubled():
    verdict = at_cloud(READINGS, [body("one", [4.5, 4.0], time="2026-01-01T00:00:01.250Z")])
    assert (verdict.lost, verdict.doubled) == (2, 2)
    assert "no stored frame: of event one" in verdict.sentences[-1]


def test_one_event_is_one_reading():
    door = {**body("e", []), "subject": "door_event", "data": {"value": 1}}
    verdict = at_cloud({("abc", "door_event", AT_MS, 1.0): ["board 1, boot 1, seq 1"]}, [door])
    assert (verdict.lost, verdict.doubled) == (0, 0)


def test_two_frames_may_say_the_same():
    same = {reading: [*origins, "board 1, boot 1, seq 3"] for reading, origins in READINGS.items()}
    assert at_cloud(same, [body("one", [4.5, 4.0])]).lost == 2
    assert at_cloud(same, [body("one", [4.5, 4.0]), body("two", [4.5, 4.0])]).lost == 0
