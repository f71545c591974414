#pragma once
/* engine/spec_impl.h - between spec*.c alone: one config.json in the making.  Layer: engine. */
#include "base/json_write.h"
#include "engine/instance.h"

struct spec {
	struct engine *eng;
	const struct instance *in;
	const struct instance_config *c;
	struct json_writer w;
	struct arena arena;
	int rootfd;                     /* the image's and the instance's files, read only */
	uint64_t caps;
	/* of --user, and the image's passwd and group */
	uint32_t uid, gid;
	uint32_t *groups;               /* additional; gid is not among them */
	size_t n_groups;
	const char *home;
};

/* uid, gid, groups, home out of c->user, c->group_add; -EINVAL for a user there is not. */
MUST_CHECK int spec_resolve_user(struct spec *s, struct err *e);
/* The list "mounts", Docker's defaults and the instance's own. */
MUST_CHECK int spec_put_mounts(struct spec *s, struct err *e);
/* linux.devices, linux.resources, linux.cgroupsPath */
MUST_CHECK int spec_put_limits(struct spec *s, struct err *e);
/* The whole document into b; rootfd is a directory of what will be its root. */
MUST_CHECK int spec_make(struct engine *eng, const struct instance *in, int rootfd, struct buf *b,
			 struct err *e);

/* The value of a security option "key=value" or "key:value"; NULL when not given. */
const char *spec_security_option(const struct instance_config *c, const char *key);
bool spec_security_flag(const struct instance_config *c, const char *word);

/* "container:X" of a mode: X's instance, running, in *ret; 0 when mode is something else. */
MUST_CHECK int spec_other_instance(struct engine *eng, const char *option, const char *mode,
				   struct instance *ret, struct err *e);
static inline bool mode_is(const char *mode, const char *word)
{
	return mode && __builtin_strcmp(mode, word) == 0;
}
