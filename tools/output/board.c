// SPDX-License-Identifier: GPL-2.0-only
/*
 * Words for what the model found. Not here: pages.
 */
#include "board.h"
#include "blackout.h"

#include "json.h"
#include "table.h"
#include "writer.h"
#include "../lib/utf8.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

const char *board__verdict(enum outcome outcome)
{
	static const char *const words[] = {
		[OUTCOME_NONE] = "NOT JUDGED", [OUTCOME_PASS] = "PASS", [OUTCOME_FAIL] = "FAIL",
		[OUTCOME_UNDECIDED] = "UNDECIDED",
	};

	return words[outcome];
}

const char *board__value(enum quantity quantity, uint64_t value, char text[UNITS_TEXT])
{
	if (value == UNKNOWN)
		return "-";
	switch (board__quantity(quantity)->unit) {
	case QUANTITY_NS:
		return units__duration(value, text);
	case QUANTITY_BYTES:
		return units__bytes(value, text);
	case QUANTITY_SHARE:
		snprintf(text, UNITS_TEXT, "%.3g %%", (double)value / 10000);
		return text;
	default:
		return units__count(value, text);
	}
}

/* As people read it. */
static const char *evidence_title(enum evidence evidence)
{
	if (evidence == EVIDENCE_EMULATED_REPORTED)
		return "reported (emulated)";
	return evidence == EVIDENCE_EMULATED_PREDICTED ? "predicted (emulated)" : board__evidence(evidence);
}

/* What stands where no figure is. */
static const char *absent(const struct board *board, enum quantity quantity, enum evidence evidence)
{
	enum evidence first = board__has_column(board, EVIDENCE_MEASURED) ? EVIDENCE_MEASURED : EVIDENCE_EMULATED;

	if (evidence != first)
		return "-";
	if (quantity == QUANTITY_BROWNOUT)
		return "not given";
	if (quantity == QUANTITY_MISSED && !board->checked)
		return "cannot be verified on this host";
	if (quantity == QUANTITY_BLACKOUT && !board->rows[quantity].at[EVIDENCE_EMULATED].runs)
		return "not measured";
	return "-";
}

const char *board__cell(const struct board *board, enum quantity quantity, enum evidence evidence,
			char text[BOARD_TEXT])
{
	const struct board_figure *f = &board->rows[quantity].at[evidence];
	char p50[UNITS_TEXT], p99[UNITS_TEXT], max[UNITS_TEXT], of[UNITS_TEXT] = "";

	if (!f->runs)
		return absent(board, quantity, evidence);
	if (f->runs != board->runs)
		snprintf(of, sizeof(of), " (%zu of %zu runs)", f->runs, board->runs);
	if (quantity == QUANTITY_MISSED && !f->max)
		snprintf(text, BOARD_TEXT, "0, checked against truth%s", of);
	else if (f->runs == 1)
		snprintf(text, BOARD_TEXT, "%s%s", board__value(quantity, f->max, max), of);
	else
		snprintf(text, BOARD_TEXT, "p50 %s, p99 %s, max %s%s", board__value(quantity, f->p50, p50),
			 board__value(quantity, f->p99, p99), board__value(quantity, f->max, max), of);
	return text;
}

static bool any_figure(const struct board *board, enum evidence evidence)
{
	for (int q = 0; q < QUANTITIES; q++)
		if (board->rows[q].at[evidence].runs)
			return true;
	return false;
}

bool board__has_column(const struct board *board, enum evidence evidence)
{
	if (evidence == EVIDENCE_MEASURED)
		return any_figure(board, evidence) || !any_figure(board, EVIDENCE_EMULATED);
	return any_figure(board, evidence);
}

bool board__has_row(const struct board *board, enum quantity quantity)
{
	const struct board_row *row = &board->rows[quantity];

	if (quantity == QUANTITY_BLACKOUT || quantity == QUANTITY_TOTAL ||
	    quantity == QUANTITY_BROWNOUT || quantity == QUANTITY_MISSED || row->limit != UNKNOWN)
		return true;
	for (int e = 0; e < EVIDENCES; e++)
		if (row->at[e].runs)
			return true;
	return false;
}

