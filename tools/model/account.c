// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sums, settings and thinned rows. Not here: what follows from several recordings.
 */
#include "account.h"

#include "whatif.h"
#include "../lib/strings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- rows -------------------------------------------------------------------------- */

static int keep_row(struct account_rows *rows, const void *row, size_t size)
{
	char *at = rows->at;

	if (!at) {
		at = rows->at = malloc(ACCOUNT_ROWS * size);
		rows->stride = 1;
	}
	if (!at)
		return -ENOMEM;
	if (rows->seen++ % rows->stride)
		return 0;
	if (rows->count == ACCOUNT_ROWS) {
		for (size_t i = 1; i < ACCOUNT_ROWS / 2; i++)
			memcpy(at + i * size, at + 2 * i * size, size);
		rows->count = ACCOUNT_ROWS / 2;
		rows->stride *= 2;
		if ((rows->seen - 1) % rows->stride)
			return 0;
	}
	memcpy(at + rows->count++ * size, row, size);
	return 0;
}

static int take_by_source(void *context, const struct sync_row *row)
{
	struct account *a = context;

	return keep_row(&a->by_source, row, sizeof(*row));
}

static int take_iteration(void *context, const struct converge_row *row)
{
	struct account *a = context;

	return keep_row(&a->iterations, row, sizeof(*row));
}

static int take_phase(void *context, const struct converge_phase *phase)
{
	struct account *a = context;
	bool begins = !strcmp(phase->phase, "start"), late = !strcmp(phase->phase, "late");

	if (begins || late) {
		a->several_vms |= a->migrated_pid && a->migrated_pid != phase->pid;
		if (!a->migrated_pid)
			a->migrated_pid = phase->pid;
		if (a->begin_ns == UNKNOWN)
			a->begin_ns = phase->t_ns;
		if (a->begin_seen != TRI_FALSE)
			a->begin_seen = late ? TRI_FALSE : TRI_TRUE;
	} else {
		a->finish_ns = phase->t_ns;
		a->finish_seen = !strcmp(phase->phase, "stop") ? TRI_TRUE : TRI_FALSE;
	}
	return keep_row(&a->phases, phase, sizeof(*phase));
}

void account__init(struct account *a)
{
	memset(a, 0, sizeof(*a));
	field__clear(sample__table(SAMPLE_HEADER), &a->header);
	field__clear(sample__table(SAMPLE_END), &a->end);
	field__clear(sample__table(SAMPLE_VMM_START), &a->vmm_start);
	field__clear(sample__table(SAMPLE_VMM_END), &a->vmm_end);
	field__clear(sample__table(SAMPLE_VMM_STATE), &a->vmm_state);
	a->first_ns = a->begin_ns = a->finish_ns = UNKNOWN;
	a->device_stop_ns = a->destination_running_ns = a->missed_pages = UNKNOWN;
	a->begin_seen = a->finish_seen = TRI_UNKNOWN;
	stat__init(&a->stat);
	a->stat.sums_only = true;
	a->stat.also = (struct converge_handlers){ take_iteration, take_phase, a };
	a->grouper.grouping = SYNC_ITERATION;
	a->grouper.handler = take_by_source;
	a->grouper.context = a;
}

void account__release(struct account *a)
{
	stat__release(&a->stat);
	sync_rows__release(&a->grouper);
	free(a->by_source.at);
	free(a->iterations.at);
	free(a->phases.at);
	free(a->sources);
	for (size_t i = 0; i < a->latency_count; i++)
		free(a->latencies[i].histogram_ns.at);
	free(a->latencies);
	memset(a, 0, sizeof(*a));
}

/* ---- settings ---------------------------------------------------------------------- */

const char *account__setting_name(enum setting setting)
{
	static const char *const names[SETTINGS] = {
		[SETTING_KERNEL] = "kernel", [SETTING_VMM] = "VMM", [SETTING_TRACKER] = "tracker",
		[SETTING_LEAF] = "leaf size", [SETTING_MODE] = "mode",
	};

	return names[setting];
}

