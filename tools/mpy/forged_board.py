"""A board that is told messages, one a line, and says after each what it counted and what it is: for tools/forgery.

    micropython -X heapsize=128k forged_board.py FIRMWARE_FOLDER FLASH_DRIVER_FOLDER IMAGE KEY_HEX

Lines in (words in hex, `-` for none):

    say TOPIC RETAINED MESSAGE    what the broker delivers; the answer is `= REFUSED SAID STATE`
    seal COUNT                    so many frames are sealed, and sent
    pass MS                       time goes by
    slot NUMBER                   the update of that number was started and has stayed
    start                         a restart of the board
    look                          the answer is `= REFUSALS STATE`, with a digest of all that is on its flash

The first line out is `= CLASS`: for which boards it takes updates, in hex.
REFUSED: how many messages the link has refused since the start of this process; SAID: how many answers about updates
left. Two STATEs that are equal are of a board that nothing has happened to.
"""

import asyncio
import gc
import hashlib
import json
import os
import sys
from binascii import hexlify, unhexlify

firmware, driver, image, key = sys.argv[1:]
key = unhexlify(key)
sys.path[:0] = [firmware, driver]

import sim_flash
import slots
import update
import vfs
from clock import Clock
from journal import Counter, Journal
from link import Link
from mac import Mac0
from manifest import find
from sealer import Sealer
from segments import Segments

DEVICE = "5e0000000001"
SLOT = {"link.mpy": b"l" * 700, "manifest.json": b'{"board": "fridge-sim", "firmware": "1", "files": {}}'}


class Broker:
    host = "127.0.0.1"
    port = 1883
    user = password = tls = None
    keepalive_s = 60


class Stopped(Clock):
    """Time that goes by when it is told to."""

    def __init__(self):
        self.now = 0
        super().__init__()

    def real_ms(self):
        return self.now


class Client:
    """Takes what is published, and counts it."""

    last_error = None

    def __init__(self, host, port, client_id, **options):
        self.on_connect, self.on_message = options["on_connect"], options["on_message"]
        self.connected, self.connects = False, 0
        self.frames = self.wants = 0

    async def subscribe(self, topics):
        pass

    async def publish(self, topic, payload, retain=False):
        self.frames += topic.endswith("/up")
        self.wants += topic.endswith("/want")

    publish_soon = publish


class Appliance:
    reboot_asked = False

    def may_update(self):
        return None

    def failures(self):
        return 0


class Board:
    """Of board.py what messages can reach, on the flash that is there."""

    def __init__(self, boot):
        self.boot = boot
        self.clock = Stopped()
        self.mac = Mac0(key)
        self.journal = Journal(boot, Segments())
        self.sealer = Sealer(self.mac, self.journal, boot, 1)
        self.counter = Counter("command")
        self.appliance = Appliance()
        self.update = None
        self.done = 0
        self.reused = []
        self.link = Link(
            DEVICE, Broker(), self.clock, self.journal, self.mac, self.sealer, b"birth", b"online", b"offline",
            self.counter, self.execute, self.reused.append, client=Client,
        )  # fmt: skip
        self.link.update = self.take

    def execute(self, verb, args):
        self.done += 1

    def take(self, payload):
        return (self.update or update.Update(self)).take(payload)

    async def connect(self):
        client = self.link.client
        client.connected, client.connects = True, 1
        await client.on_connect()
        self.clock.now += 10000
        await self.link._serve(lambda: None)

    def state(self):
        """What a message could change, but for what is on flash in many files."""
        flight, clock = self.link._flight, self.clock
        return repr((
            self.boot, self.journal.held, self.sealer.seq, self.counter.value, kept("command"), clock.offset_s,
            clock.source, flight.wait_s, flight.retries, sorted(flight._upto.items()), kept("slot"),
            self.update is None, self.appliance.reboot_asked, self.done, self.reused, self.link.client.frames,
            flight._sent, flight._flight, flight._live, flight._live_from, flight._probe, self.link._ack_by_ms,
        )).replace(" ", "")  # fmt: skip

    def whole(self):
        """A digest of everything on flash, and of the frames in the journal."""
        digest = hashlib.sha256()
        place = (0, 0)
        while True:
            entry = self.journal.after(*place)
            if entry is None:
                break
            place = entry[:2]
            digest.update(repr(entry).encode())
        for folder in ("", "/a", "/b", "/journal"):
            try:
                names = sorted(os.listdir(folder or "/"))
            except OSError:
                names = []
            for name in names:
                digest.update((folder + "/" + name).encode() + b"\0" + (kept(folder + "/" + name) or b""))
        return digest.digest().hex()


def kept(path):
    """What a file holds; None if there is none."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return None


def begin():
    """An empty flash, on which slot a runs. What is imported later lies on this machine, at /host."""
    flash = sim_flash.Flash(image, 128)
    vfs.VfsLfs2.mkfs(flash)
    vfs.umount("/")
    vfs.mount(vfs.VfsPosix("/"), "/host")
    vfs.mount(vfs.VfsLfs2(flash), "/")
    sys.path[:] = ["/a", "/host" + firmware, "/host" + driver, ".frozen"]
    os.chdir("/")
    os.mkdir("/a")
    for name, data in SLOT.items():
        with open("/a/" + name, "wb") as file:
            file.write(data)
    print("=", hexlify(find("a")).decode())


def count(board):
    """Adds what a board has refused, before it starts anew."""
    for why, times in board.link.refused.items():
        refused[why] = refused.get(why, 0) + times
    board.link.refused = {}


async def deliver(board, topic, retained, message):
    client = board.link.client
    wants = client.wants
    client.on_message(unhexlify(topic).decode(), b"" if message == "-" else unhexlify(message), retained == "1", False)
    await board.link._serve(lambda: None)
    # What is said of updates is said by a task of its own.
    for _ in range(3):
        await asyncio.sleep_ms(0)
    counted = sum(refused.values()) + sum(board.link.refused.values())
    print("=", counted, client.wants - wants, board.state())


async def seal(board, frames):
    for _ in range(int(frames)):
        event = (1, 0, board.sealer.seq)
        board.sealer.event_list([event], board.clock.time_s(), board.clock.uptime_ms(), False)
    await board.link._serve(lambda: None)


async def go_by(board, ms):
    board.clock.now += int(ms)
    await board.link._serve(lambda: None)


async def keep_slot(board, number):
    slots.store(["a", int(number), 0, 0])


async def look(board):
    count(board)
    print("=", json.dumps(refused).replace(" ", ""), board.whole() + board.state())


ORDERS = {"say": deliver, "seal": seal, "pass": go_by, "slot": keep_slot, "look": look}


async def run():
    board = Board(7)
    await board.connect()
    while True:
        gc.collect()  # a line is twice as long as the message in it, and no board has to read such
        line = sys.stdin.readline()
        if not line:
            return
        what, *words = line.split()
        if what == "start":
            board.journal.spill()
            count(board)
            board = Board(board.boot + 1)
            await board.connect()
        else:
            await ORDERS[what](board, *words)


refused = {}
begin()
asyncio.run(run())
