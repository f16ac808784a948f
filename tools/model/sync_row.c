// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rows from syncs. Not here: iterations, which the samples bring along.
 */
#include "sync_row.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define F(...) FIELD(sync_row, __VA_ARGS__)

static const struct field fields[] = {
	F(t_ns, "t_ns", "time", FIELD_U64, UNIT_CLOCK, "end of the last sync, CLOCK_MONOTONIC"),
	F(source, "source", "source", FIELD_TEXT, UNIT_NONE,
	  "what keeps the dirty state: iommufd, type1, device, vhost, kvm or kvm-ring"),
	F(pid, "pid", NULL, FIELD_U64, UNIT_NONE, "calling process"),
	F(vm, "vm", NULL, FIELD_U64, UNIT_NONE, "VM of KVM, numbered in order of appearance"),
	F(domain, "domain", NULL, FIELD_U64, UNIT_NONE,
	  "IOMMU domain or device with a log, numbered in order of appearance"),
	F(device, "device", NULL, FIELD_TEXT, UNIT_NONE, "device whose own log it is"),
	F(slot, "slot", NULL, FIELD_U64, UNIT_NONE,
	  "memory slot, as KVM numbers it: address space << 16 | id"),
	F(iova, "iova", NULL, FIELD_U64, UNIT_NONE, "first IOVA, or guest-physical address"),
	F(length_bytes, "length_bytes", NULL, FIELD_U64, UNIT_BYTES, "length of the range"),
	F(who, "who", "whose", FIELD_TEXT, UNIT_NONE, "VM, IOMMU domain or device, and process"),
	F(where, "where", "what", FIELD_TEXT, UNIT_NONE, "slot or range"),
	F(iteration, "iteration", "iter.", FIELD_U64, UNIT_COUNT, "pre-copy iteration"),
	F(start_seen, "start_seen", NULL, FIELD_BOOL, UNIT_NONE,
	  "whether the start of tracking was seen; if not, there may be earlier iterations"),
	F(syncs, "syncs", NULL, FIELD_U64, UNIT_COUNT, "syncs in this row"),
	F(ret, "ret", NULL, FIELD_I64, UNIT_NONE, "0 or -errno"),
	F(total_ns, "total_ns", "total", FIELD_U64, UNIT_NS, "duration of the syncs"),
	F(walk_ns, "walk_ns", "walk", FIELD_U64, UNIT_NS, "part spent in table walks"),
	F(flush_ns, "flush_ns", "flush", FIELD_U64, UNIT_NS, "part spent waiting for the TLB"),
	F(clear_ns, "clear_ns", "clear", FIELD_U64, UNIT_NS,
	  "time spent clearing afterwards what the syncs had read; in rows of several syncs"),
	F(count_ns, "count_ns", "count", FIELD_U64, UNIT_NS,
	  "time this tool spent counting, after the syncs"),
	F(dirty_bytes, "dirty_bytes", "dirty", FIELD_U64, UNIT_BYTES, "bytes reported dirty"),
	F(unit_bytes[0], "dirty_4k_bytes", "4K", FIELD_U64, UNIT_BYTES,
	  "bytes of the 4K units that hold a dirty page"),
	F(unit_bytes[1], "dirty_64k_bytes", "64K", FIELD_U64, UNIT_BYTES,
	  "bytes of the 64K units that hold a dirty page"),
	F(unit_bytes[2], "dirty_2m_bytes", "2M", FIELD_U64, UNIT_BYTES,
	  "bytes of the 2M units that hold a dirty page"),
	F(unit_bytes[3], "dirty_1g_bytes", "1G", FIELD_U64, UNIT_BYTES,
	  "bytes of the 1G units that hold a dirty page"),
	F(note, "note", "note", FIELD_TEXT, UNIT_NONE, "what is special about it"),
};

const struct field_table sync_row_table = FIELD_TABLE("dirtysync", sync_row, fields);

/* Sums in which one unknown part makes the whole unknown. */
static void add(uint64_t *sum, uint64_t part)
{
	*sum = *sum == UNKNOWN || part == UNKNOWN ? UNKNOWN : *sum + part;
}

