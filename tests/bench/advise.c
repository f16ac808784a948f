// SPDX-License-Identifier: GPL-2.0-only
/*
 * How good advice is: seeded guests are recorded in two migrations with other bandwidths,
 * advice is asked for, and then every way of tracking is really migrated, page by page
 * (guest.c), some times over. Not here: tuning; judge with seeds that no change was made for.
 */
#define _GNU_SOURCE
#include "combination.h"
#include "../../tools/model/advise.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NS 1e9
#define REPEATS 5

/* So much more than the best is still as good. */
#define AS_GOOD 0.05

/* ---- what is asked for ------------------------------------------------------------- */

struct question {
	struct combination c;
	uint64_t block_pages;
	enum advise_objective objective;
	double slowdown;
};

static void ask(uint64_t seed, struct question *q)
{
	struct random random = { seed * 7919 + 17 };

	combination__choose(&q->c, seed);
	q->block_pages = random__below(&random, 2) ? 512 : 262144;
	q->objective = random__below(&random, ADVISE_OBJECTIVES);
	q->slowdown = 0.3 * random__share(&random);
}

static struct advise_settings settings_of(const struct question *q)
{
	const struct plan *p = &q->c.plan;

	return (struct advise_settings){
		.why = {
			.bandwidth = (uint64_t)p->bandwidth,
			.limit_ns = (uint64_t)(p->downtime_limit_s * NS),
			.device_bytes = (uint64_t)p->device_bytes,
			.load_ns = (uint64_t)(p->load_s * NS), .stop_ns = (uint64_t)(p->stop_s * NS),
			.iterations = p->most_iterations, .passes = p->whole_passes,
		},
		.objective = q->objective, .block_bytes = q->block_pages * GUEST_PAGE,
		.table_room_bytes = UNKNOWN, .slowdown = q->slowdown,
	};
}

/* ---- the recording ----------------------------------------------------------------- */

static int give_start(struct advise *advise, const struct question *q)
{
	union sample s;
	int err;

	field__clear(sample__table(SAMPLE_HEADER), &s);
	err = advise__add(advise, SAMPLE_HEADER, &s);
	field__clear(sample__table(SAMPLE_TRACKING), &s);
	s.tracking.t_ns = (uint64_t)NS;
	s.tracking.pid = 7;
	strcpy(s.tracking.source, "iommufd");
	s.tracking.domain = 1;
	s.tracking.length_bytes = q->c.guest.pages * GUEST_PAGE;
	s.tracking.enable = TRI_TRUE;
	s.tracking.ret = 0;
	s.tracking.granularity_bytes = GUEST_PAGE;
	strcpy(s.tracking.split_mode, "eager");
	return err ?: advise__add(advise, SAMPLE_TRACKING, &s);
}

static int give_sync(struct advise *advise, const struct question *q, const struct guest_sync *sync,
		     uint64_t t, uint64_t iteration)
{
	union sample s;

	field__clear(sample__table(SAMPLE_SYNC), &s);
	s.sync.t_ns = t;
	s.sync.pid = 7;
	strcpy(s.sync.source, "iommufd");
	s.sync.domain = 1;
	s.sync.iteration = iteration;
	s.sync.start_seen = TRI_TRUE;
	s.sync.iova = 0;
	s.sync.length_bytes = q->c.guest.pages * GUEST_PAGE;
	s.sync.page_bytes = GUEST_PAGE;
	s.sync.clear = TRI_TRUE;
	s.sync.ret = 0;
	s.sync.total_ns = 0;
	s.sync.dirty_bytes = sync->units[0];
	memcpy(s.sync.unit_bytes, sync->units, sizeof(s.sync.unit_bytes));
	return advise__add(advise, SAMPLE_SYNC, &s);
}

/* An earlier migration of the same guest, at another bandwidth, tracked by 4K pages. */
static int rehearse(struct advise *advise, struct question *q, int which)
{
	struct plan plan = q->c.plan;
	struct migration_truth truth;
	double t = 1;
	int err;

	plan.bandwidth = plan.last_bandwidth = q->c.rehearsal_bandwidth[which];
	plan.most_iterations = 12;
	plan.leaves[0] = plan.levels = 1;
	err = guest__migrate(&q->c.guest, &plan, &truth);
	err = err ?: give_start(advise, q);
	for (size_t i = 0; !err && i < truth.sync_count; i++) {
		t += truth.syncs[i].interval_s;
		if (truth.syncs[i].interval_s > 0)
			err = give_sync(advise, q, &truth.syncs[i], (uint64_t)(t * NS), i + 1);
	}
	return err ?: advise__end(advise);
}

