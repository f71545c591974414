/*
 * container/seccomp.c - see seccomp.h
 *
 * Where the runtime-spec is silent, runc's rules: a rule whose action is the default
 * action is skipped, a system call libseccomp does not know is skipped, and two
 * conditions on one argument make the conditions of that rule alternatives.
 *
 * A filter that refuses what it does not list says EPERM to system calls younger than
 * the profile, and a libc then does not fall back to the older call.  So the program
 * starts with a prologue: a number above the highest one the profile names is ENOSYS.
 *
 *	ld arch | per architecture: jeq, ld nr, jgt highest -> ret ENOSYS | the filter
 */
#include "container/seccomp.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "container/seccomp_cache.h"
#include "container/seccomp_compact.h"
#include "sys/calls.h"

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)       /* Linux 5.19 */
#endif

#define X32_SYSCALL_BIT 0x40000000u
#define SYSCALL_ARGS 6
/* From here on a binary tree beats a list; libseccomp 2.5 misbehaves with no rules. */
#define OPTIMIZE_NAMES_MIN 32
#define OPTIMIZE_BINARY_TREE 2          /* seccomp_attr_set(3) */
#define PROLOGUE_MAX 256

/* ---- the words ----------------------------------------------------------- */

static const char *const action_names[] = {
	"SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL_THREAD", "SCMP_ACT_TRAP",
	"SCMP_ACT_ERRNO", "SCMP_ACT_TRACE", "SCMP_ACT_ALLOW", "SCMP_ACT_LOG",
	"SCMP_ACT_NOTIFY", NULL
};
static const uint32_t action_values[] = {
	SCMP_ACT_KILL, SCMP_ACT_KILL_PROCESS, SCMP_ACT_KILL_THREAD, SCMP_ACT_TRAP,
	SCMP_ACT_ERRNO(0), SCMP_ACT_TRACE(0), SCMP_ACT_ALLOW, SCMP_ACT_LOG, SCMP_ACT_NOTIFY,
};

static const char *const operator_names[] = {
	"SCMP_CMP_NE", "SCMP_CMP_LT", "SCMP_CMP_LE", "SCMP_CMP_EQ", "SCMP_CMP_GE",
	"SCMP_CMP_GT", "SCMP_CMP_MASKED_EQ", NULL
};

/* config-linux.md#seccomp, architectures, as far as this libseccomp knows them. */
static const char *const arch_names[] = {
	"SCMP_ARCH_X86", "SCMP_ARCH_X86_64", "SCMP_ARCH_X32", "SCMP_ARCH_ARM",
	"SCMP_ARCH_AARCH64", "SCMP_ARCH_MIPS", "SCMP_ARCH_MIPS64", "SCMP_ARCH_MIPS64N32",
	"SCMP_ARCH_MIPSEL", "SCMP_ARCH_MIPSEL64", "SCMP_ARCH_MIPSEL64N32", "SCMP_ARCH_PPC",
	"SCMP_ARCH_PPC64", "SCMP_ARCH_PPC64LE", "SCMP_ARCH_S390", "SCMP_ARCH_S390X",
	"SCMP_ARCH_PARISC", "SCMP_ARCH_PARISC64", "SCMP_ARCH_RISCV64",
#ifdef SCMP_ARCH_LOONGARCH64
	"SCMP_ARCH_LOONGARCH64", "SCMP_ARCH_M68K", "SCMP_ARCH_SH", "SCMP_ARCH_SHEB",
#endif
	NULL
};
static const uint32_t arch_values[] = {
	SCMP_ARCH_X86, SCMP_ARCH_X86_64, SCMP_ARCH_X32, SCMP_ARCH_ARM, SCMP_ARCH_AARCH64,
	SCMP_ARCH_MIPS, SCMP_ARCH_MIPS64, SCMP_ARCH_MIPS64N32, SCMP_ARCH_MIPSEL,
	SCMP_ARCH_MIPSEL64, SCMP_ARCH_MIPSEL64N32, SCMP_ARCH_PPC, SCMP_ARCH_PPC64,
	SCMP_ARCH_PPC64LE, SCMP_ARCH_S390, SCMP_ARCH_S390X, SCMP_ARCH_PARISC,
	SCMP_ARCH_PARISC64, SCMP_ARCH_RISCV64,
#ifdef SCMP_ARCH_LOONGARCH64
	SCMP_ARCH_LOONGARCH64, SCMP_ARCH_M68K, SCMP_ARCH_SH, SCMP_ARCH_SHEB,
#endif
};

