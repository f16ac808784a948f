/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A blackout for people, with a timeline, and for programs. Not here: figures
 * (model/blackout.c).
 */
#ifndef HWDBM_OUTPUT_BLACKOUT_H
#define HWDBM_OUTPUT_BLACKOUT_H

#include "../model/blackout.h"

#include <jansson.h>
#include <stdio.h>

#define BLACKOUT_SENTENCE 400

/** blackout__sentence() - how long it was, by which clocks, or why that is unknown; to @text */
const char *blackout__sentence(const struct blackout *blackout, char text[BLACKOUT_SENTENCE]);

/** blackout__clocks() - how the clocks of both sides are related; to @text */
const char *blackout__clocks(const struct blackout *blackout, char text[BLACKOUT_SENTENCE]);

/** blackout_text__put() - sentences and a timeline. Return: 0 or -errno of the write. */
int blackout_text__put(FILE *out, const struct blackout *blackout, bool emulated);

/** blackout_json__make() - with its events. Return: NULL without memory. */
json_t *blackout_json__make(const struct blackout *blackout);

/** blackout_json__put() - one document. Return: 0, -ENOMEM or -EIO. */
int blackout_json__put(FILE *out, const struct blackout *blackout, const char *time_basis);

#endif
