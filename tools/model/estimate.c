// SPDX-License-Identifier: GPL-2.0-only
/*
 * From sampled blocks to all of them. Not here: reading recordings.
 */
#include "estimate.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SHIFT_4K 12
#define SHIFT_64K 16

/*
 * What a difference between the ends of a gap says of the error of their mean: as much as if
 * blocks differed for no reason, which is four times of what it is at an edge between two areas.
 */
#define GAP_ERROR 0.4
#define GAP_DEVIATIONS 2.0

/* The neighbours are asked only if they are clearly better. */
#define GAP_BETTER 0.9

/* A block as different as this is assumed to have been missed, as a share of the mean. */
#define ONE_MORE 0.5

/* Such a share of the blocks, times the size of the sample: it has none of these with 37 %, exp(-1) */
#define UNSEEN 1.0

/* Beyond this share of what is dirty, memory that was never blocks makes an estimate worthless. */
#define MOST_OTHERS 0.25

/* ---- blocks ------------------------------------------------------------------------ */

/* 97.5 % quantile of Student's distribution, by Cornish and Fisher; good from five degrees on. */
static double student(double degrees)
{
	const double z = 1.959964, z3 = z * z * z, z5 = z3 * z * z;

	return z + (z3 + z) / (4 * degrees) +
	       (5 * z5 + 16 * z3 + 3 * z) / (96 * degrees * degrees);
}

/* The middle of a histogram's bucket: they are exact below 8, then 8 for each power of two. */
static double middle_of(uint64_t bound, double most)
{
	double high = (double)bound < most ? (double)bound : most, width = 1;

	if (bound >= 8)
		width = ldexp(1, ilogb((double)bound) - 3);
	return high - ((double)bound - width + 1 < high ? (high - ((double)bound - width + 1)) / 2 : 0);
}

/* Of the sample, around its mean. */
static double variance(const struct estimate_blocks *b, double mean)
{
	double sum = 0;

	for (size_t i = 0; i < b->count; i++) {
		double off = middle_of(b->at[i].key, b->most) - mean;

		sum += (double)b->at[i].value * off * off;
	}
	return sum / (b->sampled - 1);
}

static double hypotenuse(double a, double b)
{
	return sqrt(a * a + b * b);
}

static double clamp(double value, double low, double high)
{
	return value < low ? low : value > high ? high : value;
}

bool estimate__whole(const struct estimate_blocks *b, struct estimate_value *out)
{
	double mean, error, by_mean, by_gaps, more, unseen, middle, half;

	if (b->whole <= 0) {
		*out = (struct estimate_value){ 0 };
		return true;
	}
	if (b->sampled < ESTIMATE_BLOCKS_MIN) {
		*out = (struct estimate_value){ b->whole * b->most / 2, b->whole * b->least,
						 b->whole * b->most };
		return false;
	}
	mean = b->units / b->sampled;
	/* That of the mean of those not sampled, which are not so many that they have none. */
	error = sqrt((1 + b->sampled / b->whole) / b->sampled);
	more = ONE_MORE * mean / sqrt(b->sampled + 1) * error;
	by_mean = student(b->sampled - 1) * hypotenuse(sqrt(variance(b, mean)) * error, more);
	by_gaps = GAP_DEVIATIONS * hypotenuse(sqrt(GAP_ERROR * b->gap_inner + b->gap_outer) / b->whole,
					      more);
	middle = mean;
	half = by_mean;
	if (b->gap_blocks == b->whole && by_gaps < GAP_BETTER * by_mean) {
		middle = b->gap_units / b->whole;
		half = by_gaps;
	}
	unseen = UNSEEN / b->sampled * (b->most - middle);
	out->middle = b->whole * middle;
	out->low = b->whole * clamp(middle - half, b->least, middle);
	out->high = b->whole * clamp(middle + hypotenuse(half, unseen), middle, b->most);
	return true;
}

