"""The frames of tests/wire/vectors.json that are there for how their columns are packed: by a board, or by hand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tools.handpack import ALL_ONES, CONSTANT, DENSE, SPARSE, Coding
from tools.vector_frames import HIGH, LOW, FrameVector, Values

__all__ = ["codings"]


def codings() -> Iterator[FrameVector]:
    """Every coding that a reader must take: those that boards choose, and the others."""
    yield from _of_boards()
    yield from _dense_by_hand()
    yield from _sparse_by_hand()


def _of_boards() -> Iterator[FrameVector]:
    yield FrameVector("constant", "nothing changes: one number and three bits", [[1234] * 60])
    yield FrameVector("sparse_once", "one change by 1: size-k 15", [[5] * 30 + [6] * 30])
    yield FrameVector("sparse_alternate", "up and down in turns: one sign", [[0] * 9 + [1] * 9 + [0] * 9 + [1] * 9])
    yield FrameVector("sparse_alternate_down", "down first", [[1] * 9 + [0] * 9 + [1] * 9])
    yield FrameVector("sparse_free", "up twice: a sign for each", [[0] * 9 + [1] * 9 + [2] * 9 + [1] * 9])
    yield FrameVector("sparse_sizes", "changes of several sizes", [[0] * 12 + [40] * 12 + [33] * 12 + [97] * 12])
    yield FrameVector("sparse_last", "the change is in the last row", [[8] * 59 + [9]])
    yield FrameVector("sparse_first", "the change is in the second row", [[8] + [9] * 59])
    yield FrameVector("dense", "noise in most rows", [[(i * i * 5 + i) % 17 for i in range(60)]])
    ramp = [100 + 25 * i for i in range(60)]
    yield FrameVector("order_1_constant", "a straight ramp: its second differences are 0", [ramp])
    bent = [v + (i > 20) * 3 * (i - 20) for i, v in enumerate(ramp)]
    yield FrameVector("order_1_sparse", "a ramp with a bend", [bent])
    yield FrameVector("order_1_dense", "a ramp with noise", [[v + i * i % 3 for i, v in enumerate(ramp)]])
    yield FrameVector("order_1_falling", "a steep fall", [[9000 - 311 * i - i % 2 for i in range(60)]])
    spike = [0] * 40
    spike[7], spike[20] = 2**22, -(2**21)
    yield FrameVector("escape_of_board", "two spikes in noise: escapes", [[v + i % 3 for i, v in enumerate(spike)]])
    wire = [(LOW, HIGH, HIGH - 1, LOW, LOW + 1, HIGH, LOW, LOW + 2)[i % 8] for i in range(60)]
    yield FrameVector("loose_wire", "between its ends and small steps: no k but 31 fits both", [wire])
    for width in range(1, 31):
        u = [2**width - 1 - (i % 2 if width > 1 else 0) for i in range(6)]
        yield FrameVector(f"width_{width}", f"differences whose zigzag form takes {width} bits", [_walk(u)])


def _walk(zigzags: Sequence[int]) -> list[int]:
    """Values whose differences have these zigzag forms, put where they stay in range."""
    values = [0]
    for z in zigzags:
        values.append(values[-1] + ((z >> 1) ^ -(z & 1)))
    shift = (LOW + HIGH - max(values) - min(values)) // 2 if max(map(abs, values)) > HIGH else 0
    return [v + shift for v in values]


def _dense_by_hand() -> Iterator[FrameVector]:
    why = "dense with k = {}: quotients 0, 1, 19 and, where a value can be that large, the escape"
    for k in range(32):
        z = [n for n in (0, 2**k - 1, 2**k, 19 << k, (20 << k) + 1, 2**30 + 5, 2**31 - 2) if n < 2**31 - 1]
        values = _swing(z)
        yield FrameVector(f"dense_k_{k}", why.format(k), [values], codings=[Coding(DENSE, 0, k)])
    bend = [0, 3, 9, 10, 70, 75, 80, 2_000_000, 2_000_001]
    for k in (0, 5, 20, 30):
        yield FrameVector(
            f"order_1_dense_k_{k}", f"second differences with k = {k}", [bend], codings=[Coding(DENSE, 1, k)]
        )
    flat: list[Values] = [[4] * 9, list(range(9))]
    yield FrameVector(
        "dense_zeros", "a reader takes any valid choice: dense where nothing changes", flat,
        codings=[Coding(DENSE, 0, 3), Coding(DENSE, 1, 0)],
    )  # fmt: skip
    yield FrameVector(
        "presence_of_nothing", "presence written, nothing missing", [[4] * 9], codings=[Coding(CONSTANT)], presence=True
    )
    yield FrameVector("order_1_flat", "order 1 where nothing changes", [[4] * 9], codings=[Coding(CONSTANT, 1)])


def _swing(zigzags: Sequence[int]) -> list[int]:
    """Values whose differences have nearly these zigzag forms, with the signs that keep them in range."""
    values = [LOW // 2]
    for z in zigzags:
        d = (z + 1) // 2
        if d > HIGH:
            values += [LOW, LOW + d]
        else:
            values.append(values[-1] + (d if values[-1] + d <= HIGH else -d))
    return values


def _sparse_by_hand() -> Iterator[FrameVector]:
    steps = [0] * 3 + [5] * 30 + [-200] * 3 + [-199] * 2 + [7] * 2
    for k in (0, 1, 4, 7):
        coding = Coding(SPARSE, 0, k, 3)
        yield FrameVector(f"sparse_run_k_{k}", f"runs with run-k = {k}; 0 escapes", [steps], codings=[coding])
    far = [0] * 30 + [2**26] * 30 + [-(2**26)] * 30 + [-(2**26) + 1] * 5
    for k in (0, 1, 9, 14):
        coding = Coding(SPARSE, 0, 2, k)
        yield FrameVector(f"sparse_size_k_{k}", f"sizes with size-k = {k}; large ones escape", [far], codings=[coding])
    turns = [0, 0, 3, 3, 3, 1, 1, 9]
    for alternate, k in ((True, 2), (False, 2)):
        name = "sparse_turns_alternate" if alternate else "sparse_turns_free"
        coding = Coding(SPARSE, 0, 1, k, alternate=alternate)
        yield FrameVector(name, "signs in turns: in one bit, or one by one", [turns], codings=[coding])
    down = [9, 9, 8, 8, 9, 9, 9, 8]
    coding = Coding(SPARSE, 0, 1, ALL_ONES, alternate=True)
    yield FrameVector("sparse_all_ones_down", "size-k 15 with one sign, negative first", [down], codings=[coding])
    coding = Coding(SPARSE, 0, 1, 0)
    yield FrameVector("sparse_ones_spelled_out", "sizes that are all 1, written all the same", [down], codings=[coding])
    every = [0, 1, 2, 3, 2, 1, 0, -1]
    coding = Coding(SPARSE, 0, 0, ALL_ONES)
    yield FrameVector("sparse_every_row", "as many changes as rows", [every], codings=[coding])
    bends = [0, 2, 4, 6, 8, 9, 10, 11, 12, 20]
    coding = Coding(SPARSE, 1, 2, 2)
    yield FrameVector("order_1_sparse_free", "second differences, sparse, free signs", [bends], codings=[coding])
    coding = Coding(SPARSE, 1, 2, 2, alternate=True)
    yield FrameVector("order_1_sparse_alternate", "second differences, sparse, in turns", [bends], codings=[coding])
