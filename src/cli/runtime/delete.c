/* cli/runtime/delete.c - isle-runtime delete: remove what create made. */
#include <errno.h>
#include <regex.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "cli/runtime/verb.h"
#include "container/container.h"

struct delete_args {
	bool force, regex;
};

static const struct option options[] = {
	{ "force", 'f', OPT_FLAG, offsetof(struct delete_args, force), NULL,
	  "kill it first if it runs; a container that does not exist is fine", NULL },
	{ "regex", 0, OPT_FLAG, offsetof(struct delete_args, regex), NULL,
	  "CONTAINER-ID is an extended regular expression: delete all that match", NULL },
	OPTION_HELP,
};

static int delete_one(const struct call *c, const char *id, struct err *e)
{
	const struct delete_args *a = c->target;
	int r = container_delete(c->rt, id, a->force, e);

	/* Engines repeat "delete --force" until it succeeds. */
	return a->force && r == -ENOENT ? 0 : r;
}

/* All are tried; the first failure is returned, the others are told. */
static int delete_matching(const struct call *c, const regex_t *re, struct err *e)
{
	char **ids = NULL;
	size_t n = 0;
	int failed = 0;

	int r = state_list(c->rt, &ids, &n, e);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		struct err later = { 0 };

		if (regexec(re, ids[i], 0, NULL, 0) == 0 &&
		    (r = delete_one(c, ids[i], failed ? &later : e)) < 0) {
			if (failed)
				log_warn("%s: %s", ids[i], later.msg);
			else
				failed = r;
		}
		free(ids[i]);
	}
	free(ids);
	return failed;
}

static int delete(struct call *c, struct err *e)
{
	const struct delete_args *a = c->target;
	regex_t re;

	if (!a->regex)
		return delete_one(c, c->argv[0], e);
	if (regcomp(&re, c->argv[0], REG_EXTENDED | REG_NOSUB) != 0)
		return err_set(e, EINVAL, "option --regex: \"%s\" is not a regular expression",
			       c->argv[0]);
	int r = delete_matching(c, &re, e);
	regfree(&re);
	return r;
}

const struct verb verb_delete = {
	.name = "delete",
	.args = "CONTAINER-ID",
	.summary = "delete a stopped container",
	.options = { options, ARRAY_LEN(options) },
	.target_size = sizeof(struct delete_args),
	.min_args = 1,
	.max_args = 1,
	.run = delete,
};
