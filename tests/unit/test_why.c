// SPDX-License-Identifier: GPL-2.0-only
/*
 * Staged incidents: migrations of which it is known why they do not switch over, and what
 * would help. Each is played by the simplest VMM there is, pass by pass.
 */
#include "../../tools/model/why.h"
#include "../../tools/output/why.h"
#include "../../tools/model/random.h"
#include "unit.h"

#include <math.h>
#include <string.h>

#define MS UINT64_C(1000000)
#define S (1000 * MS)
#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)
#define PAGE UINT64_C(4096)
#define PASSES 9

/* Writes 'hot' bytes over and over, and 'rate' new ones a second. */
struct writer {
	const char *source;
	double hot;
	double rate;
	uint64_t leaf;			/* it is reported by blocks of this size, one page in each */
	bool all;			/* its tracker reports all */
	bool counted;			/* pages in the blocks are known all the same */
};

struct incident {
	uint64_t memory;
	double bandwidth;
	double first_bandwidth;		/* of the first passes, where it differs */
	struct writer writers[2];
	size_t count;
	unsigned int passes;
	bool late;			/* attached when tracking was on */
	double first_copy;		/* of its first second; 0: as the rest */
	bool silent;			/* nothing goes over TCP */
};

static struct why why;
static struct why_answer answer;
static char sentence[WHY_SENTENCE];

static struct why_settings settings(void)
{
	return (struct why_settings){ .limit_ns = UNKNOWN, .device_bytes = UNKNOWN,
				      .stop_ns = 5 * MS, .iterations = 30 };
}

static void give(enum sample_kind kind, const union sample *sample)
{
	if (why__add(&why, kind, sample))
		why.seen_count = 0;
}

static bool is_kvm(const struct writer *w)
{
	return !strncmp(w->source, "kvm", 3);
}

static void give_start(const struct incident *i, const struct writer *w)
{
	union sample s;

	field__clear(sample__table(SAMPLE_TRACKING), &s);
	s.tracking.t_ns = 1 * S;
	s.tracking.pid = 7;
	strcpy(s.tracking.source, w->source);
	s.tracking.vm = is_kvm(w) ? 1 : UNKNOWN;
	s.tracking.slot = is_kvm(w) ? 1 : UNKNOWN;
	s.tracking.domain = is_kvm(w) ? UNKNOWN : 1;
	s.tracking.length_bytes = i->memory;
	s.tracking.enable = TRI_TRUE;
	s.tracking.ret = 0;
	s.tracking.total_ns = 0;
	give(SAMPLE_TRACKING, &s);
}

static uint64_t up(uint64_t bytes, uint64_t unit, uint64_t most)
{
	uint64_t whole = (bytes + unit - 1) / unit * unit;

	return whole < most ? whole : most;
}

static double written(const struct incident *i, const struct writer *w, double seconds)
{
	double bytes = w->hot + w->rate * seconds;

	return bytes < (double)i->memory ? bytes : (double)i->memory;
}

static double found(const struct incident *i, const struct writer *w, double seconds)
{
	uint64_t pages = up((uint64_t)written(i, w, seconds), PAGE, i->memory) / PAGE;

	if (w->all)
		return (double)i->memory;
	return w->leaf ? fmin((double)pages * (double)w->leaf, (double)i->memory) : (double)pages * PAGE;
}

static void fill_sizes(const struct incident *i, const struct writer *w, double seconds,
		       struct sync_sample *sync)
{
	uint64_t pages = up((uint64_t)written(i, w, seconds), PAGE, i->memory);

	memset(sync->dirty_entries, 0, sizeof(sync->dirty_entries));
	if (w->leaf && !w->counted) {
		unsigned int shift = __builtin_ctzll(w->leaf);

		sync->dirty_entries[shift - LEAF_SHIFT] = sync->dirty_bytes >> shift;
		for (int k = 0; k < UNIT_SIZES; k++)
			sync->unit_bytes[k] = UNKNOWN;
		sync->unit_bytes[2] = w->leaf <= 2 * MIB ? sync->dirty_bytes : UNKNOWN;
		sync->unit_bytes[3] = up(sync->dirty_bytes, GIB, i->memory);
		return;
	}
	sync->dirty_entries[0] = UNKNOWN;
	sync->unit_bytes[0] = w->all ? i->memory : pages;
	sync->unit_bytes[1] = w->all ? i->memory : up(16 * pages, 16 * PAGE, i->memory);
	sync->unit_bytes[2] = w->all ? i->memory : up(512 * pages, 2 * MIB, i->memory);
	sync->unit_bytes[3] = i->memory;
}

