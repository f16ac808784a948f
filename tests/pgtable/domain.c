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

const struct split_case split_cases[] = {
	{ &geometry_4k, SZ_2M, SZ_4K },
	{ &geometry_4k, SZ_1G, SZ_2M },
	{ &geometry_4k, SZ_1G, SZ_4K },
	{ &geometry_16k, SZ_32M, SZ_16K },
	{ &geometry_64k, SZ_512M, SZ_64K },
	{ }
};

struct domain *current_domain;

u64 window_end(const struct domain *domain)
{
	return domain->smmu.base + (domain->smmu.pages << domain->smmu.page_shift);
}

u64 page_size(const struct domain *domain)
{
	return 1ull << domain->smmu.page_shift;
}

static void watch(struct domain *domain, struct event event)
{
	if (domain->watch && !domain->acting) {
		event.cpu = fiber_self();
		domain->watch(domain, &event);
	}
}

static void yield_point(struct domain *domain, u64 *p);

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

	if (++domain->records == domain->fail_record)
		return -EFAULT;
	watch(domain, (struct event){ .kind = EVENT_RECORD, .iova = iova, .length = length });
	return 0;
}

void shim_recorded(void)
{
	yield_point(current_domain, NULL);
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
		       u64 ns, int ret)
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

void trace_iommu_merge(struct iommu_domain *iommu, unsigned long iova, size_t from, size_t to,
		       u64 ns, int ret)
{
	struct domain *domain = current_domain;

	check(iommu == &domain->iommu, "iommu_merge names another domain");
	check(iova % to == 0 && from < to && !ret, "iommu_merge of 0x%lx from %zu to %zu: %d", iova,
	      from, to, ret);
	domain->merges++;
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
	unsigned int bbml = domain->smmu.bbml;
	u64 iova, size;

	if (!smmu_find(&domain->smmu, p, &iova, &size) || iova < domain->smmu.base ||
	    iova >= window_end(domain))
		return;
	if (DESC_TYPE(old) && !DESC_TYPE(new) && !domain->cpus[fiber_self()].unmapping)
		fail("an entry that the hardware uses became invalid");
	if (size == page_size(domain))
		return;

	if (DESC_TYPE(old) == DESC_BLOCK && DESC_TYPE(new) == DESC_TABLE) {
		check(bbml, "a live block became a table at BBML 0");
		check(bbml != 1 || (old & DESC_NT), "a table replaced a block without nT at BBML 1");
		check(bbml != 1 || !smmu_caches_descriptor(&domain->smmu, p),
		      "a table replaced a block that the TLB still holds at BBML 1");
	}
	if (DESC_TYPE(old) == DESC_TABLE && DESC_TYPE(new) == DESC_BLOCK) {
		check(bbml, "a live table became a block at BBML 0");
		check(bbml != 1 || (new & DESC_NT), "a block replaced a table without nT at BBML 1");
		check(!(new & DESC_DBM) || desc_dirty(new), "a merged block was installed clean");
		check(size <= domain_mapped_size(domain, iova),
		      "a leaf of %" PRIu64 " bytes where one of %" PRIu64 " was mapped", size,
		      domain_mapped_size(domain, iova));
	}
	if (DESC_TYPE(old) == DESC_BLOCK && DESC_TYPE(new) == DESC_BLOCK && (old & DESC_NT) &&
	    !(new & DESC_NT))
		check(bbml != 1 || !smmu_caches_smaller(&domain->smmu, iova, size),
		      "nT was removed at BBML 1 while the TLB holds smaller leaves");
}

/*
 * Between two steps of the driver: the hardware acts, addresses are looked up,
 * another CPU may go on. @p is the descriptor the driver is at, or NULL.
 */
static void yield_point(struct domain *domain, u64 *p)
{
	if (!domain || domain->threaded || domain->acting)
		return;

	domain->acting = true;
	domain->step++;
	domain->at = p;
	if (domain->act)
		domain->act(domain, domain->step);
	if (domain->probe)
		probe_addresses(domain);
	domain->acting = false;
	fiber_yield();
}

