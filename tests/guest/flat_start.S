/*
 * flat_start.S - where a flat guest begins: PVH's 32 bits, then long mode and flat_main().
 *
 * The first GiB is mapped one to one by one page of 1 GiB's worth of 2 MiB ones, the fourth
 * (where devices are) likewise.
 */
	.section .note.Xen, "a", @note
	.balign 4
	.long	4, 4, 18                /* XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz	"Xen"
	.long	start

	.text
	.code32
	.globl	start
start:
	mov	$stack_end, %esp
	mov	24(%ebx), %esi          /* hvm_start_info.cmdline_paddr */

	movl	$pdpt + 3, pml4
	movl	$pd_low + 3, pdpt
	movl	$pd_high + 3, pdpt + 24
	xor	%ecx, %ecx
1:	mov	%ecx, %eax
	shl	$21, %eax
	or	$0x83, %eax             /* present, writable, 2 MiB */
	mov	%eax, pd_low(,%ecx,8)
	or	$0xc0000000, %eax
	mov	%eax, pd_high(,%ecx,8)
	inc	%ecx
	cmp	$512, %ecx
	jne	1b

	mov	$0x20, %eax             /* PAE */
	mov	%eax, %cr4
	mov	$pml4, %eax
	mov	%eax, %cr3
	mov	$0xc0000080, %ecx       /* EFER.LME */
	rdmsr
	or	$0x100, %eax
	wrmsr
	mov	%cr0, %eax
	or	$0x80000000, %eax
	mov	%eax, %cr0
	lgdt	gdt_where
	ljmp	$8, $long_mode

	.code64
long_mode:
	mov	$16, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	mov	%esi, %edi
	call	flat_main
1:	cli
	hlt
	jmp	1b

	.data
	.balign 8
gdt:	.quad	0, 0x00af9b000000ffff, 0x00cf93000000ffff
gdt_where:
	.word	23
	.long	gdt

	.bss
	.balign 4096
pml4:	.skip	4096
pdpt:	.skip	4096
pd_low:	.skip	4096
pd_high: .skip	4096
	.skip	8192
stack_end:

	.section .note.GNU-stack, "", @progbits
