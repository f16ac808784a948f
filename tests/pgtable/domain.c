// SPDX-License-Identifier: GPL-2.0-only
/*
 * A domain under test; see domain.h. The functions named kernel_* stand for
 * the functions of iommufd and arm-smmu-v3.c named in their comments and do
 * what those do, no more.
 */
#include "domain.h"
#include "test.h"
#include <inttypes.h>

const struct geometry geometry_4k = { "4K", 12, 48, SZ_4K | SZ_2M | SZ_1G, 0x4000000000 };
const struct geometry geometry_16k = { "16K", 14, 48, SZ_16K | SZ_32M, 0x4000000000 };
/* Output addresses above 48 bits sit in bits 15:12 of a descriptor */
const struct geometry geometry_64k = { "64K", 16, 52, SZ_64K | SZ_512M, 0x5000000000000 };

struct domain *current_domain;

u64 window_end(const struct domain *domain)
{
	return domain->smmu.base + (domain->smmu.pages << domain->smmu.page_shift);
}

u64 page_size(const struct domain *domain)
{
	return 1ull << domain->smmu.page_shift;
}

/* ---- hooks of the shim --------------------------------------------------- */

void shim_warn(const char *function, int line)
{
	fail("WARN in %s(), line %d", function, line);
}

void shim_resched(void)
{
	if (current_domain)
		current_domain->rescheds++;
}

bool shim_fatal_signal(void)
{
	struct domain *domain = current_domain;

	return ++domain->looks >= domain->fail_signal && domain->fail_signal;
}

int shim_record(unsigned long iova, size_t length)
{
	struct domain *domain = current_domain;

	return ++domain->records == domain->fail_record ? -EFAULT : 0;
}

int pin_user_pages_fast(unsigned long start, int count, unsigned int flags, struct page **pages)
{
	struct domain *domain = current_domain;

	if (++domain->pins == domain->fail_pin)
		return -EFAULT;
	for (int i = 0; i < count; i++)
		pages[i] = (struct page *)((start & PAGE_MASK) + i * PAGE_SIZE);
	return count;
}

void trace_iommu_split(struct iommu_domain *iommu, unsigned long iova, size_t from, size_t to,
		       unsigned int tables, bool clean, u64 ns, int ret)
{
	struct domain *domain = current_domain;

	check(iommu == &domain->iommu, "iommu_split names another domain");
	check(iova % from == 0 && from > to, "iommu_split of 0x%lx from %zu to %zu", iova, from,
	      to);
	if (ret)
		domain->split_failures++;
	else
		domain->splits++;
}

/* The lock-free reader of the tables, at any moment and in any state of a split */
static void probe_addresses(struct domain *domain)
{
	u64 third = (window_end(domain) - domain->smmu.base) / 3;

	for (u64 iova = domain->smmu.base + 42; iova < window_end(domain); iova += third) {
		phys_addr_t pa = domain->ops->iova_to_phys(domain->ops, iova);

		check(pa == iova + domain->geometry->pa_offset,
		      "iova_to_phys(0x%" PRIx64 ") is 0x%" PRIx64 " at step %lu", iova, pa,
		      domain->step);
	}
}

/* Rules for a change of a live descriptor, whatever comes of it later */
static void check_change(struct domain *domain, u64 *p, u64 old, u64 new)
{
	if (DESC_TYPE(old) != DESC_BLOCK || DESC_TYPE(new) != DESC_TABLE)
		return;
	switch (domain->smmu.bbml) {
	case 0:
		fail("a live block became a table at BBML 0");
		break;
	case 1:
		check(old & DESC_NT, "a table replaced a block without nT at BBML 1");
		check(!smmu_caches_descriptor(&domain->smmu, p),
		      "a table replaced a block that the TLB still holds at BBML 1");
		break;
	}
}

