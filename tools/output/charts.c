// SPDX-License-Identifier: GPL-2.0-only
/*
 * Layout of the pictures. Series are moved apart by a few pixels, because finer
 * granularities often report exactly the same; labels at the end of the lines are
 * moved apart too. Not here: any number that is not in the model.
 */
#include "charts.h"
#include "svg.h"
#include "units.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* The plot of a line chart inside its picture, pixels. */
#define WIDTH 460
#define HEIGHT 256
#define LEFT 56
#define RIGHT 338
#define TOP 12
#define BOTTOM 206
#define ZERO_ROW 220		/* of a logarithmic scale, below its small end */
#define AXIS_ROW 228

#define ROW 26			/* height of one run in a row chart */
#define LABEL_GAP 13		/* between the lines of text at the right */
#define DODGE 3			/* between series at the same place */
#define SERIES_MAX 64		/* in one picture; a report with more gets more pages of rows */

/* ---- series ------------------------------------------------------------------------ */

struct look {
	uint64_t granularity;
	const char *colour;
	const char *mark;
};

static const struct look looks[] = {
	{ UINT64_C(4) << 10, "k4", "dot" },
	{ UINT64_C(16) << 10, "k16", "dia" },
	{ UINT64_C(64) << 10, "k64", "dia" },
	{ UINT64_C(2) << 20, "m2", "tri" },
	{ UINT64_C(32) << 20, "m32", "tri" },
	{ UINT64_C(512) << 20, "m512", "box" },
	{ UINT64_C(1) << 30, "g1", "box" },
};

void series__describe(struct series *series, const struct run *run)
{
	const struct run_result *r = &run->result;
	char leaf[UNITS_TEXT];

	*series = (struct series){ .run = run, .colour = "off", .mark = "box" };
	if (!run__splits(run)) {
		if (r->kernel_patched == TRI_FALSE) {
			series->colour = "stock";
			series->mark = "cross";
		}
		snprintf(series->label, sizeof(series->label), "%s",
			 r->kernel_patched == TRI_FALSE ? "stock" : "as mapped");
		return;
	}
	series->colour = "other";
	series->mark = "dia";
	for (size_t i = 0; i < sizeof(looks) / sizeof(looks[0]); i++) {
		if (looks[i].granularity != r->granularity_bytes)
			continue;
		series->colour = looks[i].colour;
		series->mark = looks[i].mark;
	}
	series->lazy = !strcmp(r->split_mode, "lazy");
	snprintf(series->label, sizeof(series->label), "%s %s",
		 units__leaf(r->granularity_bytes, leaf), r->split_mode);
}

const char *series__classes(const struct series *series, char text[32])
{
	snprintf(text, 32, "s %s%s", series->colour, series->lazy ? " lazy" : "");
	return text;
}

/* ---- data -------------------------------------------------------------------------- */

static uint64_t plus(uint64_t a, uint64_t b)
{
	return a == UNKNOWN || b == UNKNOWN ? UNKNOWN : a + b;
}

/* What the VMM says it sent; without its log, what it has to send. */
static void take_sent(const struct run *run, struct pass *passes, size_t count)
{
	const struct run_samples *s = &run->samples;

	for (size_t i = 0; i < count; i++) {
		struct pass *pass = &passes[i];

		if (s->vmm_iteration_count)
			pass->sent_bytes = UNKNOWN;
		for (size_t k = 0; k < s->vmm_iteration_count; k++)
			if (s->vmm_iterations[k].iteration == pass->iteration)
				pass->sent_bytes = s->vmm_iterations[k].sent_bytes;
	}
}

size_t passes__collect(const struct run *run, struct pass passes[PASSES_MAX])
{
	size_t count = 0;

	if (run->result.memory_bytes != UNKNOWN)
		passes[count++] = (struct pass){
			.dirty_bytes = UNKNOWN, .true_bytes = UNKNOWN, .missed_pages = UNKNOWN,
			.sent_bytes = run->result.memory_bytes,
		};
	for (size_t i = 0; i < run->sync_count; i++) {
		const struct run_sync *sync = &run->syncs[i];
		struct pass *pass = count ? &passes[count - 1] : NULL;

		if (sync->iteration == UNKNOWN)
			continue;
		if (pass && pass->iteration == sync->iteration &&
		    pass->dirty_bytes != UNKNOWN) {
			pass->dirty_bytes = plus(pass->dirty_bytes, sync->dirty_bytes);
			pass->true_bytes = plus(pass->true_bytes, sync->true_bytes);
			pass->missed_pages = plus(pass->missed_pages, sync->missed_pages);
			pass->sent_bytes = pass->dirty_bytes;
			continue;
		}
		if (count == PASSES_MAX)
			break;
		passes[count++] = (struct pass){
			.iteration = sync->iteration, .dirty_bytes = sync->dirty_bytes,
			.true_bytes = sync->true_bytes, .missed_pages = sync->missed_pages,
			.sent_bytes = sync->dirty_bytes,
		};
	}
	take_sent(run, passes, count);
	return count;
}

