"""What a board is told in its board.json: its broker and its Wi-Fi, or its cable; and its key.

Pure but for this machine's own address.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from gateway.broker.access import mqtt_password
from gateway.flash import boardfile, chips, pins
from gateway.flash.boardfile import Board
from gateway.flash.contents import CA
from gateway.flash.remote import FlashError

__all__ = ["Broker", "Cable", "Wifi", "choose_broker", "choose_cable", "choose_wifi", "table"]

_UART: Final = re.compile(r"(\d{1,2}):(\d{1,2}):(\d{1,2})(?::(\d{4,7}))?")
_BAUDS: Final = range(1_200, 4_000_001)  # of firmware/config.py
_NO_CABLE: Final = "none"
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


@dataclass(frozen=True, slots=True)
class Cable:
    """A cable to the gateway: the line of the board's prompt, which is USB (uart is None), or a UART of its own."""

    uart: int | None = None
    tx: int = 0
    rx: int = 0
    baud: int = 115_200

    @property
    def table(self) -> dict[str, Any]:
        """`serial` of board.json."""
        if self.uart is None:
            return {"usb": True}
        return {"uart": self.uart, "tx": self.tx, "rx": self.rx, "baud": self.baud}

    def __str__(self) -> str:
        return "USB" if self.uart is None else f"UART{self.uart} (TX {self.tx}, RX {self.rx}, {self.baud} baud)"


def choose_cable(board: Board, given: str | None, stored: Mapping[str, Any], *, network: bool) -> Cable | None:
    """The cable of a board, or None for one that speaks to a broker: as `given` ("usb", "UART:TX:RX[:BAUD]" or "none"),
    else as before (`stored`: its board.json). network: a Wi-Fi or a broker was named, which ends a cable.

    Raises FlashError, also if that board has no such UART, or its parts leave no such pins.
    """
    if given is None:
        cable = None if network else _cable_before(stored)
    else:
        cable = None if given == _NO_CABLE else _parse_cable(given)
        if cable is not None and network:
            raise FlashError("a board on a cable takes no Wi-Fi and no broker: leave out --wifi, --broker or --cable.")
    if cable is not None and cable.uart is not None:
        _check_pins(board, cable)
    return cable


def _check_pins(board: Board, cable: Cable) -> None:
    if board.board.chip == "unix":
        raise FlashError(f"--cable: {board.name} is emulated and has no UART: use --cable usb.")
    # A board without parts knows its pins itself.
    kit = chips.find_devkit(board.board.devkit) if board.board.devkit else None
    if kit is not None and (wrong := pins.check_cable(kit, board.parts, cable.uart or 0, cable.tx, cable.rx)):
        raise FlashError("\n".join(f"--cable: {sentence}." for sentence in wrong))


def _parse_cable(text: str) -> Cable:
    if text == "usb":
        return Cable()
    match = _UART.fullmatch(text)
    if match is None or (match[4] and int(match[4]) not in _BAUDS):
        raise FlashError(
            f"--cable {text!r:.80}: give usb, or UART:TX:RX with the numbers of its pins, for example 1:17:18, or "
            f"UART:TX:RX:BAUD with {_BAUDS[0]} to {_BAUDS[-1]} baud; none for a board that goes back to Wi-Fi."
        )
    return Cable(int(match[1]), int(match[2]), int(match[3]), int(match[4] or Cable().baud))


def _cable_before(stored: Mapping[str, Any]) -> Cable | None:
    table = stored.get("serial")
    if stored.get("link") != "serial" or not isinstance(table, dict):
        return None
    if table.get("usb") is True:
        return Cable()
    numbers = {key: table[key] for key in ("uart", "tx", "rx", "baud") if type(table.get(key)) is int}
    return Cable(**numbers) if {"uart", "tx", "rx"} <= numbers.keys() else None


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


def table(
    board: Board, *, device: str, key: bytes, name: str, broker: Broker | Cable, wifi: Wifi | None
) -> dict[str, Any]:
    """board.json. It holds secrets. A cable stands in the broker's place. Raises BoardFileError."""
    mqtt = serial = None
    if isinstance(broker, Cable):
        serial = broker.table
    else:
        tls = {"ca": CA.lstrip("/"), "server_hostname": broker.host} if broker.tls else None
        mqtt = {"host": broker.host, "port": broker.port, "user": device, "password": mqtt_password(key), "tls": tls}
    network = None if wifi is None else {"ssid": wifi.ssid, "password": wifi.password}
    return boardfile.to_board_json(
        board, device=None, key_hex=key.hex(), name=name, mqtt=mqtt, wifi=network, sim=None, serial=serial
    )


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
