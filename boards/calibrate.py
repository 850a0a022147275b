"""What every sensor of a board reads, for who calibrates it: mpremote runs this on the board (CALIBRATING.md)."""

import json
import sys
import time

_LOOKS = 20
_PAUSE_MS = 500

try:
    with open("/slot") as file:
        slot = file.read(1)  # an update over the air may have taken the other one
except OSError:
    slot = "a"
sys.path.insert(0, "/" + slot)
with open("/board.json") as file:
    board = json.load(file)
drivers = __import__(board["drivers"]).open_drivers(board, None)
sensors = [(name, driver, []) for name, driver in sorted(drivers.items()) if hasattr(driver, "sample")]
print("measuring for", _LOOKS * _PAUSE_MS // 1000, "s")
for _ in range(_LOOKS):
    for _, driver, raws in sensors:
        driver.sample()
        if getattr(driver, "raw", None) is not None:
            raws.append(driver.raw)
    time.sleep_ms(_PAUSE_MS)
for name, driver, raws in sensors:
    value = driver.sample()
    print(name + ":", "nothing" if value is None else value, end="")
    print(", raw %d (%d to %d)" % (sum(raws) // len(raws), min(raws), max(raws)) if raws else "")
