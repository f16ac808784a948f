// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sentences, a timeline, and JSON. See blackout.h.
 */
#include "blackout.h"
#include "json.h"
#include "units.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define BAR 40

static const char *star(bool emulated)
{
	return emulated ? "*" : "";
}

static uint64_t magnitude(int64_t ns)
{
	return ns < 0 ? -(uint64_t)ns : (uint64_t)ns;
}

static const char *relative(int64_t ns, char text[UNITS_TEXT])
{
	char number[UNITS_TEXT];

	if (ns == UNKNOWN_I64)
		snprintf(text, UNITS_TEXT, "-");
	else
		snprintf(text, UNITS_TEXT, "%s%s", ns < 0 ? "-" : "+",
			 units__duration(magnitude(ns), number));
	return text;
}

/* On a terminal emulated times have a mark, and lines an end. */
static const char *sentence(const struct blackout *b, const char *mark, const char *then, char text[BLACKOUT_SENTENCE])
{
	char total[UNITS_TEXT], error[UNITS_TEXT] = "", most[UNITS_TEXT];
	int length;

	if (b->total_ns == UNKNOWN) {
		snprintf(text, BLACKOUT_SENTENCE, "unknown: %s.", b->why);
		return text;
	}
	length = snprintf(text, BLACKOUT_SENTENCE, "%s%s%s%s%s, from \"%s\" at the source to \"%s\" at the target.",
			  b->at_most == TRI_TRUE ? "at most " : "", units__duration(b->total_ns, total), mark,
			  b->same_clock == TRI_TRUE ? "" : " ± ",
			  b->same_clock == TRI_TRUE ? "" : units__duration(b->error_ns, error), b->from, b->to);
	if (b->below_error == TRI_TRUE)
		snprintf(text + length, (size_t)(BLACKOUT_SENTENCE - length),
			 "%sThat is less than the clocks are known to: take it for anything up to %s.", then,
			 units__duration(b->total_ns + b->error_ns, most));
	return text;
}

const char *blackout__sentence(const struct blackout *b, char text[BLACKOUT_SENTENCE])
{
	return sentence(b, "", " ", text);
}

static const char *clocks(const struct blackout *b, const char *then, char text[BLACKOUT_SENTENCE])
{
	char offset[UNITS_TEXT], error[UNITS_TEXT];

	if (b->same_clock == TRI_TRUE)
		snprintf(text, BLACKOUT_SENTENCE, "one host, one clock; no error.");
	else if (b->related != TRI_TRUE)
		snprintf(text, BLACKOUT_SENTENCE,
			 "two, not related; times of the target are left out, durations on one side are right.");
	else
		snprintf(text, BLACKOUT_SENTENCE,
			 "the target's is %s %s, ± %s: by what %" PRIu64 " TCP connection%s had carried at %" PRIu64 " looks,%s"
			 "with %d millionths allowed for drift.", units__duration(magnitude(b->offset_ns), offset),
			 b->offset_ns < 0 ? "behind" : "ahead", units__duration(b->offset_error_ns, error),
			 b->connections, b->connections == 1 ? "" : "s", b->looks, then, BLACKOUT_DRIFT_MILLIONTHS);
	return text;
}

const char *blackout__clocks(const struct blackout *b, char text[BLACKOUT_SENTENCE])
{
	return clocks(b, " ", text);
}

static void put_downtime(FILE *out, const struct blackout *b, bool emulated)
{
	const struct blackout_row *load = &b->rows[BLACKOUT_LOAD];
	char down[UNITS_TEXT], more[UNITS_TEXT], loads[UNITS_TEXT];

	if (b->downtime_ns == UNKNOWN) {
		fprintf(out, "Downtime: not known; the source's VMM says it with --qmp or --libvirt.\n");
		return;
	}
	fprintf(out, "Downtime, as the source's VMM has it: %s%s. It ends when the source has handed over its last byte.\n",
		units__duration(b->downtime_ns, down), star(emulated));
	if (b->total_ns == UNKNOWN || b->total_ns < b->downtime_ns)
		return;
	fprintf(out, "  Not in it: %s%s, until the target has received all, its device has loaded",
		units__duration(b->total_ns - b->downtime_ns, more), star(emulated));
	if (load->takes_ns != UNKNOWN)
		fprintf(out, " (%s%s)", units__duration(load->takes_ns, loads), star(emulated));
	fprintf(out, " and the VM was let go.\n");
}

