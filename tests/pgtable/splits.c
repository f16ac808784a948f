// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a split has to do when nothing else happens at the same time: at tracking
 * start, in a sync, without memory, beyond the budget. Races are in races.c.
 */
#include "domain.h"
#include "test.h"
#include <inttypes.h>

/* Tables that a block of @from needs to become leaves of @to */
static u64 tables_needed(const struct geometry *geometry, u64 from, u64 to)
{
	unsigned int bits = geometry->page_shift - 3;
	u64 tables = 0;

	for (u64 size = from; size > to; size >>= bits)
		tables += from / size;
	return tables;
}

/* Tracking starts with every block split; one page written is one page reported */
static void eager(const struct geometry *geometry, unsigned int bbml, u64 from, u64 to)
{
	struct domain *domain = domain_two_blocks(geometry, bbml, from);
	u64 tables = domain->tables;

	/* One block is dirty in memory and in the TLB when tracking starts, one clean in both */
	domain->probe = from == SZ_2M;
	check(domain_start(domain, IOMMU_DIRTY_SPLIT_OFF, 0) == 0, "the first start failed");
	domain_write(domain, from + 42);
	domain_read(domain, 2 * from);
	check(domain_start(domain, IOMMU_DIRTY_SPLIT_EAGER, to) == 0, "the start failed");
	domain_expect_leaves(domain, from, 2 * from, to);
	domain_expect_addresses(domain);
	tables = domain->tables - tables;
	check(tables == 2 * tables_needed(geometry, from, to), "%" PRIu64 " tables built", tables);
	check(domain->done.splits == tables && domain->splits == tables,
	      "%u splits counted, %u traced", domain->done.splits, domain->splits);
	check(!domain->done.kept, "%u blocks counted as kept", domain->done.kept);

	check(!domain_sync_all(domain) && !domain_reported(domain), "dirty right after the start");
	for (int round = 0; round < 3; round++) {
		domain_write(domain, from + 42);
		domain_write(domain, 3 * from - 1);
		check(!domain_sync_all(domain), "the sync failed");
		check(domain_reported(domain) == 2 * to,
		      "%" PRIu64 " bytes reported for two writes", domain_reported(domain));
	}
	domain_free(domain);
}

/* A block is reported whole once, and from then on by leaves one level smaller */
static void lazy(const struct geometry *geometry, unsigned int bbml, u64 from, u64 to)
{
	unsigned int bits = geometry->page_shift - 3;
	struct domain *domain = domain_two_blocks(geometry, bbml, from);

	domain->probe = true;
	check(domain_start(domain, IOMMU_DIRTY_SPLIT_LAZY, to) == 0, "the start failed");
	check(!domain->done.splits && !domain->done.kept, "a lazy start splits or keeps");
	domain_expect_leaves(domain, from, 2 * from, from);

	for (u64 size = from; ; size >>= bits) {
		bool last = size == to;

		domain_write(domain, from + 42);
		check(!domain_sync_all(domain), "the sync failed");
		check(domain_reported(domain) == size,
		      "%" PRIu64 " bytes reported under a leaf of %" PRIu64,
		      domain_reported(domain), size);
		check(domain->done.splits == !last,
		      "%u splits in a sync of one dirty leaf of %" PRIu64, domain->done.splits,
		      size);
		domain_expect_leaves(domain, from, last ? size : size >> bits,
				     last ? size : size >> bits);
		domain_expect_leaves(domain, 2 * from, from, from);
		if (last || failed())
			break;
	}
	check(!domain_sync_all(domain) && !domain_reported(domain), "dirty without a write");
	domain_expect_addresses(domain);
	domain_free(domain);
}

#define SAMPLE_BLOCKS	256
#define SAMPLE_SHARE	2500	/* a quarter */

/*
 * The choice that hwdbm makes again from share and seed (bpf/sampled.bpf.h), written down a third
 * time: it is part of what the events mean.
 */
