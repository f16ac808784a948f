/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One recording as a report tells it: what was measured and under which settings, what the
 * VMM said, what the test bed knows, where the time went, and what is missing. Takes samples one
 * at a time and keeps a bounded amount of them, however many there are. Pure.
 * Not here: several recordings (board.h), how any of it looks.
 */
#ifndef HWDBM_MODEL_ACCOUNT_H
#define HWDBM_MODEL_ACCOUNT_H

#include "heat.h"
#include "stat.h"
#include "sync_row.h"

/* Rows kept; of more, every second, fourth ... one is kept from the first on. */
#define ACCOUNT_ROWS 512

/* Four to an octave, as far as nanoseconds go. */
#define ACCOUNT_BUCKETS 256

/* What differs between two runs for reasons of its own. Text that is empty is not known. */
enum setting {
	SETTING_KERNEL, SETTING_VMM, SETTING_TRACKER, SETTING_LEAF, SETTING_MODE,
	SETTINGS
};

#define SETTING_TEXT 96

/* Time and bytes of all syncs of one source. A sum is of those that are known. */
struct account_source {
	char source[12];
	uint64_t syncs, failed;
	uint64_t total_ns, timed;
	uint64_t walk_ns, walked;
	uint64_t flush_ns, flushed;
	uint64_t count_ns;		/* by hwdbm, after the syncs */
	uint64_t clear_ns, clears;
	uint64_t dirty_bytes;
	uint64_t unit_bytes[UNIT_SIZES];	/* of syncs that tell all sizes from 4K on */
	uint64_t unit_from[UNIT_SIZES];		/* syncs that tell this size */
	uint64_t shortest_ns, longest_ns;
	uint64_t buckets[ACCOUNT_BUCKETS];
};

/* Rows of which every @stride-th was kept. */
struct account_rows {
	void *at;
	size_t count;
	size_t stride;
	uint64_t seen;
};

/* A histogram of splits or of TLB invalidations: the last totals of each kind. */
struct account_latency {
	char what[80];
	uint64_t count, failed, total_ns, max_ns;
	struct pairs histogram_ns;
	uint64_t key[3];		/* process, sizes: what makes it a kind of its own */
};

struct account {
	struct header_sample header;
	struct end_sample end;
	struct vmm_start_sample vmm_start;
	struct vmm_end_sample vmm_end;
	struct vmm_state_sample vmm_state;	/* its last answer */
	bool has_header, has_end, has_vmm_start, has_vmm_end, has_vmm_state;
	char settings[SETTINGS][SETTING_TEXT];

	uint64_t first_ns, last_ns;	/* of all samples */
	uint64_t begin_ns, finish_ns;	/* of the migration, by the kernel's events or the test bed */
	uint64_t migrated_pid;		/* the first process whose migration began; 0: none */
	bool several_vms;		/* others began one, too: sums are of all */
	enum tristate begin_seen;
	enum tristate finish_seen;	/* if not, it was later than finish_ns */
	uint64_t finish_error_ns;	/* it may have been so much earlier */
	uint64_t device_stop_ns, destination_running_ns;
	uint64_t samples, syncs;
	uint64_t missed_pages;		/* by a truth check; UNKNOWN without one */

	struct stat_sums stat;
	struct sync_rows grouper;
	struct account_rows by_source;	/* struct sync_row */
	struct account_rows iterations;	/* struct converge_row */
	struct account_rows phases;	/* struct converge_phase */
	struct account_source *sources;
	size_t source_count;
	struct account_latency *latencies;
	size_t latency_count;
	struct heat heat;
	uint64_t last_sync_ns, last_sent_ns, before_sent_ns, last_look_ns, sent_bytes, completed_ns;
};

/** account__init() - nothing seen; it must not be moved. Free with account__release(). */
void account__init(struct account *account);

/** account__add() - take in a sample, whose lists stay the caller's. Return: 0 or -ENOMEM. */
int account__add(struct account *account, enum sample_kind kind, const union sample *sample);

/** account__finish() - all samples were given. Return: 0 or -ENOMEM. */
int account__finish(struct account *account);

/** account__release() - free all */
void account__release(struct account *account);

/** account__is_emulated() - whether durations are those of an emulated machine */
bool account__is_emulated(const struct account *account);

/** account__lost() - events that the recorder lost; UNKNOWN without an end */
uint64_t account__lost(const struct account *account);

/** account__failure() - why this migration did not complete; NULL if nothing says so */
const char *account__failure(const struct account *account);

/** account__setting_name() - "kernel", "VMM", "tracker", "leaf size", "mode" */
const char *account__setting_name(enum setting setting);

/** account__bucket_ns() - upper bound of a bucket of account_source */
uint64_t account__bucket_ns(unsigned int bucket);

/** account__percentile() - upper bound of the bucket that holds it; UNKNOWN of no syncs */
uint64_t account__percentile(const struct account_source *source, unsigned int percent);

#endif
