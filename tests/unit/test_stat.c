// SPDX-License-Identifier: GPL-2.0-only
/*
 * Totals and percentiles of a migration, worked out by hand.
 */
#include "unit.h"
#include "../../tools/model/stat.h"

#include <string.h>

#define S UINT64_C(1000000000)
#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

static union sample s;

static void begin(enum sample_kind kind)
{
	field__clear(sample__table(kind), &s);
}

static void give_header(struct stat_sums *stat, const char *probe)
{
	begin(SAMPLE_HEADER);
	s.header.probes.count = 1;
	strcpy(s.header.probes.at[0].name, probe);
	stat__add(stat, SAMPLE_HEADER, &s);
}

static void give_tracking(struct stat_sums *stat, uint64_t t, bool on)
{
	begin(SAMPLE_TRACKING);
	s.tracking.t_ns = t;
	s.tracking.pid = 7;
	strcpy(s.tracking.source, "kvm");
	s.tracking.vm = 1;
	s.tracking.slot = 0;
	s.tracking.length_bytes = GIB;
	s.tracking.enable = on ? TRI_TRUE : TRI_FALSE;
	s.tracking.ret = 0;
	s.tracking.total_ns = 300;
	stat__add(stat, SAMPLE_TRACKING, &s);
}

static void give_sync(struct stat_sums *stat, uint64_t t, const char *source, uint64_t iteration,
		      uint64_t dirty, uint64_t ns)
{
	begin(SAMPLE_SYNC);
	s.sync.t_ns = t;
	s.sync.pid = 7;
	strcpy(s.sync.source, source);
	s.sync.vm = strcmp(source, "kvm") ? UNKNOWN : 1;
	s.sync.slot = strcmp(source, "kvm") ? UNKNOWN : 0;
	s.sync.domain = strcmp(source, "kvm") ? 1 : UNKNOWN;
	s.sync.iteration = iteration;
	s.sync.length_bytes = GIB;
	s.sync.clear = TRI_TRUE;
	s.sync.ret = 0;
	s.sync.total_ns = ns;
	s.sync.dirty_bytes = dirty;
	s.sync.unit_bytes[0] = dirty;
	s.sync.unit_bytes[1] = 2 * dirty;
	stat__add(stat, SAMPLE_SYNC, &s);
}

static void give_transfer(struct stat_sums *stat, uint64_t t, uint64_t sent)
{
	begin(SAMPLE_TRANSFER);
	s.transfer.t_ns = t;
	s.transfer.pid = 7;
	s.transfer.sent_bytes = sent;
	stat__add(stat, SAMPLE_TRANSFER, &s);
}

static void give_end(struct stat_sums *stat, uint64_t t)
{
	begin(SAMPLE_END);
	s.end.t_ns = t;
	s.end.lost.count = 2;
	s.end.lost.at[0].number = 3;
	s.end.lost.at[1].number = 4;
	stat__add(stat, SAMPLE_END, &s);
}

static void sums_and_percentiles(void)
{
	const struct stat_source *kvm;
	struct stat_sums stat;

	stat__init(&stat);
	give_header(&stat, "kvm-sync");
	give_transfer(&stat, S / 2, 1000);
	give_tracking(&stat, 1 * S, true);
	/* 1 to 200 ns, the largest first */
	for (uint64_t i = 1; i <= 200; i++)
		give_sync(&stat, (i + 1) * S, "kvm", i, MIB, 201 - i);
	give_transfer(&stat, 101 * S, 1000 + 100 * MIB);
	give_transfer(&stat, 150 * S, 1000 + 100 * MIB);
	give_tracking(&stat, 202 * S, false);
	give_end(&stat, 210 * S);
	stat__finish(&stat);

	CHECK_NUMBER(stat.source_count, 1);
	kvm = &stat.sources[0];
	CHECK_NUMBER(kvm->syncs, 200);
	CHECK_NUMBER(kvm->total_ns, 20100);
	CHECK_NUMBER(kvm->median_ns, 100);
	CHECK_NUMBER(kvm->p99_ns, 198);
	CHECK_NUMBER(kvm->max_ns, 200);
	CHECK_NUMBER(kvm->dirty_bytes, 200 * MIB);
	CHECK_NUMBER(kvm->unit_bytes[0], 200 * MIB);
	CHECK_NUMBER(kvm->unit_bytes[1], 400 * MIB);
	CHECK_NUMBER(kvm->unit_bytes[2], UNKNOWN);
	CHECK_NUMBER(stat.total.migrations, 1);
	CHECK_NUMBER(stat.total.iterations, 200);
	CHECK_NUMBER(stat.total.tracking_ns, 201 * S);
	CHECK_NUMBER(stat.total.active_ns, 199 * S);
	CHECK(stat.total.start_seen == TRI_TRUE);
	CHECK_NUMBER(stat.total.starts, 1);
	CHECK_NUMBER(stat.total.start_ns, 300);
	CHECK_NUMBER(stat.total.sent_bytes, 100 * MIB);
	/* From the look before tracking began to the last that found more: 100.5 s */
	CHECK_NUMBER(stat.total.transfer_rate, 1043359);
	CHECK_NUMBER(stat.total.lost, 7);
	stat__release(&stat);
}