void shim_access(void *p, enum shim_op op, u64 seen)
{
	struct domain *domain = current_domain;

	if (!domain || domain->threaded || domain->acting)
		return;

	domain->acting = true;
	if (op == SHIM_DONE && domain->changed_at == p)
		check_change(domain, p, domain->changed, *(u64 *)p);
	if (op == SHIM_READ) {
		domain->seen_at = p;
		domain->seen = seen;
	}
	domain->step++;
	if (domain->act)
		domain->act(domain, domain->step);
	if (domain->probe)
		probe_addresses(domain);
	if (op == SHIM_STORE && domain->seen_at == p)
		check(*(u64 *)p == domain->seen,
		      "a store over a descriptor that changed since it was read");
	if (op == SHIM_STORE || op == SHIM_ATOMIC) {
		domain->changed_at = p;
		domain->changed = *(u64 *)p;
	}
	domain->acting = false;
}

/* ---- tables and invalidations -------------------------------------------- */

static void *alloc_table(void *cookie, size_t size, gfp_t gfp)
{
	struct domain *domain = cookie;
	size_t align = size > PAGE_SIZE ? size : PAGE_SIZE;
	void *table;

	domain->allocations++;
	if (domain->fail_alloc && domain->allocations >= domain->fail_alloc)
		return NULL;
	table = aligned_alloc(align, align);
	if (!table)
		abort();
	domain->tables++;
	return memset(table, 0, align);
}

static void free_table(void *cookie, void *table, size_t size)
{
	struct domain *domain = cookie;

	check(!smmu_caches_table(&domain->smmu, table, size),
	      "a table was freed that a walk may still go through");
	domain->tables--;
	free(table);
}

/* arm_smmu_tlb_inv_context() */
static void kernel_flush_all(void *cookie)
{
	struct domain *domain = cookie;

	smmu_invalidate(&domain->smmu, 0, 1ull << 52, false, 0);
}

/* arm_smmu_tlb_inv_walk() */
static void kernel_flush_walk(unsigned long iova, size_t size, size_t granule, void *cookie)
{
	struct domain *domain = cookie;

	smmu_invalidate(&domain->smmu, iova, size, false, 0);
}

/* arm_smmu_tlb_inv_page_nosync() */
static void kernel_add_page(struct iommu_iotlb_gather *gather, unsigned long iova, size_t granule,
			    void *cookie)
{
	struct domain *domain = cookie;

	iommu_iotlb_gather_add_page(&domain->iommu, gather, iova, granule);
}

static const struct iommu_flush_ops flush_ops = {
	.tlb_flush_all = kernel_flush_all,
	.tlb_flush_walk = kernel_flush_walk,
	.tlb_add_page = kernel_add_page,
};

/* arm_smmu_iotlb_sync(), the caller holds the SMMU's lock */
static void kernel_iotlb_sync_locked(struct domain *domain, struct iommu_iotlb_gather *gather)
{
	if (gather->start > gather->end || domain->without_invalidation)
		return;
	smmu_invalidate_locked(&domain->smmu, gather->start, gather->end - gather->start + 1,
			       gather->pgsize != 0, gather->pgsize);
}

static void kernel_iotlb_sync(struct iommu_domain *iommu, struct iommu_iotlb_gather *gather)
{
	struct domain *domain = container_of(iommu, struct domain, iommu);

	pthread_mutex_lock(&domain->smmu.lock);
	kernel_iotlb_sync_locked(domain, gather);
	pthread_mutex_unlock(&domain->smmu.lock);
}

static const struct iommu_domain_ops domain_ops = { .iotlb_sync = kernel_iotlb_sync };

/* ---- life ---------------------------------------------------------------- */

struct domain *domain_new(const struct geometry *geometry, unsigned int bbml, u64 base, u64 size)
{
	struct domain *domain = calloc(1, sizeof(*domain));

