/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The registers of a task at its system call: which call, its arguments, and what that means for
 * the work that the kernel does meanwhile. Not here: the arguments of functions (bpf_tracing.h).
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

/* include/uapi/linux/iommufd.h and vfio.h */
#define IOMMU_IOAS_MAP			0x3b85
#define IOMMU_IOAS_UNMAP		0x3b86
#define IOMMU_HWPT_SET_DIRTY_TRACKING	0x3b8b
#define IOMMU_HWPT_GET_DIRTY_BITMAP	0x3b8c
#define VFIO_IOMMU_MAP_DMA		0x3b71
#define VFIO_IOMMU_UNMAP_DMA		0x3b72
#define VFIO_IOMMU_DIRTY_PAGES		0x3b75

struct vfio_dirty_request {
	__u32 argsz;
	__u32 flags;
};

#define VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP 4

/* include/uapi/linux/kvm.h */
#define KVM_RUN				0xae80
#define KVM_SET_USER_MEMORY_REGION	0x4020ae46
#define KVM_SET_USER_MEMORY_REGION2	0x40a0ae49
#define KVM_GET_DIRTY_LOG		0x4010ae42
#define KVM_CLEAR_DIRTY_LOG		0xc018aec0
#define KVM_RESET_DIRTY_RINGS		0xaec7

/* The command of the ioctl that the running task is in; 0: it is in none. */
static __always_inline __u32 current_ioctl(void)
{
	struct pt_regs___kernel *regs = (void *)bpf_task_pt_regs(bpf_get_current_task_btf());

	return syscall_number(regs) == SYSCALL_IOCTL ? syscall_second(regs) : 0;
}

/* type1 has one command to start, stop and read; its argument tells. */
static __always_inline __u32 cause_of_dirty_pages(void)
{
	struct pt_regs___kernel *regs = (void *)bpf_task_pt_regs(bpf_get_current_task_btf());
	struct vfio_dirty_request request;

	if (bpf_probe_read_user(&request, sizeof(request), (void *)syscall_third(regs)))
		return HWDBM_CAUSE_UNKNOWN;
	return request.flags & VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP ? HWDBM_CAUSE_SYNC :
									  HWDBM_CAUSE_TRACKING;
}

/* What the running task wants from an IOMMU's page tables. */
static __always_inline __u32 cause_of_iommu_call(void)
{
	switch (current_ioctl()) {
	case IOMMU_IOAS_MAP:
	case VFIO_IOMMU_MAP_DMA:
		return HWDBM_CAUSE_MAP;
	case IOMMU_IOAS_UNMAP:
	case VFIO_IOMMU_UNMAP_DMA:
		return HWDBM_CAUSE_UNMAP;
	case IOMMU_HWPT_SET_DIRTY_TRACKING:
		return HWDBM_CAUSE_TRACKING;
	case IOMMU_HWPT_GET_DIRTY_BITMAP:
		return HWDBM_CAUSE_SYNC;
	case VFIO_IOMMU_DIRTY_PAGES:
		return cause_of_dirty_pages();
	default:
		return HWDBM_CAUSE_UNKNOWN;
	}
}

/* And from KVM's. What comes from elsewhere comes through the notifiers of the host's memory. */
static __always_inline __u32 cause_of_kvm_call(void)
{
	switch (current_ioctl()) {
	case KVM_RUN:
		return HWDBM_CAUSE_VCPU;
	case KVM_GET_DIRTY_LOG:
		return HWDBM_CAUSE_SYNC;
	case KVM_CLEAR_DIRTY_LOG:
	case KVM_RESET_DIRTY_RINGS:
		return HWDBM_CAUSE_CLEAR;
	case KVM_SET_USER_MEMORY_REGION:
	case KVM_SET_USER_MEMORY_REGION2:
		return HWDBM_CAUSE_TRACKING;
	case 0:
		return HWDBM_CAUSE_HOST;
	default:
		return HWDBM_CAUSE_OTHER;
	}
}

static __always_inline __u32 split_mode_of(__u32 cause)
{
	switch (cause) {
	case HWDBM_CAUSE_TRACKING:
		return HWDBM_SPLIT_EAGER;
	case HWDBM_CAUSE_SYNC:
	case HWDBM_CAUSE_CLEAR:
		return HWDBM_SPLIT_LAZY;
	case HWDBM_CAUSE_VCPU:
		return HWDBM_SPLIT_FAULT;
	default:
		return HWDBM_SPLIT_UNKNOWN;
	}
}

#endif
