"""starts.py, crash.py, safe.py: starts that do not last are counted, reports wait on flash, safe mode heats nothing."""

import json
import os
import sys

import board
import cbor
import crash
import machine
import port
import safe
import starts
from mac import Mac0

POWER_ON, HARD, WATCHDOG, SOFT = 1, 2, 3, 5
KEY = bytes(range(32))


class Client:
    """Takes what is published; `fails` after so many."""

    def __init__(self, fails=99):
        self.said = []
        self.fails = fails
        self.between = None

    async def publish(self, topic, payload):
        if len(self.said) == self.fails:
            raise OSError("no connection")
        self.said.append((topic, cbor.loads(Mac0(KEY).open(b"crash", payload))))
        if self.between is not None:
            self.between()


def tell(client):
    finish(crash.say(client, "hg/1/5e0000000009/", Mac0(KEY)))
    return [message for _, message in client.said]


def finish(coroutine):
    """Runs what waits for nothing."""
    for _ in coroutine:
        raise AssertionError


def crashing(text):
    raise ValueError(text)


def fail(text="as scripted"):
    try:
        crashing(text)
    except ValueError as error:
        crash.keep(error)


def test_the_fourth_start_after_three_that_did_not_last_is_safe_mode():
    assert [starts.begin(HARD) for _ in range(4)] == [True, True, True, False]
    # Whatever ends safe mode, the board gets another three.
    assert [starts.begin(SOFT) for _ in range(4)] == [True, True, True, False]


def test_a_start_that_lasted_is_not_counted():
    for _ in range(10):
        assert starts.begin(HARD)
        starts.lasted()


def test_a_power_cycle_is_another_try_and_seen_if_it_came_soon():
    assert [starts.begin(POWER_ON) for _ in range(9)] == [True] * 9
    assert starts.read() == [1, 0, 9, 0, 0, 0, 0, 8]
    starts.lasted()
    starts.begin(POWER_ON)
    assert starts.read()[7] == 8


def test_every_cause_is_counted_also_one_that_nobody_knows():
    for cause in (0, 1, 2, 4, 5, 6, 99, -1):
        starts.begin(cause)
        starts.lasted()
    assert starts.read() == [0, 4, 1, 1, 0, 1, 1, 0]


def test_a_file_that_a_cut_left_behind_counts_as_none():
    starts.begin(HARD)
    for damaged in (b"", b"1 2 3\n", b"1 1 1 1 1 1 1 1", b"1 1 1 1 1 1 1 -1\n", b"x\n", b"\xff" * 128):
        with open("starts", "wb") as file:
            file.write(damaged)
        assert starts.read() == [0] * 8
    assert starts.begin(HARD)
    os.rename("starts", "starts.new")
    assert starts.read() == [1, 0, 0, 1, 0, 0, 0, 0], "the cut came before the name was changed"


def test_a_flash_that_is_full_does_not_keep_a_board_from_starting():
    def full(*_):
        raise OSError(28)

    starts.open = crash.open = full
    assert all(starts.begin(WATCHDOG) for _ in range(9))
    fail()


def test_the_watchdogs_bite_is_reported_by_the_next_start():
    starts.begin(WATCHDOG)
    (report,) = crash.read()
    assert report[3] == 1 and report[4] == [0, 0, 0, 1, 0, 0, 0] and report[5] == b""


def test_a_report_says_what_and_where_and_in_which_boot():
    with open("boot", "wb") as file:
        file.write(b"17\n")
    fail("the text of it")
    ((boot, cause, heap, nth, counts, text),) = crash.read()
    assert (boot, cause, nth, counts) == (17, 1, 1, [0] * 7)
    assert 1000 < heap < 1 << 20
    assert b"starts_cases" in text and text.endswith(b"ValueError: the text of it\n")


def test_the_first_and_the_newest_are_kept():
    for number in range(5):
        fail(f"number {number}")
    first, newest = crash.read()
    assert (first[3], newest[3]) == (1, 5)
    assert b"number 0" in first[5] and b"number 4" in newest[5]


def test_a_report_is_bounded_whatever_the_error_says():
    fail("\u00e9" * 5000)
    fail("x" * 5000)
    assert [len(report[5]) for report in crash.read()] == [700, 700]
    assert os.stat("crash")[6] < 2048
    client = Client()
    tell(client)
    assert all(len(cbor.dumps(message)) < 1000 for _, message in client.said)


