// SPDX-License-Identifier: GPL-2.0-only
/*
 * From samples to results, and the checks of the kernel's account against the VMM's.
 * Not here: the sentence made from many runs (answer.c).
 */
#include "run.h"
#include "histogram.h"
#include "leafmap.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_BYTES 4096		/* truth is kept in 4K pages */

int run__new(struct run **out)
{
	struct run *run = calloc(1, sizeof(*run));

	if (!run)
		return -ENOMEM;
	run->samples.downtime_ns = UNKNOWN;
	run->samples.blackout_ns = UNKNOWN;
	run->samples.blackout_error_ns = UNKNOWN;
	run->samples.device_stop_ns = UNKNOWN;
	run->samples.destination_running_ns = UNKNOWN;
	field__clear(&run_table, &run->result);
	*out = run;
	return 0;
}

void run__free(struct run *run)
{
	struct run_samples *s;

	if (!run)
		return;
	s = &run->samples;
	for (size_t i = 0; i < s->split_summary_count; i++)
		free(s->split_summaries[i].histogram_ns.at);
	for (size_t i = 0; i < s->merge_summary_count; i++)
		free(s->merge_summaries[i].histogram_ns.at);
	for (size_t i = 0; i < s->tlb_summary_count; i++)
		free(s->tlb_summaries[i].histogram_ns.at);
	for (size_t i = 0; i < s->vmm_sync_count; i++)
		free(s->vmm_syncs[i].true_regions.at);
	free(s->syncs);
	free(s->trackings);
	free(s->splits);
	free(s->split_owner);
	free(s->split_summaries);
	free(s->merge_summaries);
	free(s->tlb_summaries);
	free(s->vmm_syncs);
	free(s->vmm_iterations);
	free(s->vmm_trackings);
	free(run->syncs);
	free(run);
}

/* Arrays double, so their capacity is the next power of two and need not be stored. */
static int append(void **array, size_t *count, size_t size, const void *item)
{
	if ((*count & (*count - 1)) == 0) {
		void *grown = realloc(*array, (*count ? *count * 2 : 1) * size);

		if (!grown)
			return -ENOMEM;
		*array = grown;
	}
	memcpy((char *)*array + *count * size, item, size);
	(*count)++;
	return 0;
}

#define APPEND(array, count, item) append((void **)&(array), &(count), sizeof(*(array)), &(item))

static int add_split(struct run_samples *s, const struct split_sample *split)
{
	size_t owner = SPLIT_OF_START, owners = s->split_count;
	int err = APPEND(s->split_owner, owners, owner);

	return err ?: APPEND(s->splits, s->split_count, *split);
}

/* The splits since the last sync of this domain were made by the call that ends now. */
static void own_splits(struct run_samples *s, uint64_t domain, size_t owner)
{
	size_t left = s->split_unowned;

	for (size_t i = s->split_unowned; i < s->split_count; i++) {
		struct split_sample split = s->splits[i];

		if (split.domain != domain)
			continue;
		/* Keep the unowned ones of other domains together behind the owned. */
		memmove(&s->splits[left + 1], &s->splits[left], (i - left) * sizeof(split));
		s->splits[left] = split;
		s->split_owner[left++] = owner;
	}
	s->split_unowned = left;
}

static int add_sync(struct run_samples *s, const struct sync_sample *sync)
{
	int err = APPEND(s->syncs, s->sync_count, *sync);

	if (!err)
		own_splits(s, sync->domain, s->sync_count - 1);
	return err;
}

static int add_tracking(struct run_samples *s, const struct tracking_sample *tracking)
{
	int err = APPEND(s->trackings, s->tracking_count, *tracking);

	if (!err)
		own_splits(s, tracking->domain, SPLIT_OF_START);
	return err;
}

/* A later summary of the same thing replaces the earlier one: summaries are running totals. */
static int add_size_summary(struct size_summary_sample **all, size_t *count,
			    struct size_summary_sample *summary)
{
	for (size_t i = 0; i < *count; i++) {
		struct size_summary_sample *old = &(*all)[i];

		if (old->from_bytes != summary->from_bytes || old->to_bytes != summary->to_bytes)
			continue;
		free(old->histogram_ns.at);
		*old = *summary;
		return 0;
	}
	return APPEND(*all, *count, *summary);
}

