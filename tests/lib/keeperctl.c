/*
 * keeperctl - stand for isle towards a keeper, message by message (src/proto/keeper.h).
 *
 *	keeperctl start [-n] RUNTIME DIR STEP...        start a keeper, -n: in a new network
 *	keeperctl connect SOCKET STEP...
 *
 * Steps: go attach:FLAGS stdin:TEXT eof resize:ROWS:COLUMNS signal:N stop:N:MS policy:N:MAX
 * paused:N detach raw:BYTES sleep:MS wait:KIND until:TEXT (TEXT in the output so far), drain
 * (count what comes until the end).  What comes is printed, one line a message; output has
 * \n for a newline.  Exit status 1: the socket ended while a step waited.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static const char *const kinds[] = {
	"", "GO", "CREATED", "STARTED", "FAILED", "ATTACH", "STDIN", "RESIZE", "SIGNAL", "STOP",
	"POLICY", "DETACH", "STDOUT", "STDERR", "EXIT", "RESTART", "ERROR", "PAUSED", "TAKEN",
};
#define N_KINDS (sizeof(kinds) / sizeof(kinds[0]))

static char seen[1 << 20];              /* all output so far */
static size_t n_seen;

static void die(const char *what)
{
	perror(what);
	exit(2);
}

static int kind_of(const char *name)
{
	for (size_t i = 1; i < N_KINDS; i++)
		if (strcasecmp(kinds[i], name) == 0)
			return (int)i;
	fprintf(stderr, "no kind %s\n", name);
	exit(2);
}

static void put(int s, int kind, int a, int b, const char *p, size_t n)
{
	char packet[16 + 32768];
	int32_t h[4] = { kind, a, b, 0 };

	memcpy(packet, h, 16);
	memcpy(packet + 16, p, n);
	if (send(s, packet, 16 + n, MSG_NOSIGNAL) < 0)
		perror("send");
}

/* The kind of one message, printed; 0 at the end. */
static int get(int s, int quiet)
{
	static char packet[16 + 32768];
	int32_t h[4];
	ssize_t n = recv(s, packet, sizeof(packet), 0);

	if (n < 16)
		return 0;
	memcpy(h, packet, 16);
	const char *p = packet + 16;
	size_t len = (size_t)n - 16;
	if (h[0] == 12 || h[0] == 13) {
		for (size_t i = 0; i < len && n_seen < sizeof(seen) - 1; i++)
			seen[n_seen++] = p[i];
	}
	if (quiet)
		return h[0];
	printf("%s", (size_t)h[0] < N_KINDS ? kinds[h[0]] : "?");
	if (h[0] == 12 || h[0] == 13 || h[0] == 4 || h[0] == 16)
		printf(" ");
	if (h[0] == 4)
		printf("%d ", h[2]);
	if (h[0] != 12 && h[0] != 13 && h[0] != 18 && h[0] != 4 && h[0] != 16)
		printf(" %d %d", h[1], h[2]);
	for (size_t i = 0; i < len; i++) {
		if (p[i] == '\n')
			printf("\\n");
		else if (p[i] != '\r')
			putchar(p[i]);
	}
	putchar('\n');
	fflush(stdout);
	return h[0];
}

static int start(const char *runtime, const char *dir, int net)
{
	int pair[2];
	char fd[16];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		die("socketpair");
	pid_t pid = fork();
	if (pid < 0)
		die("fork");
	if (pid == 0) {
		if (unshare(CLONE_NEWNS | (net ? CLONE_NEWNET : 0)) < 0)
			die("unshare");
		fcntl(pair[1], F_SETFD, 0);
		snprintf(fd, sizeof(fd), "%d", pair[1]);
		execl(runtime, "isle-runtime", "keeper", dir, fd, (char *)NULL);
		die(runtime);
	}
	close(pair[1]);
	return pair[0];
}

static int attach(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int s = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	if (connect(s, (struct sockaddr *)&a, sizeof(a)) < 0)
		die(path);
	return s;
}

static void nap(long ms)
{
	struct timespec ts = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	nanosleep(&ts, NULL);
}

static void need(int s, int kind)
{
	for (int k; (k = get(s, 0)) != kind; )
		if (k == 0)
			exit(1);
}

static void step(int s, char *text)
{
	char *arg = strchr(text, ':'), *second = NULL;
	long a = 0, b = 0;

	if (arg) {
		*arg++ = '\0';
		a = strtol(arg, &second, 10);
		b = *second == ':' ? strtol(second + 1, NULL, 10) : 0;
	}
	if (strcmp(text, "sleep") == 0) {
		nap(a);
	} else if (strcmp(text, "wait") == 0) {
		need(s, kind_of(arg));
	} else if (strcmp(text, "until") == 0) {
		while (!memmem(seen, n_seen, arg, strlen(arg)))
			if (get(s, 0) == 0)
				exit(1);
	} else if (strcmp(text, "drain") == 0) {
		int k, last = 0;

		while ((k = get(s, 1)) != 0)
			last = k;
		printf("drained %zu, last %s\n", n_seen, kinds[last]);
	} else if (strcmp(text, "raw") == 0) {
		if (send(s, arg, strlen(arg), MSG_NOSIGNAL) < 0)
			perror("send");
	} else if (strcmp(text, "eof") == 0) {
		put(s, kind_of("stdin"), 0, 0, "", 0);
	} else if (strcmp(text, "stdin") == 0) {
		char line[4096];
		int n = snprintf(line, sizeof(line), "%s\n", arg);

		put(s, kind_of("stdin"), 0, 0, line, (size_t)n);
		need(s, kind_of("taken"));
	} else {
		put(s, kind_of(text), (int)a, (int)b, "", 0);
	}
}

int main(int argc, char **argv)
{
	int i = 1, s, net;

	if (argc < 4)
		return 2;
	if (strcmp(argv[i++], "start") == 0) {
		net = strcmp(argv[i], "-n") == 0;
		i += net;
		s = start(argv[i], argv[i + 1], net);
		i += 2;
	} else {
		s = attach(argv[i++]);
	}
	for (; i < argc; i++)
		step(s, argv[i]);
	return 0;
}
