"""The settings: one TOML file, checked whole at start; every error names the file, the line and what to write.

A relative path in the file begins at the file's own folder, wherever the command is typed; one in an environment
variable begins where it is typed.
"""

import os
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings import SettingsError as UnreadableVariable

from gateway.app.settings_errors import NESTED, PREFIX, deeper, explain, unknown
from gateway.app.settings_paths import beside
from gateway.consent.vocabulary import Vocabulary, VocabularyError
from gateway.errors import HearthgateError

DEFAULT_PATH = Path("hearthgate.toml")

Word = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,31}$")]
Port = Annotated[int, Field(ge=0, le=65_535)]


class SettingsError(HearthgateError):
    """The settings cannot be used; the text names the line to change."""


def machine_timezone() -> str:
    """The name of the zone that this machine is set to; UTC where it does not tell."""
    for name in (os.environ.get("TZ", ""), str(Path("/etc/localtime").resolve()).partition("/zoneinfo/")[2]):
        try:
            if name:
                return ZoneInfo(name).key
        except (ZoneInfoNotFoundError, ValueError, OSError):
            continue
    return "UTC"


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Store(_Section):
    """Where what came in is kept."""

    path: Path = Path("hearthgate.sqlite")
    commit_window_ms: int = Field(
        1000, ge=1, le=30_000, description="how long messages gather for one commit if somebody may wait for them"
    )
    quiet_commit_window_s: int = Field(
        120, ge=1, le=600, description="the same for series while nobody looks: a long one spares the SD card"
    )
    max_mb: int = Field(4096, ge=16, le=10_000_000, description="how large the database may grow; then old frames go")


class Broker(_Section):
    """The MQTT broker that the boards speak to."""

    host: str = "localhost"
    port: Port = 1883
    user: str | None = None
    password_file: Path | None = None
    ca: Path | None = Field(None, description="CA of the broker's certificate; setting it turns TLS on")
    client_id: str | None = Field(
        None, min_length=1, max_length=64, description="this gateway's name at the broker; by default one of its own"
    )
    folder: Path | None = Field(
        None, description="where `hearthgate broker setup` put Mosquitto's files: who is added or revoked is told to it"
    )
    builtin: bool = Field(
        default=False, description="run a broker inside the gateway (for a first try, not for a house)"
    )


class Update(_Section):
    """Firmware that goes to the boards over the air."""

    ask: bool = Field(default=False, description="begin only after a yes: in the console, or `hearthgate update yes`")


class Console(_Section):
    """The page in the browser."""

    enabled: bool = True
    host: str = "127.0.0.1"
    port: Port = 8080


class Log(_Section):
    """What is logged, and how."""

    style: Literal["text", "json"] = "text"
    level: Literal["debug", "info", "warning", "error"] = "info"


class SinkSettings(_Section):
    """One place that granted data goes to. A sink without a grant gets nothing."""

    name: Word
    kind: Literal["https", "file", "stream"]
    recipient: Word
    purposes: tuple[str, ...] = Field((), description="what it takes data for; by default every purpose that there is")
    url: str | None = None
    erasure_url: str | None = Field(
        None, description='where requests to erase go; by default the url with "erasures" as its last part'
    )
    token_file: Path | None = None
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    host: str = "127.0.0.1"
    port: Port = Field(8090, description="of a stream: where its recipient connects to")
    path: Path | None = None
    max_mb: int = Field(64, ge=1, le=10_000)
    keep: int = Field(10, ge=1, le=1000)

    @model_validator(mode="after")
    def _complete(self) -> "SinkSettings":
        if self.kind == "https":
            if not self.url:
                raise ValueError('a sink of kind "https" needs a url')
            # Readings of a household do not go over an open network in plain text; loopback is for tests and the demo.
            for name, url in (("url", self.url), ("erasure_url", self.erasure_url or self.url)):
                parts = urlsplit(url)
                here = parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost", "::1")
                if not parts.hostname or not (here or parts.scheme == "https"):
                    raise ValueError(f"{name} must begin with https:// (http:// only to this machine)")
        elif self.kind == "stream":
            if not self.token_file:
                raise ValueError('a sink of kind "stream" needs a token_file: whoever shows the token is its recipient')
            if self.host not in ("127.0.0.1", "localhost", "::1") and not self.certificate:
                raise ValueError("a stream beyond this machine needs a certificate and its key")
        elif not self.path:
            raise ValueError('a sink of kind "file" needs a path')
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key go together")
        return self


class Serial(_Section):
    """A board on a cable, or an emulator's serial line."""

    url: str = Field(description='"serial:/dev/ttyUSB0", with ?baud=115200 if it is another; or "socket://host:port"')

    @field_validator("url")
    @classmethod
    def _line(cls, url: str) -> str:
        if not re.fullmatch(r"serial:/[^?#]+(\?baud=[1-9]\d{3,6})?|socket://[\w.\-\[\]:]+:\d{1,5}", url):
            raise ValueError("write serial:/dev/ttyUSB0?baud=115200 or socket://host:port")
        return url


