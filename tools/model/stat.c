// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sums and percentiles. Not here: how they are shown.
 */
#include "stat.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NS_PER_SECOND UINT64_C(1000000000)

#define F(st, member, key, kind, u, text) FIELD(st, member, key, NULL, kind, u, text)
#define COUNT(st, member, text) F(st, member, #member, FIELD_U64, UNIT_COUNT, text)
#define TIME(st, member, text) F(st, member, #member, FIELD_U64, UNIT_NS, text)
#define BYTES(st, member, key, text) F(st, member, key, FIELD_U64, UNIT_BYTES, text)

static const struct field source_fields[] = {
	F(stat_source, source, "source", FIELD_TEXT, UNIT_NONE,
	  "what keeps the dirty state: iommufd, type1, device, kvm or kvm-ring"),
	COUNT(stat_source, syncs, "syncs, those that failed included"),
	COUNT(stat_source, failed, "syncs that failed"),
	TIME(stat_source, total_ns, "time they took"),
	TIME(stat_source, median_ns, "median of their durations"),
	TIME(stat_source, p99_ns, "99th percentile, by nearest rank"),
	TIME(stat_source, max_ns, "longest one"),
	BYTES(stat_source, dirty_bytes, "dirty_bytes", "bytes reported dirty"),
	BYTES(stat_source, unit_bytes[0], "dirty_4k_bytes",
	      "bytes of the 4K units that hold a dirty page, sync by sync"),
	BYTES(stat_source, unit_bytes[1], "dirty_64k_bytes",
	      "bytes of the 64K units that hold a dirty page"),
	BYTES(stat_source, unit_bytes[2], "dirty_2m_bytes",
	      "bytes of the 2M units that hold a dirty page"),
	BYTES(stat_source, unit_bytes[3], "dirty_1g_bytes",
	      "bytes of the 1G units that hold a dirty page"),
	COUNT(stat_source, clears, "calls that cleared afterwards what a sync had read"),
	TIME(stat_source, clear_ns, "time they took"),
	TIME(stat_source, count_ns, "time this tool spent on counting bitmaps, after the syncs"),
};

const struct field_table stat_source_table = FIELD_TABLE("stat_source", stat_source, source_fields);

static const struct field total_fields[] = {
	COUNT(stat_total, migrations, "times that tracking was on"),
	TIME(stat_total, tracking_ns, "time it was on"),
	TIME(stat_total, active_ns, "time from the first iteration's syncs to the last's"),
	F(stat_total, start_seen, "start_seen", FIELD_BOOL, UNIT_NONE,
	  "whether each start of tracking was seen; if not, what was before is missing"),
	COUNT(stat_total, iterations, "pre-copy iterations"),
	COUNT(stat_total, syncs, "reads of dirty state"),
	COUNT(stat_total, starts, "slots, domains and devices whose tracking was started"),
	TIME(stat_total, start_ns, "time that took"),
	COUNT(stat_total, splits, "blocks split"),
	COUNT(stat_total, split_tables, "page tables built for them"),
	COUNT(stat_total, split_failed, "blocks kept because their split failed"),
	TIME(stat_total, split_ns, "time spent splitting"),
	COUNT(stat_total, merges, "blocks put back"),
	TIME(stat_total, merge_ns, "time spent putting them back"),
	COUNT(stat_total, tlb_invalidations, "TLB invalidations of IOMMUs, whatever for"),
	COUNT(stat_total, tlb_commands, "commands queued for them"),
	TIME(stat_total, tlb_ns, "time spent on them"),
	COUNT(stat_total, ring_pushed, "entries that vCPUs wrote into dirty rings"),
	COUNT(stat_total, ring_full, "exits of a vCPU because its ring was full"),
	BYTES(stat_total, sent_bytes, "sent_bytes", "bytes sent over TCP while tracking was on"),
	F(stat_total, transfer_rate, "transfer_bytes_per_second", FIELD_U64, UNIT_BYTES_PER_SECOND,
	  "what that is in a second"),
	COUNT(stat_total, lost, "events not recorded"),
};

