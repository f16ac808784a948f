/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Random numbers from a seed, the same on every machine. Not here: anything secret.
 */
#ifndef HWDBM_MODEL_RANDOM_H
#define HWDBM_MODEL_RANDOM_H

#include <math.h>
#include <stdint.h>

struct random {
	uint64_t state;
};

/** random__next() - 64 random bits (splitmix64, Steele and others 2014) */
static inline uint64_t random__next(struct random *random)
{
	uint64_t bits = random->state += UINT64_C(0x9e3779b97f4a7c15);

	bits = (bits ^ bits >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	bits = (bits ^ bits >> 27) * UINT64_C(0x94d049bb133111eb);
	return bits ^ bits >> 31;
}

/** random__below() - a whole number from 0 to limit - 1; the bias is below limit / 2^64 */
static inline uint64_t random__below(struct random *random, uint64_t limit)
{
	return (uint64_t)((unsigned __int128)random__next(random) * limit >> 64);
}

/** random__share() - from 0 up to but without 1 */
static inline double random__share(struct random *random)
{
	return (double)(random__next(random) >> 11) * 0x1p-53;
}

/** random__normal() - standard normal (Box and Muller) */
static inline double random__normal(struct random *random)
{
	double radius = sqrt(-2 * log(1 - random__share(random)));

	return radius * cos(2 * M_PI * random__share(random));
}

#endif
