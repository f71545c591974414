/*
 * cli/isle/top.c - isle top: the processes of an instance.
 *
 * The columns of "ps -ef" are read from proc(5), so that no ps is needed; with options of
 * ps, the host's own is run and its lines are picked by PID.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/isle/command.h"
#include "cli/isle/output.h"
#include "engine/instance.h"

#define TEXT_BYTES_MAX (16u << 20)

static const struct option options[] = { OPTION_HELP };

/* --- from proc(5) ----------------------------------------------------------- */

struct process {
	unsigned uid;
	int ppid, tty;
	unsigned long long ticks, start_ticks;  /* of USER_HZ: used, and since boot */
};

/* The fields after the name, which may hold blanks and ')'. */
static bool read_stat(const char *text, struct process *p)
{
	const char *rest = strrchr(text, ')');
	unsigned long long user, system;

	if (!rest || sscanf(rest, ") %*c %d %*d %*d %d %*d %*u %*u %*u %*u %*u %llu %llu %*d %*d "
			    "%*d %*d %*d %*d %llu", &p->ppid, &p->tty, &user, &system,
			    &p->start_ticks) != 5)
		return false;
	p->ticks = user + system;
	return true;
}

/* Arguments are separated by NUL; a kernel thread and a zombie have none. */
static char *command_text(int dir, const char *stat)
{
	CLEANUP(buf_release) struct buf b = BUF_INIT(TEXT_BYTES_MAX);
	const char *open = strchr(stat, '('), *close = strrchr(stat, ')');

	if (file_read_at(dir, "cmdline", &b) < 0 || b.len == 0)
		return open && close ? xasprintf("[%.*s]", (int)(close - open - 1), open + 1)
				     : xstrdup("?");
	for (size_t i = 0; i + 1 < b.len; i++)
		if (b.data[i] == '\0')
			b.data[i] = ' ';
	return xstrdup(b.data);
}

static char *tty_text(int tty)
{
	/* Major 136 and up are the pseudo terminals (Documentation/admin-guide/devices.txt). */
	unsigned major = (unsigned)tty >> 8 & 0xfff;
	unsigned minor = ((unsigned)tty & 0xff) | ((unsigned)tty >> 12 & 0xfff00);

	if (major >= 136 && major <= 143)
		return xasprintf("pts/%u", (major - 136) * 256 + minor);
	return tty ? xasprintf("tty%u", minor) : xstrdup("?");
}

/* When it began, as ps has it: the hour today, the day else. */
static char *start_text(const struct process *p)
{
	char text[32] = "?";
	struct timespec boot;
	struct tm tm;

	clock_gettime(CLOCK_BOOTTIME, &boot);
	time_t now = time(NULL);
	time_t start = now - boot.tv_sec +
		       (time_t)(p->start_ticks / (unsigned long long)sysconf(_SC_CLK_TCK));
	if (localtime_r(&start, &tm))
		strftime(text, sizeof(text), now - start < 86400 ? "%H:%M" : "%b%d", &tm);
	return xstrdup(text);
}

static json_t *process_row(pid_t pid)
{
	CLEANUP(buf_release) struct buf stat = BUF_INIT(4096);
	CLEANUP_FREE char *path = xasprintf("/proc/%d", pid);
	CLEANUP_FD int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct process p;
	struct stat st;

	if (dir < 0 || fstat(dir, &st) < 0 || file_read_at(dir, "stat", &stat) < 0 ||
	    !read_stat(stat.data, &p))
		return NULL;            /* it ended meanwhile */
	unsigned long long seconds = p.ticks / (unsigned long long)sysconf(_SC_CLK_TCK);
	CLEANUP_FREE char *uid = xasprintf("%u", st.st_uid), *pid_text = xasprintf("%d", pid);
	CLEANUP_FREE char *ppid = xasprintf("%d", p.ppid), *start = start_text(&p);
	CLEANUP_FREE char *tty = tty_text(p.tty), *command = command_text(dir, stat.data);
	CLEANUP_FREE char *used = xasprintf("%02llu:%02llu:%02llu", seconds / 3600,
					    seconds / 60 % 60, seconds % 60);
	json_t *row = json_object();
	json_object_set_new(row, "UID", json_string(uid));
	json_object_set_new(row, "PID", json_string(pid_text));
	json_object_set_new(row, "PPID", json_string(ppid));
	json_object_set_new(row, "C", json_string("0"));
	json_object_set_new(row, "STIME", json_string(start));
	json_object_set_new(row, "TTY", json_string(tty));
	json_object_set_new(row, "TIME", json_string(used));
	json_t *cmd = json_string(command);
	json_object_set_new(row, "CMD", cmd ? cmd : json_string("?"));
	return row;
}

