/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The registers of a task at its system call: which call, and its arguments. Not here: the
 * arguments of functions (bpf_tracing.h).
 */
#ifndef HWDBM_BPF_REGS_BPF_H
#define HWDBM_BPF_REGS_BPF_H

#include "hwdbm.bpf.h"

/* The kernel's own names and what it adds to the registers that user space knows. */
#if defined(__TARGET_ARCH_x86)

struct pt_regs___kernel {
	unsigned long di;
	unsigned long si;
	unsigned long dx;
	unsigned long orig_ax;
} __attribute__((preserve_access_index));

#define SYSCALL_IOCTL 16

#define syscall_number(regs)	((regs)->orig_ax)
#define syscall_first(regs)	((regs)->di)
#define syscall_second(regs)	((regs)->si)
#define syscall_third(regs)	((regs)->dx)

#elif defined(__TARGET_ARCH_arm64)

struct pt_regs___kernel {
	__u64 regs[31];
	__u64 orig_x0;
	__s32 syscallno;
} __attribute__((preserve_access_index));

#define SYSCALL_IOCTL 29

/* The first register has the result when the call is over. */
#define syscall_number(regs)	((regs)->syscallno)
#define syscall_first(regs)	((regs)->orig_x0)
#define syscall_second(regs)	((regs)->regs[1])
#define syscall_third(regs)	((regs)->regs[2])

#else
#error "the system call registers of this architecture are not known"
#endif

#endif
