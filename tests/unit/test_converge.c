// SPDX-License-Identifier: GPL-2.0-only
/*
 * Iterations of a migration, their rates and the verdict. Each figure was worked out by hand.
 */
#include "unit.h"
#include "../../tools/model/converge.h"

#include <string.h>

#define MS UINT64_C(1000000)
#define S (1000 * MS)
#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

#define ROWS 16

/* What was handed on. */
struct seen {
	struct converge_row rows[ROWS];
	size_t count;
	struct converge_phase phases[ROWS];
	size_t phase_count;
};

static int take_row(void *context, const struct converge_row *row)
{
	struct seen *seen = context;

	if (seen->count < ROWS)
		seen->rows[seen->count++] = *row;
	return 0;
}

static int take_phase(void *context, const struct converge_phase *phase)
{
	struct seen *seen = context;

	if (seen->phase_count < ROWS)
		seen->phases[seen->phase_count++] = *phase;
	return 0;
}

/* Zeroes both for a test. */
#define BEGIN(c, seen)										\
	struct seen seen = { 0 };								\
	struct converge c = { .handlers = { take_row, take_phase, &seen } }

static void give_tracking(struct converge *c, uint64_t t, uint64_t slot, uint64_t length, bool on)
{
	union sample s;

	field__clear(sample__table(SAMPLE_TRACKING), &s);
	s.tracking.t_ns = t;
	s.tracking.pid = 7;
	strcpy(s.tracking.source, "kvm");
	s.tracking.vm = 1;
	s.tracking.slot = slot;
	s.tracking.length_bytes = length;
	s.tracking.enable = on ? TRI_TRUE : TRI_FALSE;
	s.tracking.ret = 0;
	s.tracking.total_ns = 1 * MS;
	converge__add(c, SAMPLE_TRACKING, &s);
}

/* A sync that took 1 ms, of a kind of tracker; slot is that of KVM or the domain. */
static void give_sync(struct converge *c, uint64_t t, const char *source, uint64_t slot,
		      uint64_t iteration, uint64_t length, uint64_t dirty)
{
	bool kvm = !strncmp(source, "kvm", 3) || !strcmp(source, "vhost");
	union sample s;

	field__clear(sample__table(SAMPLE_SYNC), &s);
	s.sync.t_ns = t;
	s.sync.pid = 7;
	strcpy(s.sync.source, source);
	if (kvm) {
		s.sync.vm = 1;
		s.sync.slot = slot;
	} else {
		s.sync.domain = slot;
	}
	s.sync.iteration = iteration;
	s.sync.length_bytes = length;
	s.sync.dirty_bytes = dirty;
	s.sync.total_ns = 1 * MS;
	s.sync.clear = TRI_TRUE;
	s.sync.ret = 0;
	converge__add(c, SAMPLE_SYNC, &s);
}

static void give_transfer(struct converge *c, uint64_t t, uint64_t sent)
{
	union sample s;

	field__clear(sample__table(SAMPLE_TRANSFER), &s);
	s.transfer.t_ns = t;
	s.transfer.pid = 7;
	s.transfer.connections = 1;
	s.transfer.sent_bytes = sent;
	converge__add(c, SAMPLE_TRANSFER, &s);
}

static void give_end(struct converge *c, uint64_t t, enum tristate ended)
{
	union sample s;

	field__clear(sample__table(SAMPLE_END), &s);
	s.end.t_ns = t;
	s.end.target_ended = ended;
	converge__add(c, SAMPLE_END, &s);
}

static bool is(const struct converge_row *row, const char *verdict, const char *why)
{
	return !strcmp(row->verdict, verdict) && !strcmp(row->why, why);
}