static void put_blackout_clock(const struct report_document *d, char text[BOARD_TEXT])
{
	const struct board_row *row = &d->board.rows[QUANTITY_BLACKOUT];
	char error[UNITS_TEXT];

	if (d->board.clock_error_ns != UNKNOWN)
		snprintf(text, BOARD_TEXT, "clock error between both ends: at most %s",
			 units__duration(d->board.clock_error_ns, error));
	else if (row->at[EVIDENCE_EMULATED].runs || row->at[EVIDENCE_MEASURED].runs)
		snprintf(text, BOARD_TEXT, "both ends had one clock: no clock error");
	else if (d->board.rows[QUANTITY_DOWNTIME].at[EVIDENCE_REPORTED].runs ||
		 d->board.rows[QUANTITY_DOWNTIME].at[EVIDENCE_EMULATED_REPORTED].runs)
		snprintf(text, BOARD_TEXT, "downtime is by the source VMM's own clock, in whole milliseconds");
	else
		snprintf(text, BOARD_TEXT, "no blackout was measured, so there is no clock error to state");
}

void board__clock_error(const struct report_document *d, char text[BOARD_TEXT])
{
	char late_text[UNITS_TEXT];
	uint64_t late = 0;
	size_t used;

	put_blackout_clock(d, text);
	for (size_t i = 0; i < d->dossiers->count; i++)
		if (d->dossiers->at[i]->account.finish_error_ns > late)
			late = d->dossiers->at[i]->account.finish_error_ns;
	used = strlen(text);
	if (late)
		snprintf(text + used, BOARD_TEXT - used, "; the end of a migration was seen at most %s late",
			 units__duration(late, late_text));
}

/* ---- cost and undo ----------------------------------------------------------------- */

static void sum(uint64_t *into, uint64_t part)
{
	if (part != UNKNOWN)
		*into = (*into == UNKNOWN ? 0 : *into) + part;
}

struct cost {
	uint64_t probes_ns, process_ns, share;
};

/* Of runs on real machines, or of emulated ones: their times do not add up. */
static struct cost sum_cost(const struct report_document *d, bool emulated)
{
	struct cost cost = { UNKNOWN, UNKNOWN, UNKNOWN };

	for (size_t i = 0; i < d->dossiers->count; i++) {
		const struct account *account = &d->dossiers->at[i]->account;
		const uint64_t share = account->end.probe_share;

		if (account__is_emulated(account) != emulated)
			continue;
		sum(&cost.probes_ns, account->end.probe_ns);
		sum(&cost.process_ns, account->end.process_ns);
		if (share != UNKNOWN && (cost.share == UNKNOWN || share > cost.share))
			cost.share = share;
	}
	return cost;
}

static size_t put_cost(char *text, size_t size, const struct cost *cost, const char *before, const char *basis)
{
	char a[UNITS_TEXT], b[UNITS_TEXT], c[UNITS_TEXT];

	if (cost->probes_ns == UNKNOWN && cost->process_ns == UNKNOWN)
		return 0;
	return (size_t)snprintf(text, size, "%sprobes %s of processor time%s (at most %s of a core for each VM that logged), hwdbm itself %s",
				before, units__duration(cost->probes_ns, a), basis,
				board__value(QUANTITY_OVERHEAD, cost->share, b), units__duration(cost->process_ns, c));
}

void board__cost(const struct report_document *d, char *text, size_t size)
{
	const struct cost real = sum_cost(d, false), emulated = sum_cost(d, true);
	uint64_t lost = UNKNOWN, no_end = 0;
	char e[UNITS_TEXT];
	size_t used;

	for (size_t i = 0; i < d->dossiers->count; i++) {
		const uint64_t of_run = account__lost(&d->dossiers->at[i]->account);

		sum(&lost, of_run);
		no_end += of_run == UNKNOWN;
	}
	used = put_cost(text, size, &real, "Watching cost: ", "");
	if (used < size)
		used += put_cost(text + used, size - used, &emulated, used ? "; " : "Watching cost: ", " (emulated)");
	if (!used)
		used = (size_t)snprintf(text, size, "What watching cost was not recorded");
	if (used < size)
		used += (size_t)snprintf(text + used, size - used, "; events lost: %s",
					 lost == UNKNOWN ? "unknown" : units__count(lost, e));
	if (no_end && lost != UNKNOWN && used < size)
		snprintf(text + used, size - used, ", and unknown in %" PRIu64 " recording%s", no_end,
			 no_end == 1 ? "" : "s");
}

