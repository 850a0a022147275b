"""Opens the drivers of the parts in board.json. Needed once: it leaves the memory when it is done."""

import sys
import time


def open_drivers(board, _clock):
    """name -> driver, of board["parts"]: [module, name, settings] each. A part that cannot be opened is said and left
    out: its channels read as missing, and the board works on.

    Waits until the first measurement of every sensor is there (under a second, 2 s with a DHT22): else each start would
    begin with a fault that is none."""
    drivers = {}
    ready_ms = 0
    modules: list = []
    rows = board.get("parts")
    if not rows:
        print("parts: none in board.json: every channel reads as missing")
    for kind, name, settings in rows or ():
        try:
            module = __import__(kind)
            driver = module.open(settings)
            drivers[name] = driver
            if "humidity" in settings:
                from humidity import Humidity

                drivers[settings["humidity"]] = Humidity(driver)
            ready_ms = max(ready_ms, getattr(driver, "ready_ms", 0))
            modules.append(module)
        except Exception as error:
            print("parts: cannot open", name, repr(error))
    for module in modules:
        module.open = None
    time.sleep_ms(ready_ms)
    sys.modules.pop("parts", None)
    return drivers
