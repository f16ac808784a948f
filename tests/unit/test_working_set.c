// SPDX-License-Identifier: GPL-2.0-only
/*
 * What-if granularities, and working-set curves against writers whose curve is known.
 */
#include "samples.h"
#include "unit.h"
#include "../../tools/model/whatif.h"
#include "../../tools/model/working_set.h"

#include <errno.h>
#include <math.h>

static const struct working_guess middle = { 0.5, 0.5, 0.5 };

static struct sync_sample counted(uint64_t k4, uint64_t k64, uint64_t m2, uint64_t g1)
{
	union sample s;

	field__clear(sample__table(SAMPLE_SYNC), &s);
	s.sync.length_bytes = MEMORY;
	s.sync.unit_bytes[0] = k4;
	s.sync.unit_bytes[1] = k64;
	s.sync.unit_bytes[2] = m2;
	s.sync.unit_bytes[3] = g1;
	return s.sync;
}

static void counted_sizes_are_taken_as_they_are(void)
{
	struct sync_sample sync = counted(3 * K4, 2 * 65536, M2, G1);
	uint64_t bytes[UNIT_SIZES];

	CHECK(whatif__sync(&sync, bytes));
	CHECK_NUMBER(bytes[0], 3 * K4);
	CHECK_NUMBER(bytes[1], 2 * 65536);
	CHECK_NUMBER(bytes[2], M2);
	CHECK_NUMBER(bytes[3], G1);
}

static void a_leaf_tells_nothing_finer(void)
{
	struct sync_sample sync = counted(UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN);
	uint64_t bytes[UNIT_SIZES];

	memset(sync.dirty_entries, 0, sizeof(sync.dirty_entries));
	sync.dirty_entries[leaf_index(M2)] = 7;
	sync.dirty_bytes = 7 * M2;
	CHECK(whatif__sync(&sync, bytes));
	CHECK(bytes[0] == UNKNOWN && bytes[1] == UNKNOWN && bytes[3] == UNKNOWN);
	CHECK_NUMBER(bytes[2], 7 * M2);
}

static void sizes_that_contradict_are_unknown(void)
{
	/* A larger unit holds less; more than the range; more units than smaller ones */
	struct sync_sample bad[] = { counted(3 * K4, 2 * K4, M2, G1), counted(K4, 65536, M2, 4 * G1),
				     counted(K4, 65536, 2 * M2, 2 * G1) };
	uint64_t bytes[UNIT_SIZES];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		CHECK(!whatif__sync(&bad[i], bytes));
		CHECK(bytes[0] == UNKNOWN && bytes[3] == UNKNOWN);
	}
}

static void break_even_by_hand(void)
{
	/* 2 MiB at 1 GiB/s is 1.953 ms; a split of 100 us in 4 syncs and 5 us each is 30 us. */
	struct whatif_costs costs = { 100000, 3000, 2000 };
	double share = whatif__break_even(M2, &costs, (double)G1, 4);

	CHECK(fabs(share - (1 - 30e-6 * (double)G1 / (double)M2)) < 1e-12);
	costs.tlb_ns = UNKNOWN;
	CHECK(isnan(whatif__break_even(M2, &costs, (double)G1, 4)));
	costs = (struct whatif_costs){ 1000000000, 0, 0 };
	CHECK(whatif__break_even(M2, &costs, (double)G1, 1) < 0);
	CHECK(isnan(whatif__break_even(M2, &costs, (double)G1, 0)));
}

static double bytes_at(const struct working_set *set, double seconds)
{
	return working_curve__bytes(&set->curve, seconds, &middle);
}

static void fit_function(struct working_set *set, double (*truth)(double))
{
	struct working_point points[24];

	for (int i = 0; i < 24; i++) {
		points[i].interval_s = 0.01 * pow(1000, i / 23.0);
		points[i].bytes = truth(points[i].interval_s);
	}
	if (working_set__fit(set, points, 24, 1e12))
		abort();
}

static double uniform(double t)
{
	return 1e9 * (1 - exp(-t));
}

static double hot_and_cold(double t)
{
	return 5e7 * (1 - exp(-200 * t)) + 4e9 * (1 - exp(-0.02 * t));
}

static double ring(double t)
{
	return fmin(1e8 * t, 6.4e7);
}

