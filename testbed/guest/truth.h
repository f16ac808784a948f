/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the device really wrote, from the generator's latched bitmap, and the rule that every
 * report is held against:
 *
 *   latched between the end of a sync and the start of the next (B): must be in the next report;
 *   latched between start and end of a sync (A): must be in its report or in the next one.
 *
 * "The next" is, page by page, the next sync whose range holds the page. Knows nothing of the
 * kernel's report but the bitmap it is given.
 */
#ifndef GUEST_TRUTH_H
#define GUEST_TRUTH_H

#include <stddef.h>
#include <stdint.h>

#include "generator.h"

#define TRUTH_LISTED		16	/* missed pages kept by number */
#define TRUTH_REGION_PAGES	512	/* 4K pages of a 2M region */

struct truth {
	struct generator *gen;
	uint64_t pages;		/* 4K pages of the memory, from the window's base on */
	uint64_t *must;		/* pages the next report has to hold */
	uint64_t *since;	/* pages written since the last sync began */
	uint64_t *ever;		/* pages written since truth_start() */
	uint16_t *regions;	/* true pages of each 2M region, of the last truth_judge() */
	uint64_t pages_written;	/* bits in 'ever' */
	uint64_t bytes_written;
	uint64_t missed;	/* pages missed so far */
	uint64_t missed_list[TRUTH_LISTED];
};

/*
 * The judgement of one sync. True pages are those that its report holds and that were written
 * since the last sync began, and those that are missing from it. A page written during a sync can
 * be true in that one and in the next: it may have been written again after it was read.
 */
struct verdict {
	uint64_t true_pages;
	uint64_t missed_pages;
};

/* Puts the truth window over [iova, iova + pages * 4K). pages is a multiple of 512. 0 or -errno. */
int truth_create(struct truth *truth, struct generator *gen, uint64_t iova, uint64_t pages);
void truth_destroy(struct truth *truth);

/*
 * Forgets everything up to now, right before tracking starts; truth_tracked() follows right after.
 * What is written between the two may be in the first report, or not.
 */
void truth_start(struct truth *truth);
void truth_tracked(struct truth *truth);

/* Ends an epoch in the device. truth_collect() must follow before the next one. */
void truth_latch(struct truth *truth);
/* Adds the latched epoch to what the next report must hold. */
void truth_collect(struct truth *truth);

/*
 * Judges the report of a sync over 'pages' pages from 'first' on, both multiples of 512. To be
 * called after the sync's second truth_latch() and before its truth_collect(); then, once that
 * was collected, truth_settle() with the same arguments.
 */
struct verdict truth_judge(struct truth *truth, uint64_t first, uint64_t pages,
			   const uint64_t *report);
void truth_settle(struct truth *truth, uint64_t first, uint64_t pages, const uint64_t *report);

#endif
