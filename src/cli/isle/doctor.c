/*
 * cli/isle/doctor.c - isle doctor: the host point by point, and what mends what is missing.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/isle/command.h"
#include "cli/isle/output.h"
#include "engine/rootless.h"
#include "engine/rootless_maps.h"
#include "vmm/probe.h"

enum verdict { VERDICT_OK, VERDICT_WARN, VERDICT_FAIL };

struct finding {
	enum verdict verdict;
	char text[256];                 /* what was found */
	const char *mend;               /* what to do; a command where there is one */
	char mend_text[160];            /* where that has to be put together */
};

struct check {
	const char *name;
	void (*look)(const struct engine *eng, struct finding *f);
};

static const struct option options[] = { OPTION_HELP };

#define FOUND(f, ...) snprintf((f)->text, sizeof((f)->text), __VA_ARGS__)

static void missing(struct finding *f, enum verdict v, const char *mend)
{
	f->verdict = v;
	f->mend = mend;
}

static bool file_has(const char *path, const char *word)
{
	CLEANUP(buf_release) struct buf b = BUF_INIT(1 << 20);

	return file_read_at(AT_FDCWD, path, &b) == 0 && b.data && strstr(b.data, word);
}

static bool in_path(const char *program)
{
	const char *path = getenv("PATH");
	CLEANUP_FREE char *copy = xstrdup(path ? path : "/usr/bin:/bin");
	char *rest = copy, *dir;

	while ((dir = strsep(&rest, ":"))) {
		CLEANUP_FREE char *file = xasprintf("%s/%s", *dir ? dir : ".", program);

		if (access(file, X_OK) == 0)
			return true;
	}
	return false;
}

static void look_kernel(const struct engine *eng, struct finding *f)
{
	struct utsname u;
	unsigned major = 0, minor = 0;

	(void)eng;
	uname(&u);
	char *end;
	major = (unsigned)strtoul(u.release, &end, 10);
	minor = *end == '.' ? (unsigned)strtoul(end + 1, NULL, 10) : 0;
	FOUND(f, "%s", u.release);
	if (major < 5 || (major == 5 && minor < 12))
		missing(f, VERDICT_FAIL, "Linux 5.12 or newer is needed (mount_setattr)");
}

/* In a child: what is tried there does not stay. */
static bool child_can(int (*try)(void))
{
	int status;
	pid_t pid = fork();

	if (pid < 0)
		return false;
	if (pid == 0)
		_exit(try() == 0 ? 0 : 1);
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static int try_namespaces(void)
{
	return unshare(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC);
}

static int try_user_namespace(void)
{
	return unshare(CLONE_NEWUSER);
}

static void look_namespaces(const struct engine *eng, struct finding *f)
{
	(void)eng;
	FOUND(f, "mount, pid, network, uts, ipc");
	if (!child_can(try_namespaces)) {
		FOUND(f, "refused: no instance can be isolated");
		missing(f, VERDICT_FAIL, "run as root, or allow user namespaces below");
	}
}

static void look_user_namespace(const struct engine *eng, struct finding *f)
{
	(void)eng;
	FOUND(f, "can be made");
	if (!child_can(try_user_namespace)) {
		FOUND(f, "refused: ordinary users cannot run instances, and --userns cannot work");
		missing(f, VERDICT_WARN, "sysctl -w kernel.unprivileged_userns_clone=1 "
			"user.max_user_namespaces=10000");
	}
}

static void look_seccomp(const struct engine *eng, struct finding *f)
{
	(void)eng;
	FOUND(f, "filters are taken");
	if (prctl(PR_GET_SECCOMP) < 0 && errno == EINVAL) {
		FOUND(f, "the kernel has none");
		missing(f, VERDICT_FAIL, "use a kernel with CONFIG_SECCOMP_FILTER, or "
			"--security-opt seccomp=unconfined for each instance");
	}
}

static void look_overlay(const struct engine *eng, struct finding *f)
{
	(void)eng;
	FOUND(f, "in the kernel");
	if (!file_has("/proc/filesystems", "\toverlay\n")) {
		FOUND(f, "not in /proc/filesystems");
		missing(f, VERDICT_FAIL, "modprobe overlay");
	}
}

static void look_store(const struct engine *eng, struct finding *f)
{
	struct statvfs v;

	if (statvfs(eng->root, &v) < 0) {
		FOUND(f, "%s: %s", eng->root, err_text(errno));
		missing(f, VERDICT_FAIL, "see who may write there");
		return;
	}
	uint64_t free_bytes = (uint64_t)v.f_bavail * v.f_frsize;
	CLEANUP_FREE char *size = output_size_binary(free_bytes);

	FOUND(f, "%s, %s free", eng->root, size);
	if (free_bytes < (1ull << 30))
		missing(f, VERDICT_WARN, "isle system prune -a");
}

/* Whether files there can carry the marks that overlayfs and file capabilities need. */
static void look_xattr(const struct engine *eng, struct finding *f)
{
	CLEANUP_FREE char *path = xasprintf("%s/.doctor.%d", eng->root, getpid());
	const char *name = eng->rootless ? "user.overlay.opaque" : "trusted.overlay.opaque";
	int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);

	FOUND(f, "%s can be set", name);
	if (fd < 0 || fsetxattr(fd, name, "y", 1, 0) < 0) {
		FOUND(f, "%s cannot be set in %s: %s", name, eng->root, err_text(errno));
		missing(f, VERDICT_FAIL, "keep the store elsewhere with --root (ext4, xfs, btrfs)");
	}
	if (fd >= 0) {
		close(fd);
		unlink(path);
	}
}

