/*
 * image/pull.c - an image from a registry into the store.  Layer: image.
 */
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "image/platform.h"
#include "image/pull_impl.h"
#include "image/pull_jobs.h"

/* --- the image ---------------------------------------------------------------- */

/* Each digest once: a manifest may name a layer (an empty one) many times. */
static int make_jobs(struct pull *p, const struct image_manifest *m,
		     const struct image_config *config, size_t *job_of, struct err *e)
{
	const char **names = arena_calloc(p->a, m->n_layers + 1, sizeof(*names));

	p->jobs = arena_calloc(p->a, m->n_layers + 1, sizeof(*p->jobs));
	for (size_t i = 0; i < m->n_layers; i++) {
		size_t j = 0;

		while (j < p->n_jobs && strcmp(p->jobs[j].layer->digest, m->layers[i].digest) != 0)
			j++;
		job_of[i] = j;
		if (j < p->n_jobs && strcmp(p->jobs[j].diff_id, config->diff_ids.v[i]) != 0)
			return err_set(e, EBADMSG, "layer %s cannot have two DiffIDs, %s and %s",
				       m->layers[i].digest, p->jobs[j].diff_id,
				       config->diff_ids.v[i]);
		if (j < p->n_jobs)
			continue;
		names[j] = m->layers[i].digest;
		p->jobs[p->n_jobs++] = (struct pull_job){
			.layer = &m->layers[i], .diff_id = config->diff_ids.v[i],
		};
	}
	progress_items(p->progress, names, p->n_jobs);
	for (size_t j = 0; j < p->n_jobs; j++)
		progress_state(p->progress, j, "Pulling fs layer", 0);
	return 0;
}

static int check_platform(const struct pull_options *o, const struct image_config *config,
			  struct arena *a, struct err *e)
{
	const struct image_platform *have = &config->platform, *want = &o->platform;

	if (!o->platform_given || !have->os || !have->architecture)
		return 0;
	if (strcmp(have->os, want->os) == 0 &&
	    strcmp(have->architecture, want->architecture) == 0)
		return 0;
	return err_set(e, ENOENT, "the image is for %s, not for %s", platform_format(have, a),
		       platform_format(want, a));
}

/* The names the image gets: the tag that was asked for, and the digest it had. */
static size_t make_names(const struct reference *ref, const char *top, struct arena *a,
			 const char *names[2])
{
	struct reference r = *ref;
	size_t n = 0;

	if (ref->tag && !ref->digest)
		names[n++] = reference_format(ref, a);
	r.tag = NULL;
	r.digest = top;
	names[n++] = reference_format(&r, a);
	return n;
}

/* Was it the same image before?  What cannot be found was not. */
static bool is_same(const struct store *s, const char *name, const char *id, struct arena *a)
{
	struct image before;

	return image_find(s, name, a, &before, NULL) == 0 && strcmp(before.id, id) == 0;
}

static int commit(struct pull *p, const struct reference *ref, const struct pull_document *m,
		  const struct pull_document *config, const uint64_t *layer_bytes,
		  struct pull_result *ret, struct err *e)
{
	const char *names[2];
	struct ingest_image image = {
		.manifest = m->bytes, .manifest_len = m->n, .manifest_digest = m->digest,
		.config = config->bytes, .config_len = config->n,
		.layer_bytes = layer_bytes,
		.names = names,
	};

	image.n_names = make_names(ref, ret->digest, p->a, names);
	ret->fresh = !is_same(p->store, ret->name, config->digest, p->a);
	return image_commit(&p->in, &image, p->a, &ret->id, e);
}

static int pull_image(struct pull *p, const struct reference *ref, const struct pull_options *o,
		      struct pull_result *ret, struct err *e)
{
	CLEANUP_HTTP struct http *h = NULL;
	struct pull_document document, config_document;
	struct image_manifest m;
	struct image_config config;
	int r = client_http(p->client, &h, e);

	if (r < 0)
		return r;
	ret->name = reference_format(ref, p->a);
	r = pull_manifest(p, h, ref, o, &document, &ret->digest, e);
	if (r < 0)
		return r;
	r = image_manifest_parse(ret->name, document.bytes, document.n, p->a, &m, e);
	if (r < 0)
		return r;
	r = pull_config(p, h, &m, &config_document, &config, e);
	if (r == 0)
		r = check_platform(o, &config, p->a, e);
	if (r < 0)
		return err_prefix(e, "%s", ret->name);
	size_t *job_of = arena_calloc(p->a, m.n_layers + 1, sizeof(*job_of));
	uint64_t *bytes = arena_calloc(p->a, m.n_layers + 1, sizeof(*bytes));

	r = make_jobs(p, &m, &config, job_of, e);
	const struct jobs jobs = {
		.n = p->n_jobs, .run = pull_layer, .arg = p, .client = p->client,
		.progress = p->progress, .stop = &p->stop,
	};

	if (r == 0)
		r = jobs_run(&jobs, e);
	if (r < 0)
		return err_prefix(e, "%s", ret->name);
	for (size_t i = 0; i < m.n_layers; i++)
		bytes[i] = p->jobs[job_of[i]].unpacked_bytes;
	return commit(p, ref, &document, &config_document, bytes, ret, e);
}

int image_pull(const struct store *s, const struct registries *regs,
	       const struct reference *ref, const struct pull_options *o, struct arena *a,
	       struct pull_result *ret, struct err *e)
{
	struct client_target target = {
		.host = ref->domain, .path = ref->path, .access = CLIENT_PULL,
	};
	struct client_options co = o->client;
	CLEANUP_CLIENT struct client *client = NULL;
	struct pull p = { .store = s, .progress = o->progress, .a = a, .in = INGEST_INIT };
	int r;

	*ret = (struct pull_result){ 0 };
	co.stop = &p.stop;
	r = client_new(regs, &target, &co, &client, e);
	if (r < 0)
		return r;
	p.client = client;
	r = ingest_begin(s, &p.in, e);
	if (r == 0) {
		r = pull_image(&p, ref, o, ret, e);
		ingest_end(&p.in);
	}
	return r;
}
