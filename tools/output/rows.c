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
 * On a terminal that is too narrow for its columns a row goes on in the next line, behind the
 * first column, and so do the headings.
 */
#define GAP 2
#define FOLD_INDENT 9

/* What a remark has to have of a line. */
#define REMARK_WIDTH 32

/* A line that is being made. */
struct line {
	FILE *out;
	size_t width;		/* of the terminal; 0: none */
	size_t column;		/* as the headings have it */
};

static void put_gap(struct line *line, size_t needs)
{
	if (!line->column)
		return;
	if (line->width && line->column > FOLD_INDENT &&
	    line->column + GAP + needs > line->width) {
		fprintf(line->out, "\n%*s", FOLD_INDENT, "");
		line->column = FOLD_INDENT;
		return;
	}
	fprintf(line->out, "%*s", GAP, "");
	line->column += GAP;
}

/* Text is read from the left, numbers from the right; the last column needs no padding. */
static void put_cell(struct line *line, const struct field *field, const char *text, bool last)
{
	int width = column_width(field), padding = width - width_of(text);

	if (last && field->type == FIELD_TEXT) {
		put_gap(line, REMARK_WIDTH);
		table__wrapped(line->out, text, line->column);
		return;
	}
	put_gap(line, width);
	if (padding < 0)
		padding = 0;
	if (field->type == FIELD_TEXT)
		fprintf(line->out, "%s%*s", text, padding, "");
	else
		fprintf(line->out, "%*s%s", padding, "", text);
	line->column += width;
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

int rows__heading(FILE *out, const struct field_table *table)
{
	const struct field *last = last_column(table);
	struct line line = { .out = out, .width = table__width(out) };

	for (size_t i = 0; i < table->count; i++)
		if (table->fields[i].heading)
			put_cell(&line, &table->fields[i], table->fields[i].heading,
				 &table->fields[i] == last);
	return end_line(out);
}

int rows__put(FILE *out, const struct field_table *table, const void *record, bool emulated)
{
	const struct field *last = last_column(table);
	struct line line = { .out = out, .width = table__width(out) };

	for (size_t i = 0; i < table->count; i++) {
		const struct field *field = &table->fields[i];
		char text[UNITS_TEXT], cell[UNITS_TEXT + 2];

		if (!field->heading)
			continue;
		if (field->type == FIELD_TEXT && field__known(field, record)) {
			put_cell(&line, field, field__text(field, record), field == last);
			continue;
		}
		units__field(field, record, text);
		/* Nothing to remark is not an unknown remark. */
		if (field == last && field->type == FIELD_TEXT && !field__known(field, record))
			*text = '\0';
		snprintf(cell, sizeof(cell), "%s%s", text,
			 emulated && field->unit == UNIT_NS && field__known(field, record) ? "*" : "");
		put_cell(&line, field, cell, field == last);
	}
	return end_line(out);
}

void rows__lost(FILE *out, const struct end_sample *end)
{
	fprintf(out, "lost=%" PRIu64, sample__lost(end));
	for (size_t i = 0; i < end->lost.count; i++)
		if (end->lost.at[i].number)
			fprintf(out, " %s=%" PRIu64, end->lost.at[i].name, end->lost.at[i].number);
}
