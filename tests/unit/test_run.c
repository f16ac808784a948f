// SPDX-License-Identifier: GPL-2.0-only
/*
 * The model of a run: amplification, totals, checks against the VMM's log, the answer.
 */
#include "unit.h"
#include "samples.h"
#include "../../tools/output/answer.h"

#include <math.h>

static void without_splits_both_amplifications_are_one(void)
{
	struct run *run = off_run(true);

	CHECK_NUMBER(run__update(run), 0);
	CHECK(run->result.amplification == 262144);
	CHECK(run->result.amplification_first == 262144);
	CHECK(run__is_sound(run));
	CHECK(!run__splits(run));
	run__free(run);
}

static void lazy_tells_first_reports_from_later_ones(void)
{
	struct run *run = lazy_run();

	CHECK_NUMBER(run__update(run), 0);
	/* (2 GiB + 2 x 2 MiB) / 4 pages, then 2 pages / 2 pages. */
	CHECK(run->result.amplification_first == 131328);
	CHECK(run->result.amplification == 1);
	CHECK(run__is_sound(run));
	CHECK(run__splits(run));
	run__free(run);
}

static void lazy_to_2m_is_512_after_the_split(void)
{
	struct run *run;

	CHECK_NUMBER(run__new(&run), 0);
	give_header(run, true);
	give_vmm_start(run, "lazy", M2, "one-byte");
	give_tracking(run, "lazy", M2, 0, 0);
	give_split(run, 0, G1, M2, 0);
	give_split(run, G1, G1, M2, 0);
	give_sync(run, 1, G1, 2, 2);
	give_sync(run, 2, M2, 2, 0);
	give_vmm_sync(run, 1, MEMORY, 1);
	give_vmm_sync(run, 2, 2 * M2, 1);
	CHECK_NUMBER(run__update(run), 0);
	CHECK(run->result.amplification_first == 262144);
	CHECK(run->result.amplification == 512);
	run__free(run);
}

static void eager_splits_are_no_first_reports(void)
{
	struct run *run;

	CHECK_NUMBER(run__new(&run), 0);
	give_header(run, true);
	give_vmm_start(run, "eager", K4, "one-byte");
	/* These come before the tracking event of the same domain. */
	give_split(run, 0, G1, K4, 0);
	give_split(run, G1, G1, K4, 0);
	give_tracking(run, "eager", K4, 2, 1026);
	give_sync(run, 1, K4, 2, 0);
	give_vmm_sync(run, 1, 2 * K4, 1);
	CHECK_NUMBER(run__update(run), 0);
	CHECK(run->result.amplification == 1);
	CHECK(run->result.amplification_first == 1);
	CHECK_NUMBER(run->result.tracking_tables, 1026);
	run__free(run);
}

static void a_kept_block_stays_a_first_report(void)
{
	struct run *run;

	CHECK_NUMBER(run__new(&run), 0);
	give_header(run, true);
	give_vmm_start(run, "lazy", M2, "one-byte");
	give_tracking(run, "lazy", M2, 0, 0);
	give_split(run, 0, G1, M2, 0);
	give_split(run, G1, G1, M2, -12);
	give_sync(run, 1, G1, 2, 1);
	give_sync(run, 2, G1, 1, 0);
	give_vmm_sync(run, 1, MEMORY, 1);
	give_vmm_sync(run, 2, G1, 1);
	CHECK_NUMBER(run__update(run), 0);
	/* Region 300 is fine and was not reported by the second sync, region 812 is coarse. */
	CHECK(run->result.amplification == 0);
	CHECK(run->result.amplification_first == 3.0 * G1 / (3 * K4));
	run__free(run);
}

static void a_block_partly_asked_for_counts_its_part(void)
{
	struct run *run = lazy_run();

	/* The last sync covered half of its two dirty pages, as a sync of 2K pages would. */
	run->samples.syncs[2].dirty_bytes = K4;
	run->samples.vmm_syncs[2].dirty_bytes = K4;
	CHECK_NUMBER(run__update(run), 0);
	CHECK(run->result.amplification == 0.5);
	CHECK(run->result.amplification_first == 131328);
	run__free(run);
}

