// SPDX-License-Identifier: GPL-2.0-only
/*
 * The native benchmark: the page table drivers of two kernel trees and the
 * floors, on the same tables and one processor, in turns. README.md says what
 * the figures mean.
 */
#define _GNU_SOURCE
#include "floor.h"
#include "pool.h"
#include "tree.h"
#include <fnmatch.h>
#include <getopt.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define KIB		(1ull << 10)
#define MIB		(1ull << 20)
#define GIB		(1ull << 30)
#define TIB		(1ull << 40)
#define SZ_4K		(4 * KIB)
#define SZ_2M		(2 * MIB)
#define BASE		TIB		/* first IOVA of every case */
#define PA_OFFSET	(16 * TIB)	/* output address = IOVA + this */
#define STEP		GIB		/* the patched iommufd drops its locks so often */

#define LABEL		"x86-64 CPU cost, no TLBI, not an Arm figure"
#define PAIRS		30	/* for what must not differ from stock */
#define MAX_RUNS	64
#define MAX_CONTENDERS	4
#define MAX_ROWS	256

volatile unsigned long bench_task_flags;

void bench_cond_resched(void);
void bench_cond_resched(void)
{
	if (bench_task_flags & 8)
		sched_yield();
}

void bench_warn(const char *function, int line) __attribute__((cold, noreturn));
void bench_warn(const char *function, int line)
{
	fprintf(stderr, "bench: WARN in %s(), line %d\n", function, line);
	exit(1);
}

void bench_trace(const void *first, ...);
void bench_trace(const void *first, ...)
{
	fprintf(stderr, "bench: a tracepoint that is off was called\n");
	exit(1);
}

/* The user's pages are here anyway; a struct page is its address */
struct page;
int pin_user_pages_fast(unsigned long start, int count, unsigned int flags, struct page **pages);
int pin_user_pages_fast(unsigned long start, int count, unsigned int flags, struct page **pages)
{
	for (int i = 0; i < count; i++)
		pages[i] = (struct page *)((start & ~(SZ_4K - 1)) + i * SZ_4K);
	return count;
}

static const char *only = "*";
static bool quick, strict;

static void fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
static void fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fprintf(stderr, "bench: ");
	vfprintf(stderr, format, args);
	fprintf(stderr, "\n");
	va_end(args);
	exit(1);
}

/* ---- statistics ------------------------------------------------------------ */

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double quantile(const double *values, unsigned int count, double q)
{
	double sorted[MAX_RUNS], at = q * (count - 1);
	unsigned int low = at;

	memcpy(sorted, values, count * sizeof(*values));
	qsort(sorted, count, sizeof(*sorted), compare);
	if (low + 1 >= count)
		return sorted[count - 1];
	return sorted[low] + (at - low) * (sorted[low + 1] - sorted[low]);
}

static double median(const double *values, unsigned int count)
{
	return quantile(values, count, 0.5);
}

/*
 * Upper end of the one-sided 95 % interval of the median: the smallest order
 * statistic that the median exceeds with a probability below 5 %, whatever the
 * distribution is.
 */
static double median_upper95(const double *values, unsigned int count)
{
	double sorted[MAX_RUNS], below = 0;
	unsigned int k;

	memcpy(sorted, values, count * sizeof(*values));
	qsort(sorted, count, sizeof(*sorted), compare);
	for (k = 0; k < count; k++) {
		/* P(at most k of count values lie below the median) */
		below += exp(lgamma(count + 1.0) - lgamma(k + 1.0) - lgamma(count - k + 1.0) -
			     count * log(2.0));
		if (below >= 0.95)
			break;
	}
	return sorted[k < count ? k : count - 1];
}

/* ---- rows -------------------------------------------------------------------- */

struct row {
	char name[64], unit[24], against[16], note[96];
	double value, against_value, ratio, spread, ci95_upper;
	unsigned int runs;
};

static struct row rows[MAX_ROWS];
static unsigned int nr_rows;

static struct row *add_row(const char *name, const char *unit)
{
	struct row *row = &rows[nr_rows++];

	if (nr_rows > MAX_ROWS)
		fail("too many rows");
	snprintf(row->name, sizeof(row->name), "%s", name);
	snprintf(row->unit, sizeof(row->unit), "%s", unit);
	return row;
}

static void print_row(const struct row *row)
{
	if (isnan(row->value))
		printf("%-28s %12s %-12s", row->name, "none", row->unit);
	else
		printf("%-28s %12.4g %-12s", row->name, row->value, row->unit);
	if (*row->against)
		printf(" %-6s %12.4g  ratio %6.3f", row->against, row->against_value, row->ratio);
	if (row->ci95_upper > 0)
		printf("  95 %% below %.3f", row->ci95_upper);
	printf("  spread %4.1f %%  runs %u%s%s\n", 100 * row->spread, row->runs, *row->note ? "  " : "",
	       row->note);
	fflush(stdout);
}

