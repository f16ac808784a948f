// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices by fdinfo, by device node and by IOMMU group, in falling order of certainty.
 */
#define _GNU_SOURCE
#include "vms_device.h"
#include "../lib/cleanup.h"
#include "../lib/strings.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* The last part of what a link in sysfs points to; false if there is no such link. */
static bool link_name(const char *path, char *name, size_t size)
{
	char target[512];
	ssize_t length = readlink(path, target, sizeof(target) - 1);
	const char *slash;

	if (length <= 0)
		return false;
	target[length] = '\0';
	slash = strrchr(target, '/');
	string__copy(name, size, slash ? slash + 1 : target);
	return true;
}

static bool name_by_fdinfo(const struct vms_process *process, int fd, struct vm_device *device)
{
	char path[32], line[512];
	_cleanup_fclose_ FILE *file = NULL;
	int info;

	snprintf(path, sizeof(path), "fdinfo/%d", fd);
	info = openat(process->dir, path, O_RDONLY | O_CLOEXEC);
	file = info < 0 ? NULL : fdopen(info, "r");
	if (info >= 0 && !file)
		close(info);
	while (file && fgets(line, sizeof(line), file)) {
		if (strncmp(line, "vfio-device-syspath:", strlen("vfio-device-syspath:")))
			continue;
		line[strcspn(line, "\n")] = '\0';
		if (strrchr(line, '/'))
			STRING_COPY(device->name, strrchr(line, '/') + 1);
		return device->name[0];
	}
	return false;
}

/* "vfio/devices/vfio3" */
static void name_by_node(const char *target, struct vm_device *device)
{
	const char *node = strrchr(target, '/');
	char path[128];

	if (!node)
		return;
	snprintf(path, sizeof(path), "/sys/class/vfio-dev%s/device", node);
	link_name(path, device->name, sizeof(device->name));
}

static int add_vfio(const struct vms_process *process, const struct vms_descriptor *from,
		    struct vm *vm)
{
	struct vm_device *device = vm__add_device(vm);

	if (!device)
		return -ENOMEM;
	STRING_COPY(device->kind, "vfio");
	device->fd = from->fd;
	device->descriptors = 1;
	if (!name_by_fdinfo(process, from->fd, device) && from->device_number)
		name_by_node(from->target, device);
	return 0;
}

/* A queue has a descriptor of its own: they are one device. */
static int add_vhost(const struct vms_descriptor *from, struct vm *vm)
{
	struct vm_device *device = NULL;

	for (size_t i = 0; i < vm->device_count; i++)
		if (!strcmp(vm->devices[i].name, from->target))
			device = &vm->devices[i];
	if (!device) {
		device = vm__add_device(vm);
		if (!device)
			return -ENOMEM;
		STRING_COPY(device->kind, from->target);
		/* "vhost-vdpa-0" */
		device->kind[strcspn(device->kind, "0123456789")] = '\0';
		if (device->kind[strlen(device->kind) - 1] == '-')
			device->kind[strlen(device->kind) - 1] = '\0';
		STRING_COPY(device->name, from->target);
		device->descriptors = 0;
	}
	device->descriptors++;
	return 0;
}

static void note_iommu(struct vm *vm, const char *kind)
{
	size_t length = strlen(vm->iommu);

	if (!strstr(vm->iommu, kind))
		snprintf(vm->iommu + length, sizeof(vm->iommu) - length, "%s%s",
			 length ? ", " : "", kind);
}

int vms_device__list(const struct vms_process *process, struct vm *vm)
{
	int err = 0;

	for (size_t i = 0; !err && i < process->count; i++) {
		const struct vms_descriptor *from = &process->descriptors[i];

		switch (from->file) {
		case VMS_FILE_DEVICE:
			err = add_vfio(process, from, vm);
			break;
		case VMS_FILE_VHOST_NET:
		case VMS_FILE_VHOST_VSOCK:
		case VMS_FILE_VHOST:
			err = add_vhost(from, vm);
			break;
		case VMS_FILE_CONTAINER:
			note_iommu(vm, "type1");
			break;
		case VMS_FILE_IOMMUFD:
			note_iommu(vm, "iommufd");
			break;
		}
	}
	return err;
}

static bool is_listed(const struct vm *vm, const char *name)
{
	for (size_t i = 0; i < vm->device_count; i++)
		if (!strcmp(vm->devices[i].name, name))
			return true;
	return false;
}

static void close_dir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

static int add_group(const char *target, struct vm *vm)
{
	_cleanup_(close_dir) DIR *dir = NULL;
	struct vm_device *device;
	struct dirent *entry;
	char path[128];

	snprintf(path, sizeof(path), "/sys/kernel/iommu_groups/%s/devices",
		 target + strcspn(target, "0123456789"));
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.' || is_listed(vm, entry->d_name))
			continue;
		device = vm__add_device(vm);
		if (!device)
			return -ENOMEM;
		STRING_COPY(device->kind, "vfio");
		STRING_COPY(device->name, entry->d_name);
		device->descriptors = 0;
	}
	return 0;
}

static void look_up(struct vm_device *device)
{
	/* A PCI device, or whatever else VFIO has a bus driver for. */
	static const char *const buses[] = { "pci", "mdev", "platform", "ap", "fsl-mc", "cdx" };
	char path[160], driver[32];

	for (size_t i = 0; i < sizeof(buses) / sizeof(buses[0]); i++) {
		snprintf(path, sizeof(path), "/sys/bus/%s/devices/%s/iommu_group", buses[i],
			 device->name);
		link_name(path, device->iommu_group, sizeof(device->iommu_group));
		snprintf(path, sizeof(path), "/sys/bus/%s/devices/%s/driver", buses[i],
			 device->name);
		if (!link_name(path, driver, sizeof(driver)))
			continue;
		STRING_COPY(device->driver, driver);
		return;
	}
}

/* A bridge in a group is no device of the VM: nothing of VFIO drives it. */
static bool is_vfio_driver(const char *driver)
{
	return strstr(driver, "vfio");
}

/* Those from @added on came from groups; if any is good, the others need a name. */
static void drop_unnamed(struct vm *vm, size_t added)
{
	size_t kept = 0;
	bool found = false;

	for (size_t i = added; i < vm->device_count; i++)
		found |= is_vfio_driver(vm->devices[i].driver);
	for (size_t i = 0; i < vm->device_count; i++) {
		const struct vm_device *device = &vm->devices[i];

		if (i < added ? device->name[0] || !found : is_vfio_driver(device->driver))
			vm->devices[kept++] = *device;
	}
	vm->device_count = kept;
}

int vms_device__finish(const struct vms_process *process, struct vm *vm)
{
	size_t added = vm->device_count;
	bool unnamed = false;
	int err = 0;

	for (size_t i = 0; i < added; i++)
		unnamed |= !vm->devices[i].name[0];
	for (size_t i = 0; unnamed && !err && i < process->count; i++)
		if (process->descriptors[i].file == VMS_FILE_GROUP)
			err = add_group(process->descriptors[i].target, vm);
	for (size_t i = 0; i < vm->device_count; i++)
		if (!strcmp(vm->devices[i].kind, "vfio") && vm->devices[i].name[0])
			look_up(&vm->devices[i]);
	drop_unnamed(vm, added);
	return err;
}