const struct field_table stat_total_table = FIELD_TABLE("stat", stat_total, total_fields);

struct stat_times {
	uint64_t *at;
	size_t count;
	size_t capacity;
	bool is_whole;			/* the durations of all syncs are known */
};

/* Of one process. */
struct stat_migration {
	uint64_t pid;
	uint64_t since_ns;
	uint64_t first_ns;		/* end of the first iteration's syncs */
	uint64_t last_ns;
	uint64_t sent_before;		/* when tracking began; UNKNOWN: not known */
	uint64_t sent;
	uint64_t sent_before_ns;
	uint64_t sent_ns;
	bool is_on;
};

static void add(uint64_t *sum, uint64_t part)
{
	*sum = *sum == UNKNOWN || part == UNKNOWN ? UNKNOWN : *sum + part;
}

/* What nobody measured was 0 so far. */
static void count(uint64_t *sum, uint64_t part)
{
	if (part != UNKNOWN)
		*sum = (*sum == UNKNOWN ? 0 : *sum) + part;
}

static struct stat_migration *find_migration(struct stat_sums *s, uint64_t pid)
{
	struct stat_migration *m;

	for (size_t i = 0; i < s->running_count; i++)
		if (s->running[i].pid == pid)
			return &s->running[i];
	m = realloc(s->running, (s->running_count + 1) * sizeof(*m));
	if (!m)
		return NULL;
	s->running = m;
	m = &m[s->running_count++];
	*m = (struct stat_migration){ .pid = pid, .sent_before = UNKNOWN, .sent = UNKNOWN };
	return m;
}

static int take_row(void *context, const struct converge_row *row)
{
	struct stat_sums *s = context;
	struct stat_migration *m = find_migration(s, row->pid);

	if (!m)
		return -ENOMEM;
	s->total.iterations++;
	m->first_ns = m->first_ns ? m->first_ns : row->t_ns;
	m->last_ns = row->t_ns;
	return s->also.row ? s->also.row(s->also.context, row) : 0;
}

static int count_phase(struct stat_sums *s, const struct converge_phase *phase)
{
	struct stat_migration *m = find_migration(s, phase->pid);
	bool late = !strcmp(phase->phase, "late");

	if (!m)
		return -ENOMEM;
	if (late || !strcmp(phase->phase, "start")) {
		s->total.migrations++;
		if (s->total.start_seen != TRI_FALSE)
			s->total.start_seen = late ? TRI_FALSE : TRI_TRUE;
		m->is_on = true;
		m->since_ns = phase->t_ns;
		m->sent_before = m->sent;
		m->sent_before_ns = m->sent_ns;
		return 0;
	}
	m->is_on = false;
	count(&s->total.tracking_ns, sample__between(m->since_ns, phase->t_ns));
	count(&s->total.active_ns, sample__between(m->first_ns, m->last_ns));
	m->first_ns = m->last_ns = 0;
	return 0;
}

static int take_phase(void *context, const struct converge_phase *phase)
{
	struct stat_sums *s = context;
	int err = count_phase(s, phase);

	if (!err && s->also.phase)
		err = s->also.phase(s->also.context, phase);
	return err;
}

void stat__init(struct stat_sums *s)
{
	memset(s, 0, sizeof(*s));
	field__clear(&stat_total_table, &s->total);
	s->total.migrations = s->total.iterations = s->total.syncs = s->total.starts = 0;
	s->converge.handlers = (struct converge_handlers){ take_row, take_phase, s };
}