static void write_json(const char *path)
{
	FILE *out = fopen(path, "w");

	if (!out)
		fail("cannot write %s: %m", path);
	fprintf(out, "[");
	for (unsigned int i = 0; i < nr_rows; i++) {
		const struct row *row = &rows[i];

		fprintf(out, "%s\n{\"name\": \"%s\", \"unit\": \"%s\", \"value\": ", i ? "," : "",
			row->name, row->unit);
		if (isnan(row->value))
			fprintf(out, "null");
		else
			fprintf(out, "%.6g", row->value);
		if (*row->against)
			fprintf(out, ", \"against\": \"%s\", \"against_value\": %.6g, \"ratio\": %.4f",
				row->against, row->against_value, row->ratio);
		else
			fprintf(out, ", \"against\": null, \"against_value\": null, \"ratio\": null");
		fprintf(out, ", \"runs\": %u, \"spread\": %.4f", row->runs, row->spread);
		if (row->ci95_upper > 0)
			fprintf(out, ", \"ci95_upper\": %.4f", row->ci95_upper);
		if (*row->note)
			fprintf(out, ", \"note\": \"%s\"", row->note);
		fprintf(out, ", \"label\": \"%s\"}", LABEL);
	}
	fprintf(out, "\n]\n");
	if (fclose(out))
		fail("cannot write %s: %m", path);
}

/* ---- the case at hand ---------------------------------------------------------- */

/* Domains of both trees over the same tables */
static struct {
	struct tree_domain *stock, *ours, *counting;
	uint64_t *root, length;
	int level;		/* of its leaves */
	void *bitmap;
} now;

static void *bitmap_region;
static size_t bitmap_size;

static size_t level_size(int level)
{
	return SZ_4K << 9 * (3 - level);
}

/* [BASE, BASE + length) in leaves of @level, all dirty as a map leaves them */
static void begin(uint64_t length, int level)
{
	now.stock = tree_stock.domain(NULL);
	now.root = tree_stock.root(now.stock);
	now.ours = tree_ours.domain(now.root);
	now.counting = tree_counting.domain(now.root);
	now.length = length;
	now.level = level;
	now.bitmap = bitmap_region;
	if (length / SZ_4K / 8 > bitmap_size)
		fail("the bitmap is too small");
	if (level)
		tree_stock.map(now.stock, BASE, BASE + PA_OFFSET, level_size(level),
			       length / level_size(level));
	pool_mark();
}

static void end(void)
{
	tree_stock.forget(now.stock);
	tree_ours.forget(now.ours);
	tree_counting.forget(now.counting);
	pool_reset();
}

static void clear_bitmap(void)
{
	memset(now.bitmap, 0, now.length / SZ_4K / 8);
}

static uint64_t bitmap_bytes(void)
{
	const uint64_t *words = now.bitmap;
	uint64_t bits = 0;

	for (uint64_t i = 0; i < now.length / SZ_4K / 64; i++)
		bits += __builtin_popcountll(words[i]);
	return bits * SZ_4K;
}

/* ---- samples --------------------------------------------------------------- */

struct contender {
	const char *name;
	void (*run)(void);
	void (*reset)(void);	/* instead of that of all */
};

/* CPU time of this thread: what others on the processor take is not in it */
static double cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return ts.tv_sec * 1e9 + ts.tv_nsec;
}

/* What a run does between its timed parts */
static double untimed;

static void pause_clock(void)
{
	untimed -= cpu_ns();
}

static void resume_clock(void)
{
	untimed += cpu_ns();
}

struct measured {
	unsigned int runs;
	double ns[MAX_CONTENDERS][MAX_RUNS];
};

static double sample(const struct contender *contender, void (*reset)(void))
{
	double ns;

	if (contender->reset)
		contender->reset();
	else
		reset();
	untimed = 0;
	ns = -cpu_ns();
	contender->run();
	return ns + cpu_ns() - untimed;
}

/*
 * Contenders in turns, each run beginning with another one. What counts of a
 * run is the fastest of @k tries of each, which take turns as well. A first
 * round is for the caches.
 */
static void measure(const struct contender *contenders, unsigned int count, void (*reset)(void),
		    unsigned int runs, unsigned int k, struct measured *out)
{
	if (quick && runs > 5 && runs != PAIRS)
		runs = 5;
	out->runs = runs;
	for (unsigned int i = 0; i < count; i++)
		sample(&contenders[i], reset);
	for (unsigned int run = 0; run < runs; run++) {
		for (unsigned int i = 0; i < count; i++)
			out->ns[i][run] = INFINITY;
		for (unsigned int i = 0; i < k * count; i++) {
			unsigned int who = (run + i) % count;

			out->ns[who][run] = fmin(out->ns[who][run], sample(&contenders[who], reset));
		}
	}
}

