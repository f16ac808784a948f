// SPDX-License-Identifier: GPL-2.0-only
/*
 * How good estimates from sampled blocks are: many seeded workloads, written page by page, and the
 * recording that sampling of their 2M blocks would have made, with no more than 5 % of them split, against what was really dirty at
 * 4K and 64K. Each workload is of a kind; those that the constants of tools/model/estimate.c were
 * chosen by are apart from those that they were not. Not here: a kernel (tests/full/estimate).
 */
#define _GNU_SOURCE
#include "../../bpf/records.h"
#include "../../tools/model/estimate.h"
#include "../../tools/model/random.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGES 512			/* of a block */
#define UNITS 32			/* of 64K */
#define UNIT_PAGES 16
#define BLOCKS_MAX 45000
#define BLOCKS_MIN 1000			/* dirty ones, or the workload does not count */
#define ORDER_2M 9
#define LINE 256

/* Asked for; by chance it is more or less, and another seed is taken if it is more than may be. */
#define SHARE 0.045
#define SHARE_MOST 0.05

struct memory {
	uint64_t blocks;
	uint64_t pages;
	uint64_t words[BLOCKS_MAX * PAGES / 64];
	struct random random;
};

static void set_page(struct memory *m, uint64_t page)
{
	if (page < m->pages)
		m->words[page / 64] |= UINT64_C(1) << page % 64;
}

static void set_run(struct memory *m, uint64_t first, uint64_t pages)
{
	for (uint64_t i = 0; i < pages; i++)
		set_page(m, first + i);
}

static double log_uniform(struct random *random, double low, double high)
{
	return low * pow(high / low, random__share(random));
}

static double between(struct random *random, double low, double high)
{
	return low + (high - low) * random__share(random);
}

/* Anywhere, so often for each page of memory */
static void scatter(struct memory *m, double per_page)
{
	uint64_t writes = (uint64_t)((double)m->pages * per_page);

	for (uint64_t i = 0; i < writes; i++)
		set_page(m, random__below(&m->random, m->pages));
}

/* ---- kinds that constants were chosen by --------------------------------------------- */

static void uniform(struct memory *m)
{
	scatter(m, log_uniform(&m->random, 0.003, 3));
}

/* Ranks of Zipf's law, @unit pages each, spread over the memory */
static void zipf(struct memory *m, uint64_t unit)
{
	double skew = between(&m->random, 0.5, 1.3), exponent = 1 - skew;
	uint64_t count = m->pages / unit, stir = random__next(&m->random) | 1;
	uint64_t writes = (uint64_t)((double)m->pages * log_uniform(&m->random, 0.02, 1));

	if (fabs(exponent) < 0.01)
		exponent = 0.01;
	for (uint64_t i = 0; i < writes; i++) {
		double rank = pow(random__share(&m->random) * (pow((double)count, exponent) - 1) + 1,
				  1 / exponent);
		uint64_t at = (uint64_t)rank * 2654435761 * stir % count;

		set_page(m, at * unit + random__below(&m->random, unit));
	}
}

static void zipf_pages(struct memory *m)
{
	zipf(m, 1);
}

static void zipf_objects(struct memory *m)
{
	zipf(m, 64);
}

static void hot_set(struct memory *m)
{
	uint64_t writes = (uint64_t)((double)m->pages * log_uniform(&m->random, 0.02, 1));
	uint64_t hot = (uint64_t)((double)m->pages * log_uniform(&m->random, 0.01, 0.3));
	uint64_t first = random__below(&m->random, m->pages - hot);
	double share = between(&m->random, 0.5, 0.95);

	for (uint64_t i = 0; i < writes; i++)
		set_page(m, random__share(&m->random) < share ?
				    first + random__below(&m->random, hot) :
				    random__below(&m->random, m->pages));
}

static void sequential(struct memory *m)
{
	uint64_t length = (uint64_t)((double)m->pages * between(&m->random, 0.5, 0.9));

	set_run(m, random__below(&m->random, m->pages - length), length);
	scatter(m, log_uniform(&m->random, 0.0005, 0.01));
}

static void bimodal(struct memory *m)
{
	double dense = between(&m->random, 0.05, 0.95), full = between(&m->random, 60, 512);
	double few = log_uniform(&m->random, 1, 20);

	for (uint64_t b = 0; b < m->blocks; b++) {
		uint64_t n = random__share(&m->random) < dense ?
				     (uint64_t)(full * between(&m->random, 0.7, 1)) :
				     1 + (uint64_t)between(&m->random, 0, 2 * few);

		while (n--)
			set_page(m, b * PAGES + random__below(&m->random, PAGES));
	}
}

