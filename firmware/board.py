"""A running board: its health line, its LED, its way to reboot, and what keeps all of it going."""

import asyncio
import gc
import sys

from micropython import const

_HEALTH_EVERY_S = const(600)
_HEAP_EVERY_S = const(3600)
# A start has lasted after so long without a crash: longer than a crashed task ever waits for its next start.
_LASTED_MS = const(90000)
# What the LED shows, by the board's state, of which the first three are numbered as on the wire: no connection (slow),
# connected (on), quiet (two short ones), safe mode (fast). Sixteen bits, an eighth of a second each, over and over, the
# first in the lowest.
_LED = (0x00FF, 0xFFFF, 0x0005, 0x5555)
_BEAT_MS = const(125)
_LOOK_MS = const(1000)


def lit(state, now_ms):
    """Whether the LED is on (1 or 0) in that state of the board at that (real) moment."""
    return _LED[state] >> (now_ms // _BEAT_MS & 15) & 1


class Board:
    """All parts of the board, which start.py made. `boot_counter` holds the number of this boot; `reset()` restarts
    the board."""

    def __init__(self, kind, clock, reset, boot_counter, journal, sealer):
        self.kind = kind
        self.clock = clock
        self.reset = reset
        self.boot_counter = boot_counter
        self.journal = journal
        self.sealer = sealer
        self.appliance = self.link = self.supervisor = None
        self.trial = self.update = None  # trial.look, while the slot is on trial; an update that is taken
        self.heap_min = gc.mem_free()
        self._heap_s = 0
        self._health_s = _HEALTH_EVERY_S
        self.crashes = 0
        self._since_ms = _LASTED_MS

    def run(self):
        """Until Ctrl-C, a reset or a reboot. However it ends, nothing heats afterwards."""
        # Whoever switched it on waits for a reading: the first one is not kept for a report.
        self.appliance.command("live", [1])
        try:
            asyncio.run(self.supervisor.run())
        except KeyboardInterrupt:
            import port

            self.appliance.make_safe()
            port.hand_over()
            print("hearthgate: stopped")
            self.journal.spill()  # whoever took the prompt restarts the board as a rule
        except Exception as error:
            import port

            self.appliance.make_safe()
            self.supervisor.report(error)
            port.halt(error)
        finally:
            self.appliance.make_safe()

    def every_second(self):
        """Looks after the journal, tells the heap every hour, prints a health line every ten minutes, notes that the
        start has lasted, and begins a reboot that is asked for."""
        self.link.tend()
        real_ms = self.clock.real_ms()
        if self.supervisor.crashes != self.crashes:
            self.crashes = self.supervisor.crashes
            self.link.crash = True
            self._since_ms = real_ms + _LASTED_MS
        elif 0 < self._since_ms <= real_ms:
            from starts import lasted

            del sys.modules["starts"]
            lasted()
            self._since_ms = 0
        now_s = self.clock.uptime_ms() // 1000
        if now_s >= self._heap_s:
            self._heap_s += _HEAP_EVERY_S
            self.appliance.event("heap_free", self._measure_heap())
        if now_s >= self._health_s:
            self._health_s += _HEALTH_EVERY_S
            self.report()
        if self.trial is not None and not self.trial(self):
            self.trial = None
        if self.appliance.reboot_asked:
            self.appliance.reboot_asked = False
            self._rebooting = asyncio.create_task(self._reboot())

    def command(self, verb, args):
        """Does a verified command. Returns None, or why it is refused."""
        if verb != "rekey":
            return self.appliance.command(verb, args)
        try:
            from rekey import take

            del sys.modules["rekey"]
            return take(self, args)
        except MemoryError:
            return "fault"  # the gateway tells it again

    def take(self, payload):
        """A message of an update that verified. Returns why it is refused, or None."""
        update = self.update
        if update is None:
            from update import Update

            for name in ("update", "manifest", "slots"):
                sys.modules.pop(name, None)
            update = Update(self)
        return update.take(payload)

    async def show(self, beat):
        """Shows the board's state on its LED, for ever."""
        led = self.appliance.drivers["led"]
        while True:
            beat()
            state = 2 if self.appliance.quiet else 1 if self.link.client.connected else 0
            now = self.clock.real_ms()
            on = lit(state, now)
            if led.value != on:
                led.set(on)
            await asyncio.sleep_ms(_LOOK_MS if state == 1 else _BEAT_MS - now % _BEAT_MS)

    async def _reboot(self):
        try:
            from leaving import reboot

            del sys.modules["leaving"]
            await reboot(self)
            del reboot
            self.report(final=True)
        except MemoryError:
            self.journal.spill()
        finally:
            self.reset()

    def report(self, final=False):
        """Prints the health line."""
        free = self._measure_heap()
        while True:
            try:
                from health import line

                del sys.modules["health"]
                print(line(self, free, final))
                break
            except MemoryError:
                # What waits for its ack is in the way, in too many small pieces.
                if not self.journal.release():
                    print("board: no memory for a health line")
                    break
                gc.collect()

    def boot_reused(self, boot):
        """The gateway knows a later life of this board than the board itself. Returns whether this one goes on."""
        from leaving import boot_reused

        del sys.modules["leaving"]
        return boot_reused(self, boot)

    def _measure_heap(self):
        gc.collect()
        free = gc.mem_free()
        self.heap_min = min(self.heap_min, free)
        return free
