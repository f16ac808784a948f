/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How long a VM stood still, from the recordings of its two hosts: what happened on either side,
 * in order, on one clock. The clocks are related by what the migration's own connections had
 * carried when. Pure: no I/O, no clock. Not here: how it is shown.
 */
#ifndef HWDBM_MODEL_BLACKOUT_H
#define HWDBM_MODEL_BLACKOUT_H

#include "sample.h"

/*
 * By how much one clock may gain on the other: NTP slews each by at most 500 millionths. What
 * relates them at another time than the switch-over is less exact by that much of the distance.
 */
#define BLACKOUT_DRIFT_MILLIONTHS 1000

/* Zero-initialised: nothing was read. */
struct blackout_side {
	struct header_sample header;
	bool has_header;
	bool has_end;
	uint64_t lost;
	struct connection_sample *looks;
	size_t look_count;
	struct device_state_sample *states;
	size_t state_count;
	struct interrupt_sample *interrupts;
	size_t interrupt_count;
	struct sync_sample *syncs;
	size_t sync_count;
	struct vcpus_sample *vcpus;
	size_t vcpu_count;
	struct vmm_state_sample *answers;	/* of the VMM */
	size_t answer_count;
};

/** blackout__add() - take a sample of one side. Return: 0 or -ENOMEM. */
int blackout__add(struct blackout_side *side, enum sample_kind kind, const union sample *sample);

/** blackout__release() - free a side's memory and zero it */
void blackout__release(struct blackout_side *side);

enum blackout_event {
	BLACKOUT_VCPU_STOP,
	BLACKOUT_DEVICE_STOP,
	BLACKOUT_LAST_SYNC,
	BLACKOUT_LAST_RAM,
	BLACKOUT_SAVE,
	BLACKOUT_ARRIVE,
	BLACKOUT_LOAD,
	BLACKOUT_START,
	BLACKOUT_VCPU_START,
	BLACKOUT_FIRST_DMA,
	BLACKOUT_EVENTS
};

#define BLACKOUT_REASON 128

/* Times count from the beginning of the blackout; negative ones are before it. */
struct blackout_row {
	char event[24];
	char side[8];			/* source or target: on whose clock it was measured */
	int64_t begin_ns;		/* UNKNOWN_I64: so it is */
	int64_t end_ns;
	uint64_t takes_ns;		/* UNKNOWN: it is a moment */
	uint64_t error_ns;		/* of begin and end: 0 on the source's clock */
	enum tristate at_most;		/* it was then at the latest */
	enum tristate below_error;	/* it takes less than the clocks can tell */
	char note[BLACKOUT_REASON];	/* how it is known, or why not */
};

extern const struct field_table blackout_row_table;

struct blackout {
	uint64_t total_ns;		/* UNKNOWN: see why */
	uint64_t error_ns;
	enum tristate at_most;
	enum tristate below_error;	/* total_ns is less than error_ns */
	char from[24];			/* names of the events that it is between */
	char to[24];
	char why[2 * BLACKOUT_REASON];	/* why it is unknown */
	uint64_t source_pid;
	uint64_t target_pid;
	enum tristate same_clock;
	enum tristate related;		/* whether the clocks could be */
	int64_t offset_ns;		/* the target's clock is ahead by so much */
	uint64_t offset_error_ns;
	uint64_t connections;		/* seen at both ends */
	uint64_t looks;			/* at these, of both */
	uint64_t downtime_ns;		/* the VMM's word */
	uint64_t begun_ns;		/* on the source's clock */
	struct blackout_row rows[BLACKOUT_EVENTS];
};

extern const struct field_table blackout_table;

/**
 * blackout__join() - what both sides say together
 *
 * A recording of both processes may be given for both sides.
 *
 * @why: one sentence, when there is no switch-over in them
 *
 * Return: 0, or -ENODATA with a reason in @why.
 */
int blackout__join(const struct blackout_side *source, const struct blackout_side *target,
		   struct blackout *out, char why[2 * BLACKOUT_REASON]);

#endif