void shim_access(void *p, enum shim_op op, u64 seen)
{
	struct domain *domain = current_domain;
	struct cpu *cpu;

	if (!domain || domain->threaded || domain->acting)
		return;

	cpu = &domain->cpus[fiber_self()];
	if (op == SHIM_DONE && cpu->changed_at == p && cpu->changed != *(u64 *)p) {
		domain->acting = true;
		check_change(domain, p, cpu->changed, *(u64 *)p);
		domain->acting = false;
		watch(domain, (struct event){ .kind = EVENT_CHANGE, .p = p, .old = cpu->changed,
					      .new = *(u64 *)p });
	}
	if (op == SHIM_READ) {
		cpu->seen_at = p;
		cpu->seen = seen;
		watch(domain, (struct event){ .kind = EVENT_READ, .p = p, .old = seen });
	}
	yield_point(domain, p);
	if (op == SHIM_STORE && cpu->seen_at == p)
		check(*(u64 *)p == cpu->seen,
		      "a store over a descriptor that changed since it was read");
	if (op == SHIM_STORE || op == SHIM_ATOMIC) {
		cpu->changed_at = p;
		cpu->changed = *(u64 *)p;
	}
}

/* ---- tables and invalidations -------------------------------------------- */

/* The struct page of a table lies right before it, where nobody but the lists looks */
struct page *virt_to_page(const void *table)
{
	return (struct page *)table - 1;
}

static size_t table_align(size_t size)
{
	return size > PAGE_SIZE ? size : PAGE_SIZE;
}

static void *alloc_table(void *cookie, size_t size, gfp_t gfp)
{
	struct domain *domain = cookie;
	size_t align = table_align(size);
	void *table;

	yield_point(domain, NULL);
	domain->allocations++;
	if (domain->fail_alloc && domain->allocations >= domain->fail_alloc)
		return NULL;
	table = aligned_alloc(align, 2 * align);
	if (!table)
		abort();
	table = (char *)table + align;
	virt_to_page(table)->address = table;
	domain->tables++;
	return memset(table, 0, align);
}

static void free_table(void *cookie, void *table, size_t size)
{
	struct domain *domain = cookie;

	check(!smmu_caches_table(&domain->smmu, table, size),
	      "a table was freed that a walk may still go through");
	domain->tables--;
	/* What still points here walks through poison, or is caught by the sanitizer */
	memset(table, 0xa5, size);
	free((char *)table - table_align(size));
}

/* TLBI and CMD_SYNC of the driver: others act before and after it */
static void kernel_invalidate(struct domain *domain, u64 iova, u64 size)
{
	yield_point(domain, NULL);
	smmu_invalidate(&domain->smmu, iova, size, false, 0);
	watch(domain, (struct event){ .kind = EVENT_INVALIDATE, .iova = iova, .length = size });
	yield_point(domain, NULL);
}

/* arm_smmu_tlb_inv_context() */
static void kernel_flush_all(void *cookie)
{
	struct domain *domain = cookie;

	kernel_invalidate(domain, 0, 1ull << 52);
}

/* arm_smmu_tlb_inv_walk() */
static void kernel_flush_walk(unsigned long iova, size_t size, size_t granule, void *cookie)
{
	struct domain *domain = cookie;

	kernel_invalidate(domain, iova, size);
}

/* arm_smmu_tlb_inv_page_nosync() */
static void kernel_add_page(struct iommu_iotlb_gather *gather, unsigned long iova, size_t granule,
			    void *cookie)
{
	struct domain *domain = cookie;

	watch(domain, (struct event){ .kind = EVENT_UNMAP, .iova = iova, .length = granule });
	yield_point(domain, NULL);
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
	watch(domain, (struct event){ .kind = EVENT_INVALIDATE, .iova = gather->start,
				      .length = gather->end - gather->start + 1 });
}

static void kernel_iotlb_sync(struct iommu_domain *iommu, struct iommu_iotlb_gather *gather)
{
	struct domain *domain = container_of(iommu, struct domain, iommu);

	yield_point(domain, NULL);
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
	domain->mapped = calloc(domain->smmu.pages, 1);
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
	free(domain->mapped);
	free(domain);
	current_domain = NULL;
}

