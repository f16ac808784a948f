/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The IOMMUs of this host, as sysfs and the kernel's log show them. Nothing is opened
 * that belongs to a device. Not here: what a device itself says (devices.c).
 */
#ifndef HWDBM_COLLECT_IOMMU_H
#define HWDBM_COLLECT_IOMMU_H

#include "../model/diagnosis.h"

/* What is known about this kernel's side. */
struct iommu_context {
	const char *root;		/* in front of /sys, /proc and /dev: "" but in tests */
	const char *release;
	enum tristate vtd_driver;	/* the driver reads dirty state */
	enum tristate amd_driver;
	enum tristate smmu_driver;
	enum tristate reachable;	/* user space can ask: iommufd, or type1 that asks for it */
};

/**
 * iommu__scan() - one record for each IOMMU
 *
 * @overridden: whether firmware claims dirty bits for an SMMUv3 that the hardware denies
 *
 * Return: 0, or -ENOMEM. That there is none is no error.
 */
int iommu__scan(const struct iommu_context *context, struct fact_list *iommus,
		enum tristate *overridden);

/** iommu__settle() - fill in whether an IOMMU tracks, from its hardware and the context */
void iommu__settle(const struct iommu_context *context, struct iommu_facts *iommu);

/** iommu__find() - an IOMMU by its name, or NULL */
struct iommu_facts *iommu__find(const struct fact_list *iommus, const char *name);

#endif
