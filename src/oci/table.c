/* oci/table.c - the walk over tables; see table.h */
#include "oci/table.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "oci/spec.h"

#define PATH_BYTES_MAX 512

static void add_step(struct buf *b, const char *key)
{
	if (key[strcspn(key, ".[]\" ")] || !*key)
		buf_printf(b, "[\"%s\"]", key);
	else
		buf_printf(b, "%s%s", b->len ? "." : "", key);
}

static void add_path(struct buf *b, const struct oci_walk *w)
{
	if (!w->up)
		return;
	add_path(b, w->up);
	if (w->key)
		add_step(b, w->key);
	else
		buf_printf(b, "[%u]", w->index);
}

int oci_walk_error(const struct oci_walk *w, const struct json_node *v, const char *key,
		   const char *fmt, ...)
{
	CLEANUP(buf_release) struct buf path = BUF_INIT(PATH_BYTES_MAX);
	char what[ERR_MSG_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	add_path(&path, w);
	if (key)
		add_step(&path, key);
	if (path.len == 0)
		return err_set(w->e, EINVAL, "%s:%u: %s", w->name, v->line, what);
	return err_set(w->e, EINVAL, "%s:%u: %s: %s", w->name, v->line, path.data, what);
}

/* An integer, for the end of a message. */
static const char *int_text(const struct json_node *v, char *s, size_t size)
{
	if (v->huge)
		snprintf(s, size, "one past 64 bits");
	else
		snprintf(s, size, "%s%" PRIu64, v->negative ? "-" : "", v->magnitude);
	return s;
}

/* 0 when v is of that kind. */
static int want_kind(const struct oci_walk *w, const struct json_node *v,
		     enum json_kind kind)
{
	if (v->kind == kind)
		return 0;
	return oci_walk_error(w, v, NULL, "expected %s, found %s", json_kind_name(kind),
			      json_kind_name(v->kind));
}

static bool absent(const struct json_node *v)
{
	return v->kind == JSON_KIND_NULL;
}

int64_t oci_name_number(const struct oci_name *names, const char *name)
{
	for (; names->name; names++)
		if (strcmp(names->name, name) == 0)
			return names->number;
	return -1;
}

static void store(void *to, unsigned width, uint64_t v)
{
	uint8_t v8 = (uint8_t)v;
	uint16_t v16 = (uint16_t)v;
	uint32_t v32 = (uint32_t)v;

	switch (width) {
	case 1: memcpy(to, &v8, 1); break;
	case 2: memcpy(to, &v16, 2); break;
	case 4: memcpy(to, &v32, 4); break;
	default: memcpy(to, &v, 8); break;
	}
}

/* A list as spec.h has them: a pointer with its count right behind it. */
static void store_list(void *to, void *v, size_t n)
{
	memcpy(to, &v, sizeof(v));
	memcpy((char *)to + sizeof(v), &n, sizeof(n));
}

/* An integer of min..max, in two's complement. */
static int read_int(const struct oci_walk *w, const struct json_node *v, int64_t min,
		    uint64_t max, uint64_t *ret)
{
	char found[32];
	int r = want_kind(w, v, JSON_KIND_INT);

	if (r < 0)
		return r;
	/* -(min + 1) + 1: INT64_MIN has no positive counterpart. */
	uint64_t lowest = min < 0 ? (uint64_t)-(min + 1) + 1 : 0;
	bool in = !v->huge && (v->negative ? v->magnitude <= lowest : v->magnitude <= max);
	if (in && min > 0)
		in = !v->negative && v->magnitude >= (uint64_t)min;
	if (!in)
		return oci_walk_error(w, v, NULL,
				      "expected an integer from %" PRId64 " to %" PRIu64
				      ", found %s", min, max, int_text(v, found, sizeof(found)));
	*ret = v->negative ? -v->magnitude : v->magnitude;
	return 0;
}

static int read_opt_int(const struct oci_walk *w, const struct oci_field *f,
			const struct json_node *v, void *to)
{
	struct opt_u64 o = { .set = true };     /* struct opt_i64 is laid out alike */
	int r = read_int(w, v, f->min, f->max, &o.v);

	if (r == 0)
		memcpy(to, &o, sizeof(o));
	return r;
}

static int read_string(const struct oci_walk *w, unsigned flags,
		       const struct json_node *v, const char **ret)
{
	int r = want_kind(w, v, JSON_KIND_STRING);

	if (r < 0)
		return r;
	if ((flags & OCI_ABSOLUTE) && v->s[0] != '/')
		return oci_walk_error(w, v, NULL, "expected an absolute path, found \"%.80s\"",
				      v->s);
	*ret = v->s;
	return 0;
}

static int read_strings(const struct oci_walk *w, const struct oci_field *f,
			const struct json_node *v, struct oci_strv *to)
{
	struct oci_walk at = { .name = w->name, .a = w->a, .e = w->e, .up = w };
	int r = want_kind(w, v, JSON_KIND_LIST);

	if (r < 0)
		return r;
	to->v = arena_calloc(w->a, (size_t)v->n + 1, sizeof(*to->v));
	to->n = 0;
	for (const struct json_node *c = v->first; c; c = c->next, at.index++) {
		r = read_string(&at, f->flags, c, &to->v[to->n++]);
		if (r < 0)
			return r;
	}
	return 0;
}

/* "expected one of a, b, c, found ..." */
static int name_error(const struct oci_walk *w, const struct oci_field *f,
		      const struct json_node *v)
{
	const struct oci_name *names = f->names;
	CLEANUP(buf_release) struct buf b = BUF_INIT(ERR_MSG_MAX);

	for (size_t i = 0; names[i].name; i++)
		buf_printf(&b, "%s%s", i ? ", " : "", names[i].name);
	if (b.len == 0)
		return oci_walk_error(w, v, NULL, "no value is defined for it, found \"%.80s\"",
				      v->s);
	return oci_walk_error(w, v, NULL, "%s%sexpected one of %s, found \"%.80s\"",
			      f->words ? f->words : "", f->words ? ": " : "", b.data, v->s);
}

static int read_name(const struct oci_walk *w, const struct oci_field *f,
		     const struct json_node *v, int64_t *ret)
{
	int r = want_kind(w, v, JSON_KIND_STRING);

	if (r < 0)
		return r;
	*ret = oci_name_number(f->names, v->s);
	return *ret < 0 ? name_error(w, f, v) : 0;
}

static int read_enum(const struct oci_walk *w, const struct oci_field *f,
		     const struct json_node *v, char *object)
{
	int64_t number;
	int r = read_name(w, f, v, &number);

	if (r < 0)
		return r;
	if (f->offset != OCI_NOWHERE)
		store(object + f->offset, f->width, (uint64_t)number);
	if (f->text != OCI_NOWHERE)
		memcpy(object + f->text, &v->s, sizeof(v->s));
	return 0;
}

static int read_flags(const struct oci_walk *w, const struct oci_field *f,
		      const struct json_node *v, void *to)
{
	struct oci_walk at = { .name = w->name, .a = w->a, .e = w->e, .up = w };
	uint64_t flags = 0;
	int64_t number;
	int r = want_kind(w, v, JSON_KIND_LIST);

	if (r < 0)
		return r;
	for (const struct json_node *c = v->first; c; c = c->next, at.index++) {
		r = read_name(&at, f, c, &number);
		if (r < 0)
			return r;
		flags |= (uint64_t)number;
	}
	if (f->offset != OCI_NOWHERE)
		memcpy(to, &flags, sizeof(flags));
	return 0;
}

static int read_ids(const struct oci_walk *w, const struct json_node *v, void *to)
{
	struct oci_walk at = { .name = w->name, .a = w->a, .e = w->e, .up = w };
	int r = want_kind(w, v, JSON_KIND_LIST);

	if (r < 0)
		return r;
	uint32_t *ids = arena_calloc(w->a, v->n, sizeof(*ids));
	for (const struct json_node *c = v->first; c; c = c->next, at.index++) {
		uint64_t id = 0;

		r = read_int(&at, c, 0, UINT32_MAX, &id);
		if (r < 0)
			return r;
		ids[at.index] = (uint32_t)id;
	}
	store_list(to, ids, v->n);
	return 0;
}

static int read_caps(const struct oci_walk *w, const struct json_node *v, void *object,
		     void *to)
{
	struct oci_walk at = { .name = w->name, .a = w->a, .e = w->e, .up = w };
	const char *name;
	uint64_t mask = 0;
	int r = want_kind(w, v, JSON_KIND_LIST);

	if (r < 0)
		return r;
	for (const struct json_node *c = v->first; c; c = c->next, at.index++) {
		r = read_string(&at, 0, c, &name);
		if (r < 0)
			return r;
		oci_caps_add(object, &mask, name, w->a);
	}
	memcpy(to, &mask, sizeof(mask));
	return 0;
}

/* OBJECTS from a list, MAP from an object whose keys go to the elements' start. */
static int read_elements(const struct oci_walk *w, const struct oci_field *f,
			 const struct json_node *v, void *to)
{
	struct oci_walk at = { .name = w->name, .a = w->a, .e = w->e, .up = w };
	bool map = f->type == OCI_MAP;
	int r = want_kind(w, v, map ? JSON_KIND_OBJECT : JSON_KIND_LIST);

	if (r < 0)
		return r;
	char *elements = arena_calloc(w->a, v->n, f->sub->size);
	for (const struct json_node *c = v->first; c; c = c->next, at.index++) {
		char *element = elements + at.index * f->sub->size;

		at.key = c->key;
		if (map)
			memcpy(element, &c->key, sizeof(c->key));
		if (map && absent(c))
			continue;
		r = oci_table_walk(&at, f->sub, c, element);
		if (r < 0)
			return r;
	}
	store_list(to, elements, v->n);
	return 0;
}

static int read_string_map(const struct oci_walk *w, const struct json_node *v,
			   struct oci_kvs *to)
{
	struct oci_walk at = { .name = w->name, .a = w->a, .e = w->e, .up = w };
	int r = want_kind(w, v, JSON_KIND_OBJECT);

	if (r < 0)
		return r;
	to->v = arena_calloc(w->a, v->n, sizeof(*to->v));
	to->n = 0;
	for (const struct json_node *c = v->first; c; c = c->next) {
		struct oci_kv *kv = &to->v[to->n++];

		at.key = kv->key = c->key;
		kv->value = "";
		r = absent(c) ? 0 : read_string(&at, 0, c, &kv->value);
		if (r < 0)
			return r;
	}
	return 0;
}

static int read_object(const struct oci_walk *w, const struct oci_field *f,
		       const struct json_node *v, char *object)
{
	if (f->type == OCI_OBJECT) {
		if (f->present != OCI_NOWHERE)
			memcpy(object + f->present, &(bool){ true }, sizeof(bool));
		return oci_table_walk(w, f->sub, v, object + f->offset);
	}
	void *fresh = arena_alloc(w->a, f->sub->size);
	memcpy(object + f->offset, &fresh, sizeof(fresh));
	return oci_table_walk(w, f->sub, v, fresh);
}

static int read_bool(const struct oci_walk *w, const struct oci_field *f,
		     const struct json_node *v, void *to)
{
	int r = want_kind(w, v, JSON_KIND_BOOL);

	if (r < 0)
		return r;
	if (f->type == OCI_BOOL)
		memcpy(to, &v->truth, sizeof(v->truth));
	else
		memcpy(to, &(struct opt_bool){ .set = true, .v = v->truth },
		       sizeof(struct opt_bool));
	return 0;
}

static int read_field(const struct oci_walk *w, const struct oci_field *f,
		      const struct json_node *v, char *object)
{
	char *to = object + f->offset;
	uint64_t number = 0;
	int r;

	switch (f->type) {
	case OCI_BOOL:
	case OCI_OPT_BOOL:
		return read_bool(w, f, v, to);
	case OCI_INT:
		r = read_int(w, v, f->min, f->max, &number);
		if (r == 0)
			store(to, f->width, number);
		return r;
	case OCI_OPT_INT:
		return read_opt_int(w, f, v, to);
	case OCI_STRING:
		return read_string(w, f->flags, v, (const char **)to);
	case OCI_ENUM:
		return read_enum(w, f, v, object);
	case OCI_FLAGS:
		return read_flags(w, f, v, to);
	case OCI_STRINGS:
		return read_strings(w, f, v, (struct oci_strv *)to);
	case OCI_IDS:
		return read_ids(w, v, to);
	case OCI_CAPS:
		return read_caps(w, v, object, to);
	case OCI_OBJECT:
	case OCI_OBJECT_NEW:
		return read_object(w, f, v, object);
	case OCI_OBJECTS:
	case OCI_MAP:
		return read_elements(w, f, v, to);
	case OCI_STRING_MAP:
		return read_string_map(w, v, (struct oci_kvs *)to);
	case OCI_IGNORED:
		return 0;
	}
	return -EINVAL;
}

/* null, and "" where a string is wanted. */
static bool unset(const struct oci_field *f, const struct json_node *v)
{
	bool string = f->type == OCI_STRING || f->type == OCI_ENUM;

	return absent(v) || (string && v->kind == JSON_KIND_STRING && v->n == 0);
}

static int check_required(const struct oci_walk *w, const struct oci_table *t,
			  const struct json_node *v, uint64_t seen)
{
	for (unsigned i = 0; t->fields[i].key; i++)
		if ((t->fields[i].flags & OCI_REQUIRED) && !(seen >> i & 1))
			return oci_walk_error(w, v, t->fields[i].key, "required, but missing");
	return 0;
}

/* The index of the field named key, or of the end of the table. */
static unsigned find_field(const struct oci_table *t, const char *key)
{
	unsigned i = 0;

	/* The first letter decides most often, without a call. */
	while (t->fields[i].key &&
	       (t->fields[i].key[0] != key[0] || strcmp(t->fields[i].key, key) != 0))
		i++;
	return i;
}

int oci_table_walk(const struct oci_walk *w, const struct oci_table *t,
		   const struct json_node *v, void *object)
{
	struct oci_walk at = { .name = w->name, .a = w->a, .e = w->e, .up = w };
	uint64_t seen = 0;              /* bit n: field n; no table has 64 fields */
	int r = want_kind(w, v, JSON_KIND_OBJECT);

	for (const struct json_node *c = v->first; r == 0 && c; c = c->next) {
		unsigned i = find_field(t, c->key);
		const struct oci_field *f = &t->fields[i];

		at.key = c->key;
		if (!f->key && t->closed)
			return oci_walk_error(&at, c, NULL, "not a property of %s", t->section);
		if (!f->key || unset(f, c))
			continue;
		seen |= 1ull << i;
		r = read_field(&at, f, c, object);
	}
	if (r == 0)
		r = check_required(w, t, v, seen);
	if (r == 0 && t->check)
		r = t->check(w, v, object);
	return r;
}