/*
 * A row for @who against @other, in units of @scale nanoseconds. The ratio is
 * the median of the runs' ratios: a machine that is slower for a while is so
 * for both of a run, and not for all runs.
 */
static struct row *compare_row(const char *name, const char *unit, const struct contender *contenders,
			       const struct measured *m, unsigned int who, int other, double scale)
{
	struct row *row = add_row(name, unit);

	row->runs = m->runs;
	row->value = median(m->ns[who], m->runs) / scale;
	row->spread = (quantile(m->ns[who], m->runs, 0.75) - quantile(m->ns[who], m->runs, 0.25)) /
		      scale / row->value;
	if (other >= 0) {
		double ratios[MAX_RUNS];

		for (unsigned int i = 0; i < m->runs; i++)
			ratios[i] = m->ns[who][i] / m->ns[other][i];
		snprintf(row->against, sizeof(row->against), "%s", contenders[other].name);
		row->against_value = median(m->ns[other], m->runs) / scale;
		row->ratio = median(ratios, m->runs);
	}
	return row;
}

/* Whether a row of this name is asked for */
static bool wanted(const char *name)
{
	return !fnmatch(only, name, 0);
}

/* ---- scans --------------------------------------------------------------------- */

static void run_stock(void)
{
	tree_stock.sync(now.stock, BASE, now.length, now.length, now.bitmap);
}

static void run_ours(void)
{
	tree_ours.sync(now.ours, BASE, now.length, STEP, now.bitmap);
}

static void run_counting(void)
{
	tree_counting.sync(now.counting, BASE, now.length, STEP, now.bitmap);
}

static void run_load(void)
{
	floor_load(now.root, BASE, now.length, now.level);
}

static void run_or(void)
{
	floor_or(now.root, BASE, now.length, now.level);
}

static struct pattern pattern;

static void reset_scan(void)
{
	leaves_set(now.root, BASE, now.length, pattern);
	clear_bitmap();
}

/* Neither tree may be measured doing something else than it should */
static void check_scan(const char *name, const char *who, void (*run)(void))
{
	uint64_t dirty, left;

	clear_bitmap();
	dirty = leaves_set(now.root, BASE, now.length, pattern);
	run();
	left = leaves_dirty(now.root, BASE, now.length);
	if (bitmap_bytes() != dirty || left)
		fail("%s: %s reports %" PRIu64 " dirty bytes of %" PRIu64 " and leaves %" PRIu64, name, who,
		     bitmap_bytes(), dirty, left);
}

static const struct pattern all_clean = { .on = 0, .off = 1 }, all_dirty = { .on = 1, .off = 0 };

/* Scans of the tables at hand. A floor of a mix would be neither loads nor atomics alone: it has none. */
static void scan(const char *name, struct pattern how, unsigned int runs, unsigned int k)
{
	struct contender contenders[] = {
		{ "ours", run_ours }, { "stock", run_stock },
		{ "floor", how.on == 1 && !how.off ? run_or : run_load },
	};
	bool floor = !how.permille && (!how.on || !how.off) && now.level;
	double leaves = leaves_count(now.root, BASE, now.length);
	struct measured m;

	if (!wanted(name))
		return;
	pattern = how;
	check_scan(name, "stock", run_stock);
	check_scan(name, "ours", run_ours);
	measure(contenders, floor ? 3 : 2, reset_scan, runs, k, &m);
	print_row(compare_row(name, "ns/leaf", contenders, &m, 0, 1, leaves));
	if (floor)
		print_row(compare_row(name, "ns/leaf", contenders, &m, 0, 2, leaves));
}

static const struct {
	const char *name;
	struct pattern pattern;
} mixes[] = {
	{ "rand01", { .permille = 10, .seed = 1 } },
	{ "rand10", { .permille = 100, .seed = 2 } },
	{ "rand50", { .permille = 500, .seed = 3 } },
	{ "alternating", { .on = 1, .off = 1 } },
	{ "run8", { .on = 8, .off = 8 } },
	{ "run64", { .on = 64, .off = 64 } },
	{ "run512", { .on = 512, .off = 512 } },
	{ "one_per_table", { .on = 1, .off = 511 } },
};

static void scan_mixes(const char *size)
{
	char name[64];

	for (size_t i = 0; i < sizeof(mixes) / sizeof(mixes[0]); i++) {
		snprintf(name, sizeof(name), "scan.mixed.%s.%s", size, mixes[i].name);
		scan(name, mixes[i].pattern, 11, 3);
	}
}

