// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a split, a sync and an unmap have to do when nothing else happens at
 * the same time. Races are in races.c.
 */
#include "domain.h"
#include "test.h"
#include <inttypes.h>

#define RW	(IOMMU_READ | IOMMU_WRITE | IOMMU_CACHE)

static const struct {
	const struct geometry *geometry;
	u64 from, to;
} splits[] = {
	{ &geometry_4k, SZ_2M, SZ_4K },
	{ &geometry_4k, SZ_1G, SZ_2M },
	{ &geometry_4k, SZ_1G, SZ_4K },
	{ &geometry_16k, SZ_32M, SZ_16K },
	{ &geometry_64k, SZ_512M, SZ_64K },
};

/* Two blocks of @size at @size */
static struct domain *two_blocks(const struct geometry *geometry, unsigned int bbml, u64 size)
{
	struct domain *domain = domain_new(geometry, bbml, size, 2 * size);

	domain_map(domain, size, 2 * size, size, RW);
	return domain;
}

/* Tables that a block of @from needs to become leaves of @to */
static u64 tables_needed(const struct geometry *geometry, u64 from, u64 to)
{
	unsigned int bits = geometry->page_shift - 3;
	u64 tables = 0;

	for (u64 size = from; size > to; size >>= bits)
		tables += from / size;
	return tables;
}

/* ---- splits -------------------------------------------------------------- */

/* Tracking starts with every block split; one page written is one page reported */
static void eager(const struct geometry *geometry, unsigned int bbml, u64 from, u64 to)
{
	struct domain *domain = two_blocks(geometry, bbml, from);
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
	check(domain->stats.splits == 2 && domain->splits == 2, "%u splits counted, %u traced",
	      domain->stats.splits, domain->splits);
	check(domain->stats.tables == tables, "%u tables counted of %" PRIu64, domain->stats.tables,
	      tables);
	check(!domain->stats.kept, "%u blocks counted as kept", domain->stats.kept);

	check(!domain_sync_all(domain) && !domain_reported(domain), "dirty right after the start");
	for (int round = 0; round < 3; round++) {
		domain_write(domain, from + 42);
		domain_write(domain, 3 * from - 1);
		check(!domain_sync_all(domain), "the sync failed");
		check(domain_reported(domain) == 2 * to, "%" PRIu64 " bytes reported for two writes",
		      domain_reported(domain));
	}
	domain_free(domain);
}

