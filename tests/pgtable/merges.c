// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a merge has to do, and to leave alone, when nothing else happens at the
 * same time. Races are in races.c and forced.c.
 */
#include "domain.h"
#include "test.h"
#include <inttypes.h>

/* Everything split, a page written, everything back: the block accounts for the page */
static void merge(const struct geometry *geometry, unsigned int bbml, u64 from, u64 to)
{
	struct domain *domain = domain_two_blocks(geometry, bbml, from);
	u64 tables = domain->tables;

	domain->probe = from == SZ_2M;
	check(domain_start(domain, IOMMU_DIRTY_SPLIT_OFF, 0) == 0, "the first start failed");
	check(domain_start(domain, IOMMU_DIRTY_SPLIT_EAGER, to) == 0, "the start failed");
	for (int round = 0; round < 3; round++) {
		domain_write(domain, from + 42);
		domain_read(domain, 3 * from - 1);
		check(domain_stop(domain) == 0, "the stop failed");
		domain_expect_leaves(domain, from, 2 * from, from);
		domain_expect_addresses(domain);
		check(domain->tables == tables, "%" PRIu64 " tables are left",
		      domain->tables - tables);
		check(domain->merges == domain->splits, "%u merges traced for %u splits",
		      domain->merges, domain->splits);
		check(desc_dirty(smmu_leaf(&domain->smmu, 2 * from).value),
		      "a merged block is clean");
		domain_write(domain, 2 * from + to);
		check(!domain_sync_all(domain) && domain_reported(domain) == 2 * from,
		      "%" PRIu64 " bytes reported after the merge", domain_reported(domain));
		check(!domain_sync_all(domain) && !domain_reported(domain), "reported twice");
		domain_write(domain, from);
		check(!domain_sync_all(domain) && domain_reported(domain) == from,
		      "%" PRIu64 " bytes reported for a write to a merged block",
		      domain_reported(domain));
		check(domain_start(domain, IOMMU_DIRTY_SPLIT_EAGER, to) == 0, "a start failed");
		domain_expect_leaves(domain, from, 2 * from, to);
	}
	domain_free(domain);
}

/* Blocks that lazy splitting has taken apart to different depths, or not at all */
static void depths(unsigned int bbml)
{
	struct domain *domain = domain_two_blocks(&geometry_4k, bbml, SZ_1G);
	u64 tables = domain->tables;

	check(domain_start(domain, IOMMU_DIRTY_SPLIT_LAZY, SZ_4K) == 0, "the start failed");
	for (int round = 0; round < 3; round++) {
		domain_write(domain, SZ_1G + 5 * SZ_2M);
		if (!round)
			domain_write(domain, SZ_1G + 7 * SZ_2M);
		check(!domain_sync_all(domain), "a sync failed");
	}
	check(smmu_leaf(&domain->smmu, SZ_1G + 5 * SZ_2M).size == SZ_4K &&
	      smmu_leaf(&domain->smmu, SZ_1G).size == SZ_2M &&
	      smmu_leaf(&domain->smmu, 2 * SZ_1G).size == SZ_1G, "it does not begin as it should");
	domain_write(domain, SZ_1G + 7 * SZ_2M);
	check(domain_stop(domain) == 0, "the stop failed");
	domain_expect_leaves(domain, SZ_1G, 2 * SZ_1G, SZ_1G);
	check(domain->tables == tables, "%" PRIu64 " tables are left", domain->tables - tables);
	check(!desc_dirty(smmu_leaf(&domain->smmu, 2 * SZ_1G).value),
	      "a block that was never split became dirty");
	check(!domain_sync_all(domain), "the last sync failed");
	domain_free(domain);
}

