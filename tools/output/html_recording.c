// SPDX-License-Identifier: GPL-2.0-only
/*
 * The section of one recording. Pictures have words and shapes beside colours, and the same
 * data as tables. What there are too many of is thinned out, and that is said.
 * Not here: comparing recordings.
 */
#include "html_board.h"

#include "svg.h"
#include "../model/histogram.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

/* More rows would be read by nobody. */
#define TABLE_ROWS 40
#define CHART_POINTS 200
#define LATENCIES_SHOWN 8
#define SHADES 6

#define WIDTH 900
#define LEFT 92
#define HEAT_LEFT 160
#define RIGHT 14

static void put_cell(FILE *out, const char *text)
{
	fprintf(out, "<td>%s</td>", text);
}

static void put_duration(FILE *out, uint64_t ns)
{
	char text[UNITS_TEXT];

	put_cell(out, units__duration(ns, text));
}

static void put_bytes(FILE *out, uint64_t bytes)
{
	char text[UNITS_TEXT];

	put_cell(out, units__bytes(bytes, text));
}

static void put_count(FILE *out, uint64_t count)
{
	char text[UNITS_TEXT];

	put_cell(out, units__count(count, text));
}

static void put_rate(FILE *out, uint64_t rate)
{
	char text[UNITS_TEXT];

	fprintf(out, "<td>%s%s</td>", units__bytes(rate, text), rate == UNKNOWN ? "" : "/s");
}

static void open_table(FILE *out, const char *label, const char *caption)
{
	fprintf(out, "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"%s\"><table class=\"tight\">\n<caption>",
		label);
	html__escape(out, caption);
	fputs("</caption>\n", out);
}

static void close_table(FILE *out)
{
	fputs("</tbody></table></div>\n", out);
}

/* Of more rows than are shown: the first and the last ones. */
static bool is_shown(size_t row, size_t count)
{
	return count <= TABLE_ROWS || row < TABLE_ROWS / 2 || row >= count - TABLE_ROWS / 2;
}

static void put_gap(FILE *out, size_t row, size_t count, unsigned int columns)
{
	if (count > TABLE_ROWS && row == TABLE_ROWS / 2)
		fprintf(out, "<tr><td class=\"l dim\" colspan=\"%u\">\xe2\x80\xa6 %zu more rows</td></tr>\n", columns,
			count - TABLE_ROWS);
}

static void say_thinned(FILE *out, const struct account_rows *rows)
{
	if (rows->stride > 1)
		fprintf(out, "<p class=\"note\">Thinned out: of %" PRIu64 " one in %zu was kept, from the first on.</p>\n",
			rows->seen, rows->stride);
}

/* ---- the timeline ------------------------------------------------------------------ */

static struct scale time_scale(const struct account *a)
{
	return (struct scale){ .low = 0, .high = fmax((double)(a->last_ns - a->first_ns), 1),
			       .low_at = LEFT, .high_at = WIDTH - RIGHT };
}

static double at_time(const struct account *a, const struct scale *scale, uint64_t t_ns)
{
	return scale__at(scale, t_ns > a->first_ns ? (double)(t_ns - a->first_ns) : 0);
}

static void put_time_axis(FILE *out, const struct scale *scale, double y, double top)
{
	double step = scale__step(scale->high / 1e9, 10, 8);
	char text[UNITS_TEXT];

	svg__line(out, "axis", LEFT, y, WIDTH - RIGHT, y);
	for (double s = 0; s * 1e9 <= scale->high * 1.0001; s += step) {
		double x = scale__at(scale, s * 1e9);

		svg__line(out, "grid", x, top, x, y);
		svg__text(out, s > 0 ? "t dim mid" : "t dim", x, y + 14,
			  s > 0 ? units__duration((uint64_t)(s * 1e9 + 0.5), text) : "0");
	}
}

static void put_span(FILE *out, const struct account *a, const struct scale *scale, const char *class,
		     uint64_t from, uint64_t to, double y, const char *what)
{
	double x = at_time(a, scale, from), end = at_time(a, scale, to);
	char tip[160], took[UNITS_TEXT];

	snprintf(tip, sizeof(tip), "%s: %s", what, units__duration(to > from ? to - from : 0, took));
	svg__bar(out, class, x, y, fmax(end - x, 2), 12, tip);
}