static void small_heap(struct memory *m)
{
	uint64_t writes = (uint64_t)((double)m->blocks * log_uniform(&m->random, 1, 20));
	uint64_t hot = PAGES * (1 + random__below(&m->random, 16));
	uint64_t first = random__below(&m->random, m->pages - hot);

	for (uint64_t i = 0; i < 3 * writes; i++)
		set_page(m, first + random__below(&m->random, hot));
	scatter(m, (double)writes / (double)m->pages);
}

static void rings(struct memory *m)
{
	for (uint64_t n = 1 + random__below(&m->random, 8); n--;) {
		uint64_t length = (uint64_t)((double)m->pages * log_uniform(&m->random, 0.01, 0.2));

		set_run(m, random__below(&m->random, m->pages - length), length);
	}
	scatter(m, log_uniform(&m->random, 0.001, 0.06));
}

/* ---- kinds held out ------------------------------------------------------------------ */

/* Ever smaller areas with as many writes each */
static void layers(struct memory *m)
{
	uint64_t writes = (uint64_t)((double)m->pages * log_uniform(&m->random, 0.01, 0.3));

	for (uint64_t part = 1; part <= 256; part *= 4) {
		uint64_t length = m->pages / part;
		uint64_t first = random__below(&m->random, part) * length;

		for (uint64_t i = 0; i < writes; i++)
			set_page(m, first + random__below(&m->random, length));
	}
}

/* Files of Pareto's lengths are rewritten, wherever they lie. */
static void files(struct memory *m)
{
	double shape = between(&m->random, 0.8, 2), fill = log_uniform(&m->random, 0.03, 0.8);

	for (double done = 0; done < fill * (double)m->pages;) {
		double length = fmin(pow(1 - random__share(&m->random), -1 / shape), 16384);

		set_run(m, random__below(&m->random, m->pages), (uint64_t)length);
		done += length;
	}
}

/* Clouds of writes around some centres */
static void clouds(struct memory *m)
{
	uint64_t centres = 2 + random__below(&m->random, 30);

	for (uint64_t c = 0; c < centres; c++) {
		double at = (double)random__below(&m->random, m->pages);
		double width = (double)m->pages * log_uniform(&m->random, 0.005, 0.2);
		uint64_t writes = (uint64_t)((double)m->pages * log_uniform(&m->random, 0.002, 0.1));

		for (uint64_t i = 0; i < writes; i++) {
			double page = at + width * random__normal(&m->random);

			if (page >= 0)
				set_page(m, (uint64_t)page);
		}
	}
	scatter(m, log_uniform(&m->random, 0.001, 0.02));
}

/* A journal, tables behind it that are updated in places, and what is known of both */
static void database(struct memory *m)
{
	uint64_t journal = m->pages / (8 + random__below(&m->random, 24));
	uint64_t touched = (uint64_t)((double)m->pages * log_uniform(&m->random, 0.01, 0.2));

	set_run(m, 0, journal);
	for (uint64_t i = 0; i < touched; i += 4)
		set_run(m, journal + random__below(&m->random, m->pages - journal), 4);
}

/* Columns of matrices: one page of every so many, another step in each part */
static void columns(struct memory *m)
{
	uint64_t part = m->pages / (1 + random__below(&m->random, 6));

	for (uint64_t first = 0; first < m->pages; first += part) {
		uint64_t step = 1 + random__below(&m->random, 256);

		for (uint64_t i = 0; i < part; i += step)
			set_page(m, first + i);
	}
}

/* Many small queues */
static void queues(struct memory *m)
{
	uint64_t count = (uint64_t)((double)m->blocks * log_uniform(&m->random, 1, 20));
	uint64_t length = 1 + random__below(&m->random, 64);

	while (count--)
		set_run(m, random__below(&m->random, m->pages), length);
}