/* What was mapped by pages, or read-only, is nothing that a split has made */
static void alone(unsigned int bbml)
{
	struct domain *domain = domain_new(&geometry_4k, bbml, SZ_2M, 4 * SZ_2M);
	u64 before[4];

	domain_map(domain, SZ_2M, SZ_2M, SZ_4K, DMA_RW);
	domain_map(domain, 2 * SZ_2M, SZ_2M, SZ_4K, IOMMU_READ);
	domain_map(domain, 3 * SZ_2M, SZ_2M, SZ_2M, IOMMU_READ);
	domain_map(domain, 4 * SZ_2M, SZ_2M, SZ_2M, DMA_RW);
	check(domain_start(domain, IOMMU_DIRTY_SPLIT_OFF, 0) == 0, "the start failed");
	for (int i = 0; i < 4; i++)
		before[i] = smmu_leaf(&domain->smmu, (i + 1) * SZ_2M).value;
	check(domain_stop(domain) == 0, "the stop failed");
	check(!domain->merges, "%u merges without a split", domain->merges);
	for (int i = 0; i < 4; i++)
		check(smmu_leaf(&domain->smmu, (i + 1) * SZ_2M).value == before[i],
		      "a leaf has changed that was never split");
	domain_free(domain);
}

enum hole { HOLE, MOVED, READ_ONLY, SAME, ALL_SAME, ALL_READ_ONLY };
static const char *const hole_names[] = {
	"a hole", "a page of another address", "a page read-only", "a page mapped again",
	"all pages mapped again", "all pages mapped again read-only"
};

/* A split block of which pages were unmapped and mapped since */
static void changed(enum hole hole, unsigned int bbml)
{
	struct domain *domain = domain_two_blocks(&geometry_4k, bbml, SZ_2M);
	u64 first = SZ_2M + (hole < ALL_SAME) * 5 * SZ_4K;
	u64 end = hole < ALL_SAME ? first + SZ_4K : 2 * SZ_2M;
	bool read_only = hole == READ_ONLY || hole == ALL_READ_ONLY;
	size_t mapped = 0;

	check(domain_start(domain, IOMMU_DIRTY_SPLIT_EAGER, SZ_4K) == 0, "the start failed");
	for (u64 iova = first; iova < end; iova += SZ_4K)
		domain_unmap(domain, iova, SZ_4K, SZ_4K);
	if (hole == MOVED)
		domain->ops->map_pages(domain->ops, first, SZ_1G, SZ_4K, 1, DMA_RW, GFP_KERNEL,
				       &mapped);
	else if (hole != HOLE)
		domain_map(domain, first, end - first, SZ_4K,
			   read_only ? IOMMU_READ | IOMMU_CACHE : DMA_RW);
	check(domain_stop(domain) == 0, "the stop failed");

	check(smmu_leaf(&domain->smmu, SZ_2M + 9 * SZ_4K).size == SZ_4K,
	      "a block was made of what is not one");
	domain_expect_leaves(domain, 2 * SZ_2M, SZ_2M, SZ_2M);
	if (hole == HOLE)
		check(!domain->ops->iova_to_phys(domain->ops, first), "the hole is mapped");
	if (hole == MOVED)
		check(domain->ops->iova_to_phys(domain->ops, first) == SZ_1G,
		      "the page has moved back");
	if (read_only)
		check(smmu_access(&domain->smmu, first, true, NULL) == SMMU_PERMISSION,
		      "a read-only page can be written");
	if (hole != HOLE && hole != MOVED) {
		domain_expect_addresses(domain);
		domain_read(domain, first);
	}
	domain_write(domain, 2 * SZ_2M);
	check(!domain_sync(domain, 2 * SZ_2M, SZ_2M, 0), "the sync failed");
	domain_free(domain);
}

/* One piece of a gigabyte is gone: the others are merged as far as they go */
static void gigabyte(unsigned int bbml)
{
	struct domain *domain = domain_two_blocks(&geometry_4k, bbml, SZ_1G);

	check(domain_start(domain, IOMMU_DIRTY_SPLIT_EAGER, SZ_4K) == 0, "the start failed");
	domain_unmap(domain, SZ_1G + 3 * SZ_2M, SZ_2M, SZ_2M);
	check(domain_stop(domain) == 0, "the stop failed");
	domain_expect_leaves(domain, SZ_1G, 3 * SZ_2M, SZ_2M);
	domain_expect_leaves(domain, SZ_1G + 4 * SZ_2M, SZ_1G - 4 * SZ_2M, SZ_2M);
	domain_expect_leaves(domain, 2 * SZ_1G, SZ_1G, SZ_1G);
	check(!domain->ops->iova_to_phys(domain->ops, SZ_1G + 3 * SZ_2M), "the hole is mapped");
	domain_free(domain);
}

