// SPDX-License-Identifier: GPL-2.0-only
/*
 * What each lever would bring. Not here: the cause (why.c), how a migration goes
 * (precopy.c).
 */
#include "why_play.h"
#include "whatif.h"
#include "../lib/strings.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define NS_PER_SECOND 1e9

#define F(member, ...) FIELD(why_lever, member, #member, __VA_ARGS__)

static const struct field fields[] = {
	F(lever, "lever", FIELD_TEXT, UNIT_NONE, "what would be changed"),
	F(effect, "effect", FIELD_TEXT, UNIT_NONE,
	  "helps, may help, not enough (alone), cannot help, or unknown"),
	{ .name = "bandwidth_bytes_per_second", .heading = "bandwidth", .type = FIELD_U64,
	  .description = "the least of those tried that helps", .unit = UNIT_BYTES_PER_SECOND,
	  .group = GROUP_ROW, .metric = METRIC_NONE,
	  .offset = offsetof(struct why_lever, bandwidth), .size = sizeof(uint64_t) },
	F(limit_ns, "limit", FIELD_U64, UNIT_NS, "the least downtime limit of those tried that helps"),
	F(granularity_bytes, "granularity", FIELD_U64, UNIT_BYTES, "the coarsest that helps"),
	F(blackout_ns, "blackout", FIELD_U64, UNIT_NS, "predicted, median"),
	F(blackout_bound_ns, "at most (95 %)", FIELD_U64, UNIT_NS, "predicted: no more than this with 95 %"),
	F(total_ns, "time", FIELD_U64, UNIT_NS, "predicted, median, of the whole migration"),
	F(reason, "why", FIELD_TEXT, UNIT_NONE, "why that is so, and at what price"),
};

const struct field_table why_lever_table = FIELD_TABLE("lever", why_lever, fields);

static const char *const effects[] = {
	[EFFECT_UNKNOWN] = "unknown", [EFFECT_HELPS] = "helps", [EFFECT_MAY_HELP] = "may help",
	[EFFECT_NOT_ENOUGH] = "not enough", [EFFECT_CANNOT] = "cannot help",
};

static const char *const names[LEVERS] = {
	[LEVER_BANDWIDTH] = "bandwidth", [LEVER_LIMIT] = "downtime limit",
	[LEVER_GRANULARITY] = "finer granularity", [LEVER_TRACKER] = "another tracker",
	[LEVER_THROTTLE] = "throttling vCPUs", [LEVER_DMA] = "less DMA",
	[LEVER_DEVICE_STATE] = "less device state", [LEVER_POSTCOPY] = "post-copy",
};

/* So much of the trials more is chance. */
#define NO_DIFFERENCE 0.1

/* ---- playing ----------------------------------------------------------------------- */

void why__play_init(struct why_play *play, const struct why *why, const struct why_settings *s,
		    const struct why_rule *rule)
{
	double sync_ns = 0;

	for (size_t i = 0; i < why->history.count; i++) {
		uint64_t ns = forecast__sync_ns(&why->history.sources[i]);

		sync_ns += ns == UNKNOWN ? 0 : (double)ns;
	}
	play->history = &why->history;
	play->setup = (struct precopy_setup){
		.memory_bytes = (double)rule->memory_bytes, .pending_bytes = (double)rule->memory_bytes,
		.bandwidth = (double)rule->bandwidth, .last_bandwidth = (double)rule->bandwidth,
		.downtime_limit_s = (double)rule->limit_ns / NS_PER_SECOND,
		.device_bytes = rule->device_bytes == UNKNOWN ? 0 : (double)rule->device_bytes,
		.load_s = (double)s->load_ns / NS_PER_SECOND,
		.stop_s = (double)s->stop_ns / NS_PER_SECOND,
		.slice_s = s->passes ? 0 : PRECOPY_QEMU_SLICE_S,
		.sync_s = sync_ns / NS_PER_SECOND, .levels = 1,
		.most_iterations = (unsigned int)s->iterations,
	};
}

/* The history without some of its sources, which stay the history's. */
static void leave_out(const struct history *history, unsigned int without,
		      struct history_source kept[PREDICT_SOURCES], struct history *part)
{
	*part = *history;
	part->sources = kept;
	part->count = 0;
	for (size_t i = 0; i < history->count && part->count < PREDICT_SOURCES; i++)
		if (!(without >> why__class_of(history->sources[i].source) & 1))
			kept[part->count++] = history->sources[i];
}