static bool splits(const struct board *board)
{
	const char *mode = board->settings[SETTING_MODE];

	return strstr(mode, "eager") || strstr(mode, "lazy") || strstr(mode, "sample");
}

/* Whether hwdbm tune held a setting when a recording began. */
static bool is_tuned(const struct report_document *d)
{
	for (size_t i = 0; i < d->dossiers->count; i++)
		if (*d->dossiers->at[i]->account.header.tuned)
			return true;
	return false;
}

bool board__undo(const struct report_document *d, unsigned int step, char *text, size_t size)
{
	const struct board_change *changes = d->board.changes;
	const struct board_change *kernel = &changes[SETTING_KERNEL], *vmm = &changes[SETTING_VMM];
	unsigned int at = 0;

	if (is_tuned(d) && step == at++) {
		snprintf(text, size, "hwdbm tune --undo (if hwdbm tune was killed; else it puts back by itself what it has set)");
		return true;
	}
	if (splits(&d->board) && step == at++) {
		snprintf(text, size, "echo off > /sys/module/iommu/parameters/dirty_split");
		return true;
	}
	if (d->compared && kernel->changed && *kernel->before && step == at++) {
		snprintf(text, size, "boot kernel %s again", kernel->before);
		return true;
	}
	if (d->compared && vmm->changed && *vmm->before && step == at++) {
		snprintf(text, size, "start VMs by %s again", vmm->before);
		return true;
	}
	if (step || at)
		return false;
	snprintf(text, size, "none needed: hwdbm watches and changes nothing; its probes are gone when it ends");
	return true;
}

/* ---- shared by text and Markdown --------------------------------------------------- */

static void put_limit(FILE *out, const struct board_row *row, enum quantity quantity)
{
	char text[UNITS_TEXT];

	if (row->limit == UNKNOWN)
		fputs("-", out);
	else
		fprintf(out, "%s %s", quantity == QUANTITY_MISSED || !row->limit ? "=" : "\xe2\x89\xa4",
			board__value(quantity, row->limit, text));
}

static const char *known(const char *text)
{
	return *text ? text : "not recorded";
}

/* "kernel 6.12 -> 6.13; mode off -> lazy" */
/* What would end a cell, or begin markup. */
static void put_md(FILE *out, const char *text)
{
	while (*text) {
		size_t length = utf8__printable(text);

		if (strchr("|<>*_`[]\\", *text))
			fputc('\\', out);
		fwrite(length ? text : "?", 1, length ? length : 1, out);
		text += length ? length : 1;
	}
}

/* How names of others are written, which may hold anything: table__text() or put_md() */
typedef void (*text_writer)(FILE *out, const char *text);

static void put_changes(FILE *out, const struct report_document *d, text_writer put)
{
	bool any = false;

	if (!d->board.compared) {
		fputs("not compared with any run (--compare, --last-good)", out);
		return;
	}
	for (int s = 0; s < SETTINGS; s++) {
		const struct board_change *c = &d->board.changes[s];

		if (!c->changed)
			continue;
		fprintf(out, "%s%s ", any ? "; " : "", account__setting_name(s));
		put(out, known(c->before));
		fputs(" -> ", out);
		put(out, known(c->after));
		any = true;
	}
	if (!any)
		fputs("nothing that the recordings tell of kernel, VMM, tracker, leaf size and mode", out);
}

static void put_undo(FILE *out, const char *before, const char *step, text_writer put)
{
	fputs(before, out);
	put(out, step);
	fputc('\n', out);
}

static void put_trouble(FILE *out, const struct report_document *d, const char *before, text_writer put)
{
	for (size_t i = 0; i < d->dossiers->count; i++) {
		const struct dossier *one = d->dossiers->at[i];

		if (!one->trouble[0])
			continue;
		fputs(before, out);
		put(out, one->name);
		fputs(": ", out);
		put(out, one->trouble);
		fputc('\n', out);
	}
	for (size_t i = 0; i < d->dossiers->excluded_count; i++) {
		fputs(before, out);
		fputs("left out: ", out);
		put(out, d->dossiers->excluded[i]);
		fputc('\n', out);
	}
}

/* ---- text -------------------------------------------------------------------------- */

