// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two recordings of one migration, made up, whose clocks differ by what the test knows.
 */
#include "../../tools/model/blackout.h"
#include "../../tools/model/random.h"
#include "unit.h"

#include <inttypes.h>
#include <string.h>

#define US UINT64_C(1000)
#define MS (1000 * US)
#define S (1000 * MS)

#define SOURCE_PID 10
#define TARGET_PID 20
#define STOP (100 * S)			/* on the source's clock */
#define RATE 50				/* bytes per microsecond */
#define LATENCY (200 * US)

static struct blackout_side source, target;
static struct blackout result;
static char why[2 * BLACKOUT_REASON];

/* The target's clock when the source's shows this. */
struct skew {
	int64_t offset;
	int64_t drift;			/* millionths, from STOP on */
};

static uint64_t theirs(const struct skew *skew, uint64_t ns)
{
	int64_t since = (int64_t)(ns - STOP);

	return ns + (uint64_t)(skew->offset + since / 1000000 * skew->drift);
}

static void give(struct blackout_side *side, enum sample_kind kind, const union sample *sample)
{
	if (blackout__add(side, kind, sample))
		side->has_header = false;
}

static void give_header(struct blackout_side *side, const char *boot, uint64_t pid)
{
	union sample s;

	field__clear(sample__table(SAMPLE_HEADER), &s);
	strcpy(s.header.host_boot, boot);
	s.header.pid = pid;
	s.header.probes.count = 1;
	strcpy(s.header.probes.at[0].name, "device-state");
	give(side, SAMPLE_HEADER, &s);
}

static void give_state(struct blackout_side *side, uint64_t pid, uint64_t t_ns, uint64_t takes,
		       const char *state)
{
	union sample s;

	field__clear(sample__table(SAMPLE_DEVICE_STATE), &s);
	s.device_state.t_ns = t_ns;
	s.device_state.pid = pid;
	s.device_state.device = 1;
	s.device_state.total_ns = takes;
	strcpy(s.device_state.state, state);
	give(side, SAMPLE_DEVICE_STATE, &s);
}

static void give_interrupt(uint64_t device, uint64_t t_ns, const char *name)
{
	union sample s;

	field__clear(sample__table(SAMPLE_INTERRUPT), &s);
	s.interrupt.t_ns = t_ns;
	s.interrupt.pid = TARGET_PID;
	s.interrupt.device = device;
	strcpy(s.interrupt.name, name);
	give(&target, SAMPLE_INTERRUPT, &s);
}

static void give_look(struct blackout_side *side, uint64_t t_ns, const char *local, const char *remote,
		      uint64_t sent, uint64_t acked, uint64_t received)
{
	union sample s;

	field__clear(sample__table(SAMPLE_CONNECTION), &s);
	s.connection.t_ns = t_ns;
	s.connection.pid = side == &source ? SOURCE_PID : TARGET_PID;
	s.connection.total_ns = 10 * US;
	strcpy(s.connection.local, local);
	strcpy(s.connection.remote, remote);
	s.connection.sent_bytes = sent;
	s.connection.acked_bytes = acked;
	s.connection.received_bytes = received;
	give(side, SAMPLE_CONNECTION, &s);
}

/* The stream begins 10 s before the stop and ends 50 ms after it. */
static uint64_t streamed(uint64_t ns)
{
	uint64_t begin = STOP - 10 * S, end = STOP + 50 * MS;

	return ns < begin ? 0 : ((ns < end ? ns : end) - begin) / US * RATE;
}

/* Whether its looks are at the same bytes as the source's does not matter, but that they are many. */
static void give_looks(const struct skew *skew, uint64_t apart, uint64_t until)
{
	struct random random = { 7 };

	for (uint64_t ns = STOP - 10 * S; ns < until; ns += apart / 2 + random__below(&random, apart))
		give_look(&source, ns, "10.0.0.1:50000", "10.0.0.2:4444", streamed(ns),
			  streamed(ns - 2 * LATENCY), 0);
	for (uint64_t ns = STOP - 10 * S; ns < until; ns += apart / 2 + random__below(&random, apart))
		give_look(&target, theirs(skew, ns), "10.0.0.2:4444", "10.0.0.1:50000", 0, 0,
			  streamed(ns - LATENCY));
}

/* The device stops, and starts 300 ms later over there after 100 ms of loading. */
static void stage(const struct skew *skew, bool one_host)
{
	blackout__release(&source);
	blackout__release(&target);
	give_header(&source, "boot-a", SOURCE_PID);
	give_header(&target, one_host ? "boot-a" : "boot-b", TARGET_PID);
	give_state(&source, SOURCE_PID, STOP - 20 * S, MS, "pre-copy");
	give_state(&source, SOURCE_PID, STOP + 2 * MS, 2 * MS, "stop-copy");
	give_state(&source, SOURCE_PID, STOP + S, MS, "stop");
	give_state(&target, TARGET_PID, theirs(skew, STOP - 20 * S), MS, "resuming");
	give_state(&target, TARGET_PID, theirs(skew, STOP + 290 * MS), 100 * MS, "running-p2p");
	give_state(&target, TARGET_PID, theirs(skew, STOP + 300 * MS), 10 * MS, "running");
}

