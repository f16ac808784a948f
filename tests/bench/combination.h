/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest and a migration of it, drawn from a seed: what predict and advise are judged by.
 */
#ifndef HWDBM_TESTS_BENCH_COMBINATION_H
#define HWDBM_TESTS_BENCH_COMBINATION_H

#include "guest.h"

#define COMBINATION_REHEARSALS 2

struct combination {
	struct guest guest;
	struct plan plan;
	double rehearsal_bandwidth[COMBINATION_REHEARSALS];
	bool phases;
};

/** combination__choose() - the same seed gives the same; the guest is still to be initialised */
void combination__choose(struct combination *c, uint64_t seed);

#endif
