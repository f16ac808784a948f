/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Why a migration does not switch over, and what would change that: the VMM's rule, pending
 * <= bandwidth x downtime limit, with the figures of one VM. Causes and levers are tried by
 * the prediction (predict.h) with one thing changed. Pure. Not here: sentences and units
 * (output/why.h), live iterations (converge.h).
 *
 * A cause is what is enough to take away for the migration to switch over, looked for in
 * this order: device state, a tracker that reports all, whole blocks, a bandwidth below
 * what the path could carry, a downtime limit below QEMU's default, then whoever writes.
 */
#ifndef HWDBM_MODEL_WHY_H
#define HWDBM_MODEL_WHY_H

#include "converge.h"
#include "history.h"
#include "predict.h"

enum why_verdict {
	WHY_CANNOT_TELL,
	WHY_CANNOT,		/* switch over with these settings */
	WHY_WILL,
	WHY_OVER,		/* the VMM says so */
};

enum why_cause {
	CAUSE_UNKNOWN,
	CAUSE_NONE,
	CAUSE_NO_ITERATION,	/* nothing was seen */
	CAUSE_LATE,		/* too little was seen: tracking was on before */
	CAUSE_FIRST_REPORT,	/* lazy splitting has reported blocks whole, as it does once */
	CAUSE_NO_BANDWIDTH,
	CAUSE_RING,		/* no iterations: it is read when it is full */
	CAUSE_DEVICE_STATE,
	CAUSE_TRACKER,
	CAUSE_BLOCKS,
	CAUSE_BANDWIDTH,
	CAUSE_LIMIT,		/* on downtime, below QEMU's default, which would do */
	CAUSE_THROTTLE,		/* DMA, while the VMM slows vCPUs down */
	CAUSE_DMA,
	CAUSE_DEVICE,		/* as CAUSE_DMA, by the device's own log */
	CAUSE_VHOST,		/* by vhost's */
	CAUSE_VCPUS,
	CAUSE_ALL,		/* each of the writers is enough */
	CAUSE_POSTCOPY,
	CAUSE_COMPLETED,
	CAUSE_ENDED,		/* failed, or cancelled before anything was seen */
	CAUSES
};

enum why_class { WHY_VCPUS, WHY_DMA, WHY_DEVICE, WHY_VHOST };

/* What one kind of tracker reported. Bytes and times are those of its last iteration. */
struct why_writer {
	char class[8];			/* vCPUs, DMA, device, vhost */
	char source[12];
	uint64_t iterations;
	uint64_t pending_bytes;
	uint64_t interval_ns;
	uint64_t dirty_rate;
	uint64_t least_bytes;		/* in any iteration */
	uint64_t length_bytes;		/* memory that it covers */
	uint64_t block_bytes;		/* in which it always reports; UNKNOWN: no such size */
	uint64_t rounding_bytes;	/* of pending, more than the 4K pages written */
	uint64_t rounding_most_bytes;	/* the same as a bound, where it is unknown */
	enum tristate all_dirty;	/* all it covers, in each iteration */
};

extern const struct field_table why_writer_table;

enum why_effect {
	EFFECT_UNKNOWN,
	EFFECT_HELPS,		/* it switches over, so is predicted */
	EFFECT_MAY_HELP,	/* that cannot be told */
	EFFECT_NOT_ENOUGH,	/* not alone */
	EFFECT_CANNOT,
};

enum why_lever_kind {
	LEVER_BANDWIDTH,
	LEVER_LIMIT,
	LEVER_GRANULARITY,
	LEVER_TRACKER,
	LEVER_THROTTLE,
	LEVER_DMA,		/* less load on the device */
	LEVER_DEVICE_STATE,
	LEVER_POSTCOPY,
	LEVERS
};

#define WHY_REASON 160

/* Predicted, but for its name. Where it helps, the least of the settings tried that does. */
struct why_lever {
	char lever[24];
	char effect[16];
	uint64_t bandwidth;
	uint64_t limit_ns;
	uint64_t granularity_bytes;
	uint64_t blackout_ns;
	uint64_t blackout_bound_ns;
	uint64_t total_ns;
	char reason[WHY_REASON];
	enum why_lever_kind kind;	/* not in the table */
	enum why_effect how;
};

extern const struct field_table why_lever_table;

/* The rule and its figures. */
struct why_rule {
	uint64_t pid;
	char verdict[20];
	char cause[20];
	uint64_t iterations;
	enum tristate start_seen;
	uint64_t bandwidth;
	char bandwidth_from[24];
	uint64_t limit_ns;
	char limit_from[24];
	uint64_t threshold_bytes;	/* bandwidth x limit */
	uint64_t pending_bytes;		/* memory and, if known, device state */
	uint64_t memory_bytes;
	uint64_t device_bytes;		/* state; UNKNOWN: counted as 0 */
	uint64_t floor_ns;		/* blackout with no dirty memory at all */
	uint64_t throttle_percent;
	char device_from[24];
	uint64_t better_bandwidth;	/* with CAUSE_BANDWIDTH: what could be had */
	char better_from[40];
	uint64_t fell_after;		/* the last iteration at the bandwidth before; 0: the first copy */
	uint64_t needed_bandwidth;	/* with CAUSE_BANDWIDTH: about the least that would do */
	uint64_t needed_limit_ns;	/* with CAUSE_LIMIT */
	char observed[16];		/* verdict of the last iteration (converge.h) */
	char status[24];		/* in the VMM's words */
};

extern const struct field_table why_rule_table;

struct why_answer {
	enum why_verdict verdict;
	enum why_cause cause;
	struct why_rule rule;
	struct prediction prediction;	/* with nothing changed; all unknown without one */
	bool is_by_observation;		/* the prediction cannot tell, the iterations do */
	bool is_cancelled;		/* it is over; this is about why it was not before */
	bool is_likely;			/* that the cause's cure would do, no more than that */
	struct why_writer writers[PREDICT_SOURCES];
	size_t writer_count;
	struct why_lever levers[LEVERS];
	size_t lever_count;
};

/* What is said instead of seen. 0: not said; UNKNOWN likewise for times and device state. */
struct why_settings {
	uint64_t bandwidth;
	uint64_t link;			/* what the path could carry */
	uint64_t limit_ns;
	uint64_t device_bytes;
	uint64_t load_ns;
	uint64_t stop_ns;
	uint64_t iterations;		/* it does not converge if that takes more */
	bool passes;			/* the rule of whole passes, not QEMU's */
};

struct why_seen;
struct why_device;

/* Begin with why__init(). */
struct why {
	struct history history;
	struct converge converge;
	struct vmm_state_sample vmm;	/* the last */
	struct why_seen *seen;		/* of each process */
	size_t seen_count;
	struct why_device *devices;	/* what each would send with the VM stopped */
	size_t device_count;
};

/** why__init() - nothing seen yet; it must not be moved. Free with why__release(). */
void why__init(struct why *why);

/** why__release() - free what it holds */
void why__release(struct why *why);

/** why__add() - take in a sample. Return: 0 or -ENOMEM. */
int why__add(struct why *why, enum sample_kind kind, const union sample *sample);

/** why__end() - all samples were added; once. Return: 0 or -ENOMEM. */
int why__end(struct why *why);

/**
 * why__answer() - the rule, the cause and the levers
 *
 * Return: 0 or -ENOMEM.
 */
int why__answer(const struct why *why, const struct why_settings *settings,
		struct why_answer *answer);

#endif
