"""wifi.py: whatever the radio says and does, the board is on the network again soon after it could be.

The WLAN here has the states of MicroPython's ESP32 port, and every fault that it can show; time is the script's."""

import sys

# As in MicroPython's ESP32 port (network_wlan.c).
IDLE, CONNECTING, GOT_IP = 1000, 1001, 1010
BEACON_TIMEOUT, NO_AP_FOUND, WRONG_PASSWORD, ASSOC_FAIL, HANDSHAKE_TIMEOUT = 200, 201, 202, 203, 204
NO_AP_IN_AUTHMODE, NO_AP_IN_RSSI = 211, 212
STATUSES = (
    IDLE, CONNECTING, GOT_IP, BEACON_TIMEOUT, NO_AP_FOUND, WRONG_PASSWORD, ASSOC_FAIL, HANDSHAKE_TIMEOUT,
    NO_AP_IN_AUTHMODE, NO_AP_IN_RSSI, 2, 8, 15, 39, 205, -1,
)  # fmt: skip
CALLS = ("active", "connect", "disconnect", "isconnected", "status", "ifconfig", "WLAN")
ERRORS = (OSError("Wifi Internal Error"), RuntimeError("Wifi Unknown Error 0x3013"), OSError("Wifi Not Started"))
# From the moment on at which nothing stands in its way any more: three attempts, the pauses between, the radio off and
# on; or the longest silence that it takes for one.
SOON_S = 240
PATIENCE_S = 3600


class Over(BaseException):
    pass


class Radio:
    """The chip's radio with its faults: `says` is the status while it cannot join, `raises` maps a call to what it
    raises, `refuses` keeps it from joining, `stuck` means that it says it is joined and nothing comes through until
    the radio was off, `wedged` that only a radio that was off joins again."""

    def __init__(self):
        self.on = self.requested = self.joined = False
        self.since_s = 0
        self.heal()

    def heal(self):
        self.says = None
        self.raises = {}
        self.refuses = False
        self.stuck = False
        self.wedged = False

    def check(self, call):
        if call in self.raises:
            raise self.raises[call]


class Client:
    """What MQTT knows: whether anything comes through."""

    @property
    def connected(self):
        return radio.joined and not radio.stuck


class WLAN:
    def __init__(self, kind):
        radio.check("WLAN")

    def active(self, on=None):
        radio.check("active")
        if on is not None:
            if radio.on and not on:
                radio.joined = radio.requested = radio.stuck = radio.wedged = False
            radio.on = on
        return radio.on

    def connect(self, ssid, password):
        radio.check("connect")
        if not radio.on:
            raise OSError("Wifi Not Started")
        if radio.requested:
            raise OSError("Wifi Internal State Error")  # an attempt runs already
        radio.requested = True
        radio.since_s = now[0]

    def disconnect(self):
        radio.check("disconnect")
        if not radio.on:
            raise OSError("Wifi Not Started")
        radio.requested = radio.joined = False

    def isconnected(self):
        radio.check("isconnected")
        if radio.requested and not radio.joined and not radio.refuses and not radio.wedged:
            radio.joined = now[0] - radio.since_s >= 3
        if radio.refuses:
            radio.joined = False
        return radio.joined or radio.stuck

    def status(self):
        radio.check("status")
        if radio.says is not None:
            return radio.says
        return GOT_IP if radio.joined else CONNECTING if radio.requested else IDLE

    def ifconfig(self):
        radio.check("ifconfig")
        return ("192.0.2.7", "255.255.255.0", "192.0.2.1", "192.0.2.1")


now = [0]
radio = Radio()
sys.modules["network"] = type("network", (), {"WLAN": WLAN, "STA_IF": 0})
sys.modules["ntptime"] = type("ntptime", (), {"settime": lambda: None, "host": ""})

import wifi
from wifi import Wifi


