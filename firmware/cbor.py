"""A small CBOR writer and reader (RFC 8949, deterministic encoding): whole numbers, texts, byte strings, arrays, null,
true and false. No floats, tags or maps: no message of ours has any.

What is read is bounded by its own length and by a depth: a stranger's bytes end in a ValueError, never in a long
allocation.
"""

from micropython import const

_MAX_DEPTH = const(8)


def put_head(buf, at, major, n):
    """Write one head (major type and argument `n` >= 0) into `buf` at `at`; return the position after it."""
    if n < 24:
        buf[at] = major | n
        return at + 1
    power = 0 if n < 0x100 else 1 if n < 0x10000 else 2 if n < 0x100000000 else 3
    buf[at] = major | 24 + power
    size = 1 << power
    for i in range(at + size, at, -1):
        buf[i] = n & 0xFF
        n >>= 8
    return at + 1 + size


def put_int(buf, at, n):
    """Write a whole number; return the position after it."""
    return put_head(buf, at, 0x20, -1 - n) if n < 0 else put_head(buf, at, 0, n)


def head(major, n):
    """One head, as bytes."""
    buf = bytearray(9)
    return bytes(buf[: put_head(buf, 0, major, n)])


def dumps(obj):
    """The CBOR of None, a bool, int, str, bytes, list or tuple. For short messages: it makes garbage."""
    if obj is None:
        return b"\xf6"
    if isinstance(obj, bool):
        return b"\xf5" if obj else b"\xf4"
    if isinstance(obj, int):
        return head(0x20, -1 - obj) if obj < 0 else head(0, obj)
    if isinstance(obj, str):
        text = obj.encode()
        return head(0x60, len(text)) + text
    if isinstance(obj, bytes):
        return head(0x40, len(obj)) + obj
    if isinstance(obj, (list, tuple)):
        return head(0x80, len(obj)) + b"".join([dumps(item) for item in obj])
    raise ValueError("cbor: type")


def loads(b):
    """The one item that `b` holds; ValueError if it is cut short, has bytes after it, or is of another kind."""
    try:
        obj, at = get(b, 0, _MAX_DEPTH)
    except IndexError:
        raise ValueError("cbor: cut short")
    if at != len(b):
        raise ValueError("cbor: bytes after the item")
    return obj


def get(b, at, depth):
    first = b[at]
    major = first & 0xE0
    n = first & 0x1F
    at += 1
    if 24 <= n < 28 and major != 0xE0:
        size = 1 << (n - 24)
        n = 0
        for i in range(at, at + size):
            n = n << 8 | b[i]
        at += size
    elif n >= 28 or (major > 0x80 and not 0xF4 <= first <= 0xF6):
        raise ValueError("cbor: form")
    if major == 0:
        return n, at
    if major == 0x20:
        return -1 - n, at
    if major == 0xE0:
        return (False, True, None)[n - 20], at
    if n > len(b) - at:
        raise IndexError
    if major == 0x80:
        if depth == 0:
            raise ValueError("cbor: depth")
        items = []
        for _ in range(n):
            item, at = get(b, at, depth - 1)
            items.append(item)
        return items, at
    if major > 0x80:
        raise ValueError("cbor: form")
    s = bytes(b[at : at + n])
    if major == 0x40:
        return s, at + n
    try:
        return s.decode(), at + n
    except UnicodeError:
        raise ValueError("cbor: text")