def test_what_is_told_is_forgotten():
    fail("a")
    fail("b")
    client = Client()
    said = tell(client)
    assert [topic for topic, _ in client.said] == ["hg/1/5e0000000009/crash"] * 2
    assert [message[0] for message in said] == [1, 1] and [message[4] for message in said] == [1, 2]
    assert crash.read() == [] and "crash" not in os.listdir()
    assert tell(Client()) == []


def test_a_connection_that_ends_loses_no_report():
    fail("a")
    fail("b")
    try:
        tell(Client(fails=1))
    except OSError as error:
        assert error.args[0] == "no connection"
    assert len(crash.read()) == 2
    assert len(tell(Client())) == 2


def test_what_crashes_while_it_is_told_waits_for_the_next_time():
    fail("a")
    fail("b")
    client = Client()

    def again():
        client.between = None
        fail("c")

    client.between = again
    assert len(tell(client)) == 2
    assert [report[3] for report in crash.read()] == [3]
    assert b"ValueError: c" in tell(Client())[0][6]


def test_a_file_of_reports_that_is_damaged_is_thrown_away():
    fail("a")
    with open("crash", "rb") as file:
        whole = file.read()
    for size in range(len(whole)):
        with open("crash", "wb") as file:
            file.write(whole[:size])
        assert crash.read() == []
    for strange in (b"\x01", b"\xf6", b"\x81\x01", b"\x81\x40", b"\x80", b"\x61a"):
        with open("crash", "wb") as file:
            file.write(strange)
        assert crash.read() == []
    assert tell(Client()) == [] and "crash" not in os.listdir()


class Part:
    def __init__(self, settings):
        self.settings = settings
        self.value = 0
        self.set_to = []
        opened.append(self)

    def set(self, value):
        self.value = value
        self.set_to.append(value)


class Timer:
    PERIODIC = "periodic"

    def __init__(self, number):
        timers.append(self)

    def init(self, period, mode, callback):
        self.period, self.mode, self.callback = period, mode, callback


opened: list = []
timers: list = []


def test_safe_mode_holds_the_heater_off_flashes_fast_and_says_why():
    for kind in ("relay", "rgb"):
        sys.modules[kind] = type(kind, (), {"open": Part})
    sys.modules["ds18b20"] = type("ds18b20", (), {"open": lambda settings: 1 / 0})
    safe.machine = type("machine", (), {"Timer": Timer})
    rows = [["ds18b20", "temperature", {}], ["relay", "heater", {"control": 4, "on": 1}], ["rgb", "led", {"data": 8}]]
    with open("board.json", "w") as file:
        json.dump({"parts": rows}, file)
    fail("what was wrong")
    said = []
    safe.print = lambda *words: said.append(" ".join(str(word) for word in words))
    safe.make()
    # Only what is needed is touched.
    assert [part.settings for part in opened] == [{"control": 4, "on": 1}, {"data": 8}]
    assert opened[0].set_to == []
    (timer,) = timers
    shown = []
    for _ in range(16):
        timer.callback(timer)
        shown.append(opened[1].value)
    assert shown == [board.lit(3, number * timer.period) for number in range(16)]
    assert "safe mode" in said[0] and "what was wrong" in said[1]


def test_safe_mode_survives_whatever_board_json_and_the_parts_are():
    sys.modules["relay"] = type("relay", (), {"open": lambda settings: settings["control"]})
    for text in ("", "[]", "{}", '{"parts": null}', '{"parts": [1, [], [1, 2, 3], ["relay", "heater", {}]]}', "\xff"):
        with open("board.json", "w") as file:
            file.write(text)
        safe.make()
    os.remove("board.json")
    safe.make()


def test_a_process_ends_with_its_error_and_a_board_starts_again():
    error = ValueError("as scripted")
    try:
        port.halt(error)
    except ValueError as raised:
        assert raised is error
    resets = []
    port.machine = type("machine", (), {"reset": lambda: resets.append(1), "reset_cause": lambda: WATCHDOG})
    port.time = type("time", (), {"sleep": lambda seconds: None})
    port.halt(error)
    assert resets == [1]
    assert port.reset_cause() == WATCHDOG
    starts.begin(HARD)
    port.halt()
    assert resets == [1] and starts.read()[0] == 0, "a board that waits for a person is no loop"
    assert not hasattr(machine, "reset")
