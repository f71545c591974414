/* cli/isle/commands.c - all commands of isle, by topic, and finding one by its words. */
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "base/nearest.h"
#include "cli/isle/command.h"

static const struct command *const instances[] = {
	&command_run, &command_create, &command_start, &command_exec, &command_attach,
	&command_logs, &command_top, &command_diff, &command_cp, &command_export, &command_commit,
	&command_stop, &command_restart, &command_kill, &command_rm, &command_pause,
	&command_unpause, &command_wait, &command_rename, &command_ps, &command_inspect,
	&command_port, &command_stats, &command_update, &command_container_prune,
};

static const struct command *const images[] = {
	&command_images, &command_pull, &command_push, &command_rmi, &command_tag,
	&command_image_inspect, &command_history, &command_save, &command_load,
	&command_import, &command_image_prune, &command_login, &command_logout,
};

static const struct command *const networks[] = {
	&command_network_create, &command_network_ls, &command_network_inspect,
	&command_network_rm, &command_network_connect, &command_network_disconnect,
	&command_network_prune,
};

static const struct command *const volumes[] = {
	&command_volume_create, &command_volume_ls, &command_volume_inspect,
	&command_volume_rm, &command_volume_prune,
};

static const struct command *const host[] = {
	&command_info, &command_doctor, &command_events, &command_system_df,
	&command_system_prune, &command_system_check, &command_system_start,
	&command_system_reap, &command_version,
};

#define TOPIC(title, list) { title, list, ARRAY_LEN(list) }

const struct command_topic command_topics[] = {
	TOPIC("Instances", instances),
	TOPIC("Images", images),
	TOPIC("Networks", networks),
	TOPIC("Volumes", volumes),
	TOPIC("The host", host),
};
const size_t n_command_topics = ARRAY_LEN(command_topics);

/* The words of name at the head of argv: how many, 0 when they differ. */
static int match_words(const char *name, size_t n_name, char **argv, int argc)
{
	int words = 0;

	for (size_t at = 0; at < n_name; words++) {
		size_t n = 0;

		while (at + n < n_name && name[at + n] != ' ')
			n++;
		if (words == argc || strlen(argv[words]) != n ||
		    memcmp(argv[words], name + at, n) != 0)
			return 0;
		at += n + 1;
	}
	return words;
}

static int match(const struct command *c, char **argv, int argc)
{
	int words = match_words(c->name, strlen(c->name), argv, argc);

	for (const char *a = c->aliases; !words && a; a = strchr(a, ',')) {
		a += strspn(a, ", ");
		words = match_words(a, strcspn(a, ","), argv, argc);
	}
	return words;
}

static bool begins_with_word(const struct command *c, const char *word)
{
	size_t n = strlen(word);

	if (strncmp(c->name, word, n) == 0 && c->name[n] == ' ')
		return true;
	for (const char *a = c->aliases; a; a = strchr(a, ',')) {
		a += strspn(a, ", ");
		if (strncmp(a, word, n) == 0 && a[n] == ' ')
			return true;
	}
	return false;
}

const struct command *command_find(char **argv, int argc, int *ret_words, bool *ret_group)
{
	const struct command *found = NULL;

	*ret_words = 0;
	*ret_group = false;
	for (size_t t = 0; t < n_command_topics; t++) {
		for (size_t i = 0; i < command_topics[t].n; i++) {
			const struct command *c = command_topics[t].commands[i];
			int words = match(c, argv, argc);

			if (words > *ret_words) {
				*ret_words = words;
				found = c;
			}
			*ret_group = *ret_group || (argc && begins_with_word(c, argv[0]));
		}
	}
	return found;
}

struct names {
	const char *v[256];
	size_t n;
};

static const char *name_at(const void *list, size_t i)
{
	return ((const struct names *)list)->v[i];
}

int command_unknown(char **argv, int argc, struct err *e)
{
	struct names names = { .n = 0 };
	CLEANUP_FREE char *two = xasprintf("%s %s", argv[0], argc > 1 ? argv[1] : "");
	int words;
	bool group;

	for (size_t t = 0; t < n_command_topics; t++)
		for (size_t i = 0; i < command_topics[t].n && names.n < ARRAY_LEN(names.v); i++)
			names.v[names.n++] = command_topics[t].commands[i]->name;
	command_find(argv, argc, &words, &group);
	const char *word = group && argc > 1 ? two : argv[0];
	const char *near = nearest_name(word, names.n, name_at, &names);
	if (near)
		return err_set(e, EINVAL, "unknown command \"%s\"; did you mean \"%s\"?", word,
			       near);
	return err_set(e, EINVAL, "unknown command \"%s\"; \"isle --help\" lists them", word);
}
