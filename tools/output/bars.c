// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bars. Not here: what they are about.
 */
#include "bars.h"
#include "units.h"

#include <inttypes.h>

#define POWERS 64
#define WIDTH 40

static unsigned int power_of(uint64_t ns)
{
	return ns ? 63 - __builtin_clzll(ns) : 0;
}

void bars__print(FILE *out, const struct pairs *histogram, const char *mark)
{
	static const char full[WIDTH + 1] = "@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@";
	uint64_t counts[POWERS] = { 0 }, most = 0;
	unsigned int first = POWERS, last = 0;

	for (size_t i = 0; i < histogram->count; i++) {
		unsigned int power = power_of(histogram->at[i].key);

		counts[power] += histogram->at[i].value;
		most = counts[power] > most ? counts[power] : most;
		first = power < first ? power : first;
		last = power > last ? power : last;
	}
	for (unsigned int power = first; most && power <= last; power++) {
		char from[UNITS_TEXT], to[UNITS_TEXT], count[UNITS_TEXT];
		int width = (int)((counts[power] * WIDTH + most - 1) / most);

		fprintf(out, "  %9s%s to %9s%s %12s  |%-*.*s|\n",
			units__duration(power ? UINT64_C(1) << power : 0, from), mark,
			units__duration(UINT64_C(2) << power, to), mark,
			units__count(counts[power], count), WIDTH, width, full);
	}
}
