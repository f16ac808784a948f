// SPDX-License-Identifier: GPL-2.0-only
/*
 * The field tables of all samples. Not here: any code that looks at their values.
 */
#include "sample.h"

#include <string.h>

#define F(st, member, key, head, kind, u, m, text)					\
	FIELD_WITH(st, member, key, head, kind, u, head ? GROUP_ROW : GROUP_NONE, m, text)
#define TABLE FIELD_TABLE

#define NS UNIT_NS
#define BYTES UNIT_BYTES
#define COUNT UNIT_COUNT
#define PAGES UNIT_PAGES
#define NONE UNIT_NONE

static const struct field header_fields[] = {
	F(header_sample, schema, "schema", NULL, FIELD_TEXT, NONE, METRIC_NONE,
	  "format of the recording and its version"),
	F(header_sample, host_name, "host.name", NULL, FIELD_TEXT, NONE, METRIC_NONE,
	  "host that was measured"),
	F(header_sample, host_machine, "host.machine", NULL, FIELD_TEXT, NONE, METRIC_NONE,
	  "machine type of that host"),
	F(header_sample, host_boot, "host.boot", NULL, FIELD_TEXT, NONE, METRIC_NONE,
	  "boot of that host; recordings of one boot share their clock"),
	F(header_sample, kernel_release, "kernel.release", NULL, FIELD_TEXT, NONE, METRIC_LABEL,
	  "kernel release"),
	F(header_sample, kernel_patched, "kernel.patched", NULL, FIELD_BOOL, NONE, METRIC_NONE,
	  "whether the kernel has the split events"),
	F(header_sample, clock, "clock", NULL, FIELD_TEXT, NONE, METRIC_NONE,
	  "clock of every t_ns"),
	F(header_sample, time_basis, "time_basis", NULL, FIELD_TEXT, NONE, METRIC_LABEL,
	  "what durations mean: emulated, native or hardware"),
	F(header_sample, pid, "pid", NULL, FIELD_U64, NONE, METRIC_NONE,
	  "process that was followed, with its children; null: all"),
	F(header_sample, vmm, "vmm", NULL, FIELD_TEXT, NONE, METRIC_NONE,
	  "program that this process runs"),
	F(header_sample, tuned, "tuned", NULL, FIELD_TEXT, NONE, METRIC_NONE,
	  "settings that hwdbm tune held when this began; null: none, or not known"),
	F(header_sample, probes, "probes", NULL, FIELD_PROBES, NONE, METRIC_NONE,
	  "which kernel hook served for what"),
};

#define SOURCE_TEXT "what keeps the dirty state: iommufd, type1, device, vhost, kvm or kvm-ring"
#define VM_TEXT "VM of KVM, numbered in order of appearance"
#define DOMAIN_TEXT "IOMMU domain or device with a log, numbered in order of appearance"
#define DEVICE_TEXT "device whose own log it is"
#define SLOT_TEXT "memory slot, as KVM numbers it: address space << 16 | id"

static const struct field tracking_fields[] = {
	F(tracking_sample, t_ns, "t_ns", NULL, FIELD_U64, NS, METRIC_NONE, "end of the call"),
	F(tracking_sample, pid, "pid", NULL, FIELD_U64, NONE, METRIC_NONE, "calling process"),
	F(tracking_sample, source, "source", NULL, FIELD_TEXT, NONE, METRIC_NONE, SOURCE_TEXT),
	F(tracking_sample, vm, "vm", NULL, FIELD_U64, NONE, METRIC_NONE, VM_TEXT),
	F(tracking_sample, slot, "slot", NULL, FIELD_U64, NONE, METRIC_NONE, SLOT_TEXT),
	F(tracking_sample, iova, "iova", NULL, FIELD_U64, NONE, METRIC_NONE,
	  "first guest-physical address of the slot"),
	F(tracking_sample, length_bytes, "length_bytes", NULL, FIELD_U64, BYTES, METRIC_NONE,
	  "length of the slot"),
	F(tracking_sample, domain, "domain", NULL, FIELD_U64, NONE, METRIC_NONE, DOMAIN_TEXT),
	F(tracking_sample, device, "device", NULL, FIELD_TEXT, NONE, METRIC_NONE, DEVICE_TEXT),
	F(tracking_sample, enable, "enable", "enable", FIELD_BOOL, NONE, METRIC_NONE,
	  "start or stop"),
	F(tracking_sample, ret, "ret", "ret", FIELD_I64, NONE, METRIC_NONE, "0 or -errno"),
	F(tracking_sample, granularity_bytes, "granularity_bytes", "granularity", FIELD_U64, BYTES,
	  METRIC_GAUGE, "leaf size in force; 0: as mapped; of a device: a page of its log"),
	F(tracking_sample, split_mode, "split_mode", "mode", FIELD_TEXT, NONE, METRIC_NONE,
	  "off, eager, lazy or sample"),
	F(tracking_sample, sample_share, "sample_share", NULL, FIELD_RATIO, UNIT_RATIO, METRIC_NONE,
	  "mode sample: share of the blocks that is split"),
	F(tracking_sample, sample_seed, "sample_seed", NULL, FIELD_U64, NONE, METRIC_NONE,
	  "mode sample: what selects them"),
	F(tracking_sample, total_ns, "total_ns", "time", FIELD_U64, NS, METRIC_GAUGE,
	  "duration of the call"),
	F(tracking_sample, walk_ns, "walk_ns", "walk", FIELD_U64, NS, METRIC_GAUGE,
	  "time spent in the table walk"),
	F(tracking_sample, flush_ns, "flush_ns", "flush", FIELD_U64, NS, METRIC_GAUGE,
	  "time spent waiting for the TLB"),
	F(tracking_sample, leaves, "leaves", NULL, FIELD_LEAVES, COUNT, METRIC_NONE,
	  "leaves by size that the call met, before any was split"),
	F(tracking_sample, splits, "splits", "splits", FIELD_U64, COUNT, METRIC_GAUGE,
	  "blocks split by the call"),
	F(tracking_sample, tables, "tables", "tables", FIELD_U64, COUNT, METRIC_GAUGE,
	  "page tables built by the call"),
	F(tracking_sample, kept, "kept", "kept", FIELD_U64, COUNT, METRIC_GAUGE,
	  "blocks larger than the granularity left whole"),
	F(tracking_sample, kept_reason, "kept_reason", NULL, FIELD_TEXT, NONE, METRIC_NONE,
	  "why: bbml0, nomem, budget, other"),
};

