// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sentences and tables of an answer. Not here: figures (model/why.c).
 */
#include "why.h"
#include "json.h"
#include "table.h"
#include "units.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* ---- the sentence ------------------------------------------------------------------ */

static const struct why_writer *of(const struct why_answer *a, const char *class)
{
	static const struct why_writer none = { .pending_bytes = UNKNOWN, .interval_ns = UNKNOWN,
						.dirty_rate = UNKNOWN, .length_bytes = UNKNOWN };

	for (size_t i = 0; i < a->writer_count; i++)
		if (!strcmp(a->writers[i].class, class))
			return &a->writers[i];
	return &none;
}

static const struct why_writer *blind(const struct why_answer *a)
{
	for (size_t i = 0; i < a->writer_count; i++)
		if (a->writers[i].all_dirty == TRI_TRUE && strcmp(a->writers[i].class, "vCPUs"))
			return &a->writers[i];
	return &a->writers[0];
}

static void put_writer(const struct why_writer *w, const char *who, char *text, size_t size)
{
	char pending[UNITS_TEXT], time[UNITS_TEXT];

	snprintf(text, size, "%s in %s by %s", units__bytes(w->pending_bytes, pending),
		 units__duration(w->interval_ns, time), who);
}

/* In half of the trials or more, or in all but a few. */
static const char *would(const struct why_answer *a)
{
	return a->is_likely ? "may" : "would";
}

static void put_bandwidth(const struct why_answer *a, char *text, size_t size)
{
	char now[UNITS_TEXT], better[UNITS_TEXT], needed[UNITS_TEXT];
	const struct why_rule *r = &a->rule;
	int length;

	length = snprintf(text, size, "it is sent at %s/s only", units__bytes(r->bandwidth, now));
	if (r->better_bandwidth == UNKNOWN)
		length += snprintf(text + length, size - length, ", %s; more %s do", r->better_from, would(a));
	else
		length += snprintf(text + length, size - length, "; at %s/s, %s, it %s have converged",
				   units__bytes(r->better_bandwidth, better), r->better_from, would(a));
	/* All that there was, or about as much: that has been said. */
	if (r->needed_bandwidth != UNKNOWN && (double)r->needed_bandwidth < 0.95 * (double)r->better_bandwidth)
		snprintf(text + length, size - length, " (some %s/s are needed)",
			 units__bytes(r->needed_bandwidth, needed));
}

static void put_limit(const struct why_answer *a, char *text, size_t size)
{
	char now[UNITS_TEXT], needed[UNITS_TEXT];
	const struct why_rule *r = &a->rule;

	if (r->needed_limit_ns != UNKNOWN)
		snprintf(text, size, "the VM may stand still for %s only (%s); a limit of %s would do, and QEMU's default is 300 ms",
			 units__duration(r->limit_ns, now), r->limit_from, units__duration(r->needed_limit_ns, needed));
	else
		snprintf(text, size, "the VM may stand still for %s only (%s); 300 ms, as QEMU has it by default, %s do",
			 units__duration(r->limit_ns, now), r->limit_from, would(a));
}

static void because(const struct why_answer *a, char *text, size_t size)
{
	const struct why_writer *dma = of(a, "DMA"), *b = blind(a);
	const struct why_rule *r = &a->rule;
	char one[UNITS_TEXT], two[UNITS_TEXT], three[UNITS_TEXT], time[UNITS_TEXT], writer[160];

	switch (a->cause) {
	case CAUSE_DEVICE_STATE:
		snprintf(text, size, "the state of its devices, %s (%s), is alone more than the %s that may be left",
			 units__bytes(r->device_bytes, one), r->device_from,
			 units__bytes(r->threshold_bytes, two));
		return;
	case CAUSE_TRACKER:
		snprintf(text, size, "%s reports all %s that devices can write in each of %" PRIu64 " iterations, as a tracker does that cannot tell what was written; %s may be left",
			 b->source, units__bytes(b->length_bytes, one), b->iterations,
			 units__bytes(r->threshold_bytes, two));
		return;
	case CAUSE_BLOCKS:
		if (dma->block_bytes != UNKNOWN)
			snprintf(text, size, "DMA is reported by whole blocks of %s: %s of them were written to in %s, of which up to %s may be rounding, and %s may be left",
				 units__leaf(dma->block_bytes, one), units__bytes(dma->pending_bytes, two),
				 units__duration(dma->interval_ns, time), units__bytes(dma->rounding_most_bytes, three),
				 units__bytes(r->threshold_bytes, writer));
		else
			snprintf(text, size, "DMA is reported by whole blocks: of %s pending, %s are rounding, and %s may be left",
				 units__bytes(dma->pending_bytes, one),
				 units__bytes(dma->rounding_bytes, two),
				 units__bytes(r->threshold_bytes, three));
		return;
	case CAUSE_BANDWIDTH:
		put_bandwidth(a, text, size);
		return;
	case CAUSE_LIMIT:
		put_limit(a, text, size);
		return;
	case CAUSE_THROTTLE:
		if (dma->pending_bytes == UNKNOWN)
			dma = of(a, "device");
		if (dma->pending_bytes == UNKNOWN)
			dma = of(a, "vhost");
		put_writer(dma, strcmp(dma->class, "vhost") ? "DMA" : "vhost", writer, sizeof(writer));
		snprintf(text, size, "%s are written, %s may be left, and throttling vCPUs (by %" PRIu64 " %%) does nothing to %s",
			 writer, units__bytes(r->threshold_bytes, one), r->throttle_percent,
			 strcmp(dma->class, "vhost") ? "DMA" : "that");
		return;
	case CAUSE_DMA:
		put_writer(dma, "DMA", writer, sizeof(writer));
		break;
	case CAUSE_DEVICE:
		put_writer(of(a, "device"), "the device", writer, sizeof(writer));
		break;
	case CAUSE_VHOST:
		put_writer(of(a, "vhost"), "vhost", writer, sizeof(writer));
		break;
	case CAUSE_VCPUS:
		put_writer(of(a, "vCPUs"), "vCPUs", writer, sizeof(writer));
		break;
	default:
		snprintf(text, size, "vCPUs and devices write too much, each for itself or together: %s pending, %s may be left",
			 units__bytes(r->pending_bytes, one), units__bytes(r->threshold_bytes, two));
		return;
	}
	snprintf(text, size, "%s are written, and %s may be left", writer,
		 units__bytes(r->threshold_bytes, one));
}

