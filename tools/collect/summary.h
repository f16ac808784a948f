/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From per-CPU totals to summary samples. Not here: the ring.
 */
#ifndef HWDBM_COLLECT_SUMMARY_H
#define HWDBM_COLLECT_SUMMARY_H

#include "collect.h"
#include "kvm.h"

/**
 * summary__sizes() - one split_summary or merge_summary for each from/to pair of a map
 * Return: 0, -errno of the map, or the handler's error.
 */
int summary__sizes(int map_fd, enum sample_kind kind, sample_handler handler, void *context);

/**
 * summary__causes() - one tlb_summary sample for each cause, empty ones too
 * Return: 0, -errno of the map, or the handler's error.
 */
int summary__causes(int map_fd, sample_handler handler, void *context);

/**
 * summary__rings() - one ring_summary sample for each VM that has dirty rings
 * Return: 0, -errno of the map, or the handler's error.
 */
int summary__rings(int map_fd, const struct known_vms *vms, sample_handler handler, void *context);

/** summary__losses() - fill in the loss counters of a map */
void summary__losses(int map_fd, struct named_list *lost);

#endif
