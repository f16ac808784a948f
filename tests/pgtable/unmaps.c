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
	run_case(kernel_selftest(), "the kernel's own selftest");
}
