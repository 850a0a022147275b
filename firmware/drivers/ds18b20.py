"""DS18B20 thermometer on 1-Wire, alone on its pin. (Source: Maxim 19-7487, DS18B20 data sheet, rev 6.)

One on each pin needs no addresses: a broken one is exchanged without telling anybody its number.
"""

from micropython import const
from sensor import Sensor

_SKIP_ROM = const(0xCC)
_CONVERT = const(0x44)
_READ = const(0xBE)
_CONVERSION_MS = const(750)  # 12 bits, at most
_POWER_ON = const(85 * 16)
_LOWEST = const(-55 * 16)
_HIGHEST = const(125 * 16)
# A reading of exactly 85 degrees is believed only where the one before lay no further away: it is also what the sensor
# gives that lost its power and has not converted since.
_NEAR = const(10 * 16)


def crc8(data):
    """1-Wire CRC (x^8 + x^5 + x^4 + 1, bits reflected) of bytes; 0 where its last byte is the CRC of the others."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0x8C if crc & 1 else crc >> 1
    return crc


def decode(scratchpad):
    """Sixteenths of a degree Celsius in the nine bytes of a scratchpad, or None if they are none of a DS18B20's.

    A wire that is held low reads as zeros, whose CRC is right: the configuration register tells it apart."""
    if crc8(scratchpad) or scratchpad[4] & 0x9F != 0x1F:
        return None
    raw = scratchpad[1] << 8 | scratchpad[0]
    if raw & 0x8000:
        raw -= 0x10000
    # Of 9 to 11 bits the lowest are undefined.
    raw &= -8 >> (scratchpad[4] >> 5 & 3)
    return raw if _LOWEST <= raw <= _HIGHEST else None


class Ds18b20(Sensor):
    """`bus` is an onewire.OneWire. Sixteenths of a degree; each sample reads what the one before had converted."""

    def __init__(self, bus, offset=0):
        super().__init__(_CONVERSION_MS, offset)
        self._bus = bus
        self._scratchpad = bytearray(9)
        self._last = None
        self._convert()

    def _convert(self):
        bus = self._bus
        if bus.reset():
            bus.writebyte(_SKIP_ROM)
            bus.writebyte(_CONVERT)

    def _measure(self):
        bus = self._bus
        if not bus.reset():
            return None
        bus.writebyte(_SKIP_ROM)
        bus.writebyte(_READ)
        bus.readinto(self._scratchpad)
        value = decode(self._scratchpad)
        self._convert()
        if value == _POWER_ON and (self._last is None or abs(value - self._last) > _NEAR):
            return None
        if value is not None:
            self._last = value
        return value


def open(settings):
    from machine import Pin
    from onewire import OneWire

    return Ds18b20(OneWire(Pin(settings["data"])), settings.get("offset_16ths", 0))
