/*
 * cli/vmm/device.c - isle-vmm device: one virtio device for another VMM.  Layer: cli.
 *
 * The process serves one front end (QEMU) and ends when it leaves.
 */
#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "cli/values.h"
#include "cli/vmm/verb.h"
#include "vmm/loop.h"
#include "vmm/virtio/fs.h"
#include "vmm/virtio/vhost_user.h"
#include "vmm/virtio/vsock.h"

struct device_options {
	const char *socket, *dir, *tag, *cache, *uds;
	int64_t cid;                    /* 0: not given */
	int fd;                         /* 0: not given, for that is standard input */
	bool read_only, writeback;
};

static const char *const cache_names[] = {
	[FS_CACHE_ALWAYS] = "always", [FS_CACHE_AUTO] = "auto", [FS_CACHE_NONE] = "none",
};

static int parse_fd(const char *value, void *target, struct err *e)
{
	int64_t v;
	int r = value_i64(value, &v, e);

	if (r < 0)
		return r;
	if (v < 3 || v > INT32_MAX)
		return err_set(e, EINVAL, "\"%s\" is not a descriptor of 3 or more", value);
	*(int *)target = (int)v;
	return 0;
}

static int parse_cid(const char *value, void *target, struct err *e)
{
	int64_t v;
	int r = value_i64(value, &v, e);

	if (r < 0)
		return r;
	if (v < VSOCK_CID_MIN || v >= UINT32_MAX)
		return err_set(e, EINVAL, "\"%s\" is not a guest's CID: 3 up to 4294967294", value);
	*(int64_t *)target = v;
	return 0;
}

#define AT(member) offsetof(struct device_options, member)

static const struct option options[] = {
	{ "socket", 0, OPT_STRING, AT(socket), "PATH", "make this unix socket and wait there",
	  NULL },
	{ "fd", 0, OPT_PARSED, AT(fd), "N", "the front end is connected to descriptor N",
	  parse_fd },
	{ "shared-dir", 0, OPT_STRING, AT(dir), "DIR", "fs: the directory to share", NULL },
	{ "tag", 0, OPT_STRING, AT(tag), "NAME",
	  "fs: what the guest mounts it by (root), if the front end asks", NULL },
	{ "cache", 0, OPT_STRING, AT(cache), "MODE",
	  "fs: the guest remembers names and attributes: always, auto (1 s) or none", NULL },
	{ "writeback", 0, OPT_FLAG, AT(writeback), NULL, "fs: the guest may collect writes",
	  NULL },
	{ "read-only", 0, OPT_FLAG, AT(read_only), NULL, "fs: refuse every change", NULL },
	{ "uds", 0, OPT_STRING, AT(uds), "PATH",
	  "vsock: make this unix socket, where \"CONNECT port\" reaches the guest; what the "
	  "guest connects to goes to PATH_port", NULL },
	{ "guest-cid", 0, OPT_PARSED, AT(cid), "N", "vsock: the guest's address, 3 or more",
	  parse_cid },
	OPTION_HELP,
};

static void ended(struct vhost_user *u)
{
	loop_stop(u->loop);
}

/* Until the front end leaves.  The loop is the caller's: a device may watch its own. */
static int serve(struct vdev *d, struct loop *l, const struct device_options *o, struct err *e)
{
	CLEANUP_FREE struct vhost_user *u = xcalloc(1, sizeof(*u));
	CLEANUP_FD int listening = o->socket ? vhost_user_listen(o->socket, e) : -1;

	if (o->socket && listening < 0)
		return listening;
	int r = vhost_user_init(u, d, l, take_fd(listening), o->socket ? -1 : o->fd, e);
	u->ended = ended;
	if (r == 0)
		r = loop_run(l, e);
	vhost_user_release(u);
	if (o->socket)
		unlink(o->socket);
	return r;
}

/* Each file that the guest knows of has one. */
static void raise_descriptors(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) < 0)
		return;
	l.rlim_cur = l.rlim_max;
	/* With fewer it works too, more slowly. */
	(void)setrlimit(RLIMIT_NOFILE, &l);
}

static int run_fs(const struct device_options *o, struct err *e)
{
	struct fs_options fo = { .dir = o->dir, .tag = o->tag ? o->tag : "root",
				 .read_only = o->read_only, .writeback = o->writeback };
	struct fs *fs = NULL;
	struct loop loop;

	if (!o->dir)
		return err_set(e, EINVAL, "--shared-dir is needed for a device of kind fs");
	if (o->cache) {
		int c = value_choice(o->cache, cache_names, ARRAY_LEN(cache_names), e);

		if (c < 0)
			return err_prefix(e, "--cache");
		fo.cache = (enum fs_cache)c;
	}
	raise_descriptors();
	int r = loop_init(&loop, e);
	if (r < 0)
		return r;
	r = fs_new(&fo, &fs, e);
	if (r == 0)
		r = serve(fs_device(fs), &loop, o, e);
	fs_free(fs);
	loop_release(&loop);
	return r;
}

static int run_vsock(const struct device_options *o, struct err *e)
{
	struct loop loop;
	struct vsock *v = NULL;

	if (!o->uds || !o->cid)
		return err_set(e, EINVAL, "%s is needed for a device of kind vsock",
			       o->uds ? "--guest-cid" : "--uds");
	CLEANUP_FD int fd = vhost_user_listen(o->uds, e);
	if (fd < 0)
		return fd;
	int r = loop_init(&loop, e);
	if (r == 0) {
		struct vsock_options vo = {
			.cid = (uint64_t)o->cid, .listen_fd = fd, .path = o->uds,
		};

		r = vsock_new(&loop, &vo, &v, e);
		if (r == 0)
			r = serve(&v->dev, &loop, o, e);
		vsock_free(v);
		loop_release(&loop);
	}
	unlink(o->uds);
	return r;
}

static int run(struct vmm_call *c, struct err *e)
{
	const struct device_options *o = c->target;

	if (!o->socket == !o->fd)
		return err_set(e, EINVAL, "one of --socket and --fd is needed");
	if (strcmp(c->argv[0], "fs") == 0)
		return run_fs(o, e);
	if (strcmp(c->argv[0], "vsock") == 0)
		return run_vsock(o, e);
	return err_set(e, EINVAL, "unknown kind of device \"%s\"; there are fs and vsock",
		       c->argv[0]);
}

const struct vmm_verb verb_device = {
	.name = "device", .args = "fs|vsock",
	.summary = "be one virtio device of another VMM, by vhost-user",
	.options = { options, ARRAY_LEN(options) }, .target_size = sizeof(struct device_options),
	.min_args = 1, .max_args = 1, .run = run,
};
