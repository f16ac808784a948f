// SPDX-License-Identifier: GPL-2.0-only
/*
 * Blocks replaced by tables. All are counted by from/to; those made by a sync also go
 * through the ring, because a report needs to know which block was split when. Those of
 * a tracking start can be a million at once and are only counted. Not here: TLB work.
 */
#include "hwdbm.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, HWDBM_SPLIT_KEYS);
	__type(key, struct hwdbm_split_key);
	__type(value, struct hwdbm_totals);
} splits SEC(".maps");

/* Initial value of an entry; too large for the stack. */
static struct hwdbm_totals no_totals;

static __always_inline struct hwdbm_totals *totals_of(const struct hwdbm_split_key *key)
{
	struct hwdbm_totals *totals = bpf_map_lookup_elem(&splits, key);

	if (totals)
		return totals;
	/* Fails if another CPU was first, which is as good. */
	bpf_map_update_elem(&splits, key, &no_totals, BPF_NOEXIST);
	return bpf_map_lookup_elem(&splits, key);
}

SEC("tp_btf/iommu_split")
int BPF_PROG(on_split, struct iommu_domain *domain, unsigned long iova, size_t from, size_t to,
	     unsigned int tables, bool clean, __u64 ns, int ret)
{
	struct hwdbm_split_key key = { hwdbm_log2(from), hwdbm_log2(to) };
	__u64 id = (__u64)domain;
	struct hwdbm_totals *totals;
	struct hwdbm_split *record;

	if (!is_followed())
		return 0;
	totals = totals_of(&key);
	if (totals)
		account(totals, tables, ret, ns);
	else
		lose(HWDBM_LOSS_SPLIT);

	if (!bpf_map_lookup_elem(&tracked, &id))
		return 0;
	record = bpf_ringbuf_reserve(&ring, sizeof(*record), 0);
	if (!record) {
		lose(HWDBM_LOSS_RING);
		return 0;
	}
	fill_record(&record->record, HWDBM_SPLIT, id, ret);
	record->iova = iova;
	record->from = from;
	record->to = to;
	record->ns = ns;
	record->tables = tables;
	record->clean = clean;
	bpf_ringbuf_submit(record, 0);
	return 0;
}
