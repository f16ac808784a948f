// SPDX-License-Identifier: GPL-2.0-only
/*
 * The pre-copy loop by hand, predictions of writers that are easy to predict, and of some
 * guests that are migrated page by page (tests/bench/guest.c); tests/bench/predict judges by
 * many more.
 */
#include "unit.h"
#include "../bench/guest.c"
#include "../../tools/model/predict.h"
#include "../../tools/model/random.h"

#include <math.h>

#define MB 1e6

static double even(void *context, unsigned int level, double seconds)
{
	const double *rates = context;

	return fmin(rates[level] * seconds, 1000 * MB);
}

static double none(void *context, double seconds)
{
	(void)context;
	(void)seconds;
	return 1;
}

/* 1 GB at 100 MB/s, 10 MB may be left, whole passes. */
static struct precopy_setup setup(void)
{
	return (struct precopy_setup){
		.memory_bytes = 1000 * MB, .pending_bytes = 1000 * MB, .bandwidth = 100 * MB,
		.last_bandwidth = 100 * MB, .downtime_limit_s = 0.1, .overlap = 1, .levels = 1,
		.most_iterations = 30,
	};
}

static bool near(double is, double should)
{
	return fabs(is - should) <= 1e-9 * fabs(should);
}

static void whole_passes_by_hand(void)
{
	double rates[] = { 10 * MB };
	const struct precopy_writers writers = { even, none, rates };
	struct precopy_setup s = setup();
	struct precopy_outcome o;

	/* 10 s find 100 MB, 1 s finds 10 MB, which may be left. */
	precopy__run(&s, &writers, &o);
	CHECK(o.converged);
	CHECK_NUMBER(o.iterations, 2);
	CHECK(near(o.left_bytes, 10 * MB));
	CHECK(near(o.blackout_s, 0.1));
	CHECK(near(o.total_s, 11.1));
	CHECK(near(o.sent_bytes, 1110 * MB));
}

static void everything_that_takes_time_is_in_it(void)
{
	double rates[] = { 0 };
	const struct precopy_writers writers = { even, none, rates };
	struct precopy_setup s = setup();
	struct precopy_outcome o;

	s.device_bytes = 5 * MB;
	s.last_bandwidth = 50 * MB;
	s.load_s = 0.3;
	s.sync_s = 0.02;
	s.start_s = 2;
	s.stop_s = 0.005;
	precopy__run(&s, &writers, &o);
	CHECK(o.converged);
	CHECK(near(o.blackout_s, 0.005 + 0.02 + 0.1 + 0.3));
	CHECK(near(o.total_s, 2 + 10.02 + o.blackout_s));
	/* State alone that is more than may be left */
	s.device_bytes = 11 * MB;
	precopy__run(&s, &writers, &o);
	CHECK(!o.converged);
	CHECK_NUMBER(o.iterations, 30);
}

static void qemu_leaves_a_rest_and_looks_again(void)
{
	double rates[] = { 10 * MB };
	const struct precopy_writers writers = { even, none, rates };
	struct precopy_setup s = setup();
	struct precopy_outcome o;

	/*
	 * Slices of 10 MB and 10 MB to be left: the first pass sends all but nothing, since
	 * "no more than" is looked at a slice later. It finds 100 MB; the next leaves nothing
	 * after 1 s and finds 10 MB.
	 */
	s.slice_s = PRECOPY_QEMU_SLICE_S;
	precopy__run(&s, &writers, &o);
	CHECK(o.converged);
	CHECK_NUMBER(o.iterations, 2);
	/* 25 MB to be left: 80 slices... the rest of 20 MB and 98 MB found, of them 2 % in the rest */
	s.downtime_limit_s = 0.25;
	s.most_iterations = 1;
	precopy__run(&s, &writers, &o);
	CHECK(!o.converged);
	CHECK(near(o.left_bytes, (20 + 98 - 20 * 98 / 1000.0) * MB));
}

