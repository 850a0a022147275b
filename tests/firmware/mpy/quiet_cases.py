"""quiet.py: which channels a board keeps to itself and whether it is quiet, on flash, and what is said of it."""

import os
import sys

import quiet
from appliance import Appliance
from scripted import Clock, Config, Sealer, Sensor, diagnostics, run_until

CHANNELS = [
    ["t", "Cel", 1, 16, 0, "temperature", "t"],
    ["p", "W", 1, 1, 0, "energy", "p"],
    ["knock", "/", 1, 1, 3, "use", None],
]
T, P, KNOCK = 0, 1, 2


class Counted(Sensor):
    """Counts how often it is asked."""

    asked = 0

    def sample(self):
        self.asked += 1
        return self.value


class Bench:
    """An appliance as a start makes it, with a button."""

    def __init__(self, channels=CHANNELS):
        self.clock = Clock()
        self.sealer = Sealer()
        self.said = []
        self.drivers = {"t": Counted(70), "p": Counted(5), "button": Sensor(0)}
        self.appliance = Appliance(Config(channels + diagnostics()), self.clock, self.drivers, self.sealer)
        self.appliance.on_use = self.said.append
        quiet.load(self.appliance)
        self.appliance.tick()

    def run(self, seconds):
        run_until(self.appliance, self.clock, self.clock.now + seconds * 1000)

    def use(self, *args):
        return self.appliance.command("use", list(args))

    def hold(self, seconds):
        self.drivers["button"].value = 1
        self.run(seconds)
        self.drivers["button"].value = 0
        self.run(1)

    def rows(self):
        self.appliance.seal()
        return [row for frame in self.sealer.take() if frame[0] == "columns" for row in frame[4]]


def many(count):
    return [["c" + str(n), "/", 1, 1, 0 if n < 2 else 3, "use", "t"] for n in range(count - 2)]


def test_a_board_that_was_told_nothing_says_nothing_and_writes_nothing():
    bench = Bench()
    bench.run(60)
    assert bench.said == []
    assert os.listdir() == []
    assert bench.rows() == [[70, 5]] * 7


def test_what_is_off_is_missing_and_what_is_unmeasured_is_not_asked():
    bench = Bench()
    bench.rows()
    assert bench.use(1 << T | 1 << P | 1 << KNOCK, 1 << T) is None
    asked = bench.drivers["t"].asked, bench.drivers["p"].asked
    bench.run(30)
    assert bench.rows() == [[None, None]] * 3
    assert (bench.drivers["t"].asked, bench.drivers["p"].asked) == (asked[0], asked[1] + 3)
    bench.appliance.event("knock", 1)
    bench.appliance.settle()
    assert bench.sealer.take() == [], "and no fault is told: nothing failed"
    assert bench.said == [[1, [7, 1]]]


def test_it_is_used_again_when_told_so():
    bench = Bench()
    bench.use(3, 3)
    bench.run(20)
    assert bench.use() is None
    bench.run(20)
    assert bench.rows() == [[70, 5]] + [[None, None]] * 2 + [[70, 5]] * 2
    assert bench.said == [[1, [3, 3]], [1]]


def test_what_fails_and_is_not_sent_is_still_told_as_a_fault():
    bench = Bench()
    bench.use(1 << T, 0)
    bench.drivers["t"].value = None
    bench.run(10)
    bench.appliance.seal()
    assert [frame[3] for frame in bench.sealer.take() if frame[0] == "events"] == [[(3, 0, T)]]


def test_words_that_are_none_change_nothing():
    bench = Bench()
    for args in (
        (1,),
        (1, 0, 1),
        (-1, 0),
        (1 << 30, 0),
        (True, 0),
        ("1", 0),
        (None, 0),
        (1.0, 0),
        (1 << 5, 0),
        (0, 32),
    ):
        assert bench.use(*args) == "verb", args
    assert bench.said == []
    assert os.listdir() == []


def test_a_channel_beyond_30_is_in_the_second_pair():
    bench = Bench(many(32))
    assert bench.use(1, 0, 2, 2) is None
    assert [index for index, use in enumerate(bench.appliance.use) if use] == [0, 31]
    assert bench.appliance.use[31] == 2
    assert bench.said == [[1, [1, 0, 2, 2]]]
    assert bench.use(0, 0, 4, 0) == "verb", "there is no channel 32"
    assert Bench(many(32)).said == [[1, [1, 0, 2, 2]]]