static int add_tlb_summary(struct run_samples *s, struct tlb_summary_sample *summary)
{
	for (size_t i = 0; i < s->tlb_summary_count; i++) {
		struct tlb_summary_sample *old = &s->tlb_summaries[i];

		if (strcmp(old->cause, summary->cause))
			continue;
		free(old->histogram_ns.at);
		*old = *summary;
		return 0;
	}
	return APPEND(s->tlb_summaries, s->tlb_summary_count, *summary);
}

static int add_one(struct run_samples *s, enum sample_kind kind, union sample *sample)
{
	switch (kind) {
	case SAMPLE_HEADER:
		s->header = sample->header;
		s->has_header = true;
		return 0;
	case SAMPLE_TRACKING:
		return sample__is_iommu(sample->tracking.source) ?
			       add_tracking(s, &sample->tracking) : 0;
	case SAMPLE_SYNC:
		s->other_sync_count += !sample__is_iommu(sample->sync.source);
		return sample__is_iommu(sample->sync.source) ? add_sync(s, &sample->sync) : 0;
	case SAMPLE_SPLIT:
		return add_split(s, &sample->split);
	case SAMPLE_SPLIT_SUMMARY:
		return add_size_summary(&s->split_summaries, &s->split_summary_count,
					&sample->size_summary);
	case SAMPLE_MERGE_SUMMARY:
		return add_size_summary(&s->merge_summaries, &s->merge_summary_count,
					&sample->size_summary);
	case SAMPLE_TLB_SUMMARY:
		return add_tlb_summary(s, &sample->tlb_summary);
	case SAMPLE_END:
		s->end = sample->end;
		s->has_end = true;
		return 0;
	case SAMPLE_PLAN:
		s->plan = sample->plan;
		s->has_plan = true;
		return 0;
	case SAMPLE_VMM_START:
		s->vmm_start = sample->vmm_start;
		s->has_vmm_start = true;
		return 0;
	case SAMPLE_VMM_IOTLB:
		if (!strcmp(sample->vmm_iotlb.when, "before")) {
			s->vmm_before = sample->vmm_iotlb;
			s->has_vmm_before = true;
		} else {
			s->vmm_after = sample->vmm_iotlb;
			s->has_vmm_after = true;
		}
		return 0;
	case SAMPLE_VMM_TRACKING:
		return APPEND(s->vmm_trackings, s->vmm_tracking_count, sample->vmm_tracking);
	case SAMPLE_VMM_SYNC:
		return APPEND(s->vmm_syncs, s->vmm_sync_count, sample->vmm_sync);
	case SAMPLE_VMM_ITERATION:
		return APPEND(s->vmm_iterations, s->vmm_iteration_count, sample->vmm_iteration);
	case SAMPLE_VMM_STATE:
		if (sample->vmm_state.downtime_ns != UNKNOWN)
			s->downtime_ns = sample->vmm_state.downtime_ns;
		return 0;
	case SAMPLE_VMM_DEVICE_STOP:
		s->device_stop_ns = sample->vmm_moment.t_ns;
		return 0;
	case SAMPLE_VMM_DESTINATION_RUNNING:
		s->destination_running_ns = sample->vmm_moment.t_ns;
		return 0;
	case SAMPLE_VMM_END:
		s->vmm_end = sample->vmm_end;
		s->has_vmm_end = true;
		return 0;
	case SAMPLE_SAMPLED:
	case SAMPLE_CLEAR:
	case SAMPLE_RING_SUMMARY:
	case SAMPLE_TRANSFER:
	case SAMPLE_SPLIT_LATENCY:
	case SAMPLE_TLB_COST:
	case SAMPLE_STACK:
	case SAMPLE_DEVICE_STATE:
	case SAMPLE_INTERRUPT:
	case SAMPLE_VCPUS:
	case SAMPLE_CONNECTION:
	case SAMPLE_KINDS:
		break;
	}
	return 0;
}

