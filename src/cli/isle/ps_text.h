#pragma once
/*
 * cli/isle/ps_text.h - the words of isle ps: Docker's, column by column.  Layer: cli.
 *
 * Each returns heap memory, never NULL.
 */
#include <stdbool.h>
#include <stdint.h>

#include "engine/instance.h"

/* "Up 3 minutes (healthy)", "Exited (0) 2 hours ago", "Created" ... at now_ns. */
char *ps_status_text(const struct instance_status *s, int64_t now_ns);
/* "\"sh -c 'a b'\"": at most 20 letters within the quotes where trunc. */
char *ps_command_text(const struct instance_config *c, bool trunc);
/*
 * "0.0.0.0:8080->80/tcp, :::8080->80/tcp, 9000/tcp": neighbours joined into ranges.  Of an
 * instance that is not up: "".
 */
char *ps_ports_text(const struct instance_config *c, bool up);
/* "a=1,b=2" */
char *ps_labels_text(const struct oci_kvs *labels);
/* Names of volumes and sources of binds; at most 15 letters each where trunc. */
char *ps_mounts_text(const struct instance_config *c, bool trunc);
/* Names of the networks, or "host", "none". */
char *ps_networks_text(const struct instance_config *c);
/* s, cut to n letters, the last of them an ellipsis. */
char *ps_ellipsis(const char *s, size_t n);
