"""A strip that remembers what was written to it, in `written`."""

written = []


class NeoPixel:
    def __init__(self, pin, n):
        self.pin = pin
        self.pixels = [(0, 0, 0)] * n

    def __setitem__(self, index, colour):
        self.pixels[index] = colour

    def write(self):
        written.append(tuple(self.pixels))
