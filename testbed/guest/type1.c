// SPDX-License-Identifier: GPL-2.0-only
/*
 * Container, groups and the dirty log of VFIO's type1 IOMMU. See type1.h.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/pci_regs.h>
#include <linux/vfio.h>

#include "runtime.h"
#include "type1.h"

#define KNOBS	"/sys/module/vfio_iommu_type1/parameters/"
#define DEVICES	"/sys/bus/pci/devices/"

/* New with the patched kernel; the program is built with the headers of the stock one. */
#ifndef VFIO_DIRTY_LOG_MANUAL_CLEAR
#define VFIO_DIRTY_LOG_MANUAL_CLEAR			11
#define VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP_NOCLEAR	(1 << 3)
#define VFIO_IOMMU_DIRTY_PAGES_FLAG_CLEAR_BITMAP	(1 << 4)
#endif

bool type1_knob_exists(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), KNOBS "%s", name);
	return !access(path, F_OK);
}

int type1_knob_set(const char *name, const char *value)
{
	char path[128];
	int err;

	snprintf(path, sizeof(path), KNOBS "%s", name);
	err = write_text(path, value);
	if (err)
		return problem(-err, "cannot write %s to %s (%s); run as root", value, path,
			       strerror(-err));
	return 0;
}

static bool has_id(const char *name, const char *file, uint16_t id)
{
	char path[PATH_MAX], text[16];

	snprintf(path, sizeof(path), DEVICES "%s/%s", name, file);
	return !read_text(path, text, sizeof(text)) && strtoul(text, NULL, 16) == id;
}

int type1_find(uint16_t vendor, uint16_t device, unsigned int n, char name[16])
{
	struct dirent **found;
	int count = scandir(DEVICES, &found, NULL, alphasort), err = -ENODEV;

	for (int i = 0; i < count; i++) {
		if (err && has_id(found[i]->d_name, "vendor", vendor) &&
		    has_id(found[i]->d_name, "device", device) && !n--) {
			snprintf(name, 16, "%.15s", found[i]->d_name);
			err = 0;
		}
		free(found[i]);
	}
	if (count >= 0)
		free(found);
	return err;
}

int type1_container(void)
{
	int fd = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return problem(errno, "cannot open /dev/vfio/vfio (%s); run as root on a kernel with CONFIG_VFIO_CONTAINER",
			       strerror(errno));
	return fd;
}

static int open_group(const char *name)
{
	char path[PATH_MAX], link[PATH_MAX];
	ssize_t n;

	snprintf(path, sizeof(path), DEVICES "%s/iommu_group", name);
	n = readlink(path, link, sizeof(link) - 1);
	if (n < 0)
		return -errno;
	link[n] = '\0';
	snprintf(path, sizeof(path), "/dev/vfio/%.32s", basename(link));
	n = open(path, O_RDWR | O_CLOEXEC);
	return n < 0 ? -errno : n;
}

static int enable_bus_master(int fd)
{
	struct vfio_region_info config = {
		.argsz = sizeof(config),
		.index = VFIO_PCI_CONFIG_REGION_INDEX,
	};
	uint16_t command;

	if (ioctl(fd, VFIO_DEVICE_GET_REGION_INFO, &config))
		return -errno;
	if (pread(fd, &command, sizeof(command), config.offset + PCI_COMMAND) != sizeof(command))
		return -EIO;
	command |= PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
	if (pwrite(fd, &command, sizeof(command), config.offset + PCI_COMMAND) != sizeof(command))
		return -EIO;
	return 0;
}

