"""The loader (firmware/loader/main.py) on a littlefs with slots: which one it starts, and what it counts first."""

import os
import sys

import slots
from update_stage import mount, put, read

for folder in sys.path:
    try:
        with open(folder + "/loader/main.py") as file:
            LOADER = file.read()
    except OSError:
        pass


class Machine:
    """A chip's `machine`: why it started last, and whether the loader reset it."""

    WDT_RESET = 3

    def __init__(self, cause=1):
        self.cause = cause
        self.resets = 0
        self.watchdogs = []

    def reset_cause(self):
        return self.cause

    def reset(self):
        self.resets += 1

    def WDT(self, timeout):  # noqa: N802 - MicroPython's name
        self.watchdogs.append(timeout)


def start(cause=1):
    """One start. What the slot's main said: its slot; and the machine."""
    machine = sys.modules["machine"] = Machine(cause)
    sys.modules.pop("main", None)
    before = list(sys.path)
    try:
        exec(LOADER, {"__name__": "__main__"})
    finally:
        sys.path[:] = before
    return Started.slot, machine


class Started:
    """What the slots' main says."""

    slot = None


def board(a="ok", b="ok"):
    mount()
    sys.modules["started"] = Started
    for slot, kind in (("a", a), ("b", b)):
        if kind is not None:
            code = "import started\nstarted.slot = " + repr(slot) + "\n"
            put(slot, {"main.py": code + ("raise ValueError('broken')\n" if kind == "broken" else "")})


def test_without_a_choice_the_first_slot_is_started():
    board(b=None)
    assert start()[0] == "a"
    assert read("/slot") is None


def test_the_choice_is_started_and_nothing_is_written():
    board()
    slots.store(["b", 5, 0, 0])
    slot, machine = start()
    assert slot == "b" and machine.watchdogs == []
    assert slots.read() == ["b", 5, 0, 0]


def test_a_trial_is_counted_before_it_is_started_and_ends_after_two():
    board()
    slots.store(["b", 5, 1, 0])
    for went in (2, 3):
        slot, machine = start()
        assert slot == "b" and machine.watchdogs == [60000]
        assert slots.read() == ["b", 5, went, 0]
    slot, machine = start()
    assert slot == "a" and machine.watchdogs == []
    assert slots.read() == ["a", 5, -1, 0]
    assert start()[0] == "a"


def test_a_bite_of_the_watchdog_ends_a_trial_at_once():
    board()
    slots.store(["b", 5, 1, 0])
    # Its first start: the bite was in the firmware before.
    assert start(Machine.WDT_RESET)[0] == "b"
    assert start(Machine.WDT_RESET)[0] == "a"
    assert slots.read() == ["a", 5, -1, 0]


def test_firmware_that_breaks_at_once_is_reset_on_trial_and_says_so_else():
    board(b="broken")
    slots.store(["b", 5, 1, 0])
    assert start()[1].resets == 1
    assert start()[1].resets == 1
    slot, machine = start()
    assert slot == "a" and machine.resets == 0
    slots.store(["b", 5, 0, 0])
    try:
        start()
    except ValueError:
        return
    raise AssertionError("a slot that is not on trial was hidden")


def test_a_slot_that_is_not_whole_gives_way_to_the_other():
    board()
    slots.store(["b", 5, 0, 0])
    os.remove("/b/manifest.json")
    assert start()[0] == "a"
    os.remove("/a/manifest.json")
    Started.slot = None
    assert start()[0] is None


def test_a_choice_that_makes_no_sense_is_the_first_slot():
    board()
    for line in (b"", b"b", b"b 5", b"b 5 x 0\n", b"\xff\xfe\n", b"../c 5 0 0\n"):
        with open("/slot", "wb") as file:
            file.write(line)
        slot, _ = start()
        assert slot in ("a", "b"), line


def test_a_start_that_cannot_be_counted_is_none_of_the_trial():
    board()
    slots.store(["b", 5, 1, 0])
    os.mkdir("/slot.new")  # no file can be written there
    assert start()[0] == "a"
    assert slots.read() == ["b", 5, 1, 0]
