// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sentences and tables of an advice. Not here: figures (model/advise.c).
 */
#include "advise.h"
#include "json.h"
#include "table.h"
#include "units.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* ---- what to do -------------------------------------------------------------------- */

static const char *way_name(const struct advise_way *way, char text[UNITS_TEXT])
{
	char leaf[UNITS_TEXT];

	if (way->granularity_bytes == UNKNOWN)
		strcpy(text, "as it is tracked now");
	else if (!strcmp(way->mode, "off"))
		snprintf(text, UNITS_TEXT, "leaves of %s as mapped", units__leaf(way->granularity_bytes, leaf));
	else
		snprintf(text, UNITS_TEXT, "splitting to %s, %s", units__leaf(way->granularity_bytes, leaf),
			 way->mode);
	return text;
}

static void put_outcome(const struct advise_answer *a, const struct advise_way *way, char *text,
			size_t size)
{
	char one[UNITS_TEXT], two[UNITS_TEXT];

	if (way->converges == TRI_FALSE)
		snprintf(text, size, "it does not converge; %s of blackout if the VM is stopped anyway",
			 units__duration(way->blackout_ns, one));
	else if (way->blackout_bound_ns == UNKNOWN || way->converges == TRI_UNKNOWN)
		snprintf(text, size, "blackout %s if it converges, which cannot be told",
			 units__duration(way->blackout_ns, one));
	else if (a->objective == ADVISE_TOTAL)
		snprintf(text, size, "done in %s, with a blackout of at most %s (95 %%)",
			 units__duration(way->total_ns, one), units__duration(way->blackout_bound_ns, two));
	else
		snprintf(text, size, "blackout %s, at most %s with 95 %%",
			 units__duration(way->blackout_ns, one), units__duration(way->blackout_bound_ns, two));
}

/* The setting that lets it switch over, where the way alone does not. */
static const struct advise_lever *rescue(const struct advise_answer *a)
{
	for (size_t i = 0; i < a->lever_count; i++)
		if (a->levers[i].how == ADVISE_HELPS)
			return &a->levers[i];
	return NULL;
}

const char *advise__sentence(const struct advise_answer *a, char text[ADVISE_SENTENCE])
{
	char outcome[160], name[UNITS_TEXT];
	const struct advise_lever *lever = rescue(a);

	if (!a->advised) {
		snprintf(text, ADVISE_SENTENCE, "None can be given.");
		return text;
	}
	put_outcome(a, a->advised, outcome, sizeof(outcome));
	snprintf(text, ADVISE_SENTENCE, "%s: %s (predicted)%s%s%s%s.", way_name(a->advised, name), outcome,
		 lever ? "; then " : "", lever ? lever->setting : "", lever ? " " : "",
		 lever ? lever->value : "");
	if (text[0] >= 'a' && text[0] <= 'z')
		text[0] += 'A' - 'a';
	return text;
}

/* ---- why --------------------------------------------------------------------------- */

static const char *what_is_missing(const struct advise_answer *a)
{
	if (a->why.cause == CAUSE_NO_BANDWIDTH)
		return "how fast memory is sent is not known (--bandwidth)";
	if (a->why.cause == CAUSE_RING)
		return "KVM's dirty ring has no iterations: it is read whenever it is full";
	if (!a->why.writer_count)
		return "no iteration was seen that tells how much was written in which time; the first migration that is recorded tells";
	return "the tables of every way are more than the VM's memory limit leaves";
}

static const char *metric(const struct advise_answer *a, const struct advise_way *way,
			  char text[UNITS_TEXT])
{
	char time[UNITS_TEXT];
	uint64_t ns = a->objective == ADVISE_TOTAL ? way->total_ns :
		      a->objective == ADVISE_BROWNOUT && way->brownout_ns != UNKNOWN ?
			      way->brownout_ns : way->blackout_ns;

	if (way->converges == TRI_FALSE)
		return strcpy(text, "no convergence");
	snprintf(text, UNITS_TEXT, "%s", units__duration(ns, time));
	return text;
}

/* The one of those that memory has no room for which takes least; NULL: there is none */
static const struct advise_way *least_too_large(const struct advise_answer *a)
{
	const struct advise_way *least = NULL;

	for (size_t i = 0; i < a->way_count; i++)
		if (a->ways[i].table_bytes > a->table_room_bytes &&
		    (!least || a->ways[i].table_bytes < least->table_bytes))
			least = &a->ways[i];
	return least;
}

