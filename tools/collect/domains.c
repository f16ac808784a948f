// SPDX-License-Identifier: GPL-2.0-only
/*
 * Records of IOMMUs and of devices with a log as samples. Not here: KVM's (kvm.c).
 */
#include "domains.h"
#include "counts.h"
#include "../lib/strings.h"
#include "../model/dirty.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct known_domain *find(struct domain_list *domains, const struct hwdbm_record *record,
				 uint64_t *number)
{
	struct known_domain *at;

	for (size_t i = 0; i < domains->count; i++) {
		if (domains->at[i].address != record->domain)
			continue;
		*number = i + 1;
		return &domains->at[i];
	}
	at = realloc(domains->at, (domains->count + 1) * sizeof(*at));
	if (!at)
		return NULL;
	domains->at = at;
	at = &domains->at[domains->count++];
	*at = (struct known_domain){ .address = record->domain, .pid = record->pid };
	*number = domains->count;
	return at;
}

static struct iteration_tracker *iterations_of(struct domain_list *domains, uint64_t pid)
{
	struct iterating_process *processes;

	for (size_t i = 0; i < domains->process_count; i++)
		if (domains->processes[i].pid == pid)
			return &domains->processes[i].iterations;
	processes = realloc(domains->processes,
			    (domains->process_count + 1) * sizeof(*processes));
	if (!processes)
		return NULL;
	domains->processes = processes;
	processes = &processes[domains->process_count++];
	*processes = (struct iterating_process){ .pid = pid };
	return &processes->iterations;
}

/* A migration starts when the first domain of the VM is tracked. */
static int note_tracking(struct domain_list *domains, struct known_domain *domain, bool enable)
{
	struct iteration_tracker *iterations = iterations_of(domains, domain->pid);
	bool any = false;

	if (!iterations)
		return -ENOMEM;
	for (size_t i = 0; i < domains->count; i++)
		any |= domains->at[i].tracked && domains->at[i].pid == domain->pid;
	if (enable && !any)
		iteration__restart(iterations);
	domain->tracked = enable;
	return 0;
}

static void copy_leaves(uint64_t *to, const __u32 *from, bool known)
{
	for (int i = 0; i < LEAF_SIZES; i++)
		to[i] = known ? from[i] : UNKNOWN;
}

static const char *mode_name(unsigned int mode)
{
	static const char * const names[] = { "off", "eager", "lazy", "sample" };

	return mode < sizeof(names) / sizeof(names[0]) ? names[mode] : "unknown";
}

static const char *kept_name(int error)
{
	static const struct {
		int error;
		char name[12];
	} names[] = { { 0, "" }, { -EOPNOTSUPP, "bbml0" }, { -ENOMEM, "nomem" },
		      { -EBUSY, "budget" }, { INT_MIN, "other" } };
	size_t i = 0;

	while (names[i].error != error && names[i].error != INT_MIN)
		i++;
	return names[i].name;
}

static void note_log(struct known_domain *device, const struct hwdbm_tracking *in,
		     struct tracking_sample *out)
{
	STRING_COPY(out->device, in->device);
	out->iova = in->iova;
	out->length_bytes = in->length;
	if (!in->enable || in->record.ret)
		out->granularity_bytes = UNKNOWN;
	if (in->record.ret)
		return;
	device->page_bytes = in->enable ? in->stats.granularity : 0;
	/* One that starts was not on: whoever closes a device stops its log without a call. */
	device->tracked = false;
}

int domains__tracking(struct domain_list *domains, const struct hwdbm_tracking *in,
		      struct tracking_sample *out)
{
	struct known_domain *domain = find(domains, &in->record, &out->domain);
	const struct hwdbm_stats *stats = &in->stats;

