/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pre-copy iterations found from syncs alone: one ends when an IOVA that was already
 * synced (and cleared) in it is synced again. Not here: the VMM's own count.
 */
#ifndef HWDBM_MODEL_ITERATION_H
#define HWDBM_MODEL_ITERATION_H

#include <stddef.h>
#include <stdint.h>

struct iteration_range {
	uint64_t domain;
	uint64_t first;
	uint64_t last;
};

/* Zero-initialised: no sync yet, iteration 0 (the first full copy) is running. */
struct iteration_tracker {
	uint64_t current;
	struct iteration_range *ranges;
	size_t count;
	size_t capacity;
};

/**
 * iteration__next() - which iteration a clearing sync belongs to
 *
 * Neighbouring ranges are joined, so that a VMM which syncs in order costs one entry.
 *
 * Return: 0 with the number (first sync: 1) in @iteration; -EINVAL if the range is
 * empty or wraps; -ENOMEM. Nothing changes on failure.
 */
int iteration__next(struct iteration_tracker *tracker, uint64_t domain, uint64_t iova,
		    uint64_t length, uint64_t *iteration);

/** iteration__restart() - tracking of a domain starts: forget what was synced, count from 0 */
void iteration__restart(struct iteration_tracker *tracker);

/** iteration__release() - free the tracker's memory and zero it */
void iteration__release(struct iteration_tracker *tracker);

#endif