static const struct field sync_fields[] = {
	F(sync_sample, t_ns, "t_ns", NULL, FIELD_U64, NS, METRIC_NONE, "end of the sync"),
	F(sync_sample, pid, "pid", NULL, FIELD_U64, NONE, METRIC_NONE, "calling process"),
	F(sync_sample, source, "source", NULL, FIELD_TEXT, NONE, METRIC_NONE, SOURCE_TEXT),
	F(sync_sample, vm, "vm", NULL, FIELD_U64, NONE, METRIC_NONE, VM_TEXT),
	F(sync_sample, slot, "slot", NULL, FIELD_U64, NONE, METRIC_NONE, SLOT_TEXT),
	F(sync_sample, domain, "domain", NULL, FIELD_U64, NONE, METRIC_NONE, DOMAIN_TEXT),
	F(sync_sample, device, "device", NULL, FIELD_TEXT, NONE, METRIC_NONE, DEVICE_TEXT),
	F(sync_sample, iteration, "iteration", "iteration", FIELD_U64, COUNT, METRIC_GAUGE,
	  "pre-copy iteration; one ends when an IOVA already synced is synced again"),
	F(sync_sample, start_seen, "start_seen", NULL, FIELD_BOOL, NONE, METRIC_NONE,
	  "whether the start of this tracking was seen; if not, there may be earlier iterations"),
	F(sync_sample, iova, "iova", NULL, FIELD_U64, NONE, METRIC_NONE,
	  "first IOVA, or guest-physical address"),
	F(sync_sample, length_bytes, "length_bytes", NULL, FIELD_U64, BYTES, METRIC_NONE,
	  "length of the range"),
	F(sync_sample, page_bytes, "page_bytes", NULL, FIELD_U64, BYTES, METRIC_NONE,
	  "what one bit of the bitmap stands for"),
	F(sync_sample, clear, "clear", NULL, FIELD_BOOL, NONE, METRIC_NONE,
	  "whether dirty state was cleared"),
	F(sync_sample, ret, "ret", NULL, FIELD_I64, NONE, METRIC_NONE, "0 or -errno"),
	F(sync_sample, total_ns, "total_ns", "time", FIELD_U64, NS, METRIC_GAUGE,
	  "duration of the sync"),
	F(sync_sample, walk_ns, "walk_ns", "walk", FIELD_U64, NS, METRIC_GAUGE,
	  "time spent in the table walk, splits included"),
	F(sync_sample, flush_ns, "flush_ns", "flush", FIELD_U64, NS, METRIC_GAUGE,
	  "time spent waiting for the TLB"),
	F(sync_sample, entries, "entries", "entries", FIELD_U64, COUNT, METRIC_GAUGE,
	  "leaves seen"),
	F(sync_sample, dirty_entries, "dirty_entries", NULL, FIELD_LEAVES, COUNT, METRIC_NONE,
	  "dirty leaves by size"),
	F(sync_sample, dirty_bytes, "dirty_bytes", "dirty", FIELD_U64, BYTES, METRIC_GAUGE,
	  "bytes reported dirty"),
	F(sync_sample, unit_bytes[0], "dirty_4k_bytes", NULL, FIELD_U64, BYTES, METRIC_GAUGE,
	  "bytes of the 4K units that hold a dirty page"),
	F(sync_sample, unit_bytes[1], "dirty_64k_bytes", NULL, FIELD_U64, BYTES, METRIC_GAUGE,
	  "bytes of the 64K units that hold a dirty page"),
	F(sync_sample, unit_bytes[2], "dirty_2m_bytes", NULL, FIELD_U64, BYTES, METRIC_GAUGE,
	  "bytes of the 2M units that hold a dirty page"),
	F(sync_sample, unit_bytes[3], "dirty_1g_bytes", NULL, FIELD_U64, BYTES, METRIC_GAUGE,
	  "bytes of the 1G units that hold a dirty page"),
	F(sync_sample, count_ns, "count_ns", NULL, FIELD_U64, NS, METRIC_GAUGE,
	  "time this tool spent on counting them, after the sync"),
	F(sync_sample, splits, "splits", "splits", FIELD_U64, COUNT, METRIC_GAUGE,
	  "blocks split"),
	F(sync_sample, tables, "tables", "tables", FIELD_U64, COUNT, METRIC_GAUGE,
	  "page tables built"),
	F(sync_sample, kept, "kept", "kept", FIELD_U64, COUNT, METRIC_GAUGE,
	  "blocks larger than the granularity left whole"),
	F(sync_sample, tlb_invalidations, "tlb_invalidations", "TLBIs", FIELD_U64, COUNT,
	  METRIC_GAUGE, "TLB invalidations with their wait"),
	F(sync_sample, tlb_commands, "tlb_commands", "commands", FIELD_U64, COUNT,
	  METRIC_GAUGE, "commands queued for them"),
};

