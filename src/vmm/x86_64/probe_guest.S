/*
 * vmm/x86_64/probe_guest.S - the guest of vmm/probe.c: 64 bits, position independent.
 *
 * A few of the instructions on which a kernel depends and which KVM without hardware
 * virtualization cannot run.  rdi: 16 bytes of zeros; rsi: an area for xsave, 64-aligned;
 * the vector of int3 leads vmm_probe_int3 bytes into it.  Ends by writing PROBE_OK or something else
 * to port PROBE_PORT.
 */
#include "vmm/x86_64/probe_guest.h"

	.section .rodata.vmm_probe, "a", @progbits
	.globl	vmm_probe_code, vmm_probe_int3, vmm_probe_bytes
	.code64
vmm_probe_code:
	xor	%eax, %eax
	xor	%edx, %edx
	mov	$0x1234, %ebx
	mov	$0x5678, %ecx
	lock cmpxchg16b (%rdi)
	jne	1f
	cmpl	$0x1234, (%rdi)
	jne	1f

	xor	%ebp, %ebp
	int3
	cmp	$1, %ebp
	jne	1f
	mov	%cr4, %rax
	or	$0x40000, %eax          /* OSXSAVE */
	mov	%rax, %cr4
	xor	%ecx, %ecx
	mov	$3, %eax                /* XCR0: x87 and SSE */
	xor	%edx, %edx
	xsetbv

	mov	$3, %eax
	xor	%edx, %edx
	xsave64	(%rsi)
	xrstor64 (%rsi)

	mov	$PROBE_OK, %eax
	jmp	2f
1:	xor	%eax, %eax
2:	outl	%eax, $PROBE_PORT
	hlt

int3_entry:
	inc	%ebp
	iretq
end:
	.balign 4
vmm_probe_int3:
	.long	int3_entry - vmm_probe_code
vmm_probe_bytes:
	.long	end - vmm_probe_code

	.section .note.GNU-stack, "", @progbits