static void scans(void)
{
	begin(4 * GIB, 3);
	scan("scan.4k.clean", all_clean, 15, 3);
	scan("scan.4k.dirty", all_dirty, 15, 3);
	scan_mixes("4k");
	end();

	begin(64 * GIB, 2);
	scan("scan.2m.clean", all_clean, 15, 5);
	scan("scan.2m.dirty", all_dirty, 15, 5);
	scan_mixes("2m");
	end();

	/* 2 MiB in pages and 2 MiB in a block, in turn */
	begin(4 * GIB, 0);
	for (uint64_t at = 0; at < now.length; at += 2 * SZ_2M) {
		tree_stock.map(now.stock, BASE + at, BASE + at + PA_OFFSET, SZ_4K, 512);
		tree_stock.map(now.stock, BASE + at + SZ_2M, BASE + at + SZ_2M + PA_OFFSET, SZ_2M, 1);
	}
	scan_mixes("sizes");
	end();
}

/* ---- splits -------------------------------------------------------------------- */

static struct {
	int to;
	unsigned int bbml;
} splitting;

static void reset_split(void)
{
	leaves_restore(now.root, BASE, now.length, now.level, BASE + PA_OFFSET, true);
	pool_release();
}

static void run_split(void)
{
	tree_ours.split(now.ours, BASE, now.length, STEP, NULL, TREE_EAGER, level_size(splitting.to),
			splitting.bbml);
}

static void run_floor_split(void)
{
	floor_split(now.root, BASE, now.length, now.level, splitting.to);
}

/* Leaves of size and all of them clean, as at the start of tracking */
static void check_split(const char *name, void (*run)(void))
{
	uint64_t leaves, dirty;

	reset_split();
	run();
	leaves = leaves_count(now.root, BASE, now.length);
	dirty = leaves_dirty(now.root, BASE, now.length);
	if (leaves != now.length / level_size(splitting.to) || dirty)
		fail("%s: %" PRIu64 " leaves, %" PRIu64 " dirty bytes", name, leaves, dirty);
	reset_split();
}

static void split(const char *name, uint64_t length, int from, int to, unsigned int bbml)
{
	static const struct contender contenders[] = {
		{ "ours", run_split }, { "floor", run_floor_split },
	};
	struct measured m;

	if (!wanted(name) || !tree_ours.splits)
		return;
	begin(length, from);
	splitting.to = to;
	splitting.bbml = bbml;
	check_split(name, run_split);
	check_split(name, run_floor_split);
	measure(contenders, 2, reset_split, 15, 3, &m);
	print_row(compare_row(name, "ms/GiB", contenders, &m, 0, 1, 1e6 * length / GIB));
	end();
}

static void splits(void)
{
	split("split.2m_4k", 4 * GIB, 2, 3, 2);
	split("split.1g_4k", 512 * GIB / 64, 1, 3, 2);
	split("split.1g_2m", 512 * GIB, 1, 2, 2);
	split("split.2m_4k.bbml1", 4 * GIB, 2, 3, 1);
}

/* ---- merges -------------------------------------------------------------------- */

/* All that was split, and a page of every block dirty */
static void reset_merge(void)
{
	uint64_t size = level_size(now.level);

	reset_split();
	run_split();
	for (uint64_t at = 0; at < now.length; at += size) {
		uint64_t *entry = leaf_entry(now.root, BASE + at + size / 2, splitting.to);

		*entry &= ~LEAF_RDONLY;
	}
}

static void run_merge(void)
{
	tree_ours.merge(now.ours, BASE, now.length, STEP, splitting.bbml);
}

static void check_merge(const char *name)
{
	uint64_t leaves, dirty;

	reset_merge();
	run_merge();
	leaves = leaves_count(now.root, BASE, now.length);
	dirty = leaves_dirty(now.root, BASE, now.length);
	if (leaves != now.length / level_size(now.level) || dirty != now.length)
		fail("%s: %" PRIu64 " leaves, %" PRIu64 " dirty bytes", name, leaves, dirty);
	for (uint64_t at = 0; at < now.length; at += level_size(now.level)) {
		uint64_t entry = *leaf_entry(now.root, BASE + at, now.level);

		if ((entry & 0xfffffffff000) != BASE + PA_OFFSET + at)
			fail("%s: the leaf of 0x%" PRIx64 " is 0x%" PRIx64, name, (uint64_t)(BASE + at),
			     entry);
	}
}

static void merge(const char *name, uint64_t length, int from, int to, unsigned int bbml)
{
	static const struct contender contenders[] = {
		{ "ours", run_merge, reset_merge }, { "floor", run_floor_split, reset_split },
	};
	struct measured m;

	if (!wanted(name) || !tree_ours.merges)
		return;
	begin(length, to);
	splitting.to = from;
	splitting.bbml = bbml;
	check_merge(name);
	measure(contenders, 2, NULL, 15, 3, &m);
	print_row(compare_row(name, "ms/GiB", contenders, &m, 0, 1, 1e6 * length / GIB));
	end();
}

