"""The other messages of tests/wire/vectors.json: births, states, crashes, acks, commands, with what they mean."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cbor2

from tools import onboard

__all__ = ["ROLES", "MessageVector", "messages"]

ROLES = {"births": "birth", "states": "state", "crashes": "crash", "acks": "ack", "commands": "cmd"}
"""The role of the messages of each section."""

VALUE_KINDS = ("gauge", "state", "counter", "event")


@dataclass(frozen=True)
class MessageVector:
    """One message: its section, and its items, which are also its meaning; `text`: what of a crash's bytes is shown."""

    section: str
    name: str
    why: str
    items: list[Any]
    text: str = ""

    def meaning(self) -> dict[str, Any]:
        """The items by their names in frame.cddl."""
        match self.section:
            case "births":
                names = ("boot", "kind", "model", "firmware", "name", "channels")
                channel = ("name", "unit", "num", "den", "kind", "category")
                birth = dict(zip(names, self.items[1:], strict=True))
                birth["channels"] = [dict(zip(channel, c, strict=True)) for c in birth["channels"]]
                for c in birth["channels"]:
                    c["kind"] = VALUE_KINDS[c["kind"]]
                return birth
            case "states":
                return {
                    "boot": self.items[1],
                    "online": self.items[2] > 0,
                    "quiet": self.items[2] == 2,
                    "kept": self.items[3] if len(self.items) > 3 else [],
                }
            case "crashes":
                numbers = dict(zip(("boot", "cause", "heap", "nth", "starts"), self.items[1:6], strict=True))
                return {**numbers, "text": self.text}
            case "acks":
                return {"time_s": self.items[1], "wait_s": self.items[2], "upto": self.items[3:]}
            case _:
                return dict(zip(("counter", "expiry_s", "verb", "args"), self.items[1:], strict=True))

    def payload(self) -> bytes:
        """Its bytes, by the firmware's writer where a board says it and by cbor2 where the gateway does."""
        if self.section in ("births", "states", "crashes"):
            return bytes(onboard.load("cbor").dumps(self.items))
        return cbor2.dumps(self.items)


def messages() -> Iterator[MessageVector]:
    """Every message that is not a frame."""
    yield from _births()
    highest = 2**30 - 1
    for name, why, items in (
        ("online", "a board is there", [7, 1]),
        ("offline", "a board says it, or the broker in its place", [7, 0]),
        ("boot_lowest", "a board is there", [1, 1]),
        ("boot_highest", "a board says it, or the broker in its place", [2**32 - 1, 0]),
        ("quiet", "somebody held its button", [7, 2]),
        ("kept", "channels 2, 6 and 7 are not sent", [7, 1, [0b11000100, 0]]),
        ("kept_unmeasured", "the same, and channel 2 is not measured", [7, 1, [0b11000100, 0b100]]),
        ("quiet_kept", "both", [7, 2, [0b11000100, 0b100]]),
        ("kept_beyond_30", "channel 31: the second pair", [7, 1, [0, 0, 2, 2]]),
        ("kept_all", "all of 64 channels", [7, 1, [highest, highest, highest, 0, 0b1111, 0b1000]]),
    ):
        yield MessageVector("states", name, why, [1, *items])
    yield from _crashes()
    yield from _acks()
    yield from _commands()


def _births() -> Iterator[MessageVector]:
    fridge = [
        ["fridge_temp", "Cel", 1, 16, 0, "temperature"],
        ["freezer_temp", "Cel", 1, 16, 0, "temperature"],
        ["door", "/", 1, 1, 1, "door"],
        ["top_shelf", "kg", 1, 1000, 0, "stock"],
        ["bottom_shelf", "kg", 1, 1000, 0, "stock"],
        ["power", "W", 1, 1, 0, "energy"],
        ["door_event", "/", 1, 1, 3, "door"],
        ["stock_event", "kg", 1, 1000, 3, "stock"],
        ["fault", "/", 1, 1, 3, "diagnostics"],
    ]
    many = [[f"c{i}", "/", 1, 1, 0 if i % 2 else 3, "use"] for i in range(64)]
    edges = [["a" * 32, "Cel", 10**9, 10**9, 0, "temperature"], ["z9_", "u" * 64, 1, 10**9, 1, "c" * 32]]
    head = [1, 7, "fridge", "fridge-sim", "0.1.0"]
    for name, why, items in (
        ("fridge", "a fridge", [*head, "Kitchen fridge", fridge]),
        ("fridge_again", "the same fridge, started again", [1, 8, *head[2:], "Kitchen fridge", fridge]),
        ("any_script", "a name in several scripts", [*head, "Kühlschrank \u51b7\u8535\u5eab \U0001f9ca", fridge[:1]]),
        ("name_longest", "64 characters of four bytes each", [*head, "\U0001f9ca" * 64, fridge[:1]]),
        ("smallest", "one counter", [1, 1, "k", "m", "0", "n", [["beats", "1", 1, 1, 2, "use"]]]),
        ("channel_edges", "edges of a channel's fields", [1, 2**32 - 1, "k" * 32, "m", "0", "n", edges]),
        ("category_own", "a category of the household's own", [*head, "n", [["x", "/", 1, 1, 0, "blood-sugar"]]]),
        ("channels_64", "as many channels as there can be, half of them series", [*head, "many", many]),
        ("events_only", "a device without series", [*head, "button", [["boil", "/", 1, 1, 3, "use"]]]),
    ):
        yield MessageVector("births", name, why, items)