static const char *source_class(const char *source)
{
	if (!strncmp(source, "kvm", 3))
		return "s k4";
	return !strcmp(source, "device") ? "s k64" : "s off";
}

static unsigned int source_index(const struct account *a, const char *source)
{
	for (unsigned int i = 0; i < a->source_count; i++)
		if (!strcmp(a->sources[i].source, source))
			return i;
	return 0;
}

static void put_sync_marks(FILE *out, const struct account *a, const struct scale *scale, double top)
{
	const struct sync_row *rows = a->by_source.at;
	size_t every = a->by_source.count / CHART_POINTS + 1;

	for (size_t i = 0; i < a->by_source.count; i += every) {
		uint64_t took = rows[i].total_ns == UNKNOWN ? 0 : rows[i].total_ns;
		char tip[96];

		snprintf(tip, sizeof(tip), "iteration %" PRIu64 " of %s",
			 rows[i].iteration == UNKNOWN ? 0 : rows[i].iteration, rows[i].source);
		fprintf(out, "<g class=\"%s\">", source_class(rows[i].source));
		put_span(out, a, scale, "bar", rows[i].t_ns - took, rows[i].t_ns,
			 top + 18 * source_index(a, rows[i].source), tip);
		fputs("</g>", out);
	}
}

static void put_timeline(FILE *out, const struct account *a, const char *id)
{
	struct scale scale = time_scale(a);
	double y = 8 + 18, height;

	if (a->first_ns == UNKNOWN || a->last_ns <= a->first_ns)
		return;
	height = y + 18 * (double)a->source_count + (a->device_stop_ns != UNKNOWN ? 18 : 0) + 24;
	fputs("<h3>Timeline</h3>\n<figure class=\"wide\">", out);
	svg__open(out, id, WIDTH, height, "Timeline", "when tracking was on, when dirty state was read, and the blackout if it is in the recording");
	put_time_axis(out, &scale, height - 20, 4);
	svg__text(out, "t", 2, 18, "tracking");
	if (a->begin_ns != UNKNOWN)
		put_span(out, a, &scale, "truth", a->begin_ns,
			 a->finish_ns == UNKNOWN ? a->last_ns : a->finish_ns, 8, "tracking was on");
	for (size_t i = 0; i < a->source_count; i++)
		svg__text(out, "t", 2, y + 10 + 18 * (double)i, a->sources[i].source);
	put_sync_marks(out, a, &scale, y);
	if (a->device_stop_ns != UNKNOWN && a->destination_running_ns != UNKNOWN) {
		double at = y + 18 * (double)a->source_count;

		svg__text(out, "t miss b", 2, at + 10, "blackout");
		put_span(out, a, &scale, "miss", a->device_stop_ns, a->destination_running_ns, at, "blackout");
	}
	svg__close(out);
	fprintf(out, "<figcaption>Each mark of a source is the syncs of one iteration, at least 2 pixels wide.%s%s</figcaption></figure>\n",
		a->finish_ns == UNKNOWN && a->begin_ns != UNKNOWN ? " The end of tracking was not seen." : "",
		a->begin_seen == TRI_FALSE ? " Tracking was on already when the recording began." : "");
}

/* ---- iterations -------------------------------------------------------------------- */

static void put_iteration(FILE *out, const struct converge_row *r)
{
	fprintf(out, "<tr><th scope=\"row\">%" PRIu64 "</th>", r->iteration);
	put_duration(out, r->after_ns);
	put_count(out, r->syncs);
	put_duration(out, r->took_ns);
	put_bytes(out, r->remaining_bytes);
	put_rate(out, r->vcpu_rate);
	put_rate(out, r->dma_rate);
	put_rate(out, r->device_rate);
	put_rate(out, r->vhost_rate);
	put_bytes(out, r->sent_bytes);
	put_rate(out, r->transfer_rate);
	fputs("<td class=\"l\">", out);
	html__escape(out, r->verdict);
	fputs("</td>", out);
	put_duration(out, r->blackout_ns);
	fputs("</tr>\n", out);
}