	domain->geometry = geometry;
	domain->iommu.ops = &domain_ops;
	domain->budget = UINT_MAX;
	domain->cfg = (struct io_pgtable_cfg) {
		.quirks = IO_PGTABLE_QUIRK_ARM_HD, .pgsize_bitmap = geometry->sizes,
		.ias = 48, .oas = geometry->oas, .coherent_walk = true, .bbml = bbml,
		.tlb = &flush_ops, .alloc = alloc_table, .free = free_table,
	};
	smmu_init(&domain->smmu, geometry->page_shift, 48, bbml, base,
		  size >> geometry->page_shift);
	domain->report = calloc(DIV_ROUND_UP(domain->smmu.pages, BITS_PER_LONG), sizeof(long));
	current_domain = domain;

	domain->ops = alloc_io_pgtable_ops(ARM_64_LPAE_S1, &domain->cfg, domain);
	if (!domain->ops)
		abort();
	domain->smmu.root = (u64 *)domain->cfg.arm_lpae_s1_cfg.ttbr;
	return domain;
}

struct domain *domain_two_blocks(const struct geometry *geometry, unsigned int bbml, u64 size)
{
	struct domain *domain = domain_new(geometry, bbml, size, 2 * size);

	domain_map(domain, size, 2 * size, size, DMA_RW);
	return domain;
}

void domain_free(struct domain *domain)
{
	current_domain = domain;
	domain->fail_alloc = 0;
	free_io_pgtable_ops(domain->ops);
	check(!domain->tables, "%lu tables were never freed", domain->tables);
	smmu_exit(&domain->smmu);
	free(domain->report);
	free(domain);
	current_domain = NULL;
}

void domain_map(struct domain *domain, u64 iova, u64 size, u64 page, int prot)
{
	size_t mapped = 0;

	while (mapped < size) {
		size_t now = 0;
		int ret = domain->ops->map_pages(domain->ops, iova + mapped,
						 iova + mapped + domain->geometry->pa_offset, page,
						 (size - mapped) / page, prot, GFP_KERNEL, &now);

		if (ret || !now) {
			fail("map of 0x%" PRIx64 " returned %d", iova + mapped, ret);
			return;
		}
		mapped += now;
	}
}

/* iommu_unmap_fast() and iommu_iotlb_sync() */
void domain_unmap(struct domain *domain, u64 iova, u64 size, u64 page)
{
	struct iommu_iotlb_gather gather;
	size_t unmapped = 0;

	iommu_iotlb_gather_init(&gather);
	while (unmapped < size) {
		size_t now = domain->ops->unmap_pages(domain->ops, iova + unmapped, page,
						      (size - unmapped) / page, &gather);

		if (!now) {
			fail("unmap of 0x%" PRIx64 " did nothing", iova + unmapped);
			return;
		}
		unmapped += now;
	}
	kernel_iotlb_sync(&domain->iommu, &gather);
}

/* ---- tracking ------------------------------------------------------------ */

/* arm_smmu_read_and_clear_dirty() */
static int kernel_read_and_clear_dirty(struct domain *domain, u64 iova, u64 size,
				       unsigned long flags, struct iommu_dirty_bitmap *dirty)
{
	struct io_pgtable_ops *ops = domain->ops;
	int ret, err;

	ret = ops->read_and_clear_dirty(ops, iova, size, flags, dirty);
	if (!dirty->split.pending)
		return ret;

	if (!domain->without_first_invalidation)
		smmu_invalidate(&domain->smmu, iova, size, false, 0);

	dirty->split.commit = true;
	err = ops->read_and_clear_dirty(ops, iova, size, flags, dirty);
	dirty->split.commit = false;
	dirty->split.pending = false;
	return ret ? ret : err;
}

