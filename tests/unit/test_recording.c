// SPDX-License-Identifier: GPL-2.0-only
/*
 * Recordings and reports on disk: written and read back, cut off, damaged; field tables.
 */
#include "unit.h"
#include "samples.h"
#include "../../tools/model/converge.h"
#include "../../tools/model/stat.h"
#include "../../tools/output/json.h"
#include "../../tools/output/recording.h"
#include "../../tools/output/report.h"

#include <errno.h>
#include <math.h>
#include <unistd.h>

/* Writes text to a new file and loads it as a run. */
static int load_text(const char *text, struct run **out, bool *cut)
{
	char path[] = "/tmp/hwdbm-test-XXXXXX";
	int fd = mkstemp(path), err = -EIO;

	*cut = false;
	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) == (ssize_t)strlen(text))
		err = recording__load_run(path, out, cut);
	close(fd);
	unlink(path);
	return err;
}

#define HEADER "{\"type\":\"header\",\"schema\":\"hwdbm.recording/1\"," \
	       "\"kernel\":{\"release\":\"6.12\",\"patched\":true},\"time_basis\":\"emulated\"}\n"
#define SYNC "{\"type\":\"sync\",\"t_ns\":1,\"iova\":0,\"length_bytes\":4096,\"clear\":true," \
	     "\"ret\":0,\"dirty_bytes\":4096,\"dirty_entries\":{\"4096\":1}}\n"
#define SAMPLED "{\"type\":\"sampled\",\"t_ns\":1,\"pages\":[[10,40]]}\n"
#define END "{\"type\":\"end\",\"t_ns\":2,\"lost\":{\"ring\":3}}\n"

static void a_recording_is_read(void)
{
	struct run *run;
	bool cut;

	CHECK_NUMBER(load_text(HEADER SYNC SAMPLED END, &run, &cut), 0);
	CHECK(!cut);
	CHECK_NUMBER(run->sync_count, 1);
	CHECK_NUMBER(run->syncs[0].dirty_bytes, 4096);
	CHECK_NUMBER(run->syncs[0].dirty_entries[0], 1);
	CHECK(run->syncs[0].entries == UNKNOWN);
	CHECK_NUMBER(run->result.events_lost, 3);
	CHECK(!strncmp(run->result.name, "hwdbm-test-", 11));
	run__free(run);
}

static void every_cut_leaves_a_readable_rest(void)
{
	static const char whole[] = HEADER SYNC SYNC END;
	size_t complete = strlen(HEADER);

	for (size_t length = complete; length < strlen(whole); length++) {
		char text[sizeof(whole)];
		struct run *run;
		bool cut;

		snprintf(text, sizeof(text), "%.*s", (int)length, whole);
		CHECK_NUMBER(load_text(text, &run, &cut), 0);
		/* All but the line end may be there. */
		CHECK(cut || length == strlen(whole) - 1);
		CHECK_NUMBER(run->sync_count, (length >= complete + strlen(SYNC) - 1) +
					      (length >= complete + 2 * strlen(SYNC) - 1));
		run__free(run);
	}
}

static void a_damaged_line_is_refused(void)
{
	struct run *run = NULL;
	bool cut;

	CHECK(load_text(HEADER "{\"type\":\"sync\"\n" END, &run, &cut) == -EINVAL);
	CHECK(load_text(HEADER "[1,2]\n" END, &run, &cut) == -EINVAL);
	CHECK(load_text(HEADER "{\"type\":\"sync\",\"t_ns\":\"x\"}\n" END, &run, &cut) == -EINVAL);
	CHECK(load_text(HEADER "{\"type\":\"vmm.sync\",\"true_regions\":[[1,\"x\"]]}\n" END, &run,
			&cut) == -EINVAL);
	CHECK(!run);
}