static void give_sync(const struct incident *i, const struct writer *w, uint64_t t, double seconds,
		      unsigned int pass)
{
	union sample s;

	field__clear(sample__table(SAMPLE_SYNC), &s);
	s.sync.t_ns = t;
	s.sync.pid = 7;
	strcpy(s.sync.source, w->source);
	s.sync.vm = is_kvm(w) ? 1 : UNKNOWN;
	s.sync.slot = is_kvm(w) ? 1 : UNKNOWN;
	s.sync.domain = is_kvm(w) ? UNKNOWN : 1;
	s.sync.iteration = pass;
	s.sync.start_seen = i->late ? TRI_FALSE : TRI_TRUE;
	s.sync.iova = 0;
	s.sync.length_bytes = i->memory;
	s.sync.page_bytes = PAGE;
	s.sync.clear = TRI_TRUE;
	s.sync.ret = 0;
	s.sync.total_ns = 1 * MS;
	s.sync.dirty_bytes = (uint64_t)found(i, w, seconds);
	fill_sizes(i, w, seconds, &s.sync);
	give(SAMPLE_SYNC, &s);
}

static void give_sent(const struct incident *i, uint64_t t, double sent)
{
	union sample s;

	if (i->silent)
		return;
	field__clear(sample__table(SAMPLE_TRANSFER), &s);
	s.transfer.t_ns = t;
	s.transfer.pid = 7;
	s.transfer.connections = 1;
	s.transfer.sent_bytes = (uint64_t)sent;
	s.transfer.ended = TRI_FALSE;
	give(SAMPLE_TRANSFER, &s);
}

static void give_setting(uint64_t limit_ns, uint64_t max_bandwidth)
{
	union sample s;

	field__clear(sample__table(SAMPLE_VMM_STATE), &s);
	s.vmm_state.pid = 7;
	strcpy(s.vmm_state.status, "active");
	s.vmm_state.downtime_limit_ns = limit_ns;
	s.vmm_state.max_bandwidth = max_bandwidth;
	give(SAMPLE_VMM_STATE, &s);
}

static void give_vmm(const char *status, uint64_t throttle)
{
	union sample s;

	field__clear(sample__table(SAMPLE_VMM_STATE), &s);
	s.vmm_state.pid = 7;
	strcpy(s.vmm_state.status, status);
	s.vmm_state.throttle_percent = throttle;
	give(SAMPLE_VMM_STATE, &s);
}

/* All memory first, then what the pass before has found. */
static void play(const struct incident *i)
{
	double pending = (double)i->memory, sent = 0;
	uint64_t t = 1 * S;

	why__init(&why);
	for (size_t k = 0; !i->late && k < i->count; k++)
		give_start(i, &i->writers[k]);
	give_sent(i, t, sent);
	for (unsigned int pass = 1; pass <= (i->passes ?: PASSES); pass++) {
		double rate = pass < 5 && i->first_bandwidth ? i->first_bandwidth : i->bandwidth;
		double seconds = pending / rate + 0.001;

		if (pass == 1 && i->first_copy > 0) {
			give_sent(i, t + S, i->first_copy);
			seconds += 1 - i->first_copy / rate;
		}
		t += (uint64_t)(seconds * 1e9);
		sent += pending;
		give_sent(i, t - 2 * MS, sent);
		pending = 0;
		for (size_t k = 0; k < i->count; k++) {
			/* Pages that a burst writes or leaves out; by hand, so that it repeats. */
			double uneven = 1 + 0.01 * ((pass * 7 + k) % 5 - 2.0);

			give_sync(i, &i->writers[k], t, seconds * uneven, pass);
			pending += found(i, &i->writers[k], seconds * uneven);
		}
		pending = fmin(pending, (double)i->memory);
	}
}

static int ask(const struct why_settings *s)
{
	int err = why__end(&why);

	err = err ?: why__answer(&why, s, &answer);
	why__sentence(&answer, sentence);
	why__release(&why);
	return err;
}

static const struct why_lever *lever(enum why_lever_kind kind)
{
	static const struct why_lever none = { .how = -1 };

	for (size_t i = 0; i < answer.lever_count; i++)
		if (answer.levers[i].kind == kind)
			return &answer.levers[i];
	return &none;
}