static int find_source(struct stat_sums *s, const char *name, size_t *which)
{
	struct stat_source *sources;
	struct stat_times *times;

	/* Old recordings do not say that a sync is iommufd's. */
	name = *name ? name : "iommufd";
	for (*which = 0; *which < s->source_count; (*which)++)
		if (!strcmp(s->sources[*which].source, name))
			return 0;
	sources = realloc(s->sources, (s->source_count + 1) * sizeof(*sources));
	if (!sources)
		return -ENOMEM;
	s->sources = sources;
	times = realloc(s->times, (s->source_count + 1) * sizeof(*times));
	if (!times)
		return -ENOMEM;
	s->times = times;
	times[s->source_count] = (struct stat_times){ .is_whole = true };
	sources = &sources[s->source_count++];
	field__clear(&stat_source_table, sources);
	snprintf(sources->source, sizeof(sources->source), "%s", name);
	sources->syncs = sources->failed = sources->total_ns = sources->dirty_bytes = 0;
	sources->clears = 0;
	memset(sources->unit_bytes, 0, sizeof(sources->unit_bytes));
	return 0;
}

static int note_time(struct stat_times *times, uint64_t ns)
{
	if (ns == UNKNOWN) {
		times->is_whole = false;
		return 0;
	}
	if (times->count == times->capacity) {
		size_t capacity = times->capacity ? 2 * times->capacity : 64;
		uint64_t *at = realloc(times->at, capacity * sizeof(*at));

		if (!at)
			return -ENOMEM;
		times->at = at;
		times->capacity = capacity;
	}
	times->at[times->count++] = ns;
	return 0;
}

static int take_sync(struct stat_sums *s, const struct sync_sample *sync)
{
	struct stat_source *source;
	size_t which;
	int err = find_source(s, sync->source, &which);

	if (err)
		return err;
	source = &s->sources[which];
	s->total.syncs++;
	source->syncs++;
	add(&source->total_ns, sync->total_ns);
	count(&source->count_ns, sync->count_ns);
	if (sync->ret) {
		source->failed++;
	} else {
		add(&source->dirty_bytes, sync->dirty_bytes);
		for (int i = 0; i < UNIT_SIZES; i++)
			add(&source->unit_bytes[i], sync->unit_bytes[i]);
	}
	return note_time(&s->times[which], s->sums_only ? UNKNOWN : sync->total_ns);
}

static int take_clear(struct stat_sums *s, const struct clear_sample *clear)
{
	size_t which;
	int err = find_source(s, clear->source, &which);

	if (err)
		return err;
	s->sources[which].clears++;
	count(&s->sources[which].clear_ns, clear->total_ns);
	return 0;
}

static void take_tracking(struct stat_sums *s, const struct tracking_sample *tracking)
{
	if (tracking->enable != TRI_TRUE || tracking->ret)
		return;
	s->total.starts++;
	count(&s->total.start_ns, tracking->total_ns);
}

static int take_transfer(struct stat_sums *s, const struct transfer_sample *transfer)
{
	struct stat_migration *m = find_migration(s, transfer->pid);

	if (!m)
		return -ENOMEM;
	if (transfer->sent_bytes == UNKNOWN)
		return 0;
	/* A time in which nothing is sent any more is not that of the transfer. */
	if (m->sent == UNKNOWN || transfer->sent_bytes > m->sent)
		m->sent_ns = transfer->t_ns;
	m->sent = transfer->sent_bytes;
	if (m->is_on && m->sent_before == UNKNOWN) {
		m->sent_before = m->sent;
		m->sent_before_ns = m->sent_ns;
	}
	return 0;
}

static void take_sizes(struct stat_sums *s, bool split, const struct size_summary_sample *summary)
{
	struct stat_total *total = &s->total;

	count(split ? &total->splits : &total->merges, summary->operations);
	count(split ? &total->split_ns : &total->merge_ns, summary->total_ns);
	if (!split)
		return;
	count(&total->split_tables, summary->tables);
	count(&total->split_failed, summary->failed);
}

