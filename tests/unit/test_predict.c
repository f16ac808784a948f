// SPDX-License-Identifier: GPL-2.0-only
/*
 * The pre-copy loop by hand, predictions of writers that are easy to predict, and of some
 * guests that are migrated page by page (tests/bench/guest.c); tests/bench/predict judges by
 * many more.
 */
#include "unit.h"
#include "../bench/guest.c"
#include "../../tools/model/last_copy.h"
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

/* Blackouts of 2 ms and a second for 200 MB, times a factor; of 5 to 80 MB */
static void measure(struct random *random, double deviation, struct last_copy_point *points, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		points[i].bytes = 5 * MB * pow(16, random__share(random));
		points[i].seconds = (0.002 + points[i].bytes / (200 * MB)) *
				    exp(deviation * random__normal(random));
	}
}

static void take_measured(const struct last_copy *copy, struct precopy_setup *s)
{
	s->last_measured = true;
	s->last_bandwidth = 1 / copy->byte_s;
	s->last_fixed_s = copy->fixed_s;
	s->last_spread = copy->spread;
	s->last_freedom = copy->freedom;
}

static void a_last_copy_is_a_line(void)
{
	struct last_copy_point points[50] = { 0 };
	struct random random = { 3 };
	struct last_copy copy;

	CHECK(last_copy__fit(&copy, points, 0) == -EINVAL);
	measure(&random, 0, points, 50);
	CHECK(!last_copy__fit(&copy, points, 50));
	CHECK(copy.line);
	CHECK(fabs(copy.fixed_s - 0.002) < 0.0001);
	CHECK(fabs(copy.byte_s * 200 * MB - 1) < 0.01);
	CHECK_NUMBER(copy.freedom, 50);
	/* All of one size: all of it grows with the size, for all that is known */
	for (int i = 0; i < 5; i++)
		points[i] = (struct last_copy_point){ 10 * MB, 0.05 };
	CHECK(!last_copy__fit(&copy, points, 5));
	CHECK(!copy.line);
	CHECK(copy.fixed_s == 0);
	CHECK(near(copy.byte_s, 0.005 / MB));
	/* No single blackout tells how much they differ */
	CHECK(!last_copy__fit(&copy, points, 1));
	CHECK(copy.spread > 0.1);
	/* What is the same whatever is sent is not for the bytes */
	for (int i = 0; i < 5; i++)
		points[i] = (struct last_copy_point){ (1 + i) * MB, 0.05 };
	CHECK(!last_copy__fit(&copy, points, 5));
	CHECK(copy.fixed_s > 0.045);
}

static void a_last_copy_as_unsteady_as_those_before(void)
{
	struct working_point points[20];
	struct random random = { 7 };
	int held = 0;

	/* 10 MB are left after the first pass, and take 52 ms */
	for (int i = 0; i < 20; i++)
		points[i] = (struct working_point){ 1 + i, MB * (1 + i) };
	for (unsigned int i = 0; i < 300; i++) {
		struct last_copy_point copies[21];
		size_t count = (size_t[]){ 2, 4, 8, 20 }[i % 4];
		struct precopy_setup s = setup();
		struct prediction p;
		struct last_copy copy;

		measure(&random, 0.2, copies, count);
		CHECK(!last_copy__fit(&copy, copies, count));
		take_measured(&copy, &s);
		s.downtime_limit_s = 0.2;
		CHECK(!predict_points(points, 20, &s, &p));
		CHECK(p.converges == TRI_TRUE);
		held += (double)p.blackout_bound_ns >= 0.052e9 * exp(0.2 * random__normal(&random));
	}
	CHECK(held >= 285);
	CHECK(held < 300);
}

static void each_trial_takes_a_stop_that_was_measured(void)
{
	const double stops[] = { 0.001, 0.001, 0.001, 0.001, 0.060 };
	struct precopy_setup s = setup();
	struct working_point points[20];
	struct prediction p;

	for (int i = 0; i < 20; i++)
		points[i] = (struct working_point){ 0.5 * (1 + i), 1000.0 * (1 + i) };
	s.stops = stops;
	s.stop_count = 5;
	CHECK(!predict_points(points, 20, &s, &p));
	CHECK(p.blackout_ns < 2000000);
	CHECK(p.blackout_bound_ns >= 60000000);
	CHECK(p.blackout_bound_ns < 62000000);
}

static int makeup(const struct working_point *points, size_t count, const struct precopy_setup *s,
		  struct prediction_makeup *out)
{
	struct working_set set;
	struct predict_source source = { { &set } };
	int err = working_set__fit(&set, points, count, s->memory_bytes);

	err = err ?: predict__makeup(s, &source, 1, 1, out);
	working_set__release(&set);
	return err;
}

static void what_widens_a_bound_is_told(void)
{
	struct working_point points[20];
	struct precopy_setup s = setup();
	struct last_copy copy = { .fixed_s = 0.01, .byte_s = 0.01 / MB, .spread = 0.4, .freedom = 20 };
	struct prediction_makeup m;
	struct prediction p;

	/* A line, which the points pin down */
	for (int i = 0; i < 20; i++)
		points[i] = (struct working_point){ 0.5 * (1 + i), 0.4 * MB * (1 + i) };
	s.device_bytes = MB;
	take_measured(&copy, &s);
	CHECK(!predict_points(points, 20, &s, &p));
	CHECK(!makeup(points, 20, &s, &m));
	CHECK(!strcmp(m.widest, "copy"));
	CHECK(m.known_copy_ns < p.blackout_bound_ns * 2 / 3);
	CHECK(fabs((double)(m.left_ns + m.device_ns + m.fixed_ns) - (double)p.blackout_bound_ns) < 3);
	/* Points that contradict each other, and a copy that is always the same */
	s = setup();
	s.downtime_limit_s = 0.5;
	for (int i = 0; i < 20; i++)
		points[i].bytes *= i % 2 ? 0.5 : 2;
	CHECK(!makeup(points, 20, &s, &m));
	CHECK(strcmp(m.widest, "copy"));
	/* Nine times what fits after the first pass, and what just fits after the second */
	s.downtime_limit_s = 0.1;
	for (int i = 0; i < 20; i++)
		points[i].bytes = 9.6 * MB * points[i].interval_s;
	CHECK(!makeup(points, 20, &s, &m));
	CHECK(!strcmp(m.widest, "limit"));
	/* Nothing that could be made up of anything */
	for (int i = 0; i < 20; i++)
		points[i].bytes = 900 * MB;
	CHECK(!makeup(points, 20, &s, &m));
	CHECK(m.left_ns == UNKNOWN);
	CHECK(!*m.widest);
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
	  TEST(a_last_copy_is_a_line), TEST(a_last_copy_as_unsteady_as_those_before),
	  TEST(each_trial_takes_a_stop_that_was_measured), TEST(what_widens_a_bound_is_told),
	  TEST(what_was_not_observed_cannot_be_told),
	  TEST(the_same_seed_gives_the_same), TEST(more_bandwidth_is_never_worse),
	  TEST(nonsense_is_refused), TEST(guests_migrated_page_by_page))
