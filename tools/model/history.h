/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What recordings tell about a VM's working set and about the price of tracking it: each
 * pre-copy iteration becomes a point of a curve, for each source and granularity. Not here:
 * the curve (working_set.h).
 *
 * A point needs to know since when its dirty bytes were written: since the iteration before,
 * or since tracking was seen to start. Syncs that failed, that did not clear, whose sizes
 * contradict each other, or whose times go backwards give none; they are counted. So are
 * first syncs of KVM that report all memory, as KVM does when told to count all pages as
 * dirty at the start.
 */
#ifndef HWDBM_MODEL_HISTORY_H
#define HWDBM_MODEL_HISTORY_H

#include "sync_row.h"

struct history_point {
	uint64_t interval_ns;
	uint64_t iteration;
	uint64_t sync_ns;
	uint64_t reported_bytes;
	uint64_t bytes[UNIT_SIZES];
};

/* Of one VM, or one process that is a VMM. */
struct history_source {
	char source[12];
	uint64_t pid;
	uint64_t vm;
	uint64_t length_bytes;		/* the most that one iteration covered */
	uint64_t start_ns;		/* tracking started, or UNKNOWN */
	uint64_t last_ns;		/* end of the last iteration, or UNKNOWN */
	struct history_point *points;
	size_t count;
};

/* Time spent on so many operations. */
struct history_cost {
	uint64_t ns;
	uint64_t count;
};

struct history {
	struct sync_rows rows;		/* of the present recording */
	struct history_source *open;
	size_t open_count;
	struct history_source *sources;	/* of all recordings that have ended */
	size_t count;
	uint64_t wanted_pid;		/* 0: whoever has most memory in the recording */
	uint64_t recordings;

	uint64_t granularity_bytes;	/* of tracking; 0 as mapped, UNKNOWN */
	char split_mode[8];
	char time_basis[16];
	struct vmm_start_sample vmm_start;
	struct history_cost splits[LEAF_SIZES];	/* by the size before */
	struct history_cost split_tlb, leaves;	/* invalidations for splits; leaves walked in syncs */

	uint64_t others;		/* VMs in the recordings that were left out */
	uint64_t failed, kept, contradictory, backwards, all_set, no_interval;
	uint64_t lost;
	bool lost_known;
	bool is_stock_arm64;		/* the kernel that was recorded: its SMMUv3 driver may lose dirty pages */
};

/* What is not known where history__may_lack() */
#define HISTORY_MAY_LACK									\
	"whether all that was written was reported: SMMUv3's driver of stock kernels from Linux "	\
	"6.11 on loses dirty pages (hwdbm doctor --safety on that host)"

/** history__may_lack() - whether an IOMMU's reports are those of a kernel that may lose dirty pages */
bool history__may_lack(const struct history *history);

/** history__init() - nothing is known yet; rows refer to @history, which must not move */
void history__init(struct history *history);

/** history__release() - free all */
void history__release(struct history *history);

/** history__add() - take in a sample. Return: 0 or -ENOMEM. */
int history__add(struct history *history, enum sample_kind kind, const union sample *sample);

/**
 * history__end() - a recording is complete: keep the points of one VM of it
 *
 * Call once for each recording, also for the last one. Sources of the same name are one
 * from recording to recording.
 *
 * Return: 0 or -ENOMEM.
 */
int history__end(struct history *history);

/** history__memory() - the VM's memory as far as it was tracked; 0 if nothing was */
uint64_t history__memory(const struct history *history);

#endif
