"""Runs one case of a script, in an empty folder. On a PC each case has a process; here it has a restarted board.

Returns the bytes of heap that are free with the case and what it needs loaded."""

import asyncio
import gc
import os
import sys

_HOME = "/case"


def _empty(folder):
    for entry in os.ilistdir(folder):
        path = folder + "/" + entry[0]
        if entry[1] & 0x4000:
            _empty(path)
            os.rmdir(path)
        else:
            os.remove(path)


def run(script, name):
    sys.path.insert(0, "/")
    gc.threshold(4096)  # else what is loaded lies scattered, and no large piece of the heap is left
    try:
        os.mkdir(_HOME)
    except OSError:
        _empty(_HOME)
    os.chdir(_HOME)
    try:
        import ram_file
        import sim_flash
    except ImportError:
        pass  # the case needs no flash of its own, or the board's real one holds its file
    else:
        ram_file.erase()
        sim_flash.open = ram_file.open
    case = getattr(__import__(script), name)
    gc.threshold(-1)
    gc.collect()
    free = gc.mem_free()
    result = case()
    if hasattr(result, "send"):
        asyncio.run(result)
    return free
