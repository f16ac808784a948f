// SPDX-License-Identifier: GPL-2.0-only
/*
 * Predictions in both forms. Never shown beside anything measured. Not here: what follows.
 */
#include "prediction.h"
#include "json.h"
#include "table.h"
#include "units.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#define F(member, ...) FIELD(whatif_row, member, #member, __VA_ARGS__)

static const struct field fields[] = {
	F(granularity_bytes, "granularity", FIELD_U64, UNIT_BYTES, "leaf size of dirty tracking"),
	F(asked_for, "asked for", FIELD_BOOL, UNIT_NONE, "whether this is the prediction above"),
	F(syncs, "syncs", FIELD_U64, UNIT_COUNT, "iterations in the recording that tell about it"),
	F(dirty_p50_bytes, "dirty (median)", FIELD_U64, UNIT_BYTES, "as recorded, per iteration"),
	F(dirty_max_bytes, "dirty (max)", FIELD_U64, UNIT_BYTES, "as recorded, per iteration"),
	F(verdict, "predicted", FIELD_TEXT, UNIT_NONE, "verdict"),
	F(iterations, "iterations", FIELD_U64, UNIT_COUNT, "median"),
	F(total_ns, "time", FIELD_U64, UNIT_NS, "median"),
	F(blackout_ns, "blackout", FIELD_U64, UNIT_NS, "median"),
	F(blackout_bound_ns, "at most (95 %)", FIELD_U64, UNIT_NS, "no more than this with 95 %"),
};

const struct field_table whatif_row_table = FIELD_TABLE("whatif", whatif_row, fields);

#define D(member, ...) FIELD(drain_row, member, #member, __VA_ARGS__)

static const struct field drain_fields[] = {
	D(at_once, "at once", FIELD_U64, UNIT_COUNT, "VMs that migrate at the same time"),
	D(waves, "waves", FIELD_U64, UNIT_COUNT, "until all have"),
	D(bandwidth_bytes_per_second, "each at", FIELD_U64, UNIT_BYTES_PER_SECOND, "bandwidth of one VM"),
	D(verdict, "predicted", FIELD_TEXT, UNIT_NONE, "verdict"),
	D(iterations, "iterations", FIELD_U64, UNIT_COUNT, "median"),
	D(blackout_ns, "blackout", FIELD_U64, UNIT_NS, "of one VM, median"),
	D(blackout_bound_ns, "at most (95 %)", FIELD_U64, UNIT_NS, "no more than this with 95 %"),
	D(total_ns, "one VM", FIELD_U64, UNIT_NS, "its migration, median"),
	D(drain_ns, "all", FIELD_U64, UNIT_NS, "waves times the median"),
	D(drain_bound_ns, "all, at most", FIELD_U64, UNIT_NS, "waves times the bound of one VM"),
};

const struct field_table drain_row_table = FIELD_TABLE("drain", drain_row, drain_fields);

void prediction__note(struct prediction_notes *notes, const char *format, ...)
{
	va_list args;

	if (notes->count == PREDICTION_NOTES)
		return;
	va_start(args, format);
	vsnprintf(notes->at[notes->count++], PREDICTION_NOTE, format, args);
	va_end(args);
}

static void put_line(FILE *out, const char *what, const char *middle, const char *bound)
{
	fprintf(out, "%-12s %s", what, middle);
	if (bound)
		fprintf(out, "; at most %s with 95 %%", bound);
	fputc('\n', out);
}

static void put_numbers(FILE *out, const struct prediction *p)
{
	char middle[UNITS_TEXT], bound[UNITS_TEXT];

	if (p->blackout_bound_ns == UNKNOWN) {
		fprintf(out, "%-12s %s if the VM is stopped after the last iteration anyway, at most with 95 %%\n",
			"blackout", units__duration(p->forced_blackout_ns, bound));
		return;
	}
	put_line(out, "blackout", units__duration(p->blackout_ns, middle),
		 units__duration(p->blackout_bound_ns, bound));
	put_line(out, "total time", units__duration(p->total_ns, middle),
		 units__duration(p->total_bound_ns, bound));
	put_line(out, "iterations", units__count(p->iterations, middle),
		 units__count(p->iterations_bound, bound));
	put_line(out, "sent", units__bytes(p->sent_bytes, middle),
		 units__bytes(p->sent_bytes_bound, bound));
	if (p->converges == TRI_UNKNOWN)
		fputs("             (of those trials that converge)\n", out);
}