static void put_missing(const struct why_answer *a, char *text, size_t size)
{
	char pending[UNITS_TEXT], now[UNITS_TEXT], reason[WHY_SENTENCE - 352];

	if (a->cause == CAUSE_BANDWIDTH && !a->writer_count) {
		snprintf(text, size, "It cannot be told: the first copy is not over. It is sent at %s/s only, and was at %s/s before.",
			 units__bytes(a->rule.bandwidth, now), units__bytes(a->rule.better_bandwidth, pending));
		return;
	}
	switch (a->cause) {
	case CAUSE_NO_ITERATION:
		snprintf(text, size, "It cannot be told: no iteration was seen that tells how much was written in which time.");
		return;
	case CAUSE_LATE:
		snprintf(text, size, "It cannot be told yet: tracking was on before this was recorded, and too few iterations came after; one or two more will tell.");
		return;
	case CAUSE_FIRST_REPORT:
		snprintf(text, size, "It cannot be told yet: most of the %s pending are blocks that lazy splitting reports whole, once each; the next iteration reports pages of them.",
			 units__bytes(of(a, "DMA")->pending_bytes, pending));
		return;
	case CAUSE_RING:
		snprintf(text, size, "It cannot be told: KVM's dirty ring is read whenever it fills up, not once an iteration, and reports a page as often as it is written; the VMM has its own dirty rate (hwdbm converge --qmp).");
		return;
	case CAUSE_NO_BANDWIDTH:
		snprintf(text, size, "It cannot be told: how fast memory is sent is not known (--bandwidth).");
		return;
	case CAUSE_UNKNOWN:
		snprintf(text, size, "It cannot be told: %.0f %% of the trials switch over; the iterations seen do not tell how much is written in shorter times.",
			 100 * a->prediction.converged_share);
		return;
	default:
		because(a, reason, sizeof(reason));
		snprintf(text, size, "It cannot be told: %.0f %% of the trials switch over, since no iteration was short enough to tell (a few at a higher bandwidth would be). If it does not: %s.",
			 100 * a->prediction.converged_share, reason);
		return;
	}
}

static void put_over(const struct why_answer *a, char *text, size_t size)
{
	if (a->cause == CAUSE_POSTCOPY)
		snprintf(text, size, "It has switched over already: post-copy (\"%s\"); what is left is fetched while the VM runs at the destination.",
			 a->rule.status);
	else if (a->cause == CAUSE_COMPLETED)
		snprintf(text, size, "It has switched over: the VMM says that the migration is completed.");
	else
		snprintf(text, size, "It is over: the VMM says \"%s\".", a->rule.status);
}

const char *why__sentence(const struct why_answer *a, char text[WHY_SENTENCE])
{
	char reason[WHY_SENTENCE - 96], median[UNITS_TEXT], bound[UNITS_TEXT];
	const char *was = a->is_cancelled ? "It was cancelled. " : "";

	switch (a->verdict) {
	case WHY_WILL:
		snprintf(text, WHY_SENTENCE, "%sIt %s switch%s over, so is predicted: after a blackout of %s, at most %s with 95 %%.",
			 was, a->is_cancelled ? "would have" : "will", a->is_cancelled ? "ed" : "",
			 units__duration(a->prediction.blackout_ns, median),
			 units__duration(a->prediction.blackout_bound_ns, bound));
		break;
	case WHY_CANNOT:
		because(a, reason, sizeof(reason));
		snprintf(text, WHY_SENTENCE, "%sIt %s over: %s.", was,
			 a->is_cancelled ? "could not have switched" : "cannot switch", reason);
		break;
	case WHY_OVER:
		put_over(a, text, WHY_SENTENCE);
		break;
	default:
		put_missing(a, reason, sizeof(reason));
		snprintf(text, WHY_SENTENCE, "%s%s", was, reason);
	}
	table__clean(text);
	return text;
}

