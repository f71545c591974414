/* image/tar_pax.c - numbers, checksums and pax records; see tar.h */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "image/tar_impl.h"

#define XATTRS_MAX 4096                 /* of one entry */
#define XATTR_NAME_LEN_MAX 255          /* XATTR_NAME_MAX of the kernel */

/* GNU tar manual, "Basic Tar Format": the first byte's top bit says big-endian binary. */
static int base256(const unsigned char *p, size_t n, int64_t *ret)
{
	bool negative = p[0] & 0x40;
	uint64_t v = negative ? ~UINT64_C(0) : 0;

	for (size_t i = 0; i < n; i++) {
		unsigned char c = i == 0 ? (p[0] & 0x7f) | (negative ? 0x80 : 0) : p[i];

		/* What is shifted out must be sign only. */
		if ((v >> 56) != (negative ? 0xff : 0))
			return -EINVAL;
		v = v << 8 | c;
	}
	if (((int64_t)v < 0) != negative)
		return -EINVAL;
	*ret = (int64_t)v;
	return 0;
}

int tar_number(const char *p, size_t n, int64_t *ret)
{
	const char *end = p + n;
	uint64_t v = 0;

	if ((unsigned char)p[0] & 0x80)
		return base256((const unsigned char *)p, n, ret);
	while (p < end && *p == ' ')
		p++;
	for (; p < end && *p >= '0' && *p <= '7'; p++) {
		if (v >> 60)
			return -EINVAL;
		v = v << 3 | (uint64_t)(*p - '0');
	}
	for (; p < end; p++)
		if (*p != ' ' && *p != '\0')
			return -EINVAL;
	*ret = (int64_t)v;
	return 0;
}

int tar_decimal(const char *p, size_t n, uint64_t *ret)
{
	uint64_t v = 0;

	if (n == 0)
		return -EINVAL;
	for (size_t i = 0; i < n; i++) {
		if (p[i] < '0' || p[i] > '9' || v > (INT64_MAX - 9) / 10)
			return -EINVAL;
		v = v * 10 + (uint64_t)(p[i] - '0');
	}
	*ret = v;
	return 0;
}

bool tar_checksum_ok(const struct tar_header *h)
{
	const unsigned char *p = (const unsigned char *)h;
	const size_t at = offsetof(struct tar_header, chksum);
	int64_t want, plain = 0, with_sign = 0;

	if (tar_number(h->chksum, sizeof(h->chksum), &want) < 0)
		return false;
	for (size_t i = 0; i < TAR_BLOCK; i++) {
		unsigned char c = i - at < sizeof(h->chksum) ? ' ' : p[i];

		plain += c;
		with_sign += (signed char)c;
	}
	return want == plain || want == with_sign;
}

int tar_extent_add(struct arena *a, struct tar_extent **v, size_t *n, size_t *cap,
		   uint64_t offset, uint64_t len)
{
	if (*n == TAR_EXTENTS_MAX)
		return -E2BIG;
	if (*n == *cap) {
		size_t want = *cap ? *cap * 2 : 16;
		struct tar_extent *bigger = arena_calloc(a, want, sizeof(*bigger));

		if (*n)
			memcpy(bigger, *v, *n * sizeof(*bigger));
		*v = bigger;
		*cap = want;
	}
	(*v)[(*n)++] = (struct tar_extent){ offset, len };
	return 0;
}

int tar_extents_check(const struct tar_extent *v, size_t n, uint64_t size, uint64_t stored)
{
	uint64_t at = 0, sum = 0;

	for (size_t i = 0; i < n; i++) {
		if (v[i].offset < at || v[i].offset > size || v[i].len > size - v[i].offset)
			return -EINVAL;
		at = v[i].offset + v[i].len;
		sum += v[i].len;
	}
	return sum == stored ? 0 : -EINVAL;
}