static bool any_points(const struct history *history, bool iommu_only)
{
	for (size_t i = 0; i < history->count; i++)
		if (history->sources[i].count &&
		    (!iommu_only || why__class_of(history->sources[i].source) == WHY_DMA))
			return true;
	return false;
}

int why__play(const struct why_play *play, const struct why_change *change,
	      struct prediction *out)
{
	struct history_source kept[PREDICT_SOURCES];
	struct precopy_setup setup = play->setup;
	struct history part;
	struct forecast forecast = { .history = &part, .memory_bytes = setup.memory_bytes,
				     .levels = 1 };
	int err;

	leave_out(play->history, change->without, kept, &part);
	if (change->bandwidth > 0)
		setup.bandwidth = setup.last_bandwidth = change->bandwidth;
	if (change->limit_s > 0)
		setup.downtime_limit_s = change->limit_s;
	if (change->no_state)
		setup.device_bytes = 0;
	/* Only IOMMUs have another granularity to choose. */
	forecast.units[0] = any_points(&part, true) ? change->unit : FORECAST_AS_RECORDED;
	field__clear(&prediction_table, out);
	if (any_points(&part, false))
		err = forecast__run(&forecast, &setup, UNKNOWN, out);
	else
		err = predict__run(&setup, NULL, 0, 1, out);
	return err == -ENOMEM ? err : 0;
}

/* ---- levers ------------------------------------------------------------------------ */

static struct why_lever *add_lever(struct why_answer *answer, enum why_lever_kind kind)
{
	struct why_lever *lever = &answer->levers[answer->lever_count++];

	field__clear(&why_lever_table, lever);
	STRING_COPY(lever->lever, names[kind]);
	lever->kind = kind;
	return lever;
}

static void say(struct why_lever *lever, enum why_effect how, const char *reason)
{
	lever->how = how;
	STRING_COPY(lever->effect, effects[how]);
	STRING_COPY(lever->reason, reason);
}

static enum why_effect effect_of(const struct prediction *prediction)
{
	if (!prediction->trials || prediction->trials == UNKNOWN)
		return EFFECT_UNKNOWN;
	return prediction->converges == TRI_TRUE ? EFFECT_HELPS :
	       prediction->converges == TRI_FALSE ? EFFECT_NOT_ENOUGH : EFFECT_MAY_HELP;
}

static void put_prediction(struct why_lever *lever, const struct prediction *prediction)
{
	if (prediction->converges != TRI_TRUE)
		return;
	lever->blackout_ns = prediction->blackout_ns;
	lever->blackout_bound_ns = prediction->blackout_bound_ns;
	lever->total_ns = prediction->total_ns;
}

/* Twice as much each time, until it helps. */
static int try_more(const struct why_play *play, const struct why_rule *rule,
		    struct why_lever *lever)
{
	const bool is_limit = lever->kind == LEVER_LIMIT;
	enum why_effect best = EFFECT_NOT_ENOUGH;

	for (double factor = 2; factor <= 64; factor *= 2) {
		struct why_change change = WHY_NO_CHANGE;
		struct prediction prediction;
		int err;

		if (is_limit)
			change.limit_s = play->setup.downtime_limit_s * factor;
		else
			change.bandwidth = play->setup.bandwidth * factor;
		err = why__play(play, &change, &prediction);
		if (err)
			return err;
		if (effect_of(&prediction) == EFFECT_MAY_HELP)
			best = EFFECT_MAY_HELP;
		if (prediction.converges != TRI_TRUE)
			continue;
		if (is_limit)
			lever->limit_ns = (uint64_t)((double)rule->limit_ns * factor);
		else
			lever->bandwidth = (uint64_t)((double)rule->bandwidth * factor);
		put_prediction(lever, &prediction);
		say(lever, EFFECT_HELPS, is_limit ? "the VM stands still for longer" :
						   "if the path and both hosts can carry it");
		return 0;
	}
	say(lever, best, best == EFFECT_MAY_HELP ? "up to 64 times as much was tried" :
						  "64 times as much would not do");
	return 0;
}

