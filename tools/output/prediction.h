/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A prediction for people and for programs, with all that was assumed for it. Not here: the
 * prediction (model/predict.h).
 */
#ifndef HWDBM_OUTPUT_PREDICTION_H
#define HWDBM_OUTPUT_PREDICTION_H

#include "../model/predict.h"

#include <jansson.h>
#include <stdio.h>

#define PREDICTION_SCHEMA "hwdbm.prediction/1"

#define PREDICTION_NOTES 24
#define PREDICTION_NOTE 240

struct prediction_notes {
	char at[PREDICTION_NOTES][PREDICTION_NOTE];
	size_t count;
};

/* What a granularity other than the one asked for would do. */
struct whatif_row {
	uint64_t granularity_bytes;
	enum tristate asked_for;
	uint64_t syncs;			/* that tell */
	uint64_t dirty_p50_bytes;	/* per sync as recorded */
	uint64_t dirty_max_bytes;
	char verdict[20];
	uint64_t iterations;
	uint64_t total_ns;
	uint64_t blackout_ns;
	uint64_t blackout_bound_ns;
};

extern const struct field_table whatif_row_table;

/* A host drained of all its VMs, so many at once. */
struct drain_row {
	uint64_t at_once;
	uint64_t waves;
	uint64_t bandwidth_bytes_per_second;	/* of each VM */
	char verdict[20];
	uint64_t iterations;
	uint64_t blackout_ns;
	uint64_t blackout_bound_ns;
	uint64_t total_ns;		/* of one VM */
	uint64_t drain_ns;		/* of all */
	uint64_t drain_bound_ns;
};

extern const struct field_table drain_row_table;

#define DRAIN_ROWS 8

struct prediction_document {
	struct prediction prediction;
	struct prediction_makeup makeup;	/* unknown if it was not asked for */
	bool emulated;			/* recorded times are */
	uint64_t known_from;		/* iteration of the recording, or UNKNOWN */
	struct prediction_notes from;	/* what it was made of */
	struct prediction_notes assumed;
	struct prediction_notes unknown;
	struct whatif_row rows[UNIT_SIZES];
	size_t row_count;
	uint64_t vms;			/* 0: none are drained */
	struct drain_row drain[DRAIN_ROWS];
	size_t drain_count;
};

/** prediction__note() - one more sentence; dropped when there are too many */
__attribute__((format(printf, 2, 3)))
void prediction__note(struct prediction_notes *notes, const char *format, ...);

/** prediction__put_notes() - print the sentences under a title, if there are any */
void prediction__put_notes(FILE *out, const char *title, const struct prediction_notes *notes);

/** prediction__list() - the sentences as a JSON array; NULL without memory */
json_t *prediction__list(const struct prediction_notes *notes);

/** prediction__text() - for a terminal. Return: 0, -ENOMEM, or -EIO. */
int prediction__text(FILE *out, const struct prediction_document *document);

/** prediction__json() - as one document. Return: 0, -ENOMEM, or -EIO. */
int prediction__json(FILE *out, const struct prediction_document *document);

#endif
