// SPDX-License-Identifier: GPL-2.0-only
/*
 * A growing bit map of regions. Not here: which splits to tell it about.
 */
#include "leafmap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* 1 PiB of IOVA; a larger index is a broken recording, not a machine. */
#define REGIONS_MAX (UINT64_C(1) << 29)

int leafmap__refine(struct leafmap *map, uint64_t offset, uint64_t length)
{
	uint64_t first = offset / LEAFMAP_REGION;
	uint64_t last = (offset + length - 1) / LEAFMAP_REGION;
	size_t words = last / 64 + 1;

	if (!length || last < first)
		return 0;
	if (last >= REGIONS_MAX)
		return -ENOMEM;
	if (words > map->words) {
		uint64_t *fine = realloc(map->fine, words * sizeof(*fine));

		if (!fine)
			return -ENOMEM;
		memset(fine + map->words, 0, (words - map->words) * sizeof(*fine));
		map->fine = fine;
		map->words = words;
	}
	for (uint64_t region = first; region <= last; region++)
		map->fine[region / 64] |= UINT64_C(1) << (region % 64);
	return 0;
}

bool leafmap__is_fine(const struct leafmap *map, uint64_t region)
{
	if (map->all_fine)
		return true;
	return region / 64 < map->words && map->fine[region / 64] >> (region % 64) & 1;
}

void leafmap__release(struct leafmap *map)
{
	free(map->fine);
	memset(map, 0, sizeof(*map));
}
