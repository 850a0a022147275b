"""A small CBOR writer and reader (RFC 8949, deterministic encoding, no floats, no tags).

Lengths and nesting of what is read are bounded by the input and by MAX_DEPTH: a stranger's bytes end in a
ValueError, never in a long allocation.
"""

from micropython import const

_MAX_DEPTH = const(8)
_UINT = const(0x00)
_NEGATIVE = const(0x20)
_BYTES = const(0x40)
_TEXT = const(0x60)
_ARRAY = const(0x80)
_MAP = const(0xA0)


def put_head(buf, at, major, n):
    """Write one head (major type and argument `n` >= 0) into `buf` at `at`; return the position after it."""
    if n < 24:
        buf[at] = major | n
        return at + 1
    size = 1 if n < 0x100 else 2 if n < 0x10000 else 4 if n < 0x100000000 else 8
    buf[at] = major | (23 + (1 if size == 1 else 2 if size == 2 else 3 if size == 4 else 4))
    for i in range(at + size, at, -1):
        buf[i] = n & 0xFF
        n >>= 8
    return at + 1 + size


class Writer:
    """Writes items one after the other into a bytearray that the caller made large enough."""

    def __init__(self, buf):
        self.buf = buf
        self.pos = 0

    def array(self, n):
        self.pos = put_head(self.buf, self.pos, _ARRAY, n)

    def map(self, n):
        self.pos = put_head(self.buf, self.pos, _MAP, n)

    def int(self, n):
        if n < 0:
            self.pos = put_head(self.buf, self.pos, _NEGATIVE, -1 - n)
        else:
            self.pos = put_head(self.buf, self.pos, _UINT, n)

    def bytes(self, b):
        self._string(_BYTES, b)

    def text(self, s):
        self._string(_TEXT, s.encode())

    def null(self):
        self.buf[self.pos] = 0xF6
        self.pos += 1

    def bool(self, b):
        self.buf[self.pos] = 0xF5 if b else 0xF4
        self.pos += 1

    def _string(self, major, b):
        n = len(b)
        at = put_head(self.buf, self.pos, major, n)
        self.buf[at : at + n] = b
        self.pos = at + n


def _room(obj):
    """An upper bound of the bytes that `obj` takes once written."""
    if isinstance(obj, str):
        return 9 + 4 * len(obj)
    if isinstance(obj, (bytes, bytearray, memoryview)):
        return 9 + len(obj)
    if isinstance(obj, (list, tuple)):
        return 9 + sum(_room(item) for item in obj)
    if isinstance(obj, dict):
        return 9 + sum(_room(k) + _room(v) for k, v in obj.items())
    return 9


def _put(w, obj):
    if obj is None:
        w.null()
    elif isinstance(obj, bool):
        w.bool(obj)
    elif isinstance(obj, int):
        w.int(obj)
    elif isinstance(obj, str):
        w.text(obj)
    elif isinstance(obj, (bytes, bytearray, memoryview)):
        w.bytes(obj)
    elif isinstance(obj, (list, tuple)):
        w.array(len(obj))
        for item in obj:
            _put(w, item)
    elif isinstance(obj, dict):
        w.map(len(obj))
        for key in obj:
            _put(w, key)
            _put(w, obj[key])
    else:
        raise ValueError("cbor: cannot write this type")


def dumps(obj):
    """The CBOR of None, bool, int, str, bytes, list, tuple or dict."""
    buf = bytearray(_room(obj))
    w = Writer(buf)
    _put(w, obj)
    return bytes(memoryview(buf)[: w.pos])


def _head(b, at):
    if at >= len(b):
        raise ValueError("cbor: cut short")
    major = b[at] & 0xE0
    info = b[at] & 0x1F
    at += 1
    if info < 24:
        return major, info, at
    if info > 27:
        raise ValueError("cbor: length of unknown form")
    size = 1 << (info - 24)
    if at + size > len(b):
        raise ValueError("cbor: cut short")
    n = 0
    for i in range(at, at + size):
        n = (n << 8) | b[i]
    return major, n, at + size


def _get(b, at, depth):
    if depth > _MAX_DEPTH:
        raise ValueError("cbor: nested too deep")
    major, n, at = _head(b, at)
    if major == _UINT:
        return n, at
    if major == _NEGATIVE:
        return -1 - n, at
    if major == _BYTES or major == _TEXT:
        if n > len(b) - at:
            raise ValueError("cbor: cut short")
        s = bytes(b[at : at + n])
        if major == _BYTES:
            return s, at + n
        try:
            return s.decode(), at + n
        except UnicodeError:
            raise ValueError("cbor: text is not UTF-8")
    if major == _ARRAY:
        if n > len(b) - at:
            raise ValueError("cbor: cut short")
        items = []
        for _ in range(n):
            item, at = _get(b, at, depth + 1)
            items.append(item)
        return items, at
    if major == _MAP:
        if 2 * n > len(b) - at:
            raise ValueError("cbor: cut short")
        pairs = {}
        for _ in range(n):
            key, at = _get(b, at, depth + 1)
            if isinstance(key, (list, dict)):
                raise ValueError("cbor: key is not a scalar")
            pairs[key], at = _get(b, at, depth + 1)
        return pairs, at
    if major == 0xE0 and 20 <= n <= 22 and b[at - 1] < 0xF8:
        return (False, True, None)[n - 20], at
    raise ValueError("cbor: floats, tags and other simple values are not read here")


def loads(b):
    """The one item that `b` holds; ValueError if it is cut short, has bytes after it, or is of another kind."""
    obj, at = _get(b, 0, 0)
    if at != len(b):
        raise ValueError("cbor: bytes after the item")
    return obj