/* ---- figures ----------------------------------------------------------------------- */

static void put_rule(FILE *out, const struct why_rule *r)
{
	char one[UNITS_TEXT], two[UNITS_TEXT], three[UNITS_TEXT];

	fputs("\nThe rule: what is pending must be no more than bandwidth x downtime limit\n", out);
	fprintf(out, "  pending     %s%s\n", units__bytes(r->pending_bytes, one),
		r->device_bytes == UNKNOWN ? ", and device state of unknown size" :
		r->device_bytes ? ", device state included" : "");
	if (r->device_bytes != UNKNOWN && r->device_bytes)
		fprintf(out, "              of it device state: %s\n", units__bytes(r->device_bytes, one));
	if (r->bandwidth == UNKNOWN) {
		fprintf(out, "  may be left what is sent in %s (%s); how fast that is, is not known\n",
			units__duration(r->limit_ns, three), r->limit_from);
		return;
	}
	fprintf(out, "  may be left %s = %s/s (%s) x %s (%s)\n", units__bytes(r->threshold_bytes, one),
		units__bytes(r->bandwidth, two), r->bandwidth_from, units__duration(r->limit_ns, three),
		r->limit_from);
	if (r->floor_ns != UNKNOWN)
		fprintf(out, "  floor       %s of blackout were no memory dirty%s: no granularity, tracker or throttling goes below\n",
			units__duration(r->floor_ns, one),
			r->device_bytes == UNKNOWN ? ", and device state on top" : "");
	if (r->throttle_percent != UNKNOWN && r->throttle_percent)
		fprintf(out, "  throttle    vCPUs by %" PRIu64 " %%\n", r->throttle_percent);
}

static void put_forecast(FILE *out, const struct why_answer *a)
{
	if (a->prediction.trials != UNKNOWN)
		fprintf(out, "  predicted   %s, with nothing changed (%.1f %% of %" PRIu64 " trials switch over)\n",
			a->prediction.verdict, 100 * a->prediction.converged_share,
			a->prediction.trials);
	if (*a->rule.observed)
		fprintf(out, "  observed    %s%s\n", a->rule.observed,
			a->is_by_observation ? ": this decides, since the prediction cannot tell" :
			a->verdict == WHY_WILL && !strcmp(a->rule.observed, "not converging") ?
			": pending memory shrinks no more, but may be little enough" : "");
}

int why__text(FILE *out, const struct why_document *d)
{
	const struct why_answer *a = &d->answer;
	char sentence[WHY_SENTENCE];
	int err = 0;

	fprintf(out, "%s\n", why__sentence(a, sentence));
	if (a->verdict != WHY_OVER && a->writer_count) {
		put_rule(out, &a->rule);
		put_forecast(out, a);
	}
	if (a->writer_count) {
		fputs("\nPending, as reported by the last iteration\n", out);
		err = table__print(out, &why_writer_table, a->writers, a->writer_count, TABLE_KNOWN, 2);
	}
	if (!err && a->lever_count) {
		fputs("\nWhat each lever would bring, were it the only change (predicted)\n", out);
		err = table__print(out, &why_lever_table, a->levers, a->lever_count, TABLE_KNOWN, 2);
	}
	prediction__put_notes(out, "Assumed", &d->assumed);
	prediction__put_notes(out, "Not known", &d->unknown);
	if (d->emulated)
		fputs("\nThe recording's times are emulated: this is about the test bed, not about hardware.\n",
		      out);
	return err ?: fflush(out) || ferror(out) ? -EIO : 0;
}

/* ---- JSON -------------------------------------------------------------------------- */

static json_t *make_document(const struct why_document *d)
{
	const struct why_answer *a = &d->answer;
	char sentence[WHY_SENTENCE];
	json_t *object = json_object();
	int err = !object;

	err = err || json_object_set_new(object, "schema", json_string(WHY_SCHEMA));
	err = err || json_object_set_new(object, "time_basis_emulated", json_boolean(d->emulated));
	err = err || json_object_set_new(object, "answer", json_string(why__sentence(a, sentence)));
	err = err || json_object_set_new(object, "rule", json__record(&why_rule_table, &a->rule));
	err = err || json_object_set_new(object, "writers",
					 json__records(&why_writer_table, a->writers, a->writer_count));
	err = err || json_object_set_new(object, "prediction",
					 json__record(&prediction_table, &a->prediction));
	err = err || json_object_set_new(object, "decided_by_observation",
					 json_boolean(a->is_by_observation));
	err = err || json_object_set_new(object, "levers",
					 json__records(&why_lever_table, a->levers, a->lever_count));
	err = err || json_object_set_new(object, "assumed", prediction__list(&d->assumed));
	err = err || json_object_set_new(object, "not_known", prediction__list(&d->unknown));
	if (!err)
		return object;
	json_decref(object);
	return NULL;
}

int why__json(FILE *out, const struct why_document *document)
{
	return json__write_document(out, make_document(document));
}
