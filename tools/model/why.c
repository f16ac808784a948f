// SPDX-License-Identifier: GPL-2.0-only
/*
 * What was seen, the verdict and its cause. Not here: levers (why_lever.c).
 */
#include "why_play.h"
#include "../lib/strings.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NS_PER_SECOND 1e9

/* QEMU's defaults (migration/options.c): downtime-limit, and max-bandwidth since 6.0. */
#define DOWNTIME_LIMIT_NS UINT64_C(300000000)
#define QEMU_BANDWIDTH (UINT64_C(128) << 20)

/* A limit is kept to within this; the transfer's own overhead is in it. */
#define AT_LIMIT 0.05

/* QEMU sends nothing while it syncs and sleeps by tenths of a second: a bandwidth that it was told may be reached no better. */
#define AT_CAP 0.7

/* What a path has carried in an iteration it could carry again; half of it is a loss. */
#define FALLEN_TO 0.5

/* A share from which on one writer is what it is about. */
#define MOST (2.0 / 3)

/* Where the prediction cannot tell, what was seen decides, if no more trials than this disagree. */
#define DISAGREE 0.5

/* A cure that so many of the trials agree to is the likely one. */
#define LIKELY 0.5

/* QEMU sends by tenths of a second, and the kernel's count is read once a second. */
#define RATE_NS UINT64_C(800000000)

/* A bandwidth that was given is the one that was there if it is no more than this of it. */
#define SAME_BANDWIDTH 1.1

/* As much as this is all, but for ranges that change. */
#define ALL_DIRTY 0.98

/* One iteration may be all dirty by chance, or as the first one is. */
#define ALL_DIRTY_ITERATIONS 2

#define F FIELD
#define NONE UNIT_NONE
#define RATE UNIT_BYTES_PER_SECOND

static const struct field writer_fields[] = {
	F(why_writer, class, "writer", "written by", FIELD_TEXT, NONE,
	  "vCPUs, DMA, a device with its own log, or vhost"),
	F(why_writer, source, "source", "tracker", FIELD_TEXT, NONE, "who reported it"),
	F(why_writer, iterations, "iterations", "iter.", FIELD_U64, UNIT_COUNT, "that tell a rate"),
	F(why_writer, pending_bytes, "pending_bytes", "pending", FIELD_U64, UNIT_BYTES,
	  "reported by the last iteration"),
	F(why_writer, interval_ns, "interval_ns", "written in", FIELD_U64, UNIT_NS,
	  "time in which that was written"),
	F(why_writer, dirty_rate, "dirty_bytes_per_second", "dirty rate", FIELD_U64, RATE,
	  "the one over the other"),
	F(why_writer, least_bytes, "least_bytes", "least", FIELD_U64, UNIT_BYTES,
	  "least of any iteration"),
	F(why_writer, length_bytes, "length_bytes", "of", FIELD_U64, UNIT_BYTES, "memory covered"),
	F(why_writer, block_bytes, "block_bytes", "in blocks of", FIELD_U64, UNIT_BYTES,
	  "size in multiples of which all is reported; null if there is none"),
	F(why_writer, rounding_bytes, "rounding_bytes", "rounding", FIELD_U64, UNIT_BYTES,
	  "of pending, more than the 4K pages written"),
	F(why_writer, rounding_most_bytes, "rounding_most_bytes", "rounding up to", FIELD_U64, UNIT_BYTES,
	  "the same as a bound: one page written in each block"),
	F(why_writer, all_dirty, "all_dirty", "all dirty", FIELD_BOOL, NONE,
	  "whether each iteration reported all memory covered"),
};

