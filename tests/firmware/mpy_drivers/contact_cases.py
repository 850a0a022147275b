"""contact.py against contacts that bounce, edge for edge."""

import asyncio

import contact
import machine
from ticks import Ticks

PIN = 23


class Part:
    def __init__(self, level):
        self.now = level

    def level(self):
        return self.now


class Switch:
    """A driver `made` on a pin that a script moves; with the stand-in's time, unless `real`."""

    def __init__(self, closed, level=1, real=False):
        machine.wired[PIN] = self.part = Part(level)
        self.ticks = Ticks()
        if not real:
            contact.time = self.ticks
        made = []
        original = machine.Pin.irq

        def irq(pin, handler, trigger):
            made.append(pin)
            original(pin, handler, trigger)

        machine.Pin.irq = irq
        try:
            self.made = contact.open({"contact": PIN, "closed": closed})
        finally:
            machine.Pin.irq = original
        self.pin = made[0]

    def edge(self, level):
        self.part.now = level
        self.pin.handler(self.pin)

    def after_ms(self, ms):
        self.ticks.now_us += ms * 1000


def test_it_is_pulled_up_and_watches_both_edges():
    machine.trace.clear()
    switch = Switch(1)
    assert machine.trace == [(PIN, "in", "up", None)]
    assert switch.pin.edges == machine.Pin.IRQ_FALLING | machine.Pin.IRQ_RISING


def test_closed_means_what_the_board_says():
    for closed in (0, 1):
        assert Switch(closed, level=0).made.sample() == closed
        assert Switch(closed, level=1).made.sample() == 1 - closed


def test_a_cut_wire_is_open_a_kettle_that_stands_nowhere():
    assert Switch(1, level=1).made.sample() == 0


def test_while_it_bounces_it_reads_as_before():
    switch = Switch(1)
    for level in (0, 1, 0, 1, 0):
        switch.edge(level)
        assert switch.made.sample() == 0
        switch.after_ms(3)
    assert switch.made.sample() == 0
    switch.after_ms(17)
    assert switch.made.sample() == 1


def test_a_spark_that_goes_back_is_no_change():
    switch = Switch(1)
    switch.edge(0)
    switch.edge(1)
    switch.after_ms(25)
    assert switch.made.sample() == 0


def test_an_edge_that_nobody_called_for_is_seen_all_the_same():
    switch = Switch(1)
    switch.part.now = 0
    assert switch.made.sample() == 1


async def waited(made, told):
    while True:
        await made.changed.wait()
        told.append(made.sample())


async def test_every_change_that_stays_wakes_once():
    switch = Switch(1, real=True)
    told = []
    task = asyncio.create_task(waited(switch.made, told))
    await asyncio.sleep_ms(5)
    for level in (0, 1, 0, 1, 0, 0):
        switch.edge(level)
        await asyncio.sleep_ms(1)
    assert told == []
    await asyncio.sleep_ms(60)
    assert told == [1]
    for level in (1, 0, 1):
        switch.edge(level)
    await asyncio.sleep_ms(60)
    assert told == [1, 0]
    switch.edge(0)
    switch.edge(1)
    await asyncio.sleep_ms(60)
    assert told == [1, 0], "what goes back within the time is none"
    task.cancel()


async def test_a_change_that_somebody_else_sampled_first_wakes_too():
    switch = Switch(1, real=True)
    told = []
    task = asyncio.create_task(waited(switch.made, told))
    await asyncio.sleep_ms(5)
    switch.edge(0)
    for _ in range(40):
        switch.made.sample()
        await asyncio.sleep_ms(1)
    await asyncio.sleep_ms(40)
    assert told == [1]
    task.cancel()
