"""Stand-ins whose time, readings and peers follow a script."""

from config import Channel


class Clock:
    """Stands still until it is told to go on. One simulated millisecond is a real one."""

    def __init__(self, offset_s=1_700_000_000):
        self.now = 0
        self.offset_s = offset_s
        self.speed = 1

    def uptime_ms(self):
        return self.now

    real_ms = uptime_ms

    def time_s(self, uptime_ms=None):
        return None if self.offset_s is None else self.offset_s + (self.now if uptime_ms is None else uptime_ms) // 1000


class Sensor:
    def __init__(self, value):
        self.value = value

    def sample(self):
        return self.value


class Heater:
    def __init__(self):
        self.value = 1  # as a relay might be found at boot
        self.history = []

    def set(self, value):
        self.value = value
        self.history.append(value)

    def sample(self):
        return self.value


class Sealer:
    """Keeps what would be sealed: ("columns", first row's uptime, time_s, step, rows), with how many measured rows each
    stands for where they are thinned, and ("events", uptime, time_s, events, keep). `fill` is that of the journal."""

    def __init__(self):
        self.frames = []
        self.fill = 0

    def columns(self, columns, time_s, uptime_ms, step_ms, each=1):
        rows = []
        for row in range(columns.rows):
            cells = [columns.cells[channel * columns.capacity + row] for channel in range(columns.channels)]
            rows.append([None if cell == 0x7FFFFFFF else cell - 0x20000000 for cell in cells])
        self.frames.append(("columns", uptime_ms, time_s, step_ms, rows) + ((each,) if each > 1 else ()))
        columns.clear()

    def event_list(self, events, time_s, uptime_ms, keep):
        self.frames.append(("events", uptime_ms, time_s, list(events), keep))

    def take(self):
        frames, self.frames = self.frames, []
        return frames


class Config:
    step_ms = 10000
    report_s = 60
    quiet_s = 600
    live_s = 1
    heating_step_ms = 1000

    def __init__(self, channels):
        self.channels = [Channel(*row) for row in channels]


def diagnostics():
    return [["fault", "/", 1, 1, 3, "diagnostics", None], ["heap_free", "B", 1, 1, 3, "diagnostics", None]]


def run_until(appliance, clock, end_ms, step_ms=1000):
    """Lets the loop turn as often as it would, up to and including `end_ms`."""
    while clock.now < end_ms:
        clock.now = min(clock.now + step_ms, end_ms)
        appliance.tick()
