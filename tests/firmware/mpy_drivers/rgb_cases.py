"""rgb.py: what reaches three pins, or the strip."""

import machine
import neopixel
import rgb


def levels():
    return [entry[:2] for entry in machine.trace if len(entry) == 3]


def test_three_pins_are_dark_at_first_and_show_the_colour():
    for on in (0, 1):
        machine.wired.clear()
        machine.trace.clear()
        made = rgb.open({"red": 21, "green": 19, "blue": 18, "on": on, "colour": 0x8000FF})
        assert machine.trace[:3] == [(pin, "out", None, 1 - on) for pin in (21, 19, 18)]
        assert levels() == [(21, 1 - on), (19, 1 - on), (18, 1 - on)]
        assert made.value == 0
        machine.trace.clear()
        made.set(1)
        assert levels() == [(21, on), (19, 1 - on), (18, on)]
        assert made.value == 1
        machine.trace.clear()
        made.set(0)
        assert levels() == [(21, 1 - on), (19, 1 - on), (18, 1 - on)]


def test_the_strip_is_dark_at_first_and_gets_red_green_blue():
    neopixel.written.clear()
    made = rgb.open({"data": 8})
    made.set(1)
    made.colour = 0x102030
    made.set(1)
    made.set(0)
    assert neopixel.written == [((0, 0, 0),), ((0, 0x18, 0),), ((0x10, 0x20, 0x30),), ((0, 0, 0),)]
