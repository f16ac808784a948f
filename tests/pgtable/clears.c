// SPDX-License-Identifier: GPL-2.0-only
/*
 * Clearing by name: a leaf becomes clean only if every page of it is named, and
 * a block that is named in part is split or stays dirty. What is not named is
 * owed to the next report, whatever happens meanwhile.
 */
#include "domain.h"
#include "test.h"
#include <inttypes.h>

static const char *const mode_names[] = { "off", "eager", "lazy" };

static void name(unsigned long *bits, u64 page, u64 count)
{
	for (; count--; page++)
		bits[page / BITS_PER_LONG] |= BIT(page % BITS_PER_LONG);
}

static bool reported(const struct domain *domain, u64 page)
{
	return domain->report[page / BITS_PER_LONG] >> (page % BITS_PER_LONG) & 1;
}

static u64 look(struct domain *domain)
{
	check(!domain_sync(domain, domain->smmu.base, window_end(domain) - domain->smmu.base,
			   IOMMU_DIRTY_NO_CLEAR), "a look failed");
	return domain_reported(domain) >> domain->smmu.page_shift;
}

/* Two blocks, the first one written: names of nothing, a part, all */
static void blocks(const struct geometry *geometry, enum iommu_dirty_split_mode mode,
		   unsigned int bbml, u64 size)
{
	struct domain *domain = domain_two_blocks(geometry, bbml, size);
	u64 pages = size >> geometry->page_shift;
	unsigned long *bits = calloc(2 * pages / BITS_PER_LONG, sizeof(long));
	bool splits = mode == IOMMU_DIRTY_SPLIT_LAZY && bbml;
	u64 left;

	domain->probe = size == SZ_2M;
	check(!domain_start(domain, mode, mode ? page_size(domain) : 0), "the start failed");
	domain_write(domain, size + 42);
	check(look(domain) == pages, "the block is not reported");
	check(!domain_clear(domain, size, 2 * size, bits), "a clear of nothing failed");
	check(look(domain) == pages, "a clear of nothing has cleared");
	domain_expect_leaves(domain, size, 2 * size, size);

	/* All but one page */
	name(bits, 0, pages - 1);
	check(!domain_clear(domain, size, 2 * size, bits), "a clear in part failed");
	left = look(domain);
	check(left == (splits ? 1 : pages), "%" PRIu64 " pages left dirty", left);
	check(reported(domain, pages - 1), "a page was cleaned that was not named");
	domain_expect_leaves(domain, size, size, splits ? page_size(domain) : size);
	domain_expect_leaves(domain, 2 * size, size, size);

	/* What is written now is reported, named before or not */
	domain_write(domain, size + 7 * page_size(domain));
	left = look(domain);
	check(left == (splits ? 2 : pages), "%" PRIu64 " pages dirty after a write", left);

	name(bits, 0, 2 * pages);
	check(!domain_clear(domain, size, 2 * size, bits), "a clear of all failed");
	check(!look(domain), "something stays dirty that was named");
	domain_write(domain, size);
	check(look(domain), "a write after the clear is not reported");
	check(!domain_sync_all(domain), "the last sync failed");
	domain_expect_addresses(domain);
	free(bits);
	domain_free(domain);
}

/* A range that begins and ends within blocks, all of it named: the blocks are not */
static void within(enum iommu_dirty_split_mode mode, unsigned int bbml)
{
	struct domain *domain = domain_two_blocks(&geometry_4k, bbml, SZ_2M);
	unsigned long bits[512 / BITS_PER_LONG];
	u64 left;

	memset(bits, 0xff, sizeof(bits));
	check(!domain_start(domain, mode, mode ? SZ_4K : 0), "the start failed");
	domain_write(domain, SZ_2M);
	domain_write(domain, 2 * SZ_2M);
	check(look(domain) == 1024, "the blocks are not reported");
	check(!domain_clear(domain, SZ_2M + SZ_1M, SZ_2M, bits), "the clear failed");
	left = look(domain);
	check(left == (mode == IOMMU_DIRTY_SPLIT_LAZY ? 512 : 1024),
	      "%" PRIu64 " pages are left of 1024", left);
	check(reported(domain, 0) && reported(domain, 255) && reported(domain, 768) &&
	      reported(domain, 1023), "a page outside the range was cleaned");
	check(!domain_sync_all(domain), "the last sync failed");
	domain_free(domain);
}