static const struct field rule_fields[] = {
	F(why_rule, pid, "pid", NULL, FIELD_U64, UNIT_ID, "the VMM"),
	F(why_rule, verdict, "verdict", NULL, FIELD_TEXT, NONE,
	  "cannot, will, over, or cannot be told"),
	F(why_rule, cause, "cause", NULL, FIELD_TEXT, NONE, "what is enough to take away"),
	F(why_rule, iterations, "iterations", NULL, FIELD_U64, UNIT_COUNT, "seen"),
	F(why_rule, start_seen, "start_seen", NULL, FIELD_BOOL, NONE,
	  "whether the start of tracking was seen"),
	F(why_rule, bandwidth, "bandwidth_bytes_per_second", NULL, FIELD_U64, RATE,
	  "of the transfer"),
	F(why_rule, bandwidth_from, "bandwidth_from", NULL, FIELD_TEXT, NONE,
	  "where that comes from"),
	F(why_rule, limit_ns, "downtime_limit_ns", NULL, FIELD_U64, UNIT_NS,
	  "what is pending must fit into this"),
	F(why_rule, limit_from, "downtime_limit_from", NULL, FIELD_TEXT, NONE,
	  "where that comes from"),
	F(why_rule, threshold_bytes, "threshold_bytes", NULL, FIELD_U64, UNIT_BYTES,
	  "bandwidth x limit: no more may be pending"),
	F(why_rule, pending_bytes, "pending_bytes", NULL, FIELD_U64, UNIT_BYTES,
	  "memory found by the last iteration, and device state where known"),
	F(why_rule, memory_bytes, "memory_bytes", NULL, FIELD_U64, UNIT_BYTES,
	  "of the VM, as far as tracked"),
	F(why_rule, device_bytes, "device_state_bytes", NULL, FIELD_U64, UNIT_BYTES,
	  "sent with the VM stopped; unknown counts as 0"),
	F(why_rule, floor_ns, "floor_ns", NULL, FIELD_U64, UNIT_NS,
	  "blackout were no memory dirty: stop, sync, device state, load"),
	F(why_rule, device_from, "device_state_from", NULL, FIELD_TEXT, NONE,
	  "where that comes from"),
	F(why_rule, throttle_percent, "throttle_percent", NULL, FIELD_U64, UNIT_COUNT,
	  "by which the VMM slows vCPUs down"),
	F(why_rule, better_bandwidth, "better_bandwidth_bytes_per_second", NULL, FIELD_U64, RATE,
	  "that would be enough and could be had"),
	F(why_rule, better_from, "better_bandwidth_from", NULL, FIELD_TEXT, NONE,
	  "why it could be had"),
	F(why_rule, fell_after, "bandwidth_fell_after", NULL, FIELD_U64, UNIT_COUNT,
	  "last iteration that was sent at the better bandwidth; 0: the first copy"),
	F(why_rule, needed_bandwidth, "needed_bandwidth_bytes_per_second", NULL, FIELD_U64, RATE,
	  "predicted: about the least that would do"),
	F(why_rule, needed_limit_ns, "needed_downtime_limit_ns", NULL, FIELD_U64, UNIT_NS,
	  "predicted: about the least limit that would do"),
	F(why_rule, observed, "observed", NULL, FIELD_TEXT, NONE,
	  "verdict of the last iteration, as hwdbm converge gives it"),
	F(why_rule, status, "vmm_status", NULL, FIELD_TEXT, NONE, "in the VMM's own words"),
};

const struct field_table why_writer_table = FIELD_TABLE("writer", why_writer, writer_fields);
const struct field_table why_rule_table = FIELD_TABLE("why", why_rule, rule_fields);

static const char *const verdict_names[] = {
	[WHY_CANNOT_TELL] = "cannot be told", [WHY_CANNOT] = "cannot", [WHY_WILL] = "will",
	[WHY_OVER] = "over",
};

static const char *const cause_names[CAUSES] = {
	[CAUSE_UNKNOWN] = "unknown", [CAUSE_NONE] = "none", [CAUSE_NO_ITERATION] = "no iteration",
	[CAUSE_LATE] = "seen too late", [CAUSE_FIRST_REPORT] = "first report",
	[CAUSE_NO_BANDWIDTH] = "no bandwidth", [CAUSE_RING] = "dirty ring",
	[CAUSE_DEVICE_STATE] = "device state", [CAUSE_TRACKER] = "tracker",
	[CAUSE_BLOCKS] = "blocks", [CAUSE_BANDWIDTH] = "bandwidth",
	[CAUSE_LIMIT] = "downtime limit",
	[CAUSE_THROTTLE] = "throttle useless", [CAUSE_DMA] = "DMA rate",
	[CAUSE_DEVICE] = "device rate", [CAUSE_VHOST] = "vhost rate", [CAUSE_VCPUS] = "vCPU rate",
	[CAUSE_ALL] = "all writers", [CAUSE_POSTCOPY] = "post-copy",
	[CAUSE_COMPLETED] = "completed", [CAUSE_ENDED] = "ended",
};

/* ---- what is seen ------------------------------------------------------------------ */

struct why_seen {
	uint64_t pid;
	struct converge_row row;	/* the last */
	uint64_t rate;			/* transfer rate, the last that is known */
	uint64_t best_rate;
	uint64_t best_until;		/* the last iteration that was sent at about that; 0: first copy */
	uint64_t window_rate;		/* of the first copy, as far as it was counted last */
	uint64_t mark_ns, mark_bytes;	/* a time is measured from here; 0: none yet */
};

struct why_device {
	uint64_t pid;
	uint64_t device;
	uint64_t bytes;
};

static struct why_seen *see(struct why *why, uint64_t pid)
{
	struct why_seen *seen;

	for (size_t i = 0; i < why->seen_count; i++)
		if (why->seen[i].pid == pid)
			return &why->seen[i];
	seen = realloc(why->seen, (why->seen_count + 1) * sizeof(*seen));
	if (!seen)
		return NULL;
	why->seen = seen;
	seen = &seen[why->seen_count++];
	*seen = (struct why_seen){ .pid = pid, .rate = UNKNOWN, .best_rate = UNKNOWN, .window_rate = UNKNOWN };
	field__clear(&converge_row_table, &seen->row);
	return seen;
}

