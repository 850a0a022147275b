// A chip's resets and its id. The port's own reset ends QEMU. Included by extmod/modmachine.c.
#include "py/mphal.h"

// The last word of the second memory, which a reset of the processor leaves as it is and a power-on clears.
#define RESET_MARK (*(volatile uint32_t *)(0x21fffffc))
#define ASKED_FOR (0x52534554)
#define SCB_AIRCR (*(volatile uint32_t *)(0xe000ed0c))
#define AIRCR_SYSRESETREQ (0x05fa0004)

enum { PWRON_RESET = 1, HARD_RESET = 2 };

static void mp_machine_idle(void) {
}

NORETURN static void mp_machine_reset(void) {
    RESET_MARK = ASKED_FOR;
    SCB_AIRCR = AIRCR_SYSRESETREQ;
    for (;;) {
    }
}

static mp_int_t mp_machine_reset_cause(void) {
    return RESET_MARK == ASKED_FOR ? HARD_RESET : PWRON_RESET;
}

static mp_obj_t machine_unique_id(void) {
    static const byte id[6] = {0x5e, 0x00, 0x00, 0x00, 0x00, 0x32};
    return mp_obj_new_bytes(id, sizeof(id));
}
MP_DEFINE_CONST_FUN_OBJ_0(machine_unique_id_obj, machine_unique_id);

#define MICROPY_PY_MACHINE_EXTRA_GLOBALS \
    { MP_ROM_QSTR(MP_QSTR_unique_id), MP_ROM_PTR(&machine_unique_id_obj) }, \
    { MP_ROM_QSTR(MP_QSTR_PWRON_RESET), MP_ROM_INT(PWRON_RESET) }, \
    { MP_ROM_QSTR(MP_QSTR_HARD_RESET), MP_ROM_INT(HARD_RESET) },
