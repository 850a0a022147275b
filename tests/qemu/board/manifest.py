"""What is frozen into the image: MicroPython's asyncio, and this board's flash."""

include("$(MPY_DIR)/extmod/asyncio")  # noqa: F821
module("ram_flash.py", base_path="$(BOARD_DIR)")  # noqa: F821
