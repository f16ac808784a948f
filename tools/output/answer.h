/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a set of runs says, in one or two sentences: the gain, the price, and where
 * splitting loses. Not here: any number that was not measured.
 */
#ifndef HWDBM_OUTPUT_ANSWER_H
#define HWDBM_OUTPUT_ANSWER_H

#include "../model/run.h"

/**
 * answer__write() - answer from updated runs
 *
 * @runs: runs of one host; runs with split_mode "off" on a patched kernel are what the
 *        others are compared with, backing by backing and workload by workload
 *
 * Return: a string to free(), or NULL without memory.
 */
char *answer__write(struct run *const *runs, size_t count);

#endif