static void merges(void)
{
	merge("merge.4k_2m", 4 * GIB, 3, 2, 2);
	merge("merge.4k_1g", 8 * GIB, 3, 1, 2);
	merge("merge.2m_1g", 512 * GIB, 2, 1, 2);
	merge("merge.4k_2m.bbml1", 4 * GIB, 3, 2, 1);
}

/* ---- how long a lock is held ----------------------------------------------------- */

static void step_sync(uint64_t at)
{
	tree_ours.sync(now.ours, BASE + at, STEP, STEP, (char *)now.bitmap + at / SZ_4K / 8);
}

static void step_split(uint64_t at)
{
	tree_ours.split(now.ours, BASE + at, STEP, STEP, NULL, TREE_EAGER, SZ_4K, 2);
}

static void step_merge(uint64_t at)
{
	tree_ours.merge(now.ours, BASE + at, STEP, STEP, 2);
}

/* The longest of 64 steps of 1 GiB, between which iommufd drops its locks */
static void steps(const char *name, int level, void (*step)(uint64_t at), void (*reset)(void))
{
	double longest[MAX_RUNS] = { 0 };
	unsigned int runs = quick ? 5 : 15;
	struct row *row;

	if (!wanted(name))
		return;
	begin(64 * GIB, level);
	pattern = all_dirty;
	splitting.to = 3;
	splitting.bbml = 2;
	for (unsigned int run = 0; run < runs; run++) {
		reset();
		for (uint64_t at = 0; at < now.length; at += STEP) {
			double ns = -cpu_ns();

			step(at);
			longest[run] = fmax(longest[run], ns + cpu_ns());
		}
	}
	row = add_row(name, "ms");
	row->runs = runs;
	row->value = median(longest, runs) / 1e6;
	row->spread = (quantile(longest, runs, 0.75) - quantile(longest, runs, 0.25)) / 1e6 / row->value;
	snprintf(row->note, sizeof(row->note), "longest of 64 steps of 1 GiB");
	print_row(row);
	end();
}

static void all_steps(void)
{
	steps("step.4k.dirty", 3, step_sync, reset_scan);
	steps("step.2m.dirty", 2, step_sync, reset_scan);
	if (tree_ours.splits)
		steps("step.2m_4k.eager", 2, step_split, reset_split);
	if (tree_ours.merges)
		steps("step.4k_2m.merge", 2, step_merge, reset_merge);
}

/* ---- a terabyte ------------------------------------------------------------ */

/* The walk that enabling does: nothing is reported */
static void run_stock_start(void)
{
	tree_stock.sync(now.stock, BASE, now.length, now.length, NULL);
}

static void run_ours_start(void)
{
	tree_ours.sync(now.ours, BASE, now.length, STEP, NULL);
}

static void reset_leaves(void)
{
	leaves_set(now.root, BASE, now.length, pattern);
}

static void reset_nothing(void)
{
}

/* Milliseconds for all of the tables at hand; @other: NULL, or a floor */
static void whole(const char *name, struct pattern how, bool start, void (*floor)(void))
{
	const struct contender contenders[] = {
		{ "ours", start ? run_ours_start : run_ours },
		{ "stock", start ? run_stock_start : run_stock }, { "floor", floor },
	};
	struct measured m;

	if (!wanted(name))
		return;
	pattern = how;
	reset_scan();
	/* What is clean stays so: there is nothing to put back */
	measure(contenders, floor ? 3 : 2, !how.permille && !how.on ? reset_nothing :
		start ? reset_leaves : reset_scan, 5, now.level == 3 ? 1 : 3, &m);
	print_row(compare_row(name, "ms/TiB", contenders, &m, 0, 1, 1e6 * now.length / TIB));
	if (floor)
		print_row(compare_row(name, "ms/TiB", contenders, &m, 0, 2, 1e6 * now.length / TIB));
}

static void run_lazy(void)
{
	tree_ours.split(now.ours, BASE, now.length, STEP, now.bitmap, TREE_LAZY, SZ_4K, 2);
}

static void run_lazy_start(void)
{
	tree_ours.split(now.ours, BASE, now.length, STEP, NULL, TREE_LAZY, SZ_4K, 2);
}

static void reset_lazy(void)
{
	reset_split();
	reset_scan();
}

/* A walk of ours that splits: what stock does instead is beside it */
static void whole_split(const char *name, struct pattern how, void (*run)(void), const char *other,
			void (*against)(void), void (*reset)(void))
{
	const struct contender contenders[] = { { "ours", run }, { other, against } };
	struct measured m;

	if (!wanted(name) || !tree_ours.splits)
		return;
	pattern = how;
	measure(contenders, 2, reset, 5, 2, &m);
	print_row(compare_row(name, "ms/TiB", contenders, &m, 0, 1, 1e6 * now.length / TIB));
}

