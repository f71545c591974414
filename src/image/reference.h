#pragma once
/*
 * image/reference.h - names of images: the grammar of distribution's references.
 * Layer: image.
 *
 *   [domain[:port]/]path[:tag][@digest]
 *
 * Also "oci:DIR[:TAG]", "oci-archive:FILE[:TAG]", "docker-archive:FILE[:TAG]": a transport.
 * A name without a domain gets the configured default registry (image/registries.h).
 */
#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"

enum reference_transport {
	REFERENCE_REGISTRY, REFERENCE_OCI, REFERENCE_OCI_ARCHIVE, REFERENCE_DOCKER_ARCHIVE
};

struct reference {
	enum reference_transport transport;
	const char *domain;             /* "127.0.0.1:5000"; NULL until a default is applied */
	const char *path;               /* "library/nginx"; a file's name for the others */
	const char *tag;                /* or NULL */
	const char *digest;             /* or NULL */
};

/* Strings hang in a.  A bad one is -EINVAL and says which part, and what was expected. */
MUST_CHECK int reference_parse(const char *text, struct arena *a, struct reference *ret,
			       struct err *e);
/* The full form: what tables and listings hold. */
char *reference_format(const struct reference *r, struct arena *a);
bool reference_tag_valid(const char *tag);
/* "host", "host:port", "[::1]:5000" */
bool reference_domain_valid(const char *domain);
