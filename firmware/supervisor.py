"""Keeps the board's tasks alive: restarts what crashed or ended, and feeds the watchdog only while every task checks in
that can: one that waits for a button may wait for ever.

A task that hangs starves the watchdog, and the watchdog resets the board: a kettle's heater pin falls back to
off in the reset, whatever the software was doing.
"""

import asyncio
import sys
import time

from micropython import const

_LOOK_MS = const(1000)
_BACKOFF_FIRST_MS = const(1000)
_BACKOFF_MOST_MS = const(60000)
_CRASHES_MOST = const(8)
# A task that ran this long after a crash is healthy again: its crashes no longer add up to a reset.
_HEALTHY_MS = const(600000)


# What is kept of a task, in a list: an object of a class of its own would cost twice as much.
_NAME = const(0)
_START = const(1)
_LIMIT_MS = const(2)
_TASK = const(3)
_CRASHES = const(4)
_SEEN = const(5)  # ticks of its last sign of life; None while it does not run


class Supervisor:
    """`watchdog` has `feed()`, or is None; `reset()` restarts the board; `make_safe()` switches off what could do
    harm; `every_second()` is called as its name says."""

    def __init__(self, watchdog, reset, make_safe, every_second):
        self.crashes = 0
        self._watchdog = watchdog
        self._reset = reset
        self._make_safe = make_safe
        self._every_second = every_second
        self._watched = []

    def add(self, name, start, limit_ms=None):
        """Supervises the coroutine function `start`, which never returns. With `limit_ms` (real milliseconds) it is
        called with one argument, the function to check in with, and must call that at least so often; with True where
        what follows may block all tasks: the watchdog is then fed first, if all is well."""
        self._watched.append([name, start, limit_ms, None, 0, None])

    async def run(self):
        """Runs all tasks for ever. Leaves the board safe when it is cancelled."""
        try:
            for watched in self._watched:
                watched[_TASK] = asyncio.create_task(self._keep(watched))
            while True:
                self.look()
                try:
                    self._every_second()
                except Exception as error:
                    self.report(error)
                await asyncio.sleep_ms(_LOOK_MS)
        finally:
            self.stop()

    def report(self, error):
        """Says what crashed, and keeps a report of it for the gateway."""
        sys.print_exception(error)
        self.crashes += 1
        try:
            from crash import keep

            del sys.modules["crash"]
            keep(error)
        except MemoryError:
            print("supervisor: no memory")

    def look(self):
        """Feeds the watchdog if every running task checked in within its limit, else makes the board safe. Returns
        the names of those that did not."""
        silent = []
        for watched in self._watched:
            if watched[_SEEN] is not None and watched[_LIMIT_MS] is not None:
                if time.ticks_diff(time.ticks_ms(), watched[_SEEN]) > watched[_LIMIT_MS]:
                    silent.append(watched[_NAME])
        if silent:
            print("supervisor: silent:", ", ".join(silent))
            self._make_safe()
        elif self._watchdog is not None:
            self._watchdog.feed()
        return silent

    def stop(self, name=None):
        """Cancels one task, or all of them and makes the board safe."""
        if name is None:
            self._make_safe()
        for watched in self._watched:
            if watched[_TASK] is not None and name in (None, watched[_NAME]):
                watched[_TASK].cancel()
                watched[_TASK] = None

    async def _keep(self, watched):
        def beat(*now):
            watched[_SEEN] = time.ticks_ms()
            if now:
                self.look()

        while True:
            beat()
            started = watched[_SEEN]
            try:
                if watched[_LIMIT_MS] is None:
                    await watched[_START]()
                else:
                    await watched[_START](beat)
                # Nobody else does what it did.
                raise RuntimeError
            except Exception as error:
                print("supervisor: crashed:", watched[_NAME])
                self.report(error)
            finally:
                watched[_SEEN] = None
            if time.ticks_diff(time.ticks_ms(), started) >= _HEALTHY_MS:
                watched[_CRASHES] = 0
            watched[_CRASHES] += 1
            if watched[_CRASHES] >= _CRASHES_MOST:
                print("supervisor: reset:", watched[_NAME], "crashes too often")
                self._make_safe()
                self._reset()
            await asyncio.sleep_ms(min(_BACKOFF_FIRST_MS << (watched[_CRASHES] - 1), _BACKOFF_MOST_MS))
