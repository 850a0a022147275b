"""update.py, slots.py and trial.py on a littlefs with slots, against a gateway that says what the case tells it to."""

import asyncio
import os
import random
import sys

import cbor
import slots
import trial
from link_bench import KEY, Bench
from mac import Mac0
from manifest import check
from update_stage import LAST, MODEL, NUMBER, RUNNING, WANTED, begin, manifest, put, read, rows

FILES = sorted(set(WANTED) | {"manifest.json"})
STARTS, WAITS, STAYS, ON_TRIAL, ROLLED_BACK, REFUSED = 3, 2, 5, 4, 6, 7


async def over(board, most_s=5):
    """Until the update has ended, and what is still to be said is said."""
    for _ in range(most_s * 100):
        await asyncio.sleep_ms(10)
        if board.update is None:
            break
    await asyncio.sleep_ms(20)


async def test_the_other_slot_is_filled_and_started_on_trial():
    board = begin()
    board.appliance.bits = 0b100
    assert board.take(manifest()) is None
    await over(board)
    assert board.said[-1] == [STARTS, NUMBER, ""], board.said
    assert board.appliance.reboot_asked
    assert slots.read() == ["b", NUMBER, 1, 0b100]
    for name, data in WANTED.items():
        assert read("/b/" + name) == data
    assert read("/b/manifest.json") == LAST % b"2"
    assert sorted(os.listdir("/b")) == FILES
    # What the running slot has is copied; of the rest every piece comes once.
    assert board.wants() == [(0, 0), (0, 1024), (3, 0)]
    assert read("/a/changed.mpy") == RUNNING["changed.mpy"]


async def test_what_is_there_already_is_not_fetched_again():
    board = begin()
    put("b", {"changed.mpy": WANTED["changed.mpy"], "stray.mpy": b"old", "fresh.py.new": b"half"}, b"0")
    board.take(manifest())
    await over(board)
    assert board.wants() == [(3, 0)]
    assert sorted(os.listdir("/b")) == FILES


async def test_a_slot_that_changes_is_not_whole_meanwhile():
    board = begin()
    put("b", {}, b"0")
    board.connected = False
    board.take(manifest())
    await asyncio.sleep_ms(100)
    assert read("/b/manifest.json") is None
    assert slots.read()[0] == "a"


async def test_a_piece_that_is_not_what_the_manifest_says_never_gets_in():
    board = begin()
    board.spoil = lambda data: b"x" * len(data)
    board.take(manifest())
    await over(board)
    assert board.said[-1] == [REFUSED, NUMBER, "digest"], board.said
    assert slots.read() == ["a", 0, 0, 0]
    assert read("/b/changed.mpy") is None
    assert not board.appliance.reboot_asked


async def test_it_waits_while_the_appliance_says_so():
    board = begin()
    for why in ("battery", "running", "quiet"):
        board.appliance.why = why
        board.take(manifest())
        await over(board)
        assert board.said[-1] == [WAITS, NUMBER, why]
    assert slots.read()[2] == 0
    assert read("/b/manifest.json") is None


async def test_a_newer_manifest_takes_the_place_of_the_one_that_is_loaded():
    board = begin()
    board.connected = False
    board.take(manifest())
    await asyncio.sleep_ms(50)
    board.connected = True
    assert board.take(manifest(number=NUMBER + 1)) is None
    board.update._event.set()
    await over(board, 12)
    assert slots.read()[:3] == ["b", NUMBER + 1, 1], board.said


async def test_it_says_what_it_has():
    board = begin()
    slots.store(["a", 77, 0, 0])
    assert board.take(cbor.dumps([1, 0])) is None
    await over(board)
    said = board.said[0]
    assert said[:4] == [0, 77, MODEL, "a"], said
    assert len(said[4]) == 32


async def test_who_asks_how_it_went_is_told():
    board = begin()
    for went, said in (
        (0, [STAYS, NUMBER, ""]),
        (2, [ON_TRIAL, NUMBER, "failures"]),
        (-1, [ROLLED_BACK, NUMBER, "starts"]),
        (-2, [ROLLED_BACK, NUMBER, "failures"]),
    ):
        slots.store(["a", NUMBER, went, 0])
        assert board.take(manifest()) == "counter", "it is counted, and told all the same"
        await over(board)
        assert board.said[-1] == said, board.said