/* iopt_clear_dirty_data() */
int domain_start(struct domain *domain, enum iommu_dirty_split_mode mode, size_t granularity)
{
	struct iommu_iotlb_gather gather;
	struct iommu_dirty_bitmap dirty;
	int ret;

	current_domain = domain;
	domain->split = (struct iommu_dirty_split) {
		.domain = &domain->iommu, .granularity = granularity, .mode = mode,
	};
	memset(&domain->stats, 0, sizeof(domain->stats));
	iommu_dirty_bitmap_init(&dirty, NULL, &gather);
	dirty.split = domain->split;
	dirty.split.budget = UINT_MAX;
	dirty.stats = &domain->stats;

	ret = kernel_read_and_clear_dirty(domain, domain->smmu.base,
					  window_end(domain) - domain->smmu.base, 0, &dirty);

	/* Tracking begins here: what was written before is nobody's */
	pthread_mutex_lock(&domain->smmu.lock);
	kernel_iotlb_sync_locked(domain, &gather);
	memset(domain->smmu.owed, 0,
	       DIV_ROUND_UP(domain->smmu.pages, BITS_PER_LONG) * sizeof(long));
	pthread_mutex_unlock(&domain->smmu.lock);
	if (!domain->threaded)
		check(ret || !smmu_caches_stale_block(&domain->smmu),
		      "the TLB still holds a block that was split");
	return ret;
}

static bool test_page(const unsigned long *map, u64 page)
{
	return map[page / BITS_PER_LONG] >> (page % BITS_PER_LONG) & 1;
}

/* Takes over what the user's bitmap says; nothing may be set past its end */
static void take_report(struct domain *domain, const unsigned long *bitmap, size_t bits,
			u64 first, u64 count)
{
	for (u64 i = 0; i < bits; i++) {
		if (i % BITS_PER_LONG == 0 && !bitmap[i / BITS_PER_LONG]) {
			i += BITS_PER_LONG - 1;
			continue;
		}
		if (!test_page(bitmap, i))
			continue;
		if (i >= count) {
			fail("bit %" PRIu64 " of a bitmap of %" PRIu64 " was set", i, count);
			return;
		}
		domain->report[(first + i) / BITS_PER_LONG] |= BIT((first + i) % BITS_PER_LONG);
	}
}

/* iommu_read_and_clear_dirty() of iommufd */
int domain_sync(struct domain *domain, u64 iova, u64 length, unsigned long flags)
{
	struct smmu *smmu = &domain->smmu;
	size_t words = DIV_ROUND_UP(smmu->pages, BITS_PER_LONG);
	u64 first = (iova - smmu->base) >> smmu->page_shift;
	u64 count = length >> smmu->page_shift;
	/* A page of its own after the bits, so that one too many shows */
	size_t size = (count / BITS_PER_BYTE & PAGE_MASK) + 2 * PAGE_SIZE;
	unsigned long *bitmap = aligned_alloc(PAGE_SIZE, size);
	unsigned long *must = malloc(words * sizeof(long));
	bool clear = !(flags & IOMMU_DIRTY_NO_CLEAR);
	struct iommu_iotlb_gather gather;
	struct iommu_dirty_bitmap dirty;
	struct iova_bitmap *iter;
	int ret;

	current_domain = domain;
	memset(bitmap, 0, size);
	memset(domain->report, 0, words * sizeof(long));
	memset(&domain->stats, 0, sizeof(domain->stats));
	pthread_mutex_lock(&smmu->lock);
	memcpy(must, smmu->owed, words * sizeof(long));
	pthread_mutex_unlock(&smmu->lock);

	iter = iova_bitmap_alloc(iova, length, page_size(domain), (void *)bitmap);
	iommu_dirty_bitmap_init(&dirty, iter, &gather);
	dirty.split = domain->split;
	dirty.split.budget = domain->budget;
	dirty.stats = &domain->stats;

	ret = kernel_read_and_clear_dirty(domain, iova, length, flags, &dirty);
	take_report(domain, bitmap, size * BITS_PER_BYTE, first, count);

	/* iopt_mark_dirty() */
	if (clear && ret && !domain->without_mark_dirty && gather.start <= gather.end)
		domain->ops->mark_dirty(domain->ops, gather.start, gather.end - gather.start + 1);

	pthread_mutex_lock(&smmu->lock);
	if (clear)
		kernel_iotlb_sync_locked(domain, &gather);
	/* The caller copies what was reported after this: nothing is owed for it */
	for (size_t i = 0; !ret && clear && i < words; i++)
		smmu->owed[i] &= ~domain->report[i];
	pthread_mutex_unlock(&smmu->lock);
	iova_bitmap_free(iter);

	for (u64 page = first; !ret && page < first + count; page++) {
		if (must[page / BITS_PER_LONG] && test_page(must, page) &&
		    !test_page(domain->report, page)) {
			fail("page 0x%" PRIx64 " was written before the sync and is not reported",
			     smmu->base + (page << smmu->page_shift));
			break;
		}
	}
	if (!ret)
		check(domain->stats.dirty_bytes == domain_reported(domain),
		      "dirty_bytes is %" PRIu64 ", the bitmap has %" PRIu64 " bytes",
		      domain->stats.dirty_bytes, domain_reported(domain));
	if (clear && !domain->threaded)
		check(!smmu_caches_stale_block(smmu), "the TLB still holds a block that was split");
	free(bitmap);
	free(must);
	return ret;
}