/* A slot of the second address space is "slot 1:5". */
static void name_place(struct sync_row *row)
{
	if (row->syncs > 1)
		snprintf(row->where, sizeof(row->where), "%" PRIu64 " syncs", row->syncs);
	else if (row->slot != UNKNOWN && row->slot >> 16)
		snprintf(row->where, sizeof(row->where), "slot %" PRIu64 ":%" PRIu64,
			 row->slot >> 16, row->slot & 0xffff);
	else if (row->slot != UNKNOWN)
		snprintf(row->where, sizeof(row->where), "slot %" PRIu64, row->slot);
	else if (row->iova != UNKNOWN)
		snprintf(row->where, sizeof(row->where), "%#" PRIx64 "+%#" PRIx64, row->iova,
			 row->length_bytes);
	else
		snprintf(row->where, sizeof(row->where), "all");
}

static void name_owner(struct sync_row *row)
{
	if (row->vm != UNKNOWN)
		snprintf(row->who, sizeof(row->who), "vm%" PRIu64 "/%" PRIu64, row->vm, row->pid);
	else if (*row->device)
		snprintf(row->who, sizeof(row->who), "%s/%" PRIu64, row->device, row->pid);
	else if (row->domain != UNKNOWN)
		snprintf(row->who, sizeof(row->who), "domain%" PRIu64 "/%" PRIu64, row->domain,
			 row->pid);
	else
		snprintf(row->who, sizeof(row->who), "%" PRIu64, row->pid);
}

static void annotate(struct sync_row *row)
{
	/* The VMM reads it a little later. */
	bool at_least = !strcmp(row->source, "vhost") && row->dirty_bytes != UNKNOWN;
	const char *also = at_least ? "at least; " : "";

	if (row->ret)
		snprintf(row->note, sizeof(row->note), "failed: %s", strerror((int)-row->ret));
	else if (row->start_seen == TRI_FALSE && row->iteration == 1)
		snprintf(row->note, sizeof(row->note), "%searlier syncs are missing", also);
	else if (at_least)
		snprintf(row->note, sizeof(row->note), "at least");
}

static void start_row(struct sync_row *row, const struct sync_sample *sync)
{
	field__clear(&sync_row_table, row);
	memcpy(row->source, sync->source, sizeof(row->source));
	if (!*row->source)
		snprintf(row->source, sizeof(row->source), "iommufd");
	row->pid = sync->pid;
	row->vm = sync->vm;
	row->domain = sync->domain;
	memcpy(row->device, sync->device, sizeof(row->device));
	row->slot = sync->slot;
	row->iova = sync->iova;
	row->length_bytes = 0;
	row->iteration = sync->iteration;
	row->start_seen = sync->start_seen;
	row->syncs = 0;
	row->total_ns = row->walk_ns = row->flush_ns = row->dirty_bytes = 0;
	for (int i = 0; i < UNIT_SIZES; i++)
		row->unit_bytes[i] = 0;
}

static void extend_row(struct sync_row *row, const struct sync_sample *sync)
{
	row->t_ns = sync->t_ns;
	if (row->syncs++) {
		if (row->slot != sync->slot)
			row->slot = UNKNOWN;
		if (row->domain != sync->domain) {
			row->domain = UNKNOWN;
			row->device[0] = 0;
		}
		if (row->iteration != sync->iteration)
			row->iteration = UNKNOWN;
		row->iova = UNKNOWN;
	}
	if (sync->start_seen == TRI_FALSE)
		row->start_seen = TRI_FALSE;
	if (sync->ret)
		row->ret = sync->ret;
	add(&row->length_bytes, sync->length_bytes);
	add(&row->total_ns, sync->total_ns);
	add(&row->walk_ns, sync->walk_ns);
	add(&row->flush_ns, sync->flush_ns);
	/* What was not counted took no time. */
	if (sync->count_ns != UNKNOWN)
		row->count_ns = sync->count_ns + (row->count_ns == UNKNOWN ? 0 : row->count_ns);
	add(&row->dirty_bytes, sync->dirty_bytes);
	for (int i = 0; i < UNIT_SIZES; i++)
		add(&row->unit_bytes[i], sync->unit_bytes[i]);
}

static int hand_on(struct sync_rows *rows, struct sync_row *row)
{
	name_owner(row);
	name_place(row);
	annotate(row);
	return rows->handler(rows->context, row);
}

static bool is_of(const struct sync_row *row, const char *source, uint64_t pid, uint64_t vm)
{
	/* Old recordings do not say that a sync is iommufd's. */
	return !strcmp(row->source, *source ? source : "iommufd") && row->pid == pid &&
	       row->vm == vm;
}