/*
 * Recordings have fine buckets; half octaves are what a picture can show. Every fine
 * bucket lies inside one of them, so that nothing is estimated.
 */
static uint64_t half_octave(uint64_t bound)
{
	uint64_t octave;

	if (bound < 2 || bound >= UINT64_C(1) << 62)
		return bound;
	octave = UINT64_C(1) << (63 - __builtin_clzll(bound));
	return bound < octave + octave / 2 ? octave + octave / 2 - 1 : 2 * octave - 1;
}

/* The shortest time in a half octave: two thirds or three quarters of its end. */
static double half_octave_start(uint64_t bound)
{
	double end = (double)bound + 1;

	return (bound + 1) & bound ? end * 2 / 3 : end * 3 / 4;
}

static void coarsen(struct pairs *histogram)
{
	size_t kept = 0;

	for (size_t i = 0; i < histogram->count; i++) {
		struct pair bucket = histogram->at[i];

		if (!bucket.value)
			continue;
		bucket.key = half_octave(bucket.key);
		if (kept && histogram->at[kept - 1].key == bucket.key)
			histogram->at[kept - 1].value += bucket.value;
		else
			histogram->at[kept++] = bucket;
	}
	histogram->count = kept;
}

int latency__collect(const struct run *run, enum latency_of what, struct pairs *out)
{
	const struct run_samples *s = &run->samples;
	int err = 0;

	*out = (struct pairs){ 0 };
	for (size_t i = 0; what == LATENCY_SPLIT && !err && i < s->split_summary_count; i++)
		err = histogram__merge(out, &s->split_summaries[i].histogram_ns);
	for (size_t i = 0; what == LATENCY_TLB && !err && i < s->tlb_summary_count; i++) {
		const char *cause = s->tlb_summaries[i].cause;

		if (!strcmp(cause, "sync") || !strcmp(cause, "split") || !strcmp(cause, "merge"))
			err = histogram__merge(out, &s->tlb_summaries[i].histogram_ns);
	}
	if (err) {
		free(out->at);
		*out = (struct pairs){ 0 };
	}
	coarsen(out);
	return err;
}

/* ---- shared parts ------------------------------------------------------------------ */

struct text {
	char at[700];
	size_t length;
};

__attribute__((format(printf, 2, 3)))
static void add(struct text *text, const char *format, ...)
{
	va_list args;
	int written;

	va_start(args, format);
	written = vsnprintf(text->at + text->length, sizeof(text->at) - text->length, format, args);
	va_end(args);
	if (written > 0)
		text->length += (size_t)written;
	if (text->length >= sizeof(text->at))
		text->length = sizeof(text->at) - 1;
}

struct end_label {
	double y;		/* of the line's end */
	double at;		/* of the text */
	const struct series *series;
	char text[80];
};

static int by_height(const void *a, const void *b)
{
	const struct end_label *one = a, *two = b;

	return one->y < two->y ? -1 : one->y > two->y;
}

/* Names at the right of their lines; where lines end close together, names make room. */
static void put_end_labels(FILE *out, struct end_label *labels, size_t count)
{
	double lowest = HEIGHT - 20;

	if (!count)
		return;
	qsort(labels, count, sizeof(*labels), by_height);
	for (size_t i = 0; i < count; i++) {
		double above = i ? labels[i - 1].at + LABEL_GAP : TOP;

		labels[i].at = labels[i].y > above ? labels[i].y : above;
	}
	for (size_t i = count; i-- > 0; lowest = labels[i].at - LABEL_GAP)
		if (labels[i].at > lowest)
			labels[i].at = lowest;
	for (size_t i = 0; i < count; i++) {
		const struct series *series = labels[i].series;
		const double x[] = { RIGHT + 10, RIGHT + 14, RIGHT + 18 };
		const double y[] = { labels[i].y, labels[i].at, labels[i].at };
		char classes[32];

		svg__path(out, "lead", x, y, 3);
		if (series) {
			fprintf(out, "<g class=\"%s\">", series__classes(series, classes));
			svg__mark(out, series->mark, RIGHT + 24, labels[i].at, NULL);
			fputs("</g>", out);
		}
		svg__text(out, series ? "t" : "t b", RIGHT + (series ? 32 : 20), labels[i].at + 4,
			  labels[i].text);
	}
	fputc('\n', out);
}

