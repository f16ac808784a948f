// SPDX-License-Identifier: GPL-2.0-only
/*
 * The hardware model; see smmu.h. Descriptors are read and updated with
 * atomics of their own, never through the driver's code.
 */
#include "smmu.h"
#include "test.h"

#define LAST_LEVEL	3

void smmu_init(struct smmu *smmu, unsigned int page_shift, unsigned int ias, unsigned int bbml,
	       u64 base, u64 pages)
{
	*smmu = (struct smmu) {
		.page_shift = page_shift, .ias = ias, .bbml = bbml, .base = base, .pages = pages,
		.random = test_seed * 0x9e3779b97f4a7c15 | 1,
	};
	smmu->owed = calloc(DIV_ROUND_UP(pages, BITS_PER_LONG), sizeof(long));
	pthread_mutex_init(&smmu->lock, NULL);
}

void smmu_exit(struct smmu *smmu)
{
	pthread_mutex_destroy(&smmu->lock);
	free(smmu->owed);
}

static unsigned int level_shift(const struct smmu *smmu, int level)
{
	return smmu->page_shift + (LAST_LEVEL - level) * (smmu->page_shift - 3);
}

static int start_level(const struct smmu *smmu)
{
	return LAST_LEVEL + 1 - DIV_ROUND_UP(smmu->ias - smmu->page_shift, smmu->page_shift - 3);
}

static u64 *descriptor_at(const struct smmu *smmu, u64 *table, u64 iova, int level)
{
	unsigned int bits = smmu->page_shift - 3;
	u64 index = iova >> level_shift(smmu, level);

	/* The first table holds all that the input address has left */
	if (level > start_level(smmu))
		index &= (1ull << bits) - 1;
	return table + index;
}

static u64 output_address(const struct smmu *smmu, u64 desc, unsigned int shift)
{
	u64 pa = desc & GENMASK_ULL(47, 12);

	if (smmu->page_shift == 16)
		pa = (pa & GENMASK_ULL(47, 16)) | (desc & GENMASK_ULL(15, 12)) << 36;
	return pa & ~((1ull << shift) - 1);
}

static void cache(struct smmu *smmu, struct smmu_entry *entries, struct smmu_entry new)
{
	int victim = random_next(&smmu->random) % SMMU_TLB_ENTRIES;

	for (int i = 0; i < SMMU_TLB_ENTRIES; i++)
		if (!entries[i].valid ||
		    (entries[i].iova == new.iova && entries[i].size == new.size)) {
			victim = i;
			if (entries[i].valid)
				break;
		}
	new.valid = true;
	entries[victim] = new;
}

/* The table to start from: the deepest one the walk cache knows for @iova, or the root */
static u64 *walk_start(struct smmu *smmu, u64 iova, int *level)
{
	u64 *table = smmu->root;

	*level = start_level(smmu);
	for (int i = 0; i < SMMU_TLB_ENTRIES; i++) {
		struct smmu_entry *entry = &smmu->walk_cache[i];
		int found;

		if (!entry->valid || iova - entry->iova >= entry->size)
			continue;
		for (found = start_level(smmu); entry->size != 1ull << level_shift(smmu, found);
		     found++)
			;
		if (found + 1 > *level) {
			*level = found + 1;
			table = entry->table;
		}
	}
	return table;
}

static enum smmu_result walk(struct smmu *smmu, u64 iova, bool write, u64 *pa)
{
	int level;
	u64 *table = walk_start(smmu, iova, &level);