static int close_row(struct sync_rows *rows, size_t which)
{
	struct sync_row row = rows->open[which];

	rows->open[which] = rows->open[--rows->count];
	return hand_on(rows, &row);
}

static struct sync_row *open_row(struct sync_rows *rows, const struct sync_sample *sync)
{
	struct sync_row *open = realloc(rows->open, (rows->count + 1) * sizeof(*open));

	if (!open)
		return NULL;
	rows->open = open;
	open = &open[rows->count++];
	start_row(open, sync);
	return open;
}

static void sum_up(struct sync_rows *rows, const struct sync_sample *sync)
{
	rows->syncs++;
	if (sync->total_ns != UNKNOWN)
		rows->sync_ns += sync->total_ns;
	if (sync->count_ns == UNKNOWN) {
		/* A ring has no bitmap. */
		rows->uncounted += !sync->ret && sync->iova != UNKNOWN;
		return;
	}
	rows->counted++;
	rows->count_ns += sync->count_ns;
	if (sync->total_ns != UNKNOWN)
		rows->counted_sync_ns += sync->total_ns;
}

/* What is no part of an iteration stands for itself: failed syncs, resets of rings. */
static bool is_alone(const struct sync_rows *rows, const struct sync_sample *sync)
{
	return rows->grouping == SYNC_EACH ||
	       (rows->grouping == SYNC_ITERATION && sync->iteration == UNKNOWN);
}

static int add_sync(struct sync_rows *rows, const struct sync_sample *sync)
{
	struct sync_row alone, *row = NULL;

	sum_up(rows, sync);
	if (is_alone(rows, sync)) {
		start_row(&alone, sync);
		extend_row(&alone, sync);
		return hand_on(rows, &alone);
	}
	for (size_t i = 0; i < rows->count; i++) {
		int err;

		if (!is_of(&rows->open[i], sync->source, sync->pid, sync->vm))
			continue;
		if (rows->grouping == SYNC_INTERVAL || rows->open[i].iteration == sync->iteration) {
			row = &rows->open[i];
			break;
		}
		err = close_row(rows, i);
		if (err)
			return err;
		break;
	}
	row = row ?: open_row(rows, sync);
	if (!row)
		return -ENOMEM;
	extend_row(row, sync);
	return 0;
}

static void add_clear(struct sync_rows *rows, const struct clear_sample *clear)
{
	if (clear->total_ns != UNKNOWN)
		rows->clear_ns += clear->total_ns;
	for (size_t i = 0; i < rows->count; i++) {
		struct sync_row *row = &rows->open[i];

		if (!is_of(row, clear->source, clear->pid, clear->vm))
			continue;
		if (row->clear_ns == UNKNOWN)
			row->clear_ns = 0;
		add(&row->clear_ns, clear->total_ns);
	}
}

/* Of a VM's own logs: KVM's and, which nothing tells of, vhost's. */
static bool has_ended(const struct sync_row *row, const struct tracking_sample *tracking)
{
	return is_of(row, tracking->source, tracking->pid, tracking->vm) ||
	       (!strcmp(tracking->source, "kvm") && is_of(row, "vhost", tracking->pid, tracking->vm));
}

/* No iteration follows the last. */
static int end_tracking(struct sync_rows *rows, const struct tracking_sample *tracking)
{
	int err = 0;

	if (rows->grouping != SYNC_ITERATION || tracking->enable != TRI_FALSE)
		return 0;
	for (size_t i = rows->count; !err && i-- > 0;)
		if (has_ended(&rows->open[i], tracking))
			err = close_row(rows, i);
	return err;
}

int sync_rows__add(struct sync_rows *rows, enum sample_kind kind, const union sample *sample)
{
	switch (kind) {
	case SAMPLE_SYNC:
		return add_sync(rows, &sample->sync);
	case SAMPLE_CLEAR:
		add_clear(rows, &sample->clear);
		return 0;
	case SAMPLE_TRACKING:
		return end_tracking(rows, &sample->tracking);
	default:
		return 0;
	}
}

int sync_rows__flush(struct sync_rows *rows)
{
	int err = 0;

	while (!err && rows->count)
		err = close_row(rows, 0);
	return err;
}

void sync_rows__release(struct sync_rows *rows)
{
	free(rows->open);
	rows->open = NULL;
	rows->count = 0;
}