/* A rate that the path has carried while this iteration was sent. */
static void take_rate(struct why_seen *seen, uint64_t rate, uint64_t iteration)
{
	if (seen->best_rate == UNKNOWN || rate > seen->best_rate)
		seen->best_rate = rate;
	if ((double)rate >= FALLEN_TO * (double)seen->best_rate)
		seen->best_until = iteration;
}

static int take_row(void *context, const struct converge_row *row)
{
	struct why_seen *seen = see(context, row->pid);

	if (!seen)
		return -ENOMEM;
	seen->row = *row;
	if (row->transfer_rate == UNKNOWN)
		return 0;
	seen->rate = row->transfer_rate;
	if (row->iteration != UNKNOWN)
		take_rate(seen, row->transfer_rate, row->iteration);
	return 0;
}

/* The first copy is no row, and may be long. */
static int take_transfer(struct why *why, const struct transfer_sample *transfer)
{
	struct why_seen *seen = see(why, transfer->pid);
	uint64_t ns;

	if (!seen)
		return -ENOMEM;
	if (transfer->sent_bytes == UNKNOWN)
		return 0;
	ns = transfer->t_ns - seen->mark_ns;
	if (!seen->mark_ns || transfer->t_ns < seen->mark_ns || transfer->sent_bytes < seen->mark_bytes) {
		ns = UNKNOWN;
	} else if (ns < RATE_NS) {
		return 0;
	} else if (seen->row.iteration == UNKNOWN || seen->row.iteration < 2) {
		seen->window_rate = (uint64_t)((double)(transfer->sent_bytes - seen->mark_bytes) * NS_PER_SECOND /
					       (double)ns);
		take_rate(seen, seen->window_rate, 0);
	}
	seen->mark_ns = transfer->t_ns;
	seen->mark_bytes = transfer->sent_bytes;
	return 0;
}

/* How much it would send if it were stopped now: what it was asked for last. */
static int take_device(struct why *why, const struct device_state_sample *state)
{
	struct why_device *device = NULL;

	if (*state->state || state->ret || state->size_bytes == UNKNOWN)
		return 0;
	for (size_t i = 0; i < why->device_count && !device; i++)
		if (why->devices[i].pid == state->pid && why->devices[i].device == state->device)
			device = &why->devices[i];
	if (!device) {
		device = realloc(why->devices, (why->device_count + 1) * sizeof(*device));
		if (!device)
			return -ENOMEM;
		why->devices = device;
		device = &device[why->device_count++];
	}
	*device = (struct why_device){ state->pid, state->device, state->size_bytes };
	return 0;
}

static int take_phase(void *context, const struct converge_phase *phase)
{
	(void)context;
	(void)phase;
	return 0;
}

void why__init(struct why *why)
{
	memset(why, 0, sizeof(*why));
	history__init(&why->history);
	why->converge.handlers = (struct converge_handlers){ take_row, take_phase, why };
	field__clear(sample__table(SAMPLE_VMM_STATE), &why->vmm);
}

void why__release(struct why *why)
{
	history__release(&why->history);
	converge__release(&why->converge);
	free(why->seen);
	free(why->devices);
	why->seen = NULL;
	why->devices = NULL;
	why->seen_count = why->device_count = 0;
}

static bool is_cancelled(const char *status)
{
	return !strncmp(status, "cancel", strlen("cancel"));
}

/* When it is cancelled nothing is throttled any more; what was, counts. */
static void take_vmm(struct why *why, const struct vmm_state_sample *state)
{
	uint64_t throttle = why->vmm.throttle_percent;

	why->vmm = *state;
	if (is_cancelled(state->status) && state->throttle_percent == UNKNOWN)
		why->vmm.throttle_percent = throttle;
}

int why__add(struct why *why, enum sample_kind kind, const union sample *sample)
{
	int err = history__add(&why->history, kind, sample);

	if (kind == SAMPLE_VMM_STATE)
		take_vmm(why, &sample->vmm_state);
	else if (kind == SAMPLE_TRANSFER)
		err = err ?: take_transfer(why, &sample->transfer);
	else if (kind == SAMPLE_DEVICE_STATE)
		err = err ?: take_device(why, &sample->device_state);
	return err ?: converge__add(&why->converge, kind, sample);
}

int why__end(struct why *why)
{
	int err = converge__settle(&why->converge, UINT64_MAX);

	return err ?: history__end(&why->history);
}

static const struct why_seen *find_seen(const struct why *why, uint64_t pid)
{
	for (size_t i = 0; i < why->seen_count; i++)
		if (why->seen[i].pid == pid)
			return &why->seen[i];
	return NULL;
}

/* Of all devices of a process; UNKNOWN if none was asked. */
static uint64_t device_bytes(const struct why *why, uint64_t pid)
{
	uint64_t sum = UNKNOWN;

	for (size_t i = 0; i < why->device_count; i++)
		if (why->devices[i].pid == pid)
			sum = (sum == UNKNOWN ? 0 : sum) + why->devices[i].bytes;
	return sum;
}

