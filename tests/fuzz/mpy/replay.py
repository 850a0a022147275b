"""Runs on MicroPython: replay.py FIRMWARE_FOLDER TOOLS_MPY_FOLDER TARGET. Reads inputs, one a line in hex, and answers
each with a line that begins with `=`: what the board's reader made of it."""

import gc
import sys
from binascii import unhexlify

sys.path.insert(0, sys.argv[2])
sys.path.insert(0, sys.argv[1])

import board_parsers

read = board_parsers.parser(sys.argv[3], __import__)
for line in sys.stdin:
    gc.collect()
    try:
        said = read(unhexlify(line.strip()))
    except ValueError:
        said = "refused"
    except Exception as why:  # noqa: BLE001 - whatever it is, it is the answer
        said = "breaks: " + type(why).__name__ + ": " + str(why)
    print("=" + said)