static const struct field sampled_fields[] = {
	F(sampled_sample, t_ns, "t_ns", NULL, FIELD_U64, NS, METRIC_NONE,
	  "end of the sync that it belongs to"),
	F(sampled_sample, pid, "pid", NULL, FIELD_U64, NONE, METRIC_NONE, "calling process"),
	F(sampled_sample, domain, "domain", NULL, FIELD_U64, NONE, METRIC_NONE,
	  "IOMMU domain, numbered in order of appearance"),
	F(sampled_sample, iova, "iova", NULL, FIELD_U64, NONE, METRIC_NONE, "first IOVA"),
	F(sampled_sample, length_bytes, "length_bytes", NULL, FIELD_U64, BYTES, METRIC_NONE,
	  "length of the range"),
	F(sampled_sample, block_bytes, "block_bytes", NULL, FIELD_U64, BYTES, METRIC_NONE,
	  "size of the blocks before a share of them was split"),
	F(sampled_sample, share, "share", NULL, FIELD_RATIO, UNIT_RATIO, METRIC_NONE,
	  "share of the blocks that is split"),
	F(sampled_sample, seed, "seed", NULL, FIELD_U64, NONE, METRIC_NONE, "what selects them"),
	F(sampled_sample, blocks, "blocks", NULL, FIELD_U64, COUNT, METRIC_NONE,
	  "split blocks that were dirty"),
	F(sampled_sample, dirty_bytes, "dirty_bytes", NULL, FIELD_U64, BYTES, METRIC_NONE,
	  "bytes dirty in them"),
	F(sampled_sample, dirty_64k_bytes, "dirty_64k_bytes", NULL, FIELD_U64, BYTES, METRIC_NONE,
	  "bytes of their 64K units that hold a dirty page"),
	F(sampled_sample, gap_blocks, "gap_blocks", NULL, FIELD_U64, COUNT, METRIC_NONE,
	  "dirty blocks that were not split, in the gaps between split ones"),
	F(sampled_sample, gap_bytes, "gap_bytes", NULL, FIELD_U64, BYTES, METRIC_NONE,
	  "bytes dirty in them if they are like the split blocks at the ends of their gap"),
	F(sampled_sample, gap_inner_bytes, "gap_inner_bytes", NULL, FIELD_U64, BYTES, METRIC_NONE,
	  "root of the sum of squares of a gap's length x the difference of its ends"),
	F(sampled_sample, gap_outer_bytes, "gap_outer_bytes", NULL, FIELD_U64, BYTES, METRIC_NONE,
	  "the same of the first and the last gap, by the difference to the next split block"),
	F(sampled_sample, gap_64k_bytes, "gap_64k_bytes", NULL, FIELD_U64, BYTES, METRIC_NONE,
	  "gap_bytes by units of 64K"),
	F(sampled_sample, gap_64k_inner_bytes, "gap_64k_inner_bytes", NULL, FIELD_U64, BYTES,
	  METRIC_NONE, "gap_inner_bytes by units of 64K"),
	F(sampled_sample, gap_64k_outer_bytes, "gap_64k_outer_bytes", NULL, FIELD_U64, BYTES,
	  METRIC_NONE, "gap_outer_bytes by units of 64K"),
	F(sampled_sample, others, "others", NULL, FIELD_U64, COUNT, METRIC_NONE,
	  "as large pieces of memory that were partly dirty though not of the share: mapped by pages"),
	F(sampled_sample, other_bytes, "other_bytes", NULL, FIELD_U64, BYTES, METRIC_NONE,
	  "bytes dirty in those"),
	F(sampled_sample, pages, "pages", NULL, FIELD_PAIRS, PAGES, METRIC_NONE,
	  "dirty pages of the split blocks: [upper bound, blocks]"),
	F(sampled_sample, units_64k, "units_64k", NULL, FIELD_PAIRS, COUNT, METRIC_NONE,
	  "dirty 64K units of the split blocks: [upper bound, blocks]"),
};

static const struct field clear_fields[] = {
	F(clear_sample, t_ns, "t_ns", NULL, FIELD_U64, NS, METRIC_NONE, "end of the clear"),
	F(clear_sample, pid, "pid", NULL, FIELD_U64, NONE, METRIC_NONE, "calling process"),
	F(clear_sample, source, "source", NULL, FIELD_TEXT, NONE, METRIC_NONE, SOURCE_TEXT),
	F(clear_sample, vm, "vm", NULL, FIELD_U64, NONE, METRIC_NONE, VM_TEXT),
	F(clear_sample, slot, "slot", NULL, FIELD_U64, NONE, METRIC_NONE, SLOT_TEXT),
	F(clear_sample, iova, "iova", NULL, FIELD_U64, NONE, METRIC_NONE,
	  "first guest-physical address"),
	F(clear_sample, length_bytes, "length_bytes", NULL, FIELD_U64, BYTES, METRIC_NONE,
	  "length of the range"),
	F(clear_sample, ret, "ret", NULL, FIELD_I64, NONE, METRIC_NONE, "0 or -errno"),
	F(clear_sample, total_ns, "total_ns", NULL, FIELD_U64, NS, METRIC_NONE,
	  "duration of the call"),
};

static const struct field split_fields[] = {
	F(split_sample, t_ns, "t_ns", NULL, FIELD_U64, NS, METRIC_NONE, "end of the split"),
	F(split_sample, domain, "domain", NULL, FIELD_U64, NONE, METRIC_NONE,
	  "IOMMU domain, numbered in order of appearance"),
	F(split_sample, iova, "iova", "IOVA", FIELD_U64, NONE, METRIC_NONE, "first IOVA"),
	F(split_sample, from_bytes, "from_bytes", "from", FIELD_U64, BYTES, METRIC_NONE,
	  "leaf size before"),
	F(split_sample, to_bytes, "to_bytes", "to", FIELD_U64, BYTES, METRIC_NONE,
	  "leaf size after"),
	F(split_sample, tables, "tables", "tables", FIELD_U64, COUNT, METRIC_NONE,
	  "page tables built"),
	F(split_sample, ret, "ret", "ret", FIELD_I64, NONE, METRIC_NONE,
	  "0, or -errno: the block was kept"),
	F(split_sample, ns, "ns", "time", FIELD_U64, NS, METRIC_NONE, "duration"),
};

/* A merge differs in words only. */
#define SIZE_SUMMARY(operations_text, tables_text, failed_text)				\
	F(size_summary_sample, from_bytes, "from_bytes", "from", FIELD_U64, BYTES, METRIC_LABEL,	\
	  "leaf size before"),								\
	F(size_summary_sample, to_bytes, "to_bytes", "to", FIELD_U64, BYTES, METRIC_LABEL,	\
	  "leaf size after"),								\
	F(size_summary_sample, operations, "operations", "operations", FIELD_U64, COUNT,	\
	  METRIC_COUNTER, operations_text),						\
	F(size_summary_sample, tables, "tables", "tables", FIELD_U64, COUNT, METRIC_COUNTER,	\
	  tables_text),									\
	F(size_summary_sample, failed, "failed", "failed", FIELD_U64, COUNT, METRIC_COUNTER,	\
	  failed_text),									\
	F(size_summary_sample, total_ns, "total_ns", "time", FIELD_U64, NS, METRIC_COUNTER,	\
	  "time spent"),								\
	F(size_summary_sample, max_ns, "max_ns", "max", FIELD_U64, NS, METRIC_GAUGE,	\
	  "longest one"),								\
	F(size_summary_sample, histogram_ns, "histogram_ns", NULL, FIELD_PAIRS, NS,	\
	  METRIC_HISTOGRAM, "latencies: [upper bound, count]")

