// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tracker, and the ways of tracking. Not here: other settings (advise_lever.c), how a
 * migration goes (precopy.c).
 */
#include "advise_play.h"
#include "whatif.h"
#include "why_play.h"
#include "../lib/strings.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NS_PER_SECOND 1e9
#define PAGE_BYTES (UINT64_C(1) << LEAF_SHIFT)
#define GIB (UINT64_C(1) << 30)

/* One level of page tables: 512 leaves in 4 KiB. */
#define LEVEL_SHIFT 9
#define TABLE_BYTES UINT64_C(4096)

#define W(member, ...) FIELD(advise_way, member, #member, __VA_ARGS__)
#define L(member, ...) FIELD(advise_lever, member, #member, __VA_ARGS__)

static const struct field way_fields[] = {
	W(granularity_bytes, "granularity", FIELD_U64, UNIT_BYTES, "leaf size of dirty tracking"),
	W(mode, "split", FIELD_TEXT, UNIT_NONE, "off, eager or lazy"),
	W(place, "place", FIELD_TEXT, UNIT_NONE,
	  "advised, runner-up, too large (its tables) or not judged (by this recording)"),
	W(verdict, "predicted", FIELD_TEXT, UNIT_NONE, "verdict"),
	W(blackout_ns, "blackout", FIELD_U64, UNIT_NS,
	  "predicted, median; where it does not converge, if it is stopped after the last iteration anyway"),
	W(blackout_bound_ns, "at most (95 %)", FIELD_U64, UNIT_NS, "predicted: no more than this with 95 %"),
	W(total_ns, "time", FIELD_U64, UNIT_NS, "predicted, median, of the whole migration"),
	W(brownout_ns, "time lost", FIELD_U64, UNIT_NS,
	  "predicted: blackout, and the share of the rest that tracking takes"),
	W(table_bytes, "tables", FIELD_U64, UNIT_BYTES, "page tables in the end, at most"),
	W(start_ns, "split at start", FIELD_U64, UNIT_NS, "by the recorded cost of splits"),
	W(lock_ns, "lock hold", FIELD_U64, UNIT_NS, "of it without a break: for a GiB"),
	W(sync_ns, "a sync", FIELD_U64, UNIT_NS, "recorded, median; null at other granularities"),
};

static const struct field lever_fields[] = {
	L(setting, "setting", FIELD_TEXT, UNIT_NONE, "what would be changed, alone"),
	L(value, "to", FIELD_TEXT, UNIT_NONE, "its value"),
	L(effect, "effect", FIELD_TEXT, UNIT_NONE,
	  "helps (to switch over), better, no difference, worse, not enough, cannot help, unknown"),
	L(blackout_ns, "blackout", FIELD_U64, UNIT_NS, "predicted, median"),
	L(blackout_bound_ns, "at most (95 %)", FIELD_U64, UNIT_NS, "predicted: no more than this with 95 %"),
	L(total_ns, "time", FIELD_U64, UNIT_NS, "predicted, median, of the whole migration"),
	L(reason, "why", FIELD_TEXT, UNIT_NONE, "why that is so, and at what price"),
};

const struct field_table advise_way_table = FIELD_TABLE("way", advise_way, way_fields);
const struct field_table advise_lever_table = FIELD_TABLE("setting", advise_lever, lever_fields);

static const char *const objectives[ADVISE_OBJECTIVES] = { "blackout", "total", "brownout" };

enum advise_objective advise__objective(const char *name)
{
	enum advise_objective objective = 0;

	while (objective < ADVISE_OBJECTIVES && strcmp(objectives[objective], name))
		objective++;
	return objective;
}

const char *advise__objective_name(enum advise_objective objective)
{
	return objectives[objective];
}

/* ---- what is seen ------------------------------------------------------------------ */

void advise__init(struct advise *advise)
{
	why__init(&advise->why);
	field__clear(sample__table(SAMPLE_HEADER), &advise->header);
	advise->largest_leaf = 0;
}

void advise__release(struct advise *advise)
{
	why__release(&advise->why);
}

static void see_leaves(struct advise *advise, const uint64_t leaves[LEAF_SIZES])
{
	for (unsigned int i = 0; i < LEAF_SIZES && leaves[0] != UNKNOWN; i++)
		if (leaves[i] && advise->largest_leaf < PAGE_BYTES << i)
			advise->largest_leaf = PAGE_BYTES << i;
}

