// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rows as they come. Not here: any field by name.
 */
#include "rows.h"
#include "table.h"
#include "units.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/ioctl.h>

/* Columns on the screen: bytes that continue a UTF-8 character take none. */
static int width_of(const char *text)
{
	int width = 0;

	for (; *text; text++)
		width += (*text & 0xc0) != 0x80;
	return width;
}

static int column_width(const struct field *field)
{
	/* A place that is small holds words that are known beforehand. */
	if (field->type == FIELD_TEXT)
		return field->size <= 16 ? (int)field->size - 1 : 11;
	switch (field->unit) {
	case UNIT_CLOCK:
		return 14;
	case UNIT_BYTES:
		return 8;
	case UNIT_BYTES_PER_SECOND:
		return 10;
	case UNIT_NS:
	case UNIT_ID:
		return 7;
	default:
		return 5;
	}
}

/*
 * On a terminal that is too narrow for its columns a row goes on in the next line, and so do the
 * headings. Where there is room durations stay together, and so do sizes.
 */
#define GAP 2
#define FOLD_INDENT 9

/* Rows for a heading where there is no terminal that knows its height. */
#define ROWS_WITHOUT_TERMINAL 40

/* What a remark has to have of a line. */
#define REMARK_WIDTH 32

/* A line that is being made. */
struct line {
	FILE *out;		/* NULL: it is only measured */
	size_t width;		/* of the terminal; 0: none */
	size_t column;		/* where it has come to, */
	size_t nominal;		/* and would have without texts that are too long for their place */
	bool is_fresh;		/* nothing is in it yet */
	size_t lines;		/* that it takes */
};

static struct line begin_line(FILE *out, size_t width)
{
	return (struct line){ .out = out, .width = width, .is_fresh = true, .lines = 1 };
}

static void fold(struct line *line)
{
	if (line->out)
		fprintf(line->out, "\n%*s", FOLD_INDENT, "");
	line->column = line->nominal = FOLD_INDENT;
	line->is_fresh = true;
	line->lines++;
}

static bool is_measure(const struct field *field)
{
	return field->unit == UNIT_NS || field->unit == UNIT_BYTES || field->unit == UNIT_BYTES_PER_SECOND;
}

/* Columns side by side that are of one kind; all that is no measure is of one. */
static bool is_together(const struct field *one, const struct field *other)
{
	return is_measure(one) ? one->unit == other->unit : !is_measure(other);
}

/* Of the columns from @first on that stand together; the last one has no width. */
static size_t group_width(const struct field_table *table, const struct field *first, const struct field *last)
{
	size_t width = 0;

	for (const struct field *f = first; f < table->fields + table->count && f != last; f++) {
		if (!f->heading)
			continue;
		if (!is_together(first, f))
			break;
		width += (width ? GAP : 0) + column_width(f);
	}
	return width;
}

/* Text is read from the left, numbers from the right; what was too long is made up for. */
static void put_cell(struct line *line, const struct field *field, const char *text)
{
	size_t width = column_width(field), length = width_of(text), gap, start;

	if (!line->is_fresh && line->width && line->column + GAP + length > line->width)
		fold(line);
	gap = line->is_fresh ? 0 : GAP;
	start = line->nominal + gap;
	if (field->type != FIELD_TEXT && length < width)
		start += width - length;
	if (start < line->column + gap)
		start = line->column + gap;
	if (line->out)
		fprintf(line->out, "%*s%s", (int)(start - line->column), "", text);
	line->column = start + length;
	line->nominal += gap + width;
	line->is_fresh = false;
}

/* The last column goes on to the end of the line, and in further ones below itself. */
static void put_remark(struct line *line, const char *text, bool is_heading)
{
	size_t start = line->nominal > line->column ? line->nominal + GAP : line->column + GAP;

	if (line->width && start + REMARK_WIDTH > line->width) {
		/* Below the others it needs no heading. */
		if (!*text || is_heading)
			return;
		fold(line);
		start = line->column;
	}
	if (!line->out)
		return;
	fprintf(line->out, "%*s", (int)(start - line->column), "");
	table__wrapped(line->out, text, start);
}

static const struct field *last_column(const struct field_table *table)
{
	const struct field *last = NULL;

	for (size_t i = 0; i < table->count; i++)
		if (table->fields[i].heading)
			last = &table->fields[i];
	return last;
}

static int end_line(FILE *out)
{
	errno = 0;
	if (fputc('\n', out) == EOF || fflush(out))
		return errno ? -errno : -EIO;
	return 0;
}

static const char *cell_of(const struct field *field, const void *record, bool is_last, bool emulated,
			   char cell[UNITS_TEXT + 2])
{
	char text[UNITS_TEXT];
	bool is_known;

	if (!record)
		return field->heading;
	is_known = field__known(field, record);
	if (field->type == FIELD_TEXT && is_known)
		return field__text(field, record);
	/* Nothing to remark is not an unknown remark. */
	if (field->type == FIELD_TEXT && is_last)
		return "";
	snprintf(cell, UNITS_TEXT + 2, "%s%s", units__field(field, record, text),
		 emulated && field->unit == UNIT_NS && is_known ? "*" : "");
	return cell;
}

/* @record NULL: the headings */
static void put_line(struct line *line, const struct field_table *table, const void *record, bool emulated)
{
	const struct field *last = last_column(table), *before = NULL;

	for (const struct field *f = table->fields; f < table->fields + table->count; f++) {
		char cell[UNITS_TEXT + 2];
		const char *text;

		if (!f->heading)
			continue;
		text = cell_of(f, record, f == last, emulated, cell);
		if (f == last && f->type == FIELD_TEXT) {
			put_remark(line, text, !record);
			continue;
		}
		if (before && !is_together(before, f) && line->width &&
		    line->nominal + GAP + group_width(table, f, last) > line->width)
			fold(line);
		put_cell(line, f, text);
		before = f;
	}
}

int rows__heading(FILE *out, const struct field_table *table)
{
	struct line line = begin_line(out, table__width(out));

	put_line(&line, table, NULL, false);
	return end_line(out);
}

int rows__put(FILE *out, const struct field_table *table, const void *record, bool emulated)
{
	struct line line = begin_line(out, table__width(out));

	put_line(&line, table, record, emulated);
	return end_line(out);
}

void rows__lost(FILE *out, const struct end_sample *end)
{
	fprintf(out, "lost=%" PRIu64, sample__lost(end));
	for (size_t i = 0; i < end->lost.count; i++)
		if (end->lost.at[i].number)
			fprintf(out, " %s=%" PRIu64, end->lost.at[i].name, end->lost.at[i].number);
}

size_t rows__per_heading(FILE *out, const struct field_table *table)
{
	struct line line = begin_line(NULL, table__width(out));
	struct winsize window = { 0 };

	put_line(&line, table, NULL, false);
	if (ioctl(fileno(out), TIOCGWINSZ, &window) || window.ws_row < 3 * line.lines)
		return ROWS_WITHOUT_TERMINAL;
	/* The headings' own lines, and one for what is said between the rows */
	return (window.ws_row - 1) / line.lines - 1;
}
