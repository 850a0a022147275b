"""kettle.HeaterControl: every way to go off, every way to stay off, and that nothing else keeps it on."""

import random

from kettle import HeaterControl

COLD = 20 * 16
ENOUGH = 800
HOUR = 3600000


def heating(now=0, temp=COLD):
    control = HeaterControl()
    assert control.press(now, temp, ENOUGH, 1) is None
    assert control.on
    return control


def test_off_at_boot_and_not_armed():
    control = HeaterControl()
    assert not control.on
    assert not control.armed(0)
    assert control.remote(0, COLD, ENOUGH, 1) == "unarmed"
    assert not control.on


# temperature, mass, base -> why it goes off
STOPS = (
    ((None, ENOUGH, 1), "fault"),
    ((COLD, None, 1), "fault"),
    ((COLD, ENOUGH, None), "fault"),
    ((None, None, None), "fault"),
    ((COLD, ENOUGH, 0), "lifted"),
    ((None, 0, 0), "lifted"),
    ((COLD, 249, 1), "dry"),
    ((COLD, 0, 1), "dry"),
    ((COLD, -50, 1), "dry"),
    ((100 * 16, ENOUGH, 1), "boil"),
    ((101 * 16, ENOUGH, 1), "boil"),
    ((125 * 16, ENOUGH, 1), "boil"),
)


def test_each_condition_puts_it_off_at_once():
    for readings, why in STOPS:
        control = heating()
        assert control.step(1000, *readings) == why, readings
        assert not control.on
        assert not control.armed(1000), "every end but a remote off disarms"
        assert control.step(2000, COLD, ENOUGH, 1) is None
        assert not control.on, "it never goes on again by itself"


def test_each_condition_keeps_it_off_at_the_button_and_from_afar():
    for readings, why in STOPS:
        control = HeaterControl()
        assert control.press(0, *readings) == why, readings
        assert not control.on
        assert not control.armed(0)
        control = HeaterControl()
        assert control.hold(0, COLD, ENOUGH, 1) is None
        assert control.remote(1000, *readings) == why, readings
        assert not control.on


def test_good_readings_keep_it_on():
    control = heating()
    for second in range(1, 200):
        assert control.step(second * 1000, COLD + 6 * second, ENOUGH, 1) is None
        assert control.on


def test_never_longer_than_ten_minutes():
    control = heating(5000)
    temp = COLD
    for second in range(599):
        temp += 1
        assert control.step(5000 + second * 1000, temp, ENOUGH, 1) is None
    assert control.step(5000 + 600000, temp, ENOUGH, 1) == "time"
    assert not control.on