def test_what_is_not_for_this_board_is_refused():
    good = rows(WANTED)

    def before(row):
        made = list(good)
        made.insert(0, row)
        return made

    for why, payload in (
        ("model", manifest(vendor=b"somebody")),
        ("model", manifest(model=b"kettle-sim 1")),
        ("counter", manifest(number=NUMBER - 1)),
        ("counter", manifest(number=1 << 40)),
        ("slot", manifest(slot="a")),
        ("slot", manifest(slot="../a")),
        ("form", manifest(made=good[:-1])),
        ("form", manifest(count=3)),
        ("form", manifest(count=65)),
        ("form", manifest(count=0)),
        ("form", manifest() + b"\x00"),
        ("form", manifest()[:-1]),
        ("form", manifest(made=before(["../board.json", 1, bytes(32)]))),
        ("form", manifest(made=before(["main.mpy.new", 1, bytes(32)]))),
        ("form", manifest(made=before(["Main.mpy", 1, bytes(32)]))),
        ("form", manifest(made=before(["main.mpy", 1, bytes(31)]))),
        ("form", manifest(made=before(["main.mpy", None, bytes(32)]))),
        ("size", manifest(made=before(["main.mpy", 300000, bytes(32)]))),
        ("size", manifest(made=before(["main.mpy", -1, bytes(32)]))),
    ):
        try:
            check(payload, MODEL, NUMBER - 1, "a")
        except ValueError as error:
            assert str(error) == why or (why == "form" and "cbor" in str(error)), (why, error)
        else:
            raise AssertionError(why, payload)
    assert check(manifest(), MODEL, NUMBER - 1, "a")[0] == NUMBER


async def test_ten_thousand_forged_and_replayed_manifests_are_refused_and_counted():
    bench = Bench()
    board = begin()
    bench.link.update = board.take
    slots.store(["a", NUMBER - 1, 0, 0])
    mac = Mac0(KEY)
    good = mac.seal(b"update", manifest())
    stranger = Mac0(bytes(32))
    old = [mac.seal(b"update", manifest(number=NUMBER - 1 - n)) for n in range(1, 9)]
    dice = random
    dice.seed(1)
    count = 10000
    for n in range(count):
        kind = n % 8
        forged = bytearray(good)
        if kind < 3:
            forged[dice.randrange(len(forged))] ^= 1 << dice.randrange(8)
        elif kind == 3:
            forged = forged[: dice.randrange(len(forged))]
        elif kind == 4:
            at = dice.randrange(len(forged))
            forged[at:at] = bytes([dice.randrange(256)])
        elif kind == 5:
            forged = mac.seal((b"cmd", b"ack", b"up", b"want")[n // 8 % 4], manifest())
        elif kind == 6:
            forged = stranger.seal(b"update", manifest())
        else:
            # Right in all, but said before: an older firmware does not come back.
            forged = old[n // 8 % len(old)]
        bench.client.say("update", bytes(forged))
        await asyncio.sleep_ms(0)
        board.said.clear()
    assert sum(bench.link.refused.values()) == count, bench.link.refused
    assert bench.link.refused["counter"] == count // 8
    assert board.update is None
    assert slots.read() == ["a", NUMBER - 1, 0, 0]
    bench.client.say("update", good, retained=True)
    assert bench.link.refused["retained"] == 1


def _on_trial(bits=0):
    board = begin()
    os.rename("/a", "/b")
    put("a", RUNNING)
    sys.path[0] = "/b"
    slots.store(["b", NUMBER, 2, bits])
    return board


def test_a_trial_stays_once_sensors_read_and_a_frame_is_stored():
    board = _on_trial(0b10)
    board.connected = False
    assert trial.look(board) and board.appliance.sealed == 1
    board.connected = True
    assert trial.look(board)
    board.seq = board.acked = 1
    board.appliance.bits = 0b11
    assert trial.look(board), "a sensor that read before reads nothing"
    board.appliance.bits = 0b10
    assert not trial.look(board)
    assert slots.read() == ["b", NUMBER, 0, 0b10]
    assert not board.appliance.reboot_asked


def test_a_trial_that_does_not_pass_in_time_goes_back():
    board = _on_trial()
    board.now = 599_000
    assert trial.look(board)
    board.now = 600_000
    assert not trial.look(board)
    assert slots.read() == ["a", NUMBER, -2, 0]
    assert board.appliance.reboot_asked


def test_a_slot_that_does_not_run_passes_no_trial():
    board = _on_trial()
    sys.path[0] = "/a"  # the loader could not count its start
    board.seq = board.acked = 1
    board.now = 600_000
    assert not trial.look(board)
    assert slots.read() == ["b", NUMBER, 2, 0]
    assert not board.appliance.reboot_asked
