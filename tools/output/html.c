// SPDX-License-Identifier: GPL-2.0-only
/*
 * The page: the answer first, then all runs, then each workload with its pictures and
 * the same data as tables, then where it all comes from. Durations stand apart from
 * everything else, because in an emulated machine they mean little. Not here: the
 * pictures (charts.c), looks (report.css).
 */
#include "html.h"
#include "charts.h"
#include "html_board.h"
#include "svg.h"
#include "units.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A difference in bytes sent smaller than this is none; as in the answer. */
#define SAME_WITHIN 0.02

/* Columns of a table of iterations; more would be read by nobody. */
#define ITERATION_COLUMNS 40

static const char style[] =
#include "report.css.inc"
	;

struct row {
	struct series series;
	size_t order;		/* of its workload's first run */
	size_t index;		/* in the caller's array */
};

struct page {
	FILE *out;
	struct row *rows;
	size_t count;
	unsigned int pictures;
	bool is_part;			/* of a report that has a heading of its own */
};

/* Rows [first, end) that share a workload, and a backing size where that is asked for. */
struct span {
	size_t first, end;
};

/* ---- order and groups -------------------------------------------------------------- */

static const struct run_result *result_of(const struct page *page, size_t row)
{
	return &page->rows[row].series.run->result;
}

static int rank(const struct run *run)
{
	if (!run__splits(run))
		return run->result.kernel_patched == TRI_FALSE ? 0 : 1;
	return 2;
}

/* Larger first; unknown before all. */
static int descending(uint64_t a, uint64_t b)
{
	return a > b ? -1 : a < b;
}

static int compare_rows(const void *left, const void *right)
{
	const struct row *a = left, *b = right;
	const struct run_result *ra = &a->series.run->result, *rb = &b->series.run->result;
	int order = descending(b->order, a->order);

	order = order ?: descending(ra->backing_bytes, rb->backing_bytes);
	order = order ?: rank(a->series.run) - rank(b->series.run);
	order = order ?: descending(ra->granularity_bytes, rb->granularity_bytes);
	order = order ?: a->series.lazy - b->series.lazy;
	return order ?: descending(b->index, a->index);
}

static size_t first_of_workload(struct run *const *runs, size_t index)
{
	for (size_t i = 0; i < index; i++)
		if (!strcmp(runs[i]->result.workload_name, runs[index]->result.workload_name))
			return i;
	return index;
}

/* A run's name as its label; the workload that ends it is the picture's title already. */
static void label_by_name(struct series *series)
{
	const struct run_result *r = &series->run->result;
	size_t name = strlen(r->name), workload = strlen(r->workload_name);

	if (workload && name > workload + 1 && r->name[name - workload - 1] == '-' &&
	    !strcmp(r->name + name - workload, r->workload_name))
		name -= workload + 1;
	snprintf(series->label, sizeof(series->label), "%.*s", (int)name, r->name);
}

/* Runs that look alike in one picture get their own names there. */
static void tell_apart(struct page *page)
{
	for (size_t i = 0; i < page->count; i++) {
		struct series *series = &page->rows[i].series;
		const struct run_result *r = &series->run->result;
		bool twin = !r->workload_name[0];

		for (size_t k = 0; k < page->count && !twin; k++)
			twin = k != i && page->rows[k].order == page->rows[i].order &&
			       result_of(page, k)->backing_bytes == r->backing_bytes &&
			       rank(page->rows[k].series.run) == rank(series->run) &&
			       result_of(page, k)->granularity_bytes == r->granularity_bytes &&
			       !strcmp(result_of(page, k)->split_mode, r->split_mode);
		if (twin && r->name[0])
			label_by_name(series);
	}
}

static struct span next_workload(const struct page *page, size_t first)
{
	struct span span = { first, first };

	while (span.end < page->count && page->rows[span.end].order == page->rows[first].order)
		span.end++;
	return span;
}

static struct span next_backing(const struct page *page, struct span workload, size_t first)
{
	struct span span = { first, first };

	while (span.end < workload.end &&
	       result_of(page, span.end)->backing_bytes == result_of(page, first)->backing_bytes)
		span.end++;
	return span;
}

static const char *workload_text(const struct run_result *r)
{
	return r->workload_name[0] ? r->workload_name : "recorded migration";
}

/* ---- text -------------------------------------------------------------------------- */

static void put_key(FILE *out, const struct series *series)
{
	char classes[32];

	fprintf(out, "<svg class=\"key %s\" viewBox=\"-6 -6 12 12\" aria-hidden=\"true\">"
		"<use href=\"#%s\"/></svg>", series__classes(series, classes), series->mark);
}

static void put_label(FILE *out, const struct series *series)
{
	put_key(out, series);
	html__escape(out, series->label);
}

static void put_badge(FILE *out, const char *time_basis)
{
	fputs("<span class=\"badge\">", out);
	html__escape(out, time_basis[0] ? time_basis : "unknown");
	fputs(" time</span>", out);
}

static bool every_basis_is(const struct page *page, struct span span, const char *basis)
{
	for (size_t i = span.first; i < span.end; i++)
		if (strcmp(result_of(page, i)->time_basis, basis))
			return false;
	return true;
}

static void put_head(const struct page *page)
{
	FILE *out = page->out;

	fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
	      "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
	      "<meta name=\"color-scheme\" content=\"light dark\">\n"
	      "<meta name=\"generator\" content=\"hwdbm report\">\n"
	      "<title>hwdbm: dirty tracking by granularity</title>\n<style>\n", out);
	fputs(style, out);
	fputs("</style>\n</head>\n<body>\n", out);
	svg__marks(out);
}

