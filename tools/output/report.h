/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The machine-readable report: schema hwdbm.report/1. Not here: its pictures (html.h).
 */
#ifndef HWDBM_OUTPUT_REPORT_H
#define HWDBM_OUTPUT_REPORT_H

#include "../model/model.h"

#include <stdio.h>

/**
 * report__write() - the report of a set of updated runs as one JSON document
 * Return: 0, -ENOMEM, or the -errno of the stream.
 */
int report__write(FILE *out, struct run *const *runs, size_t count, const char *answer);

#endif