static void put_iterations(FILE *out, const struct account *a)
{
	const struct converge_row *rows = a->iterations.at;

	if (!a->iterations.count)
		return;
	fputs("<h3>Iterations</h3>\n", out);
	open_table(out, "Iterations", "What was left after each round of syncs, who wrote it (vhost: at least), and how fast it was sent");
	fputs("<thead><tr class=\"over\"><td colspan=\"5\"></td><th colspan=\"4\" scope=\"colgroup\">written by, per second</th>"
	      "<th colspan=\"2\" scope=\"colgroup\">sent over TCP</th><td></td><th scope=\"colgroup\" class=\"e2\">predicted</th></tr>\n"
	      "<tr><th class=\"l\" scope=\"col\">iteration</th><th scope=\"col\">after</th><th scope=\"col\">syncs</th>"
	      "<th scope=\"col\">took</th><th scope=\"col\">remains</th><th scope=\"col\">vCPUs</th><th scope=\"col\">DMA</th>"
	      "<th scope=\"col\">device</th><th scope=\"col\">vhost</th><th scope=\"col\">bytes</th><th scope=\"col\">rate</th>"
	      "<th class=\"l\" scope=\"col\">verdict</th><th scope=\"col\">blackout</th></tr></thead>\n<tbody>\n", out);
	for (size_t i = 0; i < a->iterations.count; i++) {
		put_gap(out, i, a->iterations.count, 12);
		if (is_shown(i, a->iterations.count))
			put_iteration(out, &rows[i]);
	}
	close_table(out);
	say_thinned(out, &a->iterations);
}

static void put_source_row(FILE *out, const struct sync_row *r)
{
	fputs("<tr><th scope=\"row\">", out);
	html__escape(out, r->source);
	fputs(" <small>", out);
	html__escape(out, r->who);
	fputs("</small></th>", out);
	put_count(out, r->iteration);
	put_count(out, r->syncs);
	put_duration(out, r->total_ns);
	put_duration(out, r->walk_ns);
	put_duration(out, r->flush_ns);
	put_duration(out, r->clear_ns);
	put_bytes(out, r->dirty_bytes);
	for (int i = 0; i < UNIT_SIZES; i++)
		put_bytes(out, r->unit_bytes[i]);
	fputs("</tr>\n", out);
}

static void put_by_source(FILE *out, const struct account *a)
{
	const struct sync_row *rows = a->by_source.at;

	if (!a->by_source.count)
		return;
	fputs("<details open><summary>Iterations by source, and what each would have reported in coarser units</summary>\n", out);
	open_table(out, "Iterations by source", "Time of the syncs of each iteration, what they reported, and the bytes of all 4K, 64K, 2M and 1G units that hold a dirty page");
	fputs("<thead><tr><th class=\"l\" scope=\"col\">source</th><th scope=\"col\">iteration</th><th scope=\"col\">syncs</th>"
	      "<th scope=\"col\">time</th><th scope=\"col\">walk</th><th scope=\"col\">flush</th><th scope=\"col\">clear</th>"
	      "<th scope=\"col\">reported</th><th scope=\"col\">4K</th><th scope=\"col\">64K</th><th scope=\"col\">2M</th>"
	      "<th scope=\"col\">1G</th></tr></thead>\n<tbody>\n", out);
	for (size_t i = 0; i < a->by_source.count; i++) {
		put_gap(out, i, a->by_source.count, 12);
		if (is_shown(i, a->by_source.count))
			put_source_row(out, &rows[i]);
	}
	close_table(out);
	fputs("</details>\n", out);
	say_thinned(out, &a->by_source);
}

/* ---- what-if ----------------------------------------------------------------------- */

