// SPDX-License-Identifier: GPL-2.0-only
/*
 * Verdicts, brownouts and heat: against values by hand, and what must never pass.
 */
#include "unit.h"
#include "../../tools/model/board.h"
#include "../../tools/output/redact.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MS UINT64_C(1000000)
#define S UINT64_C(1000000000)

/* ---- brownout ---------------------------------------------------------------------- */

static struct rates make_rates(const double *values, size_t count)
{
	struct rates rates = { 0 };

	for (size_t i = 0; i < count; i++)
		if (rates__add(&rates, i * S, values[i]))
			abort();
	return rates;
}

/* Steady 100; from 4 s to 8 s it is 50, 0, 120, 80: 50 + 100 + 0 + 20 are missing. */
static void brownout_by_hand(void)
{
	const double values[] = { 100, 90, 110, 100, 50, 0, 120, 80, 100 };
	struct rates rates = make_rates(values, 9);
	struct brownout b;

	CHECK(!brownout__compute(&rates, 4 * S, 8 * S, &b));
	CHECK(fabs(b.steady - 100) < 1e-9);
	CHECK(fabs(b.area - 170) < 1e-6);
	CHECK_NUMBER(b.lost_ns, 1700 * MS);
	CHECK(!brownout__compute(&rates, 4 * S + 500 * MS, 5 * S + 500 * MS, &b));
	CHECK(fabs(b.area - 75) < 1e-6);
	rates__release(&rates);
}

static void brownout_says_what_it_lacks(void)
{
	const double values[] = { 100, 100, 100, 50, 100 };
	struct rates rates = make_rates(values, 5);
	struct brownout b;

	CHECK(brownout__compute(&rates, 1 * S, 3 * S, &b));
	CHECK(brownout__compute(&rates, 3 * S, 9 * S, &b));
	CHECK(brownout__compute(&rates, UNKNOWN, 4 * S, &b));
	CHECK(brownout__compute(&rates, 4 * S, 4 * S, &b));
	CHECK(!brownout__compute(&rates, 3 * S, 4 * S, &b));
	CHECK(rates__add(&rates, 4 * S, 1));
	CHECK(rates__add(&rates, 5 * S, -1));
	CHECK(rates__add(&rates, 5 * S, NAN));
	rates__release(&rates);
}

/* ---- heat -------------------------------------------------------------------------- */

static double sum_of(const struct heat *heat, bool dirty)
{
	double sum = 0;

	for (size_t i = 0; i < heat->count; i++)
		for (int row = 0; row < HEAT_ROWS; row++)
			for (int column = 0; column < HEAT_COLUMNS; column++)
				sum += dirty ? heat->regions[i].cells[row][column].dirty :
					       heat->regions[i].cells[row][column].read;
	return sum;
}

/* Whatever the grid had to become, no byte is lost or doubled. */
static void heat_keeps_every_byte(void)
{
	struct heat *heat = calloc(1, sizeof(*heat));
	uint64_t seed = 1, dirty = 0, read = 0;

	CHECK(heat);
	for (int i = 0; i < 5000; i++) {
		uint64_t length, address;

		seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
		length = ((seed >> 40) % 5000 + 1) << 12;
		address = ((seed >> 20) % 300) << (12 + (seed >> 33) % 30);
		heat__add(heat, 7 * S + (uint64_t)i * 3 * MS, address, length, length / 4);
		dirty += length / 4;
		read += length;
	}
	heat__finish(heat);
	CHECK(heat->count >= 1 && heat->count <= HEAT_REGIONS);
	CHECK(fabs(sum_of(heat, true) - (double)dirty) < 1);
	CHECK(fabs(sum_of(heat, false) - (double)read) < 1);
	CHECK(heat__columns(heat) > HEAT_COLUMNS / 4);
	free(heat);
}

static void heat_tells_places_apart(void)
{
	struct heat *heat = calloc(1, sizeof(*heat));

	CHECK(heat);
	heat__add(heat, 1 * S, 0, 64 << 20, 64 << 20);
	heat__add(heat, 1 * S, UINT64_C(0xfffc0000), 256 << 10, 0);
	heat__add(heat, 2 * S, 0, 64 << 20, 0);
	heat__add(heat, 0, 0, 4096, 4096);
	heat__add(heat, 1 * S, UINT64_MAX, 4096, 4096);
	heat__finish(heat);
	CHECK_NUMBER(heat->count, 2);
	CHECK_NUMBER(heat__rows(&heat->regions[0]), 32);
	CHECK_NUMBER(heat__rows(&heat->regions[1]), 1);
	CHECK_NUMBER(heat->backwards, 1);
	CHECK(heat->regions[0].cells[0][0].dirty > 0 && !(heat->regions[1].cells[0][0].dirty > 0));
	free(heat);
}

