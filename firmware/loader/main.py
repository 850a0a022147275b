"""The board's /main.py: chooses a slot and runs the firmware in it. An update writes the slots, never this file.

What it knows is in /slot (firmware/slots.py). A slot on trial that was started twice and has not proved itself, or that
the watchdog had to end, gives way to the other.
"""

import os
import sys


def choose():
    """(slot or None, whether it is on trial)."""
    slot = other = "b"
    went = 0
    try:
        with open("/slot") as file:
            words = file.read(80).split()
        went = int(words[2])
        slot = words[0]
    except (OSError, ValueError, IndexError):
        slot = "a"
    if slot == "b":
        other = "a"
    if went > 0:
        import machine

        bitten = went > 1 and hasattr(machine, "WDT_RESET") and machine.reset_cause() == machine.WDT_RESET
        if went > 2 or bitten:
            slot, other, went = other, slot, -1
        else:
            went += 1
        words[0], words[2] = slot, str(went)
        # Counted before it is started. Where that cannot be, it might be tried for ever.
        try:
            with open("/slot.new", "w") as file:
                file.write(" ".join(words) + "\n")
            os.rename("/slot.new", "/slot")
        except OSError:
            if went > 0:
                slot, other, went = other, slot, 0
    for name in (slot, other):
        try:
            # Its manifest is written last: a slot without one is half written.
            os.stat("/" + name + "/manifest.json")
            return name, went > 0 and name == slot
        except OSError:
            pass
    return None, False


slot, trial = choose()
del choose
if slot is None:
    print("hearthgate: the firmware is not whole: hearthgate flash mends it")
else:
    sys.path.insert(0, "/" + slot)
    try:
        if trial:
            import machine

            # Before it has one of its own: it may hang at once.
            if hasattr(machine, "WDT"):
                machine.WDT(timeout=60000)
        __import__("main")
    except Exception as error:
        if not trial:
            raise
        sys.print_exception(error)
        (machine.reset if hasattr(machine, "reset") else sys.exit)()
