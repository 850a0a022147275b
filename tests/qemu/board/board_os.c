// Random bytes for what only has to differ, such as a pause before the next attempt: this machine has no source of any
// that nobody could guess. Included by extmod/modos.c.
#include "py/mphal.h"
#include "py/objstr.h"

static mp_obj_t mp_os_urandom(mp_obj_t num) {
    static uint32_t state;
    state ^= mp_hal_ticks_us() | 1;
    vstr_t vstr;
    vstr_init_len(&vstr, mp_obj_get_int(num));
    for (size_t i = 0; i < vstr.len; i++) {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        vstr.buf[i] = state >> 24;
    }
    return mp_obj_new_bytes_from_vstr(&vstr);
}
static MP_DEFINE_CONST_FUN_OBJ_1(mp_os_urandom_obj, mp_os_urandom);
