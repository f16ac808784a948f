/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a sync would have reported at a coarser granularity, and when a finer one pays.
 * Exact or unknown, never estimated. Not here: finer sizes than were recorded.
 */
#ifndef HWDBM_MODEL_WHATIF_H
#define HWDBM_MODEL_WHATIF_H

#include "sample.h"

/**
 * whatif__sync() - dirty bytes of a sync at each of UNIT_SIZE_SHIFTS
 *
 * Taken from counted bitmaps; in recordings from before those, from dirty leaves of one
 * size. A larger unit holds all that is dirty in its parts: sizes that contradict that, or
 * the sync's length, make the whole sync unknown.
 *
 * @bytes: UNKNOWN where the recording does not tell
 *
 * Return: whether what is known makes sense.
 */
bool whatif__sync(const struct sync_sample *sync, uint64_t bytes[UNIT_SIZES]);

/** whatif__unit() - index of a size in UNIT_SIZE_SHIFTS; UNIT_SIZES if it is none of them */
unsigned int whatif__unit(uint64_t bytes);

/* What it takes to track one block in finer units. UNKNOWN: not measured. */
struct whatif_costs {
	uint64_t split_ns;		/* once: all of its tables, the invalidation included */
	uint64_t sync_ns;		/* more for each sync that reads it */
	uint64_t tlb_ns;		/* more for each sync that clears it */
};

/**
 * whatif__break_even() - share of a block up to which tracking it in finer units saves time
 *
 * Of a block with the share d dirty, finer units save (1 - d) of its bytes in each of
 * @syncs syncs, for which they have to be sent at @bytes_per_second; they cost one split,
 * and the longer syncs. Equal at d = 1 - bytes_per_second x cost / block_bytes.
 *
 * Return: the share; 0 or less if it never pays; NaN if a cost is unknown or there is
 * nothing to divide by.
 */
double whatif__break_even(uint64_t block_bytes, const struct whatif_costs *costs,
			  double bytes_per_second, uint64_t syncs);

/** whatif__tables() - bytes of page tables that splitting all memory takes, blocks to finer leaves */
uint64_t whatif__tables(uint64_t memory_bytes, uint64_t block_bytes, uint64_t granularity_bytes);

#endif