int board__text(FILE *out, const struct report_document *d)
{
	const struct board *board = &d->board;
	char text[512];

	fprintf(out, "%s: ", board__verdict(board->verdict));
	table__text(out, board->why);
	fprintf(out, "\n%zu run%s\n", board->runs, board->runs == 1 ? "" : "s");
	for (int q = 0; q < QUANTITIES; q++) {
		const struct board_row *row = &board->rows[q];
		char cell[BOARD_TEXT];

		if (!board__has_row(board, q))
			continue;
		fprintf(out, "  %-14s", board__quantity(q)->title);
		if (row->limit != UNKNOWN) {
			put_limit(out, row, q);
			fprintf(out, " %s", board__verdict(row->outcome));
		}
		for (int e = 0; e < EVIDENCES; e++)
			if (board__has_column(board, e) && strcmp(board__cell(board, q, e, cell), "-"))
				fprintf(out, "  %s: %s", evidence_title(e), board__cell(board, q, e, cell));
		fputc('\n', out);
	}
	board__clock_error(d, text);
	fprintf(out, "Clocks: %s\nSafety: %s\nChanged: ", text, board->safety_text);
	put_changes(out, d, table__text);
	board__cost(d, text, sizeof(text));
	fprintf(out, "\n%s\n", text);
	for (unsigned int step = 0; board__undo(d, step, text, sizeof(text)); step++)
		put_undo(out, "Undo: ", text, table__text);
	put_trouble(out, d, "! ", table__text);
	return fflush(out) || ferror(out) ? -EIO : 0;
}

/* ---- Markdown ---------------------------------------------------------------------- */

static void put_md_board(FILE *out, const struct report_document *d)
{
	const struct board *board = &d->board;

	fputs("\n| | limit |", out);
	for (int e = 0; e < EVIDENCES; e++)
		if (board__has_column(board, e))
			fprintf(out, " %s |", evidence_title(e));
	fputs(" judged |\n|---|---|", out);
	for (int e = 0; e < EVIDENCES; e++)
		if (board__has_column(board, e))
			fputs("---|", out);
	fputs("---|\n", out);
	for (int q = 0; q < QUANTITIES; q++) {
		const struct board_row *row = &board->rows[q];
		char cell[BOARD_TEXT];

		if (!board__has_row(board, q))
			continue;
		fprintf(out, "| %s | ", board__quantity(q)->title);
		put_limit(out, row, q);
		fputs(" |", out);
		for (int e = 0; e < EVIDENCES; e++)
			if (board__has_column(board, e))
				fprintf(out, " %s |", board__cell(board, q, e, cell));
		fprintf(out, " %s |\n", row->outcome == OUTCOME_NONE ? "" : board__verdict(row->outcome));
	}
}

static void put_md_sources(FILE *out, const struct dossier *one)
{
	char a[UNITS_TEXT], b[UNITS_TEXT], c[UNITS_TEXT], e[UNITS_TEXT], f[UNITS_TEXT];

	fputs("\n| source | syncs | failed | time in all | p50 | p99 | max | dirty bytes |\n|---|---|---|---|---|---|---|---|\n",
	      out);
	for (size_t i = 0; i < one->account.source_count; i++) {
		const struct account_source *s = &one->account.sources[i];

		fputs("| ", out);
		put_md(out, s->source);
		fprintf(out, " | %" PRIu64 " | %" PRIu64 " | %s | %s | %s | %s | %s |\n", s->syncs, s->failed, units__duration(s->timed ? s->total_ns : UNKNOWN, a),
			units__duration(account__percentile(s, 50), b),
			units__duration(account__percentile(s, 99), c),
			units__duration(s->timed ? s->longest_ns : UNKNOWN, e),
			units__bytes(s->dirty_bytes, f));
	}
}

static void put_md_moment(FILE *out, int64_t ns)
{
	char text[UNITS_TEXT];

	if (ns == UNKNOWN_I64)
		fputc('-', out);
	else
		fprintf(out, "%s%s", ns < 0 ? "-" : "+", units__duration(ns < 0 ? -(uint64_t)ns : (uint64_t)ns, text));
}

