"""dht22.py against the data sheet's example and its timing, edge for edge."""

import dht22
import machine
import sensor
from ticks import Ticks

# The data sheet's example: 65.2 % and 35.1 degrees; and its example of a temperature below zero, with the sum it needs.
EXAMPLE = bytes((0b00000010, 0b10001100, 0b00000001, 0b01011111, 0b11101110))
BELOW_ZERO = bytes((0b00000010, 0b10001100, 0b10000000, 0b01100101, 0b01110011))
PIN = 13


class Part:
    """A sensor that answers a start of at least 0.8 ms with its pulses; `stops` after so many of them."""

    def __init__(self, ticks, data, zero_us=26, one_us=70):
        self.ticks = ticks
        self.data = data
        self.highs = (zero_us, one_us)
        self.stops = 99
        self.low_us = None
        self.pulses = []

    def level(self):
        return 1

    def drive(self, level):
        if level == 0:
            self.low_us = self.ticks.now_us
            return
        assert machine.masked[0] == 1, "interrupts are off before it can answer"
        self.pulses = []
        if self.low_us is not None and self.ticks.now_us - self.low_us >= 800:
            bits = [self.data[i >> 3] >> (7 - (i & 7)) & 1 for i in range(40)]
            self.pulses = ([(0, 80), (1, 80)] + [(1, self.highs[bit]) for bit in bits])[: self.stops]

    def pulse(self, level, timeout_us):
        assert machine.masked[0] == 1
        if not self.pulses:
            self.ticks.now_us += timeout_us
            return -2
        expected, us = self.pulses.pop(0)
        assert level == expected
        self.ticks.now_us += us
        return us if us <= timeout_us else -1


def started(data, **timing):
    ticks = Ticks()
    sensor.time = dht22.time = ticks
    machine.wired[PIN] = part = Part(ticks, data, **timing)
    return dht22.open({"data": PIN}), part, ticks


def sampled(made, ticks):
    ticks.now_us += 2_000_000
    before = ticks.now_us
    value = made.sample()
    assert ticks.now_us - before < 8_000, "the loop waits for no more than some milliseconds"
    assert machine.masked[0] == 0, "interrupts are on again"
    return value


def test_the_examples_of_the_data_sheet():
    assert dht22.decode(EXAMPLE) == (round(35.1 * 16), 652)
    assert dht22.decode(BELOW_ZERO) == (round(-10.1 * 16), 652)


def test_pulses_become_bits_over_the_whole_range_of_their_lengths():
    for zero_us, one_us in ((22, 68), (26, 70), (30, 75)):
        pulses = [one_us if EXAMPLE[i >> 3] >> (7 - (i & 7)) & 1 else zero_us for i in range(40)]
        data = bytearray(b"\xaa\x55\xaa\x55\xaa")
        dht22.bits(pulses, data)
        assert bytes(data) == EXAMPLE


def test_a_wrong_sum_is_no_value():
    for bit in range(40):
        bad = bytearray(EXAMPLE)
        bad[bit >> 3] ^= 1 << (bit & 7)
        assert dht22.decode(bad) is None


def test_what_it_cannot_measure_is_nothing():
    def with_sum(*data):
        return bytes(data) + bytes((sum(data) & 0xFF,))

    assert dht22.decode(bytes(5)) is None
    assert dht22.decode(b"\xff" * 5) is None
    assert dht22.decode(with_sum(0x03, 0xE9, 0, 1)) is None  # 100.1 %
    assert dht22.decode(with_sum(0x02, 0x8C, 0x03, 0x21)) is None  # 80.1 degrees
    assert dht22.decode(with_sum(0x02, 0x8C, 0x81, 0x91)) is None  # -40.1
    # A clone that counts below zero in two's complement of 12 bits: -0.1 as 0FFF.
    assert dht22.decode(with_sum(0x02, 0x8C, 0x0F, 0xFF)) is None


def test_a_reading_edge_for_edge():
    made, _, ticks = started(EXAMPLE)
    assert machine.trace[-1] == (PIN, "od", "up", 1)
    assert made.sample() is None, "not before its first two seconds"
    machine.trace.clear()
    assert sampled(made, ticks) == 562
    assert made.humidity == 652
    assert machine.trace == [(PIN, 0, 0), (PIN, 1, 1)]


def test_every_end_of_the_tolerances_is_read():
    for zero_us, one_us in ((22, 68), (30, 75)):
        made, _, ticks = started(BELOW_ZERO, zero_us=zero_us, one_us=one_us)
        assert sampled(made, ticks) == -162


def test_wherever_it_stops_there_is_no_value_and_interrupts_are_on():
    for stops in range(42):
        made, part, ticks = started(EXAMPLE)
        part.stops = stops
        assert sampled(made, ticks) is None
        assert (made.failed, made.humidity) == (1, None)
        part.stops = 99
        assert sampled(made, ticks) == 562


def test_it_measures_no_more_often_than_every_two_seconds():
    made, part, ticks = started(EXAMPLE)
    assert sampled(made, ticks) == 562
    part.data = BELOW_ZERO
    ticks.now_us += 1_900_000
    assert made.sample() == 562
    ticks.now_us += 200_000
    assert made.sample() == -162


def test_humidity_is_a_channel_of_its_own():
    from humidity import Humidity

    made, part, ticks = started(EXAMPLE)
    second = Humidity(made)
    ticks.now_us += 2_000_000
    assert second.sample() == 652
    assert made.sample() == 562
    part.stops = 0
    ticks.now_us += 2_000_000
    assert second.sample() is None
    assert made.sample() is None
    assert made.failed == 1
