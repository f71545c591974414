/* cli/isle/output.c - see output.h */
#include "cli/isle/output.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/nearest.h"
#include "cli/isle/template.h"
#include "cli/options.h"

#define OUTPUT_BYTES_MAX (256u << 20)
#define COLUMN_GAP 3                    /* blanks between columns, as Docker's tabwriter */
#define COLUMNS_MAX 32

int output_flush(struct err *e)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return 0;
	return err_sys(e, errno ? errno : EIO, "write to standard output");
}

static int put(const struct buf *b, struct err *e)
{
	if (b->overflow)
		return err_set(e, EFBIG, "the output is larger than %u MiB: ask for less",
			       OUTPUT_BYTES_MAX >> 20);
	if (b->len)
		fwrite(b->data, 1, b->len, stdout);
	return output_flush(e);
}

/* ---- tables ------------------------------------------------------------------ */

/* Columns a terminal shows of n bytes of UTF-8: one for each first byte. */
static size_t width_of(const char *s, size_t n)
{
	size_t w = 0;

	for (size_t i = 0; i < n; i++)
		w += ((unsigned char)s[i] & 0xc0) != 0x80;
	return w;
}

/* Lines of cells that end with '\t' or '\n' become aligned; the last cell is left as it is. */
static void align(const char *text, struct buf *out)
{
	size_t width[COLUMNS_MAX] = { 0 }, column = 0;

	for (const char *p = text; *p; ) {
		size_t n = strcspn(p, "\t\n");

		if (p[n] == '\t' && column < COLUMNS_MAX && width_of(p, n) > width[column])
			width[column] = width_of(p, n);
		column = p[n] == '\t' ? column + 1 : 0;
		p += n + (p[n] != '\0');
	}
	column = 0;
	for (const char *p = text; *p; ) {
		size_t n = strcspn(p, "\t\n");

		buf_add(out, p, n);
		if (p[n] == '\t') {
			size_t want = column < COLUMNS_MAX ? width[column] : 0;

			for (size_t w = width_of(p, n); w < want + COLUMN_GAP; w++)
				buf_add_str(out, " ");
			column++;
		} else {
			buf_add_str(out, "\n");
			column = 0;
		}
		p += n + (p[n] != '\0');
	}
}

/* A cell holds one line and no tab, whatever an image or a user put into a name. */
static void add_cell(struct buf *b, const json_t *v)
{
	char number[32];
	const char *s = json_string_value(v);

	if (json_is_integer(v)) {
		snprintf(number, sizeof(number), "%lld", (long long)json_integer_value(v));
		s = number;
	} else if (json_is_boolean(v)) {
		s = json_is_true(v) ? "true" : "false";
	}
	for (; s && *s; s++)
		buf_add(b, (unsigned char)*s < ' ' ? " " : s, 1);
}

static int print_table(const struct output_column *columns, size_t n, const json_t *rows,
		       struct err *e)
{
	CLEANUP(buf_release) struct buf cells = BUF_INIT(OUTPUT_BYTES_MAX);
	CLEANUP(buf_release) struct buf out = BUF_INIT(OUTPUT_BYTES_MAX);
	json_t *row;
	size_t i;

	for (size_t c = 0; c < n; c++)
		buf_printf(&cells, "%s%s", columns[c].title, c + 1 < n ? "\t" : "\n");
	json_array_foreach(rows, i, row) {
		for (size_t c = 0; c < n; c++) {
			add_cell(&cells, json_object_get(row, columns[c].field));
			buf_add_str(&cells, c + 1 < n ? "\t" : "\n");
		}
	}
	align(cells.data ? cells.data : "", &out);
	return put(&out, e);
}

/* ---- --format ------------------------------------------------------------------- */

/* What a shell leaves of "\t" and "\n" is written out, as Docker does. */
static char *unescape(const char *s)
{
	char *copy = xstrdup(s), *to = copy;

	for (; *s; s++) {
		if (s[0] == '\\' && (s[1] == 't' || s[1] == 'n')) {
			*to++ = s[1] == 't' ? '\t' : '\n';
			s++;
		} else {
			*to++ = *s;
		}
	}
	*to = '\0';
	return copy;
}