def test_boil_where_the_air_is_thin():
    # 95 Cel at 1500 m: rises to there and no further; noise of a sixteenth does not count as rising.
    control = heating(0, 94 * 16)
    now = 0
    for temp in (94 * 16 + 8, 95 * 16):
        now += 1000
        assert control.step(now, temp, ENOUGH, 1) is None
    reached = now
    while control.on:
        now += 1000
        why = control.step(now, 95 * 16 + now // 1000 % 2, ENOUGH, 1)
        assert now < reached + 20000
    assert why == "boil"
    assert now == reached + 15000


def test_a_plateau_far_below_boiling_is_none():
    control = heating()
    for second in range(1, 300):
        assert control.step(second * 1000, 60 * 16, ENOUGH, 1) is None


def test_a_target_below_boiling_is_reached():
    control = HeaterControl()
    control.hold(0, COLD, ENOUGH, 1)
    assert control.remote(0, COLD, ENOUGH, 1, 8000) is None
    assert control.step(1000, 80 * 16 - 1, ENOUGH, 1) is None
    assert control.step(2000, 80 * 16, ENOUGH, 1) == "boil"


def test_targets_out_of_bounds_are_refused():
    for target in (3999, 10001, 0, -1, 1 << 29):
        control = HeaterControl()
        control.hold(0, COLD, ENOUGH, 1)
        assert control.remote(0, COLD, ENOUGH, 1, target) == "target"
        assert not control.on


def test_a_press_while_on_puts_it_off_and_disarms():
    control = heating()
    assert control.press(1000, None, None, None) is None
    assert not control.on
    assert control.remote(2000, COLD, ENOUGH, 1) == "unarmed"


def test_arming_by_hand_lasts_eight_hours():
    control = HeaterControl()
    assert control.hold(0, COLD, ENOUGH, 1) is None
    assert not control.on
    assert control.armed(8 * HOUR - 1)
    assert not control.armed(8 * HOUR)
    assert control.remote(8 * HOUR, COLD, ENOUGH, 1) == "unarmed"
    assert control.remote(8 * HOUR - 1, COLD, ENOUGH, 1) is None
    assert control.on


def test_arming_needs_water_and_the_base():
    for readings, why in (((COLD, 249, 1), "dry"), ((COLD, ENOUGH, 0), "lifted"), ((None, ENOUGH, 1), "fault")):
        control = HeaterControl()
        assert control.hold(0, *readings) == why
        assert not control.armed(0)


def test_hot_water_may_be_armed_for_later():
    control = HeaterControl()
    assert control.hold(0, 100 * 16, ENOUGH, 1) is None
    assert control.armed(0)


def test_holding_the_button_puts_it_off():
    control = heating()
    assert control.hold(3000, COLD, ENOUGH, 1) is None
    assert not control.on
    assert control.armed(3000)


def test_lifting_or_emptying_disarms_for_good():
    for readings in ((COLD, 0, 0), (COLD, ENOUGH, 0), (COLD, 100, 1), (COLD, None, 1), (COLD, ENOUGH, None)):
        control = HeaterControl()
        control.hold(0, COLD, ENOUGH, 1)
        control.step(1000, *readings)
        control.step(2000, COLD, ENOUGH, 1)
        assert control.remote(3000, COLD, ENOUGH, 1) == "unarmed", readings


def test_a_boil_disarms_and_a_remote_off_does_not():
    control = heating()
    assert control.step(1000, 100 * 16, ENOUGH, 1) == "boil"
    assert control.remote(2000, COLD, ENOUGH, 1) == "unarmed"
    control = heating()
    control.stop(keep_armed=True)
    assert not control.on
    assert control.remote(2000, COLD, ENOUGH, 1) is None
    assert control.on


def test_random_histories_never_heat_where_it_must_not():
    """Whatever people, sensors and commands do: after each step the heater is on only if every reading is good, it
    was started, and it was not on for ten minutes."""
    for seed in range(60):
        random.seed(seed)
        control = HeaterControl()
        now = 0
        on_since = None
        pick = random.getrandbits
        temp, mass, base = COLD, ENOUGH, 1
        for _ in range(300):
            now += (100, 1000, 1000, 10000, 60000, 3 * HOUR)[pick(8) % 6 if pick(4) == 0 else pick(8) % 4]
            if pick(2) == 0:
                temp = None if pick(3) == 0 else pick(11) - 40
            if pick(2) == 0:
                mass = None if pick(3) == 0 else pick(10)
            if pick(2) == 0:
                base = None if pick(3) == 0 else int(pick(3) != 0)
            readings = (temp, mass, base)
            was_on = control.on
            dice = pick(3)
            before = control.armed(now)
            if dice == 0:
                control.press(now, *readings)
                assert not (was_on and control.on)
            elif dice == 1:
                why = control.remote(now, temp, mass, base, 3500 + pick(13))
                assert why is not None or was_on or before, "never from afar without being armed"
            elif dice == 2:
                control.hold(now, *readings)
                assert not control.on
            elif dice == 3:
                control.stop(keep_armed=bool(pick(1)))
                assert not control.on
            control.step(now, *readings)
            if control.on:
                if on_since is None or not was_on:
                    on_since = now
                assert base == 1 and temp is not None and mass is not None and mass >= 250 and temp < 100 * 16
                assert now - on_since < 600000
            else:
                on_since = None
