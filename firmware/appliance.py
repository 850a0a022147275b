"""What every appliance does: measures on a fixed grid, decides when a frame is sealed, takes commands.

A kind of appliance (fridge.py, kettle.py) adds what its readings mean. Nothing here knows of the network.
"""

import sys

from micropython import const
from packing import Columns

GAUGE = const(0)
EVENT = const(3)
# In `Appliance.use`: nothing of this channel leaves, and its driver is not even asked. 1: nothing leaves; 0: all may.
_UNMEASURED = const(2)

_ROWS = const(60)
# From here on (percent of the journal) series are thinned, until it is this empty again.
_THIN_FILL = const(75)
_FULL_FILL = const(60)
# The loop looks at least this often, so that a command or a deadline never waits for a long step.
_LOOK_MS = const(1000)
# After this long without an event that matters, reports may wait for `quiet_s`.
_QUIET_AFTER_MS = const(120000)
# Slots missed by no more than this are rows without values; a longer hole starts a new frame.
_HOLE_ROWS = const(5)
_LIVE_MOST_S = const(3600)
_BATTERY_LEAST = const(40)
_EVENTS_MOST = const(32)
# The wire has no offset longer than an hour.
_OFFSET_MOST_MS = const(3600000)
_VALUE_MOST = const(0x1FFFFFFF)