/* Nothing was seen, or nobody looked. */
static void take_header(struct stat_sums *s, const struct header_sample *header)
{
	struct stat_total *t = &s->total;

	for (size_t i = 0; i < header->probes.count; i++) {
		const char *name = header->probes.at[i].name;

		if (!strcmp(name, "split"))
			t->splits = t->split_tables = t->split_failed = t->split_ns = 0;
		else if (!strcmp(name, "merge"))
			t->merges = t->merge_ns = 0;
		else if (!strcmp(name, "tlb"))
			s->has_tlb = true;
	}
}

static void take_tlb(struct stat_sums *s, const struct tlb_summary_sample *summary)
{
	if (!s->has_tlb)
		return;
	count(&s->total.tlb_invalidations, summary->invalidations);
	count(&s->total.tlb_commands, summary->commands);
	count(&s->total.tlb_ns, summary->total_ns);
}

int stat__add(struct stat_sums *s, enum sample_kind kind, const union sample *sample)
{
	/* First: a phase that begins takes what was sent until then. */
	int err = converge__add(&s->converge, kind, sample);

	if (err)
		return err;
	switch (kind) {
	case SAMPLE_HEADER:
		take_header(s, &sample->header);
		return 0;
	case SAMPLE_TRACKING:
		take_tracking(s, &sample->tracking);
		return 0;
	case SAMPLE_SYNC:
		return take_sync(s, &sample->sync);
	case SAMPLE_CLEAR:
		return take_clear(s, &sample->clear);
	case SAMPLE_TRANSFER:
		return take_transfer(s, &sample->transfer);
	case SAMPLE_SPLIT_SUMMARY:
	case SAMPLE_MERGE_SUMMARY:
		take_sizes(s, kind == SAMPLE_SPLIT_SUMMARY, &sample->size_summary);
		return 0;
	case SAMPLE_TLB_SUMMARY:
		take_tlb(s, &sample->tlb_summary);
		return 0;
	case SAMPLE_RING_SUMMARY:
		count(&s->total.ring_pushed, sample->ring_summary.pushed);
		count(&s->total.ring_full, sample->ring_summary.full);
		return 0;
	case SAMPLE_END:
		s->total.lost = sample__lost(&sample->end);
		return 0;
	default:
		return 0;
	}
}

static int compare(const void *a, const void *b)
{
	uint64_t first = *(const uint64_t *)a, second = *(const uint64_t *)b;

	return first < second ? -1 : first > second;
}

/* Nearest rank: the smallest time that at least this share does not exceed. */
static uint64_t percentile(const struct stat_times *times, unsigned int percent)
{
	size_t rank = times->count / 100 * percent + (times->count % 100 * percent + 99) / 100;

	return times->at[rank - 1];
}

static void finish_source(struct stat_source *source, struct stat_times *times)
{
	if (!times->count || !times->is_whole)
		return;
	qsort(times->at, times->count, sizeof(*times->at), compare);
	source->median_ns = percentile(times, 50);
	source->p99_ns = percentile(times, 99);
	source->max_ns = times->at[times->count - 1];
}

void stat__finish(struct stat_sums *s)
{
	uint64_t sent_ns = 0;

	for (size_t i = 0; i < s->source_count; i++)
		finish_source(&s->sources[i], &s->times[i]);
	for (size_t i = 0; i < s->running_count; i++) {
		const struct stat_migration *m = &s->running[i];

		if (m->sent_before == UNKNOWN || m->sent_ns <= m->sent_before_ns || m->sent < m->sent_before)
			continue;
		count(&s->total.sent_bytes, m->sent - m->sent_before);
		sent_ns += m->sent_ns - m->sent_before_ns;
	}
	if (s->total.sent_bytes != UNKNOWN && sent_ns)
		s->total.transfer_rate = (uint64_t)((double)s->total.sent_bytes * NS_PER_SECOND /
						    (double)sent_ns + 0.5);
}

void stat__release(struct stat_sums *s)
{
	for (size_t i = 0; i < s->source_count; i++)
		free(s->times[i].at);
	free(s->times);
	free(s->sources);
	free(s->running);
	converge__release(&s->converge);
	memset(s, 0, sizeof(*s));
}
