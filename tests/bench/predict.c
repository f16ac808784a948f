// SPDX-License-Identifier: GPL-2.0-only
/*
 * How good predictions are: many seeded guests, each migrated page by page (guest.c) and
 * predicted from earlier migrations of it with other bandwidths, and from the first syncs of
 * the migration itself. Not here: tuning; judge with seeds that no change was made for.
 */
#define _GNU_SOURCE
#include "combination.h"
#include "../../tools/model/predict.h"
#include "../../tools/model/whatif.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REHEARSALS COMBINATION_REHEARSALS
#define POINTS_MAX ((REHEARSALS + 1) * GUEST_SYNCS)

/* The verdict has to be there by then. */
#define IN_TIME 3

/* ---- predictions ------------------------------------------------------------------- */

struct recorded {
	struct guest_sync syncs[POINTS_MAX];
	size_t count;
};

static struct precopy_setup setup_of(const struct combination *c)
{
	const struct plan *p = &c->plan;
	double memory = (double)(c->guest.pages * GUEST_PAGE);

	return (struct precopy_setup){
		.memory_bytes = memory, .pending_bytes = memory, .bandwidth = p->bandwidth,
		.last_bandwidth = p->last_bandwidth, .downtime_limit_s = p->downtime_limit_s,
		.device_bytes = p->device_bytes, .load_s = p->load_s, .stop_s = p->stop_s,
		.slice_s = p->whole_passes ? 0 : PRECOPY_QEMU_SLICE_S, .levels = p->levels,
		.most_iterations = p->most_iterations,
	};
}

static int predict(const struct combination *c, const struct recorded *recorded,
		   const struct precopy_setup *setup, struct prediction *out)
{
	struct working_point points[POINTS_MAX];
	struct working_set sets[PRECOPY_LEVELS] = { 0 };
	struct predict_source source;
	int err = 0;

	for (unsigned int level = 0; !err && level < c->plan.levels; level++) {
		unsigned int unit = whatif__unit(c->plan.leaves[level] * GUEST_PAGE);

		for (size_t i = 0; i < recorded->count; i++)
			points[i] = (struct working_point){
				recorded->syncs[i].interval_s,
				(double)recorded->syncs[i].units[unit],
			};
		source.levels[level] = &sets[level];
		err = working_set__fit(&sets[level], points, recorded->count, setup->memory_bytes);
	}
	err = err ?: predict__run(setup, &source, 1, 1, out);
	for (unsigned int level = 0; level < c->plan.levels; level++)
		working_set__release(&sets[level]);
	return err;
}

static void add_syncs(struct recorded *recorded, const struct migration_truth *truth, size_t count)
{
	for (size_t i = 0; i < count && recorded->count < POINTS_MAX; i++)
		if (truth->syncs[i].interval_s > 0)
			recorded->syncs[recorded->count++] = truth->syncs[i];
}

/* Earlier migrations of the same guest, at other bandwidths, tracked by 4K pages. */
static int rehearse(struct combination *c, struct recorded *recorded)
{
	int err = 0;

	recorded->count = 0;
	for (int i = 0; !err && i < REHEARSALS; i++) {
		struct plan plan = c->plan;
		struct migration_truth truth;

		plan.bandwidth = plan.last_bandwidth = c->rehearsal_bandwidth[i];
		plan.most_iterations = 12;
		plan.leaves[0] = plan.levels = 1;
		err = guest__migrate(&c->guest, &plan, &truth);
		add_syncs(recorded, &truth, truth.sync_count);
	}
	return err;
}

/* Once the first syncs of the migration itself are known too. */
static int predict_live(const struct combination *c, const struct recorded *earlier,
			const struct migration_truth *truth, size_t syncs, struct prediction *out)
{
	struct precopy_setup setup = setup_of(c);
	struct recorded recorded = *earlier;

	add_syncs(&recorded, truth, syncs);
	setup.pending_bytes = (double)truth->syncs[syncs - 1].pending;
	setup.pending_s = truth->syncs[syncs - 1].interval_s;
	setup.most_iterations -= syncs;
	return predict(c, &recorded, &setup, out);
}

/* ---- judgement --------------------------------------------------------------------- */

struct tally {
	const char *name;
	uint64_t count;
	uint64_t converged;		/* really */
	uint64_t bounded;		/* of them, with a bound that held */
	uint64_t unbounded;		/* of them, without a bound: "does not converge" */
	uint64_t said[3];		/* cannot be told, does not, converges */
	uint64_t wrong_yes, wrong_no;
	double *ratios;			/* bound / actual */
	double *errors;			/* point / actual */
	size_t ratio_count;
};

