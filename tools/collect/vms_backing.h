/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The page sizes behind a VM's memory, from /proc/PID/smaps. Not here: what KVM or an
 * IOMMU made of them; their leaves can at most be as large.
 */
#ifndef HWDBM_COLLECT_VMS_BACKING_H
#define HWDBM_COLLECT_VMS_BACKING_H

#include "vms_process.h"

/*
 * The kernel walks each small page for it, at about 10 ms per GiB, and holds the VM's
 * mmap_lock for reading meanwhile. Beyond so much of one scan it is left unknown.
 */
#define VMS_BACKING_BUDGET (UINT64_C(64) << 30)

/**
 * vms_backing__read() - fill in resident bytes by page size of the mappings with slots
 *
 * Of what is smaller than a huge page but larger than the base size, smaps says nothing.
 *
 * @budget: bytes of memory outside hugetlbfs that may be looked at; reduced; NULL: any
 *
 * Return: 0; -E2BIG if the budget is too small; or another -errno.
 */
int vms_backing__read(const struct vms_process *process, struct vm *vm, uint64_t *budget);

#endif