/* ---- accounts ---------------------------------------------------------------------- */

static void give(struct account *a, enum sample_kind kind, union sample *sample)
{
	if (account__add(a, kind, sample))
		abort();
}

/* A KVM migration of 1 s whose VMM says that it was down for @downtime */
static struct account *make_account(const char *basis, uint64_t downtime, bool whole)
{
	struct account *a = malloc(sizeof(*a));
	union sample s;

	account__init(a);
	field__clear(sample__table(SAMPLE_HEADER), &s);
	strcpy(s.header.time_basis, basis);
	strcpy(s.header.kernel_release, "6.12");
	give(a, SAMPLE_HEADER, &s);
	field__clear(sample__table(SAMPLE_TRACKING), &s);
	s.tracking.t_ns = 1 * S;
	s.tracking.pid = 7;
	strcpy(s.tracking.source, "kvm");
	s.tracking.vm = s.tracking.slot = 1;
	s.tracking.length_bytes = UINT64_C(1) << 30;
	s.tracking.enable = TRI_TRUE;
	s.tracking.ret = 0;
	give(a, SAMPLE_TRACKING, &s);
	for (uint64_t i = 0; i < 100; i++) {
		field__clear(sample__table(SAMPLE_SYNC), &s);
		s.sync.t_ns = 1 * S + i * 10 * MS;
		s.sync.pid = 7;
		strcpy(s.sync.source, "kvm");
		s.sync.vm = s.sync.slot = 1;
		s.sync.iteration = i + 1;
		s.sync.iova = 0;
		s.sync.length_bytes = UINT64_C(1) << 30;
		s.sync.ret = 0;
		s.sync.total_ns = (i + 1) * 1000;
		s.sync.dirty_bytes = s.sync.unit_bytes[0] = 4096;
		give(a, SAMPLE_SYNC, &s);
	}
	field__clear(sample__table(SAMPLE_VMM_STATE), &s);
	s.vmm_state.downtime_ns = downtime;
	strcpy(s.vmm_state.status, "completed");
	strcpy(s.vmm_state.version, "9.9");
	give(a, SAMPLE_VMM_STATE, &s);
	field__clear(sample__table(SAMPLE_TRACKING), &s);
	s.tracking = (struct tracking_sample){ .t_ns = 2 * S, .pid = 7, .source = "kvm", .vm = 1, .slot = 1,
					       .length_bytes = UINT64_C(1) << 30, .enable = TRI_FALSE };
	give(a, SAMPLE_TRACKING, &s);
	field__clear(sample__table(SAMPLE_END), &s);
	s.end.t_ns = 3 * S;
	s.end.lost.count = 1;
	if (whole)
		give(a, SAMPLE_END, &s);
	if (account__finish(a))
		abort();
	return a;
}

static void drop(struct account *a)
{
	account__release(a);
	free(a);
}

static void accounts_sum_up(void)
{
	struct account *a = make_account("native", 100 * MS, true);

	CHECK_NUMBER(a->syncs, 100);
	CHECK_NUMBER(a->source_count, 1);
	CHECK_NUMBER(a->sources[0].total_ns, 5050 * 1000);
	CHECK(account__percentile(&a->sources[0], 50) >= 50000);
	CHECK(account__percentile(&a->sources[0], 50) <= 62500);
	CHECK_NUMBER(account__percentile(&a->sources[0], 100), 100000);
	CHECK_NUMBER(a->finish_ns - a->begin_ns, 1 * S);
	CHECK_NUMBER(a->by_source.count, 100);
	CHECK(!strcmp(a->settings[SETTING_VMM], "9.9"));
	CHECK(!strcmp(a->settings[SETTING_TRACKER], "kvm"));
	drop(a);
}

static void buckets_meet(void)
{
	uint64_t last = account__bucket_ns(0);

	for (unsigned int i = 1; i < 248; i++) {
		uint64_t ns = account__bucket_ns(i);

		CHECK(ns > last);
		CHECK(i < 8 || ns <= last + last / 4 + 1);
		last = ns;
	}
}

/* ---- verdicts ---------------------------------------------------------------------- */

static struct board_run make_run(const struct account *a)
{
	return (struct board_run){ .account = a, .no_brownout = "not given", .blackout_ns = UNKNOWN,
				   .blackout_error_ns = UNKNOWN };
}

static enum outcome judge(struct board_run *run, enum quantity quantity, uint64_t most)
{
	struct limits limits;
	struct board board;

	limits__init(&limits);
	limits.most[quantity] = most;
	if (board__judge(&board, run, 1, &limits, NULL, 0))
		abort();
	return board.verdict;
}

