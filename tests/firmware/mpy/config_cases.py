"""config.py: a good file, and a sentence that names the key for each thing that may be wrong."""

import gc
import json
import sys

import config

GOOD = {
    "device": "a0b1c2d3e4f5",
    "name": "Kitchen fridge",
    "kind": "fridge",
    "model": "fridge-sim",
    "key": "0f" * 32,
    "mqtt": {"host": "127.0.0.1", "port": 1884, "user": None, "password": None, "keepalive_s": 30, "tls": None},
    "wifi": None,
    "step_ms": 10000,
    "report_s": 60,
    "quiet_s": 600,
    "live_s": 1,
    "drivers": "fridge_sim",
    "channels": [["t", "Cel", 1, 16, 0, "temperature", "t"], ["fault", "/", 1, 1, 3, "diagnostics", None]],
    "sim": {"seed": 1, "speed": 60, "epoch_ms": 1_700_000_000_000},
}

WRONG = (
    ("device", "A0B1C2D3E4F5"),
    ("device", "a0b1"),
    ("device", 7),
    ("name", ""),
    ("name", None),
    ("kind", 1),
    ("model", []),
    ("key", "0f" * 31),
    ("key", "zz" * 32),
    ("key", None),
    ("mqtt", None),
    ("mqtt", "127.0.0.1"),
    ("mqtt.host", None),
    ("mqtt.host", "h" * 256),
    ("mqtt.port", 0),
    ("mqtt.port", "1883"),
    ("mqtt.port", True),
    ("mqtt.keepalive_s", 1),
    ("mqtt.keepalive_s", 241),
    ("link", "usb"),
    ("link", 1),
    ("mqtt.tls", True),
    ("mqtt.tls", {"ca": 5}),
    ("wifi", "home"),
    ("wifi", {"password": "x"}),
    ("step_ms", 0),
    ("step_ms", 1.5),
    ("report_s", -1),
    ("live_s", 61),
    ("journal_bytes", 100),
    ("flash_bytes", -1),
    ("flash_bytes", True),
    ("flash_bytes", 1 << 27),
    ("durable", 1),
    ("durable", "yes"),
    ("drivers", None),
    ("channels", {}),
    ("channels", []),
    ("channels", [["t", "Cel", 1, 16, 0, "temperature"]]),
    ("channels", [["t", "Cel", 1, 0, 0, "temperature", None]]),
    ("channels", [["t", "Cel", 1, 16, 4, "temperature", None]]),
    ("channels", [["t", "Cel", 1, 16, 0, "Weather", None]]),
    ("channels", [["t", "Cel", 1, 16, 0, "the-weather-of-today-and-tomorrow", None]]),
    ("channels", [["t", "Cel", 1, 16, 0, "-weather", None]]),
    ("channels", [["t", "Cel", 1, 16, 0, "", None]]),
    ("channels", [["t", "Cel", 1, 16, 0, 5, None]]),
    ("channels", [["t", "Cel", 1, 16, 0, "temperature", 3]]),
    ("channels", [["t", "Cel", 1, 16, 3, "temperature", None]]),
    ("channels", [["t", "Cel", 1, 1, 0, "use", None], ["t", "Cel", 1, 1, 0, "use", None]]),
    ("sim", 60),
    ("sim", {"speed": 0}),
    ("sim", {"speed": 60, "epoch_ms": "now"}),
)


def copy(table):
    return json.loads(json.dumps(table))


def complaint(table):
    try:
        config.check(table)
    except config.ConfigError as error:
        return str(error)
    return None


def test_a_good_file_is_read():
    with open("board.json", "w") as file:
        json.dump(GOOD, file)
    c = config.load()
    assert (c.device, c.kind, c.name, len(c.key)) == ("a0b1c2d3e4f5", "fridge", "Kitchen fridge", 32)
    assert (c.mqtt.host, c.mqtt.port, c.mqtt.keepalive_s, c.mqtt.tls) == ("127.0.0.1", 1884, 30, None)
    assert (c.step_ms, c.report_s, c.quiet_s, c.live_s) == (10000, 60, 600, 1)
    assert (c.journal_bytes, c.flash_bytes, c.durable) == (16384, 262144, False)
    assert c.channels[0].den == 16
    assert c.channels[1].driver is None
    assert c.board["drivers"] == "fridge_sim"


def test_the_journal_may_be_bounded_otherwise():
    c = config.check(dict(copy(GOOD), journal_bytes=4096, flash_bytes=0, durable=True))
    assert (c.journal_bytes, c.flash_bytes, c.durable) == (4096, 0, True)


def test_a_category_is_any_word_of_consent():
    for category in ("health", "blood-sugar", "a1"):
        channels = [["t", "Cel", 1, 16, 0, category, None]]
        assert config.check(dict(copy(GOOD), channels=channels)).channels[0].category == category


def test_what_is_wrong_is_named():
    for key, value in WRONG:
        table = copy(GOOD)
        if "." in key:
            table[key.split(".")[0]][key.split(".")[1]] = value
        else:
            table[key] = value
        text = complaint(table)
        assert text is not None, (key, value)
        assert text.startswith("board.json: " + key), (key, value, text)
        assert ": expected " in text, text


def test_a_list_or_a_word_is_not_a_board():
    for table in ([], "x", None, 3):
        assert "expected an object" in complaint(table)


def test_the_ports_own_id_stands_in_for_the_device():
    table = copy(GOOD)
    del table["device"]
    assert config.check(table, "00000000000a").device == "00000000000a"
    assert "board.json: device: expected" in complaint(table)


def test_a_missing_or_broken_file_is_said():
    for text, word in ((None, "no such file"), ("{", "not JSON"), ("[1]", "expected an object")):
        if text is not None:
            with open("board.json", "w") as file:
                file.write(text)
        try:
            config.load()
            said = ""
        except config.ConfigError as error:
            said = str(error)
        assert said.startswith("board.json: ") and word in said, said


def test_the_reader_can_be_dropped_from_memory():
    c = config.check(copy(GOOD))
    gc.collect()
    before = gc.mem_free()
    del sys.modules["config"]
    del globals()["config"]
    gc.collect()
    assert gc.mem_free() - before > 4000, gc.mem_free() - before
    assert c.kind == "fridge"


def test_a_board_on_a_cable_needs_no_broker():
    for line in ({"uart": 1, "tx": 17, "rx": 16, "baud": 921600}, {"usb": True}, {"path": "/dev/ttyS0"}):
        table = dict(GOOD)
        del table["mqtt"]
        table["link"] = "serial"
        table["serial"] = line
        checked = config.check(table)
        assert (checked.link, checked.mqtt.host, checked.mqtt.tls) == ("serial", line, None)
    assert config.check(GOOD).link == "mqtt"


def test_a_cable_that_is_described_wrong_is_said():
    for line in (None, 1, {}, {"tx": 1}, {"uart": -1}, {"uart": "1"}, {"uart": 1, "baud": 300}, {"uart": 1, "tx": 99}):
        try:
            config.check(dict(GOOD, link="serial", serial=line))
        except config.ConfigError as error:
            assert "board.json: serial" in str(error), error
        else:
            raise AssertionError(line)
