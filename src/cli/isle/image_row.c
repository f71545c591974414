/* cli/isle/image_row.c - see image_row.h */
#include "cli/isle/image_row.h"

#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/isle/output.h"
#include "image/ingest.h"

#define CONFIG_BYTES_MAX (8u << 20)

void image_name_split(const char *name, struct arena *a, struct image_name *ret)
{
	char *s = arena_strdup(a, name);
	char *at = strchr(s, '@');

	*ret = (struct image_name){ .repository = s };
	if (at) {
		*at = '\0';
		ret->digest = at + 1;
	}
	char *slash = strrchr(s, '/');
	char *colon = strrchr(slash ? slash : s, ':');
	if (colon) {
		*colon = '\0';
		ret->tag = colon + 1;
	}
}

char *image_time_text(int64_t seconds)
{
	char text[64] = "";
	time_t t = (time_t)seconds;
	struct tm tm;

	if (localtime_r(&t, &tm))
		strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S %z %Z", &tm);
	return xstrdup(text);
}

char *image_age_text(int64_t seconds, int64_t now)
{
	if (seconds == 0)
		return xstrdup("N/A");
	CLEANUP_FREE char *age = output_duration(now > seconds ? now - seconds : 0);
	return xasprintf("%s ago", age);
}

const char *image_id_text(const char *id, bool whole, struct arena *a)
{
	return whole ? id : arena_printf(a, "%.12s", id + 7);
}

bool image_has_label(const struct image *i, const char *text)
{
	size_t n = strcspn(text, "=");
	CLEANUP_FREE char *key = xasprintf("%.*s", (int)n, text);
	const char *value = oci_kvs_get(&i->config.labels, key);

	return value && (!text[n] || strcmp(value, text + n + 1) == 0);
}

/* ---- inspect ----------------------------------------------------------------- */

/* The config as it came: people look for members that isle has no use for. */
static int raw_config(struct engine *eng, const struct image *i, json_t **ret, struct err *e)
{
	CLEANUP(buf_release) struct buf b = BUF_INIT(CONFIG_BYTES_MAX);

	int r = store_blob_read(&eng->store, i->id, &b, e);
	return r < 0 ? r : json_parse(i->id, b.data ? b.data : "", b.len, ret, e);
}

static json_t *overlay(const struct image *i)
{
	CLEANUP(buf_release) struct buf lower = BUF_INIT(1u << 20);
	json_t *data = json_object();

	/* Docker's view: the top layer is the upper one, top first below it. */
	for (size_t k = i->n_layers; k-- > 1; )
		buf_printf(&lower, "%s%s", lower.len ? ":" : "", i->layers[k - 1]);
	if (lower.len)
		json_object_set_new(data, "LowerDir", json_string(lower.data));
	if (i->n_layers)
		json_object_set_new(data, "UpperDir", json_string(i->layers[i->n_layers - 1]));
	return json_pack("{s:s, s:o}", "Name", "overlay", "Data", data);
}

static void set_text(json_t *j, const char *key, const json_t *value)
{
	const char *s = json_string_value(value);

	json_object_set_new(j, key, json_string(s ? s : ""));
}

static json_t *describe(const struct image *i, const json_t *raw)
{
	const json_t *history = json_object_get(raw, "history");
	size_t n = json_array_size(history);
	json_t *j = json_object(), *tags = json_array(), *digests = json_array();
	json_t *layers = json_array();

	for (size_t k = 0; k < i->n_names; k++)
		json_array_append_new(k < i->n_tags ? tags : digests, json_string(i->names[k]));
	for (size_t k = 0; k < i->n_layers; k++)
		json_array_append_new(layers, json_string(i->diff_ids[k]));
	json_object_set_new(j, "Id", json_string(i->id));
	json_object_set_new(j, "RepoTags", tags);
	json_object_set_new(j, "RepoDigests", digests);
	json_object_set_new(j, "Parent", json_string(""));
	set_text(j, "Comment", n ? json_object_get(json_array_get(history, n - 1), "comment")
				 : NULL);
	set_text(j, "Created", json_object_get(raw, "created"));
	set_text(j, "Author", json_object_get(raw, "author"));
	json_t *config = json_object_get(raw, "config");
	json_object_set(j, "Config", config ? config : json_null());
	set_text(j, "Architecture", json_object_get(raw, "architecture"));
	if (json_object_get(raw, "variant"))
		set_text(j, "Variant", json_object_get(raw, "variant"));
	set_text(j, "Os", json_object_get(raw, "os"));
	json_object_set_new(j, "Size", json_integer((json_int_t)i->size_bytes));
	json_object_set_new(j, "VirtualSize", json_integer((json_int_t)i->size_bytes));
	json_object_set_new(j, "GraphDriver", overlay(i));
	json_object_set_new(j, "RootFS", json_pack("{s:s, s:o}", "Type", "layers", "Layers",
						   layers));
	json_object_set_new(j, "Manifest", json_string(i->manifest));
	return j;
}

int image_describe(struct engine *eng, const char *name, json_t **ret, struct err *e)
{
	CLEANUP(arena_release) struct arena a = { 0 };
	CLEANUP_JSON json_t *raw = NULL;
	struct image i;

	int r = image_find(&eng->store, name, &a, &i, e);
	if (r == 0)
		r = raw_config(eng, &i, &raw, e);
	if (r == 0)
		*ret = describe(&i, raw);
	return r;
}
