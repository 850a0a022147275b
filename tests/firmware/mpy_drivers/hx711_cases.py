"""hx711.py against a converter that shifts on every rising edge, as figure 2 of the data sheet has it."""

import hx711
import machine
import sensor
from ticks import Ticks

DATA, CLOCK = 25, 33


class Clock:
    def __init__(self, part):
        self.part = part

    def level(self):
        return 0

    def drive(self, level):
        self.part.clocked(level)


class Part:
    """Gives `counts` (a 24-bit number) in each conversion. `read` lists how many pulses each reading took."""

    def __init__(self, counts):
        self.counts = counts
        self.ready = True
        self.glitch = 0  # so many looks see the line high, though a conversion is ready
        self.stuck = None
        self.pulses = 0
        self.high = 0
        self.read = []

    def convert(self):
        """The next conversion is there."""
        if self.pulses:
            self.read.append(self.pulses)
        self.pulses = 0
        self.ready = True

    def level(self):
        if self.stuck is not None:
            return self.stuck
        if not self.ready or self.pulses > 24:
            return 1
        if self.pulses:
            return self.counts >> (24 - self.pulses) & 1
        if self.glitch:
            self.glitch -= 1
            return 1
        return 0

    def drive(self, level):
        raise AssertionError("the data line is an input")

    def clocked(self, level):
        if level and not self.high:
            assert machine.masked[0] == 1, "an interrupt could stretch the pulse"
            self.pulses += 1
        self.high = level


def started(counts=0, **settings):
    ticks = Ticks()
    sensor.time = hx711.time = ticks
    part = Part(counts)
    machine.wired[DATA], machine.wired[CLOCK] = part, Clock(part)
    machine.trace.clear()
    made = hx711.open(dict({"data": DATA, "clock": CLOCK, "zero": 1, "per_kg": 429497}, **settings))
    return made, part, ticks


def sampled(made, part, ticks):
    ticks.now_us += 400_000
    part.convert()
    value = made.sample()
    assert machine.masked[0] == 0
    assert part.high == 0, "a clock that stays high switches the converter off"
    return value


def test_twos_complement_of_24_bits():
    # "Output Data Rate and Format": from 800000h (least) to 7FFFFFh (most); both ends mean that it is beyond.
    for raw, counts in ((0, 0), (1, 1), (0x7FFFFE, 8388606), (0xFFFFFF, -1), (0x800001, -8388607), (0xFFFFFE, -2)):
        assert hx711.signed(raw) == counts
    assert hx711.signed(0x7FFFFF) is None
    assert hx711.signed(0x800000) is None


def test_grams_are_exact_and_stay_small_integers():
    for per_kg in (1, 7, 429497, 1_000_000, -429497):
        for counts in (-8388607, -429497, -1, 0, 1, 214748, 429497, 8388606):
            exact = (counts * 1000 * 2 + abs(per_kg)) // (2 * per_kg) if per_kg > 0 else None
            got = hx711.grams(counts, 0, per_kg)
            if exact is None:
                exact = hx711.grams(-counts, 0, -per_kg)
            assert got == exact, (counts, per_kg)
    assert hx711.grams(429497 * 2 + 100, 100, 429497) == 2000
    # The largest on the way, with a million counts a kilogram: below 2**30, where small integers of 32-bit boards end.
    assert 999_999 * 1000 + 500_000 < 1 << 30


def test_a_reading_pulse_for_pulse():
    made, part, ticks = started(0x0ABCDE)
    assert machine.trace[:3] == [(DATA, "in", None, None), (CLOCK, "out", None, 0), (CLOCK, 0, 0)]
    assert made.sample() is None
    machine.trace.clear()
    assert sampled(made, part, ticks) == hx711.grams(0x0ABCDE, 0, 429497)
    assert made.raw == 0x0ABCDE
    assert machine.trace == [(CLOCK, 1, 1), (CLOCK, 0, 1)] * 25


def test_every_bit_is_read_where_it_belongs():
    for bit in range(24):
        made, part, ticks = started(1 << bit)
        sampled(made, part, ticks)
        assert made.raw == hx711.signed(1 << bit), bit
        made, part, ticks = started(0xFFFFFF ^ 1 << bit)
        sampled(made, part, ticks)
        assert made.raw == hx711.signed(0xFFFFFF ^ 1 << bit), bit


def test_a_scale_that_is_not_calibrated_reads_nothing_and_still_counts():
    # With nothing but the kettle's own kilogram on it, it would find a litre of water.
    for counts, zero, mass_g in ((429497, 0, None), (429497, 429496, 0)):
        made, part, ticks = started(counts, zero=zero)
        assert sampled(made, part, ticks) == mass_g
        assert made.raw == 429497


def test_pulses_choose_the_gain_of_the_next_conversion():
    # Table 3: 25 pulses channel A gain 128, 26 channel B gain 32, 27 channel A gain 64.
    for gain, pulses in ((128, 25), (32, 26), (64, 27)):
        made, part, ticks = started(429497, gain=gain)
        first = sampled(made, part, ticks)
        assert first == (1000 if gain == 128 else None), "the first conversion is always one at gain 128"
        assert sampled(made, part, ticks) == 1000
        part.convert()
        assert part.read == [pulses, pulses]


def test_beyond_what_it_can_measure_is_no_value():
    for raw in (0x7FFFFF, 0x800000):
        made, part, ticks = started(raw)
        assert sampled(made, part, ticks) is None
        assert (made.failed, made.raw) == (1, None)


def test_not_ready_is_no_value_and_takes_a_millisecond_at_most():
    made, part, ticks = started(429497)
    ticks.now_us += 400_000
    part.ready = False
    before = ticks.now_us
    assert made.sample() is None
    assert ticks.now_us - before <= 1_000
    assert made.failed == 1
    assert part.pulses == 0
    assert sampled(made, part, ticks) == 1000


def test_a_conversion_that_is_just_being_replaced_is_waited_for():
    made, part, ticks = started(429497)
    part.glitch = 5
    assert sampled(made, part, ticks) == 1000
    assert made.failed == 0


def test_a_line_that_is_stuck_is_no_value():
    for stuck in (0, 1):
        made, part, ticks = started(429497)
        part.stuck = stuck
        assert sampled(made, part, ticks) is None
        assert made.failed == 1


def test_asked_twice_in_one_turn_it_reads_once():
    made, part, ticks = started(429497)
    assert sampled(made, part, ticks) == 1000
    assert made.sample() == 1000
    assert part.pulses == 25


def test_a_kettle_off_its_base_weighs_nothing_and_not_less():
    made, part, ticks = started(0xFFFFFF & -429497, least_g=0)
    assert sampled(made, part, ticks) == 0
    made, part, ticks = started(0xFFFFFF & -429497)
    assert sampled(made, part, ticks) == -1000


def test_a_cell_the_other_way_up():
    made, part, ticks = started(0xFFFFFF & -429497, per_kg=-429497)
    assert sampled(made, part, ticks) == 1000
