"""What the home page and the API show of the devices, made from store rows. Runs in the store's thread."""

from dataclasses import dataclass

from gateway.store import devices
from gateway.store.database import Database
from gateway.store.devices import Device
from gateway.store.reader import FrameReader, StoredFrame
from gateway.web import words
from gateway.wire.birth import Birth, Channel, ValueKind

# The newest frames hold the newest values; where many small event frames came last, a second look goes further back.
_FIRST_LOOK = 12
_SECOND_LOOK = 200
_HAPPENINGS_SHOWN = 3
_BOARD_CATEGORY = "diagnostics"


@dataclass(frozen=True, slots=True)
class Latest:
    """A channel's newest value. `raw` is the scaled integer, None where the sensor gave nothing."""

    channel: Channel
    raw: int | None
    time_ms: int
    time_label: str

    @property
    def text(self) -> str:
        """The value with its unit."""
        return words.value(self.channel, self.raw)


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that happened at a device."""

    text: str
    time_ms: int


@dataclass(frozen=True, slots=True)
class DeviceView:
    """A device as the household knows it. `kind` is None until its birth has come."""

    id: int
    device: str
    name: str
    kind: str | None
    model: str | None
    online: bool
    seen_ms: int | None
    latest: tuple[Latest, ...]
    happenings: tuple[Happening, ...]
    channels: tuple[Channel, ...]
    quiet: bool = False

    @property
    def shown(self) -> tuple[Latest, ...]:
        """What stands on the first level: everything but how the board itself is."""
        return tuple(v for v in self.latest if v.channel.category != _BOARD_CATEGORY)


@dataclass(frozen=True, slots=True)
class HomeView:
    """All that the home page shows, but for the chart."""

    devices: tuple[DeviceView, ...]
    counters: dict[str, int]


class DeviceBook:
    """Reads the devices; what has not changed since the last look is not decoded again."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._reader = FrameReader(db)
        self._known: dict[int, tuple[tuple[object, ...], DeviceView]] = {}

    def home(self) -> HomeView:
        """Every device that is enrolled and not revoked, by name."""
        found = [d for d in devices.registry(self._db).values() if not d.revoked]
        views = sorted((self._view(d) for d in found), key=lambda v: (v.name.casefold(), v.device))
        self._known = {v.id: self._known[v.id] for v in views}
        return HomeView(tuple(views), self._db.counters())

    def _view(self, device: Device) -> DeviceView:
        (born_ms,) = self._db.connection.execute(
            "SELECT max(birth_ms) FROM boot WHERE device_id = ?", (device.id,)
        ).fetchone()
        stamp = (device.name, device.online, device.quiet, device.seen_ms, born_ms)
        known = self._known.get(device.id)
        if known is None or known[0] != stamp:
            known = self._known[device.id] = (stamp, self._read(device))
        return known[1]

    def _read(self, device: Device) -> DeviceView:
        birth = devices.newest_birth(self._db, device.id)
        if birth is None:
            return DeviceView(
                device.id, device.device, device.name, None, None, device.online, device.seen_ms, (), (), ()
            )
        frames = [f for f in self._reader.of_device(device.id, _FIRST_LOOK) if f.birth.fits(f.frame)]
        if len(frames) == _FIRST_LOOK and not any(f.frame.columns for f in frames):
            frames = [f for f in self._reader.of_device(device.id, _SECOND_LOOK) if f.birth.fits(f.frame)]
        return DeviceView(
            device.id,
            device.device,
            device.name,
            birth.kind,
            birth.model,
            device.online,
            device.seen_ms,
            latest_values(frames),
            happenings(frames),
            birth.channels,
            device.quiet,
        )


def latest_values(frames: list[StoredFrame]) -> tuple[Latest, ...]:
    """The last row of the newest frame with columns (`frames`: oldest first)."""
    newest = next((f for f in reversed(frames) if f.frame.columns), None)
    if newest is None:
        return ()
    start_ms, label = newest.start()
    time_ms = start_ms + (newest.frame.rows - 1) * newest.frame.step_ms
    columns = zip(newest.birth.series, newest.frame.columns, strict=True)
    return tuple(Latest(channel, column[-1], time_ms, label) for (_, channel), column in columns)


def happenings(frames: list[StoredFrame]) -> tuple[Happening, ...]:
    """The newest events that a person would call one, newest first."""
    found = [
        Happening(words.happening(frame.birth.channels[event.channel], event.value, frame.birth), at_ms)
        for frame in frames
        for event, at_ms in ((e, frame.start()[0] + e.offset_ms) for e in frame.frame.events)
        if _tells(frame.birth, event.channel)
    ]
    return tuple(sorted(found, key=lambda h: -h.time_ms)[:_HAPPENINGS_SHOWN])


def _tells(birth: Birth, index: int) -> bool:
    channel = birth.channels[index]
    return channel.kind is ValueKind.EVENT and (channel.category != _BOARD_CATEGORY or channel.name == "fault")
