/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A command that shows totals by kind: splits, or TLB flushes. Counted in the kernel, read now
 * and then, and at the end. Not here: which totals, or the options' words.
 */
#ifndef HWDBM_COMMANDS_TOTALS_H
#define HWDBM_COMMANDS_TOTALS_H

#include "../lib/options.h"
#include "../model/sample.h"

#include <stdbool.h>

struct totals_options {
	uint64_t pid;
	uint64_t duration_ns;
	uint64_t interval_ms;
	const char *vm;
	const char *input;
	const char *output;
	const char *avoid;
	const char *folded;
	bool histograms;
	bool json;
	bool stacks;
	bool verbose;
};

#define TOTALS_OPTION(name_, letter_, type_, member_, argument_, help_)			\
	{ .name = name_, .letter = letter_, .type = type_,				\
	  .offset = offsetof(struct totals_options, member_), .argument = argument_,	\
	  .help = help_ }

/* The options of all such commands. */
#define TOTALS_OPTIONS									\
	TOTALS_OPTION("pid", 'p', OPTION_PID, pid, "PID",				\
		      "follow this process and its children, until it ends"),		\
	TOTALS_OPTION("vm", 0, OPTION_TEXT, vm, "NAME|UUID",				\
		      "follow the process of this VM"),					\
	TOTALS_OPTION("interval", 'I', OPTION_MS, interval_ms, "MS",			\
		      "show the totals so far every so many milliseconds"),		\
	TOTALS_OPTION("json", 'j', OPTION_FLAG, json, NULL,				\
		      "JSON lines, with sizes in bytes and times in nanoseconds"),	\
	TOTALS_OPTION("duration", 'd', OPTION_PERIOD, duration_ns, "TIME",		\
		      "stop after this time: 10, 2.5s, 300ms, 5m"),			\
	TOTALS_OPTION("output", 'o', OPTION_TEXT, output, "FILE",			\
		      "write a recording too, for -i"),					\
	TOTALS_OPTION("input", 'i', OPTION_TEXT, input, "FILE",				\
		      "show the totals of a recording; - is stdin"),			\
	TOTALS_OPTION("avoid", 0, OPTION_TEXT, avoid, "KINDS",				\
		      "do without these kinds of probe: event,fentry,kprobe,iter"),	\
	TOTALS_OPTION("verbose", 'v', OPTION_FLAG, verbose, NULL,			\
		      "show libbpf's and the verifier's messages")

struct totals_command {
	const struct command_spec *spec;
	enum sample_kind kind;		/* of its rows */
	const char *what;		/* "splits" */
	uint64_t measure;		/* wanted, bits of enum hwdbm_measure */
	uint64_t require;		/* what it is about: at least one has to be served */
	struct totals_options defaults;
};

/** totals__main() - the whole command. Return: its exit status. */
int totals__main(const struct totals_command *command, int argc, char **argv);

#endif
