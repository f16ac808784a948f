// SPDX-License-Identifier: GPL-2.0-only
/*
 * hwdbm tlbcost: what TLB invalidations cost, by IOMMU, range, cause and VM, and who makes them.
 * Not here: showing totals (totals.c), or counting them (bpf/tlb.bpf.c).
 */
#include "commands.h"
#include "totals.h"
#include "../collect/probes.h"

static const struct option_spec option_table[] = {
	TOTALS_OPTIONS,
	TOTALS_OPTION("histogram", 'H', OPTION_FLAG, histograms, NULL, "a histogram for each line"),
	TOTALS_OPTION("stacks", 's', OPTION_FLAG, stacks, NULL,
		      "who flushes: call chains of the kernel and of processes, by time"),
	TOTALS_OPTION("folded", 0, OPTION_TEXT, folded, "FILE",
		      "write all call chains, with their nanoseconds, as flame graph tools read them"),
};

static const struct command_spec spec = {
	.name = "tlbcost",
	.usage = "[OPTIONS] [-- COMMAND [ARGUMENT...]]",
	.summary = "Shows how often TLBs are invalidated, how long that takes, for how much memory, for what and\n"
		   "for whom: of SMMUv3, Intel's and AMD's IOMMUs, and of KVM. What cannot be known is \"-\".",
	.notes = "Without a COMMAND, -p, --vm or -d it runs until Ctrl-C.\n\n"
		 "A range is the smallest of 4K, 64K, 2M and 1G that holds what was invalidated, \"more\" or\n"
		 "\"all\". The cause is the kernel's word with hwdbm's patches, else it is what the process\n"
		 "wanted: sync, clear, tracking (start and stop, memslots), map, unmap, vcpu (KVM_RUN), or host\n"
		 "(memory management). What an interrupt flushes counts for the process it interrupted.\n"
		 "KVM's time includes waiting for vCPUs. -I shows totals since the start.\n"
		 "With --stacks separate debug files are found by build-id and debuglink, and fetched if\n"
		 "DEBUGINFOD_URLS names a server; a process that ended at once may stay without names.\n\n"
		 "Requirements: a kernel with BTF; root, or CAP_BPF and CAP_PERFMON. Without hwdbm's patches,\n"
		 "fentry or kprobes only KVM's own count of its flushes can be had.\n"
		 "Overhead: a few hundred ns for each invalidation, 1 to 3 us with --stacks.\n"
		 "Exit status: the command's own; 0; 1 if it failed; 2 for bad options; 3 if a recording\n"
		 "is cut off; 128 + signal if a signal stopped it.",
	.options = option_table,
	.option_count = sizeof(option_table) / sizeof(option_table[0]),
	.stop_at_first = true,
};

#define FLUSHES (BIT_OF(HWDBM_MEASURE_TLB) | BIT_OF(HWDBM_MEASURE_VTD_TLB) |			\
		 BIT_OF(HWDBM_MEASURE_AMD_TLB) | BIT_OF(HWDBM_MEASURE_KVM_TLB))

int tlbcost__main(int argc, char **argv)
{
	/* Whose domain the kernel merges in a thread of its own is known from its syncs. */
	static const struct totals_command command = {
		.spec = &spec, .kind = SAMPLE_TLB_COST, .what = "flushes",
		.measure = FLUSHES | BIT_OF(HWDBM_MEASURE_TRACKING) | BIT_OF(HWDBM_MEASURE_SYNC),
		.require = FLUSHES,
	};

	return totals__main(&command, argc, argv);
}
