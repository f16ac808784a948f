// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reading the maps that the BPF programs count in. Not here: what the sums are for.
 */
#include "summary.h"
#include "../../bpf/records.h"
#include "../lib/cleanup.h"
#include "../lib/strings.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>
#include <time.h>

/* What each CPU has of one key; free @each. Return: how many CPUs, or -errno. */
static int read_cpus(int map_fd, const void *key, size_t size, void **each)
{
	int cpus = libbpf_num_possible_cpus();
	_cleanup_free_ void *values = NULL;

	if (cpus < 0)
		return cpus;
	values = calloc(cpus, size);
	if (!values)
		return -ENOMEM;
	if (bpf_map_lookup_elem(map_fd, key, values))
		return -errno;
	*each = TAKE_PTR(values);
	return cpus;
}

int summary__sum(int map_fd, const void *key, void *sum, size_t size)
{
	_cleanup_free_ void *each = NULL;
	int cpus = read_cpus(map_fd, key, size, &each);
	size_t numbers = size / sizeof(__u64);

	if (cpus < 0)
		return cpus;
	memset(sum, 0, size);
	for (size_t i = 0; i < cpus * numbers; i++)
		((__u64 *)sum)[i % numbers] += ((const __u64 *)each)[i];
	return 0;
}

static void add_totals(struct hwdbm_totals *sum, const struct hwdbm_totals *one)
{
	sum->operations += one->operations;
	sum->work += one->work;
	sum->failed += one->failed;
	sum->total_ns += one->total_ns;
	if (sum->max_ns < one->max_ns)
		sum->max_ns = one->max_ns;
	for (int i = 0; i < HWDBM_BUCKETS; i++)
		sum->buckets[i] += one->buckets[i];
}

bool summary__next(const struct totals_maps *maps, struct totals_cursor *cursor, void *key)
{
	if (!cursor->in_spare) {
		if (!bpf_map_get_next_key(maps->map, cursor->begun ? key : NULL, key)) {
			cursor->begun = true;
			return true;
		}
		*cursor = (struct totals_cursor){ .in_spare = true };
	}
	while (!bpf_map_get_next_key(maps->spare, cursor->begun ? key : NULL, key)) {
		_cleanup_free_ void *each = NULL;

		cursor->begun = true;
		if (read_cpus(maps->map, key, sizeof(struct hwdbm_totals), &each) == -ENOENT)
			return true;
	}
	return false;
}

int summary__read(const struct totals_maps *maps, const void *key, struct hwdbm_totals *sum)
{
	int fds[] = { maps->map, maps->spare };
	bool found = false;

	memset(sum, 0, sizeof(*sum));
	for (int i = 0; i < 2; i++) {
		_cleanup_free_ void *each = NULL;
		int cpus = read_cpus(fds[i], key, sizeof(*sum), &each);

		if (cpus < 0 && cpus != -ENOENT)
			return cpus;
		found |= cpus > 0;
		for (int cpu = 0; cpu < cpus; cpu++)
			add_totals(sum, (const struct hwdbm_totals *)each + cpu);
	}
	return found ? 0 : -ENOENT;
}

int summary__histogram(const struct hwdbm_totals *totals, struct pairs *out)
{
	struct pair *at = calloc(HWDBM_BUCKETS, sizeof(*at));

	if (!at)
		return -ENOMEM;
	*out = (struct pairs){ .at = at };
	for (int i = 0; i < HWDBM_BUCKETS; i++)
		if (totals->buckets[i])
			at[out->count++] = (struct pair){ hwdbm_bucket_bound(i),
							  totals->buckets[i] };
	return 0;
}

uint64_t summary__now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * UINT64_C(1000000000) + now.tv_nsec;
}

int summary__hand_on(enum sample_kind kind, union sample *sample, sample_handler handler,
		     void *context)
{
	int err = handler(context, kind, sample);

	field__release(sample__table(kind), sample);
	return err;
}

static int put_size(enum sample_kind kind, uint8_t from_shift, uint8_t to_shift,
		    const struct hwdbm_totals *totals, sample_handler handler, void *context)
{
	union sample sample;
	struct size_summary_sample *size = &sample.size_summary;
	int err;

	field__clear(sample__table(kind), &sample);
	err = summary__histogram(totals, &size->histogram_ns);
	if (err)
		return err;
	size->from_bytes = UINT64_C(1) << from_shift;
	size->to_bytes = UINT64_C(1) << to_shift;
	size->operations = totals->operations;
	size->tables = totals->work;
	size->failed = totals->failed;
	size->total_ns = totals->total_ns;
	size->max_ns = totals->max_ns;
	return summary__hand_on(kind, &sample, handler, context);
}

/* Sizes are few: page tables have a handful of levels. */
#define SIZES_MAX 64

struct sizes {
	size_t count;
	struct {
		uint8_t from_shift;
		uint8_t to_shift;
		struct hwdbm_totals totals;
	} at[SIZES_MAX];
};