static void what_is_no_recording_is_refused(void)
{
	struct run *run = NULL;
	bool cut;

	CHECK(load_text("", &run, &cut) == -EINVAL);
	CHECK(load_text("hello\n", &run, &cut) == -EINVAL);
	CHECK(load_text(SYNC END, &run, &cut) == -EINVAL);
	CHECK(load_text("{\"type\":\"header\",\"schema\":\"hwdbm.recording/9\"}\n", &run, &cut) ==
	      -EINVAL);
	CHECK(recording__load_run("/nonexistent", &run, &cut) == -ENOENT);
	CHECK(!run);
}

static void a_second_recording_is_refused(void)
{
	struct run *run = NULL;
	bool cut;

	CHECK(load_text(HEADER SYNC END HEADER SYNC END, &run, &cut) == -EINVAL);
	CHECK(!run);
}

/* CPUs may be a little apart; a clock that was set back is another thing. */
static void steps_of_the_clock_are_told(void)
{
	static const char later[] = HEADER "{\"type\":\"sync\",\"t_ns\":9000001,\"ret\":0}\n" SYNC END;
	static const char much_later[] = HEADER "{\"type\":\"sync\",\"t_ns\":90000001,\"ret\":0}\n" SYNC END;
	struct run *run;
	bool cut;

	CHECK_NUMBER(load_text(later, &run, &cut), 0);
	CHECK(!cut);
	run__free(run);
	CHECK_NUMBER(load_text(much_later, &run, &cut), 0);
	CHECK(cut);
	CHECK_NUMBER(run->sync_count, 2);
	run__free(run);
}

static void newer_lines_are_skipped(void)
{
	struct run *run;
	bool cut;

	CHECK_NUMBER(load_text(HEADER "{\"type\":\"weather\",\"rain\":true}\n" SYNC END, &run, &cut), 0);
	CHECK_NUMBER(run->sync_count, 1);
	run__free(run);
}

/* Fills every field with something of its own, so that no two can be mixed up. */
static void fill(const struct field_table *table, void *record, uint64_t seed)
{
	field__clear(table, record);
	for (size_t i = 0; i < table->count; i++) {
		const struct field *field = &table->fields[i];
		void *at = field__place(field, record);
		struct pairs *pairs = at;
		struct named_list *list = at;

		switch (field->type) {
		case FIELD_U64:
			*(uint64_t *)at = seed + i;
			break;
		case FIELD_I64:
			*(int64_t *)at = -(int64_t)(seed + i);
			break;
		case FIELD_BOOL:
			*(enum tristate *)at = (seed + i) & 1;
			break;
		case FIELD_RATIO:
			*(double *)at = seed + i + 0.5;
			break;
		case FIELD_TEXT:
			snprintf(at, field->size, "t%zu", i);
			break;
		case FIELD_LEAVES:
			for (size_t k = 0; k < LEAF_SIZES; k++)
				((uint64_t *)at)[k] = k & 1 ? seed + k : 0;
			break;
		case FIELD_PAIRS:
			pairs->at = calloc(1, sizeof(*pairs->at));
			pairs->at[0] = (struct pair){ seed, i };
			pairs->count = 1;
			break;
		case FIELD_PROBES:
		case FIELD_LOST:
			list->count = 1;
			strcpy(list->at[0].name, "one");
			if (field->type == FIELD_PROBES)
				strcpy(list->at[0].text, "two");
			else
				list->at[0].number = seed;
			break;
		}
	}
}

/* Compared as JSON: lists are equal by content, not by address. */
static bool same(const struct field_table *table, const void *a, const void *b)
{
	json_t *x = json_object(), *y = json_object();
	bool equal = !json__add_record(x, table, a) && !json__add_record(y, table, b) &&
		     json_equal(x, y);

	json_decref(x);
	json_decref(y);
	return equal;
}

