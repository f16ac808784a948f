// SPDX-License-Identifier: GPL-2.0-only
/*
 * The blackout of one migration, by the recordings of both its sides: event by event, as a picture
 * and as a table. Not here: figures (model/blackout.c).
 */
#include "blackout.h"
#include "html_board.h"
#include "svg.h"

#include <math.h>
#include <string.h>

#define WIDTH 900
#define LEFT 150
#define RIGHT 14
#define LINE 18

static bool is_seen(const struct blackout_row *row)
{
	return row->begin_ns != UNKNOWN_I64;
}

/* Signed, from the beginning of the blackout. */
static const char *moment(int64_t ns, char text[UNITS_TEXT])
{
	char number[UNITS_TEXT];

	if (ns == UNKNOWN_I64 || !ns)
		return ns ? "-" : "0";
	snprintf(text, UNITS_TEXT, "%s%s", ns < 0 ? "\xe2\x88\x92" : "+",
		 units__duration(ns < 0 ? -(uint64_t)ns : (uint64_t)ns, number));
	return text;
}

static struct scale scale_of(const struct blackout *b)
{
	struct scale scale = { .low = 0, .high = 1, .low_at = LEFT, .high_at = WIDTH - RIGHT };

	for (int i = 0; i < BLACKOUT_EVENTS; i++) {
		const struct blackout_row *row = &b->rows[i];

		if (!is_seen(row))
			continue;
		scale.low = fmin(scale.low, (double)row->begin_ns - (double)row->error_ns);
		scale.high = fmax(scale.high, (double)row->end_ns + (double)row->error_ns);
	}
	return scale;
}

static void put_axis(FILE *out, const struct scale *scale, double y)
{
	double step = scale__step((scale->high - scale->low) / 1e9, 10, 8) * 1e9;
	char text[UNITS_TEXT];

	svg__line(out, "axis", LEFT, y, WIDTH - RIGHT, y);
	for (double ns = (double)(int64_t)(scale->low / step) * step; ns <= scale->high * 1.0001; ns += step) {
		double x = scale__at(scale, ns);

		svg__line(out, "grid", x, 4, x, y);
		svg__text(out, x > WIDTH - RIGHT - 24 ? "t dim end" : x > LEFT + 20 ? "t dim mid" : "t dim", x, y + 14,
			  moment((int64_t)ns, text));
	}
}

/* The line through a bar is how far both its ends may be off. */
static void put_event(FILE *out, const struct scale *scale, const struct blackout_row *row, double y)
{
	double x = scale__at(scale, (double)row->begin_ns), end = scale__at(scale, (double)row->end_ns);
	char tip[160], took[UNITS_TEXT], at[UNITS_TEXT];
	bool target = !strcmp(row->side, "target");

	svg__text(out, "t", 2, y + 10, row->event);
	svg__text(out, "t dim end", LEFT - 8, y + 10, row->side);
	if (!is_seen(row)) {
		svg__text(out, "t dim", LEFT + 4, y + 10, "not known");
		return;
	}
	if (row->takes_ns == UNKNOWN)
		snprintf(tip, sizeof(tip), "%s: at %s%s", row->event, moment(row->begin_ns, at),
			 row->at_most == TRI_TRUE ? " at the latest" : "");
	else
		snprintf(tip, sizeof(tip), "%s: from %s, takes %s", row->event, moment(row->begin_ns, at),
			 units__duration(row->takes_ns, took));
	fprintf(out, "<g class=\"s %s%s\">", target ? "off" : "k4", row->at_most == TRI_TRUE ? " lazy" : "");
	svg__bar(out, "bar", x, y, end > x + 3 ? end - x : 3, 12, tip);
	fputs("</g>", out);
	if (row->error_ns)
		svg__line(out, "p50", scale__at(scale, (double)row->begin_ns - (double)row->error_ns), y + 6,
			  scale__at(scale, (double)row->end_ns + (double)row->error_ns), y + 6);
}

static void put_picture(FILE *out, const struct blackout *b, const char *id)
{
	struct scale scale = scale_of(b);
	double bottom = 8 + LINE * BLACKOUT_EVENTS;

	fputs("<figure class=\"wide\">", out);
	svg__open(out, id, WIDTH, bottom + 20, "Blackout", "what happened on either side between the VM standing still and running again");
	put_axis(out, &scale, bottom);
	for (int i = 0; i < BLACKOUT_EVENTS; i++)
		put_event(out, &scale, &b->rows[i], 6 + LINE * (double)i);
	svg__close(out);
	fputs("<figcaption>Times count from the beginning of the blackout; bars are at least 3 pixels wide. Outlined: then at the latest. "
	      "A line through a bar: the error of the clocks.</figcaption></figure>\n", out);
}

static void put_row(FILE *out, const struct blackout_row *row)
{
	char begin[UNITS_TEXT], takes[UNITS_TEXT], error[UNITS_TEXT];

	fprintf(out, "<tr><th scope=\"row\">%s</th><td class=\"l\">%s</td><td>%s%s</td><td>%s</td>", row->event, row->side,
		row->at_most == TRI_TRUE && is_seen(row) ? "\xe2\x89\xa4 " : "", moment(row->begin_ns, begin),
		units__duration(row->takes_ns, takes));
	fprintf(out, "<td>%s</td><td class=\"wrap\">", !is_seen(row) ? "-" : row->error_ns ?
		units__duration(row->error_ns, error) : "0");
	html__escape(out, row->note);
	if (row->below_error == TRI_TRUE)
		fprintf(out, "%stakes less than the clocks' error", *row->note ? "; " : "");
	fputs("</td></tr>\n", out);
}

void html_blackout__put(FILE *out, const struct blackout *b, const char *id)
{
	char text[BLACKOUT_SENTENCE];

	fputs("<h3>Blackout, on both sides</h3>\n<p>", out);
	html__escape(out, blackout__sentence(b, text));
	/* Nothing is joined. */
	if (!*b->rows[0].event) {
		fputs("</p>\n", out);
		return;
	}
	fputs("</p>\n<p class=\"note\">Clocks: ", out);
	html__escape(out, blackout__clocks(b, text));
	fputs("</p>\n", out);
	put_picture(out, b, id);
	fputs("<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Blackout\"><table class=\"tight\">\n"
	      "<caption>What happened when; \xe2\x89\xa4: then at the latest</caption>\n"
	      "<thead><tr><th class=\"l\" scope=\"col\">event</th><th class=\"l\" scope=\"col\">side</th><th scope=\"col\">begins</th>"
	      "<th scope=\"col\">takes</th><th scope=\"col\">clock error \xc2\xb1</th><th class=\"l\" scope=\"col\">how it is known, or why not</th></tr></thead>\n<tbody>\n", out);
	for (int i = 0; i < BLACKOUT_EVENTS; i++)
		put_row(out, &b->rows[i]);
	fputs("</tbody></table></div>\n", out);
}
