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
#include <stddef.h>

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
	HWDBM_MEASURE_VTD_TLB,		/* invalidations that Intel's IOMMUs are asked for */
	HWDBM_MEASURE_AMD_TLB,		/* and AMD's */
	HWDBM_MEASURE_KVM_SPLIT,	/* blocks of guest memory replaced by tables */
	HWDBM_MEASURE_KVM_SPLIT_PASS,	/* what that takes for all of a slot or range */
	HWDBM_MEASURE_KVM_TLB,		/* flushes of the TLBs that a VM's vCPUs use */
	HWDBM_MEASURE_KVM_START,	/* that KVM's dirty log is about to start: wakes the rest */
	HWDBM_MEASURE_TYPE1_SYNC,	/* VFIO type1's dirty log: started, stopped, read */
	HWDBM_MEASURE_DEVICE_SYNC,	/* the log that a device keeps itself: started, stopped, read */
	HWDBM_MEASURE_DEVICE_STATE,	/* migration states that VFIO devices are asked for */
	HWDBM_MEASURE_VCPUS,		/* when the vCPUs of a process ran first and last */
	HWDBM_MEASURE_VHOST_SYNC,	/* vhost's dirty log, as it is when KVM's has been read */
	HWDBM_MEASURE_INTERRUPT,	/* the first interrupt of a device that has come from elsewhere */
	HWDBM_MEASURES
};

enum hwdbm_record_type {
	HWDBM_TRACKING = 1,
	HWDBM_SYNC,
	HWDBM_SPLIT,
	HWDBM_CLEAR,
	HWDBM_STACK,
	HWDBM_START,
	HWDBM_SAMPLED,
	HWDBM_DEVICE_STATE,
	HWDBM_INTERRUPT,
	HWDBM_READ,
};

/* What keeps the dirty state. */
enum hwdbm_source {
	HWDBM_SOURCE_IOMMUFD,
	HWDBM_SOURCE_TYPE1,
	HWDBM_SOURCE_DEVICE,
	HWDBM_SOURCE_KVM,
	HWDBM_SOURCE_KVM_RING,
	HWDBM_SOURCE_VHOST,
	HWDBM_SOURCES
};

/* As PCI names one; a longer name, of a mediated device, is cut by nobody. */
#define HWDBM_DEVICE_NAME 40

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
	__u32 sample;			/* share of the blocks that are split, in units of 0.01 % */
	__u32 seed;			/* which selects them */
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
	char device[HWDBM_DEVICE_NAME];	/* whose own log it is; else "" */
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
	__u32 slot;			/* KVM and vhost only */
	struct hwdbm_count count;
	struct hwdbm_stats stats;
	/* Of a device's own log only: the caller's bitmap before the call, and the device */
	struct hwdbm_count before;
	char device[HWDBM_DEVICE_NAME];
};

/* Of a sync without leaves the rest is left out: what is not written costs nothing. */
#define HWDBM_SYNC_SHORT offsetof(struct hwdbm_sync, stats.leaves)

/* KVM_GET_DIRTY_LOG: a sync of which no more is known. */
struct hwdbm_read {
	struct hwdbm_record record;
	__u64 iova;
	__u64 length;
	__u64 total_ns;
	__u32 slot;
	__u32 flags;
	struct hwdbm_count count;
};

/* Where bitmaps are not counted the rest is left out. */
#define HWDBM_READ_SHORT offsetof(struct hwdbm_read, count)

/* KVM_CLEAR_DIRTY_LOG: what a sync has read before is cleared. */
struct hwdbm_clear {
	struct hwdbm_record record;
	__u32 source;
	__u32 slot;
	__u64 iova;			/* HWDBM_UNKNOWN if the slot's place is */
	__u64 length;
	__u64 total_ns;
};

/*
 * Logging of a slot is about to start, seen without the probes for KVM's calls. If they are there
 * before that call ends, a struct hwdbm_tracking follows.
 */
struct hwdbm_start {
	struct hwdbm_record record;
	__u32 slot;			/* HWDBM_NO_SLOT: a dirty ring is written to */
	__u32 reserved;
	__u64 iova;
	__u64 length;
};

/*
 * Where a share of the blocks was split to learn from: the dirty pages, and 64K units, of those of
 * them that a sync found dirty. It comes right after that sync, with the same time. Values in
 * buckets as below.
 */
#define HWDBM_SAMPLED_BUCKETS 136	/* up to the 4K pages of a 1G block */

/*
 * Dirty blocks that were not split lie in gaps between split ones, in the order of addresses. What
 * they would hold if they were like their neighbours, and how much these differ; HWDBM_UNKNOWN for
 * squares that are too large.
 */
