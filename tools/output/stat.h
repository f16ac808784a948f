/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Totals of a migration for a person, a figure in each line. Not here: the sums
 * (model/stat.h).
 */
#ifndef HWDBM_OUTPUT_STAT_H
#define HWDBM_OUTPUT_STAT_H

#include "../model/stat.h"

#include <stdio.h>

/**
 * stat_text__write() - all that is known
 *
 * @stat: finished
 * @header: what was measured, by which probes
 * @vmm: the VMM's last word, or NULL
 *
 * Return: 0 or -errno of the write.
 */
int stat_text__write(FILE *out, const struct stat_sums *stat, const struct header_sample *header,
		     const struct vmm_state_sample *vmm);

#endif