/* "[-]seconds[.fraction]"; digits past nanoseconds are dropped. */
static int pax_time(const char *p, size_t n, struct timespec *ret)
{
	const char *dot = memchr(p, '.', n);
	size_t whole = dot ? (size_t)(dot - p) : n;
	bool negative = n > 0 && p[0] == '-';
	uint64_t sec = 0;
	long ns = 0, unit = 100000000;

	if (tar_decimal(p + negative, whole - negative, &sec) < 0)
		return -EINVAL;
	for (size_t i = whole + 1; i < n; i++, unit /= 10) {
		if (p[i] < '0' || p[i] > '9')
			return -EINVAL;
		ns += (p[i] - '0') * unit;
	}
	ret->tv_sec = negative ? -(time_t)sec : (time_t)sec;
	ret->tv_nsec = ns;
	if (negative && ns) {
		ret->tv_sec--;
		ret->tv_nsec = 1000000000 - ns;
	}
	return 0;
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 :
	       c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The name in a LIBARCHIVE.xattr key: "%XX" for what a key cannot hold. */
static char *url_decode(struct arena *a, const char *p, size_t n)
{
	char *out = arena_alloc(a, n + 1), *w = out;

	for (size_t i = 0; i < n; i++) {
		if (p[i] == '%' && n - i > 2 && hex_digit(p[i + 1]) >= 0 &&
		    hex_digit(p[i + 2]) >= 0) {
			*w++ = (char)(hex_digit(p[i + 1]) << 4 | hex_digit(p[i + 2]));
			i += 2;
		} else {
			*w++ = p[i];
		}
	}
	return out;
}

/* base64 (RFC 4648) with or without padding.  -EINVAL for other characters. */
static int base64_decode(struct arena *a, const char *p, size_t n, const void **ret,
			 size_t *ret_len)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	unsigned char *out = arena_alloc(a, n + 1);
	uint32_t v = 0;
	unsigned bits = 0;
	size_t len = 0;

	while (n > 0 && p[n - 1] == '=')
		n--;
	for (size_t i = 0; i < n; i++) {
		const char *d = p[i] ? strchr(digits, p[i]) : NULL;

		if (!d)
			return -EINVAL;
		v = v << 6 | (uint32_t)(d - digits);
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			out[len++] = (unsigned char)(v >> bits);
		}
	}
	*ret = out;
	*ret_len = len;
	return 0;
}

/* libarchive writes each xattr in both forms: the raw one, SCHILY's, wins. */
static int add_xattr(struct arena *a, struct tar_pax *p, const char *name, const void *value,
		     size_t len, bool raw)
{
	size_t i = 0;

	if (!*name || strlen(name) > XATTR_NAME_LEN_MAX)
		return -EINVAL;
	while (i < p->n_xattrs && strcmp(p->xattrs[i].name, name) != 0)
		i++;
	if (i < p->n_xattrs && !raw)
		return 0;
	if (i == XATTRS_MAX)
		return -E2BIG;
	if (i == p->cap_xattrs) {
		size_t want = p->cap_xattrs ? p->cap_xattrs * 2 : 8;
		struct tar_xattr *bigger = arena_calloc(a, want, sizeof(*bigger));

		if (i)
			memcpy(bigger, p->xattrs, i * sizeof(*bigger));
		p->xattrs = bigger;
		p->cap_xattrs = want;
	}
	p->xattrs[i] = (struct tar_xattr){ .name = name, .value = value, .len = len };
	if (i == p->n_xattrs)
		p->n_xattrs++;
	return 0;
}

/* GNU.sparse.map of 0.1: "offset,length,offset,length". */
static int sparse_map(struct arena *a, const char *v, size_t n, struct tar_pax *p)
{
	uint64_t offset = 0;
	bool half = false;

	p->n_extents = 0;
	p->half_extent = false;
	while (n > 0) {
		const char *comma = memchr(v, ',', n);
		size_t k = comma ? (size_t)(comma - v) : n;
		uint64_t x;
		int r = tar_decimal(v, k, &x);

		if (r < 0)
			return r;
		if (half)
			r = tar_extent_add(a, &p->extents, &p->n_extents, &p->cap_extents,
					   offset, x);
		if (r < 0)
			return r;
		offset = x;
		half = !half;
		k += comma != NULL;
		v += k;
		n -= k;
	}
	return half ? -EINVAL : 0;
}

/* Versions 0.0 to 1.0 (GNU tar manual, "Storing Sparse Files"). */
static int sparse_record(struct arena *a, const char *key, const char *v, size_t n,
			 struct tar_pax *p)
{
	uint64_t x = 0;
	int r;

