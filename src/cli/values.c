/* cli/values.c - see values.h */
#include "cli/values.h"

#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"

int value_choice(const char *s, const char *const *names, size_t n, struct err *e)
{
	CLEANUP(buf_release) struct buf all = BUF_INIT(512);

	for (size_t i = 0; i < n; i++) {
		if (strcmp(s, names[i]) == 0)
			return (int)i;
		buf_printf(&all, "%s%s", i == 0 ? "" : i + 1 == n ? " or " : ", ", names[i]);
	}
	return err_set(e, EINVAL, "\"%s\" is not %s", s, all.data);
}

/* --- numbers ------------------------------------------------------------ */

int value_i64(const char *s, int64_t *ret, struct err *e)
{
	char *end;

	errno = 0;
	long long v = strtoll(s, &end, 10);
	if (end == s || isspace((unsigned char)*s) || *end || errno)
		return err_set(e, EINVAL, "\"%s\" is not a whole number", s);
	*ret = v;
	return 0;
}

int value_u64(const char *s, uint64_t *ret, struct err *e)
{
	char *end;

	errno = 0;
	unsigned long long v = strtoull(s, &end, 10);
	if (!isdigit((unsigned char)*s) || *end || errno)
		return err_set(e, EINVAL, "\"%s\" is not a number of 0 or more", s);
	*ret = v;
	return 0;
}

int value_id(const char *s, uint32_t *ret, struct err *e)
{
	uint64_t v;

	/* The last number means "no change" to chown and setresuid. */
	if (value_u64(s, &v, NULL) < 0 || v >= UINT32_MAX)
		return err_set(e, EINVAL, "\"%s\" is not a user or group number", s);
	*ret = (uint32_t)v;
	return 0;
}

int value_user(const char *s, uid_t *ret_uid, gid_t *ret_gid, struct err *e)
{
	const char *colon = strchr(s, ':');
	CLEANUP_FREE char *uid = colon ? xasprintf("%.*s", (int)(colon - s), s) : xstrdup(s);

	*ret_gid = 0;
	int r = value_id(uid, ret_uid, e);
	if (r >= 0 && colon)
		r = value_id(colon + 1, ret_gid, e);
	return r;
}

/*
 * A decimal number with a fraction, in billionths, so that 0.1 is exact.
 * Returns the characters read, 0 where there is no number or it is too big.
 */
static size_t read_decimal(const char *s, __uint128_t *ret)
{
	const __uint128_t limit = (__uint128_t)UINT64_MAX * 1000000000;
	__uint128_t v = 0, scale = 1000000000;
	const char *p = s;
	bool digits = false;

	for (; isdigit((unsigned char)*p); p++, digits = true) {
		v = v * 10 + (__uint128_t)(*p - '0') * 1000000000;
		if (v > limit)
			return 0;
	}
	if (*p == '.') {
		for (p++; isdigit((unsigned char)*p); p++, digits = true) {
			scale /= 10;
			v += (__uint128_t)(*p - '0') * scale;
		}
	}
	*ret = v;
	return digits ? (size_t)(p - s) : 0;
}

int value_duration_ns(const char *s, uint64_t *ret, struct err *e)
{
	/* "ms" ahead of "m", which is its prefix; U+00B5 and U+03BC are both micro. */
	static const struct { const char *name; uint64_t ns; } units[] = {
		{ "ns", 1 }, { "us", 1000 }, { "\302\265s", 1000 }, { "\316\274s", 1000 },
		{ "ms", 1000000 }, { "s", 1000000000 }, { "m", 60000000000 },
		{ "h", 3600000000000 },
	};
	__uint128_t total = 0;
	const char *p = s;

	if (strcmp(s, "0") == 0) {
		*ret = 0;
		return 0;
	}
	do {
		__uint128_t part;
		size_t used = read_decimal(p, &part), i = 0;

		p += used;
		while (i < ARRAY_LEN(units) && strncmp(p, units[i].name, strlen(units[i].name)))
			i++;
		/* part is below 2^94 and a unit below 2^42, so bound it ahead. */
		if (!used || i == ARRAY_LEN(units) || part >> 80)
			goto bad;
		p += strlen(units[i].name);
		total += part * units[i].ns / 1000000000;
		if (total > INT64_MAX)
			goto bad;
	} while (*p);
	*ret = (uint64_t)total;
	return 0;
bad:
	return err_set(e, EINVAL, "\"%s\" is not a duration such as 5s, 100ms or 1m30s", s);
}