/* ---- the truth --------------------------------------------------------------------- */

struct outcome {
	bool converged;			/* in most of the repeats */
	double middle, most;		/* of them, seconds of what is asked for */
};

static int by_size(const void *a, const void *b)
{
	const double *one = a, *two = b;

	return (*one > *two) - (*one < *two);
}

static double measure(const struct question *q, const struct migration_truth *truth)
{
	if (!truth->converged || q->objective == ADVISE_BLACKOUT)
		return truth->blackout_s;
	if (q->objective == ADVISE_TOTAL)
		return truth->total_s;
	return truth->blackout_s + q->slowdown * (truth->total_s - truth->blackout_s);
}

static void set_leaves(struct plan *plan, const struct advise_way *way, uint64_t block_pages)
{
	uint64_t pages = way->granularity_bytes / GUEST_PAGE;

	plan->levels = 0;
	if (strcmp(way->mode, "lazy")) {
		plan->leaves[plan->levels++] = pages;
		return;
	}
	for (; pages <= block_pages && plan->levels < 3; pages *= 512)
		plan->leaves[plan->levels++] = pages;
}

static int migrate(struct question *q, const struct advise_way *way, struct outcome *out)
{
	struct plan plan = q->c.plan;
	double values[2][REPEATS];
	size_t counts[2] = { 0 };

	set_leaves(&plan, way, q->block_pages);
	for (int i = 0; i < REPEATS; i++) {
		struct migration_truth truth;
		int err = guest__migrate(&q->c.guest, &plan, &truth);

		if (err)
			return err;
		values[truth.converged][counts[truth.converged]++] = measure(q, &truth);
	}
	out->converged = counts[1] > counts[0];
	qsort(values[out->converged], counts[out->converged], sizeof(double), by_size);
	out->middle = values[out->converged][counts[out->converged] / 2];
	out->most = values[out->converged][counts[out->converged] - 1];
	return 0;
}

static bool is_better(const struct outcome *a, const struct outcome *b)
{
	return a->converged != b->converged ? a->converged : a->middle < b->middle;
}

/* As good, or not to be told apart: its middle is among the best one's repeats. */
static bool is_as_good(const struct outcome *a, const struct outcome *best)
{
	return a->converged == best->converged &&
	       (a->middle <= best->middle * (1 + AS_GOOD) || a->middle <= best->most);
}

/* ---- one guest --------------------------------------------------------------------- */

struct verdict {
	uint64_t seed;
	int good, good_unsplit, good_finest;	/* the advice; never splitting; always eagerly to 4K */
	int matters;			/* not all ways are as good */
	int bounded;			/* blackout within the bound; -1: none was said */
	double over;			/* advised over best, where both converge; -1 */
	double tables;			/* advised over those of the finest way */
};

static size_t index_of(const struct advise_answer *answer, const char *mode, uint64_t bytes)
{
	size_t i = 0;

	while (i + 1 < answer->way_count && (strcmp(answer->ways[i].mode, mode) ||
					     answer->ways[i].granularity_bytes != bytes))
		i++;
	return i;
}

