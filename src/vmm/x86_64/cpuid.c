/* vmm/x86_64/cpuid.c - see cpuid.h; bits: SDM 2A CPUID, AMD64 APM 3 appendix E */
#include "vmm/x86_64/cpuid.h"

#include <errno.h>

#define BIT(n) (1U << (n))

/* Leaf 1, ecx. */
#define ECX_DTES64_MONITOR_DSCPL (BIT(2) | BIT(3) | BIT(4))
#define ECX_VMX_SMX_EST_TM2 (BIT(5) | BIT(6) | BIT(7) | BIT(8))
#define ECX_PDCM BIT(15)
#define ECX_X2APIC BIT(21)
#define ECX_TSC_DEADLINE BIT(24)
#define ECX_HYPERVISOR BIT(31)
#define EDX_HTT BIT(28)

/* Leaf 7, edx: tile registers, 8 KiB a thread. */
#define EDX7_AMX (BIT(22) | BIT(24) | BIT(25))

/* Leaf 0x80000001, ecx. */
#define ECX_SVM BIT(2)
#define ECX_PERFCTR (BIT(23) | BIT(24) | BIT(28))

int cpuid_supported(int kvm, union cpuid_table *ret, struct err *e)
{
	*ret = (union cpuid_table){ .k = { .nent = CPUID_ENTRIES_MAX } };
	int r = kvm_call(kvm, KVM_GET_SUPPORTED_CPUID, &ret->k);

	if (r < 0)
		return err_sys(e, -r, "KVM_GET_SUPPORTED_CPUID");
	if (ret->k.nent > CPUID_ENTRIES_MAX)
		return err_set(e, EPROTO, "KVM_GET_SUPPORTED_CPUID gave %u entries", ret->k.nent);
	return 0;
}

struct kvm_cpuid_entry2 *cpuid_find(union cpuid_table *t, uint32_t function, uint32_t index)
{
	for (unsigned i = 0; i < t->k.nent; i++) {
		struct kvm_cpuid_entry2 *en = &t->k.entries[i];

		if (en->function == function &&
		    (!(en->flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX) || en->index == index))
			return en;
	}
	return NULL;
}

/* The bits that hold 0 .. n - 1. */
static unsigned width(unsigned n)
{
	return n > 1 ? 32 - (unsigned)__builtin_clz(n - 1) : 0;
}

static void add(union cpuid_table *t, const struct kvm_cpuid_entry2 *en)
{
	struct kvm_cpuid_entry2 *there = cpuid_find(t, en->function, en->index);

	if (there)
		*there = *en;
	else if (t->k.nent < CPUID_ENTRIES_MAX)
		t->k.entries[t->k.nent++] = *en;
}

/*
 * Leaves 0xb and 0x1f: level 0 has threads (one), level 1 the cores.  Whatever else KVM has
 * in them is the host's own topology.
 */
static void set_topology_leaf(union cpuid_table *t, uint32_t leaf, unsigned index, unsigned n)
{
	static const struct { uint32_t type, level; } level[] = { { 1, 0 }, { 2, 1 }, { 0, 2 } };

	for (uint32_t i = 0; i < 3; i++)
		add(t, &(struct kvm_cpuid_entry2){
			.function = leaf, .index = i, .flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
			.eax = i == 1 ? width(n) : 0, .ebx = i == 0 ? 1 : i == 1 ? n : 0,
			.ecx = level[i].level | level[i].type << 8, .edx = index });
}

/* How many cores share a cache: Intel's leaf 4 and AMD's 0x8000001d have one layout. */
static void set_cache_sharing(struct kvm_cpuid_entry2 *en, unsigned n)
{
	uint32_t level = en->eax >> 5 & 7;
	uint32_t sharing = level >= 3 ? n - 1 : 0;

	if ((en->eax & 0x1f) == 0)      /* no more caches */
		return;
	en->eax = (en->eax & 0x3fff) | (sharing & 0xfff) << 14;
	if (en->function == 4)
		en->eax |= (n - 1 < 63 ? n - 1 : 63) << 26;
}

static void filter_features(struct kvm_cpuid_entry2 *en, unsigned index, unsigned n,
			    bool tsc_deadline)
{
	en->ebx = (en->ebx & 0xffff) | n << 16 | index << 24;
	en->ecx &= ~(ECX_DTES64_MONITOR_DSCPL | ECX_VMX_SMX_EST_TM2 | ECX_PDCM);
	en->ecx |= ECX_HYPERVISOR | ECX_X2APIC;
	if (tsc_deadline)
		en->ecx |= ECX_TSC_DEADLINE;
	en->edx = n > 1 ? en->edx | EDX_HTT : en->edx & ~EDX_HTT;
}

static void filter_entry(struct kvm_cpuid_entry2 *en, unsigned index, unsigned n,
			 bool tsc_deadline)
{
	switch (en->function) {
	case 1:
		filter_features(en, index, n, tsc_deadline);
		break;
	case 4:
	case 0x8000001d:
		set_cache_sharing(en, n);
		break;
	case 7:
		if (en->index == 0)
			en->edx &= ~EDX7_AMX;
		break;
	case 0xa:                       /* performance counters: none */
	case 0x1d:                      /* tiles: none */
	case 0x1e:
	case 0x8000000a:                /* SVM: none */
	case 0x80000022:                /* AMD's counters: none */
		en->eax = en->ebx = en->ecx = en->edx = 0;
		break;
	case 0x80000001:
		en->ecx &= ~(ECX_SVM | ECX_PERFCTR);
		break;
	case 0x80000008:
		/* Threads of the package less one, and the bits of an APIC id that say which. */
		en->ecx = (en->ecx & ~0xf0ffU) | (n - 1) | width(n) << 12;
		break;
	case 0x8000001e:
		en->eax = index;
		en->ebx = index;        /* core id; one thread a core */
		en->ecx = 0;            /* node 0, one node */
		break;
	}
}

void cpuid_filter(union cpuid_table *t, unsigned index, unsigned n, bool tsc_deadline)
{
	const struct kvm_cpuid_entry2 *first = cpuid_find(t, 0, 0);
	uint32_t last = first ? first->eax : 0;

	for (unsigned i = 0; i < t->k.nent; i++)
		filter_entry(&t->k.entries[i], index, n, tsc_deadline);
	if (last >= 0xb)
		set_topology_leaf(t, 0xb, index, n);
	if (last >= 0x1f)
		set_topology_leaf(t, 0x1f, index, n);
}

int cpuid_set(int vcpu, union cpuid_table *t, struct err *e)
{
	int r = kvm_call(vcpu, KVM_SET_CPUID2, &t->k);

	return r < 0 ? err_sys(e, -r, "KVM_SET_CPUID2") : 0;
}
