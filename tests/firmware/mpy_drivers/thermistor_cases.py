"""thermistor.py: the beta equation against a maker's table, and what the ADC can read."""

import machine
import sensor
import thermistor
from ticks import Ticks

# Amphenol Thermometrics, Sensor Temperature Resistance Curves, rev. C, material type 1: R/R25 by temperature, and its
# beta from 25 to 85 degrees.
BETA = 3977
TABLE = (
    (-20, 9.681),
    (-10, 5.525),
    (0, 3.264),
    (5, 2.539),
    (10, 1.990),
    (20, 1.249),
    (25, 1.000),
    (30, 0.8056),
    (40, 0.5325),
    (50, 0.3601),
    (60, 0.2487),
    (70, 0.1751),
    (80, 0.1256),
    (85, 0.1070),
    (100, 0.06781),
)
SETTINGS = {"adc": 34, "series_ohm": 10000, "ohm_25": 10000, "beta": BETA}


def opened(**more):
    sensor.time = Ticks()
    return thermistor.open(dict(SETTINGS, **more))


def test_the_equation_against_the_table():
    for cel, ratio in TABLE:
        error = thermistor.decode(10000 * ratio, 10000, BETA) / 16 - cel
        # Exact where its beta is from; elsewhere one beta is only so good.
        assert abs(error) <= (0.25 if 20 <= cel <= 85 else 0.7 if cel >= 0 else 2.2), (cel, error)


def test_the_beta_of_a_range_serves_that_range():
    # The maker's for 0 to 50 degrees: 3892.
    for cel, ratio in TABLE:
        if 0 <= cel <= 50:
            assert abs(thermistor.decode(10000 * ratio, 10000, 3892) / 16 - cel) <= 0.35, cel


def test_the_divider():
    assert thermistor.resistance(1_650_000, 10000) == 10000
    assert round(thermistor.resistance(1_100_000, 10000)) == 5000
    assert round(thermistor.resistance(2_200_000, 10000)) == 20000


def test_a_short_and_a_wire_that_came_off_are_no_value():
    for uv in (0, 49_999, 3_050_001, 3_300_000):
        assert thermistor.resistance(uv, 10000) is None
        made = opened()
        machine.readings[:] = [uv] * 8
        assert made.sample() is None
        assert made.failed == 1


def test_a_sample_is_the_mean_of_eight():
    machine.trace.clear()
    made = opened()
    assert machine.trace[-1] == ("adc", 34, "11dB")
    machine.readings[:] = [1_640_000, 1_660_000] * 4
    assert made.sample() == 400
    assert machine.readings == []


def test_calibration_is_added():
    made = opened(offset_16ths=7)
    machine.readings[:] = [1_650_000] * 8
    assert made.sample() == 407
