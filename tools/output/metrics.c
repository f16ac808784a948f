// SPDX-License-Identifier: GPL-2.0-only
/*
 * One family for each field that is a metric, in the order of the tables. Not here: a
 * name or a help text of any single metric, but for whether a recording is complete.
 */
#include "metrics.h"
#include "../lib/utf8.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NAME_SIZE 128

/*
 * Bounds of exported histograms: every second octave from 1 µs to 17 s. Recordings have
 * eight buckets to an octave, which would be more series than a migration is worth.
 */
#define BOUND_FIRST 10		/* log2(ns) */
#define BOUND_LAST 34
#define BOUND_STEP 2

struct families {
	FILE *out;
	struct run *const *runs;
	size_t count;
};

/* A record of one run, or nothing: the caller stops asking then. */
typedef const void *record_at(const struct run *run, size_t index);

static const void *result_at(const struct run *run, size_t index)
{
	return index ? NULL : &run->result;
}

static const void *last_sync_at(const struct run *run, size_t index)
{
	return index || !run->sync_count ? NULL : &run->syncs[run->sync_count - 1];
}

static const void *split_summary_at(const struct run *run, size_t index)
{
	return index < run->samples.split_summary_count ?
	       &run->samples.split_summaries[index] : NULL;
}

static const void *merge_summary_at(const struct run *run, size_t index)
{
	return index < run->samples.merge_summary_count ?
	       &run->samples.merge_summaries[index] : NULL;
}

static const void *tlb_summary_at(const struct run *run, size_t index)
{
	return index < run->samples.tlb_summary_count ? &run->samples.tlb_summaries[index] : NULL;
}

/* As the text format wants it: UTF-8; backslash, line end and, in labels, the quote escaped. */
static void put_escaped(FILE *out, const char *text, bool label)
{
	size_t length, left = strlen(text);

	for (; left; text += length, left -= length) {
		length = utf8__length(text, left);
		if (!length) {
			fputs(UTF8_REPLACEMENT, out);
			length = 1;
		} else if (*text == '\\') {
			fputs("\\\\", out);
		} else if (*text == '\n') {
			fputs("\\n", out);
		} else if (*text == '"' && label) {
			fputs("\\\"", out);
		} else {
			fwrite(text, 1, length, out);
		}
	}
}

/* "workload.name": workload_name. */
static void put_label_name(FILE *out, const char *name)
{
	for (; *name; name++)
		fputc(*name == '.' ? '_' : *name, out);
}

static void put_labels_of(FILE *out, const struct field_table *table, const void *record,
			  bool *any)
{
	for (size_t i = 0; i < table->count; i++) {
		const struct field *field = &table->fields[i];

		if (field->metric != METRIC_LABEL || !field__known(field, record))
			continue;
		fputs(*any ? "," : "{", out);
		*any = true;
		put_label_name(out, field->name);
		fputs("=\"", out);
		if (field->type == FIELD_TEXT)
			put_escaped(out, field__text(field, record), true);
		else
			fprintf(out, "%" PRIu64, field__u64(field, record));
		fputc('"', out);
	}
}

/* Opens the braces if there is a label; the caller may add one and must close them. */
static bool put_labels(FILE *out, const struct run *run, const struct field_table *table,
		       const void *record)
{
	bool any = false;

	put_labels_of(out, &run_table, &run->result, &any);
	if (table != &run_table)
		put_labels_of(out, table, record, &any);
	return any;
}

static void put_value(FILE *out, double value)
{
	char text[40];

	snprintf(text, sizeof(text), "%.15g", value);
	if (strtod(text, NULL) != value)
		snprintf(text, sizeof(text), "%.17g", value);
	fprintf(out, " %s\n", text);
}

static void put_header(FILE *out, const char *name, const char *help, const char *type)
{
	fprintf(out, "# HELP %s ", name);
	put_escaped(out, help, false);
	fprintf(out, "\n# TYPE %s %s\n", name, type);
}

static void put_sample(FILE *out, const char *name, const struct run *run,
		       const struct field_table *table, const void *record, double value)
{
	fputs(name, out);
	if (put_labels(out, run, table, record))
		fputc('}', out);
	put_value(out, value);
}

