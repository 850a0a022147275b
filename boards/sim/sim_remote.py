"""The board's side of a world that runs beside it (sim_world.py): the drivers of any emulated board, and as little
else as can be, because what the emulation takes the board does not have."""

import asyncio
import socket

from micropython import const

_TIMEOUT_S = const(2)
_SHOW_MS = const(10)  # real: an edge stays this long before the next, whatever the speed
_FRESH_MS = const(5)  # real: one look serves all the sensors of a row
_LOOK_MS = const(1000)  # real: somebody may press a button at any time
_IDLE_MS = const(60000)
_BUSY_MS = const(5000)


class World:
    """Asks the world what it measures, and sets its actuators. Sensors read None while it is away."""

    def __init__(self, clock, speed, port):
        self._address = socket.getaddrinfo("127.0.0.1", port)[0][-1]
        self._clock = clock
        self._speed = speed
        self._link = None
        self._due_ms = self._seen_ms = -_IDLE_MS
        self._busy = False
        self._edges = []
        self.settings = {}
        self.values = {}
        self.inputs = {}
        self.sensors, inputs, self.actuators = (part.split() for part in self._ask("?"))
        for pair in inputs:
            name, value = pair.split("=")
            self.inputs[name] = Input(int(value))

    def look(self, anew=False, edges=False):
        """Sees the world at the time that it is now, and with `edges` what happened at the inputs; False while it is
        away."""
        now_ms = self._clock.uptime_ms()
        if not anew and now_ms - self._seen_ms < _FRESH_MS * self._speed:
            return True
        line = str(now_ms) + (" !" if edges else "")
        for pair in self.settings.items():
            line += " %s=%d" % pair
        try:
            seen, happened = self._ask(line)
        except OSError:
            self._link = None
            self.values.clear()
            return False
        self._seen_ms = now_ms
        self.settings.clear()
        seen = seen.split()
        self._due_ms = int(seen[0])
        self._busy = seen[1] == "1"
        for pair in seen[2:]:
            name, value = pair.split("=")
            self.values[name] = int(value)
        self._edges += happened.split()
        return True

    async def run(self):
        """Shows the edges, in order, at their time."""
        show_ms = _SHOW_MS * self._speed
        while True:
            wait_ms = show_ms
            there = self.look(edges=not self._edges)
            if self._edges:
                name, value = self._edges.pop(0).split("=")
                contact = self.inputs[name]
                contact.value = int(value)
                contact.changed.set()
            elif there:
                wait_ms = self._due_ms - self._clock.uptime_ms()
                wait_ms = min(wait_ms, _BUSY_MS if self._busy else _IDLE_MS, _LOOK_MS * self._speed)
            await self._clock.sleep_ms(max(wait_ms, show_ms))

    def _ask(self, line):
        link = self._link
        if link is None:
            link = socket.socket()
            link.settimeout(_TIMEOUT_S)
            link.connect(self._address)
            self._link = link
        link.send((line + "\n").encode())
        answer = b""
        while not answer.endswith(b"\n"):
            more = link.recv(256)
            if not more:
                raise OSError("the world went away")
            answer += more
        return answer.decode().split("|")


class Changed:
    """Set on every edge; one waiter, and waiting clears it (asyncio.ThreadSafeFlag)."""

    def __init__(self):
        self._event = asyncio.Event()
        self.set = self._event.set

    async def wait(self):
        await self._event.wait()
        self._event.clear()


class Sensor:
    """What the world measures under `name`; None where it gave nothing."""

    def __init__(self, world, name):
        self._world = world
        self._name = name

    def sample(self):
        self._world.look()
        return self._world.values.get(self._name)


class Input:
    """A debounced contact."""

    def __init__(self, value):
        self.value = value
        self.changed = Changed()

    def sample(self):
        return self.value


class Actuator(Sensor):
    """What the world obeys; the value is what was set last."""

    value = 0

    def set(self, value):
        self.value = 1 if value else 0
        self._world.settings[self._name] = self.value
        self._world.look(True)

    def sample(self):
        return self.value


def open_drivers(board, clock):
    """The drivers that the world names, and the task that lives in it."""
    sim = board["sim"]
    world = World(clock, sim.get("speed", 1), sim["world"])
    drivers = {name: Sensor(world, name) for name in world.sensors}
    drivers.update(world.inputs)
    for name in world.actuators:
        drivers[name] = Actuator(world, name)
    drivers["tasks"] = [world.run]
    return drivers
