/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The few shapes that the report's pictures are made of: scales, axes, lines, marks and
 * escaped text. Not here: what a picture shows (charts.c), nor colours (report.css).
 *
 * Write errors stay in the stream; the page looks at them once, at its end.
 */
#ifndef HWDBM_OUTPUT_SVG_H
#define HWDBM_OUTPUT_SVG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/*
 * From values to pixels, linear or logarithmic. On a logarithmic scale 0 has its own place
 * beyond the small end, so that "nothing" is shown as such.
 */
struct scale {
	double low, high;		/* values at the ends */
	double low_at, high_at;		/* pixels at the ends */
	double zero_at;			/* pixel of 0, logarithmic scales only */
	bool logarithmic;
};

/** scale__at() - the pixel of a value, kept inside the scale's ends */
double scale__at(const struct scale *scale, double value);

/**
 * scale__step() - a round distance between ticks of a linear scale
 *
 * @base: 10 for counts, 2 for bytes
 * @ticks: about how many ticks there should be
 */
double scale__step(double range, int base, int ticks);

/** html__escape() - text as it may stand in HTML and SVG, attributes included */
void html__escape(FILE *out, const char *text);

/** html__escape_part() - the same for the first @length bytes */
void html__escape_part(FILE *out, const char *text, size_t length);

/**
 * svg__open() - start a picture with its title and description for those who cannot see it
 * @id: unique in the page
 */
void svg__open(FILE *out, const char *id, double width, double height, const char *title,
	       const char *description);

void svg__close(FILE *out);

/** svg__line() - a straight line; @class is the style's name for it */
void svg__line(FILE *out, const char *class, double x1, double y1, double x2, double y2);

/** svg__bar() - a rectangle; @tip is shown on hovering, may be NULL */
void svg__bar(FILE *out, const char *class, double x, double y, double width, double height,
	      const char *tip);

/** svg__text() - text, placed by its baseline; @class chooses size, colour and anchor */
void svg__text(FILE *out, const char *class, double x, double y, const char *text);

/** svg__path() - a line through points, closed and filled if the style says so */
void svg__path(FILE *out, const char *class, const double *x, const double *y, size_t count);

/** svg__mark() - one of the page's marks (svg__marks()), with its tip */
void svg__mark(FILE *out, const char *mark, double x, double y, const char *tip);

/** svg__marks() - define the marks "dot", "box", "tri", "dia" and "cross", once per page */
void svg__marks(FILE *out);

#endif