static const char *const flag_names[] = {
	"SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_LOG",
	"SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", NULL
};
static const unsigned flag_values[] = {
	SECCOMP_FILTER_FLAG_TSYNC, SECCOMP_FILTER_FLAG_LOG, SECCOMP_FILTER_FLAG_SPEC_ALLOW,
	SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
};

static int name_index(const char *const *names, const char *name)
{
	for (int i = 0; names[i]; i++)
		if (strcmp(names[i], name) == 0)
			return i;
	return -1;
}

const char *const *seccomp_known_actions(void)
{
	return action_names;
}

const char *const *seccomp_known_operators(void)
{
	return operator_names;
}

const char *const *seccomp_known_archs(void)
{
	return arch_names;
}

const char *const *seccomp_known_flags(void)
{
	return flag_names;
}

/* With no program, a known flag is EFAULT and an unknown one EINVAL: seccomp(2). */
static bool flag_supported(unsigned flag)
{
	/* It only goes with a listener. */
	if (flag == SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV)
		flag |= SECCOMP_FILTER_FLAG_NEW_LISTENER;
	return sys_seccomp(SECCOMP_SET_MODE_FILTER, flag, NULL) == -EFAULT;
}

const char *const *seccomp_supported_flags(void)
{
	static const char *supported[ARRAY_LEN(flag_names)];
	size_t n = 0;

	for (size_t i = 0; flag_names[i]; i++)
		if (flag_supported(flag_values[i]))
			supported[n++] = flag_names[i];
	supported[n] = NULL;
	return supported;
}

/* ---- actions, flags ------------------------------------------------------ */

/* The action with its errno; EPERM when none is given (config-linux.md#seccomp). */
static int action_of(const char *name, const struct opt_u64 *errno_ret, uint32_t *ret,
		     struct err *e)
{
	int i = name_index(action_names, name);

	if (i < 0)
		return err_set(e, EINVAL, "\"%s\" is not an action", name);
	uint32_t action = action_values[i], code = EPERM;
	if (errno_ret->set) {
		if (action != SCMP_ACT_ERRNO(0) && action != SCMP_ACT_TRACE(0))
			return err_set(e, EINVAL, "%s takes no errno", name);
		if (errno_ret->v > UINT16_MAX)
			return err_set(e, EINVAL, "errno %llu is out of range",
				       (unsigned long long)errno_ret->v);
		code = (uint32_t)errno_ret->v;
	}
	if (action == SCMP_ACT_ERRNO(0) || action == SCMP_ACT_TRACE(0))
		action |= code;
	*ret = action;
	return 0;
}

static bool is_notify(const char *action)
{
	return strcmp(action, "SCMP_ACT_NOTIFY") == 0;
}

static bool uses_notify(const struct oci_seccomp *s)
{
	bool notify = is_notify(s->default_action);

	for (size_t i = 0; !notify && i < s->n_syscalls; i++)
		notify = is_notify(s->syscalls[i].action);
	return notify;
}

/*
 * TSYNC is accepted and left out: the filter is loaded by a process about to exec,
 * which has no threads to synchronise.  With no flags given at all (an empty
 * list is a choice), SPEC_ALLOW where the kernel has it; both as runc does.
 */
static int flags_of(const struct oci_seccomp *s, struct seccomp_program *p, struct err *e)
{
	p->flags = 0;
	if (!s->flags.v && flag_supported(SECCOMP_FILTER_FLAG_SPEC_ALLOW))
		p->flags = SECCOMP_FILTER_FLAG_SPEC_ALLOW;
	for (size_t i = 0; s->flags.v && i < s->flags.n; i++) {
		int k = name_index(flag_names, s->flags.v[i]);

		if (k < 0)
			return err_set(e, EINVAL, "linux.seccomp.flags[%zu]: seccomp flag \"%s\" "
				       "is not known", i, s->flags.v[i]);
		p->flags |= flag_values[k];
	}
	p->flags &= ~(unsigned)SECCOMP_FILTER_FLAG_TSYNC;
	/* How a notified call waits: without one there is nothing to say, and EINVAL. */
	if (!p->has_notify)
		p->flags &= ~(unsigned)SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
	log_debug("seccomp filter flags: %u", p->flags);
	return 0;
}

