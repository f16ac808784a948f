/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A migration in totals: what tracking its dirty memory took, and what that yielded. Pure.
 * Not here: the single syncs (sync_row.h), a verdict (converge.h).
 */
#ifndef HWDBM_MODEL_STAT_H
#define HWDBM_MODEL_STAT_H

#include "converge.h"
#include "sample.h"

/* All syncs of one kind of tracker. */
struct stat_source {
	char source[12];
	uint64_t syncs;
	uint64_t failed;
	uint64_t total_ns;
	uint64_t median_ns;
	uint64_t p99_ns;
	uint64_t max_ns;
	uint64_t dirty_bytes;
	uint64_t unit_bytes[UNIT_SIZES];
	uint64_t clears;
	uint64_t clear_ns;
	uint64_t count_ns;
};

struct stat_total {
	uint64_t migrations;		/* times that tracking was on */
	uint64_t tracking_ns;
	uint64_t active_ns;
	enum tristate start_seen;	/* of all of them */
	uint64_t iterations;
	uint64_t syncs;
	uint64_t starts;
	uint64_t start_ns;
	uint64_t splits;
	uint64_t split_tables;
	uint64_t split_failed;
	uint64_t split_ns;
	uint64_t merges;
	uint64_t merge_ns;
	uint64_t tlb_invalidations;
	uint64_t tlb_commands;
	uint64_t tlb_ns;
	uint64_t ring_pushed;
	uint64_t ring_full;
	uint64_t sent_bytes;
	uint64_t transfer_rate;
	uint64_t lost;
};

extern const struct field_table stat_source_table;
extern const struct field_table stat_total_table;

struct stat_times;

/* Begin with stat__init(). */
struct stat_sums {
	struct stat_total total;	/* valid after stat__finish() */
	struct stat_source *sources;	/* likewise */
	size_t source_count;
	struct stat_times *times;	/* of each source */
	struct converge converge;
	bool has_tlb;			/* somebody counted */
	struct stat_migration *running;
	size_t running_count;
	struct converge_handlers also;	/* who else is handed rows and phases; none by default */
	bool sums_only;			/* keep no single times: percentiles are unknown then */
};

/** stat__init() - nothing seen yet; free with stat__release(). It must not be moved. */
void stat__init(struct stat_sums *stat);

/** stat__add() - take in a sample. Return: 0 or -ENOMEM. */
int stat__add(struct stat_sums *stat, enum sample_kind kind, const union sample *sample);

/** stat__finish() - compute what needs all samples; the last of them was added */
void stat__finish(struct stat_sums *stat);

/** stat__release() - free what it holds */
void stat__release(struct stat_sums *stat);

#endif
