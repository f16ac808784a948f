/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A small migration made of samples, for tests to bend. Not here: any check.
 */
#ifndef HWDBM_TESTS_SAMPLES_H
#define HWDBM_TESTS_SAMPLES_H

#include "../../tools/model/run.h"

#include <stdlib.h>
#include <string.h>

#define K4 UINT64_C(4096)
#define M2 (UINT64_C(2) << 20)
#define G1 (UINT64_C(1) << 30)
#define IOVA (UINT64_C(256) << 30)	/* as far from 0 as a VMM may put its memory */
#define MEMORY (2 * G1)

static inline size_t leaf_index(uint64_t bytes)
{
	size_t index = 0;

	while (K4 << index < bytes)
		index++;
	return index;
}

static inline void give(struct run *run, enum sample_kind kind, union sample *sample)
{
	if (run__add(run, kind, sample))
		abort();
}

static inline void give_header(struct run *run, bool patched)
{
	union sample s;

	field__clear(sample__table(SAMPLE_HEADER), &s);
	strcpy(s.header.schema, RECORDING_SCHEMA);
	strcpy(s.header.time_basis, "emulated");
	strcpy(s.header.kernel_release, "6.12.0");
	s.header.kernel_patched = patched ? TRI_TRUE : TRI_FALSE;
	give(run, SAMPLE_HEADER, &s);
}

static inline void give_vmm_start(struct run *run, const char *mode, uint64_t granularity,
				  const char *workload)
{
	union sample s;

	field__clear(sample__table(SAMPLE_VMM_START), &s);
	s.vmm_start.iova = IOVA;
	s.vmm_start.memory_bytes = MEMORY;
	s.vmm_start.backing_bytes = G1;
	s.vmm_start.granularity_bytes = granularity;
	strcpy(s.vmm_start.split_mode, mode);
	strcpy(s.vmm_start.workload_name, workload);
	s.vmm_start.workload_seed = 1;
	give(run, SAMPLE_VMM_START, &s);
}

static inline void give_tracking(struct run *run, const char *mode, uint64_t granularity,
				 uint64_t splits, uint64_t tables)
{
	union sample s;

	field__clear(sample__table(SAMPLE_TRACKING), &s);
	memset(s.tracking.leaves, 0, sizeof(s.tracking.leaves));
	s.tracking.leaves[leaf_index(splits ? granularity : G1)] = splits ? MEMORY / granularity : 2;
	s.tracking.domain = 1;
	s.tracking.enable = TRI_TRUE;
	s.tracking.granularity_bytes = granularity;
	strcpy(s.tracking.split_mode, mode);
	s.tracking.total_ns = 1000;
	s.tracking.splits = splits;
	s.tracking.tables = tables;
	s.tracking.kept = 0;
	give(run, SAMPLE_TRACKING, &s);
}

static inline void give_split(struct run *run, uint64_t offset, uint64_t from, uint64_t to, int ret)
{
	union sample s;

	field__clear(sample__table(SAMPLE_SPLIT), &s);
	s.split.domain = 1;
	s.split.iova = IOVA + offset;
	s.split.from_bytes = from;
	s.split.to_bytes = to;
	s.split.tables = 1;
	s.split.ret = ret;
	give(run, SAMPLE_SPLIT, &s);
}

/* A sync of all memory that found 'dirty' leaves of one size. */
static inline void give_sync(struct run *run, uint64_t iteration, uint64_t leaf, uint64_t dirty,
			     uint64_t splits)
{
	union sample s;

	field__clear(sample__table(SAMPLE_SYNC), &s);
	memset(s.sync.dirty_entries, 0, sizeof(s.sync.dirty_entries));
	s.sync.domain = 1;
	s.sync.iteration = iteration;
	s.sync.iova = IOVA;
	s.sync.length_bytes = MEMORY;
	s.sync.page_bytes = K4;
	s.sync.clear = TRI_TRUE;
	s.sync.total_ns = 500;
	s.sync.walk_ns = 400;
	s.sync.flush_ns = 50;
	s.sync.entries = 10;
	s.sync.dirty_entries[leaf_index(leaf)] = dirty;
	s.sync.dirty_bytes = dirty * leaf;
	s.sync.splits = splits;
	s.sync.tables = splits;
	s.sync.kept = 0;
	s.sync.tlb_invalidations = 1;
	s.sync.tlb_commands = 2;
	give(run, SAMPLE_SYNC, &s);
}

/* The VMM's line for it: 'pages' written in each of the regions 300 and 812. */
static inline void give_vmm_sync(struct run *run, uint64_t iteration, uint64_t dirty_bytes,
				 uint64_t pages)
{
	union sample s;
	struct pair *at = calloc(2, sizeof(*at));

	field__clear(sample__table(SAMPLE_VMM_SYNC), &s);
	at[0] = (struct pair){ 300, pages };
	at[1] = (struct pair){ 812, pages };
	s.vmm_sync.iteration = iteration;
	s.vmm_sync.iova = IOVA;
	s.vmm_sync.length = MEMORY;
	s.vmm_sync.dirty_bytes = dirty_bytes;
	s.vmm_sync.true_bytes = 2 * pages * K4;
	s.vmm_sync.missed_pages = 0;
	s.vmm_sync.true_regions = (struct pairs){ 2, at };
	give(run, SAMPLE_VMM_SYNC, &s);
}

