# MicroPython's qemu port on the MPS2-AN385 (Cortex-M3), with what our firmware needs of a board beside it: a clock,
# asyncio, and littlefs. The heap stays that of the port, 140 KiB. Built by tools/qemu_port.
QEMU_ARCH = arm
QEMU_MACHINE = mps2-an385

CFLAGS += -mthumb -mcpu=cortex-m3 -mfloat-abi=soft
CFLAGS += -DQEMU_SOC_MPS2
CFLAGS += -DMICROPY_HW_MCU_NAME='"Cortex-M3"'
CFLAGS += -I$(BOARD_DIR) -DMP_CONFIGFILE='"mpconfigboard.h"'

LDSCRIPT = $(BOARD_DIR)/mps2.ld
# The port's own wait for the console never sleeps, and its poll of it finds nothing: board_hal.c has better ones.
LDFLAGS += -Wl,--wrap=mp_hal_stdin_rx_chr,--wrap=mp_hal_stdio_poll
# Its prompts come at once; a board's start is put before them (board_start.c).
LDFLAGS += -Wl,--wrap=pyexec_raw_repl,--wrap=pyexec_friendly_repl

SRC_BOARD_O = shared/runtime/gchelper_native.o shared/runtime/gchelper_thumb2.o board_hal.o \
	board_start.o shared/timeutils/timeutils.o
vpath %.c $(BOARD_DIR)

MPY_CROSS_FLAGS += -march=armv7m
MICROPY_VFS_LFS2 = 1
FROZEN_MANIFEST ?= $(BOARD_DIR)/manifest.py
# Debian's source has no micropython-lib, and nothing of it is used; the build only looks for a README.md there.
MPY_LIB_DIR = $(TOP)
