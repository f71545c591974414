/* image/tree_links.c - see tree_links.h */
#include "image/tree_links.h"

#include "base/mem.h"

const char *tree_links_seen(struct tree_links *l, const struct stat *st, const char *path)
{
	struct tree_link **chain = &l->chains[st->st_ino % ARRAY_LEN(l->chains)], *x = *chain;

	while (x && (x->ino != st->st_ino || x->dev != st->st_dev))
		x = x->next;
	if (x)
		return x->path;
	x = arena_alloc(&l->arena, sizeof(*x));
	*x = (struct tree_link){ .next = *chain, .dev = st->st_dev, .ino = st->st_ino,
				 .path = arena_strdup(&l->arena, path) };
	*chain = x;
	return NULL;
}

void tree_links_release(struct tree_links *l)
{
	arena_release(&l->arena);
}
