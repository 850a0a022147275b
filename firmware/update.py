"""Takes an update into the slot that does not run, and starts it on trial. Loaded only for that, and dropped again.

What comes and what is said is in gateway/wire/frame.cddl. Files are taken one by one, each under another name until
its digest is right; what is there already, in either slot, is not fetched. So whatever comes in between (a cut, a lost
connection), the next offer of the same manifest goes on where this one ended. The slot that runs is only ever read.

MicroPython keeps every name that it ever saw, and its table of names takes 7 KB more at once past some 620: where a
name here is less plain than it could be, it is one that the board has already.
"""

import asyncio
import hashlib
import os
import sys

import cbor
import slots
from manifest import check, find, row
from micropython import const

# What the gateway says: asks what there is, a manifest, a piece of a file.
_ASK = const(0)
_MANIFEST = const(1)
_CHUNK = const(2)
# What the board says.
_HAS = const(0)
_WANTS = const(1)
_WAITS = const(2)
_STARTS = const(3)
_ON_TRIAL = const(4)
_STAYS = const(5)
_ROLLED_BACK = const(6)
_REFUSED = const(7)

_CHUNK_BYTES = const(1024)
# A piece is asked for again after so long, and given up after so often; a new offer goes on from there.
_AGAIN_MS = const(5000)
_TRIES = const(60)


