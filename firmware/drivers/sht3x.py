"""SHT30, SHT31, SHT35 thermometer and hygrometer on I2C. (Source: Sensirion SHT3x-DIS data sheet, version 5.)"""

from micropython import const
from sensor import Sensor

_SINGLE_SHOT = b"\x24\x00"  # high repeatability, the clock is not stretched (table 9)
_MEASURED_MS = const(16)  # 15.5 at most (table 4)
_TIMEOUT_US = const(5000)
_HERTZ = const(100000)


def crc8(data, start=0):
    """CRC-8 of the two bytes of `data` from `start` on (table 20: polynomial 0x31, begun with 0xFF)."""
    crc = 0xFF
    for i in range(start, start + 2):
        crc ^= data[i]
        for _ in range(8):
            crc = (crc << 1 ^ 0x31) & 0xFF if crc & 0x80 else crc << 1
    return crc


def decode(data):
    """(sixteenths of a degree Celsius, tenths of a percent of relative humidity) in the six bytes of a measurement, or
    None if a checksum is wrong. Section 4.13: T = -45 + 175 * S / 65535, RH = 100 * S / 65535."""
    if crc8(data) != data[2] or crc8(data, 3) != data[5]:
        return None
    temp = (175 * 16 * (data[0] << 8 | data[1]) + 32767) // 65535 - 45 * 16
    return temp, (1000 * (data[3] << 8 | data[4]) + 32767) // 65535


class Sht3x(Sensor):
    """`i2c` is a machine.I2C. Sixteenths of a degree, and beside them `humidity` in tenths of a percent (or None). Each
    sample reads what the one before had measured."""

    def __init__(self, i2c, address, offset=0):
        super().__init__(_MEASURED_MS, offset)
        self.humidity = None
        self._i2c = i2c
        self._address = address
        self._data = bytearray(6)
        try:
            self._begin()
        except OSError:
            self.failed = 1

    def _begin(self):
        self._i2c.writeto(self._address, _SINGLE_SHOT)

    def _measure(self):
        self.humidity = None
        try:
            self._i2c.readfrom_into(self._address, self._data)
        finally:
            self._begin()
        both = decode(self._data)
        if both is None:
            return None
        self.humidity = both[1]
        return both[0]


def open(settings):
    from machine import I2C, Pin

    i2c = I2C(0, scl=Pin(settings["scl"]), sda=Pin(settings["sda"]), freq=_HERTZ, timeout=_TIMEOUT_US)
    return Sht3x(i2c, settings.get("address", 0x44), settings.get("offset_16ths", 0))
