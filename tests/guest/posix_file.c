/* posix_file.c - what files hold.  See posix.h. */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "posix.h"

#define BIG ((3u << 20) + 12345)

static void fill(uint8_t *p, size_t n, unsigned seed)
{
	for (size_t i = 0; i < n; i++) {
		seed = seed * 1103515245 + 12345;
		p[i] = (uint8_t)(seed >> 16);
	}
}

static void large_reads_and_writes(void)
{
	uint8_t *a = malloc(BIG), *b = malloc(BIG);
	int fd = open("f", O_RDWR | O_CREAT, 0644);

	fill(a, BIG, 1);
	OK(fd >= 0 && write(fd, a, BIG) == BIG && lseek(fd, 0, SEEK_CUR) == BIG);
	OK(pread(fd, b, BIG, 0) == BIG && memcmp(a, b, BIG) == 0);
	/* Odd sizes at odd places. */
	for (unsigned i = 1; i < 40; i++) {
		size_t n = (size_t)i * 4099, at = (size_t)i * 65537;

		fill(a + at, n, i);
		OK(pwrite(fd, a + at, n, (off_t)at) == (ssize_t)n);
	}
	OK(fsync(fd) == 0 && posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0);
	OK(pread(fd, b, BIG, 0) == BIG && memcmp(a, b, BIG) == 0);
	struct iovec v[3] = { { a, 7 }, { a + 100, 5000 }, { a + 9000, 1 } };

	OK(pwritev(fd, v, 3, 11) == 5008 && pread(fd, b, 5008, 11) == 5008);
	OK(memcmp(b, a, 7) == 0 && memcmp(b + 7, a + 100, 5000) == 0 && b[5007] == a[9000]);
	OK(close(fd) == 0);
	free(a);
	free(b);
}

static void append(void)
{
	int a = open("f", O_WRONLY | O_CREAT | O_APPEND, 0644), b = open("f", O_WRONLY | O_APPEND);

	OK(a >= 0 && b >= 0);
	for (int i = 0; i < 4; i++)
		OK(write(a, "a", 1) == 1 && write(b, "b", 1) == 1);
	OK(holds("f", "abababab"));
	OK(fcntl(a, F_SETFL, 0) == 0 && pwrite(a, "X", 1, 0) == 1 && holds("f", "Xbababab"));
	OK(fcntl(a, F_SETFL, O_APPEND) == 0 && write(a, "Y", 1) == 1 && holds("f", "XbabababY"));
	close(a);
	close(b);
}

static void truncate_both_ways(void)
{
	char buf[16] = "";
	struct stat st;
	int fd;

	OK(put("f", "abcdef") == 0 && truncate("f", 3) == 0 && holds("f", "abc"));
	OK((fd = open("f", O_RDWR)) >= 0 && ftruncate(fd, 10) == 0);
	OK(pread(fd, buf, sizeof(buf), 0) == 10 && memcmp(buf, "abc\0\0\0\0\0\0\0", 10) == 0);
	OK(ftruncate(fd, 1LL << 40) == 0 && fstat(fd, &st) == 0 && st.st_size == 1LL << 40);
	OK(pwrite(fd, "end", 3, (1LL << 40) - 3) == 3 && pread(fd, buf, 16, (1LL << 40) - 3) == 3);
	OK(fstat(fd, &st) == 0 && st.st_blocks < 4096);
	FAILS(truncate("f", -1), EINVAL);
	FAILS(truncate(".", 0), EISDIR);
	close(fd);
	OK((fd = open("f", O_RDONLY)) >= 0);
	FAILS(ftruncate(fd, 0), EINVAL);
	close(fd);
	OK((fd = open("f", O_WRONLY | O_TRUNC)) >= 0 && fstat(fd, &st) == 0 && st.st_size == 0);
	close(fd);
}

static void holes(void)
{
	struct stat st;
	int fd = open("f", O_RDWR | O_CREAT, 0644);

	OK(fd >= 0 && pwrite(fd, "x", 1, 1 << 20) == 1 && fsync(fd) == 0);
	OK(lseek(fd, 0, SEEK_DATA) == 1 << 20 && lseek(fd, 0, SEEK_HOLE) == 0);
	OK(lseek(fd, 1 << 20, SEEK_HOLE) == (1 << 20) + 1);
	FAILS(lseek(fd, 1 << 21, SEEK_DATA), ENXIO);
	OK(fallocate(fd, 0, 0, 64 << 10) == 0 && fstat(fd, &st) == 0 && st.st_blocks >= 128);
	OK(st.st_size == (1 << 20) + 1);
	OK(fallocate(fd, FALLOC_FL_KEEP_SIZE, 2 << 20, 4096) == 0);
	OK(fstat(fd, &st) == 0 && st.st_size == (1 << 20) + 1);
	OK(fallocate(fd, 0, 2 << 20, 4096) == 0 && fstat(fd, &st) == 0);
	OK(st.st_size == (2 << 20) + 4096);
	char c = 1;

	OK(pwrite(fd, "data", 4, 4096) == 4);
	OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 4096, 4096) == 0);
	OK(pread(fd, &c, 1, 4096) == 1 && c == 0);
	FAILS(fallocate(fd, 0, 0, 0), EINVAL);
	close(fd);
}

