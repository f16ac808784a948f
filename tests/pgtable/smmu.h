/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An SMMUv3 as unkind as IHI 0070 allows: it walks the tables in memory,
 * updates dirty state with an atomic (HTTU), keeps every translation and every
 * table pointer until an invalidation covers it, and remembers which pages were
 * really written. It knows the architecture, nothing of the driver.
 */
#ifndef SMMU_H
#define SMMU_H

#include "shim.h"
#include <pthread.h>

#define SMMU_TLB_ENTRIES	64

enum smmu_result {
	SMMU_OK,
	SMMU_TRANSLATION,	/* no valid leaf */
	SMMU_PERMISSION,	/* write to a read-only leaf */
	SMMU_CONFLICT,		/* two entries of the TLB match below BBML 2 */
};

struct smmu_entry {
	u64 iova, size, pa;
	u64 *descriptor;	/* where the walk found it */
	u64 *table;		/* walk cache: the table that covers it, else NULL */
	bool valid, writable, dirty;
};

struct smmu {
	u64 *root;
	unsigned int page_shift, ias, bbml;
	struct smmu_entry tlb[SMMU_TLB_ENTRIES], walk_cache[SMMU_TLB_ENTRIES];
	u64 random;

	/* The window of IOVAs that truth is kept for, a bit for each page */
	u64 base, pages;
	unsigned long *owed;	/* written and not yet reported by a sync */
	u64 written;		/* writes that reached memory */

	pthread_mutex_t lock;	/* one access or invalidation at a time */
};

/* What a leaf in memory says; @size 0 without one */
struct smmu_leaf {
	u64 *descriptor;
	u64 value, size, pa;
};

/* Tables with @ias bits of input address and pages of 1 << @page_shift bytes */
void smmu_init(struct smmu *smmu, unsigned int page_shift, unsigned int ias, unsigned int bbml,
	       u64 base, u64 pages);
void smmu_exit(struct smmu *smmu);

/* One access of a device; on SMMU_OK *@pa is where it went (may be NULL) */
enum smmu_result smmu_access(struct smmu *smmu, u64 iova, bool write, u64 *pa);

/*
 * TLBI and CMD_SYNC: everything in [iova, iova + size) is gone when this
 * returns. @leaf keeps the walk cache; @level_size is the leaf size that a
 * level hint names, 0 without a hint.
 */
void smmu_invalidate(struct smmu *smmu, u64 iova, u64 size, bool leaf, u64 level_size);
void smmu_invalidate_locked(struct smmu *smmu, u64 iova, u64 size, bool leaf, u64 level_size);

/* True if the TLB holds the leaf read from @descriptor */
bool smmu_caches_descriptor(struct smmu *smmu, const u64 *descriptor);
/* True if a walk may still go through the table at @table */
bool smmu_caches_table(struct smmu *smmu, const void *table, size_t size);
/* True if the TLB holds a leaf below @size bytes in the range of that size at @iova */
bool smmu_caches_smaller(struct smmu *smmu, u64 iova, u64 size);
/* True if an entry of the TLB is larger than the leaf in memory it stands for */
bool smmu_caches_stale_block(struct smmu *smmu);

/* The leaf that memory holds for @iova, whatever is cached */
struct smmu_leaf smmu_leaf(struct smmu *smmu, u64 iova);

/*
 * What a descriptor in memory stands for: false unless it lies in a table that
 * the root leads to, for the window of truth.
 */
bool smmu_find(const struct smmu *smmu, const u64 *descriptor, u64 *iova, u64 *size);

/* Stage 1 descriptors (DDI 0487, D8.3) */
#define DESC_TYPE(d)		((d) & 3)
#define DESC_BLOCK		1
#define DESC_TABLE		3	/* a page at the last level */
#define DESC_RDONLY		(1ull << 7)
#define DESC_NT			(1ull << 16)
#define DESC_DBM		(1ull << 51)
#define desc_dirty(d)		(((d) & (DESC_DBM | DESC_RDONLY)) == DESC_DBM)

#endif
