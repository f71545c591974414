/* cli/vmm/main.c - isle-vmm: one virtual machine, or one device of one.  Layer: cli. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/nearest.h"
#include "cli/vmm/verb.h"

#define PROGRAM "isle-vmm"

static const struct vmm_verb *const verbs[] = { &verb_device, &verb_probe, &verb_run };

struct globals {
	const char *log;
	bool debug;
};

static const struct option global_options[] = {
	{ "log", 0, OPT_STRING, offsetof(struct globals, log), "FILE", "log there, not to stderr",
	  NULL },
	{ "debug", 'D', OPT_FLAG, offsetof(struct globals, debug), NULL, "log what is done", NULL },
	OPTION_HELP,
};

static const struct option_set global_set = { global_options, ARRAY_LEN(global_options) };

static int flush(struct err *e)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return 0;
	return err_sys(e, errno ? errno : EIO, "write to standard output");
}

static int print_help(struct err *e)
{
	printf("Usage: " PROGRAM " [OPTIONS] VERB [ARGUMENTS]\n\n"
	       "The hypervisor of isle; \"isle run --vm\" calls it.\n\n");
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		printf("  %-10s %s\n", verbs[i]->name, verbs[i]->summary);
	putchar('\n');
	options_print(stdout, &global_set);
	return flush(e);
}

static int print_verb_help(const struct vmm_verb *v, struct err *e)
{
	printf("Usage: " PROGRAM " %s [OPTIONS]%s%s\n\n%s\n\n", v->name, *v->args ? " " : "",
	       v->args, v->summary);
	options_print(stdout, &v->options);
	return flush(e);
}

static const char *verb_name_at(const void *list, size_t i)
{
	return ((const struct vmm_verb *const *)list)[i]->name;
}

static const struct vmm_verb *find_verb(const char *name, struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		if (strcmp(verbs[i]->name, name) == 0)
			return verbs[i];
	const char *near = nearest_name(name, ARRAY_LEN(verbs), verb_name_at, verbs);
	err_set(e, EINVAL, "unknown verb \"%s\"%s%s%s", name, near ? "; did you mean \"" : "",
		near ? near : "", near ? "\"?" : "");
	return NULL;
}

static int run_verb(const struct vmm_verb *v, int argc, char **argv, int *ret_status,
		    struct err *e)
{
	CLEANUP_FREE void *target = xcalloc(1, v->target_size + 1);
	struct vmm_call c = { .target = target, .argv = argv };

	int r = options_parse(&v->options, argc, argv, 0, target, &c.argc, e);
	if (r > 0)
		r = print_verb_help(v, e);
	else if (r == 0 && (c.argc < v->min_args || c.argc > v->max_args))
		r = err_set(e, EINVAL, "usage: " PROGRAM " %s [OPTIONS] %s; \"" PROGRAM " %s "
			    "--help\" tells more", v->name, v->args, v->name);
	else if (r == 0)
		r = v->run(&c, e);
	options_release(&v->options, target);
	*ret_status = c.status;
	return r;
}

static int run(int argc, char **argv, int *ret_status, struct err *e)
{
	struct globals g = { 0 };
	size_t n = 0;

	/* The first positional argument is the verb: what follows is the verb's. */
	int help = options_parse(&global_set, argc - 1, argv + 1, 1, &g, &n, e);
	if (help < 0)
		return help;
	int r = log_open(PROGRAM, g.log, LOG_TEXT, g.debug, e);
	if (r < 0)
		return r;
	if (help > 0)
		return print_help(e);
	if (n == 0)
		return err_set(e, EINVAL, "no verb given; \"" PROGRAM " --help\" lists them");
	const struct vmm_verb *v = find_verb(argv[1], e);
	return v ? run_verb(v, (int)n - 1, argv + 2, ret_status, e) : -EINVAL;
}

int main(int argc, char **argv)
{
	struct err e = { 0 };
	int status = EXIT_SUCCESS;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);       /* a guest's file that is too long: EFBIG for it */
	if (argc > 0 && run(argc, argv, &status, &e) < 0) {
		log_error("%s", e.msg);
		return status ? status : EXIT_FAILURE;
	}
	return status;
}
