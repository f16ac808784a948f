/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the benchmark does with a kernel tree. One object is built for each
 * tree, from its very io-pgtable-arm.c and iova_bitmap.c; it exports one
 * struct tree and nothing else.
 */
#ifndef TREE_H
#define TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum tree_mode { TREE_OFF, TREE_EAGER, TREE_LAZY };

struct tree_domain;

struct tree {
	bool splits, merges;

	/* A domain with 4K, 2M and 1G leaves; @root: a table that another tree's domain made, or NULL */
	struct tree_domain *(*domain)(void *root);
	void (*forget)(struct tree_domain *domain);
	void *(*root)(struct tree_domain *domain);

	void (*map)(struct tree_domain *domain, uint64_t iova, uint64_t pa, size_t page,
		    size_t count);
	void (*unmap)(struct tree_domain *domain, uint64_t iova, size_t page, size_t count);

	/*
	 * What iommufd does around a walk is done here too: a bitmap of @bitmap with a bit for each 4 KiB, NULL when
	 * tracking starts; calls for @step bytes each.
	 */
	void (*sync)(struct tree_domain *domain, uint64_t iova, uint64_t length, uint64_t step,
		     void *bitmap);
	/* The same, splitting to @granularity */
	void (*split)(struct tree_domain *domain, uint64_t iova, uint64_t length, uint64_t step,
		      void *bitmap, enum tree_mode mode, size_t granularity, unsigned int bbml);
	void (*merge)(struct tree_domain *domain, uint64_t iova, uint64_t length, uint64_t step,
		      unsigned int bbml);
};

/* tree_counting: ours, while somebody listens to the events of syncs */
extern const struct tree tree_stock, tree_ours, tree_counting;

#endif