class Appliance:
    """`drivers` is the board's dict name -> driver; a channel whose driver is not there reads as missing.
    `measure(row, now_ms)`, `look(now_ms)`, `forget()` and `held(now_ms, count)` are for the kinds to override.

    `use` says of each channel whether anybody may use it, `quiet` that a person wants nothing to be said: both change
    in quiet.py, which tells `on_use(state)`, the items of a state message. Where it is about safety, neither is asked:
    a kettle reads what it needs for its own decisions, and tells nobody."""

    # How long the button is held, for each of its long presses. It is looked at about once a second.
    holds_ms: tuple = (3000,)

    def __init__(self, config, clock, drivers, sealer):
        self.clock = clock
        self.drivers = drivers
        self.reboot_asked = False
        self.running = False
        self._sealer = sealer
        self._slow_ms = config.step_ms
        self._live_ms = config.live_s * 1000
        self._report_ms = config.report_s * 1000
        self._quiet_ms = config.quiet_s * 1000
        self._events = {channel.name: index for index, channel in enumerate(config.channels) if channel.kind == EVENT}
        # Diagnostics can wait for the next report; every other event is why the appliance is watched at all.
        self._matters = [channel.category != "diagnostics" for channel in config.channels]
        self._series = [index for index, channel in enumerate(config.channels) if channel.kind != EVENT]
        self._samples = [_sampler(drivers.get(config.channels[index].driver)) for index in self._series]
        self._failed = [False] * len(self._series)
        self.use = bytearray(len(config.channels))
        self.quiet = False
        self.on_use = None
        self._held = self._since_ms = 0
        self._row = [None] * len(self._series)
        self._empty_row = (None,) * len(self._series)
        self._columns = Columns(len(self._series), _ROWS)
        self._thin = None  # a thinning.Thinned while the journal is nearly full
        self._step_ms = config.step_ms
        self._offset_s = clock.offset_s
        self._next_ms = self._base_ms = clock.uptime_ms()
        self._busy_ms = self._next_ms + _QUIET_AFTER_MS
        self._live_until_ms = 0
        self._pending = []
        self._pending_ms = 0
        self._urgent = False

    def tasks(self):
        """(name, start, limit_ms) of everything that the supervisor must keep running."""
        # What heats is switched off when nobody looked for so long, even if only a silent name server is to blame.
        return [("appliance", self.run, 10000)] + [("driver", start, None) for start in self.drivers.get("tasks", ())]

    async def run(self, beat):
        """Samples for ever; leaves the appliance safe if it is cancelled or crashes."""
        self.running = True
        try:
            while True:
                self.tick()
                beat()
                now = self.clock.uptime_ms()
                await self.clock.sleep_ms(max(0, min(self._next_ms - now, _LOOK_MS)))
        finally:
            self.running = False
            self.make_safe()

    def tick(self):
        """One turn of the loop, for the time that it is now."""
        now = self.clock.uptime_ms()
        step_ms = self.step_ms(now)
        if step_ms != self._step_ms:
            self._seal_columns()
            self._step_ms = step_ms
            self._next_ms = now
        if self.clock.offset_s != self._offset_s:
            self.seal()
            self._offset_s = self.clock.offset_s
        if now >= self._next_ms:
            if self.quiet:
                self._next_ms = now + self._step_ms
            else:
                self._sample(now)
        self.look(now)
        self.settle()
        # Sealed when one more row would come too late, so that a frame never waits beyond its deadline.
        if self._columns.rows and self._thin is None:
            wait_ms = self._live_ms if self.is_live(now) else self._report_ms if now < self._busy_ms else self._quiet_ms
            if self._next_ms - self._base_ms >= wait_ms:
                self.seal()

    def is_live(self, now):
        """Somebody looks, or the kettle heats: rows and reports every `live_s`."""
        return now < self._live_until_ms

    def step_ms(self, now):
        """From one row to the next. Who looks wants rows as often as reports."""
        return min(self._slow_ms, self._live_ms) if self.is_live(now) else self._slow_ms

    def measure(self, row, now):
        """A fresh row of values (None = missing), in the order of the series channels, before it is kept."""

    def look(self, now):
        """At least once a second."""
        button = self.drivers.get("button")
        if button is None or button.sample() != 1:
            self._held = 0
            self._since_ms = now
        elif self._held < len(self.holds_ms) and now - self._since_ms >= self.holds_ms[self._held]:
            self._held += 1
            self.held(now, self._held)

    def forget(self):
        """What was measured before is nothing to compare with: it would tell what happened while nobody was to know."""

    def held(self, now, count):
        """The button is held, for the `count`-th of its long presses: quiet, or no longer."""
        self._busy_ms = now + _QUIET_AFTER_MS
        self.command("use", None)

    def may_update(self):
        """Why this is no moment to write an update or to start it, or None."""
        if self.quiet:
            return "quiet"
        # Such a driver reads per cent while the board runs on its battery, and None while it is on the mains.
        left = self.drivers["battery"].sample() if "battery" in self.drivers else None
        return None if left is None or left >= _BATTERY_LEAST else "battery"

    def failures(self):
        """The series channels that read nothing now, as bits; what is not to be measured is not asked."""
        bits = 0
        for place, sample in enumerate(self._samples):
            if self.use[self._series[place]] != _UNMEASURED and (sample is None or sample() is None):
                bits |= 1 << place
        return bits

    def make_safe(self):
        """Switches off what could do harm. Must not fail, whatever state the rest is in."""

    def command(self, verb, args):
        """Does a verified command. Returns None, or why it is refused. `use` without a list is the button."""
        if verb == "flush" and not args:
            self.seal()
        elif verb == "reboot" and not args:
            self.reboot_asked = True
        elif verb == "live" and len(args) == 1 and isinstance(args[0], int) and 0 <= args[0] <= _LIVE_MOST_S:
            self._live_until_ms = self.clock.uptime_ms() + args[0] * 1000
        elif verb == "use":
            try:
                from quiet import decide

                del sys.modules["quiet"]
                return decide(self, args)
            except MemoryError:
                return "fault"  # the gateway asks again, and so will a person
        else:
            return "verb"
        return None

    def event(self, name, value):
        """Notes that something happened now, if the board has such a channel. `settle()` sends it on its way."""
        index = self._events.get(name)
        if index is None or self.quiet or self.use[index]:
            return
        now = self.clock.uptime_ms()
        if len(self._pending) >= _EVENTS_MOST or now - self._pending_ms > _OFFSET_MOST_MS:
            self._seal_events()
        if not self._pending:
            self._pending_ms = now
        self._pending.append((index, now - self._pending_ms, max(-_VALUE_MOST, min(value, _VALUE_MOST))))
        if self._matters[index]:
            self._urgent = True
            self._busy_ms = now + _QUIET_AFTER_MS

    def settle(self):
        """Seals at once if an event that matters is pending. What was measured before it goes before it, unless it
        is to be thinned: an event is no reason for a frame of a few rows then."""
        if self._urgent:
            if self._thin is None:
                self._seal_columns()
            self._seal_events()

    def seal(self):
        """Seals all that is measured and noted."""
        self._seal_columns()
        self._seal_events()

    def _sample(self, now):
        missed = (now - self._next_ms) // self._step_ms
        if missed:
            self._miss(missed)
        row = self._row
        for place, sample in enumerate(self._samples):
            index = self._series[place]
            if self.use[index] == _UNMEASURED:
                row[place] = None
                continue
            value = None if sample is None else sample()
            row[place] = value
            if (value is None) != self._failed[place]:
                self._failed[place] = value is None
                self.event("fault", index if value is None else -1 - index)
        self.measure(row, now)
        for place, index in enumerate(self._series):
            if self.use[index]:
                row[place] = None
        self._add(row)

    def _miss(self, missed):
        """Slots passed without a sample: the grid stays, and what was not measured is not made up."""
        if self._columns.rows and missed <= _HOLE_ROWS:
            for _ in range(missed):
                self._add(self._empty_row)
        else:
            self._seal_columns()
            self._next_ms += missed * self._step_ms

    def _add(self, row):
        columns, fill = self._columns, self._sealer.fill
        if self._thin is not None:
            if fill < _FULL_FILL:
                self.seal()
                self._thin = None
        elif fill >= _THIN_FILL and not columns.rows:
            from thinning import begin

            self._thin = begin(columns.channels)
        if not columns.rows:
            self._base_ms = self._next_ms
        columns.add(row)
        self._next_ms += self._step_ms
        thin = self._thin
        if columns.rows == _ROWS if thin is None else thin.take(columns, self._base_ms, self._step_ms):
            self.seal()

    def _time_s(self, uptime_ms):
        """Unix seconds at `uptime_ms` by the clock that the current frame began with."""
        return None if self._offset_s is None else self._offset_s + uptime_ms // 1000

    def _seal_columns(self):
        thin, columns = self._thin, self._columns
        while thin is not None and thin.close(columns, self._base_ms):
            at_ms = thin.base_ms
            self._sealer.columns(thin, self._time_s(at_ms), at_ms, thin.each * self._step_ms, thin.each)
        if columns.rows:
            self._sealer.columns(columns, self._time_s(self._base_ms), self._base_ms, self._step_ms)

    def _seal_events(self):
        if self._pending:
            self._sealer.event_list(self._pending, self._time_s(self._pending_ms), self._pending_ms, self._urgent)
            self._pending.clear()
            self._urgent = False


def _sampler(driver):
    """What reads `driver`: its sample(), or what an actuator was set to; None where there is no driver."""
    if driver is None:
        return None
    if hasattr(driver, "sample"):
        return driver.sample
    return lambda: driver.value
