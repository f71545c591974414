#pragma once
/*
 * image/registries.h - registries.conf: where names without a host come from, mirrors,
 * and whom to trust without a certificate.  Layer: image.
 *
 * /etc/isle/registries.conf, then $XDG_CONFIG_HOME/isle/registries.conf (~/.config): the
 * later one wins, key by key; a missing file is fine.  A file is lines; "#" starts a
 * comment:
 *
 *	default = registry.example          # "busybox" is registry.example/busybox
 *	namespace = library                 # ... registry.example/library/busybox
 *
 *	[alias]                             # short names, before the default is tried
 *	tools = registry.example/team/tools
 *
 *	[registry registry.example:5000]
 *	location = 10.0.0.5:5000            # connect there; names stay as they are
 *	insecure = yes                      # HTTP, or HTTPS whose certificate nobody signed
 *	mirror = mirror.example:5000/cache  # tried first, in this order; "http://" in front
 *	                                    # or "insecure" behind: as insecure = yes
 *
 * A wrong key is an error: file:line, and the nearest key there is.
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"
#include "image/reference.h"

struct registry_endpoint {
	const char *location;           /* "host[:port]" to connect to */
	const char *prefix;             /* put before the path: "cache/"; "" none */
	bool insecure;                  /* HTTPS unverified, then HTTP; loopback always is */
};

struct registry {
	const char *host;               /* as in references */
	struct registry_endpoint self;
	struct registry_endpoint *mirrors;
	size_t n_mirrors;
};

struct registry_alias {
	const char *name, *target;      /* target: "host/path", checked */
};

struct registries {
	struct arena arena;             /* all strings and lists */
	const char *default_host;       /* or NULL */
	const char *default_namespace;  /* or NULL */
	struct registry *list;
	size_t n;
	struct registry_alias *aliases;
	size_t n_aliases;
};

/* Read the two files, or only file.  An unreadable file named explicitly is an error. */
MUST_CHECK int registries_load(const char *file, struct registries *ret, struct err *e);
void registries_release(struct registries *r);
#define CLEANUP_REGISTRIES __attribute__((cleanup(registries_release)))

/* Of a host that no file names: itself, no mirrors, insecure when it is a loopback address. */
void registries_find(const struct registries *r, const char *host, struct registry *ret);

/*
 * Give a registry reference its domain (alias, else default and namespace) and, without a
 * digest, its tag ("latest").  No default registry is -EINVAL and says what to write where.
 */
MUST_CHECK int registries_resolve(const struct registries *r, struct arena *a,
				  struct reference *ref, struct err *e);
/* A full name as people type it: without the default registry and namespace. */
const char *registries_familiar(const struct registries *r, struct arena *a, const char *name);
