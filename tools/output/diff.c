// SPDX-License-Identifier: GPL-2.0-only
/*
 * The same table four times, with the unit of what is measured. Not here: reading.
 */
#include "diff.h"
#include "json.h"
#include "table.h"
#include "../lib/strings.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define F(member, ...) FIELD(diff_row, member, #member, __VA_ARGS__)

#define FIELDS(u)									\
	{										\
		F(run, "run", FIELD_TEXT, UNIT_NONE, "name of the run, or its file"),	\
		F(count, "syncs", FIELD_U64, UNIT_COUNT, "syncs of which it is known"),	\
		F(p50, "p50", FIELD_U64, u, "median"),					\
		F(p90, "p90", FIELD_U64, u, "90th percentile"),				\
		F(p99, "p99", FIELD_U64, u, "99th percentile"),				\
		F(max, "max", FIELD_U64, u, "largest"),					\
		F(ratio, "p50 / base", FIELD_RATIO, UNIT_RATIO, "medians, against the base"),	\
		F(ratio_low, "from", FIELD_RATIO, UNIT_RATIO,				\
		  "the true ratio is no less with 95 % confidence"),			\
		F(ratio_high, "to", FIELD_RATIO, UNIT_RATIO, "and no more"),		\
		F(larger, "larger", FIELD_RATIO, UNIT_RATIO,				\
		  "chance that one of its syncs is larger than one of the base"),	\
		F(p, "p", FIELD_RATIO, UNIT_RATIO,					\
		  "two-sided p of Mann and Whitney's rank test"),			\
		F(verdict, "verdict", FIELD_TEXT, UNIT_NONE, "more, less, no difference shown, or too few syncs to tell"),	\
	}

static const struct field time_fields[] = FIELDS(UNIT_NS);
static const struct field byte_fields[] = FIELDS(UNIT_BYTES);
static const struct field count_fields[] = FIELDS(UNIT_COUNT);

static const struct {
	const char *title;
	struct field_table table;
} measures[MEASURES] = {
	[MEASURE_SYNC_NS] = { "Time of a sync", FIELD_TABLE("sync_ns", diff_row, time_fields) },
	[MEASURE_DIRTY_BYTES] = { "Dirty bytes per sync", FIELD_TABLE("dirty_bytes", diff_row, byte_fields) },
	[MEASURE_SPLITS] = { "Blocks split per sync", FIELD_TABLE("splits", diff_row, count_fields) },
	[MEASURE_TLB] = { "TLB invalidations per sync", FIELD_TABLE("tlb_invalidations", diff_row, count_fields) },
};

/* Emulated time is comparable on one bed only, and never with other time. */
static bool is_comparable(const struct side *base, const struct side *side, enum measure measure)
{
	return measure != MEASURE_SYNC_NS ||
	       !strcmp(base->settings.time_basis, side->settings.time_basis);
}

static const char *word_of(enum comparison comparison)
{
	switch (comparison) {
	case COMPARE_MORE:
		return "more";
	case COMPARE_LESS:
		return "less";
	case COMPARE_SAME:
		return "no difference shown";
	case COMPARE_FEW:
		return "too few syncs to tell";
	default:
		return "unknown";
	}
}

void diff__row(const struct side *base, const struct side *side, enum measure measure,
	       struct diff_row *row)
{
	const struct measured *before = &base->measured[measure];
	const struct measured *after = &side->measured[measure];

	field__clear(&measures[measure].table, row);
	STRING_COPY(row->run, side->name);
	row->count = after->count;
	row->p50 = measured__percentile(after, 50);
	row->p90 = measured__percentile(after, 90);
	row->p99 = measured__percentile(after, 99);
	row->max = measured__percentile(after, 100);
	row->comparison = COMPARE_UNKNOWN;
	if (base == side) {
		STRING_COPY(row->verdict, "(base)");
		return;
	}
	if (!is_comparable(base, side, measure)) {
		STRING_COPY(row->verdict, "other time basis");
		return;
	}
	row->p = compare__ranks(before, after, &row->larger);
	if (before->count && after->count && measured__percentile(before, 50))
		row->ratio = (double)row->p50 / (double)measured__percentile(before, 50);
	compare__ratio(before, after, &row->ratio_low, &row->ratio_high);
	row->comparison = compare__judge(before, after, row->p, row->larger);
	STRING_COPY(row->verdict, word_of(row->comparison));
}

static struct diff_row *make_rows(const struct sides *sides, enum measure measure)
{
	struct diff_row *rows = calloc(sides->count, sizeof(*rows));

	for (size_t i = 0; rows && i < sides->count; i++)
		diff__row(&sides->at[0], &sides->at[i], measure, &rows[i]);
	return rows;
}

static bool is_known(const struct sides *sides, enum measure measure)
{
	for (size_t i = 0; i < sides->count; i++)
		if (sides->at[i].measured[measure].count)
			return true;
	return false;
}

static int put_table(FILE *out, const struct sides *sides, enum measure measure)
{
	struct diff_row *rows;
	int err;

	if (!is_known(sides, measure)) {
		fprintf(out, "\n%s: not known of any\n", measures[measure].title);
		return 0;
	}
	rows = make_rows(sides, measure);
	if (!rows)
		return -ENOMEM;
	fprintf(out, "\n%s\n", measures[measure].title);
	err = table__print(out, &measures[measure].table, rows, sides->count, TABLE_ALL, 0);
	free(rows);
	return err;
}

