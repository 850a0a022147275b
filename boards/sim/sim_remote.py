"""The board's side of a world that runs beside it (sim_world.py): the drivers of any emulated board."""

import socket

from sim_drivers import Input, Player, Sensor

_TIMEOUT_S = 2


class RemoteWorld:
    """Stands for the world: asks it what it measures, and sets its actuators. Sensors read None while it is away."""

    def __init__(self, port):
        self._address = socket.getaddrinfo("127.0.0.1", port)[0][-1]
        self._socket = None
        self._asked_ms = None
        self._next_ms = 0
        self.busy = False
        self.edges = []
        self.settings = {}
        sensors, inputs, actuators = self._ask("?").split("|")
        self.sensors = sensors.split()
        self.inputs = [pair.split("=") for pair in inputs.split()]
        self.actuators = actuators.split()
        self.values = [None] * len(self.sensors)

    def advance(self, to_ms, _steps=0):
        """Look at the world at that time: True when done, False while it is away."""
        if to_ms == self._asked_ms and not self.settings:
            return True
        words = [str(to_ms)] + ["%s=%d" % pair for pair in self.settings.items()]
        try:
            seen, edges = self._ask(" ".join(words)).split("|")
        except OSError:
            self._socket = None
            for place in range(len(self.values)):
                self.values[place] = None
            return False
        self._asked_ms = to_ms
        self.settings.clear()
        seen = seen.split()
        self._next_ms = int(seen[0])
        self.busy = seen[1] == "1"
        for place, value in enumerate(seen[2:]):
            self.values[place] = None if value == "-" else int(value)
        for edge in edges.split():
            name, value = edge.split("=")
            self.edges.append((name, int(value)))
        return True

    def next_ms(self):
        return self._next_ms

    def _ask(self, line):
        if self._socket is None:
            link = socket.socket()
            link.settimeout(_TIMEOUT_S)
            link.connect(self._address)
            self._socket = link
        self._socket.send((line + "\n").encode())
        answer = b""
        while not answer.endswith(b"\n"):
            more = self._socket.recv(256)
            if not more:
                raise OSError("the world went away")
            answer += more
        return answer.decode()


class Actuator:
    """What the world obeys; the value is what was set last."""

    def __init__(self, world, name, look):
        self._world = world
        self._name = name
        self._look = look
        self.value = 0

    def set(self, value):
        self.value = 1 if value else 0
        self._world.settings[self._name] = self.value
        self._look()

    def sample(self):
        return self.value


def open_drivers(board, clock):
    """The drivers that the world names, and the task that lives in it."""
    sim = board["sim"]
    speed = sim.get("speed", 1)
    world = RemoteWorld(sim["world"])
    drivers = {name: Input(int(value)) for name, value in world.inputs}
    player = Player(world, clock, dict(drivers), speed)
    # One look serves all the sensors of a row: they are read within a millisecond or so of real time.
    player.fresh_ms = 5 * speed
    for place, name in enumerate(world.sensors):
        drivers[name] = Sensor(player.catch_up, lambda place=place: world.values[place])
    for name in world.actuators:
        drivers[name] = Actuator(world, name, player.look_now)
    drivers["tasks"] = [player.run]
    return drivers
