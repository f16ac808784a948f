// SPDX-License-Identifier: GPL-2.0-only
/*
 * Advice on recordings of which it is known what is right. How often it is right on guests of
 * all sorts is judged by tests/bench/advise.
 */
#include "../../tools/model/advise.h"
#include "../../tools/model/whatif.h"
#include "../../tools/output/advise.h"
#include "unit.h"

#include <math.h>
#include <string.h>

#define S UINT64_C(1000000000)
#define MS UINT64_C(1000000)
#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)
#define PAGE UINT64_C(4096)

static struct advise advise;
static struct advise_answer answer;
static char text[ADVISE_SENTENCE];

/* So many pages in so many 2M blocks, the same at once and after 3 s; known at 4K or not. */
struct recorded {
	const char *source;
	uint64_t memory;
	uint64_t pages;
	uint64_t blocks;
	bool whole;
};

static void begin(void)
{
	advise__release(&advise);
	advise__init(&advise);
}

static int give_start(const struct recorded *r)
{
	union sample s;

	field__clear(sample__table(SAMPLE_TRACKING), &s);
	s.tracking.t_ns = S;
	s.tracking.pid = 7;
	strcpy(s.tracking.source, r->source);
	s.tracking.vm = strcmp(r->source, "kvm") ? UNKNOWN : 1;
	s.tracking.slot = s.tracking.vm;
	s.tracking.domain = s.tracking.vm == UNKNOWN ? 1 : UNKNOWN;
	s.tracking.length_bytes = r->memory;
	s.tracking.enable = TRI_TRUE;
	s.tracking.ret = 0;
	return advise__add(&advise, SAMPLE_TRACKING, &s);
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static int give_sync(const struct recorded *r, uint64_t t, uint64_t iteration)
{
	union sample s;

	field__clear(sample__table(SAMPLE_SYNC), &s);
	s.sync.t_ns = t;
	s.sync.pid = 7;
	strcpy(s.sync.source, r->source);
	s.sync.vm = strcmp(r->source, "kvm") ? UNKNOWN : 1;
	s.sync.slot = s.sync.vm;
	s.sync.domain = s.sync.vm == UNKNOWN ? 1 : UNKNOWN;
	s.sync.iteration = iteration;
	s.sync.start_seen = TRI_TRUE;
	s.sync.iova = 0;
	s.sync.length_bytes = r->memory;
	s.sync.page_bytes = PAGE;
	s.sync.clear = TRI_TRUE;
	s.sync.ret = 0;
	s.sync.total_ns = MS;
	s.sync.dirty_bytes = r->whole ? r->blocks * 2 * MIB : r->pages * PAGE;
	s.sync.unit_bytes[0] = r->whole ? UNKNOWN : r->pages * PAGE;
	s.sync.unit_bytes[1] = r->whole ? UNKNOWN : least(16 * r->pages * PAGE, r->blocks * 2 * MIB);
	s.sync.unit_bytes[2] = r->blocks * 2 * MIB;
	s.sync.unit_bytes[3] = r->memory;
	memset(s.sync.dirty_entries, 0, sizeof(s.sync.dirty_entries));
	if (r->whole)
		s.sync.dirty_entries[9] = r->blocks;
	else
		s.sync.dirty_entries[0] = UNKNOWN;
	return advise__add(&advise, SAMPLE_SYNC, &s);
}

static int record(const struct recorded *r)
{
	const uint64_t after[] = { S / 10, 3 * S, S / 100, S, S / 3, S / 30 };
	uint64_t t = S;
	int err = give_start(r);

	for (uint64_t i = 0; !err && i < sizeof(after) / sizeof(after[0]); i++) {
		t += after[i];
		err = give_sync(r, t, i + 1);
	}
	return err;
}

static struct advise_settings settings(void)
{
	return (struct advise_settings){
		.why = { .bandwidth = GIB, .limit_ns = 100 * MS, .device_bytes = UNKNOWN,
			 .stop_ns = 5 * MS, .iterations = 30 },
		.block_bytes = 2 * MIB, .table_room_bytes = UNKNOWN, .slowdown = NAN,
	};
}

static int ask(const struct advise_settings *s)
{
	int err = advise__end(&advise);

	return err ?: advise__answer(&advise, s, &answer);
}

static const struct advise_lever *lever(const char *setting)
{
	static const struct advise_lever none = { .effect = "not there" };

	for (size_t i = 0; i < answer.lever_count; i++)
		if (!strcmp(answer.levers[i].setting, setting))
			return &answer.levers[i];
	return &none;
}

/* 2 GiB in blocks of which 500 have a written page: 1000 MiB whole, 2 MB in pages. */
static const struct recorded sparse = { "iommufd", 2 * GIB, 500, 500, false };

static void sparse_blocks_are_split(void)
{
	struct advise_settings s = settings();

	begin();
	CHECK(!record(&sparse));
	CHECK(!ask(&s));
	CHECK(answer.advised && strcmp(answer.advised->mode, "off"));
	CHECK_NUMBER(answer.advised->granularity_bytes, PAGE);
	CHECK(answer.as_mapped && answer.as_mapped->converges == TRI_FALSE);
	CHECK(answer.advised->converges == TRI_TRUE);
	CHECK(answer.advised->blackout_bound_ns < 100 * MS);
	CHECK(strstr(advise__reason(&answer, text), "would not converge"));
	CHECK(answer.second && answer.second != answer.advised);
	/* HUGE_PAGES does the same on a stock kernel; type1's knob has no say here. */
	CHECK(lever("IOMMU_OPTION_HUGE_PAGES")->blackout_ns != UNKNOWN);
	CHECK(!strcmp(lever("type1 disable_hugepages")->effect, "cannot help"));
}

static void dense_blocks_stay(void)
{
	const struct recorded dense = { "iommufd", 2 * GIB, 2560, 5, false };
	struct advise_settings s = settings();

	begin();
	CHECK(!record(&dense));
	CHECK(!ask(&s));
	CHECK(answer.advised == answer.as_mapped);
	CHECK_NUMBER(answer.advised->table_bytes, 0);
	CHECK(strstr(advise__reason(&answer, text), "nothing else is more than 3 % better"));
}

static void tables_that_do_not_fit(void)
{
	struct advise_settings s = settings();

	s.table_room_bytes = MIB;
	begin();
	CHECK(!record(&sparse));
	CHECK(!ask(&s));
	/* Eagerly 1024 blocks take 4 MiB; the 500 that are written take 2 MB. */
	CHECK_NUMBER(answer.ways[1].table_bytes, 4 * MIB);
	CHECK_NUMBER(answer.ways[2].table_bytes, 500 * PAGE);
	CHECK(!strcmp(answer.ways[1].place, "too large"));
	CHECK(!strcmp(answer.ways[2].place, "too large"));
	CHECK(answer.advised == answer.as_mapped);
	s.table_room_bytes = 3 * MIB;
	CHECK(!advise__answer(&advise, &s, &answer));
	CHECK(answer.advised == &answer.ways[2]);
}

static void whole_blocks_cannot_be_judged(void)
{
	const struct recorded whole = { "iommufd", 2 * GIB, 500, 500, true };
	struct advise_settings s = settings();

	begin();
	CHECK(!record(&whole));
	CHECK(!ask(&s));
	CHECK_NUMBER(answer.unjudged, 2);
	CHECK(answer.advised == answer.as_mapped);
	CHECK(strstr(advise__reason(&answer, text), "hwdbm estimate"));
	/* What is estimated is judged, and its upper end makes the bound. */
	s.estimates[0] = (struct advise_estimate){ PAGE, 0.001, 0.002, 0.003 };
	s.estimate_count = 1;
	CHECK(!advise__answer(&advise, &s, &answer));
	CHECK_NUMBER(answer.unjudged, 0);
	CHECK_NUMBER(answer.advised->granularity_bytes, PAGE);
	CHECK(answer.advised->is_estimated && answer.advised->converges == TRI_TRUE);
	s.estimates[0].high = 0.9;
	CHECK(!advise__answer(&advise, &s, &answer));
	CHECK(answer.advised->converges != TRI_TRUE || !answer.advised->is_estimated);
}

static void splitting_needs_an_iommu(void)
{
	const struct recorded device = { "device", 2 * GIB, 500, 500, false };
	const struct recorded kvm = { "kvm", 2 * GIB, 10000, 500, false };
	struct advise_settings s = settings();

	begin();
	CHECK(!record(&device));
	CHECK(!ask(&s));
	CHECK(!strcmp(answer.tracker, "device log") && answer.splits == TRI_FALSE);
	CHECK_NUMBER(answer.way_count, 1);
	CHECK(strstr(advise__reason(&answer, text), "splitting changes nothing"));
	begin();
	CHECK(!record(&kvm));
	CHECK(!ask(&s));
	CHECK(!strcmp(answer.tracker, "vCPUs only"));
	CHECK(strcmp(lever("throttle vCPUs")->effect, "unknown"));
	CHECK(!strcmp(lever("kvm eager_page_split")->effect, "no difference"));
	CHECK(!strcmp(lever("IOMMU_OPTION_HUGE_PAGES")->effect, "cannot help"));
}

static void the_host_overrules_the_recording(void)
{
	struct outlook_facts outlook = { .splits = TRI_FALSE, .dma = "device log",
					 .reason = "every device has a log of its own" };
	struct advise_settings s = settings();

	s.outlook = &outlook;
	begin();
	CHECK(!record(&sparse));
	CHECK(!ask(&s));
	CHECK_NUMBER(answer.way_count, 1);
	CHECK(!strcmp(advise__reason(&answer, text), "every device has a log of its own"));
}

static void nothing_seen_no_advice(void)
{
	struct advise_settings s = settings();

	begin();
	CHECK(!ask(&s));
	CHECK(!answer.advised && !answer.way_count);
	CHECK(strstr(advise__reason(&answer, text), "no iteration"));
	begin();
	CHECK(!record(&sparse));
	s.why.bandwidth = 0;
	CHECK(!ask(&s));
	CHECK(!answer.advised);
	CHECK(strstr(advise__reason(&answer, text), "--bandwidth"));
}

static void tables_by_level(void)
{
	CHECK_NUMBER(whatif__tables(GIB, 2 * MIB, PAGE), 2 * MIB);
	CHECK_NUMBER(whatif__tables(GIB, GIB, 2 * MIB), PAGE);
	CHECK_NUMBER(whatif__tables(GIB, GIB, PAGE), 513 * PAGE);
	CHECK_NUMBER(whatif__tables(GIB, PAGE, PAGE), 0);
	CHECK_NUMBER(whatif__tables(3 * MIB, 2 * MIB, PAGE), 2 * PAGE);
}

RUN_TESTS(TEST(sparse_blocks_are_split), TEST(dense_blocks_stay), TEST(tables_that_do_not_fit),
	  TEST(whole_blocks_cannot_be_judged), TEST(splitting_needs_an_iommu),
	  TEST(the_host_overrules_the_recording), TEST(nothing_seen_no_advice),
	  TEST(tables_by_level))