/* "iommufd, kvm" in order of appearance */
static void add_word(char *to, size_t size, const char *word)
{
	size_t used = strlen(to), length = strlen(word);

	for (const char *found = to; (found = strstr(found, word)); found += length)
		if (!found[length] || found[length] == ',')
			return;
	if (used + length + 3 < size)
		snprintf(to + used, size - used, "%s%s", used ? ", " : "", word);
}

static void add_setting(struct account *a, enum setting setting, const char *word)
{
	if (*word)
		add_word(a->settings[setting], SETTING_TEXT, word);
}

/* Powers of two as people say them. */
static void add_leaf(struct account *a, uint64_t bytes)
{
	static const char units[] = "BKMGT";
	char text[24];
	int unit = 0;

	for (; unit < 4 && bytes && !(bytes % 1024); unit++)
		bytes /= 1024;
	snprintf(text, sizeof(text), "%llu%c", (unsigned long long)bytes, units[unit]);
	add_setting(a, SETTING_LEAF, bytes ? text : "as mapped");
}

static void take_header(struct account *a, const struct header_sample *header)
{
	a->header = *header;
	a->has_header = true;
	snprintf(a->settings[SETTING_KERNEL], SETTING_TEXT, "%s%s", header->kernel_release,
		 header->kernel_patched == TRI_TRUE ? " with the split series" : "");
	STRING_COPY(a->settings[SETTING_VMM], header->vmm);
}

static void take_tracking(struct account *a, const struct tracking_sample *tracking)
{
	if (tracking->enable != TRI_TRUE || tracking->ret)
		return;
	if (tracking->granularity_bytes != UNKNOWN)
		add_leaf(a, tracking->granularity_bytes);
	add_setting(a, SETTING_MODE, tracking->split_mode);
}

/* ---- syncs ------------------------------------------------------------------------- */

/* Quarters of an octave: the two bits below the highest one. */
static unsigned int bucket_of(uint64_t ns)
{
	unsigned int octave;

	if (ns < 4)
		return (unsigned int)ns;
	octave = 63 - (unsigned int)__builtin_clzll(ns);
	return 4 * (octave - 1) + ((ns >> (octave - 2)) & 3);
}

uint64_t account__bucket_ns(unsigned int bucket)
{
	unsigned int octave = bucket / 4 + 1;

	if (bucket < 4)
		return bucket;
	return ((UINT64_C(5) + bucket % 4) << (octave - 2)) - 1;
}

uint64_t account__percentile(const struct account_source *source, unsigned int percent)
{
	uint64_t rank = (source->timed * percent + 99) / 100, seen = 0, ns;

	if (!source->timed)
		return UNKNOWN;
	for (unsigned int i = 0; i < ACCOUNT_BUCKETS; i++) {
		seen += source->buckets[i];
		ns = account__bucket_ns(i);
		if (seen >= rank)
			return ns < source->longest_ns ? ns : source->longest_ns;
	}
	return source->longest_ns;
}

static struct account_source *find_source(struct account *a, const char *name)
{
	struct account_source *source;

	/* Old recordings do not say that a sync is iommufd's. */
	name = *name ? name : "iommufd";
	for (size_t i = 0; i < a->source_count; i++)
		if (!strcmp(a->sources[i].source, name))
			return &a->sources[i];
	source = realloc(a->sources, (a->source_count + 1) * sizeof(*source));
	if (!source)
		return NULL;
	a->sources = source;
	source += a->source_count++;
	*source = (struct account_source){ .shortest_ns = UNKNOWN };
	STRING_COPY(source->source, name);
	add_setting(a, SETTING_TRACKER, name);
	return source;
}

static void take_times(struct account_source *source, const struct sync_sample *sync)
{
	if (sync->count_ns != UNKNOWN)
		source->count_ns += sync->count_ns;
	if (sync->total_ns == UNKNOWN)
		return;
	source->timed++;
	source->total_ns += sync->total_ns;
	source->buckets[bucket_of(sync->total_ns)]++;
	if (sync->total_ns < source->shortest_ns)
		source->shortest_ns = sync->total_ns;
	if (sync->total_ns > source->longest_ns)
		source->longest_ns = sync->total_ns;
	if (sync->walk_ns != UNKNOWN) {
		source->walk_ns += sync->walk_ns;
		source->walked++;
	}
	if (sync->flush_ns != UNKNOWN) {
		source->flush_ns += sync->flush_ns;
		source->flushed++;
	}
}

