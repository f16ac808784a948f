// SPDX-License-Identifier: GPL-2.0-only
/*
 * From samples to points. Not here: reading recordings.
 */
#include "history.h"
#include "whatif.h"

#include "../lib/strings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int take_row(void *context, const struct sync_row *row);

void history__init(struct history *history)
{
	memset(history, 0, sizeof(*history));
	history->rows.grouping = SYNC_ITERATION;
	history->rows.handler = take_row;
	history->rows.context = history;
	history->granularity_bytes = UNKNOWN;
	field__clear(sample__table(SAMPLE_VMM_START), &history->vmm_start);
}

static void free_sources(struct history_source *sources, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(sources[i].points);
	free(sources);
}

void history__release(struct history *history)
{
	sync_rows__release(&history->rows);
	free_sources(history->open, history->open_count);
	free_sources(history->sources, history->count);
	memset(history, 0, sizeof(*history));
}

static struct history_source *add_source(struct history_source **sources, size_t *count)
{
	struct history_source *grown = realloc(*sources, (*count + 1) * sizeof(*grown));

	if (!grown)
		return NULL;
	*sources = grown;
	grown += (*count)++;
	*grown = (struct history_source){ .start_ns = UNKNOWN, .last_ns = UNKNOWN };
	return grown;
}

static struct history_source *open_source(struct history *history, const char *name, uint64_t pid,
					  uint64_t vm)
{
	struct history_source *source;

	if (!*name)
		name = "iommufd";
	for (size_t i = 0; i < history->open_count; i++) {
		source = &history->open[i];
		if (source->pid == pid && source->vm == vm && !strcmp(source->source, name))
			return source;
	}
	source = add_source(&history->open, &history->open_count);
	if (!source)
		return NULL;
	strncpy(source->source, name, sizeof(source->source) - 1);
	source->pid = pid;
	source->vm = vm;
	return source;
}

