// The time of day, which nobody tells this board: it counts from its start, as an ESP32 does before it has a network.
// Included by extmod/modtime.c.
#include "py/mphal.h"
#include "shared/timeutils/timeutils.h"

static mp_obj_t mp_time_localtime_get(void) {
    timeutils_struct_time_t t;
    timeutils_seconds_since_epoch_to_struct_time(mp_hal_ticks_ms() / 1000, &t);
    mp_obj_t parts[8] = {
        mp_obj_new_int(t.tm_year), mp_obj_new_int(t.tm_mon), mp_obj_new_int(t.tm_mday), mp_obj_new_int(t.tm_hour),
        mp_obj_new_int(t.tm_min), mp_obj_new_int(t.tm_sec), mp_obj_new_int(t.tm_wday), mp_obj_new_int(t.tm_yday),
    };
    return mp_obj_new_tuple(8, parts);
}

static mp_obj_t mp_time_time_get(void) {
    return mp_obj_new_int_from_uint(mp_hal_ticks_ms() / 1000);
}
