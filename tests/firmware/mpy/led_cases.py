"""board.lit and Board.show: the LED tells the board's states apart."""

import asyncio

from board import Board, lit

OFFLINE, CONNECTED, QUIET, SAFE = range(4)


def shown(state):
    """Two seconds of it, a character for an eighth of a second."""
    return "".join("#" if lit(state, now) else "." for now in range(62, 2062, 125))


def test_each_state_has_its_pattern():
    assert shown(CONNECTED) == "#" * 16
    assert shown(OFFLINE) == "########........"
    assert shown(QUIET) == "#.#............."
    assert shown(SAFE) == "#." * 8


def test_a_pattern_begins_again_every_two_seconds():
    for state in range(4):
        assert [lit(state, now) for now in range(0, 2000, 25)] == [lit(state, now) for now in range(86000, 88000, 25)]


class Led:
    def __init__(self):
        self.value = 0
        self.history = []

    def set(self, value):
        self.value = value
        self.history.append(value)


class Part:
    pass


async def test_the_led_follows_the_board():
    led = Led()
    board = Board("fridge", Part(), None, None, None, None)
    now = [0]
    board.clock.real_ms = lambda: now[0]
    board.appliance, board.link = Part(), Part()
    board.appliance.drivers = {"led": led}
    board.appliance.quiet = False
    board.link.client = Part()
    board.link.client.connected = True
    real = asyncio.sleep_ms

    async def sleep_ms(ms):
        now[0] += ms
        await real(0)

    asyncio.sleep_ms = sleep_ms
    task = asyncio.create_task(board.show(lambda: None))

    async def until(end_ms):
        while now[0] < end_ms:
            await real(0)
        history = led.history[:]
        led.history.clear()
        return history

    assert await until(10000) == [1], "it is set only when it changes"
    board.appliance.quiet = True
    assert len(await until(20000)) in (19, 20, 21), "two short ones every two seconds"
    board.appliance.quiet = False
    board.link.client.connected = False
    assert len(await until(30000)) in (9, 10, 11)
    task.cancel()
    asyncio.sleep_ms = real
