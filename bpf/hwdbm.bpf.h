/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What all BPF programs share: kernel types, settings, maps, the filter by process and
 * the loss counters. Maps are weak because every object that is linked into the one
 * skeleton declares them. Not here: programs.
 */
#ifndef HWDBM_BPF_HWDBM_BPF_H
#define HWDBM_BPF_HWDBM_BPF_H

#include <linux/bpf.h>
#include <stdbool.h>
#include <stddef.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

/*
 * What a kprobe is given, as user space knows it (asm/ptrace.h of the machine): headers of
 * the build host may be of another one.
 */
#ifdef __TARGET_ARCH_arm64
struct user_pt_regs {
	__u64 regs[31];
	__u64 sp;
	__u64 pc;
	__u64 pstate;
};
#else
struct pt_regs {
	__u64 r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8;
	__u64 rax, rcx, rdx, rsi, rdi;
	__u64 orig_rax, rip, cs, eflags, rsp, ss;
};
#endif

#include <bpf/bpf_tracing.h>

#include "records.h"

/*
 * Only the members that are read, found in the running kernel by CO-RE. A full
 * vmlinux.h would need a build host whose own kernel has BTF.
 */
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct iommu_domain;
struct io_pagetable;
struct iova_bitmap;
struct arm_smmu_device;
struct arm_smmu_cmdq;

struct task_struct {
	int pid;
	int tgid;
	struct task_struct *group_leader;
	__u64 start_boottime;
};

/* CO-RE tells an enum from an integer, but not which values it has. */
enum iommu_dirty_split_mode { IOMMU_DIRTY_SPLIT_OFF, IOMMU_DIRTY_SPLIT_SAMPLE = 3 };

struct iommu_dirty_split {
	__u64 granularity;
	enum iommu_dirty_split_mode mode;
	__u32 splits;
	__u32 kept;
	int error;
	__u16 sample;			/* only with the host series */
	__u32 seed;
};

struct iommu_dirty_stats {
	__u64 iova;
	__u64 length;
	__u64 page_size;
	__u64 flags;
	__u64 total_ns;
	__u64 walk_ns;
	__u64 flush_ns;
	__u64 dirty_bytes;
	__u32 leaves[HWDBM_LEAF_SIZES];
	__u32 dirty[HWDBM_LEAF_SIZES];
	bool enable;
	struct iommu_dirty_split split;	/* only with the split series */
};

/* include/uapi/linux/iommufd.h */
struct iommu_hwpt_get_dirty_bitmap {
	__u32 size;
	__u32 hwpt_id;
	__u32 flags;
	__u32 __reserved;
	__u64 iova;
	__u64 length;
	__u64 page_size;
	__u64 data;
};

#pragma clang attribute pop

/*
 * Follow this process, as numbered in the pid namespace below, and its children; 0: all.
 * The namespace is 0 on a kernel without them.
 */
__weak const volatile __u32 target_pid = 0;
__weak const volatile __u64 pidns_dev = 0;
__weak const volatile __u64 pidns_ino = 0;

/* log2 of the page size of this kernel. */
__weak const volatile __u32 page_shift = 12;

/* When that process was started, as /proc has it: ticks since boot. 0: not known. */
__weak const volatile __u64 target_start = 0;

#define NS_PER_TICK 10000000

/* Which measurements have a probe, bits of enum hwdbm_measure. */
__weak const volatile __u64 measured = 0;

/* User space reads the ring by its own clock for the time being: to wake it costs more than a record. */
__weak __u32 is_polled = 0;

/* Room for about 100,000 splits, should one sync make so many before they are read. */
__weak struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 8 << 20);
} ring SEC(".maps");

__weak struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, HWDBM_LOSSES);
	__type(key, __u32);
	__type(value, __u64);
} losses SEC(".maps");

__weak struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct hwdbm_meter);
} meters SEC(".maps");

