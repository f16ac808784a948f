/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Whether a migration gets anywhere, iteration by iteration: what is dirty, how fast it
 * gets dirty and by whom, how fast it is sent. All trackers of a process are one
 * migration. Pure. Not here: how a row looks, and what will be (nothing is predicted but
 * one quotient, and it is called a projection).
 */
#ifndef HWDBM_MODEL_CONVERGE_H
#define HWDBM_MODEL_CONVERGE_H

#include "sample.h"

struct converge_row {
	uint64_t t_ns;
	uint64_t after_ns;		/* since tracking began, or since the first sync seen */
	uint64_t pid;
	uint64_t iteration;
	enum tristate start_seen;
	uint64_t syncs;
	uint64_t took_ns;
	uint64_t interval_ns;
	uint64_t remaining_bytes;
	enum tristate exact;
	uint64_t vcpu_rate;
	uint64_t dma_rate;
	uint64_t device_rate;
	uint64_t vhost_rate;
	uint64_t sent_bytes;
	uint64_t transfer_rate;
	uint64_t blackout_ns;
	char verdict[15];
	char why[112];
};

extern const struct field_table converge_row_table;

enum converge_phase_kind {
	PHASE_START,
	PHASE_LATE,
	PHASE_STOP,
	PHASE_PROCESS_ENDED,
	PHASE_UNFINISHED,
};

struct converge_phase {
	uint64_t t_ns;
	uint64_t pid;
	char phase[16];
	uint64_t iterations;
	char meaning[128];
};

extern const struct field_table converge_phase_table;

/* Return: 0, or -errno to stop. */
struct converge_handlers {
	int (*row)(void *context, const struct converge_row *row);
	int (*phase)(void *context, const struct converge_phase *phase);
	void *context;
};

struct migration;

/* Zero-initialised but for the handlers. */
struct converge {
	struct converge_handlers handlers;
	struct migration *migrations;
	size_t count;
};

/**
 * converge__add() - take in a sample, hand on the phases and rows it completes
 *
 * A row is complete when the next iteration begins, tracking stops or the recording ends;
 * see converge__settle().
 *
 * Return: 0, -ENOMEM, or a handler's error.
 */
int converge__add(struct converge *converge, enum sample_kind kind, const union sample *sample);

/**
 * converge__settle() - hand on the rows of iterations whose syncs seem to be over
 *
 * That is so if none has come for a while, a quarter of a second or as long as the syncs
 * of the iteration before took. A row that is added to afterwards is handed on again.
 *
 * @now: CLOCK_MONOTONIC
 *
 * Return: 0, or the handler's error.
 */
int converge__settle(struct converge *converge, uint64_t now);

/**
 * converge__progress() - a row for each migration as it stands between two iterations
 *
 * What remains is then what the last syncs have read less what was sent since: an upper
 * bound, since a page that is all zero or compressed takes fewer bytes. There is no row if
 * the transfer rate is unknown, or nothing is left.
 *
 * Return: 0, or the handler's error.
 */
int converge__progress(const struct converge *converge);

/** converge__is_migration() - whether a sync or a start of tracking is about more than a display */
bool converge__is_migration(const char *source, uint64_t length_bytes);

/** converge__release() - free what it holds */
void converge__release(struct converge *converge);

#endif