static inline void give_vmm_end(struct run *run, uint64_t iterations, uint64_t sent, bool converged)
{
	union sample s;

	field__clear(sample__table(SAMPLE_VMM_END), &s);
	s.vmm_end.iterations = iterations;
	s.vmm_end.sent_bytes = sent;
	s.vmm_end.converged = converged ? TRI_TRUE : TRI_FALSE;
	s.vmm_end.missed_pages = 0;
	s.vmm_end.memory_identical = TRI_TRUE;
	give(run, SAMPLE_VMM_END, &s);
}

static inline void give_size_summary(struct run *run, enum sample_kind kind, uint64_t from,
				     uint64_t to, uint64_t operations)
{
	union sample s;
	struct pair *at = calloc(1, sizeof(*at));

	field__clear(sample__table(kind), &s);
	at[0] = (struct pair){ 127, operations };
	s.size_summary.from_bytes = from;
	s.size_summary.to_bytes = to;
	s.size_summary.operations = operations;
	s.size_summary.tables = operations;
	s.size_summary.failed = 0;
	s.size_summary.total_ns = 100 * operations;
	s.size_summary.max_ns = 120;
	s.size_summary.histogram_ns = (struct pairs){ 1, at };
	give(run, kind, &s);
}

static inline void give_tlb_summary(struct run *run, const char *cause, uint64_t invalidations,
				    uint64_t ns)
{
	union sample s;
	struct pair *at = calloc(1, sizeof(*at));

	field__clear(sample__table(SAMPLE_TLB_SUMMARY), &s);
	at[0] = (struct pair){ ns, invalidations };
	strcpy(s.tlb_summary.cause, cause);
	s.tlb_summary.invalidations = invalidations;
	s.tlb_summary.commands = 2 * invalidations;
	s.tlb_summary.total_ns = ns * invalidations;
	s.tlb_summary.max_ns = ns;
	s.tlb_summary.histogram_ns = (struct pairs){ 1, at };
	give(run, SAMPLE_TLB_SUMMARY, &s);
}

static inline void give_end(struct run *run, uint64_t lost)
{
	union sample s;

	field__clear(sample__table(SAMPLE_END), &s);
	s.end.lost.count = 1;
	strcpy(s.end.lost.at[0].name, "ring");
	s.end.lost.at[0].number = lost;
	give(run, SAMPLE_END, &s);
}

/* One byte in each of two 1G blocks, written again in every iteration, split lazily to 4K. */
static inline struct run *lazy_run(void)
{
	struct run *run;

	if (run__new(&run))
		abort();
	give_header(run, true);
	give_vmm_start(run, "lazy", K4, "one-byte");
	give_tracking(run, "lazy", K4, 0, 0);
	give_split(run, 0, G1, M2, 0);
	give_split(run, G1, G1, M2, 0);
	give_sync(run, 1, G1, 2, 2);
	give_split(run, 300 * M2, M2, K4, 0);
	give_split(run, 812 * M2, M2, K4, 0);
	give_sync(run, 2, M2, 2, 2);
	give_sync(run, 3, K4, 2, 0);
	give_size_summary(run, SAMPLE_SPLIT_SUMMARY, G1, M2, 2);
	give_size_summary(run, SAMPLE_SPLIT_SUMMARY, M2, K4, 2);
	give_size_summary(run, SAMPLE_MERGE_SUMMARY, K4, M2, 2);
	give_size_summary(run, SAMPLE_MERGE_SUMMARY, M2, G1, 1);
	give_tlb_summary(run, "sync", 3, 1000);
	give_tlb_summary(run, "unmap", 100, 9);
	give_end(run, 0);
	give_vmm_sync(run, 1, MEMORY, 1);
	give_vmm_sync(run, 2, 2 * M2, 1);
	give_vmm_sync(run, 3, 2 * K4, 1);
	give_vmm_end(run, 3, MEMORY, true);
	return run;
}

/* The same without splitting. */
static inline struct run *off_run(bool patched)
{
	struct run *run;

	if (run__new(&run))
		abort();
	give_header(run, patched);
	give_vmm_start(run, "off", 0, "one-byte");
	give_tracking(run, "off", 0, 0, 0);
	for (int i = 1; i <= 3; i++)
		give_sync(run, i, G1, 2, 0);
	give_end(run, 0);
	for (int i = 1; i <= 3; i++)
		give_vmm_sync(run, i, MEMORY, 1);
	give_vmm_end(run, 3, 4 * MEMORY, false);
	return run;
}

#endif
