// SPDX-License-Identifier: GPL-2.0-only
/*
 * Unmap of what was split, and the order in which tables go. The kernel's own tests
 * of the page table code run here too.
 */
#include "domain.h"
#include "test.h"
#include <inttypes.h>

/* Unmaps what was split, in pieces of @piece; no table may go before the walk cache forgot it */
static void unmap(enum iommu_dirty_split_mode mode, unsigned int bbml, u64 from, u64 to, u64 piece)
{
	struct domain *domain = domain_two_blocks(&geometry_4k, bbml, from);
	u64 tables = domain->tables, random = test_seed;

	check(domain_start(domain, mode, to) == 0, "the start failed");
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 40; i++)
			domain_write(domain, from + random_next(&random) % (2 * from));
		check(!domain_sync_all(domain), "the sync failed");
	}
	check(domain->tables > tables, "nothing was split");
	for (int i = 0; i < 40; i++)
		domain_write(domain, from + random_next(&random) % (2 * from));

	domain_unmap(domain, from, from, piece);
	for (u64 iova = from; iova < 2 * from; iova += from / 64) {
		check(smmu_access(&domain->smmu, iova, true, NULL) == SMMU_TRANSLATION,
		      "DMA reaches 0x%" PRIx64 " after its unmap", iova);
		check(!domain->ops->iova_to_phys(domain->ops, iova),
		      "0x%" PRIx64 " is still mapped", iova);
	}
	for (int i = 0; i < 40; i++)
		domain_write(domain, 2 * from + random_next(&random) % from);
	domain_unmap(domain, 2 * from, from, piece);
	check(smmu_access(&domain->smmu, 2 * from, true, NULL) == SMMU_TRANSLATION,
	      "DMA reaches the second block after its unmap");
	if (piece == from)
		check(domain->tables == tables, "%lu tables are left of a split that was unmapped",
		      domain->tables - tables);

	/* And back: a block over what the split left behind */
	domain_map(domain, from, 2 * from, from, DMA_RW);
	domain_write(domain, from);
	domain_expect_leaves(domain, from, 2 * from, from);
	domain_expect_addresses(domain);
	domain_free(domain);
}

/* ---- unmaps that report ---------------------------------------------------- */

/* Whatever the device meets, but what is written counts */
static void write_at(struct domain *domain, unsigned long step)
{
	if (step == domain->act_at)
		smmu_access(&domain->smmu, domain->act_iova, true, NULL);
}

static u64 dice;

static void write_at_random(struct domain *domain, unsigned long step)
{
	u64 size = window_end(domain) - domain->smmu.base;

	if (random_next(&dice) % 4 == 0)
		smmu_access(&domain->smmu, domain->smmu.base + random_next(&dice) % size,
			    random_next(&dice) % 8 != 0, NULL);
}

/* A range of leaves of @from, split if @mode says so, is unmapped by @piece, all of it or only its first half */
struct report_case {
	const char *what;
	enum iommu_dirty_split_mode mode;
	u64 from, piece;
	bool half;
};

static unsigned long report(const struct report_case *c, unsigned int bbml, bool cached, unsigned long at)
{
	u64 size = c->from == SZ_4K ? 16 * SZ_4K : c->from, gone = c->half ? size / 2 : size, steps;
	struct domain *domain = domain_new(&geometry_4k, bbml, SZ_1G, 2 * size);

	domain_map(domain, SZ_1G, 2 * size, c->from, DMA_RW);
	check(!domain_start(domain, c->mode, c->mode ? SZ_4K : 0), "the start failed");
	domain_write(domain, SZ_1G);
	check(!domain_sync_all(domain), "the sync failed");
	/* A block of which a part goes is clean, so that what makes it dirty comes in between */
	if (!c->half)
		domain_write(domain, SZ_1G + SZ_4K);
	/* A clean entry of the TLB does not let a write pass; a dirty one does, to the end */
	if (cached)
		domain_read(domain, SZ_1G + gone / 2);
	domain->act = at == ULONG_MAX ? write_at_random : write_at;
	domain->act_at = at;
	domain->act_iova = SZ_1G + gone / 2 + 42;
	domain->step = 0;
	domain_unmap_report(domain, SZ_1G, gone, c->piece);
	steps = domain->step;
	if (!c->half)
		check(domain->report[0] & 2, "what was written before the unmap is not reported");
	/* The stock kernel's invalidation of a part of a block is for the level of pages and may leave the block */
	check(c->half || smmu_access(&domain->smmu, SZ_1G + gone / 2, true, NULL) == SMMU_TRANSLATION,
	      "DMA reaches what was unmapped");
	domain->act = NULL;
	domain_write(domain, SZ_1G + gone);
	check(!domain_sync(domain, SZ_1G + gone, 2 * size - gone, 0), "a sync of the rest failed");
	domain_free(domain);
	return steps;
}

