"""Reads boards/<name>/board.toml and makes from it the board.json that a board reads at start.

Both are checked in full before anything reaches a board: what is wrong is an error that names file and key.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from gateway.flash import boards, driver_files
from gateway.flash.links import Mqtt, Serial, Wifi
from gateway.flash.overlay import BoardFileError, read
from gateway.flash.parts import Hx711, Parts, rows
from gateway.flash.units import UNITS

__all__ = ["KINDS", "Board", "BoardFileError", "Channel", "list_boards", "load", "to_board_json"]

KINDS: Final = {"gauge": 0, "state": 1, "counter": 2, "event": 3}
"""Kinds of channel and their numbers in the birth."""

_NAME: Final = r"^[a-z][a-z0-9_]{0,31}$"
_MAX_CHANNELS: Final = 32  # these bounds are those of firmware/config.py
_MAX_TITLE: Final = 64


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


_Model = TypeVar("_Model", bound=BaseModel)
_Title = Annotated[str, Field(min_length=1, max_length=_MAX_TITLE)]
_Factor = Annotated[int, Field(ge=1, le=1_000_000)]
_Seconds = Annotated[int, Field(ge=1, le=86_400)]


class Channel(_Strict):
    """What one channel measures: its value is raw * num / den in `unit`, one of UNITS."""

    name: str = Field(pattern=_NAME)
    title: _Title
    unit: str = Field(min_length=1, max_length=8)
    num: _Factor
    den: _Factor
    kind: Literal["gauge", "state", "counter", "event"]
    category: str = Field(pattern=r"^[a-z][a-z0-9-]{0,31}$")  # a word of consent: a household has words of its own
    driver: str | None = Field(default=None, pattern=_NAME)

    @field_validator("unit")
    @classmethod
    def _known_unit(cls, unit: str) -> str:
        if unit not in UNITS:
            raise ValueError(
                f"{unit!r} is no unit of SenML (RFC 8428, RFC 8798): degrees Celsius are Cel, a ratio or a yes and no "
                "is /, a number of things is count; factors such as those of mg or kWh go into num and den"
            )
        return unit

    @model_validator(mode="after")
    def _series_needs_driver(self) -> Channel:
        if self.kind != "event" and self.driver is None:
            raise ValueError(f"a {self.kind} is sampled, so it needs a driver")
        return self


class Identity(_Strict):
    """[board]: what the board is, to programs and to people."""

    name: str = Field(pattern=r"^[a-z][a-z0-9-]{0,31}$")
    kind: Literal["fridge", "kettle"]
    model: str = Field(pattern=r"^[a-z][a-z0-9-]{0,31}$")
    chip: Literal["unix", "esp32", "esp32c3", "esp32s3"]
    devkit: str | None = Field(default=None, description="the development kit that the parts are wired to")
    title: _Title
    display_name: _Title


_File = Annotated[str, Field(pattern=r"^[\w./-]{1,120}$")]


class Drivers(_Strict):
    """[drivers]: the module with open_drivers(), and every file that goes on the board with the firmware."""

    module: str = Field(pattern=_NAME)
    files: Annotated[tuple[_File, ...], Field(strict=False, min_length=1)]


class Report(_Strict):
    """[report]: how often to measure, and how long a reading may wait, in each state."""

    step_ms: int = Field(ge=100, le=3_600_000)
    heating_step_ms: int | None = Field(default=None, ge=100, le=60_000)
    report_s: _Seconds
    quiet_s: _Seconds
    live_s: int = Field(ge=1, le=60)


class Journal(_Strict):
    """[journal]: what a board keeps until the gateway has it, where that is not the firmware's usual: at most so many
    bytes in memory and on flash (0: none), and whether every frame goes to flash at once."""

    journal_bytes: int | None = Field(default=None, ge=2_048, le=1 << 22)
    flash_bytes: int | None = Field(default=None, ge=0, le=1 << 26)
    durable: bool | None = None


class Sim(_Strict):
    """[sim]: the seed of an emulated household, and how fast its time runs."""

    seed: int = Field(ge=0, lt=2**30)
    speed: int = Field(ge=1, le=1000)
    epoch_ms: int | None = Field(default=None, ge=0)
    world: int | None = Field(default=None, gt=0, lt=65_536, description="port of a world that runs beside the board")


class Board(_Strict):
    """One board.toml. `path` is where it was read; `beside`: the folder that its files are beside, which is its own or
    that of its base; `firmware`: the firmware's folder."""

    path: Path
    beside: Path
    firmware: Path
    board: Identity
    drivers: Drivers
    report: Report
    channels: Annotated[tuple[Channel, ...], Field(strict=False, min_length=1, max_length=_MAX_CHANNELS)]
    journal: Journal = Journal()
    parts: Parts = ()
    sim: Sim | None = None

    @property
    def name(self) -> str:
        """The folder's name, and what people type."""
        return self.board.name

    def driver_files(self) -> list[Path]:
        """The files to copy beside the firmware, all into one folder."""
        return [driver_files.find(file, self.beside, self.firmware) for file in self.drivers.files]

    def not_calibrated(self) -> list[str]:
        """A sentence for each scale that is as it was shipped."""
        rest = ", and the kettle does not heat" if self.board.kind == "kettle" else ""
        return [
            f"{part.name} is not calibrated yet (zero is 0): it reads nothing{rest}. boards/CALIBRATING.md says how."
            for part in self.parts
            if isinstance(part, Hx711) and not part.zero
        ]