static void put_whatif_bars(FILE *out, const struct account_source *s, const char *id)
{
	static const char *const sizes[UNIT_SIZES] = { "4K", "64K", "2M", "1G" };
	static const char *const classes[UNIT_SIZES] = { "s k4", "s k64", "s m2", "s g1" };
	char text[UNITS_TEXT], line[96];
	double most = 1;

	for (int i = 0; i < UNIT_SIZES; i++)
		if (s->unit_from[i])
			most = fmax(most, (double)s->unit_bytes[i]);
	fputs("<figure class=\"wide\"><h4>", out);
	html__escape(out, s->source);
	fputs("</h4>", out);
	svg__open(out, id, WIDTH, 22 * UNIT_SIZES + 6, "What-if", "dirty bytes over all syncs in units of 4K, 64K, 2M and 1G");
	for (int i = 0; i < UNIT_SIZES; i++) {
		double y = 4 + 22 * (double)i, width = (double)s->unit_bytes[i] / most * (WIDTH - LEFT - 190);

		svg__text(out, "t b", 2, y + 12, sizes[i]);
		if (!s->unit_from[i]) {
			svg__text(out, "t dim", LEFT, y + 12, "not known: the recording has no finer or no such dirty state");
			continue;
		}
		fprintf(out, "<g class=\"%s\">", classes[i]);
		svg__bar(out, "bar", LEFT, y, fmax(width, 1), 15, NULL);
		fputs("</g>", out);
		if (s->unit_from[i] == s->syncs - s->failed)
			snprintf(line, sizeof(line), "%s", units__bytes(s->unit_bytes[i], text));
		else
			snprintf(line, sizeof(line), "%s, of %" PRIu64 " of %" PRIu64 " syncs",
				 units__bytes(s->unit_bytes[i], text), s->unit_from[i], s->syncs - s->failed);
		svg__text(out, "t", LEFT + fmax(width, 1) + 6, y + 12, line);
	}
	svg__close(out);
	fputs("</figure>\n", out);
}

static void put_whatif(FILE *out, const struct account *a, unsigned int number)
{
	char id[32];

	if (!a->source_count)
		return;
	fputs("<h3>What coarser granularities would report</h3>\n<p class=\"note\">Exact, not estimated: counted from the same dirty state, over all syncs. "
	      "What is larger than what was reported is what rounding to larger blocks would send besides.</p>\n", out);
	for (size_t i = 0; i < a->source_count; i++) {
		snprintf(id, sizeof(id), "r%u-w%zu", number, i);
		put_whatif_bars(out, &a->sources[i], id);
	}
}

/* ---- where the time of syncs went -------------------------------------------------- */

static void put_part(FILE *out, const char *class, const char *what, double *x, double share, uint64_t ns)
{
	char tip[96], text[UNITS_TEXT];
	double width = share * (WIDTH - LEFT - RIGHT);

	if (width <= 0)
		return;
	snprintf(tip, sizeof(tip), "%s %s", what, units__duration(ns, text));
	fprintf(out, "<g class=\"%s\">", class);
	svg__bar(out, "bar", *x, 3, fmax(width, 0.5), 18, tip);
	fputs("</g>", out);
	if (width > 7 * (double)strlen(tip))
		svg__text(out, "t b on", *x + 5, 16, tip);
	*x += width;
}

/* A walk's time has that of flushes within it in no record. */
static void put_time_bar(FILE *out, const struct account_source *s, const char *id)
{
	bool whole = s->walked == s->timed && s->flushed == s->timed;
	uint64_t known = (s->walked ? s->walk_ns : 0) + (s->flushed ? s->flush_ns : 0);
	uint64_t rest = s->total_ns > known ? s->total_ns - known : 0;
	double x = LEFT, all = fmax((double)(known + rest), 1);

	svg__open(out, id, WIDTH, 26, "Time of syncs", "table walk, waiting for the TLB, and the rest");
	svg__text(out, "t", 2, 16, s->source);
	if (s->walked)
		put_part(out, "s k4", "walk", &x, (double)s->walk_ns / all, s->walk_ns);
	if (s->flushed)
		put_part(out, "s m2", "TLB", &x, (double)s->flush_ns / all, s->flush_ns);
	put_part(out, "s other", whole ? "rest" : "not told apart", &x, (double)rest / all, rest);
	svg__close(out);
}

static void put_time_row(FILE *out, const struct account_source *s)
{
	uint64_t known = (s->walked ? s->walk_ns : 0) + (s->flushed ? s->flush_ns : 0);

	fputs("<tr><th scope=\"row\">", out);
	html__escape(out, s->source);
	fputs("</th>", out);
	put_count(out, s->syncs);
	put_count(out, s->failed);
	put_duration(out, s->timed ? s->total_ns : UNKNOWN);
	put_duration(out, s->walked ? s->walk_ns : UNKNOWN);
	put_duration(out, s->flushed ? s->flush_ns : UNKNOWN);
	put_duration(out, s->timed && s->total_ns >= known ? s->total_ns - known : UNKNOWN);
	put_duration(out, s->clears ? s->clear_ns : UNKNOWN);
	put_duration(out, s->count_ns);
	put_duration(out, account__percentile(s, 50));
	put_duration(out, account__percentile(s, 99));
	put_duration(out, s->timed ? s->longest_ns : UNKNOWN);
	fputs("</tr>\n", out);
}

