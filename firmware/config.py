"""Reads board.json. What is wrong in it is said in one sentence that names the key.

The code here is needed once: the objects it makes have no methods, so main.py can drop the module from memory.
"""

import binascii
import json
from collections import namedtuple

from micropython import const

FIRMWARE = "0.1.0"

_MOST_WORD = const(32)
_MOST_CHANNELS = const(32)
_MOST_FACTOR = const(1000000)
_MOST_TEXT = const(255)

# A value is raw * num / den in `unit` (SenML). `kind`: 0 gauge, 1 state, 2 counter, 3 event. `driver` is a name among
# the board's drivers, or None.
Channel = namedtuple("Channel", ("name", "unit", "num", "den", "kind", "category", "driver"))


class ConfigError(ValueError):
    """Says which key of board.json is wrong, and what is expected there."""


class Mqtt:
    """The broker. `tls` is None or {"ca": file, "server_hostname": name}. On a cable `host` is the table `serial`."""

    host: str
    port: int
    user: str | None
    password: str | None
    keepalive_s: int
    tls: dict | None


class Config:
    """Everything in board.json, checked. `board` is the table itself, for the drivers. The journal takes at most
    `journal_bytes` of memory and `flash_bytes` of flash (0: none); `durable` puts every frame on flash at once."""

    board: dict
    firmware: str
    device: str
    kind: str
    model: str
    name: str
    key: bytes
    link: str
    mqtt: Mqtt
    wifi: dict
    ntp: str
    step_ms: int
    report_s: int
    quiet_s: int
    live_s: int
    heating_step_ms: int
    journal_bytes: int
    flash_bytes: int
    durable: bool
    drivers: str
    channels: list
    sim: dict


def load(path="board.json", unique_id=None):
    """The Config in the file. Raises ConfigError if there is none, or if something in it is wrong."""
    try:
        with open(path) as file:
            table = json.load(file)
    except OSError:
        raise ConfigError(path + ": no such file: run `hearthgate flash`, or copy one to the board")
    except ValueError:
        raise ConfigError(path + ": not JSON: run `hearthgate flash` again")
    return check(table, unique_id)


def check(table, unique_id=None):
    """The Config in an object that was read from JSON; `unique_id` stands in where it names no device."""
    if not isinstance(table, dict):
        raise ConfigError("board.json: expected an object")
    config = Config()
    config.board = table
    config.firmware = FIRMWARE
    config.device = _text(table, "device", optional=True) or unique_id
    if config.device is None or len(config.device) != 12 or config.device.strip("0123456789abcdef"):
        raise _wrong("device", "12 lower-case hex digits")
    config.kind = _text(table, "kind")
    config.model = _text(table, "model")
    config.name = _text(table, "name")
    config.key = _key(table)
    config.link = _text(table, "link", optional=True) or "mqtt"
    if config.link == "mqtt":
        config.mqtt = _mqtt(_table(table, "mqtt"))
    elif "board.json: " + config.link == "board.json: serial":  # a short text would stay in memory
        # Its name is none that MicroPython keeps, as that of an import would be.
        config.mqtt = __import__("serial_config").host(Mqtt(), _table(table, "board.json: serial"))
    else:
        raise _wrong("link", "mqtt or serial")
    config.wifi = _table(table, "wifi", optional=True)
    if config.wifi is not None:
        _text(config.wifi, "board.json: wifi.ssid")
    config.ntp = _text(table, "ntp", optional=True)
    config.step_ms = _number(table, "step_ms", 100, 3600000, 10000)
    config.report_s = _number(table, "report_s", 1, 86400, 60)
    config.quiet_s = _number(table, "quiet_s", 1, 86400, 600)
    config.live_s = _number(table, "live_s", 1, 60, 1)
    config.heating_step_ms = _number(table, "heating_step_ms", 100, 60000, 1000)
    config.journal_bytes = _number(table, "journal_bytes", 2048, 1 << 22, 16384)
    config.flash_bytes = _number(table, "flash_bytes", 0, 1 << 26, 262144)
    durable = table.get("durable")
    if durable is not None and not isinstance(durable, bool):
        raise _wrong("durable", "true or false")
    config.durable = bool(durable)
    config.drivers = _text(table, "drivers")
    config.channels = _channels(table)
    config.sim = _table(table, "sim", optional=True)
    if config.sim is not None:
        _number(config.sim, "board.json: sim.speed", 1, 100000, 1)
        _number(config.sim, "board.json: sim.epoch_ms", 0, 1 << 43, 0)
    return config