/* ---- writers ----------------------------------------------------------------------- */

enum why_class why__class_of(const char *source)
{
	if (sample__is_iommu(source))
		return WHY_DMA;
	if (!strcmp(source, "vhost"))
		return WHY_VHOST;
	return !strncmp(source, "kvm", 3) ? WHY_VCPUS : WHY_DEVICE;
}

/* The largest unit that holds no more than was reported, in every iteration. */
static uint64_t block_of(const struct history_source *source)
{
	static const unsigned int shifts[UNIT_SIZES] = UNIT_SIZE_SHIFTS;

	for (unsigned int unit = UNIT_SIZES; unit-- > 1;) {
		bool whole = false;

		for (size_t i = 0; i < source->count; i++) {
			const struct history_point *point = &source->points[i];

			whole = point->bytes[unit] == point->reported_bytes;
			if (!whole)
				break;
		}
		if (whole)
			return UINT64_C(1) << shifts[unit];
	}
	return UNKNOWN;
}

static enum tristate is_all_dirty(const struct history_source *source)
{
	if (source->count < ALL_DIRTY_ITERATIONS)
		return TRI_UNKNOWN;
	for (size_t i = 0; i < source->count; i++) {
		if (source->points[i].reported_bytes == UNKNOWN)
			return TRI_UNKNOWN;
		if ((double)source->points[i].reported_bytes <
		    ALL_DIRTY * (double)source->length_bytes)
			return TRI_FALSE;
	}
	return TRI_TRUE;
}

/*
 * Bits of whole blocks cannot tell what was written in them. Where a finer count differs
 * from what was reported, it was made of the pages.
 */
static void fill_rounding(struct why_writer *writer, const struct history_point *last)
{
	if (last->reported_bytes == UNKNOWN)
		return;
	if (writer->block_bytes != UNKNOWN) {
		writer->rounding_most_bytes = last->reported_bytes -
			last->reported_bytes / writer->block_bytes * (UINT64_C(1) << LEAF_SHIFT);
	} else if (last->bytes[0] != UNKNOWN && last->bytes[0] <= last->reported_bytes) {
		writer->rounding_bytes = last->reported_bytes - last->bytes[0];
	}
}

static void fill_writer(struct why_writer *writer, const struct history_source *source)
{
	static const char *const classes[] = { "vCPUs", "DMA", "device", "vhost" };
	enum why_class class = why__class_of(source->source);
	const struct history_point *last = &source->points[source->count - 1];

	field__clear(&why_writer_table, writer);
	STRING_COPY(writer->class, classes[class]);
	STRING_COPY(writer->source, source->source);
	writer->iterations = source->count;
	writer->pending_bytes = last->reported_bytes;
	writer->interval_ns = last->interval_ns;
	if (last->reported_bytes != UNKNOWN)
		writer->dirty_rate = (uint64_t)((double)last->reported_bytes * NS_PER_SECOND /
						(double)last->interval_ns + 0.5);
	for (size_t i = 0; i < source->count; i++)
		if (source->points[i].reported_bytes < writer->least_bytes)
			writer->least_bytes = source->points[i].reported_bytes;
	writer->length_bytes = source->length_bytes;
	writer->all_dirty = is_all_dirty(source);
	/* KVM's log and a device's are of pages, however memory is mapped. */
	if (class != WHY_DMA)
		return;
	writer->block_bytes = block_of(source);
	fill_rounding(writer, last);
}

static void fill_writers(const struct why *why, struct why_answer *answer)
{
	for (size_t i = 0; i < why->history.count && answer->writer_count < PREDICT_SOURCES; i++)
		if (why->history.sources[i].count)
			fill_writer(&answer->writers[answer->writer_count++],
				    &why->history.sources[i]);
}

const struct why_writer *why__writer(const struct why_answer *answer, enum why_class class)
{
	for (size_t i = 0; i < answer->writer_count; i++)
		if (why__class_of(answer->writers[i].source) == class)
			return &answer->writers[i];
	return NULL;
}

/* ---- the rule ---------------------------------------------------------------------- */

static void set(uint64_t *value, char *from, size_t size, uint64_t to, const char *where)
{
	if (*value != UNKNOWN || to == UNKNOWN || !to)
		return;
	*value = to;
	snprintf(from, size, "%s", where);
}