static void a_migration_that_converges(void)
{
	BEGIN(c, seen);

	give_tracking(&c, 1 * S, 0, GIB, true);
	give_transfer(&c, 1 * S + 10 * MS, 0);
	give_sync(&c, 1 * S + 10 * MS, "kvm", 0, 1, GIB, GIB);
	/* 1 GiB in 10 s; meanwhile 256 MiB get dirty */
	give_transfer(&c, 11 * S + 10 * MS, GIB);
	give_sync(&c, 11 * S + 10 * MS, "kvm", 0, 2, GIB, 256 * MIB);
	/* 256 MiB in 2.5 s; meanwhile 64 MiB */
	give_transfer(&c, 13 * S + 510 * MS, GIB + 256 * MIB);
	give_sync(&c, 13 * S + 510 * MS, "kvm", 0, 3, GIB, 64 * MIB);
	give_end(&c, 14 * S, TRI_TRUE);

	CHECK_NUMBER(seen.count, 3);
	CHECK_NUMBER(seen.rows[0].remaining_bytes, GIB);
	CHECK(is(&seen.rows[0], "unknown", "first copy, of all memory"));
	CHECK_NUMBER(seen.rows[0].vcpu_rate, UNKNOWN);
	CHECK_NUMBER(seen.rows[0].after_ns, 10 * MS);
	CHECK_NUMBER(seen.rows[1].remaining_bytes, 256 * MIB);
	CHECK_NUMBER(seen.rows[1].interval_ns, 10 * S);
	CHECK_NUMBER(seen.rows[1].vcpu_rate, 256 * MIB / 10 + 1);	/* rounded */
	CHECK_NUMBER(seen.rows[1].transfer_rate, GIB / 10);
	CHECK(is(&seen.rows[1], "unknown", "takes one more iteration to tell"));
	CHECK_NUMBER(seen.rows[2].interval_ns, 2500 * MS);
	CHECK_NUMBER(seen.rows[2].sent_bytes, 256 * MIB);
	CHECK_NUMBER(seen.rows[2].transfer_rate, 107374182);		/* 256 MiB / 2.5 s */
	CHECK_NUMBER(seen.rows[2].vcpu_rate, 26843546);			/* 64 MiB / 2.5 s */
	CHECK_NUMBER(seen.rows[2].blackout_ns / MS, 625);		/* 64 MiB at that rate */
	CHECK(is(&seen.rows[2], "converging", ""));
	CHECK(seen.rows[2].exact == TRI_TRUE);
	CHECK_NUMBER(seen.phase_count, 2);
	CHECK(!strcmp(seen.phases[0].phase, "start"));
	CHECK(!strcmp(seen.phases[1].phase, "process-ended"));
	CHECK_NUMBER(seen.phases[1].iterations, 3);
	converge__release(&c);
}

static void a_migration_that_does_not(void)
{
	BEGIN(c, seen);

	give_tracking(&c, 1 * S, 0, GIB, true);
	give_transfer(&c, 1 * S, 0);
	give_sync(&c, 1 * S + 5 * MS, "kvm", 0, 1, GIB, GIB);
	for (int i = 2; i <= 4; i++) {
		give_transfer(&c, i * S, (uint64_t)(i - 1) * 100 * MIB);
		give_sync(&c, i * S + 5 * MS, "kvm", 0, i, GIB, 100 * MIB);
	}
	give_end(&c, 5 * S, TRI_FALSE);
	CHECK_NUMBER(seen.count, 4);
	CHECK_NUMBER(seen.rows[2].vcpu_rate, 100 * MIB);
	CHECK_NUMBER(seen.rows[2].transfer_rate, 100 * MIB);
	CHECK_NUMBER(seen.rows[2].blackout_ns, 1 * S);
	CHECK(is(&seen.rows[2], "not converging", "dirty rate not below transfer rate: vCPUs"));
	CHECK(is(&seen.rows[3], "not converging", "dirty rate not below transfer rate: vCPUs"));
	CHECK(!strcmp(seen.phases[1].phase, "unfinished"));
	converge__release(&c);
}