static bool is_sampled(u64 iova, u32 share, u32 seed)
{
	u64 hash = iova ^ ((u64)seed << 32 | seed);

	hash = (hash ^ hash >> 30) * 0xbf58476d1ce4e5b9;
	hash = (hash ^ hash >> 27) * 0x94d049bb133111eb;
	return ((hash ^ hash >> 31) >> 32) * 10000 / (UINT64_C(1) << 32) < share;
}

/* Exactly the blocks of the share are split when tracking starts; nothing is by a sync; all merge */
static void sample(unsigned int bbml, u64 from, u64 to, u32 seed)
{
	const u64 count = from == SZ_2M ? SAMPLE_BLOCKS : 8, base = count * from;
	struct domain *domain = domain_new(&geometry_4k, bbml, base, count * from);
	u64 tables = tables_needed(&geometry_4k, from, to), split = 0, reported = 0;

	domain_map(domain, base, count * from, from, DMA_RW);
	check(domain_start_sample(domain, to, SAMPLE_SHARE, seed) == 0, "the start failed");
	for (u64 iova = base; iova < base + count * from; iova += from) {
		bool yes = is_sampled(iova, SAMPLE_SHARE, seed);

		domain_expect_leaves(domain, iova, from, yes ? to : from);
		split += yes;
		reported += yes ? to : from;
	}
	check(split && split < count, "the seed is no good for a test: %" PRIu64 " of them", split);
	check(domain->done.splits == split * tables && domain->splits == split * tables,
	      "%u splits counted, %u traced", domain->done.splits, domain->splits);
	check(!domain->done.kept, "%u blocks counted as kept", domain->done.kept);
	for (int round = 0; round < 2; round++) {
		for (u64 iova = base; iova < base + count * from; iova += from)
			domain_write(domain, iova + 42);
		check(!domain_sync_all(domain), "the sync failed");
		check(domain_reported(domain) == reported, "%" PRIu64 " bytes reported, not %" PRIu64,
		      domain_reported(domain), reported);
		check(!domain->done.splits, "a sync has split");
	}
	domain_expect_addresses(domain);
	check(!domain_stop(domain), "the stop failed");
	domain_expect_leaves(domain, base, count * from, from);
	domain_free(domain);
}

/* At BBML 0 tracking works as if nobody had asked */
static void bbml0(enum iommu_dirty_split_mode mode)
{
	struct domain *domain = domain_two_blocks(&geometry_4k, 0, SZ_2M);

	check(domain_start(domain, mode, SZ_4K) == 0, "the start failed");
	check(!domain->done.splits && !domain->splits, "something was split");
	for (int round = 0; round < 3; round++) {
		domain_write(domain, SZ_2M);
		check(!domain_sync_all(domain), "the sync failed");
		check(domain_reported(domain) == SZ_2M, "%" PRIu64 " bytes reported",
		      domain_reported(domain));
	}
	domain_expect_leaves(domain, SZ_2M, 2 * SZ_2M, SZ_2M);
	domain_free(domain);
}

/* Off, or a granularity not below the mapping: nothing is touched */
static void off(enum iommu_dirty_split_mode mode, u64 granularity)
{
	struct domain *domain = domain_two_blocks(&geometry_4k, 2, SZ_2M);

	check(domain_start(domain, mode, granularity) == 0, "the start failed");
	domain_write(domain, SZ_2M);
	check(!domain_sync_all(domain) && domain_reported(domain) == SZ_2M,
	      "%" PRIu64 " bytes reported", domain_reported(domain));
	check(!domain->splits && !domain->done.kept, "something was split or kept");
	domain_expect_leaves(domain, SZ_2M, 2 * SZ_2M, SZ_2M);
	domain_free(domain);
}