static void put_times(FILE *out, const struct account *a, unsigned int number)
{
	char id[32];

	if (!a->source_count)
		return;
	fputs("<h3>Where the time of syncs went</h3>\n<figure class=\"wide\">", out);
	for (size_t i = 0; i < a->source_count; i++) {
		if (!a->sources[i].timed)
			continue;
		snprintf(id, sizeof(id), "r%u-s%zu", number, i);
		put_time_bar(out, &a->sources[i], id);
	}
	fputs("<figcaption>Walk: reading the tables, splits included. TLB: waiting for invalidations. Without a probe inside the kernel they are not told apart.</figcaption></figure>\n", out);
	open_table(out, "Time of syncs", "Clearing afterwards and hwdbm's own counting are besides the syncs. Percentiles are upper bounds, up to 25 % above the true value.");
	fputs("<thead><tr><th class=\"l\" scope=\"col\">source</th><th scope=\"col\">syncs</th><th scope=\"col\">failed</th>"
	      "<th scope=\"col\">time</th><th scope=\"col\">walk</th><th scope=\"col\">TLB</th><th scope=\"col\">rest</th>"
	      "<th scope=\"col\">clearing</th><th scope=\"col\">hwdbm</th><th scope=\"col\">p50</th><th scope=\"col\">p99</th>"
	      "<th scope=\"col\">max</th></tr></thead>\n<tbody>\n", out);
	for (size_t i = 0; i < a->source_count; i++)
		put_time_row(out, &a->sources[i]);
	close_table(out);
}

/* ---- histograms -------------------------------------------------------------------- */

struct bars {
	double from, to;		/* log2 of nanoseconds */
	uint64_t most;
};

static void put_histogram_axis(FILE *out, const struct bars *b, double left, double right, double y)
{
	double step = ceil((b->to - b->from) / 8);
	char text[UNITS_TEXT];

	svg__line(out, "axis", left, y, right, y);
	for (double at = b->from; at <= b->to + 0.01; at += fmax(step, 1))
		svg__text(out, at <= b->from ? "t dim" : at + step > b->to ? "t dim end" : "t dim mid",
			  left + (at - b->from) / fmax(b->to - b->from, 1) * (right - left), y + 14,
			  units__duration((uint64_t)exp2(at), text));
}

static double bar_at(const struct bars *b, double log, double left, double right)
{
	return left + (log - b->from) / fmax(b->to - b->from, 1) * (right - left);
}

/* Bounds and counts, ascending. */
static void put_histogram(FILE *out, const char *class, const char *id, const char *what,
			  const uint64_t *bounds, const uint64_t *counts, size_t count)
{
	struct bars b = { 64, 0, 0 };
	double left = 8, right = 428, base = 118;
	char tip[96], text[UNITS_TEXT], number[UNITS_TEXT];

	for (size_t i = 0; i < count; i++) {
		if (!counts[i])
			continue;
		b.from = fmin(b.from, floor(log2(fmax((double)bounds[i], 1))));
		b.to = fmax(b.to, ceil(log2((double)bounds[i] + 1)));
		b.most = counts[i] > b.most ? counts[i] : b.most;
	}
	fputs("<figure><h4>", out);
	html__escape(out, what);
	fputs("</h4>", out);
	svg__open(out, id, 440, 138, what, "number of times by duration, logarithmic");
	put_histogram_axis(out, &b, left, right, base);
	fprintf(out, "<g class=\"%s\">", class);
	for (size_t i = 0; i < count; i++) {
		double high = log2((double)bounds[i] + 1);
		double low = i ? log2((double)bounds[i - 1] + 1) : high - 1;
		double x, height;

		if (!counts[i])
			continue;
		low = fmax(low, b.from);
		x = bar_at(&b, low, left, right);
		height = fmax((double)counts[i] / (double)b.most * 108, 1);
		snprintf(tip, sizeof(tip), "up to %s: %s", units__duration(bounds[i], text),
			 units__count(counts[i], number));
		svg__bar(out, "bar", x, base - height, fmax(bar_at(&b, high, left, right) - x - 0.6, 1), height, tip);
	}
	fputs("</g>", out);
	svg__close(out);
	fputs("</figure>\n", out);
}

