// SPDX-License-Identifier: GPL-2.0-only
/*
 * Writers and the migration of what they write. Not here: what is done with the truth.
 */
#include "guest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Writers of one guest take turns this often. */
#define TURN_S 0.005

/* QEMU looks ten times a second whether it is done. */
#define SLICE_S 0.1

int guest__init(struct guest *guest)
{
	guest->dirty = calloc(guest->pages / 64, sizeof(*guest->dirty));
	return guest->dirty ? 0 : -ENOMEM;
}

void guest__release(struct guest *guest)
{
	free(guest->dirty);
	guest->dirty = NULL;
}

static void set_bit(uint64_t *bits, uint64_t at)
{
	bits[at / 64] |= UINT64_C(1) << at % 64;
}

static uint64_t pick(struct guest *guest, struct writer *w)
{
	double share, rank, end;

	switch (w->kind) {
	case WRITER_RING:
		return w->at++ % w->pages;
	case WRITER_ZIPF:
		share = random__share(&guest->random);
		end = pow((double)w->pages, 1 - w->skew);
		rank = pow(1 + share * (end - 1), 1 / (1 - w->skew));
		/* An odd factor scatters ranks over a power of two. */
		return (uint64_t)rank * UINT64_C(0x9e3779b1) % w->pages;
	case WRITER_HOT_COLD:
		if (random__share(&guest->random) < w->hot_share)
			return random__below(&guest->random, w->hot_pages);
		break;
	default:
		break;
	}
	return random__below(&guest->random, w->pages);
}

static double load(const struct writer *w, double now)
{
	double at;

	if (!(w->period > 0))
		return 1;
	at = fmod(now, w->period) / w->period;
	return at < w->duty ? 1 : w->rest;
}

static void write_some(struct guest *guest, struct writer *w, double seconds)
{
	double mean = w->rate * load(w, guest->now) * seconds;
	double count = mean + sqrt(mean) * random__normal(&guest->random);

	/* A ring is a machine, not a crowd. */
	if (w->kind == WRITER_RING)
		count = mean + random__share(&guest->random) - 0.5;
	for (double i = 0.5; i < count; i++)
		set_bit(guest->dirty, w->first + pick(guest, w));
}

void guest__run(struct guest *guest, double seconds)
{
	while (seconds > 0) {
		double turn = seconds < TURN_S ? seconds : TURN_S;

		for (size_t i = 0; i < guest->writer_count; i++)
			write_some(guest, &guest->writers[i], turn);
		guest->now += turn;
		seconds -= turn;
	}
}

