/* vmm/x86_64/regs.c - see regs.h */
#include "vmm/x86_64/regs.h"

#include <errno.h>
#include <string.h>

#include "sys/kvm.h"

#define CR0_PE (1ULL << 0)
#define CR0_MP (1ULL << 1)
#define CR0_ET (1ULL << 4)
#define CR0_NE (1ULL << 5)
#define CR0_PG (1ULL << 31)
#define CR4_PAE (1ULL << 5)
#define CR4_OSFXSR (1ULL << 9)
#define EFER_LME (1ULL << 8)
#define EFER_LMA (1ULL << 10)

/* SDM 4, table 2-2 */
#define MSR_MISC_ENABLE 0x1a0
#define MISC_FAST_STRING 1
#define MSR_MTRR_DEFAULT 0x2ff
#define MTRR_ENABLE (1 << 11)
#define MTRR_WRITE_BACK 6

#define PAGE_PRESENT 1
#define PAGE_WRITE 2
#define PAGE_LARGE 0x80

void regs_identity_map(uint8_t *host, uint64_t gpa)
{
	uint64_t *pml4 = (uint64_t *)host, *pdpt = pml4 + 512, *pd = pdpt + 512;

	memset(host, 0, REGS_TABLE_BYTES);
	pml4[0] = (gpa + 4096) | PAGE_PRESENT | PAGE_WRITE;
	for (unsigned i = 0; i < 4; i++)
		pdpt[i] = (gpa + 4096 * (2 + i)) | PAGE_PRESENT | PAGE_WRITE;
	for (uint64_t i = 0; i < 4 * 512; i++)
		pd[i] = i << 21 | PAGE_PRESENT | PAGE_WRITE | PAGE_LARGE;
}

void regs_gdt(uint64_t ret[REGS_GDT_ENTRIES])
{
	ret[0] = ret[1] = 0;
	ret[REGS_CODE / 8] = 0x00af9b000000ffff;        /* 64-bit, read and execute, accessed */
	ret[REGS_DATA / 8] = 0x00cf93000000ffff;        /* read and write, accessed */
}

static struct kvm_segment segment(uint16_t selector, uint8_t type, bool long_mode)
{
	return (struct kvm_segment){
		.limit = 0xffffffff, .selector = selector, .type = type, .present = 1,
		.s = 1, .g = 1, .l = long_mode, .db = !long_mode,
	};
}

static void set_segments(struct kvm_sregs *s, bool long_mode)
{
	s->cs = segment(REGS_CODE, 0xb, long_mode);
	s->ds = s->es = s->fs = s->gs = s->ss = segment(REGS_DATA, 0x3, false);
	/* VMX refuses to enter without a busy task state segment (SDM 3C, 26.3.1.2). */
	s->tr = (struct kvm_segment){ .limit = 0x67, .type = 0xb, .present = 1 };
	s->ldt = (struct kvm_segment){ .unusable = 1, .type = 0x2 };
}

int regs_enter(int vcpu, const struct regs_entry *entry, struct err *e)
{
	struct kvm_sregs s;
	int r = kvm_call(vcpu, KVM_GET_SREGS, &s);

	if (r < 0)
		return err_sys(e, -r, "KVM_GET_SREGS");
	set_segments(&s, entry->long_mode);
	s.cr0 = CR0_PE | CR0_ET;
	if (entry->long_mode) {
		s.cr0 |= CR0_PG | CR0_MP | CR0_NE;
		s.cr3 = entry->page_tables;
		s.cr4 = CR4_PAE | CR4_OSFXSR;
		s.efer = EFER_LME | EFER_LMA;
		s.gdt.base = entry->gdt;
		s.gdt.limit = REGS_GDT_ENTRIES * 8 - 1;
		s.idt.base = entry->idt;
	}
	s.idt.limit = entry->idt_limit;
	r = kvm_call(vcpu, KVM_SET_SREGS, &s);
	if (r < 0)
		return err_sys(e, -r, "KVM_SET_SREGS");
	struct kvm_regs regs = {
		.rip = entry->ip, .rsp = entry->sp, .rbx = entry->rbx, .rsi = entry->rsi,
		.rdi = entry->rdi, .rflags = 2,
	};

	r = kvm_call(vcpu, KVM_SET_REGS, &regs);
	return r < 0 ? err_sys(e, -r, "KVM_SET_REGS") : 0;
}

int regs_msrs(int vcpu, struct err *e)
{
	union {
		struct kvm_msrs m;
		uint8_t room[sizeof(struct kvm_msrs) + 2 * sizeof(struct kvm_msr_entry)];
	} all = { .m = { .nmsrs = 2 } };

	all.m.entries[0] = (struct kvm_msr_entry){ .index = MSR_MTRR_DEFAULT,
						   .data = MTRR_ENABLE | MTRR_WRITE_BACK };
	all.m.entries[1] = (struct kvm_msr_entry){ .index = MSR_MISC_ENABLE,
						   .data = MISC_FAST_STRING };
	int r = kvm_call(vcpu, KVM_SET_MSRS, &all);

	/* The number set.  Without the second one strings are only slower. */
	return r < 1 ? err_sys(e, r < 0 ? -r : EINVAL, "KVM_SET_MSRS") : 0;
}
