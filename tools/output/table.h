/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Records as a table for a terminal, by their field table. Not here: which records.
 */
#ifndef HWDBM_OUTPUT_TABLE_H
#define HWDBM_OUTPUT_TABLE_H

#include "../model/field.h"

#include <stdio.h>

enum table_columns {
	TABLE_ALL,		/* every field that has a heading */
	TABLE_KNOWN,		/* those of them that are known in some record */
};

/**
 * table__print() - a line of headings, then one line for each record
 *
 * Text is flush left, numbers are flush right, what is unknown is "-". Bytes that could
 * move the cursor are shown as "?": names come from others.
 *
 * @records: an array of table->record_size each
 * @indent: columns left free before each line
 *
 * Return: 0 or -ENOMEM. Whether @out took it is the caller's to ask.
 */
int table__print(FILE *out, const struct field_table *table, const void *records, size_t count,
		 enum table_columns columns, int indent);

/** table__width() - columns of the terminal that @out is; 0 if it is none */
size_t table__width(FILE *out);

/**
 * table__wrapped() - print a text that begins in column @indent, and goes on there in further lines
 *
 * It is broken between words where the terminal ends; what is no terminal gets it whole.
 */
void table__wrapped(FILE *out, const char *text, size_t indent);

/**
 * table__finish_wrapped() - print a line that was written to a stream, as table__wrapped() does
 * @stream: of open_memstream(), and its @text; both are given away
 * Return: 0 or -errno.
 */
int table__finish_wrapped(FILE *out, FILE *stream, char **text, size_t indent);

/** table__text() - print a text as the table would */
void table__text(FILE *out, const char *text);

/** table__clean() - make of a text what table__text() would print; no longer than it was */
void table__clean(char *text);

#endif