static void every_field_of_every_sample_survives(void)
{
	for (int kind = 0; kind < SAMPLE_KINDS; kind++) {
		const struct field_table *table = sample__table(kind);
		json_t *object = json_object();
		union sample in, out;
		const char *bad;

		fill(table, &in, 100 + kind);
		CHECK_NUMBER(json__add_record(object, table, &in), 0);
		CHECK_NUMBER(json__read_record(object, table, &out, &bad), 0);
		CHECK(same(table, &in, &out));
		CHECK(sample__kind(table->record) == (enum sample_kind)kind);
		field__release(table, &in);
		field__release(table, &out);
		json_decref(object);
	}
}

static bool overlap(const struct field *a, const struct field *b)
{
	return a->offset < b->offset + b->size && b->offset < a->offset + a->size;
}

static void every_field_has_a_place_and_a_name_of_its_own(void)
{
	static const struct field_table *const others[] = {
		&run_table, &run_sync_table, &converge_row_table, &converge_phase_table,
		&stat_total_table, &stat_source_table,
	};

	for (size_t t = 0; t < SAMPLE_KINDS + sizeof(others) / sizeof(others[0]); t++) {
		const struct field_table *table = t < SAMPLE_KINDS ? sample__table(t) :
								     others[t - SAMPLE_KINDS];

		for (size_t i = 0; i < table->count; i++) {
			const struct field *a = &table->fields[i];

			CHECK(a->offset + a->size <= table->record_size);
			CHECK(a->description && a->description[0]);
			for (size_t k = 0; k < i; k++)
				if (overlap(a, &table->fields[k]) ||
				    !strcmp(a->name, table->fields[k].name))
					FAIL("%s: %s and %s", table->record, a->name,
					     table->fields[k].name);
		}
	}
}

static void unknown_is_null_and_back(void)
{
	const struct field_table *table = &run_sync_table;
	json_t *object = json_object();
	struct run_sync row, back;
	const char *bad;

	field__clear(table, &row);
	CHECK_NUMBER(json__add_record(object, table, &row), 0);
	CHECK(json_is_null(json_object_get(object, "entries")));
	CHECK_NUMBER(json__read_record(object, table, &back, &bad), 0);
	CHECK(back.entries == UNKNOWN && back.dirty_entries[0] == UNKNOWN);
	json_decref(object);
}

/* What another program may rely on. */
static void the_report_has_its_schema(void)
{
	static const char * const paths[] = {
		"name", "time_basis", "kernel.release", "kernel.patched", "path", "backing_bytes",
		"granularity_bytes", "split_mode", "bbml", "workload.name", "workload.seed",
		"truth.pages_written", "truth.bytes_written", "split.operations", "split.tables",
		"split.failed", "split.total_ns", "split.latency_ns.count", "split.latency_ns.p50",
		"split.latency_ns.p99", "split.latency_ns.max", "merge.operations", "merge.failed",
		"merge.total_ns", "merge.max_ns", "tlb.invalidations", "tlb.commands",
		"tlb.total_ns", "tlb.latency_ns.count", "tlb.latency_ns.p50", "tlb.latency_ns.p99",
		"tlb.latency_ns.max", "iotlb.misses_per_1000_dma_before",
		"iotlb.misses_per_1000_dma_after", "iotlb.descriptor_reads_per_1000_dma_before",
		"iotlb.descriptor_reads_per_1000_dma_after", "convergence.iterations",
		"convergence.sent_bytes", "convergence.bandwidth_bytes_per_second",
		"convergence.converged", "convergence.blackout_ns", "amplification",
		"amplification_first", "missed_pages", "memory_identical", "events_lost",
	};
	static const char * const columns[] = {
		"iteration", "duration_ns", "walk_ns", "flush_ns", "entries", "dirty_bytes",
		"true_bytes", "missed_pages",
	};

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		if (!field__find(&run_table, paths[i]))
			FAIL("a run has no %s", paths[i]);
	for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++)
		if (!field__find(&run_sync_table, columns[i]))
			FAIL("a sync has no %s", columns[i]);
}