static void without_truth_there_is_no_amplification(void)
{
	struct run *run;

	CHECK_NUMBER(run__new(&run), 0);
	give_header(run, true);
	give_tracking(run, "off", 0, 0, 0);
	give_sync(run, 1, G1, 2, 0);
	CHECK_NUMBER(run__update(run), 0);
	CHECK(isnan(run->result.amplification));
	CHECK(run->result.true_bytes == UNKNOWN);
	CHECK(run->result.events_lost == UNKNOWN);
	CHECK_NUMBER(run->sync_count, 1);
	CHECK_NUMBER(run->result.dirty_bytes, MEMORY);
	run__free(run);
}

static void chunks_make_one_row(void)
{
	struct run *run;
	union sample s;

	CHECK_NUMBER(run__new(&run), 0);
	give_header(run, true);
	give_vmm_start(run, "off", 0, "one-byte");
	for (int i = 0; i < 2; i++) {
		field__clear(sample__table(SAMPLE_SYNC), &s);
		memset(s.sync.dirty_entries, 0, sizeof(s.sync.dirty_entries));
		s.sync.dirty_entries[leaf_index(G1)] = 1;
		s.sync.domain = 1;
		s.sync.iteration = 1;
		s.sync.iova = IOVA + i * G1;
		s.sync.length_bytes = G1;
		s.sync.dirty_bytes = G1;
		s.sync.total_ns = 10;
		give(run, SAMPLE_SYNC, &s);
	}
	give_vmm_sync(run, 1, MEMORY, 1);
	CHECK_NUMBER(run__update(run), 0);
	CHECK_NUMBER(run->sync_count, 1);
	CHECK_NUMBER(run->syncs[0].length_bytes, MEMORY);
	CHECK_NUMBER(run->syncs[0].dirty_bytes, MEMORY);
	CHECK_NUMBER(run->syncs[0].duration_ns, 20);
	CHECK(run->syncs[0].entries == UNKNOWN);
	CHECK(!run->result.disagreement[0]);
	run__free(run);
}

static void totals_and_percentiles(void)
{
	struct run *run = lazy_run();

	CHECK_NUMBER(run__update(run), 0);
	CHECK_NUMBER(run->result.split_operations, 4);
	CHECK_NUMBER(run->result.split_count, 4);
	/* The bucket ends at 127, the longest split took 120. */
	CHECK_NUMBER(run->result.split_p99_ns, 120);
	CHECK_NUMBER(run->result.split_total_ns, 400);
	CHECK_NUMBER(run->result.merge_operations, 3);
	CHECK_NUMBER(run->result.merge_total_ns, 300);
	CHECK_NUMBER(run->result.merge_max_ns, 120);
	/* Unmapping is no price of dirty tracking. */
	CHECK_NUMBER(run->result.tlb_invalidations, 3);
	CHECK_NUMBER(run->result.tlb_commands, 6);
	CHECK_NUMBER(run->result.tlb_max_ns, 1000);
	CHECK_NUMBER(run->result.iterations, 3);
	CHECK_NUMBER(run->result.reported_bytes, 2 * MEMORY + 2 * M2 + 2 * K4);
	CHECK_NUMBER(run->result.events_lost, 0);
	run__free(run);
}

static void updating_again_changes_nothing(void)
{
	struct run *run = lazy_run();
	struct run_result first;

	CHECK_NUMBER(run__update(run), 0);
	first = run->result;
	CHECK_NUMBER(run__update(run), 0);
	CHECK(!memcmp(&first, &run->result, sizeof(first)));
	run__free(run);
}

static void later_summaries_replace_earlier_ones(void)
{
	struct run *run = lazy_run();

	give_tlb_summary(run, "sync", 5, 2000);
	CHECK_NUMBER(run__update(run), 0);
	CHECK_NUMBER(run->result.tlb_invalidations, 5);
	run__free(run);
}

static void a_wrong_byte_count_is_a_disagreement(void)
{
	struct run *run = lazy_run();

	run->samples.vmm_syncs[1].dirty_bytes += K4;
	CHECK_NUMBER(run__update(run), 0);
	CHECK(strstr(run->result.disagreement, "sync 2"));
	CHECK(!run__is_sound(run));
	run__free(run);
}

