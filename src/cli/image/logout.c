/* cli/image/logout.c - isle logout: forget a registry's credentials.  Layer: cli. */
#include <errno.h>
#include <stdio.h>

#include "base/mem.h"
#include "cli/image/verb.h"
#include "image/auth.h"

static const struct option options[] = {
	OPTION_HELP,
};

static int logout(struct image_call *c, struct err *e)
{
	CLEANUP(arena_release) struct arena a = { 0 };
	const char *host = c->argc ? c->argv[0] : c->registries->default_host, *where;

	if (!host)
		return err_set(e, EINVAL, "which registry? Name its host, or set \"default\" in "
			       "registries.conf");
	int r = auth_erase(host, &a, &where, e);

	if (r < 0)
		return err_prefix(e, "logout");
	/* As Docker: no failure, for there is nothing left to do. */
	if (r == 0)
		printf("Not logged in to %s\n", host);
	else
		printf("Removing login credentials for %s\n", host);
	return 0;
}

const struct image_verb verb_logout = {
	.name = "logout",
	.args = "[HOST]",
	.summary = "log out from a registry",
	.options = { options, ARRAY_LEN(options) },
	.max_args = 1,
	.no_store = true,
	.run = logout,
};