/* The heading of a table by template: each field's column title in its place. */
static int add_heading(const char *format, const struct output_column *columns, size_t n,
		       struct buf *out, struct err *e)
{
	CLEANUP_JSON json_t *titles = json_object();

	/* Fields without a column are headed by their own name, in capitals. */
	for (const char *p = format; (p = strstr(p, "{{")); p += 2) {
		const char *dot = p + 2 + strspn(p + 2, "- ");
		size_t len = *dot == '.' ? strcspn(dot + 1, " .}|)") : 0;
		CLEANUP_FREE char *name = xasprintf("%.*s", (int)len, dot + 1);
		CLEANUP_FREE char *title = xstrdup(name);

		for (char *c = title; *c; c++)
			*c = *c >= 'a' && *c <= 'z' ? (char)(*c - 32) : *c;
		if (len)
			json_object_set_new(titles, name, json_string(title));
	}
	for (size_t i = 0; i < n; i++)
		json_object_set_new(titles, columns[i].field, json_string(columns[i].title));
	int r = template_run(format, titles, out, e);
	buf_add_str(out, "\n");
	return r;
}

static int print_template(const char *format, const struct output_column *columns, size_t n,
			  const json_t *rows, struct err *e)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT(OUTPUT_BYTES_MAX);
	CLEANUP(buf_release) struct buf out = BUF_INIT(OUTPUT_BYTES_MAX);
	bool table = strncmp(format, "table ", 6) == 0;
	CLEANUP_FREE char *f = unescape(table ? format + 6 : format);
	json_t *row;
	size_t i;
	int r = table ? add_heading(f, columns, n, &text, e) : 0;

	if (r < 0)
		return r;
	json_array_foreach(rows, i, row) {
		r = template_run(f, row, &text, e);
		if (r < 0)
			return r;
		buf_add_str(&text, "\n");
	}
	if (!table)
		return put(&text, e);
	align(text.data ? text.data : "", &out);
	return put(&out, e);
}

static int print_json_lines(const json_t *rows, struct err *e)
{
	CLEANUP(buf_release) struct buf out = BUF_INIT(OUTPUT_BYTES_MAX);
	json_t *row;
	size_t i;

	json_array_foreach(rows, i, row) {
		json_add(&out, row, JSON_COMPACT);
		buf_add_str(&out, "\n");
	}
	return put(&out, e);
}

int output_rows(const struct output_style *s, const struct output_column *columns, size_t n,
		const json_t *rows, struct err *e)
{
	json_t *row;
	size_t i;

	if (s->quiet && s->quiet_field) {
		json_array_foreach(rows, i, row)
			printf("%s\n", json_string_value(json_object_get(row, s->quiet_field)));
		return output_flush(e);
	}
	if (!s->format || !*s->format || strcmp(s->format, "table") == 0)
		return print_table(columns, n, rows, e);
	if (strcmp(s->format, "json") == 0)
		return print_json_lines(rows, e);
	return print_template(s->format, columns, n, rows, e);
}

int output_objects(const char *format, const json_t *objects, struct err *e)
{
	CLEANUP(buf_release) struct buf out = BUF_INIT(OUTPUT_BYTES_MAX);

	if (format && *format && strcmp(format, "json") != 0)
		return print_template(format, NULL, 0, objects, e);
	if (format && *format)
		return print_json_lines(objects, e);
	json_add(&out, objects, JSON_INDENT(4));
	buf_add_str(&out, "\n");
	return put(&out, e);
}

/* ---- filters ----------------------------------------------------------------------- */

static const char *filter_name_at(const void *list, size_t i)
{
	return ((const struct output_filter *)list)[i].key;
}

static int unknown_filter(const char *text, int n_key, const struct output_filter *known, size_t n,
			  struct err *e)
{
	CLEANUP_FREE char *key = xasprintf("%.*s", n_key, text);
	CLEANUP(buf_release) struct buf all = BUF_INIT(4096);
	const char *near = nearest_name(key, n, filter_name_at, known);