static void nothing_passes_without_limits(void)
{
	struct account *a = make_account("native", 100 * MS, true);
	struct board_run run = make_run(a);
	struct limits limits;
	struct board board;

	limits__init(&limits);
	CHECK(!board__judge(&board, &run, 1, &limits, NULL, 0));
	CHECK(board.verdict == OUTCOME_NONE);
	CHECK(board.safety == SAFETY_NOT_VERIFIED);
	CHECK(!board.rows[QUANTITY_MISSED].at[EVIDENCE_MEASURED].runs);
	drop(a);
}

static void downtime_proves_no_blackout(void)
{
	struct account *a = make_account("native", 100 * MS, true);
	struct board_run run = make_run(a);

	CHECK(judge(&run, QUANTITY_DOWNTIME, 100 * MS) == OUTCOME_PASS);
	CHECK(judge(&run, QUANTITY_DOWNTIME, 99 * MS) == OUTCOME_FAIL);
	CHECK(judge(&run, QUANTITY_BLACKOUT, 300 * MS) == OUTCOME_UNDECIDED);
	CHECK(judge(&run, QUANTITY_BLACKOUT, 99 * MS) == OUTCOME_FAIL);
	CHECK(judge(&run, QUANTITY_MISSED, 0) == OUTCOME_UNDECIDED);
	CHECK(judge(&run, QUANTITY_LOST, 0) == OUTCOME_PASS);
	drop(a);
}

/* A VMM's clock may stop after the target has begun to run. */
static void downtime_does_not_contradict_what_was_measured(void)
{
	struct account *a = make_account("native", 103 * MS, true);
	struct board_run run = make_run(a);

	run.blackout_ns = 98 * MS;
	run.blackout_error_ns = 0;
	CHECK(judge(&run, QUANTITY_BLACKOUT, 100 * MS) == OUTCOME_UNDECIDED);
	CHECK(judge(&run, QUANTITY_BLACKOUT, 103 * MS) == OUTCOME_PASS);
	CHECK(judge(&run, QUANTITY_BLACKOUT, 97 * MS) == OUTCOME_FAIL);
	drop(a);
}

static void clocks_that_err_decide_nothing_near_the_limit(void)
{
	struct account *a = make_account("native", 100 * MS, true);
	struct board_run run = make_run(a);

	run.blackout_ns = 200 * MS;
	run.blackout_error_ns = 10 * MS;
	CHECK(judge(&run, QUANTITY_BLACKOUT, 210 * MS) == OUTCOME_PASS);
	CHECK(judge(&run, QUANTITY_BLACKOUT, 209 * MS) == OUTCOME_UNDECIDED);
	CHECK(judge(&run, QUANTITY_BLACKOUT, 190 * MS) == OUTCOME_UNDECIDED);
	CHECK(judge(&run, QUANTITY_BLACKOUT, 189 * MS) == OUTCOME_FAIL);
	drop(a);
}

static void an_end_seen_late_decides_nothing(void)
{
	struct account *a = make_account("native", 100 * MS, true);
	struct board_run run = make_run(a);

	a->finish_error_ns = 300 * MS;
	CHECK(judge(&run, QUANTITY_TOTAL, 1000 * MS) == OUTCOME_PASS);
	CHECK(judge(&run, QUANTITY_TOTAL, 900 * MS) == OUTCOME_UNDECIDED);
	CHECK(judge(&run, QUANTITY_TOTAL, 600 * MS) == OUTCOME_FAIL);
	a->finish_seen = TRI_FALSE;
	CHECK(judge(&run, QUANTITY_TOTAL, 5 * S) == OUTCOME_UNDECIDED);
	drop(a);
}

static void damage_passes_nothing(void)
{
	struct account *a = make_account("native", 100 * MS, false);
	struct board_run run = make_run(a);

	run.damaged = true;
	CHECK(judge(&run, QUANTITY_TOTAL, 10 * S) == OUTCOME_UNDECIDED);
	CHECK(judge(&run, QUANTITY_TOTAL, S / 2) == OUTCOME_FAIL);
	CHECK(judge(&run, QUANTITY_OVERHEAD, 1) == OUTCOME_UNDECIDED);
	drop(a);
}

static void failures_and_missed_pages_fail(void)
{
	struct account *a = make_account("native", 100 * MS, true);
	struct board_run run = make_run(a);

	a->missed_pages = 3;
	CHECK(judge(&run, QUANTITY_DOWNTIME, S) == OUTCOME_FAIL);
	a->missed_pages = 0;
	CHECK(judge(&run, QUANTITY_MISSED, 0) == OUTCOME_PASS);
	a->vmm_end.memory_identical = TRI_FALSE;
	CHECK(judge(&run, QUANTITY_MISSED, 0) == OUTCOME_FAIL);
	a->vmm_end.memory_identical = TRI_UNKNOWN;
	strcpy(a->vmm_state.status, "cancelled");
	CHECK(judge(&run, QUANTITY_MISSED, 0) == OUTCOME_FAIL);
	strcpy(a->vmm_state.status, "completed");
	a->end.lost.at[0].number = 1;
	CHECK(judge(&run, QUANTITY_DOWNTIME, S) == OUTCOME_UNDECIDED);
	drop(a);
}