static void curves_of_known_writers_are_found(void)
{
	static const struct {
		double (*bytes)(double);
		double tolerance;
	} writers[] = { { uniform, 0.02 }, { hot_and_cold, 0.03 },
			{ ring, 0.1 } };	/* its corner lies between two points */

	for (size_t k = 0; k < 3; k++) {
		struct working_set set;
		double worst = 0;

		fit_function(&set, writers[k].bytes);
		for (double t = 0.011; t < 9.9; t *= 1.07)
			worst = fmax(worst, fabs(bytes_at(&set, t) / writers[k].bytes(t) - 1));
		working_set__release(&set);
		if (worst > writers[k].tolerance)
			FAIL("writer %zu: off by %g", k, worst);
	}
}

/* Whatever the points: on 1 ms to 3 s, of 10 ms to 1.01 s observed */
static bool rises_ever_less(const struct working_set *set, const struct working_guess *guess)
{
	double last = 0, slope = INFINITY;

	for (double t = 0.001; t < 3; t += 0.001) {
		double now = working_curve__bytes(&set->curve, t, guess);

		if (now < last - 1e-3 || now - last > slope + 1e-3)
			return false;
		slope = now - last;
		last = now;
	}
	return true;
}

static void curves_rise_ever_less_steeply(void)
{
	struct random random = { 11 };

	for (int run = 0; run < 50; run++) {
		struct working_guess guess = { random__share(&random), random__share(&random), 0.5 };
		struct working_point points[12];
		struct working_set set;
		bool good;

		for (int i = 0; i < 12; i++)
			points[i] = (struct working_point){ 0.01 + random__share(&random),
							    1e6 * random__share(&random) };
		CHECK(!working_set__fit(&set, points, 12, 1e9));
		good = rises_ever_less(&set, &guess);
		working_set__release(&set);
		CHECK(good);
	}
}

static void outside_there_are_bounds(void)
{
	struct working_guess low = { 1, 0, 0.5 }, high = { 0, 1, 0.5 };
	struct working_point points[] = { { 1, 100e6 }, { 2, 150e6 }, { 4, 250e6 } };
	struct working_set set;

	/* 50 MB held and 50 MB a second */
	CHECK(!working_set__fit(&set, points, 3, 400e6));
	CHECK(fabs(working_curve__bytes(&set.curve, 0.5, &low) - 50e6) < 2e6);
	CHECK(fabs(working_curve__bytes(&set.curve, 0.5, &high) - 75e6) < 2e6);
	CHECK(fabs(working_curve__bytes(&set.curve, 6, &low) - 250e6) < 2e6);
	CHECK(fabs(working_curve__bytes(&set.curve, 6, &high) - 350e6) < 3e6);
	CHECK(working_curve__bytes(&set.curve, 100, &high) == 400e6);
	CHECK(working_curve__bytes(&set.curve, 0, &high) == 0);
	working_set__release(&set);
}

static void of_one_interval_the_shape_is_unknown(void)
{
	struct working_point points[] = { { 1, 90 }, { 1, 110 } };
	struct working_guess guess = { 0, 0, 1 };
	struct random random = { 1 };
	struct working_curve curve;
	struct working_set set;

	CHECK(!working_set__fit(&set, points, 2, 0));
	CHECK(fabs(bytes_at(&set, 1) - 100) < 1e-6);
	working_set__resample(&set, &random, &guess, &curve);
	CHECK(curve.held > 0 && curve.growing == 0);
	guess.held = 0;
	working_set__resample(&set, &random, &guess, &curve);
	CHECK(curve.held == 0 && curve.growing > 0);
	working_set__release(&set);
}

static void no_points_and_idle_guests(void)
{
	struct working_point idle[] = { { 1, 0 }, { 2, 0 } }, bad[] = { { 0, 5 }, { -1, 5 } };
	struct random random = { 1 };
	struct working_set set;

	CHECK(working_set__fit(&set, idle, 0, 1) == -EINVAL);
	CHECK(working_set__fit(&set, bad, 2, 1) == -EINVAL);
	CHECK(!working_set__fit(&set, idle, 2, 1));
	CHECK(bytes_at(&set, 1.5) == 0);
	CHECK(isfinite(working_set__draw_error(&set, 1, &random)));
	working_set__release(&set);
}

RUN_TESTS(TEST(counted_sizes_are_taken_as_they_are), TEST(a_leaf_tells_nothing_finer),
	  TEST(sizes_that_contradict_are_unknown), TEST(break_even_by_hand),
	  TEST(curves_of_known_writers_are_found), TEST(curves_rise_ever_less_steeply),
	  TEST(outside_there_are_bounds), TEST(of_one_interval_the_shape_is_unknown),
	  TEST(no_points_and_idle_guests))
