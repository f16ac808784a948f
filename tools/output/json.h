/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Records to JSON and back, by their field tables. Not here: which records a document
 * is made of.
 */
#ifndef HWDBM_OUTPUT_JSON_H
#define HWDBM_OUTPUT_JSON_H

#include "../model/field.h"

#include <jansson.h>
#include <stdio.h>

/**
 * json__add_record() - add all fields of a record to an object
 *
 * Dotted names become nested objects; what is unknown becomes null.
 *
 * Return: 0 or -ENOMEM.
 */
int json__add_record(json_t *object, const struct field_table *table, const void *record);

/** json__text() - a string, with what is not UTF-8 in it replaced; NULL without memory */
json_t *json__text(const char *text);

/** json__record() - a record as an object; NULL without memory */
json_t *json__record(const struct field_table *table, const void *record);

/** json__records() - an array of records, table->record_size each; NULL without memory */
json_t *json__records(const struct field_table *table, const void *records, size_t count);

/**
 * json__write_document() - write a document that people may read, and flush it
 * @document: given away; NULL if there was no memory for it
 * Return: 0, -ENOMEM, or -EIO.
 */
int json__write_document(FILE *out, json_t *document);

/**
 * json__write_line() - write a record as one line, its table's name as "type", and flush it
 * Return: 0, -ENOMEM, or the -errno of the write.
 */
int json__write_line(FILE *out, const struct field_table *table, const void *record);

/**
 * json__read_record() - fill a record from an object
 *
 * Members that are missing or null become unknown, others that the table does not name
 * are skipped. The record's old content is not freed.
 *
 * @bad: set to the field whose value has the wrong type
 *
 * Return: 0, -EINVAL, or -ENOMEM; after a failure the record holds nothing to free.
 */
int json__read_record(const json_t *object, const struct field_table *table, void *record,
		      const char **bad);

#endif
