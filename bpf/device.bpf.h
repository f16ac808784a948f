/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * VFIO devices as the kernel knows them: which one an open file is of, and what it is called. Not
 * here: what is asked of them.
 */
#ifndef HWDBM_BPF_DEVICE_BPF_H
#define HWDBM_BPF_DEVICE_BPF_H

#include "ioctl.bpf.h"
#include "name.bpf.h"

/* include/uapi/linux/vfio.h; type1's VFIO_IOMMU_DIRTY_PAGES has the same number, on other files. */
#define VFIO_DEVICE_FEATURE		0x3b75

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct vfio_device {
	struct device *dev;
};

struct vfio_device_file {			/* v6.5 */
	struct vfio_device *device;
};

#pragma clang attribute pop

static __always_inline struct vfio_device *device_of(struct file *file)
{
	void *data = BPF_CORE_READ(file, private_data);

	if (bpf_core_type_exists(struct vfio_device_file))
		return BPF_CORE_READ((struct vfio_device_file *)data, device);
	return data;
}

static __always_inline void name_device(char *to, struct vfio_device *device)
{
	read_device_name(to, HWDBM_DEVICE_NAME, BPF_CORE_READ(device, dev));
}

#endif
