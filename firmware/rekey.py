"""The board's next key: told by a command, used from the next start on (gateway/wire/rekey.py). Loaded only for that.

On flash, in the file `key`: the key of board.json that it follows (`for`, a digest), the key, and as long as frames of
earlier boots may be sealed with it, the one before (`old`), or after flashing (gateway/flash/keys.py) all those before,
the newest first.
"""

import hashlib
import json
import os
from binascii import hexlify, unhexlify

from mac import Mac0

_PATH = "key"


def load(config):
    """The Mac0 of the key that holds now. Its `old` is that of the key before, or None, and so on. Where board.json has
    the password that follows from its key, config.mqtt gets those of the first two: the broker may know either."""
    mac = first = Mac0(config.key)
    table = _read()
    if table is None or table["for"] != _name(config.key):
        return mac
    mac = Mac0(unhexlify(table["key"]))
    before = unhexlify(table.get("old", ""))
    for at in range(len(before), 0, -32):
        older = Mac0(before[at - 32 : at])
        older.old = mac.old
        mac.old = older
    mqtt = config.mqtt
    if mqtt.password is not None and mqtt.password == _password(first):
        mqtt.password = [_password(each) for each in (mac, mac.old) if each is not None]
    return mac


def take(board, args):
    """The command `rekey` with its argument. Keeps the next key, and has the board start again with it. Returns None,
    or why not."""
    mac, appliance = board.link.mac, board.appliance
    if mac.old is not None:
        return "busy"
    why = appliance.may_update()
    if why is not None:
        return why
    try:
        said = unhexlify(args[0])
        if len(args) != 1 or len(said) != 48 or hexlify(said).decode() != args[0]:
            return "form"
    except (ValueError, TypeError, IndexError):
        return "form"
    pad = _hmac(mac, b"hearthgate/1 next key" + board.link.topic[5:17].encode() + said[:16])
    key = bytes(b ^ 0x36 for b in memoryview(mac.inner)[:32])
    table = _read()
    follows = _name(key) if table is None or unhexlify(table["key"]) != key else table["for"]
    following = bytes(a ^ b for a, b in zip(said[16:], pad))
    try:
        _write({"for": follows, "key": hexlify(following).decode(), "old": hexlify(key).decode()})
    except OSError as error:
        print("rekey:", error)
        return "flash"
    appliance.reboot_asked = True
    return None


def seal(mac, payload):
    """A frame of an earlier boot, sealed with the key that holds now."""
    old = mac.old
    while old is not None:
        try:
            return mac.seal(b"up", old.open(b"up", payload))
        except (ValueError, IndexError):
            old = old.old
    return payload  # of this key already


def settle(mac, journal, boot):
    """The gateway knows the key that holds now. Forgets those before, once no frame is left that needs one."""
    entry = journal.after(0, 0) if journal.held else (boot,)
    if entry is None or entry[0] != boot:
        return
    try:
        table = _read()
        if table is not None:
            table.pop("old", None)
            _write(table)
        mac.old = None
    except OSError as error:
        print("rekey:", error)  # the next ack tries again


def _read():
    """What the file holds, or None."""
    try:
        with open(_PATH) as file:
            return json.load(file)
    except (OSError, ValueError):
        return None


def _write(table):
    """A cut leaves the old file or the new one."""
    with open(_PATH + ".new", "w") as file:
        json.dump(table, file)
    os.rename(_PATH + ".new", _PATH)


def _hmac(mac, data):
    """HMAC-SHA-256, whole."""
    inner = hashlib.sha256(mac.inner)
    inner.update(data)
    outer = hashlib.sha256(mac.outer)
    outer.update(inner.digest())
    return outer.digest()


def _password(mac):
    """What the broker knows a device by (gateway/broker/access.py)."""
    return hexlify(_hmac(mac, b"hearthgate/1 mqtt password")).decode()


def _name(key):
    return hexlify(hashlib.sha256(key).digest()[:8]).decode()
