"""Runs a simulated world beside its board, as a process of its own: `micropython sim_world.py MODULE PORT SEED SPEED`.

A kettle does not cool down because its board restarts, and it takes none of the board's memory. One board at a time
speaks to it, a line each way. The board says `now_ms [!] [actuator=value …]` by its own clock; the answer is
`next_ms busy sensor=value … | input=value …`, without the sensors that gave nothing, and with what happened at the
inputs only for a `!`. `?` asks for the names: `sensor … | input=value … | actuator …`. When a board starts again, the
world has gone on by the real time between.

Who stands beside it speaks on its standard input: `press INPUT SECONDS` holds a button so long in the household's time,
and on its standard output hears `led VALUE` whenever the board's LED goes on or off.
"""

import select
import socket
import sys
import time

_LINE = 256


class Served:
    """A world and the board's time in it; and what is on the board itself: its LED, and a finger on its button."""

    def __init__(self, world, speed):
        self._world = world
        self._speed = speed
        self._sensors = [(name, getattr(world, read)) for name, read in world.SENSORS]
        self._offset_ms = 0
        self._board_ms = 0
        self._left = None
        self._presses = []  # (input's name, seconds), of which the board has not heard
        self._held = []  # (input's name, when it is let go)

    def names(self):
        world = self._world
        inputs = " ".join("%s=%d" % pair for pair in world.INPUTS)
        actuators = " ".join(world.ACTUATORS + ("led",))
        return " ".join(name for name, _ in self._sensors) + " | " + inputs + " | " + actuators

    def came(self, now_ms):
        """A board connected; its uptime begins anew, the world's time does not."""
        if self._left is not None:
            gone_ms = time.ticks_diff(time.ticks_ms(), self._left) * self._speed
            self._offset_ms += self._board_ms + gone_ms - now_ms
            self._world.edges.clear()
            self._left = None

    def went(self):
        self._left = time.ticks_ms()

    def told(self, words):
        """What somebody beside the world wants done."""
        world = self._world
        if len(words) == 3 and words[0] == "press" and words[1] in [name for name, _ in world.INPUTS]:
            self._presses.append((words[1], int(words[2])))

    def _let_go(self, now_ms):
        for held in self._held[:]:
            if held[1] <= now_ms:
                self._held.remove(held)
                self._world.advance(held[1])
                self._world.edge(held[0], 0)

    def look(self, now_ms, settings):
        world = self._world
        self._board_ms = now_ms
        self._let_go(self._offset_ms + now_ms)
        world.advance(self._offset_ms + now_ms)
        wanted = "!" in settings
        for setting in settings:
            name, _, value = setting.partition("=")
            if name == "led":
                print("led", value)
            elif value:
                world.set(name, int(value))
        seen = [(name, read()) for name, read in self._sensors]
        values = " ".join("%s=%d" % pair for pair in seen if pair[1] is not None)
        edges = ""
        if wanted:
            for name, seconds in self._presses:
                world.edge(name, 1)
                self._held.append((name, self._offset_ms + now_ms + seconds * 1000))
            self._presses.clear()
            edges = " ".join("%s=%d" % edge for edge in world.edges)
            world.edges.clear()
        next_ms = min([world.next_ms()] + [until_ms for _, until_ms in self._held])
        return "%d %d %s | %s" % (next_ms - self._offset_ms, world.busy, values, edges)


def serve(world, port, speed):
    """Serve one board after the other, for ever."""
    served = Served(world, speed)
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(socket.getaddrinfo("127.0.0.1", port)[0][-1])
    listener.listen(1)
    print("world: ready")
    while True:
        board = listener.accept()[0]
        try:
            _talk(served, board)
        except (OSError, ValueError) as error:
            print("world: the board went away:", error)
        board.close()
        served.went()


def _talk(served, board):
    rest = b""
    fresh = True
    poll = select.poll()
    poll.register(board, select.POLLIN)
    poll.register(sys.stdin, select.POLLIN)
    while True:
        ready = [what[0] for what in poll.poll()]
        if sys.stdin in ready:
            line = sys.stdin.readline()
            if line:
                served.told(line.split())
            else:  # nobody is there to say anything
                poll.unregister(sys.stdin)
        if board not in ready:
            continue
        more = board.recv(_LINE)
        if not more:
            return
        rest += more
        while b"\n" in rest:
            line, rest = rest.split(b"\n", 1)
            words = line.decode().split()
            if words[0] == "?":
                answer = served.names()
            else:
                if fresh:
                    served.came(int(words[0]))
                    fresh = False
                answer = served.look(int(words[0]), words[1:])
            board.send((answer + "\n").encode())
        if len(rest) > _LINE:
            raise ValueError("a line without end")


if __name__ == "__main__":
    serve(__import__(sys.argv[1]).World(int(sys.argv[3])), int(sys.argv[2]), int(sys.argv[4]))