int advise__add(struct advise *advise, enum sample_kind kind, const union sample *sample)
{
	switch (kind) {
	case SAMPLE_HEADER:
		advise->header = sample->header;
		break;
	case SAMPLE_TRACKING:
		see_leaves(advise, sample->tracking.leaves);
		break;
	case SAMPLE_SYNC:
		see_leaves(advise, sample->sync.dirty_entries);
		break;
	case SAMPLE_SPLIT_SUMMARY:
		if (sample->size_summary.operations && sample->size_summary.from_bytes != UNKNOWN &&
		    sample->size_summary.from_bytes > advise->largest_leaf)
			advise->largest_leaf = sample->size_summary.from_bytes;
		break;
	default:
		break;
	}
	/* Clocks of a second recording begin anew: of it only the history counts. */
	if (advise->why.history.recordings)
		return history__add(&advise->why.history, kind, sample);
	return why__add(&advise->why, kind, sample);
}

int advise__end(struct advise *advise)
{
	return advise->why.history.recordings ? history__end(&advise->why.history) :
						why__end(&advise->why);
}

/* ---- the tracker ------------------------------------------------------------------- */

static void put_tracker(struct advise_answer *answer, const char *tracker, enum tristate splits,
			const char *reason)
{
	STRING_COPY(answer->tracker, tracker);
	STRING_COPY(answer->tracker_reason, reason);
	answer->splits = splits;
}

static void find_tracker(const struct advise_settings *settings, struct advise_answer *answer)
{
	const struct why_writer *dma = why__writer(&answer->why, WHY_DMA);

	if (settings->outlook && *settings->outlook->reason)
		put_tracker(answer, *settings->outlook->dma ? settings->outlook->dma : "vCPUs only",
			    settings->outlook->splits, settings->outlook->reason);
	else if (dma && why__is_blind(dma))
		put_tracker(answer, "all dirty", TRI_FALSE,
			    "the tracker reports all memory in each iteration, by whatever leaves: take devices with a log of their own, or iommufd on an IOMMU that tracks");
	else if (dma)
		put_tracker(answer, "iommu", TRI_TRUE,
			    "dirty is what the IOMMU's leaves say: their size is the granularity");
	else if (why__writer(&answer->why, WHY_DEVICE))
		put_tracker(answer, "device log", TRI_FALSE,
			    "the device logs its own DMA, by its own granularity: splitting changes nothing");
	else if (answer->why.writer_count)
		put_tracker(answer, "vCPUs only", TRI_FALSE,
			    "no device's or IOMMU's log was recorded: its granularity changes nothing in what was seen");
	else
		put_tracker(answer, "unknown", TRI_UNKNOWN,
			    "no iteration was recorded that tells how much was written in which time");
}

static uint64_t find_block(const struct advise *advise, const struct advise_settings *settings)
{
	uint64_t backing = advise->why.history.vmm_start.backing_bytes;

	if (settings->block_bytes)
		return settings->block_bytes;
	if (backing != UNKNOWN && backing)
		return backing;
	return advise->largest_leaf ?: UNKNOWN;
}

/* ---- playing ----------------------------------------------------------------------- */

static const struct advise_estimate *estimate_of(const struct advise_settings *settings,
						  unsigned int unit)
{
	for (size_t i = 0; i < settings->estimate_count; i++)
		if (whatif__unit(settings->estimates[i].granularity_bytes) == unit)
			return &settings->estimates[i];
	return NULL;
}

static void estimate_point(const struct advise_settings *settings, bool high,
			   struct history_point *point)
{
	for (unsigned int unit = 0; unit < UNIT_SIZES; unit++) {
		const struct advise_estimate *estimate = estimate_of(settings, unit);

		if (estimate && point->bytes[unit] == UNKNOWN && point->reported_bytes != UNKNOWN)
			point->bytes[unit] = (uint64_t)((double)point->reported_bytes *
							(high ? estimate->high : estimate->middle));
	}
}

/* Who writes at half the speed takes twice as long for the same. */
static int copy_source(const struct advise_play *play, const struct history_source *from,
		       const struct advise_change *change, bool high, struct history_source *to)
{
	enum why_class class = why__class_of(from->source);
	double speed = class == WHY_VCPUS ? change->vcpu_speed : change->device_speed;

	*to = *from;
	to->points = malloc((from->count ?: 1) * sizeof(*to->points));
	if (!to->points)
		return -ENOMEM;
	for (size_t i = 0; i < from->count; i++) {
		to->points[i] = from->points[i];
		if (speed > 0)
			to->points[i].interval_ns = (uint64_t)((double)from->points[i].interval_ns /
								speed) ?: 1;
		if (class == WHY_DMA)
			estimate_point(play->settings, high, &to->points[i]);
	}
	return 0;
}