/* A row of the iteration axis: a tick for each, or for each so many. */
static struct scale put_iteration_axis(FILE *out, double first, double last)
{
	struct scale x = { first, last, LEFT + 14, RIGHT - 10, 0, false };
	double step = scale__step(last - first, 10, 10);
	char number[24];

	if (step < 1)
		step = 1;
	if (last <= first)
		x.high = first + 1;
	svg__line(out, "axis", LEFT, AXIS_ROW, RIGHT, AXIS_ROW);
	for (double at = ceil(first / step) * step; at <= last; at += step) {
		snprintf(number, sizeof(number), "%.0f", at);
		svg__text(out, "t mid", scale__at(&x, at), AXIS_ROW + 13, number);
	}
	svg__text(out, "t mid dim", (LEFT + RIGHT) / 2.0, HEIGHT - 2, "iteration");
	fputc('\n', out);
	return x;
}

/* Sixteenfold steps: 4 KiB, 64 KiB, 1 MiB ... */
static struct scale put_bytes_axis(FILE *out, double low, double high)
{
	struct scale y = { 4096, 65536, BOTTOM, TOP, ZERO_ROW, true };
	char text[UNITS_TEXT];

	while (y.high < high)
		y.high *= 16;
	while (y.low > low && y.low > 1)
		y.low /= 16;
	for (double at = y.low; at <= y.high; at *= 16) {
		svg__line(out, "grid", LEFT, scale__at(&y, at), RIGHT, scale__at(&y, at));
		svg__text(out, "t end", LEFT - 6, scale__at(&y, at) + 4,
			  units__bytes((uint64_t)at, text));
	}
	svg__text(out, "t end", LEFT - 6, ZERO_ROW + 4, "0");
	return y;
}

static double dodge(size_t index, size_t count)
{
	return ((double)index - (double)(count - 1) / 2) * DODGE;
}

static size_t series_of(const struct panel *panel)
{
	return panel->count < SERIES_MAX ? panel->count : SERIES_MAX;
}

static uint64_t fits_downtime(const struct run *run)
{
	const struct vmm_start_sample *start = &run->samples.vmm_start;

	if (!run->samples.has_vmm_start || start->downtime_limit_ns == UNKNOWN ||
	    start->bandwidth_bytes_per_second == UNKNOWN)
		return UNKNOWN;
	return (uint64_t)((double)start->bandwidth_bytes_per_second *
			  (double)start->downtime_limit_ns / 1e9);
}

/* ---- dirty bytes ------------------------------------------------------------------- */

struct dirty_range {
	double low, high;	/* of everything drawn, without zeros */
	uint64_t last;		/* iteration */
	uint64_t fits;		/* downtime limit in bytes, if all runs have the same */
	uint64_t true_low[PASSES_MAX + 1], true_high[PASSES_MAX + 1];
};

static void take_value(struct dirty_range *range, uint64_t value)
{
	if (value == UNKNOWN || !value)
		return;
	if ((double)value < range->low)
		range->low = (double)value;
	if ((double)value > range->high)
		range->high = (double)value;
}

static void take_truth(struct dirty_range *range, const struct pass *pass)
{
	uint64_t at = pass->iteration;

	if (pass->true_bytes == UNKNOWN || at > PASSES_MAX)
		return;
	if (range->true_low[at] == UNKNOWN || pass->true_bytes < range->true_low[at])
		range->true_low[at] = pass->true_bytes;
	if (range->true_high[at] == UNKNOWN || pass->true_bytes > range->true_high[at])
		range->true_high[at] = pass->true_bytes;
}

static void measure_dirty(const struct panel *panel, struct dirty_range *range)
{
	struct pass passes[PASSES_MAX];

	*range = (struct dirty_range){ .low = INFINITY, .fits = UNKNOWN };
	for (size_t i = 0; i <= PASSES_MAX; i++)
		range->true_low[i] = range->true_high[i] = UNKNOWN;
	for (size_t i = 0; i < series_of(panel); i++) {
		const struct run *run = panel->series[i].run;
		size_t count = passes__collect(run, passes);
		uint64_t fits = fits_downtime(run);

		range->fits = i && fits != range->fits ? UNKNOWN : fits;
		for (size_t k = 0; k < count; k++) {
			take_value(range, passes[k].dirty_bytes);
			take_value(range, passes[k].true_bytes);
			take_truth(range, &passes[k]);
			if (passes[k].iteration > range->last)
				range->last = passes[k].iteration;
		}
	}
	take_value(range, range->fits);
}

