"""DHT22 (AM2302) thermometer and hygrometer. (Source: Aosong AM2302 data sheet.)

MicroPython's own module `dht` waits 268 ms before each reading, while nothing else on the board runs. The sensor asks
for 1 ms; so the start is given here, and the 40 pulses are timed by machine.time_pulse_us.
"""

import time
from array import array

from micropython import const
from sensor import Sensor

_INTERVAL_MS = const(2000)  # measures no more often
_START_US = const(1100)  # T_be: 0.8 to 20 ms
_ANSWER_US = const(250)  # T_go: up to 200
_PULSE_US = const(120)
_ONE_US = const(48)  # a 0 is high for 22 to 30, a 1 for 68 to 75
_LOWEST = const(-400)
_HIGHEST = const(800)


def bits(pulses, data):
    """Puts 40 high times (microseconds) as bits into the five bytes of `data`, highest first."""
    for i in range(40):
        data[i >> 3] = (data[i >> 3] << 1 | (pulses[i] > _ONE_US)) & 0xFF


def decode(data):
    """(sixteenths of a degree Celsius, tenths of a percent of relative humidity) in the five bytes of a reading, or
    None if the sum is wrong or a value is none that the sensor can have. The highest bit of a temperature is its sign.
    Zeros throughout are no reading, though their sum is right."""
    total = data[0] + data[1] + data[2] + data[3]
    if not total or total & 0xFF != data[4]:
        return None
    humidity = data[0] << 8 | data[1]
    tenths = (data[2] & 0x7F) << 8 | data[3]
    if data[2] & 0x80:
        tenths = -tenths
    if humidity > 1000 or not _LOWEST <= tenths <= _HIGHEST:
        return None
    return (tenths * 16 + 5) // 10, humidity


class Dht22(Sensor):
    """`pin` is an open drain. Sixteenths of a degree, and beside them `humidity` in tenths of a percent (or None)."""

    def __init__(self, pin, offset=0):
        super().__init__(_INTERVAL_MS, offset)
        self.humidity = None
        self._pin = pin
        self._pulses = array("b", bytes(40))
        self._data = bytearray(5)

    def _measure(self):
        self.humidity = None
        if not self._receive():
            return None
        bits(self._pulses, self._data)
        both = decode(self._data)
        if both is None:
            return None
        self.humidity = both[1]
        return both[0]

    def _receive(self):
        """Times the pulses; False if the sensor does not answer, or stops. Takes 5 ms without interrupts: one in the
        middle of a pulse would make a 1 of a 0."""
        from machine import disable_irq, enable_irq, time_pulse_us

        pin, pulses = self._pin, self._pulses
        pin(0)
        time.sleep_us(_START_US)
        state = disable_irq()
        try:
            pin(1)
            if time_pulse_us(pin, 0, _ANSWER_US) < 0 or time_pulse_us(pin, 1, _ANSWER_US) < 0:
                return False
            for i in range(40):
                pulse = time_pulse_us(pin, 1, _PULSE_US)
                if pulse < 0:
                    return False
                pulses[i] = pulse
            return True
        finally:
            enable_irq(state)


def open(settings):
    from machine import Pin

    return Dht22(Pin(settings["data"], Pin.OPEN_DRAIN, Pin.PULL_UP, value=1), settings.get("offset_16ths", 0))