static int run(const struct advise_play *play, const struct advise_way *way,
	       const struct advise_change *change, bool high, struct prediction *out)
{
	const struct history *all = &play->advise->why.history;
	struct history_source sources[PREDICT_SOURCES];
	struct history part = *all;
	struct forecast forecast = { .history = &part, .memory_bytes = play->setup.memory_bytes,
				     .levels = way->levels };
	struct precopy_setup setup = play->setup;
	int err = 0;

	part.sources = sources;
	part.count = 0;
	for (size_t i = 0; !err && i < all->count && part.count < PREDICT_SOURCES; i++) {
		err = copy_source(play, &all->sources[i], change, high, &sources[part.count]);
		part.count += !err;
	}
	memcpy(forecast.units, way->units, sizeof(forecast.units));
	setup.levels = way->levels;
	if (way->start_ns != UNKNOWN)
		setup.start_s = (double)way->start_ns / NS_PER_SECOND;
	if (change->bandwidth > 0)
		setup.bandwidth = setup.last_bandwidth = change->bandwidth;
	if (change->limit_s > 0)
		setup.downtime_limit_s = change->limit_s;
	err = err ?: forecast__run(&forecast, &setup, UNKNOWN, out);
	for (size_t i = 0; i < part.count; i++)
		free(sources[i].points);
	return err;
}

/* Time lost: what is not blackout counts by the slowdown, vCPUs that are slowed down included. */
static double lost_seconds(const struct advise_play *play, const struct advise_change *change,
			   double blackout, double total)
{
	double slow = isnan(play->settings->slowdown) ? 0 : play->settings->slowdown;

	if (change->vcpu_speed > 0 && change->device_speed <= 0)
		slow = 1 - (1 - slow) * change->vcpu_speed;
	return blackout + slow * fmax(total - blackout, 0);
}

static double score_of(const struct advise_play *play, const struct advise_change *change,
		       const struct prediction *p)
{
	double blackout = (double)p->blackout_ns / NS_PER_SECOND;
	double total = (double)p->total_ns / NS_PER_SECOND;

	/* What never ends by itself is compared by what it comes to when it is stopped. */
	if (p->blackout_ns == UNKNOWN)
		return (double)p->forced_blackout_ns / NS_PER_SECOND;
	switch (play->settings->objective) {
	case ADVISE_TOTAL:
		return total;
	case ADVISE_BROWNOUT:
		return lost_seconds(play, change, blackout, total);
	default:
		return blackout;
	}
}

static bool uses_estimate(const struct advise_play *play, const struct advise_way *way)
{
	for (unsigned int k = 0; k < way->levels; k++)
		if (way->units[k] < UNIT_SIZES && estimate_of(play->settings, way->units[k]))
			return true;
	return false;
}

int advise__play(const struct advise_play *play, const struct advise_way *way,
		 const struct advise_change *change, struct prediction *out, double *score)
{
	struct prediction worst;
	int err = run(play, way, change, false, out);

	if (err)
		return err;
	if (uses_estimate(play, way)) {
		err = run(play, way, change, true, &worst);
		if (err)
			return err;
		/* With more to send one more iteration may be made, and less left in the end. */
		if (out->blackout_bound_ns == UNKNOWN || worst.blackout_bound_ns > out->blackout_bound_ns)
			out->blackout_bound_ns = worst.blackout_bound_ns;
		if (worst.converges != out->converges)
			out->converges = TRI_UNKNOWN;
		if (out->converges == TRI_UNKNOWN)
			STRING_COPY(out->verdict, "cannot be told");
	}
	*score = score_of(play, change, out);
	return 0;
}

/* ---- prices ------------------------------------------------------------------------ */

/* Only blocks that are written get tables; how many that are, the working set tells. */
static uint64_t lazy_tables(const struct advise_play *play, const struct advise_way *way,
			    uint64_t total_ns)
{
	const struct forecast forecast = { .history = &play->advise->why.history,
					   .memory_bytes = play->setup.memory_bytes };
	static const unsigned int shifts[UNIT_SIZES] = UNIT_SIZE_SHIFTS;
	double tables = 0;

	for (unsigned int k = 1; k < way->levels; k++) {
		double bytes, size = (double)(UINT64_C(1) << shifts[way->units[k]]);

		if (forecast__written(&forecast, way->units[k], (double)total_ns / NS_PER_SECOND, &bytes))
			return UNKNOWN;
		tables += ceil(bytes / size);
	}
	return (uint64_t)tables * TABLE_BYTES;
}

