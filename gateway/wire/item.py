"""Reads the CBOR of a payload: one item, or a sequence of them (RFC 8949, deterministic encoding of section 4.2.1; RFC
8742). No floats, tags or maps.

By hand, for the same reason as the envelope: a general CBOR library also takes bignums of any length, tags that run
code of their own, lengths in any form and bytes after the end. Here only one spelling of a message is right.
"""

from gateway.wire.errors import FrameError

MAX_DEPTH = 8

_LEAST = (24, 1 << 8, 1 << 16, 1 << 32)  # a number below this has a shorter form than 1, 2, 4 or 8 bytes after the head
_SIMPLE = {0xF4: False, 0xF5: True, 0xF6: None}

Item = int | bytes | str | bool | None | list["Item"]


def read(payload: bytes, error: type[Exception] = FrameError) -> Item:
    """The item. Time and memory grow with the payload, not with what it claims. Raises `error`."""
    try:
        item, at = _item(payload, 0, 0)
    except IndexError:
        raise error("not CBOR: cut short") from None
    except ValueError as why:
        raise error(f"not CBOR of ours: {why}") from None
    if at != len(payload):
        raise error("bytes after the end of the CBOR item")
    return item


def read_sequence(payload: bytes, error: type[Exception] = FrameError) -> list[Item]:
    """The items of a CBOR sequence. Raises `error`."""
    items: list[Item] = []
    at = 0
    try:
        while at < len(payload):
            item, at = _item(payload, at, 1)
            items.append(item)
    except IndexError:
        raise error("not CBOR: cut short") from None
    except ValueError as why:
        raise error(f"not CBOR of ours: {why}") from None
    return items


def leading_integers(payload: bytes, most: int, at: int = 0) -> list[int]:
    """The integers that stand from `at` on, up to `most`, whatever follows them."""
    found: list[int] = []
    try:
        while len(found) < most:
            major, n, at = _head(payload, at)
            if major > 1:
                break
            found.append(-1 - n if major else n)
    except (IndexError, ValueError):
        return found
    return found


def _head(b: bytes, at: int) -> tuple[int, int, int]:
    """(major type, argument, position after them)."""
    first = b[at]
    info = first & 31
    if info < 24:
        return first >> 5, info, at + 1
    if info > 27 or first >= 0xE0:
        raise ValueError("a length of unknown form, or a number that is not whole")
    end = at + 1 + (1 << (info - 24))
    if end > len(b):
        raise IndexError
    n = int.from_bytes(b[at + 1 : end], "big")
    if n < _LEAST[info - 24]:
        raise ValueError("a number that is not in its shortest form")
    return first >> 5, n, end


def _item(b: bytes, at: int, depth: int) -> tuple[Item, int]:
    major, n, at = _head(b, at)
    if major == 0:
        return n, at
    if major == 1:
        return -1 - n, at
    if major in (2, 3):
        end = at + n
        if end > len(b):
            raise IndexError
        return (b[at:end] if major == 2 else b[at:end].decode()), end
    if major == 4:
        if depth == MAX_DEPTH:
            raise ValueError("nested too deep")
        if n > len(b) - at:
            raise IndexError
        items: list[Item] = []
        for _ in range(n):
            item, at = _item(b, at, depth + 1)
            items.append(item)
        return items, at
    if major == 7 and b[at - 1] in _SIMPLE:  # the last byte of a tag's number may look like one of these
        return _SIMPLE[b[at - 1]], at
    raise ValueError("a map, a tag or a simple value that is not false, true or null")
