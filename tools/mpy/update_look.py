"""Prints what is on a copy of a board's flash: slots, choice, and the frames that its journal holds. Takes its broker
away from it.

    micropython update_look.py IMAGE BLOCKS FIRMWARE_FOLDER
"""

import hashlib
import json
import os
import sys

image, blocks, firmware = sys.argv[1:]
sys.path.insert(0, firmware)
sys.path.insert(0, firmware + "/../boards/sim")

import sim_flash
import vfs
from segments import Segments


def whole(slot):
    """The firmware's files as its manifest names them: "whole", "half" without a manifest, else what is wrong."""
    try:
        with open(slot + "/manifest.json") as file:
            files = json.load(file)["files"]
    except OSError:
        return "half"
    for name, digest in files.items():
        try:
            with open(slot + "/" + name, "rb") as file:
                if hashlib.sha256(file.read()).digest().hex() != digest:
                    return "differs: " + name
        except OSError:
            return "missing: " + name
    return "whole"


flash = sim_flash.Flash(image, int(blocks))
vfs.mount(vfs.VfsLfs2(flash), "/flash")
os.chdir("/flash")
slots = {slot: whole(slot) for slot in "ab"}
try:
    with open("slot") as file:
        choice = file.read()
except OSError:
    choice = ""
found = Segments("frames", 262144)
frames = []
entry = found.after(0, 0)
while entry is not None:
    frames.append(entry[:2])
    entry = found.after(entry[0], entry[1])
# Its twin comes up without a broker: what it says would be taken for the board's.
with open("board.json") as file:
    table = json.load(file)
table["mqtt"]["port"] = 9
with open("board.json", "w") as file:
    json.dump(table, file)
print(json.dumps({"slots": slots, "choice": choice, "frames": frames}))
