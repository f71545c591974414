/* cli/image/login.c - isle login: try a user and password, and keep them.  Layer: cli. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "cli/image/verb.h"
#include "image/registry_client.h"

#define SECRET_BYTES_MAX (64u << 10)

struct target {
	const char *username, *password;
	bool password_stdin;
};

#define AT(member) offsetof(struct target, member)

static const struct option options[] = {
	{ "username", 'u', OPT_STRING, AT(username), "NAME", "the user", NULL },
	{ "password", 'p', OPT_STRING, AT(password), "SECRET",
	  "the password; others on this host can see it, --password-stdin is better", NULL },
	{ "password-stdin", 0, OPT_FLAG, AT(password_stdin), NULL,
	  "read the password from standard input", NULL },
	OPTION_HELP,
};

/* The host of "host", "https://host/v1/" or, when none is given, the default registry. */
static int decide_host(const struct image_call *c, struct arena *a, const char **ret,
		       struct err *e)
{
	const char *given = c->argc ? c->argv[0] : c->registries->default_host;

	if (!given)
		return err_set(e, EINVAL, "which registry? Name its host, or set \"default\" in "
			       "registries.conf");
	const char *scheme = strstr(given, "://");

	if (scheme)
		given = scheme + 3;
	*ret = arena_strndup(a, given, strcspn(given, "/"));
	if (!**ret || strpbrk(*ret, " \t?#@"))
		return err_set(e, EINVAL, "\"%s\" is not a registry's host: host or host:port was "
			       "expected", given);
	return 0;
}

/* A line of the terminal, without showing it where hidden. */
static int ask(const char *prompt, bool hidden, struct arena *a, const char **ret,
	       struct err *e)
{
	char line[1024];
	struct termios old, new;

	if (!isatty(STDIN_FILENO))
		return err_set(e, EINVAL, "standard input is no terminal to ask on; give "
			       "--username and --password-stdin");
	fprintf(stderr, "%s: ", prompt);
	fflush(stderr);
	bool set = hidden && tcgetattr(STDIN_FILENO, &old) == 0;

	if (set) {
		new = old;
		new.c_lflag &= (tcflag_t)~ECHO;
		(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &new);
	}
	char *got = fgets(line, sizeof(line), stdin);

	if (set) {
		(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &old);
		fputc('\n', stderr);
	}
	if (!got)
		return err_set(e, ECANCELED, "nothing was entered");
	line[strcspn(line, "\r\n")] = '\0';
	*ret = arena_strdup(a, line);
	explicit_bzero(line, sizeof(line));
	return 0;
}

static int read_secret(struct arena *a, const char **ret, struct err *e)
{
	CLEANUP(buf_release) struct buf b = BUF_INIT(SECRET_BYTES_MAX);
	int r = fd_read_buf(STDIN_FILENO, &b);

	if (r < 0)
		return err_sys(e, -r, "read the password from standard input");
	/* "echo secret |" is meant without its newline. */
	while (b.len > 0 && (b.data[b.len - 1] == '\n' || b.data[b.len - 1] == '\r'))
		b.data[--b.len] = '\0';
	*ret = arena_strndup(a, b.data ? b.data : "", b.len);
	return 0;
}

static int read_credentials(const struct target *t, struct arena *a, struct auth_credentials *ret,
			    struct err *e)
{
	int r = 0;

	if (t->password && t->password_stdin)
		return err_set(e, EINVAL, "--password and --password-stdin exclude each other");
	if (t->password_stdin && !t->username)
		return err_set(e, EINVAL, "--password-stdin needs --username");
	ret->username = t->username;
	ret->password = t->password;
	if (!ret->username)
		r = ask("Username", false, a, &ret->username, e);
	if (r == 0 && t->password_stdin)
		r = read_secret(a, &ret->password, e);
	else if (r == 0 && !ret->password)
		r = ask("Password", true, a, &ret->password, e);
	if (r == 0 && (!*ret->username || !*ret->password || strchr(ret->username, ':')))
		return err_set(e, EINVAL, "a user (without \":\") and a password are needed");
	return r;
}

/* distribution spec, "Endpoints": GET /v2/ answers 200 to those who may come in. */
static int try(const struct image_call *c, const char *host,
	       const struct auth_credentials *cred, struct err *e)
{
	const struct client_target target = {
		.host = host, .access = CLIENT_PING, .credentials = cred,
	};
	const struct client_options o = CLIENT_OPTIONS_DEFAULT;
	const struct client_request q = {
		.http = { .method = "GET", .body_max_bytes = 1u << 20 }, .path = "",
	};
	CLEANUP_CLIENT struct client *client = NULL;
	CLEANUP_HTTP struct http *h = NULL;
	CLEANUP(http_answer_release) struct http_answer ans = { 0 };
	int r = client_new(c->registries, &target, &o, &client, e);

	if (r == 0)
		r = client_http(client, &h, e);
	if (r == 0)
		r = client_do(client, h, &q, &ans, e);
	return r;
}

static int login(struct image_call *c, struct err *e)
{
	CLEANUP(arena_release) struct arena a = { 0 };
	struct auth_credentials cred = { 0 };
	const char *host = NULL, *where = NULL;
	int r = decide_host(c, &a, &host, e);

	if (r == 0)
		r = read_credentials(c->target, &a, &cred, e);
	if (r == 0)
		r = try(c, host, &cred, e);
	if (r == 0)
		r = auth_store(host, &cred, &a, &where, e);
	if (r < 0)
		return err_prefix(e, "login");
	fprintf(stderr, "The credentials for %s are kept in %s.\n", host, where);
	printf("Login Succeeded\n");
	return 0;
}

const struct image_verb verb_login = {
	.name = "login",
	.args = "[HOST]",
	.summary = "log in to a registry",
	.options = { options, ARRAY_LEN(options) },
	.target_size = sizeof(struct target),
	.max_args = 1,
	.no_store = true,
	.run = login,
};
