/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which devices the descriptors of a process stand for, as far as /proc and /sys tell.
 * Not here: what only the kernel's own structures tell (vms_kernel.h).
 */
#ifndef HWDBM_COLLECT_VMS_DEVICE_H
#define HWDBM_COLLECT_VMS_DEVICE_H

#include "vms_process.h"

/**
 * vms_device__list() - one device per VFIO descriptor, one per kind of vhost
 *
 * Names are set where fdinfo (v6.18) or the device node tells. Also sets what kind of
 * IOMMU container the process has.
 *
 * Return: 0 or -ENOMEM.
 */
int vms_device__list(const struct vms_process *process, struct vm *vm);

/**
 * vms_device__finish() - fill in drivers and IOMMU groups
 *
 * A descriptor without a name gives way to what is in the groups that the process holds.
 *
 * Return: 0 or -ENOMEM.
 */
int vms_device__finish(const struct vms_process *process, struct vm *vm);

#endif