static void put_md_blackout(FILE *out, const struct blackout *b)
{
	char text[BLACKOUT_SENTENCE], takes[UNITS_TEXT], error[UNITS_TEXT];

	fputs("\n### Blackout, on both sides\n\n- ", out);
	put_md(out, blackout__sentence(b, text));
	if (!*b->rows[0].event) {
		fputc('\n', out);
		return;
	}
	fputs("\n- Clocks: ", out);
	put_md(out, blackout__clocks(b, text));
	fputs("\n\n| event | side | begins | takes | clock error ± | how it is known, or why not |\n|---|---|---|---|---|---|\n", out);
	for (int i = 0; i < BLACKOUT_EVENTS; i++) {
		const struct blackout_row *row = &b->rows[i];
		bool is_seen = row->begin_ns != UNKNOWN_I64;

		fprintf(out, "| %s | %s | %s", row->event, row->side, is_seen && row->at_most == TRI_TRUE ? "at most " : "");
		put_md_moment(out, row->begin_ns);
		fprintf(out, " | %s | %s | ", units__duration(row->takes_ns, takes), !is_seen ? "-" : row->error_ns ?
			units__duration(row->error_ns, error) : "0");
		put_md(out, row->note);
		fputs(" |\n", out);
	}
}

static void put_md_recording(FILE *out, const struct dossier *one)
{
	fputs("\n## ", out);
	put_md(out, one->name);
	fputs("\n\n- time basis: ", out);
	put_md(out, known(one->account.header.time_basis));
	fputc('\n', out);
	for (int s = 0; s < SETTINGS; s++) {
		fprintf(out, "- %s: ", account__setting_name(s));
		put_md(out, known(one->account.settings[s]));
		fputc('\n', out);
	}
	fprintf(out, "- SHA-256 of the recording: %s\n", known(one->digest));
	if (one->log_digest[0])
		fprintf(out, "- SHA-256 of the VMM's log: %s\n", one->log_digest);
	if (account__failure(&one->account)) {
		fputs("- **did not complete**: ", out);
		put_md(out, account__failure(&one->account));
		fputc('\n', out);
	}
	if (one->trouble[0]) {
		fputs("- **trouble**: ", out);
		put_md(out, one->trouble);
		fputc('\n', out);
	}
	if (one->blackout)
		put_md_blackout(out, one->blackout);
	put_md_sources(out, one);
}

int board__markdown(FILE *out, const struct report_document *d)
{
	char text[512];

	fprintf(out, "# Migration report: %s\n\n", board__verdict(d->board.verdict));
	put_md(out, d->board.why);
	fprintf(out, "\n\n%zu run%s.\n", d->board.runs, d->board.runs == 1 ? "" : "s");
	put_md_board(out, d);
	board__clock_error(d, text);
	fprintf(out, "\n- Clocks: %s\n- Safety: ", text);
	put_md(out, d->board.safety_text);
	fputs("\n- Changed: ", out);
	put_changes(out, d, put_md);
	board__cost(d, text, sizeof(text));
	fprintf(out, "\n- %s\n", text);
	for (unsigned int step = 0; board__undo(d, step, text, sizeof(text)); step++)
		/* A command is copied as it stands; what is said in words has names of others in it. */
		if (!strncmp(text, "echo ", 5))
			fprintf(out, "- Undo: `%s`\n", text);
		else
			put_undo(out, "- Undo: ", text, put_md);
	put_trouble(out, d, "- **Not whole**: ", put_md);
	for (size_t i = 0; i < d->dossiers->count; i++)
		put_md_recording(out, d->dossiers->at[i]);
	if (d->answer && *d->answer) {
		fputs("\n## What finer granularity buys\n\n", out);
		put_md(out, d->answer);
		fputc('\n', out);
	}
	if (d->command) {
		fputs("\n## Made by\n\n    ", out);
		table__text(out, d->command);
		fputc('\n', out);
	}
	return fflush(out) || ferror(out) ? -EIO : 0;
}

/* ---- CSV --------------------------------------------------------------------------- */

static const char *const unit_names[] = {
	[QUANTITY_NS] = "ns", [QUANTITY_BYTES] = "bytes", [QUANTITY_COUNT] = "count",
	[QUANTITY_SHARE] = "millionths",
};

static void put_csv_value(struct writer *w, uint64_t value)
{
	writer__text(w, ",");
	if (value != UNKNOWN)
		writer__u64(w, value);
}

static void put_csv_text(struct writer *w, const char *text)
{
	writer__text(w, ",");
	writer__csv(w, text);
}