static uint64_t count_bits(const uint64_t *bits, uint64_t first, uint64_t count)
{
	uint64_t sum = 0;

	for (uint64_t i = first / 64; i < (first + count) / 64; i++)
		sum += __builtin_popcountll(bits[i]);
	return sum;
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static bool any_in(const struct guest *guest, uint64_t first, uint64_t count)
{
	for (uint64_t i = first; i < first + count && i < guest->pages; i++) {
		if (i % 64 == 0 && !guest->dirty[i / 64])
			i += 63;
		else if (guest->dirty[i / 64] >> i % 64 & 1)
			return true;
	}
	return false;
}

/* Bytes of the units that hold a dirty page; a counter for each size, independent of levels. */
static void count_units(const struct guest *guest, uint64_t units[4])
{
	static const uint64_t sizes[4] = { 1, 16, 512, 262144 };

	units[0] = count_bits(guest->dirty, 0, guest->pages) * GUEST_PAGE;
	for (int k = 1; k < 4; k++) {
		units[k] = 0;
		for (uint64_t i = 0; i < guest->pages; i += sizes[k])
			if (any_in(guest, i, sizes[k]))
				units[k] += least(sizes[k], guest->pages - i) * GUEST_PAGE;
	}
}

struct copy {
	struct guest *guest;
	const struct plan *plan;
	uint64_t *pending;
	uint64_t left;			/* pages pending */
	uint64_t cursor;
	unsigned char *level;		/* of each page's leaf */
};

static uint64_t mark(struct copy *copy, uint64_t first, uint64_t count)
{
	uint64_t marked = 0;

	for (uint64_t i = first; i < first + count && i < copy->guest->pages; i++, marked++)
		set_bit(copy->pending, i);
	return marked;
}

/* Reports each dirty leaf whole, and splits it by one level. */
static uint64_t report(struct copy *copy)
{
	const struct plan *plan = copy->plan;
	uint64_t step, reported = 0;

	for (uint64_t i = 0; i < copy->guest->pages; i += step) {
		unsigned int level = copy->level[i];

		step = plan->leaves[level];
		if (!any_in(copy->guest, i, step))
			continue;
		reported += mark(copy, i, step);
		if (!level)
			continue;
		for (uint64_t k = i; k < i + step && k < copy->guest->pages; k++)
			copy->level[k] = level - 1;
	}
	return reported;
}

static void sync(struct copy *copy, double interval, struct guest_sync *out)
{
	count_units(copy->guest, out->units);
	out->interval_s = interval;
	out->reported = report(copy) * GUEST_PAGE;
	memset(copy->guest->dirty, 0, copy->guest->pages / 8);
	copy->left = count_bits(copy->pending, 0, copy->guest->pages);
	out->pending = copy->left * GUEST_PAGE;
}

/* In order of addresses, round and round. */
static uint64_t send(struct copy *copy, uint64_t pages)
{
	uint64_t sent = 0;

	while (sent < pages && copy->left) {
		uint64_t *word = &copy->pending[copy->cursor / 64];
		uint64_t bit = UINT64_C(1) << copy->cursor % 64;

		if (*word & bit) {
			*word &= ~bit;
			copy->left--;
			sent++;
		}
		if (++copy->cursor == copy->guest->pages)
			copy->cursor = 0;
	}
	return sent;
}

static double left_bytes(const struct copy *copy)
{
	return (double)(copy->left * GUEST_PAGE) + copy->plan->device_bytes;
}

/* Until it is time to look for what is dirty. Return: seconds */
static double pass(struct copy *copy, double threshold)
{
	const struct plan *plan = copy->plan;
	uint64_t slice = (uint64_t)(plan->bandwidth * SLICE_S / (double)GUEST_PAGE) + 1;
	double took = 0;

	while (copy->left && (plan->whole_passes || left_bytes(copy) > threshold)) {
		double seconds = (double)(send(copy, slice) * GUEST_PAGE) / plan->bandwidth;

		guest__run(copy->guest, seconds);
		took += seconds;
	}
	return took;
}

static void stop(struct copy *copy, struct migration_truth *truth, double total)
{
	const struct plan *plan = copy->plan;
	struct guest_sync last;

	guest__run(copy->guest, plan->stop_s);
	sync(copy, plan->stop_s, &last);
	truth->sent_bytes += left_bytes(copy);
	truth->blackout_s = plan->stop_s + left_bytes(copy) / plan->last_bandwidth + plan->load_s;
	truth->total_s = total + truth->blackout_s;
}

static void copy_all(struct copy *copy, struct migration_truth *truth)
{
	const struct plan *plan = copy->plan;
	double threshold = plan->bandwidth * plan->downtime_limit_s, total = 0;

	memset(copy->pending, 0xff, copy->guest->pages / 8);
	copy->left = copy->guest->pages;
	memset(copy->guest->dirty, 0, copy->guest->pages / 8);
	while (!truth->converged && truth->iterations < plan->most_iterations) {
		double before = left_bytes(copy), interval = pass(copy, threshold);

		truth->sent_bytes += before - left_bytes(copy);
		total += interval;
		sync(copy, interval, &truth->syncs[truth->sync_count++]);
		truth->iterations++;
		truth->converged = left_bytes(copy) <= threshold;
	}
	stop(copy, truth, total);
}

int guest__migrate(struct guest *guest, const struct plan *plan, struct migration_truth *truth)
{
	struct copy copy = { .guest = guest, .plan = plan };
	int err = -ENOMEM;

	*truth = (struct migration_truth){ 0 };
	copy.pending = malloc(guest->pages / 8);
	copy.level = malloc(guest->pages);
	if (copy.pending && copy.level && plan->most_iterations <= GUEST_SYNCS) {
		memset(copy.level, (int)plan->levels - 1, guest->pages);
		copy_all(&copy, truth);
		err = 0;
	}
	free(copy.pending);
	free(copy.level);
	return err;
}