/* ---- rules --------------------------------------------------------------- */

static bool args_alternative(const struct oci_seccomp_rule *r)
{
	unsigned seen = 0;

	for (size_t i = 0; i < r->n_args; i++) {
		if (seen & 1u << r->args[i].index)
			return true;
		seen |= 1u << r->args[i].index;
	}
	return false;
}

static int args_of(const struct oci_seccomp_rule *r, struct scmp_arg_cmp **ret, struct err *e)
{
	CLEANUP_FREE struct scmp_arg_cmp *cmp = xcalloc(r->n_args, sizeof(*cmp));

	for (size_t i = 0; i < r->n_args; i++) {
		const struct oci_seccomp_arg *a = &r->args[i];

		if (a->index >= SYSCALL_ARGS)
			return err_set(e, EINVAL, "args[%zu].index: %u is above 5", i, a->index);
		if (a->op < SCMP_CMP_NE || a->op > SCMP_CMP_MASKED_EQ)
			return err_set(e, EINVAL, "args[%zu].op: %u is not an operator", i, a->op);
		cmp[i] = (struct scmp_arg_cmp){
			.arg = a->index, .op = (enum scmp_compare)a->op,
			.datum_a = a->value, .datum_b = a->value_two,
		};
	}
	*ret = take_ptr(cmp);
	return 0;
}

static int rule_add_name(scmp_filter_ctx ctx, const struct oci_seccomp_rule *r, uint32_t action,
			 const char *name, const struct scmp_arg_cmp *cmp, struct err *e)
{
	int nr = seccomp_syscall_resolve_name(name), rc = 0;

	if (nr == __NR_SCMP_ERROR) {
		log_debug("unknown seccomp syscall \"%s\" ignored", name);
		return 0;
	}
	if (args_alternative(r))
		for (size_t i = 0; rc == 0 && i < r->n_args; i++)
			rc = seccomp_rule_add_array(ctx, action, nr, 1, &cmp[i]);
	else
		rc = seccomp_rule_add_array(ctx, action, nr, (unsigned)r->n_args, cmp);
	return rc < 0 ? err_sys(e, -rc, "add the rule for %s", name) : 0;
}

static int rule_add(scmp_filter_ctx ctx, const struct oci_seccomp_rule *r, uint32_t dflt,
		    struct err *e)
{
	CLEANUP_FREE struct scmp_arg_cmp *cmp = NULL;
	uint32_t action = 0;

	int rc = action_of(r->action, &r->errno_ret, &action, e);
	if (rc < 0)
		return rc;
	rc = args_of(r, &cmp, e);
	if (rc < 0 || action == dflt)
		return rc;
	for (size_t i = 0; rc == 0 && i < r->names.n; i++)
		rc = rule_add_name(ctx, r, action, r->names.v[i], cmp, e);
	return rc;
}

static size_t count_names(const struct oci_seccomp *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n_syscalls; i++)
		n += s->syscalls[i].names.n;
	return n;
}

static int fill_filter(scmp_filter_ctx ctx, const struct oci_seccomp *s, uint32_t dflt,
		       struct err *e)
{
	for (size_t i = 0; i < s->architectures.n; i++) {
		int k = name_index(arch_names, s->architectures.v[i]);

		if (k < 0)
			return err_set(e, EINVAL, "linux.seccomp.architectures[%zu]: \"%s\" is not "
				       "known", i, s->architectures.v[i]);
		int r = seccomp_arch_add(ctx, arch_values[k]);
		if (r < 0 && r != -EEXIST)      /* the native one is there from the start */
			return err_sys(e, -r, "linux.seccomp.architectures[%zu]: add %s", i,
				       s->architectures.v[i]);
	}
	if (count_names(s) > OPTIMIZE_NAMES_MIN) {
		int r = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, OPTIMIZE_BINARY_TREE);

		if (r < 0)
			log_debug("no binary tree for the seccomp filter: %s", err_text(-r));
	}
	for (size_t i = 0; i < s->n_syscalls; i++) {
		int r = rule_add(ctx, &s->syscalls[i], dflt, e);

		if (r < 0)
			return err_prefix(e, "linux.seccomp.syscalls[%zu]", i);
	}
	return 0;
}

/* ---- the prologue -------------------------------------------------------- */

