// SPDX-License-Identifier: GPL-2.0-only
/*
 * One kernel tree under measurement; see tree.h. TREE is the name of its
 * struct tree. HAVE_SPLIT and HAVE_MERGE say what its headers know; with COUNTING somebody
 * listens to the events of syncs, so that leaves are counted.
 */
#include "shim.h"
#include <linux/io-pgtable.h>
#include <linux/iova_bitmap.h>
#include "tree.h"

#include IO_PGTABLE_ARM_C

struct tree_domain {
	struct iommu_domain iommu;
	struct io_pgtable_cfg cfg;
	struct io_pgtable_ops *ops;
};

static void must(bool done, const char *what)
{
	if (!done) {
		fprintf(stderr, "bench: %s failed\n", what);
		exit(1);
	}
}

static void tlb_flush_all(void *cookie)
{
}

static void tlb_flush_walk(unsigned long iova, size_t size, size_t granule, void *cookie)
{
}

/* arm_smmu_tlb_inv_page_nosync(), but for the page sizes that need a sync in between */
static void tlb_add_page(struct iommu_iotlb_gather *gather, unsigned long iova, size_t granule,
			 void *cookie)
{
	struct tree_domain *domain = cookie;

	iommu_iotlb_gather_add_page(&domain->iommu, gather, iova, granule);
}

static const struct iommu_flush_ops flush_ops = {
	.tlb_flush_all = tlb_flush_all,
	.tlb_flush_walk = tlb_flush_walk,
	.tlb_add_page = tlb_add_page,
};

static void iotlb_sync(struct iommu_domain *domain, struct iommu_iotlb_gather *gather)
{
}

static const struct iommu_domain_ops domain_ops = { .iotlb_sync = iotlb_sync };

static struct tree_domain *tree_domain(void *root)
{
	struct tree_domain *domain = calloc(1, sizeof(*domain));
	struct io_pgtable *iop;

	must(domain, "memory");
	domain->iommu.ops = &domain_ops;
	domain->cfg = (struct io_pgtable_cfg) {
		.quirks = IO_PGTABLE_QUIRK_ARM_HD, .pgsize_bitmap = SZ_4K | SZ_2M | SZ_1G,
		.ias = 48, .oas = 48, .coherent_walk = true, .tlb = &flush_ops,
	};
	iop = io_pgtable_arm_64_lpae_s1_init_fns.alloc(&domain->cfg, domain);
	must(iop, "the page table");
	iop->fmt = ARM_64_LPAE_S1;
	iop->cookie = domain;
	iop->cfg = domain->cfg;
	domain->ops = &iop->ops;
	if (root) {
		pool_free(io_pgtable_to_data(iop)->pgd);
		io_pgtable_to_data(iop)->pgd = root;
	}
	return domain;
}

/* The tables stay: they are given back with the pool */
static void tree_forget(struct tree_domain *domain)
{
	kfree(io_pgtable_ops_to_data(domain->ops));
	free(domain);
}

static void *tree_root(struct tree_domain *domain)
{
	return io_pgtable_ops_to_data(domain->ops)->pgd;
}

/* __iommu_map() */
static void tree_map(struct tree_domain *domain, u64 iova, u64 pa, size_t page, size_t count)
{
	while (count) {
		size_t mapped = 0;
		int ret = domain->ops->map_pages(domain->ops, iova, pa, page, count,
						 IOMMU_READ | IOMMU_WRITE | IOMMU_CACHE, GFP_KERNEL,
						 &mapped);

		must(!ret && mapped, "map");
		iova += mapped;
		pa += mapped;
		count -= mapped / page;
	}
}

/* __iommu_unmap() and the sync after it */
static void tree_unmap(struct tree_domain *domain, u64 iova, size_t page, size_t count)
{
	struct iommu_iotlb_gather gather;

	iommu_iotlb_gather_init(&gather);
	while (count) {
		size_t unmapped = domain->ops->unmap_pages(domain->ops, iova, page, count, &gather);

		must(unmapped, "unmap");
		iova += unmapped;
		count -= unmapped / page;
	}
	iommu_iotlb_sync(&domain->iommu, &gather);
}