	if (!domain)
		return -ENOMEM;
	out->t_ns = in->record.t_ns;
	out->pid = in->record.pid;
	STRING_COPY(out->source, counts__source(in->source));
	out->enable = in->enable ? TRI_TRUE : TRI_FALSE;
	out->ret = in->record.ret;
	out->granularity_bytes = stats->granularity;
	if (in->source == HWDBM_SOURCE_DEVICE)
		note_log(domain, in, out);
	else
		STRING_COPY(out->split_mode, mode_name(stats->mode));
	if (!strcmp(out->split_mode, "sample")) {
		out->sample_share = stats->sample / 1e4;
		out->sample_seed = stats->seed;
	}
	out->total_ns = stats->total_ns;
	out->walk_ns = stats->walk_ns;
	out->flush_ns = stats->flush_ns;
	copy_leaves(out->leaves, stats->leaves, stats->leaves_known);
	/* Each split builds one table. */
	out->splits = stats->splits;
	out->tables = stats->splits;
	out->kept = stats->kept;
	STRING_COPY(out->kept_reason, kept_name(stats->kept_error));
	return in->record.ret ? 0 : note_tracking(domains, domain, in->enable);
}

/* VFIO's type1 writes the whole bitmap; of leaves it says nothing. */
static void copy_bitmap(const struct hwdbm_count *in, struct sync_sample *out)
{
	if (in->state != HWDBM_COUNT_DONE)
		return;
	out->count_ns = in->ns;
	out->dirty_bytes = in->pages * out->page_bytes;
	counts__bytes(in, out->iova, out->length_bytes, out->unit_bytes);
}

/*
 * What a device has added to the caller's bitmap. Its log may have larger pages, of which a
 * smaller unit says nothing; how large they are is known if their log was seen to start.
 */
static void copy_log(const struct known_domain *device, const struct hwdbm_sync *in,
		     struct sync_sample *out)
{
	static const unsigned int shifts[UNIT_SIZES] = UNIT_SIZE_SHIFTS;
	uint64_t before[UNIT_SIZES], after[UNIT_SIZES];

	STRING_COPY(out->device, in->device);
	if (in->count.state != HWDBM_COUNT_DONE)
		return;
	out->count_ns = in->count.ns + in->before.ns;
	out->dirty_bytes = (in->count.pages - in->before.pages) * out->page_bytes;
	counts__bytes(&in->before, out->iova, out->length_bytes, before);
	counts__bytes(&in->count, out->iova, out->length_bytes, after);
	for (int i = 0; i < UNIT_SIZES; i++)
		if (device->page_bytes && device->page_bytes <= UINT64_C(1) << shifts[i] &&
		    after[i] != UNKNOWN && before[i] != UNKNOWN)
			out->unit_bytes[i] = after[i] - before[i];
}

/*
 * The kernel sets bits and clears none, so that a bitmap used for more than one sync has the
 * bits of all of them. It is this sync's alone if it is as much as the leaves say.
 */
static void copy_count(const struct hwdbm_count *in, struct sync_sample *out)
{
	uint64_t counted[UNIT_SIZES];
	struct hwdbm_count count = *in;

	if (in->state == HWDBM_COUNT_DONE)
		out->count_ns = in->ns;
	if (in->pages * out->page_bytes != out->dirty_bytes)
		count.state = HWDBM_COUNT_FAILED;
	counts__bytes(&count, out->iova, out->length_bytes, counted);
	dirty__from_leaves(out->dirty_entries, out->dirty_bytes, counted, out->unit_bytes);
}

int domains__sync(struct domain_list *domains, const struct hwdbm_sync *in,
		  struct sync_sample *out)
{
	struct known_domain *domain = find(domains, &in->record, &out->domain);
	const struct hwdbm_stats *stats = &in->stats;
	struct iteration_tracker *iterations;

