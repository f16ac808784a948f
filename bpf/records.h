/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The one contract between the BPF programs and user space: ring records, map values,
 * how latencies are bucketed, and the name of every place where an event can be lost.
 * Not here: anything only one side needs.
 *
 * Times are nanoseconds of CLOCK_MONOTONIC; a t_ns is the end of what it describes.
 */
#ifndef HWDBM_BPF_RECORDS_H
#define HWDBM_BPF_RECORDS_H

#include <linux/types.h>

/* Leaf sizes are counted by log2(bytes) - 12. */
#define HWDBM_LEAF_SIZES 24
#define HWDBM_LEAF_SHIFT 12

/* What this kernel cannot tell. */
#define HWDBM_UNKNOWN (~0ULL)

/*
 * What can be measured. Each has alternatives in the probe table (tools/collect/probe_table.c);
 * the BPF side is told which are served, so that what nobody counts is unknown and not 0.
 */
enum hwdbm_measure {
	HWDBM_MEASURE_TRACKING,		/* dirty tracking of an IOMMU domain starts or stops */
	HWDBM_MEASURE_SYNC,		/* a read of its dirty state: when, how long, which range */
	HWDBM_MEASURE_DIRTY,		/* dirty bytes of a sync, by leaf size */
	HWDBM_MEASURE_WALK,		/* the part of a sync that reads page tables */
	HWDBM_MEASURE_SPLIT,		/* blocks replaced by tables */
	HWDBM_MEASURE_MERGE,		/* tables replaced by blocks */
	HWDBM_MEASURE_TLB,		/* TLB invalidations of the IOMMU */
	HWDBM_MEASURE_KVM_SYNC,		/* KVM's dirty log: started, stopped, read, cleared */
	HWDBM_MEASURE_KVM_RING,		/* what goes through the dirty rings of vCPUs */
	HWDBM_MEASURE_TYPE1_SYNC,	/* VFIO type1's dirty log: started, stopped, read */
	HWDBM_MEASURES
};

enum hwdbm_record_type {
	HWDBM_TRACKING = 1,
	HWDBM_SYNC,
	HWDBM_SPLIT,
	HWDBM_CLEAR,
};

/* What keeps the dirty state. */
enum hwdbm_source {
	HWDBM_SOURCE_IOMMUFD,
	HWDBM_SOURCE_TYPE1,
	HWDBM_SOURCE_DEVICE,
	HWDBM_SOURCE_KVM,
	HWDBM_SOURCE_KVM_RING,
	HWDBM_SOURCES
};

struct hwdbm_record {
	__u32 type;
	__u32 pid;
	__u64 t_ns;
	__u64 domain;			/* address of the struct iommu_domain or kvm: an identity only */
	__s32 ret;
	__u32 reserved;
};

/* The kernel's struct iommu_dirty_stats, or what could be counted without it. */
struct hwdbm_stats {
	__u64 entries;
	__u64 dirty_bytes;
	__u64 total_ns;
	__u64 walk_ns;
	__u64 flush_ns;
	__u64 granularity;
	__u32 leaves[HWDBM_LEAF_SIZES];
	__u32 dirty[HWDBM_LEAF_SIZES];
	__u32 splits;
	__u32 kept;
	__s32 kept_error;		/* -errno, why the last one was kept */
	__u32 mode;
	__u32 leaves_known;
	__u32 reserved;
};

struct hwdbm_tracking {
	struct hwdbm_record record;
	__u32 enable;
	__u32 source;
	__u32 slot;			/* KVM only: address space << 16 | id, as KVM writes it */
	__u32 reserved;
	__u64 iova;			/* of the slot; HWDBM_UNKNOWN for an IOMMU domain */
	__u64 length;
	struct hwdbm_stats stats;
};

/* Sizes at which dirty memory is counted: 4K, 64K, 2M, 1G. */
#define HWDBM_UNITS 4
#define HWDBM_UNIT_SHIFTS { 12, 16, 21, 30 }

enum hwdbm_count_state {
	HWDBM_COUNT_OFF,		/* nobody wanted it, or the data cannot be had */
	HWDBM_COUNT_DONE,
	HWDBM_COUNT_SKIPPED,		/* not this sync's turn */
	HWDBM_COUNT_FAILED,
};

/*
 * A caller's bitmap as the call left it. Units are aligned in guest memory (IOVA space); one
 * is dirty if a bit in it is set. A unit smaller than a page is HWDBM_UNKNOWN.
 */
struct hwdbm_count {
	__u64 pages;			/* bits set */
	__u64 units[HWDBM_UNITS];
	__u64 first;			/* addresses of the first and last dirty page, if any */
	__u64 last;
	__u64 ns;			/* what counting took */
	__u32 state;			/* the rest is valid if it is HWDBM_COUNT_DONE */
	__u32 reserved;
};

/* iommu_dirty_sync's flags bit: the dirty state is read but not cleared. */
#define HWDBM_NO_CLEAR 1

/* A sync that is not about a slot. */
#define HWDBM_NO_SLOT (~0U)

