"""rekey.py: a board's next key, from the command to the last frame that the one before had sealed."""

import json
import os
from binascii import hexlify, unhexlify

import cbor
from births import remember, sealed_birth
from flash_stage import power_off, power_on
from link_bench import DEVICE, KEY, Bench, Gateway
from mac import Mac0
from rekey import load, take

NEXT = bytes(range(32, 64))
# tests/wire/test_rekey.py, for the device there.
OTHER = "5e0000000001"
ARGUMENT = "000102030405060708090a0b0c0d0e0f60e1f73cc6f2b2c56d26224586bc5358c2861830c2892db7acedebfe848ceb90"


class Appliance:
    def __init__(self, why=None):
        self.why = why
        self.reboot_asked = False

    def may_update(self):
        return self.why


class Board:
    """What rekey.py asks of one."""

    def __init__(self, mac, why=None, device=OTHER):
        self.appliance = Appliance(why)
        self.link = self
        self.mac = mac
        self.topic = "hg/1/" + device + "/"


class Config:
    def __init__(self, password=None):
        self.key = KEY
        self.mqtt = self
        self.password = password


def kept():
    with open("key") as file:
        return json.load(file)


def test_the_next_key_is_what_the_gateway_wrapped():
    board = Board(Mac0(KEY))
    assert take(board, [ARGUMENT]) is None
    assert board.appliance.reboot_asked
    assert kept()["key"] == hexlify(NEXT).decode()
    mac = load(Config())
    message = Mac0(NEXT).seal(b"ack", b"hello")
    assert mac.open(b"ack", message) == b"hello"
    assert mac.old.open(b"up", Mac0(KEY).seal(b"up", b"frame")) == b"frame"


def test_a_wrong_argument_changes_nothing():
    for args in (
        [],
        [ARGUMENT, ARGUMENT],
        [ARGUMENT[:-2]],
        [ARGUMENT.upper()],
        ["x" + ARGUMENT[1:]],
        [7],
        [None],
        [""],
    ):
        board = Board(Mac0(KEY))
        assert take(board, args) == "form", args
        assert not board.appliance.reboot_asked
    assert "key" not in os.listdir()


def test_a_kettle_that_heats_is_told_again_later():
    board = Board(Mac0(KEY), "heats")
    assert take(board, [ARGUMENT]) == "heats"
    assert "key" not in os.listdir()


def test_no_third_key_while_the_first_is_still_needed():
    assert take(Board(Mac0(KEY)), [ARGUMENT]) is None
    before = kept()
    assert take(Board(load(Config())), [ARGUMENT]) == "busy"
    assert kept() == before


def test_a_second_change_follows_the_first_and_knows_the_flashed_key():
    assert take(Board(Mac0(KEY)), [ARGUMENT]) is None
    first = kept()
    mac = load(Config())
    mac.old = None
    assert take(Board(mac), [ARGUMENT]) is None
    second = kept()
    assert (second["for"], second["old"]) == (first["for"], first["key"])
    assert load(Config()).old.open(b"up", Mac0(NEXT).seal(b"up", b"frame")) == b"frame"


def test_a_board_that_was_flashed_with_another_key_ignores_the_file():
    assert take(Board(Mac0(KEY)), [ARGUMENT]) is None
    config = Config()
    config.key = bytes(32)
    mac = load(config)
    assert mac.old is None and mac.open(b"ack", Mac0(bytes(32)).seal(b"ack", b"x")) == b"x"


def test_a_broken_file_is_no_file():
    for text in ("", "{", "null"):
        with open("key", "w") as file:
            file.write(text)
        assert load(Config()).old is None