static const struct field split_summary_fields[] = {
	SIZE_SUMMARY("blocks split, at tracking start and in syncs", "page tables built",
		     "blocks kept because their split failed"),
};

static const struct field merge_summary_fields[] = {
	SIZE_SUMMARY("blocks put back after tracking stopped", "page tables freed",
		     "tables kept because their merge failed"),
};

static const struct field tlb_summary_fields[] = {
	F(tlb_summary_sample, cause, "cause", "cause", FIELD_TEXT, NONE, METRIC_LABEL,
	  "unmap, sync, split, merge or other"),
	F(tlb_summary_sample, invalidations, "invalidations", "TLBIs", FIELD_U64, COUNT,
	  METRIC_COUNTER, "TLB invalidations with their wait"),
	F(tlb_summary_sample, commands, "commands", "commands", FIELD_U64, COUNT,
	  METRIC_COUNTER, "commands queued for them"),
	F(tlb_summary_sample, total_ns, "total_ns", "time", FIELD_U64, NS, METRIC_COUNTER,
	  "time spent, waits included"),
	F(tlb_summary_sample, max_ns, "max_ns", "max", FIELD_U64, NS, METRIC_GAUGE,
	  "longest one"),
	F(tlb_summary_sample, histogram_ns, "histogram_ns", NULL, FIELD_PAIRS, NS, METRIC_HISTOGRAM,
	  "latencies: [upper bound, count]"),
};

static const struct field ring_summary_fields[] = {
	F(ring_summary_sample, vm, "vm", NULL, FIELD_U64, NONE, METRIC_NONE, VM_TEXT),
	F(ring_summary_sample, pushed, "pushed", NULL, FIELD_U64, COUNT, METRIC_COUNTER,
	  "entries that vCPUs wrote into their dirty rings"),
	F(ring_summary_sample, resets, "resets", NULL, FIELD_U64, COUNT, METRIC_COUNTER,
	  "resets of one vCPU's ring"),
	F(ring_summary_sample, full, "full", NULL, FIELD_U64, COUNT, METRIC_COUNTER,
	  "exits of a vCPU because its ring was full"),
};

static const struct field transfer_fields[] = {
	F(transfer_sample, t_ns, "t_ns", NULL, FIELD_U64, NS, METRIC_NONE, "when"),
	F(transfer_sample, pid, "pid", NULL, FIELD_U64, NONE, METRIC_NONE, "the VMM"),
	F(transfer_sample, connections, "connections", NULL, FIELD_U64, COUNT, METRIC_NONE,
	  "TCP connections counted, open or closed"),
	F(transfer_sample, sent_bytes, "sent_bytes", NULL, FIELD_U64, BYTES, METRIC_NONE,
	  "bytes that the other side has acknowledged, since each connection began"),
	F(transfer_sample, ended, "ended", NULL, FIELD_BOOL, NONE, METRIC_NONE,
	  "whether the process has ended"),
	F(transfer_sample, why_unknown, "why_unknown", NULL, FIELD_TEXT, NONE, METRIC_NONE,
	  "why that is not known"),
};

#define PROCESS_TEXT "process that it was done for"
#define VM_NAME_TEXT "name of its VM, or of the process"

#define LATENCIES(st)									\
	F(st, total_ns, "total_ns", "time", FIELD_U64, NS, METRIC_NONE, "time spent"),	\
	F(st, p50_ns, "p50_ns", "p50", FIELD_U64, NS, METRIC_NONE, "half took no longer"),	\
	F(st, p90_ns, "p90_ns", "p90", FIELD_U64, NS, METRIC_NONE, "90 % took no longer"),	\
	F(st, p99_ns, "p99_ns", "p99", FIELD_U64, NS, METRIC_NONE, "99 % took no longer"),	\
	F(st, max_ns, "max_ns", "max", FIELD_U64, NS, METRIC_NONE, "longest one"),	\
	F(st, histogram_ns, "histogram_ns", NULL, FIELD_PAIRS, NS, METRIC_NONE,		\
	  "latencies: [upper bound, count]")

#define READ_TEXT "when the totals were read"

static const struct field split_latency_fields[] = {
	F(split_latency_sample, t_ns, "t_ns", NULL, FIELD_U64, NS, METRIC_NONE, READ_TEXT),
	F(split_latency_sample, source, "source", "source", FIELD_TEXT, NONE, METRIC_NONE,
	  "whose page tables: iommu or kvm"),
	F(split_latency_sample, scope, "scope", "of", FIELD_TEXT, NONE, METRIC_NONE,
	  "one block, or a pass over a slot or range, whatever there was to split"),
	F(split_latency_sample, from_bytes, "from_bytes", "from", FIELD_U64, BYTES, METRIC_NONE,
	  "leaf size before"),
	F(split_latency_sample, to_bytes, "to_bytes", "to", FIELD_U64, BYTES, METRIC_NONE,
	  "leaf size after"),
	F(split_latency_sample, mode, "mode", "mode", FIELD_TEXT, NONE, METRIC_NONE,
	  "eager: as tracking starts; lazy: in a sync or clear; fault: as a vCPU runs"),
	F(split_latency_sample, pid, "pid", "pid", FIELD_U64, UNIT_ID, METRIC_NONE, PROCESS_TEXT),
	F(split_latency_sample, vm, "vm", "VM", FIELD_TEXT, NONE, METRIC_NONE, VM_NAME_TEXT),
	F(split_latency_sample, operations, "operations", "count", FIELD_U64, COUNT, METRIC_NONE,
	  "splits, or passes"),
	F(split_latency_sample, failed, "failed", "failed", FIELD_U64, COUNT, METRIC_NONE,
	  "those that failed, not in any other number"),
	LATENCIES(split_latency_sample),
};

