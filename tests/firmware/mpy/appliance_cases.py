"""appliance.py: the grid, the report policy, faults, and the clock, with a clock that follows a script."""

import asyncio

from appliance import Appliance
from scripted import Clock, Config, Sealer, Sensor, diagnostics, run_until

CHANNELS = [
    ["t", "Cel", 1, 16, 0, "temperature", "t"],
    ["p", "W", 1, 1, 0, "energy", "p"],
    ["knock", "/", 1, 1, 3, "use", None],
]


def made(**kwargs):
    clock = kwargs.pop("clock", None) or Clock()
    sealer = Sealer()
    drivers = kwargs.pop("drivers", None) or {"t": Sensor(70), "p": Sensor(5)}
    config = Config(CHANNELS + diagnostics())
    for key, value in kwargs.items():
        setattr(config, key, value)
    appliance = Appliance(config, clock, drivers, sealer)
    appliance.tick()
    return appliance, clock, sealer


def quiet(appliance, clock, sealer):
    """Past the first two minutes, in which a fresh board reports often."""
    run_until(appliance, clock, 120000)
    appliance.seal()
    sealer.take()


def test_a_report_comes_every_minute_at_first():
    appliance, clock, sealer = made()
    run_until(appliance, clock, 49000)
    assert sealer.take() == []
    run_until(appliance, clock, 50000)
    # The sixth row is in; one more would come when the deadline is over.
    assert sealer.take() == [("columns", 0, 1_700_000_000, 10000, [[70, 5]] * 6)]
    run_until(appliance, clock, 110000)
    assert sealer.take() == [("columns", 60000, 1_700_000_060, 10000, [[70, 5]] * 6)]


def test_nothing_happening_makes_reports_rare():
    appliance, clock, sealer = made()
    quiet(appliance, clock, sealer)
    run_until(appliance, clock, 719000)
    assert sealer.take() == []
    run_until(appliance, clock, 720000)
    (frame,) = sealer.take()
    assert frame[:4] == ("columns", 130000, 1_700_000_130, 10000)
    assert len(frame[4]) == 60


def test_a_full_frame_is_sealed_before_its_deadline():
    appliance, clock, sealer = made(quiet_s=86400, report_s=86400)
    run_until(appliance, clock, 589000)
    assert sealer.take() == []
    run_until(appliance, clock, 590000)
    assert len(sealer.take()[0][4]) == 60


def test_an_event_that_matters_is_sealed_at_once_after_what_was_measured():
    appliance, clock, sealer = made()
    quiet(appliance, clock, sealer)
    run_until(appliance, clock, 145000)
    appliance.event("knock", 3)
    appliance.event("knock", 4)
    appliance.settle()
    columns, events = sealer.take()
    assert columns[:2] == ("columns", 130000)
    assert len(columns[4]) == 2
    assert events == ("events", 145000, 1_700_000_145, [(2, 0, 3), (2, 0, 4)], True)
    # and for two minutes reports come every minute again
    run_until(appliance, clock, 200000)
    assert [len(frame[4]) for frame in sealer.take()] == [6]


def test_what_does_not_matter_waits_for_the_next_report():
    appliance, clock, sealer = made()
    quiet(appliance, clock, sealer)
    run_until(appliance, clock, 300000)
    appliance.event("heap_free", 12345)
    appliance.settle()
    assert sealer.take() == []
    run_until(appliance, clock, 720000)
    columns, events = sealer.take()
    assert columns[0] == "columns"
    assert events == ("events", 300000, 1_700_000_300, [(4, 0, 12345)], False)


def test_live_makes_rows_and_reports_every_second_and_ends():
    appliance, clock, sealer = made()
    quiet(appliance, clock, sealer)
    run_until(appliance, clock, 134500)
    assert appliance.command("live", [5]) is None
    appliance.tick()
    frames = sealer.take()
    assert len(frames) == 2, "what waited, and the first live row"
    assert frames[1] == ("columns", 134500, 1_700_000_134, 1000, [[70, 5]])
    run_until(appliance, clock, 139000, 500)
    frames = sealer.take()
    assert [frame[1] for frame in frames] == [135500, 136500, 137500, 138500]
    assert all(len(frame[4]) == 1 for frame in frames)
    run_until(appliance, clock, 400000, 500)
    assert all(frame[3] == 10000 for frame in sealer.take())


def test_the_grid_does_not_drift():
    appliance, clock, sealer = made()
    # A loop that is always late, by less than a step: the rows keep to the grid, and none is lost.
    while clock.now < 3600000:
        clock.now += 1237
        appliance.tick()
    appliance.seal()
    at = 0
    for frame in sealer.take():
        assert frame[1] == at, (frame[1], at)
        at += 10000 * len(frame[4])
    assert at >= 3590000


def test_missed_slots_are_missing_not_made_up():
    appliance, clock, sealer = made()
    clock.now = 35000
    appliance.tick()
    appliance.seal()
    (frame,) = sealer.take()
    assert frame[4] == [[70, 5], [None, None], [None, None], [70, 5]]


