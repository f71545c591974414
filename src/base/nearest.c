/* base/nearest.c - see nearest.h */
#include "base/nearest.h"

#include <stdint.h>
#include <string.h>

#define WORD_MAX 40

/* Letters to insert, drop, replace or swap: optimal string alignment distance. */
static size_t distance(const char *a, const char *b)
{
	size_t la = strlen(a), lb = strlen(b);
	size_t d[3][WORD_MAX + 1];

	if (la > WORD_MAX || lb > WORD_MAX)
		return SIZE_MAX;
	for (size_t j = 0; j <= lb; j++)
		d[0][j] = j;
	for (size_t i = 1; i <= la; i++) {
		size_t *row = d[i % 3], *up = d[(i - 1) % 3], *up2 = d[(i + 1) % 3];

		row[0] = i;
		for (size_t j = 1; j <= lb; j++) {
			size_t best = up[j - 1] + (a[i - 1] != b[j - 1]);

			if (up[j] + 1 < best)
				best = up[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    up2[j - 2] + 1 < best)
				best = up2[j - 2] + 1;
			row[j] = best;
		}
	}
	return d[la % 3][lb];
}

const char *nearest_name(const char *word, size_t n,
			 const char *(*name_at)(const void *list, size_t i), const void *list)
{
	const char *nearest = NULL;
	size_t len = strlen(word), best = SIZE_MAX;

	for (size_t i = 0; i < n; i++) {
		const char *name = name_at(list, i);
		size_t d = distance(word, name);

		/* A prefix of three letters or more says what was meant. */
		if (len >= 3 && strncmp(word, name, len) == 0)
			d = 0;
		if (d < best && d * 3 <= strlen(name)) {
			best = d;
			nearest = name;
		}
	}
	return nearest;
}
