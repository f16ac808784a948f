/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The pre-copy loop of a VMM, played through with a working set instead of memory.
 *
 * Two rules are known for when it stops the VM:
 *  - QEMU's (migration/migration.c, migration_iteration_run()): it sends until what is left
 *    is less than the threshold, bandwidth x downtime limit; only then it syncs
 *    (qemu_savevm_state_pending_exact(), for memory migration_bitmap_sync_precopy() in
 *    migration/ram.c); if what is left *and* what that sync found is still no more than
 *    the threshold, it stops the VM, else it goes on. It looks once in 100 ms
 *    (BUFFER_DELAY, migration_rate_limit()). Device state that VFIO reports counts too.
 *  - whole passes (cloud-hypervisor, and precopy of this project's test bed): it sends all,
 *    syncs, and stops the VM if what that found is no more than the threshold.
 *
 * Not here: where the working set comes from (predict.h), auto-converge, post-copy.
 */
#ifndef HWDBM_MODEL_PRECOPY_H
#define HWDBM_MODEL_PRECOPY_H

#include <stdbool.h>
#include <stddef.h>

/* How often QEMU looks whether it may switch over. */
#define PRECOPY_QEMU_SLICE_S 0.1

/* 4K to 1G in two steps; a lazy split goes one step per sync. */
#define PRECOPY_LEVELS 3

/* Trials of more would take minutes. */
#define PRECOPY_ITERATIONS_MOST 1000

/* Who writes the memory. */
struct precopy_writers {
	/* Bytes that syncs report after a time, on average; level 0 is the finest. */
	double (*dirty)(void *context, unsigned int level, double seconds);
	/* What one sync deviates from that: a factor. */
	double (*noise)(void *context, double seconds);
	void *context;
};

struct precopy_setup {
	double memory_bytes;
	double pending_bytes;		/* to send at first: memory_bytes */
	double pending_s;		/* time in which that was written; 0: all memory */
	double bandwidth;		/* bytes per second */
	double last_bandwidth;		/* with the VM stopped */
	bool last_measured;		/* if it was: that, and last_fixed_s, are all of a blackout */
	double last_fixed_s;
	double last_spread;		/* of its time's logarithm, of Student's t with so many degrees */
	unsigned int last_freedom;	/* of freedom; 0: not known */
	double downtime_limit_s;
	double device_bytes;		/* state that is sent with the VM stopped */
	double load_s;			/* from the last byte to the VM running */
	double slice_s;			/* 0: whole passes */
	double sync_s;			/* of one sync of all memory */
	double start_s;			/* until tracking is on: eager splits */
	double stop_s;			/* from the last look to the VM standing still */
	const double *stops;		/* measured ones, in place of stop_s; each trial takes one */
	size_t stop_count;
	double overlap;			/* of what is left and what is written; see below */
	unsigned int levels;		/* above 1: lazy, blocks go from level to level */
	unsigned int most_iterations;
};

struct precopy_outcome {
	bool converged;
	unsigned int iterations;	/* syncs, the last one with the VM stopped not counted */
	double sent_bytes;
	double total_s;			/* until the VM runs again */
	double blackout_s;		/* if stopped after the last iteration, converged or not */
	double left_bytes;		/* memory still to send when the VM stops */
	double left_s;			/* of the blackout: for these, and for the devices' state; the */
	double device_s;		/* rest is there whatever is sent */
};

/** precopy__threshold() - bytes that may be left for the VM to be stopped */
double precopy__threshold(const struct precopy_setup *setup);

/**
 * precopy__run() - play it through
 *
 * Two syncs in a row share what they have in common: of stationary writers
 * W(a) + W(b) - W(a + b) bytes are written in both of two neighbouring times a and b. So
 * what QEMU has left over when it syncs is not counted twice. What is left over is the end
 * of the addresses, though: that it is written again as often as the rest was is a guess,
 * by the factor overlap.
 *
 * Lazy: a block is reported whole by the first sync that finds it dirty, and its parts,
 * one level finer, by the first that finds them so after that.
 */
void precopy__run(const struct precopy_setup *setup, const struct precopy_writers *writers,
		  struct precopy_outcome *outcome);

#endif
