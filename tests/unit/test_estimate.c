// SPDX-License-Identifier: GPL-2.0-only
/*
 * Estimates from sampled blocks: what they are exactly where nothing has to be estimated, and that
 * what cannot be estimated is not. Whether intervals hold is tests/bench/estimate's to say.
 */
#include "unit.h"
#include "../../tools/model/estimate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define K4 UINT64_C(4096)
#define M2 (UINT64_C(2) << 20)
#define ORDER_2M 9
#define SAMPLED 40

static struct pair pages[3], units[3];

static void start(struct estimator *e, const char *mode)
{
	union sample s;

	field__clear(sample__table(SAMPLE_TRACKING), &s);
	s.tracking = (struct tracking_sample){
		.t_ns = 1000, .pid = 7, .source = "iommufd", .domain = 1, .enable = TRI_TRUE,
		.granularity_bytes = K4, .sample_share = 0.05, .sample_seed = 3, .splits = 50,
	};
	strcpy(s.tracking.split_mode, mode);
	s.tracking.leaves[ORDER_2M] = 1000;
	if (estimate__take(e, SAMPLE_TRACKING, &s))
		abort();
}

static void give_sync(struct estimator *e, uint64_t iteration, uint64_t small, uint64_t whole)
{
	union sample s;

	field__clear(sample__table(SAMPLE_SYNC), &s);
	s.sync = (struct sync_sample){
		.t_ns = 1000 + 1000 * iteration, .pid = 7, .source = "iommufd", .domain = 1,
		.iteration = iteration, .clear = TRI_TRUE, .page_bytes = K4,
		.dirty_bytes = small * K4 + whole * M2,
	};
	s.sync.dirty_entries[0] = small;
	s.sync.dirty_entries[ORDER_2M] = whole;
	if (estimate__take(e, SAMPLE_SYNC, &s))
		abort();
}

/* 40 dirty blocks of 10 pages, in 5 units of 64K each; @spread more or fewer in half of them */
static void give_sampled(struct estimator *e, uint64_t iteration, uint64_t blocks, uint64_t spread,
			 uint64_t whole)
{
	union sample s;

	field__clear(sample__table(SAMPLE_SAMPLED), &s);
	pages[0] = (struct pair){ 10 - spread, blocks / 2 };
	pages[1] = (struct pair){ 10 + spread, blocks - blocks / 2 };
	units[0] = (struct pair){ 5, blocks };
	s.sampled = (struct sampled_sample){
		.t_ns = 1000 + 1000 * iteration, .pid = 7, .domain = 1, .block_bytes = M2,
		.share = 0.05, .seed = 3, .blocks = blocks, .dirty_bytes = blocks * 10 * K4,
		.dirty_64k_bytes = blocks * 5 << 16, .gap_blocks = whole,
		.gap_bytes = whole * 10 * K4, .gap_inner_bytes = UNKNOWN, .gap_outer_bytes = UNKNOWN,
		.gap_64k_bytes = whole * 5 << 16, .gap_64k_inner_bytes = UNKNOWN,
		.gap_64k_outer_bytes = UNKNOWN,
		.pages = { 2, pages }, .units_64k = { 1, units },
	};
	if (estimate__take(e, SAMPLE_SAMPLED, &s))
		abort();
}

static struct estimate_row *end(struct estimator *e)
{
	if (estimate__end(e))
		abort();
	return e->rows;
}

static void alike_blocks_stand_for_the_others(void)
{
	struct estimator e;
	struct estimate_row *row;

	estimate__init(&e);
	start(&e, "sample");
	give_sync(&e, 1, SAMPLED * 10, 800);
	give_sampled(&e, 1, SAMPLED, 0, 800);
	row = end(&e);
	CHECK_NUMBER(e.count, 1);
	CHECK_NUMBER(row->bytes[0], (800 + SAMPLED) * 10 * K4);
	CHECK_NUMBER(row->bytes[1], (800 + SAMPLED) * 5 << 16);
	CHECK_NUMBER(row->bytes[2], UNKNOWN);
	CHECK_NUMBER(row->interval_ns, 1000);
	CHECK_NUMBER(row->dirty_blocks, 800 + SAMPLED);
	CHECK(row->low_bytes[0] < row->bytes[0] && row->bytes[0] < row->high_bytes[0]);
	/* Every dirty block has a page at least, and those of the sample are known. */
	CHECK(row->low_bytes[0] >= (800 + SAMPLED * 10) * K4);
	CHECK(!*row->unknown);
	estimate__release(&e);
}

static void more_spread_is_a_wider_interval(void)
{
	double widths[2];

	for (int i = 0; i < 2; i++) {
		struct estimator e;

		estimate__init(&e);
		start(&e, "sample");
		give_sync(&e, 1, SAMPLED * 10, 8000);
		give_sampled(&e, 1, SAMPLED, i ? 9 : 1, 8000);
		widths[i] = end(&e)->half_width;
		estimate__release(&e);
	}
	CHECK(widths[1] > widths[0] * 1.2);
}

static void what_is_split_is_exact(void)
{
	struct estimator e;
	struct estimate_row *row;

	estimate__init(&e);
	start(&e, "sample");
	give_sync(&e, 1, SAMPLED * 10, 0);
	give_sampled(&e, 1, SAMPLED, 0, 0);
	row = end(&e);
	CHECK_NUMBER(row->bytes[0], SAMPLED * 10 * K4);
	CHECK_NUMBER(row->low_bytes[0], row->bytes[0]);
	CHECK_NUMBER(row->high_bytes[0], row->bytes[0]);
	estimate__release(&e);
}