def _checked(model: type[_Model], where: str, data: object, *prefix: str) -> _Model:
    try:
        return model.model_validate(data)
    except ValidationError as e:
        problems = [
            f"{where}: {'.'.join(str(key) for key in (*prefix, *error['loc'])) or 'file'}: {error['msg']}"
            for error in e.errors(include_url=False, include_input=False)
        ]
        raise BoardFileError("\n".join(problems)) from None


def load(path: Path, shipped: Path | None = None) -> Board:
    """The board that `path` (a board.toml, or its folder) describes. shipped: the folder of the boards that came with
    the gateway, one of which it may name as its base, and beside which the firmware is; by default its own folder's.

    Raises BoardFileError: unreadable, not TOML, an unknown or missing key, a value out of bounds, a driver
    file that is not there, or a name that is not its folder's.
    """
    path = path / "board.toml" if path.is_dir() else path
    data, beside = read(path, shipped)
    for key in ("path", "beside", "firmware"):
        if key in data:
            raise BoardFileError(f"{path}: {key}: Extra inputs are not permitted")
    firmware = (shipped or path.resolve().parent.parent).resolve().parent / "firmware"
    board = _checked(Board, str(path), {**data, "path": path, "beside": beside, "firmware": firmware})
    if wrong_file := driver_files.check(board.drivers.files, board.drivers.module, beside, firmware):
        raise BoardFileError(f"{path}: {wrong_file}")
    if all(channel.kind == "event" for channel in board.channels):
        raise BoardFileError(f"{path}: channels: at least one must be measured, not only events")
    names = [channel.name for channel in board.channels]
    for name in names:
        if names.count(name) > 1:
            raise BoardFileError(f"{path}: channels: two are named {name}")
    if board.name != path.resolve().parent.name:
        folder = path.resolve().parent.name
        raise BoardFileError(f"{path}: board.name: is {board.name}, but the folder is {folder}: one name for both")
    if (board.sim is not None) != (board.board.chip == "unix"):
        raise BoardFileError(f"{path}: sim: goes with chip unix, and only with it")
    wrong = boards.check(
        board.name,
        kind=board.board.kind,
        chip=board.board.chip,
        devkit=board.board.devkit,
        parts=board.parts,
        channels={channel.name: channel.driver for channel in board.channels},
        modules={file.stem for file in board.driver_files()},
    )
    if wrong:
        raise BoardFileError("\n".join(f"{path}: {sentence}" for sentence in wrong))
    return board


def list_boards(root: Path) -> list[Board]:
    """Every board in the folder `root`, by name; raises as load() does."""
    return [load(path) for path in sorted(root.glob("*/board.toml"))]


def _link(where: str, mqtt: Mapping[str, Any] | None, serial: Mapping[str, Any] | None) -> dict[str, Any]:
    if serial is None:
        return {"mqtt": _checked(Mqtt, where, dict(mqtt or {}), "mqtt").model_dump()}
    cable = _checked(Serial, where, dict(serial), "serial").model_dump(exclude_none=True)
    return {"link": "serial", "serial": cable}


def _row(channel: Channel) -> list[str | int | None]:
    c = channel
    return [c.name, c.unit, c.num, c.den, KINDS[c.kind], c.category, c.driver]


def to_board_json(
    board: Board,
    *,
    device: str | None,
    key_hex: str,
    name: str | None,
    mqtt: Mapping[str, Any] | None,
    wifi: Mapping[str, Any] | None,
    sim: Mapping[str, Any] | None,
    journal: Mapping[str, Any] | None = None,
    serial: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """What goes into board.json.

    device: 12 lower-case hex digits, or None for the chip's own id. name: None for the board's usual one.
    mqtt: host at least; the rest has defaults. serial: the cable instead of it. sim, journal: what differs from the
    [sim] and [journal] of the board.
    Raises BoardFileError.
    """
    where = f"board.json of {board.name}"
    if device is not None and not re.fullmatch(r"[0-9a-f]{12}", device):
        raise BoardFileError(f"{where}: device: not 12 lower-case hex digits")
    if not re.fullmatch(r"[0-9a-f]{64}", key_hex):
        raise BoardFileError(f"{where}: key: not 64 lower-case hex digits")
    name = board.board.display_name if name is None else name
    if not 1 <= len(name) <= _MAX_TITLE:
        raise BoardFileError(f"{where}: name: must have 1 to {_MAX_TITLE} characters")
    if sim is not None and board.sim is None:
        raise BoardFileError(f"{where}: sim: this board is not emulated")
    simulated = board.sim.model_dump(exclude_none=True) | dict(sim or {}) if board.sim else None
    report = board.report
    out: dict[str, Any] = {} if device is None else {"device": device}
    out |= {
        "name": name,
        "kind": board.board.kind,
        "model": board.board.model,
        "key": key_hex,
        **_link(where, mqtt, serial),
        "wifi": _checked(Wifi, where, dict(wifi), "wifi").model_dump() if wifi is not None else None,
        "step_ms": report.step_ms,
        "report_s": report.report_s,
        "quiet_s": report.quiet_s,
        "live_s": report.live_s,
        "drivers": board.drivers.module,
        "channels": [_row(channel) for channel in board.channels],
        "sim": _checked(Sim, where, simulated, "sim").model_dump(exclude_none=True) if simulated else None,
    }
    if report.heating_step_ms is not None:
        out["heating_step_ms"] = report.heating_step_ms
    if board.parts:
        out["parts"] = rows(board.parts)
    bounds = _checked(Journal, where, board.journal.model_dump() | dict(journal or {}), "journal")
    return out | bounds.model_dump(exclude_none=True)
