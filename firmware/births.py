"""What the board was in earlier boots: a boot that never met the gateway was never introduced, and its frames can be
on flash all the same. Loaded only when it is needed.

On flash are two births, each of the first boot that was so: what the board is now, and what it was before.
"""

import os

import cbor

_NOW = "birth"
_BEFORE = "birth.old"


def remember(mac, sealed):
    """Keeps this boot's sealed birth, unless the one that is kept says the same of the board."""
    known = _read(mac, _NOW)
    try:
        if known is not None:
            if known[2:] != cbor.loads(mac.open(b"birth", sealed))[2:]:
                os.rename(_NOW, _BEFORE)
            elif mac.old is None:
                return
            else:  # as it was, but under the key that stays
                sealed = mac.seal(b"birth", cbor.dumps(known))
        with open(_NOW, "wb") as file:
            file.write(sealed)
    except OSError as error:
        print("births:", error)


def sealed_birth(mac, boot):
    """The sealed birth of an earlier boot, the same bytes as then; None if that is not known."""
    for path in (_NOW, _BEFORE):
        items = _read(mac, path)
        if items is not None and items[1] <= boot:
            items[1] = boot
            return mac.seal(b"birth", cbor.dumps(items))
    return None


def _read(mac, path):
    """The items of the birth in that file; None if there is none, or it is broken or of another key."""
    try:
        with open(path, "rb") as file:
            sealed = file.read()
        try:
            return cbor.loads(mac.open(b"birth", sealed))
        except ValueError:
            return None if mac.old is None else _read(mac.old, path)
    except (OSError, ValueError, IndexError):
        return None