/* Whether the group we are in is one we may make others below. */
static bool group_is_ours(void)
{
	CLEANUP(buf_release) struct buf b = BUF_INIT(1 << 16);

	if (file_read_at(AT_FDCWD, "/proc/self/cgroup", &b) < 0 || !b.data)
		return false;
	char *path = strstr(b.data, "0::/");
	if (!path)
		return false;
	path[strcspn(path, "\n")] = 0;
	CLEANUP_FREE char *dir = xasprintf("/sys/fs/cgroup%s", path + 3);
	return access(dir, W_OK) == 0;
}

static void look_cgroup(const struct engine *eng, struct finding *f)
{
	bool v2 = access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0;
	struct stat st;

	if (eng->rootless && !(v2 && group_is_ours())) {
		FOUND(f, "version %d, none of this user's own: no limits, no pause", v2 ? 2 : 1);
		missing(f, VERDICT_WARN,
			v2 ? "systemd-run --user --scope -p Delegate=yes isle ..." :
			"boot with systemd.unified_cgroup_hierarchy=1, or run as root");
	} else if (v2) {
		FOUND(f, "version 2");
	} else if (stat("/sys/fs/cgroup/memory", &st) == 0) {
		FOUND(f, "version 1");
	} else {
		FOUND(f, "none is mounted at /sys/fs/cgroup: no limits, no pause, no stats");
		missing(f, VERDICT_FAIL, "mount -t cgroup2 none /sys/fs/cgroup");
	}
}

static void look_programs(const struct engine *eng, struct finding *f)
{
	static const char *const names[] = { "isle-runtime", "isle-image", "isle-nft" };

	(void)eng;
	FOUND(f, "isle-runtime, isle-image, isle-nft");
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		CLEANUP_FREE char *path = NULL;
		struct err e = { 0 };

		if (engine_program(names[i], &path, &e) == 0)
			continue;
		FOUND(f, "%.200s", e.msg);
		missing(f, VERDICT_FAIL, "install isle whole, or name its folder in ISLE_LIBEXEC");
		return;
	}
}

static bool has_line(const char *file, const char *name, const char *uid)
{
	CLEANUP(buf_release) struct buf b = BUF_INIT(1 << 20);

	if (file_read_at(AT_FDCWD, file, &b) < 0 || !b.data)
		return false;
	for (char *next = b.data, *line; (line = strsep(&next, "\n")); ) {
		const char *who = strsep(&line, ":");

		if (line && (strcmp(who, name) == 0 || strcmp(who, uid) == 0))
			return true;
	}
	return false;
}