static void because_as_mapped(const struct advise_answer *a, char *text)
{
	const struct advise_way *too_large = least_too_large(a);
	char one[UNITS_TEXT], two[UNITS_TEXT], three[UNITS_TEXT], name[UNITS_TEXT];

	if (a->splits == TRI_FALSE)
		snprintf(text, ADVISE_SENTENCE, "%s", a->tracker_reason);
	else if (a->block_bytes == UNKNOWN)
		snprintf(text, ADVISE_SENTENCE, "by which blocks the IOMMU maps this VM was not recorded (--backing): nothing else was compared");
	else if (a->unjudged)
		snprintf(text, ADVISE_SENTENCE, "blocks of %s do not tell what was written in them, and so not whether finer tracking would pay: hwdbm estimate can sample that (see --finer)",
			 units__leaf(a->block_bytes, one));
	else if (a->second)
		snprintf(text, ADVISE_SENTENCE, "nothing else is more than %.0f %% better: %s gives %s instead of %s, and takes %s of tables",
			 100 * ADVISE_TIE, way_name(a->second, name), metric(a, a->second, one),
			 metric(a, a->advised, two), units__bytes(a->second->table_bytes, three));
	else if (too_large)
		snprintf(text, ADVISE_SENTENCE, "tables of finer leaves take %s at least, and the VM's memory limit leaves %s",
			 units__bytes(too_large->table_bytes, one), units__bytes(a->table_room_bytes, two));
	else
		snprintf(text, ADVISE_SENTENCE, "there is nothing to split: memory is mapped by leaves of %s",
			 units__leaf(a->block_bytes, one));
}

const char *advise__reason(const struct advise_answer *a, char text[ADVISE_SENTENCE])
{
	const struct advise_way *second = a->second;
	char one[UNITS_TEXT], two[UNITS_TEXT], three[UNITS_TEXT], name[UNITS_TEXT];
	size_t length;

	if (!a->advised) {
		snprintf(text, ADVISE_SENTENCE, "%s", what_is_missing(a));
		return text;
	}
	if (!strcmp(a->advised->mode, "off")) {
		because_as_mapped(a, text);
		return text;
	}
	units__leaf(a->block_bytes, two);
	if (!a->as_mapped)
		snprintf(text, ADVISE_SENTENCE, "leaves of %s as they are mapped cannot be judged by this recording: what is dirty in them was not counted (hwdbm dirtysync --count-every 1 -o FILE)", two);
	else if (a->as_mapped->converges == TRI_FALSE)
		snprintf(text, ADVISE_SENTENCE, "by leaves of %s as they are mapped it would not converge", two);
	else
		snprintf(text, ADVISE_SENTENCE, "by leaves of %s as they are mapped it would be %s", two,
			 metric(a, a->as_mapped, one));
	length = strlen(text);
	if (second && second->table_bytes > a->advised->table_bytes &&
	    second->converges == a->advised->converges)
		snprintf(text + length, ADVISE_SENTENCE - length, ", and %s gives %s for %s of tables",
			 way_name(second, name), metric(a, second, one),
			 units__bytes(second->table_bytes, three));
	return text;
}

/* ---- figures ----------------------------------------------------------------------- */

static void put_second(FILE *out, const struct advise_answer *a)
{
	char outcome[160], name[UNITS_TEXT], tables[UNITS_TEXT];

	if (!a->second)
		return;
	put_outcome(a, a->second, outcome, sizeof(outcome));
	fprintf(out, "%-12s %s: %s (predicted); tables up to %s\n", "runner-up", way_name(a->second, name),
		outcome, units__bytes(a->second->table_bytes, tables));
}

/* What does it, once this VM's kernel can. */
static void put_how(FILE *out, const struct advise_answer *a)
{
	char leaf[UNITS_TEXT];

	if (a->advised && strcmp(a->advised->mode, "off"))
		fprintf(out, "%-12s hwdbm tune dirty_split=%s dirty_granularity=%s --vm NAME --for TIME, before tracking starts%s\n",
			"to do so", a->advised->mode, units__leaf(a->advised->granularity_bytes, leaf),
			a->can_split == TRI_FALSE ? "; not by the kernel that was recorded" : "");
}