static void fill_settings(const struct why *why, const struct why_settings *s,
			  const struct why_seen *seen, struct why_rule *rule)
{
	const struct vmm_start_sample *vmm = &why->history.vmm_start;
	size_t size = sizeof(rule->bandwidth_from);

	set(&rule->bandwidth, rule->bandwidth_from, size, s->bandwidth, "as given");
	set(&rule->bandwidth, rule->bandwidth_from, size,
	    seen ? seen->rate : UNKNOWN, "measured");
	set(&rule->bandwidth, rule->bandwidth_from, size, why->vmm.bytes_per_second, "the VMM's word");
	set(&rule->bandwidth, rule->bandwidth_from, size, vmm->bandwidth_bytes_per_second,
	    "the VMM's setting");
	size = sizeof(rule->limit_from);
	set(&rule->limit_ns, rule->limit_from, size, s->limit_ns, "as given");
	set(&rule->limit_ns, rule->limit_from, size, vmm->downtime_limit_ns, "the VMM's setting");
	set(&rule->limit_ns, rule->limit_from, size, DOWNTIME_LIMIT_NS, "QEMU's default");
	size = sizeof(rule->device_from);
	if (s->device_bytes != UNKNOWN)
		snprintf(rule->device_from, size, "as given");
	else if (device_bytes(why, rule->pid) != UNKNOWN)
		snprintf(rule->device_from, size, "as the devices said");
	rule->device_bytes = s->device_bytes != UNKNOWN ? s->device_bytes : device_bytes(why, rule->pid);
	if (rule->bandwidth != UNKNOWN)
		rule->threshold_bytes = (uint64_t)((double)rule->bandwidth *
						   (double)rule->limit_ns / NS_PER_SECOND + 0.5);
}

static void fill_pending(struct why_answer *answer)
{
	struct why_rule *rule = &answer->rule;
	uint64_t sum = 0;

	for (size_t i = 0; i < answer->writer_count; i++) {
		uint64_t part = answer->writers[i].pending_bytes;

		sum = sum == UNKNOWN || part == UNKNOWN ? UNKNOWN : sum + part;
	}
	if (!answer->writer_count)
		sum = UNKNOWN;
	/* Whatever several trackers report, there is no more than all memory. */
	if (sum != UNKNOWN && sum > rule->memory_bytes)
		sum = rule->memory_bytes;
	if (sum != UNKNOWN && rule->device_bytes != UNKNOWN)
		sum += rule->device_bytes;
	rule->pending_bytes = sum;
}

static void fill_rule(const struct why *why, const struct why_settings *s,
		      struct why_answer *answer)
{
	const struct history *h = &why->history;
	uint64_t pid = h->count ? h->sources[0].pid : h->wanted_pid ? h->wanted_pid :
		       why->seen_count ? why->seen[0].pid : UNKNOWN;
	const struct why_seen *seen = find_seen(why, pid);
	struct why_rule *rule = &answer->rule;

	rule->pid = pid;
	if (history__memory(h))
		rule->memory_bytes = history__memory(h);
	if (seen && seen->row.pid != UNKNOWN) {
		rule->iterations = seen->row.iteration;
		rule->start_seen = seen->row.start_seen;
		STRING_COPY(rule->observed, seen->row.verdict);
	}
	rule->throttle_percent = why->vmm.throttle_percent;
	STRING_COPY(rule->status, why->vmm.status);
	fill_settings(why, s, seen, rule);
	fill_pending(answer);
}

/* Blackout, were no memory dirty: no setting of tracking or throttling goes below. */
static void fill_floor(struct why_rule *rule, const struct precopy_setup *setup)
{
	rule->floor_ns = (uint64_t)((setup->stop_s + setup->sync_s + setup->load_s +
				     setup->device_bytes / setup->bandwidth) * NS_PER_SECOND + 0.5);
}

/* ---- the cause --------------------------------------------------------------------- */

static double share_of(const struct why_answer *answer, enum why_class class)
{
	double sum = 0, part = 0;

	for (size_t i = 0; i < answer->writer_count; i++) {
		const struct why_writer *writer = &answer->writers[i];

		sum += (double)writer->pending_bytes;
		if (why__class_of(writer->source) == class)
			part += (double)writer->pending_bytes;
	}
	return sum > 0 ? part / sum : 0;
}

/* type1 of a stock kernel and devices without a log report all; iommufd's blocks seem to. */
bool why__is_blind(const struct why_writer *writer)
{
	enum why_class class = why__class_of(writer->source);

	return writer->all_dirty == TRI_TRUE && (class == WHY_DMA || class == WHY_DEVICE) &&
	       (strcmp(writer->source, "iommufd") || writer->block_bytes == UNKNOWN);
}

bool why__has_blocks(const struct why_writer *writer)
{
	return (writer->block_bytes != UNKNOWN && writer->block_bytes > UINT64_C(1) << LEAF_SHIFT) ||
	       (writer->rounding_bytes != UNKNOWN && writer->rounding_bytes);
}

static void find_tracker(struct why_answer *answer)
{
	for (size_t i = 0; i < answer->writer_count; i++) {
		enum why_class class = why__class_of(answer->writers[i].source);

		if (why__is_blind(&answer->writers[i]) && share_of(answer, class) >= 0.5)
			answer->cause = CAUSE_TRACKER;
	}
}

