/*
 * cgroup_devices_bpf.c - device rules as a program, for cgroup v2.
 *
 * v2 has no devices.allow; instead the kernel runs BPF_PROG_TYPE_CGROUP_DEVICE
 * programs of the group at each open and mknod (cgroup-v2.rst, "Device
 * controller").  The program looks at its context once,
 *
 *      r2 type   r3 access   r4 major   r5 minor
 *
 * and then tries the rules from the last to the first; the first that matches
 * says the answer:
 *
 *      if r2 != type   goto next
 *      if r3 has bits that the rule lacks (allow) / has not (deny)   goto next
 *      if r4 != major  goto next
 *      if r5 != minor  goto next
 *      return allow
 *  next:
 */
#include "container/cgroup_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "sys/calls.h"

#define PROGRAM_NAME "isle_devices"
#define PROGRAMS_MAX 64         /* BPF_CGROUP_MAX_PROGS */

struct asm_buf {
	struct bpf_insn *v;
	size_t n, max;
};

static void emit(struct asm_buf *b, uint8_t code, uint8_t dst, uint8_t src, int16_t off,
		 int32_t imm)
{
	if (b->n < b->max)
		b->v[b->n] = (struct bpf_insn){
			.code = code, .dst_reg = dst & 0xf, .src_reg = src & 0xf, .off = off,
			.imm = imm,
		};
	b->n++;
}

static void emit_context(struct asm_buf *b)
{
	const uint8_t load = BPF_LDX | BPF_MEM | BPF_W;

	/* access_type holds BPF_DEVCG_ACC_* << 16 | BPF_DEVCG_DEV_*. */
	emit(b, load, BPF_REG_2, BPF_REG_1,
	     offsetof(struct bpf_cgroup_dev_ctx, access_type), 0);
	emit(b, BPF_ALU | BPF_MOV | BPF_X, BPF_REG_3, BPF_REG_2, 0, 0);
	emit(b, BPF_ALU | BPF_AND | BPF_K, BPF_REG_2, 0, 0, 0xffff);
	emit(b, BPF_ALU | BPF_RSH | BPF_K, BPF_REG_3, 0, 0, 16);
	emit(b, load, BPF_REG_4, BPF_REG_1, offsetof(struct bpf_cgroup_dev_ctx, major), 0);
	emit(b, load, BPF_REG_5, BPF_REG_1, offsetof(struct bpf_cgroup_dev_ctx, minor), 0);
}

static int32_t access_bits(unsigned access)
{
	return (access & DEV_READ ? BPF_DEVCG_ACC_READ : 0) |
	       (access & DEV_WRITE ? BPF_DEVCG_ACC_WRITE : 0) |
	       (access & DEV_MKNOD ? BPF_DEVCG_ACC_MKNOD : 0);
}

