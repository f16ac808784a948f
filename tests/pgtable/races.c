// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hardware that acts between any two steps of the driver: first each step in
 * turn, then at random. Also other mappers, and proof that the model notices
 * when an invalidation is left out.
 */
#include "domain.h"
#include "test.h"
#include <inttypes.h>

#define BASE	SZ_1G
#define BLOCKS	2

static const char *const mode_names[] = { "off", "eager", "lazy" };

/* What the TLB knows of the block before the driver begins */
enum warmth { COLD, CLEAN, DIRTY };
static const char *const warmth_names[] = { "no entry", "a clean entry", "a dirty entry" };

/* A device writes at one step of the driver */
static void write_at(struct domain *domain, unsigned long step)
{
	if (step == domain->act_at)
		domain_write(domain, domain->act_iova);
}

enum what { SYNC, START, STOP };
static const char *const what_names[] = { "sync", "start", "stop" };

/* One write at step @at of what the driver does. Returns the number of steps that it took. */
static unsigned long race(enum iommu_dirty_split_mode mode, unsigned int bbml, u64 from, u64 to,
			  enum warmth warmth, enum what what, unsigned long at)
{
	struct domain *domain = domain_new(&geometry_4k, bbml, BASE, BLOCKS * from);
	u64 target = BASE + from + from / 2 + 42;
	unsigned long steps;

	domain_map(domain, BASE, BLOCKS * from, from, DMA_RW);
	if (what != START) {
		check(!domain_start(domain, mode, to), "the start failed");
		domain_write(domain, BASE);
		if (what == STOP)
			check(!domain_sync_all(domain), "a sync failed");
		if (warmth == DIRTY)
			domain_write(domain, BASE + from);
		else
			smmu_invalidate(&domain->smmu, 0, 1ull << 48, false, 0);
	} else {
		/* Clean blocks, so that a write changes them under the walk */
		check(!domain_start(domain, IOMMU_DIRTY_SPLIT_OFF, 0), "the first start failed");
		if (warmth == DIRTY)
			domain_write(domain, BASE + from);
	}
	if (warmth == CLEAN)
		domain_read(domain, BASE + from);

	domain->act = write_at;
	domain->act_iova = target;
	domain->act_at = at;
	domain->step = 0;
	domain->probe = true;
	if (what == START)
		check(!domain_start(domain, mode, to), "the start failed");
	else if (what == STOP)
		check(!domain_stop(domain), "the stop failed");
	else
		check(!domain_sync_all(domain), "the sync failed");
	steps = domain->step;
	domain->act = NULL;
	domain->probe = false;

	/* The device goes on; two quiet syncs at the end must account for everything */
	for (int round = 0; round < 3; round++) {
		check(!domain_sync_all(domain), "a later sync failed");
		domain_write(domain, target);
		domain_write(domain, BASE + from);
		domain_read(domain, BASE);
	}
	check(!domain_sync_all(domain), "the last sync failed");
	domain_expect_addresses(domain);
	domain_free(domain);
	return steps;
}

static void every_step(enum iommu_dirty_split_mode mode, unsigned int bbml, u64 from, u64 to,
		       enum warmth warmth, enum what what)
{
	unsigned long steps = race(mode, bbml, from, to, warmth, what, 0);

	/* All of them where a walk is short, an even choice where it visits a thousand leaves */
	for (unsigned long at = 1; at <= steps && !failed(); at += 1 + steps / 100)
		race(mode, bbml, from, to, warmth, what, at);
	check(steps >= 3, "only %lu steps", steps);
}

/* ---- random -------------------------------------------------------------- */

static u64 dice;

static void act_at_random(struct domain *domain, unsigned long step)
{
	u64 size = window_end(domain) - BASE, iova = BASE + random_next(&dice) % size;

	switch (random_next(&dice) % 8) {
	case 0:
		domain_write(domain, iova);
		break;
	case 1:
		/* Where the last write went, again */
		domain_write(domain, domain->act_iova ? domain->act_iova : iova);
		break;
	case 2:
		domain_read(domain, iova);
		break;
	default:
		return;
	}
	domain->act_iova = iova;
}

static void random_run(enum iommu_dirty_split_mode mode, unsigned int bbml, u64 seed)
{
	struct domain *domain = domain_new(&geometry_4k, bbml, BASE, 8 * SZ_2M);
	unsigned int syncs = 0;

	dice = (test_seed << 32) + seed * 2654435761 + 1;
	domain_map(domain, BASE, 6 * SZ_2M, SZ_2M, DMA_RW);
	domain_map(domain, BASE + 6 * SZ_2M, 2 * SZ_2M, SZ_4K, DMA_RW);
	domain->act = act_at_random;
	check(!domain_start(domain, mode, SZ_4K), "the start failed");
	while (syncs < 16 && !failed()) {
		u64 first = random_next(&dice) % 16, count = 1 + random_next(&dice) % (16 - first);
		bool fails = random_next(&dice) % 6 == 0, starved = random_next(&dice) % 6 == 0;
		int ret;

		domain->budget = random_next(&dice) % 4 ? UINT_MAX : 1;
		domain->fail_record = fails ? domain->records + 1 + random_next(&dice) % 4 : 0;
		domain->fail_alloc = starved ? domain->allocations + 1 : 0;
		ret = domain_sync(domain, BASE + first * SZ_1M, count * SZ_1M,
				  random_next(&dice) % 8 ? 0 : IOMMU_DIRTY_NO_CLEAR);
		check(!ret || (fails && ret == -EFAULT), "the sync returned %d", ret);
		act_at_random(domain, 0);
		if (++syncs % 8 == 0) {
			check(!domain_stop(domain), "the stop failed");
			domain_expect_leaves(domain, BASE, 6 * SZ_2M, SZ_2M);
			check(!domain_start(domain, mode, SZ_4K), "a later start failed");
		}
	}
	domain->act = NULL;
	domain->fail_record = domain->fail_alloc = 0;
	check(!domain_sync_all(domain), "the last sync failed");
	domain_expect_addresses(domain);
	for (u64 iova = BASE; iova < window_end(domain); iova += SZ_4K)
		check(smmu_leaf(&domain->smmu, iova).size == SZ_4K ||
		      !(smmu_leaf(&domain->smmu, iova).value & DESC_NT), "a block keeps nT");
	domain_free(domain);
}

