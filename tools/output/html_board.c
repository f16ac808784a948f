// SPDX-License-Identifier: GPL-2.0-only
/*
 * The first screen, and provenance. Verdicts have words and marks of their own, not only
 * colours. Not here: figures (board.c), looks (report.css).
 */
#include "html_board.h"

#include "svg.h"
#include "../lib/cleanup.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* Each takes some 200 bytes of a page. */
#define PROVENANCE_ROWS 100
#define TROUBLE_ROWS 40

/* Of the command that makes the report again */
#define COMMAND_BYTES_MAX 8192

/* Of provenance, beside HTML_BYTES_MAX; where it is more, recordings have less. */
#define PROVENANCE_BYTES 20000

static const char *const verdict_classes[] = {
	[OUTCOME_NONE] = "none", [OUTCOME_PASS] = "pass", [OUTCOME_FAIL] = "fail",
	[OUTCOME_UNDECIDED] = "undecided",
};

static const char *const verdict_marks[] = {
	[OUTCOME_NONE] = "\xe2\x80\x93", [OUTCOME_PASS] = "\xe2\x9c\x93", [OUTCOME_FAIL] = "\xe2\x9c\x97",
	[OUTCOME_UNDECIDED] = "?",
};

static const char *const evidence_titles[EVIDENCES] = {
	[EVIDENCE_MEASURED] = "measured", [EVIDENCE_REPORTED] = "reported by the VMM",
	[EVIDENCE_PREDICTED] = "predicted", [EVIDENCE_EMULATED] = "emulated time",
	[EVIDENCE_EMULATED_REPORTED] = "reported by the VMM, emulated time",
	[EVIDENCE_EMULATED_PREDICTED] = "predicted from emulated time",
};

static const char *known(const char *text)
{
	return *text ? text : "not recorded";
}

/* ---- the verdict ------------------------------------------------------------------- */

static void put_verdict(FILE *out, const struct report_document *d)
{
	const struct board *board = &d->board;

	fprintf(out, "<header class=\"verdict %s\"><h1><span aria-hidden=\"true\">%s</span> %s</h1><p>",
		verdict_classes[board->verdict], verdict_marks[board->verdict],
		board__verdict(board->verdict));
	html__escape(out, board->why);
	fputs("</p></header>\n", out);
}

static void put_limit_cell(FILE *out, const struct board_row *row, enum quantity quantity)
{
	char text[UNITS_TEXT];

	if (row->limit == UNKNOWN)
		fputs("<td class=\"none\">\xe2\x80\x93</td>", out);
	else
		fprintf(out, "<td data-e=\"limit\">%s %s</td>", row->limit ? "\xe2\x89\xa4" : "=",
			board__value(quantity, row->limit, text));
}

static void put_figure_cell(FILE *out, const struct board *board, enum quantity quantity,
			    enum evidence evidence)
{
	const struct board_figure *f = &board->rows[quantity].at[evidence];
	char cell[BOARD_TEXT], value[UNITS_TEXT];
	const char *text;

	if (f->runs > 1 && !(quantity == QUANTITY_MISSED && !f->max)) {
		fprintf(out, "<td class=\"f\" data-e=\"%s\"><span>p50 <b>%s</b></span> ",
			evidence_titles[evidence], board__value(quantity, f->p50, value));
		fprintf(out, "<span>p99 <b>%s</b></span> ", board__value(quantity, f->p99, value));
		fprintf(out, "<span>max <b>%s</b></span>", board__value(quantity, f->max, value));
		if (f->runs != board->runs)
			fprintf(out, " <span>%zu of %zu runs</span>", f->runs, board->runs);
		fputs("</td>", out);
		return;
	}
	text = board__cell(board, quantity, evidence, cell);
	fprintf(out, f->runs ? "<td class=\"f\" data-e=\"%s\"><b>" :
		strcmp(text, "-") ? "<td class=\"f dim\" data-e=\"%s\">" : "<td class=\"f dim none\" data-e=\"%s\">",
		evidence_titles[evidence]);
	html__escape(out, text);
	fputs(f->runs ? "</b></td>" : "</td>", out);
}

static void put_judged_cell(FILE *out, const struct board_row *row)
{
	if (row->outcome == OUTCOME_NONE) {
		fputs("<td class=\"none\"></td>", out);
		return;
	}
	fprintf(out, "<td class=\"l\"><span class=\"mark %s\">%s %s</span>", verdict_classes[row->outcome],
		verdict_marks[row->outcome], board__verdict(row->outcome));
	if (row->why[0]) {
		fputs(" <small>", out);
		html__escape(out, row->why);
		fputs("</small>", out);
	}
	fputs("</td>", out);
}

