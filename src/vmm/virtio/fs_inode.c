/*
 * vmm/virtio/fs_inode.c - node ids and the files they stand for.  See fs_impl.h.
 *
 * The guest knows a file by a node id, from its first LOOKUP until it has sent FORGET as
 * often as it was told of it.  We hold an O_PATH descriptor of each, so that renames do not
 * matter and an unlinked file stays; its path is never used.
 *
 *      node id = generation << 32 | slot        (the root is 1: slot 1, generation 0)
 *
 * A guest may know more files than we may have descriptors.  Then the longest unused one is
 * closed and, when it is needed again, opened by its file handle (open_by_handle_at(2)),
 * where the file system has such; else the guest gets ENFILE and forgets some by itself.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "vmm/virtio/fs_impl.h"

#define ROOT_SLOT 1
#define EVICT_TRIES 16
#define BUCKETS_MIN 1024
/* Descriptors that are not for the guest's files: rings, sockets, what the process has. */
#define FDS_RESERVED 64

static struct fs_inode *at_slot(const struct fs *fs, uint32_t slot)
{
	return &fs->chunk[slot / FS_INODE_CHUNK][slot % FS_INODE_CHUNK];
}

void fs_fd_path(int fd, char ret[FS_FD_PATH_MAX])
{
	snprintf(ret, FS_FD_PATH_MAX, "%d", fd);
}

/* ---- the list of those with a descriptor, by last use ------------------------------------ */

static void list_remove(struct fs *fs, struct fs_inode *n)
{
	if (n->newer)
		at_slot(fs, n->newer)->older = n->older;
	else
		fs->newest = n->older;
	if (n->older)
		at_slot(fs, n->older)->newer = n->newer;
	else
		fs->oldest = n->newer;
	n->newer = n->older = 0;
}

static void list_add(struct fs *fs, struct fs_inode *n)
{
	n->newer = 0;
	n->older = fs->newest;
	if (fs->newest)
		at_slot(fs, fs->newest)->newer = n->slot;
	else
		fs->oldest = n->slot;
	fs->newest = n->slot;
}

/* A handle to reopen n by; NULL if it has none, is on another mount, or has lost its names. */
static struct file_handle *make_handle(const struct fs *fs, const struct fs_inode *n)
{
	CLEANUP_FREE struct file_handle *h = xcalloc(1, sizeof(*h) + MAX_HANDLE_SZ);
	struct stat st;
	int mount;

	h->handle_bytes = MAX_HANDLE_SZ;
	if (n->key.mount != fs->root_mount || fstat(n->fd, &st) < 0 || st.st_nlink == 0 ||
	    name_to_handle_at(n->fd, "", h, &mount, AT_EMPTY_PATH) < 0)
		return NULL;
	/* A guest may have a million of these: no larger than they are. */
	void *fit = realloc(h, sizeof(*h) + h->handle_bytes);

	if (fit)
		h = fit;
	return take_ptr(h);
}

/* Make room for one more descriptor. */
static int evict(struct fs *fs)
{
	if (fs->n_fds < fs->fds_max)
		return 0;
	for (int i = 0; i < EVICT_TRIES && fs->handles; i++) {
		struct fs_inode *n = at_slot(fs, fs->oldest);

		list_remove(fs, n);
		if (n->slot != ROOT_SLOT && (n->handle = make_handle(fs, n))) {
			fd_close(&n->fd);
			fs->n_fds--;
			return 0;
		}
		list_add(fs, n);
	}
	return -ENFILE;
}

