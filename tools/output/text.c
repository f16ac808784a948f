// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two tables, what finer granularity buys and what it costs, in the order of the field
 * table. Not here: numbers of its own.
 */
#include "text.h"
#include "units.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define CELL 64

static bool is_emulated(const struct run *run)
{
	return !strcmp(run->result.time_basis, "emulated");
}

/* Columns on the screen: bytes that continue a UTF-8 character take none. */
static size_t width_of(const char *text)
{
	size_t width = 0;

	for (; *text; text++)
		width += (*text & 0xc0) != 0x80;
	return width;
}

static void put_row(FILE *out, char (*cells)[CELL], const size_t *widths, size_t columns)
{
	/* The name is read from the left, numbers from the right. */
	fprintf(out, "%s%*s", cells[0], (int)(widths[0] - width_of(cells[0])), "");
	for (size_t c = 1; c < columns; c++)
		fprintf(out, "%*s%s", (int)(2 + widths[c] - width_of(cells[c])), "", cells[c]);
	fputc('\n', out);
}

static void fill_cell(char *cell, const struct field *field, const struct run *run)
{
	char text[UNITS_TEXT];
	bool marked = field->unit == UNIT_NS && field__known(field, &run->result) &&
		      is_emulated(run);

	snprintf(cell, CELL, "%s%s", units__field(field, &run->result, text), marked ? "*" : "");
}

static void fill_row(char (*cells)[CELL], const struct run *run, enum field_group group)
{
	size_t c = 1;

	snprintf(cells[0], CELL, "%s", run ? run->result.name : "run");
	for (size_t i = 0; i < run_table.count; i++) {
		const struct field *field = &run_table.fields[i];

		if (field->group != group || !field->heading)
			continue;
		if (run)
			fill_cell(cells[c], field, run);
		else
			snprintf(cells[c], CELL, "%s", field->heading);
		c++;
	}
}

static size_t count_columns(enum field_group group)
{
	size_t columns = 1;

	for (size_t i = 0; i < run_table.count; i++)
		columns += run_table.fields[i].group == group && run_table.fields[i].heading;
	return columns;
}

static int put_table(FILE *out, struct run *const *runs, size_t count, enum field_group group,
		     const char *title)
{
	size_t columns = count_columns(group);
	size_t *widths = calloc(columns, sizeof(*widths));
	char (*cells)[CELL] = calloc((count + 1) * columns, sizeof(*cells));
	int err = widths && cells ? 0 : -ENOMEM;

	if (!err)
		fprintf(out, "%s\n", title);
	for (size_t r = 0; !err && r <= count; r++) {
		fill_row(&cells[r * columns], r ? runs[r - 1] : NULL, group);
		for (size_t c = 0; c < columns; c++) {
			size_t width = width_of(cells[r * columns + c]);

			if (widths[c] < width)
				widths[c] = width;
		}
	}
	for (size_t r = 0; !err && r <= count; r++)
		put_row(out, &cells[r * columns], widths, columns);
	if (!err)
		fputc('\n', out);
	free(widths);
	free(cells);
	return err;
}

static void put_notes(FILE *out, struct run *const *runs, size_t count)
{
	bool emulated = false;

	for (size_t i = 0; i < count; i++) {
		const struct run_result *r = &runs[i]->result;

		emulated |= is_emulated(runs[i]);
		if (r->error[0])
			fprintf(out, "%s: the migration failed: %s\n", r->name, r->error);
		if (r->disagreement[0])
			fprintf(out, "%s: the kernel and the VMM disagree: %s\n", r->name,
				r->disagreement);
		if (runs[i]->samples.other_sync_count)
			fprintf(out, "%s: %zu syncs of KVM's or a device's log are in the recording too; hwdbm dirtysync -i shows them\n",
				r->name, runs[i]->samples.other_sync_count);
		if (r->events_lost != UNKNOWN && r->events_lost)
			fprintf(out, "%s: %" PRIu64 " events were lost, its numbers are too low\n",
				r->name, r->events_lost);
	}
	if (emulated)
		fputs("* emulated time: comparable within one run only, and never with hardware\n",
		      out);
}

int text__report(FILE *out, struct run *const *runs, size_t count, const char *answer)
{
	int err = put_table(out, runs, count, GROUP_GAIN, "What was reported, sent and missed");

	err = err ?: put_table(out, runs, count, GROUP_PRICE, "What it cost");
	if (err)
		return err;
	put_notes(out, runs, count);
	if (answer)
		fprintf(out, "\n%s\n", answer);
	return fflush(out) || ferror(out) ? -EIO : 0;
}
