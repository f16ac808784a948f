/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the kernel's own structures say about the descriptors of a process: the user side
 * of bpf/vms.bpf.c. Not here: which processes to ask about.
 */
#ifndef HWDBM_COLLECT_VMS_KERNEL_H
#define HWDBM_COLLECT_VMS_KERNEL_H

#include "vms_process.h"

struct vms_kernel;

/**
 * vms_kernel__open() - load the iterator
 *
 * @why: set on failure: a sentence's second half, on what is in the way
 * @size: of @why
 *
 * Return: 0 or -errno.
 */
int vms_kernel__open(struct vms_kernel **out, char *why, size_t size);

void vms_kernel__free(struct vms_kernel *kernel);

/**
 * vms_kernel__look() - add slots, trackers and the state of KVM
 *
 * @vms: the VMs of the process, one per KVM descriptor; what belongs to the process as
 *	such goes to the first
 * @count: at least 1
 * @changing: set if the slots could not be read whole, as a rule because they come and go
 *	too fast; then some may be missing, or be there twice
 *
 * Return: 0 or -errno.
 */
int vms_kernel__look(struct vms_kernel *kernel, const struct vms_process *process, struct vm *vms,
		     size_t count, bool *changing);

/** vms_kernel__lost() - add up what did not get across */
void vms_kernel__lost(const struct vms_kernel *kernel, uint64_t *records, uint64_t *reads);

#endif
