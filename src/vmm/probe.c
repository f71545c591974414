/* vmm/probe.c - see probe.h */
#include "vmm/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/time.h"
#include "sys/kvm.h"
#include "vmm/gmem.h"
#include "vmm/x86_64/cpuid.h"
#include "vmm/x86_64/probe_guest.h"
#include "vmm/x86_64/regs.h"

#define LIMIT_NS 500000000L

/* The guest's memory. */
#define TABLES_AT 0x1000
#define GDT_AT 0x8000
#define IDT_AT 0x8100
#define CODE_AT 0x9000
#define DATA_AT 0xa000
#define XSAVE_AT 0xa040
#define STACK_AT 0xc000
#define MEMORY_BYTES 0x10000

#define INT3 3

struct probe {
	int kvm, vm, vcpu;
	struct kvm_run *run;
	size_t run_bytes;
	struct gmem mem;
	timer_t timer;
	bool timed;
	sigset_t signals;               /* the thread's, before */
	bool masked;
};

static void probe_release(struct probe *p)
{
	static const struct timespec now = { 0 };
	sigset_t kick;

	if (p->timed)
		timer_delete(p->timer);
	if (p->masked) {
		sigemptyset(&kick);
		sigaddset(&kick, SIGRTMIN);
		while (sigtimedwait(&kick, NULL, &now) > 0)
			;
		pthread_sigmask(SIG_SETMASK, &p->signals, NULL);
	}
	if (p->run)
		munmap(p->run, p->run_bytes);
	gmem_release(&p->mem);
	fd_close(&p->vcpu);
	fd_close(&p->vm);
	fd_close(&p->kvm);
}

static int verdict(struct vmm_probe *ret, enum vmm_kvm k, const char *why)
{
	ret->kvm = k;
	snprintf(ret->why, sizeof(ret->why), "%s", why);
	return 0;
}

static void fill_memory(const struct gmem *m)
{
	uint8_t *base = gmem_at(m, (struct gpa){ 0 }, MEMORY_BYTES);
	uint64_t at = CODE_AT + vmm_probe_int3;
	uint64_t gdt[REGS_GDT_ENTRIES];
	/* An interrupt gate (APM 2, 4.8.4): offset 15:0, selector, type, the rest is 0. */
	uint64_t gate[2] = { at | (uint64_t)REGS_CODE << 16 | 0x8e00ULL << 32, 0 };

	regs_identity_map(base + TABLES_AT, TABLES_AT);
	regs_gdt(gdt);
	memcpy(base + GDT_AT, gdt, sizeof(gdt));
	memcpy(base + IDT_AT + INT3 * sizeof(gate), gate, sizeof(gate));
	memcpy(base + CODE_AT, vmm_probe_code, vmm_probe_bytes);
}

/* Half a second from now SIGRTMIN is pending, and KVM_RUN, which alone lets it in, returns. */
static int arm(struct probe *p, struct err *e)
{
	struct sigevent ev = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGRTMIN };
	struct itimerspec in = { .it_value.tv_nsec = LIMIT_NS };
	sigset_t kick;
	union {
		struct kvm_signal_mask m;
		/* The kernel's set is of 8 bytes, not libc's size. */
		uint8_t room[sizeof(struct kvm_signal_mask) + 8];
	} mask = { .m = { .len = 8 } };

	sigemptyset(&kick);
	sigaddset(&kick, SIGRTMIN);
	pthread_sigmask(SIG_BLOCK, &kick, &p->signals);
	p->masked = true;
	memcpy(mask.m.sigset, &p->signals, 8);
	int r = kvm_call(p->vcpu, KVM_SET_SIGNAL_MASK, &mask);

	if (r < 0)
		return err_sys(e, -r, "KVM_SET_SIGNAL_MASK");
	ev._sigev_un._tid = gettid();
	if (timer_create(CLOCK_MONOTONIC, &ev, &p->timer) < 0)
		return err_sys(e, errno, "timer_create");
	p->timed = true;
	return timer_settime(p->timer, 0, &in, NULL) < 0 ? err_sys(e, errno, "timer_settime") : 0;
}

static int make(struct probe *p, union cpuid_table *cpuid, struct err *e)
{
	int r = kvm_call_number(p->kvm, KVM_CREATE_VM, 0);

	if (r < 0)
		return err_sys(e, -r, "KVM_CREATE_VM");
	p->vm = r;
	r = gmem_init(&p->mem, MEMORY_BYTES, e);
	if (r < 0)
		return r;
	struct kvm_userspace_memory_region slot = {
		.memory_size = MEMORY_BYTES,
		.userspace_addr = (uintptr_t)gmem_at(&p->mem, (struct gpa){ 0 }, MEMORY_BYTES),
	};

	r = kvm_call(p->vm, KVM_SET_USER_MEMORY_REGION, &slot);
	if (r < 0)
		return err_sys(e, -r, "KVM_SET_USER_MEMORY_REGION");
	r = kvm_create_vcpu(p->kvm, p->vm, 0, &p->run, &p->run_bytes);
	if (r < 0)
		return err_sys(e, -r, "KVM_CREATE_VCPU");
	p->vcpu = r;
	r = cpuid_set(p->vcpu, cpuid, e);
	if (r < 0)
		return r;
	fill_memory(&p->mem);
	return regs_enter(p->vcpu, &(struct regs_entry){
		.long_mode = true, .page_tables = TABLES_AT, .gdt = GDT_AT, .idt = IDT_AT,
		.idt_limit = (INT3 + 1) * 16 - 1, .ip = CODE_AT, .sp = STACK_AT,
		.rdi = DATA_AT, .rsi = XSAVE_AT }, e);
}

