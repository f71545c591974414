/*
 * cli/systemd/main.c - isle-systemd: transient scopes over D-Bus.
 *
 * isle-runtime is static and cannot load libsystemd, so it runs this program, which
 * does one thing and ends:
 *
 *      isle-systemd [--user] start UNIT SLICE PID PROPERTY...
 *      isle-systemd [--user] set UNIT PROPERTY...
 *      isle-systemd [--user] stop UNIT
 *      isle-systemd [--user] root      print the manager's own control group
 *
 * A PROPERTY is NAME=SIGNATURE:VALUE, and VALUE is
 *
 *      s b n q i u x t   one value in text; b is "true" or "false"
 *      as                strings with a unit separator (0x1f) between them
 *      ay                bytes in hexadecimal
 *      a(ss)             one pair, the second after the last blank; the same name
 *                        again adds to the list ("DeviceAllow")
 *
 * A '?' ahead of NAME: leave it out where this systemd does not know it.
 * Exit status 0, or 1 with one line on standard error.
 *
 * Interface: org.freedesktop.systemd1(5), org.freedesktop.systemd1.Manager.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/time.h"

#define DEST "org.freedesktop.systemd1"
#define PATH "/org/freedesktop/systemd1"
#define MANAGER DEST ".Manager"
#define JOB_WAIT_NS (30ull * 1000000000ull)
#define NS_PER_US 1000ull

struct call {
	sd_bus *bus;
	char **props;
	int n_props;
	bool without_optional;
};

struct job {
	char *path;             /* NULL until the reply has told it */
	char *result;           /* NULL until it has ended */
	char *early_path[16], *early_result[16];        /* signals ahead of the reply */
	size_t n_early;
};

static void bus_error_cleanup(sd_bus_error *err)
{
	sd_bus_error_free(err);
}
#define CLEANUP_ERROR __attribute__((cleanup(bus_error_cleanup)))

static void message_cleanup(sd_bus_message **m)
{
	sd_bus_message_unref(*m);
}
#define CLEANUP_MESSAGE __attribute__((cleanup(message_cleanup)))

/* The bus's own words where it has any. */
static int fail(struct err *e, int r, const sd_bus_error *err, const char *what)
{
	if (err && err->message)
		return err_set(e, r < 0 ? -r : EIO, "%s: %s", what, err->message);
	return err_sys(e, r < 0 ? -r : EIO, "%s", what);
}

/* --- properties ----------------------------------------------------------------- */

static int append_number(sd_bus_message *m, char type, const char *v)
{
	bool is_signed = strchr("nix", type) != NULL;
	unsigned long long u;
	long long s;
	char *end;

	errno = 0;
	s = strtoll(v, &end, 10);
	u = is_signed ? 0 : strtoull(v, &end, 10);
	if (end == v || *end || (!is_signed && *v == '-'))
		return -EINVAL;
	switch (type) {
	case 'n':
		return sd_bus_message_append(m, "n", (int)s);
	case 'q':
		return sd_bus_message_append(m, "q", (unsigned)u);
	case 'i':
		return sd_bus_message_append(m, "i", (int)s);
	case 'u':
		return sd_bus_message_append(m, "u", (unsigned)u);
	case 'x':
		return sd_bus_message_append(m, "x", (int64_t)s);
	default:
		return sd_bus_message_append(m, "t", (uint64_t)u);
	}
}

