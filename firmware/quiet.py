"""What a board keeps to itself: channels that nobody may use, and all of them while it is quiet. Loaded to change it.

On flash is one line: whether it is quiet, and a digit for each channel (Appliance.use). So both hold from the first row
after a restart. A line of another number of channels tells nothing of these: then none is used until the gateway says
which may be.
"""

import os

from micropython import const

# A channel is a bit in a word of so many, which is a small integer on every board.
_BITS = const(30)


def load(appliance):
    """Makes the appliance what it was when its power went."""
    line = _read(".new")
    if line:
        # A cut came between write and rename: this is what was decided last.
        _rename()
    else:
        line = _read("")
    if line:
        count = len(appliance.use)
        known = len(line) == count + 2
        appliance.quiet = line[:1] == b"1"
        for index in range(count):
            appliance.use[index] = line[index + 1] - 48 if known else 1
        say(appliance)


def decide(appliance, args):
    """The command `use` with its arguments, words of bits: (off, unmeasured) for channels 0 to 29, then for 30 to 59,
    and so on; or None: somebody held the button, and quiet begins or ends. Returns why not, or None."""
    if args is None:
        if not appliance.quiet:
            # What was measured until now was measured for whoever may have it.
            appliance.seal()
        appliance.quiet = not appliance.quiet
        print("quiet" if appliance.quiet else "no longer quiet")
    else:
        use = check(len(appliance.use), args)
        if use is None:
            return "verb"
        if use == appliance.use:
            # Who asks again has not heard of it.
            say(appliance)
            return None
        appliance.use = use
    appliance.forget()
    say(appliance)
    _keep(appliance)
    return None


def check(count, args):
    """Appliance.use of so many channels, or None if those are not such arguments."""
    if len(args) % 2:
        return None
    for bits in args:
        if not isinstance(bits, int) or isinstance(bits, bool) or not 0 <= bits < 1 << _BITS:
            return None
    use = bytearray(len(args) // 2 * _BITS)
    for index in range(len(use)):
        at = index // _BITS * 2
        bit = 1 << index % _BITS
        use[index] = 2 if args[at + 1] & bit else 1 if args[at] & bit else 0
    if any(use[count:]):
        return None
    return bytearray(use[:count] + bytes(max(0, count - len(use))))


def say(appliance):
    """Says what is so from now on: the items of the state message behind its boot."""
    if appliance.on_use is None:
        return
    kept = []
    use = appliance.use
    for first in range(0, len(use), _BITS):
        off = unmeasured = 0
        for index in range(first, min(first + _BITS, len(use))):
            bit = 1 << index - first
            if use[index]:
                off |= bit
            if use[index] == 2:
                unmeasured |= bit
        kept += [off, unmeasured]
    while kept and not kept[-2]:
        kept = kept[:-2]
    appliance.on_use([2 if appliance.quiet else 1] + ([kept] if kept else []))


def _keep(appliance):
    try:
        with open("use" + ".new", "wb") as file:
            file.write(b"%d" % int(appliance.quiet) + bytes(48 + use for use in appliance.use) + b"\n")
    except OSError as error:
        # It holds for this life; after a restart the gateway says again which channels are used.
        print("quiet: not kept:", error)
    else:
        _rename()


def _rename():
    try:
        os.rename("use" + ".new", "use")
    except OSError:
        pass  # then it is read from there


def _read(path):
    """The line in the file of that ending; None if it is not there, or not whole."""
    try:
        with open("use" + path, "rb") as file:
            line = file.read()
    except OSError:
        return None
    # Without its end of line the file was cut while it was written.
    if not line.endswith(b"\n") or line[:-1].strip(b"012"):
        return None
    return line
