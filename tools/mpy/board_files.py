"""The files that a board reads at its start. Runs under CPython and on MicroPython, in the folder that is current."""

import os

DEVICE = "5e0000000001"
LAST = (0xFFFFFFFF, 0xFFFFFFFF)


def records(data):
    """The records in an input: a byte that says what it is, two that say how long, and as many as there are of them."""
    at = 0
    while at + 3 <= len(data):
        end = at + 3 + (data[at + 1] << 8 | data[at + 2])
        yield data[at], data[at + 3 : end]
        at = end


def config(load):
    """board.json."""
    module = load("config")

    def read(data):
        with open("board.json", "wb") as file:
            file.write(data)
        made = module.load("board.json", DEVICE)
        return "%s %d channels, every %d ms" % (made.device, len(made.channels), made.step_ms)

    return read


def counter(load):
    """A counter that outlives restarts."""
    journal = load("journal")

    def read(data):
        with open("counter", "wb") as file:
            file.write(data)
        kept = journal.Counter("counter")
        before = kept.value
        kept.store(before + 1)
        if journal.Counter("counter").value != before + 1:
            raise RuntimeError("the counter does not grow")
        return str(before)

    return read


def _written(segments, data):
    """(the segment that an input describes, whether a board could have written its records). Kinds: 0 and 1 a record
    with a right CRC, of which the first eight bytes are boot and seq (1 = it matters); any other the bytes as they
    are."""
    written, places = b"", [(1, 0)]
    for kind, content in records(data):
        if kind < 2 and len(content) >= 8:
            boot, seq = int.from_bytes(content[:4], "big"), int.from_bytes(content[4:8], "big")
            written += segments.record(boot, seq, content[8:], bool(kind))
            places.append((boot, seq))
        else:
            written += content
    ours = all(a < b and b[1] for a, b in zip(places, places[1:])) and places[-1] < LAST
    return written, ours


def segments(load):
    """A segment of the journal on flash, and one behind it."""
    module = load("segments")
    last = module.record(LAST[0], LAST[1], b"the last", True)

    def read(data):
        _empty("journal")
        written, ours = _written(module, data)
        for number, content in ((3, written), (4, last)):
            with open("journal/%d" % number, "wb") as file:
                file.write(content)
        found = module.Segments("journal")
        place, seen = (0, 0), []
        while True:
            frame = found.after(*place)
            if frame is None:
                break
            if frame[:2] <= place:
                raise RuntimeError("frames come out of order")
            place = frame[:2]
            seen.append("%d.%d:%d" % (frame[0], frame[1], len(frame[2])))
        counted = found.frames
        for boot in sorted({int(name.split(".")[0]) for name in seen}):
            found.ack(boot, 0xFFFFFFFF)
        if ours:
            if place != LAST:
                raise RuntimeError("what lies behind a bad record is lost")
            if counted != len(seen):
                raise RuntimeError("%d frames are counted and %d are there" % (counted, len(seen)))
            if found.frames or found.after(0, 0) is not None:
                raise RuntimeError("what was confirmed is still there")
        return "cut %d, %s" % (found.cut, " ".join(seen))

    return read


def _empty(folder):
    try:
        os.mkdir(folder)
    except OSError:
        for entry in os.ilistdir(folder):
            os.remove(folder + "/" + entry[0])
