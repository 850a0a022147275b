"""Puts a board's files on it: what changed, verified afterwards. Running it again mends what was interrupted."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from gateway.flash import boardfile, chips, contents, held, keys
from gateway.flash.boardfile import Board
from gateway.flash.remote import Facts, FlashError, Remote
from gateway.flash.sources import BOARDS

__all__ = ["Done", "Progress", "check", "check_address", "installed", "put", "stored_settings"]

Progress = Callable[[int, int], None]
"""Called with (bytes that went over, bytes in all)."""

_LEAST: Final = (1, 23)
"""The first MicroPython whose .mpy format is today's."""
_LEAST_FOR_ADDRESS: Final = (1, 24)
"""The first one that can check a certificate which is for an address, not for a name."""


@dataclass(frozen=True, slots=True)
class Done:
    """What flashing did: how many files it copied and removed, and how many bytes of modules the board has now; how
    many frames were given up that nobody can open; and whether others come that were sealed with a key before."""

    copied: int
    removed: int
    module_bytes: int
    given_up: int = 0
    resealed: bool = False


def check(board: Board, facts: Facts) -> None:
    """Raise FlashError if that board.toml is not for this chip, or its MicroPython is too old or gives no id."""
    if facts.name != "micropython":
        raise FlashError(f"the board runs {facts.name}, not MicroPython: put MicroPython on it with --image FILE.")
    if facts.chip != board.board.chip:
        fit = [other.name for other in boardfile.list_boards(BOARDS) if other.board.chip == facts.chip]
        instead = f"use --board {' or '.join(fit)}" if fit else "there is no board for that chip yet"
        raise FlashError(
            f"{board.name} is for {_title(board.board.chip)}, but what is attached is {_title(facts.chip)} "
            f"({facts.machine}): {instead}, or attach another board."
        )
    if facts.version < _LEAST:
        raise FlashError(
            f"the board runs MicroPython {facts.micropython}; it takes {'.'.join(map(str, _LEAST))} or later: "
            "get one for your board from micropython.org/download and give it with --image FILE."
        )
    if len(facts.device) != 12:
        raise FlashError("the board's MicroPython gives it no id (machine.unique_id): put another build on it.")


def check_address(facts: Facts, host: str) -> None:
    """Raise FlashError if that MicroPython could not check the certificate of a broker at `host`, over TLS."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return
    if facts.version < _LEAST_FOR_ADDRESS:
        raise FlashError(
            f"the board runs MicroPython {facts.micropython}, which cannot check that a certificate is for an address "
            f"({host}). With {'.'.join(map(str, _LEAST_FOR_ADDRESS))} or later it can: get one for your board from "
            "micropython.org/download and give it with --image FILE; or name the broker: --broker NAME."
        )


def stored_settings(remote: Remote) -> dict[str, Any]:
    """The board.json that is on the board; empty if there is none that can be read. It holds secrets."""
    try:
        table = json.loads(remote.read(contents.BOARD_JSON) or b"{}")
    except ValueError:
        return {}
    return table if isinstance(table, dict) else {}


def installed(remote: Remote) -> tuple[str, str] | None:
    """(board, firmware's version) that is whole in the board's slot; None if none is."""
    running = (remote.read(contents.CHOICE) or b"a")[:1].decode("ascii", "replace")
    try:
        manifest = json.loads(remote.read(f"/{running}/{contents.MANIFEST_NAME}") or b"null")
        return str(manifest["board"]), str(manifest["firmware"])
    except (ValueError, TypeError, KeyError):
        return None


def put(
    remote: Remote,
    board: Board,
    facts: Facts,
    table: Mapping[str, Any],
    ca: bytes | None,
    progress: Progress = lambda _done, _all: None,
    *,
    lines: bool = False,
    former: Sequence[bytes] = (),
) -> Done:
    """Make the board hold its firmware, `table` as board.json and `ca`; write only what differs. lines: of slot_files;
    former: of keys.before. What it holds under those keys it can seal anew; what is under none of them would only be
    in the way, and goes.

    Raises FlashError, CompileError. Whenever it is interrupted, calling it again ends the same.
    """
    link = str(table.get("link") or "mqtt")
    modules = contents.slot_files(board, facts.mpy, link, ca=ca, lines=lines)
    choice = contents.choose_first(remote.read(contents.CHOICE))
    key = bytes.fromhex(table["key"])
    before = keys.before(key, stored_settings(remote), remote.read(contents.KEY), former)
    given_up, holds = _give_up(remote, (key, *before))
    wanted = contents.whole(board, modules, table, ca, choice, link, keys.beside(key, before))
    plan = contents.plan(wanted, remote.hashes(contents.SLOT, contents.OURS))
    for path in plan.remove:
        remote.remove(path)
    if any(path.startswith(contents.SLOT) for path in plan.write):
        remote.make_folder(contents.SLOT.rstrip("/"))
    size = sum(len(wanted[path]) for path in plan.write)
    done = 0
    progress(done, size)
    for path in plan.write:
        for sent in remote.write(path, wanted[path]):
            done += sent
            progress(done, size)
    if plan.write or plan.remove:
        left = contents.plan(wanted, remote.hashes(contents.SLOT, contents.OURS))
        for path in (*left.write, *left.remove):
            raise FlashError(f"{path} is not on the board as it was sent: flash it again, with another cable.")
    size = sum(map(len, modules.values()))
    return Done(len(plan.write), len(plan.remove), size, given_up, holds and bool(before))


def _give_up(remote: Remote, known: Sequence[bytes]) -> tuple[int, bool]:
    """Remove the files of frames that are under none of these keys: how many frames these were, and whether it holds
    others. They are the oldest, and so one look ends it as a rule: behind what opens is what opens."""
    gone = 0
    for path in held.in_order(remote.names(held.FOLDER)):
        frames = held.frames(remote.read(path) or b"")
        if held.opens(frames, known):
            return gone, True
        if frames:
            remote.remove(path)
            gone += len(frames)
    return gone, False


def _title(chip: str) -> str:
    titles = {kit.chip.name: kit.chip.title for kit in chips.devkits().values()} | {"unix": "emulated board"}
    title = titles.get(chip, chip)
    return f"an {title}" if title[0] in "Ee" else f"a {title}"
