/*
 * tests/lib/probe.c - what a process sees, asked from inside the container.
 *
 * One static program, /bin/probe of the test root file system; the first argument
 * is the question, the answer one line of text.  What /proc or busybox can tell is
 * not here.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Descriptors that are open, but for the one that lists them: "0 1 2". */
static int q_fds(int argc, char **argv)
{
	const char *sep = "";

	(void)argc, (void)argv;
	for (int fd = 0; fd < 1024; fd++) {
		if (fcntl(fd, F_GETFD) >= 0) {
			printf("%s%d", sep, fd);
			sep = " ";
		}
	}
	puts("");
	return 0;
}

static int q_winsize(int argc, char **argv)
{
	struct winsize ws;

	(void)argc, (void)argv;
	if (ioctl(0, TIOCGWINSZ, &ws) < 0)
		return 1;
	printf("%u %u\n", ws.ws_row, ws.ws_col);
	return 0;
}

/* sched_getattr(2): policy nice priority flags runtime deadline period */
static int q_sched(int argc, char **argv)
{
	struct {
		uint32_t size, policy;
		uint64_t flags;
		int32_t nice;
		uint32_t priority;
		uint64_t runtime, deadline, period;
	} a = { .size = sizeof(a) };

	(void)argc, (void)argv;
	if (syscall(SYS_sched_getattr, 0, &a, sizeof(a), 0) < 0)
		return 1;
	printf("%u %d %u %llu %llu %llu %llu\n", a.policy, a.nice, a.priority,
	       (unsigned long long)a.flags, (unsigned long long)a.runtime,
	       (unsigned long long)a.deadline, (unsigned long long)a.period);
	return 0;
}

/* ioprio_get(2) of this process: class priority */
static int q_ioprio(int argc, char **argv)
{
	long v = syscall(SYS_ioprio_get, 1, 0);

	(void)argc, (void)argv;
	if (v < 0)
		return 1;
	printf("%ld %ld\n", v >> 13, v & 0x1fff);
	return 0;
}

/* The session keyring's serial number. */
static int q_keyring(int argc, char **argv)
{
	(void)argc, (void)argv;
	printf("%ld\n", syscall(SYS_keyctl, 0 /* GET_KEYRING_ID */, -3 /* session */, 0));
	return 0;
}

static int q_personality(int argc, char **argv)
{
	(void)argc, (void)argv;
	printf("%x\n", personality(0xffffffff));
	return 0;
}

/* get_mempolicy(2): mode nodemask */
static int q_mempolicy(int argc, char **argv)
{
	int mode = -1;
	unsigned long mask[16] = { 0 };

	(void)argc, (void)argv;
	if (syscall(SYS_get_mempolicy, &mode, mask, sizeof(mask) * 8, 0, 0) < 0)
		return 1;
	printf("%d %lx\n", mode, mask[0]);
	return 0;
}

/* syscall NR [ARG...]: the errno, or 0. */
static int q_syscall(int argc, char **argv)
{
	long a[6] = { 0 };

	for (int i = 0; i < 6 && i + 3 < argc; i++)
		a[i] = (long)strtoull(argv[i + 3], NULL, 0);
	long r = syscall(atol(argv[2]), a[0], a[1], a[2], a[3], a[4], a[5]);
	printf("%d\n", r < 0 ? errno : 0);
	return 0;
}

/* hog MEBIBYTES: touch that much memory. */
static int q_hog(int argc, char **argv)
{
	size_t n = (size_t)atol(argv[argc - 1]) << 20;
	char *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return 1;
	for (size_t i = 0; i < n; i += 4096)
		p[i] = 1;
	puts("had it all");
	return 0;
}

/* forks MAX: how many children could be made, all alive at once. */
static int q_forks(int argc, char **argv)
{
	enum { MANY = 1000 };
	int max = atoi(argv[argc - 1]), n = 0;
	pid_t child[MANY];

	for (; n < max && n < MANY; n++) {
		child[n] = fork();
		if (child[n] < 0)
			break;
		if (child[n] == 0) {
			pause();
			_exit(0);
		}
	}
	printf("%d\n", n);
	while (n-- > 0) {
		kill(child[n], SIGKILL);
		waitpid(child[n], NULL, 0);
	}
	return 0;
}

/* burn MS: use that much processor time. */
static int q_burn(int argc, char **argv)
{
	clock_t end = clock() + (clock_t)atol(argv[argc - 1]) * (CLOCKS_PER_SEC / 1000);

	while (clock() < end)
		;
	return 0;
}

/* clocks: seconds of CLOCK_MONOTONIC and CLOCK_BOOTTIME */
static int q_clocks(int argc, char **argv)
{
	struct timespec m, b;

	(void)argc, (void)argv;
	clock_gettime(CLOCK_MONOTONIC, &m);
	clock_gettime(CLOCK_BOOTTIME, &b);
	printf("%lld %lld\n", (long long)m.tv_sec, (long long)b.tv_sec);
	return 0;
}