static void put_bucket(FILE *out, const char *name, const struct run *run,
		       const struct field_table *table, const void *record, const char *bound,
		       uint64_t count)
{
	fprintf(out, "%s_bucket", name);
	fputs(put_labels(out, run, table, record) ? "," : "{", out);
	fprintf(out, "le=\"%s\"} %" PRIu64 "\n", bound, count);
}

static uint64_t count_up_to(const struct pairs *histogram, uint64_t bound)
{
	uint64_t count = 0;

	for (size_t i = 0; i < histogram->count && histogram->at[i].key <= bound; i++)
		count += histogram->at[i].value;
	return count;
}

static void put_histogram(FILE *out, const char *name, const struct run *run,
			  const struct field_table *table, const struct field *field,
			  const void *record)
{
	const struct pairs *histogram = (const void *)((const char *)record + field->offset);
	const struct field *sum = field__find(table, "total_ns");
	char part[NAME_SIZE + 8], bound[32];

	for (int shift = BOUND_FIRST; shift <= BOUND_LAST; shift += BOUND_STEP) {
		uint64_t ns = UINT64_C(1) << shift;

		snprintf(bound, sizeof(bound), "%.10g", (double)ns / 1e9);
		put_bucket(out, name, run, table, record, bound, count_up_to(histogram, ns));
	}
	put_bucket(out, name, run, table, record, "+Inf", histogram__count(histogram));
	if (sum && field__known(sum, record)) {
		snprintf(part, sizeof(part), "%s_sum", name);
		put_sample(out, part, run, table, record, field__metric_value(sum, record));
	}
	snprintf(part, sizeof(part), "%s_count", name);
	put_sample(out, part, run, table, record, (double)histogram__count(histogram));
}

static bool has_value(const struct field *field, const void *record)
{
	return field->metric == METRIC_HISTOGRAM || !isnan(field__metric_value(field, record));
}

static int put_family(const struct families *f, const struct field_table *table,
		      const struct field *field, record_at *at)
{
	static const char *const types[] = {
		[METRIC_GAUGE] = "gauge", [METRIC_COUNTER] = "counter",
		[METRIC_HISTOGRAM] = "histogram",
	};
	char name[NAME_SIZE];
	bool headed = false;
	int err = field__metric_name(table, field, name, sizeof(name));

	for (size_t i = 0; !err && i < f->count; i++) {
		const void *record;

		for (size_t k = 0; (record = at(f->runs[i], k)); k++) {
			if (!has_value(field, record))
				continue;
			if (!headed)
				put_header(f->out, name, field->description, types[field->metric]);
			headed = true;
			if (field->metric == METRIC_HISTOGRAM)
				put_histogram(f->out, name, f->runs[i], table, field, record);
			else
				put_sample(f->out, name, f->runs[i], table, record,
					   field__metric_value(field, record));
		}
	}
	return err;
}

static int put_table(const struct families *f, const struct field_table *table, record_at *at)
{
	int err = 0;

	for (size_t i = 0; !err && i < table->count; i++) {
		const struct field *field = &table->fields[i];

		if (field->metric == METRIC_GAUGE || field->metric == METRIC_COUNTER ||
		    field->metric == METRIC_HISTOGRAM)
			err = put_family(f, table, field, at);
	}
	return err;
}

int metrics__write(FILE *stream, struct run *const *runs, size_t count)
{
	const struct families f = { stream, runs, count };
	int err = put_table(&f, &run_table, result_at);

	err = err ?: put_table(&f, &run_sync_table, last_sync_at);
	err = err ?: put_table(&f, sample__table(SAMPLE_SPLIT_SUMMARY), split_summary_at);
	err = err ?: put_table(&f, sample__table(SAMPLE_MERGE_SUMMARY), merge_summary_at);
	err = err ?: put_table(&f, sample__table(SAMPLE_TLB_SUMMARY), tlb_summary_at);
	put_header(stream, "hwdbm_recording_complete",
		   "1 once the recording has its end; totals and losses are known then", "gauge");
	for (size_t i = 0; i < count; i++)
		put_sample(stream, "hwdbm_recording_complete", runs[i], &run_table,
			   &runs[i]->result, runs[i]->samples.has_end);
	if (!err && (fflush(stream) || ferror(stream)))
		err = -EIO;
	return err;
}
