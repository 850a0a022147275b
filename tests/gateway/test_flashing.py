"""What flashing refuses before it writes anything."""

from __future__ import annotations

import pytest

from gateway.flash.compiling import MpyFormat
from gateway.flash.flashing import check_address
from gateway.flash.remote import Facts, FlashError


def facts(*version: int) -> Facts:
    machine = "Generic ESP32 module with ESP32"
    return Facts("micropython", version, machine, MpyFormat(6, 3, "xtensawin"), "esp32", "5e0000000001")


@pytest.mark.parametrize("host", ["192.168.1.5", "fd00::5"])
def test_a_micropython_that_cannot_check_a_certificate_for_an_address_is_refused_there(host: str) -> None:
    with pytest.raises(FlashError, match=r"MicroPython 1\.23\.0, which cannot check .* 1\.24 or later"):
        check_address(facts(1, 23, 0), host)
    check_address(facts(1, 24, 0), host)


def test_a_broker_with_a_name_is_believed_by_any() -> None:
    check_address(facts(1, 23, 0), "hearthgate.local")