/* The truth as a band: runs of one workload need not write exactly the same. */
static void put_truth(FILE *out, const struct dirty_range *range, const struct scale *x,
		      const struct scale *y, struct end_label *labels, size_t *label_count)
{
	double xs[2 * PASSES_MAX + 2], ys[2 * PASSES_MAX + 2];
	size_t points = 0, half;

	for (uint64_t i = 1; i <= range->last && i <= PASSES_MAX; i++)
		if (range->true_high[i] != UNKNOWN) {
			xs[points] = scale__at(x, (double)i);
			ys[points++] = scale__at(y, (double)range->true_high[i]) - 2;
		}
	half = points;
	for (uint64_t i = range->last < PASSES_MAX ? range->last : PASSES_MAX; i >= 1; i--)
		if (range->true_low[i] != UNKNOWN) {
			xs[points] = scale__at(x, (double)i);
			ys[points++] = scale__at(y, (double)range->true_low[i]) + 2;
		}
	if (!half)
		return;
	svg__path(out, "truth", xs, ys, points);
	labels[*label_count] = (struct end_label){ .y = ys[half - 1] + 2 };
	snprintf(labels[(*label_count)++].text, sizeof(labels->text), "truth");
}

static void put_dirty_line(FILE *out, const struct series *series, double shift,
			   const struct scale *x, const struct scale *y,
			   struct end_label *labels, size_t *label_count)
{
	struct pass passes[PASSES_MAX];
	size_t count = passes__collect(series->run, passes), points = 0;
	double xs[PASSES_MAX], ys[PASSES_MAX];
	uint64_t at[PASSES_MAX];
	char classes[32], dirty[UNITS_TEXT], missed[UNITS_TEXT], tip[200];

	for (size_t i = 0; i < count; i++) {
		if (passes[i].dirty_bytes == UNKNOWN)
			continue;
		xs[points] = scale__at(x, (double)passes[i].iteration) + shift;
		ys[points] = scale__at(y, (double)passes[i].dirty_bytes);
		at[points++] = i;
	}
	if (!points)
		return;
	fprintf(out, "<g class=\"%s\">", series__classes(series, classes));
	svg__path(out, "line", xs, ys, points);
	for (size_t i = 0; i < points; i++) {
		const struct pass *pass = &passes[at[i]];
		bool bad = pass->missed_pages != UNKNOWN && pass->missed_pages;

		snprintf(tip, sizeof(tip), "%s, iteration %" PRIu64 ": %s%s%s%s", series->label,
			 pass->iteration, units__bytes(pass->dirty_bytes, dirty),
			 bad ? ", missed " : "", bad ? units__count(pass->missed_pages, missed) : "",
			 bad ? " pages" : "");
		if (bad) {
			fputs("<g class=\"bad\">", out);
			svg__mark(out, "ring", xs[i], ys[i], NULL);
			fputs("</g>", out);
		}
		svg__mark(out, series->mark, xs[i], ys[i], tip);
	}
	fputs("</g>\n", out);
	labels[*label_count] = (struct end_label){ .y = ys[points - 1], .series = series };
	snprintf(labels[(*label_count)++].text, sizeof(labels->text), "%s", series->label);
}

static void describe_dirty(const struct panel *panel, struct text *text)
{
	struct pass passes[PASSES_MAX];
	char first[UNITS_TEXT], last[UNITS_TEXT];

	add(text, "Bytes reported dirty from first to last sync.");
	for (size_t i = 0; i < series_of(panel); i++) {
		size_t count = passes__collect(panel->series[i].run, passes), from = 0;

		while (from < count && passes[from].dirty_bytes == UNKNOWN)
			from++;
		if (from < count)
			add(text, " %s: %s to %s.", panel->series[i].label,
			    units__bytes(passes[from].dirty_bytes, first),
			    units__bytes(passes[count - 1].dirty_bytes, last));
	}
}

int chart__dirty(FILE *out, const char *id, const struct panel *panel)
{
	struct end_label labels[SERIES_MAX + 1];
	struct dirty_range range;
	struct text text = { 0 };
	struct scale x, y;
	size_t label_count = 0, count = series_of(panel);
	char title[120], fits[UNITS_TEXT];

	measure_dirty(panel, &range);
	describe_dirty(panel, &text);
	snprintf(title, sizeof(title), "Dirty bytes per sync: %s", panel->subject);
	svg__open(out, id, WIDTH, HEIGHT, title, text.at);
	y = put_bytes_axis(out, isinf(range.low) ? 4096 : range.low, range.high);
	x = put_iteration_axis(out, 1, range.last ? (double)range.last : 1);
	put_truth(out, &range, &x, &y, labels, &label_count);
	if (range.fits != UNKNOWN && range.fits) {
		double at = scale__at(&y, (double)range.fits);

		snprintf(title, sizeof(title), "%s fit the downtime limit",
			 units__bytes(range.fits, fits));
		svg__line(out, "limit", LEFT, at, RIGHT, at);
		svg__text(out, "t dim halo end", RIGHT - 4, at - 4, title);
	}
	fputc('\n', out);
	for (size_t i = 0; i < count; i++)
		put_dirty_line(out, &panel->series[i], dodge(i, count), &x, &y, labels, &label_count);
	put_end_labels(out, labels, label_count);
	svg__close(out);
	return 0;
}

