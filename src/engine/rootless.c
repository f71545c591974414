/*
 * engine/rootless.c - see rootless.h
 *
 *   isle (uid 1000) --unshare USER--> "root", nobody else is mapped yet
 *        \--fork--> helper outside: newuidmap, newgidmap (user_namespaces(7), subuid(5))
 *   --unshare NS, setresuid 0--> exec isle again, ISLE_ROOTLESS=1000
 *
 * Files that programs make belong to the user's subordinate ids, and a keeper belongs to
 * the user namespace it was born in: exec and stop need to be in that one.  So the first
 * command that finds none makes one, and while a keeper of it lives the others join it;
 * <run-root>/userns.pid names such a keeper.
 */
#include "engine/rootless.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "sys/calls.h"

#define MARK "ISLE_ROOTLESS"            /* in our environment: the user's number outside */

static long marked(void)
{
	const char *text = getenv(MARK);
	char *end;

	if (!text || !*text)
		return -1;
	long v = strtol(text, &end, 10);
	return *end || v < 0 ? -1 : v;
}

uid_t rootless_host_uid(void)
{
	long uid = marked();

	return uid >= 0 ? (uid_t)uid : getuid();
}

int rootless_enter(const struct engine_options *o, bool *ret, struct err *e)
{
	(void)o;
	*ret = marked() >= 0;
	if (geteuid() == 0)
		return 0;
	return err_set(e, EPERM, "isle as an ordinary user");
}