class Update:
    """One update of the board. `take` gets each message that verified; a manifest that is accepted makes this object
    the board's `update` until it is over."""

    def __init__(self, board):
        self.board = board
        # The slot that runs, and the other.
        self._live = slots.running()
        self._next = "b" if self._live == "a" else "a"
        # The manifest, its number, and where its files begin.
        self._text = b""
        self._number = self._first = 0
        # Of the file that is fetched: it, its digest, its row in the manifest, what is there of it, and its end.
        self._stream = self.digest = None
        self._row = self._upto = self._end = 0
        self._failed = False
        self._event = asyncio.Event()
        self._raw = memoryview(bytearray(512))

    def take(self, payload):
        """Returns why it is refused, or None."""
        try:
            head = row(payload, 0)[0]
            if len(head) == 6 and head[:2] == [1, _CHUNK]:
                return self._receive(head)
            slot = self._live
            if slot is None:
                raise ValueError("slot")
            if head == [1, _ASK]:
                with open("/" + slot + "/manifest.json", "rb") as file:
                    digest = self._read(file).digest()
                self.say([_HAS, slots.read()[1], find(slot), slot, digest])
                return None
            return self._execute(payload, head, slot)
        except ValueError as error:
            why = str(error)
            if " " in why:  # cbor's own words
                why = "form"
        except OSError:
            why = "flash"
        self.say([_REFUSED, self._number, why])
        return why

    def say(self, items):
        """Soon."""
        self._task = asyncio.create_task(self._send(items))

    async def _send(self, items):
        """Whether it could be said. Who did not hear it asks again."""
        try:
            await self.board.link.want(items)
            return True
        except (OSError, MemoryError):
            return False

    def _execute(self, payload, head, slot):
        _, highest, went, _ = slots.read()
        if len(head) == 7 and head[:3] == [1, _MANIFEST, highest]:
            # It was started before: whoever offers it again asks how it went.
            said = _ROLLED_BACK if went < 0 else _ON_TRIAL if went else _STAYS
            self.say([said, highest, "starts" if went == -1 else "failures" if went else ""])
            return "counter"  # a manifest that is played again asks the same
        seq, first = check(payload, find(slot), highest, slot)
        if went > 0:
            raise ValueError("trial")
        if not self._text:
            self.board.update = self
            self._task = asyncio.create_task(self.run())
        elif seq == self._number:
            self._event.set()
            return None
        self._text, self._number, self._first = payload, seq, first
        return None

    def _receive(self, head):
        _, _, seq, index, at, data = head
        if seq != self._number or not isinstance(data, bytes) or not 0 < len(data) <= _CHUNK_BYTES:
            return "form"
        if self._stream is None or index != self._row or at != self._upto:
            return None  # it came twice
        if at + len(data) > self._end:
            return "size"
        try:
            self._stream.write(data)
            self.digest.update(data)
            self._upto += len(data)
        except OSError:
            self._failed = True
        self._event.set()
        return None

    async def run(self):
        """Does it."""
        board = self.board
        seq = why = None
        try:
            while seq != self._number:
                seq = self._number
                print("update", seq)
                why = board.appliance.may_update() or await self._fill(seq)
            why = why or board.appliance.may_update()
            if why is None:
                # This start is ended on purpose, whether it lasted or not.
                from starts import lasted

                del sys.modules["starts"]
                lasted()
                # All that came before can be done again. From this step on the other slot is started.
                slots.store([self._next, seq, 1, board.appliance.failures()])
                board.appliance.reboot_asked = True
        except OSError:
            why = "flash"
        except Exception as error:
            sys.print_exception(error)
            why = "fault"
        print("update", seq, why)
        board.update = None
        later = why in ("quiet", "running", "battery", "fault", "expired")
        await self._send([_STARTS if why is None else _WAITS if later else _REFUSED, seq, why or ""])

    async def _fill(self, seq):
        """Fills the other slot. None when all of it is there and verified, else why not."""
        path = "/" + self._next + "/"
        self._drop(path)
        for _ in range(2):
            index = wrong = 0
            at = self._first
            while at < len(self._text):
                (name, size, digest), at = cbor.get(self._text, at, 2)
                if not self._held(path + name, size, digest):
                    wrong += 1
                    why = await self._make(path + name, index, size, digest, seq)
                    if why is not None:
                        return why
                await asyncio.sleep_ms(1)
                if seq != self._number:
                    return None
                index += 1
            # What was written is read once more, all of it, before it is ever started.
            if not wrong:
                return None
        return "digest"

    def _drop(self, path):
        """Takes away what is not in the manifest; first its own, if it is another one: the slot is not whole then."""
        try:
            os.mkdir(path[:-1])
        except OSError:
            pass
        at = self._first
        while at < len(self._text):
            (name, size, digest), at = cbor.get(self._text, at, 2)
        if not self._held(path + name, size, digest):
            try:
                os.remove(path + name)
            except OSError:
                pass
        for name in [entry[0] for entry in os.ilistdir(path[:-1]) if cbor.dumps(entry[0]) not in self._text]:
            os.remove(path + name)

    async def _make(self, path, index, size, digest, seq):
        """Makes one file, of what the running slot has or of pieces from the gateway. Returns why not, or None."""
        own = "/" + self._live + path[2:]
        if self._held(own, size, digest):
            self._store(own, path)
        else:
            file = self._stream = self._open(path)
            try:
                self.digest = hashlib.sha256()
                self._row, self._upto, self._end = index, 0, size
                why = await self._ask(seq)
            finally:
                self._stream = None
                file.close()
            if why is not None or seq != self._number:
                return why
            if self.digest.digest() != digest:
                return "digest"
        os.rename(path + ".new", path)
        return None

    async def _ask(self, seq):
        tries = 0
        while self._upto < self._end and seq == self._number:
            at = self._upto
            self._event.clear()
            if await self._send([_WANTS, seq, self._row, at]):
                try:
                    await asyncio.wait_for_ms(self._event.wait(), _AGAIN_MS)
                except asyncio.TimeoutError:
                    pass
            else:
                await asyncio.sleep_ms(_AGAIN_MS)
            if self._failed:
                return "flash"
            tries = tries + 1 if at == self._upto else 0
            if tries > _TRIES:
                return "expired"
        return None

    def _open(self, path):
        return open(path + ".new", "wb")

    def _store(self, own, path):
        with open(own, "rb") as source:
            with self._open(path) as file:
                self._read(source, file)

    def _read(self, source, target=None):
        """The SHA-256 of a file, which is copied on the way if there is a target."""
        digest = hashlib.sha256()
        while True:
            n = source.readinto(self._raw)
            if not n:
                return digest
            digest.update(self._raw[:n])
            if target is not None:
                target.write(self._raw[:n])

    def _held(self, path, size, digest):
        """Whether the file is there, as the manifest wants it."""
        try:
            if os.stat(path)[6] != size:
                return False
            with open(path, "rb") as file:
                return self._read(file).digest() == digest
        except OSError:
            return False