static uint64_t start_ns(const struct advise_play *play, uint64_t block, const struct advise_way *way)
{
	const uint64_t memory = play->answer->why.rule.memory_bytes;
	uint64_t ns = 0;

	if (strcmp(way->mode, "eager"))
		return UNKNOWN;
	for (uint64_t size = block; size > way->granularity_bytes; size >>= LEVEL_SHIFT) {
		uint64_t one = forecast__split_ns(&play->advise->why.history, size);

		if (one == UNKNOWN)
			return UNKNOWN;
		ns += one * ((memory + size - 1) / size);
	}
	return ns;
}

static void put_prices(const struct advise_play *play, uint64_t block, struct advise_way *way)
{
	const struct history *h = &play->advise->why.history;
	const uint64_t memory = play->answer->why.rule.memory_bytes;

	way->table_bytes = 0;
	if (strcmp(way->mode, "off"))
		way->table_bytes = whatif__tables(memory, block, way->granularity_bytes);
	way->start_ns = start_ns(play, block, way);
	/* Without speed/ all of it is one piece, and the whole time is the lock's. */
	if (!strcmp(way->mode, "eager") && way->start_ns != UNKNOWN)
		way->lock_ns = memory > GIB ? (uint64_t)((double)way->start_ns * (double)GIB /
							  (double)memory) : way->start_ns;
	for (size_t i = 0; i < h->count; i++)
		if (sample__is_iommu(h->sources[i].source) &&
		    (way->granularity_bytes == play->answer->recorded_bytes ||
		     way->granularity_bytes == UNKNOWN))
			way->sync_ns = forecast__sync_ns(&h->sources[i]);
}

/* ---- ways -------------------------------------------------------------------------- */

static int judge_way(const struct advise_play *play, struct advise_way *way)
{
	const struct advise_change nothing = { 0 };
	struct prediction p;
	uint64_t tables;
	int err = advise__play(play, way, &nothing, &p, &way->score);

	if (err == -EINVAL) {
		STRING_COPY(way->place, "not judged");
		play->answer->unjudged += way->granularity_bytes < play->answer->recorded_bytes;
		return 0;
	}
	if (err)
		return err;
	way->is_judged = true;
	way->is_estimated = uses_estimate(play, way);
	way->converges = p.converges;
	STRING_COPY(way->verdict, p.verdict);
	way->blackout_ns = p.blackout_ns == UNKNOWN ? p.forced_blackout_ns : p.blackout_ns;
	way->blackout_bound_ns = p.blackout_bound_ns;
	way->total_ns = p.blackout_ns == UNKNOWN ? UNKNOWN : p.total_ns;
	if (!isnan(play->settings->slowdown) && way->total_ns != UNKNOWN)
		way->brownout_ns = (uint64_t)(lost_seconds(play, &nothing,
							   (double)way->blackout_ns,
							   (double)way->total_ns));
	if (!strcmp(way->mode, "lazy")) {
		tables = lazy_tables(play, way, p.total_ns);
		way->table_bytes = tables < way->table_bytes ? tables : way->table_bytes;
	}
	if (way->table_bytes > play->settings->table_room_bytes)
		STRING_COPY(way->place, "too large");
	return 0;
}

static struct advise_way *add_way(struct advise_answer *answer, const char *mode,
				  uint64_t granularity)
{
	struct advise_way *way = &answer->ways[answer->way_count++];

	memset(way, 0, sizeof(*way));
	field__clear(&advise_way_table, way);
	STRING_COPY(way->mode, mode);
	way->granularity_bytes = granularity;
	way->converges = TRI_UNKNOWN;
	way->levels = 1;
	way->units[0] = granularity == UNKNOWN ? FORECAST_AS_RECORDED : whatif__unit(granularity);
	return way;
}

/* Not split; each finer leaf size of the page table at once; each of them when written. */
static void list_ways(struct advise_answer *answer, uint64_t block)
{
	const bool is_known = block != UNKNOWN && whatif__unit(block) < UNIT_SIZES;

	add_way(answer, "off", is_known ? block : UNKNOWN);
	if (!is_known || answer->splits == TRI_FALSE)
		return;
	for (uint64_t size = PAGE_BYTES; size < block; size <<= LEVEL_SHIFT) {
		struct advise_way *lazy;

		add_way(answer, "eager", size);
		lazy = add_way(answer, "lazy", size);
		for (uint64_t k = size << LEVEL_SHIFT; k <= block && lazy->levels < PRECOPY_LEVELS;
		     k <<= LEVEL_SHIFT)
			lazy->units[lazy->levels++] = whatif__unit(k);
	}
}

