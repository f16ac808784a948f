// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rows as they come. Not here: any field by name.
 */
#include "rows.h"
#include "units.h"

#include <errno.h>
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

/* Text is read from the left, numbers from the right; the last column needs no padding. */
static void put_cell(FILE *out, const struct field *field, const char *text, bool last)
{
	int padding = column_width(field) - width_of(text);

	if (padding < 0 || (last && field->type == FIELD_TEXT))
		padding = 0;
	if (field->type == FIELD_TEXT)
		fprintf(out, "%s%*s", text, padding, "");
	else
		fprintf(out, "%*s%s", padding, "", text);
	if (!last)
		fputs("  ", out);
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

	for (size_t i = 0; i < table->count; i++)
		if (table->fields[i].heading)
			put_cell(out, &table->fields[i], table->fields[i].heading,
				 &table->fields[i] == last);
	return end_line(out);
}

int rows__put(FILE *out, const struct field_table *table, const void *record, bool emulated)
{
	const struct field *last = last_column(table);

	for (size_t i = 0; i < table->count; i++) {
		const struct field *field = &table->fields[i];
		char text[UNITS_TEXT], cell[UNITS_TEXT + 2];

		if (!field->heading)
			continue;
		if (field->type == FIELD_TEXT && field__known(field, record)) {
			put_cell(out, field, field__text(field, record), field == last);
			continue;
		}
		units__field(field, record, text);
		/* Nothing to remark is not an unknown remark. */
		if (field == last && field->type == FIELD_TEXT && !field__known(field, record))
			*text = '\0';
		snprintf(cell, sizeof(cell), "%s%s", text,
			 emulated && field->unit == UNIT_NS && field__known(field, record) ? "*" : "");
		put_cell(out, field, cell, field == last);
	}
	return end_line(out);
}
