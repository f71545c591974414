#pragma once
/*
 * cli/isle/run_values.h - the values of run's options, one grammar a function.  Layer: cli.
 *
 * Docker's spelling and meaning.  What is read hangs in the arena given, or points into the
 * value itself.  Failures are -EINVAL with what was expected; the message does not name the
 * option: who calls prefixes it.
 */
#include "base/arena.h"
#include "base/err.h"
#include "engine/instance.h"

/* --- run_ports.c -------------------------------------------------------- */

/*
 * One -p: [[IP]:[HOST]:]PORT[/PROTO], HOST and PORT maybe ranges of one length, IPv6 in
 * brackets.  Appends to *v, which has *n.
 */
MUST_CHECK int port_parse(const char *s, struct arena *a, struct net_port **v, size_t *n,
			  struct err *e);
/* One --expose: PORT[-PORT][/PROTO]; appends "80/tcp" for each. */
MUST_CHECK int expose_parse(const char *s, struct arena *a, struct oci_strv *to,
			    struct err *e);

/* --- run_mounts.c ------------------------------------------------------- */

/*
 * [SOURCE:]TARGET[:OPTIONS].  A source that begins with '/', '.' or '~/' is a path of the
 * host, made absolute, and made as a directory if it is not there, as Docker does.
 */
MUST_CHECK int volume_parse(const char *s, struct arena *a, struct instance_mount *ret,
			    struct err *e);
/* type=...,source=...,target=...: fields of a CSV line.  The source must be there. */
MUST_CHECK int mount_parse(const char *s, struct arena *a, struct instance_mount *ret,
			   struct err *e);
/* TARGET[:size=64m,mode=1777,...] */
MUST_CHECK int tmpfs_parse(const char *s, struct arena *a, struct instance_mount *ret,
			   struct err *e);

/* --- run_networks.c ----------------------------------------------------- */

/* NAME, or name=NAME,alias=A,ip=IP,ip6=IP,mac-address=MAC */
MUST_CHECK int network_parse(const char *s, struct arena *a, struct instance_network *ret,
			     struct err *e);
MUST_CHECK int value_ip(const char *s, int family, struct err *e);
MUST_CHECK int value_mac(const char *s, struct err *e);
/* "NAME:IP" or "NAME=IP", IP maybe "host-gateway"; *ret is "NAME:IP". */
MUST_CHECK int extra_host_parse(const char *s, struct arena *a, const char **ret,
				struct err *e);

/* --- run_values.c ------------------------------------------------------- */

/* Append to a list whose words hang in a. */
void words_add(struct arena *a, struct oci_strv *to, const char *s);
/* The value of key is replaced if there is one. */
void kvs_set(struct arena *a, struct oci_kvs *to, const char *key, const char *value);

/* KEY[=VALUE]; a missing value is "". */
MUST_CHECK int key_value_parse(const char *s, struct arena *a, struct oci_kvs *to,
			       struct err *e);
/*
 * NAME=VALUE, or NAME: what it is in our own environment.  Where it is not set there, the
 * bare NAME is appended: the image's is taken away (Docker).
 */
MUST_CHECK int env_parse(const char *s, struct arena *a, struct oci_strv *to, struct err *e);
/* Lines of env_parse(), '#' comments; a name that is not set is left out. */
MUST_CHECK int env_file_parse(const char *path, struct arena *a, struct oci_strv *to,
			      struct err *e);
MUST_CHECK int label_file_parse(const char *path, struct arena *a, struct oci_kvs *to,
				struct err *e);
/* "0.5" */
MUST_CHECK int cpus_parse(const char *s, int64_t *ret_nano, struct err *e);
/* no, always, unless-stopped, on-failure[:N] */
MUST_CHECK int restart_parse(const char *s, enum restart_policy *ret, unsigned *ret_max,
			     struct err *e);
/* nofile=SOFT[:HARD] */
MUST_CHECK int ulimit_parse(const char *s, struct arena *a, struct instance_ulimit *ret,
			    struct err *e);
/* HOST[:PATH][:rwm] */
MUST_CHECK int device_parse(const char *s, struct arena *a, struct instance_device *ret,
			    struct err *e);
/* /dev/NAME:RATE; bytes: RATE may have a unit. */
MUST_CHECK int throttle_parse(const char *s, bool bytes, struct arena *a,
			      struct instance_throttle *ret, struct err *e);
/* Checked; a seccomp profile's file is replaced by its content: "seccomp={...}". */
MUST_CHECK int security_parse(const char *s, struct arena *a, struct instance_config *c,
			      struct err *e);
/* "max-size=10m": the keys and values that the log drivers know. */
MUST_CHECK int log_option_parse(const char *s, struct arena *a, struct oci_kvs *to,
				struct err *e);