/* The coarsest that helps: it has the fewest tables and the widest IOTLB reach. */
static int try_granularity(const struct why_play *play, const struct why_writer *dma,
			   struct why_lever *lever)
{
	static const unsigned int shifts[UNIT_SIZES] = UNIT_SIZE_SHIFTS;
	enum why_effect best = EFFECT_UNKNOWN;

	for (unsigned int unit = UNIT_SIZES; unit-- > 0;) {
		struct why_change change = { .unit = unit };
		struct prediction prediction;
		enum why_effect effect;
		int err;

		if (dma->block_bytes != UNKNOWN && UINT64_C(1) << shifts[unit] >= dma->block_bytes)
			continue;
		err = why__play(play, &change, &prediction);
		if (err)
			return err;
		effect = effect_of(&prediction);
		if (effect == EFFECT_HELPS) {
			lever->granularity_bytes = UINT64_C(1) << shifts[unit];
			put_prediction(lever, &prediction);
			say(lever, effect, "price: tables, and IOTLB misses where DMA is scattered");
			return 0;
		}
		if (effect != EFFECT_UNKNOWN && best != EFFECT_MAY_HELP)
			best = effect;
	}
	say(lever, best, best == EFFECT_UNKNOWN ?
		"whole blocks do not tell what was written in them; record with a finer granularity" :
		"what is written is too much at any granularity recorded");
	return 0;
}

static int add_granularity(const struct why_play *play, struct why_answer *answer)
{
	const struct why_writer *dma = why__writer(answer, WHY_DMA);
	struct why_lever *lever = add_lever(answer, LEVER_GRANULARITY);

	if (!dma)
		say(lever, EFFECT_CANNOT, "no IOMMU's log in this recording: its leaves change nothing");
	else if (why__is_blind(dma))
		say(lever, EFFECT_CANNOT, "its tracker reports all memory, by whatever leaves");
	else if (!why__has_blocks(dma))
		say(lever, EFFECT_CANNOT, "DMA is tracked by 4K pages already");
	else
		return try_granularity(play, dma, lever);
	return 0;
}

/*
 * Whether what others write is too much: in every iteration more than may be left, and the
 * prediction hardly differs.
 */
static bool changes_nothing(const struct why_answer *answer, unsigned int without,
			    const struct prediction *prediction)
{
	uint64_t least = 0;

	for (size_t i = 0; i < answer->writer_count; i++) {
		const struct why_writer *writer = &answer->writers[i];

		if (!(without >> why__class_of(writer->source) & 1) && writer->least_bytes != UNKNOWN)
			least += writer->least_bytes;
	}
	return answer->verdict == WHY_CANNOT && least > answer->rule.threshold_bytes &&
	       prediction->converged_share <= answer->prediction.converged_share + NO_DIFFERENCE;
}

/* Nobody writes less than nothing: what is not enough then never is. */
static int try_without(const struct why_answer *answer, const struct why_play *play,
		       unsigned int without, struct why_lever *lever, const char *helps,
		       const char *not_enough)
{
	struct why_change change = WHY_NO_CHANGE;
	struct prediction prediction;
	enum why_effect effect;
	int err;

	change.without = without;
	err = why__play(play, &change, &prediction);
	if (err)
		return err;
	effect = effect_of(&prediction);
	if (effect == EFFECT_MAY_HELP && changes_nothing(answer, without, &prediction))
		effect = EFFECT_NOT_ENOUGH;
	if (effect == EFFECT_HELPS)
		put_prediction(lever, &prediction);
	say(lever, effect == EFFECT_NOT_ENOUGH ? EFFECT_CANNOT : effect,
	    effect == EFFECT_NOT_ENOUGH ? not_enough : effect == EFFECT_UNKNOWN ? "" : helps);
	return 0;
}