def _crashes() -> Iterator[MessageVector]:
    highest, starts = 2**32 - 1, [0, 9, 2, 1, 0, 30, 1]
    trace = 'Traceback (most recent call last):\n  File "link.py", line 7, in run\nValueError: no frame\n'
    first, any_script = [1, 0, 0, 0, 0, 0, 0], "OSError: Kühl \u51b7"
    long = "x" * 686 + "\nMemoryError:\n"
    for name, why, items, text in (
        ("crash", "a traceback", [7, 1, 30_000, 1, starts, trace.encode()], trace),
        ("crash_again", "the newest of three: its nth says so", [9, 5, 29_000, 3, starts, trace.encode()], trace),
        ("watchdog", "the watchdog's bite leaves no text", [8, 3, 41_000, 1, starts, b""], ""),
        ("before_the_first_boot", "a board that never came so far", [0, 0, 0, 1, first, b"E: a"], "E: a"),
        ("edges", "edges of every number", [highest, 255, highest, highest, [highest] * 7, b"a"], "a"),
        ("text_longest", "as much of a traceback as a board keeps", [7, 1, 0, 1, starts, long.encode()], long),
        ("text_any_script", "an error's own words", [7, 1, 0, 1, starts, any_script.encode()], any_script),
        ("text_cut", "its end is kept, so its first character may be cut", [7, 1, 0, 1, starts, b"\xbchl"], "\ufffdhl"),
        (
            "text_hostile",
            "what would steer a terminal is shown as U+FFFD; a tab is four blanks, CR is left out",
            [7, 1, 0, 1, starts, b"a\x1b[2Jb\0\tc\r\nd\xff\xe2\x80\xae"],
            "a\ufffd[2Jb\ufffd    c\nd\ufffd\ufffd",
        ),
    ):  # fmt: skip
        yield MessageVector("crashes", name, why, [1, *items], text)


def _acks() -> Iterator[MessageVector]:
    highest, now = 2**32 - 1, 1_780_000_000
    for name, why, items in (
        ("ack", "one boot", [now, 1, [7, 42]]),
        ("ack_nothing", "a boot of which nothing is here yet", [now, 1, [7, 0]]),
        ("ack_edges", "edges of boot and seq", [now, 1, [highest, highest]]),
        ("ack_eight_boots", "as many boots as there can be", [now, 60, *([12 - i, 97 * i] for i in range(8))]),
        ("ack_not_in_order", "boots in any order", [now, 1, [7, 42], [9, 3], [8, 700]]),
        ("ack_at_once", "a gateway that commits at once", [now, 0, [7, 42]]),
        ("ack_wait_longest", "the longest commit window", [now, 600, [7, 42]]),
        ("ack_time_lowest", "1970", [0, 1, [7, 42]]),
        ("ack_time_2038", "the first second that 32 signed bits cannot hold", [2**31, 1, [7, 42]]),
        ("ack_time_highest", "an edge of time_s", [2**36, 1, [7, 42]]),
    ):
        yield MessageVector("acks", name, why, [1, *items])


def _commands() -> Iterator[MessageVector]:
    soon = 1_780_000_060
    for verb, args in (("flush", []), ("reboot", []), ("live", [300]), ("boil", [9500]), ("off", [])):
        yield MessageVector("commands", verb, "a verb of the boards", [1, 12, soon, verb, args])
    for name, why, args in (
        ("use", "channels 2, 6 and 7 are not to be sent, and 2 not to be measured", [0b11000100, 0b100]),
        ("use_beyond_30", "channel 31: the second pair", [0, 0, 2, 2]),
        ("use_all", "every channel is used", []),
    ):
        yield MessageVector("commands", name, why, [1, 12, soon, "use", args])
    yield MessageVector("commands", "counter_lowest", "the first command of all", [1, 1, soon, "off", []])
    yield MessageVector("commands", "counter_highest", "the last command of all", [1, 2**32 - 1, 2**36, "off", []])
    kinds = [-1, 0, 2**31 - 1, -(2**31), "kitchen", "", True, False]
    yield MessageVector("commands", "arguments", "arguments of every kind", [1, 13, soon, "calibrate", kinds])
