"""An RGB LED: three pins, or one addressable LED (WS2812), as the development kits carry it."""

from micropython import const

_DIM_GREEN = const(0x001800)


class Rgb:
    """`set(1)` lights it in `colour` (0xRRGGBB), `set(0)` makes it dark, as it is at first; `value` is which. On three
    pins a colour is on or off. `show(red, green, blue)` puts a colour on the hardware."""

    def __init__(self, show, colour=_DIM_GREEN):
        self.colour = colour
        self._show = show
        self.set(0)

    def set(self, value):
        self.value = value
        colour = self.colour if value else 0
        self._show(colour >> 16 & 0xFF, colour >> 8 & 0xFF, colour & 0xFF)


def on_pins(pins, on):
    """What shows a colour on three pins (red, green, blue); `on` is the level at which they light."""

    def show(*colour):
        for pin, part in zip(pins, colour):
            pin(on if part else 1 - on)

    return show


def on_strip(strip):
    """What shows a colour on the first LED of a neopixel.NeoPixel."""

    def show(*colour):
        strip[0] = colour
        strip.write()

    return show


def open(settings):
    from machine import Pin

    if "data" in settings:
        from neopixel import NeoPixel

        show = on_strip(NeoPixel(Pin(settings["data"], Pin.OUT), 1))
    else:
        on = settings["on"]
        show = on_pins([Pin(settings[name], Pin.OUT, value=1 - on) for name in ("red", "green", "blue")], on)
    return Rgb(show, settings.get("colour", _DIM_GREEN))
