/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One domain under test: the page table driver, the hardware that uses its
 * tables, and between them what iommufd and arm-smmu-v3.c do around the calls
 * (the two walks of BBML 1 and the invalidations included). Every sync is
 * checked against the hardware's truth.
 */
#ifndef DOMAIN_H
#define DOMAIN_H

#include "shim.h"
#include <linux/io-pgtable.h>
#include "fiber.h"
#include "smmu.h"

struct geometry {
	const char *name;
	unsigned int page_shift, oas;
	unsigned long sizes;
	u64 pa_offset;		/* output address = IOVA + this */
};

#define DMA_RW	(IOMMU_READ | IOMMU_WRITE | IOMMU_CACHE)

extern const struct geometry geometry_4k, geometry_16k, geometry_64k;

/* Every block that can be split, and what into; ends with one without a geometry */
extern const struct split_case {
	const struct geometry *geometry;
	u64 from, to;
} split_cases[];

/* One step of the driver, for those who count in which order things happen */
struct event {
	enum {
		EVENT_READ,		/* the descriptor at @p was read: @old */
		EVENT_CHANGE,		/* the driver has changed it from @old to @new */
		EVENT_RECORD,		/* a range is being put on record */
		EVENT_INVALIDATE,	/* TLBI and CMD_SYNC are complete for the range */
		EVENT_UNMAP,		/* the leaf of @length bytes at @iova is gone from memory */
	} kind;
	unsigned int cpu;
	u64 *p, old, new, iova, length;
};

/* What a CPU in the driver is at */
struct cpu {
	u64 *seen_at, seen;		/* last descriptor it read */
	u64 *changed_at, changed;	/* descriptor it is about to change */
	bool unmapping;
};

/* A sync that has not returned yet */
struct sync {
	unsigned long *must;		/* pages it has to report */
	u64 first, count;		/* what it was asked for, in pages */
	struct sync *next;
};

struct domain {
	struct iommu_domain iommu;
	const struct geometry *geometry;
	struct io_pgtable_cfg cfg;
	struct io_pgtable_ops *ops;
	struct smmu smmu;
	struct iommu_dirty_split split;		/* what tracking was started with */
	unsigned int budget;			/* splits per sync */
	u64 walk_step;				/* bytes between two looks at the locks, 0: 1 GiB */

	/* The last start, sync or stop */
	struct iommu_dirty_stats stats;
	struct iommu_dirty_split done;	/* what it has split and kept */
	unsigned long *report;		/* a bit for each page of the window */
	unsigned int splits, split_failures, merges;	/* iommu_split and iommu_merge events */

	/* Tables alive; asked for; the first allocation that fails, as all after it (0: none) */
	unsigned long tables, allocations, fail_alloc;
	/* Record, bitmap pin and look at the fatal signal that fail, counted from 1 (0: none) */
	unsigned long fail_record, fail_pin, fail_signal;
	unsigned long records, pins, looks, rescheds;

	/* The callers' locks: iopt->iova_rwsem, hwpt->dirty_lock and area->pages->mutex */
	struct fiber_rwsem iova_rwsem, dirty_lock, pages_mutex;
	struct sync *syncs;
	unsigned int starting, starts;	/* starts that run, and that ever ran */
	u8 *mapped;			/* log2 of the leaf size asked for, for each page */

	/*
	 * Called around accesses to descriptors, allocations, records and
	 * invalidations; @step counts them from 1
	 */
	void (*act)(struct domain *domain, unsigned long step);
	void (*watch)(struct domain *domain, const struct event *event);
	unsigned long step, act_at;
	u64 *at;			/* the descriptor that this step is about, or NULL */
	u64 act_iova;
	bool acting;
	bool probe;		/* look up addresses at every step */
	bool threaded;		/* hardware runs by itself: no checks in between */

	/* Faults of the harness itself, to show that the model sees them */
	bool without_invalidation, without_first_invalidation, without_mark_dirty;
	/* Lets syncs of a domain that is never split run side by side, as they may */
	bool without_dirty_lock;

	struct cpu cpus[FIBERS_MAX];
};

/* The domain whose driver code runs now; the shim's hooks have no argument for it */
extern struct domain *current_domain;

/* A window [base, base + size), nothing mapped. Never NULL. */
struct domain *domain_new(const struct geometry *geometry, unsigned int bbml, u64 base, u64 size);
/* The same with two blocks of @size at @size */
struct domain *domain_two_blocks(const struct geometry *geometry, unsigned int bbml, u64 size);
/* Frees all, and fails the case if a table is left */
void domain_free(struct domain *domain);

void domain_map(struct domain *domain, u64 iova, u64 size, u64 page_size, int prot);
void domain_unmap(struct domain *domain, u64 iova, u64 size, u64 page_size);
/* The same, and what was dirty is in domain->report */
void domain_unmap_report(struct domain *domain, u64 iova, u64 size, u64 page_size);

/* The leaf size that @iova was mapped with, 0 if it is not */
u64 domain_mapped_size(const struct domain *domain, u64 iova);

/* Starts tracking. Returns what the walk returned. */
int domain_start(struct domain *domain, enum iommu_dirty_split_mode mode, size_t granularity);
/* The same, but only a share of the blocks is split, in units of 0.01 % */
int domain_start_sample(struct domain *domain, size_t granularity, u16 share, u32 seed);
/* Merges what was split. Returns what the walk returned. */
int domain_stop(struct domain *domain);
/* GET_DIRTY_BITMAP. The report is in domain->report, good only if this returns 0. */
int domain_sync(struct domain *domain, u64 iova, u64 length, unsigned long flags);
int domain_sync_all(struct domain *domain);
/* CLEAR_DIRTY_BITMAP: a bit of @bits for each page from @iova, as in a report */
int domain_clear(struct domain *domain, u64 iova, u64 length, const unsigned long *bits);

/* DMA; the case fails unless it goes where the mapping says */
void domain_write(struct domain *domain, u64 iova);
void domain_read(struct domain *domain, u64 iova);

/* Bytes in the last report */
u64 domain_reported(const struct domain *domain);
/* Fails unless every leaf in the range has @size bytes and the right address */
void domain_expect_leaves(struct domain *domain, u64 iova, u64 length, u64 size);
/* Fails unless iova_to_phys() is right at both ends of every leaf and in the middle */
void domain_expect_addresses(struct domain *domain);

u64 window_end(const struct domain *domain);
u64 page_size(const struct domain *domain);

#endif