/* The highest number among the profile's names on arch, 0 when it has none. */
static uint32_t highest_syscall(const struct oci_seccomp *s, uint32_t arch)
{
	int max = 0;

	for (size_t i = 0; i < s->n_syscalls; i++)
		for (size_t k = 0; k < s->syscalls[i].names.n; k++) {
			const char *name = s->syscalls[i].names.v[k];
			/* Names without a number there come as negative ones. */
			int nr = seccomp_syscall_resolve_name_arch(arch, name);

			if (nr > max)
				max = nr;
		}
	return (uint32_t)max;
}

/* A default that lets calls through, or leaves them to another process, stays. */
static bool wants_prologue(uint32_t dflt)
{
	uint32_t kind = dflt & SECCOMP_RET_ACTION_FULL;

	return kind != SECCOMP_RET_ALLOW && kind != SECCOMP_RET_LOG && kind != SECCOMP_RET_TRACE &&
	       kind != SECCOMP_RET_USER_NOTIF && dflt != SCMP_ACT_ERRNO(ENOSYS);
}

static bool listed_before(const struct oci_seccomp *s, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (strcmp(s->architectures.v[k], s->architectures.v[i]) == 0)
			return true;
	return false;
}

static size_t add_load(struct sock_filter *f, size_t n, size_t offset)
{
	f[n] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset);
	return n + 1;
}

/*
 * One architecture; falls through to the next when it is another.  max is the highest
 * number, x32_max that with the bit x32 sets in the numbers of x86_64.
 */
static size_t add_section(struct sock_filter *f, size_t n, uint32_t arch, uint32_t max,
			  uint32_t x32_max)
{
	const bool x86_64 = arch == SCMP_ARCH_X86_64;

	f[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, arch, 0, x86_64 ? 6 : 4);
	n = add_load(f, n, offsetof(struct seccomp_data, nr));
	if (x86_64) {
		f[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K,
						      X32_SYSCALL_BIT, 1, 0);
		f[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, max, 1, 2);
		f[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, x32_max, 0, 1);
	} else {
		f[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, max, 0, 1);
	}
	f[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SCMP_ACT_ERRNO(ENOSYS));
	f[n++] = (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, 0);     /* to the filter */
	return n;
}

/* As runc, for the architectures the profile lists.  Returns the instructions. */
static size_t make_prologue(const struct oci_seccomp *s, struct sock_filter f[PROLOGUE_MAX])
{
	uint32_t max64 = 0, max32 = 0;
	size_t n = add_load(f, 0, offsetof(struct seccomp_data, arch));

	for (size_t i = 0; i < s->architectures.n; i++) {
		int k = name_index(arch_names, s->architectures.v[i]);

		/* fill_filter() has refused unknown ones. */
		if (k < 0 || listed_before(s, i))
			continue;
		uint32_t max = highest_syscall(s, arch_values[k]);
		if (max == 0)
			log_debug("no system calls for %s in the profile", arch_names[k]);
		else if (arch_values[k] == SCMP_ARCH_X86_64)
			max64 = max;
		else if (arch_values[k] == SCMP_ARCH_X32)
			max32 = max;
		else
			n = add_section(f, n, arch_values[k], max, 0);
	}
	/* The kernel shows both as x86_64; a half that is not listed has no limit. */
	if (max64 || max32)
		n = add_section(f, n, SCMP_ARCH_X86_64, max64 ? max64 : UINT32_MAX,
				max32 ? max32 : UINT32_MAX);
	if (n == 1)
		return 0;
	for (size_t i = 0; i < n; i++)
		if (f[i].code == (BPF_JMP | BPF_JA))
			f[i].k = (uint32_t)(n - i - 1);
	return n;
}

/* ---- compiling ----------------------------------------------------------- */

/* The instructions libseccomp made, behind the prologue. */
static int export_program(scmp_filter_ctx ctx, const struct sock_filter *prologue, size_t n,
			  struct seccomp_program *p, struct err *e)
{
	struct stat st;
	CLEANUP_FD int fd = memfd_create("isle-seccomp", MFD_CLOEXEC);

