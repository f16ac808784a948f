// SPDX-License-Identifier: GPL-2.0-only
/*
 * Iterations from syncs, and the map of split regions.
 */
#include "unit.h"
#include "../../tools/model/iteration.h"
#include "../../tools/model/leafmap.h"

#include <errno.h>

#define G (UINT64_C(1) << 30)

/* The iteration of a sync, or the error as a huge number. */
static uint64_t next(struct iteration_tracker *tracker, uint64_t domain, uint64_t iova,
		     uint64_t length)
{
	uint64_t iteration = 0;
	int err = iteration__next(tracker, domain, iova, length, &iteration);

	return err ? (uint64_t)err : iteration;
}

static void whole_syncs_count_up(void)
{
	struct iteration_tracker t = { 0 };

	CHECK_NUMBER(next(&t, 1, 0, G), 1);
	CHECK_NUMBER(next(&t, 1, 0, G), 2);
	CHECK_NUMBER(next(&t, 1, 0, G), 3);
	iteration__release(&t);
}

static void chunks_are_one_iteration_in_any_order(void)
{
	struct iteration_tracker t = { 0 };

	CHECK_NUMBER(next(&t, 1, 2 * G, G), 1);
	CHECK_NUMBER(next(&t, 1, 0, G), 1);
	CHECK_NUMBER(next(&t, 1, 3 * G, G), 1);
	CHECK_NUMBER(next(&t, 1, G, G), 1);
	CHECK_NUMBER(next(&t, 1, 3 * G, G), 2);
	CHECK_NUMBER(next(&t, 1, 0, G), 2);
	iteration__release(&t);
}

static void one_common_byte_ends_it(void)
{
	struct iteration_tracker t = { 0 };

	CHECK_NUMBER(next(&t, 1, 0, G), 1);
	CHECK_NUMBER(next(&t, 1, G, G), 1);
	CHECK_NUMBER(next(&t, 1, 2 * G - 1, G), 2);
	/* The same from the other side: the last byte of this is the first of that. */
	CHECK_NUMBER(next(&t, 1, G, G), 3);
	iteration__release(&t);
}

static void domains_do_not_end_each_other(void)
{
	struct iteration_tracker t = { 0 };

	CHECK_NUMBER(next(&t, 1, 0, G), 1);
	CHECK_NUMBER(next(&t, 2, 0, G), 1);
	CHECK_NUMBER(next(&t, 1, 0, G), 2);
	CHECK_NUMBER(next(&t, 2, 0, G), 2);
	iteration__release(&t);
}

static void neighbours_take_no_room(void)
{
	struct iteration_tracker t = { 0 };

	for (uint64_t i = 0; i < 1000; i++)
		CHECK_NUMBER(next(&t, 1, i * G, G), 1);
	CHECK_NUMBER(t.count, 1);
	CHECK_NUMBER(next(&t, 1, 500 * G, G), 2);
	iteration__release(&t);
}

static void the_end_of_the_address_space_is_in_reach(void)
{
	struct iteration_tracker t = { 0 };

	CHECK_NUMBER(next(&t, 1, UINT64_MAX - 4095, 4096), 1);
	CHECK_NUMBER(next(&t, 1, UINT64_MAX - 4095, 4096), 2);
	CHECK_NUMBER(next(&t, 1, UINT64_MAX - 4095, 8192), (uint64_t)-EINVAL);
	CHECK_NUMBER(next(&t, 1, 0, 0), (uint64_t)-EINVAL);
	CHECK_NUMBER(t.current, 2);
	iteration__release(&t);
}

static void restart_counts_from_the_full_copy(void)
{
	struct iteration_tracker t = { 0 };

	CHECK_NUMBER(next(&t, 1, 0, G), 1);
	CHECK_NUMBER(next(&t, 1, 0, G), 2);
	iteration__restart(&t);
	CHECK_NUMBER(next(&t, 1, 0, G), 1);
	iteration__release(&t);
}

/* The iteration of a read of a slot's log; negative if the start of that log was not seen. */
static long long next_slot(struct slot_tracker *tracker, uint64_t slot, uint64_t length)
{
	uint64_t iteration = 0;
	bool started = false;

	if (slots__next(tracker, slot, length, &iteration, &started))
		return 0;
	return started ? (long long)iteration : -(long long)iteration;
}

static void a_slot_read_again_ends_it(void)
{
	struct slot_tracker t = { 0 };

	for (int slot = 0; slot < 40; slot++)
		CHECK(!slots__start(&t, slot, G));
	for (long long iteration = 1; iteration < 4; iteration++)
		for (int slot = 0; slot < 40; slot++)
			CHECK(next_slot(&t, slot, G) == iteration);
	slots__release(&t);
}

