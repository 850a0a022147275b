"""The test vectors of the wire: messages with what they mean, for firmware, gateway and anybody else who reads frames.

`python -m tools.vectors --write` writes tests/wire/vectors.json, `--check` says whether it is what the code produces.
One vector a line, so that a change can be read. Sections:

frames    sealed as `up`; `board`: the firmware produces exactly these bytes (else packed by hand: readers must take it)
births, states, crashes    what else boards say
acks, commands    what the gateway says
refused   payloads under a right MAC that a reader must refuse, each with the reason that the gateway gives
envelopes messages in the role `up` that are not a COSE_Mac0 of ours
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tools import onboard
from tools.vector_codings import codings
from tools.vector_frames import frames
from tools.vector_messages import ROLES, messages
from tools.vector_refused import refused_frames
from tools.vector_refused_messages import refused_envelopes, refused_messages

__all__ = ["KEY", "PATH", "load", "text"]

PATH = Path(__file__).resolve().parent.parent / "tests" / "wire" / "vectors.json"
KEY = bytes(range(32))

_ABOUT = (
    "Hearthgate's wire, version 1: see gateway/wire/frame.cddl. Every message is sealed under `key` (hex) with the "
    "role of its section as external data. Values are scaled integers; null in a column is a missing value."
)


def sections() -> dict[str, list[dict[str, Any]]]:
    """Every vector by its section."""
    seal = onboard.load("mac").Mac0(KEY).seal
    found: dict[str, list[dict[str, Any]]] = {"frames": [], **{section: [] for section in ROLES}}
    for frame in (*frames(), *codings()):
        payload = frame.payload()
        found["frames"].append(
            {
                "name": frame.name,
                "why": frame.why,
                "board": frame.by_board,
                "meaning": frame.meaning(),
                "payload": payload.hex(),
                "sealed": seal(b"up", payload).hex(),
            }
        )
    for message in messages():
        payload = message.payload()
        found[message.section].append(
            {
                "name": message.name,
                "why": message.why,
                "meaning": message.meaning(),
                "payload": payload.hex(),
                "sealed": seal(ROLES[message.section].encode(), payload).hex(),
            }
        )
    found["refused"] = [
        {"name": r.name, "why": r.why, "role": r.role, "reason": r.reason, "payload": r.data.hex()}
        for r in (*refused_frames(), *refused_messages())
    ]
    payload = bytes.fromhex(next(f["payload"] for f in found["frames"] if f["name"] == "lone_zero"))
    found["envelopes"] = [
        {"name": r.name, "why": r.why, "reason": r.reason, "sealed": r.data.hex()}
        for r in refused_envelopes(seal(b"up", payload), payload)
    ]
    for name, vectors in found.items():
        names = [vector["name"] for vector in vectors]
        if len(set(names)) < len(names):
            raise ValueError(f"two vectors of {name} have the same name: {[n for n in names if names.count(n) > 1]}")
    return found


def load() -> dict[str, Any]:
    """The file as it is: vectors by section, and the key."""
    content: dict[str, Any] = json.loads(PATH.read_text(encoding="utf-8"))
    return content


def text() -> str:
    """The file's content."""
    blocks = [
        f'"about": {json.dumps(_ABOUT)}',
        f'"key": "{KEY.hex()}"',
        f'"roles": {json.dumps({"frames": "up", **ROLES})}',
    ]
    blocks += [f'"{name}": {_lines(vectors)}' for name, vectors in sections().items()]
    return "{\n" + ",\n".join(blocks) + "\n}\n"


def _lines(vectors: Iterable[dict[str, Any]]) -> str:
    return "[\n" + ",\n".join(json.dumps(vector, separators=(",", ":")) for vector in vectors) + "\n]"


def main() -> int:
    """The command; 1 if the file is not what the code produces."""
    parser = argparse.ArgumentParser(description="The test vectors of the wire, tests/wire/vectors.json.")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--check", action="store_true", help="say whether the file is what the code produces")
    what.add_argument("--write", action="store_true", help="write the file")
    options = parser.parse_args()
    content = text()
    if options.write:
        PATH.write_text(content, encoding="utf-8")
        print(f"{PATH}: {len(content)} bytes")
        return 0
    if PATH.exists() and PATH.read_text(encoding="utf-8") == content:
        print(f"{PATH} is what the code produces")
        return 0
    print(f"{PATH} is not what the code produces; if the change is wanted: python -m tools.vectors --write")
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