static int find_blocks(const struct why_play *play, struct why_answer *answer)
{
	const struct why_writer *dma = why__writer(answer, WHY_DMA);
	struct why_change change = WHY_NO_CHANGE;
	struct prediction prediction;
	int err;

	if (!dma || !why__has_blocks(dma))
		return 0;
	/* The least that it can be: nothing but the pages, or if these are unknown, nothing. */
	if (dma->rounding_bytes != UNKNOWN)
		change.unit = 0;
	else
		change.without = 1u << WHY_DMA;
	err = why__play(play, &change, &prediction);
	if (!err && (prediction.converges == TRI_TRUE || share_of(answer, WHY_DMA) >= MOST))
		answer->cause = prediction.converges == TRI_FALSE ? answer->cause : CAUSE_BLOCKS;
	return err;
}

/* A bandwidth that the path is known to carry, above the present one. 0: none. */
static uint64_t better_bandwidth(const struct why *why, const struct why_settings *s,
				 struct why_rule *rule)
{
	const struct why_seen *seen = find_seen(why, rule->pid);
	uint64_t cap = why->vmm.max_bandwidth;
	double now = (double)rule->bandwidth, from_cap = now / (double)QEMU_BANDWIDTH;

	if (s->link > rule->bandwidth) {
		STRING_COPY(rule->better_from, "the link");
		return s->link;
	}
	if (seen && seen->best_rate != UNKNOWN && now < FALLEN_TO * (double)seen->best_rate) {
		if (seen->best_until)
			snprintf(rule->better_from, sizeof(rule->better_from), "as until iteration %" PRIu64,
				 seen->best_until);
		else
			STRING_COPY(rule->better_from, "as in the first copy");
		rule->fell_after = seen->best_until;
		return seen->best_rate;
	}
	if (!s->link && cap != UNKNOWN && cap) {
		STRING_COPY(rule->better_from, "held by max-bandwidth");
		return now > AT_CAP * (double)cap ? UNKNOWN : 0;
	}
	if (!s->link && cap == UNKNOWN && from_cap > 1 - AT_LIMIT && from_cap < 1 + AT_LIMIT) {
		STRING_COPY(rule->better_from, "QEMU's default cap");
		return UNKNOWN;
	}
	return 0;
}

/* Halvings, in the logarithm, of what lies between too little and enough. */
#define SEARCH_STEPS 5

/* About the least of what is enough; bandwidth, or the limit in seconds. */
static int search(const struct why_play *play, bool is_limit, double too_little, double enough,
		  double *least)
{
	for (int i = 0; i < SEARCH_STEPS; i++) {
		double middle = sqrt(too_little * enough);
		struct why_change change = WHY_NO_CHANGE;
		struct prediction prediction;
		int err;

		*(is_limit ? &change.limit_s : &change.bandwidth) = middle;
		err = why__play(play, &change, &prediction);
		if (err)
			return err;
		*(prediction.converges == TRI_TRUE ? &enough : &too_little) = middle;
	}
	*least = enough;
	return 0;
}

static int find_bandwidth(const struct why *why, const struct why_settings *s,
			  const struct why_play *play, struct why_answer *answer)
{
	struct why_rule *rule = &answer->rule;
	uint64_t better = better_bandwidth(why, s, rule);
	struct why_change change = WHY_NO_CHANGE;
	struct prediction prediction;
	double least;
	int err;

	if (!better)
		return 0;
	/* Ten Gbit is what a host has at least, where nobody said more. */
	change.bandwidth = better == UNKNOWN ? 1.25e9 : (double)better;
	err = why__play(play, &change, &prediction);
	/* Of iterations that took long nothing tells what they would find if they were short. */
	if (err || prediction.trials == UNKNOWN || prediction.converged_share < LIKELY) {
		rule->better_from[0] = '\0';
		rule->fell_after = UNKNOWN;
		return err;
	}
	answer->cause = CAUSE_BANDWIDTH;
	answer->is_likely = prediction.converges != TRI_TRUE;
	rule->better_bandwidth = better;
	if (answer->is_likely)
		return 0;
	err = search(play, false, play->setup.bandwidth, change.bandwidth, &least);
	rule->needed_bandwidth = (uint64_t)least;
	return err;
}

static int find_limit(const struct why_play *play, struct why_answer *answer)
{
	struct why_change change = WHY_NO_CHANGE;
	struct prediction prediction;
	double least;
	int err;

	if (answer->rule.limit_ns >= DOWNTIME_LIMIT_NS)
		return 0;
	change.limit_s = DOWNTIME_LIMIT_NS / NS_PER_SECOND;
	err = why__play(play, &change, &prediction);
	if (err || prediction.trials == UNKNOWN || prediction.converged_share < LIKELY)
		return err;
	answer->cause = CAUSE_LIMIT;
	answer->is_likely = prediction.converges != TRI_TRUE;
	if (answer->is_likely)
		return 0;
	err = search(play, true, play->setup.downtime_limit_s, change.limit_s, &least);
	answer->rule.needed_limit_ns = (uint64_t)(least * NS_PER_SECOND);
	return err;
}