static void take_dirty(struct account *a, struct account_source *source,
		       const struct sync_sample *sync)
{
	uint64_t bytes[UNIT_SIZES];

	if (sync->dirty_bytes != UNKNOWN)
		source->dirty_bytes += sync->dirty_bytes;
	if (whatif__sync(sync, bytes))
		for (int i = 0; i < UNIT_SIZES; i++)
			if (bytes[i] != UNKNOWN) {
				source->unit_bytes[i] += bytes[i];
				source->unit_from[i]++;
			}
	if (sync->iova != UNKNOWN && sync->length_bytes != UNKNOWN && sync->dirty_bytes != UNKNOWN)
		heat__add(&a->heat, sync->t_ns, sync->iova, sync->length_bytes, sync->dirty_bytes);
}

static int take_sync(struct account *a, const struct sync_sample *sync)
{
	struct account_source *source = find_source(a, sync->source);

	if (!source)
		return -ENOMEM;
	a->syncs++;
	source->syncs++;
	a->last_sync_ns = sync->t_ns;
	if (!sample__is_iommu(sync->source) && sync->page_bytes != UNKNOWN && !*a->settings[SETTING_LEAF])
		add_leaf(a, sync->page_bytes);
	if (sync->ret) {
		source->failed++;
		return 0;
	}
	take_times(source, sync);
	take_dirty(a, source, sync);
	return 0;
}

static int take_clear(struct account *a, const struct clear_sample *clear)
{
	struct account_source *source = find_source(a, clear->source);

	if (!source)
		return -ENOMEM;
	source->clears++;
	if (clear->total_ns != UNKNOWN)
		source->clear_ns += clear->total_ns;
	return 0;
}

/* ---- splits and invalidations ------------------------------------------------------ */

/* Totals are written again and again while a recording runs; the last count. */
static int take_latency(struct account *a, const struct account_latency *latest,
			const struct pairs *histogram)
{
	struct pair *copy = histogram->count ? malloc(histogram->count * sizeof(*copy)) : NULL;
	struct account_latency *l = NULL;

	if (histogram->count && !copy)
		return -ENOMEM;
	if (copy)
		memcpy(copy, histogram->at, histogram->count * sizeof(*copy));
	for (size_t i = 0; i < a->latency_count && !l; i++)
		if (!strcmp(a->latencies[i].what, latest->what) &&
		    !memcmp(a->latencies[i].key, latest->key, sizeof(latest->key)))
			l = &a->latencies[i];
	if (!l) {
		l = realloc(a->latencies, (a->latency_count + 1) * sizeof(*l));
		if (!l) {
			free(copy);
			return -ENOMEM;
		}
		a->latencies = l;
		l += a->latency_count++;
		*l = (struct account_latency){ 0 };
	}
	free(l->histogram_ns.at);
	*l = *latest;
	l->histogram_ns = (struct pairs){ histogram->count, copy };
	return 0;
}

static const char *size_text(uint64_t bytes, char text[24])
{
	static const char units[] = "BKMGT";
	int unit = 0;

	for (; bytes != UNKNOWN && unit < 4 && bytes >= 1024 && !(bytes % 1024); unit++)
		bytes /= 1024;
	if (bytes == UNKNOWN)
		return "?";
	snprintf(text, 24, "%llu%c", (unsigned long long)bytes, units[unit]);
	return text;
}

static int take_sizes(struct account *a, const char *what, const struct size_summary_sample *s)
{
	struct account_latency l = { .count = s->operations, .failed = s->failed,
				     .total_ns = s->total_ns, .max_ns = s->max_ns };
	char from[24], to[24];

	snprintf(l.what, sizeof(l.what), "%s %s to %s", what, size_text(s->from_bytes, from),
		 size_text(s->to_bytes, to));
	return take_latency(a, &l, &s->histogram_ns);
}