	if (fd < 0)
		return err_sys(e, errno, "memfd for the seccomp filter");
	int r = seccomp_export_bpf(ctx, fd);
	if (r < 0)
		return err_sys(e, -r, "compile the seccomp filter");
	if (fstat(fd, &st) < 0 || lseek(fd, 0, SEEK_SET) < 0)
		return err_sys(e, errno, "read the seccomp filter");
	size_t bytes = (size_t)st.st_size, total = n + bytes / sizeof(struct sock_filter);
	if (total > BPF_MAXINSNS)
		return err_set(e, E2BIG, "linux.seccomp: the filter has %zu instructions, the "
			       "kernel takes %d", total, BPF_MAXINSNS);

	CLEANUP_FREE struct sock_filter *f = xcalloc(total, sizeof(*f));
	memcpy(f, prologue, n * sizeof(*f));
	ssize_t got = fd_read_all(fd, f + n, bytes);
	if (got < 0 || (size_t)got != bytes)
		return err_set(e, EIO, "read the seccomp filter");
	p->insns = take_ptr(f);
	p->n = total;
	return 0;
}

/*
 * A third of the instructions where it can be shown to answer the same; libseccomp's
 * own where not.  A token of SCMP_ARCH_* is the AUDIT_ARCH_* that a filter sees, but for
 * x32's, which then stands for an architecture that nothing names.
 */
static void shorten(const struct oci_seccomp *s, struct seccomp_program *p)
{
	CLEANUP_FREE struct sock_filter *f = xcalloc(BPF_MAXINSNS, sizeof(*f));
	CLEANUP_FREE uint32_t *archs = xcalloc(s->architectures.n + 2, sizeof(*archs));
	size_t n_archs = 0;

	archs[n_archs++] = seccomp_arch_native();
	archs[n_archs++] = UINT32_MAX;          /* no one's */
	for (size_t i = 0; i < s->architectures.n; i++)
		if (!listed_before(s, i))
			archs[n_archs++] = arch_values[name_index(arch_names,
								  s->architectures.v[i])];
	size_t n = seccomp_compact(p->insns, p->n, archs[0], f);
	if (n == 0 || !seccomp_same_answers(p->insns, p->n, f, n, archs, n_archs)) {
		log_debug("seccomp filter stays as libseccomp made it: %zu instructions", p->n);
		return;
	}
	log_debug("seccomp filter: %zu instructions, libseccomp's had %zu", n, p->n);
	memcpy(p->insns, f, n * sizeof(*f));
	p->n = n;
}

static void filter_release(scmp_filter_ctx *ctx)
{
	if (*ctx)
		seccomp_release(*ctx);
}

static int compile(const struct oci_seccomp *s, struct seccomp_program *p, struct err *e)
{
	struct sock_filter prologue[PROLOGUE_MAX];
	uint32_t dflt = 0;

	int r = action_of(s->default_action, &s->default_errno_ret, &dflt, e);
	if (r < 0)
		return err_prefix(e, "linux.seccomp.defaultAction");
	CLEANUP(filter_release) scmp_filter_ctx ctx = seccomp_init(dflt);
	if (!ctx)
		return err_set(e, EINVAL, "linux.seccomp.defaultAction: this kernel does not "
			       "support %s", s->default_action);
	r = fill_filter(ctx, s, dflt, e);
	if (r < 0)
		return r;
	size_t n = wants_prologue(dflt) ? make_prologue(s, prologue) : 0;
	r = export_program(ctx, prologue, n, p, e);
	if (r == 0)
		shorten(s, p);
	return r;
}

int seccomp_compile(const struct oci_seccomp *s, int cache_dirfd, struct seccomp_program *ret,
		    struct err *e)
{
	CLEANUP(buf_release) struct buf key = BUF_INIT(SECCOMP_KEY_BYTES_MAX);
	/* An agent that was named is told of every container, as runc and crun do. */
	struct seccomp_program p = { .has_notify = uses_notify(s) || s->listener_path };

	int r = flags_of(s, &p, e);
	if (r < 0)
		return r;
	if (cache_dirfd >= 0) {
		seccomp_cache_key(s, &key);
		if (!key.overflow && seccomp_cache_load(cache_dirfd, &key, &p)) {
			*ret = p;
			return 0;
		}
	}
	r = compile(s, &p, e);
	if (r < 0)
		return r;
	if (cache_dirfd >= 0 && !key.overflow)
		seccomp_cache_store(cache_dirfd, &key, &p);
	*ret = p;
	return 0;
}

void seccomp_program_release(struct seccomp_program *p)
{
	if (!p)
		return;
	free(p->insns);
	*p = (struct seccomp_program){ 0 };
}
