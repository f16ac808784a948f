/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From per-CPU totals to samples of splits and TLB flushes, each by its kind and VM. Not here:
 * the sums over them that a migration's report has (summary.h).
 */
#ifndef HWDBM_COLLECT_COSTS_H
#define HWDBM_COLLECT_COSTS_H

#include "owners.h"
#include "summary.h"

/**
 * costs__splits() - one split_latency sample for each kind of split
 * Return: 0, -ENOMEM, -errno of a map, or the handler's error.
 */
int costs__splits(const struct totals_maps *maps, int owners_fd, struct owner_list *owners,
		  sample_handler handler, void *context);

/**
 * costs__flushes() - one tlb_cost sample for each kind of flush
 * @units_fd: the BPF side's names of IOMMUs
 * Return: 0, -ENOMEM, -errno of a map, or the handler's error.
 */
int costs__flushes(const struct totals_maps *maps, int units_fd, int owners_fd,
		   struct owner_list *owners, sample_handler handler, void *context);

/** costs__mmu() - "smmuv3", "kvm", ... by enum hwdbm_mmu */
const char *costs__mmu(unsigned int mmu);

/** costs__cause() - "unmap", ... by enum hwdbm_cause; "" if unknown */
const char *costs__cause(unsigned int cause);

#endif
