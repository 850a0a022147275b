"""CSV (RFC 4180, UTF-8): a line a reading, safe to open in a spreadsheet."""

from collections.abc import Iterable, Iterator
from functools import lru_cache

from gateway.access.readings import UNKNOWN, Block
from gateway.access.spelling import Scales, timestamps

COLUMNS = (
    "time", "time_label", "received", "device", "name", "kind", "channel", "unit", "category", "value", "min", "max",
    "each", "boot", "seq", "row",
)  # fmt: skip

# A cell that begins so is a formula to a spreadsheet; the wide forms are to some in East Asia. The apostrophe is among
# them, so that taking one away from the front always gives back what was there.
_FORMULA = tuple("=+-@\t\r\n＝＋－＠'")


def encode(blocks: Iterable[Block]) -> Iterator[bytes]:
    """The header and a line for each reading and event."""
    yield (",".join(COLUMNS) + "\r\n").encode()
    scales = Scales()
    for block in blocks:
        yield "".join(_lines(block, scales)).encode()


@lru_cache(1024)
def cell(text: str) -> str:
    """A text that no spreadsheet takes for a formula: an apostrophe goes before what looks like one. Quoted if need
    be."""
    if text.lstrip(" ").startswith(_FORMULA):
        text = "'" + text
    if any(c in text for c in ',"\r\n'):
        return '"' + text.replace('"', '""') + '"'
    return text


def _lines(block: Block, scales: Scales) -> Iterator[str]:
    times = [""] * len(block.times_ms) if block.label == UNKNOWN else timestamps(block.times_ms)
    (received,) = timestamps((block.received_ms,))
    origin = f",{block.label},{received},{block.device},{cell(block.name)},{block.kind}"
    place = f"{block.each},{block.boot},{block.seq}"
    for run in block.runs:
        channel = run.channel
        head = f"{origin},{channel.name},{cell(channel.unit)},{channel.category},"
        text = scales.of(channel)
        if run.lows:
            for row, raw, low, high in zip(run.rows, run.raw, run.lows, run.highs, strict=True):
                yield f"{times[row]}{head}{text[raw]},{text[low]},{text[high]},{place},{row}\r\n"
        else:
            for row, raw in zip(run.rows, run.raw, strict=True):
                yield f"{times[row]}{head}{text[raw]},,,{place},{row}\r\n"
