/* vmm/panic.c - see panic.h */
#include "vmm/panic.h"

#include <stdio.h>
#include <string.h>

#define MARK "Kernel panic - not syncing: "

static void look(struct panic *p)
{
	p->line[p->n] = 0;
	const char *at = strstr(p->line, MARK);

	if (!at || p->why[0])
		return;
	snprintf(p->why, sizeof(p->why), "%s", at + strlen(MARK));
	for (char *c = p->why; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
}

void panic_feed(struct panic *p, const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (text[i] == '\n') {
			look(p);
			p->n = 0;
		} else if (text[i] && text[i] != '\r' && p->n < sizeof(p->line) - 1) {
			p->line[p->n++] = text[i];
		}
	}
}
