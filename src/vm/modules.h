#pragma once
/*
 * vm/modules.h - which files of a kernel's modules a guest needs, in which order.  Layer: vm.
 *
 * Reads modules.dep and modules.builtin of depmod(8) (modules.dep(5): "file: file ...", each
 * relative to the directory; what a file needs stands after it, the farthest last).  These
 * come from a package or a user: they are not trusted.  A path that leaves the directory is
 * refused, and so is a compressed module, which the guest's agent cannot be sure to load.
 */
#include <stddef.h>

#include "base/err.h"

#define MODULES_MAX 256                 /* in one list */

struct modules {
	char **path;                    /* relative to the directory; each once */
	size_t n;
};

void modules_release(struct modules *m);

/*
 * Add module `name` ('-' and '_' are the same) and, before it, what it needs.  dep and builtin
 * are those files' text, terminated, NULL for none.  A module that is built in adds nothing.
 * -ENOENT: this kernel has neither; -EPROTO, -EOPNOTSUPP (compressed), -E2BIG.
 */
MUST_CHECK int modules_add(struct modules *m, const char *name, const char *dep,
			   const char *builtin, struct err *e);