static void lazy_goes_one_level_a_sync(void)
{
	/* All blocks are written at once; the fine rate is 10 MB/s */
	double rates[] = { 10 * MB, 1e15, 1e15 };
	const struct precopy_writers writers = { even, none, rates };
	struct precopy_setup s = setup();
	struct precopy_outcome o;

	s.levels = 3;
	precopy__run(&s, &writers, &o);
	CHECK(o.converged);
	/* Twice everything more than the eager run's two */
	CHECK_NUMBER(o.iterations, 4);
	CHECK(near(o.sent_bytes, 3110 * MB));
}

static int predict_points(const struct working_point *points, size_t count,
			  const struct precopy_setup *s, struct prediction *out)
{
	struct working_set set;
	struct predict_source source = { { &set } };
	int err = working_set__fit(&set, points, count, s->memory_bytes);

	err = err ?: predict__run(s, &source, 1, 1, out);
	working_set__release(&set);
	return err;
}

static void steady_writers_are_predicted(void)
{
	struct precopy_setup s = setup();
	struct working_point points[20];
	struct prediction p;

	for (int i = 0; i < 20; i++)
		points[i] = (struct working_point){ 0.1 * pow(100, i / 19.0),
						    10 * MB * 0.1 * pow(100, i / 19.0) };
	CHECK(!predict_points(points, 20, &s, &p));
	CHECK(p.converges == TRI_TRUE);
	CHECK(!strcmp(p.verdict, "converges"));
	CHECK(p.blackout_ns <= p.blackout_bound_ns);
	/* 100 MB, 10 MB: just fits or just not, then 1 MB; and the last copy may be slower */
	CHECK(p.blackout_bound_ns <= 102100000);
	CHECK_NUMBER(p.threshold_bytes, 10 * MB);

	for (int i = 0; i < 20; i++)
		points[i].bytes *= 12;
	CHECK(!predict_points(points, 20, &s, &p));
	CHECK(p.converges == TRI_FALSE);
	CHECK(p.blackout_bound_ns == UNKNOWN);
	CHECK(p.forced_blackout_ns > 1000000000);
}

/* Times of @count copies, a tenth of them their deviation; return: that of one more, their mean is 1 */
static double copies(struct random *random, unsigned int count, struct precopy_setup *s)
{
	double mean = 0, squares = 0;

	for (unsigned int i = 1; i <= count; i++) {
		double time = 1 + 0.1 * random__normal(random), away = time - mean;

		mean += away / i;
		squares += away * (time - mean);
	}
	s->last_bandwidth = 100 * MB / mean;
	s->last_spread = sqrt(squares / (count - 1)) / mean;
	s->last_runs = count;
	return 1 + 0.1 * random__normal(random);
}

static void a_last_copy_as_unsteady_as_those_before(void)
{
	struct working_point points[20];
	struct random random = { 7 };
	int held = 0;

	/* 10 MB are left after the first pass, and take 100 ms */
	for (int i = 0; i < 20; i++)
		points[i] = (struct working_point){ 1 + i, MB * (1 + i) };
	for (unsigned int i = 0; i < 300; i++) {
		struct precopy_setup s = setup();
		double time = copies(&random, 2 + i % 4, &s);
		struct prediction p;

		s.downtime_limit_s = 0.2;
		CHECK(!predict_points(points, 20, &s, &p));
		CHECK(p.converges == TRI_TRUE);
		held += (double)p.blackout_bound_ns >= 1e8 * time;
	}
	CHECK(held >= 285);
	CHECK(held < 300);
}

static void what_was_not_observed_cannot_be_told(void)
{
	/* One sync after 10 s: is it a hot set of 50 MB, or 5 MB a second? */
	struct working_point point = { 10, 50 * MB };
	struct precopy_setup s = setup();
	struct prediction p;

	CHECK(!predict_points(&point, 1, &s, &p));
	CHECK(p.converges == TRI_UNKNOWN);
	CHECK(!strcmp(p.verdict, "cannot be told"));
}

static void the_same_seed_gives_the_same(void)
{
	struct working_point points[] = { { 1, 9 * MB }, { 2, 21 * MB }, { 5, 44 * MB } };
	struct precopy_setup s = setup();
	struct prediction a, b;

	CHECK(!predict_points(points, 3, &s, &a));
	CHECK(!predict_points(points, 3, &s, &b));
	CHECK(!memcmp(&a, &b, sizeof(a)));
}