static void reports(const struct report_case *c, unsigned int bbml)
{
	for (int cached = 0; cached <= 1; cached++) {
		unsigned long steps = report(c, bbml, cached, 0);

		check(steps >= 3, "only %lu steps", steps);
		for (unsigned long at = 1; at <= steps && !failed(); at += 1 + steps / 200)
			report(c, bbml, cached, at);
	}
	dice = test_seed * 97 | 1;
	for (int i = 0; i < 100 && !failed(); i++)
		report(c, bbml, i % 2, ULONG_MAX);
}

static const struct report_case report_cases[] = {
	{ "pages", IOMMU_DIRTY_SPLIT_OFF, SZ_4K, SZ_4K, false },
	{ "a block", IOMMU_DIRTY_SPLIT_OFF, SZ_2M, SZ_2M, false },
	{ "a split block", IOMMU_DIRTY_SPLIT_EAGER, SZ_2M, SZ_2M, false },
	{ "a split block by 4K", IOMMU_DIRTY_SPLIT_LAZY, SZ_2M, SZ_4K, false },
	{ "a part of a block", IOMMU_DIRTY_SPLIT_OFF, SZ_2M, SZ_4K, true },
};

/* The page table code's own tests of the kernel */
extern int (*const shim_arm_lpae_do_selftests)(void);

static void kernel_selftest(void)
{
	current_domain = NULL;
	check(shim_arm_lpae_do_selftests() == 0, "arm_lpae_do_selftests() failed");
}

void run_unmap_cases(void)
{
	static const char *const modes[] = { "off", "eager", "lazy" };

	for (int mode = IOMMU_DIRTY_SPLIT_EAGER; mode <= IOMMU_DIRTY_SPLIT_LAZY; mode++)
		for (unsigned int bbml = 1; bbml <= 2; bbml++) {
			run_case(unmap(mode, bbml, SZ_2M, SZ_4K, SZ_2M),
				 "unmap by 2M after %s 2M-4K bbml%u", modes[mode], bbml);
			run_case(unmap(mode, bbml, SZ_2M, SZ_4K, SZ_4K),
				 "unmap by 4K after %s 2M-4K bbml%u", modes[mode], bbml);
			run_case(unmap(mode, bbml, SZ_1G, SZ_4K, SZ_1G),
				 "unmap by 1G after %s 1G-4K bbml%u", modes[mode], bbml);
			run_case(unmap(mode, bbml, SZ_1G, SZ_2M, SZ_2M),
				 "unmap by 2M after %s 1G-2M bbml%u", modes[mode], bbml);
		}
	for (unsigned int bbml = 1; bbml <= 2; bbml++)
		/* To unmap a part of a block, the stock kernel replaces the block with a table, which needs level 2 */
		for (size_t i = 0; i < ARRAY_SIZE(report_cases) - (bbml < 2); i++)
			run_case(reports(&report_cases[i], bbml), "unmap that reports, %s bbml%u",
				 report_cases[i].what, bbml);
	run_case(kernel_selftest(), "the kernel's own selftest");
}
