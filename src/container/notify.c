/* container/notify.c - see notify.h */
#include "container/notify.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"

#define NOTIFY_DIR "notify"
#define NOTIFY_NAME NOTIFY_DIR "/notify.sock"
#define NOTIFY_INSIDE "/run/notify"     /* for a host's socket that has no path */
#define NOTIFY_BYTES_MAX 4096           /* of one message; more is cut, as systemd does */

const char *notify_host_socket(void)
{
	const char *s = getenv("NOTIFY_SOCKET");

	return s && *s ? s : NULL;
}

int notify_prepare(int dirfd, const char *dir, struct oci_spec *spec, struct err *e)
{
	static const char *options[] = { "bind", "ro", "nosuid", "nodev", "noexec", NULL };
	struct arena *a = &spec->arena;
	struct oci_process *p = spec->process;
	const char *host = notify_host_socket(), *inside;

	if (!p)
		return 0;
	inside = host && host[0] == '/' ? arena_printf(a, "%s", host) : NOTIFY_INSIDE;
	if (mkdirat(dirfd, NOTIFY_DIR, 0755) < 0 && errno != EEXIST)
		return err_sys(e, errno, "make %s/" NOTIFY_DIR, dir);

	struct oci_mount *m = arena_calloc(a, spec->n_mounts + 1, sizeof(*m));
	if (spec->n_mounts)
		memcpy(m, spec->mounts, spec->n_mounts * sizeof(*m));
	m[spec->n_mounts] = (struct oci_mount){
		.destination = inside, .type = "bind",
		.source = arena_printf(a, "%s/" NOTIFY_DIR, dir),
		.options = { options, sizeof(options) / sizeof(*options) - 1 },
	};
	spec->mounts = m;
	spec->n_mounts++;

	const char **env = arena_calloc(a, p->env.n + 2, sizeof(*env));
	if (p->env.n)
		memcpy(env, p->env.v, p->env.n * sizeof(*env));
	env[p->env.n] = arena_printf(a, "NOTIFY_SOCKET=%s/notify.sock", inside);
	p->env.v = env;
	p->env.n++;
	return 0;
}

int notify_bind(int dirfd, struct err *e)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	struct stat st;

	if (fstatat(dirfd, NOTIFY_DIR, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -1;
	CLEANUP_FD int s = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (s < 0)
		return err_sys(e, errno, "make the container's notify socket");
	unlinkat(dirfd, NOTIFY_NAME, 0);
	snprintf(a.sun_path, sizeof(a.sun_path), "/proc/self/fd/%d/" NOTIFY_NAME, dirfd);
	/* Any user of the container may be the one that is ready. */
	if (bind(s, (struct sockaddr *)&a, sizeof(a)) < 0 ||
	    fchmodat(dirfd, NOTIFY_NAME, 0777, 0) < 0)
		return err_sys(e, errno, "bind the container's notify socket");
	return take_fd(s);
}

static int notify_host(pid_t pid, struct err *e)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	const char *path = notify_host_socket();
	char text[64];

	if (!path)
		return 0;
	if (strlen(path) >= sizeof(a.sun_path))
		return err_set(e, ENAMETOOLONG, "NOTIFY_SOCKET %s is too long", path);
	memcpy(a.sun_path, path, strlen(path));
	if (path[0] == '@')             /* the abstract namespace, unix(7) */
		a.sun_path[0] = '\0';

	socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
	CLEANUP_FD int s = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int n = snprintf(text, sizeof(text), "MAINPID=%d\nREADY=1\n", pid);
	if (s < 0 || sendto(s, text, (size_t)n, MSG_NOSIGNAL, (struct sockaddr *)&a, len) != n)
		return err_sys(e, errno, "tell NOTIFY_SOCKET %s that the container is ready", path);
	return 0;
}

/* Does the message have the line READY=1? */
static bool says_ready(char *text)
{
	for (char *save, *line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save))
		if (!strcmp(line, "READY=1"))
			return true;
	return false;
}

int notify_relay(int sock, pid_t pid, int pidfd, struct err *e)
{
	struct pollfd p[2] = {
		{ .fd = sock, .events = POLLIN },
		{ .fd = pidfd, .events = POLLIN },
	};
	char text[NOTIFY_BYTES_MAX + 1];

	for (;;) {
		if (TEMP_FAILURE_RETRY(poll(p, 2, -1)) < 0)
			return err_sys(e, errno, "wait for the container to be ready");
		if (p[0].revents) {
			ssize_t n = recv(sock, text, NOTIFY_BYTES_MAX, MSG_DONTWAIT);

			if (n < 0 && errno != EAGAIN && errno != EINTR)
				return err_sys(e, errno, "read the container's notify socket");
			text[n > 0 ? n : 0] = '\0';
			if (says_ready(text))
				return notify_host(pid, e);
		} else if (p[1].revents) {
			return 0;
		}
	}
}
