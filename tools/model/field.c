// SPDX-License-Identifier: GPL-2.0-only
/*
 * Access to records through their field tables. Not here: the tables themselves
 * (sample.c, run.c) and any output format.
 */
#include "field.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const void *place(const struct field *field, const void *record)
{
	return (const char *)record + field->offset;
}

void *field__place(const struct field *field, void *record)
{
	return (char *)record + field->offset;
}

uint64_t field__u64(const struct field *field, const void *record)
{
	enum tristate truth;

	switch (field->type) {
	case FIELD_U64:
		return *(const uint64_t *)place(field, record);
	case FIELD_BOOL:
		truth = *(const enum tristate *)place(field, record);
		return truth == TRI_UNKNOWN ? UNKNOWN : (uint64_t)truth;
	default:
		return UNKNOWN;
	}
}

int64_t field__i64(const struct field *field, const void *record)
{
	return field->type == FIELD_I64 ? *(const int64_t *)place(field, record) : 0;
}

double field__ratio(const struct field *field, const void *record)
{
	return field->type == FIELD_RATIO ? *(const double *)place(field, record) : NAN;
}

const char *field__text(const struct field *field, const void *record)
{
	return field->type == FIELD_TEXT ? place(field, record) : "";
}

bool field__known(const struct field *field, const void *record)
{
	switch (field->type) {
	case FIELD_U64:
	case FIELD_BOOL:
		return field__u64(field, record) != UNKNOWN;
	case FIELD_I64:
		return field__i64(field, record) != UNKNOWN_I64;
	case FIELD_RATIO:
		return !isnan(field__ratio(field, record));
	case FIELD_TEXT:
		return field__text(field, record)[0];
	case FIELD_LEAVES:
		return *(const uint64_t *)place(field, record) != UNKNOWN;
	default:
		return true;
	}
}

const struct field *field__find(const struct field_table *table, const char *name)
{
	for (size_t i = 0; i < table->count; i++)
		if (!strcmp(table->fields[i].name, name))
			return &table->fields[i];
	return NULL;
}

static void clear_one(const struct field *field, void *at)
{
	switch (field->type) {
	case FIELD_U64:
	case FIELD_LEAVES:
		for (size_t i = 0; i < field->size / sizeof(uint64_t); i++)
			((uint64_t *)at)[i] = UNKNOWN;
		break;
	case FIELD_BOOL:
		*(enum tristate *)at = TRI_UNKNOWN;
		break;
	case FIELD_RATIO:
		*(double *)at = NAN;
		break;
	default:
		memset(at, 0, field->size);
	}
}

void field__clear(const struct field_table *table, void *record)
{
	memset(record, 0, table->record_size);
	for (size_t i = 0; i < table->count; i++)
		clear_one(&table->fields[i], field__place(&table->fields[i], record));
}

void field__release(const struct field_table *table, void *record)
{
	for (size_t i = 0; i < table->count; i++)
		if (table->fields[i].type == FIELD_PAIRS)
			free(((struct pairs *)field__place(&table->fields[i], record))->at);
	field__clear(table, record);
}

/*
 * "latency_ns.p50" -> "latency.p50_seconds"; a counter's "total_ns" -> "seconds", since
 * its name ends in "_total" anyway; "histogram_ns" -> "latency_seconds", since a name may
 * not repeat its type.
 */
static int base_unit_name(const struct field *field, char *buffer, size_t size)
{
	const char *name = field->name;
	const char *ns = field->unit == UNIT_NS ? strstr(name, "_ns") : NULL;
	int length;

	if (field->metric == METRIC_HISTOGRAM)
		length = snprintf(buffer, size, "latency%s", ns ? "_seconds" : "");
	else if (ns && field->metric == METRIC_COUNTER && ns - name >= 5 && !memcmp(ns - 5, "total", 5))
		length = snprintf(buffer, size, "%.*sseconds", (int)(ns - 5 - name), name);
	else if (ns)
		length = snprintf(buffer, size, "%.*s%s_seconds", (int)(ns - name), name, ns + 3);
	else
		length = snprintf(buffer, size, "%s", name);
	return length >= 0 && (size_t)length < size ? 0 : -ENOSPC;
}

/* "tlb_summary": "tlb", for the same reason. */
static int record_length(const char *record)
{
	const char *type = strstr(record, "_summary");

	return type ? (int)(type - record) : (int)strlen(record);
}

int field__metric_name(const struct field_table *table, const struct field *field,
		       char *buffer, size_t size)
{
	char name[96];
	int length;

	if (size)
		buffer[0] = '\0';
	if (base_unit_name(field, name, sizeof(name)))
		return -ENOSPC;
	for (char *c = name; *c; c++)
		if (*c == '.')
			*c = '_';
	length = snprintf(buffer, size, "hwdbm_%.*s_%s%s", record_length(table->record),
			  table->record, name, field->metric == METRIC_COUNTER ? "_total" : "");
	if (length >= 0 && (size_t)length < size)
		return 0;
	if (size)
		buffer[0] = '\0';
	return -ENOSPC;
}

double field__metric_value(const struct field *field, const void *record)
{
	uint64_t value;

	if (field->type == FIELD_RATIO)
		return field__ratio(field, record);
	if (field->type == FIELD_I64)
		return (double)field__i64(field, record);
	value = field__u64(field, record);
	if (value == UNKNOWN)
		return NAN;
	return field->unit == UNIT_NS ? (double)value / 1e9 : (double)value;
}