/* A kernel that nobody gave a name calls itself "(none)". */
static const char *host_text(const struct run_result *r)
{
	return r->host_name[0] && strcmp(r->host_name, "(none)") ? r->host_name :
								   "an unnamed host";
}

static void put_title(const struct page *page)
{
	FILE *out = page->out;
	struct span all = { 0, page->count };
	char count[UNITS_TEXT];

	fprintf(out, "<header>\n<%s>What finer dirty tracking buys, and what it costs</%s>\n",
		page->is_part ? "h2" : "h1", page->is_part ? "h2" : "h1");
	if (!page->count) {
		fputs("<p>There are no runs in this report.</p>\n</header>\n", out);
		return;
	}
	fprintf(out, "<p class=\"sub\">%s run%s on ", units__count(page->count, count),
		page->count == 1 ? "" : "s");
	html__escape(out, host_text(result_of(page, 0)));
	fputs(" (", out);
	html__escape(out, result_of(page, 0)->host_machine[0] ?
		     result_of(page, 0)->host_machine : "machine not recorded");
	fputs("), Linux ", out);
	html__escape(out, result_of(page, 0)->kernel_release[0] ?
		     result_of(page, 0)->kernel_release : "of unknown release");
	fputs(". ", out);
	if (every_basis_is(page, all, result_of(page, 0)->time_basis))
		put_badge(out, result_of(page, 0)->time_basis);
	else
		fputs("<span class=\"badge\">several time bases</span>", out);
	if (every_basis_is(page, all, "emulated"))
		fputs(" Counts and bytes are exact; durations are those of an emulated machine "
		      "and stand apart.", out);
	fputs("</p>\n</header>\n", out);
}

/* The gain, the price, the losses: one paragraph for each sentence. */
static void put_answer(FILE *out, const char *answer)
{
	const char *end;

	fputs("<div class=\"answer\">\n", out);
	for (; *answer; answer = end) {
		end = strstr(answer, ". ");
		end = end ? end + 2 : answer + strlen(answer);
		fputs("<p>", out);
		html__escape_part(out, answer, (size_t)(end - answer));
		fputs("</p>\n", out);
	}
	fputs("</div>\n", out);
}

/* ---- alerts ------------------------------------------------------------------------ */

static void put_missed_list(const struct page *page, enum tristate patched)
{
	FILE *out = page->out;
	char count[UNITS_TEXT], leaf[UNITS_TEXT];
	bool any = false;

	for (size_t i = 0; i < page->count; i++) {
		const struct run_result *r = result_of(page, i);

		if (r->missed_pages == UNKNOWN || !r->missed_pages ||
		    (r->kernel_patched == TRI_TRUE) != (patched == TRI_TRUE))
			continue;
		fputs(any ? "; " : "", out);
		html__escape(out, workload_text(r));
		fprintf(out, " on %s: <b>%s</b>", units__leaf(r->backing_bytes, leaf),
			units__count(r->missed_pages, count));
		any = true;
	}
	fputs(".</p>\n", out);
}

static uint64_t sum_missed(const struct page *page, enum tristate patched)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < page->count; i++) {
		const struct run_result *r = result_of(page, i);

		if (r->missed_pages != UNKNOWN &&
		    (r->kernel_patched == TRI_TRUE) == (patched == TRI_TRUE))
			sum += r->missed_pages;
	}
	return sum;
}

static size_t count_differing(const struct page *page)
{
	size_t differing = 0;

	for (size_t i = 0; i < page->count; i++)
		differing += result_of(page, i)->kernel_patched != TRI_TRUE &&
			     result_of(page, i)->memory_identical == TRI_FALSE;
	return differing;
}

static void put_missed(const struct page *page)
{
	uint64_t stock = sum_missed(page, TRI_FALSE), patched = sum_missed(page, TRI_TRUE);
	FILE *out = page->out;
	char count[UNITS_TEXT];

	if (stock) {
		fprintf(out, "<div class=\"alert\"><p><strong>The stock kernel missed %s dirty page%s.</strong> "
			"Its SMMUv3 driver clears dirty state without invalidating the TLB: a later write "
			"through a cached dirty entry leaves no mark in the table, so no sync reports it. "
			"In %zu of these runs the destination ended with old data.</p>\n<p>Missed pages: ",
			units__count(stock, count), stock == 1 ? "" : "s", count_differing(page));
		put_missed_list(page, TRI_FALSE);
		fputs("</div>\n", out);
	}
	if (patched) {
		fprintf(out, "<div class=\"alert\"><p><strong>The patched kernel missed %s dirty page%s.</strong> "
			"It should miss none: this is a defect, and these results are not to be relied "
			"on.</p>\n<p>Missed pages: ", units__count(patched, count),
			patched == 1 ? "" : "s");
		put_missed_list(page, TRI_TRUE);
		fputs("</div>\n", out);
	}
}

static void put_fault(FILE *out, const struct run_result *r, const char *what, const char *text)
{
	fputs("<p><code>", out);
	html__escape(out, r->name[0] ? r->name : "recording");
	fprintf(out, "</code>: <strong>%s</strong> ", what);
	html__escape(out, text);
	fputs("</p>\n", out);
}

static void put_faults(const struct page *page)
{
	FILE *out = page->out;
	char count[UNITS_TEXT];
	size_t unsound = 0;

	for (size_t i = 0; i < page->count; i++)
		unsound += !run__is_sound(page->rows[i].series.run);
	if (!unsound)
		return;
	fprintf(out, "<div class=\"alert\"><p><strong>%s run%s not sound.</strong></p>\n",
		units__count(unsound, count), unsound == 1 ? " is" : "s are");
	for (size_t i = 0; i < page->count; i++) {
		const struct run_result *r = result_of(page, i);

		if (r->error[0])
			put_fault(out, r, "did not complete:", r->error);
		if (r->disagreement[0])
			put_fault(out, r, "accounts differ:", r->disagreement);
		if (r->events_lost != UNKNOWN && r->events_lost)
			put_fault(out, r, "events lost:", units__count(r->events_lost, count));
	}
	fputs("</div>\n", out);
}

