/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * VFIO's older interface: a container with the type1 IOMMU, groups and their devices, the dirty
 * log. Public uAPI only; knows nothing of what the devices do.
 */
#ifndef GUEST_TYPE1_H
#define GUEST_TYPE1_H

#include <stdbool.h>
#include <stdint.h>

#include "iommu.h"

/* /sys/module/vfio_iommu_type1/parameters/NAME */
bool type1_knob_exists(const char *name);
int type1_knob_set(const char *name, const char *value);

/* The name of the n-th device with these PCI ids ("0000:00:01.0"), or -ENODEV. */
int type1_find(uint16_t vendor, uint16_t device, unsigned int n, char name[16]);

/* Opens a container without any group. The descriptor, or -errno. */
int type1_container(void);

/*
 * Attaches the group of device 'name' to the container, the first with the type1 IOMMU, opens the
 * device (io->fd) and lets it master the bus. *group is the group's descriptor. 0 or -errno.
 */
int type1_attach(int container, const char *name, int *group, struct iommu *io);
/* Closes device and group, which detaches the group. */
void type1_detach(int *group, struct iommu *io);

/* All of these return 0 or -errno, silently. */
int type1_map(int container, const void *va, uint64_t iova, uint64_t bytes);
/* With 'bitmap', which has a bit for each 4 KiB, the dirty pages are asked for. */
int type1_unmap(int container, uint64_t iova, uint64_t bytes, void *bitmap);
int type1_log_start(int container);
int type1_log_stop(int container);

enum type1_log { TYPE1_GET, TYPE1_GET_NOCLEAR, TYPE1_CLEAR };

int type1_log(int container, enum type1_log what, uint64_t iova, uint64_t bytes, void *bitmap);
/* True if the kernel has the last two of these. */
bool type1_has_manual_clear(int container);

#endif