static int take_split_latency(struct account *a, const struct split_latency_sample *s)
{
	struct account_latency l = { .count = s->operations, .failed = s->failed,
				     .total_ns = s->total_ns, .max_ns = s->max_ns,
				     .key = { s->pid, s->from_bytes, s->to_bytes } };
	char from[24], to[24];

	snprintf(l.what, sizeof(l.what), "split %s to %s, %s, %s of %s", size_text(s->from_bytes, from),
		 size_text(s->to_bytes, to), s->mode, s->scope, s->source);
	return take_latency(a, &l, &s->histogram_ns);
}

static int take_tlb(struct account *a, const struct tlb_summary_sample *s)
{
	struct account_latency l = { .count = s->invalidations, .failed = UNKNOWN,
				     .total_ns = s->total_ns, .max_ns = s->max_ns };

	snprintf(l.what, sizeof(l.what), "TLB invalidation, %s", s->cause);
	return take_latency(a, &l, &s->histogram_ns);
}

static int take_tlb_cost(struct account *a, const struct tlb_cost_sample *s)
{
	struct account_latency l = { .count = s->flushes, .failed = UNKNOWN,
				     .total_ns = s->total_ns, .max_ns = s->max_ns,
				     .key = { s->pid } };

	snprintf(l.what, sizeof(l.what), "TLB invalidation by %s, %s, %s", s->source, s->range, s->cause);
	return take_latency(a, &l, &s->histogram_ns);
}

/* ---- samples ----------------------------------------------------------------------- */

static void note_time(struct account *a, uint64_t t_ns)
{
	if (t_ns == UNKNOWN || !t_ns)
		return;
	if (a->first_ns == UNKNOWN || t_ns < a->first_ns)
		a->first_ns = t_ns;
	if (t_ns > a->last_ns)
		a->last_ns = t_ns;
}

/* What the last answers leave out an earlier one may have said. */
static void take_state(struct account *a, const struct vmm_state_sample *state)
{
	struct vmm_state_sample last = a->vmm_state;

	a->vmm_state = *state;
	a->has_vmm_state = true;
	if (state->downtime_ns == UNKNOWN)
		a->vmm_state.downtime_ns = last.downtime_ns;
	if (state->elapsed_ns == UNKNOWN)
		a->vmm_state.elapsed_ns = last.elapsed_ns;
	if (state->transferred_bytes == UNKNOWN)
		a->vmm_state.transferred_bytes = last.transferred_bytes;
	if (!*state->status)
		STRING_COPY(a->vmm_state.status, last.status);
	if (!a->completed_ns && !strcmp(state->status, "completed"))
		a->completed_ns = state->t_ns;
	if (*state->version)
		snprintf(a->settings[SETTING_VMM], SETTING_TEXT, "%.30s%s%.62s", a->header.vmm,
			 *a->header.vmm ? " " : "", state->version);
}

static void take_transfer(struct account *a, const struct transfer_sample *transfer)
{
	if (transfer->sent_bytes == UNKNOWN)
		return;
	if (transfer->sent_bytes > a->sent_bytes) {
		a->sent_bytes = transfer->sent_bytes;
		a->before_sent_ns = a->last_look_ns;
		a->last_sent_ns = transfer->t_ns;
	}
	a->last_look_ns = transfer->t_ns;
}

static void take_vmm_sync(struct account *a, const struct vmm_sync_sample *sync)
{
	if (sync->missed_pages == UNKNOWN)
		return;
	a->missed_pages = (a->missed_pages == UNKNOWN ? 0 : a->missed_pages) + sync->missed_pages;
}

