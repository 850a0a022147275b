"""JSON: an object a reading, as lines of their own or as one array. Both stream, and hold the same objects."""

import json
from collections.abc import Iterable, Iterator
from functools import lru_cache

from gateway.access.readings import UNKNOWN, Block
from gateway.access.spelling import Scales, timestamps


def encode_lines(blocks: Iterable[Block]) -> Iterator[bytes]:
    """JSON Lines: an object a line."""
    scales = Scales()
    for block in blocks:
        yield "".join(f"{item}\n" for item in _objects(block, scales)).encode()


def encode_array(blocks: Iterable[Block]) -> Iterator[bytes]:
    """One array, an object a line within it."""
    scales = Scales()
    lead = "[\n"
    for block in blocks:
        yield (lead + ",\n".join(_objects(block, scales))).encode()
        lead = ",\n"
    yield b"[]\n" if lead == "[\n" else b"\n]\n"


def _objects(block: Block, scales: Scales) -> Iterator[str]:
    """`time` is null where nobody knows it; `min`, `max` and `each` are there only for a thinned row."""
    if block.label == UNKNOWN:
        times = ["null"] * len(block.times_ms)
    else:
        times = [f'"{text}"' for text in timestamps(block.times_ms)]
    (received,) = timestamps((block.received_ms,))
    origin = (
        f',"time_label":"{block.label}","received":"{received}","device":"{block.device}",'
        f'"name":{_quoted(block.name)},"kind":"{block.kind}"'
    )
    place = f'"boot":{block.boot},"seq":{block.seq},"row":'
    for run in block.runs:
        channel = run.channel
        head = (
            f'{origin},"channel":"{channel.name}","unit":{_quoted(channel.unit)},'
            f'"category":"{channel.category}","value":'
        )
        text = scales.of(channel)
        if run.lows:
            for row, raw, low, high in zip(run.rows, run.raw, run.lows, run.highs, strict=True):
                yield (
                    f'{{"time":{times[row]}{head}{text[raw]},"min":{text[low]},"max":{text[high]},'
                    f'"each":{block.each},{place}{row}}}'
                )
        else:
            for row, raw in zip(run.rows, run.raw, strict=True):
                yield f'{{"time":{times[row]}{head}{text[raw]},{place}{row}}}'


@lru_cache(1024)
def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
