/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Samples: what the kernel events, and the log of the VMM that was measured, say.
 * One struct and one field table per kind; a recording is a sequence of them.
 * Not here: what follows from them (run.h).
 *
 * Every time is CLOCK_MONOTONIC of the measured host. A t_ns is the end of what it
 * describes, but for vmm.sync, where it is the start.
 */
#ifndef HWDBM_MODEL_SAMPLE_H
#define HWDBM_MODEL_SAMPLE_H

#include "field.h"

#define RECORDING_SCHEMA "hwdbm.recording/1"

enum sample_kind {
	SAMPLE_HEADER,
	SAMPLE_TRACKING,
	SAMPLE_SYNC,
	SAMPLE_SAMPLED,
	SAMPLE_CLEAR,
	SAMPLE_SPLIT,
	SAMPLE_SPLIT_SUMMARY,
	SAMPLE_MERGE_SUMMARY,
	SAMPLE_TLB_SUMMARY,
	SAMPLE_RING_SUMMARY,
	SAMPLE_TRANSFER,
	SAMPLE_SPLIT_LATENCY,
	SAMPLE_TLB_COST,
	SAMPLE_STACK,
	SAMPLE_DEVICE_STATE,
	SAMPLE_INTERRUPT,
	SAMPLE_VCPUS,
	SAMPLE_CONNECTION,
	SAMPLE_END,
	/* What the test bed meant to run; a plain recording has none. */
	SAMPLE_PLAN,
	/* The VMM's own log; a plain recording has none of these. */
	SAMPLE_VMM_START,
	SAMPLE_VMM_IOTLB,
	SAMPLE_VMM_TRACKING,
	SAMPLE_VMM_SYNC,
	SAMPLE_VMM_ITERATION,
	SAMPLE_VMM_DEVICE_STOP,
	SAMPLE_VMM_DESTINATION_RUNNING,
	SAMPLE_VMM_END,
	/* What a running VMM answers when it is asked. */
	SAMPLE_VMM_STATE,
	SAMPLE_KINDS
};

struct header_sample {
	char schema[32];
	char host_name[64];
	char host_machine[32];
	char host_boot[40];		/* the kernel's boot id: whose clock it is */
	char kernel_release[64];
	enum tristate kernel_patched;
	char clock[32];
	char time_basis[16];
	uint64_t pid;
	char vmm[64];			/* the program that pid runs */
	char tuned[128];		/* what hwdbm tune held as the recording began */
	struct named_list probes;
};

struct tracking_sample {
	uint64_t t_ns;
	uint64_t pid;
	char source[12];		/* "" in old recordings, which know iommufd only */
	uint64_t domain;
	uint64_t vm;			/* KVM only */
	uint64_t slot;			/* KVM only: address space << 16 | id */
	char device[40];		/* whose own log it is; else "" */
	uint64_t iova;
	uint64_t length_bytes;
	enum tristate enable;
	int64_t ret;
	uint64_t granularity_bytes;	/* 0: as mapped; of a device: a page of its log */
	char split_mode[8];
	double sample_share;		/* NaN unless the mode is "sample" */
	uint64_t sample_seed;
	uint64_t total_ns;
	uint64_t walk_ns;
	uint64_t flush_ns;
	uint64_t leaves[LEAF_SIZES];
	uint64_t splits;
	uint64_t tables;
	uint64_t kept;
	char kept_reason[12];
};

struct sync_sample {
	uint64_t t_ns;
	uint64_t pid;
	char source[12];		/* "" in old recordings, which know iommufd only */
	uint64_t domain;
	uint64_t vm;			/* KVM and vhost only */
	uint64_t slot;			/* KVM's bitmaps, and vhost's of that memory: address space << 16 | id */
	char device[40];		/* whose own log it is; else "" */
	uint64_t iteration;		/* 1 is the first sync's; 0 is the full copy before it */
	enum tristate start_seen;
	uint64_t iova;
	uint64_t length_bytes;
	uint64_t page_bytes;		/* what one bit of the caller's bitmap stands for */
	enum tristate clear;
	int64_t ret;
	uint64_t total_ns;
	uint64_t walk_ns;
	uint64_t flush_ns;
	uint64_t entries;
	uint64_t dirty_entries[LEAF_SIZES];
	uint64_t dirty_bytes;
	uint64_t unit_bytes[UNIT_SIZES];	/* dirty bytes if tracked in units of 4K, 64K, 2M, 1G */
	uint64_t count_ns;
	uint64_t splits;
	uint64_t tables;
	uint64_t kept;
	uint64_t tlb_invalidations;
	uint64_t tlb_commands;
};

