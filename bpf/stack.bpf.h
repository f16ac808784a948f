/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Call chains of what costs something, counted in the kernel. Each that is new is told through
 * the ring, once. Not here: what its addresses are called.
 */
#ifndef HWDBM_BPF_STACK_BPF_H
#define HWDBM_BPF_STACK_BPF_H

#include "hwdbm.bpf.h"

__weak const volatile bool want_stacks = false;

__weak struct {
	__uint(type, BPF_MAP_TYPE_STACK_TRACE);
	__uint(max_entries, 2 * HWDBM_STACK_KEYS);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, HWDBM_STACK_DEPTH * sizeof(__u64));
} chains SEC(".maps");

__weak struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, HWDBM_STACK_KEYS);
	__type(key, struct hwdbm_stack_key);
	__type(value, struct hwdbm_stack_totals);
} stacks SEC(".maps");

struct stack_ids {
	__s32 kernel;
	__s32 user;
};

#define EEXIST 17

/*
 * A chain whose bucket of the map another one has is refused; without its innermost frame it may
 * have a bucket of its own. That frame is the hook's, or is known anyway.
 */
static __always_inline __s32 take_chain(void *ctx, __u64 flags)
{
	__s32 id = bpf_get_stackid(ctx, &chains, flags);

	if (id == -EEXIST)
		id = bpf_get_stackid(ctx, &chains, flags | 1);
	if (id == -EEXIST)
		id = bpf_get_stackid(ctx, &chains, flags | 2);
	return id;
}

/* A thread of the kernel has no user. */
static __always_inline struct stack_ids take_stack(void *ctx)
{
	struct stack_ids ids = {};

	if (!want_stacks)
		return ids;
	ids.kernel = take_chain(ctx, 0);
	ids.user = take_chain(ctx, BPF_F_USER_STACK);
	if (ids.kernel < 0 || ids.user == -EEXIST)
		lose(HWDBM_LOSS_STACK);
	return ids;
}

static __always_inline struct hwdbm_stack_totals *add_stack(const struct hwdbm_stack_key *key)
{
	struct hwdbm_stack_totals none = {};
	struct hwdbm_stack *record;

	if (!bpf_map_update_elem(&stacks, key, &none, BPF_NOEXIST)) {
		record = bpf_ringbuf_reserve(&ring, sizeof(*record), 0);
		if (record) {
			fill_record(&record->record, HWDBM_STACK, 0, 0);
			record->key = *key;
			bpf_ringbuf_submit(record, 0);
		} else {
			lose(HWDBM_LOSS_STACK);
		}
	}
	return bpf_map_lookup_elem(&stacks, key);
}

static __always_inline void account_stack(const struct stack_ids *ids, __u32 mmu, __u32 cause,
					  __u64 ns)
{
	struct hwdbm_stack_key key = {
		.tgid = bpf_get_current_pid_tgid() >> 32, .kernel = ids->kernel, .user = ids->user,
		.mmu = mmu, .cause = cause,
	};
	struct hwdbm_stack_totals *totals;

	if (!want_stacks)
		return;
	totals = bpf_map_lookup_elem(&stacks, &key);
	if (!totals)
		totals = add_stack(&key);
	if (totals) {
		totals->count++;
		totals->ns += ns;
	} else {
		lose(HWDBM_LOSS_STACK);
	}
}

#endif
