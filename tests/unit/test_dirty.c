// SPDX-License-Identifier: GPL-2.0-only
/*
 * Dirty bytes at each size, and the rows that syncs are summed up in.
 */
#include "unit.h"
#include "../../tools/model/dirty.h"
#include "../../tools/model/sync_row.h"

#include <stdlib.h>
#include <string.h>

#define K4 UINT64_C(4096)
#define M2 (UINT64_C(2) << 20)
#define G1 (UINT64_C(1) << 30)

/* The same by brute force: every page of the range, every unit once. */
static uint64_t slow_bytes(const uint8_t *dirty, uint64_t start, uint64_t pages, uint64_t size)
{
	uint64_t bytes = 0, end = start + pages * K4, done = 0;

	for (uint64_t page = 0; page < pages; page++) {
		uint64_t first = (start + page * K4) / size * size, last = first + size;

		if (!dirty[page] || start + page * K4 < done)
			continue;
		bytes += (last < end ? last : end) - (first > start ? first : start);
		done = last;
	}
	return bytes;
}

static struct dirty_units units_of(const uint8_t *dirty, uint64_t start, uint64_t pages,
				   uint64_t size)
{
	struct dirty_units units = { 0 };
	uint64_t latest = UINT64_MAX;

	for (uint64_t page = 0; page < pages; page++) {
		uint64_t address = start + page * K4;

		if (!dirty[page])
			continue;
		units.first = units.count ? units.first : address;
		units.last = address;
		units.count += address / size != latest;
		latest = address / size;
	}
	return units;
}

static void units_are_cut_at_the_ends_of_the_range(void)
{
	static const unsigned int shifts[UNIT_SIZES] = UNIT_SIZE_SHIFTS;

	srand(1);
	for (int turn = 0; turn < 3000; turn++) {
		uint64_t start = G1 - (uint64_t)(rand() % 1500) * K4, pages = 1 + rand() % 1500;
		unsigned int rarity = 1 + rand() % 400;
		uint8_t dirty[1500];

		for (uint64_t page = 0; page < pages; page++)
			dirty[page] = rand() % rarity == 0;
		for (int i = 0; i < UNIT_SIZES; i++) {
			uint64_t size = UINT64_C(1) << shifts[i];
			struct dirty_units units = units_of(dirty, start, pages, size);

			CHECK_NUMBER(dirty__bytes(&units, shifts[i], start, pages * K4),
				     slow_bytes(dirty, start, pages, size));
		}
	}
}

static void a_range_may_end_where_addresses_do(void)
{
	struct dirty_units units = { 1, -K4, -K4 };

	CHECK_NUMBER(dirty__bytes(&units, 21, -3 * K4, 3 * K4), 3 * K4);
}

#define LEAF(bytes) (__builtin_ctzll(bytes) - LEAF_SHIFT)

static void a_leaf_hides_what_is_smaller(void)
{
	const uint64_t counted[UNIT_SIZES] = { 2 * M2, 2 * M2, 2 * M2, G1 };
	uint64_t leaves[LEAF_SIZES] = { [LEAF(M2)] = 2 }, bytes[UNIT_SIZES];

	dirty__from_leaves(leaves, 2 * M2, counted, bytes);
	CHECK(bytes[0] == UNKNOWN && bytes[1] == UNKNOWN);
	CHECK_NUMBER(bytes[2], 2 * M2);
	CHECK_NUMBER(bytes[3], G1);
}

static void without_a_count_like_leaves_tell(void)
{
	const uint64_t unknown[UNIT_SIZES] = { UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN };
	uint64_t leaves[LEAF_SIZES] = { [LEAF(K4)] = 3 }, bytes[UNIT_SIZES];

	dirty__from_leaves(leaves, 3 * K4, unknown, bytes);
	CHECK_NUMBER(bytes[0], 3 * K4);
	CHECK(bytes[1] == UNKNOWN && bytes[2] == UNKNOWN && bytes[3] == UNKNOWN);
	leaves[LEAF(M2)] = 1;
	dirty__from_leaves(leaves, M2 + 3 * K4, unknown, bytes);
	CHECK(bytes[0] == UNKNOWN && bytes[2] == UNKNOWN);
	memset(leaves, 0, sizeof(leaves));
	dirty__from_leaves(leaves, 0, unknown, bytes);
	CHECK(!bytes[0] && !bytes[1] && !bytes[2] && !bytes[3]);
	leaves[0] = UNKNOWN;
	dirty__from_leaves(leaves, K4, unknown, bytes);
	CHECK(bytes[0] == UNKNOWN && bytes[3] == UNKNOWN);
}