/* Lists of the samples kept are not copied: nothing here reads them. */
static int take_rest(struct account *a, enum sample_kind kind, const union sample *sample)
{
	switch (kind) {
	case SAMPLE_HEADER:
		take_header(a, &sample->header);
		return 0;
	case SAMPLE_TRACKING:
		note_time(a, sample->tracking.t_ns);
		take_tracking(a, &sample->tracking);
		return 0;
	case SAMPLE_SYNC:
		note_time(a, sample->sync.t_ns);
		return take_sync(a, &sample->sync);
	case SAMPLE_CLEAR:
		note_time(a, sample->clear.t_ns);
		return take_clear(a, &sample->clear);
	case SAMPLE_SPLIT_SUMMARY:
		return take_sizes(a, "split", &sample->size_summary);
	case SAMPLE_MERGE_SUMMARY:
		return take_sizes(a, "merge", &sample->size_summary);
	case SAMPLE_SPLIT_LATENCY:
		return take_split_latency(a, &sample->split_latency);
	case SAMPLE_TLB_SUMMARY:
		return take_tlb(a, &sample->tlb_summary);
	case SAMPLE_TLB_COST:
		return take_tlb_cost(a, &sample->tlb_cost);
	case SAMPLE_TRANSFER:
		note_time(a, sample->transfer.t_ns);
		take_transfer(a, &sample->transfer);
		return 0;
	case SAMPLE_END:
		note_time(a, sample->end.t_ns);
		a->end = sample->end;
		a->has_end = true;
		return 0;
	case SAMPLE_VMM_START:
		a->vmm_start = sample->vmm_start;
		a->has_vmm_start = true;
		return 0;
	case SAMPLE_VMM_SYNC:
		take_vmm_sync(a, &sample->vmm_sync);
		return 0;
	case SAMPLE_VMM_DEVICE_STOP:
		a->device_stop_ns = sample->vmm_moment.t_ns;
		return 0;
	case SAMPLE_VMM_DESTINATION_RUNNING:
		a->destination_running_ns = sample->vmm_moment.t_ns;
		return 0;
	case SAMPLE_VMM_END:
		a->vmm_end = sample->vmm_end;
		a->has_vmm_end = true;
		return 0;
	case SAMPLE_VMM_STATE:
		note_time(a, sample->vmm_state.t_ns);
		take_state(a, &sample->vmm_state);
		return 0;
	default:
		return 0;
	}
}

int account__add(struct account *a, enum sample_kind kind, const union sample *sample)
{
	int err = take_rest(a, kind, sample);

	a->samples++;
	err = err ?: sync_rows__add(&a->grouper, kind, sample);
	return err ?: stat__add(&a->stat, kind, sample);
}

/* Bytes sent are looked at now and then: the last one went between two looks. */
static void settle_finish(struct account *a)
{
	uint64_t earliest = a->before_sent_ns > a->last_sync_ns ? a->before_sent_ns : a->last_sync_ns;
	uint64_t latest = a->last_sent_ns;

	if (a->completed_ns > a->last_sync_ns && (latest <= a->last_sync_ns || a->completed_ns < latest))
		latest = a->completed_ns;
	a->finish_seen = latest > a->last_sync_ns ? TRI_TRUE : TRI_FALSE;
	a->finish_ns = latest > a->last_sync_ns ? latest : a->last_sync_ns;
	a->finish_error_ns = a->finish_ns > earliest ? a->finish_ns - earliest : 0;
}

/*
 * A VMM may leave tracking on when a migration completes, and live on for long. Its end is when
 * the last byte had arrived or when the VMM says so; of the last sync on only that it came later.
 */
static void settle_times(struct account *a)
{
	if (a->begin_ns != UNKNOWN && a->finish_seen != TRI_TRUE)
		settle_finish(a);
	if (a->begin_ns != UNKNOWN && a->finish_ns != UNKNOWN && a->finish_ns < a->begin_ns)
		a->finish_ns = UNKNOWN;
	if (a->has_vmm_end && a->vmm_end.missed_pages != UNKNOWN)
		a->missed_pages = a->vmm_end.missed_pages;
}

int account__finish(struct account *a)
{
	int err = sync_rows__flush(&a->grouper);

	stat__finish(&a->stat);
	heat__finish(&a->heat);
	settle_times(a);
	return err;
}

bool account__is_emulated(const struct account *a)
{
	return !strcmp(a->header.time_basis, "emulated");
}

uint64_t account__lost(const struct account *a)
{
	return a->has_end ? sample__lost(&a->end) : UNKNOWN;
}

const char *account__failure(const struct account *a)
{
	if (a->has_vmm_end && *a->vmm_end.error)
		return a->vmm_end.error;
	if (!strcmp(a->vmm_state.status, "failed"))
		return *a->vmm_state.error ? a->vmm_state.error : "the VMM says that it failed";
	if (!strcmp(a->vmm_state.status, "cancelled"))
		return "the VMM says that it was cancelled";
	return NULL;
}