int advise__text(FILE *out, const struct advise_document *d)
{
	const struct advise_answer *a = &d->answer;
	char sentence[ADVISE_SENTENCE];
	int err = 0;

	fprintf(out, "%-12s %s\n", "advice", advise__sentence(a, sentence));
	fprintf(out, "%-12s %s\n", "because", advise__reason(a, sentence));
	put_second(out, a);
	put_how(out, a);
	fprintf(out, "%-12s %s: %s\n", "tracker", a->tracker, a->tracker_reason);
	fprintf(out, "%-12s %s\n", "objective", advise__objective_name(a->objective));
	prediction__put_notes(out, "Price", &d->price);
	if (a->way_count) {
		fputs("\nWays of tracking (predicted; a sync as recorded)\n", out);
		err = table__print(out, &advise_way_table, a->ways, a->way_count, TABLE_KNOWN, 2);
	}
	if (!err && a->lever_count) {
		fputs("\nSettings, each as the only change to what is advised (predicted)\n", out);
		err = table__print(out, &advise_lever_table, a->levers, a->lever_count, TABLE_KNOWN, 2);
	}
	prediction__put_notes(out, "Assumed", &d->assumed);
	prediction__put_notes(out, "Not known", &d->unknown);
	if (d->emulated)
		fputs("\nThe recording's times are emulated: this is about the test bed, not about hardware.\n",
		      out);
	return err ?: fflush(out) || ferror(out) ? -EIO : 0;
}

/* ---- JSON -------------------------------------------------------------------------- */

static json_t *way_or_null(const struct advise_way *way)
{
	return way ? json__record(&advise_way_table, way) : json_null();
}

static json_t *number_or_null(uint64_t number)
{
	return number == UNKNOWN ? json_null() : json_integer((json_int_t)number);
}

static json_t *tristate(enum tristate value)
{
	return value == TRI_UNKNOWN ? json_null() : json_boolean(value == TRI_TRUE);
}

static json_t *make_document(const struct advise_document *d)
{
	const struct advise_answer *a = &d->answer;
	char sentence[ADVISE_SENTENCE];
	json_t *object = json_object();
	int err = !object;

	err = err || json_object_set_new(object, "schema", json_string(ADVICE_SCHEMA));
	err = err || json_object_set_new(object, "time_basis_emulated", json_boolean(d->emulated));
	err = err || json_object_set_new(object, "objective",
					 json_string(advise__objective_name(a->objective)));
	err = err || json_object_set_new(object, "advice", json_string(advise__sentence(a, sentence)));
	err = err || json_object_set_new(object, "because", json_string(advise__reason(a, sentence)));
	err = err || json_object_set_new(object, "advised", way_or_null(a->advised));
	err = err || json_object_set_new(object, "runner_up", way_or_null(a->second));
	err = err || json_object_set_new(object, "tracker", json_string(a->tracker));
	err = err || json_object_set_new(object, "tracker_reason", json_string(a->tracker_reason));
	err = err || json_object_set_new(object, "splitting_matters", tristate(a->splits));
	err = err || json_object_set_new(object, "kernel_splits", tristate(a->can_split));
	err = err || json_object_set_new(object, "block_bytes", number_or_null(a->block_bytes));
	err = err || json_object_set_new(object, "table_room_bytes", number_or_null(a->table_room_bytes));
	err = err || json_object_set_new(object, "rule", json__record(&why_rule_table, &a->why.rule));
	err = err || json_object_set_new(object, "ways",
					 json__records(&advise_way_table, a->ways, a->way_count));
	err = err || json_object_set_new(object, "settings",
					 json__records(&advise_lever_table, a->levers, a->lever_count));
	err = err || json_object_set_new(object, "price", prediction__list(&d->price));
	err = err || json_object_set_new(object, "assumed", prediction__list(&d->assumed));
	err = err || json_object_set_new(object, "not_known", prediction__list(&d->unknown));
	if (!err)
		return object;
	json_decref(object);
	return NULL;
}

int advise__json(FILE *out, const struct advise_document *document)
{
	return json__write_document(out, make_document(document));
}
