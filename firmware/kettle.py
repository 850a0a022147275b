"""A kettle: when its heater may be on, and what is worth telling about it.

Safety is here and in the base class's loop, and needs no network: see HeaterControl.
"""

from appliance import Appliance
from micropython import const

_LEAST_WATER_G = const(250)
_MOST_MS = const(600000)
_ARMED_MS = const(8 * 3600000)
# Temperatures are sixteenths of a degree. Water boils below 100 Cel where air is thin: from 90 Cel on (3000 m), a
# temperature that no longer rises by half a degree in 15 s at full power is the boil.
_BOIL = const(100 * 16)
_NEAR_BOIL = const(90 * 16)
_RISE = const(8)
_PLATEAU_MS = const(15000)
_LEAST_TARGET_CDEG = const(4000)
_FULL_CDEG = const(10000)


class HeaterControl:
    """Decides whether the heater is on. No clock, no pins: time and readings are handed in.

    `temp` is in sixteenths of a degree, `mass_g` in grams, `base` 1 where the kettle stands on it; None is a failed
    sensor. Armed (ready for a remote start) is who pressed at the kettle within 8 hours, with water in it and on its
    base. Lifting it clears that, and so does every end of heating but a remote `off`.
    """

    def __init__(self):
        self.on = False
        self._armed_ms = None
        self._start_ms = 0
        self._target = _BOIL
        self._peak = self._peak_ms = 0

    def must_stop(self, now_ms, temp, mass_g, base):
        """Why the heater may not be on with these readings, or None."""
        if base == 0:
            return "lifted"
        if temp is None or mass_g is None or base is None:
            return "fault"
        if mass_g < _LEAST_WATER_G:
            return "dry"
        if temp >= self._target:
            return "boil"
        if not self.on:
            return None
        if now_ms - self._start_ms >= _MOST_MS:
            return "time"
        if temp >= _NEAR_BOIL and temp < self._peak + _RISE and now_ms - self._peak_ms >= _PLATEAU_MS:
            return "boil"
        return None

    def step(self, now_ms, temp, mass_g, base):
        """Takes a reading. Returns why the heater just went off, or None."""
        if base != 1 or mass_g is None or mass_g < _LEAST_WATER_G:
            self._armed_ms = None
        if not self.on:
            return None
        why = self.must_stop(now_ms, temp, mass_g, base)
        if why is not None:
            self.stop()
        elif temp >= self._peak + _RISE:
            self._peak = temp
            self._peak_ms = now_ms
        return why

    def press(self, now_ms, temp, mass_g, base):
        """The button: off if it is on, else on and armed. Returns why it stays off, or None."""
        if self.on:
            self.stop()
            return None
        why = self._start(now_ms, temp, mass_g, base, _FULL_CDEG)
        if why is None:
            self._armed_ms = now_ms
        return why

    def hold(self, now_ms, temp, mass_g, base):
        """The button, held: off and armed, for a remote start later. Returns why it is not armed, or None."""
        self.stop()
        self._target = _BOIL
        why = self.must_stop(now_ms, temp, mass_g, base)
        if why in (None, "boil"):
            self._armed_ms = now_ms
            return None
        return why

    def remote(self, now_ms, temp, mass_g, base, target_cdeg=_FULL_CDEG):
        """A verified remote start. Returns why it is refused, or None."""
        if not self.armed(now_ms):
            return "unarmed"
        if not _LEAST_TARGET_CDEG <= target_cdeg <= _FULL_CDEG:
            return "target"
        return None if self.on else self._start(now_ms, temp, mass_g, base, target_cdeg)

    def armed(self, now_ms):
        return self._armed_ms is not None and now_ms - self._armed_ms < _ARMED_MS

    def stop(self, keep_armed=False):
        """Off, whatever the readings are."""
        self.on = False
        if not keep_armed:
            self._armed_ms = None

    def _start(self, now_ms, temp, mass_g, base, target_cdeg):
        self._target = target_cdeg * 16 // 100
        why = self.must_stop(now_ms, temp, mass_g, base)
        if why is None:
            self.on = True
            self._start_ms = self._peak_ms = now_ms
            self._peak = temp
        return why