static void put_source_histogram(FILE *out, const struct account_source *s, const char *id)
{
	uint64_t bounds[ACCOUNT_BUCKETS];
	char title[64];

	for (unsigned int i = 0; i < ACCOUNT_BUCKETS; i++)
		bounds[i] = account__bucket_ns(i < 252 ? i : 251);
	snprintf(title, sizeof(title), "Syncs of %s", s->source);
	put_histogram(out, source_class(s->source), id, title, bounds, s->buckets, 252);
}

static void put_latency_histogram(FILE *out, const struct account_latency *l, const char *id)
{
	uint64_t bounds[ACCOUNT_BUCKETS], counts[ACCOUNT_BUCKETS];
	size_t count = l->histogram_ns.count < ACCOUNT_BUCKETS ? l->histogram_ns.count : ACCOUNT_BUCKETS;

	for (size_t i = 0; i < count; i++) {
		bounds[i] = l->histogram_ns.at[i].key;
		counts[i] = l->histogram_ns.at[i].value;
	}
	put_histogram(out, "s m2", id, l->what, bounds, counts, count);
}

static bool happened(const struct account_latency *l)
{
	return (l->count && l->count != UNKNOWN) || (l->failed && l->failed != UNKNOWN);
}

static void put_latency_table(FILE *out, const struct account *a)
{
	open_table(out, "Splits and TLB invalidations", "Splits, merges and TLB invalidations");
	fputs("<thead><tr><th class=\"l\" scope=\"col\">what</th><th scope=\"col\">count</th><th scope=\"col\">failed</th>"
	      "<th scope=\"col\">time</th><th scope=\"col\">p50</th><th scope=\"col\">p99</th><th scope=\"col\">max</th></tr></thead>\n<tbody>\n", out);
	for (size_t i = 0; i < a->latency_count; i++) {
		const struct account_latency *l = &a->latencies[i];

		put_gap(out, i, a->latency_count, 7);
		if (!is_shown(i, a->latency_count) || !happened(l))
			continue;
		fputs("<tr><th scope=\"row\">", out);
		html__escape(out, l->what);
		fputs("</th>", out);
		put_count(out, l->count);
		put_count(out, l->failed);
		put_duration(out, l->total_ns);
		put_duration(out, histogram__percentile(&l->histogram_ns, 50, l->max_ns));
		put_duration(out, histogram__percentile(&l->histogram_ns, 99, l->max_ns));
		put_duration(out, l->max_ns);
		fputs("</tr>\n", out);
	}
	close_table(out);
}

static void put_histograms(FILE *out, const struct account *a, unsigned int number)
{
	size_t shown = 0;
	char id[32];

	fputs("<h3>Histograms</h3>\n<div class=\"grid\">\n", out);
	for (size_t i = 0; i < a->source_count; i++) {
		snprintf(id, sizeof(id), "r%u-h%zu", number, i);
		if (a->sources[i].timed)
			put_source_histogram(out, &a->sources[i], id);
	}
	for (size_t i = 0; i < a->latency_count && shown < LATENCIES_SHOWN; i++) {
		if (!histogram__count(&a->latencies[i].histogram_ns))
			continue;
		snprintf(id, sizeof(id), "r%u-l%zu", number, i);
		put_latency_histogram(out, &a->latencies[i], id);
		shown++;
	}
	fputs("</div>\n", out);
	for (size_t i = 0; i < a->latency_count; i++)
		if (happened(&a->latencies[i])) {
			put_latency_table(out, a);
			break;
		}
}

/* ---- IOVA x time ------------------------------------------------------------------- */

static int shade_of(const struct heat_cell *cell)
{
	double share = cell->read > 0 ? cell->dirty / cell->read : -1;

	if (share < 0)
		return -1;
	if (share <= 0)
		return 0;
	/* Each shade is four times as dirty as the one before: up to 0.4, 1.6, 6.3, 25, 100 %. */
	for (int shade = 1; shade < SHADES - 1; shade++)
		if (share <= pow(4, shade - SHADES + 1))
			return shade;
	return SHADES - 1;
}