/* ---- gain and price at a glance ---------------------------------------------------- */

static bool comparable(const struct run_result *a, const struct run_result *b)
{
	return a->memory_bytes == b->memory_bytes && a->workload_seed == b->workload_seed &&
	       !strcmp(a->time_basis, b->time_basis) && a->sent_bytes != UNKNOWN &&
	       b->sent_bytes != UNKNOWN && !a->error[0] && !b->error[0];
}

/* The patched kernel left off, and the split run that sent least (then: built fewest tables). */
static bool choose(const struct page *page, struct span span, size_t *off, size_t *split)
{
	bool have_off = false, have_split = false;

	for (size_t i = span.first; i < span.end; i++)
		if (rank(page->rows[i].series.run) == 1 && !have_off) {
			*off = i;
			have_off = true;
		}
	for (size_t i = span.first; have_off && i < span.end; i++) {
		const struct run_result *r = result_of(page, i), *best;

		if (rank(page->rows[i].series.run) != 2 || !comparable(r, result_of(page, *off)))
			continue;
		best = have_split ? result_of(page, *split) : NULL;
		if (best && (r->sent_bytes > best->sent_bytes ||
			     (r->sent_bytes == best->sent_bytes &&
			      r->split_tables >= best->split_tables)))
			continue;
		*split = i;
		have_split = true;
	}
	return have_split;
}

static void put_bars(FILE *out, const struct series *off, const struct series *split,
		     double whole)
{
	const struct series *both[] = { off, split };
	char classes[32];

	fputs("<svg class=\"bars\" viewBox=\"0 0 130 26\" aria-hidden=\"true\">", out);
	for (int i = 0; i < 2; i++) {
		fprintf(out, "<g class=\"%s\">", series__classes(both[i], classes));
		svg__bar(out, "bar", 1, i ? 14 : 2,
			 fmax(126 * (double)both[i]->run->result.sent_bytes / whole, 1), 10, NULL);
		fputs("</g>", out);
	}
	fputs("</svg>", out);
}

static void put_glance_row(const struct page *page, size_t off, size_t split, double whole)
{
	const struct series *before = &page->rows[off].series, *after = &page->rows[split].series;
	const struct run_result *a = &before->run->result, *b = &after->run->result;
	double share = a->sent_bytes ? (double)b->sent_bytes / (double)a->sent_bytes : 1;
	char one[UNITS_TEXT], two[UNITS_TEXT];
	FILE *out = page->out;

	fputs("<tr><th scope=\"row\">", out);
	html__escape(out, workload_text(a));
	fprintf(out, "</th><td>%s</td><td class=\"l\">", units__leaf(a->backing_bytes, one));
	put_label(out, after);
	fputs("</td><td class=\"l\">", out);
	put_bars(out, before, after, whole);
	fprintf(out, "%s &rarr; %s</td>", units__bytes(a->sent_bytes, one),
		units__bytes(b->sent_bytes, two));
	if (share <= 1 - SAME_WITHIN)
		fprintf(out, "<td class=\"l win\">%.0f %% less</td>", (1 - share) * 100);
	else
		fprintf(out, "<td class=\"l lose\">loses: %s</td>",
			share > 1 + SAME_WITHIN ? "more sent" : "no less sent");
	fprintf(out, "<td>%s &rarr; %s</td>", units__ratio(a->amplification, one),
		units__ratio(b->amplification, two));
	fprintf(out, "<td>%s</td>", units__count(b->split_operations, one));
	fprintf(out, "<td>%s</td>", units__count(b->split_tables, one));
	fprintf(out, "<td>%s &rarr; %s</td>", units__count(a->tlb_invalidations, one),
		units__count(b->tlb_invalidations, two));
	fprintf(out, "<td>%s &rarr; %s</td>", units__ratio(b->misses_before, one),
		units__ratio(b->misses_after, two));
	fprintf(out, "<td>%s &rarr; %s</td></tr>\n", units__ratio(b->reads_before, one),
		units__ratio(b->reads_after, two));
}

static void put_glance_rows(const struct page *page, double whole)
{
	struct span workload, backing;
	size_t off, split;

	for (size_t i = 0; i < page->count; i = workload.end) {
		workload = next_workload(page, i);
		for (size_t k = i; k < workload.end; k = backing.end) {
			backing = next_backing(page, workload, k);
			if (choose(page, backing, &off, &split))
				put_glance_row(page, off, split, whole);
		}
	}
}

static double most_sent(const struct page *page, size_t *comparisons)
{
	struct span workload, backing;
	size_t off, split;
	double most = 1;

	*comparisons = 0;
	for (size_t i = 0; i < page->count; i = workload.end) {
		workload = next_workload(page, i);
		for (size_t k = i; k < workload.end; k = backing.end) {
			backing = next_backing(page, workload, k);
			if (!choose(page, backing, &off, &split))
				continue;
			(*comparisons)++;
			most = fmax(most, (double)result_of(page, off)->sent_bytes);
			most = fmax(most, (double)result_of(page, split)->sent_bytes);
		}
	}
	return most;
}

