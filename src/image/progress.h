#pragma once
/*
 * image/progress.h - what a user sees while layers move: bars on a terminal, else lines.
 * Layer: image.
 *
 *	PROGRESS_BARS   one line a layer, redrawn in place about ten times a second
 *	PROGRESS_LINES  one line for each change of state
 *	PROGRESS_NONE   nothing
 *
 * All goes to one stream, which is not for data.  Any thread may call; only the thread that
 * waits for the others draws.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum progress_mode { PROGRESS_NONE, PROGRESS_LINES, PROGRESS_BARS };

struct progress;

/* BARS when f is a terminal that is not "dumb", else LINES. */
enum progress_mode progress_mode_of(FILE *f);
/* f is borrowed. */
struct progress *progress_new(FILE *f, enum progress_mode mode);
/* Draw the last state and stop; NULL is accepted. */
void progress_free(struct progress *p);
static inline void progress_cleanup(struct progress **p)
{
	progress_free(*p);
}
#define CLEANUP_PROGRESS __attribute__((cleanup(progress_cleanup)))

/* The items, all at once: name[i] is copied.  Numbered from 0. */
void progress_items(struct progress *p, const char *const *name, size_t n);
/* text is static: "Downloading".  With a total > 0 the item has a bar. */
void progress_state(struct progress *p, size_t item, const char *text, uint64_t total_bytes);
/* Bytes done of the total; cheap. */
void progress_at(struct progress *p, size_t item, uint64_t done_bytes);
/* Where the item's bytes done are counted, by others than progress_at(). */
atomic_uint_least64_t *progress_counter(struct progress *p, size_t item);
/* A line of its own, above the bars. */
void progress_line(struct progress *p, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void progress_draw(struct progress *p);
/* "12.3MB": powers of 1000, as Docker writes sizes. */
void progress_size(uint64_t bytes, char ret[16]);