static void walk(struct tree_domain *domain, u64 iova, u64 length, u64 step,
		 struct iommu_dirty_bitmap *dirty)
{
	for (u64 end = iova + length; iova < end; iova += step)
		must(!domain->ops->read_and_clear_dirty(domain->ops, iova, min(step, end - iova), 0,
							dirty), "the walk");
}

static struct iova_bitmap *bitmap_begin(u64 iova, u64 length, void *bitmap)
{
	struct iova_bitmap *iter;

	if (!bitmap)
		return NULL;
	iter = iova_bitmap_alloc(iova, length, SZ_4K, bitmap);
	must(!IS_ERR(iter), "the bitmap");
	return iter;
}

#ifdef COUNTING
static u64 count_leaves(const struct iommu_dirty_stats *stats)
{
	u64 sum = 0;

	for (size_t i = 0; i < ARRAY_SIZE(stats->leaves); i++)
		sum += stats->leaves[i];
	return sum;
}
#endif

static void tree_sync(struct tree_domain *domain, u64 iova, u64 length, u64 step, void *bitmap)
{
	struct iova_bitmap *iter = bitmap_begin(iova, length, bitmap);
	struct iommu_iotlb_gather gather;
	struct iommu_dirty_bitmap dirty;

	iommu_dirty_bitmap_init(&dirty, iter, &gather);
#ifdef COUNTING
	dirty.stats = &(struct iommu_dirty_stats) {};
#endif
	walk(domain, iova, length, step, &dirty);
	iommu_iotlb_sync(&domain->iommu, &gather);
#ifdef COUNTING
	must(count_leaves(dirty.stats), "counting");
#endif
	if (iter)
		iova_bitmap_free(iter);
}

#ifdef HAVE_SPLIT
static void tree_split(struct tree_domain *domain, u64 iova, u64 length, u64 step, void *bitmap,
		       enum tree_mode mode, size_t granularity, unsigned int bbml)
{
	struct iova_bitmap *iter = bitmap_begin(iova, length, bitmap);
	struct iommu_iotlb_gather gather;
	struct iommu_dirty_bitmap dirty;

	io_pgtable_ops_to_data(domain->ops)->iop.cfg.bbml = bbml;
	iommu_dirty_bitmap_init(&dirty, iter, &gather);
	dirty.split.domain = &domain->iommu;
	dirty.split.granularity = granularity;
	dirty.split.mode = mode == TREE_EAGER ? IOMMU_DIRTY_SPLIT_EAGER :
			   mode == TREE_LAZY ? IOMMU_DIRTY_SPLIT_LAZY : IOMMU_DIRTY_SPLIT_OFF;
	dirty.split.budget = UINT_MAX;
	walk(domain, iova, length, step, &dirty);
	if (dirty.split.pending) {
		dirty.split.commit = true;
		walk(domain, iova, length, step, &dirty);
	}
	iommu_iotlb_sync(&domain->iommu, &gather);
	if (iter)
		iova_bitmap_free(iter);
}
#else
#define tree_split	NULL
#endif

#ifdef HAVE_MERGE
/* As when tracking has stopped: the tables go when no TLB can have them */
static void tree_merge(struct tree_domain *domain, u64 iova, u64 length, u64 step, unsigned int bbml)
{
	io_pgtable_ops_to_data(domain->ops)->iop.cfg.bbml = bbml;
	for (u64 end = iova + length; iova < end; iova += step) {
		struct iommu_iotlb_gather gather;
		struct iommu_dirty_bitmap dirty;
		u64 now = min(step, end - iova);

		iommu_dirty_bitmap_init(&dirty, NULL, &gather);
		dirty.split.domain = &domain->iommu;
		dirty.split.merge = true;
		walk(domain, iova, now, now, &dirty);
		iommu_iotlb_sync(&domain->iommu, &gather);
		dirty.split.commit = true;
		walk(domain, iova, now, now, &dirty);
	}
}
#else
#define tree_merge	NULL
#endif

const struct tree TREE = {
#ifdef HAVE_SPLIT
	.splits = true,
#endif
#ifdef HAVE_MERGE
	.merges = true,
#endif
	.domain = tree_domain,
	.forget = tree_forget,
	.root = tree_root,
	.map = tree_map,
	.unmap = tree_unmap,
	.sync = tree_sync,
	.split = tree_split,
	.merge = tree_merge,
};