static void put_csv_row(struct writer *w, const struct report_document *d, size_t which, enum quantity q)
{
	const struct dossier *one = d->dossiers->at[which];

	writer__csv(w, one->name);
	writer__text(w, ",");
	writer__text(w, one->digest);
	writer__text(w, ",");
	writer__text(w, board__quantity(q)->name);
	writer__text(w, ",");
	writer__text(w, unit_names[board__quantity(q)->unit]);
	for (int e = 0; e < EVIDENCES; e++)
		put_csv_value(w, board__figure(&d->runs[which], q, e));
	put_csv_value(w, d->board.rows[q].limit);
	put_csv_text(w, d->board.rows[q].outcome == OUTCOME_NONE ? "" : board__verdict(d->board.rows[q].outcome));
	put_csv_text(w, one->trouble);
	put_csv_text(w, account__failure(&one->account) ?: "");
	put_csv_text(w, board__verdict(d->board.verdict));
	put_csv_text(w, one->account.header.time_basis);
	for (int s = 0; s < SETTINGS; s++)
		put_csv_text(w, one->account.settings[s]);
	writer__text(w, "\n");
}

int board__csv(FILE *out, const struct report_document *d)
{
	static struct writer writer;

	writer__init(&writer, out);
	writer__text(&writer, "recording,sha256,quantity,unit");
	for (int e = 0; e < EVIDENCES; e++) {
		writer__text(&writer, ",");
		writer__text(&writer, board__evidence(e));
	}
	writer__text(&writer, ",limit,judged,trouble,did_not_complete,verdict,time_basis");
	for (int s = 0; s < SETTINGS; s++)
		put_csv_text(&writer, account__setting_name(s));
	writer__text(&writer, "\n");
	for (size_t i = 0; i < d->dossiers->count; i++)
		for (int q = 0; q < QUANTITIES; q++)
			put_csv_row(&writer, d, i, q);
	return writer__flush(&writer);
}

/* ---- JSON -------------------------------------------------------------------------- */

static json_t *number(uint64_t value)
{
	return value == UNKNOWN ? json_null() : json_integer((json_int_t)value);
}

static json_t *text(const char *from)
{
	return *from ? json__text(from) : json_null();
}

static json_t *figures(const struct board_row *row)
{
	json_t *object = json_object();

	for (int e = 0; object && e < EVIDENCES; e++) {
		const struct board_figure *f = &row->at[e];

		json_object_set_new(object, board__evidence(e),
				    f->runs ? json_pack("{s:I,s:o,s:o,s:o}", "runs", (json_int_t)f->runs,
							"p50", number(f->p50), "p99", number(f->p99),
							"max", number(f->max)) :
					      json_null());
	}
	return object;
}

static json_t *quantities(const struct board *board)
{
	json_t *object = json_object();

	for (int q = 0; object && q < QUANTITIES; q++) {
		const struct board_row *row = &board->rows[q];

		json_object_set_new(object, board__quantity(q)->name, json_pack(
			"{s:s,s:o,s:o,s:o,s:o}", "unit", unit_names[board__quantity(q)->unit], "limit",
			number(row->limit), "outcome", row->outcome == OUTCOME_NONE ? json_null() :
			json_string(board__verdict(row->outcome)), "why", text(row->why), "figures",
			figures(row)));
	}
	return object;
}

static json_t *changes(const struct report_document *d)
{
	json_t *object = d->board.compared ? json_object() : json_null();

	for (int s = 0; d->board.compared && object && s < SETTINGS; s++) {
		const struct board_change *c = &d->board.changes[s];

		if (c->changed)
			json_object_set_new(object, account__setting_name(s),
					    json_pack("{s:o,s:o}", "before", text(c->before), "after",
						      text(c->after)));
	}
	return object;
}

static const char *const safeties[] = {
	[SAFETY_NOT_VERIFIED] = "not verified", [SAFETY_HELD] = "held", [SAFETY_BROKEN] = "broken",
	[SAFETY_PARTLY] = "partly verified",
};

