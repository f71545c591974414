/* cli/isle/disk_use.c - see disk_use.h */
#include "cli/isle/disk_use.h"

#include <fcntl.h>

#include "base/fd.h"
#include "image/tree.h"

uint64_t disk_use(const char *path)
{
	CLEANUP_FD int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? 0 : tree_usage(fd);
}