static int add_point(struct history_source *source, const struct history_point *point)
{
	/* Doubled at powers of two, from 16 on. */
	if (!source->count || (source->count >= 16 && !(source->count & (source->count - 1)))) {
		size_t room = source->count ? 2 * source->count : 16;
		struct history_point *grown = realloc(source->points, room * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		source->points = grown;
	}
	source->points[source->count++] = *point;
	return 0;
}

static bool is_all_set(const struct sync_row *row)
{
	return !sample__is_iommu(row->source) && row->iteration == 1 &&
	       row->dirty_bytes != UNKNOWN && row->dirty_bytes >= row->length_bytes;
}

static int take_row(void *context, const struct sync_row *row)
{
	struct history *history = context;
	struct history_source *source = open_source(history, row->source, row->pid, row->vm);
	struct history_point point = { .iteration = row->iteration, .sync_ns = row->total_ns,
				       .reported_bytes = row->dirty_bytes };
	uint64_t before;

	if (!source)
		return -ENOMEM;
	before = row->iteration == 1 || source->last_ns == UNKNOWN ? source->start_ns :
								    source->last_ns;
	if (row->t_ns == UNKNOWN || row->ret) {
		history->failed++;
		return 0;
	}
	if (before != UNKNOWN && row->t_ns <= before) {
		history->backwards++;
		source->last_ns = UNKNOWN;
		source->start_ns = UNKNOWN;
		return 0;
	}
	source->last_ns = row->t_ns;
	if (row->length_bytes != UNKNOWN && row->length_bytes > source->length_bytes)
		source->length_bytes = row->length_bytes;
	if (before == UNKNOWN || is_all_set(row)) {
		history->no_interval += before == UNKNOWN;
		history->all_set += before != UNKNOWN;
		return 0;
	}
	point.interval_ns = row->t_ns - before;
	memcpy(point.bytes, row->unit_bytes, sizeof(point.bytes));
	return add_point(source, &point);
}

static int add_sync(struct history *history, const union sample *sample)
{
	union sample counted = *sample;
	struct sync_sample *sync = &counted.sync;

	/* Without clearing, the next sync reports the same again. KVM's clear comes apart. */
	if (sync->clear == TRI_FALSE && sample__is_iommu(sync->source)) {
		history->kept++;
		return 0;
	}
	if (!whatif__sync(sync, sync->unit_bytes))
		history->contradictory++;
	if (sync->walk_ns != UNKNOWN && sync->entries != UNKNOWN) {
		history->leaves.ns += sync->walk_ns;
		history->leaves.count += sync->entries;
	}
	return sync_rows__add(&history->rows, SAMPLE_SYNC, &counted);
}

static int add_tracking(struct history *history, const union sample *sample)
{
	const struct tracking_sample *tracking = &sample->tracking;
	struct history_source *source;
	int err = sync_rows__add(&history->rows, SAMPLE_TRACKING, sample);

	if (err || tracking->enable != TRI_TRUE || tracking->ret)
		return err;
	source = open_source(history, tracking->source, tracking->pid, tracking->vm);
	if (!source)
		return -ENOMEM;
	source->start_ns = tracking->t_ns;
	/* Of what is mapped: the pages of a device's log are something else. */
	if (tracking->granularity_bytes != UNKNOWN && sample__is_iommu(tracking->source)) {
		history->granularity_bytes = tracking->granularity_bytes;
		memcpy(history->split_mode, tracking->split_mode, sizeof(history->split_mode));
		/* All but a few blocks stayed whole: what these tell is estimate.h's affair. */
		if (!strcmp(tracking->split_mode, "sample")) {
			history->granularity_bytes = 0;
			STRING_COPY(history->split_mode, "off");
		}
	}
	return 0;
}

static void add_split_cost(struct history *history, const struct size_summary_sample *s)
{
	for (unsigned int i = 0; i < LEAF_SIZES; i++)
		if (s->from_bytes == UINT64_C(1) << (i + LEAF_SHIFT) && s->total_ns != UNKNOWN &&
		    s->operations != UNKNOWN) {
			history->splits[i].ns += s->total_ns;
			history->splits[i].count += s->operations;
		}
}

static void add_end(struct history *history, const struct end_sample *end)
{
	history->lost_known = true;
	history->lost += sample__lost(end);
}

bool history__may_lack(const struct history *history)
{
	for (size_t i = 0; i < history->count; i++)
		if (sample__is_iommu(history->sources[i].source) && history->is_stock_arm64)
			return true;
	return false;
}

int history__add(struct history *history, enum sample_kind kind, const union sample *sample)
{
	switch (kind) {
	case SAMPLE_HEADER:
		memcpy(history->time_basis, sample->header.time_basis, sizeof(history->time_basis));
		history->is_stock_arm64 |= sample->header.kernel_patched == TRI_FALSE &&
					   !strcmp(sample->header.host_machine, "aarch64");
		return 0;
	case SAMPLE_SYNC:
		return add_sync(history, sample);
	case SAMPLE_TRACKING:
		return add_tracking(history, sample);
	case SAMPLE_SPLIT_SUMMARY:
		add_split_cost(history, &sample->size_summary);
		return 0;
	case SAMPLE_TLB_SUMMARY:
		if (!strcmp(sample->tlb_summary.cause, "split") &&
		    sample->tlb_summary.total_ns != UNKNOWN &&
		    sample->tlb_summary.invalidations != UNKNOWN) {
			history->split_tlb.ns += sample->tlb_summary.total_ns;
			history->split_tlb.count += sample->tlb_summary.invalidations;
		}
		return 0;
	case SAMPLE_VMM_START:
		history->vmm_start = sample->vmm_start;
		return 0;
	case SAMPLE_VMM_STATE:
		if (sample->vmm_state.downtime_limit_ns != UNKNOWN)
			history->vmm_start.downtime_limit_ns = sample->vmm_state.downtime_limit_ns;
		return 0;
	case SAMPLE_END:
		add_end(history, &sample->end);
		return 0;
	default:
		return 0;
	}
}

/* The process with most memory, and of those with as much the one with most points. */
static uint64_t choose_pid(const struct history *history)
{
	const struct history_source *best = NULL;

	if (history->wanted_pid)
		return history->wanted_pid;
	for (size_t i = 0; i < history->open_count; i++) {
		const struct history_source *source = &history->open[i];

		if (!best || source->length_bytes > best->length_bytes ||
		    (source->length_bytes == best->length_bytes && source->count > best->count))
			best = source;
	}
	return best ? best->pid : 0;
}

static int keep(struct history *history, const struct history_source *from)
{
	struct history_source *to = NULL;
	int err = 0;

	for (size_t i = 0; i < history->count; i++)
		if (!strcmp(history->sources[i].source, from->source))
			to = &history->sources[i];
	to = to ?: add_source(&history->sources, &history->count);
	if (!to)
		return -ENOMEM;
	memcpy(to->source, from->source, sizeof(to->source));
	to->pid = from->pid;
	to->vm = from->vm;
	if (from->length_bytes > to->length_bytes)
		to->length_bytes = from->length_bytes;
	for (size_t i = 0; !err && i < from->count; i++)
		err = add_point(to, &from->points[i]);
	return err;
}

int history__end(struct history *history)
{
	int err = sync_rows__flush(&history->rows);
	uint64_t pid = choose_pid(history);

	history->recordings++;
	for (size_t i = 0; !err && i < history->open_count; i++) {
		if (history->open[i].pid == pid)
			err = keep(history, &history->open[i]);
		else
			history->others++;
	}
	free_sources(history->open, history->open_count);
	history->open = NULL;
	history->open_count = 0;
	return err;
}

uint64_t history__memory(const struct history *history)
{
	uint64_t most = 0;

	for (size_t i = 0; i < history->count; i++)
		if (history->sources[i].length_bytes > most)
			most = history->sources[i].length_bytes;
	return most;
}
