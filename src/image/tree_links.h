#pragma once
/* image/tree_links.h - which files of a tree were met before: hard links.  Layer: image. */
#include <sys/stat.h>

#include "base/arena.h"

struct tree_link {
	struct tree_link *next;
	dev_t dev;
	ino_t ino;
	const char *path;
};

struct tree_links {
	struct arena arena;
	struct tree_link *chains[1024];
};

/* The path under which st's file was met first; NULL: it is noted under path now. */
const char *tree_links_seen(struct tree_links *l, const struct stat *st, const char *path);
void tree_links_release(struct tree_links *l);