static int join(void)
{
	why[0] = '\0';
	return blackout__join(&source, &target, &result, why);
}

static bool says(const char *words)
{
	return strstr(why, words) || strstr(result.why, words);
}

static void one_host_has_no_error(void)
{
	const struct skew none = { 0, 0 };

	stage(&none, true);
	CHECK(!join());
	CHECK_NUMBER(result.total_ns, 300 * MS);
	CHECK_NUMBER(result.error_ns, 0);
	CHECK(result.same_clock == TRI_TRUE);
	CHECK_NUMBER(result.rows[BLACKOUT_LOAD].takes_ns, 100 * MS);
	CHECK_NUMBER(result.rows[BLACKOUT_LOAD].begin_ns, 190 * MS);
	CHECK_NUMBER(result.rows[BLACKOUT_DEVICE_STOP].takes_ns, 2 * MS);
	CHECK(!strcmp(result.from, "device stops") && !strcmp(result.to, "device starts"));
}

static void both_in_one_recording(void)
{
	const struct skew none = { 0, 0 };

	stage(&none, true);
	give_state(&source, TARGET_PID, STOP - 20 * S, MS, "resuming");
	give_state(&source, TARGET_PID, STOP + 250 * MS, 20 * MS, "running");
	why[0] = '\0';
	CHECK(!blackout__join(&source, &source, &result, why));
	CHECK_NUMBER(result.source_pid, SOURCE_PID);
	CHECK_NUMBER(result.target_pid, TARGET_PID);
	CHECK_NUMBER(result.total_ns, 250 * MS);
}

static void two_clocks_within_the_error(void)
{
	static const struct skew skews[] = {
		{ 0, 0 }, { 12345 * (int64_t)MS, 0 }, { -99 * (int64_t)S, 0 },
		{ 77 * (int64_t)S, 900 }, { -3 * (int64_t)S, -900 }, { 5, 300 },
	};

	for (size_t i = 0; i < sizeof(skews) / sizeof(skews[0]); i++) {
		int64_t wrong;

		stage(&skews[i], false);
		give_looks(&skews[i], 50 * MS, STOP + S);
		CHECK(!join());
		CHECK(result.related == TRI_TRUE);
		CHECK_NUMBER(result.connections, 1);
		wrong = result.offset_ns - skews[i].offset;
		if ((uint64_t)(wrong < 0 ? -wrong : wrong) > result.offset_error_ns)
			FAIL("skew %zu: wrong by %" PRId64 " ns, said to be within %" PRIu64, i, wrong,
			     result.offset_error_ns);
		CHECK(result.offset_error_ns < 10 * MS);
		wrong = (int64_t)(result.total_ns - 300 * MS);
		CHECK((uint64_t)(wrong < 0 ? -wrong : wrong) <= result.error_ns + MS);
		CHECK(result.below_error == TRI_FALSE);
	}
}

/* Looks that are far apart tell little, and that is said. */
static void error_larger_than_a_phase(void)
{
	const struct skew skew = { 3 * (int64_t)S, 0 };

	stage(&skew, false);
	give_looks(&skew, 4 * S, STOP + S);
	CHECK(!join());
	CHECK(result.offset_error_ns > 300 * MS);
	CHECK(result.below_error == TRI_TRUE);
	CHECK(result.rows[BLACKOUT_LOAD].below_error == TRI_TRUE);
}

static void clocks_that_cannot_be_related(void)
{
	const struct skew skew = { 3 * (int64_t)S, 0 };

	stage(&skew, false);
	CHECK(!join());
	CHECK(result.total_ns == UNKNOWN && says("--src saw no TCP connection"));
	CHECK(result.rows[BLACKOUT_LOAD].begin_ns == UNKNOWN_I64);
	CHECK_NUMBER(result.rows[BLACKOUT_LOAD].takes_ns, 100 * MS);

	give_look(&source, STOP, "10.0.0.1:1", "10.0.0.9:2", 1000, 1000, 0);
	give_look(&target, STOP, "10.0.0.2:3", "10.0.0.7:4", 0, 0, 1000);
	CHECK(!join());
	CHECK(result.total_ns == UNKNOWN && says("no TCP connection is in both"));
}

/* The clock was set in the middle. */
static void clocks_that_jump(void)
{
	const struct skew before = { 3 * (int64_t)S, 0 }, after = { 9 * (int64_t)S, 0 };

	stage(&after, false);
	give_looks(&before, 50 * MS, STOP - 5 * S);
	for (uint64_t ns = STOP - 5 * S; ns < STOP; ns += 50 * MS) {
		give_look(&source, ns, "10.0.0.1:50000", "10.0.0.2:4444", streamed(ns),
			  streamed(ns - 2 * LATENCY), 0);
		give_look(&target, theirs(&after, ns), "10.0.0.2:4444", "10.0.0.1:50000", 0, 0,
			  streamed(ns - LATENCY));
	}
	CHECK(!join());
	CHECK(result.total_ns == UNKNOWN && says("contradict each other"));
}

