/* container/exe.c - see exe.h */
#include "container/exe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/mem.h"

#define EXE_BYTES_MAX (64u << 20)
#define CMDLINE_BYTES_MAX (4u << 20)

static bool is_sealed(void)
{
	CLEANUP_FD int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	int want = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
	int seals = fd < 0 ? -1 : fcntl(fd, F_GET_SEALS);

	return seals >= 0 && (seals & want) == want;
}

static char **split_words(struct buf *b)
{
	size_t n = 0;
	char **argv = xcalloc(b->len + 2, sizeof(*argv));

	for (size_t i = 0; i < b->len; i += strlen(b->data + i) + 1)
		argv[n++] = b->data + i;
	return argv;
}

int exe_become_sealed(struct err *e)
{
	if (is_sealed())
		return 0;

	CLEANUP(buf_release) struct buf self = BUF_INIT(EXE_BYTES_MAX);
	CLEANUP(buf_release) struct buf words = BUF_INIT(CMDLINE_BYTES_MAX);
	int r = file_read_at(AT_FDCWD, "/proc/self/exe", &self);
	if (r == 0)
		r = file_read_at(AT_FDCWD, "/proc/self/cmdline", &words);
	if (r < 0)
		return err_sys(e, -r, "read our own program");
	CLEANUP_FD int fd = fd_sealed("isle-runtime", self.data, self.len, 1);
	if (fd < 0)
		return err_sys(e, -fd, "copy our own program to a memfd");
	CLEANUP_FREE char **argv = split_words(&words);
	fexecve(fd, argv, environ);
	return err_sys(e, errno, "execute the sealed copy of our own program");
}
