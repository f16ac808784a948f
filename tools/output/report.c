// SPDX-License-Identifier: GPL-2.0-only
/*
 * JSON from the run and sync tables. Not here: any field by name.
 */
#include "report.h"
#include "json.h"

#include <errno.h>
#include <string.h>

static json_t *runs_syncs(const struct run *run)
{
	json_t *array = json_array();

	for (size_t i = 0; array && i < run->sync_count; i++) {
		json_t *row = json_object();

		if (!row || json__add_record(row, &run_sync_table, &run->syncs[i]) ||
		    json_array_append_new(array, row)) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

/* Summaries, as recorded: splits and merges by size, TLBIs by cause. */
static json_t *summaries(const struct field_table *table, const void *records, size_t count)
{
	json_t *array = json_array();

	for (size_t i = 0; array && i < count; i++) {
		json_t *row = json_object();

		if (!row ||
		    json__add_record(row, table, (const char *)records + i * table->record_size) ||
		    json_array_append_new(array, row)) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

static json_t *run_object(const struct run *run)
{
	const struct run_samples *s = &run->samples;
	json_t *object = json_object();

	if (!object || json__add_record(object, &run_table, &run->result) ||
	    json_object_set_new(object, "syncs", runs_syncs(run)) ||
	    json_object_set_new(json_object_get(object, "split"), "by_size",
				summaries(sample__table(SAMPLE_SPLIT_SUMMARY), s->split_summaries,
					  s->split_summary_count)) ||
	    json_object_set_new(json_object_get(object, "merge"), "by_size",
				summaries(sample__table(SAMPLE_MERGE_SUMMARY), s->merge_summaries,
					  s->merge_summary_count)) ||
	    json_object_set_new(json_object_get(object, "tlb"), "by_cause",
				summaries(sample__table(SAMPLE_TLB_SUMMARY), s->tlb_summaries,
					  s->tlb_summary_count))) {
		json_decref(object);
		return NULL;
	}
	return object;
}

int report__write(FILE *out, const struct report_document *d)
{
	const struct header_sample *first = d->dossiers->count ? &d->dossiers->at[0]->account.header : NULL;
	json_t *array = json_array();
	json_t *document = json_pack("{s:s,s:{s:o,s:o},s:o,s:s}", "schema", REPORT_SCHEMA,
				     "host", "name", json__text(first ? first->host_name : ""),
				     "machine", json__text(first ? first->host_machine : ""),
				     "runs", array, "answer", d->answer ? d->answer : "");
	int err = document ? board__json(document, d) : -ENOMEM;

	for (size_t i = 0; !err && i < d->dossiers->count; i++) {
		const struct run *run = d->dossiers->at[i]->run;

		if (run && json_array_append_new(array, run_object(run)))
			err = -ENOMEM;
	}
	errno = 0;
	if (!err && (json_dumpf(document, out, JSON_INDENT(2)) || fputc('\n', out) == EOF ||
		     fflush(out)))
		err = errno ? -errno : -EIO;
	json_decref(document);
	return err;
}