static void put_glance(const struct page *page)
{
	FILE *out = page->out;
	size_t comparisons;
	double whole = most_sent(page, &comparisons);

	if (!comparisons)
		return;
	fputs("<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Gain and price\">\n<table>\n"
	      "<caption>The same patched kernel with splitting off &rarr; with the split that sent least."
	      "</caption>\n<thead><tr class=\"over\"><th colspan=\"3\"></th>"
	      "<th colspan=\"3\">gain</th><th colspan=\"3\">price: work</th>"
	      "<th colspan=\"2\">IOTLB, per 1,000 DMA</th></tr>\n"
	      "<tr><th class=\"l\">workload</th><th>blocks</th><th class=\"l\">best split</th>"
	      "<th class=\"l\">sent</th><th class=\"l\"></th><th>amplification</th><th>splits</th>"
	      "<th>tables</th><th>TLBIs</th><th>misses</th>"
	      "<th>reads</th></tr></thead>\n<tbody>\n", out);
	put_glance_rows(page, whole);
	fputs("</tbody></table></div>\n", out);
}

/* ---- the legend -------------------------------------------------------------------- */

static bool same_look(const struct series *a, const struct series *b)
{
	return !strcmp(a->colour, b->colour) && a->lazy == b->lazy;
}

static void put_legend(const struct page *page)
{
	FILE *out = page->out;

	fputs("<ul class=\"legend\">\n", out);
	for (size_t i = 0; i < page->count; i++) {
		struct series series;
		bool seen = false;

		for (size_t k = 0; k < i && !seen; k++)
			seen = same_look(&page->rows[k].series, &page->rows[i].series);
		if (seen)
			continue;
		series__describe(&series, page->rows[i].series.run);
		fputs("<li>", out);
		put_label(out, &series);
		fputs("</li>\n", out);
	}
	fputs("</ul>\n<p class=\"note\">Colour and shape say the granularity; filled and solid is eager, "
	      "hollow and dashed is lazy. A red ring marks a sync that missed pages.</p>\n", out);
}

static void put_navigation(const struct page *page)
{
	FILE *out = page->out;
	struct span workload;
	unsigned int number = 1;

	fputs("<nav aria-label=\"Contents\"><a href=\"#runs\">All runs</a>\n", out);
	for (size_t i = 0; i < page->count; i = workload.end, number++) {
		workload = next_workload(page, i);
		fprintf(out, "<a href=\"#w%u\">", number);
		html__escape(out, workload_text(result_of(page, i)));
		fputs("</a>\n", out);
	}
	fputs("<a href=\"#origin\">Where this comes from</a></nav>\n", out);
}

/* ---- tables of runs, made from the field table ------------------------------------- */

typedef bool field_filter(const struct field *field);

static bool is_duration(const struct field *field)
{
	return field->unit == UNIT_NS || strstr(field->name, "latency_ns");
}

static bool is_gain(const struct field *field)
{
	return field->heading && field->group == GROUP_GAIN && !is_duration(field);
}

static bool is_price(const struct field *field)
{
	return field->heading && field->group == GROUP_PRICE && !is_duration(field);
}

static bool is_timed(const struct field *field)
{
	return is_duration(field);
}

/* "split.latency_ns.p50": "split". */
static size_t family(const struct field *field)
{
	return strcspn(field->name, ".");
}

static bool same_family(const struct field *a, const struct field *b)
{
	return a->name[family(a)] && family(a) == family(b) &&
	       !strncmp(a->name, b->name, family(a));
}

static const struct field *next_field(field_filter *wanted, const struct field *after)
{
	const struct field *end = run_table.fields + run_table.count;

	for (const struct field *f = after ? after + 1 : run_table.fields; f < end; f++)
		if (wanted(f))
			return f;
	return NULL;
}

static void put_families(FILE *out, field_filter *wanted)
{
	const struct field *field = next_field(wanted, NULL);

	fputs("<tr class=\"over\"><td></td>", out);
	while (field) {
		const struct field *next = next_field(wanted, field);
		unsigned int span = 1;

		for (; next && same_family(field, next); span++)
			next = next_field(wanted, next);
		fprintf(out, "<th colspan=\"%u\" scope=\"colgroup\">%.*s</th>", span,
			field->name[family(field)] ? (int)family(field) : 0, field->name);
		field = next;
	}
	fputs("</tr>\n", out);
}

static void put_headings(FILE *out, field_filter *wanted)
{
	fputs("<tr><th class=\"l\" scope=\"col\">run</th>", out);
	for (const struct field *f = next_field(wanted, NULL); f; f = next_field(wanted, f)) {
		const char *last = strrchr(f->name, '.');

		fputs("<th scope=\"col\" title=\"", out);
		html__escape(out, f->description);
		fputs("\">", out);
		html__escape(out, f->heading ? f->heading : last ? last + 1 : f->name);
		fputs("</th>", out);
	}
	fputs("</tr>\n", out);
}

static unsigned int count_fields(field_filter *wanted)
{
	unsigned int count = 0;

	for (const struct field *f = next_field(wanted, NULL); f; f = next_field(wanted, f))
		count++;
	return count;
}

static bool is_bad(const struct field *field, const struct run_result *r)
{
	uint64_t value = field__u64(field, r);

	if (!strcmp(field->name, "missed_pages") || !strcmp(field->name, "events_lost"))
		return value != UNKNOWN && value;
	return !strcmp(field->name, "memory_identical") && !value;
}

static void put_run_row(const struct page *page, size_t row, field_filter *wanted)
{
	const struct run_result *r = result_of(page, row);
	FILE *out = page->out;
	char text[UNITS_TEXT];

	fputs("<tr><th scope=\"row\"", out);
	if (r->name[0]) {
		fputs(" title=\"", out);
		html__escape(out, r->name);
		fputc('"', out);
	}
	fputc('>', out);
	put_label(out, &page->rows[row].series);
	fputs("</th>", out);
	for (const struct field *f = next_field(wanted, NULL); f; f = next_field(wanted, f)) {
		fputs(is_bad(f, r) ? "<td class=\"bad\">" : "<td>", out);
		html__escape(out, units__field(f, r, text));
		fputs("</td>", out);
	}
	fputs("</tr>\n", out);
}