static void add_size(struct sizes *sizes, const struct hwdbm_split_key *key,
		     const struct hwdbm_totals *totals)
{
	size_t i = 0;

	while (i < sizes->count && (sizes->at[i].from_shift != key->from_shift ||
				    sizes->at[i].to_shift != key->to_shift))
		i++;
	if (i == SIZES_MAX)
		return;
	if (i == sizes->count) {
		sizes->count++;
		sizes->at[i].from_shift = key->from_shift;
		sizes->at[i].to_shift = key->to_shift;
	}
	add_totals(&sizes->at[i].totals, totals);
}

int summary__sizes(const struct totals_maps *maps, enum sample_kind kind, sample_handler handler,
		   void *context)
{
	_cleanup_free_ struct sizes *sizes = calloc(1, sizeof(*sizes));
	struct totals_cursor cursor = { 0 };
	struct hwdbm_split_key key;
	struct hwdbm_totals totals;
	int err = sizes ? 0 : -ENOMEM;

	while (!err && summary__next(maps, &cursor, &key)) {
		if (key.mmu == HWDBM_MMU_KVM)
			continue;
		err = summary__read(maps, &key, &totals);
		if (!err)
			add_size(sizes, &key, &totals);
	}
	for (size_t i = 0; !err && i < sizes->count; i++)
		err = put_size(kind, sizes->at[i].from_shift, sizes->at[i].to_shift,
			       &sizes->at[i].totals, handler, context);
	return err;
}

static int put_cause(const char *name, const struct hwdbm_totals *totals, sample_handler handler,
		     void *context)
{
	union sample sample;
	struct tlb_summary_sample *tlb = &sample.tlb_summary;
	int err;

	field__clear(sample__table(SAMPLE_TLB_SUMMARY), &sample);
	err = summary__histogram(totals, &tlb->histogram_ns);
	if (err)
		return err;
	STRING_COPY(tlb->cause, name);
	tlb->invalidations = totals->operations;
	tlb->commands = totals->work;
	tlb->total_ns = totals->total_ns;
	tlb->max_ns = totals->max_ns;
	return summary__hand_on(SAMPLE_TLB_SUMMARY, &sample, handler, context);
}

int summary__causes(const struct totals_maps *maps, sample_handler handler, void *context)
{
	static const char * const names[HWDBM_CAUSE_WORDS] = {
		[HWDBM_CAUSE_UNMAP] = "unmap", [HWDBM_CAUSE_SYNC] = "sync",
		[HWDBM_CAUSE_SPLIT] = "split", [HWDBM_CAUSE_MERGE] = "merge",
		[HWDBM_CAUSE_OTHER] = "other",
	};
	_cleanup_free_ struct hwdbm_totals *sums = calloc(HWDBM_CAUSE_WORDS, sizeof(*sums));
	struct totals_cursor cursor = { 0 };
	struct hwdbm_tlb_key key;
	struct hwdbm_totals totals;
	int err = sums ? 0 : -ENOMEM;

	while (!err && summary__next(maps, &cursor, &key)) {
		if (key.mmu == HWDBM_MMU_KVM)
			continue;
		err = summary__read(maps, &key, &totals);
		if (!err)
			add_totals(&sums[key.cause < HWDBM_CAUSE_OTHER ? key.cause :
									   HWDBM_CAUSE_OTHER],
				   &totals);
	}
	for (size_t i = 0; !err && i < HWDBM_CAUSE_WORDS; i++)
		err = put_cause(names[i], &sums[i], handler, context);
	return err;
}

int summary__rings(int map_fd, const struct known_vms *vms, sample_handler handler, void *context)
{
	__u64 key, *previous = NULL;
	int err = 0;

	for (; !err && !bpf_map_get_next_key(map_fd, previous, &key); previous = &key) {
		struct hwdbm_ring_totals totals;
		union sample sample;

		field__clear(sample__table(SAMPLE_RING_SUMMARY), &sample);
		err = summary__sum(map_fd, &key, &totals, sizeof(totals));
		if (err)
			break;
		sample.ring_summary.vm = kvm__number(vms, key);
		sample.ring_summary.pushed = totals.pushed;
		sample.ring_summary.resets = totals.resets;
		sample.ring_summary.full = totals.full;
		err = summary__hand_on(SAMPLE_RING_SUMMARY, &sample, handler, context);
	}
	return err;
}

void summary__losses(int map_fd, struct named_list *lost)
{
	static const char * const names[HWDBM_LOSSES] = {
		[HWDBM_LOSS_RING] = "ring", [HWDBM_LOSS_STATS] = "stats",
		[HWDBM_LOSS_TASK] = "task", [HWDBM_LOSS_DOMAIN] = "domain",
		[HWDBM_LOSS_SPLIT] = "split", [HWDBM_LOSS_TLB] = "tlb",
		[HWDBM_LOSS_FOLLOW] = "follow", [HWDBM_LOSS_ARGUMENT] = "argument",
		[HWDBM_LOSS_BITMAP] = "bitmap", [HWDBM_LOSS_VM] = "vm",
		[HWDBM_LOSS_STACK] = "stack", [HWDBM_LOSS_LATE] = "late",
	};

	for (__u32 i = 0; i < HWDBM_LOSSES && lost->count < NAMED_MAX; i++) {
		struct named *named = &lost->at[lost->count++];

		memset(named, 0, sizeof(*named));
		STRING_COPY(named->name, names[i]);
		summary__sum(map_fd, &i, &named->number, sizeof(named->number));
	}
}