static void put_figures(FILE *out, const struct report_document *d)
{
	const struct board *board = &d->board;
	bool judged = board->verdict != OUTCOME_NONE;

	fprintf(out, "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Figures\"><table class=\"figures\">\n"
		"<thead><tr><th class=\"l\" scope=\"col\">%zu run%s</th><th scope=\"col\">limit</th>", board->runs,
		board->runs == 1 ? "" : "s");
	for (int e = 0; e < EVIDENCES; e++)
		if (board__has_column(board, e))
			fprintf(out, "<th class=\"l e%d\" scope=\"col\">%s</th>", e, evidence_titles[e]);
	fputs(judged ? "<th class=\"l\" scope=\"col\">judged</th></tr></thead>\n<tbody>\n" :
		       "</tr></thead>\n<tbody>\n", out);
	for (int q = 0; q < QUANTITIES; q++) {
		const struct quantity_info *info = board__quantity(q);

		if (!board__has_row(board, q))
			continue;
		fprintf(out, "<tr><th scope=\"row\">%s <small>%s</small></th>", info->title, info->note);
		put_limit_cell(out, &board->rows[q], q);
		for (int e = 0; e < EVIDENCES; e++)
			if (board__has_column(board, e))
				put_figure_cell(out, board, q, e);
		if (judged)
			put_judged_cell(out, &board->rows[q]);
		fputs("</tr>\n", out);
	}
	fputs("</tbody></table></div>\n", out);
}

/* ---- the rest of the screen -------------------------------------------------------- */

static void put_safety(FILE *out, const struct board *board)
{
	static const char *const classes[] = {
		[SAFETY_NOT_VERIFIED] = "undecided", [SAFETY_HELD] = "pass", [SAFETY_BROKEN] = "fail",
		[SAFETY_PARTLY] = "undecided",
	};
	static const char *const words[] = {
		[SAFETY_NOT_VERIFIED] = "? not verified", [SAFETY_HELD] = "\xe2\x9c\x93 held",
		[SAFETY_BROKEN] = "\xe2\x9c\x97 broken", [SAFETY_PARTLY] = "? partly verified",
	};

	fprintf(out, "<dt>Safety</dt><dd><span class=\"mark %s\">%s</span> ", classes[board->safety],
		words[board->safety]);
	html__escape(out, board->safety_text);
	fputs("</dd>\n", out);
}

static void put_changes(FILE *out, const struct report_document *d)
{
	bool any = false;

	fputs("<dt>Changed", out);
	if (d->compared) {
		fputs(" since ", out);
		html__escape(out, d->compared->name);
	}
	fputs("</dt><dd>", out);
	for (int s = 0; d->board.compared && s < SETTINGS; s++) {
		const struct board_change *c = &d->board.changes[s];

		if (!c->changed)
			continue;
		fprintf(out, "%s%s: ", any ? "<br>" : "", account__setting_name(s));
		html__escape(out, known(c->before));
		fputs(" &rarr; <b>", out);
		html__escape(out, known(c->after));
		fputs("</b>", out);
		any = true;
	}
	if (!d->board.compared)
		fputs("not compared with any run", out);
	else if (!any)
		fputs("nothing that the recordings tell of kernel, VMM, tracker, leaf size and mode", out);
	fputs("</dd>\n", out);
}

static void put_undo(FILE *out, const struct report_document *d)
{
	char text[256];

	fputs("<dt>Undo</dt><dd>", out);
	for (unsigned int step = 0; board__undo(d, step, text, sizeof(text)); step++) {
		bool is_command = strchr(text, '>') != NULL;

		fputs(step ? "<br>" : "", out);
		fputs(is_command ? "<code>" : "", out);
		html__escape(out, text);
		fputs(is_command ? "</code>" : "", out);
	}
	fputs("</dd>\n", out);
}

/* Of thousands that were cut off the first say enough here. */
static void put_trouble(FILE *out, const struct report_document *d)
{
	const struct dossiers *all = d->dossiers;
	size_t shown = 0, troubled = all->excluded_count;

	for (size_t i = 0; i < all->count; i++)
		troubled += all->at[i]->trouble[0] != '\0';
	if (!troubled)
		return;
	fputs("<div class=\"alert\"><p><strong>Not every recording is whole.</strong></p>\n", out);
	for (size_t i = 0; i < all->count && shown < TROUBLE_ROWS; i++) {
		const struct dossier *one = all->at[i];

		if (!one->trouble[0])
			continue;
		fputs("<p><code>", out);
		html__escape(out, one->name);
		fputs("</code>: ", out);
		html__escape(out, one->trouble);
		fputs("</p>\n", out);
		shown++;
	}
	for (size_t i = 0; i < all->excluded_count && shown < TROUBLE_ROWS; i++, shown++) {
		fputs("<p>Left out: ", out);
		html__escape(out, all->excluded[i]);
		fputs("</p>\n", out);
	}
	if (shown < troubled)
		fprintf(out, "<p>And %zu more: the JSON report names all.</p>\n", troubled - shown);
	fputs("</div>\n", out);
}

