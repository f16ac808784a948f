/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The model of one migration: samples go in, what a report says comes out. The four
 * measurements (dirty bytes, split, TLB, convergence) come from the kernel's samples;
 * the VMM's log gives the truth to compare with and what only it can know.
 * Not here: reading, printing, clocks.
 */
#ifndef HWDBM_MODEL_RUN_H
#define HWDBM_MODEL_RUN_H

#include "iteration.h"
#include "sample.h"

#define REPORT_SCHEMA "hwdbm.report/1"

/* One sync, as the VMM counts them (several ioctls if it asked in chunks). */
struct run_sync {
	uint64_t iteration;
	uint64_t t_ns;			/* end of the last ioctl */
	uint64_t iova;
	uint64_t length_bytes;
	uint64_t duration_ns;
	uint64_t walk_ns;
	uint64_t flush_ns;
	uint64_t entries;
	uint64_t dirty_entries[LEAF_SIZES];
	uint64_t dirty_bytes;
	uint64_t splits;
	uint64_t tables;
	uint64_t kept;
	uint64_t tlb_invalidations;
	uint64_t tlb_commands;
	/* From the VMM's log; UNKNOWN without one. */
	uint64_t true_bytes;
	uint64_t missed_pages;
	uint64_t vmm_dirty_bytes;
	uint64_t vmm_duration_ns;
};

/* Everything a report says about a run but for its syncs; see run_table. */
struct run_result {
	char name[64];
	char time_basis[16];
	char host_name[64];
	char host_machine[32];
	char kernel_release[64];
	enum tristate kernel_patched;
	char path[16];
	uint64_t backing_bytes;
	uint64_t granularity_bytes;
	char split_mode[8];
	uint64_t bbml;
	uint64_t adversary;
	uint64_t iotlb_size;
	uint64_t memory_bytes;
	char workload_name[32];
	uint64_t workload_seed;

	uint64_t pages_written;
	uint64_t bytes_written;

	uint64_t sync_count;
	uint64_t dirty_bytes;
	uint64_t true_bytes;
	uint64_t sync_total_ns;

	uint64_t tracking_start_ns;
	uint64_t tracking_splits;
	uint64_t tracking_tables;
	uint64_t kept_blocks;
	char kept_reason[12];

	uint64_t split_operations;
	uint64_t split_tables;
	uint64_t split_failed;
	uint64_t split_total_ns;
	uint64_t split_count;
	uint64_t split_p50_ns;
	uint64_t split_p99_ns;
	uint64_t split_max_ns;

	uint64_t merge_operations;
	uint64_t merge_failed;
	uint64_t merge_total_ns;
	uint64_t merge_max_ns;

	/* Causes sync, split and merge: the work that dirty tracking makes. */
	uint64_t tlb_invalidations;
	uint64_t tlb_commands;
	uint64_t tlb_total_ns;
	uint64_t tlb_count;
	uint64_t tlb_p50_ns;
	uint64_t tlb_p99_ns;
	uint64_t tlb_max_ns;

	double misses_before;
	double misses_after;
	double reads_before;
	double reads_after;

	uint64_t iterations;
	uint64_t reported_bytes;
	uint64_t sent_bytes;
	uint64_t bandwidth_bytes_per_second;
	enum tristate converged;
	uint64_t blackout_ns;
	uint64_t blackout_error_ns;
	uint64_t downtime_ns;		/* the VMM's word */

	double amplification_first;
	double amplification;
	uint64_t missed_pages;
	enum tristate memory_identical;
	uint64_t dma_failed;
	uint64_t events_lost;
	char disagreement[256];
	char error[160];
};

/* Samples as they came; private to run.c but for readers that draw them. */
struct run_samples {
	struct sync_sample *syncs;
	size_t sync_count;
	size_t other_sync_count;	/* of KVM or of a device: no part of a report on an IOMMU */
	struct tracking_sample *trackings;
	size_t tracking_count;
	struct split_sample *splits;
	size_t *split_owner;		/* index of the sync that made it, or SPLIT_OF_START */
	size_t split_count;
	size_t split_unowned;		/* first split no sync has claimed yet */
	struct size_summary_sample *split_summaries;
	size_t split_summary_count;
	struct size_summary_sample *merge_summaries;
	size_t merge_summary_count;
	struct tlb_summary_sample *tlb_summaries;
	size_t tlb_summary_count;
	struct vmm_sync_sample *vmm_syncs;
	size_t vmm_sync_count;
	struct vmm_iteration_sample *vmm_iterations;
	size_t vmm_iteration_count;
	struct vmm_tracking_sample *vmm_trackings;
	size_t vmm_tracking_count;
	struct header_sample header;
	struct plan_sample plan;
	struct vmm_start_sample vmm_start;
	struct vmm_iotlb_sample vmm_before;
	struct vmm_iotlb_sample vmm_after;
	struct vmm_end_sample vmm_end;
	struct end_sample end;
	uint64_t downtime_ns;
	uint64_t blackout_ns;		/* from the recordings of both sides */
	uint64_t blackout_error_ns;
	uint64_t device_stop_ns;
	uint64_t destination_running_ns;
	bool has_header, has_plan, has_vmm_start, has_vmm_before, has_vmm_after;
	bool has_vmm_end, has_end;
};

#define SPLIT_OF_START SIZE_MAX

struct run {
	char name[64];			/* used if no plan names it; may be set at any time */
	struct run_result result;	/* valid after run__update() */
	struct run_sync *syncs;		/* valid after run__update() */
	size_t sync_count;
	struct run_samples samples;
};

extern const struct field_table run_table;	/* of struct run_result */
extern const struct field_table run_sync_table;	/* of struct run_sync */

/**
 * run__new() - an empty run
 * @out: set on success; free with run__free()
 * Return: 0 or -ENOMEM.
 */
int run__new(struct run **out);

/** run__free() - free a run and all it holds; NULL is fine */
void run__free(struct run *run);

/**
 * run__add() - give the run one sample, in the order it was recorded
 *
 * Takes over the memory of the lists that a run keeps and leaves them empty; others, and on
 * failure the sample, stay the caller's.
 *
 * Return: 0 or -ENOMEM.
 */
int run__add(struct run *run, enum sample_kind kind, union sample *sample);

/**
 * run__update() - compute result and syncs from all samples given so far
 *
 * May be called again after more samples; a running migration gives what is known.
 * Differences between the kernel's account and the VMM's are put in result.disagreement.
 *
 * Return: 0 or -ENOMEM.
 */
int run__update(struct run *run);

/** run__is_sound() - no disagreement, no error and, if it has ended, nothing lost */
bool run__is_sound(const struct run *run);

/** run__splits() - whether this run replaces blocks (patched kernel, in a mode but off) */
bool run__splits(const struct run *run);

#endif
