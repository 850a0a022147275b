"""SenML (RFC 8428) as JSON: one pack, in which each run of readings of a channel begins with its base name, time and
unit. A reading is named urn:hearthgate:device:DEVICE/CHANNEL; the ends of a thinned row have that name with /min and
/max behind it.

Two fields are ours, which the RFC (section 4.4) lets a reader ignore: `time_label`, where a time was not measured by
the board's own clock (a time that nobody knows is reckoned from the arrival, as SenML has no other word for it), and
`unit`, where a unit is not in the registry of section 12.1, so that `u` cannot say it.
"""

import json
from collections.abc import Collection, Iterable, Iterator

from gateway.access.readings import Block, Run
from gateway.access.slices import AccessError
from gateway.access.spelling import Numbers, Scales, seconds
from gateway.store.clock import LABELS, MEASURED

UNITS = frozenset(
    (
        "m", "kg", "g", "s", "A", "K", "cd", "mol", "Hz", "rad", "sr", "N", "Pa", "J", "W", "C", "V", "F", "Ohm", "S",
        "Wb", "T", "H", "Cel", "lm", "lx", "Bq", "Gy", "Sv", "kat", "m2", "m3", "l", "m/s", "m/s2", "m3/s", "l/s",
        "W/m2", "cd/m2", "bit", "bit/s", "lat", "lon", "pH", "dB", "dBW", "Bspl", "count", "/", "%", "%RH", "%EL", "EL",
        "1/s", "1/min", "beat/min", "beats", "S/m", "B", "VA", "VAs", "var", "vars", "J/m", "kg/m3", "deg", "NTU",
    )
)  # fmt: skip
"""The primary units of the registry (RFC 8428 section 12.1, RFC 8798 section 2). The secondary ones would need another
version of SenML (RFC 9100)."""


def encode(blocks: Iterable[Block], units: Collection[str]) -> Iterator[bytes]:
    """The pack. `units`: all that may come. A base unit holds until the next, and nothing takes it back: so if some of
    them are not in the registry, each record says its own. Raises AccessError for a unit that was not announced."""
    base = UNITS.issuperset(units)
    scales = Scales()
    lead = "[\n"
    for block in blocks:
        records = ",\n".join(_records(block, scales, base=base))
        yield (lead + records).encode()
        lead = ",\n"
    # An empty array is no pack of the RFC, which wants a record; but there is none.
    yield b"[]\n" if lead == "[\n" else b"\n]\n"


def _records(block: Block, scales: Scales, *, base: bool) -> Iterator[str]:
    for run in block.runs:
        unit = run.channel.unit
        if base and unit not in UNITS:
            raise AccessError(f"a device came that measures in {unit!r} while this was written: export again")
        begin_ms = block.times_ms[run.rows[0]]
        name = f'"bn":"urn:hearthgate:device:{block.device}/{run.channel.name}"'
        head = f'{name},"bt":{seconds(begin_ms)}' + (f',"bu":{json.dumps(unit)}' if base else "")
        tail = "" if block.label == LABELS[MEASURED] else f',"time_label":"{block.label}"'
        if not base:
            tail += f',"{"u" if unit in UNITS else "unit"}":{json.dumps(unit, ensure_ascii=False)}'
        for fields in _fields(block, run, begin_ms, scales.of(run.channel)):
            yield f"{{{head}{',' if head else ''}{fields}{tail}}}"
            head = ""


def _fields(block: Block, run: Run, begin_ms: int, text: Numbers) -> Iterator[str]:
    """Name, time and value, as far as they are not those of the base."""
    times = block.times_ms
    if run.lows:
        for row, raw, low, high in zip(run.rows, run.raw, run.lows, run.highs, strict=True):
            at = f'"t":{seconds(times[row] - begin_ms)},' if times[row] != begin_ms else ""
            yield f'{at}"v":{text[raw]}'
            yield f'"n":"/min",{at}"v":{text[low]}'
            yield f'"n":"/max",{at}"v":{text[high]}'
        return
    for row, raw in zip(run.rows, run.raw, strict=True):
        after_ms = times[row] - begin_ms
        yield f'"t":{seconds(after_ms)},"v":{text[raw]}' if after_ms else f'"v":{text[raw]}'
