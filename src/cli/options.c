/* cli/options.c - see options.h */
#include "cli/options.h"

#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/nearest.h"
#include "oci/spec.h"

struct parser {
	const struct option_set *set;
	char **argv;
	int argc, i;            /* i: the argument after the one being read */
	void *target;
};

#define WORD_MAX 40

static const char *option_name_at(const void *list, size_t i)
{
	return ((const struct option *)list)[i].name;
}

/* --- parsing ------------------------------------------------------------ */

static int set_flag(const struct option *o, const char *value, bool *target, struct err *e)
{
	static const struct { const char *word; bool on; } words[] = {
		{ "true", true }, { "1", true }, { "t", true },
		{ "false", false }, { "0", false }, { "f", false },
	};

	if (!value) {
		*target = true;
		return 0;
	}
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (strcasecmp(value, words[i].word) == 0) {
			*target = words[i].on;
			return 0;
		}
	}
	return err_set(e, EINVAL, "option --%s: \"%s\" is not true or false", o->name, value);
}

static int set_uint(const struct option *o, const char *value, unsigned *target,
		    struct err *e)
{
	char *end;

	errno = 0;
	unsigned long v = strtoul(value, &end, 10);
	if (*value < '0' || *value > '9' || *end || errno || v > UINT_MAX)
		return err_set(e, EINVAL, "option --%s: \"%s\" is not a number from 0 to %u",
			       o->name, value, UINT_MAX);
	*target = (unsigned)v;
	return 0;
}

static void add_string(struct parser *p, struct oci_strv *list, const char *value)
{
	/* There cannot be more values than arguments: one allocation does. */
	if (!list->v)
		list->v = xcalloc((size_t)p->argc + 1, sizeof(*list->v));
	list->v[list->n++] = value;
}

static bool takes_value(const struct option *o)
{
	return o->kind != OPT_FLAG && o->kind != OPT_FLAG_OFF && o->kind != OPT_HELP;
}

/* value NULL: none stood with the option, the next argument is it. */
static int apply(struct parser *p, const struct option *o, const char *value, struct err *e)
{
	void *target = (char *)p->target + o->offset;

	if (o->kind == OPT_HELP)
		return 1;
	if (o->kind == OPT_FLAG)
		return set_flag(o, value, target, e);
	if (o->kind == OPT_FLAG_OFF) {
		bool on = true;
		int r = set_flag(o, value, &on, e);

		*(bool *)target = !on;
		return r;
	}
	if (!value) {
		if (p->i >= p->argc)
			return err_set(e, EINVAL, "option --%s needs a value: --%s %s",
				       o->name, o->name, o->metavar);
		value = p->argv[p->i++];
	}
	switch ((enum option_kind)o->kind) {
	case OPT_STRING:
		*(const char **)target = value;
		return 0;
	case OPT_STRINGS:
		add_string(p, target, value);
		return 0;
	case OPT_UINT:
		return set_uint(o, value, target, e);
	default:
		if (o->parse(value, target, e) < 0)
			return err_prefix(e, "option --%s", o->name);
		return 0;
	}
}

static const struct option *find_long(const struct option_set *set, const char *name,
				      size_t len)
{
	for (size_t i = 0; i < set->n; i++) {
		if (strncmp(set->v[i].name, name, len) == 0 && set->v[i].name[len] == '\0')
			return &set->v[i];
	}
	return NULL;
}

static const struct option *find_letter(const struct option_set *set, char letter)
{
	for (size_t i = 0; i < set->n; i++) {
		if (set->v[i].letter == letter)
			return &set->v[i];
	}
	return NULL;
}

static int unknown(struct parser *p, const char *arg, struct err *e)
{
	const char *word = arg + strspn(arg, "-");
	size_t len = strcspn(word, "=");
	char name[WORD_MAX + 1];

	snprintf(name, sizeof(name), "%.*s", (int)(len < WORD_MAX ? len : WORD_MAX), word);
	const char *near = len > 1 ? nearest_name(name, p->set->n, option_name_at, p->set->v)
				   : NULL;
	int shown = (int)(strcspn(arg, "="));
	if (near)
		return err_set(e, EINVAL, "unknown option %.*s; did you mean --%s?",
			       shown, arg, near);
	return err_set(e, EINVAL, "unknown option %.*s", shown, arg);
}

/* "-d", "-dt", "-u0:0", "-u=0:0", "-u 0:0" */
static int parse_letters(struct parser *p, const char *arg, struct err *e)
{
	for (const char *c = arg + 1; *c; c++) {
		const struct option *o = find_letter(p->set, *c);

		if (!o && c > arg + 1)
			return err_set(e, EINVAL, "unknown option -%c in %s", *c, arg);
		if (!o)
			return unknown(p, arg, e);
		const char *value = NULL;
		if (c[1] == '=')
			value = c + 2;
		else if (takes_value(o) && c[1])
			value = c + 1;
		int r = apply(p, o, value, e);
		if (r != 0 || value || takes_value(o))
			return r;
	}
	return 0;
}

static int parse_one(struct parser *p, const char *arg, struct err *e)
{
	bool two = arg[1] == '-';
	const char *name = arg + (two ? 2 : 1);
	size_t len = strcspn(name, "=");

	/* Go's flag package takes "-root X" for "--root X"; a letter comes second. */
	if (two || len > 1) {
		const struct option *o = find_long(p->set, name, len);
		if (o)
			return apply(p, o, name[len] ? name + len + 1 : NULL, e);
		if (two)
			return unknown(p, arg, e);
	}
	return parse_letters(p, arg, e);
}

int options_parse(const struct option_set *set, int argc, char **argv, size_t stop_after,
		  void *target, size_t *ret_n, struct err *e)
{
	struct parser p = { .set = set, .argv = argv, .argc = argc, .target = target };
	bool ended = false;
	size_t n = 0;

	while (p.i < argc) {
		char *arg = argv[p.i++];

		if (!ended && strcmp(arg, "--") == 0) {
			ended = true;
			continue;
		}
		if (ended || arg[0] != '-' || arg[1] == '\0') {
			argv[n++] = arg;
			if (stop_after && n >= stop_after)
				ended = true;
			continue;
		}
		int r = parse_one(&p, arg, e);
		if (r != 0)
			return r;
	}
	*ret_n = n;
	return 0;
}

void options_release(const struct option_set *set, void *target)
{
	for (size_t i = 0; i < set->n; i++) {
		struct oci_strv *list = (void *)((char *)target + set->v[i].offset);

		/* Two spellings (--net, --network) may share a target. */
		if (set->v[i].kind == OPT_STRINGS) {
			free(list->v);
			list->v = NULL;
		}
	}
}

/* --- help --------------------------------------------------------------- */

#define HELP_COLUMN 34

void options_print(FILE *f, const struct option_set *set)
{
	fputs("Options:\n", f);
	for (size_t i = 0; i < set->n; i++) {
		const struct option *o = &set->v[i];
		int used;

		if (o->letter)
			used = fprintf(f, "  -%c, --%s", o->letter, o->name);
		else
			used = fprintf(f, "      --%s", o->name);
		if (o->metavar)
			used += fprintf(f, " %s", o->metavar);
		if (used > HELP_COLUMN - 2) {
			fputc('\n', f);
			used = 0;
		}
		fprintf(f, "%*s%s\n", HELP_COLUMN - used, "", o->help);
	}
}