/* Pages: exactly what is named, nothing of the neighbours in the same word */
static void pages(unsigned int bbml)
{
	struct domain *domain = domain_new(&geometry_4k, bbml, SZ_2M, SZ_2M);
	unsigned long bits[512 / BITS_PER_LONG] = {};
	u64 random = test_seed * 99 | 1;

	domain_map(domain, SZ_2M, SZ_2M, SZ_4K, DMA_RW);
	check(!domain_start(domain, IOMMU_DIRTY_SPLIT_OFF, 0), "the start failed");
	for (int round = 0; round < 50 && !failed(); round++) {
		unsigned long before[512 / BITS_PER_LONG];

		for (int i = 0; i < 40; i++)
			domain_write(domain, SZ_2M + random_next(&random) % SZ_2M);
		look(domain);
		memcpy(before, domain->report, sizeof(before));
		for (size_t i = 0; i < ARRAY_SIZE(bits); i++)
			bits[i] = random_next(&random) & random_next(&random);
		check(!domain_clear(domain, SZ_2M, SZ_2M, bits), "a clear failed");
		look(domain);
		for (size_t i = 0; i < ARRAY_SIZE(bits); i++)
			check(domain->report[i] == (before[i] & ~bits[i]),
			      "word %zu is 0x%lx, was 0x%lx with 0x%lx named", i,
			      domain->report[i], before[i], bits[i]);
	}
	domain_free(domain);
}

/* Split as far as there is memory, or the budget: the rest is dirty, unless all of it is named */
static void kept(bool starved, unsigned int bbml)
{
	struct domain *domain = domain_two_blocks(&geometry_4k, bbml, SZ_2M);
	unsigned long bits[1024 / BITS_PER_LONG] = {};

	check(!domain_start(domain, IOMMU_DIRTY_SPLIT_LAZY, SZ_4K), "the start failed");
	domain_write(domain, SZ_2M);
	domain_write(domain, 2 * SZ_2M);
	name(bits, 0, 512 + 5);
	if (starved)
		domain->fail_alloc = domain->allocations + 1;
	else
		domain->budget = 0;
	check(!domain_clear(domain, SZ_2M, 2 * SZ_2M, bits), "the clear failed");
	check(domain->done.kept == 2 && domain->done.error == (starved ? -ENOMEM : -EBUSY),
	      "%u blocks kept for reason %d", domain->done.kept, domain->done.error);
	domain_expect_leaves(domain, SZ_2M, 2 * SZ_2M, SZ_2M);
	check(look(domain) == 512 && reported(domain, 512 + 100),
	      "the block that is named in part is clean, or the other dirty");
	domain->fail_alloc = 0;
	check(!domain_sync_all(domain), "the last sync failed");
	domain_free(domain);
}

/* ---- hardware at each step, and at random --------------------------------- */

static void write_at(struct domain *domain, unsigned long step)
{
	if (step == domain->act_at)
		domain_write(domain, domain->act_iova);
}

static unsigned long race(enum iommu_dirty_split_mode mode, unsigned int bbml, u64 target,
			  unsigned long at)
{
	struct domain *domain = domain_two_blocks(&geometry_4k, bbml, SZ_2M);
	unsigned long bits[1024 / BITS_PER_LONG] = {}, steps;

	check(!domain_start(domain, mode, mode ? SZ_4K : 0), "the start failed");
	domain_write(domain, SZ_2M);
	domain_write(domain, 2 * SZ_2M + SZ_1M);
	look(domain);
	name(bits, 0, 256);
	name(bits, 512, 512);
	domain->act = write_at;
	domain->act_at = at;
	domain->act_iova = target;
	domain->step = 0;
	domain->probe = true;
	check(!domain_clear(domain, SZ_2M, 2 * SZ_2M, bits), "the clear failed");
	steps = domain->step;
	domain->act = NULL;
	domain->probe = false;
	domain_write(domain, target);
	check(!domain_sync_all(domain), "a sync failed");
	domain_write(domain, target);
	check(!domain_sync_all(domain), "the last sync failed");
	domain_free(domain);
	return steps;
}

static void every_step(enum iommu_dirty_split_mode mode, unsigned int bbml, u64 target)
{
	unsigned long steps = race(mode, bbml, target, 0);

	for (unsigned long at = 1; at <= steps && !failed(); at++)
		race(mode, bbml, target, at);
	check(steps >= 3, "only %lu steps", steps);
}