static const struct field tlb_cost_fields[] = {
	F(tlb_cost_sample, t_ns, "t_ns", NULL, FIELD_U64, NS, METRIC_NONE, READ_TEXT),
	F(tlb_cost_sample, source, "source", "source", FIELD_TEXT, NONE, METRIC_NONE,
	  "whose TLB: smmuv3, vt-d, amd or kvm"),
	F(tlb_cost_sample, iommu, "iommu", "IOMMU", FIELD_TEXT, NONE, METRIC_NONE, "which one"),
	F(tlb_cost_sample, range, "range", "range", FIELD_TEXT, NONE, METRIC_NONE,
	  "at most so much was invalidated; more than 1G; or all"),
	F(tlb_cost_sample, cause, "cause", "cause", FIELD_TEXT, NONE, METRIC_NONE,
	  "unmap, sync, split, merge, other; map, tracking, clear, vcpu, host"),
	F(tlb_cost_sample, pid, "pid", "pid", FIELD_U64, UNIT_ID, METRIC_NONE, PROCESS_TEXT),
	F(tlb_cost_sample, vm, "vm", "VM", FIELD_TEXT, NONE, METRIC_NONE, VM_NAME_TEXT),
	F(tlb_cost_sample, flushes, "flushes", "flushes", FIELD_U64, COUNT, METRIC_NONE,
	  "invalidations with their wait"),
	F(tlb_cost_sample, commands, "commands", "commands", FIELD_U64, COUNT, METRIC_NONE,
	  "commands queued for them"),
	LATENCIES(tlb_cost_sample),
};

static const struct field stack_fields[] = {
	F(stack_sample, t_ns, "t_ns", NULL, FIELD_U64, NS, METRIC_NONE, READ_TEXT),
	F(stack_sample, source, "source", NULL, FIELD_TEXT, NONE, METRIC_NONE,
	  "whose TLB was flushed"),
	F(stack_sample, cause, "cause", NULL, FIELD_TEXT, NONE, METRIC_NONE, "for what"),
	F(stack_sample, pid, "pid", NULL, FIELD_U64, UNIT_ID, METRIC_NONE, "process that ran"),
	F(stack_sample, vm, "vm", NULL, FIELD_TEXT, NONE, METRIC_NONE, VM_NAME_TEXT),
	F(stack_sample, count, "count", NULL, FIELD_U64, COUNT, METRIC_NONE, "flushes"),
	F(stack_sample, total_ns, "total_ns", NULL, FIELD_U64, NS, METRIC_NONE, "time they took"),
	F(stack_sample, share, "share", NULL, FIELD_RATIO, UNIT_RATIO, METRIC_NONE,
	  "of the time of all chains"),
	F(stack_sample, frames, "frames", NULL, FIELD_TEXT, NONE, METRIC_NONE,
	  "functions, outermost first, joined by \";\"; those of the kernel end in \"_[k]\""),
};

static const struct field device_state_fields[] = {
	F(device_state_sample, t_ns, "t_ns", NULL, FIELD_U64, NS, METRIC_NONE, "end of the call"),
	F(device_state_sample, pid, "pid", NULL, FIELD_U64, NONE, METRIC_NONE, "calling process"),
	F(device_state_sample, device, "device", NULL, FIELD_U64, NONE, METRIC_NONE,
	  "VFIO device, numbered in order of appearance"),
	F(device_state_sample, state, "state", NULL, FIELD_TEXT, NONE, METRIC_NONE,
	  "migration state that it was asked for, as VFIO calls it"),
	F(device_state_sample, size_bytes, "size_bytes", NULL, FIELD_U64, BYTES, METRIC_NONE,
	  "or what it has to stop and copy, if that was asked"),
	F(device_state_sample, ret, "ret", NULL, FIELD_I64, NONE, METRIC_NONE, "0 or -errno"),
	F(device_state_sample, total_ns, "total_ns", NULL, FIELD_U64, NS, METRIC_NONE,
	  "duration of the call"),
};

static const struct field interrupt_fields[] = {
	F(interrupt_sample, t_ns, "t_ns", NULL, FIELD_U64, NS, METRIC_NONE, "when the host took it"),
	F(interrupt_sample, pid, "pid", NULL, FIELD_U64, NONE, METRIC_NONE,
	  "process that had let the device go on"),
	F(interrupt_sample, device, "device", NULL, FIELD_U64, NONE, METRIC_NONE,
	  "VFIO device, as in device_state"),
	F(interrupt_sample, name, "interrupt", NULL, FIELD_TEXT, NONE, METRIC_NONE,
	  "as the kernel lists it"),
};

static const struct field vcpus_fields[] = {
	F(vcpus_sample, t_ns, "t_ns", NULL, FIELD_U64, NS, METRIC_NONE, "when this was read"),
	F(vcpus_sample, pid, "pid", NULL, FIELD_U64, NONE, METRIC_NONE, "process"),
	F(vcpus_sample, first_ns, "first_ns", NULL, FIELD_U64, NS, METRIC_NONE,
	  "first return of a vCPU to the VMM that was seen"),
	F(vcpus_sample, last_ns, "last_ns", NULL, FIELD_U64, NS, METRIC_NONE, "last one"),
};

static const struct field connection_fields[] = {
	F(connection_sample, t_ns, "t_ns", NULL, FIELD_U64, NS, METRIC_NONE, "end of the look"),
	F(connection_sample, pid, "pid", NULL, FIELD_U64, NONE, METRIC_NONE, "process"),
	F(connection_sample, total_ns, "total_ns", NULL, FIELD_U64, NS, METRIC_NONE,
	  "duration of the look"),
	F(connection_sample, local, "local", NULL, FIELD_TEXT, NONE, METRIC_NONE,
	  "own address and port"),
	F(connection_sample, remote, "remote", NULL, FIELD_TEXT, NONE, METRIC_NONE,
	  "the other side's"),
	F(connection_sample, sent_bytes, "sent_bytes", NULL, FIELD_U64, BYTES, METRIC_NONE,
	  "bytes sent so far, without what was sent again"),
	F(connection_sample, acked_bytes, "acked_bytes", NULL, FIELD_U64, BYTES, METRIC_NONE,
	  "bytes that the other side has acknowledged"),
	F(connection_sample, received_bytes, "received_bytes", NULL, FIELD_U64, BYTES, METRIC_NONE,
	  "bytes received"),
};