static void a_missing_sync_is_a_disagreement(void)
{
	struct run *run = lazy_run();

	run->samples.sync_count--;
	CHECK_NUMBER(run__update(run), 0);
	CHECK(strstr(run->result.disagreement, "the VMM logged sync 3"));
	run__free(run);
}

static void an_extra_sync_is_a_disagreement(void)
{
	struct run *run = lazy_run();

	give_sync(run, 4, K4, 0, 0);
	CHECK_NUMBER(run__update(run), 0);
	CHECK(strstr(run->result.disagreement, "did not log"));
	run__free(run);
}

static void another_iteration_count_is_a_disagreement(void)
{
	struct run *run = lazy_run();

	run->samples.vmm_end.iterations = 4;
	CHECK_NUMBER(run__update(run), 0);
	CHECK(strstr(run->result.disagreement, "3 iterations"));
	run__free(run);
}

static void uncounted_splits_are_a_disagreement(void)
{
	struct run *run = lazy_run();

	run->samples.syncs[0].splits = 3;
	CHECK_NUMBER(run__update(run), 0);
	CHECK(strstr(run->result.disagreement, "split events"));
	run__free(run);
}

static void another_mode_than_asked_for_is_a_disagreement(void)
{
	struct run *run = lazy_run();

	strcpy(run->samples.trackings[0].split_mode, "eager");
	CHECK_NUMBER(run__update(run), 0);
	CHECK(strstr(run->result.disagreement, "mode lazy"));
	run__free(run);
}

static void lost_events_make_a_run_unsound(void)
{
	struct run *run = lazy_run();

	run->samples.end.lost.at[0].number = 1;
	CHECK_NUMBER(run__update(run), 0);
	CHECK_NUMBER(run->result.events_lost, 1);
	CHECK(!run__is_sound(run));
	run__free(run);
}

static void a_granularity_not_below_the_backing_is_off(void)
{
	struct run *run = lazy_run();

	run->samples.vmm_start.granularity_bytes = G1;
	run->samples.trackings[0].granularity_bytes = G1;
	CHECK_NUMBER(run__update(run), 0);
	CHECK(!strcmp(run->result.split_mode, "off"));
	CHECK_NUMBER(run->result.granularity_bytes, G1);
	run__free(run);
}

static void failed_syncs_are_no_rows(void)
{
	struct run *run = lazy_run();

	run->samples.syncs[1].ret = -4;
	CHECK_NUMBER(run__update(run), 0);
	CHECK_NUMBER(run->sync_count, 2);
	CHECK(run->result.disagreement[0]);
	run__free(run);
}

static void the_answer_names_gain_and_price(void)
{
	struct run *runs[] = { off_run(true), lazy_run() };
	char *answer;

	for (int i = 0; i < 2; i++)
		CHECK_NUMBER(run__update(runs[i]), 0);
	answer = answer__write(runs, 2);
	CHECK(answer && strstr(answer, "2 GiB instead of 8 GiB"));
	CHECK(strstr(answer, "converged where it did not"));
	CHECK(strstr(answer, "4 tables"));
	free(answer);
	run__free(runs[0]);
	run__free(runs[1]);
}

/* Totals stand at the end of a recording; without it they are not 0. */
static void without_an_end_totals_are_unknown(void)
{
	struct run *runs[] = { off_run(true), lazy_run() };
	struct run_samples *lazy = &runs[1]->samples;
	char *answer;

	lazy->has_end = false;
	for (int i = 0; i < 2; i++)
		CHECK_NUMBER(run__update(runs[i]), 0);
	CHECK_NUMBER(runs[1]->result.tlb_invalidations, UNKNOWN);
	CHECK_NUMBER(runs[1]->result.split_total_ns, UNKNOWN);
	CHECK_NUMBER(runs[1]->result.merge_operations, UNKNOWN);
	/* The calls have counted themselves. */
	CHECK_NUMBER(runs[1]->result.split_tables, 4);
	answer = answer__write(runs, 2);
	CHECK(answer && strstr(answer, "4 tables from 4 splits, an unknown number of TLBIs"));
	free(answer);
	run__free(runs[0]);
	run__free(runs[1]);
}