#define IS(verdict_, cause_, word)								\
	do {											\
		if (answer.verdict != (verdict_) || answer.cause != (cause_) ||		\
		    !strstr(sentence, word))							\
			FAIL("%s, %s: %.150s", answer.rule.verdict, answer.rule.cause, sentence);	\
	} while (0)

#define EFFECT(kind, effect_)									\
	do {											\
		if (lever(kind)->how != (effect_))						\
			FAIL(#kind ": %s (%s)", lever(kind)->effect, lever(kind)->reason);	\
	} while (0)

/* 10 MB hot and 5 MB/s at 100 MB/s: 30 MB may be left, 12 are. */
static void a_healthy_one_switches_over(void)
{
	const struct incident i = { .memory = GIB, .bandwidth = 100e6,
		.writers = { { .source = "kvm", .hot = 10e6, .rate = 5e6 } }, .count = 1 };
	struct why_settings s = settings();

	play(&i);
	CHECK(!ask(&s));
	IS(WHY_WILL, CAUSE_NONE, "It will switch over");
	CHECK(answer.lever_count == 0);
	/* Measured: within what the last millisecond is off */
	CHECK(fabs((double)answer.rule.bandwidth / 100e6 - 1) < 0.02);
	CHECK(!strcmp(answer.rule.bandwidth_from, "measured"));
	CHECK(answer.rule.threshold_bytes == answer.rule.bandwidth * 3 / 10 ||
	      answer.rule.threshold_bytes == answer.rule.bandwidth * 3 / 10 + 1);
}

static void device_state_too_big(void)
{
	const struct incident i = { .memory = GIB, .bandwidth = 100e6,
		.writers = { { .source = "kvm", .hot = 10e6, .rate = 5e6 } }, .count = 1 };
	struct why_settings s = settings();

	/* 40 MB need 400 ms of the 300: 5 + 1 + 400 ms is the floor. */
	s.device_bytes = 40000000;
	s.bandwidth = 100000000;
	play(&i);
	CHECK(!ask(&s));
	IS(WHY_CANNOT, CAUSE_DEVICE_STATE, "the state of its devices, 38.1 MiB");
	CHECK_NUMBER(answer.rule.threshold_bytes, 30000000);
	CHECK_NUMBER(answer.rule.floor_ns, 406 * MS);
	EFFECT(LEVER_THROTTLE, EFFECT_CANNOT);
	EFFECT(LEVER_GRANULARITY, EFFECT_CANNOT);
	EFFECT(LEVER_DMA, EFFECT_CANNOT);
	EFFECT(LEVER_BANDWIDTH, EFFECT_HELPS);
	EFFECT(LEVER_LIMIT, EFFECT_HELPS);
	EFFECT(LEVER_DEVICE_STATE, EFFECT_HELPS);
	EFFECT(LEVER_POSTCOPY, EFFECT_CANNOT);
	/* Twice as much: 60 MB for 40 and what is dirty in 0.1 s or so */
	CHECK_NUMBER(lever(LEVER_BANDWIDTH)->bandwidth, 200000000);
	CHECK_NUMBER(lever(LEVER_LIMIT)->limit_ns, 600 * MS);
}

/* A NIC that writes 80 MB over and over, beside a guest that does next to nothing. */
static const struct incident nic = { .memory = GIB, .bandwidth = 100e6,
	.writers = { { .source = "iommufd", .hot = 80e6, .rate = 1e6 },
		     { .source = "kvm", .hot = 2e6, .rate = 1e5 } }, .count = 2 };

static void dma_rate(void)
{
	struct why_settings s = settings();

	play(&nic);
	CHECK(!ask(&s));
	IS(WHY_CANNOT, CAUSE_DMA, "by DMA are written");
	EFFECT(LEVER_THROTTLE, EFFECT_CANNOT);
	EFFECT(LEVER_GRANULARITY, EFFECT_CANNOT);
	EFFECT(LEVER_DMA, EFFECT_HELPS);
	EFFECT(LEVER_POSTCOPY, EFFECT_CANNOT);
	EFFECT(LEVER_DEVICE_STATE, EFFECT_UNKNOWN);
	/* 83 MB fit into 300 ms from 277 MB/s on: four times */
	EFFECT(LEVER_BANDWIDTH, EFFECT_HELPS);
	CHECK(fabs((double)lever(LEVER_BANDWIDTH)->bandwidth / 400e6 - 1) < 0.02);
	CHECK_NUMBER(lever(LEVER_LIMIT)->limit_ns, 1200 * MS);
}

static void throttle_useless(void)
{
	struct why_settings s = settings();

	play(&nic);
	give_vmm("active", 99);
	CHECK(!ask(&s));
	IS(WHY_CANNOT, CAUSE_THROTTLE, "throttling vCPUs (by 99 %) does nothing to DMA");
	EFFECT(LEVER_THROTTLE, EFFECT_CANNOT);
}

static void a_device_with_a_log_of_its_own(void)
{
	struct incident i = nic;
	struct why_settings s = settings();

	i.writers[0].source = "device";
	play(&i);
	CHECK(!ask(&s));
	IS(WHY_CANNOT, CAUSE_DEVICE, "by the device are written");
	EFFECT(LEVER_GRANULARITY, EFFECT_CANNOT);
	EFFECT(LEVER_THROTTLE, EFFECT_CANNOT);
}

static void vhost(void)
{
	struct incident i = nic;
	struct why_settings s = settings();

	i.writers[0].source = "vhost";
	play(&i);
	CHECK(!ask(&s));
	IS(WHY_CANNOT, CAUSE_VHOST, "by vhost are written");
	EFFECT(LEVER_GRANULARITY, EFFECT_CANNOT);
	EFFECT(LEVER_THROTTLE, EFFECT_CANNOT);
	/* It is not the device that cannot wait for a page. */
	EFFECT(LEVER_POSTCOPY, EFFECT_HELPS);
	play(&i);
	give_vmm("active", 99);
	CHECK(!ask(&s));
	IS(WHY_CANNOT, CAUSE_THROTTLE, "by vhost are written");
}

static void vcpu_rate(void)
{
	const struct incident i = { .memory = GIB, .bandwidth = 150e6,
		.writers = { { .source = "kvm", .hot = 100e6, .rate = 60e6 },
			     { .source = "iommufd", .hot = 4e6, .rate = 1e5 } }, .count = 2 };
	struct why_settings s = settings();

	play(&i);
	CHECK(!ask(&s));
	IS(WHY_CANNOT, CAUSE_VCPUS, "by vCPUs are written");
	EFFECT(LEVER_THROTTLE, EFFECT_HELPS);
	EFFECT(LEVER_DMA, EFFECT_CANNOT);
	CHECK(lever(LEVER_THROTTLE)->blackout_bound_ns < 400 * MS);
}

static void vcpus_alone_have_post_copy(void)
{
	const struct incident i = { .memory = GIB, .bandwidth = 150e6,
		.writers = { { .source = "kvm", .hot = 100e6, .rate = 60e6 } }, .count = 1 };
	struct why_settings s = settings();

	play(&i);
	CHECK(!ask(&s));
	IS(WHY_CANNOT, CAUSE_VCPUS, "by vCPUs");
	EFFECT(LEVER_POSTCOPY, EFFECT_HELPS);
	CHECK(lever(LEVER_POSTCOPY)->blackout_ns == UNKNOWN);
}

static void both_write_too_much(void)
{
	const struct incident i = { .memory = GIB, .bandwidth = 150e6,
		.writers = { { .source = "kvm", .hot = 100e6, .rate = 10e6 },
			     { .source = "iommufd", .hot = 90e6, .rate = 10e6 } }, .count = 2 };
	struct why_settings s = settings();

	play(&i);
	CHECK(!ask(&s));
	IS(WHY_CANNOT, CAUSE_ALL, "vCPUs and devices");
	/* Iterations would get shorter than any that was seen. */
	EFFECT(LEVER_THROTTLE, EFFECT_MAY_HELP);
	EFFECT(LEVER_DMA, EFFECT_MAY_HELP);
	EFFECT(LEVER_BANDWIDTH, EFFECT_HELPS);
}

/* The limit QEMU has by default; ten times as much would do. */
static void bandwidth_capped(void)
{
	const struct incident i = { .memory = 4 * GIB, .bandwidth = 128.0 * MIB,
		.writers = { { .source = "kvm", .hot = 90e6, .rate = 10e6 } }, .count = 1 };
	struct why_settings s = settings();

	play(&i);
	CHECK(!ask(&s));
	IS(WHY_CANNOT, CAUSE_BANDWIDTH, "QEMU's default cap");
	EFFECT(LEVER_BANDWIDTH, EFFECT_HELPS);
}

/* It is known to be capped, and to be near that: what QEMU's default is has no say. */
static void bandwidth_capped_by_a_setting(void)
{
	const struct incident i = { .memory = 4 * GIB, .bandwidth = 50.0 * MIB,
		.writers = { { .source = "kvm", .hot = 90e6, .rate = 10e6 } }, .count = 1 };
	struct why_settings s = settings();

	play(&i);
	give_setting(UNKNOWN, 64 * MIB);
	CHECK(!ask(&s));
	IS(WHY_CANNOT, CAUSE_BANDWIDTH, "held by max-bandwidth");
	play(&i);
	give_setting(UNKNOWN, GIB);
	CHECK(!ask(&s));
	IS(WHY_CANNOT, CAUSE_VCPUS, "by vCPUs are written");
}

/* 2 GiB/s carry 15 MB in 7 ms, and no more. */
static void limit_too_small(void)
{
	const struct incident i = { .memory = 4 * GIB, .bandwidth = 2.0 * GIB,
		.writers = { { .source = "kvm", .hot = 90e6, .rate = 10e6 } }, .count = 1 };
	struct why_settings s = settings();

	play(&i);
	give_setting(7 * MS, 0);
	CHECK(!ask(&s));
	IS(WHY_CANNOT, CAUSE_LIMIT, "for 7 ms only (the VMM's setting); a limit of");
	EFFECT(LEVER_LIMIT, EFFECT_HELPS);
	/* 91 MB or so, by 2 GiB/s */
	CHECK(answer.rule.needed_limit_ns >= 42 * MS && answer.rule.needed_limit_ns < 60 * MS);
	s.limit_ns = 300 * MS;
	play(&i);
	give_setting(7 * MS, 0);
	CHECK(!ask(&s));
	CHECK(answer.verdict == WHY_WILL);
}

static void bandwidth_below_the_link(void)
{
	const struct incident i = { .memory = GIB, .bandwidth = 100e6,
		.writers = { { .source = "kvm", .hot = 90e6, .rate = 10e6 } }, .count = 1 };
	struct why_settings s = settings();

	s.link = 1250000000;
	play(&i);
	CHECK(!ask(&s));
	IS(WHY_CANNOT, CAUSE_BANDWIDTH, "the link");
	/* As much as the link carries, and not enough. */
	s.link = 110000000;
	play(&i);
	CHECK(!ask(&s));
	IS(WHY_CANNOT, CAUSE_VCPUS, "by vCPUs");
}

static void bandwidth_that_fell(void)
{
	const struct incident i = { .memory = GIB, .bandwidth = 50e6, .first_bandwidth = 400e6,
		.writers = { { .source = "kvm", .hot = 90e6, .rate = 5e6 } }, .count = 1 };
	struct why_settings s = settings();

	play(&i);
	CHECK(!ask(&s));
	IS(WHY_CANNOT, CAUSE_BANDWIDTH, "as until iteration 4, it would have converged");
	CHECK_NUMBER(answer.rule.fell_after, 4);
	/* 92 MB or so in 300 ms, and no more than was there before */
	if (answer.rule.needed_bandwidth < 270000000 || answer.rule.needed_bandwidth > 401000000)
		FAIL("%.0f are needed", (double)answer.rule.needed_bandwidth);
}

/* No iteration was sent at the rate before: the kernel's count of each second knows it all the same. */
static void bandwidth_that_fell_in_the_first_copy(void)
{
	const struct incident i = { .memory = GIB, .bandwidth = 50e6, .first_copy = 400e6,
		.writers = { { .source = "kvm", .hot = 90e6, .rate = 5e6 } }, .count = 1 };
	struct why_settings s = settings();

	play(&i);
	CHECK(!ask(&s));
	IS(WHY_CANNOT, CAUSE_BANDWIDTH, "at 381 MiB/s, as in the first copy, it would have converged");
	CHECK_NUMBER(answer.rule.fell_after, 0);

	/* And while that copy goes on */
	why__init(&why);
	give_start(&i, &i.writers[0]);
	for (unsigned int second = 1; second < 6; second++)
		give_sent(&i, second * S, second < 3 ? second * 400e6 : 800e6 + (second - 2) * 50e6);
	CHECK(!ask(&s));
	IS(WHY_CANNOT_TELL, CAUSE_BANDWIDTH, "the first copy is not over. It is sent at 47.7 MiB/s only, and was at 381 MiB/s before");
	why__init(&why);
	give_start(&i, &i.writers[0]);
	for (unsigned int second = 1; second < 6; second++)
		give_sent(&i, second * S, second * 50e6);
	CHECK(!ask(&s));
	IS(WHY_CANNOT_TELL, CAUSE_NO_ITERATION, "no iteration was seen");
}

static void whole_blocks_of_1g(void)
{
	/* One page a second in each of 8 GiB */
	const struct incident i = { .memory = 8 * GIB, .bandwidth = 1e9,
		.writers = { { .source = "iommufd", .hot = 8 * PAGE, .leaf = GIB },
			     { .source = "kvm", .hot = 2e6 } }, .count = 2 };
	struct why_settings s = settings();

	play(&i);
	CHECK(!ask(&s));
	IS(WHY_CANNOT, CAUSE_BLOCKS, "whole blocks of 1G: 8 GiB of them were written to in");
	CHECK_NUMBER(answer.writers[0].block_bytes, GIB);
	CHECK(answer.writers[0].rounding_bytes == UNKNOWN);
	CHECK_NUMBER(answer.writers[0].rounding_most_bytes, 8 * (GIB - PAGE));
	/* Blocks do not tell what is in them. */
	EFFECT(LEVER_GRANULARITY, EFFECT_UNKNOWN);
	EFFECT(LEVER_THROTTLE, EFFECT_CANNOT);
}

static void blocks_whose_pages_are_counted(void)
{
	/* 200 pages, each reported as 2M: 400 MiB, of which 199.8 parts of 200 are rounding */
	const struct incident i = { .memory = GIB, .bandwidth = 200e6,
		.writers = { { .source = "iommufd", .hot = 200 * PAGE, .leaf = 2 * MIB, .counted = true } },
		.count = 1 };
	struct why_settings s = settings();

	play(&i);
	CHECK(!ask(&s));
	IS(WHY_CANNOT, CAUSE_BLOCKS, "DMA is reported by whole blocks");
	EFFECT(LEVER_GRANULARITY, EFFECT_HELPS);
	CHECK(lever(LEVER_GRANULARITY)->blackout_bound_ns < 300 * MS);
	EFFECT(LEVER_THROTTLE, EFFECT_UNKNOWN);
}

static void a_tracker_that_reports_all(void)
{
	const struct incident i = { .memory = GIB, .bandwidth = 1e9,
		.writers = { { .source = "type1", .hot = 1e6, .all = true },
			     { .source = "kvm", .hot = 2e6 } }, .count = 2 };
	struct why_settings s = settings();

	play(&i);
	CHECK(!ask(&s));
	IS(WHY_CANNOT, CAUSE_TRACKER, "type1 reports all 1 GiB");
	CHECK(answer.writers[0].all_dirty == TRI_TRUE || answer.writers[1].all_dirty == TRI_TRUE);
	EFFECT(LEVER_TRACKER, EFFECT_HELPS);
	EFFECT(LEVER_GRANULARITY, EFFECT_CANNOT);
	EFFECT(LEVER_THROTTLE, EFFECT_CANNOT);
}

static void attached_late(void)
{
	struct incident i = nic;
	struct why_settings s = settings();

	i.late = true;
	i.passes = 1;
	play(&i);
	CHECK(!ask(&s));
	IS(WHY_CANNOT_TELL, CAUSE_LATE, "tracking was on before");
	CHECK(answer.lever_count == 0);
	/* Later iterations tell, though the first ones are missing. */
	i.passes = PASSES;
	play(&i);
	CHECK(!ask(&s));
	IS(WHY_CANNOT, CAUSE_DMA, "by DMA");
	CHECK(answer.rule.start_seen == TRI_FALSE);
}

static void what_is_missing_is_said(void)
{
	struct incident i = nic;
	struct why_settings s = settings();

	i.silent = true;
	play(&i);
	CHECK(!ask(&s));
	IS(WHY_CANNOT_TELL, CAUSE_NO_BANDWIDTH, "--bandwidth");
	s.bandwidth = 100000000;
	play(&i);
	CHECK(!ask(&s));
	IS(WHY_CANNOT, CAUSE_DMA, "by DMA");
	CHECK(!strcmp(answer.rule.bandwidth_from, "as given"));

	why__init(&why);
	CHECK(!ask(&s));
	IS(WHY_CANNOT_TELL, CAUSE_NO_ITERATION, "no iteration was seen");
}

static void a_dirty_ring_has_no_iterations(void)
{
	struct incident i = nic;
	struct why_settings s = settings();

	i.writers[1].source = "kvm-ring";
	play(&i);
	CHECK(!ask(&s));
	IS(WHY_CANNOT_TELL, CAUSE_RING, "dirty ring");
}

/* Two IOMMUs' logs and KVM's two: none is left out. */
static void trackers_of_one_kind_add_up(void)
{
	struct incident i = nic;
	struct why_settings s = settings();

	i.writers[0].hot = 40e6;
	i.writers[1] = (struct writer){ .source = "type1", .hot = 40e6, .rate = 1e6 };
	play(&i);
	CHECK(!ask(&s));
	IS(WHY_CANNOT, CAUSE_DMA, "are written");
	CHECK_NUMBER(answer.writer_count, 2);
	EFFECT(LEVER_DMA, EFFECT_HELPS);
}

static void the_vmm_has_the_last_word(void)
{
	const struct {
		const char *status, *word;
		enum why_cause cause;
	} cases[] = { { "postcopy-active", "post-copy", CAUSE_POSTCOPY },
		      { "completed", "completed", CAUSE_COMPLETED },
		      { "failed", "\"failed\"", CAUSE_ENDED } };
	struct why_settings s = settings();

	for (int k = 0; k < 3; k++) {
		play(&nic);
		give_vmm(cases[k].status, UNKNOWN);
		CHECK(!ask(&s));
		IS(WHY_OVER, cases[k].cause, cases[k].word);
		CHECK(answer.lever_count == 0);
	}
}

/* Nobody waits for it any more; why it had not switched over is asked all the same. */
static void of_a_cancelled_one_it_is_told_why(void)
{
	struct why_settings s = settings();

	play(&nic);
	give_vmm("cancelled", UNKNOWN);
	CHECK(!ask(&s));
	IS(WHY_CANNOT, CAUSE_DMA, "It was cancelled. It could not have switched over: ");
	CHECK(answer.lever_count > 0);
	/* QEMU throttles no more by then, and says so by saying nothing. */
	play(&nic);
	give_vmm("active", 45);
	give_vmm("cancelled", UNKNOWN);
	CHECK(!ask(&s));
	IS(WHY_CANNOT, CAUSE_THROTTLE, "by 45 %");
	why__init(&why);
	give_vmm("cancelled", UNKNOWN);
	CHECK(!ask(&s));
	IS(WHY_OVER, CAUSE_ENDED, "It is over: the VMM says \"cancelled\".");
}

static void give_device(uint64_t device, uint64_t bytes, const char *state)
{
	union sample s;

	field__clear(sample__table(SAMPLE_DEVICE_STATE), &s);
	s.device_state.pid = 7;
	s.device_state.device = device;
	s.device_state.size_bytes = bytes;
	s.device_state.ret = 0;
	strcpy(s.device_state.state, state);
	give(SAMPLE_DEVICE_STATE, &s);
}

/* Two devices; what one had to send before it went ahead counts no more. */
static void device_state_is_what_the_devices_say(void)
{
	const struct incident i = { .memory = GIB, .bandwidth = 100e6,
		.writers = { { .source = "kvm", .hot = 10e6, .rate = 5e6 } }, .count = 1 };
	struct why_settings s = settings();

	play(&i);
	give_device(1, 90000000, "");
	give_device(1, 25000000, "");
	give_device(2, 15000000, "");
	give_device(2, UNKNOWN, "pre-copy");
	CHECK(!ask(&s));
	IS(WHY_CANNOT, CAUSE_DEVICE_STATE, "38.1 MiB (as the devices said), is alone more than");
	CHECK_NUMBER(answer.rule.device_bytes, 40000000);
	s.device_bytes = 1000000;
	play(&i);
	give_device(1, 90000000, "");
	CHECK(!ask(&s));
	CHECK(answer.verdict == WHY_WILL);
	CHECK(!strcmp(answer.rule.device_from, "as given"));
}

/* ---- the same in many sizes ------------------------------------------------------------ */

#define SEEDS 10

static double between(struct random *random, double low, double high)
{
	return low * pow(high / low, random__share(random));
}

/* An incident with this cause by construction: all else is well below what may be left. */
static void stage(enum why_cause cause, uint64_t seed, struct why_settings *s)
{
	struct random random = { seed };
	double bandwidth = between(&random, 150e6, 1.5e9), left = 0.3 * bandwidth;
	double little = left * between(&random, 0.01, 0.2), much = left * between(&random, 1.4, 4);
	struct incident i = { .memory = (UINT64_C(4) << seed % 3) * GIB, .bandwidth = bandwidth,
		.writers = { { .source = "iommufd", .hot = little },
			     { .source = "kvm", .hot = little, .rate = little / 10 } }, .count = 2 };

	*s = settings();
	switch (cause) {
	case CAUSE_DEVICE_STATE:
		s->device_bytes = (uint64_t)(left * between(&random, 1.05, 5));
		break;
	case CAUSE_TRACKER:
		i.writers[0] = (struct writer){ .source = "type1", .hot = little, .all = true };
		break;
	case CAUSE_BLOCKS:
		i.writers[0].leaf = GIB;
		break;
	case CAUSE_BANDWIDTH:
		i.writers[1].hot = much;
		s->link = (uint64_t)(between(&random, 10, 20) * bandwidth);
		break;
	case CAUSE_THROTTLE:
	case CAUSE_DMA:
		i.writers[0].hot = much;
		break;
	case CAUSE_DEVICE:
		i.writers[0] = (struct writer){ .source = "device", .hot = much };
		break;
	case CAUSE_VCPUS:
		i.writers[1].hot = much;
		break;
	case CAUSE_ALL:
		i.writers[0].hot = i.writers[1].hot = much;
		break;
	case CAUSE_LATE:
		i.late = true;
		i.passes = 1;
		break;
	default:
		break;
	}
	play(&i);
	if (cause == CAUSE_THROTTLE)
		give_vmm("active", 20 + seed);
	if (cause == CAUSE_POSTCOPY)
		give_vmm("postcopy-active", UNKNOWN);
}

static void nine_of_ten_of_each_kind(void)
{
	const enum why_cause kinds[] = { CAUSE_NONE, CAUSE_DEVICE_STATE, CAUSE_TRACKER, CAUSE_BLOCKS,
		CAUSE_BANDWIDTH, CAUSE_THROTTLE, CAUSE_DMA, CAUSE_DEVICE, CAUSE_VCPUS, CAUSE_ALL,
		CAUSE_LATE, CAUSE_POSTCOPY };

	for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
		char missed[WHY_SENTENCE] = "";
		int named = 0;

		for (uint64_t seed = 1; seed <= SEEDS; seed++) {
			struct why_settings s;

			stage(kinds[k], seed, &s);
			CHECK(!ask(&s));
			named += answer.cause == kinds[k];
			if (answer.cause != kinds[k])
				strcpy(missed, sentence);
		}
		if (10 * named < 9 * SEEDS)
			FAIL("kind %d: %d of %d: %.150s", kinds[k], named, SEEDS, missed);
	}
}

RUN_TESTS(TEST(a_healthy_one_switches_over), TEST(device_state_too_big), TEST(dma_rate),
	  TEST(throttle_useless), TEST(a_device_with_a_log_of_its_own), TEST(vhost), TEST(vcpu_rate),
	  TEST(vcpus_alone_have_post_copy), TEST(both_write_too_much), TEST(bandwidth_capped),
	  TEST(bandwidth_capped_by_a_setting),
	  TEST(limit_too_small), TEST(bandwidth_below_the_link), TEST(bandwidth_that_fell),
	  TEST(bandwidth_that_fell_in_the_first_copy), TEST(of_a_cancelled_one_it_is_told_why),
	  TEST(device_state_is_what_the_devices_say), TEST(whole_blocks_of_1g),
	  TEST(blocks_whose_pages_are_counted), TEST(a_tracker_that_reports_all),
	  TEST(attached_late), TEST(what_is_missing_is_said), TEST(a_dirty_ring_has_no_iterations),
	  TEST(trackers_of_one_kind_add_up), TEST(the_vmm_has_the_last_word), TEST(nine_of_ten_of_each_kind))
