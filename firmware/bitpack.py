"""The inner loops of packing, as native code where the port has an emitter (packing.py runs them plain elsewhere).

Every array element is non-negative and below 2**31, and no intermediate leaves 32 bits: the same on a 32-bit
board, on a 64-bit PC (where a viper ptr32 load does not carry the sign) and in plain bytecode.
"""

import micropython


@micropython.viper
def put(buf: ptr8, at: int, value: int, width: int) -> int:
    """Write the low `width` bits of `value` at bit `at` of a zeroed buffer, highest first; return the next bit."""
    while width > 0:
        room = 8 - (at & 7)
        take = room if width > room else width
        width -= take
        buf[at >> 3] |= ((value >> width) & ((1 << take) - 1)) << (room - take)
        at += take
    return at


@micropython.viper
def wipe(buf: ptr8, n: int):
    """Zero the first n bytes."""
    for i in range(n):
        buf[i] = 0


@micropython.viper
def any_missing(cells: ptr32, channels: int, capacity: int, rows: int, missing: int) -> int:
    """1 if any of the first `rows` cells of any column is missing, else 0."""
    for c in range(channels):
        first = c * capacity
        for i in range(rows):
            if cells[first + i] == missing:
                return 1
    return 0


@micropython.viper
def compact(column: ptr32, first: int, rows: int, missing: int, out: ptr32) -> int:
    """Copy the values that are present to `out`; return how many there are."""
    n = 0
    for i in range(rows):
        v = column[first + i]
        if v != missing:
            out[n] = v
            n += 1
    return n


def presence(cells, first, rows, x, buf, at):
    """Write a bit a row: 1 = present, not `x`; return the next bit. Rarely needed: as bytecode a third of the size."""
    for i in range(rows):
        if cells[first + i] != x:
            buf[at >> 3] |= 0x80 >> (at & 7)
        at += 1
    return at


@micropython.viper
def deltas(values: ptr32, n: int, out: ptr32) -> int:
    """The n - 1 zigzag differences of neighbours; return the largest."""
    largest = 0
    before = values[0]
    for i in range(1, n):
        v = values[i]
        d = v - before
        before = v
        u = (0 - d) * 2 - 1 if d < 0 else d * 2
        out[i - 1] = u
        if u > largest:
            largest = u
    return largest


@micropython.viper
def second_deltas(first: ptr32, n: int, out: ptr32):
    """The n - 1 zigzag differences of neighbours in a list of zigzag numbers below 2**29."""
    u = first[0]
    before = 0 - ((u + 1) >> 1) if u & 1 else u >> 1
    for i in range(1, n):
        u = first[i]
        v = 0 - ((u + 1) >> 1) if u & 1 else u >> 1
        d = v - before
        before = v
        out[i - 1] = (0 - d) * 2 - 1 if d < 0 else d * 2


@micropython.viper
def rice_bits(numbers: ptr32, n: int, k: int) -> int:
    """How many bits rice_put writes for the same arguments."""
    bits = n * (k + 1)
    for i in range(n):
        q = numbers[i] >> k
        if q >= 20:
            bits += 51 - k
        else:
            bits += q
    return bits


def rice_k(data, n, size, most):
    """The cheaper of the two parameters k near the mean bit length (`size` in all), at most `most`, or 31 where that is
    cheaper still and `most` allows it; with its cost: k | cost << 5."""
    k = (size + (n >> 1)) // n
    if k > most:
        k = most
    cost = rice_bits(data, n, k)
    if k:
        less = rice_bits(data, n, k - 1)
        if less <= cost:
            k -= 1
            cost = less
    if most == 31 and cost > n << 5:
        # Large and small mixed: plain numbers of 31 bits bound what any column can take, whatever is in it.
        k = 31
        cost = n << 5
    return k | cost << 5


@micropython.viper
def choose(res_: object, n: int, runs_: object, sizes_: object, out_: object):
    """Find the cheapest of constant (0), sparse (1) and dense (2) for n zigzag numbers, as a choice in `out`:
    [mode, bits, k, k of the sizes (15 = all sizes are 1), how many are not zero, their signs alternate].

    Sparse splits the numbers into runs of zeros (left in `runs`) and the sizes less 1 (left in `sizes`) that end them.
    """
    res = ptr32(res_)
    runs = ptr32(runs_)
    sizes = ptr32(sizes_)
    out = ptr32(out_)
    many = 0
    alternate = 1
    largest = 0
    all_bits = 0
    run_bits = 0
    size_bits = 0
    last = 2
    run = 0
    for i in range(n):
        u = res[i]
        if u == 0:
            run += 1
        else:
            sign = u & 1
            if sign == last:
                alternate = 0
            last = sign
            size = ((u + 1) >> 1) - 1
            runs[many] = run
            sizes[many] = size
            many += 1
            if size > largest:
                largest = size
            while run:
                run_bits += 1
                run >>= 1
            while size:
                size_bits += 1
                size >>= 1
            while u:
                all_bits += 1
                u >>= 1
    out[0] = 0
    out[1] = 0
    out[4] = many
    out[5] = alternate
    if many:
        bits = 9 if alternate else 8 + many
        width = n
        while width:
            bits += 1
            width >>= 1
        found = int(rice_k(runs_, many, run_bits, 7))
        out[2] = found & 31
        bits += found >> 5
        out[3] = 15
        if largest:
            found = int(rice_k(sizes_, many, size_bits, 14))
            out[3] = found & 31
            bits += found >> 5
        found = int(rice_k(res_, n, all_bits, 31))
        dense = 5 + (found >> 5)
        if dense < bits:
            out[0] = 2
            out[1] = dense
            out[2] = found & 31
        else:
            out[0] = 1
            out[1] = bits


@micropython.viper
def rice_put(numbers: ptr32, n: int, k: int, buf: ptr8, at: int) -> int:
    """Write n Rice codes: first every quotient in unary (zeros, then a one; 20 zeros = escape), then every
    remainder in k bits (an escaped number whole, in 31 bits); return the next bit."""
    for i in range(n):
        q = numbers[i] >> k
        at += 20 if q >= 20 else q
        buf[at >> 3] |= 0x80 >> (at & 7)
        at += 1
    for i in range(n):
        v = numbers[i]
        width = 31 if v >> k >= 20 else k
        while width > 0:
            room = 8 - (at & 7)
            take = room if width > room else width
            width -= take
            buf[at >> 3] |= ((v >> width) & ((1 << take) - 1)) << (room - take)
            at += take
    return at


@micropython.viper
def signs_put(res: ptr32, n: int, most: int, buf: ptr8, at: int) -> int:
    """Write the sign (1 = negative) of the first `most` numbers that are not zero; return the next bit."""
    i = 0
    while most > 0 and i < n:
        u = res[i]
        if u:
            if u & 1:
                buf[at >> 3] |= 0x80 >> (at & 7)
            at += 1
            most -= 1
        i += 1
    return at