/* ---- rows: one for each run -------------------------------------------------------- */

static void put_row_label(FILE *out, const struct series *series, double y)
{
	char classes[32];

	fprintf(out, "<g class=\"%s\">", series__classes(series, classes));
	svg__mark(out, series->mark, 10, y - 4, NULL);
	fputs("</g>", out);
	svg__text(out, "t", 19, y, series->label);
}

static double highest_amplification(const struct panel *panel)
{
	double highest = 10;

	for (size_t i = 0; i < series_of(panel); i++) {
		const struct run_result *r = &panel->series[i].run->result;

		highest = fmax(highest, fmax(r->amplification, r->amplification_first));
	}
	return highest;
}

static double lowest_amplification(const struct panel *panel)
{
	double lowest = 1;

	for (size_t i = 0; i < series_of(panel); i++) {
		const struct run_result *r = &panel->series[i].run->result;

		if (r->amplification > 0)
			lowest = fmin(lowest, r->amplification);
	}
	return lowest;
}

static bool same(double a, double b)
{
	return isnan(a) == isnan(b) && !(fabs(a - b) > 0.005 * fmax(fabs(a), fabs(b)));
}

static void put_amplification_row(FILE *out, const struct series *series, const struct scale *x,
				  double y)
{
	const struct run_result *r = &series->run->result;
	double one = scale__at(x, 1), at, first;
	char classes[32], later_text[UNITS_TEXT], first_text[UNITS_TEXT], label[200];
	bool two = !isnan(r->amplification_first) &&
		   !same(r->amplification, r->amplification_first);

	units__ratio(r->amplification, later_text);
	units__ratio(r->amplification_first, first_text);
	put_row_label(out, series, y + 17);
	fprintf(out, "<g class=\"%s\">", series__classes(series, classes));
	at = isnan(r->amplification) ? one : scale__at(x, r->amplification);
	first = isnan(r->amplification_first) ? one : scale__at(x, r->amplification_first);
	if (two) {
		snprintf(label, sizeof(label), "%s, before a block's split: %s", series->label,
			 first_text);
		svg__bar(out, "ghost", fmin(one, first), y + 6, fabs(first - one), 14, label);
	}
	if (!isnan(r->amplification)) {
		snprintf(label, sizeof(label), "%s: %s", series->label, later_text);
		svg__bar(out, "bar", fmin(one, at), y + 6, fmax(fabs(at - one), 1.5), 14, label);
	}
	fputs("</g>", out);
	if (two)
		snprintf(label, sizeof(label), "%s, first %s", later_text, first_text);
	else
		snprintf(label, sizeof(label), "%s", later_text);
	/* What was not reported makes the ratio small; that is no merit. */
	if (r->missed_pages != UNKNOWN && r->missed_pages)
		snprintf(label, sizeof(label), "%s, pages missed", later_text);
	svg__text(out, r->missed_pages != UNKNOWN && r->missed_pages ? "t b halo miss" : "t b halo",
		  fmax(fmax(one, at), two ? first : 0) + 5, y + 17, label);
	fputc('\n', out);
}

int chart__amplification(FILE *out, const char *id, const struct panel *panel)
{
	size_t count = series_of(panel);
	double height = (double)count * ROW + 40;
	struct scale x = { 1, 10, 96, 340, 96, true };
	struct text text = { 0 };
	char title[120], number[UNITS_TEXT];

	while (x.high < highest_amplification(panel))
		x.high *= 10;
	while (x.low > lowest_amplification(panel))
		x.low /= 10;
	add(&text, "Bytes reported dirty for each byte of the 4K pages really written; 1 is exact.");
	for (size_t i = 0; i < count; i++)
		add(&text, " %s: %s.", panel->series[i].label,
		    units__ratio(panel->series[i].run->result.amplification, number));
	snprintf(title, sizeof(title), "Amplification: %s", panel->subject);
	svg__open(out, id, WIDTH, height, title, text.at);
	for (double at = x.low; at <= x.high * 1.001; at *= x.high / x.low > 1e4 ? 100 : 10) {
		svg__line(out, "grid", scale__at(&x, at), 4, scale__at(&x, at), height - 34);
		svg__text(out, "t mid", scale__at(&x, at), height - 20, units__ratio(at, number));
	}
	svg__line(out, "axis", scale__at(&x, 1), 4, scale__at(&x, 1), height - 30);
	svg__text(out, "t mid dim", 218, height - 4, "reported / really written (log)");
	for (size_t i = 0; i < count; i++)
		put_amplification_row(out, &panel->series[i], &x, 4 + (double)i * ROW);
	svg__close(out);
	return 0;
}

