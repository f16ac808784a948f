// SPDX-License-Identifier: GPL-2.0-only
/*
 * VFIO's devices in sysfs, and its and iommufd's calls to ask them. Not here: what a
 * migration makes of the answers (model/diagnosis.c).
 */
#define _GNU_SOURCE
#include "devices.h"
#include "../lib/cleanup.h"
#include "../lib/strings.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/ioctl.h>
#include <linux/types.h>
#include <sys/ioctl.h>

/*
 * include/uapi/linux/vfio.h and iommufd.h, which Debian 12 does not have in these
 * versions.
 */
#define VFIO_DEVICE_FEATURE _IO(';', 117)
#define VFIO_DEVICE_BIND_IOMMUFD _IO(';', 118)
#define FEATURE_GET (1 << 16)
#define FEATURE_SET (1 << 17)
#define FEATURE_PROBE (1 << 18)
#define FEATURE_MIGRATION 1
#define FEATURE_DMA_LOGGING_START 6

struct feature {
	__u32 argsz;
	__u32 flags;
};

struct bind {
	__u32 argsz;
	__u32 flags;
	__s32 iommufd;
	__u32 out_devid;
};

#define IOMMU_GET_HW_INFO _IO(';', 0x8a)
#define HW_INFO_SMMUV3 2
#define HW_CAP_DIRTY_TRACKING 1

struct hw_info {
	__u32 size;
	__u32 flags;
	__u32 device;
	__u32 data_length;
	__u64 data;
	__u32 type;
	__u32 reserved;
	__u64 capabilities;
};

struct hw_info_smmuv3 {
	__u32 flags;
	__u32 reserved;
	__u32 idr[6];
	__u32 iidr;
	__u32 aidr;
};

/* IHI 0070: IDR3.BBML */
#define IDR3_BBML(idr3) ((idr3) >> 11 & 3)

/*
 * What drivers are known for, by their source up to Linux 7.3. A device may do less: its
 * firmware decides.
 */
static const struct {
	const char *name;
	enum tristate migrates;
	enum tristate own_log;
} drivers[] = {
	{ "vfio-pci", TRI_FALSE, TRI_FALSE },
	{ "mlx5_vfio_pci", TRI_TRUE, TRI_TRUE },
	{ "pds_vfio_pci", TRI_TRUE, TRI_TRUE },
	{ "hisi_acc_vfio_pci", TRI_TRUE, TRI_FALSE },
	{ "qat_vfio_pci", TRI_TRUE, TRI_FALSE },
	{ "virtio_vfio_pci", TRI_TRUE, TRI_FALSE },
	{ "xe_vfio_pci", TRI_TRUE, TRI_FALSE },
	{ "nvgrace_gpu_vfio_pci", TRI_FALSE, TRI_FALSE },
};

/* Last part of what a link points to. */
static int read_link(const char *folder, const char *name, char *text, size_t size)
{
	char path[PATH_MAX], target[PATH_MAX], *slash;
	ssize_t length;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	length = readlink(path, target, sizeof(target) - 1);
	*text = '\0';
	if (length < 0)
		return -errno;
	target[length] = '\0';
	slash = strrchr(target, '/');
	string__copy(text, size, slash ? slash + 1 : target);
	return 0;
}

static int add(const char *folder, const char *name, struct fact_list *devices)
{
	struct device_facts *device = facts__add(devices);

	if (!device)
		return -ENOMEM;
	STRING_COPY(device->name, name);
	read_link(folder, "driver", device->driver, sizeof(device->driver));
	read_link(folder, "iommu", device->iommu, sizeof(device->iommu));
	device->asked = TRI_FALSE;
	for (size_t i = 0; i < sizeof(drivers) / sizeof(drivers[0]); i++)
		if (!strcmp(drivers[i].name, device->driver)) {
			device->migrates = drivers[i].migrates;
			device->own_log = drivers[i].own_log;
		}
	return 0;
}

