/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Latency histograms as sorted lists of [inclusive upper bound, count]. Not here:
 * how the BPF side buckets (bpf/records.h); any bounds will do.
 */
#ifndef HWDBM_MODEL_HISTOGRAM_H
#define HWDBM_MODEL_HISTOGRAM_H

#include "field.h"

/**
 * histogram__merge() - add the counts of @from to @into
 *
 * Both must be sorted by bound; so is the result.
 *
 * Return: 0, or -ENOMEM with @into untouched.
 */
int histogram__merge(struct pairs *into, const struct pairs *from);

/** histogram__count() - number of samples */
uint64_t histogram__count(const struct pairs *histogram);

/**
 * histogram__percentile() - upper bound of the bucket that holds the given percentile
 *
 * @percent: 1 to 100
 * @max: largest sample seen, a tighter bound for the last bucket
 *
 * Return: the bound, or UNKNOWN without samples. Nearest-rank, never below the truth.
 */
uint64_t histogram__percentile(const struct pairs *histogram, unsigned int percent, uint64_t max);

#endif