int type1_attach(int container, const char *name, int *group, struct iommu *io)
{
	int err;

	*io = IOMMU_CLOSED;
	*group = open_group(name);
	if (*group < 0)
		return problem(-*group, "cannot open the group of %s (%s); bind the device to vfio-pci",
			       name, strerror(-*group));
	if (ioctl(*group, VFIO_GROUP_SET_CONTAINER, &container)) {
		err = problem(errno, "cannot attach the group of %s (%s); see the kernel log", name,
			      strerror(errno));
		goto fail;
	}
	/* Only the first group finds the container without an IOMMU. */
	if (ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU) && errno != EBUSY &&
	    errno != EINVAL) {
		err = problem(errno, "the container takes no type1 IOMMU (%s); see the kernel log",
			      strerror(errno));
		goto fail;
	}
	io->fd = ioctl(*group, VFIO_GROUP_GET_DEVICE_FD, name);
	if (io->fd < 0) {
		err = problem(errno, "cannot open %s (%s); let no other program hold it", name,
			      strerror(errno));
		goto fail;
	}
	err = enable_bus_master(io->fd);
	if (!err)
		return 0;
	problem(-err, "cannot let %s master the bus (%s); check that it is a PCI device", name,
		strerror(-err));
fail:
	type1_detach(group, io);
	return err;
}

void type1_detach(int *group, struct iommu *io)
{
	cleanup_fd(&io->fd);
	cleanup_fd(group);
	io->fd = -1;
	*group = -1;
}

int type1_map(int container, const void *va, uint64_t iova, uint64_t bytes)
{
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map),
		.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
		.vaddr = (uintptr_t)va,
		.iova = iova,
		.size = bytes,
	};

	return ioctl(container, VFIO_IOMMU_MAP_DMA, &map) ? -errno : 0;
}

int type1_unmap(int container, uint64_t iova, uint64_t bytes, void *bitmap)
{
	struct {
		struct vfio_iommu_type1_dma_unmap head;
		struct vfio_bitmap bitmap;
	} unmap = {
		.head = {
			.argsz = sizeof(unmap),
			.flags = bitmap ? VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP : 0,
			.iova = iova,
			.size = bytes,
		},
		.bitmap = {
			.pgsize = SZ_4K,
			.size = (bytes / SZ_4K + 63) / 64 * 8,
			.data = bitmap,
		},
	};

	if (ioctl(container, VFIO_IOMMU_UNMAP_DMA, &unmap))
		return -errno;
	return unmap.head.size == bytes ? 0 : -ENOENT;
}

static int dirty_pages(int container, uint32_t flag)
{
	struct vfio_iommu_type1_dirty_bitmap dirty = { .argsz = sizeof(dirty), .flags = flag };

	return ioctl(container, VFIO_IOMMU_DIRTY_PAGES, &dirty) ? -errno : 0;
}

int type1_log_start(int container)
{
	return dirty_pages(container, VFIO_IOMMU_DIRTY_PAGES_FLAG_START);
}

int type1_log_stop(int container)
{
	return dirty_pages(container, VFIO_IOMMU_DIRTY_PAGES_FLAG_STOP);
}

int type1_log(int container, enum type1_log what, uint64_t iova, uint64_t bytes, void *bitmap)
{
	static const uint32_t flags[] = {
		[TYPE1_GET] = VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP,
		[TYPE1_GET_NOCLEAR] = VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP_NOCLEAR,
		[TYPE1_CLEAR] = VFIO_IOMMU_DIRTY_PAGES_FLAG_CLEAR_BITMAP,
	};
	struct {
		struct vfio_iommu_type1_dirty_bitmap head;
		struct vfio_iommu_type1_dirty_bitmap_get range;
	} get = {
		.head = { .argsz = sizeof(get), .flags = flags[what] },
		.range = {
			.iova = iova,
			.size = bytes,
			.bitmap = {
				.pgsize = SZ_4K,
				.size = (bytes / SZ_4K + 63) / 64 * 8,
				.data = bitmap,
			},
		},
	};

	return ioctl(container, VFIO_IOMMU_DIRTY_PAGES, &get) ? -errno : 0;
}

bool type1_has_manual_clear(int container)
{
	return ioctl(container, VFIO_CHECK_EXTENSION, VFIO_DIRTY_LOG_MANUAL_CLEAR) == 1;
}