/* Who may be left out for the migration to switch over; if both or neither, who writes most. */
static int find_writer(const struct why_play *play, struct why_answer *answer)
{
	const bool has_dma = why__writer(answer, WHY_DMA), has_log = why__writer(answer, WHY_DEVICE);
	const bool has_vhost = why__writer(answer, WHY_VHOST);
	struct why_change change = WHY_NO_CHANGE;
	struct prediction without_vcpus, without_dma;
	double vcpus = share_of(answer, WHY_VCPUS);
	bool a, b;
	int err;

	change.without = 1u << WHY_VCPUS;
	err = why__play(play, &change, &without_vcpus);
	change.without = WHY_DEVICES;
	err = err ?: why__play(play, &change, &without_dma);
	if (err)
		return err;
	a = without_vcpus.converges == TRI_TRUE;
	b = without_dma.converges == TRI_TRUE;
	if ((a && !b) || (a == b && vcpus >= MOST) || (a && b && vcpus > 0.5))
		answer->cause = CAUSE_VCPUS;
	else if ((has_dma || has_log || has_vhost) && (b || vcpus <= 1 - MOST))
		answer->cause = has_vhost && share_of(answer, WHY_VHOST) >= (1 - vcpus) / 2 ? CAUSE_VHOST :
				has_dma ? CAUSE_DMA : CAUSE_DEVICE;
	else
		answer->cause = CAUSE_ALL;
	/* Slowing vCPUs down was tried, and what they write is not what holds it back. */
	if (!a && answer->rule.throttle_percent != UNKNOWN && answer->rule.throttle_percent &&
	    answer->cause != CAUSE_VCPUS && answer->cause != CAUSE_ALL)
		answer->cause = CAUSE_THROTTLE;
	return 0;
}

/*
 * How far the limit is below QEMU's default, and the bandwidth below what could be had: where both
 * are low, the one that is lower is the one to ask about.
 */
static bool limit_is_lower(const struct why *why, const struct why_settings *s, struct why_rule *rule)
{
	double limit = (double)rule->limit_ns / DOWNTIME_LIMIT_NS, bandwidth = 1;
	uint64_t better = better_bandwidth(why, s, rule);

	if (better == UNKNOWN)
		bandwidth = why->vmm.max_bandwidth == UNKNOWN ? 1 : (double)why->vmm.max_bandwidth / QEMU_BANDWIDTH;
	else if (better)
		bandwidth = (double)rule->bandwidth / (double)better;
	rule->better_from[0] = '\0';
	rule->fell_after = UNKNOWN;
	return limit < 1 && limit < bandwidth;
}

static int find_cause(const struct why *why, const struct why_settings *s,
		      const struct why_play *play, struct why_answer *answer)
{
	int err = 0;

	find_tracker(answer);
	if (answer->cause == CAUSE_UNKNOWN)
		err = find_blocks(play, answer);
	if (!err && answer->cause == CAUSE_UNKNOWN && limit_is_lower(why, s, &answer->rule))
		err = find_limit(play, answer);
	if (!err && answer->cause == CAUSE_UNKNOWN)
		err = find_bandwidth(why, s, play, answer);
	if (!err && answer->cause == CAUSE_UNKNOWN)
		err = find_limit(play, answer);
	if (!err && answer->cause == CAUSE_UNKNOWN)
		err = find_writer(play, answer);
	return err;
}

/* ---- the verdict ------------------------------------------------------------------- */

/*
 * Return: whether the VMM has said that it is over, or that there is nothing to wait for. Of one that
 * was cancelled it is asked why it had not switched over.
 */
static bool is_over(const struct why_rule *rule, struct why_answer *answer)
{
	const char *status = rule->status;

	answer->is_cancelled = is_cancelled(status);
	if (strstr(status, "postcopy"))
		answer->cause = CAUSE_POSTCOPY;
	else if (!strcmp(status, "completed"))
		answer->cause = CAUSE_COMPLETED;
	else if (!strcmp(status, "failed") || (answer->is_cancelled && !answer->writer_count))
		answer->cause = CAUSE_ENDED;
	else
		return false;
	answer->verdict = WHY_OVER;
	return true;
}

/* Return: why there is nothing to judge by; CAUSE_NONE if there is. */
static enum why_cause what_is_missing(const struct why_answer *answer)
{
	const struct why_rule *rule = &answer->rule;

	if (!answer->writer_count)
		return rule->iterations != UNKNOWN && rule->start_seen != TRI_TRUE ?
			       CAUSE_LATE : CAUSE_NO_ITERATION;
	for (size_t i = 0; i < answer->writer_count; i++)
		if (!strcmp(answer->writers[i].source, "kvm-ring"))
			return CAUSE_RING;
	if (rule->bandwidth == UNKNOWN)
		return CAUSE_NO_BANDWIDTH;
	return rule->pending_bytes == UNKNOWN ? CAUSE_NO_ITERATION : CAUSE_NONE;
}

