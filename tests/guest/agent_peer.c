/*
 * agent_peer - a program in a guest that tries to give its agent orders.
 *
 * Waits until something listens on the agent's port, asks over vsock's loopback, which is as
 * near as a program in the guest can get, and prints one line of what came of it.
 */
#include <linux/vm_sockets.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PORT 1024               /* AGENT_PORT */
#define TRIES 600               /* of 50 ms */

int main(void)
{
	/* HELLO of version 1, see src/proto/agent.h. */
	static const char hello[] = { 6, 0, 0, 0, 1, 0, 1, 0, 0, 0 };
	struct sockaddr_vm a = {
		.svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_LOCAL, .svm_port = PORT,
	};
	const struct timespec step = { .tv_nsec = 50000000 };
	char answer[64];
	int fd = -1;

	for (int i = 0; i < TRIES; i++) {
		fd = socket(AF_VSOCK, SOCK_STREAM, 0);
		if (fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0)
			break;
		if (fd >= 0)
			close(fd);
		fd = -1;
		nanosleep(&step, NULL);
	}
	if (fd < 0) {
		puts("nobody listens");
		return 1;
	}
	/* It may be closed before this or after: both are a refusal. */
	ssize_t n = send(fd, hello, sizeof(hello), MSG_NOSIGNAL);
	if (n > 0)
		n = recv(fd, answer, sizeof(answer), 0);
	puts(n > 0 ? "answered" : "refused");
	return n > 0;
}