/* Remembers leaves of 1 << @shift bytes as what the caller has asked for, 0 for none */
static void note_mapping(struct domain *domain, u64 iova, u64 size, unsigned int shift)
{
	u64 first = (iova - domain->smmu.base) >> domain->smmu.page_shift;

	if (iova >= domain->smmu.base && iova < window_end(domain))
		memset(domain->mapped + first, shift, size >> domain->smmu.page_shift);
}

u64 domain_mapped_size(const struct domain *domain, u64 iova)
{
	unsigned int shift =
		domain->mapped[(iova - domain->smmu.base) >> domain->smmu.page_shift];

	return shift ? 1ull << shift : 0;
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
	note_mapping(domain, iova, size, ilog2(page));
}

/* Nobody asks for what was written to a range that is gone */
static void forget(struct domain *domain, u64 iova, u64 size)
{
	struct smmu *smmu = &domain->smmu;
	u64 page = (iova - smmu->base) >> smmu->page_shift;
	u64 end = page + (size >> smmu->page_shift);

	if (iova < smmu->base)
		return;
	pthread_mutex_lock(&smmu->lock);
	for (; page < end && page < smmu->pages; page++) {
		if (page % BITS_PER_LONG == 0 && end - page >= BITS_PER_LONG) {
			smmu->owed[page / BITS_PER_LONG] = 0;
			page += BITS_PER_LONG - 1;
		} else {
			smmu->owed[page / BITS_PER_LONG] &= ~BIT(page % BITS_PER_LONG);
		}
	}
	pthread_mutex_unlock(&smmu->lock);
}

/* ---- tracking ------------------------------------------------------------ */

/* arm_smmu_read_and_clear_dirty() */
static int kernel_read_and_clear_dirty(struct domain *domain, u64 iova, u64 size,
				       unsigned long flags, struct iommu_dirty_bitmap *dirty)
{
	struct io_pgtable_ops *ops = domain->ops;
	int ret, err;

	ret = ops->read_and_clear_dirty(ops, iova, size, flags, dirty);
	if (!dirty || !dirty->split.pending)
		return ret;

	if (!domain->without_first_invalidation) {
		u64 start = iova, end = iova + size - 1;

		/* A leaf that is named in part may reach out of the range */
		if (dirty->named) {
			start = min(start, (u64)dirty->gather->start);
			end = max(end, (u64)dirty->gather->end);
		}
		kernel_invalidate(domain, start, end - start + 1);
	}

	dirty->split.commit = true;
	err = ops->read_and_clear_dirty(ops, iova, size, flags, dirty);
	dirty->split.commit = false;
	dirty->split.pending = false;
	return ret ? ret : err;
}

/* Where the mapping that @iova is in ends, for the window; the areas of iommufd have no holes */
static u64 mapped_last(const struct domain *domain, u64 iova)
{
	u64 page = (iova - domain->smmu.base) >> domain->smmu.page_shift;
	const u8 *hole = page < domain->smmu.pages ?
			 memchr(domain->mapped + page, 0, domain->smmu.pages - page) : NULL;

	if (!hole || hole == domain->mapped + page)
		return UINT64_MAX;
	return domain->smmu.base + ((u64)(hole - domain->mapped) << domain->smmu.page_shift) - 1;
}

/*
 * iopt_walk_dirty(): all that is mapped, or without @dirty all made dirty. The
 * locks are dropped after each @step bytes, where others may come in.
 */
static int kernel_walk(struct domain *domain, u64 iova, u64 last, unsigned long flags,
		       struct iommu_dirty_bitmap *dirty)
{
	u64 mask = (domain->walk_step ? domain->walk_step : SZ_1G) - 1, end;
	bool merge = dirty && dirty->split.merge;
	int ret = 0;