/* Thread groups of target_pid and its descendants, by global id. */
__weak struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, __u8);
} followed SEC(".maps");

/* What the running call of a task has done so far, and the clocks of nested probes. */
struct task_state {
	__u64 domain;
	__u64 tlb_invalidations;
	__u64 tlb_commands;
	/* Used only where the kernel has no events of its own. */
	__u64 call_start;
	__u64 walk_start;
	__u64 command_start;
	__u64 iova;
	__u64 length;
	__u64 page_size;
	__u64 data;
	__u64 flags;
	__u64 walk_ns;
	__u64 flush_ns;
	__u64 dirty_bytes;
	__u32 dirty[HWDBM_LEAF_SIZES];
	__u32 in_sync;
	__u32 enable;
	__u32 commands;
	__u32 command_sync;
	__u32 pending_commands;
	__u32 command_range;
	/* An event of the kernel's own has told of the call that the task is in. */
	__u32 is_told;
	__u32 reserved;
};

__weak struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct task_state);
} tasks SEC(".maps");

/* Dirty tracking of a domain is on, or was and it may be merging. */
struct tracked_domain {
	__u32 tgid;
	__u32 on;
};

/* Domains of followed processes. */
__weak struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, __u64);
	__type(value, struct tracked_domain);
} tracked SEC(".maps");

/* Processes that totals are kept for. */
__weak struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, HWDBM_OWNER_KEYS);
	__type(key, __u32);
	__type(value, struct hwdbm_owner);
} owners SEC(".maps");

static __always_inline bool is_measured(enum hwdbm_measure what)
{
	return measured >> what & 1;
}

static __always_inline void lose(__u32 where)
{
	__u64 *count = bpf_map_lookup_elem(&losses, &where);

	/* A program may be interrupted here by one that loses something, too. */
	if (count)
		__sync_fetch_and_add(count, 1);
}

static __always_inline struct hwdbm_meter *get_meter(void)
{
	__u32 only = 0;

	return bpf_map_lookup_elem(&meters, &only);
}

static __always_inline void meter(__u64 ns)
{
	struct hwdbm_meter *meter = get_meter();

	if (meter)
		meter->ns += ns;
}

/* A program ran, and had nothing to do. */
static __always_inline void meter_run(void)
{
	struct hwdbm_meter *meter = get_meter();

	if (meter)
		meter->runs++;
}

/* A ring that fills up is worth waking somebody. @looks: this one looks whether it does. */
static __always_inline void submit_looking(void *record, bool looks)
{
	bool calm = is_polled && (!looks || bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA) < 4 << 20);

	bpf_ringbuf_submit(record, calm ? BPF_RB_NO_WAKEUP : 0);
}

static __always_inline void submit(void *record)
{
	submit_looking(record, true);
}

static __always_inline struct task_state *task_state(void)
{
	struct task_state *state = bpf_task_storage_get(&tasks, bpf_get_current_task_btf(), 0,
							BPF_LOCAL_STORAGE_GET_F_CREATE);

	if (!state)
		lose(HWDBM_LOSS_TASK);
	return state;
}

/* The process id as the user who started the tool sees it, 0 outside its namespace. */
static __always_inline __u32 visible_pid(void)
{
	struct bpf_pidns_info info = {};

	if (!pidns_ino)
		return bpf_get_current_pid_tgid() >> 32;
	if (bpf_get_ns_current_pid_tgid(pidns_dev, pidns_ino, &info, sizeof(info)))
		return 0;
	return info.tgid;
}

/* The number of a process that has ended may be another's. */
static __always_inline bool is_stranger(void)
{
	struct task_struct *task = bpf_get_current_task_btf();

	return target_start && bpf_core_field_exists(task->start_boottime) &&
	       task->group_leader->start_boottime / NS_PER_TICK != target_start;
}

static __always_inline void note_followed(__u32 tgid)
{
	__u8 yes = 1;

	if (bpf_map_update_elem(&followed, &tgid, &yes, BPF_ANY))
		lose(HWDBM_LOSS_FOLLOW);
}

