/*
 * cgroup_systemd_property.c - "org.systemd.property.NAME" annotations.
 *
 * The value is GVariant text (glib's "GVariant Text Format"), of which runc takes
 * what a unit's properties need, and so do we:
 *
 *      'inactive'  "x"  true  false  12  uint32 12  uint64 12  int64 -1  ['a', 'b']
 *
 * A property in "...Sec" is what a unit file would say, in seconds; the bus knows
 * it as "...USec", so it is converted.
 */
#include "container/cgroup_impl.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"

static const char *skip_blank(const char *s)
{
	while (*s == ' ' || *s == '\t')
		s++;
	return s;
}

/* A quoted string, unescaped, into b with the separator ahead.  NULL if malformed. */
static const char *take_string(const char *s, struct buf *b)
{
	char quote = *s++;

	for (; *s && *s != quote; s++) {
		if (*s == '\\' && s[1])
			s++;
		/* It separates the elements for the helper. */
		if (*s == '\x1f')
			return NULL;
		buf_add(b, s, 1);
	}
	return *s ? s + 1 : NULL;
}

static int parse_array(const char *s, struct buf *b)
{
	s = skip_blank(s + 1);
	for (bool first = true; *s != ']'; first = false) {
		if (!first) {
			if (*s != ',')
				return -EINVAL;
			s = skip_blank(s + 1);
			buf_add_str(b, "\x1f");
		}
		if (*s != '\'' && *s != '"')
			return -EINVAL;
		s = take_string(s, b);
		if (!s)
			return -EINVAL;
		s = skip_blank(s);
	}
	return *skip_blank(s + 1) ? -EINVAL : 0;
}

/* "uint64 12" -> 't' and "12". */
static int parse_number(const char *s, char *ret_type, const char **ret_digits)
{
	static const struct { const char *name; char type; } types[] = {
		{ "int16", 'n' }, { "uint16", 'q' }, { "int32", 'i' }, { "uint32", 'u' },
		{ "int64", 'x' }, { "uint64", 't' },
	};
	const char *digits;

	*ret_type = 'i';
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		size_t n = strlen(types[i].name);

		if (strncmp(s, types[i].name, n) == 0 && s[n] == ' ') {
			*ret_type = types[i].type;
			s = skip_blank(s + n);
			break;
		}
	}
	digits = s + (*s == '-' || *s == '+');
	if (!*digits || digits[strspn(digits, "0123456789")])
		return -EINVAL;
	*ret_digits = s;
	return 0;
}

/* "TimeoutStopSec" of 1.5 -> "TimeoutStopUSec" of 1500000. */
static int parse_seconds(const char *name, const char *value, struct buf *b)
{
	size_t n = strlen(name) - 3;
	const char *digits = value;
	double v;
	char type, *end;

	if (isdigit((unsigned char)*value) || *value == '.') {
		v = strtod(value, &end);
		if (*end)
			return -EINVAL;
	} else if (parse_number(value, &type, &digits) == 0) {
		v = strtod(digits, NULL);
	} else {
		return -EINVAL;
	}
	if (!(v >= 0 && v < 1e12))
		return -EINVAL;
	buf_printf(b, "%.*sUSec=t:%llu", (int)n, name, (unsigned long long)llround(v * 1e6));
	return 0;
}

static bool ends_in_sec(const char *name)
{
	size_t n = strlen(name);

	/* "USec" is the bus's own name; so is a word such as "OnSec" only by chance. */
	return n > 3 && strcmp(name + n - 3, "Sec") == 0 && name[n - 4] != 'U';
}

static int parse_value(const char *name, const char *v, struct buf *b)
{
	const char *digits;
	char type;

	if (ends_in_sec(name))
		return parse_seconds(name, v, b);
	if (*v == '\'' || *v == '"') {
		buf_printf(b, "%s=s:", name);
		v = take_string(v, b);
		return v && !*skip_blank(v) ? 0 : -EINVAL;
	}
	if (*v == '[') {
		buf_printf(b, "%s=as:", name);
		return parse_array(v, b);
	}
	if (strcmp(v, "true") == 0 || strcmp(v, "false") == 0) {
		buf_printf(b, "%s=b:%s", name, v);
		return 0;
	}
	if (parse_number(v, &type, &digits) < 0)
		return -EINVAL;
	buf_printf(b, "%s=%c:%s", name, type, digits);
	return 0;
}

int cgroup_systemd_property(const char *name, const char *value, char **ret, struct err *e)
{
	struct buf b = BUF_INIT(1u << 16);
	size_t n = strlen(name);
	int r = -EINVAL;

	if (n < 3 || strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") != n)
		return err_set(e, EINVAL, "\"%s\" is not the name of a property", name);
	r = parse_value(name, skip_blank(value), &b);
	if (r < 0 || b.overflow) {
		buf_release(&b);
		return err_set(e, EINVAL, "the value %s is not a string, boolean, integer or "
			       "array of strings", value);
	}
	*ret = b.data;
	return 0;
}
