// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a sync has to report, clean and repair when nothing else happens at the
 * same time. Races are in races.c.
 */
#include "domain.h"
#include "test.h"
#include <inttypes.h>

/*
 * Syncs of any part: the report is exactly the dirty leaves, cut to the range;
 * only a leaf wholly inside it becomes clean.
 */
static void partial(enum iommu_dirty_split_mode mode, unsigned int bbml)
{
	u64 base = SZ_1G, end = base + 10 * SZ_2M, random = test_seed * 77 | 1;
	struct domain *domain = domain_new(&geometry_4k, bbml, base, end - base);

	domain_map(domain, base, 4 * SZ_2M, SZ_2M, DMA_RW);
	domain_map(domain, base + 4 * SZ_2M, 2 * SZ_2M, SZ_4K, DMA_RW);
	domain_map(domain, base + 6 * SZ_2M, 4 * SZ_2M, SZ_2M, DMA_RW);
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
		      "[0x%" PRIx64 ", 0x%" PRIx64 "): %" PRIu64 " bytes reported of %" PRIu64,
		      from, to, domain_reported(domain), want);
		for (u64 i = 0; i < inside; i++) {
			struct smmu_leaf leaf = smmu_leaf(&domain->smmu, before[i]);
			bool whole = before[i] >= from && before[i] + SZ_2M <= to;

			check(whole ? !desc_dirty(leaf.value) :
				      leaf.size == SZ_2M && desc_dirty(leaf.value),
			      "a dirty block at 0x%" PRIx64 " that was %s reported is %s",
			      before[i], whole ? "wholly" : "not wholly",
			      whole ? "still dirty" : "clean or split");
		}
	}
	check(!domain_sync_all(domain), "the last sync failed");
	domain_free(domain);
}

/* A page written after the part of its block was synced, then the rest */
static void partial_lost(void)
{
	struct domain *domain = domain_two_blocks(&geometry_4k, 2, SZ_2M);

	check(domain_start(domain, IOMMU_DIRTY_SPLIT_OFF, 0) == 0, "the start failed");
	domain_write(domain, SZ_2M + SZ_4K);
	check(!domain_sync(domain, SZ_2M + SZ_1M, SZ_2M + SZ_1M, 0), "the sync failed");
	check(domain_reported(domain) == SZ_1M, "%" PRIu64 " bytes reported",
	      domain_reported(domain));
	check(!domain_sync(domain, SZ_2M, SZ_1M, 0), "the sync failed");
	check(domain_reported(domain) == SZ_1M, "%" PRIu64 " bytes reported",
	      domain_reported(domain));
	domain_free(domain);
}

/* NO_CLEAR changes nothing at all */
static void no_clear(enum iommu_dirty_split_mode mode, unsigned int bbml)
{
	struct domain *domain = domain_new(&geometry_4k, bbml, SZ_2M, 2 * SZ_2M);
	u64 before[2];

	domain_map(domain, SZ_2M, SZ_2M, SZ_2M, DMA_RW);
	domain_map(domain, 2 * SZ_2M, SZ_2M, SZ_4K, DMA_RW);
	domain->split = (struct iommu_dirty_split) {
		.domain = &domain->iommu, .granularity = SZ_4K, .mode = mode,
	};
	before[0] = smmu_leaf(&domain->smmu, SZ_2M).value;
	before[1] = smmu_leaf(&domain->smmu, 2 * SZ_2M).value;
	for (int round = 0; round < 2; round++) {
		check(!domain_sync(domain, SZ_2M, 2 * SZ_2M, IOMMU_DIRTY_NO_CLEAR),
		      "the sync failed");
		check(domain_reported(domain) == 2 * SZ_2M, "%" PRIu64 " bytes reported",
		      domain_reported(domain));
		check(smmu_leaf(&domain->smmu, SZ_2M).value == before[0] &&
			      smmu_leaf(&domain->smmu, 2 * SZ_2M).value == before[1],
		      "a descriptor has changed");
	}
	domain_free(domain);
}

/* Some blocks and pages, some of them dirty */
static struct domain *mixed(enum iommu_dirty_split_mode mode, unsigned int bbml)
{
	struct domain *domain = domain_new(&geometry_4k, bbml, SZ_1G, 6 * SZ_2M);

	domain_map(domain, SZ_1G, 3 * SZ_2M, SZ_2M, DMA_RW);
	domain_map(domain, SZ_1G + 3 * SZ_2M, SZ_2M, SZ_4K, DMA_RW);
	domain_map(domain, SZ_1G + 4 * SZ_2M, 2 * SZ_2M, SZ_2M, DMA_RW);
	check(domain_start(domain, mode, SZ_4K) == 0, "the start failed");
	for (int i = 0; i < 6; i++)
		domain_write(domain, SZ_1G + i * SZ_2M + 42);
	return domain;
}