/* Lists of other kinds a run has no use for: they stay the caller's, to be freed. */
static bool takes_lists(enum sample_kind kind)
{
	return kind == SAMPLE_SPLIT_SUMMARY || kind == SAMPLE_MERGE_SUMMARY ||
	       kind == SAMPLE_TLB_SUMMARY || kind == SAMPLE_VMM_SYNC;
}

int run__add(struct run *run, enum sample_kind kind, union sample *sample)
{
	int err = add_one(&run->samples, kind, sample);

	if (!err && takes_lists(kind))
		field__clear(sample__table(kind), sample);
	return err;
}

/* Sums in which one unknown part makes the whole unknown. */
static uint64_t plus(uint64_t a, uint64_t b)
{
	return a == UNKNOWN || b == UNKNOWN ? UNKNOWN : a + b;
}

/* Notes the first difference; later ones are only counted. */
struct disagreement {
	char first[200];
	unsigned int more;
};

__attribute__((format(printf, 2, 3)))
static void disagree(struct disagreement *d, const char *format, ...)
{
	va_list args;

	if (d->first[0]) {
		d->more++;
		return;
	}
	va_start(args, format);
	vsnprintf(d->first, sizeof(d->first), format, args);
	va_end(args);
}

static void copy_text(char *to, size_t size, const char *from)
{
	snprintf(to, size, "%s", from);
}

/* Of the tracker that a run is about; old recordings know one only. "": it has none. */
static const char *tracker(const struct run_samples *s)
{
	const char *source = s->sync_count ? s->syncs[0].source :
			     s->tracking_count ? s->trackings[0].source : NULL;

	if (!source)
		return "";
	return *source ? source : "iommufd";
}

/* Who ran where, and what was asked for: the plan, else the VMM's own words. */
static void identify(struct run *run)
{
	struct run_result *r = &run->result;
	const struct run_samples *s = &run->samples;

	if (s->has_header) {
		copy_text(r->time_basis, sizeof(r->time_basis), s->header.time_basis);
		copy_text(r->host_name, sizeof(r->host_name), s->header.host_name);
		copy_text(r->host_machine, sizeof(r->host_machine), s->header.host_machine);
		copy_text(r->kernel_release, sizeof(r->kernel_release), s->header.kernel_release);
		r->kernel_patched = s->header.kernel_patched;
	}
	copy_text(r->path, sizeof(r->path), tracker(s));
	copy_text(r->name, sizeof(r->name), run->name);
	if (s->has_vmm_start) {
		r->backing_bytes = s->vmm_start.backing_bytes;
		r->granularity_bytes = s->vmm_start.granularity_bytes;
		copy_text(r->split_mode, sizeof(r->split_mode), s->vmm_start.split_mode);
		r->memory_bytes = s->vmm_start.memory_bytes;
		copy_text(r->workload_name, sizeof(r->workload_name), s->vmm_start.workload_name);
		r->workload_seed = s->vmm_start.workload_seed;
		r->bandwidth_bytes_per_second = s->vmm_start.bandwidth_bytes_per_second;
	}
	if (s->has_plan) {
		copy_text(r->name, sizeof(r->name), s->plan.name);
		r->bbml = s->plan.bbml;
		r->adversary = s->plan.adversary;
		r->iotlb_size = s->plan.iotlb_size;
	}
	if (s->has_plan && !s->has_vmm_start) {
		r->backing_bytes = s->plan.backing_bytes;
		r->granularity_bytes = s->plan.granularity_bytes;
		copy_text(r->split_mode, sizeof(r->split_mode), s->plan.split_mode);
		r->memory_bytes = s->plan.memory_bytes;
		copy_text(r->workload_name, sizeof(r->workload_name), s->plan.workload_name);
		r->workload_seed = s->plan.workload_seed;
		r->bandwidth_bytes_per_second = s->plan.bandwidth_bytes_per_second;
	}
}

static const struct tracking_sample *tracking_start(const struct run_samples *s)
{
	for (size_t i = 0; i < s->tracking_count; i++)
		if (s->trackings[i].enable == TRI_TRUE && !s->trackings[i].ret)
			return &s->trackings[i];
	return NULL;
}

