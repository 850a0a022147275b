"""ds18b20.py against the data sheet's table and against its bus, byte for byte."""

import ds18b20
import onewire
import sensor
from ticks import Ticks

# Table 1 of the data sheet, in sixteenths of a degree.
TABLE = (
    (2000, 0x07D0),
    (1360, 0x0550),
    (401, 0x0191),
    (162, 0x00A2),
    (8, 0x0008),
    (0, 0x0000),
    (-8, 0xFFF8),
    (-162, 0xFF5E),
    (-401, 0xFE6F),
    (-880, 0xFC90),
)
# As it is after power on (figure 9: 85 degrees, TH 75, TL 70, 12 bits), with the CRC that real sensors send.
POWER_ON = b"\x50\x05\x4b\x46\x7f\xff\x0c\x10\x1c"
CONVERT = [("reset", True), ("write", 0xCC), ("write", 0x44)]
READ = [("reset", True), ("write", 0xCC), ("write", 0xBE)]


def scratchpad(raw, config=0x7F):
    data = bytes((raw & 0xFF, raw >> 8 & 0xFF, 0x4B, 0x46, config, 0xFF, 0x0C, 0x10))
    return data + bytes((ds18b20.crc8(data),))


def started(ticks=None):
    sensor.time = ticks = ticks or Ticks()
    onewire.script[:] = CONVERT
    made = ds18b20.open({"data": 4})
    assert not onewire.script
    return made, ticks


def sampled(made, ticks, data):
    """What it reads 750 ms later, where the sensor answers with `data`."""
    ticks.now_us += 750_000
    onewire.script[:] = READ
    onewire.script.append(("read", data))
    onewire.script.extend(CONVERT)
    value = made.sample()
    assert not onewire.script
    return value


def test_the_crc_is_that_of_the_makers_example():
    # Maxim application note 27: a ROM code, family 02, serial number 00000001B81C, CRC A2.
    assert ds18b20.crc8(b"\x02\x1c\xb8\x01\x00\x00\x00") == 0xA2
    assert ds18b20.crc8(b"\x02\x1c\xb8\x01\x00\x00\x00\xa2") == 0
    assert ds18b20.crc8(POWER_ON) == 0


def test_the_table_of_the_data_sheet():
    for sixteenths, raw in TABLE:
        assert ds18b20.decode(scratchpad(raw)) == sixteenths, hex(raw)


def test_no_single_flipped_bit_is_believed():
    good = scratchpad(0x0191)
    for bit in range(72):
        bad = bytearray(good)
        bad[bit >> 3] ^= 1 << (bit & 7)
        assert ds18b20.decode(bad) is None, bit


def test_a_wire_that_is_shorted_or_open_reads_as_nothing():
    assert ds18b20.crc8(bytes(9)) == 0, "so the CRC does not tell"
    assert ds18b20.decode(bytes(9)) is None
    assert ds18b20.decode(b"\xff" * 9) is None


def test_what_it_cannot_measure_is_nothing():
    assert ds18b20.decode(scratchpad(0x07D1)) is None
    assert ds18b20.decode(scratchpad(0xFC8F)) is None


def test_undefined_bits_of_a_lower_resolution_are_left_out():
    # 9, 10, 11 and 12 bits.
    for config, above, below in ((0x1F, 400, -408), (0x3F, 404, -404), (0x5F, 406, -402), (0x7F, 407, -401)):
        assert ds18b20.decode(scratchpad(407, config)) == above
        assert ds18b20.decode(scratchpad(-401, config)) == below


def test_one_sample_reads_what_the_one_before_converted():
    made, ticks = started()
    assert sampled(made, ticks, scratchpad(0x0191)) == 401
    assert sampled(made, ticks, scratchpad(0xFF5E)) == -162
    assert made.failed == 0


def test_asked_again_before_the_conversion_ends_it_repeats_itself():
    made, ticks = started()
    assert made.sample() is None
    assert sampled(made, ticks, scratchpad(0x00A2)) == 162
    for _ in range(7):
        ticks.now_us += 100_000
        assert made.sample() == 162  # and nothing on the bus: the script is empty


def test_without_an_answer_there_is_no_value_and_it_is_counted():
    made, ticks = started()
    assert sampled(made, ticks, scratchpad(0x00A2)) == 162
    for count in (1, 2):
        ticks.now_us += 750_000
        onewire.script[:] = [("reset", False)]
        assert made.sample() is None
        assert made.failed == count
    # Plugged in again it tells of its power on first, and is believed from its first conversion on.
    assert sampled(made, ticks, POWER_ON) is None
    assert sampled(made, ticks, scratchpad(0x00A2)) == 162


def test_a_wrong_crc_is_no_value():
    made, ticks = started()
    assert sampled(made, ticks, scratchpad(0x0191)[:8] + b"\x00") is None
    assert made.failed == 1
    assert sampled(made, ticks, scratchpad(0x0191)) == 401


def test_85_degrees_are_believed_only_on_the_way_there():
    made, ticks = started()
    assert sampled(made, ticks, POWER_ON) is None
    assert sampled(made, ticks, scratchpad(0x0191)) == 401
    assert sampled(made, ticks, POWER_ON) is None
    assert sampled(made, ticks, scratchpad(84 * 16)) == 84 * 16
    assert sampled(made, ticks, scratchpad(85 * 16)) == 85 * 16
    assert sampled(made, ticks, scratchpad(86 * 16)) == 86 * 16
    assert made.failed == 2


def test_it_goes_on_where_the_ticks_wrap():
    made, ticks = started(Ticks(((1 << 30) - 500) * 1000))
    assert made.sample() is None
    assert sampled(made, ticks, scratchpad(0x0191)) == 401
    assert sampled(made, ticks, scratchpad(0x00A2)) == 162


def test_calibration_is_added():
    sensor.time = ticks = Ticks()
    onewire.script[:] = CONVERT
    made = ds18b20.open({"data": 4, "offset_16ths": -3})
    assert sampled(made, ticks, scratchpad(0)) == -3


def test_a_bus_without_a_sensor_at_the_start_is_no_error():
    sensor.time = ticks = Ticks()
    onewire.script[:] = [("reset", False)]
    made = ds18b20.open({"data": 4})
    ticks.now_us += 750_000
    onewire.script[:] = [("reset", False)]
    assert made.sample() is None