int domain_sync_all(struct domain *domain)
{
	return domain_sync(domain, domain->smmu.base, window_end(domain) - domain->smmu.base, 0);
}

static void dma(struct domain *domain, u64 iova, bool write)
{
	u64 pa;
	enum smmu_result result = smmu_access(&domain->smmu, iova, write, &pa);

	check(result == SMMU_OK, "DMA to 0x%" PRIx64 " failed: %s", iova,
	      result == SMMU_CONFLICT ? "F_TLB_CONFLICT" :
	      result == SMMU_PERMISSION ? "F_PERMISSION" : "F_TRANSLATION");
	check(result != SMMU_OK || pa == iova + domain->geometry->pa_offset,
	      "DMA to 0x%" PRIx64 " went to 0x%" PRIx64, iova, pa);
}

void domain_write(struct domain *domain, u64 iova)
{
	dma(domain, iova, true);
}

void domain_read(struct domain *domain, u64 iova)
{
	dma(domain, iova, false);
}

/* ---- expectations -------------------------------------------------------- */

u64 domain_reported(const struct domain *domain)
{
	u64 pages = 0;

	for (size_t i = 0; i < DIV_ROUND_UP(domain->smmu.pages, BITS_PER_LONG); i++)
		pages += __builtin_popcountl(domain->report[i]);
	return pages << domain->smmu.page_shift;
}

void domain_expect_leaves(struct domain *domain, u64 iova, u64 length, u64 size)
{
	for (u64 end = iova + length; iova < end && !failed(); iova += size) {
		struct smmu_leaf leaf = smmu_leaf(&domain->smmu, iova);

		check(leaf.size == size,
		      "leaf at 0x%" PRIx64 " has %" PRIu64 " bytes, not %" PRIu64, iova, leaf.size,
		      size);
		check(leaf.pa == iova + domain->geometry->pa_offset,
		      "leaf at 0x%" PRIx64 " points to 0x%" PRIx64, iova, leaf.pa);
		check(size == page_size(domain) || !(leaf.value & DESC_NT),
		      "block at 0x%" PRIx64 " keeps nT", iova);
	}
}

void domain_expect_addresses(struct domain *domain)
{
	u64 iova = domain->smmu.base;

	while (iova < window_end(domain) && !failed()) {
		u64 size = smmu_leaf(&domain->smmu, iova).size;
		u64 offsets[] = { 0, size / 2 + 42, size - 1 };

		for (int i = 0; i < 3 && size; i++)
			check(domain->ops->iova_to_phys(domain->ops, iova + offsets[i]) ==
			      iova + offsets[i] + domain->geometry->pa_offset,
			      "iova_to_phys(0x%" PRIx64 ") is wrong", iova + offsets[i]);
		iova += size ? size : page_size(domain);
	}
}