class Settings(BaseSettings):
    """Everything that a person can set. Environment variables such as HEARTHGATE_BROKER__HOST win over the file."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_prefix_target="all",  # of a setting with an alias too: VOCABULARY may be some other program's
        env_nested_delimiter=NESTED,
        extra="forbid",
        frozen=True,
    )

    timezone: str = Field(default_factory=machine_timezone)
    store: Store = Store()
    broker: Broker = Broker()
    update: Update = Update()
    console: Console = Console()
    log: Log = Log()
    own_words: dict[str, Any] = Field(
        {},
        alias="vocabulary",
        description="recipients, purposes, categories and granularities beside the standard ones",
    )
    sinks: tuple[SinkSettings, ...] = ()
    serial: tuple[Serial, ...] = Field((), description="boards on a cable, beside those that speak to the broker")
    _folder: Path = PrivateAttr(Path())

    @property
    def folder(self) -> Path:
        """Where the file is, and beside it the household's own boards/; without a file, the working folder."""
        return self._folder

    @field_validator("timezone")
    @classmethod
    def _zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError, RecursionError):  # the last: a name of many slashes
            raise ValueError(f"{name!r:.80} is not a time zone; for example Europe/Berlin") from None
        return name

    @field_validator("own_words")
    @classmethod
    def _words(cls, tables: dict[str, Any]) -> dict[str, Any]:
        try:
            Vocabulary.standard().extended(tables)
        except VocabularyError as why:
            named = str(why).partition(" ")[0].rstrip(":").split(".")
            raise deeper(named[1:3] if named[0] == "vocabulary" else [], str(why)) from why
        return tables

    @field_validator("sinks")
    @classmethod
    def _known_purposes(cls, sinks: tuple[SinkSettings, ...], info: ValidationInfo) -> tuple[SinkSettings, ...]:
        if "own_words" not in info.data:  # what is wrong with those is told already
            return sinks
        purposes = tuple(Vocabulary.standard().extended(info.data["own_words"]).purposes)
        for number, sink in enumerate(sinks):
            if unknown := [purpose for purpose in sink.purposes if purpose not in purposes]:
                raise deeper(
                    [number, "purposes"],
                    f"{unknown[0]!r} is not a purpose; the purposes are {', '.join(purposes)}; "
                    "[vocabulary.purposes] can add one",
                )
        return tuple(sink.model_copy(update={"purposes": sink.purposes or purposes}) for sink in sinks)

    @model_validator(mode="after")
    def _distinct(self) -> "Settings":
        names = [sink.name for sink in self.sinks]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two sinks are named {name!r}; their cursors would mix")
        return self

    def vocabulary(self, *more: str) -> Vocabulary:
        """The words that a grant may use: the standard ones, those of the settings, and `more` recipients beside those
        of the sinks."""
        known = Vocabulary.standard().extended(self.own_words)
        own = {*(sink.recipient for sink in self.sinks), *more} - set(known.recipients)
        return known.extended({"recipients": dict.fromkeys(sorted(own), "a recipient that the settings name")})

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment before the file (whose content arrives as init arguments)."""
        return env_settings, init_settings


def load(path: Path | None = None) -> Settings:
    """The settings of a file; without one, `hearthgate.toml` here if there is one, else the defaults.

    Raises SettingsError.
    """
    text, folder = "", Path()
    if path is not None or DEFAULT_PATH.exists():
        path = path or DEFAULT_PATH
        folder = path.parent
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as why:
            raise SettingsError(f"{path}: {why.strerror}. Name a settings file that can be read.") from why
        except UnicodeDecodeError as why:
            raise SettingsError(f"{path}: not UTF-8 text (byte {why.start}). Save it as UTF-8.") from why
    try:
        content = tomllib.loads(text)
    except (ValueError, RecursionError) as why:  # also a number of thousands of digits, and brackets without end
        raise SettingsError(f"{path}: not TOML: {why}. Correct that line.") from why
    place = str(path or "settings")
    for name in content:
        if name.startswith("_"):  # pydantic-settings would take it for an argument of its own
            raise SettingsError(explain(unknown(name), text, place, ()))
    try:
        settings = Settings(**beside(folder, Settings, content))
    except UnreadableVariable as why:
        raise SettingsError(f"environment: {why}. A variable for a whole section or list holds JSON.") from why
    except ValidationError as why:
        told = (explain(error, text, place, os.environ) for error in why.errors())
        raise SettingsError("\n".join(told)) from why
    settings._folder = folder  # noqa: SLF001 - no setting: neither file nor environment can name it
    return settings