static void random_runs(enum iommu_dirty_split_mode mode, unsigned int bbml)
{
	for (u64 seed = 0; seed < 60 && !failed(); seed++)
		random_run(mode, bbml, seed);
}

/* ---- other mappers ------------------------------------------------------- */

#define NEIGHBOUR	(BASE + 5 * SZ_4K)

/* Another CPU maps the page next to ours and installs its tables first */
static void map_neighbour(struct domain *domain, unsigned long step)
{
	size_t mapped = 0;

	if (step == domain->act_at)
		check(!domain->ops->map_pages(domain->ops, NEIGHBOUR,
					      NEIGHBOUR + domain->geometry->pa_offset, SZ_4K, 1,
					      DMA_RW, GFP_KERNEL, &mapped),
		      "the map of the neighbour failed");
}

static void map_race(void)
{
	unsigned long steps = 1;

	for (unsigned long at = 1; at <= steps && !failed(); at++) {
		struct domain *domain = domain_new(&geometry_4k, 2, BASE, SZ_2M);

		domain->act = map_neighbour;
		domain->act_at = at;
		domain->step = 0;
		domain_map(domain, BASE, SZ_4K, SZ_4K, DMA_RW);
		steps = domain->step;
		domain->act = NULL;
		check(domain->ops->iova_to_phys(domain->ops, BASE) ==
			      BASE + domain->geometry->pa_offset,
		      "the page is not mapped");
		check(domain->ops->iova_to_phys(domain->ops, NEIGHBOUR) ==
		      NEIGHBOUR + domain->geometry->pa_offset, "the neighbour is not mapped");
		domain_free(domain);
	}
	check(steps > 4, "only %lu steps", steps);
}

/* ---- the model itself ---------------------------------------------------- */

/* Leaves something out of what the callers of the driver do; the case must fail */
static void without(bool invalidation, bool first_invalidation, bool repair)
{
	struct domain *domain = domain_new(&geometry_4k, 1, BASE, 4 * SZ_2M);
	bool noticed;

	domain_map(domain, BASE, 4 * SZ_2M, SZ_2M, DMA_RW);
	check(!domain_start(domain, IOMMU_DIRTY_SPLIT_LAZY, SZ_4K), "the start failed");
	domain->without_invalidation = !invalidation;
	domain->without_first_invalidation = !first_invalidation;
	domain->without_mark_dirty = !repair;
	for (int round = 0; round < 4; round++) {
		/* The third sync only has to account for what the second one failed on */
		for (int i = 0; i < 4 && round != 2; i++)
			domain_write(domain, BASE + i * SZ_2M);
		if (round == 1)
			domain->fail_record = domain->records + 2;
		if (round == 2)
			domain->without_mark_dirty = false;
		domain_sync_all(domain);
	}
	domain_free(domain);
	noticed = take_failure();
	check(noticed, "the model has not noticed");
}

static void race_cases(enum iommu_dirty_split_mode mode, unsigned int bbml, u64 from, u64 to)
{
	for (int warmth = COLD; warmth <= DIRTY; warmth++)
		for (int what = SYNC; what <= STOP; what++)
			run_case(every_step(mode, bbml, from, to, warmth, what),
				 "a write at each step of a %s, %s %s-%s bbml%u, %s",
				 what_names[what], mode_names[mode], size_name(from),
				 size_name(to), bbml, warmth_names[warmth]);
}

void run_race_cases(void)
{
	for (int mode = IOMMU_DIRTY_SPLIT_OFF; mode <= IOMMU_DIRTY_SPLIT_LAZY; mode++)
		for (unsigned int bbml = mode == IOMMU_DIRTY_SPLIT_OFF; bbml <= 2; bbml++) {
			race_cases(mode, bbml, SZ_2M, SZ_4K);
			race_cases(mode, bbml, SZ_1G, SZ_2M);
			run_case(random_runs(mode, bbml), "random, %s bbml%u", mode_names[mode],
				 bbml);
		}
	run_case(map_race(), "two mappers install the same tables");

	run_case(without(false, true, true), "the model notices: no invalidation after a sync");
	run_case(without(true, false, true),
		 "the model notices: no invalidation between nT and table");
	run_case(without(true, true, false), "the model notices: no repair after an error");
}