/* 5 % less each time is within chance, 10 % over two iterations is not. */
static void slow_progress_is_progress(void)
{
	BEGIN(c, seen);

	give_tracking(&c, 1 * S, 0, GIB, true);
	give_sync(&c, 1 * S, "kvm", 0, 1, GIB, GIB);
	give_sync(&c, 2 * S, "kvm", 0, 2, GIB, 1000 * MIB);
	give_sync(&c, 3 * S, "kvm", 0, 3, GIB, 940 * MIB);
	give_sync(&c, 4 * S, "kvm", 0, 4, GIB, 880 * MIB);
	give_end(&c, 5 * S, TRI_FALSE);
	CHECK(is(&seen.rows[2], "not converging", "as much is dirty as before: vCPUs; transfer rate unknown"));
	CHECK(is(&seen.rows[3], "converging", ""));
	CHECK_NUMBER(seen.rows[3].transfer_rate, UNKNOWN);
	CHECK_NUMBER(seen.rows[3].blackout_ns, UNKNOWN);
	CHECK(seen.rows[3].exact == TRI_UNKNOWN);
	converge__release(&c);
}

/* A VMM may read KVM's log again before it has cleared and sent anything: nothing of it is new. */
static void what_was_not_cleared_is_not_new(void)
{
	union sample s;
	BEGIN(c, seen);

	give_tracking(&c, 1 * S, 0, GIB, true);
	for (int i = 1; i <= 3; i++) {
		field__clear(sample__table(SAMPLE_SYNC), &s);
		s.sync.t_ns = i == 3 ? 2 * S + 2 * MS : i * S;
		s.sync.pid = 7;
		strcpy(s.sync.source, "kvm");
		s.sync.vm = 1;
		s.sync.slot = 0;
		s.sync.iteration = i;
		s.sync.length_bytes = GIB;
		s.sync.dirty_bytes = 100 * MIB;
		s.sync.clear = TRI_FALSE;
		s.sync.ret = 0;
		converge__add(&c, SAMPLE_SYNC, &s);
		field__clear(sample__table(SAMPLE_CLEAR), &s);
		s.clear.pid = 7;
		s.clear.vm = 1;
		/* Of a display only, after the second */
		s.clear.slot = i == 2 ? 1 : 0;
		s.clear.ret = 0;
		converge__add(&c, SAMPLE_CLEAR, &s);
	}
	give_end(&c, 5 * S, TRI_FALSE);
	CHECK_NUMBER(seen.count, 3);
	CHECK_NUMBER(seen.rows[1].vcpu_rate, 100 * MIB);
	CHECK_NUMBER(seen.rows[2].vcpu_rate, UNKNOWN);
	CHECK_NUMBER(seen.rows[2].remaining_bytes, 100 * MIB);
	CHECK(is(&seen.rows[2], "unknown", "read again before anything was sent"));
	converge__release(&c);
}

static void all_trackers_of_a_process_are_one_migration(void)
{
	BEGIN(c, seen);

	give_tracking(&c, 1 * S, 0, GIB, true);
	for (int i = 1; i <= 3; i++) {
		give_sync(&c, i * S, "kvm", 0, i, GIB, 10 * MIB);
		give_sync(&c, i * S + 2 * MS, "iommufd", 1, i, GIB, 80 * MIB);
		give_sync(&c, i * S + 4 * MS, "iommufd", 2, i, GIB, 0);
	}
	give_end(&c, 5 * S, TRI_FALSE);
	CHECK_NUMBER(seen.count, 3);
	CHECK_NUMBER(seen.rows[0].remaining_bytes, GIB);
	CHECK_NUMBER(seen.rows[2].remaining_bytes, 90 * MIB);
	CHECK_NUMBER(seen.rows[2].syncs, 3);
	CHECK_NUMBER(seen.rows[2].took_ns, 3 * MS);
	CHECK(seen.rows[2].exact == TRI_FALSE);
	CHECK_NUMBER(seen.rows[2].vcpu_rate, 10 * MIB);
	CHECK_NUMBER(seen.rows[2].dma_rate, 80 * MIB);
	CHECK_NUMBER(seen.rows[2].device_rate, UNKNOWN);
	CHECK(is(&seen.rows[2], "not converging", "as much is dirty as before: DMA, not vCPUs; transfer rate unknown"));
	converge__release(&c);
}

