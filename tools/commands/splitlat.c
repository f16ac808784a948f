// SPDX-License-Identifier: GPL-2.0-only
/*
 * hwdbm splitlat: how long splitting takes, by sizes, mode and VM. Not here: showing totals
 * (totals.c), or counting them (bpf/split.bpf.c).
 */
#include "commands.h"
#include "totals.h"
#include "../collect/probes.h"

static const struct option_spec option_table[] = {
	TOTALS_OPTIONS,
};

static const struct command_spec spec = {
	.name = "splitlat",
	.usage = "[OPTIONS] [-- COMMAND [ARGUMENT...]]",
	.summary = "Shows how often blocks are split for dirty tracking and how long that takes, as histograms:\n"
		   "by sizes, mode and VM, of IOMMUs and of KVM. What cannot be known is \"-\".",
	.notes = "Without a COMMAND, -p, --vm or -d it runs until Ctrl-C.\n\n"
		 "A line \"of block\" counts blocks; one \"of slot\" or \"of range\" counts KVM's passes over\n"
		 "a memslot or a part of one, each with all the splits it makes: its time has theirs in it.\n"
		 "Mode is eager as tracking starts, lazy in a sync or clear, and fault as a vCPU runs.\n"
		 "KVM's time of a block is without allocating the table. -I shows totals since the start.\n\n"
		 "Requirements: a kernel with BTF; root, or CAP_BPF and CAP_PERFMON. IOMMUs split only with\n"
		 "hwdbm's kernel patches. KVM's times need fentry or kprobes; without them x86 tells counts.\n"
		 "Overhead: a few hundred ns for each split.\n"
		 "Exit status: the command's own; 0; 1 if it failed; 2 for bad options; 3 if a recording\n"
		 "is cut off; 128 + signal if a signal stopped it.",
	.options = option_table,
	.option_count = sizeof(option_table) / sizeof(option_table[0]),
	.stop_at_first = true,
};

#define SPLITS (BIT_OF(HWDBM_MEASURE_SPLIT) | BIT_OF(HWDBM_MEASURE_KVM_SPLIT) |			\
		BIT_OF(HWDBM_MEASURE_KVM_SPLIT_PASS))

int splitlat__main(int argc, char **argv)
{
	static const struct totals_command command = {
		.spec = &spec, .kind = SAMPLE_SPLIT_LATENCY, .what = "splits",
		.measure = SPLITS, .require = SPLITS, .defaults = { .histograms = true },
	};

	return totals__main(&command, argc, argv);
}