static void a_report_is_json_with_exact_numbers(void)
{
	struct dossier *dossier = calloc(1, sizeof(*dossier));
	struct dossiers dossiers = { .at = &dossier, .count = 1 };
	struct board_run board_run = { .no_brownout = "not given" };
	struct report_document report = { .dossiers = &dossiers, .runs = &board_run, .answer = "so it is" };
	struct run *run = off_run(true);
	struct limits limits;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	json_t *document, *first;

	CHECK(dossier);
	account__init(&dossier->account);
	dossier->run = run;
	board_run.account = &dossier->account;
	limits__init(&limits);
	CHECK_NUMBER(board__judge(&report.board, &board_run, 1, &limits, NULL, 0), 0);
	CHECK_NUMBER(run__update(run), 0);
	CHECK_NUMBER(report__write(out, &report), 0);
	fclose(out);
	document = json_loads(text, 0, NULL);
	CHECK(document);
	first = json_array_get(json_object_get(document, "runs"), 0);
	CHECK(!strcmp(json_string_value(json_object_get(document, "schema")), REPORT_SCHEMA));
	CHECK(json_integer_value(json_object_get(first, "amplification")) == 262144);
	CHECK_NUMBER(json_array_size(json_object_get(first, "syncs")), 3);
	CHECK(json_is_null(json_object_get(first, "bbml")));
	json_decref(document);
	free(text);
	run__free(run);
	account__release(&dossier->account);
	free(dossier);
}

static void a_full_disk_is_noticed(void)
{
	union sample s;
	FILE *full = fopen("/dev/full", "w");

	CHECK(full);
	fill(sample__table(SAMPLE_SYNC), &s, 1);
	CHECK(recording__write(full, SAMPLE_SYNC, &s) == -ENOSPC);
	fclose(full);
}

static void metric_names_come_from_the_table(void)
{
	char name[96];
	const struct field *field = field__find(&run_table, "split.latency_ns.p99");
	struct run_result result;

	CHECK(field);
	CHECK_NUMBER(field__metric_name(&run_table, field, name, sizeof(name)), 0);
	CHECK(!strcmp(name, "hwdbm_run_split_latency_p99_seconds"));
	field__clear(&run_table, &result);
	CHECK(isnan(field__metric_value(field, &result)));
	result.split_p99_ns = 1500000000;
	CHECK(field__metric_value(field, &result) == 1.5);
	field = field__find(&run_table, "tlb.total_ns");
	CHECK_NUMBER(field__metric_name(&run_table, field, name, sizeof(name)), 0);
	CHECK(!strcmp(name, "hwdbm_run_tlb_seconds_total"));
	CHECK(field__metric_name(&run_table, field, name, 10) == -ENOSPC);
}

static void metric_names_are_unique(void)
{
	char a[96], b[96];

	for (size_t i = 0; i < run_table.count; i++)
		for (size_t k = 0; k < i; k++) {
			field__metric_name(&run_table, &run_table.fields[i], a, sizeof(a));
			field__metric_name(&run_table, &run_table.fields[k], b, sizeof(b));
			if (!strcmp(a, b))
				FAIL("%s twice", a);
		}
}

RUN_TESTS(TEST(a_recording_is_read), TEST(every_cut_leaves_a_readable_rest),
	  TEST(a_damaged_line_is_refused), TEST(what_is_no_recording_is_refused),
	  TEST(a_second_recording_is_refused), TEST(steps_of_the_clock_are_told),
	  TEST(newer_lines_are_skipped), TEST(every_field_of_every_sample_survives),
	  TEST(every_field_has_a_place_and_a_name_of_its_own),
	  TEST(unknown_is_null_and_back), TEST(the_report_has_its_schema),
	  TEST(a_report_is_json_with_exact_numbers), TEST(a_full_disk_is_noticed),
	  TEST(metric_names_come_from_the_table), TEST(metric_names_are_unique))
