/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Rates of a service from a CSV file of time and value. Not here: what follows from them
 * (model/brownout.h).
 */
#ifndef HWDBM_OUTPUT_RATES_H
#define HWDBM_OUTPUT_RATES_H

#include "../model/brownout.h"

/**
 * rates__load() - read a file of "time,value" lines
 *
 * Time is in seconds by the recordings' clock, CLOCK_MONOTONIC; value is anything per second.
 * A first line that begins with no number is a heading; empty lines are skipped.
 *
 * Return: 0; -EINVAL after a message about a line; -errno after a message.
 */
int rates__load(struct rates *rates, const char *command, const char *path);

#endif