/* A leaf that nobody can write has no dirty state: it is neither split nor changed */
static void read_only(enum iommu_dirty_split_mode mode, unsigned int bbml)
{
	struct domain *domain = domain_new(&geometry_4k, bbml, SZ_2M, 3 * SZ_2M);
	u64 before[2];

	domain_map(domain, SZ_2M, SZ_2M, SZ_2M, IOMMU_READ);
	domain_map(domain, 2 * SZ_2M, SZ_2M, SZ_4K, IOMMU_READ);
	domain_map(domain, 3 * SZ_2M, SZ_2M, SZ_2M, DMA_RW);
	before[0] = smmu_leaf(&domain->smmu, SZ_2M).value;
	before[1] = smmu_leaf(&domain->smmu, 2 * SZ_2M).value;
	check(domain_start(domain, mode, SZ_4K) == 0, "the start failed");
	domain_read(domain, SZ_2M);
	domain_write(domain, 3 * SZ_2M);
	check(!domain_sync_all(domain), "the sync failed");
	domain->fail_record = domain->records + 1;
	domain_write(domain, 3 * SZ_2M);
	check(domain_sync_all(domain) == -EFAULT, "no error from a record that failed");
	check(smmu_leaf(&domain->smmu, SZ_2M).value == before[0], "a read-only block has changed");
	check(smmu_leaf(&domain->smmu, 2 * SZ_2M).value == before[1],
	      "a read-only page has changed");
	check(smmu_access(&domain->smmu, SZ_2M, true, NULL) == SMMU_PERMISSION,
	      "DMA can write to a read-only block");
	domain_free(domain);
}

/* Splits per sync are limited; what is left over waits, stays exact and is counted */
static void budget(unsigned int bbml, unsigned int limit)
{
	struct domain *domain = domain_new(&geometry_4k, bbml, SZ_2M, 8 * SZ_2M);
	unsigned int whole = 8, round = 0;

	domain_map(domain, SZ_2M, 8 * SZ_2M, SZ_2M, DMA_RW);
	check(domain_start(domain, IOMMU_DIRTY_SPLIT_LAZY, SZ_4K) == 0, "the start failed");
	domain->budget = limit;
	do {
		unsigned int now = min(whole, limit);

		for (int i = 1; i <= 8; i++)
			domain_write(domain, i * SZ_2M);
		check(!domain_sync_all(domain), "the sync failed");
		check(domain_reported(domain) == whole * SZ_2M + (8 - whole) * SZ_4K,
		      "%" PRIu64 " bytes reported with %u blocks left", domain_reported(domain),
		      whole);
		check(domain->done.splits == now, "%u splits with a budget of %u",
		      domain->done.splits, limit);
		whole -= now;
		check(domain->done.kept == whole, "%u blocks counted as kept of %u",
		      domain->done.kept, whole);
		check(!whole || domain->done.error == -EBUSY, "kept for reason %d",
		      domain->done.error);
	} while (++round < 8 && !failed());
	check(!whole == !!limit, "%u blocks never split", whole);
	domain_free(domain);
}

/* Memory runs out at the n-th table, for every n: blocks stay, and stay right */
static void out_of_memory(enum iommu_dirty_split_mode mode, unsigned int bbml, u64 from, u64 to)
{
	u64 step = to == SZ_4K && from == SZ_1G ? 97 : 1;
	bool enough = false;

	for (unsigned long n = 1; !enough && !failed(); n += step) {
		struct domain *domain = domain_two_blocks(&geometry_4k, bbml, from);
		unsigned int kept;
		int error;

		domain->probe = from == SZ_2M;
		if (mode == IOMMU_DIRTY_SPLIT_EAGER)
			domain->fail_alloc = domain->allocations + n;
		check(domain_start(domain, mode, to) == 0, "the start failed for want of memory");
		kept = domain->done.kept;
		error = domain->done.error;
		domain_write(domain, from);
		domain_write(domain, 2 * from + 42);
		if (mode == IOMMU_DIRTY_SPLIT_LAZY) {
			domain->fail_alloc = domain->allocations + n;
			check(!domain_sync_all(domain), "the sync failed for want of memory");
			check(domain_reported(domain) == 2 * from, "%" PRIu64 " bytes reported",
			      domain_reported(domain));
			kept = domain->done.kept;
			error = domain->done.error;
		}
		enough = domain->allocations < domain->fail_alloc;
		check(enough ? !kept : kept, "%u blocks counted as kept", kept);
		check(enough || error == -ENOMEM, "kept for reason %d", error);
		check(domain->split_failures == kept, "%u failures traced of %u",
		      domain->split_failures, kept);
		check(domain->splits == (enough ? tables_needed(domain->geometry, from, to) *
					 (mode == IOMMU_DIRTY_SPLIT_LAZY ? 0 : 2) : n - 1) ||
		      mode == IOMMU_DIRTY_SPLIT_LAZY,
		      "%u splits with memory for %lu", domain->splits, n - 1);
		if (n == 1)
			domain_expect_leaves(domain, from, 2 * from, from);
		domain_expect_addresses(domain);

		/* Whatever was kept goes on working, and is split once there is memory */
		domain->fail_alloc = 0;
		for (int round = 0; round < 4; round++) {
			domain_write(domain, from);
			domain_write(domain, 2 * from + 42);
			check(!domain_sync_all(domain), "a later sync failed");
		}
		check(domain_reported(domain) == 2 * to, "%" PRIu64 " bytes reported in the end",
		      domain_reported(domain));
		domain_free(domain);
	}
}

