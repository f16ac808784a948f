/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A diagnosis for people and for programs. Not here: its verdicts.
 */
#ifndef HWDBM_OUTPUT_DIAGNOSIS_H
#define HWDBM_OUTPUT_DIAGNOSIS_H

#include "../model/diagnosis.h"

#include <stdio.h>

/**
 * diagnosis__text() - what can be measured here, and why not the rest; then the hardware
 *
 * @verbose: every alternative that was passed over, too
 *
 * Return: 0, -ENOMEM, or -EIO if @out refused something.
 */
int diagnosis__text(FILE *out, const struct diagnosis *diagnosis, bool verbose);

/** diagnosis__safety_text() - the known ways to lose dirty pages, one by one */
int diagnosis__safety_text(FILE *out, const struct diagnosis *diagnosis);

/**
 * diagnosis__json() - everything, as one JSON object
 * Return: 0, -ENOMEM, or -EIO if @out refused something.
 */
int diagnosis__json(FILE *out, const struct diagnosis *diagnosis);

#endif
