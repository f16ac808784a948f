/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A migration on a terminal, line by line, and the VMM's own view as lines of their own.
 * Not here: what follows from the samples (model/converge.h).
 */
#ifndef HWDBM_OUTPUT_CONVERGE_H
#define HWDBM_OUTPUT_CONVERGE_H

#include "../model/converge.h"

#include <stdio.h>

/** converge_text__phase() - one line. Return: 0 or -errno of the write. */
int converge_text__phase(FILE *out, const struct converge_phase *phase);

/** converge_text__vmm() - one line of what the VMM says, marked as its. Return: as above. */
int converge_text__vmm(FILE *out, const struct vmm_state_sample *state);

/** converge_text__is_news() - whether the VMM says anything but figures that move all the time */
bool converge_text__is_news(const struct vmm_state_sample *last, const struct vmm_state_sample *state);

#endif