/* ---- bytes sent -------------------------------------------------------------------- */

static double sum_sent(const struct pass *passes, size_t count)
{
	double sum = 0;

	for (size_t i = 0; i < count; i++)
		if (passes[i].sent_bytes != UNKNOWN)
			sum += (double)passes[i].sent_bytes;
	return sum;
}

static void put_sent_line(FILE *out, const struct series *series, double shift,
			  const struct scale *x, const struct scale *y,
			  struct end_label *labels, size_t *label_count)
{
	struct pass passes[PASSES_MAX];
	size_t count = passes__collect(series->run, passes);
	double xs[PASSES_MAX], ys[PASSES_MAX];
	enum tristate converged = series->run->result.converged;
	uint64_t missed = series->run->result.missed_pages;
	char classes[32], sent[UNITS_TEXT], tip[200];

	for (size_t i = 0; i < count; i++) {
		xs[i] = scale__at(x, (double)passes[i].iteration) + shift;
		ys[i] = scale__at(y, sum_sent(passes, i + 1));
	}
	if (!count)
		return;
	fprintf(out, "<g class=\"%s\">", series__classes(series, classes));
	svg__path(out, "line", xs, ys, count);
	for (size_t i = 0; i < count; i++) {
		snprintf(tip, sizeof(tip), "%s, iteration %" PRIu64 ": %s sent so far",
			 series->label, passes[i].iteration,
			 units__bytes((uint64_t)sum_sent(passes, i + 1), sent));
		svg__mark(out, series->mark, xs[i], ys[i], tip);
	}
	fputs("</g>\n", out);
	labels[*label_count] = (struct end_label){ .y = ys[count - 1], .series = series };
	snprintf(labels[(*label_count)++].text, sizeof(labels->text), "%s%s%s", series->label,
		 converged == TRI_TRUE ? " \xe2\x9c\x93" : converged == TRI_FALSE ? " \xe2\x9c\x97" : "",
		 missed != UNKNOWN && missed ? " missed" : "");
}

int chart__sent(FILE *out, const char *id, const struct panel *panel)
{
	struct end_label labels[SERIES_MAX];
	struct pass passes[PASSES_MAX];
	struct scale x, y = { 0, 1, AXIS_ROW, TOP, 0, false };
	struct text text = { 0 };
	size_t label_count = 0, count = series_of(panel);
	double last = 0, step;
	char title[120], number[UNITS_TEXT];

	add(&text, "Bytes sent, the first full copy included.");
	for (size_t i = 0; i < count; i++) {
		const struct run_result *r = &panel->series[i].run->result;
		size_t passed = passes__collect(panel->series[i].run, passes);
		double sum = sum_sent(passes, passed);

		y.high = fmax(y.high, sum);
		if (passed)
			last = fmax(last, (double)passes[passed - 1].iteration);
		add(&text, " %s: %s, %s.", panel->series[i].label,
		    units__bytes((uint64_t)sum, number), r->converged == TRI_TRUE ? "converged" :
		    r->converged == TRI_FALSE ? "not converged" : "end not known");
	}
	step = scale__step(y.high, 2, 5);
	y.high = ceil(y.high / step) * step;
	snprintf(title, sizeof(title), "Convergence: %s", panel->subject);
	svg__open(out, id, WIDTH, HEIGHT, title, text.at);
	for (double at = 0; at <= y.high * 1.001; at += step) {
		svg__line(out, "grid", LEFT, scale__at(&y, at), RIGHT, scale__at(&y, at));
		svg__text(out, "t end", LEFT - 6, scale__at(&y, at) + 4,
			  at > 0 ? units__bytes((uint64_t)at, number) : "0");
	}
	x = put_iteration_axis(out, 0, last);
	for (size_t i = 0; i < count; i++)
		put_sent_line(out, &panel->series[i], dodge(i, count), &x, &y, labels, &label_count);
	put_end_labels(out, labels, label_count);
	svg__close(out);
	return 0;
}

/* ---- IOTLB ------------------------------------------------------------------------- */

struct change {
	double before, after;
};

