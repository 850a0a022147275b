"""Starts the unix port as a chip starts: flash mounted at /, a `machine` of its own, then main.py and the prompt.

Its settings are in the environment, where what runs on the chip does not trip over them: CHIP_ID, CHIP_CAUSE (of the
last reset), CHIP_IMAGE (the flash, as a file), CHIP_BLOCKS, CHIP_MAIN (1: run main.py), CHIP_CUT (bytes that the flash
still takes before the power goes; -1: it stays), CHIP_WIFI (the network in reach; a chip without it has no radio).
"""

import sys


def start():
    import gc
    import os

    import sim_flash
    import vfs

    __import__("machine")  # loaded before the machine's own files are out of reach
    if os.getenv("CHIP_WIFI"):
        __import__("ntptime")
    flash = sim_flash.Flash(os.getenv("CHIP_IMAGE"), int(os.getenv("CHIP_BLOCKS")))
    if not flash.formatted():
        vfs.VfsLfs2.mkfs(flash)
    cut = int(os.getenv("CHIP_CUT"))
    if cut >= 0:
        flash.cut_after(cut)
    try:
        vfs.umount("/")
    except OSError:
        pass
    vfs.mount(vfs.VfsLfs2(flash), "/")
    os.chdir("/")
    sys.path[:] = ["", ".frozen", "/lib"]
    gc.collect()
    if os.getenv("CHIP_MAIN") != "1":
        return None
    try:
        with open("main.py") as file:
            return compile(file.read(), "main.py", "exec")
    except OSError:
        return None


while True:
    try:
        main = start()
        break
    except KeyboardInterrupt:  # a chip is not interrupted before it is up
        pass
del start, sys.modules["sim_flash"]
if main is not None:
    try:
        exec(main)
    except SystemExit:
        raise
    except BaseException as error:
        sys.print_exception(error)