def test_frames_of_every_key_that_flashing_told_of_come_under_the_next_one():
    from rekey import _name, seal

    before = [bytes([number] * 32) for number in range(3)]
    with open("key", "w") as file:
        json.dump({"for": _name(KEY), "key": hexlify(KEY).decode(), "old": hexlify(b"".join(before)).decode()}, file)
    config = Config()
    mac = load(config)
    for key in (KEY, before[0], before[1], before[2]):
        assert mac.open(b"up", seal(mac, Mac0(key).seal(b"up", b"frame"))) == b"frame"
    strange = Mac0(NEXT).seal(b"up", b"frame")
    assert seal(mac, strange) == strange
    remember(Mac0(before[2]), Mac0(before[2]).seal(b"birth", cbor.dumps([1, 5, "fridge"])))
    assert cbor.loads(mac.open(b"birth", sealed_birth(mac, 5))) == [1, 5, "fridge"]
    assert sealed_birth(Mac0(KEY), 5) is None


def test_the_broker_is_given_both_passwords_in_turn():
    from rekey import _password

    assert take(Board(Mac0(KEY)), [ARGUMENT]) is None
    both = Config(_password(Mac0(KEY)))
    load(both)
    assert both.password == [_password(Mac0(NEXT)), _password(Mac0(KEY))]
    own = Config("chosen by a person")
    load(own)
    assert own.password == "chosen by a person"


def test_a_power_cut_leaves_the_old_key_or_the_next_one():
    flash = power_on()
    flash.puts = []
    assert take(Board(Mac0(KEY)), [ARGUMENT]) is None
    written = sum(abs(length) for length in flash.puts)
    os.remove("key")
    power_off(flash)
    found = set()
    for place in range(0, 2 * written, 7):
        flash = power_on()
        for name in os.listdir():
            os.remove(name)
        flash.cut_after(place)
        why = take(Board(Mac0(KEY)), [ARGUMENT])
        power_off(flash)
        flash = power_on()
        mac = load(Config())
        found.add(mac.old is not None)
        assert why in (None, "flash")
        assert mac.old is not None or why is not None, "it said that it has the next key"
        power_off(flash)
    assert found == {False, True}


async def test_what_is_held_reaches_the_gateway_under_the_next_key():
    gateway = Gateway()
    first = Bench(boot=5, flash=True)
    first.seal(20)
    assert first.journal.spill()
    remember(first.mac, first.mac.seal(b"birth", cbor.dumps([1, 5, "fridge"])))
    assert take(Board(first.mac, device=DEVICE), [ARGUMENT]) is None
    bench = Bench(boot=6, flash=True)
    later = load(Config())
    bench.link.mac = bench.sealer._mac = later
    key = unhexlify(kept()["key"])
    bench.seal(3)
    await bench.client.connect()
    bench.clock.now += 4096
    await bench.serve()
    births = [payload for _, what, payload, _ in bench.client.log if what == "birth"]
    payloads = bench.client.take()
    now, before = Mac0(key), Mac0(KEY)
    assert cbor.loads(now.open(b"birth", births[-1]))[1] == 5
    opened = [now.open(b"up", payload) for payload in payloads]
    assert len(opened) == 16
    # An ack under the key before says nothing any more.
    plain = [before.seal(b"up", payload) for payload in opened]
    bench.ack((5, 16), key=KEY)
    assert (bench.link.refused, bench.journal.held) == ({"unverified": 1}, 23)
    for _ in range(8):
        marks = gateway.take(plain)
        if marks:
            bench.ack(*marks, key=key)
        await bench.serve()
        plain = [before.seal(b"up", now.open(b"up", payload)) for payload in bench.client.take()]
    assert bench.journal.held == 0 and (gateway.stored, gateway.twice) == (23, 0)
    assert later.old is None and "old" not in kept()
    assert load(Config()).old is None


async def test_the_key_before_stays_while_a_frame_of_an_earlier_boot_is_held():
    first = Bench(boot=5, flash=True)
    first.seal(3)
    assert first.journal.spill()
    assert take(Board(first.mac, device=DEVICE), [ARGUMENT]) is None
    bench = Bench(boot=6, flash=True)
    bench.link.mac = bench.sealer._mac = later = load(Config())
    key = unhexlify(kept()["key"])
    bench.seal(2)
    await bench.greeted()
    bench.ack((6, 2), key=key)
    assert later.old is not None and "old" in kept()
    bench.ack((5, 3), key=key)
    assert later.old is None and "old" not in kept()
