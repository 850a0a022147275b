"""The wire vectors on a 32-bit processor: the firmware makes every frame byte for byte, and opens what is sent to it.

The same as tests/wire/test_vectors_micropython.py asks of MicroPython on a PC, for what boards send.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from tests.qemu.conftest import Report
from tools import vectors
from tools.qemu_board import ROOT, Prompt

FIRMWARE = [ROOT / "firmware" / f"{name}.py" for name in ("cbor", "bitpack", "packing", "frame", "mac", "crash")]
ANSWERING = [
    ROOT / "tests" / "wire" / "mpy" / "answer.py",
    Path(__file__).parent / "mpy" / "answer_all.py",
]
VECTORS = vectors.load()


def ask(board: Prompt, requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
    board.put("requests", "".join(json.dumps(request) + "\n" for request in requests).encode())
    said = board.run("from answer_all import answer_all\nanswer_all('requests')", timeout_s=100)
    answers = [json.loads(line) for line in said.splitlines()]
    assert len(answers) == len(requests)
    return answers


def board_frames() -> list[dict[str, Any]]:
    """What boards send: no more than 60 rows."""
    return [v for v in VECTORS["frames"] if v["board"] and len(v["meaning"].get("columns", [[]])[0]) <= 60]


@pytest.fixture
def answering(board: Prompt) -> Prompt:
    board.put_modules([*FIRMWARE, *ANSWERING])
    return board


def test_every_frame_of_a_board_byte_for_byte_with_native_loops(answering: Prompt, report: Report):
    chosen = board_frames()
    requests = [{"what": "native"}, *({"what": "frame", "meaning": v["meaning"]} for v in chosen)]
    began = time.monotonic()
    native, *answers = ask(answering, requests)
    took_s = time.monotonic() - began
    answering.run("gc.collect()")
    report(f"wire: {len(chosen)} frames in {took_s:.1f} s, heap free {answering.ask('gc.mem_free()'):,} B")
    assert native == {"native": True}
    wrong = [(v["name"], a) for v, a in zip(chosen, answers, strict=True) if a != {"payload": v["payload"]}]
    assert len(chosen) > 100
    assert not wrong


def test_every_sealed_message_byte_for_byte(answering: Prompt):
    roles = VECTORS["roles"]
    chosen = [(role, v) for section, role in roles.items() for v in VECTORS[section] if len(v["payload"]) <= 4000]
    requests = [{"what": "seal", "role": role, "payload": v["payload"]} for role, v in chosen]
    answers = ask(answering, requests)
    assert [v["name"] for (_, v), a in zip(chosen, answers, strict=True) if a != {"sealed": v["sealed"]}] == []


def test_what_the_gateway_says_is_opened_and_no_bit_of_it_changed(answering: Prompt):
    for section in ("acks", "commands"):
        role = VECTORS["roles"][section]
        requests = [{"what": "open", "role": role, "sealed": v["sealed"]} for v in VECTORS[section]]
        for vector, answer in zip(VECTORS[section], ask(answering, requests), strict=True):
            meaning = vector["meaning"]
            items = list(meaning.values())
            if section == "acks":
                items = [meaning["time_s"], meaning["wait_s"], *meaning["upto"]]
            assert answer == {"payload": vector["payload"], "says": [1, *items], "taken": 0}, vector["name"]


def test_every_envelope_that_is_not_ours_is_refused(answering: Prompt):
    requests = [{"what": "refuse", "role": "up", "sealed": v["sealed"]} for v in VECTORS["envelopes"]]
    answers = ask(answering, requests)
    assert [v["name"] for v, a in zip(VECTORS["envelopes"], answers, strict=True) if a != {"refused": True}] == []
