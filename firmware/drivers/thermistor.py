"""An NTC thermistor to ground, with a resistor from 3.3 V to it, at an input of the ADC."""

import math

from micropython import const
from sensor import Sensor

_SUPPLY_UV = const(3300000)
# Beyond these there is no thermistor: a short, or a wire that came off. The ADC of the first ESP32 ends near 3.1 V.
_LEAST_UV = const(50000)
_MOST_UV = const(3050000)
_READS = const(8)
_T0 = 298.15


def resistance(uv, series_ohm, supply_uv=_SUPPLY_UV):
    """Ohms of what lies between the input and ground, or None if it is a short or open."""
    return series_ohm * uv / (supply_uv - uv) if _LEAST_UV <= uv <= _MOST_UV else None


def decode(ohm, ohm_25, beta):
    """Sixteenths of a degree Celsius by the beta equation, 1/T = 1/T0 + ln(R/R0)/B, with R0 at T0 = 25 Celsius."""
    return round((1 / (1 / _T0 + math.log(ohm / ohm_25) / beta) - 273.15) * 16)


class Thermistor(Sensor):
    """`adc` is a machine.ADC. Sixteenths of a degree."""

    def __init__(self, adc, series_ohm, ohm_25, beta, offset=0):
        super().__init__(0, offset)
        self._adc = adc
        self._series_ohm = series_ohm
        self._ohm_25 = ohm_25
        self._beta = beta

    def _measure(self):
        uv = 0
        for _ in range(_READS):
            uv += self._adc.read_uv()
        ohm = resistance(uv // _READS, self._series_ohm)
        return None if ohm is None else decode(ohm, self._ohm_25, self._beta)


def open(settings):
    from machine import ADC, Pin

    adc = ADC(Pin(settings["adc"]), atten=ADC.ATTN_11DB)
    return Thermistor(
        adc, settings["series_ohm"], settings["ohm_25"], settings["beta"], settings.get("offset_16ths", 0)
    )
