#pragma once
/*
 * cli/runtime/criu_options.h - the options that checkpoint and restore share, as rows
 * of a table.  Layer: cli.  type is the verb's struct, at its struct criu_opts.
 */
#include <stddef.h>

#include "cli/options.h"

#define CRIU_OPTIONS(type, at) \
	{ "image-path", 0, OPT_STRING, offsetof(type, at.image_path), "DIR", \
	  "directory of the images (default: checkpoint)", NULL }, \
	{ "work-path", 0, OPT_STRING, offsetof(type, at.work_path), "DIR", \
	  "directory of criu's log and other work files (default: the image path)", NULL }, \
	{ "tcp-established", 0, OPT_FLAG, offsetof(type, at.tcp_established), NULL, \
	  "allow open TCP connections", NULL }, \
	{ "ext-unix-sk", 0, OPT_FLAG, offsetof(type, at.ext_unix_sk), NULL, \
	  "allow unix sockets connected to the outside", NULL }, \
	{ "shell-job", 0, OPT_FLAG, offsetof(type, at.shell_job), NULL, \
	  "allow a terminal from outside", NULL }, \
	{ "lazy-pages", 0, OPT_FLAG, offsetof(type, at.lazy_pages), NULL, \
	  "copy memory on demand, by userfaultfd", NULL }, \
	{ "status-fd", 0, OPT_STRING, offsetof(type, at.status_fd), "FD", \
	  "write a byte to FD when criu is ready", NULL }, \
	{ "file-locks", 0, OPT_FLAG, offsetof(type, at.file_locks), NULL, \
	  "allow file locks", NULL }, \
	{ "manage-cgroups-mode", 0, OPT_STRING, offsetof(type, at.manage_cgroups), "MODE", \
	  "what of cgroups is kept: soft, full, strict, ignore or none (default soft)", NULL }, \
	{ "empty-ns", 0, OPT_STRING, offsetof(type, at.empty_ns), "NAMESPACE", \
	  "with network, leave out what the network namespace holds", NULL }, \
	{ "auto-dedup", 0, OPT_FLAG, offsetof(type, at.auto_dedup), NULL, \
	  "drop memory images that a newer one replaces", NULL }