void html_board__put(FILE *out, const struct report_document *d)
{
	char text[512];

	put_verdict(out, d);
	put_figures(out, d);
	fputs("<dl class=\"facts\">\n", out);
	put_safety(out, &d->board);
	put_changes(out, d);
	board__cost(d, text, sizeof(text));
	fputs("<dt>Cost</dt><dd>", out);
	html__escape(out, text);
	fputs("</dd>\n", out);
	put_undo(out, d);
	board__clock_error(d, text);
	fputs("<dt>Clocks</dt><dd>", out);
	html__escape(out, text);
	fputs("</dd>\n", out);
	if (d->board.brownout_text[0]) {
		fprintf(out, "<dt>Brownout</dt><dd>%s: ", d->board.rows[QUANTITY_BROWNOUT].at[EVIDENCE_MEASURED].runs ? "not of every run" : "not given");
		html__escape(out, d->board.brownout_text);
		fputs("</dd>\n", out);
	}
	fputs("</dl>\n", out);
	put_trouble(out, d);
}

/* ---- where it comes from ----------------------------------------------------------- */

static void put_provenance_row(FILE *out, const struct dossier *one)
{
	char bytes[UNITS_TEXT];

	fputs("<tr><th scope=\"row\">", out);
	html__escape(out, one->name);
	fprintf(out, "</th><td>%s</td><td class=\"l\"><code>%s</code>", units__bytes(one->bytes, bytes),
		known(one->digest));
	if (one->log_digest[0])
		fprintf(out, "<br><code>%s</code> (the VMM's log)", one->log_digest);
	fputs("</td></tr>\n", out);
}

/* Cut off between two words, and said to be, where it names thousands of files. */
static void put_command(FILE *out, const char *command)
{
	char text[COMMAND_BYTES_MAX];
	size_t length = strlen(command);

	if (length < sizeof(text)) {
		html__escape(out, command);
		return;
	}
	length = sizeof(text) - 1;
	while (length && command[length] != ' ')
		length--;
	snprintf(text, sizeof(text), "%.*s", (int)length, command);
	html__escape(out, text);
	fputs(" ... (whole in the JSON report)", out);
}

static void put_provenance(FILE *out, const struct report_document *d)
{
	size_t shown = d->dossiers->count < PROVENANCE_ROWS ? d->dossiers->count : PROVENANCE_ROWS;

	fputs("<h2 id=\"provenance\">Provenance</h2>\n<p class=\"note\">Made by hwdbm " HWDBM_VERSION
	      ". Made again by:</p>\n<pre><code>", out);
	put_command(out, d->command ? d->command : "hwdbm report");
	fputs("</code></pre>\n<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Recordings\"><table class=\"hashes\">\n"
	      "<thead><tr><th class=\"l\" scope=\"col\">recording</th><th scope=\"col\">size</th>"
	      "<th class=\"l\" scope=\"col\">SHA-256</th></tr></thead>\n<tbody>\n", out);
	for (size_t i = 0; i < shown; i++)
		put_provenance_row(out, d->dossiers->at[i]);
	if (d->compared)
		put_provenance_row(out, d->compared);
	fputs("</tbody></table></div>\n", out);
	if (shown < d->dossiers->count)
		fprintf(out, "<p class=\"note\">And %zu more: the JSON and CSV reports name all.</p>\n",
			d->dossiers->count - shown);
}

int html_recordings__put(FILE *out, const struct report_document *d, size_t room)
{
	_cleanup_free_ char *provenance = NULL;
	size_t left_out = 0, provenance_size = 0;
	FILE *last = open_memstream(&provenance, &provenance_size);

	if (!last)
		return -ENOMEM;
	put_provenance(last, d);
	if (fclose(last))
		return -ENOMEM;
	if (provenance_size > PROVENANCE_BYTES)
		room -= provenance_size - PROVENANCE_BYTES < room ? provenance_size - PROVENANCE_BYTES : room;
	for (size_t i = 0; i < d->dossiers->count; i++) {
		char *section = NULL;
		size_t size = 0;
		FILE *memory = open_memstream(&section, &size);

		if (!memory)
			return -ENOMEM;
		html_recording__put(memory, d->dossiers->at[i], (unsigned int)i + 1);
		if (fclose(memory)) {
			free(section);
			return -ENOMEM;
		}
		if (size <= room) {
			fwrite(section, 1, size, out);
			room -= size;
		} else {
			left_out++;
		}
		free(section);
	}
	if (left_out)
		fprintf(out, "<p class=\"note\">%zu recording%s no section of %s own here, so that this page stays small: their figures are in the ones above, and the JSON report has their iterations.</p>\n",
			left_out, left_out == 1 ? " has" : "s have", left_out == 1 ? "its" : "their");
	fwrite(provenance, 1, provenance_size, out);
	return 0;
}
