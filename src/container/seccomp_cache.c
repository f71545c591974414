/* container/seccomp_cache.c - see seccomp_cache.h */
#include "container/seccomp_cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"

#define CACHE_MAGIC 0x706d6f6365656c73ULL
/* Raise it whenever seccomp.c or seccomp_compact.c compiles something differently. */
#define CACHE_FORMAT 2
#define CACHE_ENTRIES_MAX 64    /* a host has a handful of profiles */
#define CACHE_NAME_CHARS 16

struct header {
	uint64_t magic;
	uint32_t key_bytes;
	uint32_t n_insns;
	uint64_t insns_hash;
};

/* ---- the key: every field with its length or presence ahead of it --------- */

static void key_u32(struct buf *b, uint32_t v)
{
	buf_add(b, &v, sizeof(v));
}

static void key_u64(struct buf *b, uint64_t v)
{
	buf_add(b, &v, sizeof(v));
}

static void key_str(struct buf *b, const char *s)
{
	size_t n = s ? strlen(s) : 0;

	key_u32(b, s ? (uint32_t)n : UINT32_MAX);
	buf_add(b, s, n);
}

static void key_opt(struct buf *b, const struct opt_u64 *v)
{
	key_u32(b, v->set);
	key_u64(b, v->set ? v->v : 0);
}

static void key_strv(struct buf *b, const struct oci_strv *v)
{
	key_u32(b, (uint32_t)v->n);
	for (size_t i = 0; i < v->n; i++)
		key_str(b, v->v[i]);
}

void seccomp_cache_key(const struct oci_seccomp *s, struct buf *b)
{
	const struct scmp_version *lib = seccomp_version();

	key_u32(b, CACHE_FORMAT);
	key_u32(b, lib->major);
	key_u32(b, lib->minor);
	key_u32(b, lib->micro);
	key_u32(b, seccomp_arch_native());
	key_str(b, s->default_action);
	key_opt(b, &s->default_errno_ret);
	key_strv(b, &s->architectures);
	key_u32(b, (uint32_t)s->n_syscalls);
	for (size_t i = 0; i < s->n_syscalls; i++) {
		const struct oci_seccomp_rule *r = &s->syscalls[i];

		key_str(b, r->action);
		key_opt(b, &r->errno_ret);
		key_strv(b, &r->names);
		key_u32(b, (uint32_t)r->n_args);
		for (size_t k = 0; k < r->n_args; k++) {
			key_u32(b, r->args[k].index);
			key_u32(b, r->args[k].op);
			key_u64(b, r->args[k].value);
			key_u64(b, r->args[k].value_two);
		}
	}
}

/* Names files and finds torn ones; nothing relies on it being hard to forge. */
static uint64_t hash64(const void *p, size_t n)
{
	const char *s = p;
	uint64_t h = 0x9e3779b97f4a7c15ULL ^ n;

	for (; n > 0; s += sizeof(uint64_t)) {
		uint64_t w = 0;
		size_t k = n < sizeof(w) ? n : sizeof(w);

		memcpy(&w, s, k);
		n -= k;
		h = (h ^ w) * 0xff51afd7ed558ccdULL;
		h ^= h >> 32;
	}
	return h;
}

static void entry_name(const struct buf *key, char ret[CACHE_NAME_CHARS + 1])
{
	snprintf(ret, CACHE_NAME_CHARS + 1, "%016llx",
		 (unsigned long long)hash64(key->data, key->len));
}

/* ---- entries ------------------------------------------------------------- */

/* The program in the n bytes of an entry, or NULL. */
static const char *entry_insns(const char *p, size_t n, const struct buf *key, size_t *ret_n)
{
	struct header h;

	if (n < sizeof(h))
		return NULL;
	memcpy(&h, p, sizeof(h));
	if (h.magic != CACHE_MAGIC || h.key_bytes != key->len || h.n_insns == 0 ||
	    h.n_insns > BPF_MAXINSNS)
		return NULL;
	size_t bytes = h.n_insns * sizeof(struct sock_filter);
	if (n != sizeof(h) + key->len + bytes || memcmp(p + sizeof(h), key->data, key->len) != 0)
		return NULL;
	p += sizeof(h) + key->len;
	*ret_n = h.n_insns;
	return hash64(p, bytes) == h.insns_hash ? p : NULL;
}

bool seccomp_cache_load(int dirfd, const struct buf *key, struct seccomp_program *p)
{
	char name[CACHE_NAME_CHARS + 1];
	struct stat st;
	size_t n;

	entry_name(key, name);
	CLEANUP_FD int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return false;
	const size_t max = sizeof(struct header) + key->len +
			   BPF_MAXINSNS * sizeof(struct sock_filter);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid() ||
	    (st.st_mode & 022) || st.st_size <= 0 || (size_t)st.st_size > max) {
		log_debug("seccomp cache entry %s is not ours: ignored", name);
		return false;
	}
	CLEANUP_FREE char *bytes = xmalloc((size_t)st.st_size);
	ssize_t got = fd_read_all(fd, bytes, (size_t)st.st_size);
	const char *insns = got < 0 ? NULL : entry_insns(bytes, (size_t)got, key, &n);
	if (!insns) {
		log_debug("seccomp cache entry %s does not match: ignored", name);
		return false;
	}
	p->insns = xmalloc(n * sizeof(struct sock_filter));
	memcpy(p->insns, insns, n * sizeof(struct sock_filter));
	p->n = n;
	return true;
}

/* Profiles that come and go must not fill the run directory: start over when full. */
static void cache_bound(int dirfd)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	unsigned n = 0;

	if (!d) {
		fd_close(&fd);
		return;
	}
	while (readdir(d))
		n++;
	if (n > CACHE_ENTRIES_MAX) {
		struct dirent *de;

		rewinddir(d);
		while ((de = readdir(d)))
			if (de->d_type == DT_REG && unlinkat(dirfd, de->d_name, 0) < 0)
				log_debug("seccomp cache: unlink %s: %s", de->d_name,
					  err_text(errno));
	}
	closedir(d);
}

void seccomp_cache_store(int dirfd, const struct buf *key, const struct seccomp_program *p)
{
	const size_t bytes = p->n * sizeof(struct sock_filter);
	const struct header h = {
		.magic = CACHE_MAGIC, .key_bytes = (uint32_t)key->len, .n_insns = (uint32_t)p->n,
		.insns_hash = hash64(p->insns, bytes),
	};
	CLEANUP(buf_release) struct buf b = BUF_INIT(sizeof(h) + key->len + bytes);
	char name[CACHE_NAME_CHARS + 1];

	cache_bound(dirfd);
	buf_add(&b, &h, sizeof(h));
	buf_add(&b, key->data, key->len);
	buf_add(&b, p->insns, bytes);
	entry_name(key, name);
	int r = file_replace_at(dirfd, name, b.data, b.len, 0600);
	if (r < 0)
		log_debug("seccomp cache: write %s: %s", name, err_text(-r));
}
