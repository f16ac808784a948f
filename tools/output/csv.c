// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rows by the field table. Not here: any field by name.
 */
#include "csv.h"

void csv__heading(struct writer *writer, const struct field_table *table)
{
	for (size_t i = 0; i < table->count; i++) {
		writer__text(writer, i ? "," : "");
		writer__csv(writer, table->fields[i].name);
	}
	writer__text(writer, "\r\n");
}

static void put_leaves(struct writer *writer, const uint64_t *leaves)
{
	const char *between = "";

	for (unsigned int i = 0; i < LEAF_SIZES; i++) {
		if (!leaves[i])
			continue;
		writer__text(writer, between);
		writer__u64(writer, UINT64_C(1) << (i + LEAF_SHIFT));
		writer__text(writer, ":");
		writer__u64(writer, leaves[i]);
		between = ";";
	}
}

static void put_cell(struct writer *writer, const struct field *field, const void *record)
{
	if (!field__known(field, record))
		return;
	switch (field->type) {
	case FIELD_U64:
		writer__u64(writer, field__u64(field, record));
		break;
	case FIELD_I64:
		writer__i64(writer, field__i64(field, record));
		break;
	case FIELD_BOOL:
		writer__text(writer, field__u64(field, record) ? "true" : "false");
		break;
	case FIELD_TEXT:
		writer__csv(writer, field__text(field, record));
		break;
	case FIELD_LEAVES:
		put_leaves(writer, (const void *)((const char *)record + field->offset));
		break;
	default:
		break;
	}
}

void csv__row(struct writer *writer, const struct field_table *table, const void *record)
{
	for (size_t i = 0; i < table->count; i++) {
		if (i)
			writer__text(writer, ",");
		put_cell(writer, &table->fields[i], record);
	}
	writer__text(writer, "\r\n");
}