void run_split_cases(void)
{
	for (const struct split_case *split = split_cases; split->geometry; split++)
		for (unsigned int bbml = 1; bbml <= 2; bbml++) {
			const struct geometry *geometry = split->geometry;
			u64 from = split->from, to = split->to;

			run_case(eager(geometry, bbml, from, to), "eager %s-%s bbml%u",
				 size_name(from), size_name(to), bbml);
			run_case(lazy(geometry, bbml, from, to), "lazy %s-%s bbml%u",
				 size_name(from), size_name(to), bbml);
		}
	for (unsigned int bbml = 1; bbml <= 2; bbml++) {
		run_case(sample(bbml, SZ_2M, SZ_4K, 1), "sample 2M-4K bbml%u, seed 1", bbml);
		run_case(sample(bbml, SZ_2M, SZ_4K, 4000000000), "sample 2M-4K bbml%u, large seed",
			 bbml);
		run_case(sample(bbml, SZ_1G, SZ_2M, 3), "sample 1G-2M bbml%u", bbml);
	}
	run_case(bbml0(IOMMU_DIRTY_SPLIT_SAMPLE), "sample bbml0");
	run_case(bbml0(IOMMU_DIRTY_SPLIT_EAGER), "eager bbml0");
	run_case(bbml0(IOMMU_DIRTY_SPLIT_LAZY), "lazy bbml0");
	run_case(off(IOMMU_DIRTY_SPLIT_OFF, 0), "off");
	run_case(off(IOMMU_DIRTY_SPLIT_EAGER, SZ_2M), "granularity as mapped, eager");
	run_case(off(IOMMU_DIRTY_SPLIT_LAZY, SZ_1G), "granularity above the mapping, lazy");
	for (unsigned int bbml = 1; bbml <= 2; bbml++) {
		run_case(read_only(IOMMU_DIRTY_SPLIT_EAGER, bbml), "read-only leaves, eager bbml%u",
			 bbml);
		run_case(read_only(IOMMU_DIRTY_SPLIT_LAZY, bbml), "read-only leaves, lazy bbml%u",
			 bbml);
		run_case(budget(bbml, 3), "budget 3 bbml%u", bbml);
		run_case(budget(bbml, 0), "budget 0 bbml%u", bbml);
		run_case(out_of_memory(IOMMU_DIRTY_SPLIT_EAGER, bbml, SZ_2M, SZ_4K),
			 "out of memory, eager 2M-4K bbml%u", bbml);
		run_case(out_of_memory(IOMMU_DIRTY_SPLIT_EAGER, bbml, SZ_1G, SZ_4K),
			 "out of memory, eager 1G-4K bbml%u", bbml);
		run_case(out_of_memory(IOMMU_DIRTY_SPLIT_LAZY, bbml, SZ_2M, SZ_4K),
			 "out of memory, lazy 2M-4K bbml%u", bbml);
	}
}