static int judge(struct question *q, const struct advise_answer *answer, struct verdict *v,
		 bool verbose)
{
	struct outcome truth[ADVISE_WAYS];
	size_t best = 0, advised = (size_t)(answer->advised - answer->ways);
	size_t finest = index_of(answer, "eager", GUEST_PAGE);

	for (size_t i = 0; i < answer->way_count; i++) {
		int err = migrate(q, &answer->ways[i], &truth[i]);

		if (err)
			return err;
		if (is_better(&truth[i], &truth[best]))
			best = i;
	}
	v->good = is_as_good(&truth[advised], &truth[best]);
	v->good_unsplit = is_as_good(&truth[0], &truth[best]);
	v->good_finest = is_as_good(&truth[finest], &truth[best]);
	v->matters = 0;
	for (size_t i = 0; i < answer->way_count; i++)
		v->matters |= !is_as_good(&truth[i], &truth[best]);
	v->over = truth[best].converged && truth[advised].converged ?
			  truth[advised].middle / truth[best].middle : -1;
	v->tables = (double)answer->advised->table_bytes / (double)answer->ways[finest].table_bytes;
	for (size_t i = 0; verbose && !v->good && i < answer->way_count; i++)
		printf("%" PRIu64 " %s: %s to %" PRIu64 "K: predicted %s, %.4f s, really %s, %.4f s (%.4f)%s%s\n",
		       v->seed, advise__objective_name(q->objective), answer->ways[i].mode,
		       answer->ways[i].granularity_bytes >> 10, answer->ways[i].verdict,
		       answer->ways[i].score, truth[i].converged ? "converged" : "did not",
		       truth[i].middle, truth[i].most, i == advised ? " ADVISED" : "", i == best ? " BEST" : "");
	return 0;
}

static int run(uint64_t seed, struct verdict *v, bool verbose)
{
	static struct advise advise;
	static struct advise_answer answer;
	struct advise_settings settings;
	struct question q;
	int err;

	*v = (struct verdict){ .seed = seed };
	ask(seed, &q);
	settings = settings_of(&q);
	advise__init(&advise);
	err = guest__init(&q.c.guest);
	for (int i = 0; !err && i < COMBINATION_REHEARSALS; i++)
		err = rehearse(&advise, &q, i);
	err = err ?: advise__answer(&advise, &settings, &answer);
	if (!err && !answer.advised)
		err = -ENODATA;
	err = err ?: judge(&q, &answer, v, verbose);
	advise__release(&advise);
	guest__release(&q.c.guest);
	return err;
}

/* ---- all of them ------------------------------------------------------------------- */

struct sums {
	uint64_t count, good, unsplit, finest, matters, good_matters;
	double *over, *tables;
	size_t over_count;
};

static void add(struct sums *sums, const struct verdict *v)
{
	sums->good += v->good;
	sums->unsplit += v->good_unsplit;
	sums->finest += v->good_finest;
	sums->matters += v->matters;
	sums->good_matters += v->matters && v->good;
	if (v->over > 0)
		sums->over[sums->over_count++] = v->over;
	sums->tables[sums->count++] = v->tables;
}

static double quantile(double *values, size_t count, double share)
{
	if (!count)
		return NAN;
	qsort(values, count, sizeof(*values), by_size);
	return values[(size_t)(share * (double)(count - 1))];
}

static double share(uint64_t part, uint64_t whole)
{
	return whole ? (double)part / (double)whole : NAN;
}

static void put_row(FILE *out, const char **comma, const char *name, const char *unit, double value,
		    const char *against, double limit, uint64_t runs)
{
	if (isnan(value))
		return;
	fprintf(out, "%s{\"name\": \"advise.%s\", \"unit\": \"%s\", \"value\": %.4f, \"against\": \"%s\", \"against_value\": %.4f, \"ratio\": %.4f, \"runs\": %" PRIu64
		", \"label\": \"simulated guests, page by page\"}",
		*comma, name, unit, value, against, limit, limit > 0 ? value / limit : 0, runs);
	*comma = ",\n ";
}

static int write_rows(const char *path, struct sums *s)
{
	FILE *out = fopen(path, "we");
	const char *comma = "[";

	if (!out)
		return -errno;
	put_row(out, &comma, "as_good_as_best", "share", share(s->good, s->count), "at least", 0.9, s->count);
	put_row(out, &comma, "as_good_where_it_matters", "share", share(s->good_matters, s->matters),
		"at least", 0.9, s->matters);
	put_row(out, &comma, "never_splitting", "share", share(s->unsplit, s->count), "the advice",
		share(s->good, s->count), s->count);
	put_row(out, &comma, "always_eager_4k", "share", share(s->finest, s->count), "the advice",
		share(s->good, s->count), s->count);
	put_row(out, &comma, "over_best.p95", "ratio", quantile(s->over, s->over_count, 0.95), "the best", 1,
		s->over_count);
	put_row(out, &comma, "tables", "ratio", quantile(s->tables, s->count, 0.5), "eager 4K", 1, s->count);
	fputs("]\n", out);
	return fclose(out) ? -errno : 0;
}

