/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which 2 MiB regions are already reported at the granularity in force, and which
 * still as a larger block. Lazy splitting moves regions from the second to the first.
 * Not here: sizes below and between; the question is only "first report or later one".
 */
#ifndef HWDBM_MODEL_LEAFMAP_H
#define HWDBM_MODEL_LEAFMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LEAFMAP_REGION (UINT64_C(2) << 20)

/* Zero-initialised: every region is coarse. */
struct leafmap {
	uint64_t *fine;		/* one bit per region, counted from IOVA 0 of the map */
	size_t words;
	bool all_fine;
};

/**
 * leafmap__refine() - a block was replaced by leaves of the granularity in force
 *
 * @offset: of the block from the start of the VMM's memory, bytes
 * @length: of the block; a region only partly covered becomes fine too
 *
 * Return: 0, or -ENOMEM with the map untouched.
 */
int leafmap__refine(struct leafmap *map, uint64_t offset, uint64_t length);

/** leafmap__is_fine() - whether region number @region is reported at the granularity */
bool leafmap__is_fine(const struct leafmap *map, uint64_t region);

/** leafmap__release() - free the map's memory; every region is coarse again */
void leafmap__release(struct leafmap *map);

#endif