	do {
		if (merge)
			fiber_down_write(&domain->iova_rwsem);
		else
			fiber_down_read(&domain->iova_rwsem);
		while (iova < last && iova < window_end(domain) &&
		       !domain_mapped_size(domain, iova) && !(dirty && dirty->bitmap))
			iova += page_size(domain);
		end = min(min(last, iova | mask), mapped_last(domain, iova));
		if (iova < end) {
			struct fiber_rwsem *lock = merge ? &domain->pages_mutex :
						   &domain->dirty_lock;

			if (merge || !domain->without_dirty_lock)
				fiber_down_write(lock);
			if (dirty) {
				dirty->split.mode = domain->split.mode;
				dirty->split.granularity = domain->split.granularity;
				dirty->split.sample = domain->split.sample;
				dirty->split.seed = domain->split.seed;
			}
			ret = kernel_read_and_clear_dirty(domain, iova, end - iova + 1, flags,
							  dirty);
			if (merge || !domain->without_dirty_lock)
				fiber_up_write(lock);
		}
		if (merge)
			fiber_up_write(&domain->iova_rwsem);
		else
			fiber_up_read(&domain->iova_rwsem);
		iova = end + 1;
	} while (end < last && !ret);
	return ret;
}

/* iopt_clear_dirty_data() */
static int start(struct domain *domain, struct iommu_dirty_split split)
{
	size_t words = DIV_ROUND_UP(domain->smmu.pages, BITS_PER_LONG);
	struct iommu_iotlb_gather gather;
	struct iommu_dirty_bitmap dirty;
	int ret;

	current_domain = domain;
	domain->split = split;
	memset(&domain->stats, 0, sizeof(domain->stats));
	iommu_dirty_bitmap_init(&dirty, NULL, &gather);
	dirty.split.domain = &domain->iommu;
	dirty.split.budget = UINT_MAX;
	dirty.stats = &domain->stats;

	domain->starts++;
	domain->starting++;
	ret = kernel_walk(domain, domain->smmu.base, window_end(domain) - 1, 0, &dirty);
	domain->done = dirty.split;

	/* Tracking begins here: what was written before is nobody's */
	pthread_mutex_lock(&domain->smmu.lock);
	kernel_iotlb_sync_locked(domain, &gather);
	memset(domain->smmu.owed, 0, words * sizeof(long));
	domain->starting--;
	pthread_mutex_unlock(&domain->smmu.lock);
	if (!domain->threaded && !fibers_others())
		check(ret || !smmu_caches_stale_block(&domain->smmu),
		      "the TLB still holds a block that was split");
	return ret;
}

int domain_start(struct domain *domain, enum iommu_dirty_split_mode mode, size_t granularity)
{
	return start(domain, (struct iommu_dirty_split) { .granularity = granularity, .mode = mode });
}

int domain_start_sample(struct domain *domain, size_t granularity, u16 share, u32 seed)
{
	return start(domain, (struct iommu_dirty_split) { .granularity = granularity,
							  .mode = IOMMU_DIRTY_SPLIT_SAMPLE,
							  .sample = share, .seed = seed });
}

static bool test_page(const unsigned long *map, u64 page)
{
	return map[page / BITS_PER_LONG] >> (page % BITS_PER_LONG) & 1;
}

/* Takes over what the user's bitmap says; nothing may be set past its end */
static void take_report(const unsigned long *bitmap, size_t bits, unsigned long *report, u64 first,
			u64 count)
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
		report[(first + i) / BITS_PER_LONG] |= BIT((first + i) % BITS_PER_LONG);
	}
}

/* iommu_unmap_fast() and iommu_iotlb_sync(), with what unmap_unpin_fast() of type1 gives them */
static void kernel_unmap(struct domain *domain, u64 iova, u64 size, u64 page)
{
	struct iommu_iotlb_gather gather;
	size_t unmapped = 0;
	bool again = false;

	note_mapping(domain, iova, size, 0);
	domain->cpus[fiber_self()].unmapping = true;
	iommu_iotlb_gather_init(&gather);
	while (unmapped < size) {
		size_t now = domain->ops->unmap_pages(domain->ops, iova + unmapped, page,
						      (size - unmapped) / page, &gather);

		/* The stock kernel gives up a block of which it unmaps a part if DMA makes it dirty meanwhile */
		if (!now && again) {
			fail("unmap of 0x%" PRIx64 " did nothing, twice", iova + unmapped);
			break;
		}
		again = !now;
		unmapped += now;
	}
	kernel_iotlb_sync(&domain->iommu, &gather);
	domain->cpus[fiber_self()].unmapping = false;
}

void domain_unmap(struct domain *domain, u64 iova, u64 size, u64 page)
{
	kernel_unmap(domain, iova, size, page);
	forget(domain, iova, size);
}

