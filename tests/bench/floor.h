/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The least that any code can do with the same tables: load each leaf, set a
 * bit in each leaf atomically, allocate and fill the tables. Also what puts
 * tables into the state that a sample starts from, which is never timed.
 */
#ifndef FLOOR_H
#define FLOOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LEAF_DBM	(1ull << 51)
#define LEAF_RDONLY	(1ull << 7)

/* Leaves of one level: 1 is 1G, 2 is 2M, 3 is 4K */
void floor_load(uint64_t *root, uint64_t iova, uint64_t length, int level);
void floor_or(uint64_t *root, uint64_t iova, uint64_t length, int level);
/* Replaces leaves of level @from by tables of leaves of level @to, with plain stores */
void floor_split(uint64_t *root, uint64_t iova, uint64_t length, int from, int to);

/* Puts leaves of @level back where they were, of 1G or 2M; dirty or clean */
void leaves_restore(uint64_t *root, uint64_t iova, uint64_t length, int level, uint64_t pa,
		    bool dirty);
/* Makes them invalid */
void leaves_clear(uint64_t *root, uint64_t iova, uint64_t length, int level);

/*
 * Makes the n-th leaf of the range, whatever its size, dirty if @pattern says
 * so and clean if not. Returns the dirty bytes.
 */
struct pattern {
	unsigned int permille;	/* this share at random; or, if it is 0, */
	unsigned int on, off;	/* so many dirty, then so many clean */
	uint64_t seed;
};
/* Whether the n-th is among a share of them that is chosen at random */
bool chosen(uint64_t seed, uint64_t n, unsigned int permille);
uint64_t leaves_set(uint64_t *root, uint64_t iova, uint64_t length, struct pattern pattern);
/* Bytes in dirty leaves; and leaves in all */
uint64_t leaves_dirty(uint64_t *root, uint64_t iova, uint64_t length);
uint64_t leaves_count(uint64_t *root, uint64_t iova, uint64_t length);
/* The entry of @iova at @level; NULL if it has none */
uint64_t *leaf_entry(uint64_t *root, uint64_t iova, int level);

#endif
