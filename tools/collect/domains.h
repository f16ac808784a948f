/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * IOMMU domains and devices with a log by number, and the samples that their records make. Not here: the ring the
 * records come through.
 */
#ifndef HWDBM_COLLECT_DOMAINS_H
#define HWDBM_COLLECT_DOMAINS_H

#include "../../bpf/records.h"
#include "../model/iteration.h"
#include "../model/sample.h"

#include <stdbool.h>

/* Kernel addresses stay here: a recording has domain 1, 2, ... */
struct known_domain {
	uint64_t address;
	uint64_t pid;
	uint64_t page_bytes;		/* of a device's log; 0: its start was not seen */
	bool tracked;
};

/* A process has one migration at a time. */
struct iterating_process {
	uint64_t pid;
	struct iteration_tracker iterations;
};

/* Zero-initialised: none. */
struct domain_list {
	struct known_domain *at;
	size_t count;
	struct iterating_process *processes;
	size_t process_count;
};

/** domains__tracking() - dirty tracking starts or stops. Return: 0 or -ENOMEM. */
int domains__tracking(struct domain_list *domains, const struct hwdbm_tracking *in,
		      struct tracking_sample *out);

/** domains__sync() - dirty state was read. Return: 0, -EINVAL for an empty range, or -ENOMEM. */
int domains__sync(struct domain_list *domains, const struct hwdbm_sync *in,
		  struct sync_sample *out);

/** domains__sampled() - blocks that were split to learn from, of the sync before. Return: 0 or -ENOMEM. */
int domains__sampled(struct domain_list *domains, const struct hwdbm_sampled *in,
		     struct sampled_sample *out);

/** domains__split() - a block was split, or kept. Return: 0 or -ENOMEM. */
int domains__split(struct domain_list *domains, const struct hwdbm_split *in,
		   struct split_sample *out);

/** domains__release() - free the list's memory and zero it */
void domains__release(struct domain_list *domains);

#endif
