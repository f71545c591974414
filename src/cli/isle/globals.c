/* cli/isle/globals.c - see globals.h */
#include "cli/isle/globals.h"

#include "base/mem.h"

#define AT(member) offsetof(struct globals, member)

static const struct option global_options[] = {
	{ "root", 0, OPT_STRING, AT(engine.root), "DIR",
	  "where images, instances and volumes are kept (default /var/lib/isle, of an ordinary "
	  "user ~/.local/share/isle)", NULL },
	{ "run-root", 0, OPT_STRING, AT(engine.run_root), "DIR",
	  "where what ends with the host's uptime is kept (default /run/isle, of an ordinary "
	  "user $XDG_RUNTIME_DIR/isle)", NULL },
	{ "config", 0, OPT_STRING, AT(engine.config_file), "FILE",
	  "read FILE instead of /etc/isle/isle.conf and ~/.config/isle/isle.conf", NULL },
	{ "debug", 'D', OPT_FLAG, AT(engine.debug), NULL, "log what is done to stderr", NULL },
	{ "version", 'v', OPT_FLAG, AT(version), NULL, "show the version", NULL },
	OPTION_HELP,
};

const struct option_set global_set = { global_options, ARRAY_LEN(global_options) };
