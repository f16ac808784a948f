// SPDX-License-Identifier: GPL-2.0-only
/*
 * Register access to the DMA traffic generator. See generator.h.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "generator.h"
#include "runtime.h"

int generator_watch(struct generator *gen, struct iommu *io)
{
	uint64_t id;

	*gen = (struct generator){ 0 };
	gen->regs = iommu_map_bar(io, DMAGEN_BAR_REGS, &gen->regs_bytes);
	if (!gen->regs)
		return problem(errno, "cannot map the device's registers (%s); is it the DMA generator (PCI %04x:%04x)?",
			       strerror(errno), DMAGEN_PCI_VENDOR_ID, DMAGEN_PCI_DEVICE_ID);
	id = generator_get(gen, DMAGEN_ID);
	if (id != DMAGEN_ID_VALUE) {
		generator_leave(gen);
		return problem(ENODEV, "the device is not the DMA generator, version 1 (its ID register holds %#llx); give the right one to --device",
			       (unsigned long long)id);
	}
	gen->truth = iommu_map_bar(io, DMAGEN_BAR_TRUTH, &gen->truth_bytes);
	if (!gen->truth) {
		int err = errno;

		generator_leave(gen);
		return problem(err, "cannot map the DMA generator's truth bitmap (%s); see the kernel log",
			       strerror(err));
	}
	return 0;
}

int generator_open(struct generator *gen, struct iommu *io)
{
	int err = generator_watch(gen, io);

	if (!err)
		generator_set(gen, DMAGEN_RESET, 1);
	return err;
}

void generator_leave(struct generator *gen)
{
	if (gen->regs)
		munmap((void *)gen->regs, gen->regs_bytes);
	if (gen->truth)
		munmap((void *)gen->truth, gen->truth_bytes);
	*gen = (struct generator){ 0 };
}

void generator_close(struct generator *gen)
{
	if (gen->regs)
		generator_stop(gen);
	generator_leave(gen);
}

uint64_t generator_get(const struct generator *gen, uint64_t reg)
{
	return gen->regs[reg / sizeof(*gen->regs)];
}

uint64_t generator_first_ns(const struct generator *gen)
{
	uint64_t first = generator_get(gen, DMAGEN_FIRST_NS), now = clock_ns(), count, frequency;

	/* The counter is QEMU_CLOCK_VIRTUAL. To be read late makes the past longer. */
	__asm__ volatile("isb; mrs %0, cntvct_el0; mrs %1, cntfrq_el0" : "=r"(count), "=r"(frequency));
	count = count / frequency * NSEC_PER_SEC + count % frequency * NSEC_PER_SEC / frequency;
	return first ? now - (count - first) : 0;
}

void generator_set(struct generator *gen, uint64_t reg, uint64_t value)
{
	/* What the program stored in memory before must be there for the DMA that follows. */
	__sync_synchronize();
	gen->regs[reg / sizeof(*gen->regs)] = value;
	__sync_synchronize();
}

void generator_set_slot(struct generator *gen, unsigned int index, const struct dma_slot *slot)
{
	uint64_t at = DMAGEN_SLOT(index);

	generator_set(gen, at + DMAGEN_SLOT_BASE, slot->base);
	generator_set(gen, at + DMAGEN_SLOT_LENGTH, slot->length);
	generator_set(gen, at + DMAGEN_SLOT_OP, slot->op_bytes | slot->pattern);
	generator_set(gen, at + DMAGEN_SLOT_STRIDE, slot->stride);
	generator_set(gen, at + DMAGEN_SLOT_SEED, slot->seed);
	generator_set(gen, at + DMAGEN_SLOT_COUNT, slot->count);
	generator_set(gen, at + DMAGEN_SLOT_HOT_BYTES, slot->hot_bytes);
	generator_set(gen, at + DMAGEN_SLOT_HOT_PERCENT, slot->hot_percent);
}

void generator_ring(struct generator *gen, uint64_t mask)
{
	generator_set(gen, DMAGEN_DOORBELL, mask);
}

void generator_run(struct generator *gen, uint64_t mask, uint32_t ops, uint32_t tick_us)
{
	generator_set(gen, DMAGEN_PACE, DMAGEN_PACE_VALUE(ops, (uint64_t)tick_us));
	generator_set(gen, DMAGEN_RUN, mask);
}

void generator_stop(struct generator *gen)
{
	generator_set(gen, DMAGEN_RUN, 0);
}
