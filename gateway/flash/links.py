"""What a board.json says of how the board reaches its gateway: a broker or a cable, and its Wi-Fi."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

__all__ = ["Mqtt", "Serial", "Wifi"]

_MAX_SSID_BYTES: Final = 32  # IEEE 802.11, 9.4.2.2


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Tls(_Strict):
    ca: str
    server_hostname: str


class Mqtt(_Strict):
    """A broker."""

    host: str = Field(min_length=1)
    port: int = Field(default=1883, gt=0, lt=65_536)
    user: str | None = None
    password: str | None = None
    keepalive_s: int = Field(default=60, ge=5, le=240)  # below the limits of firmware/start.py
    tls: Tls | None = None


class Serial(_Strict):
    """A cable in place of a broker: the prompt's own line, or a UART."""

    usb: Literal[True] | None = None
    uart: int | None = Field(default=None, ge=0, le=63)
    tx: int | None = Field(default=None, ge=0, le=63)
    rx: int | None = Field(default=None, ge=0, le=63)
    baud: int | None = Field(default=None, ge=1_200, le=4_000_000)


class Wifi(_Strict):
    """A network."""

    ssid: str = Field(min_length=1)
    password: str = Field(max_length=64)

    @field_validator("ssid")
    @classmethod
    def _fits(cls, ssid: str) -> str:
        size = len(ssid.encode("utf-8", "replace"))
        if size > _MAX_SSID_BYTES:
            raise ValueError(f"has {size} bytes in UTF-8, and the name of a network at most {_MAX_SSID_BYTES}")
        return ssid