static const struct field end_fields[] = {
	F(end_sample, t_ns, "t_ns", NULL, FIELD_U64, NS, METRIC_NONE, "end of the recording"),
	F(end_sample, lost, "lost", NULL, FIELD_LOST, COUNT, METRIC_NONE,
	  "events not recorded, by the place where they were lost"),
	F(end_sample, child_status, "child_status", NULL, FIELD_U64, NONE, METRIC_NONE,
	  "exit status of the command, 128 + signal if one ended it"),
	F(end_sample, target_ended, "target_ended", NULL, FIELD_BOOL, NONE, METRIC_NONE,
	  "whether the process that was followed ended by itself"),
	F(end_sample, attached_ns, "attached_ns", NULL, FIELD_U64, NS, METRIC_NONE,
	  "how long the probes for KVM's calls were attached"),
	F(end_sample, probe_ns, "probe_ns", NULL, FIELD_U64, NS, METRIC_NONE,
	  "processor time that they took"),
	F(end_sample, probe_share, "probe_share_millionths", NULL, FIELD_U64, NONE, METRIC_NONE,
	  "the same as a share of one core for each VM that logged, in millionths"),
	F(end_sample, foreign_runs, "foreign_runs", NULL, FIELD_U64, COUNT, METRIC_NONE,
	  "calls of other kinds that paid for them"),
	F(end_sample, foreign_ns, "foreign_ns", NULL, FIELD_U64, NS, METRIC_NONE,
	  "what each of these paid, as calibrated"),
	F(end_sample, process_ns, "process_ns", NULL, FIELD_U64, NS, METRIC_NONE,
	  "processor time of hwdbm itself"),
	F(end_sample, gave_up, "gave_up", NULL, FIELD_BOOL, NONE, METRIC_NONE,
	  "whether everything was detached before the end because of --max-overhead"),
};

static const struct field plan_fields[] = {
	F(plan_sample, name, "name", NULL, FIELD_TEXT, NONE, METRIC_LABEL, "name of the run"),
	F(plan_sample, kernel, "kernel", NULL, FIELD_TEXT, NONE, METRIC_NONE,
	  "stock or patched"),
	F(plan_sample, backing_bytes, "backing_bytes", NULL, FIELD_U64, BYTES, METRIC_NONE,
	  "page size behind the memory"),
	F(plan_sample, granularity_bytes, "granularity_bytes", NULL, FIELD_U64, BYTES, METRIC_NONE,
	  "granularity asked for"),
	F(plan_sample, split_mode, "split_mode", NULL, FIELD_TEXT, NONE, METRIC_NONE,
	  "split mode asked for"),
	F(plan_sample, bbml, "bbml", NULL, FIELD_U64, NONE, METRIC_NONE,
	  "break-before-make level of the SMMU"),
	F(plan_sample, adversary, "adversary", NULL, FIELD_U64, NONE, METRIC_NONE,
	  "seed of the unkind TLB; 0: off"),
	F(plan_sample, iotlb_size, "iotlb_size", NULL, FIELD_U64, COUNT, METRIC_NONE,
	  "IOTLB entries"),
	F(plan_sample, workload_name, "workload.name", NULL, FIELD_TEXT, NONE, METRIC_NONE,
	  "DMA pattern"),
	F(plan_sample, workload_seed, "workload.seed", NULL, FIELD_U64, NONE, METRIC_NONE,
	  "its seed"),
	F(plan_sample, memory_bytes, "memory_bytes", NULL, FIELD_U64, BYTES, METRIC_NONE,
	  "memory given to the device"),
	F(plan_sample, bandwidth_bytes_per_second, "bandwidth_bytes_per_second", NULL, FIELD_U64,
	  UNIT_BYTES_PER_SECOND, METRIC_NONE, "cap of the copy"),
};

static const struct field vmm_start_fields[] = {
	F(vmm_start_sample, t_ns, "t_ns", NULL, FIELD_U64, NS, METRIC_NONE, "start"),
	F(vmm_start_sample, pid, "pid", NULL, FIELD_U64, NONE, METRIC_NONE, "the VMM"),
	F(vmm_start_sample, iova, "iova", NULL, FIELD_U64, NONE, METRIC_NONE,
	  "IOVA of the first byte of memory"),
	F(vmm_start_sample, memory_bytes, "memory_bytes", NULL, FIELD_U64, BYTES, METRIC_NONE,
	  "memory given to the device"),
	F(vmm_start_sample, backing_bytes, "backing_bytes", NULL, FIELD_U64, BYTES, METRIC_NONE,
	  "page size behind that memory"),
	F(vmm_start_sample, granularity_bytes, "granularity_bytes", NULL, FIELD_U64, BYTES,
	  METRIC_NONE, "granularity asked for"),
	F(vmm_start_sample, split_mode, "split_mode", NULL, FIELD_TEXT, NONE, METRIC_NONE,
	  "split mode asked for"),
	F(vmm_start_sample, workload_name, "workload.name", NULL, FIELD_TEXT, NONE, METRIC_NONE,
	  "DMA pattern"),
	F(vmm_start_sample, workload_seed, "workload.seed", NULL, FIELD_U64, NONE, METRIC_NONE,
	  "its seed"),
	F(vmm_start_sample, bandwidth_bytes_per_second, "bandwidth_bytes_per_second", NULL,
	  FIELD_U64, UNIT_BYTES_PER_SECOND, METRIC_NONE, "cap of the copy"),
	F(vmm_start_sample, downtime_limit_ns, "downtime_limit_ns", NULL, FIELD_U64, NS,
	  METRIC_NONE, "the rest must fit into this time"),
};

static const struct field vmm_iotlb_fields[] = {
	F(vmm_iotlb_sample, when, "when", NULL, FIELD_TEXT, NONE, METRIC_NONE,
	  "before tracking starts, or at the end"),
	F(vmm_iotlb_sample, dma, "dma", NULL, FIELD_U64, COUNT, METRIC_NONE, "DMA operations"),
	F(vmm_iotlb_sample, misses, "misses", NULL, FIELD_U64, COUNT, METRIC_NONE,
	  "IOTLB misses they took"),
	F(vmm_iotlb_sample, descriptor_reads, "descriptor_reads", NULL, FIELD_U64, COUNT,
	  METRIC_NONE, "table descriptors read for them"),
};

