/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest that is nothing but pages and writers, and its migration page by page: the truth
 * that predictions are compared with. Knows nothing of the model under test. Not here: any
 * time but simulated time.
 */
#ifndef HWDBM_TESTS_BENCH_GUEST_H
#define HWDBM_TESTS_BENCH_GUEST_H

#include "../../tools/model/random.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GUEST_PAGE UINT64_C(4096)
#define GUEST_WRITERS 3
#define GUEST_SYNCS 64

enum writer_kind {
	WRITER_UNIFORM,		/* any page of its range */
	WRITER_ZIPF,		/* page of rank r with weight 1 / r^skew, ranks scattered */
	WRITER_RING,		/* one page after the other, round and round */
	WRITER_HOT_COLD,	/* a share of the writes into a few neighbours, the rest anywhere */
	WRITER_KINDS
};

struct writer {
	enum writer_kind kind;
	uint64_t first, pages;
	double rate;		/* pages written per second */
	double skew;		/* zipf: not 1 */
	double hot_share;
	uint64_t hot_pages;
	uint64_t at;		/* ring */
	double period;		/* seconds of load and rest; 0: no phases */
	double duty;		/* share of the period under full load */
	double rest;		/* rate in the other part, as a share */
};

struct guest {
	uint64_t pages;		/* a multiple of 64 */
	struct writer writers[GUEST_WRITERS];
	size_t writer_count;
	uint64_t *dirty;	/* one bit per page */
	double now;
	struct random random;
};

/* How the VMM migrates, and how dirty memory is tracked. */
struct plan {
	double bandwidth, last_bandwidth;
	double downtime_limit_s;
	double device_bytes, load_s, stop_s;
	bool whole_passes;	/* else as QEMU does */
	unsigned int most_iterations;
	/* Leaf sizes in pages, the finest first; more than one: split lazily, from the last. */
	uint64_t leaves[3];
	unsigned int levels;
};

struct guest_sync {
	double interval_s;
	uint64_t reported;	/* bytes, at the leaf sizes in force */
	uint64_t units[4];	/* bytes, had it been tracked in units of 4K, 64K, 2M, 1G */
	uint64_t pending;	/* bytes to send after it */
};

struct migration_truth {
	bool converged;
	unsigned int iterations;
	double blackout_s, total_s, sent_bytes;
	struct guest_sync syncs[GUEST_SYNCS];
	size_t sync_count;
};

/** guest__init() - pages and writers must be set. Return: 0 or -ENOMEM */
int guest__init(struct guest *guest);

void guest__release(struct guest *guest);

/** guest__run() - let it write for a time */
void guest__run(struct guest *guest, double seconds);

/** guest__migrate() - page by page. Return: 0 or -ENOMEM */
int guest__migrate(struct guest *guest, const struct plan *plan, struct migration_truth *truth);

#endif
