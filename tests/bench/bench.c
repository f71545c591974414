/*
 * bench.c - time commands against each other.
 *
 *	bench ROUNDS < plan
 *
 * A line of the plan is "NAME<TAB>COMMAND[ ; COMMAND]...", words split at blanks, "%n" in
 * a word being the number of the round.  One round runs every line once, so that what
 * else the machine does falls on all of them alike.  The time of a line is the sum of its
 * commands' times, each from before fork to the end of wait4; a command with '-' ahead
 * runs, but is not timed and may fail.  Memory is the largest ru_maxrss of the timed ones.
 *
 * This program is static and small on purpose: until a child has exec'd, what it uses is
 * counted as the child's (getrusage(2), ru_maxrss).
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LINES_MAX 16
#define ROUNDS_MAX 2000
#define WORDS_MAX 64

struct line {
	char *name;
	char *text;
	uint32_t us[ROUNDS_MAX];
	long rss_kib;
};

extern char **environ;
static struct line lines[LINES_MAX];    /* static: nothing here is shared or reentered */
static size_t n_lines;

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void read_plan(void)
{
	char *text = NULL;
	size_t cap = 0;

	while (n_lines < LINES_MAX && getline(&text, &cap, stdin) > 0) {
		text[strcspn(text, "\n")] = '\0';
		char *tab = strchr(text, '\t');
		if (!tab)
			continue;
		*tab = '\0';
		lines[n_lines].name = strdup(text);
		lines[n_lines++].text = strdup(tab + 1);
	}
	free(text);
}

/* Start argv with stdio on /dev/null (errors stay visible) and wait for it. */
static int run_command(char **argv, struct rusage *ru)
{
	static posix_spawn_file_actions_t files;
	static bool ready;
	pid_t pid;
	int status;

	if (!ready) {
		posix_spawn_file_actions_init(&files);
		posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
		posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
		ready = true;
	}
	int r = posix_spawnp(&pid, argv[0], &files, NULL, argv, environ);
	if (r > 0) {
		fprintf(stderr, "bench: %s: %s\n", argv[0], strerror(r));
		exit(1);
	}
	while (wait4(pid, &status, 0, ru) < 0)
		if (errno != EINTR)
			return -1;
	return status;
}

/* The words of one command, with %n replaced, in buf; returns where the text goes on. */
static const char *split(const char *s, unsigned n, char *buf, size_t size, char **argv)
{
	size_t argc = 0, used = 0;

	while (*s && argc < WORDS_MAX - 1) {
		s += strspn(s, " ");
		size_t len = strcspn(s, " ");
		if (len == 0 || (len == 1 && *s == ';'))
			break;
		argv[argc++] = buf + used;
		for (; len > 0 && used + 16 < size; s++, len--) {
			if (len > 1 && s[0] == '%' && s[1] == 'n') {
				used += (size_t)snprintf(buf + used, size - used, "%u", n);
				s++;
				len--;
			} else {
				buf[used++] = *s;
			}
		}
		buf[used++] = '\0';
	}
	argv[argc] = NULL;
	return *s == ';' ? s + 1 : s;
}

/* One round of one line: microseconds. */
static uint32_t run_line(struct line *l, unsigned n)
{
	uint64_t sum = 0;

	for (const char *s = l->text; *s;) {
		char buf[4096], *argv[WORDS_MAX];
		struct rusage ru = { 0 };

		s = split(s, n, buf, sizeof(buf), argv);
		if (!argv[0])
			break;
		bool timed = argv[0][0] != '-';
		argv[0] += !timed;
		uint64_t t = now_ns();
		int status = run_command(argv, &ru);
		t = now_ns() - t;
		if (!timed)
			continue;
		if (status != 0) {
			fprintf(stderr, "bench: %s: %s failed, status %#x\n", l->name, argv[0],
				(unsigned)status);
			exit(1);
		}
		sum += t;
		if (ru.ru_maxrss > l->rss_kib)
			l->rss_kib = ru.ru_maxrss;
	}
	return (uint32_t)(sum / 1000);
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static uint32_t median(uint32_t *v, size_t n)
{
	qsort(v, n, sizeof(*v), compare);
	return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

/* Median, and the median of the distances from it (MAD). */
static uint32_t sum_up(struct line *l, size_t rounds, uint32_t *ret_mad)
{
	static uint32_t away[ROUNDS_MAX];
	uint32_t m = median(l->us, rounds);

	for (size_t i = 0; i < rounds; i++)
		away[i] = l->us[i] > m ? l->us[i] - m : m - l->us[i];
	*ret_mad = median(away, rounds);
	return m;
}

static void print_table(size_t rounds)
{
	uint32_t first = 0;

	printf("%-28s %10s %8s %8s %8s %9s\n", "", "median", "+-MAD", "least", "times", "memory");
	for (size_t i = 0; i < n_lines; i++) {
		uint32_t mad, m = sum_up(&lines[i], rounds, &mad);

		if (i == 0)
			first = m;
		printf("%-28s %7u us %8u %8u %7.2fx %5ld KiB\n", lines[i].name, m, mad,
		       lines[i].us[0], first ? (double)m / first : 0, lines[i].rss_kib);
	}
}

int main(int argc, char **argv)
{
	size_t rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;
	const unsigned warm = 3;        /* rounds that are thrown away */

	if (rounds == 0 || rounds > ROUNDS_MAX) {
		fprintf(stderr, "usage: bench ROUNDS(1..%d) < plan\n", ROUNDS_MAX);
		return 2;
	}
	read_plan();
	for (unsigned n = 0; n < warm + rounds; n++)
		for (size_t i = 0; i < n_lines; i++) {
			uint32_t us = run_line(&lines[i], n);

			if (n >= warm)
				lines[i].us[n - warm] = us;
		}
	print_table(rounds);
	return 0;
}
