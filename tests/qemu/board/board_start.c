// What a board does at its start and this port does not: files are mounted, and main.py runs, unless a soft reset led to
// the raw REPL. (The port's main() only ever calls one of the two prompts: what happens first is put before them.)
#include <stdbool.h>

#include "shared/runtime/pyexec.h"

int __real_pyexec_raw_repl(void);
int __real_pyexec_friendly_repl(void);

static bool started;

static int then(int (*prompt)(void), bool run_main) {
    int result = 1;
    if (!started) {
        started = true;
        pyexec_frozen_module("_boot.py", false);
        result = run_main ? pyexec_file_if_exists("main.py") : 1;
    }
    if (!(result & PYEXEC_FORCED_EXIT)) {
        result = prompt();
    }
    // Anything but 0 ends this start: a soft reset follows.
    started = result == 0;
    return result;
}

int __wrap_pyexec_raw_repl(void) {
    return then(__real_pyexec_raw_repl, false);
}

int __wrap_pyexec_friendly_repl(void) {
    return then(__real_pyexec_friendly_repl, true);
}