/*
 * How dirty the blocks are that were split to learn from, in the sync before it. Of a domain whose
 * blocks are of two sizes it is about the larger one.
 */
struct sampled_sample {
	uint64_t t_ns;
	uint64_t pid;
	uint64_t domain;
	uint64_t iova;
	uint64_t length_bytes;
	uint64_t block_bytes;
	double share;			/* of the blocks that was to be split */
	uint64_t seed;
	uint64_t blocks;		/* split ones that are dirty */
	uint64_t dirty_bytes;		/* in these */
	uint64_t dirty_64k_bytes;
	uint64_t gap_blocks;		/* dirty ones that were not split, in gaps between split ones */
	uint64_t gap_bytes;		/* dirty in them if they are like the ends of their gap */
	uint64_t gap_inner_bytes;	/* root of the sum of (length x difference of the ends)^2 */
	uint64_t gap_outer_bytes;	/* the same of the first and the last gap, which have one end */
	uint64_t gap_64k_bytes;
	uint64_t gap_64k_inner_bytes;
	uint64_t gap_64k_outer_bytes;
	uint64_t others;		/* partly dirty though not of the share: mapped by pages */
	uint64_t other_bytes;		/* dirty in those */
	struct pairs pages;		/* [dirty pages of a block: upper bound, blocks] */
	struct pairs units_64k;		/* the same by units of 64K */
};

/* What a sync that cleared nothing had read is cleared. */
struct clear_sample {
	uint64_t t_ns;
	uint64_t pid;
	char source[12];
	uint64_t vm;
	uint64_t slot;
	uint64_t iova;
	uint64_t length_bytes;
	int64_t ret;
	uint64_t total_ns;
};

struct split_sample {
	uint64_t t_ns;
	uint64_t domain;
	uint64_t iova;
	uint64_t from_bytes;
	uint64_t to_bytes;
	uint64_t tables;
	int64_t ret;
	uint64_t ns;
};

/* Of splits or of merges. */
struct size_summary_sample {
	uint64_t from_bytes;
	uint64_t to_bytes;
	uint64_t operations;
	uint64_t tables;
	uint64_t failed;
	uint64_t total_ns;
	uint64_t max_ns;
	struct pairs histogram_ns;	/* [upper bound, count], ascending */
};

struct tlb_summary_sample {
	char cause[12];
	uint64_t invalidations;
	uint64_t commands;
	uint64_t total_ns;
	uint64_t max_ns;
	struct pairs histogram_ns;
};

struct ring_summary_sample {
	uint64_t vm;
	uint64_t pushed;
	uint64_t resets;
	uint64_t full;
};

/* What the TCP connections of a process have carried so far. */
struct transfer_sample {
	uint64_t t_ns;
	uint64_t pid;
	uint64_t connections;
	uint64_t sent_bytes;		/* acknowledged by the other side; closed ones included */
	enum tristate ended;		/* the process */
	char why_unknown[96];
};

#define SAMPLE_VM_NAME 64

/* Splits of one kind, of one process: running totals. */
struct split_latency_sample {
	uint64_t t_ns;			/* when the totals were read */
	char source[12];		/* iommu or kvm */
	char scope[8];			/* block; or a pass over a slot or a range */
	uint64_t from_bytes;
	uint64_t to_bytes;
	char mode[8];			/* eager, lazy, fault */
	uint64_t pid;
	char vm[SAMPLE_VM_NAME];
	uint64_t operations;
	uint64_t failed;
	uint64_t total_ns;
	uint64_t p50_ns;
	uint64_t p90_ns;
	uint64_t p99_ns;
	uint64_t max_ns;
	struct pairs histogram_ns;
};

