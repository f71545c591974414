/* vmm/x86_64/dump.c - see dump.h */
#include "vmm/x86_64/dump.h"

#include <inttypes.h>

#include "sys/kvm.h"

#define CODE_BYTES 16

static void dump_reason(const struct kvm_run *run, struct buf *out)
{
	switch (run->exit_reason) {
	case KVM_EXIT_INTERNAL_ERROR:
		buf_printf(out, "KVM_EXIT_INTERNAL_ERROR, suberror %u", run->internal.suberror);
		for (unsigned i = 0; i < run->internal.ndata && i < 4; i++)
			buf_printf(out, " 0x%" PRIx64, (uint64_t)run->internal.data[i]);
		break;
	case KVM_EXIT_FAIL_ENTRY:
		buf_printf(out, "KVM_EXIT_FAIL_ENTRY, hardware reason 0x%" PRIx64,
			   (uint64_t)run->fail_entry.hardware_entry_failure_reason);
		break;
	case KVM_EXIT_SHUTDOWN:
		buf_add_str(out, "triple fault");
		break;
	case KVM_EXIT_MMIO:
		buf_printf(out, "%s of %u bytes at 0x%" PRIx64 ", where nothing is",
			   run->mmio.is_write ? "write" : "read", run->mmio.len,
			   (uint64_t)run->mmio.phys_addr);
		break;
	default:
		buf_printf(out, "exit reason %u", run->exit_reason);
	}
}

static void dump_code(int vcpu, uint64_t at, const struct gmem *mem, struct buf *out)
{
	struct kvm_translation t = { .linear_address = at };
	uint8_t code[CODE_BYTES];
	size_t n = sizeof(code);

	if (kvm_call(vcpu, KVM_TRANSLATE, &t) < 0 || !t.valid) {
		buf_printf(out, "\ncode: 0x%" PRIx64 " is not mapped", at);
		return;
	}
	/* The next page may be anywhere. */
	if ((at & 4095) + n > 4096)
		n = 4096 - (at & 4095);
	if (gmem_read(mem, (struct gpa){ t.physical_address }, code, n) < 0) {
		buf_printf(out, "\ncode: 0x%" PRIx64 " is outside memory",
			   (uint64_t)t.physical_address);
		return;
	}
	buf_add_str(out, "\ncode:");
	for (size_t i = 0; i < n; i++)
		buf_printf(out, " %02x", code[i]);
}

void dump_vcpu(int vcpu, unsigned index, const void *kvm_run, int error,
	       const struct gmem *mem, struct buf *out)
{
	struct kvm_regs r;
	struct kvm_sregs s;

	buf_printf(out, "vCPU %u: ", index);
	if (error < 0)
		buf_printf(out, "KVM_RUN: %s", err_text(-error));
	else
		dump_reason(kvm_run, out);
	if (kvm_call(vcpu, KVM_GET_REGS, &r) < 0 || kvm_call(vcpu, KVM_GET_SREGS, &s) < 0) {
		buf_add_str(out, "\nregisters cannot be read");
		return;
	}
	const struct { const char *name; uint64_t v; } all[] = {
		{ "rip", r.rip }, { "rflags", r.rflags }, { "rsp", r.rsp }, { "rbp", r.rbp },
		{ "rax", r.rax }, { "rbx", r.rbx }, { "rcx", r.rcx }, { "rdx", r.rdx },
		{ "rsi", r.rsi }, { "rdi", r.rdi }, { "r8", r.r8 }, { "r9", r.r9 },
		{ "r10", r.r10 }, { "r11", r.r11 }, { "r12", r.r12 }, { "r13", r.r13 },
		{ "r14", r.r14 }, { "r15", r.r15 }, { "cs", s.cs.base }, { "idt", s.idt.base },
		{ "cr0", s.cr0 }, { "cr2", s.cr2 }, { "cr3", s.cr3 }, { "cr4", s.cr4 },
		{ "efer", s.efer },
	};

	for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		buf_printf(out, "%s%s %" PRIx64, i % 4 ? "  " : "\n", all[i].name, all[i].v);
	dump_code(vcpu, s.cs.base + r.rip, mem, out);
}
