// SPDX-License-Identifier: GPL-2.0-only
/*
 * The table of workloads and how they become slots of the generator. See workload.h.
 */
#include <string.h>

#include "runtime.h"
#include "workload.h"

#define WRITE_SLOT	0
#define READ_SLOT	8
#define READ_OPERATIONS	2000

/* one-byte: blocks that are touched, and what one operation writes */
#define ONE_BYTE_BLOCKS	16

/*
 * Rates are scaled to emulation, where a pass over 2 GiB takes one or two seconds and sending a
 * page some 50 us: with a rest of up to 100 MiB allowed, 4K granularity converges with all three,
 * 1G with none.
 */
struct workload {
	const char *name;
	uint32_t op_bytes;
	uint64_t pattern;
	uint64_t range_bytes;	/* 0 = all memory */
	uint64_t hot_bytes;
	uint32_t hot_percent;
	uint32_t ops;		/* per tick; 0 = once between two syncs */
	uint32_t tick_us;
};

static const struct workload workloads[] = {
	{
		/* One byte in each of several blocks, rewritten once between two syncs. */
		.name = "one-byte",
		.op_bytes = 1,
		.pattern = DMAGEN_OP_STRIDE,
	}, {
		/*
		 * 10,000 writes of 64 bytes a second: 19 of 20 into 4 MiB (a busy heap), the rest
		 * anywhere, which is 500 pages and nearly as many 2M blocks a second.
		 */
		.name = "scattered",
		.op_bytes = 64,
		.pattern = DMAGEN_OP_HOT_COLD,
		.hot_bytes = 4 * SZ_1M,
		.hot_percent = 95,
		.ops = 10,
		.tick_us = 1000,
	}, {
		/*
		 * Receive buffers of 2 KiB, in order through a ring of 64 MiB: 16 MiB a second,
		 * a 100 Gbit/s NIC slowed down some 750 times.
		 */
		.name = "nic-ring",
		.op_bytes = 2048,
		.pattern = DMAGEN_OP_STRIDE,
		.range_bytes = 64 * SZ_1M,
		.ops = 8,
		.tick_us = 1000,
	},
};

const struct workload *workload_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(workloads); i++)
		if (!strcmp(name, workloads[i].name))
			return &workloads[i];
	return NULL;
}

const char *workload_names(void)
{
	return "one-byte, scattered or nic-ring";
}

/* One operation in each of up to 16 blocks, evenly spread; a seeded page inside the block. */
static void place_in_blocks(struct dma_slot *slot, const struct memory *mem, uint64_t random)
{
	uint64_t blocks = mem->bytes / mem->block_bytes, touched = blocks;

	if (touched > ONE_BYTE_BLOCKS)
		touched = ONE_BYTE_BLOCKS;
	slot->base += random % mem->block_bytes;
	slot->stride = blocks / touched * mem->block_bytes;
	slot->length = touched * slot->stride;
	slot->count = touched;
}

/* A ring at a seeded place, aligned to its size; a quarter of memory at most. */
static void place_ring(struct dma_slot *slot, const struct memory *mem, uint64_t bytes,
		       uint64_t random)
{
	while (bytes > mem->bytes / 4)
		bytes /= 2;
	slot->base += random % (mem->bytes / bytes) * bytes;
	slot->stride = slot->op_bytes;
	slot->length = bytes;
}

void workload_program(const struct workload *wl, struct generator *gen, const struct memory *mem,
		      uint64_t iova, uint64_t seed)
{
	struct dma_slot slot = {
		.base = iova,
		.length = mem->bytes,
		.op_bytes = wl->op_bytes,
		.pattern = wl->pattern,
		.count = 1,
		.hot_bytes = wl->hot_bytes,
		.hot_percent = wl->hot_percent,
	};

	slot.seed = next_random(&seed) | 1;
	if (!wl->ops)
		place_in_blocks(&slot, mem, next_random(&seed));
	else if (wl->range_bytes)
		place_ring(&slot, mem, wl->range_bytes, next_random(&seed));
	generator_set_slot(gen, WRITE_SLOT, &slot);
	slot.pattern |= DMAGEN_OP_READ;
	slot.count = READ_OPERATIONS;
	generator_set_slot(gen, READ_SLOT, &slot);
}

void workload_start(const struct workload *wl, struct generator *gen)
{
	if (wl->ops)
		generator_run(gen, 1 << WRITE_SLOT, wl->ops, wl->tick_us);
}

void workload_between_syncs(const struct workload *wl, struct generator *gen)
{
	if (!wl->ops)
		generator_ring(gen, 1 << WRITE_SLOT);
}

struct iotlb_cost workload_read_cost(struct generator *gen)
{
	uint64_t ops = generator_get(gen, DMAGEN_OPS);
	uint64_t misses = generator_get(gen, DMAGEN_SMMU_IOTLB_MISSES);
	uint64_t reads = generator_get(gen, DMAGEN_SMMU_DESC_READS);

	/* Writing a field rewinds the slot: the same addresses every time. */
	generator_set(gen, DMAGEN_SLOT(READ_SLOT) + DMAGEN_SLOT_COUNT, READ_OPERATIONS);
	generator_ring(gen, 1 << READ_SLOT);
	return (struct iotlb_cost){
		.dma = generator_get(gen, DMAGEN_OPS) - ops,
		.misses = generator_get(gen, DMAGEN_SMMU_IOTLB_MISSES) - misses,
		.descriptor_reads = generator_get(gen, DMAGEN_SMMU_DESC_READS) - reads,
	};
}