int value_bytes(const char *s, int64_t *ret, struct err *e)
{
	static const char letters[] = "kmgtpe";
	__uint128_t v;
	unsigned shift = 0;

	if (strcmp(s, "-1") == 0) {
		*ret = -1;
		return 0;
	}
	size_t used = read_decimal(s, &v);
	const char *p = s + used;
	if (*p == ' ')
		p++;
	const char *letter = *p ? strchr(letters, tolower((unsigned char)*p)) : NULL;
	if (letter) {
		shift = 10 * (unsigned)(letter - letters + 1);
		p++;
		if (tolower((unsigned char)p[0]) == 'i' && tolower((unsigned char)p[1]) == 'b')
			p++;
	}
	if (tolower((unsigned char)*p) == 'b')
		p++;
	/* v is below 2^94: shifting must not lose the top. */
	if (!used || *p || (shift && v >> (127 - shift)) ||
	    ((v << shift) / 1000000000) > INT64_MAX)
		return err_set(e, EINVAL, "\"%s\" is not a size such as 512m, 1g or -1", s);
	*ret = (int64_t)((v << shift) / 1000000000);
	return 0;
}

/* --- signals ------------------------------------------------------------ */

static const struct { const char *name; int nr; } signals[] = {
	{ "ABRT", SIGABRT }, { "ALRM", SIGALRM }, { "BUS", SIGBUS }, { "CHLD", SIGCHLD },
	{ "CLD", SIGCHLD }, { "CONT", SIGCONT }, { "FPE", SIGFPE }, { "HUP", SIGHUP },
	{ "ILL", SIGILL }, { "INT", SIGINT }, { "IO", SIGIO }, { "IOT", SIGIOT },
	{ "KILL", SIGKILL }, { "PIPE", SIGPIPE }, { "POLL", SIGPOLL }, { "PROF", SIGPROF },
	{ "PWR", SIGPWR }, { "QUIT", SIGQUIT }, { "SEGV", SIGSEGV }, { "STKFLT", SIGSTKFLT },
	{ "STOP", SIGSTOP }, { "SYS", SIGSYS }, { "TERM", SIGTERM }, { "TRAP", SIGTRAP },
	{ "TSTP", SIGTSTP }, { "TTIN", SIGTTIN }, { "TTOU", SIGTTOU }, { "URG", SIGURG },
	{ "USR1", SIGUSR1 }, { "USR2", SIGUSR2 }, { "VTALRM", SIGVTALRM },
	{ "WINCH", SIGWINCH }, { "XCPU", SIGXCPU }, { "XFSZ", SIGXFSZ },
};

/*
 * "RTMIN+3".  Counted from 34 to 64 as glibc, and so every program in most
 * containers, counts; 32 and 33 belong to the threads library.
 */
static int real_time_signal(const char *name)
{
	int base, sign;
	uint64_t n = 0;

	if (strncasecmp(name, "RTMIN", 5) == 0)
		base = SIGRTMIN, sign = 1;
	else if (strncasecmp(name, "RTMAX", 5) == 0)
		base = SIGRTMAX, sign = -1;
	else
		return -1;
	name += 5;
	if (*name && (*name != (sign > 0 ? '+' : '-') || value_u64(name + 1, &n, NULL) < 0 ||
		      n > (uint64_t)(SIGRTMAX - SIGRTMIN)))
		return -1;
	return base + sign * (int)n;
}

int value_signal(const char *s, struct err *e)
{
	const char *name = strncasecmp(s, "SIG", 3) == 0 ? s + 3 : s;
	uint64_t nr;

	if (isdigit((unsigned char)*s)) {
		/* 0 is no signal: kill(2) would only test for existence, as runc allows. */
		if (value_u64(s, &nr, NULL) == 0 && nr <= (uint64_t)SIGRTMAX)
			return (int)nr;
		return err_set(e, EINVAL, "unknown signal \"%s\"", s);
	}
	for (size_t i = 0; i < ARRAY_LEN(signals); i++) {
		if (strcasecmp(name, signals[i].name) == 0)
			return signals[i].nr;
	}
	int rt = real_time_signal(name);
	if (rt < 0)
		return err_set(e, EINVAL, "unknown signal \"%s\"", s);
	return rt;
}
