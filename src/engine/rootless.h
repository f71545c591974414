#pragma once
/* engine/rootless.h - isle as an ordinary user.  Layer: engine. */
#include <stdbool.h>
#include <sys/types.h>

#include "engine/engine.h"

/*
 * As root, or in a user namespace made by this function before: 0, and *ret says which.
 * Else execute this program again in a user and a mount namespace of its own, as root
 * there: the namespaces of running instances where there are any, new ones otherwise.  Then
 * it returns on failure only.  Call it before any thread, descriptor or file is made.
 */
MUST_CHECK int rootless_enter(const struct engine_options *o, bool *ret, struct err *e);
/* The user's number outside of our user namespace. */
uid_t rootless_host_uid(void);
/* Whether the user or group exists in our user namespace. */
bool rootless_has_uid(unsigned uid);
bool rootless_has_gid(unsigned gid);
/* Not where the user's group alone is mapped: user_namespaces(7), "setgroups". */
bool rootless_sets_groups(void);
/* "what is not among ...", with the command that gives the user more: -EINVAL. */
MUST_CHECK int rootless_lacks_ids(const char *what, struct err *e);
/* With the user's name. */
#define ROOTLESS_MEND "usermod --add-subuids 100000-165535 --add-subgids 100000-165535 %s"
