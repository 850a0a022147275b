"""What a board is told in its board.json: its broker, its Wi-Fi, its key. Pure but for this machine's own address."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from gateway.broker.access import mqtt_password
from gateway.flash import boardfile
from gateway.flash.boardfile import Board
from gateway.flash.contents import CA
from gateway.flash.remote import FlashError

__all__ = ["Broker", "Wifi", "choose_broker", "choose_wifi", "table"]

_ADDRESS: Final = re.compile(r"(?P<host>[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::(?P<port>\d{1,5}))?")


@dataclass(frozen=True, slots=True)
class Broker:
    """Where a board finds the broker; tls: over TLS, verified against the CA that is put on it."""

    host: str
    port: int
    tls: bool


@dataclass(frozen=True, slots=True)
class Wifi:
    """A network and its password."""

    ssid: str
    password: str

    def __repr__(self) -> str:
        return f"Wifi({self.ssid!r})"  # the password stays out of logs


def choose_broker(
    given: str | None, stored: Mapping[str, Any], *, host: str, port: int, tls: bool, emulated: bool
) -> Broker:
    """The broker for a board: `given` ("HOST" or "HOST:PORT"), or the one in its board.json (`stored`), or the
    gateway's own (host, port). A gateway that finds it on its own machine cannot tell a board so: the board gets this
    machine's address then, unless it is emulated here.

    Raises FlashError.
    """
    if given is not None:
        match = _ADDRESS.fullmatch(given)
        if match is None or not 0 < int(match["port"] or port) < 65_536:
            raise FlashError(f"--broker {given!r:.80}: give HOST or HOST:PORT, for example 192.168.1.5:8883.")
        return Broker(match["host"].strip("[]"), int(match["port"] or port), tls)
    before = stored.get("mqtt")
    if isinstance(before, dict) and isinstance(before.get("host"), str):
        return Broker(before["host"], port, tls)
    if not port:
        raise FlashError("the settings name no port of the broker: give --broker HOST:PORT.")
    return Broker(host if emulated or not _is_here(host) else _own_address(), port, tls)


def choose_wifi(given: Wifi | None, stored: Mapping[str, Any], *, emulated: bool) -> Wifi | None:
    """The network for a board: `given`, or the one in its board.json. Raises FlashError if a real board has neither."""
    if given is not None:
        return given
    before = stored.get("wifi")
    if isinstance(before, dict) and isinstance(before.get("ssid"), str):
        return Wifi(before["ssid"], str(before.get("password") or ""))
    if emulated:
        return None
    raise FlashError("the board knows no Wi-Fi yet: name it with --wifi SSID; its password is then asked for.")


def table(board: Board, *, device: str, key: bytes, name: str, broker: Broker, wifi: Wifi | None) -> dict[str, Any]:
    """board.json. It holds secrets. Raises BoardFileError."""
    tls = {"ca": CA.lstrip("/"), "server_hostname": broker.host} if broker.tls else None
    mqtt = {"host": broker.host, "port": broker.port, "user": device, "password": mqtt_password(key), "tls": tls}
    network = None if wifi is None else {"ssid": wifi.ssid, "password": wifi.password}
    return boardfile.to_board_json(board, device=None, key_hex=key.hex(), name=name, mqtt=mqtt, wifi=network, sim=None)


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _own_address() -> str:
    """This machine's address in its own network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # nothing is sent: it only asks for the way (RFC 5737 names no real host)
            return str(probe.getsockname()[0])
        except OSError:
            raise FlashError("this machine has no address in a network: give --broker HOST.") from None
