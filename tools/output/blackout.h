/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A blackout for people, with a timeline, and for programs. Not here: figures
 * (model/blackout.c).
 */
#ifndef HWDBM_OUTPUT_BLACKOUT_H
#define HWDBM_OUTPUT_BLACKOUT_H

#include "../model/blackout.h"

#include <stdio.h>

/** blackout_text__put() - sentences and a timeline. Return: 0 or -errno of the write. */
int blackout_text__put(FILE *out, const struct blackout *blackout, bool emulated);

/** blackout_json__put() - one document. Return: 0, -ENOMEM or -EIO. */
int blackout_json__put(FILE *out, const struct blackout *blackout, const char *time_basis);

#endif