static void memory_mapped_by_pages_is_known(void)
{
	struct estimator e;
	struct estimate_row *row;

	estimate__init(&e);
	start(&e, "sample");
	give_sync(&e, 1, SAMPLED * 10 + 100, 800);
	give_sampled(&e, 1, SAMPLED, 0, 800);
	row = end(&e);
	CHECK_NUMBER(row->bytes[0], ((800 + SAMPLED) * 10 + 100) * K4);
	estimate__release(&e);
}

static void syncs_of_an_iteration_are_one_row(void)
{
	struct estimator e;

	estimate__init(&e);
	start(&e, "sample");
	for (int i = 0; i < 2; i++) {
		give_sync(&e, 1, SAMPLED * 10, 800);
		give_sampled(&e, 1, SAMPLED, 0, 800);
	}
	give_sync(&e, 2, SAMPLED * 10, 800);
	give_sampled(&e, 2, SAMPLED, 0, 800);
	end(&e);
	CHECK_NUMBER(e.count, 2);
	CHECK_NUMBER(e.rows[0].bytes[0], 2 * (800 + SAMPLED) * 10 * K4);
	CHECK_NUMBER(e.rows[0].sampled_blocks, 2 * SAMPLED);
	CHECK_NUMBER(e.rows[1].bytes[0], (800 + SAMPLED) * 10 * K4);
	estimate__release(&e);
}

static const char *reason_of(uint64_t sampled, uint64_t more_in_bitmap, bool counted)
{
	static char text[sizeof(((struct estimate_row *)0)->unknown)];
	struct estimator e;
	struct estimate_row *row;

	estimate__init(&e);
	start(&e, "sample");
	give_sync(&e, 1, sampled * 10 - more_in_bitmap, 800);
	if (counted)
		give_sampled(&e, 1, sampled, 0, 800);
	row = end(&e);
	memcpy(text, row->unknown, sizeof(text));
	if (*text && (row->bytes[0] != UNKNOWN || row->bytes[1] != UNKNOWN))
		abort();
	estimate__release(&e);
	return text;
}

static void what_cannot_be_estimated_is_not(void)
{
	CHECK(!strcmp(reason_of(SAMPLED, 0, true), ""));
	CHECK(!strcmp(reason_of(SAMPLED, 0, false), estimate__reason(ESTIMATE_NOT_COUNTED)));
	CHECK(!strcmp(reason_of(9, 0, true), estimate__reason(ESTIMATE_TOO_FEW)));
	/* The kernel found fewer dirty pages than the bitmap has. */
	CHECK(!strcmp(reason_of(SAMPLED, 1, true), estimate__reason(ESTIMATE_BITMAP_SHARED)));
}

static void other_recordings_have_no_rows(void)
{
	struct estimator e;

	estimate__init(&e);
	start(&e, "eager");
	give_sync(&e, 1, 100, 0);
	end(&e);
	CHECK_NUMBER(e.count, 0);
	CHECK_NUMBER(e.sampled_starts, 0);
	CHECK_NUMBER(e.syncs_without, 1);
	estimate__release(&e);

	/* It began late. */
	estimate__init(&e);
	give_sync(&e, 1, SAMPLED * 10, 800);
	give_sampled(&e, 1, SAMPLED, 0, 800);
	end(&e);
	CHECK_NUMBER(e.count, 0);
	CHECK_NUMBER(e.late, 1);
	estimate__release(&e);
}

static void few_are_bounded(void)
{
	struct estimate_blocks b = { .whole = 100, .least = 1, .most = 512, .sampled = 3, .units = 30,
				     .gap_inner = NAN, .gap_outer = NAN };
	struct estimate_value value;

	CHECK(!estimate__whole(&b, &value));
	CHECK(value.low == 100 && value.high == 51200);
}

/* Two areas: neighbours tell more than the mean does. */
static void neighbours_narrow_the_interval(void)
{
	struct pair halves[] = { { 1, 50 }, { 511, 50 } };
	struct estimate_blocks b = { .whole = 2000, .least = 1, .most = 512, .sampled = 100,
				     .units = 50 * 512, .at = halves, .count = 2, .gap_blocks = 2000,
				     .gap_units = 1000 * 512, .gap_inner = 20.0 * 510 * 20 * 510 };
	struct estimate_value near, alone;

	CHECK(estimate__whole(&b, &near));
	b.gap_inner = NAN;
	CHECK(estimate__whole(&b, &alone));
	CHECK(near.high - near.low < (alone.high - alone.low) / 3);
	b.gap_inner = 20.0 * 510 * 20 * 510;
	b.gap_blocks = 1999;
	CHECK(estimate__whole(&b, &near));
	CHECK(near.high == alone.high);
}

RUN_TESTS(TEST(alike_blocks_stand_for_the_others), TEST(more_spread_is_a_wider_interval),
	  TEST(what_is_split_is_exact), TEST(memory_mapped_by_pages_is_known),
	  TEST(syncs_of_an_iteration_are_one_row), TEST(what_cannot_be_estimated_is_not),
	  TEST(other_recordings_have_no_rows), TEST(few_are_bounded),
	  TEST(neighbours_narrow_the_interval))
