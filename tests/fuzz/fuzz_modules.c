/* Fuzz target: modules.dep of a kernel, a NUL, modules.builtin. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "vm/modules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP_FREE char *text = xmalloc(size + 2);
	struct modules m = { 0 };
	struct err e = { 0 };

	memcpy(text, data, size);
	text[size] = text[size + 1] = '\0';
	int r = modules_add(&m, "virtio_mmio", text, text + strlen(text) + 1, &e);
	if (r == 0)
		r = modules_add(&m, "fuse", text, NULL, &e);
	for (size_t i = 0; i < m.n; i++)
		assert(m.path[i][0] != '/' && !strstr(m.path[i], "/../") &&
		       strncmp(m.path[i], "../", 3) != 0);
	modules_release(&m);
	return r == 1;
}