static void emit_rule(struct asm_buf *b, const struct dev_rule *r)
{
	const uint8_t jne = BPF_JMP | BPF_JNE | BPF_K, jeq = BPF_JMP | BPF_JEQ | BPF_K;
	size_t jumps[4], n = 0;
	int32_t bits = access_bits(r->access);

	if (r->type != 'a') {
		jumps[n++] = b->n;
		emit(b, jne, BPF_REG_2, 0, 0,
		     r->type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR);
		if (r->access != DEV_ALL) {
			/* An allowance must hold all that is asked, a denial any of it. */
			emit(b, BPF_ALU | BPF_MOV | BPF_X, BPF_REG_1, BPF_REG_3, 0, 0);
			emit(b, BPF_ALU | BPF_AND | BPF_K, BPF_REG_1, 0, 0,
			     r->allow ? ~bits & access_bits(DEV_ALL) : bits);
			jumps[n++] = b->n;
			emit(b, r->allow ? jne : jeq, BPF_REG_1, 0, 0, 0);
		}
		if (r->major >= 0) {
			jumps[n++] = b->n;
			emit(b, jne, BPF_REG_4, 0, 0, (int32_t)r->major);
		}
		if (r->minor >= 0) {
			jumps[n++] = b->n;
			emit(b, jne, BPF_REG_5, 0, 0, (int32_t)r->minor);
		}
	}
	emit(b, BPF_ALU | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, r->allow);
	emit(b, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
	while (n > 0) {
		size_t at = jumps[--n];

		if (at < b->max)
			b->v[at].off = (int16_t)(b->n - at - 1);
	}
}

int dev_program(const struct dev_rules *l, struct bpf_insn *ret, size_t max)
{
	struct asm_buf b = { ret, 0, max };
	size_t i = l->n;

	emit_context(&b);
	while (i > 0) {
		emit_rule(&b, &l->v[--i]);
		if (l->v[i].type == 'a')        /* nothing before it can matter */
			return b.n > max ? -E2BIG : (int)b.n;
	}
	emit(&b, BPF_ALU | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 0);
	emit(&b, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
	return b.n > max ? -E2BIG : (int)b.n;
}

/* The kernel refuses bytes that are not zero past the part it reads, and an
 * initializer need not clear more of a union than one member. */
static void attr_clear(union bpf_attr *attr)
{
	memset(attr, 0, sizeof(*attr));
}

static int load(const struct bpf_insn *insns, size_t n)
{
	union bpf_attr attr;

	attr_clear(&attr);
	attr.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
	attr.insns = (uintptr_t)insns;
	attr.insn_cnt = (uint32_t)n;
	attr.license = (uintptr_t)"Apache-2.0";
	memcpy(attr.prog_name, PROGRAM_NAME, sizeof(PROGRAM_NAME));
	return sys_bpf(BPF_PROG_LOAD, &attr, sizeof(attr));
}

int dev_program_load(const struct bpf_insn *insns, size_t n)
{
	const struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };
	struct rlimit old;
	int fd = load(insns, n);

	/* Before Linux 5.11 programs counted as locked memory; the container must not
	 * inherit the larger limit. */
	if (fd != -EPERM || getrlimit(RLIMIT_MEMLOCK, &old) < 0 ||
	    setrlimit(RLIMIT_MEMLOCK, &all) < 0)
		return fd;
	fd = load(insns, n);
	if (setrlimit(RLIMIT_MEMLOCK, &old) < 0)
		log_debug("restore RLIMIT_MEMLOCK: %s", err_text(errno));
	return fd;
}

/* Descriptor of an attached program if it is one of ours, else -1. */
static int our_program(uint32_t id)
{
	struct bpf_prog_info info = { 0 };
	union bpf_attr attr;
	int fd;

	attr_clear(&attr);
	attr.prog_id = id;
	fd = sys_bpf(BPF_PROG_GET_FD_BY_ID, &attr, sizeof(attr));

	if (fd < 0)
		return -1;
	attr_clear(&attr);
	attr.info.bpf_fd = (uint32_t)fd;
	attr.info.info_len = sizeof(info);
	attr.info.info = (uintptr_t)&info;
	if (sys_bpf(BPF_OBJ_GET_INFO_BY_FD, &attr, sizeof(attr)) == 0 &&
	    strncmp(info.name, PROGRAM_NAME, sizeof(info.name)) == 0)
		return fd;
	fd_close(&fd);
	return -1;
}

/* The program attached before, so that an update replaces it in one step;
 * systemd may have one of its own beside it. */
static int old_program(int dirfd)
{
	uint32_t ids[PROGRAMS_MAX] = { 0 };
	union bpf_attr attr;
	int fd = -1;

	attr_clear(&attr);
	attr.query.target_fd = (uint32_t)dirfd;
	attr.query.attach_type = BPF_CGROUP_DEVICE;
	attr.query.prog_ids = (uintptr_t)ids;
	attr.query.prog_cnt = PROGRAMS_MAX;
	if (sys_bpf(BPF_PROG_QUERY, &attr, sizeof(attr)) < 0)
		return -1;
	for (uint32_t i = 0; i < attr.query.prog_cnt && i < PROGRAMS_MAX && fd < 0; i++)
		fd = our_program(ids[i]);
	return fd;
}

static int attach(const char *dir, int prog)
{
	CLEANUP_FD int dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CLEANUP_FD int old = -1;
	union bpf_attr attr;

	if (dirfd < 0)
		return -errno;
	attr_clear(&attr);
	old = old_program(dirfd);
	attr.target_fd = (uint32_t)dirfd;
	attr.attach_bpf_fd = (uint32_t)prog;
	attr.attach_type = BPF_CGROUP_DEVICE;
	/* ALLOW_MULTI: a nested runtime may add its own; all must agree. */
	attr.attach_flags = BPF_F_ALLOW_MULTI;
	if (old >= 0) {
		attr.attach_flags |= BPF_F_REPLACE;     /* Linux 5.5 */
		attr.replace_bpf_fd = (uint32_t)old;
	}
	return sys_bpf(BPF_PROG_ATTACH, &attr, sizeof(attr));
}

bool cgroup_in_userns(void)
{
	char text[128];
	unsigned inside, outside, length;

	/* user_namespaces(7): the first one maps all but the last id to themselves. */
	return cgd_read("/proc/self", "uid_map", text, sizeof(text)) == 0 &&
	       (sscanf(text, "%u %u %u", &inside, &outside, &length) != 3 || inside != 0 ||
		outside != 0 || length != UINT32_MAX);
}

static void rules_cleanup(struct dev_rules *l)
{
	dev_rules_release(l);
}

int cgroup_v2_set_devices(const struct cgroup *cg, const struct oci_resources *r,
			  struct err *e)
{
	CLEANUP(rules_cleanup) struct dev_rules rules = { 0 };
	CLEANUP(rules_cleanup) struct dev_rules folded = { 0 };
	CLEANUP_FREE struct bpf_insn *insns = NULL;
	CLEANUP_FREE char *dir = cgroup_dir(cgroup_unified(cg));
	CLEANUP_FD int prog = -1;
	struct dev_fold fold;
	int n = dev_rules_make(r, &rules, e);

	if (n < 0)
		return n;
	/* Folding joins "r" and "w" of one device given apart; where it cannot be
	 * done, the program does what the list says. */
	if (dev_fold(&rules, &fold, NULL) == 0) {
		dev_unfold(&fold, &folded);
		dev_rules_release(&fold.except);
	}
	insns = xcalloc(DEV_PROGRAM_MAX, sizeof(*insns));
	n = dev_program(folded.n ? &folded : &rules, insns, DEV_PROGRAM_MAX);
	if (n < 0)
		return err_set(e, E2BIG, "linux.resources.devices: too many rules");
	prog = dev_program_load(insns, (size_t)n);
	if (prog < 0) {
		if (prog == -EPERM && (cg->rootless || cgroup_in_userns())) {
			log_debug("device rules need more privilege than a user namespace gives");
			return 0;
		}
		return err_sys(e, -prog, "load the device program of cgroup %s", dir);
	}
	n = attach(dir, prog);
	if (n == -EPERM && (cg->rootless || cgroup_in_userns()))
		return 0;
	return n < 0 ? err_sys(e, -n, "attach the device program to cgroup %s", dir) : 0;
}