static void more_bandwidth_is_never_worse(void)
{
	struct working_point points[] = { { 0.5, 20 * MB }, { 1, 30 * MB }, { 5, 80 * MB },
					  { 12, 120 * MB } };
	struct precopy_setup s = setup();
	double last = 0;

	for (double factor = 0.1; factor < 20; factor *= 1.6) {
		struct prediction p;

		s.bandwidth = s.last_bandwidth = 100 * MB * factor;
		CHECK(!predict_points(points, 4, &s, &p));
		CHECK(p.converged_share >= last - 0.03);
		last = p.converged_share;
	}
	CHECK(last == 1);
}

static void nonsense_is_refused(void)
{
	struct working_point point = { 1, 1 };
	struct precopy_setup s = setup();
	struct prediction p;

	s.bandwidth = 0;
	CHECK(predict_points(&point, 1, &s, &p) == -EINVAL);
	s = setup();
	s.memory_bytes = 0;
	CHECK(predict_points(&point, 1, &s, &p) == -EINVAL);
	s = setup();
	s.most_iterations = 0;
	CHECK(predict_points(&point, 1, &s, &p) == -EINVAL);
	s = setup();
	s.levels = 2;
	CHECK(predict_points(&point, 1, &s, &p) == -EINVAL);
}

/* A small guest with a hot set: migrated once with half the bandwidth, then predicted. */
static int predict_guest(uint64_t seed, struct migration_truth *truth, struct prediction *p)
{
	struct guest guest = {
		.pages = 1 << 14, .writer_count = 2, .random = { seed },
		.writers = { { .kind = WRITER_HOT_COLD, .pages = 1 << 14, .rate = 2000,
			       .hot_share = 0.9, .hot_pages = 500 },
			     { .kind = WRITER_RING, .pages = 640, .rate = 300 } },
	};
	struct plan plan = { .bandwidth = 8 * MB, .last_bandwidth = 8 * MB, .stop_s = 0.001,
			     .downtime_limit_s = 0.6, .most_iterations = 12, .leaves = { 1 },
			     .levels = 1 };
	struct precopy_setup s = {
		.memory_bytes = (1 << 14) * 4096.0, .pending_bytes = (1 << 14) * 4096.0,
		.bandwidth = 16 * MB, .last_bandwidth = 16 * MB, .downtime_limit_s = 0.6,
		.slice_s = PRECOPY_QEMU_SLICE_S, .stop_s = 0.001, .levels = 1,
		.most_iterations = 30,
	};
	struct working_point points[GUEST_SYNCS];
	int err = guest__init(&guest);

	err = err ?: guest__migrate(&guest, &plan, truth);
	for (size_t i = 0; !err && i < truth->sync_count; i++)
		points[i] = (struct working_point){ truth->syncs[i].interval_s,
						    (double)truth->syncs[i].units[0] };
	err = err ?: predict_points(points, truth->sync_count, &s, p);
	plan.bandwidth = plan.last_bandwidth = 16 * MB;
	plan.most_iterations = 30;
	err = err ?: guest__migrate(&guest, &plan, truth);
	guest__release(&guest);
	return err;
}

static void guests_migrated_page_by_page(void)
{
	int held = 0, wrong = 0;

	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct migration_truth truth;
		struct prediction p;

		CHECK(!predict_guest(seed, &truth, &p));
		wrong += p.converges == (truth.converged ? TRI_FALSE : TRI_TRUE);
		held += truth.converged &&
			(double)p.blackout_bound_ns >= truth.blackout_s * 1e9;
	}
	CHECK_NUMBER(wrong, 0);
	CHECK(held >= 18);
}

RUN_TESTS(TEST(whole_passes_by_hand), TEST(everything_that_takes_time_is_in_it),
	  TEST(qemu_leaves_a_rest_and_looks_again), TEST(lazy_goes_one_level_a_sync),
	  TEST(steady_writers_are_predicted),
	  TEST(a_last_copy_as_unsteady_as_those_before), TEST(what_was_not_observed_cannot_be_told),
	  TEST(the_same_seed_gives_the_same), TEST(more_bandwidth_is_never_worse),
	  TEST(nonsense_is_refused), TEST(guests_migrated_page_by_page))
