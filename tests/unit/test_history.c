// SPDX-License-Identifier: GPL-2.0-only
/*
 * Points of working-set curves from samples; and which samples give none.
 */
#include "samples.h"
#include "unit.h"
#include "../../tools/model/history.h"

#define SECOND UINT64_C(1000000000)

static void add_start(struct history *history, const char *source, uint64_t pid, uint64_t t_ns)
{
	union sample s;

	field__clear(sample__table(SAMPLE_TRACKING), &s);
	strcpy(s.tracking.source, source);
	s.tracking.pid = pid;
	s.tracking.t_ns = t_ns;
	s.tracking.enable = TRI_TRUE;
	s.tracking.ret = 0;
	s.tracking.granularity_bytes = K4;
	strcpy(s.tracking.split_mode, "eager");
	if (history__add(history, SAMPLE_TRACKING, &s))
		abort();
}

static union sample make_sync(const char *source, uint64_t pid, uint64_t iteration, uint64_t t_ns,
			      uint64_t pages)
{
	union sample s;

	field__clear(sample__table(SAMPLE_SYNC), &s);
	strcpy(s.sync.source, source);
	s.sync.pid = pid;
	s.sync.iteration = iteration;
	s.sync.t_ns = t_ns;
	s.sync.iova = 0;
	s.sync.length_bytes = G1;
	s.sync.ret = 0;
	s.sync.clear = TRI_TRUE;
	s.sync.total_ns = 1000;
	s.sync.dirty_bytes = s.sync.unit_bytes[0] = pages * K4;
	s.sync.unit_bytes[1] = pages * 65536;
	return s;
}

static void add_sync(struct history *history, uint64_t pid, uint64_t iteration, uint64_t t_ns,
		     uint64_t pages)
{
	union sample s = make_sync("iommufd", pid, iteration, t_ns, pages);

	if (history__add(history, SAMPLE_SYNC, &s))
		abort();
}

static void iterations_become_points(void)
{
	struct history history;

	history__init(&history);
	add_start(&history, "iommufd", 7, SECOND);
	add_sync(&history, 7, 1, 5 * SECOND, 100);
	add_sync(&history, 7, 2, 7 * SECOND, 60);
	CHECK_NUMBER(history__end(&history), 0);
	CHECK_NUMBER(history.count, 1);
	CHECK_NUMBER(history.sources[0].count, 2);
	CHECK_NUMBER(history.sources[0].points[0].interval_ns, 4 * SECOND);
	CHECK_NUMBER(history.sources[0].points[1].interval_ns, 2 * SECOND);
	CHECK_NUMBER(history.sources[0].points[1].bytes[0], 60 * K4);
	CHECK_NUMBER(history.sources[0].points[1].bytes[1], 60 * 65536);
	CHECK(history.sources[0].points[1].bytes[2] == UNKNOWN);
	CHECK_NUMBER(history__memory(&history), G1);
	CHECK_NUMBER(history.granularity_bytes, K4);
	history__release(&history);
}

static void without_its_start_the_first_is_no_point(void)
{
	struct history history;

	history__init(&history);
	add_sync(&history, 7, 1, 5 * SECOND, 100);
	add_sync(&history, 7, 2, 7 * SECOND, 60);
	CHECK_NUMBER(history__end(&history), 0);
	CHECK_NUMBER(history.sources[0].count, 1);
	CHECK_NUMBER(history.no_interval, 1);
	history__release(&history);
}

static void clocks_that_go_backwards_are_left_out(void)
{
	struct history history;

	history__init(&history);
	add_start(&history, "iommufd", 7, SECOND);
	add_sync(&history, 7, 1, 5 * SECOND, 100);
	add_sync(&history, 7, 2, 3 * SECOND, 60);
	add_sync(&history, 7, 3, 4 * SECOND, 60);
	add_sync(&history, 7, 4, 6 * SECOND, 60);
	CHECK_NUMBER(history__end(&history), 0);
	CHECK_NUMBER(history.backwards, 1);
	CHECK_NUMBER(history.sources[0].count, 2);
	CHECK_NUMBER(history.sources[0].points[1].interval_ns, 2 * SECOND);
	history__release(&history);
}

static void what_says_nothing_is_left_out(void)
{
	struct history history;
	union sample s;

	history__init(&history);
	/* KVM, told to begin with all pages set */
	add_start(&history, "kvm", 7, SECOND);
	s = make_sync("kvm", 7, 1, 2 * SECOND, G1 / K4);
	s.sync.unit_bytes[1] = G1;
	CHECK_NUMBER(history__add(&history, SAMPLE_SYNC, &s), 0);
	s = make_sync("kvm", 7, 2, 3 * SECOND, 10);
	CHECK_NUMBER(history__add(&history, SAMPLE_SYNC, &s), 0);
	/* A sync that did not clear */
	s = make_sync("iommufd", 7, 1, 4 * SECOND, 10);
	s.sync.clear = TRI_FALSE;
	CHECK_NUMBER(history__add(&history, SAMPLE_SYNC, &s), 0);
	/* Sizes that contradict each other */
	s = make_sync("kvm", 7, 3, 5 * SECOND, 10);
	s.sync.unit_bytes[1] = K4;
	CHECK_NUMBER(history__add(&history, SAMPLE_SYNC, &s), 0);
	CHECK_NUMBER(history__end(&history), 0);
	CHECK_NUMBER(history.all_set, 1);
	CHECK_NUMBER(history.kept, 1);
	CHECK_NUMBER(history.contradictory, 1);
	CHECK_NUMBER(history.count, 1);
	CHECK_NUMBER(history.sources[0].count, 2);
	CHECK(history.sources[0].points[1].bytes[0] == UNKNOWN);
	CHECK_NUMBER(history.sources[0].points[1].reported_bytes, 10 * K4);
	history__release(&history);
}

static void one_vm_of_each_recording(void)
{
	struct history history;

	history__init(&history);
	for (uint64_t recording = 0; recording < 2; recording++) {
		uint64_t vmm = 7 + recording;

		add_start(&history, "iommufd", vmm, SECOND);
		add_sync(&history, vmm, 1, 2 * SECOND, 1);
		add_sync(&history, vmm, 2, 3 * SECOND, 1);
		add_start(&history, "iommufd", 99, SECOND);
		add_sync(&history, 99, 1, 4 * SECOND, 5);
		CHECK_NUMBER(history__end(&history), 0);
	}
	CHECK_NUMBER(history.count, 1);
	CHECK_NUMBER(history.sources[0].count, 4);
	CHECK_NUMBER(history.others, 2);
	CHECK_NUMBER(history.sources[0].points[2].interval_ns, SECOND);
	history__release(&history);
}

RUN_TESTS(TEST(iterations_become_points), TEST(without_its_start_the_first_is_no_point),
	  TEST(clocks_that_go_backwards_are_left_out), TEST(what_says_nothing_is_left_out),
	  TEST(one_vm_of_each_recording))
