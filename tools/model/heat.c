// SPDX-License-Identifier: GPL-2.0-only
/*
 * Spreading, and halving the resolution where room runs out. Not here: what is hot.
 */
#include "heat.h"

#include <stdlib.h>
#include <string.h>

#define ROW_BYTES_LEAST (UINT64_C(1) << 21)
#define COLUMN_NS_LEAST UINT64_C(10000000)

/* Ranges that are no farther apart than this are of one region. */
#define REGION_GAP (UINT64_C(1) << 30)

static void join(struct heat_cell *into, struct heat_cell *from)
{
	into->dirty += from->dirty;
	into->read += from->read;
	*from = (struct heat_cell){ 0 };
}

static void widen_columns(struct heat *heat)
{
	for (size_t i = 0; i < heat->count; i++)
		for (int row = 0; row < HEAT_ROWS; row++)
			for (int column = 1; column < HEAT_COLUMNS; column++)
				join(&heat->regions[i].cells[row][column / 2],
				     &heat->regions[i].cells[row][column]);
	heat->column_ns *= 2;
}

/* A region that its other one contains or will contain, with rows at least as large. */
static void add_region(struct heat_region *into, struct heat_region *from)
{
	for (uint64_t row = 0; row < HEAT_ROWS; row++) {
		uint64_t address = from->address + row * from->row_bytes;
		uint64_t to = (address - into->address) / into->row_bytes;

		for (int column = 0; address <= from->last && column < HEAT_COLUMNS; column++)
			join(&into->cells[to][column], &from->cells[row][column]);
	}
}

/* Rows begin at multiples of their size, before and after. */
static void make_room(struct heat_region *region, uint64_t first, uint64_t last)
{
	uint64_t low = first < region->address ? first : region->address;
	uint64_t high = last > region->last ? last : region->last, bytes = region->row_bytes;
	struct heat_region old;

	while ((high - low / bytes * bytes) / bytes >= HEAT_ROWS)
		bytes *= 2;
	if (bytes != region->row_bytes || low < region->address) {
		old = *region;
		memset(region->cells, 0, sizeof(region->cells));
		region->address = low / bytes * bytes;
		region->row_bytes = bytes;
		add_region(region, &old);
	}
	region->last = high;
}

static bool is_near(const struct heat_region *region, uint64_t first, uint64_t last)
{
	if (last < region->address)
		return region->address - last <= REGION_GAP;
	return first <= region->last || first - region->last <= REGION_GAP;
}

static int by_address(const void *a, const void *b)
{
	const struct heat_region *one = a, *two = b;

	return (one->address > two->address) - (one->address < two->address);
}

static void merge(struct heat *heat, size_t into, size_t from)
{
	struct heat_region *a = &heat->regions[into], *b = &heat->regions[from];

	make_room(a, b->address, b->last);
	while (a->row_bytes < b->row_bytes)
		make_room(a, a->address, a->address + HEAT_ROWS * a->row_bytes);
	add_region(a, b);
	heat->regions[from] = heat->regions[--heat->count];
}

/* The two that are closest to each other become one. */
static void merge_closest(struct heat *heat)
{
	uint64_t least = UINT64_MAX;
	size_t at = 0;

	qsort(heat->regions, heat->count, sizeof(*heat->regions), by_address);
	for (size_t i = 0; i + 1 < heat->count; i++) {
		uint64_t gap = heat->regions[i + 1].address - heat->regions[i].last;

		if (gap < least) {
			least = gap;
			at = i;
		}
	}
	merge(heat, at, at + 1);
}

static struct heat_region *find_region(struct heat *heat, uint64_t first, uint64_t last)
{
	struct heat_region *region;

	for (size_t i = 0; i < heat->count; i++)
		if (is_near(&heat->regions[i], first, last))
			return &heat->regions[i];
	if (heat->count == HEAT_REGIONS)
		merge_closest(heat);
	region = &heat->regions[heat->count++];
	memset(region, 0, sizeof(*region));
	region->row_bytes = ROW_BYTES_LEAST;
	region->address = region->last = first / ROW_BYTES_LEAST * ROW_BYTES_LEAST;
	return region;
}

void heat__add(struct heat *heat, uint64_t t_ns, uint64_t address, uint64_t length, uint64_t dirty)
{
	uint64_t last = address + length - 1, column;
	struct heat_region *region;

	if (!length || last < address)
		return;
	if (!heat->count) {
		heat->column_ns = COLUMN_NS_LEAST;
		heat->t_ns = t_ns;
	}
	if (t_ns < heat->t_ns) {
		heat->backwards++;
		return;
	}
	region = find_region(heat, address, last);
	make_room(region, address, last);
	while ((t_ns - heat->t_ns) / heat->column_ns >= HEAT_COLUMNS)
		widen_columns(heat);
	column = (t_ns - heat->t_ns) / heat->column_ns;
	for (uint64_t row = (address - region->address) / region->row_bytes;
	     row <= (last - region->address) / region->row_bytes; row++) {
		uint64_t from = region->address + row * region->row_bytes, to = from + region->row_bytes - 1;
		double part;

		from = from > address ? from : address;
		to = to < last ? to : last;
		part = (double)(to - from) + 1;
		region->cells[row][column].read += part;
		region->cells[row][column].dirty += (double)dirty * part / (double)length;
	}
}

/* Regions may have grown until they met. */
void heat__finish(struct heat *heat)
{
	qsort(heat->regions, heat->count, sizeof(*heat->regions), by_address);
	for (size_t i = 0; i + 1 < heat->count;) {
		if (!is_near(&heat->regions[i], heat->regions[i + 1].address, heat->regions[i + 1].last)) {
			i++;
			continue;
		}
		merge(heat, i, i + 1);
		qsort(heat->regions, heat->count, sizeof(*heat->regions), by_address);
	}
}

unsigned int heat__rows(const struct heat_region *region)
{
	return (unsigned int)((region->last - region->address) / region->row_bytes) + 1;
}

unsigned int heat__columns(const struct heat *heat)
{
	for (unsigned int column = HEAT_COLUMNS; column > 0; column--)
		for (size_t i = 0; i < heat->count; i++)
			for (int row = 0; row < HEAT_ROWS; row++)
				if (heat->regions[i].cells[row][column - 1].read > 0)
					return column;
	return 0;
}