static void put_band(FILE *out, const struct run_result *r, unsigned int columns)
{
	char leaf[UNITS_TEXT];

	fprintf(out, "<tr class=\"band\"><th colspan=\"%u\" scope=\"rowgroup\">", columns + 1);
	html__escape(out, workload_text(r));
	fprintf(out, ", %s blocks</th></tr>\n", units__leaf(r->backing_bytes, leaf));
}

static void put_run_table(const struct page *page, struct span span, field_filter *wanted,
			  const char *caption)
{
	FILE *out = page->out;
	struct span workload, backing;

	fprintf(out, "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"%s\">\n"
		"<table>\n<caption>%s</caption>\n<thead>\n", caption, caption);
	put_families(out, wanted);
	put_headings(out, wanted);
	fputs("</thead>\n", out);
	for (size_t i = span.first; i < span.end; i = workload.end) {
		workload = next_workload(page, i);
		for (size_t k = i; k < workload.end; k = backing.end) {
			backing = next_backing(page, workload, k);
			fputs("<tbody>\n", out);
			put_band(out, result_of(page, k), count_fields(wanted));
			for (size_t row = k; row < backing.end; row++)
				put_run_row(page, row, wanted);
			fputs("</tbody>\n", out);
		}
	}
	fputs("</table></div>\n", out);
}

static void put_runs(const struct page *page)
{
	struct span all = { 0, page->count };

	fputs("<h2 id=\"runs\">All runs</h2>\n", page->out);
	put_run_table(page, all, is_gain, "Gain: what is reported, sent and missed");
	put_run_table(page, all, is_price,
		      "Price: tables, split and TLBI work, IOTLB misses and descriptor reads per 1,000 DMA");
}

/* ---- one workload ------------------------------------------------------------------ */

enum picture {
	PICTURE_DIRTY, PICTURE_AMPLIFICATION, PICTURE_SENT, PICTURE_IOTLB,
	PICTURE_SPLIT_LATENCY, PICTURE_TLB_LATENCY,
};

static int draw(FILE *out, enum picture what, const char *id, const struct panel *panel)
{
	switch (what) {
	case PICTURE_DIRTY:
		return chart__dirty(out, id, panel);
	case PICTURE_AMPLIFICATION:
		return chart__amplification(out, id, panel);
	case PICTURE_SENT:
		return chart__sent(out, id, panel);
	case PICTURE_IOTLB:
		return chart__iotlb(out, id, panel);
	case PICTURE_SPLIT_LATENCY:
		return chart__latency(out, id, panel, LATENCY_SPLIT);
	case PICTURE_TLB_LATENCY:
		return chart__latency(out, id, panel, LATENCY_TLB);
	}
	return -EINVAL;
}

/* Latencies of what was counted; a recording without an end has none. */
static bool has_any(uint64_t count)
{
	return count && count != UNKNOWN;
}

static bool belongs(enum picture what, const struct run *run, const char *basis)
{
	if (what == PICTURE_SPLIT_LATENCY && !has_any(run->result.split_count))
		return false;
	if (what == PICTURE_SPLIT_LATENCY || what == PICTURE_TLB_LATENCY)
		return !strcmp(run->result.time_basis, basis);
	return true;
}

/* One picture of one backing size; nothing if none of its runs has a place in it. */
static int put_picture(struct page *page, struct span backing, enum picture what,
		       const char *basis)
{
	struct series *series = calloc(backing.end - backing.first, sizeof(*series));
	const struct run_result *r = result_of(page, backing.first);
	char subject[80], id[16], leaf[UNITS_TEXT];
	struct panel panel = { .series = series, .subject = subject, .time_basis = basis };
	int err = 0;

	if (!series)
		return -ENOMEM;
	for (size_t i = backing.first; i < backing.end; i++)
		if (belongs(what, page->rows[i].series.run, basis))
			series[panel.count++] = page->rows[i].series;
	snprintf(subject, sizeof(subject), "%s, %s blocks", workload_text(r),
		 units__leaf(r->backing_bytes, leaf));
	snprintf(id, sizeof(id), "p%u", ++page->pictures);
	if (panel.count) {
		fprintf(page->out, "<figure><h4>%s blocks</h4>", leaf);
		err = draw(page->out, what, id, &panel);
		fputs("</figure>\n", page->out);
	}
	free(series);
	return err;
}

static int put_pictures(struct page *page, struct span workload, enum picture what,
			const char *basis)
{
	struct span backing;
	int err = 0;

	fputs("<div class=\"grid\">\n", page->out);
	for (size_t i = workload.first; !err && i < workload.end; i = backing.end) {
		backing = next_backing(page, workload, i);
		err = put_picture(page, backing, what, basis);
	}
	fputs("</div>\n", page->out);
	return err;
}

static uint64_t last_iteration(const struct page *page, struct span span)
{
	struct pass passes[PASSES_MAX];
	uint64_t last = 0;

	for (size_t i = span.first; i < span.end; i++) {
		size_t count = passes__collect(page->rows[i].series.run, passes);

		if (count && passes[count - 1].iteration > last)
			last = passes[count - 1].iteration;
	}
	return last;
}

static const struct pass *find_pass(const struct pass *passes, size_t count, uint64_t iteration)
{
	for (size_t i = 0; i < count; i++)
		if (passes[i].iteration == iteration)
			return &passes[i];
	return NULL;
}