/* TLB flushes of one kind, for one process: running totals. */
struct tlb_cost_sample {
	uint64_t t_ns;
	char source[12];		/* smmuv3, vt-d, amd or kvm */
	char iommu[32];
	char range[8];			/* 4K: at most so much; more, all */
	char cause[12];
	uint64_t pid;
	char vm[SAMPLE_VM_NAME];
	uint64_t flushes;
	uint64_t commands;
	uint64_t total_ns;
	uint64_t p50_ns;
	uint64_t p90_ns;
	uint64_t p99_ns;
	uint64_t max_ns;
	struct pairs histogram_ns;
};

#define SAMPLE_FRAMES 8192

/* What flushed TLBs: a call chain, outermost first. */
struct stack_sample {
	uint64_t t_ns;
	char source[12];
	char cause[12];
	uint64_t pid;
	char vm[SAMPLE_VM_NAME];
	uint64_t count;
	uint64_t total_ns;
	double share;			/* of the time of all chains */
	char frames[SAMPLE_FRAMES];	/* joined by ";"; those of the kernel end in "_[k]" */
};

/* A VFIO device was asked for a migration state, or how much data it has to stop and copy. */
struct device_state_sample {
	uint64_t t_ns;
	uint64_t pid;
	uint64_t device;
	char state[16];			/* "" if it was asked for its size */
	uint64_t size_bytes;		/* and this is the answer */
	int64_t ret;
	uint64_t total_ns;
};

/* The first interrupt that the host took of a VFIO device after it went on with a state from elsewhere. */
struct interrupt_sample {
	uint64_t t_ns;
	uint64_t pid;			/* that had let it go on */
	uint64_t device;
	char name[56];			/* as the kernel lists it */
};

/* Returns from KVM_RUN, of all vCPUs of a process. */
struct vcpus_sample {
	uint64_t t_ns;			/* when this was read */
	uint64_t pid;
	uint64_t first_ns;
	uint64_t last_ns;
};

#define SAMPLE_ADDRESS 56

/*
 * One TCP connection of a VMM that migrates: what it has carried at one moment in the total_ns
 * before t_ns.
 */
struct connection_sample {
	uint64_t t_ns;
	uint64_t pid;
	uint64_t total_ns;
	char local[SAMPLE_ADDRESS];	/* address and port */
	char remote[SAMPLE_ADDRESS];
	uint64_t sent_bytes;		/* without what was sent again */
	uint64_t acked_bytes;
	uint64_t received_bytes;
};

struct end_sample {
	uint64_t t_ns;
	struct named_list lost;
	uint64_t child_status;		/* as a shell reports it; UNKNOWN: no child */
	enum tristate target_ended;	/* whether the process of -p ended by itself */
	uint64_t attached_ns;		/* for how long KVM's probes were */
	uint64_t probe_ns;		/* what they took meanwhile, on all processors */
	uint64_t probe_share;		/* of a core for each VM that logged, in millionths */
	uint64_t foreign_runs;		/* of them for calls that were none of ours */
	uint64_t foreign_ns;		/* each */
	uint64_t process_ns;		/* processor time of the tool itself */
	enum tristate gave_up;		/* --max-overhead was exceeded */
};

struct plan_sample {
	char name[64];
	char kernel[16];		/* "stock" or "patched" */
	uint64_t backing_bytes;
	uint64_t granularity_bytes;
	char split_mode[8];
	uint64_t bbml;
	uint64_t adversary;
	uint64_t iotlb_size;
	char workload_name[32];
	uint64_t workload_seed;
	uint64_t memory_bytes;
	uint64_t bandwidth_bytes_per_second;
};

struct vmm_start_sample {
	uint64_t t_ns;
	uint64_t pid;
	uint64_t iova;
	uint64_t memory_bytes;
	uint64_t backing_bytes;
	uint64_t granularity_bytes;
	char split_mode[8];
	char workload_name[32];
	uint64_t workload_seed;
	uint64_t bandwidth_bytes_per_second;
	uint64_t downtime_limit_ns;
};

struct vmm_iotlb_sample {
	char when[8];			/* "before" or "after" */
	uint64_t dma;
	uint64_t misses;
	uint64_t descriptor_reads;
};