static const struct kind {
	const char *name;
	void (*write)(struct memory *m);
	bool held_out;
} kinds[] = {
	{ "uniform", uniform, false }, { "zipf-pages", zipf_pages, false },
	{ "zipf-objects", zipf_objects, false }, { "hot-set", hot_set, false },
	{ "sequential", sequential, false }, { "bimodal", bimodal, false },
	{ "small-heap", small_heap, false }, { "rings", rings, false },
	{ "layers", layers, true }, { "files", files, true }, { "clouds", clouds, true },
	{ "database", database, true }, { "columns", columns, true }, { "queues", queues, true },
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* ---- the recording ------------------------------------------------------------------- */

static uint64_t count_units(uint64_t word)
{
	return !!(word & 0xffff) + !!(word >> 16 & 0xffff) + !!(word >> 32 & 0xffff) +
	       !!(word >> 48);
}

struct gap_sums {
	uint64_t bytes;
	double inner, outer;
};

/* Worked out once all is known, unlike the BPF program, which sees the blocks pass by. */
static void add_gaps(const uint64_t *lengths, const uint64_t *values, uint64_t count, double unit,
		     struct gap_sums *sums)
{
	double bytes = 0;

	*sums = (struct gap_sums){ 0 };
	if (!count)
		return;
	bytes += (double)lengths[0] * (double)values[0];
	bytes += (double)lengths[count] * (double)values[count - 1];
	for (uint64_t i = 1; i < count; i++) {
		double step = fabs((double)values[i] - (double)values[i - 1]);

		bytes += (double)lengths[i] * (double)(values[i] + values[i - 1]) / 2;
		sums->inner += pow((double)lengths[i] * step, 2);
		if (i == 1)
			sums->outer += pow((double)lengths[0] * step, 2);
		if (i == count - 1)
			sums->outer += pow((double)lengths[count] * step, 2);
	}
	sums->bytes = (uint64_t)(bytes * unit);
	sums->inner = sqrt(sums->inner) * unit;
	sums->outer = sqrt(sums->outer) * unit;
}

static void add_value(struct pairs *pairs, uint64_t value)
{
	uint64_t bound = hwdbm_bucket_bound(hwdbm_bucket(value));

	for (size_t i = 0; i < pairs->count; i++)
		if (pairs->at[i].key == bound) {
			pairs->at[i].value++;
			return;
		}
	pairs->at[pairs->count++] = (struct pair){ bound, 1 };
}

struct truth {
	uint64_t bytes[2];
	uint64_t dirty_blocks;
	uint64_t splits;
};

struct recorded {
	union sample tracking, sync, sampled;
	struct pair room[2][HWDBM_SAMPLED_BUCKETS];
	bool is_split[BLOCKS_MAX];
	uint64_t lengths[BLOCKS_MAX];
	uint64_t values[2][BLOCKS_MAX];
};

static uint64_t choose_blocks(struct memory *m, bool *is_split)
{
	uint64_t splits;

	do {
		splits = 0;
		for (uint64_t b = 0; b < m->blocks; b++) {
			is_split[b] = random__share(&m->random) < SHARE;
			splits += is_split[b];
		}
	} while ((double)splits > SHARE_MOST * (double)m->blocks);
	return splits;
}

static void record(struct memory *m, struct recorded *r, struct truth *truth)
{
	struct sampled_sample *s = &r->sampled.sampled;
	uint64_t whole = 0, sums[2] = { 0 }, sampled = 0;
	struct gap_sums gaps;

	*truth = (struct truth){ .splits = choose_blocks(m, r->is_split) };
	field__clear(sample__table(SAMPLE_SAMPLED), &r->sampled);
	s->pages = (struct pairs){ 0, r->room[0] };
	s->units_64k = (struct pairs){ 0, r->room[1] };
	r->lengths[0] = 0;
	for (uint64_t b = 0; b < m->blocks; b++) {
		uint64_t pages = 0, units = 0;

		for (int i = 0; i < PAGES / 64; i++) {
			pages += __builtin_popcountll(m->words[b * PAGES / 64 + i]);
			units += count_units(m->words[b * PAGES / 64 + i]);
		}
		if (!pages)
			continue;
		truth->bytes[0] += pages << 12;
		truth->bytes[1] += units << 16;
		truth->dirty_blocks++;
		if (!r->is_split[b]) {
			whole++;
			r->lengths[sampled]++;
			continue;
		}
		r->values[0][sampled] = pages;
		r->values[1][sampled++] = units;
		r->lengths[sampled] = 0;
		sums[0] += pages;
		sums[1] += units;
		add_value(&s->pages, pages);
		add_value(&s->units_64k, units);
	}
	s->t_ns = 2000000;
	s->pid = 1;
	s->domain = 1;
	s->block_bytes = UINT64_C(2) << 20;
	s->share = SHARE;
	s->seed = 1;
	s->blocks = sampled;
	s->dirty_bytes = sums[0] << 12;
	s->dirty_64k_bytes = sums[1] << 16;
	s->others = s->other_bytes = 0;
	s->gap_blocks = sampled ? whole : 0;
	add_gaps(r->lengths, r->values[0], sampled, 4096, &gaps);
	s->gap_bytes = gaps.bytes;
	s->gap_inner_bytes = (uint64_t)gaps.inner;
	s->gap_outer_bytes = (uint64_t)gaps.outer;
	add_gaps(r->lengths, r->values[1], sampled, 65536, &gaps);
	s->gap_64k_bytes = gaps.bytes;
	s->gap_64k_inner_bytes = (uint64_t)gaps.inner;
	s->gap_64k_outer_bytes = (uint64_t)gaps.outer;

	field__clear(sample__table(SAMPLE_TRACKING), &r->tracking);
	r->tracking.tracking = (struct tracking_sample){
		.t_ns = 1000000, .pid = 1, .source = "iommufd", .domain = 1, .enable = TRI_TRUE,
		.granularity_bytes = 4096, .split_mode = "sample", .sample_share = SHARE,
		.sample_seed = 1, .splits = truth->splits,
	};
	r->tracking.tracking.leaves[ORDER_2M] = m->blocks;
	field__clear(sample__table(SAMPLE_SYNC), &r->sync);
	r->sync.sync = (struct sync_sample){
		.t_ns = 2000000, .pid = 1, .source = "iommufd", .domain = 1, .iteration = 1,
		.page_bytes = 4096, .clear = TRI_TRUE, .length_bytes = m->pages << 12,
		.dirty_bytes = (whole << 21) + (sums[0] << 12),
	};
	r->sync.sync.dirty_entries[0] = sums[0];
	r->sync.sync.dirty_entries[ORDER_2M] = whole;
}

/* ---- results ------------------------------------------------------------------------- */

struct tally {
	uint64_t count, inside[2], narrow[2], counted;
	double width_sum, split_most;
};

struct options {
	uint64_t first, count;
	uint64_t most_blocks;
	const char *json;
	bool verbose;
};

/* What one workload gave, as a line of the raw data. */
struct result {
	uint64_t blocks_max;		/* as the option has it */
	uint64_t seed;
	char kind[24];
	uint64_t dirty_blocks, sampled;
	double split;
	uint64_t truth[2], estimate[2], low[2], high[2];
};

/* What is compiled here: results of another model, or of other workloads, are not this one's. */
#ifndef SOURCES
#define SOURCES "0"
#endif

#define RESULT "{\"sources\": \"" SOURCES "\", \"blocks_max\": %" PRIu64 ", \"seed\": %" PRIu64 ", \"kind\": \"%s\", \"dirty_blocks\": %" PRIu64		\
	", \"sampled\": %" PRIu64 ", \"split\": %.5f"						\
	", \"true_4k\": %" PRIu64 ", \"estimate_4k\": %" PRIu64 ", \"low_4k\": %" PRIu64	\
	", \"high_4k\": %" PRIu64 ", \"true_64k\": %" PRIu64 ", \"estimate_64k\": %" PRIu64	\
	", \"low_64k\": %" PRIu64 ", \"high_64k\": %" PRIu64 "}\n"

#define RESULT_SCAN "{\"sources\": \"" SOURCES "\", \"blocks_max\": %" SCNu64 ", \"seed\": %" SCNu64 ", \"kind\": \"%23[^\"]\", \"dirty_blocks\": %" SCNu64 \
	", \"sampled\": %" SCNu64 ", \"split\": %lf"						\
	", \"true_4k\": %" SCNu64 ", \"estimate_4k\": %" SCNu64 ", \"low_4k\": %" SCNu64	\
	", \"high_4k\": %" SCNu64 ", \"true_64k\": %" SCNu64 ", \"estimate_64k\": %" SCNu64	\
	", \"low_64k\": %" SCNu64 ", \"high_64k\": %" SCNu64 "}"

static int put_result(FILE *out, const struct result *r)
{
	fprintf(out, RESULT, r->blocks_max, r->seed, r->kind, r->dirty_blocks, r->sampled, r->split,
		r->truth[0], r->estimate[0], r->low[0], r->high[0], r->truth[1], r->estimate[1],
		r->low[1], r->high[1]);
	return fflush(out) || ferror(out) ? -EIO : 0;
}

static void add_result(struct tally *t, const struct result *r)
{
	t->count++;
	t->split_most = fmax(t->split_most, r->split);
	if (r->estimate[0] == UNKNOWN)
		return;
	t->counted++;
	for (int i = 0; i < 2; i++) {
		double half = (double)(r->high[i] - r->low[i]) / 2 / (double)r->estimate[i];

		t->inside[i] += r->low[i] <= r->truth[i] && r->truth[i] <= r->high[i];
		t->narrow[i] += half <= 0.25;
		t->width_sum += i ? 0 : half;
	}
}

static int run_one(struct memory *m, struct recorded *r, const struct options *options,
		   uint64_t seed, struct result *result)
{
	const struct kind *kind = &kinds[seed % KINDS];
	struct estimator e;
	struct truth truth;
	int err;

	m->random.state = seed * UINT64_C(0x9e3779b97f4a7c15);
	do {
		m->blocks = (uint64_t)log_uniform(&m->random, 1100, (double)options->most_blocks);
		m->pages = m->blocks * PAGES;
		memset(m->words, 0, m->pages / 8);
		kind->write(m);
		record(m, r, &truth);
	} while (truth.dirty_blocks < BLOCKS_MIN);
	estimate__init(&e);
	err = estimate__take(&e, SAMPLE_TRACKING, &r->tracking);
	err = err ?: estimate__take(&e, SAMPLE_SYNC, &r->sync);
	err = err ?: estimate__take(&e, SAMPLE_SAMPLED, &r->sampled);
	err = err ?: estimate__end(&e);
	if (!err && e.count != 1)
		err = -EPROTO;
	if (!err) {
		*result = (struct result){ .blocks_max = options->most_blocks, .seed = seed, .dirty_blocks = truth.dirty_blocks,
					   .sampled = e.rows[0].sampled_blocks,
					   .split = (double)truth.splits / (double)m->blocks };
		strncpy(result->kind, kind->name, sizeof(result->kind) - 1);
		for (int i = 0; i < 2; i++) {
			result->truth[i] = truth.bytes[i];
			result->estimate[i] = e.rows[0].bytes[i];
			result->low[i] = e.rows[0].low_bytes[i];
			result->high[i] = e.rows[0].high_bytes[i];
		}
	}
	estimate__release(&e);
	return err;
}

/* Those of before, if the raw data has them: it goes on where it was stopped. */
static struct result *load(const char *path, uint64_t *count)
{
	struct result *all = NULL;
	char line[4 * LINE];
	FILE *in = fopen(path, "re");

	*count = 0;
	while (in && fgets(line, sizeof(line), in)) {
		struct result *grown = realloc(all, (*count + 1) * sizeof(*all)), *r;

		if (!grown)
			break;
		all = grown;
		r = &all[*count];
		*r = (struct result){ 0 };
		*count += sscanf(line, RESULT_SCAN, &r->blocks_max, &r->seed, r->kind, &r->dirty_blocks, &r->sampled,
				 &r->split, &r->truth[0], &r->estimate[0], &r->low[0], &r->high[0],
				 &r->truth[1], &r->estimate[1], &r->low[1], &r->high[1]) == 14;
	}
	if (in)
		fclose(in);
	return all;
}

static const struct result *find(const struct result *all, uint64_t count, uint64_t blocks_max,
				 uint64_t seed)
{
	for (uint64_t i = 0; i < count; i++)
		if (all[i].seed == seed && all[i].blocks_max == blocks_max && !strcmp(all[i].kind, kinds[seed % KINDS].name))
			return &all[i];
	return NULL;
}

static double share(uint64_t part, uint64_t all)
{
	return all ? (double)part / (double)all : NAN;
}

static void put_row(FILE *out, const char **comma, const char *group, const char *what, double value,
		    const char *against, double limit, uint64_t runs)
{
	if (isnan(value))
		return;
	fprintf(out, "%s{\"name\": \"estimate.%s.%s\", \"unit\": \"share\", \"value\": %.4f, \"against\": \"%s\", \"against_value\": %.4f, \"ratio\": %.4f, \"runs\": %" PRIu64
		", \"label\": \"simulated workloads, page by page\"}",
		*comma, group, what, value, against, limit, value / limit, runs);
	*comma = ",\n ";
}

static int write_rows(const char *path, const struct tally *groups, const char *const *names)
{
	FILE *out = fopen(path, "we");
	const char *comma = "[";
	int err;

	if (!out)
		return -errno;
	for (int i = 0; i < 2; i++) {
		const struct tally *t = &groups[i];

		put_row(out, &comma, names[i], "split_most", t->count ? t->split_most : NAN, "at most",
			SHARE_MOST, t->count);
		put_row(out, &comma, names[i], "interval_holds_4k", share(t->inside[0], t->count),
			"at least", 0.9, t->count);
		put_row(out, &comma, names[i], "interval_holds_64k", share(t->inside[1], t->count),
			"at least", 0.9, t->count);
		put_row(out, &comma, names[i], "narrow_4k", share(t->narrow[0], t->count),
			"at least", 0.7, t->count);
		put_row(out, &comma, names[i], "narrow_64k", share(t->narrow[1], t->count),
			"at least", 0.7, t->count);
	}
	fputs("]\n", out);
	err = ferror(out) ? -EIO : 0;
	return fclose(out) && !err ? -errno : err;
}

static void print(const char *name, const struct tally *t)
{
	printf("%-14s %5" PRIu64 "  %5.1f %%  %5.1f %%   %5.1f %%  %5.1f %%   %5.1f %%\n", name, t->count,
	       100 * share(t->inside[0], t->count), 100 * share(t->inside[1], t->count),
	       100 * share(t->narrow[0], t->count), 100 * share(t->narrow[1], t->count),
	       100 * t->width_sum / (double)t->counted);
}

static int parse(int argc, char **argv, struct options *options)
{
	int c;

	while ((c = getopt(argc, argv, "s:n:b:j:v")) != -1)
		switch (c) {
		case 's': options->first = strtoull(optarg, NULL, 0); break;
		case 'n': options->count = strtoull(optarg, NULL, 0); break;
		case 'b': options->most_blocks = strtoull(optarg, NULL, 0); break;
		case 'j': options->json = optarg; break;
		case 'v': options->verbose = true; break;
		default: return -EINVAL;
		}
	return optind == argc && options->count && options->most_blocks >= 1100 &&
	       options->most_blocks < BLOCKS_MAX ? 0 : -EINVAL;
}

int main(int argc, char **argv)
{
	static const char *const names[2] = { "tuned", "held-out" };
	struct options options = { .first = 12000000, .count = 420, .most_blocks = 20000 };
	struct memory *memory = calloc(1, sizeof(*memory));
	struct recorded *recorded = calloc(1, sizeof(*recorded));
	struct tally groups[2] = { 0 }, by_kind[KINDS] = { 0 };
	struct result *before = NULL, result;
	char raw[LINE] = "";
	uint64_t known = 0;
	FILE *out = NULL;
	int err = 0;

	if (parse(argc, argv, &options)) {
		fprintf(stderr, "usage: estimate [-s FIRST_SEED] [-n WORKLOADS] [-b BLOCKS] [-j FILE] [-v]\n");
		return 2;
	}
	if (!memory || !recorded)
		err = -ENOMEM;
	if (!err && options.json) {
		snprintf(raw, sizeof(raw), "%s.raw", options.json);
		before = load(raw, &known);
		out = fopen(raw, "ae");
		err = out ? 0 : -errno;
	}
	for (uint64_t i = 0; !err && i < options.count; i++) {
		uint64_t seed = options.first + i;
		const struct result *old = find(before, known, options.most_blocks, seed);
		size_t kind = seed % KINDS;

		if (old)
			result = *old;
		else
			err = run_one(memory, recorded, &options, seed, &result);
		if (err)
			break;
		if (out && !old)
			err = put_result(out, &result);
		if (options.verbose)
			put_result(stdout, &result);
		add_result(&groups[kinds[kind].held_out], &result);
		add_result(&by_kind[kind], &result);
	}
	if (!err) {
		puts("                     true value inside       half-width <= 25 %   mean of it\n"
		     "kind           count     4K       64K        4K       64K         4K");
		for (size_t i = 0; i < KINDS; i++)
			if (by_kind[i].count)
				print(kinds[i].name, &by_kind[i]);
		for (int i = 0; i < 2; i++)
			print(names[i], &groups[i]);
	}
	if (!err && options.json)
		err = write_rows(options.json, groups, names);
	if (out && fclose(out) && !err)
		err = -errno;
	if (err)
		fprintf(stderr, "estimate: %s\n", strerror(-err));
	free(before);
	free(memory);
	free(recorded);
	return err ? 1 : 0;
}
