// SPDX-License-Identifier: GPL-2.0-only
/*
 * Percentiles and the test by ranks, against values from tables and by hand.
 */
#include "unit.h"
#include "../../tools/model/compare.h"
#include "../../tools/model/random.h"

#include <math.h>
#include <stdlib.h>

static struct measured make(const uint64_t *values, size_t count)
{
	struct measured m = { 0 };

	for (size_t i = 0; i < count; i++)
		if (measured__add(&m, values[i]))
			abort();
	measured__sort(&m);
	return m;
}

#define MAKE(...) make((uint64_t[]){ __VA_ARGS__ },					\
		       sizeof((uint64_t[]){ __VA_ARGS__ }) / sizeof(uint64_t))

static double ranks(struct measured base, struct measured other, double *larger)
{
	double p = compare__ranks(&base, &other, larger);

	measured__release(&base);
	measured__release(&other);
	return p;
}

static bool near(double is, double should)
{
	return fabs(is - should) < 1e-9;
}

static void percentiles_are_nearest_rank(void)
{
	struct measured m = MAKE(40, 10, UNKNOWN, 30, 20);

	CHECK_NUMBER(m.count, 4);
	CHECK_NUMBER(measured__percentile(&m, 50), 20);
	CHECK_NUMBER(measured__percentile(&m, 51), 30);
	CHECK_NUMBER(measured__percentile(&m, 99), 40);
	CHECK_NUMBER(measured__percentile(&m, 0), 10);
	measured__release(&m);
	CHECK(measured__percentile(&m, 50) == UNKNOWN);
}

static void exact_values_by_hand(void)
{
	double larger;

	/* Of 20 ways to deal out 6 ranks, 1 is as far up: p = 2 / 20 */
	CHECK(near(ranks(MAKE(1, 2, 3), MAKE(4, 5, 6), &larger), 0.1));
	CHECK(near(larger, 1));
	CHECK(near(ranks(MAKE(4, 5, 6), MAKE(1, 2, 3), &larger), 0.1));
	CHECK(near(larger, 0));
	/* 2 of C(8, 4) = 70 */
	CHECK(near(ranks(MAKE(1, 2, 3, 4), MAKE(5, 6, 7, 8), &larger), 2 / 70.0));
	/* Of 6 ways with two ties, ranks 1.5 1.5 3.5 3.5: sums 3 5 5 5 5 7 */
	CHECK(near(ranks(MAKE(1, 1), MAKE(2, 2), &larger), 2 / 6.0));
	CHECK(near(ranks(MAKE(1, 2), MAKE(1, 2), &larger), 1));
	CHECK(near(larger, 0.5));
	CHECK(near(ranks(MAKE(7, 7, 7), MAKE(7, 7), &larger), 1));
	CHECK(isnan(ranks(MAKE(1), (struct measured){ 0 }, &larger)));
}

static void both_ways_agree_where_they_meet(void)
{
	struct random random = { 4 };

	for (int run = 0; run < 20; run++) {
		struct measured base = { 0 }, other = { 0 };
		double larger, exact, close;

		for (int i = 0; i < 25; i++) {
			measured__add(&base, random__below(&random, 40));
			measured__add(&other, random__below(&random, 40) + 3 * (run % 4));
		}
		measured__sort(&base);
		measured__sort(&other);
		exact = compare__ranks(&base, &other, &larger);
		/* One more of each goes the other way */
		measured__add(&base, 20);
		measured__add(&other, 20 + 3 * (run % 4));
		measured__sort(&base);
		measured__sort(&other);
		close = compare__ranks(&base, &other, &larger);
		measured__release(&base);
		measured__release(&other);
		if (fabs(exact - close) > 0.05 + 0.3 * exact)
			FAIL("exact %g, approximately %g", exact, close);
	}
}

