"""What MicroPython runs at start. All else is in modules that can be precompiled; this file cannot."""

import gc
import sys

import port
import start

board = start.make()
if board is None:
    port.halt()
# What was needed only to start leaves the memory.
del start, sys.modules["start"], port, sys.modules["port"]
gc.collect()
if board is not None:
    board.run()
