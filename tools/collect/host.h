/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What machine this is, and what its clocks are worth. Not here: its kernel's probes.
 */
#ifndef HWDBM_COLLECT_HOST_H
#define HWDBM_COLLECT_HOST_H

#include <stdbool.h>

/**
 * host__time_basis() - "emulated", "native" or "hardware"
 *
 * A machine made by QEMU has an emulated IOMMU even where its CPUs are not, so that its
 * IOMMU's durations are emulated; under another hypervisor the answer is "native".
 */
const char *host__time_basis(void);

/** host__may_trace() - whether this process has CAP_BPF and CAP_PERFMON, or CAP_SYS_ADMIN */
bool host__may_trace(void);

/** host__is_confidential() - whether kernel lockdown forbids reading kernel memory */
bool host__is_confidential(void);

#endif
