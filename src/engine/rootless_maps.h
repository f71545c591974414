#pragma once
/*
 * engine/rootless_maps.h - the ids of an ordinary user's instances.  Layer: engine.
 *
 * 0 is the user; what /etc/subuid and /etc/subgid give him follows from 1 on, by newuidmap
 * and newgidmap, which are setuid.  Without a line for him there is 0 alone.
 */
#include <sys/types.h>

#include "base/err.h"

enum maps_result { MAPS_WRITTEN, MAPS_NO_PROGRAM, MAPS_REFUSED };

/* Write the maps of pid's new user namespace: from outside of it, as the same user. */
enum maps_result maps_write(pid_t pid);
/* What user uid has to do about a result other than MAPS_WRITTEN: fills *e, returns -errno. */
MUST_CHECK int maps_error(enum maps_result result, uid_t uid, struct err *e);
/* The user's name in /etc/passwd, which subuid(5) may use instead of the number; or that. */
void maps_user_name(uid_t uid, char *ret, size_t size);
