"""Targets with a fault that the fuzzer must find; named tests.fuzz.planted:CRASH and so on."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable
from contextlib import contextmanager

from tools.fuzz_mutate import octets
from tools.fuzz_target import Broken, Refused, Target


def _target(name: str, parse: Callable[[bytes], None]) -> Target:
    @contextmanager
    def opened():
        yield parse

    path = f"tests.fuzz.planted:{name}"
    return Target(path, "planted", opened, lambda: (b"seed", b"seed of some length"), octets, share=1, cost_us=10)


def _good(data: bytes) -> None:
    if data[:1] != b"s":
        raise Refused("not a seed")


def _crash(data: bytes) -> None:
    _good(data)
    if len(data) > 2 and data[2] >= 0x80:
        raise KeyError(data[2])


def _broken(data: bytes) -> None:
    _good(data)
    if data != b"seed" and len(data) == 4:
        raise Broken("an answer that cannot be right")


def _hang(data: bytes) -> None:
    while data[:4] == b"seee":
        pass


def _slow(data: bytes) -> None:
    until = time.process_time() + 1.2
    while data[:4] == b"seee" and time.process_time() < until:
        pass


def _death(data: bytes) -> None:
    if data[:4] == b"seee":
        ctypes.string_at(1)


_kept: list[bytes] = []


def _memory(data: bytes) -> None:
    _kept.append(bytes(20_000) + data)


GOOD = _target("GOOD", _good)
CRASH = _target("CRASH", _crash)
BROKEN = _target("BROKEN", _broken)
HANG = _target("HANG", _hang)
SLOW = _target("SLOW", _slow)
DEATH = _target("DEATH", _death)
MEMORY = _target("MEMORY", _memory)