void domain_unmap_report(struct domain *domain, u64 iova, u64 size, u64 page)
{
	struct smmu *smmu = &domain->smmu;
	u64 first = (iova - smmu->base) >> smmu->page_shift, count = size >> smmu->page_shift;
	size_t bytes = (count / BITS_PER_BYTE & PAGE_MASK) + 2 * PAGE_SIZE;
	unsigned long *bitmap = aligned_alloc(PAGE_SIZE, bytes);
	struct iommu_dirty_bitmap dirty;
	struct iova_bitmap *iter;

	current_domain = domain;
	memset(bitmap, 0, bytes);
	memset(domain->report, 0, DIV_ROUND_UP(smmu->pages, BITS_PER_LONG) * sizeof(long));
	iter = iova_bitmap_alloc(iova, size, page_size(domain), (void *)bitmap);
	iommu_dirty_bitmap_init(&dirty, iter, NULL);
	check(!domain->ops->revoke_writes(domain->ops, iova, size, &dirty), "the write permission cannot be taken");
	kernel_unmap(domain, iova, size, page);
	iova_bitmap_free(iter);
	take_report(bitmap, bytes * BITS_PER_BYTE, domain->report, first, count);

	/* Nothing is written after the CMD_SYNC, and this is the last report there will be */
	for (u64 i = first; i < first + count && !failed(); i++)
		check(!test_page(smmu->owed, i) || test_page(domain->report, i),
		      "page 0x%" PRIx64 " was written before its unmap ended and is not reported",
		      smmu->base + (i << smmu->page_shift));
	forget(domain, iova, size);
	free(bitmap);
}

/*
 * Two syncs at once share what there is to report: who came too late for a page
 * relies on the other, which has begun before this one ended and so reports it.
 */
static void sync_done(struct domain *domain, struct sync *sync, const unsigned long *report)
{
	struct smmu *smmu = &domain->smmu;

	for (struct sync **link = &domain->syncs; *link; link = &(*link)->next)
		if (*link == sync) {
			*link = sync->next;
			break;
		}
	for (u64 page = sync->first; page < sync->first + sync->count && !failed(); page++) {
		struct sync *other = domain->syncs;
		u64 bit = BIT(page % BITS_PER_LONG), word = page / BITS_PER_LONG;

		if (!(sync->must[word] | report[word])) {
			page |= BITS_PER_LONG - 1;
			continue;
		}
		if (report[word] & bit) {
			for (; other; other = other->next)
				other->must[word] &= ~bit;
		} else if (sync->must[word] & bit) {
			while (other && page - other->first >= other->count)
				other = other->next;
			if (other)
				other->must[word] |= bit;
			else
				fail("page 0x%" PRIx64
				     " was written before the sync and is not reported",
				     smmu->base + (page << smmu->page_shift));
		}
	}
}

