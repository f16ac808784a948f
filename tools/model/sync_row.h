/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Syncs as rows of a table: each for itself, or summed over the slots or ranges of one
 * pre-copy iteration, or of a time. Pure. Not here: how a row looks.
 */
#ifndef HWDBM_MODEL_SYNC_ROW_H
#define HWDBM_MODEL_SYNC_ROW_H

#include "sample.h"

struct sync_row {
	uint64_t t_ns;
	char source[12];
	uint64_t pid;
	uint64_t vm;
	uint64_t domain;
	char device[40];
	uint64_t slot;			/* unknown if the row has more than one */
	uint64_t iova;
	uint64_t length_bytes;
	char who[64];
	char where[40];
	uint64_t iteration;
	enum tristate start_seen;
	uint64_t syncs;
	int64_t ret;			/* the last that is not 0 */
	uint64_t total_ns;
	uint64_t walk_ns;
	uint64_t flush_ns;
	uint64_t clear_ns;
	uint64_t count_ns;
	uint64_t dirty_bytes;
	uint64_t unit_bytes[UNIT_SIZES];
	char note[48];
};

extern const struct field_table sync_row_table;

enum sync_grouping {
	SYNC_EACH,
	SYNC_ITERATION,			/* a row is complete when the next iteration begins */
	SYNC_INTERVAL,			/* a row is complete when sync_rows__flush() says so */
};

/* Return: 0, or -errno to stop. */
typedef int (*sync_row_handler)(void *context, const struct sync_row *row);

/* Zero-initialised but for grouping, handler and context. */
struct sync_rows {
	enum sync_grouping grouping;
	sync_row_handler handler;
	void *context;
	struct sync_row *open;		/* one for each VM or process, and source */
	size_t count;
	/* Sums over all that were handed in. */
	uint64_t syncs;
	uint64_t sync_ns;		/* of those whose duration is known */
	uint64_t counted;
	uint64_t counted_sync_ns;	/* what the counted ones took */
	uint64_t clear_ns;		/* and all clears */
	uint64_t count_ns;		/* and what counting took */
	uint64_t uncounted;		/* bitmaps that were read well and not counted */
};

/**
 * sync_rows__add() - take in a sample, and hand on the rows it completes
 *
 * Samples that are no part of a row are ignored.
 *
 * Return: 0, -ENOMEM, or the handler's error.
 */
int sync_rows__add(struct sync_rows *rows, enum sample_kind kind, const union sample *sample);

/** sync_rows__flush() - hand on what is open. Return: 0 or the handler's error. */
int sync_rows__flush(struct sync_rows *rows);

/** sync_rows__release() - free what is open */
void sync_rows__release(struct sync_rows *rows);

#endif