static __always_inline bool is_followed(void)
{
	__u32 tgid;

	if (!target_pid)
		return true;
	tgid = bpf_get_current_pid_tgid() >> 32;
	if (bpf_map_lookup_elem(&followed, &tgid))
		return true;
	if (visible_pid() != target_pid || is_stranger())
		return false;
	note_followed(tgid);
	return true;
}

/* The kernel merges in a thread of its own: what it does then is known by its domain. */
static __always_inline bool is_followed_domain(struct iommu_domain *domain)
{
	__u64 id = (__u64)domain;

	return is_followed() || bpf_map_lookup_elem(&tracked, &id);
}

static __always_inline __u32 shown_pid(void)
{
	__u32 pid = visible_pid();

	return pid ? pid : bpf_get_current_pid_tgid() >> 32;
}

/* For those who know the process and the time already. */
static __always_inline void set_record(struct hwdbm_record *record, __u32 type, __u64 domain, int ret,
				       __u32 pid, __u64 t_ns)
{
	record->type = type;
	record->pid = pid;
	record->t_ns = t_ns;
	record->domain = domain;
	record->ret = ret;
	record->reserved = 0;
}

static __always_inline void fill_record(struct hwdbm_record *record, __u32 type, __u64 domain,
					int ret)
{
	set_record(record, type, domain, ret, shown_pid(), bpf_ktime_get_ns());
}

/* Of a call that is seen from outside: only how long it took. */
static __always_inline void no_stats(struct hwdbm_stats *stats, __u64 ns)
{
	stats->total_ns = ns;
	stats->walk_ns = HWDBM_UNKNOWN;
	stats->flush_ns = HWDBM_UNKNOWN;
	stats->entries = HWDBM_UNKNOWN;
	stats->dirty_bytes = HWDBM_UNKNOWN;
}

/* Remembers who the running process is; only when it is met for the first time. */
static __always_inline void note_owner(void)
{
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;
	struct hwdbm_owner owner = { .pid = visible_pid() };

	bpf_get_current_comm(owner.command, sizeof(owner.command));
	bpf_map_update_elem(&owners, &tgid, &owner, BPF_ANY);
}

/* Initial value of an entry; too large for the stack. */
static struct hwdbm_totals no_totals;

/*
 * Totals by kind are a map whose entries are made when they are needed, for they are large and there is one for each CPU.
 * Kinds come in bursts, faster than the kernel makes room for them, wherefore there is a small spare map that has its room
 * already. Return: NULL if the kind is new.
 */
static __always_inline struct hwdbm_totals *find_totals(void *map, void *spare, const void *key)
{
	struct hwdbm_totals *totals = bpf_map_lookup_elem(map, key);

	return totals ?: bpf_map_lookup_elem(spare, key);
}

/* As find_totals(), of a new kind. What fails because another CPU was first is as good. Return: NULL if it is lost. */
static __always_inline struct hwdbm_totals *add_totals(void *map, void *spare, const void *key)
{
	struct hwdbm_totals *totals;

	bpf_map_update_elem(map, key, &no_totals, BPF_NOEXIST);
	totals = bpf_map_lookup_elem(map, key);
	if (totals)
		return totals;
	bpf_map_update_elem(spare, key, &no_totals, BPF_NOEXIST);
	return bpf_map_lookup_elem(spare, key);
}

static __always_inline void account(struct hwdbm_totals *totals, __u64 work, bool failed, __u64 ns)
{
	__u32 bucket = hwdbm_bucket(ns);

	if (failed) {
		totals->failed++;
		return;
	}
	totals->operations++;
	totals->work += work;
	totals->total_ns += ns;
	if (ns > totals->max_ns)
		totals->max_ns = ns;
	if (bucket < HWDBM_BUCKETS)
		totals->buckets[bucket]++;
}

#endif
