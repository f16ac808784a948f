// SPDX-License-Identifier: GPL-2.0-only
/*
 * Spreading, and halving the resolution where room runs out. Not here: what is hot.
 */
#include "heat.h"

#include <string.h>

#define ROW_BYTES_LEAST (UINT64_C(1) << 21)
#define COLUMN_NS_LEAST UINT64_C(10000000)

static void join(struct heat_cell *into, struct heat_cell *from)
{
	into->dirty += from->dirty;
	into->read += from->read;
	*from = (struct heat_cell){ 0 };
}

static void widen_columns(struct heat *heat)
{
	for (int row = 0; row < HEAT_ROWS; row++)
		for (int column = 1; column < HEAT_COLUMNS; column++)
			join(&heat->cells[row][column / 2], &heat->cells[row][column]);
	heat->column_ns *= 2;
}

/* Rows begin at multiples of their size, before and after. */
static void move_rows(struct heat *heat, uint64_t address, uint64_t row_bytes)
{
	struct heat_cell old[HEAT_ROWS][HEAT_COLUMNS];

	memcpy(old, heat->cells, sizeof(old));
	memset(heat->cells, 0, sizeof(heat->cells));
	for (uint64_t row = 0; row < HEAT_ROWS; row++) {
		uint64_t to = (heat->address + row * heat->row_bytes - address) / row_bytes;

		for (int column = 0; to < HEAT_ROWS && column < HEAT_COLUMNS; column++)
			join(&heat->cells[to][column], &old[row][column]);
	}
	heat->address = address;
	heat->row_bytes = row_bytes;
}

static void make_room(struct heat *heat, uint64_t first, uint64_t last)
{
	uint64_t low = first < heat->address ? first : heat->address;
	uint64_t high = last > heat->last ? last : heat->last, bytes = heat->row_bytes;

	while ((high - low / bytes * bytes) / bytes >= HEAT_ROWS)
		bytes *= 2;
	if (bytes != heat->row_bytes || low < heat->address)
		move_rows(heat, low / bytes * bytes, bytes);
	heat->last = high;
}

static void begin(struct heat *heat, uint64_t t_ns, uint64_t address)
{
	heat->row_bytes = ROW_BYTES_LEAST;
	heat->address = address / ROW_BYTES_LEAST * ROW_BYTES_LEAST;
	heat->last = address;
	heat->column_ns = COLUMN_NS_LEAST;
	heat->t_ns = t_ns;
}

void heat__add(struct heat *heat, uint64_t t_ns, uint64_t address, uint64_t length, uint64_t dirty)
{
	uint64_t last = address + length - 1, column;

	if (!length || last < address)
		return;
	if (!heat->row_bytes)
		begin(heat, t_ns, address);
	if (t_ns < heat->t_ns) {
		heat->backwards++;
		return;
	}
	make_room(heat, address, last);
	while ((t_ns - heat->t_ns) / heat->column_ns >= HEAT_COLUMNS)
		widen_columns(heat);
	column = (t_ns - heat->t_ns) / heat->column_ns;
	for (uint64_t row = (address - heat->address) / heat->row_bytes;
	     row <= (last - heat->address) / heat->row_bytes; row++) {
		uint64_t from = heat->address + row * heat->row_bytes, to = from + heat->row_bytes - 1;
		double part;

		from = from > address ? from : address;
		to = to < last ? to : last;
		part = (double)(to - from) + 1;
		heat->cells[row][column].read += part;
		heat->cells[row][column].dirty += (double)dirty * part / (double)length;
	}
}

unsigned int heat__rows(const struct heat *heat)
{
	for (unsigned int row = HEAT_ROWS; row > 0; row--)
		for (int column = 0; column < HEAT_COLUMNS; column++)
			if (heat->cells[row - 1][column].read > 0)
				return row;
	return 0;
}

unsigned int heat__columns(const struct heat *heat)
{
	for (unsigned int column = HEAT_COLUMNS; column > 0; column--)
		for (int row = 0; row < HEAT_ROWS; row++)
			if (heat->cells[row][column - 1].read > 0)
				return column;
	return 0;
}
