/*
 * tools/manual.c - print isle(1) from the tables of its commands, so that the page and
 * "-h" cannot differ.  Run by the build.
 */
#include <stdio.h>
#include <string.h>

#include "cli/isle/command.h"
#include "cli/isle/globals.h"

/* mdoc(7): a backslash, a leading dot or quote would be taken for markup. */
static void put_text(const char *s)
{
	if (*s == '.' || *s == '\'')
		fputs("\\&", stdout);
	for (; *s; s++) {
		if (*s == '\\')
			fputs("\\e", stdout);
		else if (*s == '-')
			fputs("\\-", stdout);
		else
			putchar(*s);
	}
}

static void put_line(const char *s)
{
	put_text(s);
	putchar('\n');
}

static void put_options(const struct option_set *set)
{
	puts(".Bl -tag -width Ds");
	for (size_t i = 0; i < set->n; i++) {
		const struct option *o = &set->v[i];

		printf(".It ");
		if (o->letter)
			printf("Fl %c , ", o->letter);
		printf("Fl -%s", o->name);
		if (o->metavar)
			printf(" Ar \"%s\"", o->metavar);
		putchar('\n');
		put_line(o->help);
	}
	puts(".El");
}

static void put_examples(const char *s)
{
	puts(".Pp\nExamples:\n.Bd -literal -offset indent");
	while (*s) {
		size_t n = strcspn(s, "\n");
		char line[256];

		snprintf(line, sizeof(line), "%.*s", (int)n, s);
		put_line(line + strspn(line, " "));
		s += n + (s[n] == '\n');
	}
	puts(".Ed");
}

static void put_command(const struct command *c)
{
	printf(".Ss isle %s %s\n", c->name, c->args);
	put_line(c->summary);
	if (c->aliases) {
		puts(".Pp");
		printf("Also: ");
		put_line(c->aliases);
	}
	if (c->options.n)
		put_options(&c->options);
	if (c->examples)
		put_examples(c->examples);
}

static const char head[] =
	".\\\" Printed by tools/manual.c from the tables of src/cli/isle.\n"
	".Dd November 23, 2026\n"
	".Dt ISLE 1\n"
	".Os\n"
	".Sh NAME\n"
	".Nm isle\n"
	".Nd run any OCI image as a container\n"
	".Sh SYNOPSIS\n"
	".Nm\n"
	".Op Ar OPTIONS\n"
	".Ar COMMAND\n"
	".Op Ar ARGUMENTS\n"
	".Sh DESCRIPTION\n"
	".Nm\n"
	"pulls images, and makes, runs, watches and removes instances of them.\n"
	"There is no daemon: each command does its work and ends.\n"
	"Beside a running instance stays its keeper, a role of\n"
	".Xr isle-runtime 8 ,\n"
	"which holds its standard streams, log, exit status and restart policy.\n"
	"Commands and options are called what Docker calls them.\n"
	".Pp\n"
	"Data goes to standard output, everything else to standard error.\n"
	"The exit status of\n"
	".Cm run\n"
	"and\n"
	".Cm exec\n"
	"is the program's, 128 and the signal's number where a signal ended it,\n"
	"127 where it was not found, 126 where it could not be executed, and 125 where\n"
	".Nm\n"
	"itself failed.\n";

static const char tail[] =
	".Sh FILES\n"
	".Bl -tag -width Ds\n"
	".It Pa /var/lib/isle , ~/.local/share/isle\n"
	"Images, instances, volumes and the database, as root and as an ordinary user.\n"
	".It Pa /run/isle , $XDG_RUNTIME_DIR/isle\n"
	"What ends with the host's uptime.\n"
	".It Pa /etc/isle/isle.conf , ~/.config/isle/isle.conf\n"
	"Defaults, one\n"
	".Ql key = value\n"
	"a line.\n"
	".It Pa /etc/isle/registries.conf , ~/.config/isle/registries.conf\n"
	"The default registry, short names, mirrors, registries without TLS.\n"
	".El\n"
	".Sh SEE ALSO\n"
	".Xr isle-runtime 8\n";

int main(void)
{
	fputs(head, stdout);
	puts("The options ahead of the command:");
	put_options(&global_set);
	puts(".Sh COMMANDS");
	for (size_t t = 0; t < n_command_topics; t++)
		for (size_t i = 0; i < command_topics[t].n; i++)
			put_command(command_topics[t].commands[i]);
	fputs(tail, stdout);
	return 0;
}
