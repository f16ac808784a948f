// SPDX-License-Identifier: GPL-2.0-only
/*
 * The one place that maps field types to JSON types. Not here: files.
 */
#define _GNU_SOURCE
#include "json.h"
#include "../lib/utf8.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Finds, or makes, the object that holds the last part of a dotted name. */
static json_t *holder_of(json_t *object, const char *name, const char **last)
{
	const char *dot;
	char part[48];

	for (; (dot = strchr(name, '.')); name = dot + 1) {
		json_t *inner;

		snprintf(part, sizeof(part), "%.*s", (int)(dot - name), name);
		inner = json_object_get(object, part);
		if (!inner && json_object_set_new(object, part, inner = json_object()))
			return NULL;
		object = inner;
	}
	*last = name;
	return object;
}

static json_t *from_leaves(const uint64_t *leaves)
{
	json_t *object = json_object();
	char size[24];

	for (int i = 0; object && i < LEAF_SIZES; i++) {
		if (!leaves[i])
			continue;
		snprintf(size, sizeof(size), "%" PRIu64, UINT64_C(1) << (i + LEAF_SHIFT));
		json_object_set_new(object, size, json_integer((json_int_t)leaves[i]));
	}
	return object;
}

static json_t *from_pairs(const struct pairs *pairs)
{
	json_t *array = json_array();

	for (size_t i = 0; array && i < pairs->count; i++)
		json_array_append_new(array, json_pack("[I,I]", (json_int_t)pairs->at[i].key,
						       (json_int_t)pairs->at[i].value));
	return array;
}

static json_t *from_probes(const struct named_list *list)
{
	json_t *array = json_array();

	for (size_t i = 0; array && i < list->count; i++)
		json_array_append_new(array, json_pack("{s:s,s:s}", "measures", list->at[i].name,
						       "probe", list->at[i].text));
	return array;
}

static json_t *from_lost(const struct named_list *list)
{
	json_t *object = json_object();

	for (size_t i = 0; object && i < list->count; i++)
		json_object_set_new(object, list->at[i].name,
				    json_integer((json_int_t)list->at[i].number));
	return object;
}

static json_t *from_ratio(double value)
{
	/* Whole numbers stay whole: "exactly 262144" is a test's business. */
	if (value == floor(value) && fabs(value) < 0x1p53)
		return json_integer((json_int_t)value);
	return json_real(value);
}

/* Names come from others, and need not be UTF-8; JSON must be. */
json_t *json__text(const char *text)
{
	json_t *string = json_string(text);
	char *clean, *to;

	if (string)
		return string;
	clean = to = malloc(strlen(UTF8_REPLACEMENT) * strlen(text) + 1);
	if (!clean)
		return NULL;
	while (*text) {
		size_t length = utf8__length(text, strlen(text));

		to = stpncpy(to, length ? text : UTF8_REPLACEMENT,
			     length ? length : strlen(UTF8_REPLACEMENT));
		text += length ? length : 1;
	}
	*to = '\0';
	string = json_string(clean);
	free(clean);
	return string;
}

static json_t *from_field(const struct field *field, const void *record)
{
	const void *at = (const char *)record + field->offset;

	if (!field__known(field, record))
		return json_null();
	switch (field->type) {
	case FIELD_U64:
		return json_integer((json_int_t)field__u64(field, record));
	case FIELD_I64:
		return json_integer(field__i64(field, record));
	case FIELD_BOOL:
		return json_boolean(field__u64(field, record));
	case FIELD_RATIO:
		return from_ratio(field__ratio(field, record));
	case FIELD_TEXT:
		return json__text(field__text(field, record));
	case FIELD_LEAVES:
		return from_leaves(at);
	case FIELD_PAIRS:
		return from_pairs(at);
	case FIELD_PROBES:
		return from_probes(at);
	case FIELD_LOST:
		return from_lost(at);
	}
	return NULL;
}

int json__add_record(json_t *object, const struct field_table *table, const void *record)
{
	for (size_t i = 0; i < table->count; i++) {
		const struct field *field = &table->fields[i];
		const char *last;
		json_t *holder = holder_of(object, field->name, &last);

		if (!holder || json_object_set_new(holder, last, from_field(field, record)))
			return -ENOMEM;
	}
	return 0;
}

json_t *json__record(const struct field_table *table, const void *record)
{
	json_t *object = json_object();

	if (object && json__add_record(object, table, record)) {
		json_decref(object);
		return NULL;
	}
	return object;
}