/* What an ordinary user needs; of root's own lines nobody makes use. */
static void look_rootless(const struct engine *eng, struct finding *f)
{
	char name[64], uid[16];

	snprintf(uid, sizeof(uid), "%u", (unsigned)rootless_host_uid());
	maps_user_name(rootless_host_uid(), name, sizeof(name));
	FOUND(f, "newuidmap, newgidmap, pasta, /etc/subuid");
	if (!in_path("newuidmap") || !in_path("newgidmap")) {
		FOUND(f, "no newuidmap: an ordinary user's instances have one user only");
		missing(f, VERDICT_WARN, "apt-get install uidmap");
	} else if (!in_path("pasta")) {
		FOUND(f, "no pasta: an ordinary user's instances have no network");
		missing(f, VERDICT_WARN, "apt-get install passt");
	} else if (eng->rootless && (!has_line("/etc/subuid", name, uid) ||
				     !has_line("/etc/subgid", name, uid))) {
		FOUND(f, "/etc/subuid or /etc/subgid has no line for %.80s: instances have one "
		      "user only", name);
		snprintf(f->mend_text, sizeof(f->mend_text), ROOTLESS_MEND, name);
		missing(f, VERDICT_WARN, f->mend_text);
	}
}

/* A guest of a few instructions: neither CPUID nor that the device opens says enough. */
static void look_kvm(const struct engine *eng, struct finding *f)
{
	struct vmm_probe p;
	struct err e = { 0 };

	(void)eng;
	if (vmm_probe(&p, &e) < 0) {
		FOUND(f, "/dev/kvm could not be tried: %.200s", e.msg);
		missing(f, VERDICT_WARN, "try again when the host has more memory to spare");
		return;
	}
	FOUND(f, "/dev/kvm is %s%s%.200s", vmm_kvm_name(p.kvm), *p.why ? ": " : "", p.why);
	if (p.kvm == VMM_KVM_ABSENT)
		missing(f, VERDICT_WARN, "turn virtualization on in the firmware or for this "
			"virtual machine, modprobe kvm-intel or kvm-amd, join the group kvm");
	else if (p.kvm == VMM_KVM_SOFTWARE)
		missing(f, VERDICT_WARN, "use a machine whose /proc/cpuinfo shows vmx or svm");
}

static const struct check checks[] = {
	{ "kernel", look_kernel },
	{ "namespaces", look_namespaces },
	{ "user namespaces", look_user_namespace },
	{ "cgroups", look_cgroup },
	{ "seccomp", look_seccomp },
	{ "overlayfs", look_overlay },
	{ "store", look_store },
	{ "store's marks", look_xattr },
	{ "programs", look_programs },
	{ "ordinary users", look_rootless },
	{ "virtualization", look_kvm },
};

static void print_finding(const char *verdict, const char *name, const char *text,
			  const char *mend)
{
	printf("%s  %-16s %s\n", verdict, name, text);
	if (mend && *mend)
		printf("      %-16s -> %s\n", "", mend);
}

/* What networks need is known to net/. */
static int look_networks(const struct engine *eng, struct err *e)
{
	CLEANUP_JSON json_t *list = NULL;
	json_t *f;
	size_t i;

	int r = net_doctor(&eng->net, &list, e);
	if (r < 0)
		return r;
	json_array_foreach(list, i, f)
		print_finding(json_is_true(json_object_get(f, "ok")) ? "ok  " : "warn",
			      json_string_value(json_object_get(f, "name")),
			      json_string_value(json_object_get(f, "text")),
			      json_string_value(json_object_get(f, "fix")));
	return 0;
}

static int doctor(struct isle_call *c, struct err *e)
{
	static const char *const words[] = { "ok  ", "warn", "FAIL" };

	for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
		struct finding f = { .verdict = VERDICT_OK };

		checks[i].look(c->eng, &f);
		print_finding(words[f.verdict], checks[i].name, f.text, f.mend);
		if (f.verdict == VERDICT_FAIL)
			c->status = 1;
	}
	int r = look_networks(c->eng, e);
	return r < 0 ? r : output_flush(e);
}

const struct command command_doctor = {
	.name = "doctor",
	.args = "",
	.summary = "check the host, and say what mends what is missing",
	.options = { options, ARRAY_LEN(options) },
	.run = doctor,
};
