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

/**
 * host__is_confidential() - whether kernel lockdown forbids reading kernel memory
 *
 * False where securityfs is not mounted and nobody can tell.
 */
bool host__is_confidential(void);

enum module_state {
	MODULE_ABSENT,		/* this kernel has no module of that name */
	MODULE_NOT_LOADED,	/* it may have one; it is not loaded */
	MODULE_LOADED,		/* or built in */
};

/** host__module() - whether a kernel module is there */
enum module_state host__module(const char *name);

/** host__tracefs() - where tracefs is mounted; NULL if nowhere */
const char *host__tracefs(void);

#endif
