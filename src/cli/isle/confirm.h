#pragma once
/* cli/isle/confirm.h - asking before something is removed.  Layer: cli. */
#include <stdbool.h>

#include "base/err.h"

/*
 * Unless force: say what on stderr and ask on the terminal.  1 go on, 0 the answer was no.
 * -EINVAL where there is no terminal to ask on: --force is then named.
 */
MUST_CHECK int confirm(bool force, const char *what, struct err *e);
