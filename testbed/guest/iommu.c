// SPDX-License-Identifier: GPL-2.0-only
/*
 * iommufd and VFIO character device calls, with a sentence for every failure. See iommu.h.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/iommufd.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>

#include "iommu.h"
#include "runtime.h"

static int enable_bus_master(struct iommu *io)
{
	struct vfio_region_info config = {
		.argsz = sizeof(config),
		.index = VFIO_PCI_CONFIG_REGION_INDEX,
	};
	uint16_t command;

	if (ioctl(io->fd, VFIO_DEVICE_GET_REGION_INFO, &config))
		return -errno;
	if (pread(io->fd, &command, sizeof(command), config.offset + PCI_COMMAND) != sizeof(command))
		return -EIO;
	command |= PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
	if (pwrite(io->fd, &command, sizeof(command), config.offset + PCI_COMMAND) !=
	    sizeof(command))
		return -EIO;
	return 0;
}

int iommu_find(const char *name, char *path, size_t size)
{
	struct dirent *entry;
	char folder[128];
	int err = -ENODEV;
	DIR *dir;

	snprintf(folder, sizeof(folder), "/sys/bus/pci/devices/%.16s/vfio-dev", name);
	dir = opendir(folder);
	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.') {
			snprintf(path, size, "/dev/vfio/devices/%.32s", entry->d_name);
			err = 0;
		}
	if (dir)
		closedir(dir);
	return err ? problem(ENODEV, "%s is not bound to a VFIO driver", name) : 0;
}

int iommu_open(struct iommu *io, const char *device)
{
	struct vfio_device_bind_iommufd bind = { .argsz = sizeof(bind) };
	int err;

	*io = IOMMU_CLOSED;
	io->iommufd = open("/dev/iommu", O_RDWR | O_CLOEXEC);
	if (io->iommufd < 0)
		return problem(errno, "cannot open /dev/iommu (%s); run as root on a kernel with CONFIG_IOMMUFD",
			       strerror(errno));
	io->fd = open(device, O_RDWR | O_CLOEXEC);
	if (io->fd < 0) {
		err = problem(errno, "cannot open %s (%s); bind the device to vfio-pci on a kernel with CONFIG_VFIO_DEVICE_CDEV, and let no other program hold it",
			      device, strerror(errno));
		goto fail;
	}
	bind.iommufd = io->iommufd;
	if (ioctl(io->fd, VFIO_DEVICE_BIND_IOMMUFD, &bind)) {
		err = problem(errno, "cannot bind %s to iommufd (%s); check that an IOMMU serves the device and that no other program uses it",
			      device, strerror(errno));
		goto fail;
	}
	io->devid = bind.out_devid;
	err = enable_bus_master(io);
	if (err) {
		problem(-err, "cannot let %s master the bus (%s); check that it is a PCI device",
			device, strerror(-err));
		goto fail;
	}
	return 0;
fail:
	iommu_close(io);
	return err;
}

void iommu_close(struct iommu *io)
{
	cleanup_fd(&io->fd);
	cleanup_fd(&io->iommufd);
	*io = IOMMU_CLOSED;
}

void *iommu_map_bar(struct iommu *io, unsigned int index, size_t *bytes)
{
	struct vfio_region_info region = { .argsz = sizeof(region), .index = index };
	void *va;

	if (ioctl(io->fd, VFIO_DEVICE_GET_REGION_INFO, &region))
		return NULL;
	if (!region.size) {
		errno = ENODEV;
		return NULL;
	}
	va = mmap(NULL, region.size, PROT_READ | PROT_WRITE, MAP_SHARED, io->fd, region.offset);
	if (va == MAP_FAILED)
		return NULL;
	*bytes = region.size;
	return va;
}

static void destroy_object(struct iommu *io, uint32_t *id)
{
	struct iommu_destroy destroy = { .size = sizeof(destroy), .id = *id };

	if (*id)
		ioctl(io->iommufd, IOMMU_DESTROY, &destroy);
	*id = 0;
}

int iommu_space_create(struct iommu_space *space, struct iommu *io, bool pages_only)
{
	struct iommu_ioas_alloc ioas = { .size = sizeof(ioas) };
	struct iommu_hwpt_alloc hwpt = {
		.size = sizeof(hwpt),
		.flags = IOMMU_HWPT_ALLOC_DIRTY_TRACKING,
		.dev_id = io->devid,
	};
	struct vfio_device_attach_iommufd_pt attach = { .argsz = sizeof(attach) };
	int err;

	*space = (struct iommu_space){ .iommu = io };
	if (ioctl(io->iommufd, IOMMU_IOAS_ALLOC, &ioas))
		return problem(errno, "cannot create an IOVA space (%s); check free memory",
			       strerror(errno));
	space->ioas = ioas.out_ioas_id;
	if (pages_only) {
		struct iommu_option option = {
			.size = sizeof(option),
			.option_id = IOMMU_OPTION_HUGE_PAGES,
			.op = IOMMU_OPTION_OP_SET,
			.object_id = space->ioas,
			.val64 = 0,
		};

		if (ioctl(io->iommufd, IOMMU_OPTION, &option)) {
			err = problem(errno, "cannot limit the IOVA space to 4K leaves (%s); use --backing 2M or 1G",
				      strerror(errno));
			goto fail;
		}
	}
	hwpt.pt_id = space->ioas;
	if (ioctl(io->iommufd, IOMMU_HWPT_ALLOC, &hwpt)) {
		err = problem(errno, "the IOMMU gives no page table with dirty tracking (%s); it needs hardware dirty state (SMMUv3 HTTU 2)",
			      strerror(errno));
		goto fail;
	}
	space->hwpt = hwpt.out_hwpt_id;
	attach.pt_id = space->hwpt;
	if (ioctl(io->fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach)) {
		err = problem(errno, "cannot attach the device to its page table (%s); see the kernel log",
			      strerror(errno));
		goto fail;
	}
	space->attached = true;
	return 0;
fail:
	iommu_space_destroy(space);
	return err;
}

void iommu_space_destroy(struct iommu_space *space)
{
	struct vfio_device_detach_iommufd_pt detach = { .argsz = sizeof(detach) };

	if (!space->iommu)
		return;
	if (space->attached)
		ioctl(space->iommu->fd, VFIO_DEVICE_DETACH_IOMMUFD_PT, &detach);
	space->attached = false;
	destroy_object(space->iommu, &space->hwpt);
	destroy_object(space->iommu, &space->ioas);
}

int iommu_space_map(struct iommu_space *space, void *va, uint64_t iova, uint64_t bytes)
{
	struct iommu_ioas_map map = {
		.size = sizeof(map),
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE |
			 IOMMU_IOAS_MAP_WRITEABLE,
		.ioas_id = space->ioas,
		.user_va = (uintptr_t)va,
		.length = bytes,
		.iova = iova,
	};

	if (ioctl(space->iommu->iommufd, IOMMU_IOAS_MAP, &map))
		return problem(errno, "cannot map %llu bytes at IOVA %#llx (%s); check free memory and RLIMIT_MEMLOCK",
			       (unsigned long long)bytes, (unsigned long long)iova,
			       strerror(errno));
	return 0;
}

int iommu_space_unmap(struct iommu_space *space, uint64_t iova, uint64_t bytes)
{
	struct iommu_ioas_unmap unmap = {
		.size = sizeof(unmap),
		.ioas_id = space->ioas,
		.iova = iova,
		.length = bytes,
	};

	if (ioctl(space->iommu->iommufd, IOMMU_IOAS_UNMAP, &unmap))
		return problem(errno, "cannot unmap IOVA %#llx (%s); see the kernel log",
			       (unsigned long long)iova, strerror(errno));
	return 0;
}

int iommu_space_track_flags(struct iommu_space *space, uint32_t flags)
{
	struct iommu_hwpt_set_dirty_tracking set = {
		.size = sizeof(set),
		.flags = flags,
		.hwpt_id = space->hwpt,
	};

	if (ioctl(space->iommu->iommufd, IOMMU_HWPT_SET_DIRTY_TRACKING, &set))
		return problem(errno, "cannot turn dirty tracking %s (%s); see the kernel log",
			       flags ? "on" : "off", strerror(errno));
	return 0;
}

int iommu_space_track(struct iommu_space *space, bool enable)
{
	return iommu_space_track_flags(space, enable ? IOMMU_HWPT_DIRTY_TRACKING_ENABLE : 0);
}

int iommu_space_option(struct iommu_space *space, uint32_t option, bool set, uint64_t *value)
{
	struct iommu_option cmd = {
		.size = sizeof(cmd),
		.option_id = option,
		.op = set ? IOMMU_OPTION_OP_SET : IOMMU_OPTION_OP_GET,
		.object_id = option == IOMMU_OPTION_DIRTY_GRANULARITIES ? space->hwpt :
									  space->ioas,
		.val64 = set ? *value : 0,
	};

	if (ioctl(space->iommu->iommufd, IOMMU_OPTION, &cmd))
		return -errno;
	*value = cmd.val64;
	return 0;
}

int iommu_space_sync(struct iommu_space *space, uint64_t iova, uint64_t bytes, bool keep,
		     void *bitmap)
{
	struct iommu_hwpt_get_dirty_bitmap get = {
		.size = sizeof(get),
		.hwpt_id = space->hwpt,
		.flags = keep ? IOMMU_HWPT_GET_DIRTY_BITMAP_NO_CLEAR : 0,
		.iova = iova,
		.length = bytes,
		.page_size = SZ_4K,
		.data = (uintptr_t)bitmap,
	};

	if (ioctl(space->iommu->iommufd, IOMMU_HWPT_GET_DIRTY_BITMAP, &get))
		return -errno;
	return 0;
}

int iommu_space_clear(struct iommu_space *space, uint64_t iova, uint64_t bytes, uint64_t page,
		      const void *bitmap)
{
	struct iommu_hwpt_clear_dirty_bitmap clear = {
		.size = sizeof(clear),
		.hwpt_id = space->hwpt,
		.iova = iova,
		.length = bytes,
		.page_size = page,
		.data = (uintptr_t)bitmap,
	};

	if (ioctl(space->iommu->iommufd, IOMMU_HWPT_CLEAR_DIRTY_BITMAP, &clear))
		return -errno;
	return 0;
}

int iommu_hardware(struct iommu *io, uint64_t *capabilities, uint32_t idr[6])
{
	struct iommu_hw_info_arm_smmuv3 smmu = { 0 };
	struct iommu_hw_info info = {
		.size = sizeof(info),
		.dev_id = io->devid,
		.data_len = sizeof(smmu),
		.data_uptr = (uintptr_t)&smmu,
	};

	if (ioctl(io->iommufd, IOMMU_GET_HW_INFO, &info))
		return -errno;
	*capabilities = info.out_capabilities;
	memcpy(idr, smmu.idr, sizeof(smmu.idr));
	return info.out_data_type;
}
