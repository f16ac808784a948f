// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two passes over the records: how wide each column must be, then the lines. Not here:
 * rounding (units.c).
 */
#include "table.h"
#include "units.h"
#include "../lib/cleanup.h"
#include "../lib/utf8.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#define GAP 2

static bool is_shown(const struct field_table *table, const struct field *field,
		     const void *records, size_t count, enum table_columns columns)
{
	if (!field->heading || columns == TABLE_ALL)
		return field->heading;
	for (size_t r = 0; r < count; r++)
		if (field__known(field, (const char *)records + r * table->record_size))
			return true;
	return false;
}

static bool is_left(const struct field *field)
{
	return field->type == FIELD_TEXT || field->type == FIELD_BOOL;
}

static const char *cell_of(const struct field *field, const void *record, char text[UNITS_TEXT])
{
	if (field->type == FIELD_TEXT && field__known(field, record))
		return field__text(field, record);
	return units__field(field, record, text);
}

void table__text(FILE *out, const char *text)
{
	while (*text) {
		size_t length = utf8__printable(text);

		if (length)
			fwrite(text, 1, length, out);
		else
			fputc('?', out);
		text += length ? length : 1;
	}
}

void table__clean(char *text)
{
	utf8__clean(text);
}

static size_t width_of(const char *text)
{
	size_t width = 0;

	for (; *text; width++) {
		size_t length = utf8__printable(text);

		text += length ? length : 1;
	}
	return width;
}

static void put_cell(FILE *out, const char *text, size_t width, bool left, bool last)
{
	int space = (int)(width - width_of(text));

	if (!left)
		fprintf(out, "%*s", space, "");
	table__text(out, text);
	if (left && !last)
		fprintf(out, "%*s", space, "");
}

struct column {
	const struct field *field;
	size_t width;
};

static size_t choose(const struct field_table *table, const void *records, size_t count,
		     enum table_columns which, struct column *columns)
{
	size_t chosen = 0;

	for (size_t i = 0; i < table->count; i++) {
		struct column *column = &columns[chosen];
		char text[UNITS_TEXT];

		if (!is_shown(table, &table->fields[i], records, count, which))
			continue;
		column->field = &table->fields[i];
		column->width = width_of(column->field->heading);
		for (size_t r = 0; r < count; r++) {
			const void *record = (const char *)records + r * table->record_size;
			size_t width = width_of(cell_of(column->field, record, text));

			if (column->width < width)
				column->width = width;
		}
		chosen++;
	}
	return chosen;
}

/*
 * What a terminal is too narrow for goes on in further lines, deeper by so much; the headings do, too, and a text at the
 * end, which may be long, is broken between words.
 */
#define FOLD_INDENT 6

/* Whether the columns, but for the rest of a text at the end, fit from this one on. */
static bool fits(const struct column *columns, size_t c, size_t count, size_t at, size_t width)
{
	bool is_rest = c + 1 == count && is_left(columns[c].field);
	size_t heading = width_of(columns[c].field->heading);

	return !width || at + (is_rest ? heading : columns[c].width) <= width;
}

/* Return: how much @text there is up to the last space before @room columns, or to the first one behind. */
static size_t part_of(const char *text, size_t room)
{
	size_t column = 0, end = 0, at = 0;

	while (text[at] && (column <= room || !end)) {
		if (text[at] == ' ')
			end = at;
		at += utf8__printable(text + at) ?: 1;
		column++;
	}
	return !text[at] && column <= room ? at : end ?: at;
}

static void put_rest(FILE *out, const char *text, size_t at, size_t width)
{
	_cleanup_free_ char *copy = strdup(text);
	char *from = copy;

	while (from && width > at && width_of(from) > width - at) {
		size_t length = part_of(from, width - at);
		char *next = from + length + (from[length] == ' ');

		from[length] = '\0';
		table__text(out, from);
		if (*next)
			fprintf(out, "\n%*s", (int)at, "");
		from = next;
	}
	table__text(out, from ?: text);
}

/* @record NULL: the headings */
static void put_line(FILE *out, const struct column *columns, size_t count, const void *record,
		     int indent)
{
	size_t width = table__width(out), at = indent;
	char text[UNITS_TEXT];

	fprintf(out, "%*s", indent, "");
	for (size_t c = 0; c < count; c++) {
		const struct field *field = columns[c].field;
		const char *cell = record ? cell_of(field, record, text) : field->heading;

		if (c && !fits(columns, c, count, at + GAP, width)) {
			at = indent + FOLD_INDENT;
			fprintf(out, "\n%*s", (int)at, "");
		} else if (c) {
			fprintf(out, "%*s", GAP, "");
			at += GAP;
		}
		if (c + 1 == count && is_left(field))
			put_rest(out, cell, at, width);
		else
			put_cell(out, cell, columns[c].width, is_left(field), c + 1 == count);
		at += columns[c].width;
	}
	fputc('\n', out);
}

int table__print(FILE *out, const struct field_table *table, const void *records, size_t count,
		 enum table_columns which, int indent)
{
	_cleanup_free_ struct column *columns = calloc(table->count, sizeof(*columns));
	size_t chosen;

	if (!columns)
		return -ENOMEM;
	chosen = choose(table, records, count, which, columns);
	put_line(out, columns, chosen, NULL, indent);
	for (size_t r = 0; r < count; r++)
		put_line(out, columns, chosen, (const char *)records + r * table->record_size,
			 indent);
	return 0;
}

size_t table__width(FILE *out)
{
	struct winsize window = { 0 };

	return ioctl(fileno(out), TIOCGWINSZ, &window) ? 0 : window.ws_col;
}

/* Narrower than this a text is left to the terminal. */
#define WRAPPED_MIN 20

void table__wrapped(FILE *out, const char *text, size_t indent)
{
	size_t width = table__width(out), column = indent;

	while (*text) {
		size_t length = strcspn(text, " ");

		if (width > indent + WRAPPED_MIN && column > indent && column + 1 + length > width) {
			fprintf(out, "\n%*s", (int)indent, "");
			column = indent;
		} else if (column > indent) {
			fputc(' ', out);
			column++;
		}
		fwrite(text, 1, length, out);
		column += length;
		text += length;
		text += *text == ' ';
	}
}

int table__finish_wrapped(FILE *out, FILE *stream, char **text, size_t indent)
{
	int err = fclose(stream) ? -ENOMEM : 0;

	errno = 0;
	if (!err)
		table__wrapped(out, *text, indent);
	free(*text);
	if (err)
		return err;
	return fputc('\n', out) == EOF || fflush(out) ? -(errno ?: EIO) : 0;
}
