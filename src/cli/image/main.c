/*
 * cli/image/main.c - isle-image: registries and archives, for isle.  Layer: cli.
 *
 * `isle pull` becomes this program; people see one name, so messages say "isle".
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/nearest.h"
#include "cli/image/verb.h"
#include "engine/engine.h"

#define PROGRAM "isle"

static const struct image_verb *const verbs[] = {
	&verb_commit, &verb_import, &verb_load, &verb_login, &verb_logout, &verb_pull, &verb_push,
	&verb_save,
};

#define AT(member) offsetof(struct engine_options, member)

static const struct option global_options[] = {
	{ "root", 0, OPT_STRING, AT(root), "DIR", "where images are kept", NULL },
	{ "run-root", 0, OPT_STRING, AT(run_root), "DIR",
	  "where what ends with the host's uptime is kept", NULL },
	{ "config", 0, OPT_STRING, AT(config_file), "FILE", "read FILE instead of isle.conf",
	  NULL },
	{ "debug", 'D', OPT_FLAG, AT(debug), NULL, "log what is done to stderr", NULL },
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
	printf("Usage: isle-image [OPTIONS] VERB [ARGUMENTS]\n\n"
	       "The part of isle that talks to registries and takes archives apart; "
	       "\"isle VERB\" calls it.\n\n");
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		printf("  %-10s %s\n", verbs[i]->name, verbs[i]->summary);
	putchar('\n');
	options_print(stdout, &global_set);
	return flush(e);
}

static int print_verb_help(const struct image_verb *v, struct err *e)
{
	printf("Usage: " PROGRAM " %s [OPTIONS]%s%s\n\n%s\n\n", v->name, *v->args ? " " : "",
	       v->args, v->summary);
	options_print(stdout, &v->options);
	return flush(e);
}

static const char *verb_name_at(const void *list, size_t i)
{
	return ((const struct image_verb *const *)list)[i]->name;
}

static const struct image_verb *find_verb(const char *name, struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		if (strcmp(verbs[i]->name, name) == 0)
			return verbs[i];
	const char *near = nearest_name(name, ARRAY_LEN(verbs), verb_name_at, verbs);
	err_set(e, EINVAL, "unknown verb \"%s\"%s%s%s", name, near ? "; did you mean \"" : "",
		near ? near : "", near ? "\"?" : "");
	return NULL;
}

static int run_with_store(const struct image_verb *v, const struct engine_options *o,
			  struct image_call *c, struct err *e)
{
	struct engine eng = { 0 };

	int r = engine_open(o, &eng, e);
	if (r < 0)
		return r;
	c->store = &eng.store;
	r = v->run(c, e);
	c->store = NULL;
	engine_close(&eng);
	return r;
}

static int run_verb(const struct image_verb *v, const struct engine_options *o, int argc,
		    char **argv, int *ret_status, struct err *e)
{
	CLEANUP_REGISTRIES struct registries conf = { 0 };
	CLEANUP_FREE void *target = xcalloc(1, v->target_size + 1);
	struct image_call c = { .registries = &conf, .target = target, .argv = argv };

	int r = options_parse(&v->options, argc, argv, 0, target, &c.argc, e);
	if (r > 0)
		r = print_verb_help(v, e);
	else if (r == 0 && (c.argc < v->min_args || c.argc > v->max_args))
		r = err_set(e, EINVAL, "usage: " PROGRAM " %s [OPTIONS] %s; \"" PROGRAM " %s "
			    "--help\" tells more", v->name, v->args, v->name);
	else if (r == 0 && (r = registries_load(NULL, &conf, e)) == 0)
		r = v->no_store ? v->run(&c, e) : run_with_store(v, o, &c, e);
	if (r >= 0)
		r = flush(e);
	options_release(&v->options, target);
	*ret_status = c.status;
	return r;
}

static int run(int argc, char **argv, int *ret_status, struct err *e)
{
	struct engine_options o = { 0 };
	size_t n = 0;

	/* The first positional argument is the verb: what follows is the verb's. */
	int help = options_parse(&global_set, argc - 1, argv + 1, 1, &o, &n, e);
	if (help < 0)
		return help;
	int r = log_open(PROGRAM, NULL, LOG_TEXT, o.debug, e);
	if (r < 0)
		return r;
	if (help > 0)
		return print_help(e);
	if (n == 0)
		return err_set(e, EINVAL, "no verb given; \"isle-image --help\" lists them");
	const struct image_verb *v = find_verb(argv[1], e);
	return v ? run_verb(v, &o, (int)n - 1, argv + 2, ret_status, e) : -EINVAL;
}

int main(int argc, char **argv)
{
	struct err e = { 0 };
	int status = EXIT_SUCCESS;

	signal(SIGPIPE, SIG_IGN);
	if (argc > 0 && run(argc, argv, &status, &e) < 0) {
		log_error("%s", e.msg);
		return status ? status : EXIT_FAILURE;
	}
	return status;
}
