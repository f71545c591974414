/*
 * cli/vmm/run.c - isle-vmm run: a kernel in a virtual machine on /dev/kvm.  Layer: cli.
 *
 * What a machine is made of, in one place: the memory, the devices in the order in which the
 * guest finds them, the console.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "cli/values.h"
#include "cli/vmm/verb.h"
#include "oci/spec.h"
#include "vmm/machine.h"
#include "vmm/virtio/balloon.h"
#include "vmm/virtio/blk.h"
#include "vmm/virtio/console.h"
#include "vmm/virtio/fs.h"
#include "vmm/virtio/net.h"
#include "vmm/virtio/rng.h"

/* Exit statuses beside 0 (powered off or restarted) and 1 (isle-vmm failed). */
#define STATUS_PANIC 3
#define STATUS_BROKEN 4
#define STATUS_STOPPED 128              /* and the signal's number */

#define SHARES_MAX 8
#define DISKS_MAX 4

struct run_options {
	const char *kernel, *initrd, *cmdline, *tap;
	struct oci_strv shares, disks;
	unsigned memory_mb, cpus;
	bool console;
};

#define AT(member) offsetof(struct run_options, member)

static const struct option options[] = {
	{ "kernel", 0, OPT_STRING, AT(kernel), "FILE", "vmlinux with a PVH entry, or a bzImage",
	  NULL },
	{ "initrd", 0, OPT_STRING, AT(initrd), "FILE", "initial file system of the kernel", NULL },
	{ "cmdline", 0, OPT_STRING, AT(cmdline), "TEXT", "the kernel's arguments (console=ttyS0)",
	  NULL },
	{ "memory", 'm', OPT_UINT, AT(memory_mb), "MB", "of the guest (256)", NULL },
	{ "cpus", 0, OPT_UINT, AT(cpus), "N", "virtual processors (1)", NULL },
	{ "fs", 0, OPT_STRINGS, AT(shares), "TAG=DIR", "share a directory; may be repeated", NULL },
	{ "disk", 0, OPT_STRINGS, AT(disks), "FILE[,ro]", "a raw disk; may be repeated", NULL },
	{ "tap", 0, OPT_STRING, AT(tap), "NAME", "a network card on that tap interface", NULL },
	{ "console", 0, OPT_FLAG, AT(console), NULL,
	  "hvc0 is standard input and output; the serial port goes to stderr", NULL },
	OPTION_HELP,
};

struct parts {
	int kernel, initrd, tap;
	struct machine *machine;
	struct rng rng;
	struct balloon balloon;
	struct console console;
	bool has_console;
	int stdout_flags;               /* as they were: others share what they are of */
	struct net *net;
	struct fs *fs[SHARES_MAX];
	struct blk disk[DISKS_MAX];
	int disk_fd[DISKS_MAX];
	size_t n_fs, n_disks;
	struct loop_watch signals;
	int signal;                     /* that ended it, or 0 */
};

static void parts_release(struct parts *p)
{
	machine_free(p->machine);
	for (size_t i = 0; i < p->n_fs; i++)
		fs_free(p->fs[i]);
	for (size_t i = 0; i < p->n_disks; i++) {
		vdev_release(&p->disk[i].dev);
		fd_close(&p->disk_fd[i]);
	}
	if (p->has_console) {
		vdev_release(&p->console.dev);
		/* Where that fails there is nobody left to be disturbed. */
		(void)fcntl(STDOUT_FILENO, F_SETFL, p->stdout_flags);
	}
	if (p->net)
		vdev_release(&p->net->dev);
	free(p->net);
	fd_close(&p->signals.fd);
	fd_close(&p->tap);
	fd_close(&p->initrd);
	fd_close(&p->kernel);
}

/* ---- devices --------------------------------------------------------------------------- */