struct hwdbm_sampled_gaps {
	__u64 twice_inner;		/* sum of length x (one end + the other end) */
	__u64 inner_squares;		/* sum of (length x their difference)^2 */
	__u64 outer;			/* before the first and after the last: length x that one */
	__u64 outer_squares;		/* the same by the difference to the next one */
};

struct hwdbm_sampled {
	struct hwdbm_record record;
	__u64 iova;
	__u64 length;
	__u32 block_shift;
	__u32 share;			/* in units of 0.01 % */
	__u32 seed;
	__u32 blocks;			/* sampled ones that are dirty */
	__u64 pages;			/* dirty ones in these */
	__u64 units;
	__u64 gap_blocks;		/* whole dirty blocks in gaps */
	struct hwdbm_sampled_gaps page_gaps;
	struct hwdbm_sampled_gaps unit_gaps;
	__u64 others;			/* partly dirty, though not of the share: mapped by pages */
	__u64 other_pages;
	__u32 page_buckets[HWDBM_SAMPLED_BUCKETS];
	__u32 unit_buckets[HWDBM_SAMPLED_BUCKETS];
};

struct hwdbm_split {
	struct hwdbm_record record;
	__u64 iova;
	__u64 from;
	__u64 to;
	__u64 ns;
};

/*
 * A VFIO device was asked for a migration state, or how much data it has to stop and copy; its
 * address is in record.domain.
 */
struct hwdbm_device_state {
	struct hwdbm_record record;
	__u32 state;			/* enum vfio_device_mig_state */
	__u32 asks_size;
	__u64 bytes;			/* the answer */
	__u64 total_ns;
};

/* As the kernel lists it: "vfio-msi[0](0000:01:00.0)". */
#define HWDBM_INTERRUPT_NAME 56

/*
 * The first interrupt that the host took of a device after it was let go with a state from
 * elsewhere; its address and process are those of that call.
 */
struct hwdbm_interrupt {
	struct hwdbm_record record;
	char name[HWDBM_INTERRUPT_NAME];
};

/* Returns from KVM_RUN, of all vCPUs of a process. */
struct hwdbm_vcpus {
	__u64 first_ns;
	__u64 last_ns;
	__u32 pid;
	__u32 reserved;
};

#define HWDBM_VCPU_KEYS 1024

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

/* Totals of one kind of operation, by one of the keys below. */
struct hwdbm_totals {
	__u64 operations;
	__u64 work;			/* tables built or freed, passes, or commands if counted */
	__u64 failed;
	__u64 total_ns;
	__u64 max_ns;
	__u64 buckets[HWDBM_BUCKETS];
};

/* Whose page tables are split, or whose TLB is flushed. */
enum hwdbm_mmu {
	HWDBM_MMU_IOMMU,		/* of whichever kind */
	HWDBM_MMU_SMMUV3,
	HWDBM_MMU_VTD,
	HWDBM_MMU_AMD,
	HWDBM_MMU_KVM,
	HWDBM_MMUS
};

/* What was split when, as far as the call that it happened in tells. */
enum hwdbm_split_mode {
	HWDBM_SPLIT_UNKNOWN,
	HWDBM_SPLIT_EAGER,		/* all of a domain or slot, as tracking starts */
	HWDBM_SPLIT_LAZY,		/* as dirty state is read or cleared */
	HWDBM_SPLIT_FAULT,		/* because a vCPU touched the memory */
	HWDBM_SPLIT_MODES
};

/* What one count of a split is about. */
enum hwdbm_scope {
	HWDBM_SCOPE_BLOCK,
	HWDBM_SCOPE_SLOT,		/* a pass over a memslot, whatever there was to split */
	HWDBM_SCOPE_RANGE,		/* over a part of one */
	HWDBM_SCOPES
};

struct hwdbm_split_key {
	__u32 tgid;
	__u8 mmu;
	__u8 scope;
	__u8 mode;
	__u8 from_shift;		/* 0: unknown */
	__u8 to_shift;
	__u8 timed;			/* else it was counted, and its time is unknown */
	__u16 reserved;
};

#define HWDBM_SPLIT_KEYS 1024

/* What a TLBI was for. */
enum hwdbm_cause {
	HWDBM_CAUSE_UNMAP,
	HWDBM_CAUSE_SYNC,
	HWDBM_CAUSE_SPLIT,
	HWDBM_CAUSE_MERGE,
	HWDBM_CAUSE_OTHER,
	HWDBM_CAUSE_WORDS,		/* the event's words end here */

