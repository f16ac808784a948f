// SPDX-License-Identifier: GPL-2.0-only
/*
 * The sample in a sentence, and a row for each iteration. Not here: figures (model/estimate.c).
 */
#include "estimate.h"
#include "json.h"
#include "table.h"
#include "units.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>

/* Half an interval, as a share of its estimate, from which on it is said to be wide */
#define WIDE 0.25

/* Of the blocks that could have been; NaN if that is not known. */
static double share_split(const struct estimator *e)
{
	return e->blocks != UNKNOWN && e->blocks ? (double)e->splits / (double)e->blocks : NAN;
}

static void put_sample(FILE *out, const struct estimator *e)
{
	uint64_t block = UNKNOWN, finest = UNIT_SIZES;
	char size[UNITS_TEXT], split[UNITS_TEXT], all[UNITS_TEXT];
	static const unsigned int shifts[UNIT_SIZES] = UNIT_SIZE_SHIFTS;

	for (size_t i = 0; i < e->count; i++) {
		if (e->rows[i].block_bytes != UNKNOWN)
			block = e->rows[i].block_bytes;
		if (estimate__finest(&e->rows[i]) < finest)
			finest = estimate__finest(&e->rows[i]);
	}
	fprintf(out, "Estimated from %s of %s blocks", units__count(e->splits, split),
		units__count(e->blocks, all));
	if (block != UNKNOWN)
		fprintf(out, " of %s", units__leaf(block, size));
	if (!isnan(share_split(e)))
		fprintf(out, " (%.2f %%)", 100 * share_split(e));
	if (finest < UNIT_SIZES)
		fprintf(out, ", split to %s when tracking started",
			units__leaf(UINT64_C(1) << shifts[finest], size));
	fprintf(out, " (seed %" PRIu64 "). The true value is between \"from\" and \"to\" with 95 %%.\n\n",
		e->seed);
}

/* What makes them so is in their rows: few sampled blocks. */
static void put_width(FILE *out, const struct estimator *e)
{
	size_t known = 0, wide = 0;
	uint64_t fewest = UNKNOWN;
	double most = 0;

	for (size_t i = 0; i < e->count; i++) {
		const struct estimate_row *row = &e->rows[i];

		known += !isnan(row->half_width);
		if (isnan(row->half_width) || row->half_width <= WIDE)
			continue;
		wide++;
		if (row->half_width > most)
			most = row->half_width;
		if (row->sampled_blocks < fewest)
			fewest = row->sampled_blocks;
	}
	if (!wide)
		return;
	fprintf(out, "\nWide: in %zu of %zu iterations half of the interval is more than %.0f %% of the estimate, at most %.0f %%.\n"
		"As few as %" PRIu64 " sampled dirty blocks do not tell how many nearly full ones they miss. More of them do:\n"
		"a share up to 5 %%, more memory, longer iterations; or blocks that are more alike.\n",
		wide, known, 100 * WIDE, 100 * most, fewest);
}

int estimate__text(FILE *out, const struct estimate_document *d)
{
	const struct estimator *e = d->estimator;
	int err;

	put_sample(out, e);
	err = table__print(out, &estimate_row_table, e->rows, e->count, TABLE_KNOWN, 0);
	if (!err)
		put_width(out, e);
	prediction__put_notes(out, "Not known", &d->unknown);
	if (d->emulated)
		fputs("\nThe recording's times are emulated: bytes mean what they say, intervals do not.\n",
		      out);
	return err ?: fflush(out) || ferror(out) ? -EIO : 0;
}

static json_t *number(uint64_t value)
{
	return value == UNKNOWN ? json_null() : json_integer((json_int_t)value);
}

static json_t *real(double value)
{
	return isnan(value) ? json_null() : json_real(value);
}

static json_t *make_document(const struct estimate_document *d)
{
	const struct estimator *e = d->estimator;
	json_t *object = json_object();
	int err = !object;

	err = err || json_object_set_new(object, "schema", json_string(ESTIMATE_SCHEMA));
	err = err || json_object_set_new(object, "time_basis_emulated", json_boolean(d->emulated));
	err = err || json_object_set_new(object, "confidence", json_real(0.95));
	err = err || json_object_set_new(object, "share_asked_for", real(e->share));
	err = err || json_object_set_new(object, "seed", number(e->seed));
	err = err || json_object_set_new(object, "blocks", number(e->blocks));
	err = err || json_object_set_new(object, "splits", number(e->splits));
	err = err || json_object_set_new(object, "share_split", real(share_split(e)));
	err = err || json_object_set_new(object, "iterations",
					 json__records(&estimate_row_table, e->rows, e->count));
	err = err || json_object_set_new(object, "not_known", prediction__list(&d->unknown));
	if (!err)
		return object;
	json_decref(object);
	return NULL;
}

int estimate__json(FILE *out, const struct estimate_document *document)
{
	return json__write_document(out, make_document(document));
}
