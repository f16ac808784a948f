/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From kernel events to samples: choose probes, load, attach, read the ring and the
 * maps, count what was lost. Not here: where samples go, or what they mean.
 */
#ifndef HWDBM_COLLECT_COLLECT_H
#define HWDBM_COLLECT_COLLECT_H

#include "probes.h"
#include "../model/sample.h"

#include <stdbool.h>
#include <sys/types.h>

struct collector;

struct collect_options {
	const char *command;		/* whose messages these are: "record" */
	uint64_t measure;		/* wanted measurements, bits of enum hwdbm_measure */
	uint64_t require;		/* of which at least one has to be served */
	unsigned int avoid;		/* kinds of probe to do without, bits of enum probe_kind */
	pid_t pid;			/* process to follow, with its children; 0: all processes */
	unsigned int count_every;	/* count every how-manieth bitmap of a range; 0: none */
	bool stacks;			/* take the call chains of what flushes TLBs */
	uint64_t count_share;		/* as long as it takes no more of a core, in millionths; 0: any */
	bool follow;			/* attach costly probes only while a log is on */
	uint64_t max_overhead;		/* of a core for each VM that logs, in millionths; 0: any */
};

/* What the probes have cost so far, and what this process has. */
struct collect_overhead {
	uint64_t attached_ns;		/* for how long KVM's probes were attached */
	uint64_t probe_ns;		/* in all of that, on all processors */
	uint64_t foreign_runs;		/* runs for calls that were none of ours */
	uint64_t foreign_ns;		/* each of these, as calibrated when they were attached */
	uint64_t process_ns;		/* processor time of this process */
	uint64_t share;			/* probe_ns of one core for each VM that logged, in millionths */
};

/**
 * collect__check_files() - whether as many files may be open as measuring takes
 *
 * Programs, maps and links are one each; libbpf does not say so when there are too many.
 *
 * Return: 0, or -EMFILE after a message.
 */
int collect__check_files(const char *command);

/**
 * collect__open() - load and attach what serves the wanted measurements on this kernel
 *
 * Says on stderr what is missing and what to do about it when it fails; nothing stays
 * attached then. A wanted measurement that nothing serves is no failure, unless none of
 * the required ones is served.
 *
 * @out: set on success; free with collect__free()
 * @handler: called by collect__read() and collect__finish()
 *
 * Return: 0, -EOPNOTSUPP (the kernel lacks something), -EPERM, or another -errno.
 */
int collect__open(struct collector **out, const struct collect_options *options,
		  sample_handler handler, void *context);

/** collect__probes() - what was chosen, and why not the rest; valid as long as the collector */
const struct probe_choice *collect__probes(const struct collector *collector);

/** collect__free() - detach and free; NULL is fine */
void collect__free(struct collector *collector);

/** collect__fd() - becomes readable when there are samples to read */
int collect__fd(const struct collector *collector);

/**
 * collect__read() - hand on every sample that is ready; never blocks
 * Return: 0, or the handler's error.
 */
int collect__read(struct collector *collector);

/** collect__overhead() - what it has cost so far */
void collect__overhead(const struct collector *collector, struct collect_overhead *overhead);

/**
 * collect__gave_up() - whether max_overhead was exceeded
 *
 * Everything is detached then, and a message has said so.
 */
bool collect__gave_up(const struct collector *collector);

/** collect__describe() - fill in the kernel, clock and probes of a header */
void collect__describe(const struct collector *collector, struct header_sample *header);

/**
 * collect__summaries() - hand on the totals so far
 *
 * Splits by size, TLBIs by cause, rings by VM; splits and flushes by all that is known of them;
 * call chains, if they were asked for.
 *
 * Return: 0 or -errno.
 */
int collect__summaries(struct collector *collector);

/**
 * collect__look() - see who is counted, and what KVM counts itself, before they end
 * Return: 0 or -errno.
 */
int collect__look(struct collector *collector);

/** collect__lost() - events lost so far, by place; places without a loss are listed too */
void collect__lost(const struct collector *collector, struct named_list *lost);

/**
 * collect__finish() - detach, then hand on what is left in the ring and the totals
 * Return: 0 or -errno. collect__lost() stays valid.
 */
int collect__finish(struct collector *collector);

#endif