static json_t *board_object(const struct report_document *d)
{
	const struct board *board = &d->board;
	json_t *undo = json_array(), *excluded = json_array();
	char cost[512], line[256];

	for (unsigned int step = 0; undo && board__undo(d, step, line, sizeof(line)); step++)
		json_array_append_new(undo, text(line));
	for (size_t i = 0; excluded && i < d->dossiers->excluded_count; i++)
		json_array_append_new(excluded, text(d->dossiers->excluded[i]));
	board__cost(d, cost, sizeof(cost));
	return json_pack("{s:s,s:o,s:I,s:o,s:o,s:{s:s,s:o,s:I},s:o,s:o,s:o,s:o,s:o}", "verdict",
			 board__verdict(board->verdict), "why", text(board->why), "runs",
			 (json_int_t)board->runs, "quantities", quantities(board),
			 "blackout_clock_error_ns", number(board->clock_error_ns), "safety", "state",
			 safeties[board->safety], "text", text(board->safety_text), "runs_checked",
			 (json_int_t)board->checked, "compared_with",
			 d->compared ? text(d->compared->name) : json_null(), "changed", changes(d), "cost",
			 text(cost), "undo", undo, "excluded", excluded);
}

static json_t *source_object(const struct account_source *s)
{
	json_t *object = json_pack(
		"{s:s,s:I,s:I,s:o,s:o,s:o,s:o,s:o,s:o,s:I,s:I,s:I}", "source", s->source, "syncs",
		(json_int_t)s->syncs, "failed", (json_int_t)s->failed, "total_ns",
		number(s->timed ? s->total_ns : UNKNOWN), "walk_ns", number(s->walked ? s->walk_ns : UNKNOWN),
		"flush_ns", number(s->flushed ? s->flush_ns : UNKNOWN), "p50_ns",
		number(account__percentile(s, 50)), "p99_ns", number(account__percentile(s, 99)), "max_ns",
		number(s->timed ? s->longest_ns : UNKNOWN), "clear_ns", (json_int_t)s->clear_ns,
		"count_ns", (json_int_t)s->count_ns, "dirty_bytes", (json_int_t)s->dirty_bytes);
	static const char *const units[UNIT_SIZES] = {
		"dirty_4k_bytes", "dirty_64k_bytes", "dirty_2m_bytes", "dirty_1g_bytes",
	};

	for (int i = 0; object && i < UNIT_SIZES; i++)
		json_object_set_new(object, units[i],
				    number(s->unit_from[i] ? s->unit_bytes[i] : UNKNOWN));
	return object;
}

static json_t *recording_object(const struct report_document *d, size_t which)
{
	const struct dossier *one = d->dossiers->at[which];
	const struct account *a = &one->account;
	json_t *sources = json_array(), *settings = json_object(), *object;
	const char *failure = account__failure(a);

	for (size_t i = 0; sources && i < a->source_count; i++)
		json_array_append_new(sources, source_object(&a->sources[i]));
	for (int s = 0; settings && s < SETTINGS; s++)
		json_object_set_new(settings, account__setting_name(s), text(a->settings[s]));
	object = json_pack("{s:o,s:o,s:I,s:o,s:o,s:I,s:o,s:o,s:I,s:o}", "name", text(one->name), "sha256",
			   text(one->digest), "bytes", (json_int_t)one->bytes, "vmm_log_sha256",
			   text(one->log_digest), "time_basis", text(a->header.time_basis), "syncs",
			   (json_int_t)a->syncs, "trouble", text(one->trouble), "settings", settings,
			   "iterations_every", (json_int_t)(a->iterations.stride ? a->iterations.stride : 1),
			   "sources", sources);
	if (object)
		json_object_set_new(object, "did_not_complete", text(failure ? failure : ""));
	if (object)
		json_object_set_new(object, "iterations",
				    json__records(&converge_row_table, a->iterations.at, a->iterations.count));
	if (object)
		json_object_set_new(object, "iterations_by_source",
				    json__records(&sync_row_table, a->by_source.at, a->by_source.count));
	if (object && one->blackout)
		json_object_set_new(object, "blackout", blackout_json__make(one->blackout));
	return object;
}

int board__json(json_t *into, const struct report_document *d)
{
	json_t *recordings = json_array();

	for (size_t i = 0; recordings && i < d->dossiers->count; i++)
		if (json_array_append_new(recordings, recording_object(d, i))) {
			json_decref(recordings);
			return -ENOMEM;
		}
	if (!recordings || json_object_set_new(into, "board", board_object(d))) {
		json_decref(recordings);
		return -ENOMEM;
	}
	if (json_object_set_new(into, "recordings", recordings) ||
	    json_object_set_new(into, "command", text(d->command ? d->command : "")))
		return -ENOMEM;
	return 0;
}