/* A block is reported whole once, and from then on by leaves one level smaller */
static void lazy(const struct geometry *geometry, unsigned int bbml, u64 from, u64 to)
{
	unsigned int bits = geometry->page_shift - 3;
	struct domain *domain = two_blocks(geometry, bbml, from);

	domain->probe = true;
	check(domain_start(domain, IOMMU_DIRTY_SPLIT_LAZY, to) == 0, "the start failed");
	check(!domain->stats.splits && !domain->stats.kept, "a lazy start splits or keeps");
	domain_expect_leaves(domain, from, 2 * from, from);

	for (u64 size = from; ; size >>= bits) {
		bool last = size == to;

		domain_write(domain, from + 42);
		check(!domain_sync_all(domain), "the sync failed");
		check(domain_reported(domain) == size, "%" PRIu64 " bytes reported under a leaf of %" PRIu64,
		      domain_reported(domain), size);
		check(domain->stats.splits == !last, "%u splits in a sync of one dirty leaf of %" PRIu64,
		      domain->stats.splits, size);
		check(domain->stats.tables == !last, "%u tables in that sync", domain->stats.tables);
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

/* At BBML 0 tracking works as before, and says what was kept and why */
static void bbml0(enum iommu_dirty_split_mode mode)
{
	struct domain *domain = two_blocks(&geometry_4k, 0, SZ_2M);

	check(domain_start(domain, mode, SZ_4K) == 0, "the start failed");
	check(domain->stats.kept == 2 && domain->stats.kept_reason == IOMMU_DIRTY_KEPT_BBML0,
	      "%u blocks kept, reason %u", domain->stats.kept, domain->stats.kept_reason);
	for (int round = 0; round < 3; round++) {
		domain_write(domain, SZ_2M);
		check(!domain_sync_all(domain), "the sync failed");
		check(domain_reported(domain) == SZ_2M, "%" PRIu64 " bytes reported", domain_reported(domain));
	}
	domain_expect_leaves(domain, SZ_2M, 2 * SZ_2M, SZ_2M);
	domain_free(domain);
}

/* Off, or a granularity not below the mapping: nothing is touched */
static void off(enum iommu_dirty_split_mode mode, u64 granularity)
{
	struct domain *domain = two_blocks(&geometry_4k, 2, SZ_2M);

	check(domain_start(domain, mode, granularity) == 0, "the start failed");
	domain_write(domain, SZ_2M);
	check(!domain_sync_all(domain) && domain_reported(domain) == SZ_2M, "%" PRIu64 " bytes reported",
	      domain_reported(domain));
	check(!domain->splits && !domain->stats.kept, "something was split or kept");
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
	domain_map(domain, 3 * SZ_2M, SZ_2M, SZ_2M, RW);
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
	check(smmu_leaf(&domain->smmu, 2 * SZ_2M).value == before[1], "a read-only page has changed");
	check(smmu_access(&domain->smmu, SZ_2M, true, NULL) == SMMU_PERMISSION,
	      "DMA can write to a read-only block");
	domain_free(domain);
}

/* Tables per sync are limited; what is left over waits, stays exact and is counted */
static void budget(unsigned int bbml, unsigned int limit)
{
	struct domain *domain = domain_new(&geometry_4k, bbml, SZ_2M, 8 * SZ_2M);
	unsigned int whole = 8, round = 0;

	domain_map(domain, SZ_2M, 8 * SZ_2M, SZ_2M, RW);
	check(domain_start(domain, IOMMU_DIRTY_SPLIT_LAZY, SZ_4K) == 0, "the start failed");
	domain->budget = limit;
	do {
		unsigned int now = min(whole, limit);

		for (int i = 1; i <= 8; i++)
			domain_write(domain, i * SZ_2M);
		check(!domain_sync_all(domain), "the sync failed");
		check(domain_reported(domain) == whole * SZ_2M + (8 - whole) * SZ_4K,
		      "%" PRIu64 " bytes reported with %u blocks left", domain_reported(domain), whole);
		check(domain->stats.splits == now, "%u splits with a budget of %u", domain->stats.splits, limit);
		whole -= now;
		check(domain->stats.kept == whole, "%u blocks counted as kept of %u", domain->stats.kept, whole);
		check(!whole || domain->stats.kept_reason == IOMMU_DIRTY_KEPT_BUDGET, "kept for reason %u",
		      domain->stats.kept_reason);
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
		struct domain *domain = two_blocks(&geometry_4k, bbml, from);
		unsigned int kept;

		domain->probe = from == SZ_2M;
		if (mode == IOMMU_DIRTY_SPLIT_EAGER)
			domain->fail_alloc = domain->allocations + n;
		check(domain_start(domain, mode, to) == 0, "the start failed for want of memory");
		kept = domain->stats.kept;
		domain_write(domain, from);
		domain_write(domain, 2 * from + 42);
		if (mode == IOMMU_DIRTY_SPLIT_LAZY) {
			domain->fail_alloc = domain->allocations + n;
			check(!domain_sync_all(domain), "the sync failed for want of memory");
			check(domain_reported(domain) == 2 * from, "%" PRIu64 " bytes reported",
			      domain_reported(domain));
			kept = domain->stats.kept;
		}
		enough = domain->allocations < domain->fail_alloc;
		check(enough ? !kept : kept, "%u blocks counted as kept", kept);
		check(enough || domain->stats.kept_reason == IOMMU_DIRTY_KEPT_NOMEM, "kept for reason %u",
		      domain->stats.kept_reason);
		check(domain->split_failures == kept, "%u failures traced of %u", domain->split_failures, kept);
		check(!domain->stats.splits || domain->stats.splits == 2 - kept, "%u splits and %u kept",
		      domain->stats.splits, kept);
		if (kept == 2)
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
	for (unsigned int i = 0; i < ARRAY_SIZE(splits); i++)
		for (unsigned int bbml = 1; bbml <= 2; bbml++) {
			const struct geometry *geometry = splits[i].geometry;
			u64 from = splits[i].from, to = splits[i].to;

			run_case(eager(geometry, bbml, from, to), "eager %s-%s bbml%u",
				 size_name(from), size_name(to), bbml);
			run_case(lazy(geometry, bbml, from, to), "lazy %s-%s bbml%u",
				 size_name(from), size_name(to), bbml);
		}
	run_case(bbml0(IOMMU_DIRTY_SPLIT_EAGER), "eager bbml0");
	run_case(bbml0(IOMMU_DIRTY_SPLIT_LAZY), "lazy bbml0");
	run_case(off(IOMMU_DIRTY_SPLIT_OFF, 0), "off");
	run_case(off(IOMMU_DIRTY_SPLIT_EAGER, SZ_2M), "granularity as mapped, eager");
	run_case(off(IOMMU_DIRTY_SPLIT_LAZY, SZ_1G), "granularity above the mapping, lazy");
	for (unsigned int bbml = 1; bbml <= 2; bbml++) {
		run_case(read_only(IOMMU_DIRTY_SPLIT_EAGER, bbml), "read-only leaves, eager bbml%u", bbml);
		run_case(read_only(IOMMU_DIRTY_SPLIT_LAZY, bbml), "read-only leaves, lazy bbml%u", bbml);
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

/* ---- syncs --------------------------------------------------------------- */

/*
 * Syncs of any part: the report is exactly the dirty leaves, cut to the range;
 * only a leaf wholly inside it becomes clean.
 */
static void partial(enum iommu_dirty_split_mode mode, unsigned int bbml)
{
	u64 base = SZ_1G, end = base + 10 * SZ_2M, random = test_seed * 77 | 1;
	struct domain *domain = domain_new(&geometry_4k, bbml, base, end - base);

	domain_map(domain, base, 4 * SZ_2M, SZ_2M, RW);
	domain_map(domain, base + 4 * SZ_2M, 2 * SZ_2M, SZ_4K, RW);
	domain_map(domain, base + 6 * SZ_2M, 4 * SZ_2M, SZ_2M, RW);
	check(domain_start(domain, mode, SZ_4K) == 0, "the start failed");

	for (int round = 0; round < 200 && !failed(); round++) {
		u64 pages = (end - base) / SZ_4K, want = 0;
		u64 first = random_next(&random) % pages, last = random_next(&random) % pages;
		u64 from, to, iova, size;
		u64 inside = 0, before[10];

		if (first > last) {
			u64 swap = first;

			first = last;
			last = swap;
		}
		from = base + first * SZ_4K;
		to = base + (last + 1) * SZ_4K;
		for (int i = 0; i < 5; i++)
			domain_write(domain, base + random_next(&random) % (end - base));

		for (iova = base; iova < end; iova += size) {
			struct smmu_leaf leaf = smmu_leaf(&domain->smmu, iova);
			u64 low = iova > from ? iova : from;
			u64 high = iova + leaf.size < to ? iova + leaf.size : to;

			size = leaf.size;
			if (desc_dirty(leaf.value) && low < high)
				want += high - low;
			if (desc_dirty(leaf.value) && size == SZ_2M)
				before[inside++] = iova;
		}
		check(!domain_sync(domain, from, to - from, 0), "the sync failed");
		check(domain_reported(domain) == want,
		      "[0x%" PRIx64 ", 0x%" PRIx64 "): %" PRIu64 " bytes reported of %" PRIu64, from, to,
		      domain_reported(domain), want);
		for (u64 i = 0; i < inside; i++) {
			struct smmu_leaf leaf = smmu_leaf(&domain->smmu, before[i]);
			bool whole = before[i] >= from && before[i] + SZ_2M <= to;

			check(whole ? !desc_dirty(leaf.value) :
				      leaf.size == SZ_2M && desc_dirty(leaf.value),
			      "a dirty block at 0x%" PRIx64 " that was %s reported is %s", before[i],
			      whole ? "wholly" : "not wholly", whole ? "still dirty" : "clean or split");
		}
	}
	check(!domain_sync_all(domain), "the last sync failed");
	domain_free(domain);
}

/* A page written after the part of its block was synced, then the rest */
static void partial_lost(void)
{
	struct domain *domain = two_blocks(&geometry_4k, 2, SZ_2M);

	check(domain_start(domain, IOMMU_DIRTY_SPLIT_OFF, 0) == 0, "the start failed");
	domain_write(domain, SZ_2M + SZ_4K);
	check(!domain_sync(domain, SZ_2M + SZ_1M, SZ_2M + SZ_1M, 0), "the sync failed");
	check(domain_reported(domain) == SZ_1M, "%" PRIu64 " bytes reported", domain_reported(domain));
	check(!domain_sync(domain, SZ_2M, SZ_1M, 0), "the sync failed");
	check(domain_reported(domain) == SZ_1M, "%" PRIu64 " bytes reported", domain_reported(domain));
	domain_free(domain);
}

/* NO_CLEAR changes nothing at all */
static void no_clear(enum iommu_dirty_split_mode mode, unsigned int bbml)
{
	struct domain *domain = domain_new(&geometry_4k, bbml, SZ_2M, 2 * SZ_2M);
	u64 before[2];

	domain_map(domain, SZ_2M, SZ_2M, SZ_2M, RW);
	domain_map(domain, 2 * SZ_2M, SZ_2M, SZ_4K, RW);
	domain->split = (struct iommu_dirty_split) {
		.domain = &domain->iommu, .granularity = SZ_4K, .mode = mode,
	};
	before[0] = smmu_leaf(&domain->smmu, SZ_2M).value;
	before[1] = smmu_leaf(&domain->smmu, 2 * SZ_2M).value;
	for (int round = 0; round < 2; round++) {
		check(!domain_sync(domain, SZ_2M, 2 * SZ_2M, IOMMU_DIRTY_NO_CLEAR), "the sync failed");
		check(domain_reported(domain) == 2 * SZ_2M, "%" PRIu64 " bytes reported",
		      domain_reported(domain));
		check(smmu_leaf(&domain->smmu, SZ_2M).value == before[0] &&
		      smmu_leaf(&domain->smmu, 2 * SZ_2M).value == before[1], "a descriptor has changed");
	}
	domain_free(domain);
}

/* Some blocks and pages, some of them dirty */
static struct domain *mixed(enum iommu_dirty_split_mode mode, unsigned int bbml)
{
	struct domain *domain = domain_new(&geometry_4k, bbml, SZ_1G, 6 * SZ_2M);

	domain_map(domain, SZ_1G, 3 * SZ_2M, SZ_2M, RW);
	domain_map(domain, SZ_1G + 3 * SZ_2M, SZ_2M, SZ_4K, RW);
	domain_map(domain, SZ_1G + 4 * SZ_2M, 2 * SZ_2M, SZ_2M, RW);
	check(domain_start(domain, mode, SZ_4K) == 0, "the start failed");
	for (int i = 0; i < 6; i++)
		domain_write(domain, SZ_1G + i * SZ_2M + 42);
	return domain;
}

enum failure { FAIL_RECORD, FAIL_PIN, FAIL_SIGNAL };

/*
 * A sync fails at its n-th record, pin or look at the fatal signal, for every
 * n. Without the repair nothing may be clean that is not on record; with it the
 * next sync reports everything.
 */
static void failing(enum failure what, enum iommu_dirty_split_mode mode, unsigned int bbml, bool repair)
{
	static const int errors[] = { -EFAULT, -EFAULT, -EINTR };
	int ret = -1;

	for (unsigned long n = 1; ret && !failed(); n++) {
		struct domain *domain = mixed(mode, bbml);
		unsigned long *owed = domain->smmu.owed, *missing;
		size_t words = DIV_ROUND_UP(domain->smmu.pages, BITS_PER_LONG);

		domain->probe = true;
		domain->without_mark_dirty = !repair;
		if (what == FAIL_RECORD)
			domain->fail_record = domain->records + n;
		else if (what == FAIL_PIN)
			domain->fail_pin = domain->pins + n;
		else
			domain->fail_signal = domain->looks + n;
		ret = domain_sync_all(domain);
		check(ret == 0 || ret == errors[what], "the sync returned %d", ret);
		check(ret || n > 1, "the failure made no difference");
		for (int i = 0; i < 6; i++)
			check(smmu_leaf(&domain->smmu, SZ_1G + i * SZ_2M).size == SZ_4K ||
			      !(smmu_leaf(&domain->smmu, SZ_1G + i * SZ_2M).value & DESC_NT),
			      "a block keeps nT after the error");
		domain_expect_addresses(domain);

		missing = calloc(words, sizeof(long));
		for (size_t i = 0; i < words; i++)
			missing[i] = owed[i] & (repair ? ~0ul : ~domain->report[i]);
		for (u64 page = 0; ret && page < domain->smmu.pages; page++)
			if (missing[page / BITS_PER_LONG] >> (page % BITS_PER_LONG) & 1)
				check(desc_dirty(smmu_leaf(&domain->smmu, SZ_1G + page * SZ_4K).value),
				      "page %" PRIu64 " is clean and not on record (n = %lu)", page, n);
		free(missing);

		domain->fail_record = domain->fail_pin = domain->fail_signal = 0;
		if (repair) {
			check(!domain_sync_all(domain), "the next sync failed");
			for (int i = 0; i < 6; i++)
				domain_write(domain, SZ_1G + i * SZ_2M + 42);
			check(!domain_sync_all(domain), "a later sync failed");
		}
		domain_free(domain);
	}
}

/* A tracking start that is killed leaves a table that is right */
static void killed_start(unsigned int bbml)
{
	int ret = -1;

	for (unsigned long n = 1; ret && !failed(); n++) {
		struct domain *domain = domain_new(&geometry_4k, bbml, SZ_1G, 2 * SZ_1G);

		domain_map(domain, SZ_1G, 8 * SZ_2M, SZ_2M, RW);
		domain_map(domain, SZ_1G + 8 * SZ_2M, SZ_1G - 8 * SZ_2M, SZ_2M, RW);
		domain_map(domain, 2 * SZ_1G, SZ_1G, SZ_1G, RW);
		domain->fail_signal = n;
		ret = domain_start(domain, IOMMU_DIRTY_SPLIT_EAGER, SZ_2M);
		check(!ret || ret == -EINTR, "the start returned %d", ret);
		domain_expect_addresses(domain);
		for (u64 iova = SZ_1G; iova < 3 * SZ_1G; iova += SZ_2M)
			check(!(smmu_leaf(&domain->smmu, iova).value & DESC_NT), "a block keeps nT");
		domain_free(domain);
	}
}

/* Entries are counted by size, dirty ones too, and each once */
static void counters(unsigned int bbml)
{
	struct domain *domain = mixed(IOMMU_DIRTY_SPLIT_LAZY, bbml);
	const struct iommu_dirty_stats *stats = &domain->stats;

	check(stats->entries == 5 + 512 && stats->leaves[9] == 5 && stats->leaves[0] == 512,
	      "start: %" PRIu64 " entries, %u of 2M, %u of 4K", (u64)stats->entries, stats->leaves[9],
	      stats->leaves[0]);
	check(!domain_sync_all(domain), "the sync failed");
	check(stats->entries == 5 + 512, "%" PRIu64 " entries", (u64)stats->entries);
	check(stats->dirty[9] == 5 && stats->dirty[0] == 1, "dirty: %u of 2M, %u of 4K", stats->dirty[9],
	      stats->dirty[0]);
	check(!domain_sync_all(domain), "the sync failed");
	check(stats->entries == 6 * 512 && stats->leaves[0] == 6 * 512 && !stats->dirty[0],
	      "after the split: %" PRIu64 " entries", (u64)stats->entries);
	domain_free(domain);
}

/* mark_dirty is for leaves that can be written, and for the range only */
static void mark_dirty(void)
{
	struct domain *domain = domain_new(&geometry_4k, 2, SZ_2M, 4 * SZ_2M);

	domain_map(domain, SZ_2M, SZ_2M, SZ_2M, RW);
	domain_map(domain, 2 * SZ_2M, SZ_2M, SZ_4K, RW);
	domain_map(domain, 3 * SZ_2M, SZ_2M, SZ_2M, IOMMU_READ);
	domain_map(domain, 4 * SZ_2M, SZ_2M, SZ_2M, RW);
	check(domain_start(domain, IOMMU_DIRTY_SPLIT_OFF, 0) == 0, "the start failed");
	check(!domain->ops->mark_dirty(domain->ops, SZ_2M + SZ_1M, 2 * SZ_2M), "mark_dirty failed");
	check(desc_dirty(smmu_leaf(&domain->smmu, SZ_2M).value), "a block is not dirty");
	check(desc_dirty(smmu_leaf(&domain->smmu, 3 * SZ_2M - 1).value), "a page is not dirty");
	check(!desc_dirty(smmu_leaf(&domain->smmu, 4 * SZ_2M).value), "a block outside is dirty");
	check(smmu_access(&domain->smmu, 3 * SZ_2M, true, NULL) == SMMU_PERMISSION,
	      "a read-only block can be written");
	domain_free(domain);
}

/* What a driver records beyond the bitmap is cut off, and is no error */
static void record_beyond(u64 page)
{
	struct domain *domain = domain_new(&geometry_4k, 2, SZ_2M, SZ_2M);
	unsigned long *map = aligned_alloc(PAGE_SIZE, 3 * PAGE_SIZE);
	size_t bits = page == SZ_4K ? PAGE_SIZE * BITS_PER_BYTE : 100;
	struct iova_bitmap *bitmap;

	memset(map, 0, 3 * PAGE_SIZE);
	bitmap = iova_bitmap_alloc(SZ_1G, bits * page, page, (void *)map);
	check(!iova_bitmap_set(bitmap, SZ_1G + (bits - 1) * page, 64 * page),
	      "a record that starts inside the bitmap failed");
	check(map[(bits - 1) / BITS_PER_LONG] == BIT((bits - 1) % BITS_PER_LONG),
	      "bits beyond the bitmap were set: 0x%lx", map[(bits - 1) / BITS_PER_LONG]);
	check(!map[bits / BITS_PER_LONG + (bits % BITS_PER_LONG != 0)], "bits beyond the bitmap were set");
	check(iova_bitmap_set(bitmap, SZ_1G + bits * page, page), "a record outside the bitmap succeeded");
	iova_bitmap_free(bitmap);
	free(map);
	domain_free(domain);
}

void run_sync_cases(void)
{
	static const char *const modes[] = { "off", "eager", "lazy" };
	static const char *const failures[] = { "record", "pin of the bitmap", "fatal signal" };

	for (int mode = IOMMU_DIRTY_SPLIT_OFF; mode <= IOMMU_DIRTY_SPLIT_LAZY; mode++)
		for (unsigned int bbml = 1; bbml <= 2; bbml++) {
			run_case(partial(mode, bbml), "partial syncs, %s bbml%u", modes[mode], bbml);
			run_case(no_clear(mode, bbml), "no-clear, %s bbml%u", modes[mode], bbml);
			for (int what = FAIL_RECORD; what <= FAIL_SIGNAL; what++) {
				run_case(failing(what, mode, bbml, true), "failing %s, %s bbml%u",
					 failures[what], modes[mode], bbml);
				run_case(failing(what, mode, bbml, false),
					 "failing %s before the repair, %s bbml%u", failures[what],
					 modes[mode], bbml);
			}
		}
	run_case(partial_lost(), "a block synced in two parts");
	for (unsigned int bbml = 1; bbml <= 2; bbml++) {
		run_case(counters(bbml), "counters bbml%u", bbml);
		run_case(killed_start(bbml), "killed start bbml%u", bbml);
	}
	run_case(mark_dirty(), "mark dirty");
	run_case(record_beyond(SZ_4K), "record beyond a bitmap that ends with its page");
	run_case(record_beyond(SZ_2M), "record beyond a bitmap that ends within its page");
}

/* ---- unmap --------------------------------------------------------------- */

/* Unmaps what was split, in pieces of @piece; no table may go before the walk cache forgot it */
static void unmap(enum iommu_dirty_split_mode mode, unsigned int bbml, u64 from, u64 to, u64 piece)
{
	struct domain *domain = two_blocks(&geometry_4k, bbml, from);
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
		check(!domain->ops->iova_to_phys(domain->ops, iova), "0x%" PRIx64 " is still mapped", iova);
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
	domain_map(domain, from, 2 * from, from, RW);
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
			run_case(unmap(mode, bbml, SZ_2M, SZ_4K, SZ_2M), "unmap by 2M after %s 2M-4K bbml%u",
				 modes[mode], bbml);
			run_case(unmap(mode, bbml, SZ_2M, SZ_4K, SZ_4K), "unmap by 4K after %s 2M-4K bbml%u",
				 modes[mode], bbml);
			run_case(unmap(mode, bbml, SZ_1G, SZ_4K, SZ_1G), "unmap by 1G after %s 1G-4K bbml%u",
				 modes[mode], bbml);
			run_case(unmap(mode, bbml, SZ_1G, SZ_2M, SZ_2M), "unmap by 2M after %s 1G-2M bbml%u",
				 modes[mode], bbml);
		}
	run_case(kernel_selftest(), "the kernel's own selftest");
}
