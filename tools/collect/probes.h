/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which hook measures what on this kernel: alternatives in order, and why. Not here:
 * loading or attaching.
 */
#ifndef HWDBM_COLLECT_PROBES_H
#define HWDBM_COLLECT_PROBES_H

#include "../model/field.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

/* Whether a measurement can be done without. */
enum probe_need { PROBE_REQUIRED, PROBE_OPTIONAL };

struct probe {
	const char *measures;
	enum probe_need need;
	const char *event;		/* the kernel's own tracepoint, or */
	const char *function;		/* the function hooked by fentry/fexit */
	const char *programs[4];	/* names of the BPF programs */
};

/**
 * probes__choose() - the first alternative of each measurement that this kernel has
 *
 * Programs not chosen are set not to load.
 *
 * @used: filled with what was chosen, for the header
 * @functions: set to whether a function is hooked (these need fentry)
 *
 * Return: 0; -ENOENT without BTF; -EOPNOTSUPP if a required measurement has no hook,
 * with its name in @missing.
 */
int probes__choose(struct bpf_object *object, struct named_list *used, bool *functions,
		   const char **missing);

/** probes__has_event() - whether the running kernel declares a tracepoint */
bool probes__has_event(const char *event);

#endif
