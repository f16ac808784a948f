// SPDX-License-Identifier: GPL-2.0-only
/*
 * Blocks replaced by tables, and tables by blocks, of IOMMUs and of KVM. All are counted, by
 * from/to, mode and process; splits made by a sync of an IOMMU also go through the ring, because
 * a report needs to know which block was split when. Those of a tracking start, and merges after
 * its stop, can be a million at once and are only counted. Not here: TLB work.
 */
#include "hwdbm.bpf.h"
#include "regs.bpf.h"

/* Entries are large, and there is one for each CPU: they are made when they are needed. */
struct size_map {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, HWDBM_SPLIT_KEYS);
	__type(key, struct hwdbm_split_key);
	__type(value, struct hwdbm_totals);
};

struct size_map splits SEC(".maps");
struct size_map merges SEC(".maps");

struct spare_size_map {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, HWDBM_SPARE_KEYS);
	__type(key, struct hwdbm_split_key);
	__type(value, struct hwdbm_totals);
};

struct spare_size_map spare_splits SEC(".maps");
struct spare_size_map spare_merges SEC(".maps");

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct kvm;
struct kvm_mmu_page;
struct kvm_memory_slot;
struct kvm_pgtable;

struct tdp_iter {
	int level;
};

/* Arm's. The level is signed in later kernels; none that is split is negative. */
struct kvm_pgtable_visit_ctx {
	__u64 old;
	__u32 level;
};

#pragma clang attribute pop

/* What a table of 8-byte entries adds, level by level. */
#define TABLE_SHIFT (page_shift - 3)

/* x86: 1 is 4K, 2 is 2M, 3 is 1G. */
#define X86_LEVEL_SHIFT(level) (12 + 9 * ((level) - 1))

/* Arm: 3 is a page, 2 and 1 are blocks. */
#define ARM_LAST_LEVEL 3
#define ARM_VALID 1

/* The split, and the passes over slot or range, that a task is in. */
struct split_call {
	__u64 block_start;
	__u64 pass_start[HWDBM_SCOPES];
	__u32 from_shift;
	__u32 to_shift;
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct split_call);
} split_calls SEC(".maps");

/* Each count is about one table, or one pass. */
static __always_inline void account_kind(void *map, void *spare, const struct hwdbm_split_key *key,
					 __u64 ns, int ret)
{
	struct hwdbm_totals *totals = find_totals(map, spare, key);

	if (!totals) {
		totals = add_totals(map, spare, key);
		if (key->tgid == bpf_get_current_pid_tgid() >> 32)
			note_owner();
	}
	if (totals)
		account(totals, 1, ret, ns);
	else
		lose(HWDBM_LOSS_SPLIT);
}

static __always_inline void account_split(const struct hwdbm_split_key *key, __u64 ns, int ret)
{
	account_kind(&splits, &spare_splits, key, ns, ret);
}

static __always_inline void account_merge(const struct hwdbm_split_key *key, __u64 ns, int ret)
{
	account_kind(&merges, &spare_merges, key, ns, ret);
}

/* The kernel merges in a thread of its own. */
static __always_inline __u32 owner_of(struct iommu_domain *domain)
{
	__u64 id = (__u64)domain;
	struct tracked_domain *as = bpf_map_lookup_elem(&tracked, &id);

	return as ? as->tgid : bpf_get_current_pid_tgid() >> 32;
}

SEC("tp_btf/iommu_merge")
int BPF_PROG(on_merge, struct iommu_domain *domain, __u64 iova, __u64 from, __u64 to, __u64 ns,
	     int ret)
{
	struct hwdbm_split_key key = {
		.tgid = owner_of(domain), .mmu = HWDBM_MMU_IOMMU, .timed = 1,
		.from_shift = hwdbm_log2(from), .to_shift = hwdbm_log2(to),
	};

	if (is_followed_domain(domain))
		account_merge(&key, ns, ret);
	return 0;
}