static int add_share(struct parts *p, const char *text, struct err *e)
{
	CLEANUP_FREE char *tag = xstrdup(text);
	char *eq = strchr(tag, '=');

	if (!eq || eq == tag || !eq[1])
		return err_set(e, EINVAL, "--fs \"%s\": not TAG=DIR", text);
	if (p->n_fs == SHARES_MAX)
		return err_set(e, EINVAL, "--fs: more than %d", SHARES_MAX);
	*eq = 0;
	struct fs_options o = { .dir = eq + 1, .tag = tag };

	int r = fs_new(&o, &p->fs[p->n_fs], e);
	if (r < 0)
		return r;
	return machine_add(p->machine, fs_device(p->fs[p->n_fs++]), e);
}

static int add_disk(struct parts *p, const char *text, struct err *e)
{
	CLEANUP_FREE char *path = xstrdup(text);
	char *comma = strrchr(path, ',');
	bool ro = comma && strcmp(comma, ",ro") == 0;

	if (p->n_disks == DISKS_MAX)
		return err_set(e, EINVAL, "--disk: more than %d", DISKS_MAX);
	if (ro)
		*comma = 0;
	CLEANUP_FD int fd = open(path, (ro ? O_RDONLY : O_RDWR) | O_CLOEXEC);

	if (fd < 0)
		return err_sys(e, errno, "open disk %s", path);
	struct blk *b = &p->disk[p->n_disks];

	int r = blk_init(b, fd, ro, path, e);
	if (r < 0)
		return r;
	p->disk_fd[p->n_disks++] = take_fd(fd);
	return machine_add(p->machine, &b->dev, e);
}

/* An address that is locally administered and comes from the interface's name: stable. */
static void make_mac(const char *name, uint8_t ret[6])
{
	uint64_t h = 0xcbf29ce484222325ULL;     /* FNV-1a */

	for (; *name; name++)
		h = (h ^ (uint8_t)*name) * 0x100000001b3ULL;
	memcpy(ret, &h, 6);
	ret[0] = (uint8_t)((ret[0] & 0xfe) | 2);
}

static int add_net(struct parts *p, const char *tap, struct err *e)
{
	struct net_options o = { .port = &net_tap };
	struct loop *l;

	p->tap = o.fd = net_tap_open(tap, e);
	if (o.fd < 0)
		return o.fd;
	int r = machine_loop_next(p->machine, &l, e);
	if (r < 0)
		return r;
	make_mac(tap, o.mac);
	p->net = xcalloc(1, sizeof(*p->net));
	net_init(p->net, l, &o);
	return machine_add(p->machine, &p->net->dev, e);
}

/* Files and /dev/null cannot be waited for; they have nothing to say to a console either. */
static int console_input(void)
{
	struct stat st;

	if (fstat(STDIN_FILENO, &st) < 0)
		return -1;
	return S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode) || isatty(STDIN_FILENO) ?
	       STDIN_FILENO : -1;
}

static int add_console(struct parts *p, struct err *e)
{
	struct loop *l;

	int r = machine_loop_next(p->machine, &l, e);
	if (r < 0)
		return r;
	p->stdout_flags = fcntl(STDOUT_FILENO, F_GETFL);
	if (p->stdout_flags < 0 ||
	    fcntl(STDOUT_FILENO, F_SETFL, p->stdout_flags | O_NONBLOCK) < 0)
		return err_sys(e, errno, "standard output");
	console_init(&p->console, l, console_input(), STDOUT_FILENO);
	p->has_console = true;
	return machine_add(p->machine, &p->console.dev, e);
}

static int add_devices(struct parts *p, const struct run_options *o, struct err *e)
{
	int r = machine_add(p->machine, &p->rng.dev, e);

	if (r == 0)
		r = machine_add(p->machine, &p->balloon.dev, e);
	for (size_t i = 0; i < o->shares.n && r == 0; i++)
		r = add_share(p, o->shares.v[i], e);
	for (size_t i = 0; i < o->disks.n && r == 0; i++)
		r = add_disk(p, o->disks.v[i], e);
	if (r == 0 && o->tap)
		r = add_net(p, o->tap, e);
	return r == 0 && o->console ? add_console(p, e) : r;
}

