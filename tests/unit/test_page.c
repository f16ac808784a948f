// SPDX-License-Identifier: GPL-2.0-only
/*
 * The HTML report and the metrics: escaping, the same bytes for the same runs, odd input
 * (no runs, nothing measured, two time bases, many iterations), reasons and marks.
 */
#include "unit.h"
#include "samples.h"
#include "../../tools/output/html.h"
#include "../../tools/output/metrics.h"
#include "../../tools/output/units.h"

#include <math.h>

#define HOSTILE "</title><script>alert('\"&')</script>\x01\xff"

static char *page(struct run *const *runs, size_t count)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (html__write(out, runs, count, "One. Two.", "hwdbm report " HOSTILE))
		abort();
	fclose(out);
	return text;
}

static char *metrics(struct run *const *runs, size_t count)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (metrics__write(out, runs, count))
		abort();
	fclose(out);
	return text;
}

static void give_time_basis(struct run *run, const char *basis)
{
	union sample s;

	field__clear(sample__table(SAMPLE_HEADER), &s);
	strcpy(s.header.schema, RECORDING_SCHEMA);
	strcpy(s.header.time_basis, basis);
	strcpy(s.header.kernel_release, HOSTILE);
	strcpy(s.header.host_name, HOSTILE);
	s.header.kernel_patched = TRI_TRUE;
	give(run, SAMPLE_HEADER, &s);
}

static void give_tlb(struct run *run)
{
	union sample s;

	field__clear(sample__table(SAMPLE_TLB_SUMMARY), &s);
	strcpy(s.tlb_summary.cause, "sync");
	s.tlb_summary.invalidations = 3;
	s.tlb_summary.commands = 6;
	s.tlb_summary.total_ns = 9000;
	s.tlb_summary.max_ns = 5000;
	s.tlb_summary.histogram_ns.at = calloc(2, sizeof(struct pair));
	s.tlb_summary.histogram_ns.count = 2;
	s.tlb_summary.histogram_ns.at[0] = (struct pair){ 1919, 2 };
	s.tlb_summary.histogram_ns.at[1] = (struct pair){ 5119, 1 };
	give(run, SAMPLE_TLB_SUMMARY, &s);
}

static void give_plain_sync(struct run *run, uint64_t iteration, uint64_t dirty)
{
	union sample s;

	field__clear(sample__table(SAMPLE_SYNC), &s);
	s.sync.t_ns = iteration;
	s.sync.domain = 1;
	s.sync.iteration = iteration;
	s.sync.iova = IOVA;
	s.sync.length_bytes = MEMORY;
	s.sync.clear = TRI_TRUE;
	s.sync.ret = 0;
	s.sync.total_ns = 100;
	s.sync.dirty_bytes = dirty;
	give(run, SAMPLE_SYNC, &s);
}

/* A run with the named time basis and as many iterations. */
static struct run *make_run(const char *basis, uint64_t iterations)
{
	struct run *run;

	if (run__new(&run))
		abort();
	give_time_basis(run, basis);
	give_vmm_start(run, "off", 0, "scattered");
	for (uint64_t i = 1; i <= iterations; i++)
		give_plain_sync(run, i, i * K4);
	give_tlb(run);
	give_end(run, 0);
	if (run__update(run))
		abort();
	return run;
}

static void text_cannot_become_markup(void)
{
	struct run *run = make_run("emulated", 3);
	char *text = page(&run, 1);
	bool raw = strstr(text, "<script>"), escaped = strstr(text, "&lt;script&gt;");
	bool bytes = strchr(text, 1) || strchr(text, 0xff);

	free(text);
	run__free(run);
	CHECK(!raw);
	CHECK(escaped);
	CHECK(!bytes);
}

static void the_page_needs_nothing_else(void)
{
	struct run *run = make_run("emulated", 3);
	char *text = page(&run, 1);
	bool outside = strstr(text, "http:") || strstr(text, "https:") || strstr(text, "src=") ||
		       strstr(text, "@import") || strstr(text, "url(");

	free(text);
	run__free(run);
	CHECK(!outside);
}

static void the_same_runs_give_the_same_page(void)
{
	struct run *run = make_run("emulated", 3);
	char *one = page(&run, 1), *two = page(&run, 1);
	bool same = !strcmp(one, two);

	free(one);
	free(two);
	run__free(run);
	CHECK(same);
}

static void no_run_is_a_page_too(void)
{
	char *text = page(NULL, 0), *samples = metrics(NULL, 0);
	bool said = strstr(text, "no runs");

	free(text);
	free(samples);
	CHECK(said);
}