/* notify TEXT: send a datagram to $NOTIFY_SOCKET, as sd_notify(3) does. */
static int q_notify(int argc, char **argv)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int s = socket(AF_UNIX, SOCK_DGRAM, 0);

	if (!path)
		return 3;
	strncpy(sa.sun_path, path, sizeof(sa.sun_path) - 1);
	const char *text = argv[argc - 1];
	if (sendto(s, text, strlen(text), 0, (struct sockaddr *)&sa, sizeof(sa)) < 0) {
		perror(path);
		return 1;
	}
	return 0;
}

/* open PATH r|w|rw|p: the errno, or 0. */
static int q_open(int argc, char **argv)
{
	const char *how = argc > 3 ? argv[3] : "r";
	int flags = *how == 'p' ? O_PATH : !strcmp(how, "rw") ? O_RDWR :
		    *how == 'w' ? O_WRONLY : O_RDONLY;
	int fd = open(argv[2], flags | O_NONBLOCK);

	printf("%d\n", fd < 0 ? errno : 0);
	return 0;
}

/*
 * exes DEV INO SECONDS: the attack of CVE-2019-5736 as PID 1 would do it.  Watch for
 * processes that come into our pid namespace, hold on to their /proc/PID/exe, and
 * try to open it for writing once it is not running any more.  Says "caught" for
 * each that is the file DEV INO (the runtime), "wrote" when it could be opened so.
 */
static int q_exes(int argc, char **argv)
{
	unsigned long long dev = strtoull(argv[2], NULL, 10), ino = strtoull(argv[3], NULL, 10);
	time_t end = time(NULL) + (argc > 4 ? atoi(argv[4]) : 2);
	bool said = false;
	int held = -1;

	puts("watching");
	fflush(stdout);
	while (time(NULL) < end && access("/stop", F_OK) < 0) {
		for (int pid = 2; pid < 60; pid++) {
			char path[64];
			struct stat st;

			snprintf(path, sizeof(path), "/proc/%d/exe", pid);
			int fd = open(path, O_RDONLY | O_CLOEXEC);
			if (fd < 0)
				continue;
			if (fstat(fd, &st) == 0 && st.st_dev == dev && st.st_ino == ino &&
			    held < 0) {
				held = fd;
				if (!said)
					puts("caught");
				said = true;
				fflush(stdout);
				continue;
			}
			close(fd);
		}
		if (held >= 0) {
			char path[64];

			snprintf(path, sizeof(path), "/proc/self/fd/%d", held);
			if (open(path, O_WRONLY) >= 0) {
				puts("wrote");
				fflush(stdout);
				return 0;
			}
		}
	}
	puts("done");
	return 0;
}

/* exe: device, inode and number of links of what /proc/PID/exe opens */
static int q_exe(int argc, char **argv)
{
	struct stat st;

	(void)argc;
	if (stat(argv[2], &st) < 0) {
		printf("errno %d\n", errno);
		return 0;
	}
	printf("%llu %llu\n", (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
	return 0;
}

/* ctty: is there a controlling terminal, and are we its foreground? */
static int q_ctty(int argc, char **argv)
{
	int fd = open("/dev/tty", O_RDWR);

	(void)argc, (void)argv;
	printf("tty=%d sid=%d pgrp=%d isatty=%d%d%d\n", fd >= 0, getsid(0) == getpid(),
	       tcgetpgrp(0) == getpgrp(), isatty(0), isatty(1), isatty(2));
	return 0;
}

/* trap: wait for any signal and tell its number */
static int q_trap(int argc, char **argv)
{
	sigset_t all;
	int sig;

	(void)argc, (void)argv;
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	puts("ready");
	fflush(stdout);
	/* Go programs send themselves URG, and runc forwards it; WINCH comes with a terminal. */
	do {
		if (sigwait(&all, &sig) != 0)
			return 1;
	} while (sig == SIGURG || sig == SIGWINCH || sig == SIGCHLD || sig == SIGCONT);
	printf("signal %d\n", sig);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct { const char *name; int args; int (*fn)(int, char **); } q[] = {
		{ "fds", 0, q_fds }, { "winsize", 0, q_winsize }, { "sched", 0, q_sched },
		{ "ioprio", 0, q_ioprio }, { "keyring", 0, q_keyring },
		{ "personality", 0, q_personality }, { "mempolicy", 0, q_mempolicy },
		{ "syscall", 1, q_syscall }, { "hog", 1, q_hog }, { "forks", 1, q_forks },
		{ "burn", 1, q_burn }, { "clocks", 0, q_clocks }, { "notify", 1, q_notify },
		{ "open", 1, q_open }, { "exes", 2, q_exes }, { "exe", 1, q_exe },
		{ "ctty", 0, q_ctty }, { "trap", 0, q_trap },
	};

	for (size_t i = 0; argc > 1 && i < sizeof(q) / sizeof(q[0]); i++)
		if (strcmp(q[i].name, argv[1]) == 0 && argc - 2 >= q[i].args)
			return q[i].fn(argc, argv);
	fprintf(stderr, "probe: no such question\n");
	return 2;
}
