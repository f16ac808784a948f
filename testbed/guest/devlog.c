// SPDX-License-Identifier: GPL-2.0-only
/*
 * VFIO's log of a device. See devlog.h.
 */
#include <errno.h>
#include <sys/ioctl.h>

#include "devlog.h"
#include "runtime.h"

/* A device feature with its data right behind it */
struct feature {
	struct vfio_device_feature head;
	union {
		struct vfio_device_feature_dma_logging_control control;
		struct vfio_device_feature_dma_logging_report report;
	};
};

static int feature(const struct iommu *io, uint32_t what, struct feature *f, size_t bytes)
{
	f->head.argsz = sizeof(f->head) + bytes;
	f->head.flags = what;
	return ioctl(io->fd, VFIO_DEVICE_FEATURE, f) ? -errno : 0;
}

int devlog_probe(const struct iommu *io)
{
	struct feature f = { 0 };

	return feature(io, VFIO_DEVICE_FEATURE_PROBE | VFIO_DEVICE_FEATURE_GET |
			   VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT, &f, sizeof(f.report));
}

int devlog_start(const struct iommu *io, const struct vfio_device_feature_dma_logging_range *ranges,
		 uint32_t count, uint64_t *page)
{
	struct feature f = { .control = { .page_size = *page, .num_ranges = count,
					  .ranges = (uintptr_t)ranges } };
	int err = feature(io, VFIO_DEVICE_FEATURE_SET | VFIO_DEVICE_FEATURE_DMA_LOGGING_START, &f,
			  sizeof(f.control));

	if (!err)
		*page = f.control.page_size;
	return err;
}

int devlog_stop(const struct iommu *io)
{
	struct feature f = { 0 };

	return feature(io, VFIO_DEVICE_FEATURE_SET | VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP, &f, 0);
}

int devlog_report(const struct iommu *io, uint64_t iova, uint64_t bytes, void *bitmap)
{
	struct feature f = { .report = { .iova = iova, .length = bytes, .page_size = SZ_4K,
					 .bitmap = (uintptr_t)bitmap } };

	return feature(io, VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT, &f,
		       sizeof(f.report));
}