SEC("tp_btf/iommu_split")
int BPF_PROG(on_split, struct iommu_domain *domain, __u64 iova, __u64 from, __u64 to, __u64 ns,
	     int ret)
{
	struct hwdbm_split_key key = {
		.tgid = bpf_get_current_pid_tgid() >> 32, .mmu = HWDBM_MMU_IOMMU, .timed = 1,
		.from_shift = hwdbm_log2(from), .to_shift = hwdbm_log2(to),
	};
	__u64 id = (__u64)domain;
	struct tracked_domain *as;
	struct hwdbm_split *record;

	if (!is_followed())
		return 0;
	key.mode = split_mode_of(cause_of_iommu_call());
	account_split(&key, ns, ret);

	as = bpf_map_lookup_elem(&tracked, &id);
	if (!as || !as->on)
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

/* KVM. Who splits is a task of the VM: the VMM's in an ioctl, or a vCPU. */

static __always_inline struct split_call *split_call(void)
{
	struct split_call *call = bpf_task_storage_get(&split_calls, bpf_get_current_task_btf(), 0,
						       BPF_LOCAL_STORAGE_GET_F_CREATE);

	if (!call)
		lose(HWDBM_LOSS_TASK);
	return call;
}

static __always_inline void account_kvm(__u32 scope, __u32 from_shift, __u32 to_shift, __u64 ns,
					bool timed, int ret)
{
	struct hwdbm_split_key key = {
		.tgid = bpf_get_current_pid_tgid() >> 32, .mmu = HWDBM_MMU_KVM, .scope = scope,
		.mode = split_mode_of(cause_of_kvm_call()), .from_shift = from_shift,
		.to_shift = to_shift, .timed = timed,
	};

	account_split(&key, ns, ret);
}

static __always_inline int begin_block(__u32 from_shift, __u32 to_shift)
{
	struct split_call *call = split_call();

	if (!call)
		return 0;
	call->from_shift = from_shift;
	call->to_shift = to_shift;
	call->block_start = bpf_ktime_get_ns();
	return 0;
}

static __always_inline int end_block(int ret)
{
	__u64 now = bpf_ktime_get_ns();
	struct split_call *call;

	if (!is_followed())
		return 0;
	call = split_call();
	if (!call || !call->block_start)
		return 0;
	account_kvm(HWDBM_SCOPE_BLOCK, call->from_shift, call->to_shift, now - call->block_start,
		    true, ret);
	call->block_start = 0;
	return 0;
}

static __always_inline int begin_tdp_split(struct tdp_iter *iter)
{
	__u32 level;

	if (!is_followed())
		return 0;
	level = BPF_CORE_READ(iter, level);
	return begin_block(X86_LEVEL_SHIFT(level), X86_LEVEL_SHIFT(level - 1));
}

/*
 * Called for each leaf; it splits valid blocks. A block of two levels above pages becomes pages
 * if there are tables enough for that, and else smaller blocks: which, is not known.
 */
static __always_inline int begin_stage2_split(struct kvm_pgtable_visit_ctx *context)
{
	__u32 level;

	if (!is_followed())
		return 0;
	level = BPF_CORE_READ(context, level);
	if (level >= ARM_LAST_LEVEL || !(BPF_CORE_READ(context, old) & ARM_VALID))
		return 0;
	return begin_block(page_shift + (ARM_LAST_LEVEL - level) * TABLE_SHIFT,
			   level == ARM_LAST_LEVEL - 1 ? page_shift : 0);
}

/*
 * A pass over a slot is one over a range, too, and counts once. No pass over a slot is in another: one that seems to
 * go on has ended unseen.
 */
static __always_inline int begin_pass(__u32 scope)
{
	struct split_call *call;

	if (!is_followed())
		return 0;
	call = split_call();
	if (call && (scope == HWDBM_SCOPE_SLOT || !call->pass_start[HWDBM_SCOPE_SLOT]))
		call->pass_start[scope] = bpf_ktime_get_ns();
	return 0;
}

static __always_inline int end_pass(__u32 scope, int ret)
{
	__u64 now = bpf_ktime_get_ns();
	struct split_call *call;

	if (!is_followed())
		return 0;
	call = split_call();
	if (!call || !call->pass_start[scope])
		return 0;
	account_kvm(scope, 0, 0, now - call->pass_start[scope], true, ret);
	call->pass_start[scope] = 0;
	return 0;
}

/*
 * openEuler's 5.10 kernels split and merge a range of a domain in a call, whatever there is in it.
 * What these return is not the same in all of them.
 */
static __always_inline int end_domain_range(bool splits_it)
{
	struct hwdbm_split_key key = {
		.tgid = bpf_get_current_pid_tgid() >> 32, .mmu = HWDBM_MMU_IOMMU,
		.scope = HWDBM_SCOPE_RANGE, .timed = 1,
	};
	__u64 now = bpf_ktime_get_ns();
	struct split_call *call;

	if (!is_followed())
		return 0;
	call = split_call();
	if (!call || !call->pass_start[HWDBM_SCOPE_RANGE])
		return 0;
	if (splits_it) {
		key.mode = split_mode_of(cause_of_iommu_call());
		account_split(&key, now - call->pass_start[HWDBM_SCOPE_RANGE], 0);
	} else {
		account_merge(&key, now - call->pass_start[HWDBM_SCOPE_RANGE], 0);
	}
	call->pass_start[HWDBM_SCOPE_RANGE] = 0;
	return 0;
}

SEC("kprobe/iommu_split_block")
int BPF_KPROBE(kprobe_domain_split)
{
	return begin_pass(HWDBM_SCOPE_RANGE);
}

SEC("kretprobe/iommu_split_block")
int BPF_KRETPROBE(kretprobe_domain_split)
{
	return end_domain_range(true);
}

SEC("kprobe/iommu_merge_page")
int BPF_KPROBE(kprobe_domain_merge)
{
	return begin_pass(HWDBM_SCOPE_RANGE);
}

SEC("kretprobe/iommu_merge_page")
int BPF_KRETPROBE(kretprobe_domain_merge)
{
	return end_domain_range(false);
}

SEC("fentry/tdp_mmu_split_huge_page")
int BPF_PROG(enter_tdp_split, struct kvm *kvm, struct tdp_iter *iter)
{
	return begin_tdp_split(iter);
}

SEC("fexit/tdp_mmu_split_huge_page")
int BPF_PROG(exit_tdp_split, struct kvm *kvm, struct tdp_iter *iter, struct kvm_mmu_page *page,
	     __u8 shared, int ret)
{
	return end_block(ret);
}

SEC("kprobe/tdp_mmu_split_huge_page")
int BPF_KPROBE(kprobe_tdp_split, struct kvm *kvm, struct tdp_iter *iter)
{
	return begin_tdp_split(iter);
}

SEC("kretprobe/tdp_mmu_split_huge_page")
int BPF_KRETPROBE(kretprobe_tdp_split, int ret)
{
	return end_block(ret);
}

SEC("fentry/kvm_mmu_slot_try_split_huge_pages")
int BPF_PROG(enter_slot_split)
{
	return begin_pass(HWDBM_SCOPE_SLOT);
}

SEC("fexit/kvm_mmu_slot_try_split_huge_pages")
int BPF_PROG(exit_slot_split)
{
	return end_pass(HWDBM_SCOPE_SLOT, 0);
}

SEC("kprobe/kvm_mmu_slot_try_split_huge_pages")
int BPF_KPROBE(kprobe_slot_split)
{
	return begin_pass(HWDBM_SCOPE_SLOT);
}

SEC("kretprobe/kvm_mmu_slot_try_split_huge_pages")
int BPF_KRETPROBE(kretprobe_slot_split)
{
	return end_pass(HWDBM_SCOPE_SLOT, 0);
}

SEC("fentry/kvm_tdp_mmu_try_split_huge_pages")
int BPF_PROG(enter_range_split)
{
	return begin_pass(HWDBM_SCOPE_RANGE);
}

SEC("fexit/kvm_tdp_mmu_try_split_huge_pages")
int BPF_PROG(exit_range_split)
{
	return end_pass(HWDBM_SCOPE_RANGE, 0);
}

SEC("kprobe/kvm_tdp_mmu_try_split_huge_pages")
int BPF_KPROBE(kprobe_range_split)
{
	return begin_pass(HWDBM_SCOPE_RANGE);
}

SEC("kretprobe/kvm_tdp_mmu_try_split_huge_pages")
int BPF_KRETPROBE(kretprobe_range_split)
{
	return end_pass(HWDBM_SCOPE_RANGE, 0);
}

SEC("fentry/stage2_split_walker")
int BPF_PROG(enter_stage2_split, struct kvm_pgtable_visit_ctx *context)
{
	return begin_stage2_split(context);
}

SEC("fexit/stage2_split_walker")
int BPF_PROG(exit_stage2_split, struct kvm_pgtable_visit_ctx *context, __u32 visit, int ret)
{
	return end_block(ret);
}

SEC("kprobe/stage2_split_walker")
int BPF_KPROBE(kprobe_stage2_split, struct kvm_pgtable_visit_ctx *context)
{
	return begin_stage2_split(context);
}

SEC("kretprobe/stage2_split_walker")
int BPF_KRETPROBE(kretprobe_stage2_split, int ret)
{
	return end_block(ret);
}

SEC("fentry/kvm_pgtable_stage2_split")
int BPF_PROG(enter_chunk_split)
{
	return begin_pass(HWDBM_SCOPE_RANGE);
}

SEC("fexit/kvm_pgtable_stage2_split")
int BPF_PROG(exit_chunk_split, struct kvm_pgtable *table, __u64 address, __u64 size, void *cache,
	     int ret)
{
	return end_pass(HWDBM_SCOPE_RANGE, ret);
}

SEC("kprobe/kvm_pgtable_stage2_split")
int BPF_KPROBE(kprobe_chunk_split)
{
	return begin_pass(HWDBM_SCOPE_RANGE);
}

SEC("kretprobe/kvm_pgtable_stage2_split")
int BPF_KRETPROBE(kretprobe_chunk_split, int ret)
{
	return end_pass(HWDBM_SCOPE_RANGE, ret);
}

/* Tells what was split by whom, and not how long that took. */
SEC("tp_btf/kvm_mmu_split_huge_page")
int BPF_PROG(on_kvm_split, __u64 frame, __u64 entry, int level, int error)
{
	if (is_followed())
		account_kvm(HWDBM_SCOPE_BLOCK, X86_LEVEL_SHIFT(level), X86_LEVEL_SHIFT(level - 1), 0,
			    false, error);
	return 0;
}
