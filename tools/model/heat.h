/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Dirty memory by address and time, on grids that grow coarser instead of larger: one for each
 * region of addresses, since memory and a ROM may be far apart. Pure.
 *
 * A sync tells how much of its range was dirty, not where in it: what it tells is spread evenly
 * over the range. A cell is the mean share that syncs have reported dirty of it.
 * Not here: pictures.
 */
#ifndef HWDBM_MODEL_HEAT_H
#define HWDBM_MODEL_HEAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HEAT_REGIONS 4
#define HEAT_ROWS 32
#define HEAT_COLUMNS 64

struct heat_cell {
	double dirty;			/* bytes, summed over syncs */
	double read;			/* bytes that these syncs covered */
};

struct heat_region {
	uint64_t address;		/* of the first row */
	uint64_t last;			/* highest address seen */
	uint64_t row_bytes;		/* a power of two */
	struct heat_cell cells[HEAT_ROWS][HEAT_COLUMNS];
};

/* Zero-initialised: empty. */
struct heat {
	uint64_t t_ns;			/* of the first column */
	uint64_t column_ns;
	uint64_t backwards;		/* syncs from before the first: in no cell */
	size_t count;
	struct heat_region regions[HEAT_REGIONS];	/* in order of address after heat__finish() */
};

/** heat__add() - one sync of a range; nothing if it has no length */
void heat__add(struct heat *heat, uint64_t t_ns, uint64_t address, uint64_t length, uint64_t dirty);

/** heat__finish() - all syncs were added */
void heat__finish(struct heat *heat);

/** heat__rows() - how many rows of a region there are addresses for */
unsigned int heat__rows(const struct heat_region *region);

/** heat__columns() - how many columns from the first on something was read in */
unsigned int heat__columns(const struct heat *heat);

#endif