/* 1 TiB in 4K leaves has 2 GiB of tables */
static bool needs_tables(void)
{
	static const char *const names[] = {
		"sync.1tib.4k.clean", "sync.1tib.4k.1pct", "enable.1tib.4k", "enable.1tib.2m.eager",
		"sync.1tib.lazy.clean", "sync.1tib.lazy.1pct",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (wanted(names[i]))
			return true;
	return false;
}

static void terabytes(void)
{
	const struct pattern one = { .permille = 10, .seed = 5 };

	begin(TIB, 2);
	whole("sync.1tib.2m.clean", all_clean, false, run_load);
	whole("sync.1tib.2m.1pct", one, false, NULL);
	whole("enable.1tib.2m", all_dirty, true, run_or);
	whole_split("enable.1tib.2m.lazy", all_dirty, run_lazy_start, "stock", run_stock_start,
		    reset_split);
	whole_split("sync.1tib.2m.lazy.split1pct", one, run_lazy, "stock", run_stock, reset_lazy);
	splitting.to = 3;
	splitting.bbml = 2;
	whole_split("enable.1tib.2m.eager", all_dirty, run_split, "floor", run_floor_split, reset_split);
	end();

	/* A tenth of the blocks split, as by syncs before */
	if (tree_ours.splits && (wanted("sync.1tib.lazy.clean") || wanted("sync.1tib.lazy.1pct"))) {
		begin(TIB, 2);
		leaves_set(now.root, BASE, now.length, (struct pattern) { .permille = 100, .seed = 6 });
		run_lazy();
		now.level = 0;
		whole("sync.1tib.lazy.clean", all_clean, false, NULL);
		whole("sync.1tib.lazy.1pct", one, false, NULL);
		end();
	}

	if (wanted("sync.1tib.4k.clean") || wanted("sync.1tib.4k.1pct") || wanted("enable.1tib.4k")) {
		begin(TIB, 3);
		whole("sync.1tib.4k.clean", all_clean, false, run_load);
		whole("sync.1tib.4k.1pct", one, false, NULL);
		whole("enable.1tib.4k", all_dirty, true, run_or);
		end();
	}
}

/* ---- lazy and eager ---------------------------------------------------------- */

#define SYNCS	5

static unsigned int written;	/* permille of the blocks */

/* One page of every written block, another one each time */
static void write_pages(unsigned int round)
{
	for (uint64_t n = 0; n < now.length / SZ_2M; n++) {
		uint64_t iova = BASE + n * SZ_2M, *entry;

		if (!chosen(7, n, written))
			continue;
		entry = leaf_entry(now.root, iova + (n * 31 + round * 97) % 512 * SZ_4K, 3);
		if (!entry)
			entry = leaf_entry(now.root, iova, 2);
		*entry &= ~LEAF_RDONLY;
	}
}

/* A start of tracking and SYNCS syncs, the same blocks being written before each */
static void migrate(enum tree_mode mode)
{
	tree_ours.split(now.ours, BASE, now.length, STEP, NULL, mode, SZ_4K, 2);
	for (unsigned int round = 0; round < SYNCS; round++) {
		pause_clock();
		write_pages(round);
		clear_bitmap();
		resume_clock();
		tree_ours.split(now.ours, BASE, now.length, STEP, now.bitmap, mode, SZ_4K, 2);
	}
}

static void migrate_lazy(void)
{
	migrate(TREE_LAZY);
}

static void migrate_eager(void)
{
	migrate(TREE_EAGER);
}

static void lazy_cost(void)
{
	static const struct contender contenders[] = {
		{ "ours", migrate_lazy }, { "eager", migrate_eager },
	};
	static const struct { const char *name; unsigned int permille; } shares[] = {
		{ "lazy.cost.0.1", 1 }, { "lazy.cost.1", 10 }, { "lazy.cost.5", 50 },
		{ "lazy.cost.10", 100 }, { "lazy.cost.25", 250 }, { "lazy.cost.50", 500 },
		{ "lazy.cost.100", 1000 },
	};
	double before = 0, crossover = NAN;
	unsigned int done = 0, runs = 0;
	struct row *row;

	if (!tree_ours.splits)
		return;
	begin(16 * GIB, 2);
	for (size_t i = 0; i < sizeof(shares) / sizeof(shares[0]); i++) {
		struct measured m;

		if (!wanted(shares[i].name))
			continue;
		written = shares[i].permille;
		measure(contenders, 2, reset_split, 7, 2, &m);
		row = compare_row(shares[i].name, "ms/GiB", contenders, &m, 0, 1,
				  1e6 * now.length / GIB);
		print_row(row);
		/* Where the ratio passes 1, on a straight line between two shares */
		if (isnan(crossover) && row->ratio >= 1)
			crossover = !i ? shares[0].permille : shares[i - 1].permille +
				    (1 - before) / (row->ratio - before) *
				    (shares[i].permille - shares[i - 1].permille);
		before = row->ratio;
		runs = row->runs;
		done++;
	}
	if (done == sizeof(shares) / sizeof(shares[0])) {
		row = add_row("lazy.crossover", "% of blocks");
		row->value = crossover / 10;
		row->runs = runs;
		snprintf(row->note, sizeof(row->note), isnan(crossover) ?
			 "lazy costs less CPU than eager at every share" :
			 "above this share of written blocks eager costs less CPU");
		print_row(row);
	}
	end();
}

/* ---- everything off ------------------------------------------------------------ */

/*
 * Map, unmap and sync while nothing is tracked or split: the same work by both
 * trees in pairs. The tables below stay, only leaves come and go.
 */
static size_t off_page, off_batch;

static void off_map(const struct tree *tree, struct tree_domain *domain)
{
	for (uint64_t at = 0; at < now.length; at += off_page * off_batch)
		tree->map(domain, BASE + at, BASE + at + PA_OFFSET, off_page, off_batch);
}

static void off_unmap(const struct tree *tree, struct tree_domain *domain)
{
	for (uint64_t at = 0; at < now.length; at += off_page * off_batch)
		tree->unmap(domain, BASE + at, off_page, off_batch);
}

static void map_stock(void) { off_map(&tree_stock, now.stock); }
static void map_ours(void) { off_map(&tree_ours, now.ours); }
static void unmap_stock(void) { off_unmap(&tree_stock, now.stock); }
static void unmap_ours(void) { off_unmap(&tree_ours, now.ours); }

static void reset_mapped(void)
{
	leaves_restore(now.root, BASE, now.length, now.level, BASE + PA_OFFSET, true);
}

static void reset_unmapped(void)
{
	leaves_clear(now.root, BASE, now.length, now.level);
}

static void pairs(const char *name, const char *unit, double count, struct contender ours,
		  struct contender against, void (*reset)(void))
{
	const struct contender contenders[] = { ours, against };
	double ratios[MAX_RUNS];
	struct measured m;
	struct row *row;

	if (!wanted(name))
		return;
	measure(contenders, 2, reset, PAIRS, 15, &m);
	row = compare_row(name, unit, contenders, &m, 0, 1, count);
	for (unsigned int i = 0; i < m.runs; i++)
		ratios[i] = m.ns[0][i] / m.ns[1][i];
	row->ci95_upper = median_upper95(ratios, m.runs);
	print_row(row);
}

static void off_pair(const char *name, const char *unit, double count, void (*ours)(void),
		     void (*stock)(void), void (*reset)(void))
{
	pairs(name, unit, count, (struct contender) { "ours", ours },
	      (struct contender) { "stock", stock }, reset);
}

static void off(void)
{
	begin(32 * MIB, 3);
	off_page = SZ_4K;
	off_batch = 1;
	off_pair("off.map", "ns/page", now.length / SZ_4K, map_ours, map_stock, reset_unmapped);
	off_pair("off.unmap", "ns/page", now.length / SZ_4K, unmap_ours, unmap_stock, reset_mapped);
	off_batch = 512;
	off_pair("off.map.batch512", "ns/page", now.length / SZ_4K, map_ours, map_stock,
		 reset_unmapped);
	off_pair("off.unmap.batch512", "ns/page", now.length / SZ_4K, unmap_ours, unmap_stock,
		 reset_mapped);
	pattern = (struct pattern) { .permille = 10, .seed = 8 };
	reset_mapped();
	off_pair("off.sync", "ns/leaf", now.length / SZ_4K, run_ours, run_stock, reset_scan);
	end();

	begin(16 * GIB, 2);
	off_page = SZ_2M;
	off_batch = 1;
	off_pair("off.map.2m", "ns/block", now.length / SZ_2M, map_ours, map_stock, reset_unmapped);
	off_pair("off.unmap.2m", "ns/block", now.length / SZ_2M, unmap_ours, unmap_stock, reset_mapped);
	reset_mapped();
	off_pair("off.sync.2m", "ns/leaf", now.length / SZ_2M, run_ours, run_stock, reset_scan);
	end();
}

/* ---- somebody listens ----------------------------------------------------------- */

/* What counting leaves takes of a sync, while the events of syncs are on. */
static void counted(const char *name, struct pattern how)
{
	pattern = how;
	if (wanted(name))
		check_scan(name, "counting", run_counting);
	pairs(name, "ns/leaf", now.length / level_size(now.level),
	      (struct contender) { "counting", run_counting }, (struct contender) { "ours", run_ours },
	      reset_scan);
}

static void counting(void)
{
	static const struct pattern some = { .permille = 100, .seed = 9 };

	begin(GIB, 3);
	counted("count.4k.clean", all_clean);
	counted("count.4k.rand10", some);
	counted("count.4k.dirty", all_dirty);
	end();

	begin(64 * GIB, 2);
	counted("count.2m.clean", all_clean);
	counted("count.2m.rand10", some);
	counted("count.2m.dirty", all_dirty);
	end();
}

/* ---- targets ----------------------------------------------------------------- */

/* Best of the limits against stock and floor, if the row has any */
static const struct target {
	const char *rows;
	double stock, floor;	/* largest ratio, 0: no limit */
} targets[] = {
	{ "scan.*.clean", 1 / 3., 1.5 },
	{ "scan.*.dirty", 1 / 2., 1.5 },
	{ "scan.mixed.*", 1, 0 },
	{ "split.*", 0, 1.5 },
	{ "merge.*", 0, 1.5 },
};

static bool within(double ratio, double limit)
{
	return limit > 0 && ratio > 0 && ratio <= limit;
}

/* One line for each row name; returns how many miss */
static unsigned int judge(void)
{
	unsigned int missed = 0;

	printf("\ntargets\n");
	for (unsigned int i = 0; i < nr_rows; i++) {
		const struct row *row = &rows[i], *other = NULL;
		double stock = 0, floor = 0;
		bool met;

		if (i && !strcmp(row->name, row[-1].name))
			continue;
		if (i + 1 < nr_rows && !strcmp(row->name, row[1].name))
			other = row + 1;
		for (const struct row *r = row; r; r = r == row ? other : NULL) {
			if (!strcmp(r->against, "stock"))
				stock = r->ratio;
			if (!strcmp(r->against, "floor"))
				floor = r->ratio;
		}
		if (row->ci95_upper > 0) {
			double limit = fnmatch("count.*", row->name, 0) ? 1.03 : 1.01;

			met = row->ci95_upper < limit;
			printf("  %-28s 95 %% below %.3f of %s, wanted %.2f: %s\n", row->name,
			       row->ci95_upper, row->against, limit, met ? "met" : "MISSED");
			missed += !met;
			continue;
		}
		if (!fnmatch("step.*", row->name, 0)) {
			met = row->value < 1;
			printf("  %-28s %.3f ms, wanted 1: %s\n", row->name, row->value,
			       met ? "met" : "MISSED");
			missed += !met;
			continue;
		}
		if (!fnmatch("enable.1tib.*", row->name, 0) && !strstr(row->name, "eager")) {
			met = row->value < 5;
			printf("  %-28s %.3f ms, wanted 5: %s\n", row->name, row->value,
			       met ? "met" : "MISSED");
			missed += !met;
			continue;
		}
		for (size_t j = 0; j < sizeof(targets) / sizeof(targets[0]); j++) {
			if (fnmatch(targets[j].rows, row->name, 0))
				continue;
			met = within(stock, targets[j].stock) || within(floor, targets[j].floor);
			printf("  %-28s", row->name);
			if (targets[j].stock > 0)
				printf(" %.3f of stock, wanted %.3f%s", stock, targets[j].stock,
				       targets[j].floor > 0 ? ", or" : "");
			if (targets[j].floor > 0)
				printf(" %.3f of the floor, wanted %.3f", floor, targets[j].floor);
			printf(": %s\n", met ? "met" : "MISSED");
			missed += !met;
			break;
		}
	}
	return missed;
}

/* ---- main ------------------------------------------------------------------ */

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		fail("cannot run on processor %d: %m", cpu);
}

