// SPDX-License-Identifier: GPL-2.0-only
/*
 * Shapes as SVG text, as short as it can be: a report has thousands of them.
 * Not here: layout.
 */
#include "svg.h"
#include "../lib/utf8.h"

#include <math.h>
#include <string.h>

double scale__at(const struct scale *scale, double value)
{
	double low = scale->low, high = scale->high;

	if (scale->logarithmic) {
		if (!(value > 0))
			return scale->zero_at;
		value = log2(value);
		low = log2(low);
		high = log2(high);
	}
	if (!(value > low))
		return scale->low_at;
	if (value >= high)
		return scale->high_at;
	return scale->low_at + (value - low) / (high - low) * (scale->high_at - scale->low_at);
}

double scale__step(double range, int base, int ticks)
{
	static const double decimal[] = { 1, 2, 5, 10 };
	static const double binary[] = { 1, 2, 4, 8 };
	const double *round = base == 2 ? binary : decimal;
	double power, step;

	if (!(range > 0) || ticks < 1)
		return 1;
	step = range / ticks;
	power = base == 2 ? exp2(3 * floor(log2(step) / 3)) : pow(10, floor(log10(step)));
	for (int i = 0; i < 4; i++)
		if (round[i] * power >= step)
			return round[i] * power;
	return round[3] * power;
}

void html__escape(FILE *out, const char *text)
{
	html__escape_part(out, text, strlen(text));
}

void html__escape_part(FILE *out, const char *text, size_t size)
{
	const char *at = text, *end = text + size;

	while (at < end) {
		size_t length = utf8__length(at, (size_t)(end - at));

		if (!length || ((unsigned char)*at < 0x20 && *at != '\n' && *at != '\t') ||
		    *at == 0x7f) {
			fputs(UTF8_REPLACEMENT, out);
			at++;
			continue;
		}
		switch (*at) {
		case '&': fputs("&amp;", out); break;
		case '<': fputs("&lt;", out); break;
		case '>': fputs("&gt;", out); break;
		case '"': fputs("&quot;", out); break;
		case '\'': fputs("&#39;", out); break;
		default: fwrite(at, 1, length, out);
		}
		at += length;
	}
}

/* A tenth of a pixel is finer than any screen or printer shows it. */
static void put(FILE *out, const char *before, double value)
{
	double tenths = round(value * 10);

	if (fmod(tenths, 10) == 0)
		fprintf(out, "%s%.0f", before, tenths / 10 + 0.0);
	else
		fprintf(out, "%s%.1f", before, tenths / 10);
}

void svg__open(FILE *out, const char *id, double width, double height, const char *title,
	       const char *description)
{
	fprintf(out, "<svg viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-labelledby=\"%s-t %s-d\">"
		"<title id=\"%s-t\">", width, height, id, id, id);
	html__escape(out, title);
	fprintf(out, "</title><desc id=\"%s-d\">", id);
	html__escape(out, description);
	fputs("</desc>\n", out);
}

void svg__close(FILE *out)
{
	fputs("</svg>\n", out);
}

void svg__line(FILE *out, const char *class, double x1, double y1, double x2, double y2)
{
	fprintf(out, "<path class=\"%s\" d=\"M", class);
	put(out, "", x1);
	put(out, " ", y1);
	if (y1 == y2) {
		put(out, "H", x2);
	} else if (x1 == x2) {
		put(out, "V", y2);
	} else {
		put(out, "L", x2);
		put(out, " ", y2);
	}
	fputs("\"/>", out);
}

static void tip_or_end(FILE *out, const char *element, const char *tip)
{
	if (!tip) {
		fputs("/>", out);
		return;
	}
	fputs("><title>", out);
	html__escape(out, tip);
	fprintf(out, "</title></%s>", element);
}

void svg__bar(FILE *out, const char *class, double x, double y, double width, double height,
	      const char *tip)
{
	fprintf(out, "<rect class=\"%s\"", class);
	put(out, " x=\"", x);
	put(out, "\" y=\"", y);
	put(out, "\" width=\"", width);
	put(out, "\" height=\"", height);
	fputc('"', out);
	tip_or_end(out, "rect", tip);
}

void svg__text(FILE *out, const char *class, double x, double y, const char *text)
{
	fprintf(out, "<text class=\"%s\"", class);
	put(out, " x=\"", x);
	put(out, "\" y=\"", y);
	fputs("\">", out);
	html__escape(out, text);
	fputs("</text>", out);
}

void svg__path(FILE *out, const char *class, const double *x, const double *y, size_t count)
{
	fprintf(out, "<path class=\"%s\" d=\"", class);
	for (size_t i = 0; i < count; i++) {
		put(out, i ? "L" : "M", x[i]);
		put(out, " ", y[i]);
	}
	fputs("\"/>", out);
}

void svg__mark(FILE *out, const char *mark, double x, double y, const char *tip)
{
	fprintf(out, "<use href=\"#%s\"", mark);
	put(out, " x=\"", x);
	put(out, "\" y=\"", y);
	fputc('"', out);
	tip_or_end(out, "use", tip);
}

void svg__marks(FILE *out)
{
	fputs("<svg class=\"marks\" width=\"0\" height=\"0\" aria-hidden=\"true\"><defs>"
	      "<circle id=\"dot\" r=\"3.8\"/>"
	      "<path id=\"box\" d=\"M-3.4-3.4h6.8v6.8h-6.8z\"/>"
	      "<path id=\"tri\" d=\"M0-4.6L4.4 3.4h-8.8z\"/>"
	      "<path id=\"dia\" d=\"M0-4.8L4.8 0 0 4.8-4.8 0z\"/>"
	      "<path id=\"cross\" d=\"M-3.6-3.6L3.6 3.6M-3.6 3.6L3.6-3.6\"/>"
	      "<circle id=\"ring\" r=\"7\"/>"
	      "</defs></svg>\n", out);
}