struct vmm_tracking_sample {
	uint64_t t_ns;
	enum tristate enable;
	uint64_t duration_ns;
};

struct vmm_sync_sample {
	uint64_t t_ns;
	uint64_t iteration;
	uint64_t iova;
	uint64_t length;
	uint64_t duration_ns;
	uint64_t dirty_bytes;
	uint64_t true_bytes;
	uint64_t missed_pages;
	struct pairs true_regions;	/* [index of the 2 MiB region, pages truly written] */
};

struct vmm_iteration_sample {
	uint64_t iteration;
	uint64_t sent_bytes;
	uint64_t transfer_ns;
};

struct vmm_moment_sample {
	uint64_t t_ns;
};

struct vmm_end_sample {
	uint64_t t_ns;
	enum tristate converged;
	uint64_t iterations;
	uint64_t sent_bytes;
	uint64_t pages_written;
	uint64_t bytes_written;
	uint64_t missed_pages;
	enum tristate memory_identical;
	uint64_t dma_failed;
	uint64_t dma_outside;
	uint64_t tlb_conflicts;
	char error[160];
};

struct vmm_state_sample {
	uint64_t t_ns;
	uint64_t pid;
	char via[8];			/* "qmp" or "libvirt" */
	char version[64];		/* of the VMM, by its own word */
	char status[24];		/* in the VMM's own words */
	char event[24];			/* what made it speak; "": it was asked */
	uint64_t syncs;
	uint64_t remaining_bytes;
	uint64_t transferred_bytes;
	uint64_t total_bytes;
	uint64_t device_bytes;		/* sent of the states of VFIO devices */
	uint64_t dirty_bytes_per_second;
	uint64_t bytes_per_second;
	uint64_t elapsed_ns;
	uint64_t downtime_ns;
	uint64_t expected_downtime_ns;
	uint64_t downtime_limit_ns;	/* that it was told */
	uint64_t max_bandwidth;		/* the same; 0: none */
	uint64_t throttle_percent;
	char error[96];
};

/* Any sample; large enough and aligned for each kind. */
union sample {
	struct header_sample header;
	struct tracking_sample tracking;
	struct sync_sample sync;
	struct sampled_sample sampled;
	struct clear_sample clear;
	struct split_sample split;
	struct size_summary_sample size_summary;
	struct tlb_summary_sample tlb_summary;
	struct ring_summary_sample ring_summary;
	struct transfer_sample transfer;
	struct split_latency_sample split_latency;
	struct tlb_cost_sample tlb_cost;
	struct stack_sample stack;
	struct device_state_sample device_state;
	struct interrupt_sample interrupt;
	struct vcpus_sample vcpus;
	struct connection_sample connection;
	struct end_sample end;
	struct plan_sample plan;
	struct vmm_start_sample vmm_start;
	struct vmm_iotlb_sample vmm_iotlb;
	struct vmm_tracking_sample vmm_tracking;
	struct vmm_sync_sample vmm_sync;
	struct vmm_iteration_sample vmm_iteration;
	struct vmm_moment_sample vmm_moment;
	struct vmm_end_sample vmm_end;
	struct vmm_state_sample vmm_state;
};

/**
 * sample_handler - takes one sample
 *
 * The sample's lists are the handler's to take; what it leaves is freed.
 *
 * Return: 0, or -errno to stop.
 */
typedef int (*sample_handler)(void *context, enum sample_kind kind, union sample *sample);

/** sample__between() - the time from one moment to another; UNKNOWN by a clock that goes backwards */
static inline uint64_t sample__between(uint64_t from, uint64_t to)
{
	return to >= from ? to - from : UNKNOWN;
}

/** sample__is_iommu() - whether a source's dirty state is an IOMMU's */
bool sample__is_iommu(const char *source);

/** sample__lost() - how many events were lost until an end, of all kinds */
uint64_t sample__lost(const struct end_sample *end);

/** sample__table() - the field table of a kind; its record name is the kind's "type" */
const struct field_table *sample__table(enum sample_kind kind);

/**
 * sample__kind() - the kind named by a line's "type"
 * Return: the kind, or SAMPLE_KINDS if there is none of that name.
 */
enum sample_kind sample__kind(const char *type);

#endif