class Kettle(Appliance):
    """Needs the drivers water_temp, water_mass, base and heater; without one of them the heater stays off.

    These it reads for its own decisions also while a channel is not to be measured, or the kettle is quiet: a heater
    that is on is watched, whoever may know of it. Quiet, it heats for who presses its button, and for nobody else."""

    # Armed for a remote start; and longer: quiet, or no longer.
    holds_ms = (3000, 8000)

    def __init__(self, config, clock, drivers, sealer):
        super().__init__(config, clock, drivers, sealer)
        self.control = HeaterControl()
        self._heating_step_ms = config.heating_step_ms
        self._heater = drivers.get("heater")
        self._inputs = [drivers.get(name) for name in ("water_temp", "water_mass", "base")]
        self._base = None
        self.make_safe()

    def tasks(self):
        tasks = super().tasks()
        if "button" in self.drivers:
            tasks.append(("button", self._watch_button, None))
        if "base" in self.drivers:
            tasks.append(("base", self._watch_base, None))
        return tasks

    def make_safe(self):
        self.control.stop()
        if self._heater is not None:
            self._heater.set(0)

    def may_update(self):
        # Whoever armed it counts on it: a restart would forget that.
        if self.control.on or self.control.armed(self.clock.uptime_ms()):
            return "running"
        return super().may_update()

    def is_live(self, now):
        return self.control.on or super().is_live(now)

    def step_ms(self, now):
        return self._heating_step_ms if self.control.on else super().step_ms(now)

    def command(self, verb, args):
        if verb == "off" and not args:
            self.control.stop(keep_armed=True)
            self._show(None)
        elif verb == "boil" and len(args) <= 1 and all(isinstance(arg, int) for arg in args):
            if self.quiet:
                return "quiet"
            why = self.control.remote(self.clock.uptime_ms(), *self._readings(), *args)
            if why is not None:
                return why
            self._show(None)
        else:
            return super().command(verb, args)
        self.settle()
        return None

    def measure(self, row, now):
        self._check(now)

    def look(self, now):
        super().look(now)
        # Also between the readings of a long step: what must stop is stopped within a second.
        if self.control.on or self.quiet:
            self._check(now)

    def held(self, now, count):
        if count == 1 and not self.quiet:
            why = self.control.hold(now, *self._readings())
            print("kettle: armed" if why is None else "kettle: not armed: " + why)
        else:
            self.control.stop()
        self._show(None)
        if count == 2:
            super().held(now, count)

    def _readings(self):
        """Water temperature, water mass and base contact as they are now. Nothing, while the loop that would switch
        the heater off does not run: then it cannot be switched on."""
        if not self.running:
            return [None] * 3
        return [None if driver is None else driver.sample() for driver in self._inputs]

    def _check(self, now):
        temp, mass_g, base = self._readings()
        if base is not None and base != self._base:
            if self._base is not None:
                self.event("base", base)
            self._base = base
        self._show(self.control.step(now, temp, mass_g, base))

    def _show(self, why):
        """Puts the heater where the control says, and tells what changed."""
        on = 1 if self.control.on else 0
        if self._heater is not None and self._heater.value != on:
            self._heater.set(on)
            self.event("switch", on)
        if why == "boil" or why == "dry":
            self.event(why, 1)
        if why is not None:
            print("kettle: off:", why)

    async def _watch_button(self):
        button = self.drivers["button"]
        while True:
            await button.changed.wait()
            if button.sample() == 1:
                self._show(self.control.press(self.clock.uptime_ms(), *self._readings()))
                self.settle()

    async def _watch_base(self):
        base = self.drivers["base"]
        while True:
            await base.changed.wait()
            self._check(self.clock.uptime_ms())
            self.settle()