	if (!domain)
		return -ENOMEM;
	out->t_ns = in->record.t_ns;
	out->pid = in->record.pid;
	STRING_COPY(out->source, counts__source(in->source));
	out->iova = in->iova;
	out->length_bytes = in->length;
	out->page_bytes = in->page_size;
	out->clear = in->flags & HWDBM_NO_CLEAR ? TRI_FALSE : TRI_TRUE;
	out->ret = in->record.ret;
	out->total_ns = stats->total_ns;
	out->walk_ns = stats->walk_ns;
	out->flush_ns = stats->flush_ns;
	out->entries = stats->entries;
	copy_leaves(out->dirty_entries, stats->dirty, stats->dirty_bytes != HWDBM_UNKNOWN);
	out->dirty_bytes = stats->dirty_bytes;
	if (in->source == HWDBM_SOURCE_DEVICE)
		copy_log(domain, in, out);
	else if (in->source == HWDBM_SOURCE_TYPE1 && stats->dirty_bytes == HWDBM_UNKNOWN)
		copy_bitmap(&in->count, out);
	else
		copy_count(&in->count, out);
	out->splits = stats->splits;
	out->tables = stats->splits;
	out->kept = stats->kept;
	out->tlb_invalidations = in->tlb_invalidations;
	out->tlb_commands = in->tlb_commands;
	/* A failed sync or one that clears nothing is no part of an iteration. */
	if (out->ret || out->clear == TRI_FALSE)
		return 0;
	out->start_seen = domain->tracked ? TRI_TRUE : TRI_FALSE;
	iterations = iterations_of(domains, domain->pid);
	if (!iterations)
		return -ENOMEM;
	return iteration__next(iterations, out->domain, out->iova, out->length_bytes,
			       &out->iteration);
}

static int copy_buckets(const __u32 *buckets, struct pairs *out)
{
	struct pair *at = calloc(HWDBM_SAMPLED_BUCKETS, sizeof(*at));

	if (!at)
		return -ENOMEM;
	*out = (struct pairs){ .at = at };
	for (int i = 0; i < HWDBM_SAMPLED_BUCKETS; i++)
		if (buckets[i])
			at[out->count++] = (struct pair){ hwdbm_bucket_bound(i), buckets[i] };
	return 0;
}

static uint64_t root(uint64_t squares, uint64_t unit)
{
	return squares >= UINT64_C(1) << 63 ? UNKNOWN :
					      (uint64_t)(sqrt((double)squares) * (double)unit);
}

int domains__sampled(struct domain_list *domains, const struct hwdbm_sampled *in,
		     struct sampled_sample *out)
{
	uint64_t page = sysconf(_SC_PAGESIZE);
	int err;

	if (!find(domains, &in->record, &out->domain))
		return -ENOMEM;
	out->t_ns = in->record.t_ns;
	out->pid = in->record.pid;
	out->iova = in->iova;
	out->length_bytes = in->length;
	out->block_bytes = UINT64_C(1) << in->block_shift;
	out->share = in->share / 1e4;
	out->seed = in->seed;
	out->blocks = in->blocks;
	out->dirty_bytes = in->pages * page;
	out->gap_blocks = in->gap_blocks;
	out->gap_bytes = (in->page_gaps.twice_inner / 2 + in->page_gaps.outer) * page;
	out->gap_inner_bytes = root(in->page_gaps.inner_squares, page);
	out->gap_outer_bytes = root(in->page_gaps.outer_squares, page);
	out->others = in->others;
	out->other_bytes = in->other_pages * page;
	err = copy_buckets(in->page_buckets, &out->pages);
	if (err || page >= 1 << 16)
		return err;
	out->dirty_64k_bytes = in->units << 16;
	out->gap_64k_bytes = (in->unit_gaps.twice_inner / 2 + in->unit_gaps.outer) << 16;
	out->gap_64k_inner_bytes = root(in->unit_gaps.inner_squares, 1 << 16);
	out->gap_64k_outer_bytes = root(in->unit_gaps.outer_squares, 1 << 16);
	return copy_buckets(in->unit_buckets, &out->units_64k);
}

int domains__split(struct domain_list *domains, const struct hwdbm_split *in,
		   struct split_sample *out)
{
	if (!find(domains, &in->record, &out->domain))
		return -ENOMEM;
	out->t_ns = in->record.t_ns;
	out->iova = in->iova;
	out->from_bytes = in->from;
	out->to_bytes = in->to;
	out->tables = !in->record.ret;
	out->ret = in->record.ret;
	out->ns = in->ns;
	return 0;
}

void domains__release(struct domain_list *domains)
{
	for (size_t i = 0; i < domains->process_count; i++)
		iteration__release(&domains->processes[i].iterations);
	free(domains->processes);
	free(domains->at);
	memset(domains, 0, sizeof(*domains));
}
