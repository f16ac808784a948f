/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * VFIO's migration protocol, version 2, as a VMM speaks it. Public uAPI only; knows nothing of
 * what a device's state holds.
 */
#ifndef GUEST_MIGRATION_H
#define GUEST_MIGRATION_H

#include <stddef.h>
#include <stdint.h>

#include <linux/vfio.h>

#include "iommu.h"

/* All of these return 0 (or what they say) or -errno, silently. */
int migration_flags(const struct iommu *io, uint64_t *flags);
/* The device's state (enum vfio_device_mig_state), or -errno. */
int migration_state(const struct iommu *io);
/* Goes to a state; the descriptor of the data that this opens, if any, goes to *data, else -1. */
int migration_go(const struct iommu *io, enum vfio_device_mig_state state, int *data);
/* Bytes that the device says it takes to stop and copy. */
int migration_data_size(const struct iommu *io, uint64_t *bytes);
int migration_precopy_info(int data, struct vfio_precopy_info *info);
int migration_reset(const struct iommu *io);

/* Reads all there is, until the end or (*ended false) the end for now. *buf is to be freed. */
int migration_read(int data, void **buf, size_t *bytes, bool *ended);
int migration_write(int data, const void *buf, size_t bytes);

#endif