/*
 * What the kernel put in force wins over what was asked for; "off" has the backing's size. A kernel that
 * says the IOMMU cannot split has not done otherwise than asked.
 */
static void settle_granularity(struct run *run, struct disagreement *d)
{
	struct run_result *r = &run->result;
	const struct tracking_sample *start = tracking_start(&run->samples);
	bool asked = r->split_mode[0] && strcmp(r->split_mode, "off");

	if (start) {
		r->tracking_start_ns = start->total_ns;
		r->tracking_splits = start->splits;
		r->tracking_tables = start->tables;
		copy_text(r->kept_reason, sizeof(r->kept_reason), start->kept_reason);
	}
	if (asked && r->granularity_bytes && r->granularity_bytes < r->backing_bytes &&
	    start && start->granularity_bytes != UNKNOWN && strcmp(start->kept_reason, "bbml0") &&
	    (strcmp(start->split_mode, r->split_mode) ||
	     start->granularity_bytes != r->granularity_bytes))
		disagree(d, "the VMM asked for mode %s at %" PRIu64 " bytes, the kernel used mode %s at %" PRIu64,
			 r->split_mode, r->granularity_bytes, start->split_mode,
			 start->granularity_bytes);
	if (start && start->split_mode[0]) {
		copy_text(r->split_mode, sizeof(r->split_mode), start->split_mode);
		r->granularity_bytes = start->granularity_bytes;
	}
	if (!strcmp(r->split_mode, "off") || !r->granularity_bytes ||
	    (r->backing_bytes != UNKNOWN && r->granularity_bytes >= r->backing_bytes)) {
		copy_text(r->split_mode, sizeof(r->split_mode), "off");
		r->granularity_bytes = r->backing_bytes;
	}
}

static void start_row(struct run_sync *row, const struct sync_sample *sync)
{
	field__clear(&run_sync_table, row);
	row->iteration = sync->iteration;
	row->iova = sync->iova;
	row->length_bytes = 0;
	row->duration_ns = 0;
	row->walk_ns = 0;
	row->flush_ns = 0;
	row->entries = 0;
	memset(row->dirty_entries, 0, sizeof(row->dirty_entries));
	row->dirty_bytes = 0;
	row->splits = 0;
	row->tables = 0;
	row->kept = 0;
	row->tlb_invalidations = 0;
	row->tlb_commands = 0;
}

static void extend_row(struct run_sync *row, const struct sync_sample *sync)
{
	row->t_ns = sync->t_ns;
	row->length_bytes += sync->length_bytes;
	row->duration_ns = plus(row->duration_ns, sync->total_ns);
	row->walk_ns = plus(row->walk_ns, sync->walk_ns);
	row->flush_ns = plus(row->flush_ns, sync->flush_ns);
	row->entries = plus(row->entries, sync->entries);
	for (size_t i = 0; i < LEAF_SIZES; i++)
		row->dirty_entries[i] = plus(row->dirty_entries[i], sync->dirty_entries[i]);
	row->dirty_bytes = plus(row->dirty_bytes, sync->dirty_bytes);
	row->splits = plus(row->splits, sync->splits);
	row->tables = plus(row->tables, sync->tables);
	row->kept = plus(row->kept, sync->kept);
	row->tlb_invalidations = plus(row->tlb_invalidations, sync->tlb_invalidations);
	row->tlb_commands = plus(row->tlb_commands, sync->tlb_commands);
}

static bool belongs(const struct vmm_sync_sample *vmm, const struct sync_sample *sync)
{
	return sync->iova >= vmm->iova && sync->iova - vmm->iova < vmm->length &&
	       sync->length_bytes <= vmm->length - (sync->iova - vmm->iova);
}

static bool counts(const struct sync_sample *sync)
{
	return !sync->ret && sync->clear != TRI_FALSE;
}