/* iopt_read_and_clear_dirty_data() */
int domain_sync(struct domain *domain, u64 iova, u64 length, unsigned long flags)
{
	struct smmu *smmu = &domain->smmu;
	size_t words = DIV_ROUND_UP(smmu->pages, BITS_PER_LONG);
	u64 first = (iova - smmu->base) >> smmu->page_shift;
	u64 count = length >> smmu->page_shift;
	/* A page of its own after the bits, so that one too many shows */
	size_t size = (count / BITS_PER_BYTE & PAGE_MASK) + 2 * PAGE_SIZE;
	unsigned long *bitmap = aligned_alloc(PAGE_SIZE, size);
	unsigned long *report = calloc(words, sizeof(long));
	struct sync sync = { malloc(words * sizeof(long)), first, count, domain->syncs };
	unsigned int starts = domain->starts - domain->starting;
	bool clear = !(flags & IOMMU_DIRTY_NO_CLEAR);
	struct iommu_dirty_stats stats = {};
	struct iommu_iotlb_gather gather;
	struct iommu_dirty_bitmap dirty;
	struct iova_bitmap *iter;
	int ret;

	current_domain = domain;
	memset(bitmap, 0, size);
	pthread_mutex_lock(&smmu->lock);
	memcpy(sync.must, smmu->owed, words * sizeof(long));
	pthread_mutex_unlock(&smmu->lock);
	domain->syncs = &sync;

	iter = iova_bitmap_alloc(iova, length, page_size(domain), (void *)bitmap);
	iommu_dirty_bitmap_init(&dirty, iter, &gather);
	dirty.split.domain = &domain->iommu;
	dirty.split.budget = domain->budget;
	dirty.stats = &stats;

	ret = kernel_walk(domain, iova, iova + length - 1, flags, &dirty);
	take_report(bitmap, size * BITS_PER_BYTE, report, first, count);

	if (clear && ret && !domain->without_mark_dirty && gather.start < gather.end)
		kernel_walk(domain, gather.start, gather.end, flags, NULL);

	yield_point(domain, NULL);
	pthread_mutex_lock(&smmu->lock);
	if (clear)
		kernel_iotlb_sync_locked(domain, &gather);
	/* The caller copies what was reported after this: nothing is owed for it */
	for (size_t i = 0; !ret && clear && i < words; i++)
		smmu->owed[i] &= ~report[i];
	pthread_mutex_unlock(&smmu->lock);
	iova_bitmap_free(iter);

	if (ret)
		sync.count = 0;
	/* Who starts tracking throws away what was written until then */
	if (domain->starts != starts)
		memset(sync.must, 0, words * sizeof(long));
	sync_done(domain, &sync, report);
	memcpy(domain->report, report, words * sizeof(long));
	domain->stats = stats;
	domain->done = dirty.split;
	if (!ret)
		check(stats.dirty_bytes == domain_reported(domain),
		      "dirty_bytes is %" PRIu64 ", the bitmap has %" PRIu64 " bytes",
		      stats.dirty_bytes, domain_reported(domain));
	if (clear && !domain->threaded && !fibers_others())
		check(!smmu_caches_stale_block(smmu), "the TLB still holds a block that was split");
	free(bitmap);
	free(report);
	free(sync.must);
	return ret;
}

/* iopt_clear_dirty_bitmap(): the caller has had a report, and reads the named pages after this */
int domain_clear(struct domain *domain, u64 iova, u64 length, const unsigned long *bits)
{
	struct smmu *smmu = &domain->smmu;
	u64 first = (iova - smmu->base) >> smmu->page_shift, pages = length >> smmu->page_shift;
	struct iommu_dirty_named named = { bits, iova, length, smmu->page_shift };
	struct iommu_dirty_stats stats = {};
	struct iommu_iotlb_gather gather;
	struct iommu_dirty_bitmap dirty;
	int ret;

	current_domain = domain;
	iommu_dirty_bitmap_init(&dirty, NULL, &gather);
	dirty.split.domain = &domain->iommu;
	dirty.split.budget = domain->budget;
	dirty.stats = &stats;
	dirty.named = &named;
	ret = kernel_walk(domain, iova, iova + length - 1, 0, &dirty);

	yield_point(domain, NULL);
	pthread_mutex_lock(&smmu->lock);
	kernel_iotlb_sync_locked(domain, &gather);
	for (u64 page = 0; !ret && page < pages; page++)
		if (test_page(bits, page))
			smmu->owed[(first + page) / BITS_PER_LONG] &=
				~BIT((first + page) % BITS_PER_LONG);
	pthread_mutex_unlock(&smmu->lock);
	domain->stats = stats;
	domain->done = dirty.split;
	if (!domain->threaded && !fibers_others())
		check(!smmu_caches_stale_block(smmu), "the TLB still holds a block that was split");
	return ret;
}

/* iopt_merge_work() */
int domain_stop(struct domain *domain)
{
	struct iommu_iotlb_gather gather;
	struct iommu_dirty_bitmap dirty;
	int ret;

	current_domain = domain;
	domain->split = (struct iommu_dirty_split) {};
	iommu_dirty_bitmap_init(&dirty, NULL, &gather);
	dirty.split.domain = &domain->iommu;
	dirty.split.merge = true;
	ret = kernel_walk(domain, domain->smmu.base, window_end(domain) - 1, 0, &dirty);
	domain->done = dirty.split;
	check(list_empty(&gather.freelist), "a table waits to be freed");
	kernel_iotlb_sync(&domain->iommu, &gather);
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
