/* cli/isle/ps_filter.c - see ps_filter.h */
#include "cli/isle/ps_filter.h"

#include <errno.h>
#include <regex.h>
#include <string.h>

#include "base/mem.h"
#include "base/nearest.h"
#include "cli/values.h"

struct query {
	struct engine *eng;
	const char *value;
	/* What the value names, where it names something. */
	struct instance other;          /* before, since */
	struct image image;             /* ancestor */
	regex_t regex;                  /* name, id */
	int64_t number;                 /* exited */
	struct arena arena;
};

struct key {
	const char *name;
	bool every;                     /* all values must match, not one of them */
	int (*prepare)(struct query *q, struct err *e);         /* or NULL */
	bool (*match)(const struct query *q, const struct instance *in);
	void (*release)(struct query *q);                       /* or NULL */
};

/* --- what the keys mean ----------------------------------------------------- */

static int prepare_regex(struct query *q, struct err *e)
{
	/* Docker takes Go's expressions; what people write, ^name$, is the same in POSIX's. */
	if (regcomp(&q->regex, q->value, REG_EXTENDED | REG_NOSUB) != 0)
		return err_set(e, EINVAL, "\"%s\" is not a regular expression", q->value);
	return 0;
}

static void release_regex(struct query *q)
{
	regfree(&q->regex);
}

static bool match_name(const struct query *q, const struct instance *in)
{
	CLEANUP_FREE char *slashed = xasprintf("/%s", in->name);

	return regexec(&q->regex, in->name, 0, NULL, 0) == 0 ||
	       regexec(&q->regex, slashed, 0, NULL, 0) == 0;
}

static bool match_id(const struct query *q, const struct instance *in)
{
	return regexec(&q->regex, in->id, 0, NULL, 0) == 0;
}

static bool match_label(const struct query *q, const struct instance *in)
{
	size_t len = strcspn(q->value, "=");

	for (size_t i = 0; i < in->config.labels.n; i++) {
		const struct oci_kv *l = &in->config.labels.v[i];

		if (strlen(l->key) == len && memcmp(l->key, q->value, len) == 0)
			return !q->value[len] || strcmp(l->value, q->value + len + 1) == 0;
	}
	return false;
}

static int prepare_status(struct query *q, struct err *e)
{
	static const char *const words[] = {
		"created", "running", "paused", "restarting", "exited", "dead", "removing",
	};

	return value_choice(q->value, words, ARRAY_LEN(words), e);
}

static bool match_status(const struct query *q, const struct instance *in)
{
	return strcmp(q->value, instance_state_name(in->status.state)) == 0;
}

static int prepare_exited(struct query *q, struct err *e)
{
	return value_i64(q->value, &q->number, e);
}

static bool match_exited(const struct query *q, const struct instance *in)
{
	return in->status.state == INSTANCE_EXITED && in->status.exit_code == q->number;
}

static int prepare_health(struct query *q, struct err *e)
{
	static const char *const words[] = { "starting", "healthy", "unhealthy", "none" };

	return value_choice(q->value, words, ARRAY_LEN(words), e);
}

static bool match_health(const struct query *q, const struct instance *in)
{
	const char *health = in->status.health ? in->status.health : "";

	return strcmp(q->value, *health ? health : "none") == 0;
}

static int prepare_other(struct query *q, struct err *e)
{
	return instance_find(q->eng, q->value, false, &q->other, e);
}

static void release_other(struct query *q)
{
	instance_release(&q->other);
}

static bool match_before(const struct query *q, const struct instance *in)
{
	return in->created_ns < q->other.created_ns;
}

static bool match_since(const struct query *q, const struct instance *in)
{
	return in->created_ns > q->other.created_ns;
}

/* An image that is not there has no children: an empty list, not an error. */
static int prepare_ancestor(struct query *q, struct err *e)
{
	int r = image_find(&q->eng->store, q->value, &q->arena, &q->image, e);

	return r == -ENOENT ? 0 : r;
}

/* The image itself, or one whose layers begin with all of its. */
static bool match_ancestor(const struct query *q, const struct instance *in)
{
	struct arena a = { 0 };
	struct image own;
	bool match = false;

	if (!q->image.id || !in->image_id)
		return false;
	if (strcmp(q->image.id, in->image_id) == 0)
		return true;
	if (image_find(&q->eng->store, in->image_id, &a, &own, NULL) >= 0) {
		match = q->image.n_layers && own.n_layers >= q->image.n_layers;
		for (size_t i = 0; match && i < q->image.n_layers; i++)
			match = strcmp(own.diff_ids[i], q->image.diff_ids[i]) == 0;
	}
	arena_release(&a);
	return match;
}

static bool match_volume(const struct query *q, const struct instance *in)
{
	for (size_t i = 0; i < in->config.n_mounts; i++) {
		const struct instance_mount *m = &in->config.mounts[i];

		if ((m->source && strcmp(m->source, q->value) == 0) ||
		    strcmp(m->target, q->value) == 0)
			return true;
	}
	return false;
}

