#pragma once
/*
 * cli/runtime/create.h - the options that create and run share, as rows of a table.
 * Layer: cli.  type is the verb's struct, at its member of type struct create_opts.
 */
#include <stddef.h>

#include "cli/options.h"
#include "container/container.h"

#define CREATE_OPTIONS(type, at) \
	{ "bundle", 'b', OPT_STRING, offsetof(type, at.bundle), "DIR", \
	  "directory of config.json and the root file system (default: the current one)", \
	  NULL }, \
	{ "config", 'f', OPT_STRING, offsetof(type, at.config), "FILE", \
	  "the configuration (default: config.json of the bundle)", NULL }, \
	{ "pid-file", 0, OPT_STRING, offsetof(type, at.pid_file), "FILE", \
	  "write the container's process ID to FILE", NULL }, \
	{ "console-socket", 0, OPT_STRING, offsetof(type, at.console_socket), "SOCKET", \
	  "unix socket that gets the terminal's master side", NULL }, \
	{ "pidfd-socket", 0, OPT_STRING, offsetof(type, at.pidfd_socket), "SOCKET", \
	  "unix socket that gets a descriptor of the container's process", NULL }, \
	{ "no-pivot", 0, OPT_FLAG, offsetof(type, at.no_pivot), NULL, \
	  "change the root by moving the mount, for a root on a ramdisk", NULL }, \
	{ "no-new-keyring", 0, OPT_FLAG, offsetof(type, at.no_new_keyring), NULL, \
	  "keep the caller's session keyring", NULL }, \
	{ "preserve-fds", 0, OPT_UINT, offsetof(type, at.preserve_fds), "N", \
	  "pass N more descriptors, from 3 on, to the container", NULL }
