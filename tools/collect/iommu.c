// SPDX-License-Identifier: GPL-2.0-only
/*
 * The scan of /sys/class/iommu. Not here: the meaning of register bits
 * (model/iommu_features.c).
 */
#define _GNU_SOURCE
#include "iommu.h"
#include "host.h"
#include "../lib/cleanup.h"
#include "../lib/strings.h"
#include "../model/iommu_features.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>

enum family { VTD, AMD, SMMUV3, OTHER };

static const struct {
	const char *prefix;	/* of the name in /sys/class/iommu */
	const char *type;
} families[] = {
	[VTD] = { "dmar", "VT-d" },
	[AMD] = { "ivhd", "AMD-Vi" },
	[SMMUV3] = { "smmu3.", "SMMUv3" },
	[OTHER] = { "", "other" },
};

static enum family family_of(const char *name)
{
	enum family family = VTD;

	while (strncmp(name, families[family].prefix, strlen(families[family].prefix)))
		family++;
	return family;
}

/* On the command line, else as the kernel was configured. */
static enum tristate is_scalable(const struct iommu_context *context)
{
	char path[PATH_MAX], text[4096];

	snprintf(path, sizeof(path), "%s/proc/cmdline", context->root);
	if (!host__read(path, text, sizeof(text))) {
		if (strstr(text, "sm_on"))
			return TRI_TRUE;
		if (strstr(text, "sm_off"))
			return TRI_FALSE;
	}
	snprintf(path, sizeof(path), "%s/boot/config-%s", context->root, context->release);
	return host__configured(path, "CONFIG_INTEL_IOMMU_SCALABLE_MODE_DEFAULT_ON");
}

/* Name of the device that an SMMU is, in the kernel's log. */
static int device_of(const struct iommu_context *context, const char *name, char *device,
		     size_t size)
{
	char path[PATH_MAX], *real, *slash;

	snprintf(path, sizeof(path), "%s/sys/class/iommu/%s/device", context->root, name);
	real = realpath(path, NULL);
	if (!real) {
		/* Without that link it is ".../DEVICE/iommu/NAME". */
		snprintf(path, sizeof(path), "%s/sys/class/iommu/%s/../..", context->root, name);
		real = realpath(path, NULL);
	}
	slash = real ? strrchr(real, '/') : NULL;
	if (slash)
		string__copy(device, size, slash + 1);
	free(real);
	return slash ? 0 : -ENOENT;
}

/*
 * Each read gives one message. The log is a ring: what is gone leaves unknown what it
 * said, unless the first message is the kernel's first.
 */
static void read_log(const struct iommu_context *context, const char *device, uint64_t *features,
		     enum tristate *overridden)
{
	_cleanup_close_ int fd = -1;
	unsigned long long number = 1;
	char path[PATH_MAX], text[8193];
	bool first = true, whole = false;
	ssize_t length;

	snprintf(path, sizeof(path), "%s/dev/kmsg", context->root);
	fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	while (fd >= 0) {
		length = read(fd, text, sizeof(text) - 1);
		/* Overwritten before it was read */
		if (length < 0 && errno == EPIPE)
			continue;
		if (length <= 0)
			break;
		text[length] = '\0';
		/* "level,number,time,flags;text" */
		if (first && sscanf(text, "%*u,%llu,", &number) == 1)
			whole = !number;
		first = false;
		iommu_features__log_line(text, device, features, overridden);
	}
	if (whole && *overridden == TRI_UNKNOWN)
		*overridden = TRI_FALSE;
}

static void scan_smmu(const struct iommu_context *context, struct iommu_facts *iommu,
		      enum tristate *overridden)
{
	uint64_t features = UNKNOWN;
	char path[PATH_MAX], device[64];

	/* Firmware speaks through ACPI's IORT only; a device tree cannot override. */
	snprintf(path, sizeof(path), "%s/sys/firmware/acpi/tables/IORT", context->root);
	if (access(path, F_OK))
		*overridden = TRI_FALSE;
	if (!device_of(context, iommu->name, device, sizeof(device)))
		read_log(context, device, &features, overridden);
	iommu->hardware = iommu_features__smmu(features, iommu->reason, sizeof(iommu->reason));
	iommu->driver = context->smmu_driver;
}

static void scan_one(const struct iommu_context *context, struct iommu_facts *iommu,
		     enum tristate *overridden)
{
	enum family family = family_of(iommu->name);
	char path[PATH_MAX], text[64] = "";

	STRING_COPY(iommu->type, families[family].type);
	switch (family) {
	case VTD:
		snprintf(path, sizeof(path), "%s/sys/class/iommu/%s/intel-iommu/ecap",
			 context->root, iommu->name);
		host__read(path, text, sizeof(text));
		iommu->hardware = iommu_features__vtd(text, is_scalable(context), iommu->reason,
						      sizeof(iommu->reason));
		iommu->driver = context->vtd_driver;
		break;
	case AMD:
		snprintf(path, sizeof(path), "%s/sys/class/iommu/%s/amd-iommu/features",
			 context->root, iommu->name);
		host__read(path, text, sizeof(text));
		iommu->hardware = iommu_features__amd(text, iommu->reason, sizeof(iommu->reason));
		iommu->driver = context->amd_driver;
		break;
	case SMMUV3:
		scan_smmu(context, iommu, overridden);
		break;
	case OTHER:
		STRING_COPY(iommu->reason, "hwdbm does not know this kind");
		break;
	}
	iommu__settle(context, iommu);
}

void iommu__settle(const struct iommu_context *context, struct iommu_facts *iommu)
{
	iommu->tracks = tristate__and(iommu->hardware, iommu->driver);
	if (iommu->hardware != TRI_FALSE && iommu->driver == TRI_FALSE)
		STRING_COPY(iommu->reason,
			    "its driver in this kernel does not read dirty state (SMMUv3: Linux 6.11, others 6.7)");
	else if (iommu->tracks != TRI_FALSE && context->reachable == TRI_FALSE)
		STRING_COPY(iommu->reason, "nobody can ask it to: this kernel has no iommufd");
	iommu->tracks = tristate__and(iommu->tracks, context->reachable);
}

struct iommu_facts *iommu__find(const struct fact_list *iommus, const char *name)
{
	for (size_t i = 0; i < iommus->count; i++) {
		struct iommu_facts *iommu = facts__at(iommus, i);

		if (!strcmp(iommu->name, name))
			return iommu;
	}
	return NULL;
}

/* The kernel's selftest brings one that no device is behind. */
static int is_real(const struct dirent *entry)
{
	return entry->d_name[0] != '.' && strncmp(entry->d_name, "iommufd_selftest", 16);
}

int iommu__scan(const struct iommu_context *context, struct fact_list *iommus,
		enum tristate *overridden)
{
	struct dirent **names;
	char path[PATH_MAX];
	int count, err = 0;

	*overridden = TRI_UNKNOWN;
	snprintf(path, sizeof(path), "%s/sys/class/iommu", context->root);
	count = scandir(path, &names, is_real, versionsort);
	for (int i = 0; i < count; i++) {
		struct iommu_facts *iommu = err ? NULL : facts__add(iommus);

		if (!iommu)
			err = -ENOMEM;
		if (iommu) {
			STRING_COPY(iommu->name, names[i]->d_name);
			scan_one(context, iommu, overridden);
		}
		free(names[i]);
	}
	if (count >= 0)
		free(names);
	return err;
}