/* vhost's log is seen with KVM's only, and nothing tells when it stops. */
static void vhost_is_seen_beside_kvm(void)
{
	BEGIN(c, seen);

	/* A display in small memory, which vhost writes to as well */
	give_sync(&c, 1 * S - 2 * MS, "kvm", 2, 1, MIB, 0);
	give_sync(&c, 1 * S - 2 * MS, "vhost", 2, 1, MIB, MIB);
	CHECK_NUMBER(seen.phase_count, 0);
	give_tracking(&c, 1 * S, 0, GIB, true);
	for (int i = 1; i <= 3; i++) {
		give_sync(&c, i * S, "kvm", 0, i, GIB, 10 * MIB);
		give_sync(&c, i * S, "vhost", 0, i, GIB, 30 * MIB);
	}
	give_tracking(&c, 4 * S, 0, GIB, false);
	CHECK_NUMBER(seen.phase_count, 2);
	CHECK(!strcmp(seen.phases[1].phase, "stop"));
	CHECK_NUMBER(seen.rows[2].remaining_bytes, 40 * MIB);
	CHECK_NUMBER(seen.rows[2].took_ns, 1 * MS);
	CHECK(seen.rows[2].exact == TRI_FALSE);
	CHECK_NUMBER(seen.rows[2].vcpu_rate, 10 * MIB);
	CHECK_NUMBER(seen.rows[2].vhost_rate, 30 * MIB);
	CHECK_NUMBER(seen.rows[2].device_rate, UNKNOWN);
	CHECK(is(&seen.rows[2], "not converging", "as much is dirty as before: vhost, not vCPUs; transfer rate unknown"));
	converge__release(&c);
}

static void blocks_are_named(void)
{
	BEGIN(c, seen);
	union sample s;

	for (int i = 1; i <= 3; i++) {
		field__clear(sample__table(SAMPLE_SYNC), &s);
		memset(s.sync.dirty_entries, 0, sizeof(s.sync.dirty_entries));
		s.sync.t_ns = i * S;
		s.sync.pid = 7;
		strcpy(s.sync.source, "iommufd");
		s.sync.domain = 1;
		s.sync.iteration = i;
		s.sync.length_bytes = 4 * GIB;
		s.sync.dirty_entries[30 - LEAF_SHIFT] = 2;
		s.sync.dirty_entries[0] = 3;
		s.sync.dirty_bytes = 2 * GIB + 3 * 4096;
		s.sync.ret = 0;
		converge__add(&c, SAMPLE_SYNC, &s);
	}
	give_end(&c, 5 * S, TRI_FALSE);
	CHECK(is(&seen.rows[0], "unknown", "earlier iterations are missing"));
	CHECK(is(&seen.rows[2], "not converging",
		 "as much is dirty as before: DMA, not vCPUs, reported by 1G blocks; transfer rate unknown"));
	converge__release(&c);
}

