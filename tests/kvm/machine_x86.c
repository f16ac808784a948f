// SPDX-License-Identifier: GPL-2.0-only
/*
 * dirtylog's guest on x86-64: long mode at CPL 3 with 2M identity pages. Hosts without hardware
 * virtualisation run that natively, and emulate anything more privileged.
 */
#include "machine.h"

#include <linux/kvm.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#define M2 (2UL << 20)
#define PML4 0x1000
#define PDPT 0x2000
#define DIRECTORIES 0x3000	/* 4 */

asm(".pushsection .rodata\n"
    ".globl guest_code, guest_end\n"
    "guest_code:\n"
    "1:	mov (%rdi), %ebx\n"
    "	cmp 4(%rdi), %ebx\n"
    "	jne 2f\n"
    "	pause\n"
    "	jmp 1b\n"
    "2:	mov %r8, %rsi\n"
    "3:	mov (%rsi), %eax\n"
    "	test %eax, %eax\n"
    "	jz 5f\n"
    "	incl (%rax)\n"
    "	mov 12(%rdi), %ecx\n"
    "4:	dec %ecx\n"
    "	jns 4b\n"
    "	add $4, %rsi\n"
    "	jmp 3b\n"
    "5:	cmpl $0, 8(%rdi)\n"
    "	jne 1b\n"
    "	mov %ebx, 4(%rdi)\n"
    "	jmp 1b\n"
    "guest_end:\n"
    ".popsection\n");

void machine_prepare(int vm)
{
	uint64_t map = 0xfffbc000;

	ioctl(vm, KVM_SET_TSS_ADDR, 0xfffbd000);
	ioctl(vm, KVM_SET_IDENTITY_MAP_ADDR, &map);
}

static void make_tables(char *low)
{
	uint64_t *pml4 = (void *)(low + PML4), *pdpt = (void *)(low + PDPT);
	uint64_t *directories = (void *)(low + DIRECTORIES);

	pml4[0] = PDPT | 0x67;
	for (unsigned int i = 0; i < 4; i++)
		pdpt[i] = (DIRECTORIES + i * 0x1000) | 0x67;
	/* Accessed and dirty from the start, so that the walk writes to no table. */
	for (uint64_t i = 0; i < 4 * 512; i++)
		directories[i] = i * M2 | 0xe7;
}

int machine_make(int kvm, int vm, int vcpu, char *low)
{
	struct kvm_segment data = { .limit = ~0U, .selector = 0x2b, .present = 1, .type = 3,
				    .dpl = 3, .db = 1, .s = 1, .g = 1 };
	struct kvm_segment code = data;
	struct kvm_regs regs = { .rip = CODE, .rdi = CONTROL, .r8 = LIST, .rflags = 2 };
	struct kvm_cpuid2 *cpuid = calloc(1, sizeof(*cpuid) + 256 * sizeof(cpuid->entries[0]));
	struct kvm_sregs sregs;
	int ret;

	(void)vm;
	if (!cpuid)
		return -1;
	make_tables(low);
	cpuid->nent = 256;
	ret = ioctl(kvm, KVM_GET_SUPPORTED_CPUID, cpuid) || ioctl(vcpu, KVM_SET_CPUID2, cpuid) ||
	      ioctl(vcpu, KVM_GET_SREGS, &sregs);
	free(cpuid);
	if (ret)
		return -1;
	code.selector = 0x33;
	code.type = 11;
	code.db = 0;
	code.l = 1;
	sregs.cs = code;
	sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = data;
	sregs.tr = (struct kvm_segment){ .base = 0x7000, .limit = 0x67, .selector = 0x40,
					 .present = 1, .type = 11 };
	sregs.cr3 = PML4;
	sregs.cr4 |= 0x20;
	sregs.cr0 = 0x80010033;
	sregs.efer |= 0x501;
	return ioctl(vcpu, KVM_SET_SREGS, &sregs) || ioctl(vcpu, KVM_SET_REGS, &regs) ? -1 : 0;
}
