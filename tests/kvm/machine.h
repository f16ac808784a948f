/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What dirtylog's guest is on one architecture: its code, its page tables, its registers. It has
 * no firmware and no devices, and reaches 4 GiB. Not here: what it is told to do.
 */
#ifndef TESTS_KVM_MACHINE_H
#define TESTS_KVM_MACHINE_H

#include <stdint.h>

/* Guest-physical places in slot 0, which is never logged. What is below is machine_make()'s. */
#define LOW_BYTES (32UL << 20)
#define CONTROL 0x8000
#define CODE 0x9000
#define LIST 0x100000

/* What host and guest share at CONTROL; the offsets are those in the guest's code. */
struct control {
	uint32_t asked;		/* round */
	uint32_t done;
	uint32_t repeat;	/* do not stop at the end of the list */
	uint32_t delay;		/* turns of a loop after each page */
};

/*
 * For each round that is asked for, adds one to the first word of each page whose address is in
 * LIST, up to the 0 at its end.
 */
extern const char guest_code[], guest_end[];

/** machine_prepare() - what a VM needs before its first vCPU */
void machine_prepare(int vm);

/**
 * machine_make() - page tables and registers for a vCPU that is to run guest_code at CODE
 *
 * @kvm: of /dev/kvm
 * @low: LOW_BYTES of memory, which are slot 0
 *
 * Return: 0, or -1 with errno.
 */
int machine_make(int kvm, int vm, int vcpu, char *low);

#endif