static void put_pass(FILE *out, const struct pass *pass)
{
	bool bad = pass && pass->missed_pages != UNKNOWN && pass->missed_pages;
	char dirty[UNITS_TEXT], truth[UNITS_TEXT], text[UNITS_TEXT];

	if (!pass) {
		fputs("<td></td>", out);
		return;
	}
	fprintf(out, "<td%s>", bad ? " class=\"bad\"" : "");
	if (pass->dirty_bytes != UNKNOWN)
		fprintf(out, "%s / %s", units__bytes(pass->dirty_bytes, dirty),
			units__bytes(pass->true_bytes, truth));
	if (bad)
		fprintf(out, ", missed %s", units__count(pass->missed_pages, text));
	fprintf(out, "<br><small>sent %s</small></td>", units__bytes(pass->sent_bytes, text));
}

static void put_passes(const struct page *page, struct span workload)
{
	FILE *out = page->out;
	uint64_t last = last_iteration(page, workload);
	uint64_t shown = last < ITERATION_COLUMNS ? last : ITERATION_COLUMNS;
	struct pass passes[PASSES_MAX];
	char leaf[UNITS_TEXT];

	fputs("<details><summary>The data of these pictures: dirty bytes by iteration</summary>\n"
	      "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Dirty bytes by iteration\">\n"
	      "<table>\n<caption>Bytes reported / bytes of the 4K pages really written, and bytes sent, "
	      "by iteration; 0 is the first full copy.", out);
	if (shown < last)
		fprintf(out, " The first %" PRIu64 " of %" PRIu64 "; the JSON report has all.",
			shown, last);
	fputs("</caption>\n<thead><tr><th class=\"l\" scope=\"col\">run</th>", out);
	for (uint64_t i = 0; i <= shown; i++)
		fprintf(out, "<th scope=\"col\">%" PRIu64 "</th>", i);
	fputs("</tr></thead>\n<tbody>\n", out);
	for (size_t row = workload.first; row < workload.end; row++) {
		size_t count = passes__collect(page->rows[row].series.run, passes);

		fputs("<tr><th scope=\"row\">", out);
		fprintf(out, "%s ", units__leaf(result_of(page, row)->backing_bytes, leaf));
		put_label(out, &page->rows[row].series);
		fputs("</th>", out);
		for (uint64_t i = 0; i <= shown; i++)
			put_pass(out, find_pass(passes, count, i));
		fputs("</tr>\n", out);
	}
	fputs("</tbody></table></div></details>\n", out);
}

static int put_buckets(const struct page *page, size_t row, enum latency_of what)
{
	const struct run_result *r = result_of(page, row);
	char upper[UNITS_TEXT], number[UNITS_TEXT];
	struct pairs histogram;
	FILE *out = page->out;
	int err = latency__collect(page->rows[row].series.run, what, &histogram);
	bool any = false;

	if (err)
		return err;
	if (histogram__count(&histogram)) {
		fprintf(out, "<tr><th scope=\"row\">%s ", units__leaf(r->backing_bytes, upper));
		put_label(out, &page->rows[row].series);
		fprintf(out, "</th><td class=\"l\">%s</td><td class=\"wrap\">",
			what == LATENCY_SPLIT ? "split" : "TLBI");
		for (size_t i = 0; i < histogram.count; i++) {
			fprintf(out, "%s\xe2\x89\xa4 %s: %s", any ? ", " : "",
				units__duration(histogram.at[i].key, upper),
				units__count(histogram.at[i].value, number));
			any = true;
		}
		fputs("</td></tr>\n", out);
	}
	free(histogram.at);
	return 0;
}

static int put_bucket_table(const struct page *page, struct span workload, const char *basis)
{
	FILE *out = page->out;
	int err = 0;

	fputs("<details><summary>The data of these pictures: buckets</summary>\n"
	      "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Histogram buckets\">\n"
	      "<table>\n<caption>", out);
	html__escape(out, basis);
	fputs(" time: samples up to each bound</caption>\n<thead><tr><th class=\"l\" scope=\"col\">run</th>"
	      "<th class=\"l\" scope=\"col\">of</th><th class=\"l\" scope=\"col\">bound: samples</th></tr></thead>\n"
	      "<tbody>\n", out);
	for (size_t i = workload.first; !err && i < workload.end; i++) {
		if (strcmp(result_of(page, i)->time_basis, basis))
			continue;
		err = put_buckets(page, i, LATENCY_SPLIT) ?: put_buckets(page, i, LATENCY_TLB);
	}
	fputs("</tbody></table></div></details>\n", out);
	return err;
}

static bool basis_seen(const struct page *page, struct span span, size_t row)
{
	for (size_t i = span.first; i < row; i++)
		if (!strcmp(result_of(page, i)->time_basis, result_of(page, row)->time_basis))
			return true;
	return false;
}

static bool any_latency(const struct page *page, struct span span, const char *basis)
{
	for (size_t i = span.first; i < span.end; i++) {
		const struct run_result *r = result_of(page, i);

		if (!strcmp(r->time_basis, basis) && (has_any(r->split_count) || has_any(r->tlb_count)))
			return true;
	}
	return false;
}