static void put_makeup(FILE *out, const struct prediction_document *d)
{
	static const struct {
		const char *name, *text;
		size_t place;
	} rows[] = {
		{ "curve", "were the working set known exactly", offsetof(struct prediction_makeup, known_curve_ns) },
		{ "syncs", "did each sync find just what the curve says", offsetof(struct prediction_makeup, known_syncs_ns) },
		{ "overlap", "were it known how much of what is left is written again", offsetof(struct prediction_makeup, known_overlap_ns) },
		{ "copy", "did all last copies take as long as their middle one", offsetof(struct prediction_makeup, known_copy_ns) },
	};
	const struct prediction_makeup *m = &d->makeup;
	char left[UNITS_TEXT], device[UNITS_TEXT], fixed[UNITS_TEXT];

	if (m->left_ns == UNKNOWN)
		return;
	fprintf(out, "\nThe bound on the blackout is %s for memory that is left, %s for device state, %s whatever is sent. It would be\n",
		units__duration(m->left_ns, left), units__duration(m->device_ns, device),
		units__duration(m->fixed_ns, fixed));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t ns;

		memcpy(&ns, (const char *)m + rows[i].place, sizeof(ns));
		fprintf(out, "  - %s, %s%s\n", units__duration(ns, left), rows[i].text,
			strcmp(m->widest, rows[i].name) ? "" : ": this widens it most");
	}
	if (!strcmp(m->widest, "limit"))
		fputs("  It is what bandwidth and downtime limit allow: more may not be left\n", out);
}

void prediction__put_notes(FILE *out, const char *title, const struct prediction_notes *notes)
{
	if (notes->count)
		fprintf(out, "\n%s\n", title);
	for (size_t i = 0; i < notes->count; i++)
		fprintf(out, "  - %s\n", notes->at[i]);
}

int prediction__text(FILE *out, const struct prediction_document *d)
{
	const struct prediction *p = &d->prediction;
	char left[UNITS_TEXT];
	int err = 0;

	fprintf(out, "%-12s %s (%.1f %% of %" PRIu64 " trials converge)", "predicted", p->verdict,
		100 * p->converged_share, p->trials);
	if (d->known_from != UNKNOWN)
		fprintf(out, "; the recording tells that from its iteration %" PRIu64 " on",
			d->known_from);
	fputc('\n', out);
	put_numbers(out, p);
	fprintf(out, "%-12s no more than %s may be left for the VM to be stopped\n", "rule",
		units__bytes(p->threshold_bytes, left));
	put_makeup(out, d);
	if (d->row_count) {
		fputs("\nBy granularity, were all memory tracked so from the start\n", out);
		err = table__print(out, &whatif_row_table, d->rows, d->row_count, TABLE_ALL, 0);
	}
	if (!err && d->drain_count) {
		fprintf(out, "\nA host drained of %" PRIu64 " such VMs\n", d->vms);
		err = table__print(out, &drain_row_table, d->drain, d->drain_count, TABLE_ALL, 0);
	}
	prediction__put_notes(out, "Made of", &d->from);
	prediction__put_notes(out, "Assumed", &d->assumed);
	prediction__put_notes(out, "Not known", &d->unknown);
	if (d->emulated)
		fputs("\nThe recording's times are emulated: this is a prediction for the test bed, not for hardware.\n",
		      out);
	return err ?: fflush(out) || ferror(out) ? -EIO : 0;
}

json_t *prediction__list(const struct prediction_notes *notes)
{
	json_t *array = json_array();

	for (size_t i = 0; array && i < notes->count; i++)
		if (json_array_append_new(array, json_string(notes->at[i]))) {
			json_decref(array);
			return NULL;
		}
	return array;
}

static json_t *make_document(const struct prediction_document *d)
{
	json_t *object = json_object(), *prediction = json_object();
	int err = !object || !prediction ||
		  json__add_record(prediction, &prediction_table, &d->prediction);

	err = err || json_object_set_new(object, "schema", json_string(PREDICTION_SCHEMA));
	err = err || json_object_set_new(object, "time_basis_emulated", json_boolean(d->emulated));
	err = err || json_object_set(object, "prediction", prediction);
	err = err || json_object_set_new(object, "bound_makeup", d->makeup.left_ns == UNKNOWN ? json_null() :
					 json__record(&prediction_makeup_table, &d->makeup));
	err = err || json_object_set_new(object, "known_from_iteration",
					 d->known_from == UNKNOWN ? json_null() :
					 json_integer((json_int_t)d->known_from));
	err = err || json_object_set_new(object, "granularities", json__records(&whatif_row_table, d->rows, d->row_count));
	err = err || json_object_set_new(object, "drain", json__records(&drain_row_table, d->drain, d->drain_count));
	err = err || json_object_set_new(object, "made_of", prediction__list(&d->from));
	err = err || json_object_set_new(object, "assumed", prediction__list(&d->assumed));
	err = err || json_object_set_new(object, "not_known", prediction__list(&d->unknown));
	json_decref(prediction);
	if (!err)
		return object;
	json_decref(object);
	return NULL;
}

int prediction__json(FILE *out, const struct prediction_document *document)
{
	return json__write_document(out, make_document(document));
}
