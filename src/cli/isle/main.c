/*
 * cli/isle/main.c - isle: global options, the command, the one error line.  Layer: cli.
 */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "cli/isle/command.h"
#include "cli/isle/globals.h"
#include "cli/isle/output.h"
#include "cli/isle/program.h"

#define PROGRAM "isle"

static int print_help(struct err *e)
{
	printf("Usage: " PROGRAM " [OPTIONS] COMMAND [ARGUMENTS]\n\n"
	       "Run any OCI image as a container.\n\n"
	       "  " PROGRAM " run -it debian bash            a shell in a new instance\n"
	       "  " PROGRAM " run -d --name web -p 80:80 nginx   a server in the background\n"
	       "  " PROGRAM " exec -it web sh                one more program beside it\n"
	       "  " PROGRAM " logs -f web                    what it prints\n"
	       "  " PROGRAM " rm -f web                      and gone\n");
	for (size_t t = 0; t < n_command_topics; t++) {
		printf("\n%s:\n", command_topics[t].title);
		for (size_t i = 0; i < command_topics[t].n; i++)
			printf("  %-19s %s\n", command_topics[t].commands[i]->name,
			       command_topics[t].commands[i]->summary);
	}
	putchar('\n');
	options_print(stdout, &global_set);
	printf("\n\"" PROGRAM " COMMAND --help\" tells a command's options.\n");
	return output_flush(e);
}

static int print_group_help(const char *group, struct err *e)
{
	size_t n = strlen(group);

	printf("Usage: " PROGRAM " %s COMMAND [ARGUMENTS]\n\nCommands:\n", group);
	for (size_t t = 0; t < n_command_topics; t++) {
		for (size_t i = 0; i < command_topics[t].n; i++) {
			const struct command *c = command_topics[t].commands[i];

			if (strncmp(c->name, group, n) == 0 && c->name[n] == ' ')
				printf("  %-19s %s\n", c->name + n + 1, c->summary);
		}
	}
	return output_flush(e);
}

static int print_command_help(const struct command *c, struct err *e)
{
	printf("Usage: " PROGRAM " %s [OPTIONS]%s%s\n\n%s\n", c->name, *c->args ? " " : "",
	       c->args, c->summary);
	if (c->aliases)
		printf("\nAlso: %s\n", c->aliases);
	if (c->examples)
		printf("\nExamples:\n%s", c->examples);
	putchar('\n');
	options_print(stdout, &c->options);
	return output_flush(e);
}

static int check_count(const struct command *c, size_t n, struct err *e)
{
	if (n < c->min_args || n > c->max_args)
		return err_set(e, EINVAL, "usage: " PROGRAM " %s [OPTIONS] %s; \"" PROGRAM
			       " %s --help\" tells more", c->name, c->args, c->name);
	return 0;
}

static int run_options(const struct command *c, struct isle_call *call, int argc, char **argv,
		       struct err *e)
{
	struct engine eng = { 0 };

	int r = options_parse(&c->options, argc, argv, c->stop_after, call->target, &call->argc, e);
	if (r > 0)
		return print_command_help(c, e);
	if (r == 0)
		r = check_count(c, call->argc, e);
	if (r < 0 || c->no_engine)
		return r < 0 ? r : c->run(call, e);
	r = engine_open(call->globals, &eng, e);
	if (r < 0)
		return r;
	call->eng = &eng;
	r = c->run(call, e);
	call->eng = NULL;
	engine_close(&eng);
	return r;
}

static int run_command(const struct command *c, const struct globals *g, int argc, char **argv,
		       int *ret_status, struct err *e)
{
	CLEANUP_FREE void *target = xcalloc(1, c->target_size + 1);
	struct isle_call call = {
		.globals = &g->engine, .target = target, .argv = argv, .raw_argv = argv,
	};
	int r;

	*ret_status = 0;
	/* What options_parse() took out stands behind the words it left. */
	argv[argc] = NULL;
	if (c->program)
		r = program_become_image(&g->engine, c->name, argv, e);
	else
		r = run_options(c, &call, argc, argv, e);
	options_release(&c->options, target);
	*ret_status = call.status;
	if (r < 0 && !call.status)
		*ret_status = c->exit_failed;
	return r;
}

/* "help", "help run", "help network". */
static int run_help(char **argv, int argc, struct err *e)
{
	int words;
	bool group;

	if (argc == 0)
		return print_help(e);
	const struct command *c = command_find(argv, argc, &words, &group);
	if (c)
		return print_command_help(c, e);
	return group ? print_group_help(argv[0], e) : command_unknown(argv, argc, e);
}

static bool asks_help(const char *arg)
{
	return strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0;
}

static int run(int argc, char **argv, int *ret_status, struct err *e)
{
	static char *version[] = { (char *)"version", NULL };
	struct globals g = { 0 };
	size_t n = 0;
	int words;
	bool group;

	/* The first positional argument is the command: what follows is the command's. */
	int help = options_parse(&global_set, argc - 1, argv + 1, 1, &g, &n, e);
	if (help < 0)
		return help;
	int r = log_open(PROGRAM, NULL, LOG_TEXT, g.engine.debug, e);
	if (r < 0)
		return r;
	if (help > 0)
		return print_help(e);
	argv = g.version ? version : argv + 1;
	argc = g.version ? 1 : (int)n;
	if (argc == 0)
		return err_set(e, EINVAL, "no command given; \"" PROGRAM " --help\" lists them");
	if (strcmp(argv[0], "help") == 0)
		return run_help(argv + 1, argc - 1, e);
	const struct command *c = command_find(argv, argc, &words, &group);
	if (c)
		return run_command(c, &g, argc - words, argv + words, ret_status, e);
	if (group && (argc == 1 || asks_help(argv[1])))
		return print_group_help(argv[0], e);
	return command_unknown(argv, argc, e);
}

int main(int argc, char **argv)
{
	struct err e = { 0 };
	int status = EXIT_SUCCESS;

	/* A reader that has left is an error of write, told once, not a silent death. */
	signal(SIGPIPE, SIG_IGN);
	if (argc > 0 && run(argc, argv, &status, &e) < 0) {
		log_error("%s", e.msg);
		return status ? status : EXIT_FAILURE;
	}
	return status;
}
