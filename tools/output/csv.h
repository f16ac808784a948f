/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Syncs as comma-separated values (RFC 4180), one row each. Not here: other samples.
 */
#ifndef HWDBM_OUTPUT_CSV_H
#define HWDBM_OUTPUT_CSV_H

#include "writer.h"
#include "../model/field.h"

/** csv__heading() - the names of a table's fields, as in JSON */
void csv__heading(struct writer *writer, const struct field_table *table);

/**
 * csv__row() - one record; what is unknown is empty
 *
 * Leaves are "4096:12;2097152:3". Tables with lists have no rows.
 */
void csv__row(struct writer *writer, const struct field_table *table, const void *record);

#endif