static void what_nobody_measured_is_unknown(void)
{
	struct stat_sums stat;

	stat__init(&stat);
	give_header(&stat, "kvm-sync");
	begin(SAMPLE_TLB_SUMMARY);
	s.tlb_summary.invalidations = s.tlb_summary.commands = s.tlb_summary.total_ns = 0;
	stat__add(&stat, SAMPLE_TLB_SUMMARY, &s);
	give_end(&stat, 2 * S);
	stat__finish(&stat);
	CHECK_NUMBER(stat.total.tlb_invalidations, UNKNOWN);
	CHECK_NUMBER(stat.total.splits, UNKNOWN);
	CHECK_NUMBER(stat.total.sent_bytes, UNKNOWN);
	CHECK_NUMBER(stat.total.tracking_ns, UNKNOWN);
	CHECK_NUMBER(stat.total.migrations, 0);
	CHECK_NUMBER(stat.total.iterations, 0);
	CHECK(stat.total.start_seen == TRI_UNKNOWN);
	stat__release(&stat);

	stat__init(&stat);
	give_header(&stat, "split");
	give_header(&stat, "tlb");
	begin(SAMPLE_TLB_SUMMARY);
	s.tlb_summary.invalidations = 5;
	s.tlb_summary.commands = 9;
	s.tlb_summary.total_ns = 70;
	stat__add(&stat, SAMPLE_TLB_SUMMARY, &s);
	stat__add(&stat, SAMPLE_TLB_SUMMARY, &s);
	give_end(&stat, 2 * S);
	stat__finish(&stat);
	CHECK_NUMBER(stat.total.tlb_invalidations, 10);
	CHECK_NUMBER(stat.total.tlb_commands, 18);
	CHECK_NUMBER(stat.total.splits, 0);
	CHECK_NUMBER(stat.total.merges, UNKNOWN);
	stat__release(&stat);
}

static void sources_stand_apart(void)
{
	struct stat_sums stat;

	stat__init(&stat);
	give_sync(&stat, 1 * S, "kvm", 1, MIB, 10);
	give_sync(&stat, 1 * S + 5, "", 1, 3 * MIB, UNKNOWN);
	give_sync(&stat, 2 * S, "kvm", 2, MIB, 20);
	give_sync(&stat, 2 * S + 5, "iommufd", 2, 3 * MIB, 30);
	give_end(&stat, 3 * S);
	stat__finish(&stat);
	CHECK_NUMBER(stat.source_count, 2);
	CHECK_NUMBER(stat.sources[0].dirty_bytes, 2 * MIB);
	CHECK_NUMBER(stat.sources[0].median_ns, 10);
	/* A recording that does not say so is of iommufd. */
	CHECK(!strcmp(stat.sources[1].source, "iommufd"));
	CHECK_NUMBER(stat.sources[1].syncs, 2);
	CHECK_NUMBER(stat.sources[1].dirty_bytes, 6 * MIB);
	/* The duration of one is not known, so neither is any percentile. */
	CHECK_NUMBER(stat.sources[1].total_ns, UNKNOWN);
	CHECK_NUMBER(stat.sources[1].p99_ns, UNKNOWN);
	CHECK(stat.total.start_seen == TRI_FALSE);
	CHECK_NUMBER(stat.total.iterations, 2);
	stat__release(&stat);
}

RUN_TESTS(TEST(sums_and_percentiles), TEST(what_nobody_measured_is_unknown),
	  TEST(sources_stand_apart))