struct scale {
	int64_t first;
	int64_t last;
};

static struct scale scale_of(const struct blackout *b)
{
	struct scale scale = { 0, 1 };

	for (int i = 0; i < BLACKOUT_EVENTS; i++) {
		const struct blackout_row *row = &b->rows[i];

		if (row->begin_ns == UNKNOWN_I64)
			continue;
		if (row->begin_ns < scale.first)
			scale.first = row->begin_ns;
		if (row->end_ns > scale.last)
			scale.last = row->end_ns;
	}
	return scale;
}

static int column(const struct scale *scale, int64_t at)
{
	return (int)((double)(at - scale->first) / (double)(scale->last - scale->first) * (BAR - 1));
}

static void put_bar(FILE *out, const struct scale *scale, const struct blackout_row *row)
{
	char bar[BAR + 1];

	memset(bar, '.', BAR);
	bar[BAR] = '\0';
	if (row->begin_ns != UNKNOWN_I64)
		for (int at = column(scale, row->begin_ns); at <= column(scale, row->end_ns); at++)
			bar[at] = row->at_most == TRI_TRUE ? '<' : '#';
	fputs(bar, out);
}

static void put_row(FILE *out, const struct scale *scale, const struct blackout_row *row, bool emulated)
{
	char at[UNITS_TEXT], takes[UNITS_TEXT], error[UNITS_TEXT] = "";

	fprintf(out, "  %-6s  %-13s  %10s%s", row->side, row->event, relative(row->begin_ns, at),
		row->begin_ns == UNKNOWN_I64 ? " " : emulated ? "*" : " ");
	fprintf(out, " %9s%s  ", units__duration(row->takes_ns, takes),
		row->takes_ns == UNKNOWN ? " " : emulated ? "*" : " ");
	put_bar(out, scale, row);
	if (row->begin_ns != UNKNOWN_I64 && row->error_ns)
		fprintf(out, "  ± %s", units__duration(row->error_ns, error));
	if (row->below_error == TRI_TRUE)
		fprintf(out, ", more than it takes");
	fputc('\n', out);
}

/* How it is known, or why not. */
static void put_notes(FILE *out, const struct blackout *b)
{
	fputc('\n', out);
	for (int i = 0; i < BLACKOUT_EVENTS; i++)
		if (*b->rows[i].note)
			fprintf(out, "  %s: %s\n", b->rows[i].event, b->rows[i].note);
}

int blackout_text__put(FILE *out, const struct blackout *b, bool emulated)
{
	const struct scale scale = scale_of(b);
	char text[BLACKOUT_SENTENCE];

	errno = 0;
	fprintf(out, "Blackout: %s\n", sentence(b, star(emulated), "\n", text));
	put_downtime(out, b, emulated);
	fprintf(out, "Clocks: %s\n", clocks(b, "\n  ", text));
	fprintf(out, "\n  %-6s  %-13s  %10s  %9s   %-*s\n", "side", "event", "begins", "takes", BAR,
		"timeline");
	for (int i = 0; i < BLACKOUT_EVENTS; i++)
		put_row(out, &scale, &b->rows[i], emulated);
	put_notes(out, b);
	if (emulated)
		fprintf(out, "\n* emulated time: comparable within one run only, and never with hardware\n");
	return fflush(out) || ferror(out) ? -(errno ?: EIO) : 0;
}

json_t *blackout_json__make(const struct blackout *b)
{
	json_t *document = json__record(&blackout_table, b);
	/* Nothing is joined: there are no events to tell of. */
	json_t *rows = json__records(&blackout_row_table, b->rows, *b->rows[0].event ? BLACKOUT_EVENTS : 0);

	if (document && rows && !json_object_set_new(document, "events", rows))
		return document;
	json_decref(document);
	return NULL;
}

int blackout_json__put(FILE *out, const struct blackout *b, const char *time_basis)
{
	json_t *document = blackout_json__make(b);

	if (document && json_object_set_new(document, "time_basis", *time_basis ? json_string(time_basis) :
									  json_null())) {
		json_decref(document);
		document = NULL;
	}
	return json__write_document(out, document);
}