struct hwdbm_sync {
	struct hwdbm_record record;
	__u64 iova;
	__u64 length;
	__u64 page_size;
	__u64 flags;
	__u64 tlb_invalidations;
	__u64 tlb_commands;
	__u32 source;
	__u32 slot;			/* KVM only */
	struct hwdbm_count count;
	struct hwdbm_stats stats;
};

/* KVM_CLEAR_DIRTY_LOG: what a sync has read before is cleared. */
struct hwdbm_clear {
	struct hwdbm_record record;
	__u32 source;
	__u32 slot;
	__u64 iova;			/* HWDBM_UNKNOWN if the slot's place is */
	__u64 length;
	__u64 total_ns;
};

struct hwdbm_split {
	struct hwdbm_record record;
	__u64 iova;
	__u64 from;
	__u64 to;
	__u64 ns;
};

/*
 * Latency buckets: exact below 8 ns, then 8 per power of two (a bound is at most 12.5%
 * above its samples) up to 2^36 ns, about 69 s; longer ones share the last bucket.
 */
#define HWDBM_BUCKET_BITS 3
#define HWDBM_BUCKET_SUBS (1 << HWDBM_BUCKET_BITS)
#define HWDBM_BUCKET_TOP 36
#define HWDBM_BUCKETS ((HWDBM_BUCKET_TOP - HWDBM_BUCKET_BITS + 1) * HWDBM_BUCKET_SUBS)

static inline __attribute__((always_inline)) __u32 hwdbm_log2(__u64 value)
{
	__u32 shift = 0;

	if (value >> 32) {
		value >>= 32;
		shift += 32;
	}
	if (value >> 16) {
		value >>= 16;
		shift += 16;
	}
	if (value >> 8) {
		value >>= 8;
		shift += 8;
	}
	if (value >> 4) {
		value >>= 4;
		shift += 4;
	}
	if (value >> 2) {
		value >>= 2;
		shift += 2;
	}
	return shift + (value >> 1 & 1);
}

static inline __attribute__((always_inline)) __u32 hwdbm_bucket(__u64 ns)
{
	__u32 shift = hwdbm_log2(ns);

	if (ns < HWDBM_BUCKET_SUBS)
		return ns;
	if (shift >= HWDBM_BUCKET_TOP)
		return HWDBM_BUCKETS - 1;
	return (shift - HWDBM_BUCKET_BITS + 1) * HWDBM_BUCKET_SUBS +
	       ((ns >> (shift - HWDBM_BUCKET_BITS)) & (HWDBM_BUCKET_SUBS - 1));
}

/* The longest time that falls into a bucket. */
static inline __attribute__((always_inline)) __u64 hwdbm_bucket_bound(__u32 bucket)
{
	__u32 scale = bucket / HWDBM_BUCKET_SUBS - 1;

	if (bucket < HWDBM_BUCKET_SUBS)
		return bucket;
	if (bucket >= HWDBM_BUCKETS - 1)
		return ~0ULL >> 1;
	return ((HWDBM_BUCKET_SUBS + bucket % HWDBM_BUCKET_SUBS + 1ULL) << scale) - 1;
}

/* Totals of one kind of operation: key of a split or merge is from/to, of a TLBI its cause. */
struct hwdbm_totals {
	__u64 operations;
	__u64 work;			/* tables built or freed, or commands queued */
	__u64 failed;
	__u64 total_ns;
	__u64 max_ns;
	__u64 buckets[HWDBM_BUCKETS];
};

struct hwdbm_split_key {
	__u32 from_shift;
	__u32 to_shift;
};

#define HWDBM_SPLIT_KEYS 64

/* What the kernel says that a TLBI was for. */
enum hwdbm_cause {
	HWDBM_CAUSE_UNMAP,
	HWDBM_CAUSE_SYNC,
	HWDBM_CAUSE_SPLIT,
	HWDBM_CAUSE_MERGE,
	HWDBM_CAUSE_OTHER,
	HWDBM_CAUSES
};

/* Totals of a VM's dirty rings. */
struct hwdbm_ring_totals {
	__u64 pushed;			/* entries that vCPUs wrote */
	__u64 resets;			/* of one vCPU's ring */
	__u64 full;			/* exits to the VMM because a ring was full */
};

enum hwdbm_loss {
	HWDBM_LOSS_RING,		/* the ring was full */
	HWDBM_LOSS_STATS,		/* an event came without its numbers */
	HWDBM_LOSS_TASK,		/* no memory for a task's state */
	HWDBM_LOSS_DOMAIN,		/* too many domains */
	HWDBM_LOSS_SPLIT,		/* too many kinds of split or merge */
	HWDBM_LOSS_TLB,			/* a cause this tool does not know */
	HWDBM_LOSS_FOLLOW,		/* too many processes to follow */
	HWDBM_LOSS_ARGUMENT,		/* a call's arguments could not be read */
	HWDBM_LOSS_BITMAP,		/* a caller's bitmap could not be read */
	HWDBM_LOSS_VM,			/* too many VMs */
	HWDBM_LOSS_CALL,		/* a call to KVM began and was not seen to end */
	HWDBM_LOSSES
};

#endif
