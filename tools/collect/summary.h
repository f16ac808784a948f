/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From per-CPU totals to summary samples. Not here: the ring.
 */
#ifndef HWDBM_COLLECT_SUMMARY_H
#define HWDBM_COLLECT_SUMMARY_H

#include "collect.h"
#include "kvm.h"

/**
 * summary__sum() - add up what all CPUs have of one key, in a map whose values are of __u64 only
 *
 * @sum: untouched on failure
 * @size: of a value
 *
 * Return: 0, -ENOMEM, or -errno of the map.
 */
int summary__sum(int map_fd, const void *key, void *sum, size_t size);

/* Where totals are kept by kind: a map, and a small one for what came when that had no room at once. */
struct totals_maps {
	int map;
	int spare;
};

/* How far maps of totals were read; starts as 0. */
struct totals_cursor {
	bool begun;
	bool in_spare;
};

/**
 * summary__next() - the next kind that totals are kept of
 *
 * @key: the last one, as summary__next() left it; becomes the next
 *
 * Return: false if there is none. Each kind comes once, also if both maps have it.
 */
bool summary__next(const struct totals_maps *maps, struct totals_cursor *cursor, void *key);

/**
 * summary__read() - all CPUs' totals of one kind as one
 * Return: 0, -ENOMEM, or -errno of the map.
 */
int summary__read(const struct totals_maps *maps, const void *key, struct hwdbm_totals *sum);

/** summary__histogram() - a new list of the buckets that are not empty. Return: 0 or -ENOMEM. */
int summary__histogram(const struct hwdbm_totals *totals, struct pairs *out);

/** summary__now() - the clock of samples */
uint64_t summary__now(void);

/** summary__hand_on() - give a sample to the handler, and free what that leaves */
int summary__hand_on(enum sample_kind kind, union sample *sample, sample_handler handler,
		     void *context);

/**
 * summary__sizes() - one split_summary or merge_summary for each from/to pair of IOMMUs
 * Return: 0, -errno of the map, or the handler's error.
 */
int summary__sizes(const struct totals_maps *maps, enum sample_kind kind, sample_handler handler,
		   void *context);

/**
 * summary__causes() - one tlb_summary sample for each cause, empty ones too
 * Return: 0, -errno of the map, or the handler's error.
 */
int summary__causes(const struct totals_maps *maps, sample_handler handler, void *context);

/**
 * summary__rings() - one ring_summary sample for each VM that has dirty rings
 * Return: 0, -errno of the map, or the handler's error.
 */
int summary__rings(int map_fd, const struct known_vms *vms, sample_handler handler, void *context);

/** summary__losses() - fill in the loss counters of a map */
void summary__losses(int map_fd, struct named_list *lost);

#endif