static void swapped(void)
{
	const struct skew none = { 0, 0 };
	struct blackout_side side;

	stage(&none, false);
	side = source;
	source = target;
	target = side;
	CHECK(join() && says("are swapped"));
}

static void given_up(void)
{
	const struct skew none = { 0, 0 };

	stage(&none, true);
	give_state(&source, SOURCE_PID, STOP + 2 * S, MS, "running");
	CHECK(join() && says("given up"));
}

static void never_stopped(void)
{
	const struct skew none = { 0, 0 };

	stage(&none, true);
	source.state_count = 1;
	CHECK(join() && says("no switch-over"));
	stage(&none, true);
	target.state_count = 1;
	CHECK(!join());
	CHECK(result.total_ns == UNKNOWN && says("not seen to run"));
	stage(&none, true);
	target.state_count = 0;
	target.header.pid = UNKNOWN;
	CHECK(join() && says("which process was the target"));
}

/* A VM without devices is told by its vCPUs, and its start only as a bound. */
static void vcpus_only(void)
{
	const struct skew skew = { -7 * (int64_t)S, 100 };
	union sample s;

	stage(&skew, false);
	source.state_count = 0;
	target.state_count = 0;
	field__clear(sample__table(SAMPLE_VCPUS), &s);
	s.vcpus.pid = SOURCE_PID;
	s.vcpus.first_ns = STOP - 50 * S;
	s.vcpus.last_ns = STOP;
	give(&source, SAMPLE_VCPUS, &s);
	s.vcpus.pid = TARGET_PID;
	s.vcpus.first_ns = theirs(&skew, STOP + 80 * MS);
	s.vcpus.last_ns = s.vcpus.first_ns + S;
	give(&target, SAMPLE_VCPUS, &s);
	give_looks(&skew, 50 * MS, STOP + S);
	CHECK(!join());
	CHECK(result.at_most == TRI_TRUE && !strcmp(result.to, "vCPUs run"));
	CHECK(result.total_ns + result.error_ns > 79 * MS && result.total_ns < 81 * MS + result.error_ns);
}

/* What interrupts has worked before; that of an earlier attempt, or of another's device, tells nothing. */
static void first_dma(void)
{
	const struct blackout_row *row = &result.rows[BLACKOUT_FIRST_DMA];
	const struct skew none = { 0, 0 };

	stage(&none, true);
	CHECK(!join());
	CHECK(row->begin_ns == UNKNOWN_I64 && strstr(row->note, "nothing on that host tells"));
	strcpy(target.header.probes.at[target.header.probes.count++].name, "interrupt");
	CHECK(!join());
	CHECK(row->begin_ns == UNKNOWN_I64 && strstr(row->note, "no interrupt of it was seen"));
	give_interrupt(1, STOP - 10 * S, "vfio-msi[0](0000:01:00.0)");
	give_interrupt(2, STOP + 305 * MS, "vfio-msi[0](0000:02:00.0)");
	CHECK(!join());
	CHECK(row->begin_ns == UNKNOWN_I64);
	give_interrupt(1, STOP + 320 * MS, "vfio-intx(0000:01:00.0)");
	CHECK(!join());
	CHECK_NUMBER((uint64_t)row->begin_ns, 320 * MS);
	CHECK(row->at_most == TRI_TRUE && strstr(row->note, "vfio-intx(0000:01:00.0), which a device sends for"));
	strcpy(target.interrupts[2].name, "vfio-msix[3](0000:01:00.0)");
	CHECK(!join());
	CHECK(strstr(row->note, "which is a write itself"));
	CHECK_NUMBER(result.total_ns, 300 * MS);
}

/* An earlier migration that failed is not the one that is asked for. */
static void second_try(void)
{
	const struct skew none = { 0, 0 };

	stage(&none, true);
	source.states[0].t_ns = STOP - 9 * S;
	strcpy(source.states[0].state, "stop-copy");
	give_state(&source, SOURCE_PID, STOP + 3 * S, MS, "running");
	give_state(&source, SOURCE_PID, STOP + 4 * S, MS, "stop-copy");
	give_state(&target, TARGET_PID, STOP + 4 * S - MS, MS, "resuming");
	give_state(&target, TARGET_PID, STOP + 5 * S, MS, "running");
	CHECK(!join());
	CHECK_NUMBER(result.begun_ns, STOP + 4 * S - MS);
	CHECK_NUMBER(result.total_ns, S + MS);
}

RUN_TESTS(TEST(one_host_has_no_error), TEST(both_in_one_recording), TEST(two_clocks_within_the_error),
	  TEST(error_larger_than_a_phase), TEST(clocks_that_cannot_be_related), TEST(clocks_that_jump),
	  TEST(swapped), TEST(given_up), TEST(never_stopped), TEST(vcpus_only), TEST(second_try),
	  TEST(first_dma))
