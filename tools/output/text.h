/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The report for a terminal. Not here: files and HTML.
 */
#ifndef HWDBM_OUTPUT_TEXT_H
#define HWDBM_OUTPUT_TEXT_H

#include "../model/model.h"

#include <stdio.h>

/**
 * text__report() - the tables and the answer of a set of updated runs
 *
 * Emulated durations are marked wherever they stand.
 *
 * @answer: the closing sentences (answer__write()); NULL leaves them out
 *
 * Return: 0, -ENOMEM, or -EIO if @out refused something.
 */
int text__report(FILE *out, struct run *const *runs, size_t count, const char *answer);

#endif