void estimate__add(struct estimate_value *sum, const struct estimate_value *more)
{
	double below = hypotenuse(sum->middle - sum->low, more->middle - more->low);
	double above = hypotenuse(sum->high - sum->middle, more->high - more->middle);

	sum->middle += more->middle;
	sum->low = sum->middle - below;
	sum->high = sum->middle + above;
}

/* ---- rows -------------------------------------------------------------------------- */

#define F(...) FIELD(estimate_row, __VA_ARGS__)

#define SIZE(i, key, head)								\
	F(bytes[i], "dirty_" key "_bytes", head, FIELD_U64, UNIT_BYTES,			\
	  "estimate: bytes dirty were memory tracked in units of " key),		\
	F(low_bytes[i], "dirty_" key "_low_bytes", "from", FIELD_U64, UNIT_BYTES,	\
	  "lower end of its 95 % interval"),						\
	F(high_bytes[i], "dirty_" key "_high_bytes", "to", FIELD_U64, UNIT_BYTES,	\
	  "upper end of its 95 % interval")

static const struct field row_fields[] = {
	F(pid, "pid", NULL, FIELD_U64, UNIT_ID, "process that tracks"),
	F(domain, "domain", "domain", FIELD_U64, UNIT_ID, "IOMMU domain"),
	F(iteration, "iteration", "iteration", FIELD_U64, UNIT_COUNT, "pre-copy iteration"),
	F(t_ns, "t_ns", NULL, FIELD_U64, UNIT_CLOCK, "end of its last sync"),
	F(interval_ns, "interval_ns", "interval", FIELD_U64, UNIT_NS,
	  "since the iteration before, or the start of tracking"),
	F(reported_bytes, "reported_bytes", "reported", FIELD_U64, UNIT_BYTES,
	  "bytes reported dirty, by blocks and by what was split"),
	F(block_bytes, "block_bytes", NULL, FIELD_U64, UNIT_BYTES, "size of the blocks"),
	F(dirty_blocks, "dirty_blocks", "blocks", FIELD_U64, UNIT_COUNT, "dirty blocks"),
	F(sampled_blocks, "sampled_blocks", "sampled", FIELD_U64, UNIT_COUNT,
	  "of these, that were split"),
	SIZE(0, "4k", "at 4K"),
	SIZE(1, "64k", "at 64K"),
	SIZE(2, "2m", "at 2M"),
	F(half_width, "half_width", NULL, FIELD_RATIO, UNIT_RATIO,
	  "half of the finest size's interval, as a share of the estimate"),
	F(unknown, "unknown", "not known because", FIELD_TEXT, UNIT_NONE,
	  "why there is no estimate"),
};

const struct field_table estimate_row_table = FIELD_TABLE("estimate", estimate_row, row_fields);

const char *estimate__reason(enum estimate_reason reason)
{
	static const char * const words[ESTIMATE_REASONS] = {
		[ESTIMATE_KNOWN] = "",
		[ESTIMATE_NOT_COUNTED] = "bitmap not counted",
		[ESTIMATE_BITMAP_SHARED] = "bitmap of several syncs",
		[ESTIMATE_TOO_FEW] = "too few sampled blocks are dirty",
		[ESTIMATE_MAPPED_BY_PAGES] = "much was mapped by pages",
		[ESTIMATE_OTHER_BLOCKS] = "much was mapped by smaller blocks",
	};

	return words[reason];
}

unsigned int estimate__finest(const struct estimate_row *row)
{
	for (unsigned int i = 0; i < UNIT_SIZES; i++)
		if (row->bytes[i] != UNKNOWN)
			return i;
	return UNIT_SIZES;
}

void estimate__init(struct estimator *e)
{
	*e = (struct estimator){ .share = NAN, .seed = UNKNOWN, .blocks = UNKNOWN };
}

static void close_open(struct estimate_open *open)
{
	free(open->part.values[0].at);
	free(open->part.values[1].at);
	*open = (struct estimate_open){ 0 };
}