static void attached_late(void)
{
	BEGIN(c, seen);

	give_sync(&c, 10 * S, "kvm", 0, 1, GIB, 50 * MIB);
	give_sync(&c, 12 * S, "kvm", 0, 2, GIB, 100 * MIB);
	give_tracking(&c, 13 * S, 0, GIB, false);
	CHECK_NUMBER(seen.phase_count, 2);
	CHECK(!strcmp(seen.phases[0].phase, "late"));
	CHECK(!strcmp(seen.phases[1].phase, "stop"));
	CHECK_NUMBER(seen.phases[1].iterations, 2);
	CHECK_NUMBER(seen.count, 2);
	CHECK(seen.rows[0].start_seen == TRI_FALSE);
	CHECK_NUMBER(seen.rows[0].vcpu_rate, UNKNOWN);
	CHECK(is(&seen.rows[0], "unknown", "earlier iterations are missing"));
	CHECK_NUMBER(seen.rows[1].vcpu_rate, 50 * MIB);
	CHECK(!strcmp(seen.rows[1].verdict, "not converging"));
	converge__release(&c);
}

/* Where no single process is followed */
static void a_process_that_ends(void)
{
	union sample s;
	BEGIN(c, seen);

	give_tracking(&c, 1 * S, 0, GIB, true);
	give_sync(&c, 1 * S + 1, "kvm", 0, 1, GIB, GIB);
	field__clear(sample__table(SAMPLE_TRANSFER), &s);
	s.transfer.t_ns = 2 * S;
	s.transfer.pid = 7;
	s.transfer.ended = TRI_TRUE;
	converge__add(&c, SAMPLE_TRANSFER, &s);
	give_end(&c, 5 * S, TRI_FALSE);
	CHECK_NUMBER(seen.count, 1);
	CHECK_NUMBER(seen.phase_count, 2);
	CHECK(!strcmp(seen.phases[1].phase, "process-ended"));
	CHECK_NUMBER(seen.phases[1].t_ns, 2 * S);
	converge__release(&c);
}

/* Others than QEMU send all memory first, and read the log for the first time then. */
static void a_first_sync_after_the_first_copy(void)
{
	BEGIN(c, seen);

	give_tracking(&c, 1 * S, 0, GIB, true);
	give_sync(&c, 5 * S + 1 * MS, "kvm", 0, 1, GIB, 40 * MIB);
	give_end(&c, 6 * S, TRI_FALSE);
	CHECK_NUMBER(seen.rows[0].remaining_bytes, 40 * MIB);
	CHECK_NUMBER(seen.rows[0].interval_ns, 4 * S + 1 * MS);
	CHECK_NUMBER(seen.rows[0].vcpu_rate, 10483139);		/* 40 MiB / 4.001 s */
	CHECK(is(&seen.rows[0], "unknown", "takes one more iteration to tell"));
	converge__release(&c);
}

/* QEMU on a host so busy that it takes a second from one to the other */
static void a_first_sync_of_all_memory(void)
{
	BEGIN(c, seen);

	give_tracking(&c, 1 * S, 0, GIB, true);
	give_sync(&c, 2 * S, "kvm", 0, 1, GIB, GIB);
	give_end(&c, 6 * S, TRI_FALSE);
	CHECK(is(&seen.rows[0], "unknown", "first copy, of all memory"));
	CHECK_NUMBER(seen.rows[0].vcpu_rate, UNKNOWN);
	CHECK_NUMBER(seen.rows[0].remaining_bytes, GIB);
	converge__release(&c);
}

/* Each block was written while all memory was sent. */
static void a_first_sync_of_all_blocks(void)
{
	BEGIN(c, seen);
	union sample s;

	field__clear(sample__table(SAMPLE_TRACKING), &s);
	s.tracking.t_ns = 1 * S;
	s.tracking.pid = 7;
	s.tracking.domain = 1;
	s.tracking.enable = TRI_TRUE;
	s.tracking.ret = 0;
	converge__add(&c, SAMPLE_TRACKING, &s);
	give_sync(&c, 3 * S + 1 * MS, "iommufd", 1, 1, GIB, GIB);
	give_end(&c, 6 * S, TRI_FALSE);
	CHECK(is(&seen.rows[0], "unknown", "takes one more iteration to tell"));
	CHECK_NUMBER(seen.rows[0].dma_rate, GIB / 2);
	converge__release(&c);
}