static bool match_network(const struct query *q, const struct instance *in)
{
	const char *mode = in->config.network_mode;

	for (size_t i = 0; i < in->config.n_networks; i++)
		if (strcmp(in->config.networks[i].name, q->value) == 0)
			return true;
	return !in->config.n_networks && mode && strcmp(mode, q->value) == 0;
}

static bool port_matches(const char *value, unsigned port, const char *protocol)
{
	CLEANUP_FREE char *full = xasprintf("%u/%s", port, protocol);

	return strcmp(value, full) == 0 ||
	       (!strchr(value, '/') && strncmp(full, value, strcspn(full, "/")) == 0 &&
		strlen(value) == strcspn(full, "/"));
}

static bool match_publish(const struct query *q, const struct instance *in)
{
	for (size_t i = 0; i < in->config.n_ports; i++) {
		const struct net_port *p = &in->config.ports[i];

		if (port_matches(q->value, p->port, p->protocol) ||
		    port_matches(q->value, p->host_port, p->protocol))
			return true;
	}
	return false;
}

static const struct key keys[] = {
	{ "ancestor", false, prepare_ancestor, match_ancestor, NULL },
	{ "before", false, prepare_other, match_before, release_other },
	{ "exited", false, prepare_exited, match_exited, NULL },
	{ "health", false, prepare_health, match_health, NULL },
	{ "id", false, prepare_regex, match_id, release_regex },
	{ "label", true, NULL, match_label, NULL },
	{ "name", false, prepare_regex, match_name, release_regex },
	{ "network", false, NULL, match_network, NULL },
	{ "publish", false, NULL, match_publish, NULL },
	{ "since", false, prepare_other, match_since, release_other },
	{ "status", false, prepare_status, match_status, NULL },
	{ "volume", false, NULL, match_volume, NULL },
};

/* --- all of them ------------------------------------------------------------ */

static const char *key_at(const void *list, size_t i)
{
	return ((const struct key *)list)[i].name;
}

static const struct key *find_key(const char *text, struct err *e)
{
	size_t len = strcspn(text, "=");
	CLEANUP_FREE char *name = xasprintf("%.*s", (int)len, text);

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		if (strcmp(keys[i].name, name) != 0)
			continue;
		if (!text[len])
			err_set(e, EINVAL, "option --filter: \"%s\" is not KEY=VALUE", text);
		return text[len] ? &keys[i] : NULL;
	}
	const char *near = nearest_name(name, ARRAY_LEN(keys), key_at, keys);
	err_set(e, EINVAL, "option --filter: there is no key \"%s\"%s%s%s", name,
		near ? "; did you mean " : ": one of ancestor, before, exited, health, id, label, "
		"name, network, publish, since, status, volume", near ? near : "", near ? "?" : "");
	return NULL;
}

/* keep[i] |= (or, for every, &=) whether list[i] matches this value. */
static int apply(struct engine *eng, const struct key *key, const char *value,
		 const struct instance *list, size_t n, bool *keep, struct err *e)
{
	struct query q = { .eng = eng, .value = value, .other.lockfd = -1 };
	int r = key->prepare ? key->prepare(&q, e) : 0;

	for (size_t i = 0; r >= 0 && i < n; i++) {
		bool match = key->match(&q, &list[i]);
		keep[i] = key->every ? keep[i] && match : keep[i] || match;
	}
	if (r >= 0 && key->release)
		key->release(&q);
	arena_release(&q.arena);
	return r < 0 ? err_prefix(e, "option --filter %s", key->name) : 0;
}

/* All values of one key; asked says whether there were any. */
static int apply_key(struct engine *eng, const struct oci_strv *filters, const struct key *key,
		     struct instance *list, size_t *n, bool *ret_asked, struct err *e)
{
	CLEANUP_FREE bool *keep = xcalloc(*n + 1, sizeof(*keep));
	size_t len = strlen(key->name), kept = 0;

	*ret_asked = false;
	memset(keep, key->every, *n);
	for (size_t i = 0; i < filters->n; i++) {
		if (strncmp(filters->v[i], key->name, len) != 0 || filters->v[i][len] != '=')
			continue;
		*ret_asked = true;
		int r = apply(eng, key, filters->v[i] + len + 1, list, *n, keep, e);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; *ret_asked && i < *n; i++) {
		if (keep[i])
			list[kept++] = list[i];
		else
			instance_release(&list[i]);
	}
	*n = *ret_asked ? kept : *n;
	return 0;
}

int ps_filter(struct engine *eng, const struct oci_strv *filters, struct instance *list,
	      size_t *n, bool *ret_all, struct err *e)
{
	bool asked;

	for (size_t i = 0; i < filters->n; i++)
		if (!find_key(filters->v[i], e))
			return -EINVAL;
	for (size_t k = 0; filters->n && k < ARRAY_LEN(keys); k++) {
		int r = apply_key(eng, filters, &keys[k], list, n, &asked, e);
		if (r < 0)
			return r;
		if (asked && (keys[k].match == match_status || keys[k].match == match_exited))
			*ret_all = true;
	}
	return 0;
}