static struct change misses_of(const struct run *run)
{
	return (struct change){ run->result.misses_before, run->result.misses_after };
}

static struct change reads_of(const struct run *run)
{
	return (struct change){ run->result.reads_before, run->result.reads_after };
}

static void put_change(FILE *out, const struct series *series, struct change change,
		       const struct scale *x, double y)
{
	char before[UNITS_TEXT], after[UNITS_TEXT], classes[32], label[120];

	if (isnan(change.before) && isnan(change.after)) {
		svg__text(out, "t dim", x->low_at, y + 12, "not measured");
		return;
	}
	snprintf(label, sizeof(label), "%s \xe2\x86\x92 %s", units__ratio(change.before, before),
		 units__ratio(change.after, after));
	svg__text(out, "t", x->low_at, y + 10, label);
	svg__line(out, "grid", x->low_at, y + 20, x->high_at, y + 20);
	fprintf(out, "<g class=\"%s\">", series__classes(series, classes));
	if (!isnan(change.before) && !isnan(change.after))
		svg__line(out, "line", scale__at(x, change.before), y + 20,
			  scale__at(x, change.after), y + 20);
	if (!isnan(change.before))
		svg__line(out, "line", scale__at(x, change.before), y + 15,
			  scale__at(x, change.before), y + 25);
	if (!isnan(change.after))
		svg__mark(out, series->mark, scale__at(x, change.after), y + 20, NULL);
	fputs("</g>\n", out);
}

static void put_changes(FILE *out, const struct panel *panel, double left, double right,
			const char *heading, struct change (*of)(const struct run *run))
{
	struct scale x = { 0, 1, left, right, left, false };
	size_t count = series_of(panel);
	char number[UNITS_TEXT];

	for (size_t i = 0; i < count; i++) {
		struct change change = of(panel->series[i].run);

		x.high = fmax(x.high, fmax(change.before, change.after));
	}
	svg__text(out, "t b", left, 12, heading);
	for (size_t i = 0; i < count; i++)
		put_change(out, &panel->series[i], of(panel->series[i].run), &x,
			   18 + (double)i * (ROW + 8));
	svg__text(out, "t dim", left, 32 + (double)count * (ROW + 8), "0");
	svg__text(out, "t dim end", right, 32 + (double)count * (ROW + 8),
		  units__ratio(x.high, number));
}

int chart__iotlb(FILE *out, const char *id, const struct panel *panel)
{
	size_t count = series_of(panel);
	struct text text = { 0 };
	char title[120], before[UNITS_TEXT], after[UNITS_TEXT];

	add(&text, "IOTLB misses for 1,000 DMA operations before tracking and at the end.");
	for (size_t i = 0; i < count; i++) {
		struct change misses = misses_of(panel->series[i].run);

		add(&text, " %s: %s to %s.", panel->series[i].label,
		    units__ratio(misses.before, before), units__ratio(misses.after, after));
	}
	snprintf(title, sizeof(title), "IOTLB per 1,000 DMA: %s", panel->subject);
	svg__open(out, id, WIDTH, (double)count * (ROW + 8) + 40, title, text.at);
	for (size_t i = 0; i < count; i++)
		put_row_label(out, &panel->series[i], 18 + (double)i * (ROW + 8) + 17);
	put_changes(out, panel, 104, 248, "IOTLB misses", misses_of);
	put_changes(out, panel, 278, 422, "descriptor reads", reads_of);
	svg__close(out);
	return 0;
}

/* ---- latencies --------------------------------------------------------------------- */

#define LATENCY_ROW 54

struct quantiles {
	uint64_t count, p50, p99, max;
};

static struct quantiles quantiles_of(const struct run *run, enum latency_of what)
{
	const struct run_result *r = &run->result;

	if (what == LATENCY_SPLIT)
		return (struct quantiles){ r->split_count, r->split_p50_ns, r->split_p99_ns,
					   r->split_max_ns };
	return (struct quantiles){ r->tlb_count, r->tlb_p50_ns, r->tlb_p99_ns, r->tlb_max_ns };
}

/* Whole powers of ten around all buckets of all runs. */
static int measure_latency(const struct panel *panel, enum latency_of what, struct scale *x)
{
	double low = INFINITY, high = 0;

	for (size_t i = 0; i < series_of(panel); i++) {
		struct pairs histogram;
		int err = latency__collect(panel->series[i].run, what, &histogram);

		if (err)
			return err;
		for (size_t k = 0; k < histogram.count; k++) {
			low = fmin(low, half_octave_start(histogram.at[k].key));
			high = fmax(high, (double)histogram.at[k].key);
		}
		free(histogram.at);
	}
	if (isinf(low))
		low = high = 1000;
	x->low = pow(10, floor(log10(fmax(low, 1))));
	x->high = fmax(pow(10, ceil(log10(high))), x->low * 10);
	return 0;
}