void estimate__release(struct estimator *e)
{
	for (size_t i = 0; i < e->domain_count; i++)
		close_open(&e->domains[i].open);
	free(e->domains);
	free(e->rows);
	estimate__init(e);
}

static struct estimate_domain *domain_of(struct estimator *e, uint64_t pid, uint64_t number)
{
	struct estimate_domain *at;

	for (size_t i = 0; i < e->domain_count; i++)
		if (e->domains[i].pid == pid && e->domains[i].domain == number)
			return &e->domains[i];
	at = realloc(e->domains, (e->domain_count + 1) * sizeof(*at));
	if (!at)
		return NULL;
	e->domains = at;
	at += e->domain_count++;
	*at = (struct estimate_domain){ .pid = pid, .domain = number, .since_ns = UNKNOWN };
	return at;
}

static int push_row(struct estimator *e, const struct estimate_row *row)
{
	/* Doubled at powers of two, from 16 on. */
	if (!e->count || (e->count >= 16 && !(e->count & (e->count - 1)))) {
		size_t room = e->count ? 2 * e->count : 16;
		struct estimate_row *grown = realloc(e->rows, room * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		e->rows = grown;
	}
	e->rows[e->count++] = *row;
	return 0;
}

/* ---- an iteration ------------------------------------------------------------------ */

static int add_values(struct pairs *to, const struct pairs *from)
{
	for (size_t i = 0; i < from->count; i++) {
		struct pair *at = NULL;

		for (size_t k = 0; !at && k < to->count; k++)
			if (to->at[k].key == from->at[i].key)
				at = &to->at[k];
		if (!at) {
			at = realloc(to->at, (to->count + 1) * sizeof(*at));
			if (!at)
				return -ENOMEM;
			to->at = at;
			at += to->count++;
			*at = (struct pair){ from->at[i].key, 0 };
		}
		at->value += from->at[i].value;
	}
	return 0;
}

static void fail(struct estimate_open *open, enum estimate_reason reason)
{
	if (open->reason == ESTIMATE_KNOWN)
		open->reason = reason;
}

static double square_of(uint64_t root)
{
	return root == UNKNOWN ? NAN : (double)root * (double)root;
}

/* In leaves smaller than a block. */
static uint64_t bytes_below(const struct sync_sample *sync, unsigned int order, uint64_t above)
{
	uint64_t bytes = 0;

	for (unsigned int i = 0; i < order; i++)
		if (UINT64_C(1) << (i + LEAF_SHIFT) > above)
			bytes += sync->dirty_entries[i] << (i + LEAF_SHIFT);
	return bytes;
}

/*
 * A bitmap that was used for several syncs has bits of all of them: then its blocks hold more than
 * what this one has found in small leaves.
 */
static bool is_of_this_sync(const struct sync_sample *sync, const struct sampled_sample *sampled,
			    unsigned int order)
{
	uint64_t small = bytes_below(sync, order, 0), whole = sync->dirty_entries[order];
	uint64_t full = sampled->gap_blocks > whole ? sampled->gap_blocks - whole : 0;

	return sampled->dirty_bytes + sampled->other_bytes + full * sampled->block_bytes <= small;
}

/* Nothing was larger than the granularity: all is known. */
static void close_exact(struct estimate_open *open, uint64_t granularity)
{
	const struct sync_sample *sync = &open->sync;

	if (bytes_below(sync, LEAF_SIZES, granularity))
		fail(open, ESTIMATE_NOT_COUNTED);
	else
		open->small_bytes += sync->dirty_bytes;
}

static void end_sync(struct estimate_domain *d)
{
	struct estimate_open *open = &d->open;

	if (!open->sync_is_open)
		return;
	open->sync_is_open = false;
	close_exact(open, d->granularity_bytes);
}

static int add_sampled(struct estimate_domain *d, const struct sampled_sample *s)
{
	struct estimate_open *open = &d->open;
	struct estimate_part *part = &open->part;
	const struct sync_sample *sync = &open->sync;
	unsigned int order = 0;
	int err;

	while (order < LEAF_SIZES - 1 && UINT64_C(1) << (order + LEAF_SHIFT) < s->block_bytes)
		order++;
	open->sync_is_open = false;
	if (!is_of_this_sync(sync, s, order)) {
		fail(open, ESTIMATE_BITMAP_SHARED);
		return 0;
	}
	if (open->order && open->order != order)
		fail(open, ESTIMATE_OTHER_BLOCKS);
	open->order = order;
	open->row.block_bytes = s->block_bytes;
	open->small_bytes += bytes_below(sync, order, 0) - s->dirty_bytes;
	open->middling_bytes += bytes_below(sync, order, d->granularity_bytes);
	part->whole += sync->dirty_entries[order];
	part->sampled += s->blocks;
	part->bytes[0] += s->dirty_bytes;
	part->bytes[1] += s->dirty_64k_bytes == UNKNOWN ? 0 : s->dirty_64k_bytes;
	part->gap_blocks += s->gap_blocks;
	part->gap_bytes[0] += (double)s->gap_bytes;
	part->gap_bytes[1] += (double)s->gap_64k_bytes;
	part->gap_inner[0] += square_of(s->gap_inner_bytes);
	part->gap_inner[1] += square_of(s->gap_64k_inner_bytes);
	part->gap_outer[0] += square_of(s->gap_outer_bytes);
	part->gap_outer[1] += square_of(s->gap_64k_outer_bytes);
	part->others += s->others;
	part->other_bytes += s->other_bytes;
	err = add_values(&part->values[0], &s->pages);
	return err ?: add_values(&part->values[1], &s->units_64k);
}

/*
 * Memory that was mapped by pages belongs to the share by the same chance, and cannot be told from
 * split blocks then. What it may do to the mean of these, as a share of it.
 */
static double pollution(const struct estimate_part *part, double share)
{
	double mean, other, polluted;

	if (!part->others || !part->sampled)
		return 0;
	polluted = (double)part->others * share / (1 - share) / (double)part->sampled;
	mean = (double)part->bytes[0] / (double)part->sampled;
	other = (double)part->other_bytes / (double)part->others;
	return polluted > MOST_OTHERS ? INFINITY :
					polluted / (1 - polluted) * fabs(other - mean) / mean;
}

static uint64_t whole_bytes(double bytes)
{
	return bytes > 0 ? (uint64_t)llround(bytes) : 0;
}

/* @which: 0 is the granularity in force, in pages, 1 is 64K; @least: bytes that are dirty at once */
static bool estimate_size(const struct estimate_open *open, double polluted, unsigned int which,
			  uint64_t least, struct estimate_value *out)
{
	const struct estimate_part *part = &open->part;
	double unit = which ? ldexp(1, SHIFT_64K) : (double)open->page_bytes;
	struct estimate_blocks blocks = {
		.whole = (double)part->whole,
		.least = (double)least / unit,
		.most = (double)open->row.block_bytes / unit,
		.sampled = (double)part->sampled,
		.units = (double)part->bytes[which] / unit,
		.at = part->values[which].at,
		.count = part->values[which].count,
		.gap_blocks = (double)part->gap_blocks,
		.gap_units = part->gap_bytes[which] / unit,
		.gap_inner = part->gap_inner[which] / unit / unit,
		.gap_outer = part->gap_outer[which] / unit / unit,
	};
	struct estimate_value rest = { 0 };
	double small = (double)open->small_bytes;

	if (!estimate__whole(&blocks, out) || (which && small > 0 && !part->bytes[0]))
		return false;
	out->low = clamp(out->low - polluted * out->middle, blocks.whole * blocks.least, out->middle);
	out->high = clamp(out->high + polluted * out->middle, out->middle, blocks.whole * blocks.most);
	out->middle = out->middle * unit + (double)part->bytes[which];
	out->low = out->low * unit + (double)part->bytes[which];
	out->high = out->high * unit + (double)part->bytes[which];
	/* Of larger units outside of the sample only their pages are known. */
	rest.low = rest.middle = rest.high = small;
	if (which && small > 0) {
		double ratio = (double)part->bytes[1] / (double)part->bytes[0];

		rest.middle = small * clamp(ratio, 1, 1 << (SHIFT_64K - SHIFT_4K));
		rest.high = small * (1 << (SHIFT_64K - SHIFT_4K));
	}
	/* And of smaller blocks that they are dirty. */
	rest.low -= (double)open->middling_bytes;
	estimate__add(out, &rest);
	return true;
}

static void put_size(struct estimate_row *row, unsigned int size, const struct estimate_value *value)
{
	row->bytes[size] = whole_bytes(value->middle);
	row->low_bytes[size] = whole_bytes(floor(value->low));
	row->high_bytes[size] = whole_bytes(ceil(value->high));
}

static unsigned int unit_of(uint64_t bytes)
{
	static const unsigned int shifts[UNIT_SIZES] = UNIT_SIZE_SHIFTS;

	for (unsigned int i = 0; i < UNIT_SIZES; i++)
		if (bytes == UINT64_C(1) << shifts[i])
			return i;
	return UNIT_SIZES;
}

static void estimate_sizes(const struct estimator *e, const struct estimate_domain *d,
			   struct estimate_open *open, struct estimate_row *row)
{
	double polluted = pollution(&open->part, isnan(e->share) ? 0.05 : e->share);
	unsigned int size = unit_of(d->granularity_bytes);
	struct estimate_value value;

	if (size == UNIT_SIZES)
		return;
	if (isinf(polluted))
		fail(open, ESTIMATE_MAPPED_BY_PAGES);
	if ((double)open->middling_bytes > MOST_OTHERS * (double)row->reported_bytes)
		fail(open, ESTIMATE_OTHER_BLOCKS);
	if (open->reason != ESTIMATE_KNOWN)
		return;
	if (!estimate_size(open, polluted, 0, d->granularity_bytes, &value)) {
		fail(open, ESTIMATE_TOO_FEW);
		return;
	}
	put_size(row, size, &value);
	row->half_width = value.middle > 0 ? (value.high - value.low) / 2 / value.middle : 0;
	if (size == 0 && row->block_bytes > UINT64_C(1) << SHIFT_64K &&
	    estimate_size(open, polluted, 1, UINT64_C(1) << SHIFT_64K, &value))
		put_size(row, 1, &value);
}

static int end_iteration(struct estimator *e, struct estimate_domain *d)
{
	struct estimate_open *open = &d->open;
	struct estimate_row *row = &open->row;
	int err;

	end_sync(d);
	if (!row->iteration)
		return 0;
	row->sampled_blocks = open->part.sampled;
	row->dirty_blocks = open->part.sampled + open->part.whole;
	row->interval_ns = d->since_ns != UNKNOWN && row->t_ns > d->since_ns ?
				   row->t_ns - d->since_ns : UNKNOWN;
	d->since_ns = row->t_ns;
	estimate_sizes(e, d, open, row);
	strncpy(row->unknown, estimate__reason(open->reason), sizeof(row->unknown) - 1);
	err = push_row(e, row);
	close_open(open);
	return err;
}

static void begin_iteration(struct estimate_domain *d, const struct sync_sample *sync)
{
	struct estimate_row *row = &d->open.row;

	close_open(&d->open);
	field__clear(&estimate_row_table, row);
	/* No field: blocks of 1G are the largest, so that it is never a finer size. */
	row->bytes[UNIT_SIZES - 1] = UNKNOWN;
	row->low_bytes[UNIT_SIZES - 1] = UNKNOWN;
	row->high_bytes[UNIT_SIZES - 1] = UNKNOWN;
	row->pid = sync->pid;
	row->domain = sync->domain;
	row->iteration = sync->iteration;
	row->reported_bytes = 0;
}

static bool is_wanted(const struct estimator *e, uint64_t pid)
{
	return !e->wanted_pid || e->wanted_pid == pid;
}

static int take_tracking(struct estimator *e, const struct tracking_sample *t)
{
	struct estimate_domain *d;
	int err;

	if (!sample__is_iommu(t->source) || t->ret || !is_wanted(e, t->pid))
		return 0;
	d = domain_of(e, t->pid, t->domain);
	err = d ? end_iteration(e, d) : -ENOMEM;
	if (err || t->enable != TRI_TRUE)
		return err;
	d->since_ns = t->t_ns;
	d->granularity_bytes = t->granularity_bytes == UNKNOWN ? 0 : t->granularity_bytes;
	d->is_sampled = !strcmp(t->split_mode, "sample");
	e->starts++;
	if (!d->is_sampled)
		return 0;
	e->sampled_starts++;
	e->share = t->sample_share;
	e->seed = t->sample_seed;
	e->splits = t->splits;
	e->blocks = UNKNOWN;
	for (unsigned int i = 0; i < LEAF_SIZES; i++)
		if (t->leaves[0] != UNKNOWN && t->leaves[i] &&
		    UINT64_C(1) << (i + LEAF_SHIFT) > d->granularity_bytes)
			e->blocks = t->leaves[i];
	return 0;
}

static int take_sync(struct estimator *e, const struct sync_sample *sync)
{
	struct estimate_domain *d;
	int err = 0;

	if (!sample__is_iommu(sync->source) || sync->clear != TRI_TRUE || !is_wanted(e, sync->pid))
		return 0;
	e->type1 += !strcmp(sync->source, "type1");
	if (sync->ret || sync->dirty_bytes == UNKNOWN || sync->dirty_entries[0] == UNKNOWN) {
		e->failed++;
		return 0;
	}
	d = domain_of(e, sync->pid, sync->domain);
	if (!d)
		return -ENOMEM;
	e->syncs++;
	end_sync(d);
	if (d->open.row.iteration != sync->iteration)
		err = end_iteration(e, d);
	if (!d->is_sampled) {
		e->syncs_without++;
		return err;
	}
	if (!d->open.row.iteration)
		begin_iteration(d, sync);
	d->open.row.t_ns = sync->t_ns;
	d->open.row.reported_bytes += sync->dirty_bytes;
	d->open.page_bytes = sync->page_bytes;
	d->open.sync = *sync;
	d->open.sync_is_open = true;
	return err;
}

static int take_sampled(struct estimator *e, const struct sampled_sample *s)
{
	struct estimate_domain *d;

	if (!is_wanted(e, s->pid))
		return 0;
	d = domain_of(e, s->pid, s->domain);
	if (!d)
		return -ENOMEM;
	e->late += !d->is_sampled;
	if (!d->open.sync_is_open || d->open.sync.t_ns != s->t_ns)
		return 0;
	if (s->block_bytes == UNKNOWN || s->blocks == UNKNOWN || s->dirty_bytes == UNKNOWN ||
	    s->gap_blocks == UNKNOWN || s->others == UNKNOWN || s->other_bytes == UNKNOWN)
		return 0;
	return add_sampled(d, s);
}

int estimate__take(struct estimator *e, enum sample_kind kind, const union sample *sample)
{
	switch (kind) {
	case SAMPLE_HEADER:
		memcpy(e->time_basis, sample->header.time_basis, sizeof(e->time_basis));
		return 0;
	case SAMPLE_TRACKING:
		return take_tracking(e, &sample->tracking);
	case SAMPLE_SYNC:
		return take_sync(e, &sample->sync);
	case SAMPLE_SAMPLED:
		return take_sampled(e, &sample->sampled);
	case SAMPLE_END:
		e->lost_known = true;
		e->lost += sample__lost(&sample->end);
		return 0;
	default:
		return 0;
	}
}

int estimate__end(struct estimator *e)
{
	int err = 0;

	for (size_t i = 0; !err && i < e->domain_count; i++)
		err = end_iteration(e, &e->domains[i]);
	return err;
}
