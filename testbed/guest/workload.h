/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the device does while the VM migrates: named, seeded patterns of DMA writes, and read
 * operations of the same pattern that show the price in the IOTLB.
 */
#ifndef GUEST_WORKLOAD_H
#define GUEST_WORKLOAD_H

#include <stdint.h>

#include "generator.h"
#include "memory.h"

struct workload;	/* an entry of the table in workload.c */

/* By name; NULL when there is none. */
const struct workload *workload_find(const char *name);
/* "a, b or c" for messages. */
const char *workload_names(void);

/* Programs the generator for 'mem' mapped at 'iova'. Starts nothing. */
void workload_program(const struct workload *wl, struct generator *gen, const struct memory *mem,
		      uint64_t iova, uint64_t seed);

/* Starts what runs on its own, if anything. generator_stop() ends it. */
void workload_start(const struct workload *wl, struct generator *gen);

/* Does what has to happen exactly once between two syncs, if anything. */
void workload_between_syncs(const struct workload *wl, struct generator *gen);

struct iotlb_cost {
	uint64_t dma;		/* operations */
	uint64_t misses;	/* IOTLB misses they took */
	uint64_t descriptor_reads;
};

/* Reads with the workload's pattern, with nothing else running, and returns what it cost. */
struct iotlb_cost workload_read_cost(struct generator *gen);

#endif