static void compare_row(const struct run_sync *row, const struct vmm_sync_sample *vmm,
			size_t number, struct disagreement *d)
{
	if (row->length_bytes != vmm->length)
		disagree(d, "sync %zu: the kernel saw %" PRIu64 " of the %" PRIu64 " bytes that the VMM synced",
			 number, row->length_bytes, vmm->length);
	if (row->dirty_bytes != vmm->dirty_bytes)
		disagree(d, "sync %zu: the kernel reported %" PRIu64 " dirty bytes, the VMM read %" PRIu64,
			 number, row->dirty_bytes, vmm->dirty_bytes);
	if (row->iteration != vmm->iteration)
		disagree(d, "sync %zu: iteration %" PRIu64 " by the kernel's events, %" PRIu64 " in the VMM's log",
			 number, row->iteration, vmm->iteration);
}

/*
 * Makes one row of the kernel's syncs from *next on: all in the range of the VMM's sync,
 * or just one if there is no log. Advances *next past them.
 */
static bool gather_row(const struct run_samples *s, const struct vmm_sync_sample *vmm,
		       struct run_sync *row, size_t *next)
{
	bool started = false;

	for (; *next < s->sync_count; (*next)++) {
		const struct sync_sample *sync = &s->syncs[*next];

		if (!counts(sync))
			continue;
		if (started && (!vmm || row->length_bytes >= vmm->length))
			break;
		if (vmm && !belongs(vmm, sync))
			break;
		if (!started)
			start_row(row, sync);
		started = true;
		extend_row(row, sync);
	}
	return started;
}

static void add_truth(struct run_sync *row, const struct vmm_sync_sample *vmm)
{
	row->true_bytes = vmm->true_bytes;
	row->missed_pages = vmm->missed_pages;
	row->vmm_dirty_bytes = vmm->dirty_bytes;
	row->vmm_duration_ns = vmm->duration_ns;
}

/* The rows of the table of syncs. row_end[i] is one past row i's last sample. */
static int make_rows(struct run *run, size_t **row_end, struct disagreement *d)
{
	const struct run_samples *s = &run->samples;
	size_t rows = s->vmm_sync_count ?: s->sync_count, next = 0;

	free(run->syncs);
	run->sync_count = 0;
	run->syncs = calloc(rows ?: 1, sizeof(*run->syncs));
	*row_end = calloc(rows ?: 1, sizeof(**row_end));
	if (!run->syncs || !*row_end)
		return -ENOMEM;

	for (size_t i = 0; i < rows; i++) {
		const struct vmm_sync_sample *vmm = s->vmm_sync_count ? &s->vmm_syncs[i] : NULL;
		struct run_sync *row = &run->syncs[i];

		if (!gather_row(s, vmm, row, &next)) {
			if (vmm)
				disagree(d, "the VMM logged sync %zu, the kernel saw only %zu",
					 i + 1, i);
			break;
		}
		(*row_end)[run->sync_count++] = next;
		if (!vmm)
			continue;
		compare_row(row, vmm, i + 1, d);
		add_truth(row, vmm);
	}
	for (; s->vmm_sync_count && next < s->sync_count; next++)
		if (counts(&s->syncs[next])) {
			disagree(d, "the kernel saw a sync that the VMM did not log (after its sync %zu)",
				 run->sync_count);
			break;
		}
	return 0;
}

static void sum_rows(struct run *run)
{
	struct run_result *r = &run->result;

	r->sync_count = run->sync_count;
	r->dirty_bytes = 0;
	r->true_bytes = 0;
	r->sync_total_ns = 0;
	for (size_t i = 0; i < run->sync_count; i++) {
		r->dirty_bytes = plus(r->dirty_bytes, run->syncs[i].dirty_bytes);
		r->true_bytes = plus(r->true_bytes, run->syncs[i].true_bytes);
		r->sync_total_ns = plus(r->sync_total_ns, run->syncs[i].duration_ns);
	}
}

/* Dirty bytes in leaves larger than the granularity, the rest, and the truth of each. */
struct amplification {
	uint64_t first_reported, first_true;
	uint64_t later_reported, later_true;
};

static double ratio(uint64_t a, uint64_t b)
{
	return a == UNKNOWN || b == UNKNOWN || !b ? NAN : (double)a / (double)b;
}

