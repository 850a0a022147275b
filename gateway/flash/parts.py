"""The parts that a board.toml lists: what each driver of firmware/drivers takes, and how its part is wired."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, field_validator

__all__ = ["Part", "Parts", "Role", "rows"]

_Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
_Pin = Annotated[int, Field(ge=0, le=99)]
_Level = Annotated[int, Field(ge=0, le=1)]
_Offset = Annotated[int, Field(ge=-160, le=160)]
"""What calibration adds to a temperature, in sixteenths of a degree."""


class Role(NamedTuple):
    """What a pin does for its part. `terminal` is how the part calls it; `pull` asks for a pull-up in the chip; a `bus`
    may be shared with another part of the same driver."""

    terminal: str
    direction: Literal["in", "out", "both", "adc"]
    pull: bool = False
    bus: bool = False


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Part(_Strict):
    """One of [[parts]]. `name` is what channels and the appliance call its driver; `title` is for the drawing."""

    MODULE: ClassVar[str]
    ROLES: ClassVar[dict[str, Role]]
    SUPPLY: ClassVar[tuple[tuple[str, str], ...]] = ()
    """(terminal, what it is wired to: 3V3, 5V or GND)."""
    HINT: ClassVar[str] = ""
    """What else belongs to the wiring."""

    driver: str
    name: _Name
    title: str = Field(min_length=1, max_length=40)

    def pin_of(self) -> dict[str, int]:
        """Role -> GPIO."""
        pins: BaseModel = getattr(self, "pins")  # noqa: B009  # every kind has its own
        return pins.model_dump()

    def terminal(self, role: str) -> str:
        """How the part calls the pin of that role."""
        return self.ROLES[role].terminal

    @property
    def supply(self) -> tuple[tuple[str, str], ...]:
        """Its other terminals, as SUPPLY has them."""
        return self.SUPPLY

    @property
    def hint(self) -> str:
        """What else belongs to the wiring; or nothing."""
        return self.HINT

    def driver_names(self) -> tuple[str, ...]:
        """Under which names channels find it."""
        return (self.name,)

    def modules(self) -> tuple[str, ...]:
        """The modules of firmware/drivers that the board needs for it."""
        return (self.MODULE,)

    def row(self) -> list[Any]:
        """Its item of `parts` in board.json: module, name, settings."""
        settings = self.model_dump(exclude={"driver", "name", "title", "pins"}, exclude_none=True)
        return [self.MODULE, self.name, self.pin_of() | settings]


class _Data(_Strict):
    data: _Pin


class _I2c(_Strict):
    scl: _Pin
    sda: _Pin


class _Clocked(_Strict):
    data: _Pin
    clock: _Pin


class _Contact(_Strict):
    contact: _Pin


class _Control(_Strict):
    control: _Pin


class _Adc(_Strict):
    adc: _Pin


class _Colours(_Strict):
    red: _Pin
    green: _Pin
    blue: _Pin


class _Sensor(Part):
    def modules(self) -> tuple[str, ...]:
        return (*super().modules(), "sensor")


class _Hygrometer(_Sensor):
    """`humidity` is the name of a second driver, of relative humidity in tenths of a percent."""

    humidity: _Name | None = None
    offset_16ths: _Offset = 0

    def driver_names(self) -> tuple[str, ...]:
        return (self.name,) if self.humidity is None else (self.name, self.humidity)

    def modules(self) -> tuple[str, ...]:
        return super().modules() if self.humidity is None else (*super().modules(), "humidity")


class Ds18b20(_Sensor):
    """A thermometer alone on its pin."""

    MODULE = "ds18b20"
    ROLES = {"data": Role("DQ", "both", pull=True)}
    SUPPLY = (("VDD", "3V3"), ("GND", "GND"))
    HINT = "4.7 kΩ from DQ to 3V3"

    driver: Literal["ds18b20"]
    pins: _Data
    offset_16ths: _Offset = 0


class Dht22(_Hygrometer):
    """A thermometer and hygrometer with a wire of its own."""

    MODULE = "dht22"
    ROLES = {"data": Role("DATA", "both", pull=True)}
    SUPPLY = (("VCC", "3V3"), ("GND", "GND"))
    HINT = "10 kΩ from DATA to 3V3, if it has none"

    driver: Literal["dht22"]
    pins: _Data


class Sht3x(_Hygrometer):
    """A thermometer and hygrometer on I2C."""

    MODULE = "sht3x"
    ROLES = {"scl": Role("SCL", "both", pull=True, bus=True), "sda": Role("SDA", "both", pull=True, bus=True)}
    SUPPLY = (("VIN", "3V3"), ("GND", "GND"))
    HINT = "10 kΩ each from SCL, SDA to 3V3, if it has none"

    driver: Literal["sht3x"]
    pins: _I2c
    address: int = Field(default=0x44, ge=0x44, le=0x45)


class Hx711(_Sensor):
    """A load cell. zero: counts of the empty scale; 0: not measured yet, and then it reads nothing. per_kg: counts that
    a kilogram adds; below 0 if it takes them."""

    MODULE = "hx711"
    ROLES = {"data": Role("DT", "in"), "clock": Role("SCK", "out")}
    SUPPLY = (("VCC", "3V3"), ("GND", "GND"))
    HINT = "cell: red E+, black E-, white A-, green A+"

    driver: Literal["hx711"]
    pins: _Clocked
    zero: int = Field(gt=-0x800000, lt=0x800000)
    per_kg: int = Field(ge=-1_000_000, le=1_000_000)
    gain: Literal[128, 64, 32] = 128
    least_g: int | None = Field(default=None, ge=-100_000, le=0)

    @field_validator("per_kg")
    @classmethod
    def _counts_something(cls, per_kg: int) -> int:
        if not per_kg:
            raise ValueError("a kilogram must change the count: measure how much, with a known mass")
        return per_kg


class Reed(Part):
    """A contact to ground. closed: what the channel reads while it is closed."""

    MODULE = "contact"
    ROLES = {"contact": Role("1", "in", pull=True)}
    SUPPLY = (("2", "GND"),)

    driver: Literal["reed"]
    pins: _Contact
    closed: _Level


class Button(Part):
    """A button to ground; 1 while it is pressed."""

    MODULE = "contact"
    ROLES = {"contact": Role("1", "in", pull=True)}
    SUPPLY = (("2", "GND"),)

    driver: Literal["button"]
    pins: _Contact

    def row(self) -> list[Any]:
        module, name, settings = super().row()
        return [module, name, settings | {"closed": 1}]


class Relay(Part):
    """A relay or SSR module. on: the level that switches it on.

    Until the firmware runs, the pin floats, and a resistor decides: it must pull towards off."""

    MODULE = "relay"
    ROLES = {"control": Role("IN+", "out")}
    SUPPLY = (("IN-", "GND"),)
    HINT = "10 kΩ from IN+ to GND: off while the chip resets"

    driver: Literal["relay"]
    pins: _Control
    on: _Level

    def terminal(self, role: str) -> str:
        return super().terminal(role) if self.on else "IN-"

    @property
    def supply(self) -> tuple[tuple[str, str], ...]:
        return self.SUPPLY if self.on else (("IN+", "3V3"),)

    @property
    def hint(self) -> str:
        return self.HINT if self.on else "10 kΩ from IN- to 3V3: off while the chip resets"


class Thermistor(_Sensor):
    """An NTC thermistor to ground, and a resistor from 3.3 V to it."""

    MODULE = "thermistor"
    ROLES = {"adc": Role("1", "adc")}
    SUPPLY = (("2", "GND"),)
    HINT = "series_ohm from 1 to 3V3, 100 nF from 1 to GND"

    driver: Literal["thermistor"]
    pins: _Adc
    series_ohm: int = Field(ge=100, le=1_000_000)
    ohm_25: int = Field(ge=100, le=1_000_000)
    beta: int = Field(ge=1_000, le=10_000)
    offset_16ths: _Offset = 0


class RgbLed(Part):
    """An LED of three colours. on: the level at which they light (1: common cathode)."""

    MODULE = "rgb"
    ROLES = {"red": Role("R", "out"), "green": Role("G", "out"), "blue": Role("B", "out")}
    SUPPLY = (("-", "GND"),)
    HINT = "330 Ω in each of R, G, B"

    driver: Literal["rgb_led"]
    pins: _Colours
    on: _Level
    colour: int | None = Field(default=None, ge=0, le=0xFFFFFF)


class Neopixel(Part):
    """One addressable LED, as the development kits carry it."""

    MODULE = "rgb"
    ROLES = {"data": Role("DIN", "out")}
    SUPPLY = (("VDD", "3V3"), ("GND", "GND"))

    driver: Literal["neopixel"]
    pins: _Data
    colour: int | None = Field(default=None, ge=0, le=0xFFFFFF)


_AnyPart = Ds18b20 | Dht22 | Sht3x | Hx711 | Reed | Button | Relay | Thermistor | RgbLed | Neopixel
Parts = Annotated[tuple[Annotated[_AnyPart, Field(discriminator="driver")], ...], Field(strict=False, max_length=24)]
"""[[parts]] as a model's field takes them."""


def rows(parts: Iterable[Part]) -> list[list[Any]]:
    """`parts` of board.json. Relays come first: a board that starts switches off what could do harm before all else."""
    return [part.row() for part in sorted(parts, key=lambda part: part.MODULE != Relay.MODULE)]
