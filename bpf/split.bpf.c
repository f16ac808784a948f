// SPDX-License-Identifier: GPL-2.0-only
/*
 * Blocks replaced by tables, and tables by blocks. All are counted by from/to; splits
 * made by a sync also go through the ring, because a report needs to know which block was
 * split when. Those of a tracking start, and merges after its stop, can be a million at
 * once and are only counted. Not here: TLB work.
 */
#include "hwdbm.bpf.h"

struct size_map {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, HWDBM_SPLIT_KEYS);
	__type(key, struct hwdbm_split_key);
	__type(value, struct hwdbm_totals);
};

struct size_map splits SEC(".maps");
struct size_map merges SEC(".maps");

/* Initial value of an entry; too large for the stack. */
static struct hwdbm_totals no_totals;

/* Each event is about one table. */
static __always_inline void account_size(void *map, __u64 from, __u64 to, __u64 ns, int ret)
{
	struct hwdbm_split_key key = { hwdbm_log2(from), hwdbm_log2(to) };
	struct hwdbm_totals *totals = bpf_map_lookup_elem(map, &key);

	if (!totals) {
		/* Fails if another CPU was first, which is as good. */
		bpf_map_update_elem(map, &key, &no_totals, BPF_NOEXIST);
		totals = bpf_map_lookup_elem(map, &key);
	}
	if (totals)
		account(totals, 1, ret, ns);
	else
		lose(HWDBM_LOSS_SPLIT);
}

SEC("tp_btf/iommu_merge")
int BPF_PROG(on_merge, struct iommu_domain *domain, __u64 iova, __u64 from, __u64 to, __u64 ns,
	     int ret)
{
	if (is_followed_domain(domain))
		account_size(&merges, from, to, ns, ret);
	return 0;
}

SEC("tp_btf/iommu_split")
int BPF_PROG(on_split, struct iommu_domain *domain, __u64 iova, __u64 from, __u64 to, __u64 ns,
	     int ret)
{
	__u64 id = (__u64)domain;
	struct hwdbm_split *record;
	__u8 *on;

	if (!is_followed())
		return 0;
	account_size(&splits, from, to, ns, ret);

	on = bpf_map_lookup_elem(&tracked, &id);
	if (!on || !*on)
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
	bpf_ringbuf_submit(record, 0);
	return 0;
}
