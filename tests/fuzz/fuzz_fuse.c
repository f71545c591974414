/*
 * Fuzz target: FUSE requests, one after the other, to virtio-fs on a directory of its own.
 * Input: records of u16 bytes, u16 room for the reply, and those bytes of a request.  INIT is
 * sent before.  Whatever comes, the answer has the size that its header says, and nothing
 * outside of the directory changes.
 */
#include <assert.h>
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../lib/fuse_drive.h"

#define FILE_BYTES (16u << 20)            /* of the log too */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* base/share is shared; base/outside must stay as it is. */
static char base[64], share[80], outside[80];

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *f)
{
	(void)st;
	(void)type;
	(void)f;
	return remove(path);
}

static void clean(void)
{
	nftw(share, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void at_exit(void)
{
	nftw(base, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void prepare(void)
{
	struct rlimit l = { FILE_BYTES, FILE_BYTES };

	if (!base[0]) {
		/* What a request makes is small, and no signal tells of it. */
		signal(SIGXFSZ, SIG_IGN);
		setrlimit(RLIMIT_FSIZE, &l);
		snprintf(base, sizeof(base), "%s/isle-fuse-XXXXXX",
			 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
		if (!mkdtemp(base))
			abort();
		snprintf(share, sizeof(share), "%s/share", base);
		snprintf(outside, sizeof(outside), "%s/outside", base);
		if (close(open(outside, O_WRONLY | O_CREAT, 0600)) < 0)
			abort();
		atexit(at_exit);
	}
	clean();
	if (mkdir(share, 0755) < 0)
		abort();
}

static void init(struct drive *v)
{
	struct {
		struct fuse_in_header h;
		struct fuse_init_in in;
	} *q = drive_at(v, DRIVE_OUT);

	memset(q, 0, sizeof(*q));
	q->h = (struct fuse_in_header){ .len = sizeof(*q), .opcode = FUSE_INIT };
	q->in = (struct fuse_init_in){ .major = 7, .minor = 38, .flags = ~0U };
	assert(drive_raw(v, sizeof(*q), 256) == sizeof(struct fuse_out_header) +
						sizeof(struct fuse_init_out));
}

struct input {
	const uint8_t *data;
	size_t size;
};

static void *play(void *input)
{
	const uint8_t *data = ((struct input *)input)->data;
	size_t size = ((struct input *)input)->size;
	const struct fs_options o = { .dir = share, .tag = "t",
				      .cache = size % 2 ? FS_CACHE_ALWAYS : FS_CACHE_NONE };
	struct err e = { 0 };
	struct drive v;
	struct stat st;

	if (drive_init(&v, &o, &e) < 0)
		abort();
	init(&v);
	while (size >= 4) {
		uint32_t n = data[0] | (uint32_t)data[1] << 8;
		uint32_t room = data[2] | (uint32_t)data[3] << 8;
		const struct fuse_out_header *out = drive_at(&v, DRIVE_IN);

		data += 4;
		size -= 4;
		if (n > size)
			n = (uint32_t)size;
		memcpy(drive_at(&v, DRIVE_OUT), data, n);
		data += n;
		size -= n;
		int r = drive_raw(&v, n, room);

		if (r < 0)              /* the driver would reset it, and mount again */
			break;
		assert(r == 0 || ((uint32_t)r == out->len && (uint32_t)r <= room &&
				  out->error <= 0));
	}
	drive_release(&v);
	assert(lstat(outside, &st) == 0 && st.st_size == 0 && st.st_nlink == 1);
	return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	pthread_t t;

	prepare();
	/* The device changes its thread's working directory and ids: not the fuzzer's. */
	if (pthread_create(&t, NULL, play, &in) != 0 || pthread_join(t, NULL) != 0)
		abort();
	return 0;
}