static int append_strings(sd_bus_message *m, char *v)
{
	int r = sd_bus_message_open_container(m, 'a', "s");

	while (r >= 0 && v && *v) {
		char *next = strchr(v, '\x1f');

		if (next)
			*next++ = '\0';
		r = sd_bus_message_append(m, "s", v);
		v = next;
	}
	return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_bytes(sd_bus_message *m, const char *v)
{
	size_t n = strlen(v) / 2;
	CLEANUP_FREE unsigned char *bytes = xmalloc(n + 1);

	for (size_t i = 0; i < n; i++)
		if (sscanf(v + 2 * i, "%2hhx", &bytes[i]) != 1)
			return -EINVAL;
	return sd_bus_message_append_array(m, 'y', bytes, n);
}

/* "NAME=a(ss):first second" */
static int append_pair(sd_bus_message *m, const char *prop)
{
	CLEANUP_FREE char *text = xstrdup(prop);
	char *first = strchr(text, ':'), *second = strrchr(text, ' ');

	if (!first || !second || second < first)
		return -EINVAL;
	*second++ = '\0';
	return sd_bus_message_append(m, "(ss)", first + 1, second);
}

/* All the pairs that name has in the list at once: a second property would replace
 * the first. */
static int append_pairs(sd_bus_message *m, const struct call *c, const char *name, size_t n)
{
	int r = sd_bus_message_open_container(m, 'a', "(ss)");

	for (int i = 0; r >= 0 && i < c->n_props; i++)
		if (strncmp(c->props[i], name, n) == 0 && c->props[i][n] == '=')
			r = append_pair(m, c->props[i]);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_value(sd_bus_message *m, const struct call *c, const char *name,
			const char *signature, char *value)
{
	int r = sd_bus_message_open_container(m, 'v', signature);

	if (r < 0)
		return r;
	if (strcmp(signature, "s") == 0)
		r = sd_bus_message_append(m, "s", value);
	else if (strcmp(signature, "b") == 0)
		r = sd_bus_message_append(m, "b", strcmp(value, "true") == 0);
	else if (strcmp(signature, "as") == 0)
		r = append_strings(m, value);
	else if (strcmp(signature, "ay") == 0)
		r = append_bytes(m, value);
	else if (strcmp(signature, "a(ss)") == 0)
		r = append_pairs(m, c, name, strlen(name));
	else if (strlen(signature) == 1 && strchr("nqiuxt", *signature))
		r = append_number(m, *signature, value);
	else
		r = -EINVAL;
	return r < 0 ? r : sd_bus_message_close_container(m);
}

/* Is the property at i one that an earlier one of its name has sent already? */
static bool is_repeated(const struct call *c, int i)
{
	size_t n = strcspn(c->props[i], "=") + 1;

	for (int k = 0; k < i; k++)
		if (strncmp(c->props[k], c->props[i], n) == 0)
			return true;
	return false;
}

static int append_property(sd_bus_message *m, const struct call *c, int i, struct err *e)
{
	const char *arg = c->props[i];
	CLEANUP_FREE char *text = xstrdup(arg + (*arg == '?'));
	char *signature = strchr(text, '='), *value;
	int r;

	if ((*arg == '?' && c->without_optional) || is_repeated(c, i))
		return 0;
	value = signature ? strchr(signature, ':') : NULL;
	if (!value)
		return err_set(e, EINVAL, "\"%s\" is not NAME=SIGNATURE:VALUE", arg);
	*signature++ = '\0';
	*value++ = '\0';
	r = sd_bus_message_open_container(m, 'r', "sv");
	if (r >= 0)
		r = sd_bus_message_append(m, "s", text);
	if (r >= 0)
		r = append_value(m, c, text, signature, value);
	if (r >= 0)
		r = sd_bus_message_close_container(m);
	return r < 0 ? err_sys(e, -r, "property %s", arg) : 0;
}

static int append_properties(sd_bus_message *m, const struct call *c, struct err *e)
{
	int r = sd_bus_message_open_container(m, 'a', "(sv)");

	if (r < 0)
		return fail(e, r, NULL, "compose a message");
	for (int i = 0; i < c->n_props; i++) {
		r = append_property(m, c, i, e);
		if (r < 0)
			return r;
	}
	r = sd_bus_message_close_container(m);
	return r < 0 ? fail(e, r, NULL, "compose a message") : 0;
}

/* --- jobs -------------------------------------------------------------------------- */

/* JobRemoved(u id, o job, s unit, s result).  It may come ahead of the reply. */
static int on_job_removed(sd_bus_message *m, void *arg, sd_bus_error *err)
{
	struct job *j = arg;
	const char *path, *unit, *result;
	uint32_t id;

	(void)err;
	if (sd_bus_message_read(m, "uoss", &id, &path, &unit, &result) < 0)
		return 0;
	if (j->path && strcmp(j->path, path) == 0) {
		free(j->result);
		j->result = xstrdup(result);
	} else if (!j->path && j->n_early < ARRAY_LEN(j->early_path)) {
		j->early_path[j->n_early] = xstrdup(path);
		j->early_result[j->n_early++] = xstrdup(result);
	}
	return 0;
}

static void job_release(struct job *j)
{
	free(j->path);
	free(j->result);
	while (j->n_early > 0) {
		free(j->early_path[--j->n_early]);
		free(j->early_result[j->n_early]);
	}
}

static int job_subscribe(sd_bus *bus, struct job *j, struct err *e)
{
	CLEANUP_ERROR sd_bus_error err = SD_BUS_ERROR_NULL;
	/* Past the bus daemon, on systemd's own socket, messages carry no sender. */
	const char *sender = sd_bus_is_bus_client(bus) > 0 ? DEST : NULL;
	int r = sd_bus_match_signal(bus, NULL, sender, PATH, MANAGER, "JobRemoved",
				    on_job_removed, j);

	if (r >= 0)
		r = sd_bus_call_method(bus, DEST, PATH, MANAGER, "Subscribe", &err, NULL, "");
	if (r < 0 && sd_bus_error_has_name(&err, "org.freedesktop.systemd1.AlreadySubscribed"))
		r = 0;
	return r < 0 ? fail(e, r, &err, "subscribe to systemd's signals") : 0;
}

static int job_wait(sd_bus *bus, struct job *j, const char *unit, struct err *e)
{
	uint64_t until = time_mono_ns() + JOB_WAIT_NS;

	for (size_t i = 0; i < j->n_early && !j->result; i++)
		if (strcmp(j->early_path[i], j->path) == 0)
			j->result = xstrdup(j->early_result[i]);
	while (!j->result) {
		uint64_t now = time_mono_ns();
		int r = sd_bus_process(bus, NULL);

		if (r == 0 && now >= until)
			return err_set(e, ETIMEDOUT, "systemd did not finish the job of %s in "
				       "%llu s", unit, JOB_WAIT_NS / 1000000000ull);
		if (r == 0)
			r = sd_bus_wait(bus, (until - now) / NS_PER_US);
		if (r < 0 && r != -EINTR)
			return fail(e, r, NULL, "wait for systemd");
	}
	if (strcmp(j->result, "done") == 0)
		return 0;
	return err_set(e, EIO, "systemd's job of %s ended as \"%s\"", unit, j->result);
}

static int job_of(sd_bus_message *reply, struct job *j, struct err *e)
{
	const char *path;
	int r = sd_bus_message_read(reply, "o", &path);

	if (r < 0)
		return fail(e, r, NULL, "read systemd's answer");
	j->path = xstrdup(path);
	return 0;
}

/* --- verbs ---------------------------------------------------------------------------- */

static void reset_failed(sd_bus *bus, const char *unit)
{
	/* A unit that has not failed, or is gone, is what is wanted. */
	(void)sd_bus_call_method(bus, DEST, PATH, MANAGER, "ResetFailedUnit", NULL, NULL, "s",
				 unit);
}

static int start_message(const struct call *c, const char *unit, const char *slice,
			 uint32_t pid, sd_bus_message **ret, struct err *e)
{
	CLEANUP_MESSAGE sd_bus_message *m = NULL;
	int r = sd_bus_message_new_method_call(c->bus, &m, DEST, PATH, MANAGER,
					       "StartTransientUnit");

	/* StartTransientUnit(s name, s mode, a(sv) properties, a(sa(sv)) aux) */
	if (r >= 0)
		r = sd_bus_message_append(m, "ss", unit, "fail");
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'a', "(sv)");
	if (r >= 0)
		r = sd_bus_message_append(m, "(sv)", "Slice", "s", slice);
	if (r >= 0)
		r = sd_bus_message_append(m, "(sv)", "PIDs", "au", 1, pid);
	for (int i = 0; r >= 0 && i < c->n_props; i++)
		if (append_property(m, c, i, e) < 0)
			return -e->code;
	if (r >= 0)
		r = sd_bus_message_close_container(m);
	if (r >= 0)
		r = sd_bus_message_append(m, "a(sa(sv))", 0);
	if (r < 0)
		return fail(e, r, NULL, "compose a message");
	*ret = take_ptr(m);
	return 0;
}

static int start(struct call *c, const char *unit, const char *slice, uint32_t pid,
		 struct err *e)
{
	CLEANUP(job_release) struct job job = { 0 };
	int r = job_subscribe(c->bus, &job, e);

	if (r < 0)
		return r;
	for (int try = 0; ; try++) {
		CLEANUP_ERROR sd_bus_error err = SD_BUS_ERROR_NULL;
		CLEANUP_MESSAGE sd_bus_message *m = NULL;
		CLEANUP_MESSAGE sd_bus_message *reply = NULL;

		r = start_message(c, unit, slice, pid, &m, e);
		if (r < 0)
			return r;
		r = sd_bus_call(c->bus, m, 0, &err, &reply);
		if (r >= 0) {
			r = job_of(reply, &job, e);
			return r < 0 ? r : job_wait(c->bus, &job, unit, e);
		}
		/* One left over from a container that failed keeps the name. */
		if (try == 0 && sd_bus_error_has_name(&err, DEST ".UnitExists"))
			reset_failed(c->bus, unit);
		/* "Cannot set property X, or unknown property." */
		else if (!c->without_optional &&
			 sd_bus_error_has_name(&err, SD_BUS_ERROR_PROPERTY_READ_ONLY))
			c->without_optional = true;
		else
			return fail(e, r, &err, "StartTransientUnit");
	}
}

static int set(struct call *c, const char *unit, struct err *e)
{
	for (;;) {
		CLEANUP_ERROR sd_bus_error err = SD_BUS_ERROR_NULL;
		CLEANUP_MESSAGE sd_bus_message *m = NULL;
		int r = sd_bus_message_new_method_call(c->bus, &m, DEST, PATH, MANAGER,
						       "SetUnitProperties");

		/* SetUnitProperties(s name, b runtime, a(sv) properties) */
		if (r >= 0)
			r = sd_bus_message_append(m, "sb", unit, 1);
		if (r < 0)
			return fail(e, r, NULL, "compose a message");
		r = append_properties(m, c, e);
		if (r < 0)
			return r;
		r = sd_bus_call(c->bus, m, 0, &err, NULL);
		if (r >= 0)
			return 0;
		if (c->without_optional ||
		    !sd_bus_error_has_name(&err, SD_BUS_ERROR_PROPERTY_READ_ONLY))
			return fail(e, r, &err, "SetUnitProperties");
		c->without_optional = true;
	}
}

static int stop(struct call *c, const char *unit, struct err *e)
{
	CLEANUP(job_release) struct job job = { 0 };
	CLEANUP_ERROR sd_bus_error err = SD_BUS_ERROR_NULL;
	CLEANUP_MESSAGE sd_bus_message *reply = NULL;
	int r = job_subscribe(c->bus, &job, e);

	if (r < 0)
		return r;
	r = sd_bus_call_method(c->bus, DEST, PATH, MANAGER, "StopUnit", &err, &reply, "ss",
			       unit, "replace");
	if (r < 0 && sd_bus_error_has_name(&err, DEST ".NoSuchUnit"))
		return 0;
	if (r < 0)
		return fail(e, r, &err, "StopUnit");
	r = job_of(reply, &job, e);
	if (r >= 0)
		r = job_wait(c->bus, &job, unit, e);
	reset_failed(c->bus, unit);
	return r;
}

static int root(struct call *c, struct err *e)
{
	CLEANUP_ERROR sd_bus_error err = SD_BUS_ERROR_NULL;
	CLEANUP_FREE char *group = NULL;
	int r = sd_bus_get_property_string(c->bus, DEST, PATH, MANAGER, "ControlGroup", &err,
					   &group);

	if (r < 0)
		return fail(e, r, &err, "read the manager's control group");
	return printf("%s\n", group) < 0 || fflush(stdout) != 0 ? err_sys(e, EIO, "write") : 0;
}

static int run(struct call *c, int argc, char **argv, struct err *e)
{
	const char *verb = argc > 0 ? argv[0] : "";
	unsigned long pid = argc >= 4 ? strtoul(argv[3], NULL, 10) : 0;

	if (strcmp(verb, "start") == 0 && pid > 0 && pid <= INT32_MAX) {
		c->props = argv + 4;
		c->n_props = argc - 4;
		return start(c, argv[1], argv[2], (uint32_t)pid, e);
	}
	if (strcmp(verb, "set") == 0 && argc >= 2) {
		c->props = argv + 2;
		c->n_props = argc - 2;
		return set(c, argv[1], e);
	}
	if (strcmp(verb, "stop") == 0 && argc == 2)
		return stop(c, argv[1], e);
	if (strcmp(verb, "root") == 0 && argc == 1)
		return root(c, e);
	return err_set(e, EINVAL, "usage: isle-systemd [--user] start UNIT SLICE PID PROPERTY... "
		       "| set UNIT PROPERTY... | stop UNIT | root");
}

/*
 * The system's bus, or, where no bus daemon runs (a minimal host, a rescue system),
 * systemd's own socket, which only root may use.
 */
static int connect_bus(bool user, sd_bus **ret, struct err *e)
{
	int r = user ? sd_bus_open_user(ret) : sd_bus_open_system(ret);

	if (r < 0 && !user) {
		sd_bus *bus = NULL;

		r = sd_bus_new(&bus);
		if (r >= 0)
			r = sd_bus_set_address(bus, "unix:path=/run/systemd/private");
		if (r >= 0)
			r = sd_bus_start(bus);
		if (r >= 0)
			*ret = bus;
		else
			sd_bus_unref(bus);
	}
	return r < 0 ? err_sys(e, -r, "connect to the %s bus of systemd",
			       user ? "user's" : "system") : 0;
}

int main(int argc, char **argv)
{
	struct call c = { 0 };
	struct err e = { 0 };
	bool user = argc > 1 && strcmp(argv[1], "--user") == 0;
	int skip = user ? 2 : 1;
	int r = connect_bus(user, &c.bus, &e);

	if (r >= 0)
		r = run(&c, argc - skip, argv + skip, &e);
	sd_bus_flush_close_unref(c.bus);
	if (r >= 0)
		return 0;
	fprintf(stderr, "%s\n", e.msg);
	return 1;
}
