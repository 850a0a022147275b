"""What stands where the hardware ends: pins, ADC, I2C and pulses that follow a script. `trace` is all that was done.

`wired` maps a pin to what is wired to it: `level()` is what the pin reads, `drive(level)` is told what it is set to,
`pulse(level, timeout_us)` answers time_pulse_us. `masked[0]` is 1 while interrupts are off; `readings` are the ADC's.
"""

wired = {}
trace = []
masked = [0]
readings = []


class Pin:
    IN, OUT, OPEN_DRAIN, PULL_UP = "in", "out", "od", "up"
    IRQ_RISING, IRQ_FALLING = 1, 2

    def __init__(self, number, mode=None, pull=None, value=None):
        trace.append((number, mode, pull, value))
        self.number = number
        self.latch = value
        self.handler = None
        self.edges = 0

    def __call__(self, value=None):
        part = wired.get(self.number)
        if value is None:
            return self.latch if part is None else part.level()
        self.latch = value
        trace.append((self.number, value, masked[0]))
        if part is not None:
            part.drive(value)
        return None

    def irq(self, handler, trigger):
        self.handler = handler
        self.edges = trigger


class ADC:
    ATTN_11DB = "11dB"

    def __init__(self, pin, atten):
        trace.append(("adc", pin.number, atten))

    def read_uv(self):
        return readings.pop(0)


class I2C:
    part = None

    def __init__(self, number, scl, sda, freq, timeout):
        trace.append(("i2c", number, scl.number, sda.number, freq, timeout))

    def writeto(self, address, data):
        trace.append(("write", address, bytes(data)))
        I2C.part.write(address, bytes(data))

    def readfrom_into(self, address, buffer):
        data = I2C.part.read(address)
        trace.append(("read", address, data))
        buffer[:] = data


def disable_irq():
    masked[0] += 1
    return masked[0] - 1


def enable_irq(state):
    masked[0] = state


def time_pulse_us(pin, level, timeout_us):
    return wired[pin.number].pulse(level, timeout_us)
