// The port's own configuration, and what it leaves out.
#include "mpconfigport.h"

#undef MICROPY_PY_TIME
#undef MICROPY_PY_SELECT
#undef MICROPY_PY_ASYNCIO
#undef MICROPY_PY_SYS_STDIO_BUFFER
#undef MICROPY_PY_MACHINE_INCLUDEFILE
#define MICROPY_PY_TIME                     (1)
#define MICROPY_PY_SELECT                   (1)
#define MICROPY_PY_ASYNCIO                  (1)
#define MICROPY_PY_SYS_STDIO_BUFFER         (1)
#define MICROPY_PY_MACHINE_INCLUDEFILE      "board_machine.c"
#define MICROPY_PY_OS_URANDOM               (1)
#define MICROPY_PY_OS_INCLUDEFILE           "board_os.c"
#define MICROPY_PY_TIME_INCLUDEFILE         "board_time.c"
#define MICROPY_PY_TIME_TIME_TIME_NS        (1)
#define MICROPY_PY_TIME_GMTIME_LOCALTIME_MKTIME (1)

// asyncio sleeps with the processor asleep.
void board_wait(void);
#define MICROPY_INTERNAL_WFE(timeout_ms)    board_wait()

// How much of what is sent may be on its way: each time it is full both sides wait for the other.
#define MICROPY_REPL_STDIN_BUFFER_MAX       (2048)