static u64 dice;

static void act_at_random(struct domain *domain, unsigned long step)
{
	u64 size = window_end(domain) - domain->smmu.base;

	if (random_next(&dice) % 4 == 0)
		domain_write(domain, domain->smmu.base + random_next(&dice) % size);
	else if (random_next(&dice) % 4 == 0)
		domain_read(domain, domain->smmu.base + random_next(&dice) % size);
}

/* Looks, clears of what they have shown, syncs and stops in any order */
static void random_runs(enum iommu_dirty_split_mode mode, unsigned int bbml)
{
	u64 count = 4 * 512;

	for (u64 seed = 0; seed < 40 && !failed(); seed++) {
		struct domain *domain = domain_new(&geometry_4k, bbml, SZ_1G, 4 * SZ_2M);
		unsigned long bits[4 * 512 / BITS_PER_LONG];

		dice = (test_seed << 32) + seed * 40503 + 1;
		domain_map(domain, SZ_1G, 3 * SZ_2M, SZ_2M, DMA_RW);
		domain_map(domain, SZ_1G + 3 * SZ_2M, SZ_2M, SZ_4K, DMA_RW);
		domain->act = act_at_random;
		check(!domain_start(domain, mode, mode ? SZ_4K : 0), "the start failed");
		for (int i = 0; i < 12 && !failed(); i++) {
			u64 first = random_next(&dice) % count;
			u64 pages = 1 + random_next(&dice) % (count - first);

			domain->budget = random_next(&dice) % 4 ? UINT_MAX : 1;
			look(domain);
			memset(bits, 0, sizeof(bits));
			for (u64 page = 0; page < pages; page++)
				if (reported(domain, first + page) && random_next(&dice) % 8)
					name(bits, page, 1);
			check(!domain_clear(domain, SZ_1G + first * SZ_4K, pages * SZ_4K, bits),
			      "a clear failed");
			if (random_next(&dice) % 4 == 0)
				check(!domain_sync_all(domain), "a sync failed");
			if (random_next(&dice) % 8 == 0)
				check(!domain_stop(domain) &&
				      !domain_start(domain, mode, mode ? SZ_4K : 0),
				      "a stop or start failed");
		}
		domain->act = NULL;
		check(!domain_sync_all(domain), "the last sync failed");
		check(!domain_sync_all(domain) && !domain_reported(domain), "dirty without DMA");
		domain_expect_addresses(domain);
		domain_free(domain);
	}
}

void run_clear_cases(void)
{
	static const char *const targets[] = { "named", "not named", "named whole" };
	static const u64 iovas[] = { SZ_2M + 42, SZ_2M + SZ_1M + 42, 2 * SZ_2M + 42 };

	for (int mode = IOMMU_DIRTY_SPLIT_OFF; mode <= IOMMU_DIRTY_SPLIT_LAZY; mode += 2)
		for (unsigned int bbml = mode ? 0 : 1; bbml <= 2; bbml++) {
			run_case(blocks(&geometry_4k, mode, bbml, SZ_2M), "clear 2M, %s bbml%u",
				 mode_names[mode], bbml);
			run_case(blocks(&geometry_16k, mode, bbml, SZ_32M), "clear 32M, %s bbml%u",
				 mode_names[mode], bbml);
			run_case(blocks(&geometry_64k, mode, bbml, SZ_512M), "clear 512M, %s bbml%u",
				 mode_names[mode], bbml);
			if (!bbml)
				continue;
			run_case(within(mode, bbml), "clear within blocks, %s bbml%u",
				 mode_names[mode], bbml);
			for (size_t i = 0; i < ARRAY_SIZE(iovas); i++)
				run_case(every_step(mode, bbml, iovas[i]),
					 "a write at each step of a clear, %s bbml%u, %s",
					 mode_names[mode], bbml, targets[i]);
			run_case(random_runs(mode, bbml), "random clears, %s bbml%u",
				 mode_names[mode], bbml);
		}
	for (unsigned int bbml = 1; bbml <= 2; bbml++) {
		run_case(pages(bbml), "clear pages bbml%u", bbml);
		run_case(kept(true, bbml), "clear out of memory bbml%u", bbml);
		run_case(kept(false, bbml), "clear beyond the budget bbml%u", bbml);
	}
}