/* ---- rows ------------------------------------------------------------------------- */

static struct sync_row seen[32];
static size_t seen_count;

static int see(void *context, const struct sync_row *row)
{
	(void)context;
	seen[seen_count++] = *row;
	return 0;
}

static void give_sync_of(struct sync_rows *rows, const char *source, uint64_t vm, uint64_t slot,
			 uint64_t iteration, uint64_t dirty)
{
	union sample sample;

	field__clear(sample__table(SAMPLE_SYNC), &sample);
	strcpy(sample.sync.source, source);
	sample.sync.pid = 40 + vm;
	sample.sync.vm = vm;
	sample.sync.slot = slot;
	sample.sync.iova = slot * G1;
	sample.sync.length_bytes = G1;
	sample.sync.iteration = iteration;
	sample.sync.start_seen = vm == 1 ? TRI_TRUE : TRI_FALSE;
	sample.sync.total_ns = 10;
	sample.sync.dirty_bytes = dirty;
	sample.sync.unit_bytes[0] = dirty;
	sample.sync.unit_bytes[3] = dirty ? G1 : 0;
	sample.sync.count_ns = dirty == UNKNOWN ? UNKNOWN : 5;
	if (sync_rows__add(rows, SAMPLE_SYNC, &sample))
		abort();
}

static void give_sync(struct sync_rows *rows, uint64_t vm, uint64_t slot, uint64_t iteration,
		      uint64_t dirty)
{
	give_sync_of(rows, "kvm", vm, slot, iteration, dirty);
}

static void give_clear(struct sync_rows *rows, uint64_t vm)
{
	union sample sample;

	field__clear(sample__table(SAMPLE_CLEAR), &sample);
	strcpy(sample.clear.source, "kvm");
	sample.clear.pid = 40 + vm;
	sample.clear.vm = vm;
	sample.clear.total_ns = 7;
	if (sync_rows__add(rows, SAMPLE_CLEAR, &sample))
		abort();
}

static void each_sync_is_a_row(void)
{
	struct sync_rows rows = { .grouping = SYNC_EACH, .handler = see };

	seen_count = 0;
	give_sync(&rows, 1, 3, 1, K4);
	give_sync(&rows, 2, 1 << 16 | 3, 1, UNKNOWN);
	CHECK_NUMBER(seen_count, 2);
	CHECK(!strcmp(seen[0].who, "vm1/41") && !strcmp(seen[0].where, "slot 3"));
	CHECK(!strcmp(seen[1].where, "slot 1:3") && !seen[0].note[0]);
	CHECK(!strcmp(seen[1].note, "earlier syncs are missing"));
	CHECK_NUMBER(seen[0].count_ns, 5);
	CHECK(seen[1].count_ns == UNKNOWN && seen[1].dirty_bytes == UNKNOWN);
	CHECK_NUMBER(rows.counted, 1);
	CHECK_NUMBER(rows.uncounted, 1);
	CHECK_NUMBER(rows.counted_sync_ns, 10);
	sync_rows__release(&rows);
}