def test_it_holds_from_the_first_row_after_a_restart():
    Bench().use(1 << T | 1 << P, 1 << T)
    bench = Bench()
    assert bench.said == [[1, [3, 1]]]
    assert bench.drivers["t"].asked == 0
    assert bench.rows() == [[None, None]]


def test_flash_is_written_only_when_something_changes():
    bench = Bench()
    bench.use(1, 0)
    os.remove("use")
    bench.use(1, 0)
    assert os.listdir() == []
    assert bench.said == [[1, [1, 0]]] * 2, "who asks again has not heard"
    bench.use(1, 1)
    assert os.listdir() == ["use"]


def test_a_cut_leaves_what_was_decided_last_or_before():
    bench = Bench()
    bench.use(1, 0)
    with open("use.new", "wb") as file:
        file.write(b"0020")
    assert Bench().said == [[1, [1, 0]]], "it was cut while it was written"
    with open("use.new", "wb") as file:
        file.write(b"002000\n")
    assert Bench().said == [[1, [2, 2]]], "it was cut before it was renamed"
    assert os.listdir() == ["use"], "or the next cut would bring back what was before"


def test_a_line_of_another_board_keeps_everything_until_the_gateway_speaks():
    for line in (b"00100\n", b"0010000\n"):
        with open("use", "wb") as file:
            file.write(line)
        bench = Bench()
        assert bench.rows() == [[None, None]]
        assert bench.said == [[1, [31, 0]]]
        assert bench.use() is None
        assert bench.said[1:] == [[1]]
        bench.run(10)
        assert bench.rows() == [[70, 5]]


def test_rubbish_on_flash_is_nothing():
    for line in (b"", b"\n", b"quiet\n", b"00\xff00\n", b"000000"):
        with open("use", "wb") as file:
            file.write(line)
        bench = Bench()
        assert not bench.appliance.quiet
        bench.run(10)


def test_flash_that_fails_does_not_stop_it():
    real = quiet.os

    class Broken:
        def rename(self, old, new):
            raise OSError(28)

    bench = Bench()
    sys.modules["os"] = Broken()
    try:
        assert bench.use(3, 0) is None
    finally:
        sys.modules["os"] = real
    assert bench.said == [[1, [3, 0]]]
    assert Bench().said == [[1, [3, 0]]], "the new file was whole"


def test_a_long_press_is_quiet_and_another_ends_it():
    bench = Bench()
    bench.run(25)
    bench.hold(2)
    assert bench.said == []
    bench.hold(4)
    assert bench.said == [[2]]
    assert [len(frame[4]) for frame in bench.sealer.take() if frame[0] == "columns"] == [4], "measured until now"
    asked = bench.drivers["t"].asked
    bench.run(600)
    bench.appliance.event("knock", 1)
    bench.appliance.event("heap_free", 1)
    bench.appliance.command("live", [60])
    bench.run(60)
    bench.appliance.command("flush", [])
    assert bench.sealer.take() == []
    assert bench.drivers["t"].asked == asked
    bench.hold(60)
    assert bench.said == [[2], [1]], "once, however long it is held"
    bench.run(30)
    assert bench.rows()[:3] == [[70, 5]] * 3


def test_it_is_quiet_after_a_restart_and_obeys_use():
    bench = Bench()
    bench.use(1, 0)
    bench.hold(4)
    bench = Bench()
    assert bench.said == [[2, [1, 0]]]
    bench.run(60)
    assert bench.rows() == []
    assert bench.use(2, 2) is None
    assert bench.said[1:] == [[2, [2, 2]]]
    bench.hold(4)
    bench.run(20)
    assert bench.rows()[:2] == [[70, None]] * 2


def test_a_board_without_memory_for_it_says_so():
    bench = Bench()

    class Full:
        def decide(self, appliance, args):
            raise MemoryError

    sys.modules["quiet"] = Full()
    assert bench.use(1, 0) == "fault"
    assert bench.use(1, 0) is None, "the next time it is loaded anew"
