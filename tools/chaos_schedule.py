"""What goes wrong, where and when: a list of faults that a seed decides. Pure."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

__all__ = ["BROKERS", "KINDS", "Fault", "Scene", "broker_of", "lasts_s", "schedule"]

BROKERS: Final = ("mosquitto", "mosquitto-volatile", "amqtt", "mixed")
"""`mixed`: whenever the broker is killed, another of them takes its place."""

CALM_EVERY: Final = 50
CALM_S: Final = (3.0, 5.0)
"""After so many faults there is a pause: a system that never gets to rest would never show what it does with rest."""

MEAN_GAP_S: Final = 0.3

CLOUD_MODES: Final = ("slow", "fail", "lose_answers", "throttle")


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of fault. `weight`: how often it is drawn; `lasts_s`: least and greatest length; `on`: what it strikes;
    `down`: its victim is not there meanwhile; `values`: what is drawn for it."""

    weight: int
    on: str
    lasts_s: tuple[float, float]
    down: bool = False
    values: tuple[int, ...] = (0,)


KINDS: Final[dict[str, Kind]] = {
    "board_kill": Kind(4, "board", (0.0, 2.0), down=True),
    # `values`: bytes of flash that are still written before the power goes
    "board_power_cut": Kind(9, "board", (1.0, 4.0), down=True, values=(0, 1, 7, 40, 120, 400, 1500, 5000)),
    "board_power_cut_starting": Kind(3, "board", (0.5, 2.0), down=True, values=(0, 1, 5, 13, 30, 90, 300, 2000)),
    # seconds; the last two are years
    "board_clock": Kind(7, "board", (0.0, 0.0), values=(-2, -30, -900, 45, 1200, 250_000_000, -700_000_000)),
    "broker_kill": Kind(6, "broker", (0.0, 2.5), down=True),
    "gateway_kill": Kind(6, "gateway", (0.0, 2.5), down=True),
    "cloud_kill": Kind(4, "cloud", (0.0, 3.0), down=True),
    "link_cut": Kind(15, "link", (0.0, 3.0)),
    "link_outage": Kind(1, "mqtt", (12.0, 20.0)),
    "link_black_hole": Kind(8, "link", (0.5, 8.0)),
    # milliseconds each way
    "link_delay": Kind(8, "link", (1.0, 6.0), values=(20, 100, 400, 1500)),
    # how many old messages come again, or change places
    "repeat": Kind(9, "mqtt", (0.0, 0.0), values=(1, 3, 20, 80)),
    "reorder": Kind(8, "mqtt", (0.5, 4.0), values=(2, 3, 8)),
    "cloud_slow": Kind(3, "cloud", (1.0, 5.0)),
    "cloud_fail": Kind(3, "cloud", (1.0, 5.0)),
    "cloud_lose_answers": Kind(4, "cloud", (1.0, 5.0)),
    "cloud_throttle": Kind(2, "cloud", (1.0, 4.0)),
    # bytes beyond which no file grows
    "disk_full": Kind(6, "gateway", (2.0, 8.0), values=(0, 0, 4096, 65_536)),
    # seconds that the gateway's clock is off from then on
    "gateway_clock": Kind(3, "gateway", (0.0, 0.0), values=(0, 0, -2, 3, -45, 600)),
}


@dataclass(frozen=True, slots=True)
class Scene:
    """What there is to strike. `mqtt` are the links that carry MQTT, `links` all of them."""

    boards: Sequence[str]
    mqtt: Sequence[str]
    links: Sequence[str]

    def targets(self, on: str) -> Sequence[str]:
        """The names of what a kind of fault strikes."""
        return {"board": self.boards, "mqtt": self.mqtt, "link": self.links}.get(on, (on,))


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """`at_s` after the start, `kind` strikes `target` for `seconds`; `value` is what the kind says it is."""

    at_s: float
    kind: str = field(compare=False)
    target: str = field(compare=False)
    seconds: float = field(compare=False)
    value: int = field(compare=False)


def schedule(seed: int, faults: int, scene: Scene) -> list[Fault]:
    """`faults` faults in the order of their time. Several may last at the same time, also on one link; but what is
    down is not struck down again, and a fault of the cloud's manners lasts until the next."""
    dice = random.Random(seed)
    names = list(KINDS)
    weights = [kind.weight for kind in KINDS.values()]
    busy_until = dict.fromkeys((*scene.boards, "broker", "gateway", "cloud"), 0.0)
    planned: list[Fault] = []
    at_s = 0.5
    while len(planned) < faults:
        name = dice.choices(names, weights)[0]
        kind = KINDS[name]
        target = dice.choice(scene.targets(kind.on))
        seconds, value = dice.uniform(*kind.lasts_s), dice.choice(kind.values)
        if kind.on in ("board", "gateway", "cloud", "broker"):
            if at_s < busy_until[target]:
                continue
            if kind.down:
                # It also needs a moment to come up, and to do something before the next blow.
                busy_until[target] = at_s + seconds + _UP_S[kind.on]
        planned.append(Fault(round(at_s, 3), name, target, round(seconds, 3), value))
        at_s += dice.expovariate(1 / MEAN_GAP_S)
        if len(planned) % CALM_EVERY == 0:
            at_s += dice.uniform(*CALM_S)
    return planned


_UP_S: Final = {"board": 1.0, "broker": 1.0, "gateway": 3.0, "cloud": 1.0}


def lasts_s(planned: Sequence[Fault]) -> float:
    """Seconds until the last of them is over."""
    return max((fault.at_s + fault.seconds for fault in planned), default=0.0)


def broker_of(seed: int) -> str:
    """The broker of a run where nobody named one."""
    return BROKERS[seed % len(BROKERS)]