static int add_throttle(const struct why_play *play, struct why_answer *answer)
{
	struct why_lever *lever = add_lever(answer, LEVER_THROTTLE);
	uint64_t now = answer->rule.throttle_percent;
	char helps[WHY_REASON] = "at best, as if vCPUs stood still; the guest runs slower meanwhile";

	if (now != UNKNOWN && now)
		snprintf(helps, sizeof(helps), "at best, as if vCPUs stood still: %" PRIu64 " %% was not enough (see cpu-throttle-increment, max-cpu-throttle)",
			 now);
	if (!why__writer(answer, WHY_VCPUS)) {
		say(lever, EFFECT_UNKNOWN,
		    "what vCPUs write is not in this recording; it does nothing to DMA");
		return 0;
	}
	return try_without(answer, play, 1u << WHY_VCPUS, lever,
			   helps, "it does nothing to DMA, which is too much even while vCPUs stand still");
}

static int add_dma(const struct why_play *play, struct why_answer *answer)
{
	return try_without(answer, play, WHY_DEVICES, add_lever(answer, LEVER_DMA),
			   "at best, as if devices wrote nothing: another hour, or a queue less",
			   "what vCPUs write is too much even while devices write nothing");
}

static int add_tracker(const struct why_play *play, struct why_answer *answer)
{
	for (size_t i = 0; i < answer->writer_count; i++) {
		enum why_class class = why__class_of(answer->writers[i].source);

		if (why__is_blind(&answer->writers[i]))
			return try_without(answer, play, 1u << class, add_lever(answer, LEVER_TRACKER),
					   "at best, as if devices wrote nothing: their own log, or iommufd on an IOMMU that tracks; see hwdbm doctor",
					   "what the others write is too much already");
	}
	return 0;
}

static int add_device_state(const struct why_play *play, struct why_answer *answer)
{
	struct why_change change = { .unit = FORECAST_AS_RECORDED, .no_state = true };
	const struct why_rule *rule = &answer->rule;
	struct prediction prediction;
	struct why_lever *lever;
	enum why_effect effect;
	int err;

	if (rule->device_bytes == 0)
		return 0;
	lever = add_lever(answer, LEVER_DEVICE_STATE);
	if (rule->device_bytes == UNKNOWN) {
		say(lever, EFFECT_UNKNOWN, "how large it is is not known (--device-state)");
		return 0;
	}
	err = why__play(play, &change, &prediction);
	if (err)
		return err;
	effect = effect_of(&prediction);
	if (effect == EFFECT_HELPS)
		put_prediction(lever, &prediction);
	say(lever, effect == EFFECT_NOT_ENOUGH ? EFFECT_CANNOT : effect,
	    effect == EFFECT_NOT_ENOUGH ? "dirty memory alone is too much" :
					  "at best, as if there were none: fewer queues, a smaller device");
	return 0;
}

static void add_postcopy(struct why_answer *answer)
{
	struct why_lever *lever = add_lever(answer, LEVER_POSTCOPY);

	if (why__writer(answer, WHY_DMA) || why__writer(answer, WHY_DEVICE) ||
	    (answer->rule.device_bytes != UNKNOWN && answer->rule.device_bytes))
		say(lever, EFFECT_CANNOT, "QEMU has none for VMs with VFIO devices: DMA cannot wait for a page");
	else
		say(lever, EFFECT_HELPS,
		    "unless it has VFIO devices; the guest waits for pages, how long is not known, and a broken path loses it");
}

/* Where device state alone is too much, dirty memory does not matter. */
static void overrule(struct why_answer *answer)
{
	for (size_t i = 0; i < answer->lever_count; i++) {
		struct why_lever *lever = &answer->levers[i];

		if (lever->kind == LEVER_GRANULARITY || lever->kind == LEVER_TRACKER ||
		    lever->kind == LEVER_THROTTLE || lever->kind == LEVER_DMA)
			say(lever, EFFECT_CANNOT, "device state alone is too much, however little memory is dirty");
	}
}

int why__levers(const struct why_play *play, struct why_answer *answer)
{
	int err = try_more(play, &answer->rule, add_lever(answer, LEVER_BANDWIDTH));

	err = err ?: try_more(play, &answer->rule, add_lever(answer, LEVER_LIMIT));
	err = err ?: add_granularity(play, answer);
	err = err ?: add_tracker(play, answer);
	err = err ?: add_throttle(play, answer);
	err = err ?: add_dma(play, answer);
	err = err ?: add_device_state(play, answer);
	if (err)
		return err;
	add_postcopy(answer);
	if (answer->cause == CAUSE_DEVICE_STATE)
		overrule(answer);
	return 0;
}