static void invalidations_that_nobody_looked_at_are_unknown(void)
{
	struct run *run = off_run(true);

	CHECK_NUMBER(run__update(run), 0);
	CHECK_NUMBER(run->result.tlb_invalidations, UNKNOWN);
	CHECK_NUMBER(run->result.split_operations, 0);
	run__free(run);
}

static void the_answer_names_losses(void)
{
	struct run *runs[] = { off_run(true), lazy_run() };
	char *answer;

	runs[1]->samples.vmm_end.sent_bytes = 4 * MEMORY;
	for (int i = 0; i < 2; i++)
		CHECK_NUMBER(run__update(runs[i]), 0);
	answer = answer__write(runs, 2);
	CHECK(answer && strstr(answer, "bought nothing"));
	CHECK(strstr(answer, "one-byte on 1G blocks at 4K lazy"));
	free(answer);
	run__free(runs[0]);
	run__free(runs[1]);
}

static void the_answer_never_compares_stock_with_patched(void)
{
	struct run *runs[] = { off_run(false), lazy_run() };
	char *answer;

	for (int i = 0; i < 2; i++)
		CHECK_NUMBER(run__update(runs[i]), 0);
	answer = answer__write(runs, 2);
	CHECK(answer && strstr(answer, "do not say what splitting buys"));
	free(answer);
	run__free(runs[0]);
	run__free(runs[1]);
}

/* A VM's own writes are read in the same recording; they are no DMA. */
static void the_log_of_kvm_is_no_part_of_a_run(void)
{
	struct run *run = lazy_run();
	union sample sample;

	field__clear(sample__table(SAMPLE_TRACKING), &sample);
	strcpy(sample.tracking.source, "kvm");
	sample.tracking.enable = TRI_TRUE;
	give(run, SAMPLE_TRACKING, &sample);
	field__clear(sample__table(SAMPLE_SYNC), &sample);
	strcpy(sample.sync.source, "kvm-ring");
	sample.sync.dirty_bytes = 77 * K4;
	give(run, SAMPLE_SYNC, &sample);
	CHECK_NUMBER(run__update(run), 0);
	CHECK(run->result.amplification_first == 131328);
	CHECK(run__is_sound(run));
	CHECK_NUMBER(run->samples.other_sync_count, 1);
	CHECK(!strcmp(run->result.path, "iommufd"));
	run__free(run);
}

static void the_tracker_is_what_reported(void)
{
	struct run *run = off_run(true), *none;

	for (size_t i = 0; i < run->samples.sync_count; i++)
		strcpy(run->samples.syncs[i].source, "type1");
	CHECK_NUMBER(run__update(run), 0);
	CHECK(!strcmp(run->result.path, "type1"));
	run__free(run);
	CHECK(!run__new(&none) && !run__update(none));
	CHECK(!*none->result.path);
	run__free(none);
}

RUN_TESTS(TEST(without_splits_both_amplifications_are_one),
	  TEST(lazy_tells_first_reports_from_later_ones),
	  TEST(lazy_to_2m_is_512_after_the_split), TEST(eager_splits_are_no_first_reports),
	  TEST(a_kept_block_stays_a_first_report),
	  TEST(a_block_partly_asked_for_counts_its_part), TEST(without_truth_there_is_no_amplification),
	  TEST(chunks_make_one_row), TEST(totals_and_percentiles),
	  TEST(updating_again_changes_nothing), TEST(later_summaries_replace_earlier_ones),
	  TEST(a_wrong_byte_count_is_a_disagreement), TEST(a_missing_sync_is_a_disagreement),
	  TEST(an_extra_sync_is_a_disagreement), TEST(another_iteration_count_is_a_disagreement),
	  TEST(uncounted_splits_are_a_disagreement),
	  TEST(another_mode_than_asked_for_is_a_disagreement),
	  TEST(lost_events_make_a_run_unsound), TEST(a_granularity_not_below_the_backing_is_off),
	  TEST(failed_syncs_are_no_rows), TEST(the_answer_names_gain_and_price),
	  TEST(without_an_end_totals_are_unknown),
	  TEST(invalidations_that_nobody_looked_at_are_unknown),
	  TEST(the_answer_names_losses), TEST(the_answer_never_compares_stock_with_patched),
	  TEST(the_log_of_kvm_is_no_part_of_a_run), TEST(the_tracker_is_what_reported))
