"""What MicroPython runs at start. All else is in modules that can be precompiled; this file cannot."""

import gc
import sys

# Else what is loaded lies scattered among what loading leaves, and no large piece of the heap is left.
gc.threshold(4096)
import port
from starts import begin

board = None
make = begin(port.reset_cause())
# What was needed only to start leaves the memory, each part as soon as it can.
del begin
sys.modules.pop("starts", None)
if make:
    import start

    make = start.make
    board = make()
    del start, sys.modules["start"]
else:
    import safe

    safe.make()
del make
if board is None:
    port.halt()
del port
sys.modules.pop("port", None)
gc.threshold(-1)
gc.collect()
if board is not None:
    board.run()