/* The memory of a display is read many times a second, whether a VM migrates or not. */
static void displays_are_no_migration(void)
{
	BEGIN(c, seen);

	give_tracking(&c, 1 * S, 9, 16 * MIB, true);
	for (int i = 1; i <= 5; i++)
		give_sync(&c, 1 * S + i * 40 * MS, "kvm", 9, i, 16 * MIB, MIB);
	CHECK_NUMBER(seen.phase_count, 0);
	give_tracking(&c, 2 * S, 0, GIB, true);
	give_sync(&c, 2 * S + 10 * MS, "kvm", 0, 1, GIB, GIB);
	give_sync(&c, 2 * S + 11 * MS, "kvm", 9, 1, 16 * MIB, MIB);
	/* A look at what to draw opens the next iteration before the VMM does. */
	give_sync(&c, 3 * S, "kvm", 9, 2, 16 * MIB, MIB);
	give_sync(&c, 5 * S, "kvm", 0, 2, GIB, 99 * MIB);
	give_end(&c, 6 * S, TRI_FALSE);
	CHECK_NUMBER(seen.count, 2);
	CHECK_NUMBER(seen.rows[0].iteration, 1);
	CHECK_NUMBER(seen.rows[0].remaining_bytes, GIB + 16 * MIB);
	CHECK_NUMBER(seen.rows[1].iteration, 2);
	CHECK_NUMBER(seen.rows[1].interval_ns, 2990 * MS);	/* 5.0 s - 2.01 s */
	CHECK_NUMBER(seen.rows[1].remaining_bytes, 100 * MIB);
	converge__release(&c);
}

static void unknown_stays_unknown(void)
{
	BEGIN(c, seen);

	give_sync(&c, 1 * S, "kvm", 0, 1, GIB, UNKNOWN);
	give_sync(&c, 2 * S, "kvm", 0, 2, GIB, UNKNOWN);
	give_sync(&c, 3 * S, "kvm", 0, 3, GIB, 10 * MIB);
	give_end(&c, 4 * S, TRI_FALSE);
	CHECK_NUMBER(seen.rows[1].remaining_bytes, UNKNOWN);
	CHECK_NUMBER(seen.rows[1].vcpu_rate, UNKNOWN);
	CHECK(is(&seen.rows[1], "unknown", "dirty bytes are not known"));
	CHECK_NUMBER(seen.rows[2].remaining_bytes, 10 * MIB);
	CHECK(!strcmp(seen.rows[2].verdict, "unknown"));
	converge__release(&c);
}

static void rings_have_no_iterations(void)
{
	BEGIN(c, seen);

	/* 3 resets in the first second, 1 in the next */
	give_sync(&c, 1 * S, "kvm-ring", UNKNOWN, UNKNOWN, UNKNOWN, MIB);
	give_sync(&c, 1 * S + 300 * MS, "kvm-ring", UNKNOWN, UNKNOWN, UNKNOWN, MIB);
	give_sync(&c, 1 * S + 600 * MS, "kvm-ring", UNKNOWN, UNKNOWN, UNKNOWN, MIB);
	give_sync(&c, 2 * S, "kvm-ring", UNKNOWN, UNKNOWN, UNKNOWN, 4 * MIB);
	give_end(&c, 4 * S, TRI_FALSE);
	CHECK_NUMBER(seen.count, 2);
	CHECK_NUMBER(seen.rows[0].syncs, 3);
	CHECK_NUMBER(seen.rows[1].iteration, UNKNOWN);
	CHECK_NUMBER(seen.rows[1].remaining_bytes, UNKNOWN);
	CHECK_NUMBER(seen.rows[1].vcpu_rate, 4 * MIB);
	CHECK(!strcmp(seen.rows[1].verdict, "unknown"));
	converge__release(&c);
}