/* Rows with the same shades throughout are one line. */
struct heat_line {
	const struct heat_region *region;
	unsigned int row, rows;
	double y;
};

struct heat_grid {
	struct heat_line lines[HEAT_REGIONS * HEAT_ROWS];
	unsigned int count, columns;
	double width, height, bottom;
};

static bool same_shades(const struct heat_region *region, unsigned int a, unsigned int b)
{
	for (int column = 0; column < HEAT_COLUMNS; column++)
		if (shade_of(&region->cells[a][column]) != shade_of(&region->cells[b][column]))
			return false;
	return true;
}

static bool is_blank(const struct heat_region *region, unsigned int row)
{
	for (int column = 0; column < HEAT_COLUMNS; column++)
		if (region->cells[row][column].read > 0)
			return false;
	return true;
}

static void lay_out(struct heat_grid *grid, const struct heat *heat)
{
	grid->bottom = 4;
	grid->height = 16;
	grid->columns = heat__columns(heat);
	grid->width = floor(10 * (WIDTH - HEAT_LEFT - RIGHT) / (double)grid->columns) / 10;
	for (size_t i = 0; i < heat->count; i++) {
		const struct heat_region *region = &heat->regions[i];
		struct heat_line *line = NULL;

		for (unsigned int row = 0; row < heat__rows(region); row++) {
			if (is_blank(region, row)) {
				line = NULL;
			} else if (line && same_shades(region, line->row, row)) {
				line->rows++;
			} else {
				line = &grid->lines[grid->count++];
				*line = (struct heat_line){ region, row, 1, grid->bottom };
				grid->bottom += grid->height;
			}
		}
		grid->bottom += 6;
	}
}

/* All cells of a shade as one path; neighbours in a line as one rectangle. */
static void put_shade(FILE *out, const struct heat_grid *grid, int shade)
{
	bool open = false;

	for (unsigned int i = 0; i < grid->count; i++) {
		const struct heat_line *line = &grid->lines[i];

		for (unsigned int column = 0; column < grid->columns; column++) {
			unsigned int from = column;

			while (column < grid->columns &&
			       shade_of(&line->region->cells[line->row][column]) == shade)
				column++;
			if (column == from)
				continue;
			if (!open)
				fprintf(out, "<path class=\"h%d\" d=\"", shade);
			open = true;
			fprintf(out, "M%.4g %.4gh%.4gv%.4gh-%.4gz", HEAT_LEFT + from * grid->width, line->y,
				(column - from) * grid->width, grid->height - 1, (column - from) * grid->width);
		}
	}
	if (open)
		fputs("\"/>", out);
}

static void put_shade_key(FILE *out)
{
	static const char *const shades[SHADES] = {
		"clean", "up to 0.4 %", "1.6 %", "6.3 %", "25 %", "100 %",
	};

	fputs("<ul class=\"legend\">", out);
	for (int shade = 0; shade < SHADES; shade++)
		fprintf(out, "<li><svg class=\"key\" viewBox=\"0 0 10 10\" aria-hidden=\"true\"><path class=\"h%d\" d=\"M0 0h10v10H0z\"/></svg>%s</li>",
			shade, shades[shade]);
	fputs("<li>blank: not read then</li></ul>\n", out);
}

static void put_addresses(FILE *out, const struct heat_grid *grid, bool redacted)
{
	for (unsigned int i = 0; i < grid->count; i++) {
		const struct heat_line *line = &grid->lines[i];
		const struct heat_region *region = line->region;
		char line_text[3 * UNITS_TEXT], size[UNITS_TEXT];

		units__bytes(line->rows * region->row_bytes, size);
		if (redacted)
			snprintf(line_text, sizeof(line_text), "%s", size);
		else
			snprintf(line_text, sizeof(line_text), "0x%" PRIx64 " + %s",
				 region->address + line->row * region->row_bytes, size);
		svg__text(out, "t dim", 2, line->y + 12, line_text);
	}
}

