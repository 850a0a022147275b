"""births.py, and when link.py says the birth of an earlier boot."""

import os

import births
import cbor
from link_bench import BOOT, KEY, Bench, life
from mac import Mac0

MAC = Mac0(KEY)
CHANNELS = [["t", "Cel", 1, 16, 0, "temperature"], ["knock", "/", 1, 1, 3, "use"]]


def birth(boot, name="Fridge", key=KEY):
    return Mac0(key).seal(b"birth", cbor.dumps([1, boot, "fridge", "fridge-x", "0.1.0", name, CHANNELS]))


def test_a_birth_is_the_same_bytes_as_in_its_boot():
    births.remember(MAC, birth(3))
    births.remember(MAC, birth(4))
    births.remember(MAC, birth(5))
    assert [births.sealed_birth(MAC, boot) for boot in (3, 4, 5)] == [birth(3), birth(4), birth(5)]
    assert births.sealed_birth(MAC, 2) is None, "nobody knows what it was then"
    assert "birth.old" not in os.listdir()


def test_what_it_was_before_a_change_is_kept():
    births.remember(MAC, birth(3))
    births.remember(MAC, birth(6, "Fridge in the cellar"))
    births.remember(MAC, birth(7, "Fridge in the cellar"))
    assert births.sealed_birth(MAC, 5) == birth(5)
    assert births.sealed_birth(MAC, 6) == birth(6, "Fridge in the cellar")
    births.remember(MAC, birth(9, "Fridge in the hall"))
    assert births.sealed_birth(MAC, 8) == birth(8, "Fridge in the cellar")
    assert births.sealed_birth(MAC, 5) is None


def test_a_broken_file_or_one_of_another_key_is_none():
    births.remember(MAC, birth(3))
    for content in (b"", birth(3)[:-1], birth(3, key=bytes(32))):
        with open("birth", "wb") as file:
            file.write(content)
        assert births.sealed_birth(MAC, 4) is None
    births.remember(MAC, birth(5))
    assert births.sealed_birth(MAC, 6) == birth(6)


def test_a_full_flash_is_no_reason_not_to_start():
    os.mkdir("birth")
    births.remember(MAC, birth(3))
    assert births.sealed_birth(MAC, 3) is None


async def test_an_earlier_boot_is_introduced_before_its_frames_once_a_connection():
    births.remember(MAC, birth(3))
    life(3, 20)
    life(5, 20)
    bench = Bench(flash=True)
    bench.seal(2)
    for expected in ([(3, birth(3)), (5, birth(5))], [(5, birth(5))]):
        await bench.client.connect()
        bench.client.log = []
        bench.clock.now += 4096
        bench.seal()
        await bench.serve()
        bench.ack((3, 20), (5, 0))
        await bench.serve()
        said, heard = [], {BOOT}
        for _, what, payload, retain in bench.client.log:
            boot = cbor.loads(b"\x82" + MAC.open(what.encode(), payload)[:2])[1] if what == "up" else None
            if what == "birth":
                boot = cbor.loads(MAC.open(b"birth", payload))[1]
                said.append((boot, payload))
                heard.add(boot)
                assert not retain
            assert boot in heard, (what, boot, heard, said)
        assert said == expected
        bench.client.connected = False
    assert bench.link.refused == {}


async def test_who_heard_no_frame_may_have_heard_no_birth_so_both_come_again():
    births.remember(MAC, birth(3))
    life(3, 2)
    bench = Bench(flash=True)
    await bench.greeted()
    bench.client.log = []
    await bench.serve()
    assert bench.client.log == [], "once is enough as long as it is not overdue"
    for said in range(3):
        for _ in range(200):
            bench.clock.now += 1000
            await bench.serve()
            if bench.client.log:
                break
        whats = [what for _, what, _, _ in bench.client.log]
        assert whats == ["birth", "up", "up"], (said, whats)
        bench.client.log = []
    bench.ack((3, 2))
    await bench.serve()
    assert bench.client.log == []