static void print(struct sums *s)
{
	printf("advise %" PRIu64 " guests: as good as the best in %.1f %%; where ways differ (%" PRIu64 ") in %.1f %%; never splitting would be in %.1f %%, always eager 4K in %.1f %%; advised over best p95 %.3f; tables, of those of eager 4K, median %.3f\n",
	       s->count, 100 * share(s->good, s->count), s->matters,
	       100 * share(s->good_matters, s->matters), 100 * share(s->unsplit, s->count),
	       100 * share(s->finest, s->count), quantile(s->over, s->over_count, 0.95),
	       quantile(s->tables, s->count, 0.5));
}

/* ---- raw data: one line a guest, to go on from ------------------------------------- */

#define RAW "%" PRIu64 " %d %d %d %d %lf %lf\n"

static int read_raw(FILE *raw, struct verdict *done, uint64_t first, uint64_t count)
{
	char line[256];
	struct verdict v;

	while (fgets(line, sizeof(line), raw)) {
		if (line[0] == '#')
			continue;
		if (!strchr(line, '\n') ||
		    sscanf(line, "%" SCNu64 " %d %d %d %d %lf %lf", &v.seed, &v.good, &v.good_unsplit,
			   &v.good_finest, &v.matters, &v.over, &v.tables) != 7)
			continue;
		if (v.seed >= first && v.seed < first + count)
			done[v.seed - first] = v;
	}
	clearerr(raw);
	return ftell(raw) ? 0 : fputs("# seed good unsplit finest matters over tables\n", raw) < 0 ? -EIO : 0;
}

struct options {
	uint64_t first, count;
	const char *json;
	const char *raw;
	bool verbose;
};

static int run_all(const struct options *o, struct sums *sums)
{
	struct verdict *done = calloc(o->count, sizeof(*done));
	FILE *raw = o->raw ? fopen(o->raw, "a+e") : NULL;
	int err = !done || (o->raw && !raw) ? -errno : raw ? read_raw(raw, done, o->first, o->count) : 0;

	for (uint64_t i = 0; !err && i < o->count; i++) {
		struct verdict *v = &done[i];

		if (v->seed != o->first + i) {
			err = run(o->first + i, v, o->verbose);
			if (!err && raw && (fprintf(raw, RAW, v->seed, v->good, v->good_unsplit,
						    v->good_finest, v->matters, v->over, v->tables) < 0 ||
					    fflush(raw)))
				err = -EIO;
		}
		if (!err)
			add(sums, v);
	}
	if (raw)
		fclose(raw);
	free(done);
	return err;
}

static int parse(int argc, char **argv, struct options *options)
{
	int c;

	while ((c = getopt(argc, argv, "s:n:j:r:v")) != -1)
		switch (c) {
		case 's': options->first = strtoull(optarg, NULL, 10); break;
		case 'n': options->count = strtoull(optarg, NULL, 10); break;
		case 'j': options->json = optarg; break;
		case 'r': options->raw = optarg; break;
		case 'v': options->verbose = true; break;
		default: return -EINVAL;
		}
	return options->first && options->count ? 0 : -EINVAL;
}

int main(int argc, char **argv)
{
	struct options options = { .first = 12000000, .count = 200 };
	struct sums sums = { 0 };
	int err;

	if (parse(argc, argv, &options)) {
		fputs("usage: advise [-s FIRST_SEED] [-n GUESTS] [-j FILE] [-r RAW] [-v]\n", stderr);
		return 2;
	}
	sums.over = calloc(options.count, sizeof(double));
	sums.tables = calloc(options.count, sizeof(double));
	err = sums.over && sums.tables ? run_all(&options, &sums) : -ENOMEM;
	if (!err)
		print(&sums);
	if (!err && options.json)
		err = write_rows(options.json, &sums);
	if (err)
		fprintf(stderr, "advise: %s\n", strerror(-err));
	free(sums.over);
	free(sums.tables);
	return err ? 1 : 0;
}
