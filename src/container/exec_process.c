/* container/exec_process.c - see exec_process.h */
#include "container/exec_process.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"

/* Length of NAME= in "NAME=value", the whole length without '='. */
static size_t env_name_len(const char *kv)
{
	const char *eq = strchr(kv, '=');

	return eq ? (size_t)(eq - kv) + 1 : strlen(kv);
}

/* base followed by add, an equal name in add taking the place of base's. */
static void env_merge(struct arena *a, const struct oci_strv *base, const struct oci_strv *add,
		      struct oci_strv *ret)
{
	ret->v = arena_calloc(a, base->n + add->n + 1, sizeof(*ret->v));
	ret->n = 0;
	for (size_t i = 0; i < base->n; i++)
		ret->v[ret->n++] = base->v[i];
	for (size_t k = 0; k < add->n; k++) {
		size_t len = env_name_len(add->v[k]), i = 0;

		while (i < ret->n && strncmp(ret->v[i], add->v[k], len))
			i++;
		ret->v[i] = add->v[k];
		if (i == ret->n)
			ret->n++;
	}
}

static void caps_add(struct oci_caps *c, const struct oci_strv *names)
{
	for (size_t i = 0; i < names->n; i++) {
		int cap = oci_cap_from_name(names->v[i]);

		if (cap < 0) {          /* as those of config.json */
			log_warn("--cap: unknown capability %s is ignored", names->v[i]);
			continue;
		}
		/* Not inheritable: CVE-2022-29162. */
		c->bounding |= 1ULL << cap;
		c->effective |= 1ULL << cap;
		c->permitted |= 1ULL << cap;
		c->set = true;
	}
}

static void from_options(const struct exec_opts *o, struct oci_process *p, struct arena *a)
{
	struct oci_strv env = p->env;

	p->args = o->args;
	p->terminal = o->tty;
	env_merge(a, &env, &o->env, &p->env);
	if (o->cwd)
		p->cwd = o->cwd;
	if (o->user_set) {
		p->user.uid = o->uid;
		p->user.gid = o->gid;
	}
	if (o->n_additional_gids) {
		size_t n = p->user.n_additional_gids;
		uint32_t *gids = arena_calloc(a, n + o->n_additional_gids, sizeof(*gids));

		if (n)
			memcpy(gids, p->user.additional_gids, n * sizeof(*gids));
		memcpy(gids + n, o->additional_gids, o->n_additional_gids * sizeof(*gids));
		p->user.additional_gids = gids;
		p->user.n_additional_gids = n + o->n_additional_gids;
	}
	/* Who enters by hand says so himself; engines hand over a whole process. */
	p->no_new_privileges = o->no_new_privs;
	if (o->apparmor)
		p->apparmor_profile = o->apparmor;
	if (o->process_label)
		p->selinux_label = o->process_label;
	caps_add(&p->caps, &o->caps);
}

static void from_document(const struct oci_process *own, struct oci_process *p)
{
	if (!own)
		return;
	if (!p->caps.set)
		p->caps = own->caps;
	if (!p->n_rlimits) {
		p->rlimits = own->rlimits;
		p->n_rlimits = own->n_rlimits;
	}
	if (!p->apparmor_profile)
		p->apparmor_profile = own->apparmor_profile;
	if (!p->selinux_label)
		p->selinux_label = own->selinux_label;
	if (!p->cpu_affinity_initial && !p->cpu_affinity_final) {
		p->cpu_affinity_initial = own->cpu_affinity_initial;
		p->cpu_affinity_final = own->cpu_affinity_final;
	}
	/* What the whole container must not gain, no later process may. */
	p->no_new_privileges = p->no_new_privileges || own->no_new_privileges;
}

int exec_process_build(const struct exec_opts *o, const struct oci_process *own,
		       struct arena *a, struct oci_process **ret, struct err *e)
{
	struct oci_process *p = arena_alloc(a, sizeof(*p));

	if (o->process) {
		*p = *o->process;
		from_document(own, p);
	} else if (own) {
		*p = *own;
		from_options(o, p, a);
	} else {
		return err_set(e, EINVAL, "exec: the container's config.json has no process, so "
			       "give --process");
	}
	if (!p->args.n)
		return err_set(e, EINVAL, "exec: process args cannot be empty");
	if (!p->cwd || p->cwd[0] != '/')
		return err_set(e, EINVAL, "exec: Cwd must be an absolute path");
	*ret = p;
	return 0;
}
