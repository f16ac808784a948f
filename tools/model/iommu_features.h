/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Whether an IOMMU's hardware can mark pages dirty, from its own registers. Not here:
 * where the registers are read.
 */
#ifndef HWDBM_MODEL_IOMMU_FEATURES_H
#define HWDBM_MODEL_IOMMU_FEATURES_H

#include "field.h"

/**
 * iommu_features__vtd() - Intel VT-d, from its extended capabilities
 *
 * @ecap: text of /sys/class/iommu/dmarN/intel-iommu/ecap
 * @scalable: whether the driver runs it in scalable mode
 * @reason: set to a sentence
 */
enum tristate iommu_features__vtd(const char *ecap, enum tristate scalable, char *reason,
				  size_t size);

/**
 * iommu_features__amd() - AMD-Vi, from its extended features
 *
 * @features: text of /sys/class/iommu/ivhdN/amd-iommu/features
 */
enum tristate iommu_features__amd(const char *features, char *reason, size_t size);

/**
 * iommu_features__smmu() - Arm SMMUv3, from what its driver logs when it starts
 *
 * @features: the driver's word of features; UNKNOWN if the log no longer has it
 */
enum tristate iommu_features__smmu(uint64_t features, char *reason, size_t size);

/**
 * iommu_features__log_line() - find one SMMUv3's features in a line of the kernel's log
 *
 * @device: name of the SMMU's device: "9050000.smmuv3", with ACPI "arm-smmu-v3.0.auto"
 * @features: set if this is the line
 * @overridden: set to TRI_TRUE if this line says that firmware claims dirty bits that the
 *	hardware denies
 */
void iommu_features__log_line(const char *line, const char *device, uint64_t *features,
			      enum tristate *overridden);

#endif
