"""A whole board from its board.json (in this folder), on scripted hardware."""

import asyncio  # the firmware has it in any case
import gc
import json
import sys
import time

import machine
import onewire

with open("board.json") as file:
    BOARD = json.load(file)
SHIPPED = [dict(row[2]) for row in BOARD["parts"]]
for row in BOARD["parts"]:
    if "zero" in row[2]:
        row[2]["zero"] = 81234  # somebody calibrated it
assert asyncio


class Untraced:
    """Instead of machine.trace, which would grow through a whole boil."""

    def append(self, entry):
        pass


machine.trace = Untraced()


class Line:
    """Whatever is wired to a pin: it reads what it was set to last, `now`."""

    def __init__(self, now=1):
        self.now = now

    def level(self):
        return self.now

    def drive(self, level):
        self.now = level


class Wire:
    """MicroPython's OneWire with one DS18B20, of `sixteenths`, that has always just converted."""

    sixteenths = 18 * 16

    def __init__(self, pin):
        self.byte = 0

    def reset(self, required=False):
        return True

    def writebyte(self, byte):
        self.byte = byte

    def readinto(self, buffer):
        from ds18b20 import crc8

        assert self.byte == 0xBE
        raw = Wire.sixteenths
        data = bytes((raw & 0xFF, raw >> 8 & 0xFF, 0x4B, 0x46, 0x7F, 0xFF, 0x0C, 0x10))
        buffer[:] = data + bytes((crc8(data),))


class I2cPart:
    def write(self, address, data):
        pass

    def read(self, address):
        from sht3x import crc8

        return b"\x66\x66" + bytes((crc8(b"\x66\x66"),)) + b"\x80\x00" + bytes((crc8(b"\x80\x00"),))


class Scale:
    """An HX711 that always has a conversion of `counts`."""

    def __init__(self, counts):
        self.counts = counts
        self.pulses = 0

    def level(self):
        if self.pulses == 0:
            return 0
        level = 1 if self.pulses > 24 else self.counts >> (24 - self.pulses) & 1
        if self.pulses > 24:
            self.pulses = 0
        return level

    def drive(self, level):
        raise AssertionError


class ScaleClock(Line):
    def __init__(self, scale):
        super().__init__(0)
        self.scale = scale

    def drive(self, level):
        if level:
            self.scale.pulses += 1


def wire_up():
    """Puts something behind every pin; the drivers' names with their pins."""
    onewire.OneWire = Wire
    machine.I2C.part = I2cPart()
    machine.wired.clear()
    for kind, _, settings in BOARD["parts"]:
        if kind == "hx711":
            scale = Scale(settings["per_kg"] + settings["zero"])
            machine.wired[settings["data"]], machine.wired[settings["clock"]] = scale, ScaleClock(scale)
        elif kind == "contact":
            machine.wired[settings["contact"]] = Line(1)
        elif kind == "relay":
            machine.wired[settings["control"]] = Line(1 - settings["on"])
    return {name: settings for _, name, settings in BOARD["parts"]}


def opened():
    wire_up()
    return __import__("parts").open_drivers(BOARD, None)


def every_channel_has_a_reading():
    pins = wire_up()
    gc.collect()
    free = gc.mem_free()
    started = time.ticks_ms()
    drivers = __import__("parts").open_drivers(BOARD, None)
    took_ms = time.ticks_diff(time.ticks_ms(), started)
    gc.collect()
    print("heap:", free - gc.mem_free(), "ready after ms:", took_ms)
    assert took_ms < 1_500
    assert "parts" not in sys.modules
    assert set(drivers) == set(pins)
    for channel in BOARD["channels"]:
        if channel[6] is not None:
            value = drivers[channel[6]].sample()
            assert isinstance(value, int), channel[0]
    assert drivers["led"].value == 0
    for name, mass_g in (("water_mass", 1000), ("top_shelf", 1000), ("bottom_shelf", 1000)):
        assert name not in drivers or drivers[name].sample() == mass_g


def a_part_that_cannot_be_opened_is_said_and_left_out():
    name = BOARD["parts"][1][1]
    BOARD["parts"][1] = ["gone", name, {}]
    drivers = opened()
    assert name not in drivers
    assert len(drivers) == len(BOARD["parts"]) - 1


def nothing_is_wired():
    """Every line floats high, and no bus answers: no driver raises, and what needs an answer has none."""
    Wire.reset = lambda self, required=False: False
    wire_up()
    machine.wired.clear()

    def write(address, data):
        raise OSError(19)

    machine.I2C.part.write = machine.I2C.part.read = write
    machine.Pin.__init__ = lambda self, number, mode=None, pull=None, value=None: setattr(self, "latch", 1)
    machine.Pin.number = -1
    drivers = __import__("parts").open_drivers(BOARD, None)
    for kind, name, _ in BOARD["parts"]:
        if kind in ("ds18b20", "sht3x", "hx711", "dht22"):
            assert drivers[name].sample() is None, name
            assert drivers[name].failed >= 1


def a_kettle_boils_and_goes_off():
    from kettle import Kettle
    from scripted import Clock, Config, Sealer

    pins = wire_up()
    drivers = __import__("parts").open_drivers(BOARD, None)
    assert next(iter(BOARD["parts"]))[0] == "relay", "what could do harm is opened first"
    heater = machine.wired[pins["heater"]["control"]]
    base, button = (machine.wired[pins[name]["contact"]] for name in ("base", "button"))
    kettle = Kettle(Config(BOARD["channels"]), Clock(), drivers, Sealer())
    kettle.running = True
    assert heater.now == 0
    drivers["base"]._pin.handler(None)
    base.now = 0  # it stands: the contact is closed
    time.sleep_ms(25)
    button.now = 0
    why = kettle.control.press(0, *kettle._readings())
    assert why is None, why
    kettle.look(0)
    assert heater.now == 1
    for sixteenths in (60 * 16, 85 * 16 - 8, 99 * 16, 100 * 16):
        assert heater.now == 1
        Wire.sixteenths = sixteenths
        time.sleep_ms(760)
        kettle.look(1000)
    assert heater.now == 0
    # Lifted while it heats, it goes off at once; and so it does where the thermometer comes off.
    for fault in ("lifted", "unplugged"):
        Wire.sixteenths = 20 * 16
        time.sleep_ms(760)
        assert kettle.control.press(0, *kettle._readings()) is None
        kettle.look(0)
        assert heater.now == 1
        if fault == "lifted":
            base.now = 1
        else:
            Wire.reset = lambda self, required=False: False
            time.sleep_ms(760)
        kettle.look(1000)
        assert heater.now == 0, fault
        base.now = 0


def a_kettle_as_it_is_shipped_does_not_heat():
    from kettle import Kettle
    from scripted import Clock, Config, Sealer

    for place, settings in enumerate(SHIPPED):
        BOARD["parts"][place][2] = settings
    pins = wire_up()
    drivers = __import__("parts").open_drivers(BOARD, None)
    kettle = Kettle(Config(BOARD["channels"]), Clock(), drivers, Sealer())
    kettle.running = True
    drivers["base"]._pin.handler(None)
    machine.wired[pins["base"]["contact"]].now = 0
    time.sleep_ms(25)
    now = 0
    assert kettle.control.press(now, *kettle._readings()) == "fault"
    assert kettle.control.hold(now, *kettle._readings()) == "fault"
    assert kettle.command("boil", []) == "unarmed"
    assert drivers["heater"].value == 0
    assert drivers["water_mass"].raw == pins["water_mass"]["per_kg"]