static void put_buckets(FILE *out, const struct pairs *histogram, const struct scale *x,
			double base, double height)
{
	uint64_t highest = 1;
	char tip[120], upper[UNITS_TEXT], count[UNITS_TEXT];

	for (size_t i = 0; i < histogram->count; i++)
		if (histogram->at[i].value > highest)
			highest = histogram->at[i].value;
	for (size_t i = 0; i < histogram->count; i++) {
		const struct pair *bucket = &histogram->at[i];
		double from = scale__at(x, half_octave_start(bucket->key));
		double to = scale__at(x, (double)bucket->key);
		/* One sample among thousands still has to be seen. */
		double tall = fmax((double)bucket->value / (double)highest * height, 1.5);

		snprintf(tip, sizeof(tip), "up to %s: %s", units__duration(bucket->key, upper),
			 units__count(bucket->value, count));
		svg__bar(out, "bar", from, base - tall, fmax(to - from - 1, 1), tall, tip);
	}
}

static int put_latency_row(FILE *out, const struct series *series, enum latency_of what,
			   const struct scale *x, double top)
{
	struct quantiles q = quantiles_of(series->run, what);
	char n[UNITS_TEXT], p50[UNITS_TEXT], p99[UNITS_TEXT], max[UNITS_TEXT];
	char classes[32], label[200];
	double base = top + 48;
	struct pairs histogram;
	int err;

	put_row_label(out, series, top + 38);
	if (!q.count || q.count == UNKNOWN) {
		svg__text(out, "t dim", x->low_at, base - 10, "none");
		svg__line(out, "axis", x->low_at, base, x->high_at, base);
		return 0;
	}
	err = latency__collect(series->run, what, &histogram);
	if (err)
		return err;
	fprintf(out, "<g class=\"%s\">", series__classes(series, classes));
	put_buckets(out, &histogram, x, base, 28);
	fputs("</g>", out);
	free(histogram.at);
	svg__line(out, "axis", x->low_at, base, x->high_at, base);
	svg__line(out, "p50", scale__at(x, (double)q.p50), base - 30, scale__at(x, (double)q.p50),
		  base + 3);
	svg__line(out, "p99", scale__at(x, (double)q.p99), base - 30, scale__at(x, (double)q.p99),
		  base + 3);
	snprintf(label, sizeof(label), "n=%s \xc2\xb7 p50 %s \xc2\xb7 p99 %s \xc2\xb7 max %s", units__count(q.count, n),
		 units__duration(q.p50, p50), units__duration(q.p99, p99),
		 units__duration(q.max, max));
	svg__text(out, "t", x->low_at, top + 14, label);
	fputc('\n', out);
	return 0;
}

int chart__latency(FILE *out, const char *id, const struct panel *panel, enum latency_of what)
{
	size_t count = series_of(panel);
	double height = (double)count * LATENCY_ROW + 42;
	struct scale x = { 0, 0, 100, 424, 100, true };
	const char *thing = what == LATENCY_SPLIT ? "Split" : "TLBI";
	struct text text = { 0 };
	char title[160], number[UNITS_TEXT];
	int err = measure_latency(panel, what, &x);

	if (err)
		return err;
	add(&text, "Latency histogram of each run, %s time.", panel->time_basis);
	for (size_t i = 0; i < count; i++) {
		struct quantiles q = quantiles_of(panel->series[i].run, what);

		add(&text, " %s: %s samples", panel->series[i].label, units__count(q.count, number));
		if (q.count && q.count != UNKNOWN)
			add(&text, ", half within %s", units__duration(q.p50, number));
		add(&text, ".");
	}
	snprintf(title, sizeof(title), "%s latency, %s time: %s", thing, panel->time_basis,
		 panel->subject);
	svg__open(out, id, WIDTH, height, title, text.at);
	for (double at = x.low; at <= x.high * 1.001; at *= 10) {
		svg__line(out, "grid", scale__at(&x, at), 4, scale__at(&x, at), height - 34);
		svg__text(out, "t mid", scale__at(&x, at), height - 20,
			  units__duration((uint64_t)at, number));
	}
	snprintf(title, sizeof(title), "%s time (log)", panel->time_basis);
	svg__text(out, "t mid dim", 262, height - 4, title);
	for (size_t i = 0; !err && i < count; i++)
		err = put_latency_row(out, &panel->series[i], what, &x,
				      (double)i * LATENCY_ROW);
	svg__close(out);
	return err;
}