static void an_iteration_is_a_row_of_its_vm(void)
{
	struct sync_rows rows = { .grouping = SYNC_ITERATION, .handler = see };

	seen_count = 0;
	give_sync(&rows, 1, 1, 1, K4);
	give_sync(&rows, 2, 1, 1, 8 * K4);
	give_sync(&rows, 1, 2, 1, 2 * K4);
	give_clear(&rows, 1);
	give_clear(&rows, 1);
	CHECK_NUMBER(seen_count, 0);
	give_sync(&rows, 1, 1, 2, UNKNOWN);
	CHECK_NUMBER(seen_count, 1);
	CHECK_NUMBER(seen[0].vm, 1);
	CHECK_NUMBER(seen[0].iteration, 1);
	CHECK_NUMBER(seen[0].syncs, 2);
	CHECK_NUMBER(seen[0].dirty_bytes, 3 * K4);
	CHECK_NUMBER(seen[0].unit_bytes[3], 2 * G1);
	CHECK_NUMBER(seen[0].total_ns, 20);
	CHECK_NUMBER(seen[0].clear_ns, 14);
	CHECK_NUMBER(seen[0].length_bytes, 2 * G1);
	CHECK(seen[0].slot == UNKNOWN && seen[0].unit_bytes[1] == UNKNOWN);
	/* One part that is not known makes the sum unknown. */
	give_sync(&rows, 1, 2, 2, K4);
	CHECK(!sync_rows__flush(&rows));
	CHECK_NUMBER(seen_count, 3);
	for (size_t i = 1; i < 3; i++) {
		if (seen[i].vm == 1)
			CHECK(seen[i].dirty_bytes == UNKNOWN && seen[i].clear_ns == UNKNOWN);
		else
			CHECK_NUMBER(seen[i].dirty_bytes, 8 * K4);
	}
	sync_rows__release(&rows);
}

static void a_stop_ends_the_last_iteration(void)
{
	struct sync_rows rows = { .grouping = SYNC_ITERATION, .handler = see };
	union sample sample;

	seen_count = 0;
	give_sync(&rows, 1, 1, 1, K4);
	give_sync(&rows, 2, 1, 1, K4);
	/* Of vhost's log none tells that it stops. */
	give_sync_of(&rows, "vhost", 2, 1, 1, K4);
	field__clear(sample__table(SAMPLE_TRACKING), &sample);
	strcpy(sample.tracking.source, "kvm");
	sample.tracking.pid = 42;
	sample.tracking.vm = 2;
	sample.tracking.enable = TRI_FALSE;
	CHECK(!sync_rows__add(&rows, SAMPLE_TRACKING, &sample));
	CHECK_NUMBER(seen_count, 2);
	CHECK(seen[0].vm == 2 && seen[1].vm == 2 && strcmp(seen[0].source, seen[1].source));
	sync_rows__release(&rows);
}

static void what_vhost_logs_is_a_bound(void)
{
	struct sync_rows rows = { .grouping = SYNC_EACH, .handler = see };

	seen_count = 0;
	give_sync_of(&rows, "vhost", 1, 3, 1, K4);
	give_sync_of(&rows, "vhost", 2, 3, 1, K4);
	give_sync_of(&rows, "vhost", 1, 3, 2, UNKNOWN);
	CHECK(!strcmp(seen[0].note, "at least"));
	CHECK(!strcmp(seen[1].note, "at least; earlier syncs are missing"));
	CHECK(!seen[2].note[0]);
	sync_rows__release(&rows);
}

static void a_time_is_a_row_of_its_vm(void)
{
	struct sync_rows rows = { .grouping = SYNC_INTERVAL, .handler = see };

	seen_count = 0;
	give_sync(&rows, 1, 1, 1, K4);
	give_sync(&rows, 1, 1, 2, K4);
	CHECK(!sync_rows__flush(&rows) && !sync_rows__flush(&rows));
	CHECK_NUMBER(seen_count, 1);
	CHECK_NUMBER(seen[0].dirty_bytes, 2 * K4);
	CHECK_NUMBER(seen[0].slot, 1);
	CHECK(seen[0].iteration == UNKNOWN);
	sync_rows__release(&rows);
}

RUN_TESTS(TEST(units_are_cut_at_the_ends_of_the_range), TEST(a_range_may_end_where_addresses_do),
	  TEST(a_leaf_hides_what_is_smaller), TEST(without_a_count_like_leaves_tell),
	  TEST(each_sync_is_a_row), TEST(an_iteration_is_a_row_of_its_vm),
	  TEST(a_stop_ends_the_last_iteration), TEST(what_vhost_logs_is_a_bound), TEST(a_time_is_a_row_of_its_vm))