static int last_cpu(void)
{
	cpu_set_t set;
	int cpu = CPU_SETSIZE - 1;

	if (sched_getaffinity(0, sizeof(set), &set))
		return 0;
	while (cpu && !CPU_ISSET(cpu, &set))
		cpu--;
	return cpu;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "rows", required_argument, NULL, 'r' }, { "json", required_argument, NULL, 'j' },
		{ "cpu", required_argument, NULL, 'c' }, { "quick", no_argument, NULL, 'q' },
		{ "strict", no_argument, NULL, 's' },
		{ 0 },
	};
	const char *json = NULL;
	int option, cpu = last_cpu();

	while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		switch (option) {
		case 'r': only = optarg; break;
		case 'j': json = optarg; break;
		case 'c': cpu = atoi(optarg); break;
		case 'q': quick = true; break;
		case 's': strict = true; break;
		default: return 2;
		}
	}
	pin(cpu);
	pool_init((needs_tables() ? 2200 * MIB : 256 * MIB) / SZ_4K);
	bitmap_size = 32 * MIB;
	bitmap_region = pool_region(bitmap_size);
	printf("%s; medians of interleaved runs on processor %d; %u %% of the tables' memory on huge pages\n",
	       LABEL, cpu, pool_huge());

	off();
	counting();
	scans();
	splits();
	merges();
	all_steps();
	lazy_cost();
	terabytes();
	if (json)
		write_json(json);
	if (!nr_rows)
		fail("no row is called '%s'", only);
	return judge() && strict ? 1 : 0;
}
