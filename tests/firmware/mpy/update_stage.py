"""A board's flash with slots, a gateway's words, and a board that takes them."""

import hashlib
import os
import sys

import cbor
import sim_flash
import starts
import update
import vfs

NUMBER = 1_800_000_000
MPY = getattr(sys.implementation, "_mpy", 0)
MODEL = b"fridge-sim %d" % MPY
RUNNING = {"same.mpy": b"s" * 700, "changed.mpy": b"before", "gone.mpy": b"g"}
WANTED = {"same.mpy": RUNNING["same.mpy"], "changed.mpy": b"c" * 1500, "fresh.py": b""}
LAST = b'{"board": "fridge-sim", "firmware": "%s", "files": {}}'


_KEPT = starts


def mount():
    """An empty flash at /. What a case imports is imported before."""
    flash = sim_flash.Flash("chip", 128)
    vfs.VfsLfs2.mkfs(flash)
    vfs.umount("/")
    vfs.mount(vfs.VfsLfs2(flash), "/")
    os.chdir("/")
    return flash


def put(slot, files, version=b"1"):
    """A whole slot."""
    os.mkdir("/" + slot)
    files = dict(files)
    files["manifest.json"] = LAST % version
    for name, data in files.items():
        with open("/" + slot + "/" + name, "wb") as file:
            file.write(data)


def read(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return None


def rows(files, version=b"2"):
    """The rows of a manifest, its last file as the last."""
    found = [[name, len(data), hashlib.sha256(data).digest()] for name, data in sorted(files.items())]
    last = LAST % version
    found.append(["manifest.json", len(last), hashlib.sha256(last).digest()])
    return found


def manifest(files=WANTED, number=NUMBER, vendor=b"hearthgate", model=MODEL, slot="b", made=None, count=None):
    made = rows(files) if made is None else made
    head = [1, 1, number, vendor, model, slot, len(made) if count is None else count]
    return cbor.dumps(head) + b"".join(cbor.dumps(row) for row in made)


class Appliance:
    def __init__(self):
        self.why = None
        self.bits = 0
        self.reboot_asked = False
        self.sealed = 0

    def may_update(self):
        return self.why

    def failures(self):
        return self.bits

    def seal(self):
        self.sealed += 1


class Board:
    """Its own link: `want` keeps what it says, and gives what it asks for from `files`."""

    def __init__(self, files=WANTED):
        self.link = self.client = self.journal = self.sealer = self.clock = self
        self.appliance = Appliance()
        self.update = None
        self.said = []
        self.files = files
        self.spoil = None
        # Of the journal, the sealer, the client and the clock.
        self.acked = self.seq = 0
        self.connected = True
        self.now = 0

    def real_ms(self):
        return self.now

    def take(self, payload):
        return (self.update or update.Update(self)).take(payload)

    async def want(self, items):
        self.said.append(items)
        if not self.connected:
            raise OSError("not connected")
        if items[0] == 1:
            _, number, index, at = items
            names = sorted(self.files)
            data = self.files[names[index]] if index < len(names) else LAST % b"2"
            data = data[at : at + 1024]
            self.take(cbor.dumps([1, 2, number, index, at, data if self.spoil is None else self.spoil(data)]))

    def wants(self):
        """(row, offset) of what it asked for."""
        return [tuple(items[2:]) for items in self.said if items[0] == 1]


def begin(files=WANTED):
    """A board whose slot a runs."""
    mount()
    put("a", RUNNING)
    sys.path.insert(0, "/a")
    return Board(files)
