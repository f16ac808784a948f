/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The host's knobs for splitting blocks while dirty state is tracked (parameters of the IOMMU
 * core): set for one run, restored afterwards.
 */
#ifndef GUEST_KNOBS_H
#define GUEST_KNOBS_H

#include <stdbool.h>
#include <stdint.h>

/* True when this kernel has the knobs. */
bool knobs_exist(void);

/* Remembers the present setting and asks for this one. 0 or -errno. */
int knobs_set(const char *split, uint64_t granularity_bytes);

/* Puts back what knobs_set() found; without it, nothing. */
void knobs_restore(void);

#endif
