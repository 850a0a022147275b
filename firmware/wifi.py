"""Wi-Fi and network time. Loaded only on a board that has them."""

import asyncio
import time

import network
import ntptime
from micropython import const

_JOIN_S = const(20)
_LOOK_S = const(5)
_PAUSE_MOST_S = const(60)
# So many attempts in vain, and the radio is switched off and on: what it says of itself may be wrong.
_RADIO_AFTER = const(3)
# It says that it is joined, and for so long nothing comes through: then it is not. Doubled each time, up to the second
# number, for as well the broker may be gone.
_SILENT_S = const(300)
_SILENT_MOST_S = const(3600)
# So many errors of the driver in a row are not for this module to mend: the supervisor restarts it, or the board.
_ERRORS_MOST = const(20)
_AGAIN_S = const(3600)
_NTP_RETRY_S = const(15)
# Some ports count seconds from 2000, some from 1970; ntptime follows its port.
EPOCH_S = 946684800 if time.gmtime(0)[0] == 2000 else 0


class Wifi:
    """`settings` has ssid and password; `host` is the time server, or None for the usual one; while
    `is_live(uptime_ms)` nothing blocks the loop; `client.connected` tells whether anything comes through."""

    def __init__(self, settings, clock, host, is_live, client):
        self.client = client
        self._settings = settings
        self._clock = clock
        self._host = host
        self._is_live = is_live

    async def keep_joined(self, beat):
        """Joins the network, and joins again when it is lost: whatever state the radio is in, and whatever it says of
        that. Never blocks the loop. Raises what the driver raises only when it has raised for many minutes."""
        failed = errors = silent_s = 0
        patience_s = _SILENT_S
        while True:
            beat()
            wait_s = _LOOK_S
            try:
                station = network.WLAN(network.STA_IF)
                if silent_s < patience_s and station.active() and station.isconnected():
                    silent_s += _LOOK_S
                    if self.client.connected:
                        silent_s = 0
                        patience_s = _SILENT_S
                else:
                    if silent_s >= patience_s:
                        print("wifi: joined, but nothing comes through")
                        patience_s = min(2 * patience_s, _SILENT_MOST_S)
                        failed = _RADIO_AFTER
                        silent_s = 0
                    if await self._join(station, failed and failed % _RADIO_AFTER == 0):
                        failed = 0
                    else:
                        failed += 1
                        wait_s = min(_LOOK_S * failed, _PAUSE_MOST_S)
                errors = 0
            except Exception as error:
                # The driver raises OSError and RuntimeError, and not always the same for the same.
                print("wifi:", repr(error))
                failed += 1
                errors += 1
                if errors >= _ERRORS_MOST:
                    raise
                wait_s = min(_LOOK_S * failed, _PAUSE_MOST_S)
            await asyncio.sleep_ms(wait_s * 1000)

    async def _join(self, station, anew):
        """One attempt; whether it worked. `anew`: with the radio off and on before it."""
        settings = self._settings
        print("wifi: joining", settings["ssid"])
        if anew:
            station.active(False)
            await asyncio.sleep_ms(1000)
        station.active(True)
        try:
            # An attempt that still runs would refuse the next. Where none does, some ports call that an error.
            station.disconnect()
        except Exception as error:
            print("wifi:", repr(error))
        station.connect(settings["ssid"], settings.get("password"))
        for _ in range(_JOIN_S):
            # No word of status() ends the wait: the driver tries again by itself, and says why the last try failed.
            await asyncio.sleep_ms(1000)
            if station.isconnected():
                print("wifi: joined as", station.ifconfig()[0])
                return True
        print("wifi: not joined, status", station.status())
        return False

    async def keep_time(self, beat):
        """Sets the clock from the network, and again every hour against its drift. Asking blocks the loop for as
        long as the name server takes (7 s for each that is silent): never while a kettle heats."""
        if self._host:
            ntptime.host = self._host
        while True:
            while self._is_live(self._clock.uptime_ms()):
                beat()
                await asyncio.sleep_ms(1000)
            beat(True)
            try:
                # The machine's own clock too: TLS looks at that one.
                ntptime.settime()
                self._clock.set_time_s(int(time.time()) + EPOCH_S, "ntp")
                wait_s = _AGAIN_S
            except (OSError, ValueError, IndexError) as error:
                # Every failure is tried again: without a clock the board measures on and sends uptime.
                print("ntp:", error)
                wait_s = _NTP_RETRY_S
            await asyncio.sleep_ms(wait_s * 1000)