static void judge(struct tally *tally, const struct prediction *p,
		  const struct migration_truth *truth)
{
	tally->count++;
	tally->said[p->converges + 1]++;
	tally->wrong_yes += p->converges == TRI_TRUE && !truth->converged;
	tally->wrong_no += p->converges == TRI_FALSE && truth->converged;
	if (!truth->converged)
		return;
	tally->converged++;
	if (p->blackout_bound_ns == UNKNOWN) {
		tally->unbounded++;
		return;
	}
	tally->bounded += (double)p->blackout_bound_ns >= truth->blackout_s * 1e9;
	tally->ratios[tally->ratio_count] = (double)p->blackout_bound_ns / 1e9 / truth->blackout_s;
	tally->errors[tally->ratio_count++] = (double)p->blackout_ns / 1e9 / truth->blackout_s;
}

static int by_size(const void *a, const void *b)
{
	const double *one = a, *two = b;

	return (*one > *two) - (*one < *two);
}

static double median(double *values, size_t count)
{
	if (!count)
		return NAN;
	qsort(values, count, sizeof(*values), by_size);
	return values[count / 2];
}

static double share(uint64_t part, uint64_t whole)
{
	return whole ? (double)part / (double)whole : NAN;
}

static void print(struct tally *t)
{
	printf("%-7s %5" PRIu64 " combinations, %" PRIu64 " converge: bound holds in %.1f %%, bound/actual %.2f, point/actual %.2f (medians); said converges %" PRIu64
	       " (%" PRIu64 " wrong), does not %" PRIu64 " (%" PRIu64 " wrong), cannot be told %" PRIu64 "\n",
	       t->name, t->count, t->converged, 100 * share(t->bounded, t->converged),
	       median(t->ratios, t->ratio_count), median(t->errors, t->ratio_count), t->said[2],
	       t->wrong_yes, t->said[1], t->wrong_no, t->said[0]);
}

static void put_row(FILE *out, const char **comma, const char *name, const char *unit,
		    double value, const char *against, double limit, uint64_t runs)
{
	if (isnan(value))
		return;
	fprintf(out, "%s{\"name\": \"%s\", \"unit\": \"%s\", \"value\": %.4f, \"against\": \"%s\", \"against_value\": %.4f, \"ratio\": %.4f, \"runs\": %" PRIu64
		", \"label\": \"simulated guests, page by page\"}",
		*comma, name, unit, value, against, limit, limit > 0 ? value / limit : 0, runs);
	*comma = ",\n ";
}

static void put_rows(FILE *out, const char **comma, struct tally *t)
{
	const struct {
		const char *what, *unit;
		double value;
		const char *against;
		double limit;
		uint64_t runs;
	} rows[] = {
		{ "bound_holds", "share", share(t->bounded, t->converged), "at least", 0.95,
		  t->converged },
		{ "bound_over_actual", "ratio", median(t->ratios, t->ratio_count), "at most", 1.5,
		  t->ratio_count },
		{ "false_converges", "share", share(t->wrong_yes, t->count), "at most", 0.01,
		  t->count },
		{ "verdict_known", "share", share(t->said[1] + t->said[2], t->count), "of", 1,
		  t->count },
	};
	char name[64];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(name, sizeof(name), "predict.%s.%s", t->name, rows[i].what);
		put_row(out, comma, name, rows[i].unit, rows[i].value, rows[i].against,
			rows[i].limit, rows[i].runs);
	}
}

struct options {
	uint64_t first, count;
	const char *json;
	bool verbose;
};

static void tell(uint64_t seed, const struct combination *c, const struct migration_truth *truth,
		 const char *how, const struct prediction *p)
{
	printf("%" PRIu64 " %s: kinds", seed, how);
	for (size_t i = 0; i < c->guest.writer_count; i++)
		printf(" %d", c->guest.writers[i].kind);
	printf("%s%s leaf %" PRIu64 "/%u pages 2^%d; %s, really %s after %u, blackout %.3f point %.3f bound %.3f\n",
	       c->phases ? " phases" : "", c->plan.whole_passes ? " whole" : "", c->plan.leaves[0],
	       c->plan.levels, 63 - __builtin_clzll(c->guest.pages), p->verdict,
	       truth->converged ? "converged" : "did not", truth->iterations, truth->blackout_s,
	       p->blackout_ns == UNKNOWN ? NAN : (double)p->blackout_ns / 1e9,
	       p->blackout_bound_ns == UNKNOWN ? NAN : (double)p->blackout_bound_ns / 1e9);
}

