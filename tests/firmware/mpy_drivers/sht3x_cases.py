"""sht3x.py against the data sheet's checksum and formulas, and against its bus, byte for byte."""

import machine
import sensor
import sht3x
from ticks import Ticks

START = ("write", 0x44, b"\x24\x00")


def answer(temp, humidity):
    """The six bytes of a measurement, of two 16-bit numbers."""
    out = b""
    for raw in (temp, humidity):
        word = bytes((raw >> 8, raw & 0xFF))
        out += word + bytes((sht3x.crc8(word),))
    return out


class Part:
    """Answers with `data`, or with no acknowledgement where that is None."""

    def __init__(self, data):
        self.data = data
        self.present = True

    def write(self, address, data):
        if not self.present:
            raise OSError(19)

    def read(self, address):
        if not self.present or self.data is None:
            raise OSError(19)
        return self.data


def started(data=None):
    sensor.time = ticks = Ticks()
    machine.I2C.part = part = Part(data)
    machine.trace.clear()
    return sht3x.open({"scl": 4, "sda": 5}), part, ticks


def sampled(made, ticks):
    ticks.now_us += 16_000
    return made.sample()


def test_the_checksum_of_the_data_sheet():
    # Table 20.
    assert sht3x.crc8(b"\xbe\xef") == 0x92
    assert sht3x.crc8(b"\x00\xbe\xef", 1) == 0x92


def test_the_formulas_of_the_data_sheet():
    # Section 4.13: T = -45 + 175 * S / 65535 and RH = 100 * S / 65535, at both ends and all the way between.
    assert sht3x.decode(answer(0, 0)) == (-45 * 16, 0)
    assert sht3x.decode(answer(65535, 65535)) == (130 * 16, 1000)
    for raw in range(0, 65536, 257):
        temp, humidity = sht3x.decode(answer(raw, 65535 - raw))
        assert abs(temp - (-45 + 175 * raw / 65535) * 16) <= 0.5001
        assert abs(humidity - (65535 - raw) * 1000 / 65535) <= 0.5001


def test_no_single_flipped_bit_is_believed():
    good = answer(0xBEEF, 0x1234)
    assert good[2] == 0x92
    for bit in range(48):
        bad = bytearray(good)
        bad[bit >> 3] ^= 1 << (bit & 7)
        assert sht3x.decode(bad) is None, bit


def test_a_measurement_is_started_in_one_sample_and_read_in_the_next():
    made, part, ticks = started(answer(0x6666, 0x8000))
    assert machine.trace[-2:] == [("i2c", 0, 4, 5, 100000, 5000), START]
    machine.trace.clear()
    assert made.sample() is None
    assert machine.trace == [], "not before it has measured"
    assert sampled(made, ticks) == 400  # 25 degrees
    assert made.humidity == 500
    assert machine.trace == [("read", 0x44, part.data), START]


def test_a_bus_error_is_no_value_is_counted_and_the_next_is_started():
    made, part, ticks = started(answer(0x6666, 0x8000))
    assert sampled(made, ticks) == 400
    data, part.data = part.data, None
    machine.trace.clear()
    assert sampled(made, ticks) is None
    assert made.humidity is None
    assert (made.failed, machine.trace) == (1, [START])
    part.data = data
    assert sampled(made, ticks) == 400


def test_a_wrong_checksum_is_no_value():
    made, _, ticks = started(answer(0x6666, 0x8000)[:5] + b"\x00")
    assert sampled(made, ticks) is None
    assert (made.failed, made.humidity) == (1, None)


def test_a_sensor_that_is_not_there_is_no_error():
    sensor.time = ticks = Ticks()
    machine.I2C.part = part = Part(answer(0, 0))
    part.present = False
    made = sht3x.open({"scl": 4, "sda": 5, "address": 0x45})
    assert sampled(made, ticks) is None
    part.present = True
    assert sampled(made, ticks) == -720
    assert made.failed == 2


def test_calibration_is_added_to_the_temperature_only():
    made, _, ticks = started(answer(0, 65535))
    made._offset = 5
    assert sampled(made, ticks) == -715
    assert made.humidity == 1000