static bool is_candidate(const struct advise_way *way)
{
	return way->is_judged && strcmp(way->place, "too large");
}

/* Less is better; within a tie what costs less. */
static bool is_better(const struct advise_way *a, const struct advise_way *b)
{
	if (a->converges != b->converges)
		return a->converges == TRI_TRUE || b->converges == TRI_FALSE;
	return a->score < b->score;
}

static const struct advise_way *best_of(const struct advise_answer *answer,
					const struct advise_way *but)
{
	const struct advise_way *best = NULL;

	for (size_t i = 0; i < answer->way_count; i++) {
		const struct advise_way *way = &answer->ways[i];

		if (way != but && is_candidate(way) && (!best || is_better(way, best)))
			best = way;
	}
	return best;
}

static bool is_as_good(const struct advise_way *way, const struct advise_way *best)
{
	return is_candidate(way) && way->converges == best->converges &&
	       way->score <= best->score * (1 + ADVISE_TIE);
}

/*
 * Of ways as good as the best, the one with the fewest tables if it saves half of them; else
 * the one with most: what is split all and finest reports the least, whatever is predicted.
 */
static const struct advise_way *choose(const struct advise_answer *answer,
				       const struct advise_way *best)
{
	const struct advise_way *cheapest = best, *finest = best;

	for (size_t i = 0; best && i < answer->way_count; i++) {
		const struct advise_way *way = &answer->ways[i];

		if (!is_as_good(way, best))
			continue;
		if (way->table_bytes < cheapest->table_bytes)
			cheapest = way;
		if (way->table_bytes > finest->table_bytes ||
		    (way->table_bytes == finest->table_bytes && !strcmp(way->mode, "eager")))
			finest = way;
	}
	return best && cheapest->table_bytes <= finest->table_bytes / 2 ? cheapest : finest;
}

static int judge_ways(const struct advise_play *play)
{
	struct advise_answer *answer = play->answer;
	int err = 0;

	list_ways(answer, answer->block_bytes);
	for (size_t i = 0; !err && i < answer->way_count; i++) {
		put_prices(play, answer->block_bytes, &answer->ways[i]);
		err = judge_way(play, &answer->ways[i]);
	}
	if (err)
		return err;
	if (answer->ways[0].is_judged)
		answer->as_mapped = &answer->ways[0];
	answer->advised = choose(answer, best_of(answer, NULL));
	answer->second = best_of(answer, answer->advised);
	for (size_t i = 0; i < answer->way_count; i++) {
		if (&answer->ways[i] == answer->advised)
			STRING_COPY(answer->ways[i].place, "advised");
		if (&answer->ways[i] == answer->second)
			STRING_COPY(answer->ways[i].place, "runner-up");
	}
	return 0;
}

/* ---- the answer -------------------------------------------------------------------- */

/* The series' statistics tell how tracking splits; a stock kernel has no such word. */
static enum tristate can_split(const struct advise *advise)
{
	if (*advise->why.history.split_mode)
		return TRI_TRUE;
	return advise->header.kernel_patched == TRI_FALSE ? TRI_FALSE : TRI_UNKNOWN;
}

int advise__answer(const struct advise *advise, const struct advise_settings *settings,
		   struct advise_answer *answer)
{
	struct advise_play play = { .advise = advise, .settings = settings, .answer = answer };
	struct why_play base;
	int err;

	memset(answer, 0, sizeof(*answer));
	answer->objective = settings->objective;
	answer->slowdown = settings->slowdown;
	answer->table_room_bytes = settings->table_room_bytes;
	err = why__answer(&advise->why, &settings->why, &answer->why);
	if (err)
		return err;
	find_tracker(settings, answer);
	answer->can_split = can_split(advise);
	answer->block_bytes = answer->splits == TRI_TRUE || why__writer(&answer->why, WHY_DMA) ?
				      find_block(advise, settings) : UNKNOWN;
	answer->recorded_bytes = advise->why.history.granularity_bytes ?: answer->block_bytes;
	if (!answer->why.writer_count || answer->why.rule.bandwidth == UNKNOWN ||
	    answer->why.rule.memory_bytes == UNKNOWN)
		return 0;
	why__play_init(&base, &advise->why, &settings->why, &answer->why.rule);
	play.setup = base.setup;
	err = judge_ways(&play);
	if (!err && answer->way_count)
		err = advise__levers(&play, answer->advised ?: &answer->ways[0]);
	return err;
}
