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
#include "smmu.h"

struct geometry {
	const char *name;
	unsigned int page_shift, oas;
	unsigned long sizes;
	u64 pa_offset;		/* output address = IOVA + this */
};

#define DMA_RW	(IOMMU_READ | IOMMU_WRITE | IOMMU_CACHE)

extern const struct geometry geometry_4k, geometry_16k, geometry_64k;

struct domain {
	struct iommu_domain iommu;
	const struct geometry *geometry;
	struct io_pgtable_cfg cfg;
	struct io_pgtable_ops *ops;
	struct smmu smmu;
	struct iommu_dirty_split split;		/* what tracking was started with */
	unsigned int budget;			/* tables per sync */

	/* The last start or sync */
	struct iommu_dirty_stats stats;
	unsigned long *report;		/* a bit for each page of the window */
	unsigned int splits, split_failures;	/* iommu_split events */

	/* Tables alive; asked for; the first allocation that fails, as all after it (0: none) */
	unsigned long tables, allocations, fail_alloc;
	/* Record, bitmap pin and look at the fatal signal that fail, counted from 1 (0: none) */
	unsigned long fail_record, fail_pin, fail_signal;
	unsigned long records, pins, looks, rescheds;

	/* Called around accesses to descriptors; @step counts them from 1 */
	void (*act)(struct domain *domain, unsigned long step);
	unsigned long step, act_at;
	u64 act_iova;
	bool acting;
	bool probe;		/* look up addresses at every step */
	bool threaded;		/* hardware runs by itself: no checks in between */

	/* Faults of the harness itself, to show that the model sees them */
	bool without_invalidation, without_first_invalidation, without_mark_dirty;

	u64 *seen_at, seen;	/* last descriptor the driver read */
	u64 *changed_at, changed;	/* descriptor the driver is about to change */
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

/* Starts tracking. Returns what the walk returned. */
int domain_start(struct domain *domain, enum iommu_dirty_split_mode mode, size_t granularity);
/* GET_DIRTY_BITMAP. The report is in domain->report, good only if this returns 0. */
int domain_sync(struct domain *domain, u64 iova, u64 length, unsigned long flags);
int domain_sync_all(struct domain *domain);

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
