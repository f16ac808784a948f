/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Runs as metrics in Prometheus' text format 0.0.4, names, units and help from the
 * field tables. Not here: serving them (commands/serve.c).
 */
#ifndef HWDBM_OUTPUT_METRICS_H
#define HWDBM_OUTPUT_METRICS_H

#include "../model/model.h"

#include <stdio.h>

#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/**
 * metrics__write() - all metrics of all runs
 *
 * Every series carries the run's labels; of the syncs only the latest is given, so
 * that the number of series does not grow while a migration goes on. What is unknown
 * is left out.
 *
 * @runs: updated runs (run__update())
 *
 * Return: 0, -ENOMEM, or -EIO if @stream refused something.
 */
int metrics__write(FILE *stream, struct run *const *runs, size_t count);

#endif
