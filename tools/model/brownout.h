/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a guest's users lost while it was migrated: the area between the steady rate of
 * their service and its rate during migration, blackout included. Pure. Not here: where a rate
 * comes from.
 */
#ifndef HWDBM_MODEL_BROWNOUT_H
#define HWDBM_MODEL_BROWNOUT_H

#include "field.h"

/* Fewer points before the migration say nothing about a steady rate. */
#define BROWNOUT_STEADY_POINTS 3

/* A rate from its moment on until the next one's. */
struct rate_point {
	uint64_t t_ns;
	double rate;			/* of anything, per second; never negative */
};

/* In order of time. Zero-initialised: none. */
struct rates {
	struct rate_point *at;
	size_t count;
	size_t room;
};

/**
 * rates__add() - one more
 * Return: 0; -EINVAL if the rate is no number or negative, or its time not after the last; -ENOMEM.
 */
int rates__add(struct rates *rates, uint64_t t_ns, double rate);

/** rates__release() - free and forget all */
void rates__release(struct rates *rates);

struct brownout {
	double steady;			/* median rate before the migration */
	double area;			/* what was not served */
	uint64_t lost_ns;		/* the time that serving it takes at the steady rate */
	size_t points;			/* that were used for the area */
};

/**
 * brownout__compute() - the area from @start_ns to @end_ns
 *
 * Where the rate was above the steady one nothing is subtracted: what was served then does not
 * give back what was not served before.
 *
 * Return: NULL with @out set; otherwise why there is none, and @out is untouched.
 */
const char *brownout__compute(const struct rates *rates, uint64_t start_ns, uint64_t end_ns,
			      struct brownout *out);

#endif
