/*
 * image/progress.c - bars on a terminal, lines elsewhere.  Layer: image.
 *
 * Only two control sequences are used (ECMA-48: CUU, cursor up; EL, erase the line), and no
 * colour.  A terminal lower than the list shows its last lines: what scrolled away could not
 * be reached again.
 */
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/mem.h"
#include "image/progress.h"

#define BAR_MAX 50
#define NAME_SHOWN 12

struct item {
	char name[NAME_SHOWN + 1];
	const char *text;
	uint64_t total;
	atomic_uint_least64_t done;
};

struct progress {
	FILE *f;
	enum progress_mode mode;
	struct item *items;
	size_t n;
	size_t drawn;                   /* lines on the screen that are ours */
	pthread_mutex_t lock;
};

enum progress_mode progress_mode_of(FILE *f)
{
	const char *term = getenv("TERM");

	return isatty(fileno(f)) && term && *term && strcmp(term, "dumb") != 0 ? PROGRESS_BARS
									       : PROGRESS_LINES;
}

struct progress *progress_new(FILE *f, enum progress_mode mode)
{
	struct progress *p = xcalloc(1, sizeof(*p));

	p->f = f;
	p->mode = mode;
	/* Of default attributes this cannot fail (pthread_mutex_init(3)). */
	(void)pthread_mutex_init(&p->lock, NULL);
	return p;
}

void progress_free(struct progress *p)
{
	if (!p)
		return;
	progress_draw(p);
	pthread_mutex_destroy(&p->lock);
	free(p->items);
	free(p);
}

void progress_size(uint64_t bytes, char ret[16])
{
	static const char *const units[] = { "B", "kB", "MB", "GB", "TB", "PB", "EB" };
	double v = (double)bytes;
	size_t u = 0;

	for (; v >= 1000 && u + 1 < ARRAY_LEN(units); u++)
		v /= 1000;
	snprintf(ret, 16, "%.4g%s", v, units[u]);
}

void progress_items(struct progress *p, const char *const *name, size_t n)
{
	pthread_mutex_lock(&p->lock);
	p->items = xcalloc(n ? n : 1, sizeof(*p->items));
	for (size_t i = 0; i < n; i++) {
		/* "sha256:<hex>" is known by the first digits. */
		const char *hex = strchr(name[i], ':');

		snprintf(p->items[i].name, sizeof(p->items[i].name), "%s",
			 hex ? hex + 1 : name[i]);
	}
	p->n = n;
	pthread_mutex_unlock(&p->lock);
}

void progress_state(struct progress *p, size_t item, const char *text, uint64_t total_bytes)
{
	pthread_mutex_lock(&p->lock);
	struct item *i = &p->items[item];
	bool changed = !i->text || strcmp(i->text, text) != 0;

	i->text = text;
	i->total = total_bytes;
	if (p->mode == PROGRESS_LINES && changed) {
		fprintf(p->f, "%s: %s\n", i->name, text);
		fflush(p->f);
	}
	pthread_mutex_unlock(&p->lock);
}

void progress_at(struct progress *p, size_t item, uint64_t done_bytes)
{
	atomic_store_explicit(&p->items[item].done, done_bytes, memory_order_relaxed);
}

atomic_uint_least64_t *progress_counter(struct progress *p, size_t item)
{
	return &p->items[item].done;
}

static void draw_bar(struct progress *p, const struct item *i, size_t columns)
{
	uint64_t done = atomic_load_explicit(&i->done, memory_order_relaxed);
	char a[16], b[16], bar[BAR_MAX + 1];
	size_t fixed = strlen(i->name) + strlen(i->text) + 28;
	size_t width = columns > fixed ? columns - fixed : 0;

	if (width > BAR_MAX)
		width = BAR_MAX;
	if (done > i->total)
		done = i->total;
	size_t full = (size_t)((double)done / (double)i->total * (double)width);

	memset(bar, ' ', sizeof(bar));
	memset(bar, '=', full);
	if (full > 0 && full < width)
		bar[full - 1] = '>';
	bar[width] = '\0';
	progress_size(done, a);
	progress_size(i->total, b);
	if (width < 4)
		fprintf(p->f, "%s: %s %s/%s", i->name, i->text, a, b);
	else
		fprintf(p->f, "%s: %s [%s] %s/%s", i->name, i->text, bar, a, b);
}

static void draw_locked(struct progress *p)
{
	struct winsize w = { 0 };
	size_t rows = 24, columns = 80;

	if (p->mode != PROGRESS_BARS || p->n == 0)
		return;
	if (ioctl(fileno(p->f), TIOCGWINSZ, &w) == 0 && w.ws_row > 1 && w.ws_col > 0) {
		rows = w.ws_row;
		columns = w.ws_col;
	}
	size_t shown = p->n < rows ? p->n : rows - 1;

	if (p->drawn)
		fprintf(p->f, "\033[%zuA", p->drawn);
	for (size_t i = p->n - shown; i < p->n; i++) {
		const struct item *it = &p->items[i];

		fputs("\r\033[2K", p->f);
		if (it->text && it->total)
			draw_bar(p, it, columns);
		else if (it->text)
			fprintf(p->f, "%s: %s", it->name, it->text);
		fputc('\n', p->f);
	}
	p->drawn = shown;
	fflush(p->f);
}

void progress_draw(struct progress *p)
{
	pthread_mutex_lock(&p->lock);
	draw_locked(p);
	pthread_mutex_unlock(&p->lock);
}

void progress_line(struct progress *p, const char *fmt, ...)
{
	va_list ap;

	if (p->mode == PROGRESS_NONE)
		return;
	pthread_mutex_lock(&p->lock);
	/* Write over the bars, and draw them again below. */
	if (p->drawn)
		fprintf(p->f, "\033[%zuA\r\033[J", p->drawn);
	p->drawn = 0;
	va_start(ap, fmt);
	vfprintf(p->f, fmt, ap);
	va_end(ap);
	fputc('\n', p->f);
	fflush(p->f);
	draw_locked(p);
	pthread_mutex_unlock(&p->lock);
}
