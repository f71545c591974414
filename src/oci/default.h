#pragma once
/* oci/default.h - the document that "spec" writes.  Layer: oci. */
#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

/*
 * A container of its own namespaces running "sh" in ./rootfs, as runc's "spec"
 * writes it: members in the order people know.  rootless: a user namespace that
 * maps uid and gid to 0, the network and the cgroups of the caller.  A new
 * reference.
 */
json_t *oci_default_spec(bool rootless, uid_t uid, gid_t gid);