static int print_own(const pid_t *pids, size_t n, struct err *e)
{
	static const struct output_column columns[] = {
		{ "UID", "UID" }, { "PID", "PID" }, { "PPID", "PPID" }, { "C", "C" },
		{ "STIME", "STIME" }, { "TTY", "TTY" }, { "TIME", "TIME" }, { "CMD", "CMD" },
	};
	static const struct output_style plain;
	CLEANUP_JSON json_t *rows = json_array();

	for (size_t i = 0; i < n; i++) {
		json_t *row = process_row(pids[i]);
		if (row)
			json_array_append_new(rows, row);
	}
	return output_rows(&plain, columns, ARRAY_LEN(columns), rows, e);
}

/* --- by the host's ps ------------------------------------------------------- */

static int run_ps(char *const *args, size_t n, struct buf *out, struct err *e)
{
	CLEANUP_FREE const char **line = xcalloc(n + 2, sizeof(*line));
	int fds[2], status;

	line[0] = "ps";
	memcpy(line + 1, args, n * sizeof(*args));
	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_sys(e, errno, "make a pipe");
	CLEANUP_FD int from = fds[0];
	pid_t pid = fork();
	if (pid == 0) {
		if (dup2(fds[1], STDOUT_FILENO) >= 0)
			execvp("ps", (char *const *)line);
		_exit(127);
	}
	close(fds[1]);
	if (pid < 0)
		return err_sys(e, errno, "fork");
	int r = fd_read_buf(from, out);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (r < 0)
		return err_sys(e, -r, "read from ps");
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return err_set(e, ENOENT, "options of ps need the program ps: install the package "
			       "procps, or give none");
	return status ? err_set(e, EINVAL, "ps does not take these options") : 0;
}

/* Which word of a line of ps is its PID: -1 where there is none. */
static int pid_column(const char *heading)
{
	int column = 0;

	for (const char *p = heading + strspn(heading, " "); *p && *p != '\n'; column++) {
		size_t n = strcspn(p, " \n");

		if (n == 3 && strncmp(p, "PID", 3) == 0)
			return column;
		p += n;
		p += strspn(p, " ");
	}
	return -1;
}

static long word_number(const char *line, int column)
{
	for (line += strspn(line, " "); column > 0; column--) {
		line += strcspn(line, " ");
		line += strspn(line, " ");
	}
	return strtol(line, NULL, 10);
}

static int print_ps(char *const *args, size_t n_args, const pid_t *pids, size_t n, struct err *e)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT(TEXT_BYTES_MAX);
	int r = run_ps(args, n_args, &text, e);

	if (r < 0)
		return r;
	char *rest = text.data, *line = rest ? strsep(&rest, "\n") : NULL;
	int column = line ? pid_column(line) : -1;
	if (column < 0)
		return err_set(e, EINVAL, "ps prints no column PID with these options: add it, "
			       "\"-o pid,comm\"");
	printf("%s\n", line);
	while ((line = strsep(&rest, "\n"))) {
		long pid = word_number(line, column);
		for (size_t i = 0; i < n; i++)
			if (pid == pids[i])
				printf("%s\n", line);
	}
	return output_flush(e);
}

static int top(struct isle_call *c, struct err *e)
{
	struct instance in CLEANUP_INSTANCE = { .lockfd = -1 };
	CLEANUP_FREE pid_t *pids = NULL;
	const struct wall *wall = NULL;
	size_t n = 0;

	int r = instance_find(c->eng, c->argv[0], false, &in, e);
	if (r >= 0 && !in.status.pid)
		return err_set(e, ESRCH, "%s is not running", in.name);
	if (r >= 0)
		r = engine_wall(in.config.wall, &wall, e);
	if (r >= 0)
		r = wall->pids(&c->eng->host, in.id, &pids, &n, e);
	if (r < 0)
		return r;
	return c->argc > 1 ? print_ps(c->argv + 1, c->argc - 1, pids, n, e)
			   : print_own(pids, n, e);
}

const struct command command_top = {
	.name = "top",
	.aliases = "container top",
	.args = "INSTANCE [OPTIONS OF PS]",
	.summary = "show the processes of an instance",
	.examples = "  isle top web -o pid,rss,args\n",
	.options = { options, ARRAY_LEN(options) },
	.min_args = 1,
	.max_args = COMMAND_ARGS_ANY,
	.stop_after = 1,
	.run = top,
};