static void failed_syncs_are_no_progress(void)
{
	BEGIN(c, seen);
	union sample s;

	give_sync(&c, 1 * S, "kvm", 0, 1, GIB, 10 * MIB);
	give_sync(&c, 2 * S, "kvm", 0, 2, GIB, 10 * MIB);
	field__clear(sample__table(SAMPLE_SYNC), &s);
	s.sync.t_ns = 2 * S + 1 * MS;
	s.sync.pid = 7;
	strcpy(s.sync.source, "kvm");
	s.sync.vm = 1;
	s.sync.length_bytes = GIB;
	s.sync.ret = -14;
	converge__add(&c, SAMPLE_SYNC, &s);
	give_end(&c, 4 * S, TRI_FALSE);
	CHECK_NUMBER(seen.count, 2);
	CHECK(is(&seen.rows[1], "unknown", "a sync failed"));
	converge__release(&c);
}

/* A row is shown once its syncs are over, and again if they were not. */
static void rows_settle(void)
{
	BEGIN(c, seen);

	give_tracking(&c, 1 * S, 0, GIB, true);
	give_sync(&c, 1 * S, "kvm", 0, 1, GIB, GIB);
	converge__settle(&c, 1 * S + 200 * MS);
	CHECK_NUMBER(seen.count, 0);
	converge__settle(&c, 1 * S + 300 * MS);
	converge__settle(&c, 1 * S + 400 * MS);
	CHECK_NUMBER(seen.count, 1);
	give_sync(&c, 1 * S + 500 * MS, "iommufd", 1, 1, GIB, GIB);
	give_sync(&c, 3 * S, "kvm", 0, 2, GIB, MIB);
	CHECK_NUMBER(seen.count, 2);
	CHECK_NUMBER(seen.rows[1].iteration, 1);
	CHECK_NUMBER(seen.rows[1].syncs, 2);
	/* The syncs of the iteration before took 501 ms. */
	converge__settle(&c, 3 * S + 400 * MS);
	CHECK_NUMBER(seen.count, 2);
	converge__settle(&c, 3 * S + 600 * MS);
	CHECK_NUMBER(seen.count, 3);
	converge__release(&c);
}

static void progress_is_what_was_read_less_what_was_sent(void)
{
	BEGIN(c, seen);

	give_tracking(&c, 1 * S, 0, GIB, true);
	give_transfer(&c, 1 * S, 1000);
	give_sync(&c, 1 * S + 1 * MS, "kvm", 0, 1, GIB, GIB);
	converge__progress(&c);
	CHECK_NUMBER(seen.count, 0);
	converge__settle(&c, 2 * S);
	give_transfer(&c, 3 * S, 1000 + 256 * MIB);
	converge__progress(&c);
	CHECK_NUMBER(seen.count, 2);
	CHECK(!strcmp(seen.rows[1].verdict, "in progress"));
	CHECK_NUMBER(seen.rows[1].remaining_bytes, 768 * MIB);
	CHECK_NUMBER(seen.rows[1].transfer_rate, 128 * MIB);
	CHECK_NUMBER(seen.rows[1].blackout_ns, UNKNOWN);
	converge__release(&c);
}

RUN_TESTS(TEST(a_migration_that_converges), TEST(a_migration_that_does_not),
	  TEST(slow_progress_is_progress), TEST(what_was_not_cleared_is_not_new),
	  TEST(all_trackers_of_a_process_are_one_migration), TEST(vhost_is_seen_beside_kvm), TEST(blocks_are_named),
	  TEST(attached_late), TEST(a_process_that_ends), TEST(a_first_sync_after_the_first_copy), TEST(a_first_sync_of_all_memory), TEST(a_first_sync_of_all_blocks),
	  TEST(displays_are_no_migration), TEST(unknown_stays_unknown),
	  TEST(rings_have_no_iterations), TEST(failed_syncs_are_no_progress), TEST(rows_settle),
	  TEST(progress_is_what_was_read_less_what_was_sent))