static const struct field vmm_tracking_fields[] = {
	F(vmm_tracking_sample, t_ns, "t_ns", NULL, FIELD_U64, NS, METRIC_NONE, "end of the call"),
	F(vmm_tracking_sample, enable, "enable", NULL, FIELD_BOOL, NONE, METRIC_NONE,
	  "start or stop"),
	F(vmm_tracking_sample, duration_ns, "duration_ns", NULL, FIELD_U64, NS, METRIC_NONE,
	  "duration of the ioctl"),
};

static const struct field vmm_sync_fields[] = {
	F(vmm_sync_sample, t_ns, "t_ns", NULL, FIELD_U64, NS, METRIC_NONE, "start of the sync"),
	F(vmm_sync_sample, iteration, "iteration", NULL, FIELD_U64, COUNT, METRIC_NONE,
	  "the VMM's iteration"),
	F(vmm_sync_sample, iova, "iova", NULL, FIELD_U64, NONE, METRIC_NONE, "first IOVA"),
	F(vmm_sync_sample, length, "length", NULL, FIELD_U64, BYTES, METRIC_NONE,
	  "length of the range"),
	F(vmm_sync_sample, duration_ns, "duration_ns", NULL, FIELD_U64, NS, METRIC_NONE,
	  "duration of the ioctls"),
	F(vmm_sync_sample, dirty_bytes, "dirty_bytes", NULL, FIELD_U64, BYTES, METRIC_NONE,
	  "bytes set in the bitmap that the VMM read"),
	F(vmm_sync_sample, true_bytes, "true_bytes", NULL, FIELD_U64, BYTES, METRIC_NONE,
	  "bytes of the 4K pages really written"),
	F(vmm_sync_sample, missed_pages, "missed_pages", NULL, FIELD_U64, PAGES, METRIC_NONE,
	  "pages written and not reported in time"),
	F(vmm_sync_sample, true_regions, "true_regions", NULL, FIELD_PAIRS, PAGES, METRIC_NONE,
	  "pages really written by 2 MiB region"),
};

static const struct field vmm_iteration_fields[] = {
	F(vmm_iteration_sample, iteration, "iteration", NULL, FIELD_U64, COUNT, METRIC_NONE,
	  "the VMM's iteration; 0 is the first full copy"),
	F(vmm_iteration_sample, sent_bytes, "sent_bytes", NULL, FIELD_U64, BYTES, METRIC_NONE,
	  "bytes copied"),
	F(vmm_iteration_sample, transfer_ns, "transfer_ns", NULL, FIELD_U64, NS, METRIC_NONE,
	  "time that took"),
};

static const struct field vmm_moment_fields[] = {
	F(vmm_moment_sample, t_ns, "t_ns", NULL, FIELD_U64, NS, METRIC_NONE, "when"),
};

static const struct field vmm_end_fields[] = {
	F(vmm_end_sample, t_ns, "t_ns", NULL, FIELD_U64, NS, METRIC_NONE, "end"),
	F(vmm_end_sample, converged, "converged", NULL, FIELD_BOOL, NONE, METRIC_NONE,
	  "whether the rest fit into the downtime limit"),
	F(vmm_end_sample, iterations, "iterations", NULL, FIELD_U64, COUNT, METRIC_NONE,
	  "iterations with a sync, the final one included"),
	F(vmm_end_sample, sent_bytes, "sent_bytes", NULL, FIELD_U64, BYTES, METRIC_NONE,
	  "bytes copied in all"),
	F(vmm_end_sample, pages_written, "pages_written", NULL, FIELD_U64, PAGES, METRIC_NONE,
	  "distinct pages really written while tracked"),
	F(vmm_end_sample, bytes_written, "bytes_written", NULL, FIELD_U64, BYTES, METRIC_NONE,
	  "bytes the device really wrote"),
	F(vmm_end_sample, missed_pages, "missed_pages", NULL, FIELD_U64, PAGES, METRIC_NONE,
	  "pages written and not reported in time"),
	F(vmm_end_sample, memory_identical, "memory_identical", NULL, FIELD_BOOL, NONE,
	  METRIC_NONE, "destination equals source, byte for byte"),
	F(vmm_end_sample, dma_failed, "dma_failed", NULL, FIELD_U64, COUNT, METRIC_NONE,
	  "DMA operations that failed"),
	F(vmm_end_sample, dma_outside, "dma_outside", NULL, FIELD_U64, COUNT, METRIC_NONE,
	  "DMA operations outside the watched range"),
	F(vmm_end_sample, tlb_conflicts, "tlb_conflicts", NULL, FIELD_U64, COUNT, METRIC_NONE,
	  "TLB conflict aborts"),
	F(vmm_end_sample, error, "error", NULL, FIELD_TEXT, NONE, METRIC_NONE,
	  "why the migration did not complete"),
};

