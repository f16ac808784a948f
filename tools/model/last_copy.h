/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How long a VM stands still for the bytes that are left, from blackouts that were measured: a
 * part that is there whatever is sent, and one that grows with the bytes. What single blackouts
 * deviate from that is a factor, so its logarithm is what has a deviation. A few of them say
 * little about it, so it begins as a guess that counts as much as two. Not here: how many bytes
 * are left (predict.h).
 */
#ifndef HWDBM_MODEL_LAST_COPY_H
#define HWDBM_MODEL_LAST_COPY_H

#include <stdbool.h>
#include <stddef.h>

struct last_copy_point {
	double bytes;
	double seconds;
};

struct last_copy {
	double fixed_s;			/* whatever is sent */
	double byte_s;
	bool line;			/* sizes differ enough to tell the two apart; else fixed_s is 0 */
	double spread;			/* of one more blackout: deviation of the logarithm, of Student's t */
	unsigned int freedom;		/* its degrees of freedom */
};

/**
 * last_copy__fit() - fit both parts, neither of them negative, to the logarithms of the times
 *
 * @points: bytes and seconds above 0
 *
 * Return: 0; -EINVAL without points.
 */
int last_copy__fit(struct last_copy *copy, const struct last_copy_point *points, size_t count);

#endif
