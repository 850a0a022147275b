"""What flashing writes and removes, and in which order; and where a board finds its broker."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.broker.access import mqtt_password
from gateway.errors import HearthgateError
from gateway.flash import contents
from gateway.flash.boardfile import list_boards
from gateway.flash.compiling import MpyFormat
from gateway.flash.configuring import Broker, Wifi, choose_broker, choose_wifi, table
from gateway.flash.contents import CA, MANIFEST, Plan, choose_first, digest, plan
from gateway.flash.remote import Facts, FlashError
from gateway.flash.sources import BOARDS, LINKS, find_board
from gateway.update import image

KEY = bytes(range(32))
WANTED = {"/a/link.mpy": b"link", "/a/main.mpy": b"main", "/board.json": b"{}", MANIFEST: b"all"}
WHOLE = {path: digest(data) for path, data in WANTED.items()}


def test_a_board_that_has_all_of_it_gets_nothing() -> None:
    assert plan(WANTED, WHOLE) == Plan((), ())


def test_an_empty_board_gets_all_and_the_manifest_last() -> None:
    assert plan(WANTED, {}) == Plan((), ("/a/link.mpy", "/a/main.mpy", "/board.json", MANIFEST))


def test_a_slot_that_changes_loses_its_manifest_first() -> None:
    assert plan(WANTED, WHOLE | {"/a/link.mpy": "0"}) == Plan((MANIFEST,), ("/a/link.mpy", MANIFEST))


def test_what_is_at_the_root_changes_while_the_slot_stays_whole() -> None:
    assert plan(WANTED, WHOLE | {"/board.json": "0"}) == Plan((), ("/board.json",))


def test_strays_go_and_what_is_not_ours_stays() -> None:
    more = {"/a/old.mpy": "0", "/a/link.mpy.new": "0", "/board.json.new": "0", CA: "0", "/boot": "0", "/notes.txt": "0"}
    done = plan(WANTED, WHOLE | more)
    assert done.remove == (MANIFEST, "/a/old.mpy", "/a/link.mpy.new", "/board.json.new", CA)
    assert done.write == (MANIFEST,)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, None),
        (b"a 7 0 3\n", b"a 7 0 3\n"),
        (b"b 7 0 0\n", b"a 7 0 0\n"),
        (b"a 7 2 0\n", b"a 7 0 0\n"),
        (b"b 7", b"a 0 0 0\n"),
        (b"", b"a 0 0 0\n"),
    ],
)
def test_after_a_flash_the_first_slot_runs_and_the_number_of_the_last_update_stays(
    before: bytes | None, after: bytes | None
) -> None:
    assert choose_first(before) == after


@pytest.mark.parametrize("board", [board.name for board in list_boards(BOARDS)])
def test_every_board_has_its_own_modules_and_no_others(board: str) -> None:
    made = find_board(board)
    files = contents.slot_files(made, MpyFormat(6, 3, "xtensawin"))
    assert {"main.mpy", "start.mpy", f"{made.board.kind}.mpy", f"{made.drivers.module}.mpy"} <= files.keys()
    assert {"kettle.mpy", "fridge.mpy"} & files.keys() == {f"{made.board.kind}.mpy"}
    assert contents.slot_files(made, MpyFormat(6, 3, "xtensawin")) == files
    assert all(data[:1] == b"M" for data in files.values())
    assert sum(map(len, files.values())) < 64 << 10 or made.board.chip == "unix", "an emulated world takes room too"


def test_a_board_on_a_cable_has_what_that_takes_and_says_so() -> None:
    made = find_board("kettle-esp32")
    takes = MpyFormat(6, 3, "xtensawin")
    radio, cable = (contents.slot_files(made, takes, link) for link in ("mqtt", "serial"))
    assert radio.keys() - cable.keys() == {f"{name}.mpy" for name in LINKS["mqtt"]}
    assert cable.keys() - radio.keys() == {f"{name}.mpy" for name in LINKS["serial"]}
    for link, says in (("mqtt", "kettle-esp32"), ("serial", "kettle-esp32+serial")):
        whole = contents.whole(made, {}, {}, None, link=link)
        assert json.loads(whole[MANIFEST])["board"] == says
        assert (
            image.build(f"{says} {6 | 3 << 8 | 10 << 10}").keys() - {"manifest.json"}
            == (radio if link == "mqtt" else cable).keys()
        )
    with pytest.raises(HearthgateError, match="linked in a way"):
        image.build("kettle-esp32+smoke 0")


def test_with_line_numbers_modules_are_larger_and_the_same_ones() -> None:
    made = find_board("kettle-esp32")
    takes = MpyFormat(6, 3, "xtensawin")
    small, large = (contents.slot_files(made, takes, lines=lines) for lines in (False, True))
    assert small.keys() == large.keys()
    assert 1.04 < sum(map(len, large.values())) / sum(map(len, small.values())) < 1.1


def test_without_a_known_machine_native_code_stays_source() -> None:
    files = contents.slot_files(find_board("kettle-sim"), MpyFormat(6, 3, ""))
    assert [name for name in files if name.endswith(".py")] == ["bitpack.py", "plain.py"]


@pytest.mark.parametrize(
    ("machine", "platform", "chip"),
    [
        ("Generic ESP32 module with ESP32", "esp32", "esp32"),
        ("ESP32C3 module with ESP32C3", "esp32", "esp32c3"),
        ("Generic ESP32S3 module with ESP32S3", "esp32", "esp32s3"),
        ("Generic ESP32S3 module with Octal-SPIRAM with ESP32S3", "esp32", "esp32s3"),
        ("linux [GCC 14.2.1] version", "linux", "unix"),
        ("mps2-an385 with Cortex-M3", "qemu", "unix"),
    ],
)
def test_the_chip_is_read_from_what_micropython_says(machine: str, platform: str, chip: str) -> None:
    assert Facts("micropython", (1, 29, 0), machine, MpyFormat.of(2822), platform, "0" * 12).chip == chip


def test_the_format_of_mpy_files_is_read_from_one_number() -> None:
    assert MpyFormat.of(0xB06) == (6, 3, "x64")
    assert MpyFormat.of(6 | 3 << 8 | 10 << 10) == (6, 3, "xtensawin")
    assert MpyFormat.of(6 | 3 << 8 | 11 << 10 | 1 << 16) == (6, 3, "rv32imc"), "with flags of the architecture"


def chosen(given: str | None, stored: dict[str, Any], host: str = "192.0.2.7", emulated: bool = False) -> Broker:
    return choose_broker(given, stored, host=host, port=8883, tls=True, emulated=emulated)


def test_a_board_finds_the_broker_that_is_named_or_the_one_it_had_or_the_gateways() -> None:
    stored = {"mqtt": {"host": "old.example", "port": 1883}}
    assert chosen("new.example:1884", stored) == Broker("new.example", 1884, tls=True)
    assert chosen("[fd00::5]", stored) == Broker("fd00::5", 8883, tls=True)
    assert chosen(None, stored) == Broker("old.example", 8883, tls=True)
    assert chosen(None, {}) == Broker("192.0.2.7", 8883, tls=True)
    assert chosen(None, {}, host="localhost", emulated=True).host == "localhost"


@pytest.mark.parametrize("given", ["", "two words", "host:0", "host:99999", "mqtt://host", "a:b"])
def test_a_broker_that_is_none_is_refused(given: str) -> None:
    with pytest.raises(FlashError, match="HOST:PORT"):
        chosen(given, {})


def test_a_board_keeps_the_wifi_it_knows_and_a_new_one_needs_one() -> None:
    stored = {"wifi": {"ssid": "House", "password": "secret"}}
    assert choose_wifi(None, stored, emulated=False) == Wifi("House", "secret")
    assert choose_wifi(Wifi("New", "word"), stored, emulated=False) == Wifi("New", "word")
    assert choose_wifi(None, {}, emulated=True) is None
    with pytest.raises(FlashError, match="--wifi SSID"):
        choose_wifi(None, {}, emulated=False)
    assert "secret" not in repr(Wifi("House", "secret"))


def test_board_json_names_the_broker_as_the_certificate_does() -> None:
    made = table(
        find_board("kettle-esp32"),
        device="5e0000000001",
        key=KEY,
        name="Kettle",
        broker=Broker("pi.lan", 8883, tls=True),
        wifi=Wifi("House", "secret"),
    )
    assert made["mqtt"]["tls"] == {"ca": "ca.pem", "server_hostname": "pi.lan"}
    assert (made["mqtt"]["user"], made["mqtt"]["password"]) == ("5e0000000001", mqtt_password(KEY))
    assert "device" not in made, "the chip's own id"
