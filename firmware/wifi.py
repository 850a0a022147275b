"""Wi-Fi and network time. Loaded only on a board that has them."""

import asyncio
import time

import network
import ntptime
from micropython import const

_JOIN_S = const(20)
_RETRY_S = const(5)
_AGAIN_S = const(3600)
_NTP_RETRY_S = const(15)
# Some ports count seconds from 2000, some from 1970; ntptime follows its port.
EPOCH_S = 946684800 if time.gmtime(0)[0] == 2000 else 0


class Wifi:
    """`settings` has ssid and password; `host` is the time server, or None for the usual one; while
    `is_live(uptime_ms)` nothing blocks the loop."""

    def __init__(self, settings, clock, host, is_live):
        self._settings = settings
        self._clock = clock
        self._host = host
        self._is_live = is_live

    async def keep_joined(self):
        """Joins the network and joins again when it is lost. Never blocks the loop."""
        settings = self._settings
        station = network.WLAN(network.STA_IF)
        station.active(True)
        while True:
            if not station.isconnected():
                print("wifi: joining", settings["ssid"])
                try:
                    station.disconnect()
                    station.connect(settings["ssid"], settings.get("password"))
                except OSError as error:
                    print("wifi:", error)
                waited = 0
                while not station.isconnected() and waited < _JOIN_S:
                    await asyncio.sleep_ms(1000)
                    waited += 1
                if station.isconnected():
                    print("wifi: joined as", station.ifconfig()[0])
            await asyncio.sleep_ms(_RETRY_S * 1000)

    async def keep_time(self):
        """Sets the clock from the network, and again every hour against its drift. Asking blocks the loop for as
        long as the name server takes: never while a kettle heats."""
        if self._host:
            ntptime.host = self._host
        while True:
            while self._is_live(self._clock.uptime_ms()):
                await asyncio.sleep_ms(1000)
            try:
                self._clock.set_time_s(ntptime.time() + EPOCH_S, "ntp")
                wait_s = _AGAIN_S
            except (OSError, ValueError, IndexError) as error:
                # Every failure is tried again: without a clock the board measures on and sends uptime.
                print("ntp:", error)
                wait_s = _NTP_RETRY_S
            await asyncio.sleep_ms(wait_s * 1000)