/* ---- running ----------------------------------------------------------------------------- */

static int open_file(const char *path, const char *what, int *ret, struct err *e)
{
	*ret = open(path, O_RDONLY | O_CLOEXEC);
	return *ret < 0 ? err_sys(e, errno, "open %s %s", what, path) : 0;
}

static void signalled(struct loop_watch *w, uint32_t events)
{
	struct parts *p = (struct parts *)((char *)w - offsetof(struct parts, signals));
	struct signalfd_siginfo si;

	(void)events;
	if (read(w->fd, &si, sizeof(si)) != sizeof(si))
		return;
	p->signal = (int)si.ssi_signo;
	machine_stop(p->machine);
}

/* Before any thread is made, so that all have it blocked. */
static int watch_signals(struct parts *p, struct err *e)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	p->signals.ready = signalled;
	p->signals.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (p->signals.fd < 0)
		return err_sys(e, errno, "signalfd");
	return loop_add(machine_loop(p->machine), &p->signals, EPOLLIN, e);
}

/* One log line for each of the dump's. */
static void log_dump(const struct buf *b)
{
	for (const char *p = b->data ? b->data : ""; *p;) {
		size_t n = strcspn(p, "\n");

		log_warn("%.*s", (int)n, p);
		p += n + (p[n] == '\n');
	}
}

static int conclude(const struct parts *p, const struct machine_result *res)
{
	switch (res->end) {
	case MACHINE_PANIC:
		log_warn("the guest's kernel panicked%s%s", *res->why ? ": " : "", res->why);
		return STATUS_PANIC;
	case MACHINE_BROKEN:
		log_warn("the virtual machine stopped, for a vCPU could not go on");
		log_dump(&res->dump);
		return STATUS_BROKEN;
	case MACHINE_STOPPED:
		return STATUS_STOPPED + p->signal;
	default:
		return EXIT_SUCCESS;
	}
}

static int run(struct vmm_call *c, struct err *e)
{
	const struct run_options *o = c->target;
	CLEANUP(parts_release) struct parts p = { .kernel = -1, .initrd = -1, .tap = -1,
						  .signals.fd = -1 };
	struct machine_result res = { 0 };

	if (!o->kernel)
		return err_set(e, EINVAL, "--kernel is needed");
	int r = open_file(o->kernel, "kernel", &p.kernel, e);
	if (r == 0 && o->initrd)
		r = open_file(o->initrd, "initrd", &p.initrd, e);
	if (r < 0)
		return r;
	struct machine_config mc = {
		.memory_bytes = (uint64_t)(o->memory_mb ? o->memory_mb : 256) << 20,
		.n_cpus = o->cpus ? o->cpus : 1, .kernel = p.kernel, .initrd = p.initrd,
		.cmdline = o->cmdline ? o->cmdline : "console=ttyS0",
		.serial = o->console ? STDERR_FILENO : STDOUT_FILENO,
	};

	rng_init(&p.rng);
	balloon_init(&p.balloon);
	r = machine_new(&mc, &p.machine, e);
	if (r == 0)
		r = add_devices(&p, o, e);
	if (r == 0)
		r = watch_signals(&p, e);
	if (r == 0)
		r = machine_run(p.machine, &res, e);
	if (r == 0)
		c->status = conclude(&p, &res);
	buf_release(&res.dump);
	return r;
}

const struct vmm_verb verb_run = {
	.name = "run", .args = "",
	.summary = "run a kernel in a virtual machine on /dev/kvm until it powers off: exit status "
		   "0; 3 it panicked, 4 a vCPU could not go on, 128+N ended by signal N",
	.options = { options, ARRAY_LEN(options) }, .target_size = sizeof(struct run_options),
	.run = run,
};
