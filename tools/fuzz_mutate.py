"""Mutators: from an input and its neighbours the next input, near enough to be read and far enough to surprise.

A mutator is a function (rng, data, pool) -> bytes. `pool` holds other inputs to take pieces from, and is never empty.
Those for CBOR know heads and lengths, those for texts know tokens: a flipped bit in a length ends most parsers at
once, a wrong number in its place reaches the check behind it.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence

__all__ = ["Mutator", "batch", "cbor", "join", "octets", "split", "text"]

Mutator = Callable[[random.Random, bytes, Sequence[bytes]], bytes]

# The edges of every bound on the wire, and of the machine's numbers.
_EDGES = [2**k + d for k in (4, 5, 6, 7, 8, 12, 16, 28, 29, 30, 31, 32, 36, 48, 53, 63, 64) for d in (-1, 0, 1)]
_NUMBERS = [0, 1, 2, 3, 7, 23, 24, 60, 100, 300, 600, 3600, 86_400, 1_780_000_000, 1_900_000_000, *_EDGES]
_LARGEST = 2**64 - 1
_TEXTS = (b"", b"a", b"up", b"live", b"quiet", b"temperature", b"\xc3\xa9", b"\xed\xa0\x80", b"\xff", b"\0", b"x" * 70)
_RAW = (b"\xf4", b"\xf5", b"\xf6", b"\xf7", b"\xff", b"\xa0", b"\xc2", b"\xf9\x3c\x00", b"\x5f", b"\x9f", b"\x1c")

_TOKEN = re.compile(rb"[A-Za-z_][A-Za-z0-9_\-]*|[0-9]+|\s+|.", re.DOTALL)
_VALUE = re.compile(rb'"[^"\n]{0,80}"|\b\d+\b|\b(?:true|false|null)\b')
_WINDOW = 120
_LONGEST = 4000
_WORDS = (
    b"true", b"false", b"null", b"inf", b"nan", b"NaN", b"Infinity", b"-1", b"0", b"1e400", b"0x7f", b"1979-05-27",
    b"07:32:00", b'""', b"[]", b"{}", b"[[", b"]]", b'"', b"'", b'"""', b"\\", b"\\u0000", b"\\ud800", b"\\U0010ffff",
    b"=", b".", b",", b":", b"\n", b"\r", b"\t", b"#", b"\0", b"\xff", b"\xe2\x80\xae", b"\xf0\x9f\xab\x96", b"../",
    b"/", b"%2e%2e", b"?", b"&",
)  # fmt: skip


def octets(rng: random.Random, data: bytes, pool: Sequence[bytes]) -> bytes:
    """Any bytes: bits flipped, runs removed, repeated, overwritten, or taken from another input."""
    b = bytearray(data)
    for _ in range(1 + int(rng.random() * 3)):
        n = len(b)
        at = int(rng.random() * (n + 1))
        size = 1 + int(rng.random() ** 2 * 8)
        what = int(rng.random() * 7)
        if what == 0 and at < n:
            b[at] ^= 1 << int(rng.random() * 8)
        elif what == 1 and at < n:
            b[at] = int(rng.random() * 256)
        elif what == 2:
            del b[at : at + size]
        elif what == 3:
            b[at:at] = rng.randbytes(size)
        elif what == 4:
            b[at:at] = b[at : at + size] * (1 + int(rng.random() ** 4 * 40))
        elif what == 5 and at < n:
            b[at] = b[at] + int(rng.random() * 9) - 4 & 0xFF
        else:
            other = _pick(rng, pool)
            start = int(rng.random() * (len(other) + 1))
            b[at : at + size] = other[start : start + 1 + int(rng.random() * 24)]
    return bytes(b)


def cbor(rng: random.Random, data: bytes, pool: Sequence[bytes]) -> bytes:
    """CBOR items: numbers at their edges, items removed, repeated, moved, of another kind, nested, in a longer form."""
    if rng.random() < 0.15:
        return octets(rng, data, pool)
    items = _items(data)
    for _ in range(1 + int(rng.random() * 2)):
        at = int(rng.random() * len(items)) if items else 0
        what = int(rng.random() * 10)
        if not items or what == 0:
            items[at:at] = [_item(rng, pool)]
        elif what == 1:
            del items[at]
        elif what == 2:
            items[at:at] = [items[at]] * (1 + int(rng.random() ** 4 * 30))
        elif what == 3:
            other = int(rng.random() * len(items))
            items[at], items[other] = items[other], items[at]
        elif what == 4:
            items[at] = b"\x81" * int(1 + rng.random() ** 3 * 12) + items[at]
        elif what == 5:
            items[at] = _item(rng, pool)
        elif what == 6:
            items[at] = _longer(rng, items[at])
        else:
            items[at] = _near(rng, items[at], pool)
    return b"".join(items)