/* Durations of one basis only; two bases never share a picture. */
static int put_durations_of(struct page *page, struct span workload, const char *basis)
{
	FILE *out = page->out;
	int err = 0;

	fputs("<section class=\"time\">\n<h3>Durations ", out);
	put_badge(out, basis);
	fputs("</h3>\n", out);
	if (!strcmp(basis, "emulated"))
		fputs("<p class=\"note\">Measured inside an emulated machine: they say how work is "
		      "distributed, not how long hardware takes. Do not compare them with real ones.</p>\n",
		      out);
	if (every_basis_is(page, workload, basis))
		put_run_table(page, workload, is_timed, "Durations of each run");
	if (any_latency(page, workload, basis)) {
		fputs("<h3>Split latency</h3>\n<p class=\"note\">Height: share of the run's samples. "
		      "Solid line: p50; dashed line: p99.</p>\n", out);
		err = put_pictures(page, workload, PICTURE_SPLIT_LATENCY, basis);
		fputs("<h3>TLBI latency</h3>\n<p class=\"note\">Invalidations caused by sync, split and merge, "
		      "waits included.</p>\n", out);
		err = err ?: put_pictures(page, workload, PICTURE_TLB_LATENCY, basis);
		err = err ?: put_bucket_table(page, workload, basis);
	}
	fputs("</section>\n", out);
	return err;
}

static int put_durations(struct page *page, struct span workload)
{
	int err = 0;

	for (size_t i = workload.first; !err && i < workload.end; i++)
		if (!basis_seen(page, workload, i))
			err = put_durations_of(page, workload, result_of(page, i)->time_basis);
	return err;
}

static int put_workload(struct page *page, struct span workload, unsigned int number)
{
	static const struct {
		enum picture what;
		const char *heading;
		const char *note;
	} parts[] = {
		{ PICTURE_DIRTY, "Dirty bytes per sync",
		  "What each sync reported, against the 4K pages really written (grey band, truth). "
		  "Logarithmic." },
		{ PICTURE_AMPLIFICATION, "Amplification",
		  "Bytes reported for each byte of the 4K pages really written; 1 is exact. "
		  "Dashed outline: reports made before a block was split. Below 1, pages were missed." },
		{ PICTURE_SENT, "Convergence",
		  "Bytes sent so far, from the first full copy on; pages of zeros cost a few bytes "
		  "only. \xe2\x9c\x93: the rest fit into the downtime limit; \xe2\x9c\x97: it never did; missed: pages were left out." },
		{ PICTURE_IOTLB, "IOTLB cost",
		  "For 1,000 DMA operations: tick before tracking, mark at the end." },
	};
	FILE *out = page->out;
	int err = 0;

	fprintf(out, "<section>\n<h2 id=\"w%u\">", number);
	html__escape(out, workload_text(result_of(page, workload.first)));
	fputs("</h2>\n", out);
	for (size_t i = 0; !err && i < sizeof(parts) / sizeof(parts[0]); i++) {
		fprintf(out, "<h3>%s</h3>\n<p class=\"note\">%s</p>\n", parts[i].heading,
			parts[i].note);
		err = put_pictures(page, workload, parts[i].what, "");
	}
	put_passes(page, workload);
	err = err ?: put_durations(page, workload);
	fputs("</section>\n", out);
	return err;
}

/* ---- provenance -------------------------------------------------------------------- */

static bool is_identity(const struct field *field)
{
	if (!strcmp(field->name, "disagreement") || !strcmp(field->name, "error"))
		return false;
	return field->metric == METRIC_LABEL || field->unit == UNIT_BYTES_PER_SECOND ||
	       (field->metric == METRIC_NONE && !is_duration(field));
}

/* Leaf sizes as everywhere, the rest by their units; a seed has no thousands separators. */
static const char *identity_text(const struct field *field, const struct run_result *r,
				 char text[UNITS_TEXT])
{
	uint64_t value = field__u64(field, r);

	if (field->unit == UNIT_BYTES && field->metric == METRIC_LABEL)
		return units__leaf(value, text);
	if (field->type != FIELD_U64 || field->unit != UNIT_NONE || value == UNKNOWN)
		return units__field(field, r, text);
	snprintf(text, UNITS_TEXT, "%" PRIu64, value);
	return text;
}

static bool same_everywhere(const struct page *page, const struct field *field)
{
	char first[UNITS_TEXT], other[UNITS_TEXT];

	for (size_t i = 1; i < page->count; i++)
		if (strcmp(identity_text(field, result_of(page, 0), first),
			   identity_text(field, result_of(page, i), other)))
			return false;
	return true;
}

static void put_common(const struct page *page, const char *command)
{
	FILE *out = page->out;
	char text[UNITS_TEXT];

	fputs("<dl>", out);
	if (command) {
		fputs("<dt>command</dt><dd><code>", out);
		html__escape(out, command);
		fputs("</code></dd>\n", out);
	}
	for (const struct field *f = next_field(is_identity, NULL); page->count && f;
	     f = next_field(is_identity, f)) {
		if (!same_everywhere(page, f) || !field__known(f, result_of(page, 0)))
			continue;
		fputs("<dt title=\"", out);
		html__escape(out, f->description);
		fputs("\">", out);
		html__escape(out, f->name);
		fputs("</dt><dd>", out);
		if (f->type == FIELD_TEXT)
			html__escape(out, field__text(f, result_of(page, 0)));
		else
			html__escape(out, identity_text(f, result_of(page, 0), text));
		fputs("</dd>\n", out);
	}
	fputs("</dl>\n", out);
}

static void put_identity_row(const struct page *page, size_t row)
{
	const struct run_result *r = result_of(page, row);
	FILE *out = page->out;
	char text[UNITS_TEXT];

	fputs("<tr>", out);
	for (const struct field *f = next_field(is_identity, NULL); f;
	     f = next_field(is_identity, f)) {
		if (same_everywhere(page, f))
			continue;
		fputs(f->type == FIELD_TEXT ? "<td class=\"l\">" : "<td>", out);
		html__escape(out, f->type == FIELD_TEXT && field__known(f, r) ? field__text(f, r) :
			     identity_text(f, r, text));
		fputs("</td>", out);
	}
	fputs("<td class=\"l\">", out);
	html__escape(out, host_text(r));
	fputs("</td></tr>\n", out);
}