class Asyncio:
    """Time passes when it is waited for; `until` is where a script ends, `plan` what happens at which second."""

    until = 0
    plan = good = ()

    @staticmethod
    async def sleep_ms(ms):
        for _ in range(max(1, ms // 1000)):
            now[0] += 1
            while Asyncio.plan and Asyncio.plan[0][0] <= now[0]:
                Asyncio.plan.pop(0)[1]()
            if Client().connected:
                good = Asyncio.good
                if good and good[-1][1] == now[0] - 1:
                    good[-1][1] = now[0]
                else:
                    good.append([now[0], now[0]])
            if now[0] >= Asyncio.until:
                raise Over


wifi.asyncio = Asyncio
DICE = [1]


def dice(most):
    DICE[0] = (DICE[0] * 1103515245 + 12345) & 0x3FFFFFFF
    return (DICE[0] >> 12) % most


beats = [0, 0, 0]  # how many, when the last was, the longest pause


def beat():
    beats[:] = [beats[0] + 1, now[0], max(beats[2], now[0] - beats[1])]


def run(seconds, plan=()):
    """A fresh board's Wi-Fi for so long. Returns the first and last second of each time in which things came
    through, and how often the supervisor had to start the task again."""
    now[0] = 0
    radio.__init__()
    beats[:] = [0, 0, 0]
    Asyncio.until, Asyncio.plan, Asyncio.good = seconds, list(plan), []
    station = Wifi({"ssid": "home", "password": "secret"}, None, None, None, Client())
    restarts = 0
    while True:
        try:
            station.keep_joined(beat).send(None)
        except Over:
            return Asyncio.good, restarts
        except (OSError, RuntimeError):
            restarts += 1  # as the supervisor does
            now[0] += 1


def fault(**what):
    def happen():
        for name, value in what.items():
            setattr(radio, name, value)

    return happen


def lose():
    radio.joined = False
    radio.requested = False


def every_fault():
    """Each fault alone, as (name, what makes it, how long it may take to be mended once it is over)."""
    for says in STATUSES:
        yield f"status {says}", fault(says=says, refuses=True, joined=False), SOON_S
    for call in CALLS:
        for error in ERRORS:
            yield call + repr(error), fault(raises={call: error}, joined=False, requested=False), SOON_S
    yield "radio off", fault(on=False, joined=False, requested=False), SOON_S
    yield "lost", lose, SOON_S
    yield "wedged", fault(wedged=True, joined=False), SOON_S
    yield "an attempt that hangs", fault(requested=True, joined=False, refuses=True), SOON_S
    yield "stuck", fault(stuck=True, joined=False), PATIENCE_S


def end():
    """The fault is over, but a radio that needs to be off once still needs it."""
    stuck, wedged = radio.stuck, radio.wedged
    radio.heal()
    radio.stuck, radio.wedged = stuck, wedged


def test_it_joins_at_once_and_stays():
    good, restarts = run(600)
    assert len(good) == 1 and good[0][0] <= 5 and good[0][1] == 600
    assert restarts == 0


def test_every_fault_is_survived_whether_short_or_long():
    for lasts_s in (1, 30, 400):
        for name, begin, within_s in every_fault():
            over = 100 + lasts_s
            good, _ = run(over + within_s + 100, [(100, begin), (over, end)])
            assert good[-1][0] <= over + within_s, (name, lasts_s)
            assert good[-1][1] == over + within_s + 100, (name, lasts_s, "and stays")


def test_every_fault_at_the_very_start_is_survived():
    for name, begin, within_s in every_fault():
        good, _ = run(200 + within_s, [(1, begin), (90, end)])
        assert good[-1][0] <= 90 + within_s, name


def test_any_two_faults_in_a_row_are_survived():
    faults = list(every_fault())[::3]
    for name, first, _ in faults:
        for other, second, _ in faults:
            good, _ = run(1000, [(50, first), (71, second), (130, end)])
            assert good[-1][0] <= 900 and good[-1][1] == 1000, (name, other)


def test_random_walks_end_on_the_network():
    faults = list(every_fault())
    for seed in range(200):
        DICE[0] = seed + 1
        plan = []
        at = 10
        for _ in range(20):
            at += 1 + dice(120)
            plan.append((at, end if dice(3) == 0 else faults[dice(len(faults))][1]))
        plan.append((at + 1, end))
        good, _ = run(at + PATIENCE_S + 300, plan)
        assert good[-1][0] <= at + PATIENCE_S and good[-1][1] == at + PATIENCE_S + 300, seed


def test_a_network_that_is_away_is_not_hammered():
    attempts = []
    real = WLAN.connect
    WLAN.connect = lambda self, ssid, password: (attempts.append(now[0]), real(self, ssid, password))
    run(3600, [(1, fault(refuses=True, says=WRONG_PASSWORD))])
    WLAN.connect = real
    assert 40 <= len(attempts) <= 70


def test_a_broker_that_is_away_costs_little_wifi():
    offs = []
    real = WLAN.active
    WLAN.active = lambda self, on=None: (offs.append(now[0]) if on is False else None, real(self, on))[1]
    kept, Client.connected = Client.connected, False
    run(86400)
    Client.connected = kept
    WLAN.active = real
    assert 20 <= len(offs) <= 30


def test_a_driver_that_only_raises_is_left_to_the_supervisor():
    _, restarts = run(3600, [(1, fault(raises={"active": ERRORS[0], "isconnected": ERRORS[1]}))])
    assert 1 <= restarts <= 6


def test_it_checks_in_well_within_its_limit_whatever_the_radio_does():
    for happen in (fault(refuses=True), fault(says=WRONG_PASSWORD, refuses=True), fault(stuck=True), lose):
        run(8000, [(100, happen)])
        assert beats[0] > 50 and beats[1] > 7900 and beats[2] < 100, beats


def test_the_watchdog_is_fed_right_before_a_name_server_may_block_everything():
    told = []

    class Loop:
        @staticmethod
        async def sleep_ms(ms):
            told.append(ms)
            if len(told) > 12:
                raise Over

    class Clock:
        offline = 0

        def uptime_ms(self):
            return 0

        def set_time_s(self, time_s, source):
            pass

    def settime():
        told.append("asked")
        if len(told) < 8:
            raise OSError(-202)

    live = [True, True, False, False, False, False, False]
    wifi.asyncio, wifi.ntptime.settime = Loop, settime
    station = Wifi({}, Clock(), None, lambda now: live.pop(0) if live else False, None)
    try:
        station.keep_time(lambda blocks=False: told.append("feed" if blocks else "beat")).send(None)
    except Over:
        told.append("over")
    assert told[:4] == ["beat", 1000, "beat", 1000], told
    assert told[4:10] == ["feed", "asked", 15000, "feed", "asked", 3600000], told