	for (;;) {
		unsigned int shift = level_shift(smmu, level);
		u64 *p = descriptor_at(smmu, table, iova, level);
		u64 desc = __atomic_load_n(p, __ATOMIC_ACQUIRE);
		u64 size = 1ull << shift;
		struct smmu_entry entry = { .iova = iova & ~(size - 1),
					    .size = size,
					    .descriptor = p };

		if (level < LAST_LEVEL && DESC_TYPE(desc) == DESC_TABLE) {
			entry.table = table = (u64 *)output_address(smmu, desc, smmu->page_shift);
			cache(smmu, smmu->walk_cache, entry);
			level++;
			continue;
		}
		if (DESC_TYPE(desc) != (level == LAST_LEVEL ? DESC_TABLE : DESC_BLOCK))
			return SMMU_TRANSLATION;

		entry.writable = (desc & DESC_DBM) || !(desc & DESC_RDONLY);
		if (write && !entry.writable)
			return SMMU_PERMISSION;
		if (write && (desc & DESC_RDONLY)) {
			/* HTTU: one atomic; a descriptor that changed in between sends us back */
			if (!__atomic_compare_exchange_n(p, &desc, desc & ~DESC_RDONLY, false,
							 __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
				continue;
			desc &= ~DESC_RDONLY;
		}
		entry.dirty = !(desc & DESC_RDONLY);
		entry.pa = output_address(smmu, desc, shift);
		*pa = entry.pa | (iova & (size - 1));
		/* A translation from an nT block is never kept: nothing obliges an SMMU to */
		if (level == LAST_LEVEL || !(desc & DESC_NT))
			cache(smmu, smmu->tlb, entry);
		return SMMU_OK;
	}
}

static enum smmu_result translate(struct smmu *smmu, u64 iova, bool write, u64 *pa)
{
	struct smmu_entry *hits[SMMU_TLB_ENTRIES], *hit;
	int count = 0;

	for (int i = 0; i < SMMU_TLB_ENTRIES; i++)
		if (smmu->tlb[i].valid && iova - smmu->tlb[i].iova < smmu->tlb[i].size)
			hits[count++] = &smmu->tlb[i];
	if (count > 1 && smmu->bbml < 2)
		return SMMU_CONFLICT;
	/* Evict at times, so that every mix of cached and not comes up */
	if (!count || random_next(&smmu->random) % 16 == 0)
		return walk(smmu, iova, write, pa);

	hit = hits[random_next(&smmu->random) % count];
	if (write && !hit->dirty)
		return walk(smmu, iova, write, pa);
	*pa = hit->pa + (iova - hit->iova);
	return SMMU_OK;
}

enum smmu_result smmu_access(struct smmu *smmu, u64 iova, bool write, u64 *pa)
{
	u64 page = (iova - smmu->base) >> smmu->page_shift, where = 0;
	enum smmu_result result;

	pthread_mutex_lock(&smmu->lock);
	result = translate(smmu, iova, write, &where);
	if (result == SMMU_OK && write && page < smmu->pages) {
		smmu->owed[page / BITS_PER_LONG] |= BIT(page % BITS_PER_LONG);
		smmu->written++;
	}
	pthread_mutex_unlock(&smmu->lock);
	if (pa)
		*pa = where;
	return result;
}

void smmu_invalidate_locked(struct smmu *smmu, u64 iova, u64 size, bool leaf, u64 level_size)
{
	for (int i = 0; i < SMMU_TLB_ENTRIES; i++) {
		struct smmu_entry *entry = &smmu->tlb[i];

		if (entry->iova < iova + size && iova < entry->iova + entry->size &&
		    (!level_size || level_size == entry->size))
			entry->valid = false;

		entry = &smmu->walk_cache[i];
		if (!leaf && entry->iova < iova + size && iova < entry->iova + entry->size)
			entry->valid = false;
	}
}

void smmu_invalidate(struct smmu *smmu, u64 iova, u64 size, bool leaf, u64 level_size)
{
	pthread_mutex_lock(&smmu->lock);
	smmu_invalidate_locked(smmu, iova, size, leaf, level_size);
	pthread_mutex_unlock(&smmu->lock);
}

bool smmu_caches_descriptor(struct smmu *smmu, const u64 *descriptor)
{
	for (int i = 0; i < SMMU_TLB_ENTRIES; i++)
		if (smmu->tlb[i].valid && smmu->tlb[i].descriptor == descriptor)
			return true;
	return false;
}

bool smmu_caches_table(struct smmu *smmu, const void *table, size_t size)
{
	bool found = false;

	pthread_mutex_lock(&smmu->lock);
	for (int i = 0; i < SMMU_TLB_ENTRIES; i++)
		found |= smmu->walk_cache[i].valid &&
			 (char *)smmu->walk_cache[i].table - (char *)table < (ssize_t)size &&
			 (char *)smmu->walk_cache[i].table >= (char *)table;
	pthread_mutex_unlock(&smmu->lock);
	return found;
}

bool smmu_caches_smaller(struct smmu *smmu, u64 iova, u64 size)
{
	for (int i = 0; i < SMMU_TLB_ENTRIES; i++)
		if (smmu->tlb[i].valid && smmu->tlb[i].iova - iova < size &&
		    smmu->tlb[i].size < size)
			return true;
	return false;
}

bool smmu_caches_stale_block(struct smmu *smmu)
{
	for (int i = 0; i < SMMU_TLB_ENTRIES; i++)
		if (smmu->tlb[i].valid &&
		    smmu->tlb[i].size > smmu_leaf(smmu, smmu->tlb[i].iova).size)
			return true;
	return false;
}

struct smmu_leaf smmu_leaf(struct smmu *smmu, u64 iova)
{
	u64 *table = smmu->root;

	for (int level = start_level(smmu); level <= LAST_LEVEL; level++) {
		unsigned int shift = level_shift(smmu, level);
		u64 *p = descriptor_at(smmu, table, iova, level);
		u64 desc = __atomic_load_n(p, __ATOMIC_ACQUIRE);

		if (level < LAST_LEVEL && DESC_TYPE(desc) == DESC_TABLE) {
			table = (u64 *)output_address(smmu, desc, smmu->page_shift);
			continue;
		}
		if (DESC_TYPE(desc) != (level == LAST_LEVEL ? DESC_TABLE : DESC_BLOCK))
			break;
		return (struct smmu_leaf){ p, desc, 1ull << shift,
					   output_address(smmu, desc, shift) };
	}
	return (struct smmu_leaf) {};
}

static bool find(const struct smmu *smmu, u64 *table, int level, u64 start, const u64 *p, u64 *iova,
		 u64 *size)
{
	unsigned int shift = level_shift(smmu, level);
	u64 entries = level == start_level(smmu) ? 1ull << (smmu->ias - shift) :
						   1ull << (smmu->page_shift - 3);
	u64 last = smmu->base + (smmu->pages << smmu->page_shift) - 1;
	u64 i = smmu->base > start ? (smmu->base - start) >> shift : 0;

	if (p >= table && p < table + entries) {
		*iova = start + ((u64)(p - table) << shift);
		*size = 1ull << shift;
		return true;
	}
	for (; level < LAST_LEVEL && i < entries && start + (i << shift) <= last; i++) {
		u64 desc = __atomic_load_n(&table[i], __ATOMIC_ACQUIRE);

		if (DESC_TYPE(desc) == DESC_TABLE &&
		    find(smmu, (u64 *)output_address(smmu, desc, smmu->page_shift), level + 1,
			 start + (i << shift), p, iova, size))
			return true;
	}
	return false;
}

bool smmu_find(const struct smmu *smmu, const u64 *descriptor, u64 *iova, u64 *size)
{
	return find(smmu, smmu->root, start_level(smmu), 0, descriptor, iova, size);
}