static void evidence_is_kept_apart(void)
{
	struct account *emulated = make_account("emulated", 100 * MS, true);
	struct account *native = make_account("native", 200 * MS, true);
	struct board_run runs[] = { make_run(emulated), make_run(native) };
	const struct board_row *total;
	struct limits limits;
	struct board board;

	limits__init(&limits);
	CHECK(!board__judge(&board, runs, 2, &limits, emulated, 0));
	total = &board.rows[QUANTITY_TOTAL];
	CHECK_NUMBER(total->at[EVIDENCE_EMULATED].runs, 1);
	CHECK_NUMBER(total->at[EVIDENCE_MEASURED].runs, 1);
	CHECK_NUMBER(board.rows[QUANTITY_DOWNTIME].at[EVIDENCE_REPORTED].runs, 1);
	CHECK_NUMBER(board.rows[QUANTITY_DOWNTIME].at[EVIDENCE_REPORTED].max, 200 * MS);
	CHECK_NUMBER(board.rows[QUANTITY_DOWNTIME].at[EVIDENCE_EMULATED_REPORTED].runs, 1);
	CHECK_NUMBER(board.rows[QUANTITY_DOWNTIME].at[EVIDENCE_EMULATED_REPORTED].max, 100 * MS);
	/* Both are judged. */
	limits.most[QUANTITY_DOWNTIME] = 150 * MS;
	CHECK(!board__judge(&board, runs, 2, &limits, emulated, 0));
	CHECK(board.verdict == OUTCOME_FAIL && !strncmp(board.rows[QUANTITY_DOWNTIME].why, "1 of 2 runs", 11));
	CHECK(board.compared && !board.changes[SETTING_KERNEL].changed);
	drop(emulated);
	drop(native);
}

/* ---- redaction --------------------------------------------------------------------- */

static void texts_lose_what_identifies(void)
{
	char text[] = "by /opt/x/y.so:0xffffffff81, uuid 123e4567-e89b-12d3-a456-426614174000 at 10.1.2.3:49152 and fe80::1:2; tp_btf/iommu_dirty_sync 12.5 ms";

	redact__text(text, sizeof(text));
	CHECK(!strstr(text, "opt") && !strstr(text, "ffff") && !strstr(text, "e89b") &&
	      !strstr(text, "10.1") && !strstr(text, "fe80"));
	CHECK(strstr(text, "tp_btf/iommu_dirty_sync") && strstr(text, "12.5 ms"));
}

static void names_become_numbers(void)
{
	struct redact redact = { 0 };
	union sample s;

	field__clear(sample__table(SAMPLE_TLB_COST), &s);
	strcpy(s.tlb_cost.vm, "db-prod");
	strcpy(s.tlb_cost.cause, "unmap");
	s.tlb_cost.pid = 4711;
	CHECK(!redact__sample(&redact, SAMPLE_TLB_COST, &s));
	CHECK(!strcmp(s.tlb_cost.vm, "VM 1") && !strcmp(s.tlb_cost.cause, "unmap"));
	CHECK_NUMBER(s.tlb_cost.pid, 1);
	field__clear(sample__table(SAMPLE_VMM_STATE), &s);
	strcpy(s.vmm_state.error, "cannot reach db-prod");
	strcpy(s.vmm_state.status, "failed");
	s.vmm_state.pid = 4712;
	CHECK(!redact__sample(&redact, SAMPLE_VMM_STATE, &s));
	CHECK(!strstr(s.vmm_state.error, "db-prod") && !strcmp(s.vmm_state.status, "failed"));
	CHECK_NUMBER(s.vmm_state.pid, 2);
	redact__release(&redact);
}

RUN_TESTS(TEST(brownout_by_hand), TEST(brownout_says_what_it_lacks), TEST(heat_keeps_every_byte),
	  TEST(heat_tells_places_apart), TEST(accounts_sum_up), TEST(buckets_meet),
	  TEST(nothing_passes_without_limits), TEST(downtime_proves_no_blackout),
	  TEST(downtime_does_not_contradict_what_was_measured),
	  TEST(clocks_that_err_decide_nothing_near_the_limit), TEST(an_end_seen_late_decides_nothing), TEST(damage_passes_nothing),
	  TEST(failures_and_missed_pages_fail), TEST(evidence_is_kept_apart),
	  TEST(texts_lose_what_identifies), TEST(names_become_numbers))