def text(rng: random.Random, data: bytes, pool: Sequence[bytes]) -> bytes:
    """TOML, JSON or a request: lines and values moved and exchanged, so that most of it still can be read; tokens
    removed, repeated, replaced, taken from another input; brackets without end."""
    dice = rng.random()
    if dice < 0.1:
        return octets(rng, data, pool)
    if dice < 0.35:
        return _lines(rng, data, pool)
    if dice < 0.7:
        return _values(rng, data, pool)
    # Only a window is cut into tokens: a whole settings file would take longer to cut than to read.
    start = int(rng.random() * (len(data) + 1))
    end = start + _WINDOW
    tokens = _TOKEN.findall(data[start:end]) or [b""]
    for _ in range(1 + int(rng.random() * 3)):
        at = int(rng.random() * len(tokens))
        size = 1 + int(rng.random() ** 2 * 6)
        what = int(rng.random() * 8)
        if what == 0:
            del tokens[at : at + size]
        elif what == 1:
            tokens[at:at] = tokens[at : at + size]
        elif what == 2:
            tokens[at : at + 1] = [_WORDS[int(rng.random() * len(_WORDS))]]
        elif what == 3:
            tokens[at:at] = [_WORDS[int(rng.random() * len(_WORDS))]]
        elif what == 4:
            tokens[at : at + 1] = [b"%d" % _number(rng)]
        elif what == 5:
            token = (tokens[at : at + 1] or [b"["])[0]
            tokens[at:at] = [(token[:40] * int(1 + rng.random() ** 3 * 1500))[:_LONGEST]]
        else:
            other = _pick(rng, pool)
            where = int(rng.random() * (len(other) + 1))
            tokens[at : at + (size if what == 6 else 1)] = _TOKEN.findall(other[where : where + 40])[:size]
        if not tokens:
            tokens = [b""]
    return data[:start] + b"".join(tokens) + data[end:]


def _lines(rng: random.Random, data: bytes, pool: Sequence[bytes]) -> bytes:
    lines = data.split(b"\n")
    at = int(rng.random() * len(lines))
    what = int(rng.random() * 4)
    if what == 0:
        del lines[at]
    elif what == 1:
        lines.insert(at, lines[int(rng.random() * len(lines))])
    elif what == 2:
        lines.insert(int(rng.random() * len(lines)), lines.pop(at))
    else:
        other = _pick(rng, pool).split(b"\n")
        start = int(rng.random() * len(other))
        lines[at:at] = other[start : start + 1 + int(rng.random() * 4)]
    return b"\n".join(lines)


def _values(rng: random.Random, data: bytes, pool: Sequence[bytes]) -> bytes:
    """One value for another: a number, a quoted text or a word, each where one stood."""
    places = [match.span() for match in _VALUE.finditer(data)]
    if not places:
        return data
    start, end = places[int(rng.random() * len(places))]
    what = int(rng.random() * 6)
    if what == 0:
        value = b"%d" % _number(rng)
    elif what == 1:
        value = _WORDS[int(rng.random() * len(_WORDS))]
    elif what == 2:
        inner = data[start:end].strip(b'"') or b"x"
        value = b'"' + (inner * int(1 + rng.random() ** 3 * 300))[:_LONGEST] + b'"'
    elif what == 3:
        value = b'"' + octets(rng, data[start:end].strip(b'"'), pool).replace(b'"', b"") + b'"'
    else:
        other = data if what == 4 else _pick(rng, pool)
        known = _VALUE.findall(other) or [b"0"]
        value = known[int(rng.random() * len(known))]
    return data[:start] + value + data[end:]


