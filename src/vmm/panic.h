#pragma once
/*
 * vmm/panic.h - the reason of a guest's panic, read off its console.  Layer: vmm.
 *
 * The pvpanic device tells that a kernel died, not why, and a kernel without its driver
 * only restarts.  Linux says why on the console: "Kernel panic - not syncing: WHY".
 */
#include <stddef.h>

#define PANIC_WHY_MAX 160

struct panic {
	char line[256];
	size_t n;
	char why[PANIC_WHY_MAX];        /* of the first; "" while there is none */
};

/* Console output as it comes.  Control bytes in *why are turned into '?'. */
void panic_feed(struct panic *p, const char *text, size_t n);
