// SPDX-License-Identifier: GPL-2.0-only
/*
 * Histograms: buckets of the BPF side, merging, percentiles.
 */
#include "unit.h"
#include "../../bpf/records.h"
#include "../../tools/model/histogram.h"

#include <stdlib.h>

static void every_time_is_in_its_bucket(void)
{
	for (int shift = 0; shift < HWDBM_BUCKET_TOP; shift++)
		for (int step = -1; step <= 1; step++) {
			__u64 ns = (1ULL << shift) + step;
			__u32 bucket = hwdbm_bucket(ns);

			CHECK(bucket < HWDBM_BUCKETS);
			CHECK(ns <= hwdbm_bucket_bound(bucket));
			CHECK(!bucket || ns > hwdbm_bucket_bound(bucket - 1));
		}
}

static void bounds_are_an_eighth_above(void)
{
	for (__u32 bucket = HWDBM_BUCKET_SUBS; bucket < HWDBM_BUCKETS - 1; bucket++) {
		__u64 shortest = hwdbm_bucket_bound(bucket - 1) + 1;

		CHECK(hwdbm_bucket_bound(bucket) - shortest <= shortest / 8);
	}
}

static void endless_times_share_the_last_bucket(void)
{
	CHECK_NUMBER(hwdbm_bucket(1ULL << HWDBM_BUCKET_TOP), HWDBM_BUCKETS - 1);
	CHECK_NUMBER(hwdbm_bucket(~0ULL), HWDBM_BUCKETS - 1);
	CHECK(hwdbm_bucket((1ULL << HWDBM_BUCKET_TOP) - 1) == HWDBM_BUCKETS - 1);
}

static void merging_adds_and_keeps_order(void)
{
	struct pair b[] = { { 5, 1 }, { 10, 2 }, { 30, 4 } };
	struct pairs into = { 0 }, from = { 3, b };
	struct pair *a = malloc(2 * sizeof(*a));

	a[0] = (struct pair){ 10, 1 };
	a[1] = (struct pair){ 20, 1 };
	into = (struct pairs){ 2, a };
	CHECK_NUMBER(histogram__merge(&into, &from), 0);
	CHECK_NUMBER(into.count, 4);
	CHECK_NUMBER(into.at[0].key, 5);
	CHECK_NUMBER(into.at[1].key, 10);
	CHECK_NUMBER(into.at[1].value, 3);
	CHECK_NUMBER(into.at[3].key, 30);
	CHECK_NUMBER(histogram__count(&into), 9);
	free(into.at);
}

static void percentiles_are_nearest_rank(void)
{
	struct pair at[] = { { 10, 50 }, { 20, 49 }, { 30, 1 } };
	struct pairs h = { 3, at };

	CHECK_NUMBER(histogram__percentile(&h, 50, 29), 10);
	CHECK_NUMBER(histogram__percentile(&h, 51, 29), 20);
	CHECK_NUMBER(histogram__percentile(&h, 99, 29), 20);
	CHECK_NUMBER(histogram__percentile(&h, 100, 29), 29);
}

static void percentiles_of_few_and_none(void)
{
	struct pair at[] = { { 10, 1 }, { 20, 1 }, { 30, 1 } };
	struct pairs h = { 3, at }, none = { 0 };

	CHECK_NUMBER(histogram__percentile(&h, 50, 30), 20);
	CHECK_NUMBER(histogram__percentile(&h, 99, 30), 30);
	CHECK(histogram__percentile(&none, 50, 0) == UNKNOWN);
}

RUN_TESTS(TEST(every_time_is_in_its_bucket), TEST(bounds_are_an_eighth_above),
	  TEST(endless_times_share_the_last_bucket), TEST(merging_adds_and_keeps_order),
	  TEST(percentiles_are_nearest_rank), TEST(percentiles_of_few_and_none))
