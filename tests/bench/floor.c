// SPDX-License-Identifier: GPL-2.0-only
/* See floor.h. Compiled as the kernel's files are. */
#include "floor.h"
#include "pool.h"

#define ENTRIES		512
#define ADDRESS		0x0000fffffffff000ull
#define TABLE		3ull
#define PAGE		3ull
#define BLOCK		1ull

static inline uint64_t size_of(int level)
{
	return 1ull << (12 + 9 * (3 - level));
}

static inline unsigned int index_of(uint64_t iova, int level)
{
	return iova >> (12 + 9 * (3 - level)) & (ENTRIES - 1);
}

static inline uint64_t *table_of(uint64_t entry)
{
	return (uint64_t *)(entry & ADDRESS);
}

static inline bool is_leaf(uint64_t entry, int level)
{
	return (entry & 3) == (level == 3 ? PAGE : BLOCK);
}

/* ---- floors ----------------------------------------------------------------- */

typedef void (*entries_fn)(uint64_t *entries, unsigned int count, int level, int to);

/* Calls @fn for the part of each table of @level that is in the range */
static void each_table(uint64_t *table, int now, uint64_t iova, uint64_t end, int level,
		       entries_fn fn, int to)
{
	uint64_t size = size_of(now);
	unsigned int first = index_of(iova, now);
	uint64_t left = (end - iova + size - 1) / size;
	unsigned int count = left < ENTRIES - first ? left : ENTRIES - first;

	if (now == level) {
		fn(table + first, count, level, to);
		return;
	}
	for (unsigned int i = first; i < first + count && iova < end; i++) {
		each_table(table_of(table[i]), now + 1, iova, end, level, fn, to);
		iova = (iova & ~(size - 1)) + size;
	}
}

static void load_entries(uint64_t *entries, unsigned int count, int level, int to)
{
#pragma GCC unroll 8
	for (unsigned int i = 0; i < count; i++)
		(void)*(volatile uint64_t *)&entries[i];
}

void floor_load(uint64_t *root, uint64_t iova, uint64_t length, int level)
{
	each_table(root, 0, iova, iova + length, level, load_entries, 0);
}

static void or_entries(uint64_t *entries, unsigned int count, int level, int to)
{
#pragma GCC unroll 8
	for (unsigned int i = 0; i < count; i++)
		__atomic_fetch_or(&entries[i], LEAF_RDONLY, __ATOMIC_RELAXED);
}

void floor_or(uint64_t *root, uint64_t iova, uint64_t length, int level)
{
	each_table(root, 0, iova, iova + length, level, or_entries, 0);
}

static uint64_t build(uint64_t block, int level, int to)
{
	uint64_t *table = pool_alloc();
	uint64_t size = size_of(level);

	if (level == to) {
		uint64_t leaf = block | LEAF_RDONLY | (level == 3 ? PAGE : BLOCK);

#pragma GCC unroll 8
		for (unsigned int i = 0; i < ENTRIES; i++)
			*(volatile uint64_t *)&table[i] = leaf + i * size;
	} else {
		for (unsigned int i = 0; i < ENTRIES; i++)
			table[i] = build(block + i * size, level + 1, to);
	}
	return (uint64_t)table | TABLE;
}

static void split_entries(uint64_t *entries, unsigned int count, int level, int to)
{
	for (unsigned int i = 0; i < count; i++)
		*(volatile uint64_t *)&entries[i] = build(entries[i] & ~3ull, level + 1, to);
}

void floor_split(uint64_t *root, uint64_t iova, uint64_t length, int from, int to)
{
	each_table(root, 0, iova, iova + length, from, split_entries, to);
}

/* ---- states, never timed ------------------------------------------------- */

uint64_t *leaf_entry(uint64_t *root, uint64_t iova, int level)
{
	for (int now = 0; now < level; now++) {
		uint64_t entry = root[index_of(iova, now)];

		if ((entry & 3) != TABLE)
			return NULL;
		root = table_of(entry);
	}
	return &root[index_of(iova, level)];
}

static void clear_entries(uint64_t *entries, unsigned int count, int level, int to)
{
	for (unsigned int i = 0; i < count; i++)
		entries[i] = 0;
}

void leaves_clear(uint64_t *root, uint64_t iova, uint64_t length, int level)
{
	each_table(root, 0, iova, iova + length, level, clear_entries, 0);
}

void leaves_restore(uint64_t *root, uint64_t iova, uint64_t length, int level, uint64_t pa,
		    bool dirty)
{
	/* What every leaf here has: not global, inner shareable, cached, accessed, unprivileged */
	uint64_t leaf = LEAF_DBM | 1ull << 11 | 1ull << 10 | 3ull << 8 | 1ull << 6 | 1ull << 2 |
			(dirty ? 0 : LEAF_RDONLY) | (level == 3 ? PAGE : BLOCK);
	uint64_t *entry = NULL;

	for (uint64_t at = 0; at < length; at += size_of(level)) {
		if (!entry || !index_of(iova + at, level))
			entry = leaf_entry(root, iova + at, level);
		*entry++ = leaf | (pa + at);
	}
}

bool chosen(uint64_t seed, uint64_t n, unsigned int permille)
{
	uint64_t x = seed + n * 0x9e3779b97f4a7c15ull;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ x >> 27) * 0x94d049bb133111ebull;
	return (x >> 40) * 1000 >> 24 < permille;
}

struct count {
	const struct pattern *pattern;
	uint64_t leaves, bytes;
};

static void each_leaf(uint64_t *table, int level, uint64_t iova, uint64_t end, struct count *count)
{
	uint64_t size = size_of(level);

	for (unsigned int i = index_of(iova, level); i < ENTRIES && iova < end; i++) {
		uint64_t n = count->leaves;
		bool dirty;

		if (!is_leaf(table[i], level)) {
			each_leaf(table_of(table[i]), level + 1, iova, end, count);
			iova = (iova & ~(size - 1)) + size;
			continue;
		}
		iova += size;
		count->leaves++;
		dirty = !(table[i] & LEAF_RDONLY);
		if (count->pattern) {
			const struct pattern *p = count->pattern;

			if (p->permille)
				dirty = chosen(p->seed, n, p->permille);
			else
				dirty = n % (p->on + p->off) < p->on;
			if (dirty)
				table[i] &= ~LEAF_RDONLY;
			else
				table[i] |= LEAF_RDONLY;
		}
		if (dirty)
			count->bytes += size;
	}
}

uint64_t leaves_set(uint64_t *root, uint64_t iova, uint64_t length, struct pattern pattern)
{
	struct count count = { .pattern = &pattern };

	each_leaf(root, 0, iova, iova + length, &count);
	return count.bytes;
}

uint64_t leaves_dirty(uint64_t *root, uint64_t iova, uint64_t length)
{
	struct count count = { 0 };

	each_leaf(root, 0, iova, iova + length, &count);
	return count.bytes;
}

uint64_t leaves_count(uint64_t *root, uint64_t iova, uint64_t length)
{
	struct count count = { 0 };

	each_leaf(root, 0, iova, iova + length, &count);
	return count.leaves;
}