static void copy_range(void)
{
	off_t in = 2, out = 1;
	int a, b;

	OK(put("a", "0123456789") == 0 && put("b", "xxxx") == 0);
	OK((a = open("a", O_RDONLY)) >= 0 && (b = open("b", O_RDWR)) >= 0);
	OK(copy_file_range(a, &in, b, &out, 5, 0) == 5 && in == 7 && out == 6);
	OK(holds("b", "x23456"));
	OK(copy_file_range(a, &in, b, &out, 100, 0) == 3 && holds("b", "x23456789"));
	OK(copy_file_range(a, &in, b, &out, 100, 0) == 0);
	FAILS(copy_file_range(b, NULL, a, NULL, 1, 0), EBADF);
	close(a);
	close(b);
}

static void shared_mapping(void)
{
	int fd = open("f", O_RDWR | O_CREAT, 0644);
	char buf[8];

	OK(fd >= 0 && ftruncate(fd, 3 * 4096) == 0);
	char *p = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	char *q = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 4096);

	OK(p != MAP_FAILED && q != MAP_FAILED);
	memcpy(p + 4096, "mapped", 6);
	OK(memcmp(q, "mapped", 6) == 0);
	OK(pread(fd, buf, 6, 4096) == 6 && memcmp(buf, "mapped", 6) == 0);
	OK(pwrite(fd, "WRITE", 5, 4096) == 5 && memcmp(p + 4096, "WRITEd", 6) == 0);
	OK(msync(p, 3 * 4096, MS_SYNC) == 0 && munmap(p, 3 * 4096) == 0 && munmap(q, 4096) == 0);
	OK(close(fd) == 0 && (fd = open("f", O_RDONLY)) >= 0);
	OK(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0);
	OK(pread(fd, buf, 6, 4096) == 6 && memcmp(buf, "WRITEd", 6) == 0);
	p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 4096);
	OK(p != MAP_FAILED);
	p[0] = 'w';
	OK(pread(fd, buf, 1, 4096) == 1 && buf[0] == 'W');
	munmap(p, 4096);
	close(fd);
}

static void mapping_outlives_name(void)
{
	int fd = open("f", O_RDWR | O_CREAT, 0644);

	OK(fd >= 0 && ftruncate(fd, 4096) == 0);
	char *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	OK(p != MAP_FAILED && close(fd) == 0 && unlink("f") == 0);
	p[7] = 1;
	OK(msync(p, 4096, MS_SYNC) == 0 && p[7] == 1 && munmap(p, 4096) == 0);
}

static void open_modes(void)
{
	char c;
	int r, w;

	OK(put("f", "abc") == 0);
	OK((r = open("f", O_RDONLY)) >= 0 && (w = open("f", O_WRONLY)) >= 0);
	FAILS(write(r, "x", 1), EBADF);
	FAILS(read(w, &c, 1), EBADF);
	OK(write(w, "X", 1) == 1 && read(r, &c, 1) == 1 && c == 'X');
	close(r);
	close(w);
	/* One that may be written only: reading around a partial write is not its business. */
	OK(chmod("f", 0200) == 0 && (w = open("f", O_WRONLY)) >= 0 && pwrite(w, "Y", 1, 2) == 1);
	close(w);
	OK(chmod("f", 0600) == 0 && holds("f", "XbY"));
}

static void synchronous_writes(void)
{
	int fd = open("f", O_WRONLY | O_CREAT | O_SYNC, 0644);
	int d = open(".", O_RDONLY | O_DIRECTORY);

	OK(fd >= 0 && write(fd, "a", 1) == 1 && fdatasync(fd) == 0 && fsync(fd) == 0);
	OK(d >= 0 && fsync(d) == 0 && syncfs(d) == 0 && holds("f", "a"));
	close(fd);
	close(d);
	OK((fd = open("f", O_WRONLY | O_DSYNC | O_APPEND)) >= 0 && write(fd, "b", 1) == 1);
	OK(holds("f", "ab"));
	close(fd);
}

const struct check file_checks[] = {
	{ "large_reads_and_writes", large_reads_and_writes },
	{ "append", append },
	{ "truncate_both_ways", truncate_both_ways },
	{ "holes", holes },
	{ "copy_range", copy_range },
	{ "shared_mapping", shared_mapping },
	{ "mapping_outlives_name", mapping_outlives_name },
	{ "open_modes", open_modes },
	{ "synchronous_writes", synchronous_writes },
	{ NULL, NULL },
};