static void put_heat(FILE *out, const struct dossier *d, const char *id)
{
	const struct heat *heat = &d->account.heat;
	struct heat_grid grid = { 0 };
	char ns[UNITS_TEXT];

	if (!heat->count)
		return;
	lay_out(&grid, heat);
	fputs("<h3>Dirty memory by address and time</h3>\n<figure class=\"wide\">", out);
	svg__open(out, id, WIDTH, grid.bottom + 14, "Dirty memory by address and time",
		  "each cell is the share of its memory that syncs have reported dirty");
	for (int shade = 0; shade < SHADES; shade++)
		put_shade(out, &grid, shade);
	put_addresses(out, &grid, d->redacted);
	svg__text(out, "t dim", HEAT_LEFT, grid.bottom + 8, "first sync");
	if (grid.columns > 1)
		svg__text(out, "t dim end", HEAT_LEFT + grid.columns * grid.width, grid.bottom + 8,
			  units__duration(grid.columns * heat->column_ns, ns));
	svg__close(out);
	put_shade_key(out);
	fprintf(out, "<figcaption>A line is a range of addresses (IOVA, or guest-physical of KVM's slots; of several domains or VMs together), a column %s. "
		"The shade is the mean share that the syncs of that time have reported dirty. A recording tells how much of a sync's range was dirty, not where in it: "
		"that is spread evenly over the range, and neighbours that look the same all the time are one line.</figcaption></figure>\n",
		units__duration(heat->column_ns, ns));
}

/* ---- settings and losses ----------------------------------------------------------- */

static void put_fact(FILE *out, const char *name, const char *value)
{
	fprintf(out, "<dt>%s</dt><dd>", name);
	html__escape(out, *value ? value : "not recorded");
	fputs("</dd>\n", out);
}

static void put_settings(FILE *out, const struct account *a)
{
	fputs("<h3>Settings</h3>\n<dl>", out);
	for (int s = 0; s < SETTINGS; s++)
		put_fact(out, account__setting_name(s), a->settings[s]);
	put_fact(out, "machine", a->header.host_machine);
	put_fact(out, "host", a->header.host_name);
	put_fact(out, "clock", a->header.clock);
	for (size_t i = 0; i < a->header.probes.count; i++) {
		fputs("<dt>probe for ", out);
		html__escape(out, a->header.probes.at[i].name);
		fputs("</dt><dd><code>", out);
		html__escape(out, a->header.probes.at[i].text);
		fputs("</code></dd>\n", out);
	}
	fputs("</dl>\n", out);
}

static void put_losses(FILE *out, const struct account *a)
{
	char text[UNITS_TEXT];
	bool any = false;

	fputs("<h3>Losses</h3>\n<p>", out);
	if (!a->has_end) {
		fputs("Not known: the recording has no end.</p>\n", out);
		return;
	}
	for (size_t i = 0; i < a->end.lost.count; i++) {
		if (!a->end.lost.at[i].number)
			continue;
		fprintf(out, "%s<b>%s</b> at ", any ? ", " : "", units__count(a->end.lost.at[i].number, text));
		html__escape(out, a->end.lost.at[i].name);
		any = true;
	}
	fprintf(out, any ? " (events lost, by place).</p>\n" : "No event was lost, at any of %zu places that count.</p>\n",
		a->end.lost.count);
}

static void put_failure(FILE *out, const struct account *a)
{
	const char *failure = account__failure(a);

	if (!failure)
		return;
	fputs("<div class=\"alert\"><p><strong>It did not complete:</strong> ", out);
	html__escape(out, failure);
	fputs("</p></div>\n", out);
}

void html_recording__put(FILE *out, const struct dossier *d, unsigned int number)
{
	const struct account *a = &d->account;
	char id[32];

	fprintf(out, "<section>\n<h2 id=\"r%u\">", number);
	html__escape(out, d->name);
	fputs(" <span class=\"badge\">", out);
	html__escape(out, *a->header.time_basis ? a->header.time_basis : "unknown");
	fputs(" time</span></h2>\n", out);
	put_failure(out, a);
	snprintf(id, sizeof(id), "r%u-t", number);
	put_timeline(out, a, id);
	snprintf(id, sizeof(id), "r%u-b", number);
	if (d->blackout)
		html_blackout__put(out, d->blackout, id);
	put_iterations(out, a);
	put_by_source(out, a);
	put_whatif(out, a, number);
	put_times(out, a, number);
	if (a->source_count || a->latency_count)
		put_histograms(out, a, number);
	snprintf(id, sizeof(id), "r%u-m", number);
	put_heat(out, d, id);
	put_settings(out, a);
	put_losses(out, a);
	fputs("</section>\n", out);
}