static bool starts_fine(const struct run *run)
{
	const struct tracking_sample *start = tracking_start(&run->samples);

	if (!start || start->leaves[0] == UNKNOWN)
		return false;
	for (size_t i = 0; i < LEAF_SIZES; i++)
		if (start->leaves[i] &&
		    UINT64_C(1) << (i + LEAF_SHIFT) > run->result.granularity_bytes)
			return false;
	return true;
}

static void amplify_row(const struct run *run, const struct run_sync *row,
			const struct vmm_sync_sample *vmm, const struct leafmap *map,
			struct amplification *a)
{
	uint64_t later = 0;

	for (size_t i = 0; i < LEAF_SIZES; i++)
		if (UINT64_C(1) << (i + LEAF_SHIFT) <= run->result.granularity_bytes)
			later += row->dirty_entries[i] << (i + LEAF_SHIFT);
	/* Entries count whole leaves, dirty bytes only what was asked for. */
	if (later > row->dirty_bytes)
		later = row->dirty_bytes;
	a->later_reported += later;
	a->first_reported += row->dirty_bytes - later;

	for (size_t i = 0; i < vmm->true_regions.count; i++) {
		const struct pair *region = &vmm->true_regions.at[i];

		if (leafmap__is_fine(map, region->key))
			a->later_true += region->value * PAGE_BYTES;
		else
			a->first_true += region->value * PAGE_BYTES;
	}
}

/* The splits of a row take effect after its report. */
static int refine(const struct run *run, size_t first_sync, size_t end_sync, struct leafmap *map)
{
	const struct run_samples *s = &run->samples;

	for (size_t i = 0; i < s->split_unowned; i++) {
		const struct split_sample *split = &s->splits[i];
		int err;

		if (s->split_owner[i] == SPLIT_OF_START || s->split_owner[i] < first_sync ||
		    s->split_owner[i] >= end_sync || split->ret ||
		    split->to_bytes > run->result.granularity_bytes ||
		    split->iova < s->vmm_start.iova)
			continue;
		err = leafmap__refine(map, split->iova - s->vmm_start.iova, split->from_bytes);
		if (err)
			return err;
	}
	return 0;
}

static bool any_sync_splits(const struct run_samples *s)
{
	for (size_t i = 0; i < s->split_unowned; i++)
		if (s->split_owner[i] != SPLIT_OF_START && !s->splits[i].ret)
			return true;
	return false;
}

static int amplify(struct run *run, const size_t *row_end)
{
	struct run_result *r = &run->result;
	const struct run_samples *s = &run->samples;
	struct amplification a = { 0 };
	struct leafmap map = { .all_fine = starts_fine(run) };
	int err = 0;

	if (!any_sync_splits(s)) {
		r->amplification = ratio(r->dirty_bytes, r->true_bytes);
		r->amplification_first = r->amplification;
		return 0;
	}
	for (size_t i = 0; !err && i < run->sync_count && i < s->vmm_sync_count; i++) {
		amplify_row(run, &run->syncs[i], &s->vmm_syncs[i], &map, &a);
		err = refine(run, i ? row_end[i - 1] : 0, row_end[i], &map);
	}
	leafmap__release(&map);
	r->amplification_first = ratio(a.first_reported, a.first_true);
	r->amplification = ratio(a.later_reported, a.later_true);
	return err;
}

static int sum_splits(struct run *run)
{
	struct run_result *r = &run->result;
	const struct run_samples *s = &run->samples;
	struct pairs all = { 0 };
	int err = 0;

	/* Totals are written down at the end: of what has none they are not known. */
	if (!s->has_end)
		return 0;
	r->split_operations = 0;
	r->split_tables = 0;
	r->split_failed = 0;
	r->split_total_ns = 0;
	r->split_max_ns = UNKNOWN;
	for (size_t i = 0; !err && i < s->split_summary_count; i++) {
		const struct size_summary_sample *one = &s->split_summaries[i];

		r->split_operations = plus(r->split_operations, one->operations);
		r->split_tables = plus(r->split_tables, one->tables);
		r->split_failed = plus(r->split_failed, one->failed);
		r->split_total_ns = plus(r->split_total_ns, one->total_ns);
		if (r->split_max_ns == UNKNOWN || r->split_max_ns < one->max_ns)
			r->split_max_ns = one->max_ns;
		err = histogram__merge(&all, &one->histogram_ns);
	}
	r->split_count = histogram__count(&all);
	r->split_p50_ns = histogram__percentile(&all, 50, r->split_max_ns);
	r->split_p99_ns = histogram__percentile(&all, 99, r->split_max_ns);
	free(all.at);
	return err;
}