int fs_inode_fd(struct fs *fs, struct fs_inode *n)
{
	if (n->fd >= 0) {
		if (fs->newest != n->slot) {
			list_remove(fs, n);
			list_add(fs, n);
		}
		return n->fd;
	}
	int r = evict(fs);
	if (r < 0)
		return r;
	n->fd = open_by_handle_at(fs->root_fd, n->handle, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (n->fd < 0)
		return -errno;
	free(n->handle);
	n->handle = NULL;
	list_add(fs, n);
	fs->n_fds++;
	return n->fd;
}

/* ---- the table --------------------------------------------------------------------------- */

static bool same_key(const struct fs_key *a, const struct fs_key *b)
{
	return a->ino == b->ino && a->mount == b->mount && a->major == b->major &&
	       a->minor == b->minor;
}

static uint32_t *bucket_of(const struct fs *fs, const struct fs_key *k)
{
	/* Fibonacci hashing: the numbers of files made together follow one another. */
	uint64_t h = (k->ino ^ k->mount << 40 ^ (uint64_t)k->minor << 48) * 0x9e3779b97f4a7c15ULL;

	return &fs->bucket[(h >> 32) & (fs->n_buckets - 1)];
}

static void grow_buckets(struct fs *fs)
{
	uint32_t n = fs->n_buckets ? fs->n_buckets * 2 : BUCKETS_MIN;

	free(fs->bucket);
	fs->bucket = xcalloc(n, sizeof(*fs->bucket));
	fs->n_buckets = n;
	for (uint32_t s = 1; s < fs->n_slots; s++) {
		struct fs_inode *i = at_slot(fs, s);

		if (i->lookups == 0)
			continue;
		uint32_t *b = bucket_of(fs, &i->key);

		i->next = *b;
		*b = s;
	}
}

static struct fs_inode *find_key(const struct fs *fs, const struct fs_key *k)
{
	for (uint32_t s = *bucket_of(fs, k); s; s = at_slot(fs, s)->next)
		if (same_key(&at_slot(fs, s)->key, k))
			return at_slot(fs, s);
	return NULL;
}

/* A fresh node for fd, which is taken on success. */
static int add_node(struct fs *fs, const struct fs_key *k, mode_t type, int fd,
		    struct fs_inode **ret)
{
	uint32_t slot = fs->free_slot;
	struct fs_inode *n;

	if (fs->n_nodes >= fs->n_buckets)
		grow_buckets(fs);
	if (slot) {
		n = at_slot(fs, slot);
		fs->free_slot = n->next;
	} else {
		if (fs->n_slots == FS_INODES_MAX)
			return -ENFILE;
		slot = fs->n_slots++;
		if (!fs->chunk[slot / FS_INODE_CHUNK])
			fs->chunk[slot / FS_INODE_CHUNK] =
				xcalloc(FS_INODE_CHUNK, sizeof(struct fs_inode));
		n = at_slot(fs, slot);
		n->slot = slot;
	}
	uint32_t *b = bucket_of(fs, k);

	n->key = *k;
	n->type = type;
	n->fd = fd;
	n->next = *b;
	*b = slot;
	fs->n_nodes++;
	fs->n_fds++;
	list_add(fs, n);
	*ret = n;
	return 0;
}

static void drop_node(struct fs *fs, struct fs_inode *n)
{
	uint32_t *p = bucket_of(fs, &n->key);

	while (*p != n->slot)
		p = &at_slot(fs, *p)->next;
	*p = n->next;
	if (n->fd >= 0) {
		list_remove(fs, n);
		fs->n_fds--;
		fd_close(&n->fd);
	}
	free(n->handle);
	n->handle = NULL;
	n->lookups = 0;
	n->generation++;
	n->next = fs->free_slot;
	fs->free_slot = n->slot;
	fs->n_nodes--;
}

struct fs_inode *fs_inode_find(struct fs *fs, uint64_t nodeid)
{
	uint32_t slot = (uint32_t)nodeid;

	if (slot == 0 || slot >= fs->n_slots)
		return NULL;
	struct fs_inode *n = at_slot(fs, slot);

	return n->lookups > 0 && n->generation == nodeid >> 32 ? n : NULL;
}

void fs_forget_one(struct fs *fs, uint64_t nodeid, uint64_t lookups)
{
	struct fs_inode *n = fs_inode_find(fs, nodeid);

	if (!n || n->slot == ROOT_SLOT)
		return;
	n->lookups -= lookups < n->lookups ? lookups : n->lookups;
	if (n->lookups == 0)
		drop_node(fs, n);
}

/* ---- lookup ------------------------------------------------------------------------------ */

static int key_of(int fd, struct fs_key *ret, struct statx *st)
{
	if (statx(fd, "", AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW, FS_STATX_MASK, st) < 0)
		return -errno;
	*ret = (struct fs_key){
		.ino = st->stx_ino, .major = st->stx_dev_major, .minor = st->stx_dev_minor,
		.mount = st->stx_mask & STATX_MNT_ID ? st->stx_mnt_id : 0,
	};
	return 0;
}

int fs_entry_fd(struct fs *fs, int fd, struct fuse_entry_out *ret)
{
	CLEANUP_FD int own = fd;
	struct fs_key k = { 0 };
	struct statx st;
	int r = key_of(own, &k, &st);

	if (r < 0)
		return r;
	struct fs_inode *n = find_key(fs, &k);

	if (!n) {
		r = evict(fs);
		if (r == 0)
			r = add_node(fs, &k, st.stx_mode & S_IFMT, own, &n);
		if (r < 0)
			return r;
		own = -1;
	}
	n->lookups++;
	*ret = (struct fuse_entry_out){
		.nodeid = (uint64_t)n->generation << 32 | n->slot,
		.entry_valid = fs_valid_secs(fs), .attr_valid = fs_valid_secs(fs),
	};
	fs_attr_fill(fs, &st, false, &ret->attr);
	return 0;
}

int fs_entry(struct fs *fs, struct fs_inode *parent, const char *name, struct fuse_entry_out *ret)
{
	int dir = fs_inode_fd(fs, parent);

	if (dir < 0)
		return dir;
	int fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? -errno : fs_entry_fd(fs, fd, ret);
}

int fs_do_lookup(struct fs_call *c)
{
	struct fuse_entry_out *out = c->out;
	int r = fs_entry(c->fs, c->node, c->name, out);

	if (r == -ENOENT && c->fs->cache == FS_CACHE_ALWAYS) {
		/* Node id 0: there is no such name, and the guest may remember that. */
		*out = (struct fuse_entry_out){ .entry_valid = fs_valid_secs(c->fs) };
		r = 0;
	}
	return r < 0 ? r : (int)sizeof(*out);
}

int fs_do_forget(struct fs_call *c)
{
	const struct fuse_forget_in *in = c->arg;

	fs_forget_one(c->fs, c->h.nodeid, in->nlookup);
	return 0;
}

int fs_do_batch_forget(struct fs_call *c)
{
	const struct fuse_batch_forget_in *in = c->arg;
	const struct fuse_forget_one *one = (const void *)(in + 1);

	if (in->count > (c->arg_bytes - sizeof(*in)) / sizeof(*one))
		return -EINVAL;
	for (uint32_t i = 0; i < in->count; i++)
		fs_forget_one(c->fs, one[i].nodeid, one[i].nlookup);
	return 0;
}

/* ---- life -------------------------------------------------------------------------------- */

/* Whether files below the root can be opened by handle: tried with the root itself. */
static bool handles_work(const struct fs *fs, int path_fd)
{
	CLEANUP_FREE struct file_handle *h = xcalloc(1, sizeof(*h) + MAX_HANDLE_SZ);
	int mount;

	h->handle_bytes = MAX_HANDLE_SZ;
	if (name_to_handle_at(path_fd, "", h, &mount, AT_EMPTY_PATH) < 0)
		return false;
	CLEANUP_FD int fd = open_by_handle_at(fs->root_fd, h, O_PATH | O_CLOEXEC);

	return fd >= 0;
}

static void set_limits(struct fs *fs)
{
	struct rlimit l = { .rlim_cur = 1024 };
	uint64_t n;

	if (getrlimit(RLIMIT_NOFILE, &l) < 0 || l.rlim_cur > FS_INODES_MAX)
		l.rlim_cur = FS_INODES_MAX;
	n = l.rlim_cur > 2 * FDS_RESERVED ? l.rlim_cur - FDS_RESERVED : FDS_RESERVED;
	fs->files_max = (uint32_t)(n / 4);
	fs->fds_max = (uint32_t)(n - n / 4);
}

int fs_inodes_init(struct fs *fs, struct err *e)
{
	CLEANUP_FD int fd = openat(fs->root_fd, ".", O_PATH | O_CLOEXEC);
	struct fs_inode *root;
	struct fs_key k = { 0 };
	struct statx st;

	if (fd < 0)
		return err_sys(e, errno, "open the shared directory");
	int r = key_of(fd, &k, &st);
	if (r < 0)
		return err_sys(e, -r, "statx of the shared directory");
	set_limits(fs);
	grow_buckets(fs);
	fs->n_slots = ROOT_SLOT;
	r = add_node(fs, &k, S_IFDIR, fd, &root);
	if (r < 0)
		return err_sys(e, -r, "the shared directory");
	fd = -1;
	root->lookups = 1;
	fs->root_mount = k.mount;
	fs->handles = handles_work(fs, root->fd);
	return 0;
}

void fs_inodes_reset(struct fs *fs)
{
	for (uint32_t s = ROOT_SLOT + 1; s < fs->n_slots; s++)
		if (at_slot(fs, s)->lookups > 0)
			drop_node(fs, at_slot(fs, s));
}

void fs_inodes_release(struct fs *fs)
{
	if (fs->n_slots > ROOT_SLOT) {
		fs_inodes_reset(fs);
		drop_node(fs, at_slot(fs, ROOT_SLOT));
	}
	for (size_t i = 0; i < ARRAY_LEN(fs->chunk); i++)
		free(fs->chunk[i]);
	free(fs->bucket);
}
