"""What an ESP32's `machine` has beyond the unix port's: an id, a reset, and why the chip last started."""

import os
from binascii import unhexlify

from umachine import *  # noqa: F403

PWRON_RESET, HARD_RESET, WDT_RESET, DEEPSLEEP_RESET, SOFT_RESET = 1, 2, 3, 4, 5


def unique_id():
    return unhexlify(os.getenv("CHIP_ID"))


def reset_cause():
    return int(os.getenv("CHIP_CAUSE"))


def reset():
    """At once. What runs the chip sees by which signal it ended, and starts it again."""
    os.system("kill -USR1 $PPID")
    while True:
        pass