json_t *json__records(const struct field_table *table, const void *records, size_t count)
{
	json_t *array = json_array();

	for (size_t i = 0; array && i < count; i++) {
		const void *record = (const char *)records + i * table->record_size;

		/* A NULL value is refused. */
		if (json_array_append_new(array, json__record(table, record))) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

int json__write_document(FILE *out, json_t *document)
{
	int err;

	if (!document)
		return -ENOMEM;
	err = json_dumpf(document, out, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
	json_decref(document);
	return err || fputc('\n', out) == EOF || fflush(out) || ferror(out) ? -EIO : 0;
}

int json__write_line(FILE *out, const struct field_table *table, const void *record)
{
	json_t *object = json_object();
	char *line = NULL;
	int err = -ENOMEM;

	if (object && !json_object_set_new(object, "type", json_string(table->record)) &&
	    !json__add_record(object, table, record))
		line = json_dumps(object, JSON_COMPACT);
	if (line) {
		errno = 0;
		err = fprintf(out, "%s\n", line) < 0 || fflush(out) ? -(errno ?: EIO) : 0;
	}
	free(line);
	json_decref(object);
	return err;
}

static const json_t *lookup(const json_t *object, const char *name)
{
	const char *dot;
	char part[48];

	for (; (dot = strchr(name, '.')); name = dot + 1) {
		snprintf(part, sizeof(part), "%.*s", (int)(dot - name), name);
		object = json_object_get(object, part);
	}
	return json_object_get(object, name);
}

static int to_u64(const json_t *value, uint64_t *out)
{
	if (!json_is_integer(value) || json_integer_value(value) < 0)
		return -EINVAL;
	*out = (uint64_t)json_integer_value(value);
	return 0;
}

static int to_leaves(const json_t *value, uint64_t *leaves)
{
	const char *key;
	json_t *count;

	if (!json_is_object(value))
		return -EINVAL;
	memset(leaves, 0, LEAF_SIZES * sizeof(*leaves));
	json_object_foreach((json_t *)value, key, count) {
		uint64_t bytes = strtoull(key, NULL, 10), which = 0;

		while (which < LEAF_SIZES && UINT64_C(1) << (which + LEAF_SHIFT) != bytes)
			which++;
		if (which == LEAF_SIZES || to_u64(count, &leaves[which]))
			return -EINVAL;
	}
	return 0;
}

static int to_pairs(const json_t *value, struct pairs *pairs)
{
	size_t count = json_array_size(value), i;
	json_t *item;

	if (!json_is_array(value))
		return -EINVAL;
	pairs->at = count ? calloc(count, sizeof(*pairs->at)) : NULL;
	if (count && !pairs->at)
		return -ENOMEM;
	json_array_foreach((json_t *)value, i, item)
		if (to_u64(json_array_get(item, 0), &pairs->at[i].key) ||
		    to_u64(json_array_get(item, 1), &pairs->at[i].value))
			return -EINVAL;
	pairs->count = count;
	return 0;
}

static struct named *next_named(struct named_list *list, const char *name)
{
	struct named *named;

	if (list->count == NAMED_MAX || !name)
		return NULL;
	named = &list->at[list->count++];
	snprintf(named->name, sizeof(named->name), "%s", name);
	utf8__clean(named->name);
	return named;
}

static int to_probes(const json_t *value, struct named_list *list)
{
	size_t i;
	json_t *item;

	json_array_foreach((json_t *)value, i, item) {
		const char *probe = json_string_value(json_object_get(item, "probe"));
		const char *measures = json_string_value(json_object_get(item, "measures"));
		struct named *named = next_named(list, measures);

		if (!named || !probe)
			return -EINVAL;
		snprintf(named->text, sizeof(named->text), "%s", probe);
		utf8__clean(named->text);
	}
	return json_is_array(value) ? 0 : -EINVAL;
}

static int to_lost(const json_t *value, struct named_list *list)
{
	const char *key;
	json_t *item;

	json_object_foreach((json_t *)value, key, item) {
		struct named *named = next_named(list, key);

		if (!named || to_u64(item, &named->number))
			return -EINVAL;
	}
	return json_is_object(value) ? 0 : -EINVAL;
}

static int to_field(const json_t *value, const struct field *field, void *record)
{
	void *at = field__place(field, record);

	switch (field->type) {
	case FIELD_U64:
		return to_u64(value, at);
	case FIELD_I64:
		*(int64_t *)at = json_integer_value(value);
		return json_is_integer(value) ? 0 : -EINVAL;
	case FIELD_BOOL:
		*(enum tristate *)at = json_is_true(value) ? TRI_TRUE : TRI_FALSE;
		return json_is_boolean(value) ? 0 : -EINVAL;
	case FIELD_RATIO:
		*(double *)at = json_number_value(value);
		return json_is_number(value) ? 0 : -EINVAL;
	case FIELD_TEXT:
		if (!json_is_string(value))
			return -EINVAL;
		/* Whoever wrote the recording does not write to the terminal of who reads it. */
		snprintf(at, field->size, "%s", json_string_value(value));
		utf8__clean(at);
		return 0;
	case FIELD_LEAVES:
		return to_leaves(value, at);
	case FIELD_PAIRS:
		return to_pairs(value, at);
	case FIELD_PROBES:
		return to_probes(value, at);
	case FIELD_LOST:
		return to_lost(value, at);
	}
	return -EINVAL;
}

int json__read_record(const json_t *object, const struct field_table *table, void *record,
		      const char **bad)
{
	field__clear(table, record);
	for (size_t i = 0; i < table->count; i++) {
		const json_t *value = lookup(object, table->fields[i].name);
		int err;

		if (!value || json_is_null(value))
			continue;
		err = to_field(value, &table->fields[i], record);
		if (!err)
			continue;
		*bad = table->fields[i].name;
		field__release(table, record);
		return err;
	}
	return 0;
}
