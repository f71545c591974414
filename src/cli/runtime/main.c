/*
 * cli/runtime/main.c - isle-runtime: global options, the verb, the one error line.
 * Layer: cli.
 */
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/nearest.h"
#include "cli/values.h"
#include "cli/runtime/verb.h"
#include "container/container.h"
#include "container/features.h"

#define PROGRAM "isle-runtime"
#define ROOT_DEFAULT "/run/isle-runtime"

enum rootless { ROOTLESS_AUTO, ROOTLESS_YES, ROOTLESS_NO };

struct globals {
	const char *root, *log, *criu;
	enum log_format log_format;
	bool debug, debug_level, systemd_cgroup, version;
	enum cgroup_manager cgroup_manager;
	enum rootless rootless;
};

static int parse_log_format(const char *s, void *target, struct err *e)
{
	static const char *const names[] = { [LOG_TEXT] = "text", [LOG_JSON] = "json" };
	int i = value_choice(s, names, ARRAY_LEN(names), e);

	if (i >= 0)
		*(enum log_format *)target = (enum log_format)i;
	return i;
}

/*
 * Warnings and errors are always written, so the levels of podman and crun
 * come down to one question.
 */
static int parse_log_level(const char *s, void *target, struct err *e)
{
	static const char *const names[] = {
		"trace", "debug", "info", "warn", "warning", "error", "fatal", "panic",
	};
	int i = value_choice(s, names, ARRAY_LEN(names), e);

	if (i >= 0)
		*(bool *)target = i <= 1;
	return i;
}

static int parse_cgroup_manager(const char *s, void *target, struct err *e)
{
	static const char *const names[] = {
		[CGROUP_CGROUPFS] = "cgroupfs", [CGROUP_SYSTEMD] = "systemd",
		[CGROUP_DISABLED] = "disabled",
	};
	int i = value_choice(s, names, ARRAY_LEN(names), e);

	if (i >= 0)
		*(enum cgroup_manager *)target = (enum cgroup_manager)i;
	return i;
}

static int parse_rootless(const char *s, void *target, struct err *e)
{
	static const char *const names[] = {
		[ROOTLESS_AUTO] = "auto", [ROOTLESS_YES] = "true", [ROOTLESS_NO] = "false",
	};
	int i = value_choice(s, names, ARRAY_LEN(names), e);

	if (i >= 0)
		*(enum rootless *)target = (enum rootless)i;
	return i;
}

#define AT(member) offsetof(struct globals, member)

static const struct option global_options[] = {
	{ "root", 0, OPT_STRING, AT(root), "DIR",
	  "directory of the containers' states (default " ROOT_DEFAULT ")", NULL },
	{ "log", 0, OPT_STRING, AT(log), "FILE", "append messages to FILE", NULL },
	{ "log-format", 0, OPT_PARSED, AT(log_format), "FORMAT",
	  "format of the log: text or json (default text)", parse_log_format },
	{ "log-level", 0, OPT_PARSED, AT(debug_level), "LEVEL",
	  "with debug, more; warnings and errors are always logged", parse_log_level },
	{ "debug", 0, OPT_FLAG, AT(debug), NULL, "log debug messages", NULL },
	{ "systemd-cgroup", 0, OPT_FLAG, AT(systemd_cgroup), NULL,
	  "same as --cgroup-manager systemd", NULL },
	{ "cgroup-manager", 0, OPT_PARSED, AT(cgroup_manager), "MANAGER",
	  "who makes cgroups: cgroupfs, systemd or disabled (default cgroupfs)",
	  parse_cgroup_manager },
	{ "rootless", 0, OPT_PARSED, AT(rootless), "WHEN",
	  "do what works without root: true, false or auto (default auto)", parse_rootless },
	{ "criu", 0, OPT_STRING, AT(criu), "PATH",
	  "program that checkpoints and restores (default: criu in PATH)", NULL },
	{ "version", 'v', OPT_FLAG, AT(version), NULL, "show version and features", NULL },
	OPTION_HELP,
};

static const struct option_set global_set = { global_options, ARRAY_LEN(global_options) };

static int print_global_help(struct err *e)
{
	printf("Usage: " PROGRAM " [OPTIONS] COMMAND [ARGUMENTS]\n\n"
	       "Run containers as the OCI runtime specification says.\n\nCommands:\n");
	for (size_t i = 0; i < n_verbs; i++)
		printf("  %-12s%s\n", verbs[i]->name, verbs[i]->summary);
	putchar('\n');
	options_print(stdout, &global_set);
	printf("\n\"" PROGRAM " COMMAND -h\" tells a command's options; see isle-runtime(8).\n");
	return verb_flush(e);
}

static int print_verb_help(const struct verb *v, struct err *e)
{
	printf("Usage: " PROGRAM " %s [OPTIONS]%s%s\n\n%s\n\n", v->name,
	       *v->args ? " " : "", v->args, v->summary);
	options_print(stdout, &v->options);
	return verb_flush(e);
}

/* --- where and as whom -------------------------------------------------- */

/* The first user namespace has a fixed inode number (PROC_USER_INIT_INO,
 * include/linux/proc_ns.h), so one stat tells. */
static bool in_user_namespace(void)
{
	struct stat st;

	return stat("/proc/self/ns/user", &st) == 0 && st.st_ino != 0xEFFFFFFDu;
}

static bool decide_rootless(const struct globals *g)
{
	if (g->rootless != ROOTLESS_AUTO)
		return g->rootless == ROOTLESS_YES;
	return geteuid() != 0 || in_user_namespace();
}