static int skip_dots(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

/* Calls a function for each entry of a folder; a folder that is not there has none. */
static int each(const char *folder, int (*function)(const char *folder, const char *name,
						    struct fact_list *devices),
		struct fact_list *devices)
{
	struct dirent **names;
	int count = scandir(folder, &names, skip_dots, versionsort), err = 0;

	for (int i = 0; i < count; i++) {
		err = err ?: function(folder, names[i]->d_name, devices);
		free(names[i]);
	}
	if (count >= 0)
		free(names);
	return count < 0 ? -errno : err;
}

/* Linux 6.1 and later list every VFIO device. */
static int add_listed(const char *folder, const char *name, struct fact_list *devices)
{
	char path[PATH_MAX], device[64];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	if (read_link(path, "device", device, sizeof(device)))
		return 0;
	snprintf(path, sizeof(path), "%s/%s/device", folder, name);
	return add(path, device, devices);
}

static int add_bound(const char *folder, const char *name, struct fact_list *devices)
{
	char path[PATH_MAX];

	/* "0000:00:01.0"; the rest are the driver's own files. */
	if (!strchr(name, ':'))
		return 0;
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return add(path, name, devices);
}

static int add_driver(const char *folder, const char *name, struct fact_list *devices)
{
	char path[PATH_MAX];

	if (!strstr(name, "vfio"))
		return 0;
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return each(path, add_bound, devices);
}

int devices__scan(const char *root, struct fact_list *devices)
{
	char path[PATH_MAX];
	int err;

	snprintf(path, sizeof(path), "%s/sys/class/vfio-dev", root);
	err = each(path, add_listed, devices);
	if (err != -ENOENT)
		return err;
	snprintf(path, sizeof(path), "%s/sys/bus/pci/drivers", root);
	err = each(path, add_driver, devices);
	return err == -ENOENT ? 0 : err;
}

/* Opens /dev/vfio/devices/vfioN. Return: a file descriptor or -errno. */
static int open_device(const struct device_facts *device)
{
	char path[PATH_MAX];
	struct dirent **names;
	int count, fd = -EOPNOTSUPP;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/vfio-dev", device->name);
	count = scandir(path, &names, skip_dots, NULL);
	for (int i = 0; i < count; i++) {
		snprintf(path, sizeof(path), "/dev/vfio/devices/%s", names[i]->d_name);
		if (!i)
			fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd == -1)
			fd = errno == ENOENT ? -EOPNOTSUPP : -errno;
		free(names[i]);
	}
	if (count >= 0)
		free(names);
	return fd;
}

/* Whether the device has a feature; -errno that says neither yes nor no is unknown. */
static enum tristate has_feature(int fd, __u32 flags)
{
	struct feature feature = { .argsz = sizeof(feature), .flags = flags | FEATURE_PROBE };

	if (!ioctl(fd, VFIO_DEVICE_FEATURE, &feature))
		return TRI_TRUE;
	return errno == ENOTTY ? TRI_FALSE : TRI_UNKNOWN;
}

static void ask_iommu(int iommufd, __u32 id, struct iommu_facts *iommu)
{
	struct hw_info_smmuv3 smmu = { 0 };
	struct hw_info info = {
		.size = sizeof(info), .device = id,
		.data_length = sizeof(smmu), .data = (uintptr_t)&smmu,
	};
	bool tracks;

	if (ioctl(iommufd, IOMMU_GET_HW_INFO, &info))
		return;
	tracks = info.capabilities & HW_CAP_DIRTY_TRACKING;
	iommu->hardware = tracks ? TRI_TRUE : TRI_FALSE;
	/* It is the driver that says so. */
	if (tracks)
		iommu->driver = TRI_TRUE;
	if (info.type == HW_INFO_SMMUV3)
		snprintf(iommu->reason, sizeof(iommu->reason),
			 "iommufd says %s of a device behind it; BBML %u", tracks ? "so" : "no",
			 IDR3_BBML(smmu.idr[3]));
	else
		snprintf(iommu->reason, sizeof(iommu->reason), "iommufd says %s of a device behind it",
			 tracks ? "so" : "no");
}

int devices__ask(struct device_facts *device, struct iommu_facts *iommu)
{
	_cleanup_close_ int iommufd = open("/dev/iommu", O_RDWR | O_CLOEXEC);
	_cleanup_close_ int fd = -1;
	struct bind bind = { .argsz = sizeof(bind), .iommufd = iommufd };

	if (iommufd < 0)
		return errno == ENOENT ? -EOPNOTSUPP : -errno;
	fd = open_device(device);
	if (fd < 0)
		return fd;
	/* EINVAL is what a device says that another process has bound. */
	if (ioctl(fd, VFIO_DEVICE_BIND_IOMMUFD, &bind))
		return errno == EINVAL ? -EBUSY : -errno;
	device->migrates = has_feature(fd, FEATURE_GET | FEATURE_MIGRATION);
	device->own_log = has_feature(fd, FEATURE_SET | FEATURE_DMA_LOGGING_START);
	device->asked = TRI_TRUE;
	if (iommu)
		ask_iommu(iommufd, bind.out_devid, iommu);
	return 0;
}