static int judge(const struct probe *p, int r, struct vmm_probe *ret)
{
	const struct kvm_run *run = p->run;
	char why[128];

	if (r == -EINTR)
		return verdict(ret, VMM_KVM_SOFTWARE, "a dozen instructions took half a second");
	if (r < 0) {
		snprintf(why, sizeof(why), "KVM_RUN: %s", err_text(-r));
		return verdict(ret, VMM_KVM_SOFTWARE, why);
	}
	switch (run->exit_reason) {
	case KVM_EXIT_IO:
		if (run->io.port == PROBE_PORT && run->io.size == 4 && run->io.count == 1 &&
		    run->io.data_offset <= p->run_bytes - 4) {
			uint32_t v;

			memcpy(&v, (const uint8_t *)run + run->io.data_offset, sizeof(v));
			if (v == PROBE_OK)
				return verdict(ret, VMM_KVM_USABLE, "");
		}
		return verdict(ret, VMM_KVM_SOFTWARE, "instructions give wrong results");
	case KVM_EXIT_INTERNAL_ERROR:
		snprintf(why, sizeof(why), "it cannot run a kernel's instructions "
			 "(KVM_EXIT_INTERNAL_ERROR, suberror %u)", run->internal.suberror);
		break;
	case KVM_EXIT_SHUTDOWN:
		snprintf(why, sizeof(why), "a kernel's instructions end in a triple fault");
		break;
	default:
		snprintf(why, sizeof(why), "a kernel's instructions end in exit %u",
			 run->exit_reason);
	}
	return verdict(ret, VMM_KVM_SOFTWARE, why);
}

static int probe(struct vmm_probe *ret, struct err *e)
{
	CLEANUP(probe_release) struct probe p = { .kvm = -1, .vm = -1, .vcpu = -1 };
	union cpuid_table cpuid;
	char why[200];

	p.kvm = kvm_open();
	if (p.kvm < 0) {
		snprintf(why, sizeof(why), "/dev/kvm: %s", err_text(-p.kvm));
		p.kvm = -1;
		return verdict(ret, VMM_KVM_ABSENT, why);
	}
	int r = cpuid_supported(p.kvm, &cpuid, e);

	if (r < 0)
		return r;
	r = make(&p, &cpuid, e);
	if (r == 0)
		r = arm(&p, e);
	return r < 0 ? r : judge(&p, kvm_run(p.vcpu), ret);
}

int vmm_probe(struct vmm_probe *ret, struct err *e)
{
	uint64_t began = time_mono_ns();

	*ret = (struct vmm_probe){ .kvm = VMM_KVM_ABSENT };
	int r = probe(ret, e);

	ret->ns = time_mono_ns() - began;
	return r;
}

/* What a remembered answer is for: boot, node, and when that was made or given to others. */
static int cache_key(char *ret, size_t n)
{
	CLEANUP(buf_release) struct buf boot = BUF_INIT(64);
	struct stat st;

	int r = file_read_at(AT_FDCWD, "/proc/sys/kernel/random/boot_id", &boot);
	if (r < 0)
		return r;
	if (access("/dev/kvm", R_OK | W_OK) < 0 || stat("/dev/kvm", &st) < 0)
		return -errno;
	snprintf(ret, n, "%.36s %" PRIu64 " %" PRId64 ".%09ld", boot.data ? boot.data : "",
		 (uint64_t)st.st_ino, (int64_t)st.st_ctim.tv_sec, st.st_ctim.tv_nsec);
	return 0;
}

/* The file: the key, the answer's number, why; a line each. */
static bool cache_read(int dirfd, const char *name, const char *key, struct vmm_probe *ret)
{
	CLEANUP(buf_release) struct buf b = BUF_INIT(1024);
	size_t n = strlen(key);

	if (file_read_at(dirfd, name, &b) < 0 || !b.data || strncmp(b.data, key, n) != 0 ||
	    b.data[n] != '\n')
		return false;
	const char *p = b.data + n + 1;
	const char *end = strchr(p, '\n');

	if (!end || end != p + 1 || (*p != '0' + VMM_KVM_USABLE && *p != '0' + VMM_KVM_SOFTWARE))
		return false;
	ret->kvm = (enum vmm_kvm)(*p - '0');
	snprintf(ret->why, sizeof(ret->why), "%.*s", (int)strcspn(end + 1, "\n"), end + 1);
	return true;
}

int vmm_probe_cached(int dirfd, const char *name, struct vmm_probe *ret, struct err *e)
{
	char key[128], text[512];
	bool keep = cache_key(key, sizeof(key)) == 0;

	*ret = (struct vmm_probe){ .kvm = VMM_KVM_ABSENT };
	if (keep && cache_read(dirfd, name, key, ret))
		return 0;
	int r = vmm_probe(ret, e);

	if (r == 0 && keep && ret->kvm != VMM_KVM_ABSENT) {
		int n = snprintf(text, sizeof(text), "%s\n%u\n%s\n", key, (unsigned)ret->kvm,
				 ret->why);

		/* Without it the next one probes again. */
		if (file_replace_at(dirfd, name, text, (size_t)n, 0600) < 0)
			log_debug("what /dev/kvm can is not remembered in %s", name);
	}
	return r;
}

const char *vmm_kvm_name(enum vmm_kvm k)
{
	static const char *const names[] = {
		[VMM_KVM_USABLE] = "usable", [VMM_KVM_ABSENT] = "absent",
		[VMM_KVM_SOFTWARE] = "software-only",
	};

	return names[k];
}
