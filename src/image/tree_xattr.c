/* image/tree_xattr.c - see tree_xattr.h */
#include "image/tree_xattr.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>

#include "base/log.h"
#include "base/mem.h"

#define LIST_MAX 65536                  /* XATTR_LIST_MAX, XATTR_SIZE_MAX: xattr(7) */

/* The *at() calls for xattrs are younger than the kernels we run on. */
static void place(char path[PATH_MAX], int dirfd, const char *name)
{
	snprintf(path, PATH_MAX, "/proc/self/fd/%d/%s", dirfd, name);
}

static bool is_host(const char *name)
{
	return strncmp(name, "trusted.overlay.", 16) == 0 ||
	       strncmp(name, "user.overlay.", 13) == 0 ||
	       !strcmp(name, "security.selinux") || !strcmp(name, "security.ima") ||
	       !strcmp(name, "security.evm");
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct tar_xattr *)a)->name, ((const struct tar_xattr *)b)->name);
}

int tree_xattrs(int dirfd, const char *name, struct arena *a, struct tar_xattr **ret,
		size_t *ret_n, struct err *e)
{
	char path[PATH_MAX], *list;
	ssize_t len, n;
	size_t count = 0;

	*ret = NULL;
	*ret_n = 0;
	place(path, dirfd, name);
	len = llistxattr(path, NULL, 0);
	if (len == 0 || (len < 0 && errno == EOPNOTSUPP))
		return 0;
	list = arena_alloc(a, LIST_MAX + 1);
	len = llistxattr(path, list, LIST_MAX);
	if (len < 0)
		return err_sys(e, errno, "read the xattrs of \"%s\"", name);
	for (const char *p = list; p < list + len; p += strlen(p) + 1)
		count++;
	*ret = arena_calloc(a, count, sizeof(**ret));
	for (const char *p = list; p < list + len; p += strlen(p) + 1) {
		char *value;

		if (is_host(p))
			continue;
		n = lgetxattr(path, p, NULL, 0);
		value = arena_alloc(a, n > 0 ? (size_t)n : 1);
		if (n >= 0)
			n = lgetxattr(path, p, value, (size_t)n);
		if (n < 0 && errno == ENODATA)
			continue;
		if (n < 0)
			return err_sys(e, errno, "read the xattr \"%s\" of \"%s\"", p, name);
		(*ret)[(*ret_n)++] = (struct tar_xattr){ p, value, (size_t)n };
	}
	qsort(*ret, *ret_n, sizeof(**ret), by_name);
	return 0;
}

int tree_xattrs_set(int fd, int dirfd, const char *name, const struct tar_xattr *v, size_t n,
		    struct err *e)
{
	char path[PATH_MAX];

	if (fd < 0)
		place(path, dirfd, name);
	for (size_t i = 0; i < n; i++) {
		int r = fd >= 0 ? fsetxattr(fd, v[i].name, v[i].value, v[i].len, 0)
				: lsetxattr(path, v[i].name, v[i].value, v[i].len, 0);

		if (r == 0)
			continue;
		if (errno != EOPNOTSUPP && errno != EPERM)
			return err_sys(e, errno, "set the xattr \"%s\" of \"%s\"", v[i].name,
				       name);
		log_debug("%s: xattr %s is left out: %s", name, v[i].name, err_text(errno));
	}
	return 0;
}

int tree_overlay_xattr(int dirfd, const char *name, bool rootless, const char *which,
		       const char *value)
{
	char path[PATH_MAX], attr[64], got[256];
	ssize_t n;

	place(path, dirfd, name);
	snprintf(attr, sizeof(attr), "%s.overlay.%s", rootless ? "user" : "trusted", which);
	n = lgetxattr(path, attr, got, sizeof(got));
	if (n < 0)
		return 0;
	return !value || ((size_t)n == strlen(value) && memcmp(got, value, (size_t)n) == 0);
}
