"""What is frozen into the image: MicroPython's asyncio, and this board's flash with what mounts it."""

include("$(MPY_DIR)/extmod/asyncio")  # noqa: F821
module("ram_flash.py", base_path="$(BOARD_DIR)")  # noqa: F821
module("_boot.py", base_path="$(BOARD_DIR)")  # noqa: F821
