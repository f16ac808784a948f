/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the probes cost, as they meter it themselves: the programs add up the time of calls and
 * events that concern them, and count the runs that do not; what such a run takes is calibrated
 * here. The kernel's own statistics of BPF programs (BPF_ENABLE_STATS) are not used: they cost
 * more than such a run. Not here: what is too much.
 */
#ifndef HWDBM_COLLECT_METER_H
#define HWDBM_COLLECT_METER_H

#include "collect.h"

/* Zero-initialised: nothing is metered. */
struct meter {
	int map;
	enum probe_kind kind;		/* of the probe that foreign calls pay for */
	bool is_foreign;		/* there is one */
	double base_ns;			/* a call without any probe */
	double run_ns;			/* what the probe adds to it; 0: not calibrated yet */
	uint64_t limit;			/* in millionths; 0: none */
	uint64_t last_probe_ns;		/* when it was compared with the limit */
	uint64_t last_vm_ns;
	uint64_t recent_share;		/* of the last period, in millionths */
};

/**
 * meter__open() - before anything is attached
 *
 * @map: the programs' meters
 * @probe: of KVM's calls, or NULL
 * @limit: in millionths of a core for each VM that logs; 0: none
 */
void meter__open(struct meter *meter, int map, const struct probe *probe, uint64_t limit);

/** meter__calibrate() - once the probe is attached: what it costs a call that is none of ours */
void meter__calibrate(struct meter *meter);

/** meter__read() - fill in what the meters show: all but the times of being attached */
void meter__read(const struct meter *meter, struct collect_overhead *overhead);

/** meter__lost_calls() - calls to KVM that began and were not seen to end */
uint64_t meter__lost_calls(const struct meter *meter);

/** meter__exceeds() - whether the time since the last period was more than the limit */
bool meter__exceeds(struct meter *meter, uint64_t probe_ns, uint64_t vm_ns);

#endif