/* What is known, and how good the predictions are that follow from it. */
enum known { BEFORE, LIVE, BOTH, KNOWN };

static const char *const known_names[KNOWN] = { "before", "live", "both" };

struct results {
	const struct options *options;
	struct tally tallies[KNOWN];
};

static void take(struct results *results, enum known known, uint64_t seed,
		 const struct combination *c, const struct migration_truth *truth,
		 const struct prediction *p)
{
	judge(&results->tallies[known], p, truth);
	if (results->options->verbose)
		tell(seed, c, truth, known_names[known], p);
}

/* A migration that was over by then gave its verdict itself. */
static int run_live(struct results *results, uint64_t seed, const struct combination *c,
		    const struct recorded *recorded, const struct migration_truth *truth)
{
	static const struct recorded none;
	struct prediction p;
	int err = 0;

	if (truth->iterations <= IN_TIME)
		return 0;
	for (enum known known = LIVE; !err && known <= BOTH; known++) {
		err = predict_live(c, known == LIVE ? &none : recorded, truth, IN_TIME, &p);
		if (!err)
			take(results, known, seed, c, truth, &p);
	}
	return err;
}

static int run_one(struct results *results, uint64_t seed)
{
	struct combination c;
	struct recorded recorded;
	struct migration_truth truth;
	struct prediction p;
	struct precopy_setup setup;
	int err;

	combination__choose(&c, seed);
	setup = setup_of(&c);
	err = guest__init(&c.guest);
	err = err ?: rehearse(&c, &recorded);
	err = err ?: predict(&c, &recorded, &setup, &p);
	err = err ?: guest__migrate(&c.guest, &c.plan, &truth);
	if (!err) {
		take(results, BEFORE, seed, &c, &truth, &p);
		err = run_live(results, seed, &c, &recorded, &truth);
	}
	guest__release(&c.guest);
	return err;
}

static int start(struct results *results)
{
	for (int i = 0; i < KNOWN; i++) {
		struct tally *tally = &results->tallies[i];

		tally->name = known_names[i];
		tally->ratios = calloc(results->options->count, sizeof(double));
		tally->errors = calloc(results->options->count, sizeof(double));
		if (!tally->ratios || !tally->errors)
			return -ENOMEM;
	}
	return 0;
}

/* Over after so many syncs, or known by then. */
static double in_time(const struct results *results)
{
	const struct tally *both = &results->tallies[BOTH];

	return share(results->options->count - both->said[0], results->options->count);
}

static int write_rows(struct results *results)
{
	FILE *out = fopen(results->options->json, "we");
	const char *comma = "[";

	if (!out)
		return -errno;
	for (int i = 0; i < KNOWN; i++)
		put_rows(out, &comma, &results->tallies[i]);
	put_row(out, &comma, "predict.verdict_in_time", "share", in_time(results), "of", 1,
		results->options->count);
	fputs("]\n", out);
	return fclose(out) ? -errno : 0;
}

static void finish(struct results *results)
{
	for (int i = 0; i < KNOWN; i++) {
		free(results->tallies[i].ratios);
		free(results->tallies[i].errors);
	}
}

static int parse(int argc, char **argv, struct options *options)
{
	int c;

	while ((c = getopt(argc, argv, "s:n:j:v")) != -1)
		switch (c) {
		case 's': options->first = strtoull(optarg, NULL, 10); break;
		case 'n': options->count = strtoull(optarg, NULL, 10); break;
		case 'j': options->json = optarg; break;
		case 'v': options->verbose = true; break;
		default: return -EINVAL;
		}
	return options->count ? 0 : -EINVAL;
}

int main(int argc, char **argv)
{
	struct options options = { .first = 11000000, .count = 400 };
	struct results results = { .options = &options };
	int err;

	if (parse(argc, argv, &options)) {
		fputs("usage: predict [-s FIRST_SEED] [-n COMBINATIONS] [-j FILE] [-v]\n", stderr);
		return 2;
	}
	err = start(&results);
	for (uint64_t i = 0; !err && i < options.count; i++)
		err = run_one(&results, options.first + i);
	for (int i = 0; !err && i < KNOWN; i++)
		print(&results.tallies[i]);
	if (!err)
		printf("verdict by iteration %d: %.1f %%\n", IN_TIME, 100 * in_time(&results));
	if (!err && options.json)
		err = write_rows(&results);
	if (err)
		fprintf(stderr, "predict: %s\n", strerror(-err));
	finish(&results);
	return err ? 1 : 0;
}