/* What was seen is of the bandwidth that was there, not of another. */
static bool observation_decides(const struct why *why, const struct why_answer *answer)
{
	const struct why_seen *seen = find_seen(why, answer->rule.pid);

	return answer->prediction.converges == TRI_UNKNOWN &&
	       answer->prediction.converged_share <= DISAGREE && seen &&
	       !strcmp(seen->row.verdict, "not converging") &&
	       (seen->rate == UNKNOWN ||
		(double)answer->rule.bandwidth <= SAME_BANDWIDTH * (double)seen->rate);
}

/*
 * Lazy splitting reports each block whole once, by pages after that. While most of what the last
 * iteration found are such blocks, it says nothing of what the next one will find.
 */
static bool is_first_report(const struct why *why, const struct why_answer *answer)
{
	const struct history *h = &why->history;

	if (strcmp(h->split_mode, "lazy") || share_of(answer, WHY_DMA) < 0.5)
		return false;
	for (size_t i = 0; i < h->count; i++) {
		const struct history_source *source = &h->sources[i];
		const struct history_point *last = source->count ? &source->points[source->count - 1] : NULL;

		if (last && why__class_of(source->source) == WHY_DMA && last->bytes[0] == UNKNOWN &&
		    (last->bytes[2] == UNKNOWN || last->reported_bytes > last->bytes[2] / 2))
			return true;
	}
	return false;
}

static int judge(const struct why *why, const struct why_settings *s,
		 const struct why_play *play, struct why_answer *answer)
{
	const struct why_change nothing = WHY_NO_CHANGE;
	const struct why_rule *rule = &answer->rule;
	int err = why__play(play, &nothing, &answer->prediction);

	if (err)
		return err;
	if (rule->device_bytes != UNKNOWN && rule->device_bytes > rule->threshold_bytes) {
		answer->verdict = WHY_CANNOT;
		answer->cause = CAUSE_DEVICE_STATE;
		return 0;
	}
	if (answer->prediction.converges == TRI_TRUE) {
		answer->verdict = WHY_WILL;
		answer->cause = CAUSE_NONE;
		return 0;
	}
	if (is_first_report(why, answer)) {
		field__clear(&prediction_table, &answer->prediction);
		answer->verdict = WHY_CANNOT_TELL;
		answer->cause = CAUSE_FIRST_REPORT;
		return 0;
	}
	answer->is_by_observation = observation_decides(why, answer);
	answer->verdict = answer->prediction.converges == TRI_FALSE || answer->is_by_observation ?
				  WHY_CANNOT : WHY_CANNOT_TELL;
	err = find_cause(why, s, play, answer);
	if (!err && answer->verdict == WHY_CANNOT_TELL && rule->start_seen == TRI_FALSE &&
	    answer->writers[0].iterations < 2)
		answer->cause = CAUSE_LATE;
	return err;
}

/* Before there is any iteration to judge by, a path that has become slow can be seen all the same. */
static void look_at_first_copy(const struct why *why, struct why_answer *answer)
{
	const struct why_seen *seen = find_seen(why, answer->rule.pid);

	if (answer->cause != CAUSE_NO_ITERATION || !seen || seen->window_rate == UNKNOWN || !seen->window_rate ||
	    (double)seen->window_rate >= FALLEN_TO * (double)seen->best_rate)
		return;
	answer->cause = CAUSE_BANDWIDTH;
	answer->rule.bandwidth = seen->window_rate;
	answer->rule.better_bandwidth = seen->best_rate;
	answer->rule.fell_after = 0;
	STRING_COPY(answer->rule.bandwidth_from, "measured");
	STRING_COPY(answer->rule.better_from, "as in the first copy");
}

static void name_it(struct why_answer *answer)
{
	STRING_COPY(answer->rule.verdict, verdict_names[answer->verdict]);
	STRING_COPY(answer->rule.cause, cause_names[answer->cause]);
}

int why__answer(const struct why *why, const struct why_settings *s, struct why_answer *answer)
{
	struct why_play play;
	int err = 0;

	memset(answer, 0, sizeof(*answer));
	field__clear(&why_rule_table, &answer->rule);
	field__clear(&prediction_table, &answer->prediction);
	fill_writers(why, answer);
	fill_rule(why, s, answer);
	if (is_over(&answer->rule, answer)) {
		name_it(answer);
		return 0;
	}
	answer->cause = what_is_missing(answer);
	if (answer->cause != CAUSE_NONE) {
		look_at_first_copy(why, answer);
		name_it(answer);
		return 0;
	}
	answer->cause = CAUSE_UNKNOWN;
	why__play_init(&play, why, s, &answer->rule);
	fill_floor(&answer->rule, &play.setup);
	err = judge(why, s, &play, answer);
	name_it(answer);
	if (!err && answer->verdict != WHY_WILL && answer->cause != CAUSE_FIRST_REPORT)
		err = why__levers(&play, answer);
	return err;
}
