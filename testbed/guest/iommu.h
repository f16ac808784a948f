/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A device opened through its VFIO character device, and IOVA spaces with dirty tracking from
 * iommufd: the part of a VMM that talks to the kernel. Public uAPI only.
 */
#ifndef GUEST_IOMMU_H
#define GUEST_IOMMU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An opened and bound device. iommufd and fd are -1 when closed. */
struct iommu {
	int iommufd;
	int fd;
	uint32_t devid;
};

#define IOMMU_CLOSED	((struct iommu){ .iommufd = -1, .fd = -1 })

/* An IOAS and the hardware page table (with dirty tracking) made from it, the device attached. */
struct iommu_space {
	struct iommu *iommu;
	uint32_t ioas;		/* object ids, 0 = none */
	uint32_t hwpt;
	bool attached;
};

/* The character device of PCI device 'name' ("0000:00:01.0"), bound to a VFIO driver. 0 or -errno. */
int iommu_find(const char *name, char *path, size_t size);

/* Opens /dev/iommu and 'device', binds them, lets the device master the bus. 0 or -errno. */
int iommu_open(struct iommu *io, const char *device);
void iommu_close(struct iommu *io);

/*
 * Maps region 'index' of the device. Returns its address and *bytes, or NULL with errno set.
 */
void *iommu_map_bar(struct iommu *io, unsigned int index, size_t *bytes);

/*
 * Creates a space with dirty tracking and attaches the device to it. With pages_only every leaf
 * is a 4 KiB page, whatever the memory behind it. 0 or -errno.
 */
int iommu_space_create(struct iommu_space *space, struct iommu *io, bool pages_only);
/* Detaches and destroys; mappings go with it. Safe on a space that was never created. */
void iommu_space_destroy(struct iommu_space *space);

int iommu_space_map(struct iommu_space *space, void *va, uint64_t iova, uint64_t bytes);
int iommu_space_unmap(struct iommu_space *space, uint64_t iova, uint64_t bytes);

/* Turns dirty tracking on (which clears the state) or off. 0 or -errno. */
int iommu_space_track(struct iommu_space *space, bool enable);
/* The same with the flags of IOMMU_HWPT_SET_DIRTY_TRACKING. */
int iommu_space_track_flags(struct iommu_space *space, uint32_t flags);

/*
 * Reads or, if set, writes an IOMMU_OPTION_* of the space: of its page table if that is what the
 * option belongs to. Silent; returns 0 or -errno of the ioctl.
 */
int iommu_space_option(struct iommu_space *space, uint32_t option, bool set, uint64_t *value);

/*
 * One sync: ORs a bit for each dirty 4 KiB page of [iova, iova + bytes) into 'bitmap' (bit 0 is
 * iova) and, unless keep, clears the state. Silent; returns 0 or -errno of the ioctl.
 */
int iommu_space_sync(struct iommu_space *space, uint64_t iova, uint64_t bytes, bool keep,
		     void *bitmap);

/*
 * Clears the state of the pages of [iova, iova + bytes) that 'bitmap' names, each of 'page' bytes.
 * Silent; returns 0 or -errno of the ioctl.
 */
int iommu_space_clear(struct iommu_space *space, uint64_t iova, uint64_t bytes, uint64_t page,
		      const void *bitmap);

/*
 * What the kernel says of the device's IOMMU: IOMMU_HW_CAP_* bits, and for an SMMUv3 its ID
 * registers IDR0 to IDR5. Returns the type of the latter (IOMMU_HW_INFO_TYPE_*) or -errno.
 */
int iommu_hardware(struct iommu *io, uint64_t *capabilities, uint32_t idr[6]);

#endif
