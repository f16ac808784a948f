/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Will it converge, and how long is the guest gone? From working-set curves, by playing the
 * migration through many times.
 *
 * Each trial takes one curve of those that explain the points as well (their errors drawn
 * anew, the curve fitted again), one place between the bounds outside the observed times,
 * half to one and a half times the overlap with what is left unsent, a last copy up to 2 %
 * slower, or where several were measured as long as one more of them may take (last_copy.h), and
 * for each sync an error like those of points with similar intervals. The point
 * is the median of the trials that converge, the bound is their quantile PREDICT_QUANTILE.
 * The verdict is theirs too: "converges" if all but PREDICT_DOUBT do, "does not" if no more
 * than that do, else it cannot be told. It all assumes that the load stays as recorded.
 *
 * Not here: where points come from, words.
 */
#ifndef HWDBM_MODEL_PREDICT_H
#define HWDBM_MODEL_PREDICT_H

#include "field.h"
#include "precopy.h"
#include "working_set.h"

#include <stdint.h>

/* A bound that holds in 95 of 100: trials do not know all that can differ. */
#define PREDICT_QUANTILE 0.99

/* Share of the trials that may differ from the verdict. */
#define PREDICT_DOUBT 0.03

#define PREDICT_TRIALS 400
#define PREDICT_SOURCES 8

/* Of each source, the working sets of each level of struct precopy_setup. */
struct predict_source {
	const struct working_set *levels[PRECOPY_LEVELS];
};

struct prediction {
	char verdict[20];		/* converges, does not converge, cannot be told */
	enum tristate converges;
	double converged_share;		/* of the trials */
	uint64_t trials;
	uint64_t iterations;		/* these are medians and quantiles of those that converge; */
	uint64_t iterations_bound;	/* of all, if it does not */
	uint64_t sent_bytes;
	uint64_t sent_bytes_bound;
	uint64_t total_ns;
	uint64_t total_bound_ns;
	uint64_t left_bytes;		/* memory still to send with the VM stopped */
	uint64_t blackout_ns;
	uint64_t blackout_bound_ns;
	uint64_t threshold_bytes;	/* so much may be left */
	uint64_t forced_blackout_ns;	/* if the VM is stopped after the last iteration anyway */
};

extern const struct field_table prediction_table;

/* What the bound on the blackout is made of, and what it would be if less were open. */
struct prediction_makeup {
	uint64_t left_ns;		/* of the bound: memory that is left */
	uint64_t device_ns;		/* the devices' state */
	uint64_t fixed_ns;		/* whatever is sent: to stop, sync and load */
	uint64_t known_curve_ns;	/* the bound, were the working set as the median curve says */
	uint64_t known_syncs_ns;	/* did each sync find just what the curve says */
	uint64_t known_overlap_ns;	/* were it known how much of what is left is written again */
	uint64_t known_copy_ns;		/* did each last copy take as long as the others */
	char widest[12];		/* of these, the one that is least: curve, syncs, overlap or copy; */
					/* limit: no one of them counts, more may not be left */
};

extern const struct field_table prediction_makeup_table;

/**
 * predict__run() - play a migration through
 *
 * @setup: its overlap is drawn
 * @sources: up to PREDICT_SOURCES; their dirty bytes add up
 * @seed: of the trials; the same gives the same
 *
 * Return: 0; -EINVAL if the setup makes no sense (no memory, no bandwidth, no iteration);
 * -ENOMEM.
 */
int predict__run(const struct precopy_setup *setup, const struct predict_source *sources,
		 size_t count, uint64_t seed, struct prediction *out);

/**
 * predict__makeup() - what the bound that predict__run() gives consists of, and why it is so wide
 *
 * Plays the migration through again, each time with one of the things that trials differ in
 * at its middle. All is UNKNOWN where there is no bound.
 *
 * Return: as predict__run()
 */
int predict__makeup(const struct precopy_setup *setup, const struct predict_source *sources,
		    size_t count, uint64_t seed, struct prediction_makeup *out);

#endif