static void sum_merges(struct run *run)
{
	struct run_result *r = &run->result;
	const struct run_samples *s = &run->samples;

	if (!s->has_end)
		return;
	r->merge_operations = 0;
	r->merge_failed = 0;
	r->merge_total_ns = 0;
	for (size_t i = 0; i < s->merge_summary_count; i++) {
		const struct size_summary_sample *one = &s->merge_summaries[i];

		r->merge_operations = plus(r->merge_operations, one->operations);
		r->merge_failed = plus(r->merge_failed, one->failed);
		r->merge_total_ns = plus(r->merge_total_ns, one->total_ns);
		if (r->merge_max_ns == UNKNOWN || r->merge_max_ns < one->max_ns)
			r->merge_max_ns = one->max_ns;
	}
}

static bool is_tracking_cause(const char *cause)
{
	return !strcmp(cause, "sync") || !strcmp(cause, "split") || !strcmp(cause, "merge");
}

static int sum_tlb(struct run *run)
{
	struct run_result *r = &run->result;
	const struct run_samples *s = &run->samples;
	struct pairs all = { 0 };
	int err = 0;

	/* Where invalidations were looked at there is a total of each cause, be it 0. */
	if (!s->has_end || !s->tlb_summary_count)
		return 0;
	r->tlb_invalidations = 0;
	r->tlb_commands = 0;
	r->tlb_total_ns = 0;
	r->tlb_max_ns = UNKNOWN;
	for (size_t i = 0; !err && i < s->tlb_summary_count; i++) {
		const struct tlb_summary_sample *one = &s->tlb_summaries[i];

		if (!is_tracking_cause(one->cause) || !one->invalidations)
			continue;
		r->tlb_invalidations = plus(r->tlb_invalidations, one->invalidations);
		r->tlb_commands = plus(r->tlb_commands, one->commands);
		r->tlb_total_ns = plus(r->tlb_total_ns, one->total_ns);
		if (r->tlb_max_ns == UNKNOWN || r->tlb_max_ns < one->max_ns)
			r->tlb_max_ns = one->max_ns;
		err = histogram__merge(&all, &one->histogram_ns);
	}
	r->tlb_count = histogram__count(&all);
	r->tlb_p50_ns = histogram__percentile(&all, 50, r->tlb_max_ns);
	r->tlb_p99_ns = histogram__percentile(&all, 99, r->tlb_max_ns);
	free(all.at);
	return err;
}

static double per_thousand(bool known, uint64_t part, uint64_t whole)
{
	return known ? ratio(part, whole) * 1000 : NAN;
}

static void take_iotlb(struct run *run)
{
	struct run_result *r = &run->result;
	const struct run_samples *s = &run->samples;

	r->misses_before = per_thousand(s->has_vmm_before, s->vmm_before.misses,
					s->vmm_before.dma);
	r->misses_after = per_thousand(s->has_vmm_after, s->vmm_after.misses, s->vmm_after.dma);
	r->reads_before = per_thousand(s->has_vmm_before, s->vmm_before.descriptor_reads,
				       s->vmm_before.dma);
	r->reads_after = per_thousand(s->has_vmm_after, s->vmm_after.descriptor_reads,
				      s->vmm_after.dma);
}

