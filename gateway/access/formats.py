"""The formats of an export: how each is called, known by its suffix, and written."""

from collections.abc import Collection, Iterable, Iterator
from enum import Enum

from gateway.access import csv_rows, json_objects, parquet, senml
from gateway.access.readings import Block
from gateway.access.slices import AccessError


class Format(Enum):
    """What an export can be written as."""

    CSV = "csv"
    JSON = "json"
    JSONL = "jsonl"
    SENML = "senml"
    PARQUET = "parquet"


# The first that fits counts: .senml.json is no plain JSON.
_SUFFIXES = {
    ".senml.json": Format.SENML,
    ".senml": Format.SENML,
    ".csv": Format.CSV,
    ".jsonl": Format.JSONL,
    ".ndjson": Format.JSONL,
    ".json": Format.JSON,
    ".parquet": Format.PARQUET,
}


def by_suffix(name: str) -> Format:
    """The format that a file's name tells. Raises AccessError."""
    for suffix, found in _SUFFIXES.items():
        if name.lower().endswith(suffix):
            return found
    names = ", ".join(f.value for f in Format)
    raise AccessError(f"{name} does not tell its format: add --format with one of {names}, or a suffix like .csv.")


def encode(chosen: Format, blocks: Iterable[Block], units: Collection[str]) -> Iterator[bytes]:
    """The bytes of an export, in pieces as the blocks come. `units`: all that may come in them. Raises AccessError."""
    match chosen:
        case Format.CSV:
            return csv_rows.encode(blocks)
        case Format.JSON:
            return json_objects.encode_array(blocks)
        case Format.JSONL:
            return json_objects.encode_lines(blocks)
        case Format.SENML:
            return senml.encode(blocks, units)
        case Format.PARQUET:
            return parquet.encode(blocks)