/* Read thirty times a second while the guest's memory is read once. */
static void display_memory_does_not_end_it(void)
{
	struct slot_tracker t = { 0 };

	CHECK(!slots__start(&t, 9, 16 << 20));
	CHECK(next_slot(&t, 9, 16 << 20) == 1);
	CHECK(next_slot(&t, 9, 16 << 20) == 2);
	/* A migration begins. */
	CHECK(!slots__start(&t, 1, 1 << 20));
	CHECK(!slots__start(&t, 2, 4 * G));
	for (long long iteration = 1; iteration < 5; iteration++) {
		for (int i = 0; iteration > 1 && i < 10; i++)
			CHECK(next_slot(&t, 9, 16 << 20) == iteration);
		CHECK(next_slot(&t, 1, 1 << 20) == iteration);
		CHECK(next_slot(&t, 2, 4 * G) == iteration);
		if (iteration == 1)
			CHECK(next_slot(&t, 9, 16 << 20) == 1);
	}
	slots__release(&t);
}

static void the_latest_read_of_a_slot_is_known(void)
{
	struct slot_tracker t = { 0 };
	uint64_t iteration = 0;
	bool started = false;

	CHECK(!slots__latest(&t, 3, &iteration, &started));
	slots__start(&t, 3, G);
	CHECK(!slots__latest(&t, 3, &iteration, &started));
	next_slot(&t, 3, G);
	next_slot(&t, 3, G);
	CHECK(slots__latest(&t, 3, &iteration, &started) && iteration == 2 && started);
	CHECK(!slots__latest(&t, 4, &iteration, &started));
	slots__release(&t);
}

static void a_start_that_was_missed_is_known(void)
{
	struct slot_tracker t = { 0 };

	CHECK(next_slot(&t, 1, G) == -1);
	CHECK(next_slot(&t, 2, G) == -1);
	CHECK(next_slot(&t, 1, G) == -2);
	slots__stop(&t, 1);
	slots__stop(&t, 2);
	slots__stop(&t, 3);
	CHECK(!slots__start(&t, 1, G));
	CHECK(next_slot(&t, 1, G) == 1);
	slots__release(&t);
}

/* The log of the largest slot starts a migration, also if its first reads may be missing. */
static void a_late_start_counts_anew(void)
{
	struct slot_tracker t = { 0 };

	CHECK(!slots__start(&t, 1, G));
	CHECK(next_slot(&t, 1, G) == 1);
	CHECK(next_slot(&t, 1, G) == 2);
	slots__stop(&t, 1);
	CHECK(!slots__late(&t, 1, G));
	CHECK(next_slot(&t, 1, G) == -1);
	CHECK(!slots__start(&t, 2, 1 << 20));
	CHECK(next_slot(&t, 2, 1 << 20) == 1);
	CHECK(next_slot(&t, 1, G) == -2);
	slots__release(&t);
}

static void regions_are_coarse_until_refined(void)
{
	struct leafmap map = { 0 };

	CHECK(!leafmap__is_fine(&map, 0));
	CHECK(!leafmap__is_fine(&map, UINT64_MAX));
	CHECK_NUMBER(leafmap__refine(&map, 300 * LEAFMAP_REGION, LEAFMAP_REGION), 0);
	CHECK(leafmap__is_fine(&map, 300));
	CHECK(!leafmap__is_fine(&map, 299));
	CHECK(!leafmap__is_fine(&map, 301));
	CHECK_NUMBER(leafmap__refine(&map, G, G), 0);
	CHECK(leafmap__is_fine(&map, 512) && leafmap__is_fine(&map, 1023));
	CHECK(!leafmap__is_fine(&map, 511) && !leafmap__is_fine(&map, 1024));
	leafmap__release(&map);
	CHECK(!leafmap__is_fine(&map, 300));
}

static void a_broken_split_does_not_take_all_memory(void)
{
	struct leafmap map = { 0 };

	CHECK(leafmap__refine(&map, UINT64_MAX / 2, G) == -ENOMEM);
	CHECK_NUMBER(map.words, 0);
}

RUN_TESTS(TEST(whole_syncs_count_up), TEST(chunks_are_one_iteration_in_any_order),
	  TEST(one_common_byte_ends_it), TEST(domains_do_not_end_each_other),
	  TEST(neighbours_take_no_room), TEST(the_end_of_the_address_space_is_in_reach),
	  TEST(restart_counts_from_the_full_copy), TEST(a_slot_read_again_ends_it),
	  TEST(display_memory_does_not_end_it), TEST(a_start_that_was_missed_is_known),
	  TEST(a_late_start_counts_anew), TEST(the_latest_read_of_a_slot_is_known),
	  TEST(regions_are_coarse_until_refined),
	  TEST(a_broken_split_does_not_take_all_memory))
