"""vectors.json under real MicroPython: the firmware makes every frame byte for byte, natively and plain, and opens what
the gateway says.

What boards send (60 rows of up to 32 channels) must fit the small heap of an emulated board. Frames of 600 and 4,096
rows, which no board of ours sends, get a larger one: a request as JSON and five arrays of 16 KiB do not fit 128 KiB.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
from pathlib import Path
from typing import Any

import pytest

from gateway.wire.frame import decode
from tools import vectors
from tools.onboard import FIRMWARE

HERE = Path(__file__).parent
VECTORS = vectors.load()
SMALL, LARGE = "128k", "2m"
PATHS = {"native": [FIRMWARE], "plain": [HERE / "mpy" / "no_native", FIRMWARE]}


def ask(
    micropython: str, loops: str, heap: str, requests: list[dict[str, Any]], folder: Path | None = None
) -> list[dict[str, Any]]:
    """What the firmware answers; `folder`: its flash, if it needs one."""
    path = os.pathsep.join(map(str, PATHS[loops]))
    done = subprocess.run(
        [micropython, "-X", f"heapsize={heap}", str(HERE / "mpy" / "answer.py")],
        input="".join(json.dumps(request) + "\n" for request in requests),
        env={**os.environ, "MICROPYPATH": path},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(requests)
    return answers


def rows(vector: dict[str, Any]) -> int:
    return len(vector["meaning"].get("columns", [[]])[0])


@pytest.fixture(params=list(PATHS))
def loops(request: pytest.FixtureRequest) -> str:
    return request.param


def test_the_fallback_is_taken_where_there_is_no_native_emitter(micropython: str, loops: str):
    assert ask(micropython, loops, SMALL, [{"what": "native"}]) == [{"native": loops == "native"}]


@pytest.mark.parametrize("heap", [SMALL, LARGE])
def test_the_firmware_produces_every_frame_byte_for_byte(micropython: str, loops: str, heap: str):
    chosen = [v for v in VECTORS["frames"] if v["board"] and (rows(v) <= 60) == (heap == SMALL)]
    answers = ask(micropython, loops, heap, [{"what": "frame", "meaning": v["meaning"]} for v in chosen])
    wrong = [(v["name"], a) for v, a in zip(chosen, answers, strict=True) if a != {"payload": v["payload"]}]
    assert chosen
    assert not wrong


def test_native_and_plain_loops_make_the_same_bytes_of_values_of_every_size(micropython: str):
    rng = random.Random(5)
    requests = []
    for _ in range(150):
        rows, step = rng.randint(1, 60), 1 << rng.randint(0, 28)
        walk = [rng.randint(-1000, 1000)]
        while len(walk) < rows:
            value = walk[-1] + rng.randint(-step, step)
            walk.append(value if abs(value) < 2**29 else 0)
        columns = [walk, [None if rng.random() < 0.1 else v for v in walk], [v & 1 for v in walk]]
        head = {"boot": 1, "seq": 1, "time_s": None, "uptime_ms": 0, "step_ms": 1000}
        requests.append({"what": "frame", "meaning": {**head, "columns": columns}})
    native, plain = (ask(micropython, loops, SMALL, requests) for loops in PATHS)
    assert native == plain
    for request, answer in zip(requests, native, strict=True):
        frame = decode(bytes.fromhex(answer["payload"]))
        assert [list(column) for column in frame.columns] == request["meaning"]["columns"]


def test_the_firmware_seals_every_message_byte_for_byte(micropython: str):
    chosen = [(role, v) for section, role in VECTORS["roles"].items() for v in VECTORS[section]]
    requests = [{"what": "seal", "role": role, "payload": v["payload"]} for role, v in chosen]
    answers = ask(micropython, "native", SMALL, requests)
    assert [v["name"] for (_, v), a in zip(chosen, answers, strict=True) if a != {"sealed": v["sealed"]}] == []


def test_the_firmware_tells_of_every_crash_byte_for_byte_and_then_forgets_it(micropython: str, tmp_path: Path):
    requests = [{"what": "crash", "payload": v["payload"]} for v in VECTORS["crashes"]]
    for vector, answer in zip(VECTORS["crashes"], ask(micropython, "native", SMALL, requests, tmp_path), strict=True):
        told = {"topic": "hg/1/5e0000000001/crash", "sealed": vector["sealed"], "left": []}
        assert answer == told, vector["name"]


@pytest.mark.parametrize("section", ["acks", "commands"])
def test_the_firmware_opens_what_the_gateway_says_and_no_bit_of_it_changed(micropython: str, section: str):
    role = VECTORS["roles"][section]
    requests = [{"what": "open", "role": role, "sealed": v["sealed"]} for v in VECTORS[section]]
    for vector, answer in zip(VECTORS[section], ask(micropython, "native", SMALL, requests), strict=True):
        meaning = vector["meaning"]
        items = list(meaning.values())
        if section == "acks":
            items = [meaning["time_s"], meaning["wait_s"], *meaning["upto"]]
        assert answer == {"payload": vector["payload"], "says": [1, *items], "taken": 0}, vector["name"]


def test_the_firmware_refuses_every_envelope_that_is_not_ours(micropython: str):
    requests = [{"what": "refuse", "role": "up", "sealed": v["sealed"]} for v in VECTORS["envelopes"]]
    answers = ask(micropython, "native", SMALL, requests)
    assert [v["name"] for v, a in zip(VECTORS["envelopes"], answers, strict=True) if a != {"refused": True}] == []


def test_the_firmware_opens_a_message_in_its_own_role_only(micropython: str):
    sealed = VECTORS["commands"][0]["sealed"]
    roles = ("cmd", "ack", "up", "birth", "state", "")
    requests = [{"what": "refuse", "role": role, "sealed": sealed} for role in roles]
    answers = ask(micropython, "native", SMALL, requests)
    assert {role: answer["refused"] for role, answer in zip(roles, answers, strict=True)} == {
        role: role != "cmd" for role in roles
    }