/* *ret is the heap's; absolute, since the runtime changes directories. */
static int decide_root(const struct globals *g, bool rootless, char **ret, struct err *e)
{
	const char *xdg = getenv("XDG_RUNTIME_DIR");

	if (g->root && !*g->root)
		return err_set(e, EINVAL, "option --root: the name is empty");
	if (g->root && g->root[0] == '/') {
		*ret = xstrdup(g->root);
		return 0;
	}
	if (g->root) {
		char cwd[PATH_MAX];

		if (!getcwd(cwd, sizeof(cwd)))
			return err_sys(e, errno, "get the current directory");
		*ret = xasprintf("%s/%s", cwd, g->root);
		return 0;
	}
	if (rootless && xdg && xdg[0] == '/')
		*ret = xasprintf("%s/isle-runtime", xdg);
	else if (geteuid() == 0)
		*ret = xstrdup(ROOT_DEFAULT);
	else
		return err_set(e, EINVAL, "XDG_RUNTIME_DIR is not set: say with --root where "
			       "to keep the containers' states");
	return 0;
}

/* crun takes "file:PATH", "journald:ID" and "syslog:ID" too. */
static int open_log(const struct globals *g, struct err *e)
{
	const char *path = g->log;

	if (path && strncmp(path, "file:", 5) == 0)
		path += 5;
	else if (path && (strncmp(path, "journald:", 9) == 0 || strncmp(path, "syslog:", 7) == 0))
		return err_set(e, EINVAL, "option --log: \"%s\" is not a file; only files are "
			       "written", path);
	return log_open(PROGRAM, path, g->log_format, g->debug || g->debug_level, e);
}

/* --- running ------------------------------------------------------------ */

static int check_count(const struct verb *v, size_t n, struct err *e)
{
	/* runc's words. */
	if (v->min_args == v->max_args && n != v->min_args)
		return err_set(e, EINVAL, "\"%s\" requires exactly %zu argument(s)",
			       v->name, v->min_args);
	if (n < v->min_args)
		return err_set(e, EINVAL, "\"%s\" requires a minimum of %zu argument(s)",
			       v->name, v->min_args);
	if (n > v->max_args)
		return err_set(e, EINVAL, "\"%s\" requires a maximum of %zu argument(s)",
			       v->name, v->max_args);
	return 0;
}

static int run_verb(const struct verb *v, const struct globals *g, int argc, char **argv,
		    int *ret_status, struct err *e)
{
	CLEANUP_FREE void *target = xcalloc(1, v->target_size + 1);
	CLEANUP_FREE char *root = NULL;
	size_t n = 0;

	int r = options_parse(&v->options, argc, argv, v->stop_after, target, &n, e);
	if (r != 0) {
		if (r > 0)
			r = print_verb_help(v, e);
		goto out;
	}
	r = check_count(v, n, e);
	if (r < 0)
		goto out;

	bool rootless = decide_rootless(g);
	r = decide_root(g, rootless, &root, e);
	if (r < 0)
		goto out;
	struct runtime rt = {
		.root = root,
		.cgroup_manager = g->systemd_cgroup ? CGROUP_SYSTEMD : g->cgroup_manager,
		.rootless = rootless,
		.debug = g->debug || g->debug_level,
	};
	log_debug("%s %s: root %s, %s", v->name, n ? argv[0] : "", root,
		  rootless ? "rootless" : "as root");
	struct call c = { .rt = &rt, .criu = g->criu, .target = target, .argv = argv, .argc = n };
	r = v->run(&c, e);
	*ret_status = r >= 0 ? c.status : v->exit_failed;
out:
	options_release(&v->options, target);
	return r;
}

static const char *verb_name_at(const void *list, size_t i)
{
	return ((const struct verb *const *)list)[i]->name;
}

static int unknown_verb(char **argv, struct err *e)
{
	const char *name = argv[0];
	const char *near = nearest_name(name, n_verbs, verb_name_at, verbs);

	if (argv[1] && (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0))
		return err_set(e, EINVAL, "No help topic for '%s'; \"" PROGRAM " --help\" lists "
			       "the commands", name);
	if (near)
		return err_set(e, EINVAL, "unknown command \"%s\"; did you mean \"%s\"?",
			       name, near);
	return err_set(e, EINVAL, "unknown command \"%s\"; \"" PROGRAM " --help\" lists them",
		       name);
}

static int run(int argc, char **argv, int *ret_status, struct err *e)
{
	struct globals g = { 0 };
	size_t n = 0;

	/* The first positional argument is the verb: what follows is the verb's. */
	int help = options_parse(&global_set, argc - 1, argv + 1, 1, &g, &n, e);
	if (help < 0) {
		struct err ignored;

		/* Engines read the log for the cause, also of a bad option. */
		(void)!open_log(&g, &ignored);
		return help;
	}
	int r = open_log(&g, e);
	if (r < 0)
		return r;
	if (help > 0)
		return print_global_help(e);
	if (g.version) {
		features_print_version(stdout, PROGRAM);
		return verb_flush(e);
	}
	if (n == 0)
		return err_set(e, EINVAL, "no command given; \"" PROGRAM " --help\" lists them");
	argv++;
	if (strcmp(argv[0], "help") == 0)
		return print_global_help(e);
	const struct verb *v = verb_find(argv[0]);
	if (!v)
		return unknown_verb(argv, e);
	return run_verb(v, &g, (int)n - 1, argv + 1, ret_status, e);
}

int main(int argc, char **argv)
{
	struct err e = { 0 };
	int status = EXIT_SUCCESS;

	if (argc > 0 && run(argc, argv, &status, &e) < 0) {
		log_error("%s", e.msg);
		return status ? status : container_exit_code(&e);
	}
	return status;
}
