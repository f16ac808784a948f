/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The dirty log that a device keeps itself, by VFIO's feature of that name. Public uAPI only; knows
 * nothing of what the device does.
 */
#ifndef GUEST_DEVLOG_H
#define GUEST_DEVLOG_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/vfio.h>

#include "iommu.h"

/* All of these return 0 or -errno, silently. */

/* Whether the device offers one. */
int devlog_probe(const struct iommu *io);
/* *page is the size of a page of the log, as wished for and then as it is. */
int devlog_start(const struct iommu *io, const struct vfio_device_feature_dma_logging_range *ranges,
		 uint32_t count, uint64_t *page);
int devlog_stop(const struct iommu *io);
/*
 * Adds a bit for each dirty 4 KiB page of [iova, iova + bytes) to 'bitmap' (bit 0 is iova): these
 * are clean then.
 */
int devlog_report(const struct iommu *io, uint64_t iova, uint64_t bytes, void *bitmap);

#endif