/* A stop that is killed leaves a table that is right, and the next one ends it */
static void killed(unsigned int bbml)
{
	int ret = -1;

	for (unsigned long n = 1; ret && !failed(); n++) {
		struct domain *domain = domain_new(&geometry_4k, bbml, SZ_1G, 2 * SZ_1G);
		u64 tables;

		domain_map(domain, SZ_1G, 8 * SZ_2M, SZ_2M, DMA_RW);
		domain_map(domain, SZ_1G + 8 * SZ_2M, SZ_1G - 8 * SZ_2M, SZ_2M, DMA_RW);
		domain_map(domain, 2 * SZ_1G, SZ_1G, SZ_1G, DMA_RW);
		tables = domain->tables;
		check(!domain_start(domain, IOMMU_DIRTY_SPLIT_LAZY, SZ_4K), "the start failed");
		for (int i = 0; i < 4; i++)
			domain_write(domain, SZ_1G + 2 * i * SZ_2M);
		domain_write(domain, 2 * SZ_1G);
		check(!domain_sync_all(domain), "a sync failed");
		for (int i = 0; i < 4; i++)
			domain_write(domain, SZ_1G + 2 * i * SZ_2M);
		domain->probe = n % 4 == 1;
		domain->fail_signal = domain->looks + n;
		ret = domain_stop(domain);
		domain->probe = false;
		check(!ret || ret == -EINTR, "the stop returned %d", ret);
		domain_expect_addresses(domain);
		for (u64 iova = SZ_1G; iova < 3 * SZ_1G; iova += SZ_2M)
			check(!(smmu_leaf(&domain->smmu, iova).value & DESC_NT) ||
			      smmu_leaf(&domain->smmu, iova).size == SZ_4K, "a block keeps nT");
		domain->fail_signal = 0;
		check(!domain_stop(domain), "the next stop failed");
		check(domain->tables == tables, "%" PRIu64 " tables are left",
		      domain->tables - tables);
		check(!domain_sync_all(domain), "the last sync failed");
		domain_free(domain);
	}
}

/* A merged block is like any other: it can be unmapped */
static void unmapped(unsigned int bbml)
{
	struct domain *domain = domain_two_blocks(&geometry_4k, bbml, SZ_2M);
	u64 tables = domain->tables;

	check(!domain_start(domain, IOMMU_DIRTY_SPLIT_EAGER, SZ_4K), "the start failed");
	domain_write(domain, SZ_2M);
	domain_write(domain, 2 * SZ_2M);
	check(!domain_stop(domain), "the stop failed");
	domain_write(domain, SZ_2M);
	domain_unmap(domain, SZ_2M, SZ_2M, SZ_2M);
	check(smmu_access(&domain->smmu, SZ_2M, true, NULL) == SMMU_TRANSLATION,
	      "DMA reaches what was unmapped");
	domain_write(domain, 2 * SZ_2M);
	check(domain->tables == tables, "tables are left");
	domain_free(domain);
}

void run_merge_cases(void)
{
	for (const struct split_case *split = split_cases; split->geometry; split++)
		for (unsigned int bbml = 1; bbml <= 2; bbml++)
			run_case(merge(split->geometry, bbml, split->from, split->to),
				 "merge %s-%s bbml%u", size_name(split->to),
				 size_name(split->from), bbml);
	for (unsigned int bbml = 0; bbml <= 2; bbml++)
		run_case(alone(bbml), "merge of what was not split bbml%u", bbml);
	for (unsigned int bbml = 1; bbml <= 2; bbml++) {
		run_case(depths(bbml), "merge after lazy splits of any depth bbml%u", bbml);
		for (int hole = HOLE; hole <= ALL_READ_ONLY; hole++)
			run_case(changed(hole, bbml), "merge of a table with %s bbml%u",
				 hole_names[hole], bbml);
		run_case(gigabyte(bbml), "merge of a gigabyte with a hole bbml%u", bbml);
		run_case(killed(bbml), "killed stop bbml%u", bbml);
		run_case(unmapped(bbml), "unmap after a merge bbml%u", bbml);
	}
}
