/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The machine-readable report: schema hwdbm.report/1. Not here: its pictures (html.h).
 */
#ifndef HWDBM_OUTPUT_REPORT_H
#define HWDBM_OUTPUT_REPORT_H

#include "board.h"

#include <stdio.h>

/**
 * report__write() - the whole report as one JSON document
 *
 * "runs" has those that are not too long to be kept, with their syncs.
 *
 * Return: 0, -ENOMEM, or the -errno of the stream.
 */
int report__write(FILE *out, const struct report_document *document);

#endif
