"""start.py: which boot it is, how much flash the journal may take, and what the clock starts with."""

import os
import sys

import start
from journal import Counter, Journal
from leaving import boot_reused
from segments import Segments


class Disk:
    """The module os, with a file system of another size."""

    def __init__(self, free_blocks):
        self.free_blocks = free_blocks

    def statvfs(self, path):
        return (4096, 4096, 1000, self.free_blocks, self.free_blocks, 0, 0, 0, 0, 255)


def life(boot, frames):
    journal = Journal(boot, Segments("frames"), 2048)
    for seq in range(1, frames + 1):
        journal.append(seq, bytes(1000), True)
    assert not journal.exposed


def test_every_start_is_another_boot():
    assert [start._boot(0).value for _ in range(3)] == [1, 2, 3]
    assert Counter("boot").value == 3


def test_a_boot_lies_beyond_all_that_are_on_flash():
    life(9, 2)
    found = start._segments(65536)
    assert start._boot(found.boot).value == 10
    assert Counter("boot").value == 10
    assert start._boot(found.boot).value == 11


def _full(self, value):
    raise OSError(28)


def test_lives_that_cannot_store_the_counter_have_boots_of_their_own():
    Counter.store = _full
    boots = [start._boot(4).value for _ in range(8)]
    # By chance two of them are the same in one run of 2000.
    assert len(set(boots)) > 6, boots
    assert all(5 < boot <= 5 + 65536 for boot in boots), boots


def test_a_boot_beyond_a_counter_that_cannot_be_stored_fits_the_wire():
    Counter.store = _full
    assert start._boot(0xFFFFFFF0).value <= 0xFFFFFFFF


class Life:
    """A board in boot 70, of which `boot_reused` is told."""

    def __init__(self):
        self.boot_counter = Counter("boot")
        self.appliance = self.journal = self.sealer = self
        self.boot, self.seq = 70, 3
        self.acked = []
        self.resets = 0

    def ack(self, boot, seq):
        self.acked.append((boot, seq))

    def make_safe(self):
        pass

    def reset(self):
        self.resets += 1


def test_a_later_life_is_gone_beyond_as_soon_as_the_counter_can_be_stored():
    life = Life()
    assert not boot_reused(life, 40_000)
    assert (life.acked, life.resets) == ([(70, 3)], 1)
    assert start._boot(0).value == 40_001


def test_without_flash_only_a_number_that_another_life_used_is_left():
    Counter.store = _full
    life = Life()
    assert boot_reused(life, 40_000)
    assert (life.acked, life.resets) == ([], 0)
    assert not boot_reused(life, 70)
    assert (life.acked, life.resets) == ([(70, 3)], 1)


def test_the_journal_takes_a_third_of_what_is_free_at_most():
    start.os = Disk(90)
    assert start._segments(1 << 20).limit == 30
    assert start._segments(65536).limit == 16
    # What it takes already is not lost to it after a restart.
    life(1, 12)
    taken = Segments("frames").count
    assert taken >= 3
    start.os = Disk(90 - taken)
    assert start._segments(1 << 20).limit == 30


def test_a_board_without_flash_for_frames_leaves_it_alone():
    assert start._segments(0) is None
    assert "frames" not in os.listdir()


def test_a_clock_starts_with_what_the_system_knows():
    assert start._clock({}).source == "system"
    start.port.system_time_s = lambda: None
    assert start._clock({}).source is None
    assert start._clock({"speed": 60, "epoch_ms": 1_700_000_000_000}).source == "system"


class Parts:
    """What start._supervise takes of a board."""

    def __init__(self):
        self.appliance = self.link = self.client = self.clock = self
        self.drivers = {"led": None}
        self.wifi = self.config = None
        self.ntp = None

    def tasks(self):
        return [("appliance", self.run, 20000), ("button", self.run, None)]

    def __getattr__(self, name):
        return lambda *_: None


def test_every_task_that_goes_round_has_a_limit_to_its_silence():
    class Wifi(Parts):
        def __init__(self, *_):
            pass

    sys.modules["wifi"] = type("wifi", (), {"Wifi": Wifi})
    board = Parts()
    board.wifi = {"ssid": "home"}
    start._supervise(board, board, None)
    limits = {watched[0]: watched[2] for watched in board.supervisor._watched}
    assert set(limits) == {"appliance", "button", "mqtt", "link", "led", "wifi", "time"}
    assert [name for name, limit in limits.items() if limit is None] == ["button"], "it waits for a person"


def test_the_watchdog_outlasts_two_name_servers_that_are_silent():
    timeouts = []
    machine = type("machine", (), {"WDT": lambda **settings: timeouts.append(settings["timeout"])})
    start.port.machine = machine
    start.port.watchdog()
    assert timeouts == [30000]
