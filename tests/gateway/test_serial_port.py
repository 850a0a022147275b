"""app/serial_port.py: one port, by whatever name a person calls it."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.app import serial_port
from gateway.app.serial_port import baud_of, line_for, place, place_of


def test_a_port_is_the_same_by_all_of_its_names(tmp_path: Path):
    link = tmp_path / "kettle"
    link.symlink_to("/dev/null")
    for url in ("serial:/dev/null", "serial:/dev/null?baud=9600", f"serial:{link}"):
        assert place_of(url) == place("/dev/null") == place(str(link))
    assert place_of("serial:/dev/zero") != place("/dev/null")
    assert place_of("socket://127.0.0.1:5555") == place("socket://127.0.0.1:5555")


def test_the_line_for_the_settings_has_the_name_that_lasts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(serial_port, "_BY_ID", tmp_path)
    assert line_for("/dev/null") == "serial:/dev/null"
    assert line_for("/dev/null", 9600) == "serial:/dev/null?baud=9600"
    assert line_for("socket://emulator.local:1") == "socket://emulator.local:1"
    (tmp_path / "usb-Silicon_Labs_CP2102-if00-port0").symlink_to("/dev/null")
    (tmp_path / "usb-Another-if00-port0").symlink_to("/dev/zero")
    assert line_for("/dev/null") == f"serial:{tmp_path}/usb-Silicon_Labs_CP2102-if00-port0"
    assert baud_of(line_for("/dev/null", 9600)) == 9600
    assert baud_of(line_for("/dev/null")) == 115_200