def batch(rng: random.Random, data: bytes, pool: Sequence[bytes]) -> bytes:
    """A batch of messages (see `split`): one of them mutated as CBOR, repeated, moved, or taken from another batch."""
    messages = split(data)
    at = int(rng.random() * len(messages)) if messages else 0
    what = int(rng.random() * 8)
    if not messages or what == 0:
        others = split(_pick(rng, pool)) or [(0, b"")]
        messages[at:at] = [others[int(rng.random() * len(others))]]
    elif what == 1:
        del messages[at]
    elif what == 2:
        messages.append(messages[at])
    elif what == 3:
        messages.append(messages.pop(at))
    elif what == 4:
        messages[at] = (int(rng.random() * 256), messages[at][1])
    else:
        kind, content = messages[at]
        contents = [other for _, other in split(_pick(rng, pool))] or [b""]
        messages[at] = (kind, cbor(rng, content, contents))
    return join(messages)


def split(data: bytes) -> list[tuple[int, bytes]]:
    """The messages in a batch: a byte that says what it is, two that say how long, and as many as there are of them."""
    messages = []
    at = 0
    while at + 3 <= len(data):
        end = at + 3 + (data[at + 1] << 8 | data[at + 2])
        messages.append((data[at], data[at + 3 : end]))
        at = end
    return messages


def join(messages: Sequence[tuple[int, bytes]]) -> bytes:
    """The batch of these messages."""
    return b"".join(bytes((kind, len(c) >> 8 & 0xFF, len(c) & 0xFF)) + c for kind, c in messages)


def _pick(rng: random.Random, pool: Sequence[bytes]) -> bytes:
    return pool[int(rng.random() * len(pool))]


def _number(rng: random.Random) -> int:
    n = _NUMBERS[int(rng.random() * len(_NUMBERS))] if rng.random() < 0.7 else int(rng.random() * 300)
    return -n if rng.random() < 0.1 else n


def _head(major: int, n: int) -> bytes:
    if n < 24:
        return bytes((major << 5 | n,))
    power = 0 if n < 1 << 8 else 1 if n < 1 << 16 else 2 if n < 1 << 32 else 3
    return bytes((major << 5 | 24 + power,)) + (n & _LARGEST).to_bytes(1 << power, "big")


def _whole(n: int) -> bytes:
    return _head(1, min(-1 - n, _LARGEST)) if n < 0 else _head(0, min(n, _LARGEST))


def _items(data: bytes) -> list[bytes]:
    """The items in a row: a number or a string each, of an array its head only; what cannot be read is the last."""
    items = []
    at = 0
    while at < len(data):
        first = data[at]
        info = first & 31
        end = at + 1
        n = info
        if 24 <= info < 28:
            end += 1 << (info - 24)
            n = int.from_bytes(data[at + 1 : end], "big")
        if first >> 5 in (2, 3):
            end += n
        items.append(data[at:end])
        at = end
    return items


def _item(rng: random.Random, pool: Sequence[bytes]) -> bytes:
    what = int(rng.random() * 6)
    if what < 2:
        return _whole(_number(rng))
    if what == 2:
        return _RAW[int(rng.random() * len(_RAW))]
    if what == 3:
        return _head(4, abs(_number(rng)) if rng.random() < 0.2 else int(rng.random() * 8))
    if what == 4:
        other = _TEXTS[int(rng.random() * len(_TEXTS))]
        return _head(2 + int(rng.random() * 2), len(other)) + other
    items = _items(_pick(rng, pool))
    return items[int(rng.random() * len(items))] if items else b"\0"


def _near(rng: random.Random, item: bytes, pool: Sequence[bytes]) -> bytes:
    """An item of the same kind: another number, or a string of which some bytes changed and the length is right."""
    major = item[0] >> 5
    if major < 2:
        return _whole(_number(rng))
    if major < 4:
        size = (1, 2, 3, 5, 9)[max(0, min(4, (item[0] & 31) - 23))]
        content = octets(rng, item[size:], pool)
        return _head(major, len(content)) + content
    if major == 4:
        return _head(4, max(0, (item[0] & 31) + int(rng.random() * 5) - 2))
    return _item(rng, pool)


def _longer(rng: random.Random, item: bytes) -> bytes:
    """The same item with its number in a longer form than it needs."""
    major, info = item[0] >> 5, item[0] & 31
    if info >= 24:
        return item
    power = int(rng.random() * 4)
    return bytes((major << 5 | 24 + power,)) + info.to_bytes(1 << power, "big") + item[1:]
