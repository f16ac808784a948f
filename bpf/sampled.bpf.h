/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where the kernel has split a seeded share of the blocks, to learn from: how many pages of each
 * of them are dirty, as a histogram, from the bitmap that is being counted anyway. Not here: what
 * follows for the blocks that were not split.
 */
#ifndef HWDBM_BPF_SAMPLED_BPF_H
#define HWDBM_BPF_SAMPLED_BPF_H

#include "hwdbm.bpf.h"

/* Of one walk along a bitmap. Zero in result.block_shift: blocks are not looked at. */
struct sampled_walk {
	struct hwdbm_sampled result;
	__u64 block;			/* number of the block that is being counted, plus one */
	__u64 pages;
	__u64 units;
	__u64 first_gap;
	__u64 gap;			/* whole dirty blocks since the last sampled one */
	__u64 last_pages;		/* of that one */
	__u64 last_units;
	__u64 page_step;		/* difference of the last two */
	__u64 unit_step;
};

/* The kernel's choice (iommu_dirty_split_sampled() in include/linux/iommu.h). */
static __always_inline bool is_sampled(__u64 iova, __u32 share, __u32 seed)
{
	__u64 hash = iova ^ ((__u64)seed << 32 | seed);

	hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9ULL;
	hash = (hash ^ (hash >> 27)) * 0x94d049bb133111ebULL;
	return ((hash ^ (hash >> 31)) >> 32) * 10000 >> 32 < share;
}

static __always_inline void count_in(__u32 *buckets, __u64 value)
{
	__u32 bucket = hwdbm_bucket(value);

	if (bucket < HWDBM_SAMPLED_BUCKETS)
		buckets[bucket]++;
}

/* Products beyond this would not fit when they are squared and added up. */
#define GAP_MAX (1ULL << 27)

static __always_inline void add_square(__u64 *sum, __u64 value)
{
	if (value >= GAP_MAX || *sum >= 1ULL << 63)
		*sum = HWDBM_UNKNOWN;
	else
		*sum += value * value;
}

static __always_inline __u64 distance(__u64 a, __u64 b)
{
	return a > b ? a - b : b - a;
}

static __always_inline void end_gap(struct hwdbm_sampled_gaps *gaps, __u64 ended, __u64 gap,
				    __u64 first_gap, __u64 last, __u64 now, __u64 *step)
{
	if (!ended) {
		gaps->outer += gap * now;
		return;
	}
	*step = distance(last, now);
	gaps->twice_inner += gap * (last + now);
	add_square(&gaps->inner_squares, gap * *step);
	if (ended == 1)
		add_square(&gaps->outer_squares, first_gap * *step);
}

static __always_inline void note_gap(struct sampled_walk *walk, __u64 pages, __u64 units)
{
	struct hwdbm_sampled *result = &walk->result;
	__u64 ended = result->blocks;

	end_gap(&result->page_gaps, ended, walk->gap, walk->first_gap, walk->last_pages, pages,
		&walk->page_step);
	end_gap(&result->unit_gaps, ended, walk->gap, walk->first_gap, walk->last_units, units,
		&walk->unit_step);
	if (!ended)
		walk->first_gap = walk->gap;
	result->gap_blocks += walk->gap;
	walk->gap = 0;
	walk->last_pages = pages;
	walk->last_units = units;
}

/* What lies behind the last one that was split */
static __always_inline void end_last_gap(struct sampled_walk *walk)
{
	struct hwdbm_sampled *result = &walk->result;

	if (!result->blocks)
		return;
	result->page_gaps.outer += walk->gap * walk->last_pages;
	result->unit_gaps.outer += walk->gap * walk->last_units;
	add_square(&result->page_gaps.outer_squares, walk->gap * walk->page_step);
	add_square(&result->unit_gaps.outer_squares, walk->gap * walk->unit_step);
	result->gap_blocks += walk->gap;
	walk->gap = 0;
}

/* All of a block has been seen. */
static __always_inline void end_block(struct sampled_walk *walk)
{
	struct hwdbm_sampled *result = &walk->result;
	__u64 pages = walk->pages, units = walk->units;

	if (!walk->block)
		return;
	if (is_sampled((walk->block - 1) << result->block_shift, result->share, result->seed)) {
		note_gap(walk, pages, units);
		result->blocks++;
		result->pages += pages;
		result->units += units;
		count_in(result->page_buckets, pages);
		count_in(result->unit_buckets, units);
	} else if (pages < 1ULL << (result->block_shift - page_shift)) {
		result->others++;
		result->other_pages += pages;
	} else {
		walk->gap++;
	}
	walk->pages = 0;
	walk->units = 0;
}

/*
 * The next dirty window of 64 pages, and how many pages and 64K units of it are; no pages: there is
 * none left. A function of its own, so that the verifier goes through it once, and not on each of
 * the ways through a bitmap.
 */
__weak __noinline int count_sampled(struct sampled_walk *walk, __u64 window, __u32 pages, __u32 units)
{
	__u64 block;

	if (!walk)
		return 0;
	block = (window >> ((walk->result.block_shift - page_shift - 6) & 63)) + 1;
	if (!pages || block != walk->block) {
		end_block(walk);
		walk->block = block;
	}
	if (!pages)
		end_last_gap(walk);
	walk->pages += pages;
	walk->units += units;
	return 0;
}

static __always_inline void begin_sampled(struct sampled_walk *walk, __u32 shift, __u32 share,
					  __u32 seed)
{
	struct hwdbm_sampled *result = &walk->result;

	__builtin_memset(&walk->block, 0, sizeof(*walk) - offsetof(struct sampled_walk, block));
	__builtin_memset(result, 0, offsetof(struct hwdbm_sampled, page_buckets));
	for (__u32 i = 0; i < HWDBM_SAMPLED_BUCKETS; i++) {
		/* Not to become a call of memset(), which there is none of */
		barrier_var(i);
		result->page_buckets[i] = 0;
		result->unit_buckets[i] = 0;
	}
	result->block_shift = shift;
	result->share = share;
	result->seed = seed;
}

#endif
