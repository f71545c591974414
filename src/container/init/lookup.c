/*
 * container/init/lookup.c - what is looked up in the container's root: the working
 * directory, the home directory, the program.  See init.h
 *
 * The process is already inside (pivoted), so paths cannot leave the root by
 * themselves; what can leave is a descriptor or a magic link, which is why the result of
 * chdir is checked.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "container/init/init.h"

#define PASSWD_BYTES_MAX (1 << 20)
#define PASSWD_LINE_MAX 4096
#define PATH_DEFAULT "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static int mkdir_all(const char *path)
{
	char part[PATH_MAX];
	size_t n = strlen(path);

	if (n >= sizeof(part))
		return -ENAMETOOLONG;
	for (size_t i = 1; i <= n; i++) {
		if (i < n && path[i] != '/')
			continue;
		memcpy(part, path, i);
		part[i] = '\0';
		if (mkdir(part, 0755) < 0 && errno != EEXIST)
			return -errno;
	}
	return 0;
}

int cwd_enter(struct init *in, bool as_user)
{
	const char *cwd = plan_str(in, in->plan->cwd);

	if (chdir(cwd) == 0)
		return 0;
	if (errno == ENOENT && (in->plan->flags & INIT_PLAN_MKDIR_CWD)) {
		int r = mkdir_all(cwd);

		if (r < 0)
			return init_err_sys(in, -r, "mkdir cwd %s", cwd);
		if (chdir(cwd) == 0)
			return 0;
	}
	/* Root may be refused where the user is not: NFS, FUSE, user namespaces. */
	if (!as_user && (errno == EACCES || errno == EPERM))
		return 1;
	return init_err_sys(in, errno, "chdir to cwd (\"%s\") set in config.json failed", cwd);
}

/* The kernel answers "(unreachable)/..." for a directory outside the root. */
int cwd_check(struct init *in)
{
	char path[PATH_MAX];
	long n = syscall(SYS_getcwd, path, sizeof(path));

	if (n < 0 && errno == ENAMETOOLONG)
		return init_err_sys(in, errno, "getcwd");
	if (n <= 0 || path[0] != '/')
		return init_err(in, EPERM, "current working directory is outside of container "
				"mount namespace root -- possible container breakout detected");
	return 0;
}

/* NAME:PASSWORD:UID:GID:GECOS:HOME:SHELL, cut at the colons: passwd(5). */
static bool passwd_line_home(char *line, uint32_t uid, char *home, size_t size)
{
	char *field[6] = { line };
	uint64_t v;

	for (int i = 1; i < 6; i++) {
		field[i] = strchr(field[i - 1], ':');
		if (!field[i])
			return false;
		*field[i]++ = '\0';
	}
	char *rest = strchr(field[5], ':');
	if (rest)
		*rest = '\0';

	if (!text_number(field[2], UINT32_MAX, &v) || v != uid || field[5][0] != '/' ||
	    strlen(field[5]) >= size)
		return false;
	memcpy(home, field[5], strlen(field[5]) + 1);
	return true;
}

/* The image wrote the file: any size, any bytes, perhaps no file at all. */
static bool passwd_home(uint32_t uid, char *home, size_t size)
{
	char buf[PASSWD_LINE_MAX];
	size_t have = 0, total = 0;
	bool found = false, skip = false;
	struct stat st;
	int fd = open("/etc/passwd", O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return false;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return false;
	}
	while (!found && total < PASSWD_BYTES_MAX) {
		ssize_t k = read(fd, buf + have, sizeof(buf) - 1 - have);
		char *line = buf, *nl;

		if (k <= 0)
			break;
		total += (size_t)k;
		have += (size_t)k;
		buf[have] = '\0';
		while (!found && (nl = memchr(line, '\n', have - (size_t)(line - buf)))) {
			*nl = '\0';
			found = !skip && passwd_line_home(line, uid, home, size);
			skip = false;
			line = nl + 1;
		}
		have -= (size_t)(line - buf);
		memmove(buf, line, have);
		if (have == sizeof(buf) - 1) {          /* too long a line: not an entry */
			skip = true;
			have = 0;
		}
	}
	/* The last line may lack its newline. */
	if (!found && !skip && have) {
		buf[have] = '\0';
		found = passwd_line_home(buf, uid, home, size);
	}
	close(fd);
	return found;
}

static char *env_get(const struct init *in, const char *name)
{
	size_t n = strlen(name);

	for (uint32_t i = 0; i < in->plan->env.n; i++)
		if (strncmp(in->env[i], name, n) == 0 && in->env[i][n] == '=')
			return in->env[i] + n + 1;
	return NULL;
}

/* HOME as runc sets it: when unset or empty, from the container's own passwd. */
void env_home(struct init *in)
{
	static const char key[] = "HOME=";
	const size_t k = sizeof(key) - 1;
	char *home = env_get(in, "HOME");

	if (home && *home)
		return;
	memcpy(in->home, key, k);
	if (!passwd_home(in->plan->uid, in->home + k, sizeof(in->home) - k))
		memcpy(in->home + k, "/", 2);

	uint32_t i = 0;
	while (i < in->plan->env.n && strncmp(in->env[i], key, k) != 0)
		i++;
	in->env[i] = in->home;          /* in the empty one's place, or the spare slot */
}

/* 0 if path is a file the payload's user may execute, or a positive errno. */
static int exe_check(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return errno;
	/* As execve(2) answers for a directory.  Go's "is a directory" is newer, and the
	 * Docker of Debian 12 makes 125 of it where 126 is meant. */
	if (S_ISDIR(st.st_mode) || !(st.st_mode & 0111))
		return EACCES;
	/* Also tells a mount that is noexec.  All ids are equal, so access(2) will do. */
	if (syscall(SYS_faccessat, AT_FDCWD, path, X_OK) < 0 && errno == EACCES)
		return EACCES;
	return 0;
}

/* Words and rules are those of Go's exec.LookPath, which engines match on. */
int exe_find(struct init *in)
{
	const char *name = in->args[0];

	/* config.md#process: it may be missing until the start. */
	if (!name)
		return 0;
	if (strlen(name) >= sizeof(in->exe))
		return init_err_sys(in, ENAMETOOLONG, "exec: \"%.64s...\"", name);
	if (strchr(name, '/')) {
		int code = exe_check(name);

		memcpy(in->exe, name, strlen(name) + 1);
		if (code == 0)
			return 0;
		if (code == EACCES)
			return init_err_sys(in, code, "exec: \"%s\"", name);
		return init_err_sys(in, code, "exec: \"%s\": stat %s", name, name);
	}

	const char *path = env_get(in, "PATH");
	if (!path)
		path = PATH_DEFAULT;
	while (*path && *name) {
		const char *end = strchrnul(path, ':');
		size_t n = (size_t)(end - path), k = strlen(name) + 1;

		if (n == 0) {           /* the current directory: environ(7) */
			path = ".";
			n = 1;
		}
		if (n + 1 + k <= sizeof(in->exe)) {
			memcpy(in->exe, path, n);
			in->exe[n] = '/';
			memcpy(in->exe + n + 1, name, k);
			if (exe_check(in->exe) == 0)
				return 0;
		}
		path = *end ? end + 1 : end;
	}
	return init_err(in, ENOENT, "exec: \"%s\": executable file not found in $PATH", name);
}