	p->is_sparse = true;
	if (!strcmp(key, "name")) {
		p->sparse_name = arena_strndup(a, v, n);
		return memchr(v, '\0', n) ? -EINVAL : 0;
	}
	if (!strcmp(key, "map"))
		return sparse_map(a, v, n, p);
	r = tar_decimal(v, n, &x);
	if (r < 0)
		return r;
	if (!strcmp(key, "major") || !strcmp(key, "minor")) {
		p->has_sparse_version = true;
		*(key[1] == 'a' ? &p->sparse_major : &p->sparse_minor) =
			x > 99 ? 99 : (unsigned)x;
	} else if (!strcmp(key, "size") || !strcmp(key, "realsize")) {
		p->has_sparse_size = true;
		p->sparse_size = x;
	} else if (!strcmp(key, "offset")) {
		if (p->half_extent)
			return -EINVAL;
		p->half_extent = true;
		r = tar_extent_add(a, &p->extents, &p->n_extents, &p->cap_extents, x, 0);
	} else if (!strcmp(key, "numbytes")) {
		if (!p->half_extent)
			return -EINVAL;
		p->half_extent = false;
		p->extents[p->n_extents - 1].len = x;
	}
	return r;
}

static const char *after(const char *key, const char *prefix)
{
	size_t n = strlen(prefix);

	return strncmp(key, prefix, n) == 0 ? key + n : NULL;
}

/* An empty value takes back what an earlier record said (POSIX.1-2017 pax). */
static int set_number(const char *v, size_t n, bool *has, uint64_t *ret)
{
	*has = n > 0;
	return n > 0 ? tar_decimal(v, n, ret) : 0;
}

static int set_time(const char *v, size_t n, bool *has, struct timespec *ret)
{
	*has = n > 0;
	return n > 0 ? pax_time(v, n, ret) : 0;
}

static int pax_record(struct arena *a, const char *key, const char *v, size_t n,
		      struct tar_pax *p)
{
	const char *rest;

	if (!strcmp(key, "path") || !strcmp(key, "linkpath")) {
		*(key[0] == 'p' ? &p->path : &p->linkpath) = n ? arena_strndup(a, v, n) : NULL;
		return memchr(v, '\0', n) ? -EINVAL : 0;
	}
	if (!strcmp(key, "uid"))
		return set_number(v, n, &p->has_uid, &p->uid);
	if (!strcmp(key, "gid"))
		return set_number(v, n, &p->has_gid, &p->gid);
	if (!strcmp(key, "size"))
		return set_number(v, n, &p->has_size, &p->size);
	if (!strcmp(key, "mtime"))
		return set_time(v, n, &p->has_mtime, &p->mtime);
	if (!strcmp(key, "atime"))
		return set_time(v, n, &p->has_atime, &p->atime);
	rest = after(key, "SCHILY.xattr.");
	if (rest)
		return add_xattr(a, p, arena_strdup(a, rest),
				 memcpy(arena_alloc(a, n + 1), v, n), n, true);
	rest = after(key, "LIBARCHIVE.xattr.");
	if (rest) {
		const void *value;
		size_t len;
		int r = base64_decode(a, v, n, &value, &len);

		return r < 0 ? r : add_xattr(a, p, url_decode(a, rest, strlen(rest)), value,
					     len, false);
	}
	rest = after(key, "GNU.sparse.");
	return rest ? sparse_record(a, rest, v, n, p) : 0;
}

/* "LENGTH KEY=VALUE\n", the length being that of the whole record. */
int tar_pax_parse(const char *text, size_t n, struct arena *a, struct tar_pax *p,
		  struct err *e)
{
	while (n > 0) {
		const char *space = memchr(text, ' ', n < 20 ? n : 20), *eq;
		uint64_t len = 0;
		size_t digits = space ? (size_t)(space - text) : 0;
		char *key;
		int r;

		if (!space || tar_decimal(text, digits, &len) < 0 || len > n ||
		    len < digits + 4 || text[len - 1] != '\n')
			return err_set(e, EBADMSG, "malformed pax record");
		eq = memchr(space + 1, '=', len - digits - 2);
		if (!eq || eq == space + 1 || memchr(space, '\0', (size_t)(eq - space)))
			return err_set(e, EBADMSG, "malformed pax record");
		key = arena_strndup(a, space + 1, (size_t)(eq - space - 1));
		r = pax_record(a, key, eq + 1, (size_t)(text + len - 1 - (eq + 1)), p);
		if (r < 0)
			return err_set(e, EBADMSG, "bad value in pax record \"%.64s\"", key);
		text += len;
		n -= len;
	}
	return p->half_extent ? err_set(e, EBADMSG, "pax sparse map ends in an offset") : 0;
}