/* What is equal must not be called different more often than p says. */
static void p_keeps_its_promise(void)
{
	struct random random = { 8 };
	int below = 0;

	for (int run = 0; run < 2000; run++) {
		struct measured base = { 0 }, other = { 0 };
		size_t count = 3 + random__below(&random, 60);
		double larger;

		for (size_t i = 0; i < count; i++) {
			measured__add(&base, (uint64_t)(1e6 * exp(random__normal(&random))));
			measured__add(&other, (uint64_t)(1e6 * exp(random__normal(&random))));
		}
		measured__sort(&base);
		measured__sort(&other);
		below += compare__ranks(&base, &other, &larger) < 0.05;
		measured__release(&base);
		measured__release(&other);
	}
	/* 100 expected; five standard deviations */
	if (below > 150 || below < 40)
		FAIL("%d of 2000 below 0.05", below);
}

static void small_differences_are_none(void)
{
	struct measured base = { 0 }, more = { 0 }, less = { 0 }, little = { 0 };
	double larger, p;

	for (uint64_t i = 0; i < 200; i++) {
		measured__add(&base, 1000 + i);
		measured__add(&more, 1300 + i);
		measured__add(&less, 800 + i);
		measured__add(&little, 1040 + i);
	}
	p = compare__ranks(&base, &more, &larger);
	CHECK(compare__judge(&base, &more, p, larger) == COMPARE_MORE);
	p = compare__ranks(&base, &less, &larger);
	CHECK(compare__judge(&base, &less, p, larger) == COMPARE_LESS);
	p = compare__ranks(&base, &little, &larger);
	CHECK(p < COMPARE_P);
	CHECK(compare__judge(&base, &little, p, larger) == COMPARE_SAME);
	CHECK(compare__judge(&base, &more, 0.2, larger) == COMPARE_SAME);
	CHECK(compare__judge(&base, &more, NAN, NAN) == COMPARE_UNKNOWN);
	base.count = more.count = 4;
	CHECK(compare__judge(&base, &more, 0.001, 1) == COMPARE_FEW);
	base.count = more.count = 5;
	CHECK(compare__judge(&base, &more, 0.001, 1) == COMPARE_MORE);
	measured__release(&base);
	measured__release(&more);
	measured__release(&less);
	measured__release(&little);
}

/* Of 7 numbers the smallest and the largest hold the median with 1 - 2 / 2^7 = 98.4 % */
static void intervals_by_hand(void)
{
	struct measured base = MAKE(10, 11, 12, 13, 14, 15, 20), more = MAKE(20, 22, 24, 26, 28, 30, 40);
	double low, high;

	CHECK(compare__ratio(&base, &more, &low, &high));
	CHECK(near(low, 1) && near(high, 4));
	base.count = 6;
	CHECK(!compare__ratio(&base, &more, &low, &high));
	measured__release(&base);
	measured__release(&more);
	base = MAKE(0, 0, 0, 0, 0, 0, 0);
	CHECK(!compare__ratio(&base, &base, &low, &high));
	measured__release(&base);
}

/* The true ratio is in it at least as often as is said. */
static void intervals_keep_their_promise(void)
{
	struct random state = { 5 };
	int inside = 0;

	for (int i = 0; i < 400; i++) {
		struct measured base = { 0 }, other = { 0 };
		double low, high;

		for (int k = 0; k < 41; k++)
			if (measured__add(&base, 1000 + random__next(&state) % 1001) ||
			    measured__add(&other, 2 * (1000 + random__next(&state) % 1001)))
				abort();
		measured__sort(&base);
		measured__sort(&other);
		CHECK(compare__ratio(&base, &other, &low, &high));
		inside += low <= 2 && high >= 2;
		measured__release(&base);
		measured__release(&other);
	}
	CHECK(inside >= 380);
}

RUN_TESTS(TEST(intervals_by_hand), TEST(intervals_keep_their_promise), TEST(percentiles_are_nearest_rank), TEST(exact_values_by_hand),
	  TEST(both_ways_agree_where_they_meet), TEST(p_keeps_its_promise),
	  TEST(small_differences_are_none))