static bool page_is_dirty(struct domain *domain, u64 page)
{
	return desc_dirty(smmu_leaf(&domain->smmu, domain->smmu.base + page * SZ_4K).value);
}

enum failure { FAIL_RECORD, FAIL_PIN, FAIL_SIGNAL };

/*
 * A sync fails at its n-th record, pin or look at the fatal signal, for every
 * n. Without the repair nothing may be clean that is not on record; with it the
 * next sync reports everything.
 */
static void failing(enum failure what, enum iommu_dirty_split_mode mode, unsigned int bbml,
		    bool repair)
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
				check(page_is_dirty(domain, page),
				      "page %" PRIu64 " is clean and not on record (n = %lu)", page,
				      n);
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

		domain_map(domain, SZ_1G, 8 * SZ_2M, SZ_2M, DMA_RW);
		domain_map(domain, SZ_1G + 8 * SZ_2M, SZ_1G - 8 * SZ_2M, SZ_2M, DMA_RW);
		domain_map(domain, 2 * SZ_1G, SZ_1G, SZ_1G, DMA_RW);
		domain->fail_signal = n;
		ret = domain_start(domain, IOMMU_DIRTY_SPLIT_EAGER, SZ_2M);
		check(!ret || ret == -EINTR, "the start returned %d", ret);
		domain_expect_addresses(domain);
		for (u64 iova = SZ_1G; iova < 3 * SZ_1G; iova += SZ_2M)
			check(!(smmu_leaf(&domain->smmu, iova).value & DESC_NT),
			      "a block keeps nT");
		domain_free(domain);
	}
}

/* Entries are counted by size, dirty ones too, and each once */
static void counters(unsigned int bbml)
{
	struct domain *domain = mixed(IOMMU_DIRTY_SPLIT_LAZY, bbml);
	const struct iommu_dirty_stats *stats = &domain->stats;

	check(stats->leaves[9] == 5 && stats->leaves[0] == 512, "start: %u of 2M, %u of 4K",
	      stats->leaves[9], stats->leaves[0]);
	check(!domain_sync_all(domain), "the sync failed");
	check(stats->leaves[9] == 5 && stats->leaves[0] == 512, "sync: %u of 2M, %u of 4K",
	      stats->leaves[9], stats->leaves[0]);
	check(stats->dirty[9] == 5 && stats->dirty[0] == 1, "dirty: %u of 2M, %u of 4K",
	      stats->dirty[9], stats->dirty[0]);
	check(!domain_sync_all(domain), "the sync failed");
	check(!stats->leaves[9] && stats->leaves[0] == 6 * 512 && !stats->dirty[0],
	      "after the split: %u of 2M, %u of 4K", stats->leaves[9], stats->leaves[0]);
	domain_free(domain);
}

/* Marking dirty is for leaves that can be written, and for the range only */
static void mark_dirty(void)
{
	struct domain *domain = domain_new(&geometry_4k, 2, SZ_2M, 4 * SZ_2M);

	domain_map(domain, SZ_2M, SZ_2M, SZ_2M, DMA_RW);
	domain_map(domain, 2 * SZ_2M, SZ_2M, SZ_4K, DMA_RW);
	domain_map(domain, 3 * SZ_2M, SZ_2M, SZ_2M, IOMMU_READ);
	domain_map(domain, 4 * SZ_2M, SZ_2M, SZ_2M, DMA_RW);
	check(domain_start(domain, IOMMU_DIRTY_SPLIT_OFF, 0) == 0, "the start failed");
	check(!domain->ops->read_and_clear_dirty(domain->ops, SZ_2M + SZ_1M, 3 * SZ_2M, 0, NULL),
	      "marking failed");
	/* What is only partly inside was never cleaned by a sync of that range */
	check(!desc_dirty(smmu_leaf(&domain->smmu, SZ_2M).value), "a block in part is dirty");
	check(desc_dirty(smmu_leaf(&domain->smmu, 3 * SZ_2M - 1).value), "a page is not dirty");
	check(!desc_dirty(smmu_leaf(&domain->smmu, 4 * SZ_2M).value), "a block in part is dirty");
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
	check(!map[bits / BITS_PER_LONG + (bits % BITS_PER_LONG != 0)],
	      "bits beyond the bitmap were set");
	check(iova_bitmap_set(bitmap, SZ_1G + bits * page, page),
	      "a record outside the bitmap succeeded");
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
			run_case(partial(mode, bbml), "partial syncs, %s bbml%u", modes[mode],
				 bbml);
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
