/* engine/spec_exec.c - the process of an exec: see exec.h */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/fd.h"
#include "base/mem.h"
#include "engine/exec.h"
#include "engine/spec_impl.h"

#define SPEC_BYTES_MAX (16u << 20)

static size_t name_len(const char *entry)
{
	return strcspn(entry, "=");
}

/* Takes what is called as entry is out of env, and adds entry where it has a value. */
static void env_put(struct oci_strv *env, const char *entry)
{
	size_t len = name_len(entry), kept = 0;

	for (size_t i = 0; i < env->n; i++)
		if (name_len(env->v[i]) != len || strncmp(env->v[i], entry, len) != 0)
			env->v[kept++] = env->v[i];
	if (entry[len])
		env->v[kept++] = entry;
	env->v[kept] = NULL;
	env->n = kept;
}

static bool env_has(const struct oci_strv *env, const char *name)
{
	for (size_t i = 0; i < env->n; i++)
		if (name_len(env->v[i]) == strlen(name) &&
		    strncmp(env->v[i], name, strlen(name)) == 0)
			return true;
	return false;
}

/* HOME is the user's own unless somebody chose it: the instance or the caller. */
static void make_env(const struct exec_change *o, const char *home, struct arena *a,
		     struct oci_process *p)
{
	struct oci_strv env = { arena_calloc(a, p->env.n + o->env.n + 3, sizeof(*env.v)), 0 };

	for (size_t i = 0; i < p->env.n; i++)
		env.v[env.n++] = p->env.v[i];
	if (home)
		env_put(&env, arena_printf(a, "HOME=%s", home));
	if (o->tty && !env_has(&env, "TERM"))
		env_put(&env, "TERM=xterm");
	for (size_t i = 0; i < o->env.n; i++)
		env_put(&env, o->env.v[i]);
	p->env = env;
}

static int make_user(struct engine *eng, const struct instance *in, const struct exec_change *o,
		     struct oci_spec *spec, struct oci_process *p, const char **ret_home,
		     struct err *e)
{
	struct instance_config config = in->config;
	struct spec s = { .eng = eng, .in = in, .c = &config };
	const struct wall *wall;

	int r = engine_wall(in->config.wall, &wall, e);
	if (r < 0)
		return r;
	CLEANUP_FD int root = wall->root(&eng->host, in->id, e);
	if (root < 0)
		return root;
	config.user = o->user;
	s.rootfd = root;
	r = spec_resolve_user(&s, e);
	if (r >= 0) {
		p->user.uid = s.uid;
		p->user.gid = s.gid;
		p->user.n_additional_gids = s.n_groups;
		p->user.additional_gids = arena_calloc(&spec->arena, s.n_groups + 1,
						       sizeof(*s.groups));
		if (s.n_groups)
			memcpy(p->user.additional_gids, s.groups, s.n_groups * sizeof(*s.groups));
		*ret_home = arena_strdup(&spec->arena, s.home);
	}
	arena_release(&s.arena);
	return r;
}

static void all_caps(struct oci_caps *c)
{
	uint64_t all = 0;

	for (int cap = 0; oci_cap_name(cap); cap++)
		all |= 1ULL << cap;
	/* Not inheritable, as Docker since CVE-2022-24769. */
	*c = (struct oci_caps){ .set = true, .bounding = all, .effective = all,
				.permitted = all };
}

int exec_process_make(struct engine *eng, const struct instance *in,
		      const struct exec_change *o, struct oci_spec *spec,
		      struct oci_process *ret, struct err *e)
{
	CLEANUP(buf_release) struct buf b = BUF_INIT(SPEC_BYTES_MAX);
	CLEANUP_FREE char *path = instance_bundle_path(eng, in->id, "config.json");
	const char *home = NULL;

	int r = file_read_at(AT_FDCWD, path, &b);
	if (r < 0)
		return err_sys(e, -r, "read %s", path);
	r = oci_spec_parse(path, b.data, b.len, spec, e);
	if (r < 0)
		return r;
	if (!spec->process)
		return err_set(e, EINVAL, "%s has no process", path);
	*ret = *spec->process;
	if (o->user)
		r = make_user(eng, in, o, spec, ret, &home, e);
	if (r < 0)
		return r;
	make_env(o, home, &spec->arena, ret);
	ret->args = o->args;
	ret->terminal = o->tty;
	ret->console_height = ret->console_width = 0;
	if (o->cwd)
		ret->cwd = o->cwd;
	if (o->privileged) {
		all_caps(&ret->caps);
		ret->no_new_privileges = false;
	} else {
		/* As a first program of that user has them (engine/spec.c). */
		ret->caps.effective = ret->user.uid == 0 ? ret->caps.bounding : 0;
		ret->caps.permitted = ret->caps.effective;
		ret->caps.ambient = 0;
	}
	return 0;
}
