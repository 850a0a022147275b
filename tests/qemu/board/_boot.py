"""Runs at every start, also after a soft reset: the board's files are at `/`."""

import ram_flash

ram_flash.mount()
del ram_flash