static void converge(struct run *run, struct disagreement *d)
{
	struct run_result *r = &run->result;
	const struct run_samples *s = &run->samples;
	uint64_t last = 0;

	for (size_t i = 0; i < run->sync_count; i++)
		if (run->syncs[i].iteration != UNKNOWN && run->syncs[i].iteration > last)
			last = run->syncs[i].iteration;
	r->iterations = last;
	if (s->device_stop_ns != UNKNOWN && s->destination_running_ns != UNKNOWN)
		r->blackout_ns = s->destination_running_ns - s->device_stop_ns;
	else
		r->blackout_ns = s->blackout_ns;
	r->blackout_error_ns = s->blackout_error_ns;
	r->downtime_ns = s->downtime_ns;
	if (s->has_vmm_start)
		r->reported_bytes = plus(s->vmm_start.memory_bytes, r->dirty_bytes);
	if (!s->has_vmm_end)
		return;
	r->sent_bytes = s->vmm_end.sent_bytes;
	r->converged = s->vmm_end.converged;
	if (s->vmm_end.error[0])
		return;
	if (s->vmm_end.iterations != UNKNOWN && s->vmm_end.iterations != r->iterations)
		disagree(d, "%" PRIu64 " iterations by the kernel's events, %" PRIu64 " in the VMM's log",
			 r->iterations, s->vmm_end.iterations);
}

static void take_truth(struct run *run)
{
	struct run_result *r = &run->result;
	const struct vmm_end_sample *end = &run->samples.vmm_end;

	if (!run->samples.has_vmm_end)
		return;
	r->pages_written = end->pages_written;
	r->bytes_written = end->bytes_written;
	r->missed_pages = end->missed_pages;
	r->memory_identical = end->memory_identical;
	r->dma_failed = end->dma_failed;
	copy_text(r->error, sizeof(r->error), end->error);
}

/* Splits counted one by one against those the calls say they made. */
static void compare_splits(struct run *run, struct disagreement *d)
{
	struct run_result *r = &run->result;
	const struct tracking_sample *start = tracking_start(&run->samples);
	uint64_t said = start ? start->splits : UNKNOWN;
	uint64_t tables = start ? start->tables : UNKNOWN;

	r->kept_blocks = start ? start->kept : UNKNOWN;
	for (size_t i = 0; i < run->sync_count; i++) {
		said = plus(said, run->syncs[i].splits);
		tables = plus(tables, run->syncs[i].tables);
		if (run->syncs[i].kept == UNKNOWN)
			continue;
		if (r->kept_blocks == UNKNOWN || r->kept_blocks < run->syncs[i].kept)
			r->kept_blocks = run->syncs[i].kept;
	}
	/* Until there are totals the calls' own count is what is known. */
	if (!run->samples.has_end) {
		r->split_operations = said;
		r->split_tables = tables;
		return;
	}
	if (said != UNKNOWN && said != r->split_operations)
		disagree(d, "%" PRIu64 " splits by the calls' own count, %" PRIu64 " split events",
			 said, r->split_operations);
	if (tables != UNKNOWN && tables != r->split_tables)
		disagree(d, "%" PRIu64 " tables built by the calls' own count, %" PRIu64 " by the split events",
			 tables, r->split_tables);
}

static void count_lost(struct run *run)
{
	const struct run_samples *s = &run->samples;

	if (s->has_end)
		run->result.events_lost = sample__lost(&s->end);
}

int run__update(struct run *run)
{
	struct disagreement d = { 0 };
	size_t *row_end = NULL;
	int err;

	field__clear(&run_table, &run->result);
	identify(run);
	settle_granularity(run, &d);
	err = make_rows(run, &row_end, &d);
	if (!err) {
		sum_rows(run);
		err = amplify(run, row_end);
	}
	free(row_end);
	err = err ?: sum_splits(run);
	err = err ?: sum_tlb(run);
	if (err)
		return err;
	sum_merges(run);
	take_iotlb(run);
	take_truth(run);
	converge(run, &d);
	compare_splits(run, &d);
	count_lost(run);
	if (d.more)
		snprintf(run->result.disagreement, sizeof(run->result.disagreement),
			 "%s (and %u more)", d.first, d.more);
	else
		copy_text(run->result.disagreement, sizeof(run->result.disagreement), d.first);
	return 0;
}

bool run__is_sound(const struct run *run)
{
	const struct run_result *r = &run->result;

	return !r->disagreement[0] && !r->error[0] &&
	       (r->events_lost == UNKNOWN || !r->events_lost);
}

bool run__splits(const struct run *run)
{
	return run->result.kernel_patched == TRI_TRUE && run->result.split_mode[0] &&
	       strcmp(run->result.split_mode, "off");
}
