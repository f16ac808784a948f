/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Access to the DMA traffic generator ("dmagen") through its mapped BARs. The registers are
 * described in QEMU's hw/misc/dmagen.h; what to generate is decided elsewhere.
 */
#ifndef GUEST_GENERATOR_H
#define GUEST_GENERATOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dmagen.h"
#include "iommu.h"

struct generator {
	volatile uint64_t *regs;	/* BAR 0, NULL when closed */
	size_t regs_bytes;
	const volatile uint64_t *truth;	/* BAR 2, the latched bitmap */
	size_t truth_bytes;
};

/* The settings of one slot. Offsets are relative to 'base'. */
struct dma_slot {
	uint64_t base;		/* IOVA */
	uint64_t length;	/* bytes */
	uint32_t op_bytes;	/* 1..4096 */
	uint64_t pattern;	/* DMAGEN_OP_STRIDE, _RANDOM or _HOT_COLD, or'ed with _READ */
	uint64_t stride;	/* bytes */
	uint64_t seed;
	uint64_t count;		/* operations per doorbell */
	uint64_t hot_bytes;
	uint64_t hot_percent;
};

/* Maps the BARs, checks the identity, resets the device. 0 or -errno. */
int generator_open(struct generator *gen, struct iommu *io);
/* Stops all DMA and unmaps. Safe on a generator that was never opened. */
void generator_close(struct generator *gen);

/* The same for a device that someone else drives: nothing of it is changed. */
int generator_watch(struct generator *gen, struct iommu *io);
void generator_leave(struct generator *gen);

uint64_t generator_get(const struct generator *gen, uint64_t reg);
/*
 * When it did its first operation since it was reset or let go, on CLOCK_MONOTONIC, no later than
 * it was; 0: it has done none.
 */
uint64_t generator_first_ns(const struct generator *gen);

void generator_set(struct generator *gen, uint64_t reg, uint64_t value);

void generator_set_slot(struct generator *gen, unsigned int index, const struct dma_slot *slot);

/* Runs the slots of 'mask' now; all their DMA is done when this returns. */
void generator_ring(struct generator *gen, uint64_t mask);

/* Lets the slots of 'mask' run on their own, 'ops' operations every 'tick_us'. */
void generator_run(struct generator *gen, uint64_t mask, uint32_t ops, uint32_t tick_us);
/* No DMA happens after this has returned. */
void generator_stop(struct generator *gen);

#endif