static bool differs(const struct side *base, const struct side *side, size_t which)
{
	return strcmp(side__setting(base, which), side__setting(side, which));
}

static void put_setting(FILE *out, const struct side *side, size_t which)
{
	const char *text = side__setting(side, which);

	table__text(out, *text ? text : "unknown");
}

static void put_changes(FILE *out, const struct sides *sides)
{
	for (size_t i = 1; i < sides->count; i++) {
		bool any = false;

		fputs("changed in ", out);
		table__text(out, sides->at[i].name);
		fputs(": ", out);
		for (size_t s = 0; s < side_setting_count; s++) {
			if (!differs(&sides->at[0], &sides->at[i], s))
				continue;
			fprintf(out, "%s%s ", any ? "; " : "", side_settings[s].name);
			put_setting(out, &sides->at[0], s);
			fputs(" -> ", out);
			put_setting(out, &sides->at[i], s);
			any = true;
		}
		fputs(any ? "\n" : "nothing that the recordings tell\n", out);
	}
}

static void put_gaps(FILE *out, const struct sides *sides)
{
	for (size_t i = 0; i < sides->count; i++) {
		const struct side *side = &sides->at[i];

		if (side->failed || side->lost || side->damaged) {
			fputs("of ", out);
			table__text(out, side->name);
			if (side->failed)
				fprintf(out, ": %llu failed syncs left out",
					(unsigned long long)side->failed);
			if (side->lost == UNKNOWN)
				fputs(": what was lost is unknown", out);
			else if (side->lost)
				fprintf(out, ": %llu events were lost",
					(unsigned long long)side->lost);
			if (side->damaged)
				fputs(": damaged or cut off", out);
			fputc('\n', out);
		}
	}
}

int diff__text(FILE *out, const struct sides *sides)
{
	bool emulated = false;
	int err = 0;

	put_changes(out, sides);
	for (int m = 0; !err && m < MEASURES; m++)
		err = put_table(out, sides, m);
	fprintf(out, "\np: Mann and Whitney's rank test, two-sided; a verdict takes p < %g and medians that differ by more than %g %%.\nfrom, to: the ratio of medians is between them with at least %g %% confidence (by order statistics).\nSyncs of one run depend on each other: a small p says that these runs differ, not that all such runs would.\n",
		COMPARE_P, 100 * COMPARE_RATIO, 100 * COMPARE_CONFIDENCE);
	put_gaps(out, sides);
	for (size_t i = 0; i < sides->count; i++)
		emulated |= !strcmp(sides->at[i].settings.time_basis, "emulated");
	if (emulated)
		fputs("Times of emulated runs are emulated: comparable on one test bed only, and never with hardware.\n",
		      out);
	return err ?: fflush(out) || ferror(out) ? -EIO : 0;
}

static json_t *settings_of(const struct side *side)
{
	json_t *object = json_object();

	for (size_t s = 0; object && s < side_setting_count; s++) {
		const char *text = side__setting(side, s);

		json_object_set_new(object, side_settings[s].name,
				    *text ? json_string(text) : json_null());
	}
	return object;
}

static json_t *changes_of(const struct side *base, const struct side *side)
{
	json_t *array = json_array();

	for (size_t s = 0; array && s < side_setting_count; s++)
		if (differs(base, side, s))
			json_array_append_new(array, json_string(side_settings[s].name));
	return array;
}

static json_t *measures_of(const struct side *base, const struct side *side)
{
	json_t *object = json_object();

	for (int m = 0; object && m < MEASURES; m++) {
		json_t *record = json_object();
		struct diff_row row;

		diff__row(base, side, m, &row);
		if (!record || json__add_record(record, &measures[m].table, &row) ||
		    json_object_del(record, "run") ||
		    json_object_set_new(object, measures[m].table.record, record)) {
			json_decref(object);
			return NULL;
		}
	}
	return object;
}

static json_t *from_lost(uint64_t lost)
{
	return lost == UNKNOWN ? json_null() : json_integer((json_int_t)lost);
}

int diff__json(FILE *out, const struct sides *sides)
{
	json_t *runs = json_array(), *document;
	int err = 0;

	for (size_t i = 0; runs && !err && i < sides->count; i++) {
		const struct side *side = &sides->at[i];

		err = json_array_append_new(runs, json_pack(
			"{s:s#,s:b,s:I,s:I,s:o,s:b,s:o,s:o,s:o}", "run", side->name,
			strlen(side->name), "base", i == 0, "syncs", (json_int_t)side->syncs,
			"failed", (json_int_t)side->failed, "lost", from_lost(side->lost),
			"damaged", side->damaged, "settings", settings_of(side), "changed",
			changes_of(&sides->at[0], side), "measures",
			measures_of(&sides->at[0], side)));
	}
	document = runs && !err ? json_pack("{s:s,s:s,s:f,s:f,s:f,s:O}", "schema", DIFF_SCHEMA, "test",
					    "Mann-Whitney, two-sided", "p_below", COMPARE_P, "ratio_above",
					    COMPARE_RATIO, "confidence", COMPARE_CONFIDENCE, "runs", runs) :
				  NULL;
	json_decref(runs);
	return json__write_document(out, document);
}
