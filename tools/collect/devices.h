/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The devices that VFIO could give to a VM: what their drivers are known for, and, if
 * asked to, what the devices themselves say. Not here: which VM has one.
 */
#ifndef HWDBM_COLLECT_DEVICES_H
#define HWDBM_COLLECT_DEVICES_H

#include "../model/diagnosis.h"

/**
 * devices__scan() - one record for each device bound to a VFIO driver
 *
 * Opens none of them.
 *
 * @root: in front of /sys: "" but in tests
 *
 * Return: 0, or -ENOMEM. That there is none is no error.
 */
int devices__scan(const char *root, struct fact_list *devices);

/**
 * devices__ask() - open a device that nobody uses, and ask it and its IOMMU
 *
 * The kernel resets a device when it is opened and closed, and refuses one in use.
 *
 * @iommu: its hardware and reason are updated; NULL if it is behind none
 *
 * Return: 0, -EBUSY if it is in use, -EOPNOTSUPP if this kernel lacks the way (iommufd
 * and VFIO's cdev), or another -errno.
 */
int devices__ask(struct device_facts *device, struct iommu_facts *iommu);

#endif