def _mqtt(table):
    mqtt = Mqtt()
    mqtt.host = _text(table, "board.json: mqtt.host")
    mqtt.port = _number(table, "board.json: mqtt.port", 1, 65535, 1883)
    mqtt.user = _text(table, "board.json: mqtt.user", optional=True)
    mqtt.password = _text(table, "board.json: mqtt.password", optional=True)
    mqtt.keepalive_s = _number(table, "board.json: mqtt.keepalive_s", 5, 240, 60)
    mqtt.tls = _table(table, "board.json: mqtt.tls", optional=True)
    if mqtt.tls is not None:
        _text(mqtt.tls, "board.json: mqtt.tls.ca")
        _text(mqtt.tls, "board.json: mqtt.tls.server_hostname", optional=True)
    return mqtt


def _channels(table):
    rows = table.get("channels")
    if not isinstance(rows, list) or not 1 <= len(rows) <= _MOST_CHANNELS:
        raise _wrong("channels", "a list of 1 to %d channels" % _MOST_CHANNELS)
    channels: list = []
    words: dict = {}
    for index, row in enumerate(rows):
        key = "board.json: channels[%d]" % index
        if not isinstance(row, list) or len(row) != 7:
            raise _wrong(key, "[name, unit, num, den, kind, category, driver or null]")
        # "Cel" in four channels is one text in memory.
        channel = Channel(*(words.setdefault(item, item) if isinstance(item, str) else item for item in row))
        _check_channel(key, channel)
        if any(other.name == channel.name for other in channels):
            raise _wrong(key + ": its name", "one that no other channel has, not " + channel.name)
        channels.append(channel)
    if all(channel.kind == 3 for channel in channels):
        raise _wrong("channels", "at least one that is measured, not only events")
    return channels


def _check_channel(key, channel):
    if not isinstance(channel.name, str) or not 0 < len(channel.name) <= _MOST_TEXT:
        raise _wrong(key + ": its name", "some text")
    if not isinstance(channel.unit, str):
        raise _wrong(key + ": its unit", "a SenML unit")
    for factor in (channel.num, channel.den):
        if not _is_number(factor, 1, _MOST_FACTOR):
            raise _wrong(key + ": num and den", "whole numbers from 1 to %d" % _MOST_FACTOR)
    if not _is_number(channel.kind, 0, 3):
        raise _wrong(key + ": its kind", "0 (gauge), 1 (state), 2 (counter) or 3 (event)")
    category = channel.category
    # Any word that consent can speak of: a household and an operator have words of their own.
    if not isinstance(category, str) or not 0 < len(category) <= _MOST_WORD or not category[0].isalpha():
        raise _wrong(key + ": its category", "a word such as temperature")
    if category.strip("abcdefghijklmnopqrstuvwxyz0123456789-"):
        raise _wrong(key + ": its category", "a word of lower-case letters, digits and hyphens")
    if channel.driver is not None and not isinstance(channel.driver, str):
        raise _wrong(key + ": its driver", "a driver's name, or null")


def _wrong(key, expected):
    """A text of up to ten characters stays in memory for ever, even after this module has gone: so keys with a dot are
    written out above with the file's name."""
    return ConfigError((key if "board.json" in key else "board.json: " + key) + ": expected " + expected)


def _is_number(value, least, most):
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _text(table, key, optional=False):
    """The text in `table` under the last part of the dotted `key`."""
    value = table.get(key.split(".")[-1])
    if value is None and optional:
        return None
    if not isinstance(value, str) or not 0 < len(value) <= _MOST_TEXT:
        raise _wrong(key, "a text of 1 to %d characters" % _MOST_TEXT + (" (or null)." if optional else ""))
    return value


def _number(table, key, least, most, default):
    value = table.get(key.split(".")[-1])
    if value is None:
        return default
    if not _is_number(value, least, most):
        raise _wrong(key, "a whole number from %d to %d" % (least, most))
    return value


def _table(table, key, optional=False):
    value = table.get(key.split(".")[-1].split(" ")[-1])
    if value is None and optional:
        return None
    if not isinstance(value, dict):
        raise _wrong(key, "an object, or null" if optional else "a JSON object")
    return value


def _key(table):
    try:
        key = binascii.unhexlify(_text(table, "key"))
    except ValueError as error:
        if isinstance(error, ConfigError):
            raise
        key = b""
    if len(key) != 32:
        raise _wrong("key", "64 hex digits")
    return key
