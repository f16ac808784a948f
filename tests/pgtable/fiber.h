/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * CPUs that take turns where a test says so. Two bodies run as coroutines of
 * one thread; a seeded choice at each yield decides who goes on, so that any
 * order of their steps can come up and every order can come up again. The locks
 * are those of the kernel's callers: who has to wait lets the other go on.
 */
#ifndef FIBER_H
#define FIBER_H

#include <stdbool.h>
#include <stdint.h>

#define FIBERS_MAX	3

/* Runs all bodies to their ends, the first as fiber 0 */
void fibers_run(uint64_t seed, unsigned int count, void (*const *bodies)(void *), void **arguments);

/* The fiber that runs; 0 outside of fibers_run() */
unsigned int fiber_self(void);
/* How many of the others have not ended */
unsigned int fibers_others(void);
/* True once fiber 0 has ended: the others follow it */
bool fiber_leader_ended(void);

/* Another may go on from here; no effect outside of fibers_run() */
void fiber_yield(void);

/* @holders: that many readers, or -1 for a writer */
struct fiber_rwsem {
	int holders;
	unsigned long waits;	/* times that somebody came and had to wait */
};

void fiber_down_read(struct fiber_rwsem *lock);
void fiber_up_read(struct fiber_rwsem *lock);
void fiber_down_write(struct fiber_rwsem *lock);
void fiber_up_write(struct fiber_rwsem *lock);

#endif
