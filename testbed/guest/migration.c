// SPDX-License-Identifier: GPL-2.0-only
/*
 * VFIO's migration protocol. See migration.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "migration.h"
#include "runtime.h"

#define CHUNK	SZ_1M	/* what QEMU reads at once */

/* A device feature with its data right behind it */
struct feature {
	struct vfio_device_feature head;
	union {
		struct vfio_device_feature_migration migration;
		struct vfio_device_feature_mig_state state;
		struct vfio_device_feature_mig_data_size size;
	};
};

static int feature(const struct iommu *io, uint32_t what, struct feature *f, size_t bytes)
{
	f->head.argsz = sizeof(f->head) + bytes;
	f->head.flags = what;
	return ioctl(io->fd, VFIO_DEVICE_FEATURE, f) ? -errno : 0;
}

int migration_flags(const struct iommu *io, uint64_t *flags)
{
	struct feature f = { 0 };
	int err = feature(io, VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_MIGRATION, &f,
			  sizeof(f.migration));

	if (!err)
		*flags = f.migration.flags;
	return err;
}

int migration_state(const struct iommu *io)
{
	struct feature f = { 0 };
	int err = feature(io, VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE, &f,
			  sizeof(f.state));

	return err ? err : (int)f.state.device_state;
}

int migration_go(const struct iommu *io, enum vfio_device_mig_state state, int *data)
{
	struct feature f = { .state = { .device_state = state, .data_fd = -1 } };
	int err = feature(io, VFIO_DEVICE_FEATURE_SET | VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE, &f,
			  sizeof(f.state));

	if (data)
		*data = err ? -1 : f.state.data_fd;
	else if (!err)
		cleanup_fd(&f.state.data_fd);
	return err;
}

int migration_data_size(const struct iommu *io, uint64_t *bytes)
{
	struct feature f = { 0 };
	int err = feature(io, VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_MIG_DATA_SIZE, &f,
			  sizeof(f.size));

	if (!err)
		*bytes = f.size.stop_copy_length;
	return err;
}

int migration_precopy_info(int data, struct vfio_precopy_info *info)
{
	*info = (struct vfio_precopy_info){ .argsz = sizeof(*info) };
	return ioctl(data, VFIO_MIG_GET_PRECOPY_INFO, info) ? -errno : 0;
}

int migration_reset(const struct iommu *io)
{
	return ioctl(io->fd, VFIO_DEVICE_RESET) ? -errno : 0;
}

int migration_read(int data, void **buf, size_t *bytes, bool *ended)
{
	size_t room = 0, used = 0;
	char *to = NULL, *larger;
	ssize_t n;

	do {
		if (room - used < CHUNK) {
			room = room ? room * 2 : 2 * CHUNK;
			larger = realloc(to, room);
			if (!larger) {
				free(to);
				return -ENOMEM;
			}
			to = larger;
		}
		n = read(data, to + used, CHUNK);
		if (n > 0)
			used += n;
	} while (n > 0);
	if (n < 0 && errno != ENOMSG) {
		n = -errno;
		free(to);
		return n;
	}
	*ended = !n;
	*buf = to;
	*bytes = used;
	return 0;
}

int migration_write(int data, const void *buf, size_t bytes)
{
	const char *from = buf;

	while (bytes) {
		ssize_t n = write(data, from, bytes < CHUNK ? bytes : CHUNK);

		if (n < 0)
			return -errno;
		from += n;
		bytes -= n;
	}
	return 0;
}
