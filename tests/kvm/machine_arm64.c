// SPDX-License-Identifier: GPL-2.0-only
/*
 * dirtylog's guest on arm64: EL1 with 1G identity blocks. Its memory is cached, as the host's
 * view of it is; with the MMU off it would not be.
 */
#include "machine.h"

#include <linux/kvm.h>
#include <stddef.h>
#include <sys/ioctl.h>

#define TABLE 0x1000

/* Registers of the Arm architecture (DDI 0487, D19) */
#define SCTLR_EL1 ARM64_SYS_REG(3, 0, 1, 0, 0)
#define TTBR0_EL1 ARM64_SYS_REG(3, 0, 2, 0, 0)
#define TCR_EL1 ARM64_SYS_REG(3, 0, 2, 0, 2)
#define MAIR_EL1 ARM64_SYS_REG(3, 0, 10, 2, 0)

#define SCTLR_RES1 0x30d00800
#define SCTLR_M_C_I 0x1005
#define TCR_32_BITS_CACHED (32 | 1 << 8 | 1 << 10 | 3 << 12 | 1 << 23)	/* nothing in TTBR1 */
#define MAIR_WRITE_BACK 0xff
#define BLOCK_ACCESSED_SHARED (1 | 1 << 10 | 3 << 8)

#define CORE_REG(name) (KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM_CORE | \
			KVM_REG_ARM_CORE_REG(name))

asm(".pushsection .rodata\n"
    ".globl guest_code, guest_end\n"
    "guest_code:\n"
    "1:	ldar	w2, [x0]\n"
    "	ldr	w3, [x0, #4]\n"
    "	cmp	w2, w3\n"
    "	b.ne	2f\n"
    "	yield\n"
    "	b	1b\n"
    "2:	mov	x4, x1\n"
    "3:	ldr	w5, [x4], #4\n"
    "	cbz	w5, 5f\n"
    "	ldr	w6, [x5]\n"
    "	add	w6, w6, #1\n"
    "	str	w6, [x5]\n"
    "	ldr	w7, [x0, #12]\n"
    "4:	subs	w7, w7, #1\n"
    "	b.ge	4b\n"
    "	b	3b\n"
    "5:	ldr	w7, [x0, #8]\n"
    "	cbnz	w7, 1b\n"
    "	add	x3, x0, #4\n"
    "	stlr	w2, [x3]\n"
    "	b	1b\n"
    "guest_end:\n"
    ".popsection\n");

void machine_prepare(int vm)
{
	(void)vm;
}

int machine_make(int kvm, int vm, int vcpu, char *low)
{
	const struct {
		uint64_t id;
		uint64_t value;
	} registers[] = {
		{ CORE_REG(regs.pc), CODE },
		{ CORE_REG(regs.regs[0]), CONTROL },
		{ CORE_REG(regs.regs[1]), LIST },
		{ MAIR_EL1, MAIR_WRITE_BACK },
		{ TCR_EL1, TCR_32_BITS_CACHED },
		{ TTBR0_EL1, TABLE },
		{ SCTLR_EL1, SCTLR_RES1 | SCTLR_M_C_I },
	};
	uint64_t *table = (void *)(low + TABLE);
	struct kvm_vcpu_init init;

	(void)kvm;
	for (uint64_t i = 0; i < 4; i++)
		table[i] = i << 30 | BLOCK_ACCESSED_SHARED;
	if (ioctl(vm, KVM_ARM_PREFERRED_TARGET, &init) || ioctl(vcpu, KVM_ARM_VCPU_INIT, &init))
		return -1;
	for (size_t i = 0; i < sizeof(registers) / sizeof(registers[0]); i++) {
		struct kvm_one_reg reg = { registers[i].id, (uintptr_t)&registers[i].value };

		if (ioctl(vcpu, KVM_SET_ONE_REG, &reg))
			return -1;
	}
	return 0;
}
