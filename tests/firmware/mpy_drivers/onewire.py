"""A 1-Wire bus whose answers follow a script: `script` holds what must happen next, in order.

("reset", presence), ("write", byte), ("read", bytes).
"""

script = []


class OneWire:
    def __init__(self, pin):
        self.pin = pin

    def _next(self, what):
        assert script, "nothing was expected, but " + what
        kind, value = script.pop(0)
        assert kind == what, (kind, what)
        return value

    def reset(self, required=False):
        return self._next("reset")

    def writebyte(self, byte):
        assert self._next("write") == byte, hex(byte)

    def readinto(self, buffer):
        data = self._next("read")
        assert len(buffer) == len(data)
        buffer[:] = data