def test_a_long_hole_starts_a_new_frame_on_the_grid():
    appliance, clock, sealer = made()
    clock.now = 1003000
    appliance.tick()
    appliance.seal()
    first, second = sealer.take()
    assert (first[1], len(first[4])) == (0, 1)
    assert (second[1], second[2], len(second[4])) == (1000000, 1_700_001_000, 1)


def test_missing_rows_that_fill_a_frame_seal_it():
    appliance, clock, sealer = made(quiet_s=86400, report_s=86400)
    run_until(appliance, clock, 570000)
    clock.now = 610000
    appliance.tick()
    (frame,) = sealer.take()
    assert len(frame[4]) == 60
    assert frame[4][58:] == [[None, None], [None, None]]
    appliance.seal()
    (frame,) = sealer.take()
    assert (frame[1], frame[4]) == (600000, [[None, None], [70, 5]])


def test_a_frame_has_one_clock():
    appliance, clock, sealer = made(clock=Clock(None))
    run_until(appliance, clock, 25000)
    appliance.event("heap_free", 1)
    clock.offset_s = 1_700_000_000
    run_until(appliance, clock, 30000)
    columns, events = sealer.take()
    assert (columns[1], columns[2], len(columns[4])) == (0, None, 3)
    assert events[:3] == ("events", 25000, None)
    appliance.seal()
    assert sealer.take()[0][1:3] == (30000, 1_700_000_030)


def test_a_fault_is_a_missing_value_and_one_event_on_each_change():
    sensor = Sensor(70)
    appliance, clock, sealer = made(drivers={"t": sensor, "p": Sensor(5)})
    sensor.value = None
    run_until(appliance, clock, 30000)
    sensor.value = 71
    run_until(appliance, clock, 50000)
    columns, events = sealer.take()
    assert columns[4] == [[70, 5], [None, 5], [None, 5], [None, 5], [71, 5], [71, 5]]
    assert events[3] == [(3, 0, 0), (3, 30000, -1)]


def test_a_board_without_a_sensor_still_reports_the_others():
    appliance, clock, sealer = made(drivers={"t": Sensor(70)})
    run_until(appliance, clock, 50000)
    columns, events = sealer.take()
    assert columns[4] == [[70, None]] * 6
    assert events[3] == [(3, 0, 1)]


def test_pending_events_are_bounded():
    appliance, _, sealer = made()
    for value in range(100):
        appliance.event("heap_free", value)
    frames = sealer.take()
    assert [len(frame[3]) for frame in frames] == [32, 32, 32]
    assert frames[2][3][31][2] == 95


def test_no_event_lies_more_than_an_hour_after_its_frame():
    appliance, clock, sealer = made(step_ms=3600000, quiet_s=86400, report_s=86400)
    for _ in range(9):
        appliance.event("heap_free", 1)
        clock.now += 1800000
    appliance.seal()
    offsets = [[offset_ms for _, offset_ms, _ in frame[3]] for frame in sealer.take() if frame[0] == "events"]
    assert offsets == [[0, 1800000, 3600000]] * 3, offsets


def test_an_event_of_a_channel_that_is_not_there_is_nothing():
    appliance, _, sealer = made()
    appliance.event("door_event", 1)
    appliance.settle()
    assert sealer.take() == []


def test_commands():
    appliance, _, sealer = made()
    assert appliance.command("flush", []) is None
    assert len(sealer.take()) == 1
    assert appliance.command("reboot", []) is None
    assert appliance.reboot_asked
    for verb, args in (
        ("boil", []),
        ("flush", [1]),
        ("live", []),
        ("live", [-1]),
        ("live", [3601]),
        ("live", ["1"]),
        ("live", [None]),
        ("reboot", [0]),
        ("", []),
        ("__init__", []),
    ):
        assert appliance.command(verb, args) == "verb", verb


async def test_a_cancelled_or_crashed_loop_leaves_it_safe():
    class Broken(Sensor):
        def sample(self):
            raise RuntimeError("a driver that breaks the rule")

    safe = []
    appliance, clock, _ = made()
    clock.sleep_ms = asyncio.sleep_ms
    appliance.make_safe = lambda: safe.append(1)
    task = asyncio.create_task(appliance.run(lambda: None))
    await asyncio.sleep_ms(1)
    assert appliance.running
    task.cancel()
    await asyncio.sleep_ms(1)
    assert safe == [1]
    assert not appliance.running
    appliance._samples[0] = Broken(0).sample
    clock.now += 10000
    try:
        await appliance.run(lambda: None)
        raise AssertionError("it must crash")
    except RuntimeError:
        pass
    assert safe == [1, 1]


def test_what_heats_is_switched_off_long_before_the_watchdog_bites():
    appliance, _, _ = made()
    name, _, limit_ms = appliance.tasks()[0]
    assert name == "appliance" and limit_ms <= 10000
