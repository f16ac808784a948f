// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lines of two numbers. Not here: quotes, other columns.
 */
#define _GNU_SOURCE
#include "rates.h"

#include "../lib/cleanup.h"
#include "../lib/log.h"

#include <errno.h>
#include <string.h>

static bool parse_line(const char *line, double *seconds, double *rate)
{
	char *end;

	*seconds = strtod(line, &end);
	if (end == line || *end++ != ',')
		return false;
	line = end;
	*rate = strtod(line, &end);
	return end != line && (!*end || *end == '\n' || *end == '\r' || *end == ',');
}

int rates__load(struct rates *rates, const char *command, const char *path)
{
	_cleanup_fclose_ FILE *file = fopen(path, "re");
	_cleanup_free_ char *line = NULL;
	size_t size = 0, number = 0;
	int err = file ? 0 : -errno;

	if (err)
		log__error("%s: cannot read %s (%s)", command, path, strerror(-err));
	while (!err && getline(&line, &size, file) > 0) {
		double seconds, rate;

		number++;
		if (*line == '\n' || *line == '\r' || *line == '#')
			continue;
		if (!parse_line(line, &seconds, &rate)) {
			if (number == 1)
				continue;
			err = -EINVAL;
		} else if (seconds >= 0 && seconds < 0x1p63 / 1e9) {
			err = rates__add(rates, (uint64_t)(seconds * 1e9), rate);
		} else {
			err = -EINVAL;
		}
		if (err == -EINVAL)
			log__error("%s: %s:%zu: a line is time,value: seconds by CLOCK_MONOTONIC, later in every line, and a rate that is not negative",
				   command, path, number);
	}
	if (!err && !rates->count) {
		log__error("%s: %s: no line of time,value in there", command, path);
		err = -EINVAL;
	}
	return err;
}
