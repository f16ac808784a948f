/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pre-copy iterations found from syncs alone. Of an IOMMU, one ends when an IOVA that was
 * already synced (and cleared) in it is synced again; of KVM, when the log of a memory
 * slot is read again. Not here: the VMM's own count.
 */
#ifndef HWDBM_MODEL_ITERATION_H
#define HWDBM_MODEL_ITERATION_H

#include <stdbool.h>
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

/* A memory slot of a VM whose log is on, or was read. */
struct iteration_slot {
	uint64_t slot;
	uint64_t length;
	bool started;			/* the start of its log was seen */
	bool synced;			/* in the current iteration */
};

/* Of one VM. Zero-initialised: nothing was seen of it yet. */
struct slot_tracker {
	uint64_t current;
	struct iteration_slot *slots;
	size_t count;
	size_t capacity;
};

/**
 * slots__start() - the log of a slot starts
 *
 * Counting starts anew if no larger slot is logged: display memory may be logged all the
 * time, which is no migration.
 *
 * Return: 0 or -ENOMEM.
 */
int slots__start(struct slot_tracker *tracker, uint64_t slot, uint64_t length);

/** slots__late() - the same, but reads between its start and now may be missing */
int slots__late(struct slot_tracker *tracker, uint64_t slot, uint64_t length);

/** slots__stop() - the log of a slot stops */
void slots__stop(struct slot_tracker *tracker, uint64_t slot);

/**
 * slots__next() - which iteration a read of a slot's log belongs to
 *
 * An iteration ends when a slot is read again, unless a larger one is still to be read:
 * a VMM may read the log of display memory at any time, to see what to draw.
 *
 * @iteration: set to the number; the first read seen is in 1
 * @started: set to whether the start of this slot's log was seen
 *
 * Return: 0 or -ENOMEM; nothing changes on failure.
 */
int slots__next(struct slot_tracker *tracker, uint64_t slot, uint64_t length,
		uint64_t *iteration, bool *started);

/**
 * slots__latest() - which iteration the last read of a slot's log was in
 *
 * @iteration, @started: as slots__next() has set them then
 *
 * Return: whether there was one.
 */
bool slots__latest(const struct slot_tracker *tracker, uint64_t slot, uint64_t *iteration, bool *started);

/** slots__release() - free the tracker's memory and zero it */
void slots__release(struct slot_tracker *tracker);

#endif