static const struct field vmm_state_fields[] = {
	F(vmm_state_sample, t_ns, "t_ns", NULL, FIELD_U64, NS, METRIC_NONE, "when it answered"),
	F(vmm_state_sample, pid, "pid", NULL, FIELD_U64, NONE, METRIC_NONE,
	  "the VMM, if one process is followed"),
	F(vmm_state_sample, via, "via", NULL, FIELD_TEXT, NONE, METRIC_NONE, "qmp or libvirt"),
	F(vmm_state_sample, version, "vmm_version", NULL, FIELD_TEXT, NONE, METRIC_NONE,
	  "version of the VMM, in its words"),
	F(vmm_state_sample, status, "status", NULL, FIELD_TEXT, NONE, METRIC_NONE,
	  "state of the migration, in the VMM's words"),
	F(vmm_state_sample, event, "event", NULL, FIELD_TEXT, NONE, METRIC_NONE,
	  "event of the VMM that came before this answer"),
	F(vmm_state_sample, syncs, "syncs", NULL, FIELD_U64, COUNT, METRIC_NONE,
	  "dirty syncs by its count"),
	F(vmm_state_sample, remaining_bytes, "remaining_bytes", NULL, FIELD_U64, BYTES,
	  METRIC_NONE, "memory still to be sent"),
	F(vmm_state_sample, transferred_bytes, "transferred_bytes", NULL, FIELD_U64, BYTES,
	  METRIC_NONE, "bytes sent for memory"),
	F(vmm_state_sample, total_bytes, "total_bytes", NULL, FIELD_U64, BYTES, METRIC_NONE,
	  "size of the memory"),
	F(vmm_state_sample, device_bytes, "device_bytes", NULL, FIELD_U64, BYTES, METRIC_NONE,
	  "bytes sent of the states of VFIO devices"),
	F(vmm_state_sample, dirty_bytes_per_second, "dirty_bytes_per_second", NULL, FIELD_U64,
	  UNIT_BYTES_PER_SECOND, METRIC_NONE, "dirty rate by its count"),
	F(vmm_state_sample, bytes_per_second, "bytes_per_second", NULL, FIELD_U64,
	  UNIT_BYTES_PER_SECOND, METRIC_NONE, "transfer rate by its count"),
	F(vmm_state_sample, elapsed_ns, "elapsed_ns", NULL, FIELD_U64, NS, METRIC_NONE,
	  "duration of the migration so far"),
	F(vmm_state_sample, downtime_ns, "downtime_ns", NULL, FIELD_U64, NS, METRIC_NONE,
	  "downtime, once it is over"),
	F(vmm_state_sample, expected_downtime_ns, "expected_downtime_ns", NULL, FIELD_U64, NS,
	  METRIC_NONE, "downtime that it expects"),
	F(vmm_state_sample, downtime_limit_ns, "downtime_limit_ns", NULL, FIELD_U64, NS,
	  METRIC_NONE, "limit on downtime that it was told"),
	F(vmm_state_sample, max_bandwidth, "max_bandwidth_bytes_per_second", NULL, FIELD_U64,
	  UNIT_BYTES_PER_SECOND, METRIC_NONE, "limit on the transfer that it was told; 0: none"),
	F(vmm_state_sample, throttle_percent, "throttle_percent", NULL, FIELD_U64, COUNT,
	  METRIC_NONE, "by how much it slows vCPUs down"),
	F(vmm_state_sample, error, "error", NULL, FIELD_TEXT, NONE, METRIC_NONE,
	  "why the migration failed, in its words"),
};

static const struct field_table tables[SAMPLE_KINDS] = {
	[SAMPLE_HEADER] = TABLE("header", header_sample, header_fields),
	[SAMPLE_TRACKING] = TABLE("tracking", tracking_sample, tracking_fields),
	[SAMPLE_SYNC] = TABLE("sync", sync_sample, sync_fields),
	[SAMPLE_SAMPLED] = TABLE("sampled", sampled_sample, sampled_fields),
	[SAMPLE_CLEAR] = TABLE("clear", clear_sample, clear_fields),
	[SAMPLE_SPLIT] = TABLE("split", split_sample, split_fields),
	[SAMPLE_SPLIT_SUMMARY] = TABLE("split_summary", size_summary_sample,
				       split_summary_fields),
	[SAMPLE_MERGE_SUMMARY] = TABLE("merge_summary", size_summary_sample,
				       merge_summary_fields),
	[SAMPLE_TLB_SUMMARY] = TABLE("tlb_summary", tlb_summary_sample, tlb_summary_fields),
	[SAMPLE_RING_SUMMARY] = TABLE("ring_summary", ring_summary_sample, ring_summary_fields),
	[SAMPLE_TRANSFER] = TABLE("transfer", transfer_sample, transfer_fields),
	[SAMPLE_SPLIT_LATENCY] = TABLE("split_latency", split_latency_sample, split_latency_fields),
	[SAMPLE_TLB_COST] = TABLE("tlb_cost", tlb_cost_sample, tlb_cost_fields),
	[SAMPLE_STACK] = TABLE("stack", stack_sample, stack_fields),
	[SAMPLE_DEVICE_STATE] = TABLE("device_state", device_state_sample, device_state_fields),
	[SAMPLE_INTERRUPT] = TABLE("interrupt", interrupt_sample, interrupt_fields),
	[SAMPLE_VCPUS] = TABLE("vcpus", vcpus_sample, vcpus_fields),
	[SAMPLE_CONNECTION] = TABLE("connection", connection_sample, connection_fields),
	[SAMPLE_END] = TABLE("end", end_sample, end_fields),
	[SAMPLE_PLAN] = TABLE("plan", plan_sample, plan_fields),
	[SAMPLE_VMM_START] = TABLE("vmm.start", vmm_start_sample, vmm_start_fields),
	[SAMPLE_VMM_IOTLB] = TABLE("vmm.iotlb", vmm_iotlb_sample, vmm_iotlb_fields),
	[SAMPLE_VMM_TRACKING] = TABLE("vmm.tracking", vmm_tracking_sample, vmm_tracking_fields),
	[SAMPLE_VMM_SYNC] = TABLE("vmm.sync", vmm_sync_sample, vmm_sync_fields),
	[SAMPLE_VMM_ITERATION] = TABLE("vmm.iteration", vmm_iteration_sample,
				       vmm_iteration_fields),
	[SAMPLE_VMM_DEVICE_STOP] = TABLE("vmm.device_stop", vmm_moment_sample,
					 vmm_moment_fields),
	[SAMPLE_VMM_DESTINATION_RUNNING] = TABLE("vmm.destination_running", vmm_moment_sample,
						 vmm_moment_fields),
	[SAMPLE_VMM_END] = TABLE("vmm.end", vmm_end_sample, vmm_end_fields),
	[SAMPLE_VMM_STATE] = TABLE("vmm.state", vmm_state_sample, vmm_state_fields),
};

uint64_t sample__lost(const struct end_sample *end)
{
	uint64_t lost = 0;

	for (size_t i = 0; i < end->lost.count; i++)
		lost += end->lost.at[i].number;
	return lost;
}

const struct field_table *sample__table(enum sample_kind kind)
{
	return &tables[kind];
}

enum sample_kind sample__kind(const char *type)
{
	for (int kind = 0; kind < SAMPLE_KINDS; kind++)
		if (!strcmp(tables[kind].record, type))
			return kind;
	return SAMPLE_KINDS;
}

bool sample__is_iommu(const char *source)
{
	return !*source || !strcmp(source, "iommufd") || !strcmp(source, "type1");
}
