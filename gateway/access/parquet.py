"""Parquet, written by pyarrow (the extra `parquet`): typed columns, in row groups of a bounded size."""

from collections.abc import Iterable, Iterator
from typing import Any

from gateway.access.readings import UNKNOWN, Block, Run
from gateway.access.slices import AccessError

_GROUP_ROWS = 65_536  # some 50 MB while one is made


class _Drain:
    """A file that only remembers what was written to it since it was last emptied."""

    closed = False

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: Any) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing waits here."""

    def close(self) -> None:
        """It is emptied by `take`."""

    def take(self) -> bytes:
        """What was written, and forget it."""
        taken = b"".join(self._parts)
        self._parts.clear()
        return taken


def encode(blocks: Iterable[Block]) -> Iterator[bytes]:
    """The file, a row group at a time. Raises AccessError if pyarrow is not installed, before it takes a block."""
    try:
        import pyarrow as pa  # noqa: PLC0415 - 170 MB that only this format needs
        import pyarrow.parquet as pq  # noqa: PLC0415
    except ImportError as why:
        raise AccessError(
            "Parquet needs pyarrow, which is not installed: pip install 'hearthgate[parquet]'. CSV, JSON and SenML "
            "need nothing."
        ) from why
    return _encode(blocks, pa, pq)


def _encode(blocks: Iterable[Block], pa: Any, pq: Any) -> Iterator[bytes]:
    schema = _schema(pa)
    drain = _Drain()
    with pq.ParquetWriter(drain, schema, compression="snappy") as writer:
        group = _Group(pa, schema)
        for block in blocks:
            for run in block.runs:
                group.add(block, run)
            if group.rows >= _GROUP_ROWS:
                writer.write_table(group.table(), row_group_size=2 * _GROUP_ROWS)
                group = _Group(pa, schema)
                yield drain.take()
        if group.rows:
            writer.write_table(group.table(), row_group_size=2 * _GROUP_ROWS)
    yield drain.take()


def _schema(pa: Any) -> Any:
    time, text = pa.timestamp("ms", tz="UTC"), pa.string()
    return pa.schema(
        [
            pa.field("time", time), pa.field("time_label", text, nullable=False),
            pa.field("received", time, nullable=False), pa.field("device", text, nullable=False),
            pa.field("name", text, nullable=False), pa.field("kind", text, nullable=False),
            pa.field("channel", text, nullable=False), pa.field("unit", text, nullable=False),
            pa.field("category", text, nullable=False), pa.field("value", pa.float64(), nullable=False),
            pa.field("min", pa.float64()), pa.field("max", pa.float64()), pa.field("each", pa.uint16(), nullable=False),
            pa.field("boot", pa.uint32(), nullable=False), pa.field("seq", pa.uint32(), nullable=False),
            pa.field("row", pa.uint16(), nullable=False),
        ]
    )  # fmt: skip


class _Group:
    """The columns of one row group while they fill."""

    def __init__(self, pa: Any, schema: Any) -> None:
        self._pa = pa
        self._schema = schema
        self._columns: dict[str, list[Any]] = {name: [] for name in schema.names}
        self.rows = 0

    def add(self, block: Block, run: Run) -> None:
        """The readings of one channel in one frame."""
        columns, channel = self._columns, run.channel
        n = len(run.rows)
        num, den = channel.num, channel.den
        times = block.times_ms
        columns["time"] += [None] * n if block.label == UNKNOWN else [times[row] for row in run.rows]
        columns["value"] += [raw * num / den for raw in run.raw]
        columns["min"] += [raw * num / den for raw in run.lows] or [None] * n
        columns["max"] += [raw * num / den for raw in run.highs] or [None] * n
        columns["row"] += run.rows
        same = {
            "time_label": block.label, "received": block.received_ms, "device": block.device, "name": block.name,
            "kind": block.kind, "channel": channel.name, "unit": channel.unit, "category": channel.category,
            "each": block.each, "boot": block.boot, "seq": block.seq,
        }  # fmt: skip
        for name, value in same.items():
            columns[name] += [value] * n
        self.rows += n

    def table(self) -> Any:
        """What was added, as pyarrow has it."""
        arrays = [self._pa.array(self._columns[field.name], type=field.type) for field in self._schema]
        return self._pa.Table.from_arrays(arrays, schema=self._schema)