	/* Taken from the system call that it happened in. */
	HWDBM_CAUSE_MAP = HWDBM_CAUSE_WORDS,
	HWDBM_CAUSE_TRACKING,		/* dirty tracking starts or stops, a memslot changes */
	HWDBM_CAUSE_CLEAR,		/* KVM's log or rings are cleared */
	HWDBM_CAUSE_VCPU,		/* a vCPU runs */
	HWDBM_CAUSE_HOST,		/* the host changes what is behind a VM's memory */
	HWDBM_CAUSE_UNKNOWN,
	HWDBM_CAUSES
};

/* How much was invalidated, as log2 of bytes: as much as these, or less, or more. */
#define HWDBM_RANGE_SHIFTS { 12, 16, 21, 30 }
#define HWDBM_RANGE_MORE 63
#define HWDBM_RANGE_ALL 64
#define HWDBM_RANGE_UNKNOWN 0

struct hwdbm_tlb_key {
	__u64 unit;			/* address of the IOMMU: an identity only; 0: unknown, or none */
	__u32 tgid;			/* that it was done for */
	__u8 mmu;
	__u8 range;
	__u8 cause;
	__u8 reserved;
};

#define HWDBM_TLB_KEYS 4096

/* Kinds that are kept ready for when the kernel has no room at once for a new one's totals. */
#define HWDBM_SPARE_KEYS 16

/* What an IOMMU is called. */
#define HWDBM_UNIT_NAME 32
#define HWDBM_UNIT_KEYS 256

struct hwdbm_unit {
	char name[HWDBM_UNIT_NAME];
};

/* A process by its global id: what it is called, should it end before anybody can ask. */
#define HWDBM_OWNER_KEYS 4096

struct hwdbm_owner {
	__u32 pid;			/* as the user's namespace numbers it; 0: not visible there */
	char command[16];
};

/* Call chains; what could not be taken has a negative number, -errno. */
struct hwdbm_stack_key {
	__u32 tgid;
	__s32 kernel;
	__s32 user;
	__u8 mmu;
	__u8 cause;
	__u16 reserved;
};

struct hwdbm_stack_totals {
	__u64 count;
	__u64 ns;
};

#define HWDBM_STACK_DEPTH 64
#define HWDBM_STACK_KEYS 4096

/* A call chain was met for the first time, so that it can be named while its process is there. */
struct hwdbm_stack {
	struct hwdbm_record record;
	struct hwdbm_stack_key key;
};

/* Totals of a VM's dirty rings. */
struct hwdbm_ring_totals {
	__u64 pushed;			/* entries that vCPUs wrote */
	__u64 resets;			/* of one vCPU's ring */
	__u64 full;			/* exits to the VMM because a ring was full */
};

/* What the programs themselves cost. */
struct hwdbm_meter {
	__u64 runs;			/* for calls that were none of ours */
	__u64 ns;			/* spent on calls and events that were */
	__u64 begun;			/* calls to KVM that were seen to begin */
	__u64 ended;			/* of these, that were seen to end */
	/* Of this CPU: */
	__u64 calls;			/* to KVM that ended here */
	__u64 enter_ns;			/* what the beginning and end of one took lately */
	__u64 exit_ns;
};

/* What one look at the VMs of this host has found. */
struct hwdbm_look {
	__u64 target;			/* thread group of the followed process, by its global number */
	__u32 vms;
	__u32 logging;			/* of those followed, whose log is on */
	__u32 found;			/* the file to begin with was there */
	__u32 is_whole;			/* nothing changed meanwhile */
};

enum hwdbm_loss {
	HWDBM_LOSS_RING,		/* the ring was full */
	HWDBM_LOSS_STATS,		/* an event came without its numbers */
	HWDBM_LOSS_TASK,		/* no memory for a task's state */
	HWDBM_LOSS_DOMAIN,		/* too many domains */
	HWDBM_LOSS_SPLIT,		/* too many kinds of split or merge, or no memory for one */
	HWDBM_LOSS_TLB,			/* the same of TLB flushes, or a cause this tool does not know */
	HWDBM_LOSS_FOLLOW,		/* too many processes to follow */
	HWDBM_LOSS_ARGUMENT,		/* a call's arguments could not be read */
	HWDBM_LOSS_BITMAP,		/* a caller's bitmap could not be read */
	HWDBM_LOSS_VM,			/* too many VMs */
	HWDBM_LOSS_STACK,		/* a call chain could not be taken */
	HWDBM_LOSS_LATE,		/* a log started before the probes were there to see its reads */
	HWDBM_LOSSES
};

#endif
