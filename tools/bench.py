"""The benchmarks: each figure beside what it is compared with, measured in one run.

    tools/bench [--json] [prefix …]     all without a prefix; `tools/bench wire gateway.ingest`

This machine and the next differ, and both are noisy: read the ratios.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass

__all__ = ["Figure", "main"]


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure. `ratio` is value / beside_value; `target` is what was promised, for people."""

    name: str
    value: float
    unit: str
    beside: str
    beside_value: float
    target: str = ""

    @property
    def ratio(self) -> float:
        """How the figure stands to what it is measured beside."""
        return self.value / self.beside_value if self.beside_value else 0.0


def _wire() -> Iterator[Figure]:
    from tools import bench_wire

    yield from bench_wire.figures()


def _firmware() -> Iterator[Figure]:
    from tools import bench_firmware

    yield from bench_firmware.figures()


def _decoding() -> Iterator[Figure]:
    from tools import bench_gateway

    yield from bench_gateway.decoding()


def _ingest() -> Iterator[Figure]:
    from tools import bench_gateway

    yield from bench_gateway.ingest()


def _disk() -> Iterator[Figure]:
    from tools import bench_store

    yield from bench_store.figures()


def _recovery() -> Iterator[Figure]:
    from tools import bench_recovery

    yield from bench_recovery.recovery()


def _backlog() -> Iterator[Figure]:
    from tools import bench_recovery

    yield from bench_recovery.backlog()


def _outage() -> Iterator[Figure]:
    from tools import bench_outage

    yield from bench_outage.figures()


def _fridge_wear() -> Iterator[Figure]:
    from tools import bench_wear

    yield from bench_wear.figures("fridge")


def _kettle_wear() -> Iterator[Figure]:
    from tools import bench_wear

    yield from bench_wear.figures("kettle")


def _consent() -> Iterator[Figure]:
    from tools import bench_consent

    yield from bench_consent.figures()


def _qemu() -> Iterator[Figure]:
    from tools import bench_qemu

    yield from bench_qemu.figures()


def _fuzz() -> Iterator[Figure]:
    from tools import bench_fuzz

    yield from bench_fuzz.figures()


def _flash() -> Iterator[Figure]:
    from tools import bench_flash

    yield from bench_flash.figures()


# What the names of a group begin with. It is loaded and run only if one of them may be wanted: some take minutes.
GROUPS: dict[str, Callable[[], Iterator[Figure]]] = {
    "wire": _wire,
    "firmware": _firmware,
    "gateway.decode": _decoding,
    "gateway.ingest": _ingest,
    "gateway.disk": _disk,
    "gateway.recovery": _recovery,
    "gateway.backlog": _backlog,
    "gateway.rss": _outage,
    "wear.fridge": _fridge_wear,
    "wear.kettle": _kettle_wear,
    "consent": _consent,
    "fuzz": _fuzz,
    "qemu": _qemu,
    "flash": _flash,
}


def _rounded(number: float) -> float:
    return float(f"{number:.4g}")


def line(figure: Figure) -> str:
    """A figure for people."""
    target = f"   (target: {figure.target})" if figure.target else ""
    return (
        f"{figure.name:<42} {_number(figure.value):>12} {figure.unit:<9} beside {figure.beside}: "
        f"{_number(figure.beside_value)} {figure.unit}, ratio {figure.ratio:.3g}{target}"
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(
        prog="tools/bench", description=__doc__.split("\n\n", maxsplit=1)[0] if __doc__ else ""
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("prefix", nargs="*", help=f"only figures whose names begin so; groups: {', '.join(GROUPS)}")
    options = parser.parse_args(arguments)
    wanted = tuple(options.prefix)
    shown = 0
    for group, figures in GROUPS.items():
        if wanted and not any(p.startswith(group) or group.startswith(p) for p in wanted):
            continue
        if not options.json:
            print(f"{group} …", file=sys.stderr)
        for figure in figures():
            if wanted and not figure.name.startswith(wanted):
                continue
            shown += 1
            if options.json:
                record = asdict(figure) | {"ratio": figure.ratio}
                print(
                    json.dumps({k: _rounded(v) if isinstance(v, float) else v for k, v in record.items()}), flush=True
                )
            else:
                print(line(figure), flush=True)
    if not shown:
        print(f"no benchmark begins with {' or '.join(wanted)}; groups: {', '.join(GROUPS)}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