static void put_differences(const struct page *page)
{
	FILE *out = page->out;

	if (page->count < 2)
		return;
	fputs("<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Where the runs differ\">\n"
	      "<table>\n<caption>Where the runs differ</caption>\n<thead><tr>", out);
	for (const struct field *f = next_field(is_identity, NULL); f;
	     f = next_field(is_identity, f)) {
		if (same_everywhere(page, f))
			continue;
		fprintf(out, "<th scope=\"col\"%s title=\"", f->type == FIELD_TEXT ?
			" class=\"l\"" : "");
		html__escape(out, f->description);
		fputs("\">", out);
		html__escape(out, f->name);
		fputs("</th>", out);
	}
	fputs("<th scope=\"col\" class=\"l\">host</th></tr></thead>\n<tbody>\n", out);
	for (size_t i = 0; i < page->count; i++)
		put_identity_row(page, i);
	fputs("</tbody></table></div>\n", out);
}

static bool same_probes(const struct named_list *a, const struct named_list *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (strcmp(a->at[i].name, b->at[i].name) || strcmp(a->at[i].text, b->at[i].text))
			return false;
	return true;
}

static void put_probes(const struct page *page)
{
	FILE *out = page->out;

	for (size_t i = 0; i < page->count; i++) {
		const struct named_list *probes = &page->rows[i].series.run->samples.header.probes;
		bool seen = !probes->count;

		for (size_t k = 0; k < i && !seen; k++)
			seen = same_probes(&page->rows[k].series.run->samples.header.probes, probes);
		if (seen)
			continue;
		fputs("<p class=\"note\">Probes in ", out);
		html__escape(out, page->rows[i].series.label);
		fputs(" and runs like it: ", out);
		for (size_t k = 0; k < probes->count; k++) {
			fputs(k ? ", " : "", out);
			html__escape(out, probes->at[k].name);
			fputs(" by <code>", out);
			html__escape(out, probes->at[k].text);
			fputs("</code>", out);
		}
		fputs(".</p>\n", out);
	}
}

static void put_origin(const struct page *page, const char *command)
{
	fputs("<h2 id=\"origin\">Where this comes from</h2>\n<p class=\"note\">Dirty bytes, split and TLBI work "
	      "and iterations come from kernel events alone; the truth comes from the device that did the DMA. "
	      "Format: <code>hwdbm.report/1</code></p>\n", page->out);
	put_common(page, command);
	put_differences(page);
	put_probes(page);
}

/* ---- the page ---------------------------------------------------------------------- */

static int fill(struct page *page, struct run *const *runs, size_t count)
{
	page->rows = calloc(count ? count : 1, sizeof(*page->rows));
	if (!page->rows)
		return -ENOMEM;
	page->count = count;
	for (size_t i = 0; i < count; i++) {
		series__describe(&page->rows[i].series, runs[i]);
		page->rows[i].order = first_of_workload(runs, i);
		page->rows[i].index = i;
	}
	qsort(page->rows, count, sizeof(*page->rows), compare_rows);
	tell_apart(page);
	return 0;
}

/* What runs by granularity say; nothing is freed. */
static int put_granularities(struct page *page, const char *answer, const char *command)
{
	struct span workload;
	unsigned int number = 1;
	int err = 0;

	put_title(page);
	if (answer)
		put_answer(page->out, answer);
	put_glance(page);
	put_missed(page);
	put_faults(page);
	put_navigation(page);
	put_legend(page);
	put_runs(page);
	for (size_t i = 0; !err && i < page->count; i = workload.end) {
		workload = next_workload(page, i);
		if (page->is_part && ftell(page->out) > HTML_BYTES_MAX) {
			fprintf(page->out, "<p id=\"w%u\" class=\"note\">From this workload on there are no pictures, so that this page stays small: the JSON report has all runs.</p>\n",
				number);
			break;
		}
		err = put_workload(page, workload, number++);
	}
	put_origin(page, command);
	return err;
}

static int finish(FILE *stream)
{
	fputs("</body>\n</html>\n", stream);
	return fflush(stream) || ferror(stream) ? -EIO : 0;
}

int html__write(FILE *stream, struct run *const *runs, size_t count, const char *answer,
		const char *command)
{
	struct page page = { .out = stream };
	int err = fill(&page, runs, count);

	if (err)
		return err;
	put_head(&page);
	err = put_granularities(&page, answer, command);
	free(page.rows);
	return err ?: finish(stream);
}

/* How much of a page was written is known of one in memory only. */
static int put_report(FILE *memory, const struct report_document *d)
{
	struct page page = { .out = memory, .is_part = true };
	long used;
	int err = fill(&page, d->sync_runs, d->sync_run_count);

	if (err)
		return err;
	put_head(&page);
	html_board__put(memory, d);
	if (d->sync_run_count)
		err = put_granularities(&page, d->answer, NULL);
	free(page.rows);
	used = ftell(memory);
	if (err || used < 0)
		return err ?: -ENOMEM;
	return html_recordings__put(memory, d, used < HTML_BYTES_MAX ? HTML_BYTES_MAX - (size_t)used : 0);
}

int html__report(FILE *stream, const struct report_document *document)
{
	char *text = NULL;
	size_t size = 0;
	FILE *memory = open_memstream(&text, &size);
	int err;

	if (!memory)
		return -ENOMEM;
	err = put_report(memory, document);
	if (fclose(memory) && !err)
		err = -ENOMEM;
	if (!err && fwrite(text, 1, size, stream) != size)
		err = -EIO;
	free(text);
	return err ?: finish(stream);
}