static void a_run_that_knows_nothing_is_shown(void)
{
	struct run *run;
	char *text, *samples;
	bool nan;

	if (run__new(&run) || run__update(run))
		abort();
	text = page(&run, 1);
	samples = metrics(&run, 1);
	nan = strstr(strstr(text, "<body>"), "nan") || strstr(samples, "nan") ||
	      strstr(samples, "18446744073709551615");
	free(text);
	free(samples);
	run__free(run);
	CHECK(!nan);
}

static void time_bases_do_not_share_a_picture(void)
{
	struct run *runs[] = { make_run("emulated", 3), make_run("hardware", 3) };
	char *text = page(runs, 2);
	bool emulated = strstr(text, "TLBI latency, emulated time"),
	     hardware = strstr(text, "TLBI latency, hardware time"),
	     together = strstr(text, "Durations of each run");

	free(text);
	run__free(runs[0]);
	run__free(runs[1]);
	CHECK(emulated);
	CHECK(hardware);
	CHECK(!together);
}

static void many_iterations_stay_small(void)
{
	struct run *run = make_run("emulated", 5000);
	char *text = page(&run, 1);
	size_t size = strlen(text);

	free(text);
	run__free(run);
	CHECK(size < 150000);
}

static void missed_pages_are_called_out_with_the_reason(void)
{
	struct run *run = make_run("emulated", 3);
	char *text;
	bool reason;

	run->result.kernel_patched = TRI_FALSE;
	run->result.missed_pages = 1234;
	text = page(&run, 1);
	reason = strstr(text, "The stock kernel missed 1,234 dirty pages") &&
		 strstr(text, "without invalidating the TLB");
	free(text);
	run__free(run);
	CHECK(reason);
}

static void metrics_have_base_units_and_escaped_labels(void)
{
	struct run *run = make_run("emulated", 3);
	char *text = metrics(&run, 1);
	bool dirty = strstr(text, "# TYPE hwdbm_run_sync_dirty_bytes_total counter\n"),
	     latest = strstr(text, "workload_name=\"scattered\"} 12288\n"),
	     escaped = strstr(text, "alert('\\\"&')"),
	     seconds = strstr(text, "hwdbm_last_sync_duration_seconds{"),
	     no_ns = !strstr(text, "_ns"),
	     bucket = strstr(text, "cause=\"sync\",le=\"4.096e-06\"} 2\n"),
	     sum = strstr(text, "cause=\"sync\"} 9e-06\n"),
	     all = strstr(text, "cause=\"sync\",le=\"+Inf\"} 3\n");

	free(text);
	run__free(run);
	CHECK(dirty);
	CHECK(latest);
	CHECK(escaped);
	CHECK(seconds);
	CHECK(no_ns);
	CHECK(bucket);
	CHECK(sum);
	CHECK(all);
}

static void metrics_do_not_grow_with_a_migration(void)
{
	struct run *few = make_run("emulated", 3), *many = make_run("emulated", 3000);
	char *small = metrics(&few, 1), *large = metrics(&many, 1);
	size_t difference = strlen(large) - strlen(small);

	free(small);
	free(large);
	run__free(few);
	run__free(many);
	CHECK(difference < 200);
}

static void numbers_have_units(void)
{
	char text[UNITS_TEXT];

	CHECK(!strcmp(units__bytes(512, text), "512 B"));
	CHECK(!strcmp(units__bytes(2 * G1, text), "2 GiB"));
	CHECK(!strcmp(units__bytes(G1 + 1, text), "1.00 GiB"));
	CHECK(!strcmp(units__bytes(UNKNOWN, text), "-"));
	CHECK(!strcmp(units__leaf(64 * 1024, text), "64K"));
	CHECK(!strcmp(units__duration(91240, text), "91.2 \xc2\xb5s"));
	CHECK(!strcmp(units__count(262144, text), "262,144"));
	CHECK(!strcmp(units__ratio(262144, text), "262,144"));
	CHECK(!strcmp(units__ratio(1.024, text), "1.02"));
	CHECK(!strcmp(units__ratio(NAN, text), "-"));
}

RUN_TESTS(TEST(text_cannot_become_markup), TEST(the_page_needs_nothing_else),
	  TEST(the_same_runs_give_the_same_page), TEST(no_run_is_a_page_too),
	  TEST(a_run_that_knows_nothing_is_shown), TEST(time_bases_do_not_share_a_picture),
	  TEST(many_iterations_stay_small), TEST(missed_pages_are_called_out_with_the_reason),
	  TEST(metrics_have_base_units_and_escaped_labels),
	  TEST(metrics_do_not_grow_with_a_migration), TEST(numbers_have_units))