	if (near)
		return err_set(e, EINVAL, "--filter: unknown key \"%s\"; did you mean \"%s\"?",
			       key, near);
	for (size_t i = 0; i < n; i++)
		buf_printf(&all, "%s%s", i ? ", " : "", known[i].key);
	return err_set(e, EINVAL, "--filter: unknown key \"%s\"; there are: %s", key, all.data);
}

/* Filters of one key are alternatives, those of different keys must all hold: Docker's rule. */
static int row_matches(const struct oci_strv *filters, const struct output_filter *f,
		       const json_t *row)
{
	size_t n_key = strlen(f->key);
	bool asked = false;

	for (size_t i = 0; i < filters->n; i++) {
		const char *text = filters->v[i];

		if (strncmp(text, f->key, n_key) != 0 || text[n_key] != '=')
			continue;
		int r = f->match(row, text + n_key + 1);
		if (r != 0)
			return r;
		asked = true;
	}
	return !asked;
}

static bool has_key(const struct output_filter *known, size_t n, const char *text, size_t n_key)
{
	for (size_t k = 0; k < n; k++)
		if (strlen(known[k].key) == n_key && memcmp(known[k].key, text, n_key) == 0)
			return true;
	return false;
}

int output_filter(const struct oci_strv *filters, const struct output_filter *known, size_t n,
		  json_t *rows, struct err *e)
{
	for (size_t i = 0; i < filters->n; i++) {
		const char *text = filters->v[i], *eq = strchr(text, '=');

		if (!eq)
			return err_set(e, EINVAL, "--filter \"%s\": KEY=VALUE was expected", text);
		if (!has_key(known, n, text, (size_t)(eq - text)))
			return unknown_filter(text, (int)(eq - text), known, n, e);
	}
	for (size_t i = json_array_size(rows); i-- > 0; ) {
		int keep = 1;

		for (size_t k = 0; k < n && keep > 0; k++)
			keep = row_matches(filters, &known[k], json_array_get(rows, i));
		if (keep < 0)
			return err_set(e, -keep, "--filter: a value is not what its key takes");
		if (!keep)
			json_array_remove(rows, i);
	}
	return 0;
}

/* ---- words --------------------------------------------------------------------------- */

char *output_duration(int64_t s)
{
	static const struct { int64_t below, unit; const char *name; } steps[] = {
		{ 60, 1, "seconds" }, { 120, 0, "About a minute" }, { 46 * 60, 60, "minutes" },
		{ 90 * 60, 0, "About an hour" }, { 48 * 3600, 3600, "hours" },
		{ 14 * 86400, 86400, "days" }, { 60 * 86400, 7 * 86400, "weeks" },
		{ 730 * 86400LL, 30 * 86400, "months" },
	};

	if (s < 1)
		return xstrdup("Less than a second");
	if (s == 1)
		return xstrdup("1 second");
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		if (s >= steps[i].below)
			continue;
		if (!steps[i].unit)
			return xstrdup(steps[i].name);
		return xasprintf("%lld %s", (long long)(s / steps[i].unit), steps[i].name);
	}
	return xasprintf("%lld years", (long long)(s / (365 * 86400LL)));
}

static char *scaled(uint64_t bytes, double base, int digits, const char *const *units, size_t n)
{
	double v = (double)bytes;
	size_t i = 0;

	/* Half below, or three digits would round up to "1e+03". */
	while (v >= base - 0.5 && i + 1 < n) {
		v /= base;
		i++;
	}
	return xasprintf("%.*g%s", digits, v, units[i]);
}

/* Docker's listings show three digits of sizes and four of memory. */
char *output_size(uint64_t bytes)
{
	static const char *const units[] = { "B", "kB", "MB", "GB", "TB", "PB" };

	return scaled(bytes, 1000.0, 3, units, ARRAY_LEN(units));
}

char *output_size_binary(uint64_t bytes)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB" };

	return scaled(bytes, 1024.0, 4, units, ARRAY_LEN(units));
}
