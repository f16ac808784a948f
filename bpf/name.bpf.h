/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a device is called in sysfs. Not here: whose it is.
 */
#ifndef HWDBM_BPF_NAME_BPF_H
#define HWDBM_BPF_NAME_BPF_H

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct kobject {
	const char *name;
};

struct device {
	struct kobject kobj;
	const char *init_name;
};

#pragma clang attribute pop

static __always_inline void read_device_name(char *to, __u32 size, struct device *device)
{
	const char *name = BPF_CORE_READ(device, init_name);

	if (!name)
		name = BPF_CORE_READ(device, kobj.name);
	bpf_probe_read_kernel_str(to, size, name);
}

#endif
