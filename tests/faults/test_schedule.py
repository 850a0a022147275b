from collections import Counter, defaultdict
from itertools import pairwise

import pytest

from tools.chaos_schedule import BROKERS, KINDS, Scene, broker_of, lasts_s, schedule

SCENE = Scene(
    boards=("fridge", "kettle"),
    mqtt=("fridge-broker", "gateway-broker"),
    links=("fridge-broker", "gateway-broker", "gateway-cloud"),
)


def test_a_seed_is_one_schedule():
    assert schedule(7, 200, SCENE) == schedule(7, 200, SCENE)
    assert schedule(7, 200, SCENE) != schedule(8, 200, SCENE)


def test_a_longer_schedule_begins_like_a_shorter_one():
    assert schedule(7, 200, SCENE)[:50] == schedule(7, 50, SCENE)


def test_every_kind_comes_and_strikes_what_it_is_for():
    planned = schedule(3, 1000, SCENE)
    assert len(planned) == 1000
    assert set(Counter(fault.kind for fault in planned)) == set(KINDS)
    for fault in planned:
        kind = KINDS[fault.kind]
        assert fault.target in SCENE.targets(kind.on)
        assert kind.lasts_s[0] <= fault.seconds <= kind.lasts_s[1]
        assert fault.value in kind.values


def test_faults_come_in_order_and_overlap():
    planned = schedule(5, 1000, SCENE)
    assert all(before.at_s <= after.at_s for before, after in pairwise(planned))
    overlapping = sum(before.at_s + before.seconds > after.at_s for before, after in pairwise(planned))
    assert overlapping > 300


@pytest.mark.parametrize("seed", range(5))
def test_a_thousand_faults_take_less_than_seven_minutes(seed: int):
    assert lasts_s(schedule(seed, 1000, SCENE)) < 420


def test_what_is_down_is_not_struck_down():
    for seed in range(20):
        until: dict[str, float] = defaultdict(float)
        for fault in schedule(seed, 300, SCENE):
            if KINDS[fault.kind].on in ("link", "mqtt"):
                continue
            assert fault.at_s >= until[fault.target], fault
            if KINDS[fault.kind].down:
                until[fault.target] = fault.at_s + fault.seconds


def test_nothing_lasts_no_time():
    assert lasts_s([]) == 0


def test_the_seed_decides_the_broker_in_turn():
    assert {broker_of(seed) for seed in range(4)} == set(BROKERS)
