// SPDX-License-Identifier: GPL-2.0-only
/*
 * One migration. Not here: what follows from many of them (predict.c).
 */
#include "precopy.h"

#include <math.h>

struct migration {
	const struct precopy_setup *setup;
	const struct precopy_writers *writers;
	double pending;
	double last_interval;		/* that the pending bytes were found in; 0: they are all */
	double elapsed;			/* since tracking started */
	double when[PRECOPY_LEVELS];	/* since when blocks of a level may be split further */
	unsigned int syncs;
};

double precopy__threshold(const struct precopy_setup *setup)
{
	return setup->bandwidth * setup->downtime_limit_s;
}

static double bytes_in(struct migration *m, unsigned int level, double seconds)
{
	return seconds > 0 ? m->writers->dirty(m->writers->context, level, seconds) : 0;
}

/*
 * What a sync reports. Lazy: blocks of a level that are written for the first time since
 * they came to be, as many as the curve grows in this interval; all that is split to the
 * end is reported in the finest units.
 */
static double reported(struct migration *m, double interval)
{
	unsigned int top = m->setup->levels ? m->setup->levels - 1 : 0;
	double now = m->elapsed, before = now - interval, sum = 0, whole;

	if (!top)
		return bytes_in(m, 0, interval);
	for (unsigned int level = top; level > 0; level--) {
		double since = m->when[level];

		if (m->syncs < top - level)
			return fmin(sum, bytes_in(m, top, interval));
		sum += bytes_in(m, level, now - since) - bytes_in(m, level, before - since);
	}
	if (m->syncs >= top)
		sum += bytes_in(m, 0, interval);
	whole = bytes_in(m, top, interval);
	return sum < whole ? sum : whole;
}

/* Share of what is pending that is written again in an interval. */
static double written_again(struct migration *m, double interval)
{
	double found, again;

	if (!(m->last_interval > 0))
		return bytes_in(m, 0, interval) / m->setup->memory_bytes;
	found = bytes_in(m, 0, m->last_interval);
	again = found + bytes_in(m, 0, interval) - bytes_in(m, 0, m->last_interval + interval);
	if (!(found > 0) || again < 0)
		return 0;
	return again < found ? again / found : 1;
}

/* What is left unsent when the VMM looks for dirty memory, and how long that took. */
static double send(struct migration *m, double *interval)
{
	const struct precopy_setup *s = m->setup;
	double over = m->pending + s->device_bytes - precopy__threshold(s);
	double slice = s->slice_s * s->bandwidth, left = 0;

	if (s->slice_s > 0)
		left = over > 0 ? m->pending - (floor(over / slice) + 1) * slice : m->pending;
	if (left < 0)
		left = 0;
	*interval = (m->pending - left) / s->bandwidth + s->sync_s;
	return left;
}

static void iterate(struct migration *m, struct precopy_outcome *o)
{
	const struct precopy_setup *s = m->setup;
	double interval, left = send(m, &interval), found, common;
	unsigned int top = s->levels ? s->levels - 1 : 0;

	m->elapsed += interval;
	o->sent_bytes += m->pending - left;
	found = reported(m, interval) * m->writers->noise(m->writers->context, interval);
	common = left * fmin(written_again(m, interval) * s->overlap, 1);
	if (common > found)
		common = found;
	m->pending = fmin(left + found - common, s->memory_bytes);
	m->last_interval = interval;
	/* Blocks that this sync found dirty are split, and their parts start anew. */
	if (top && m->syncs < top)
		m->when[top - m->syncs - 1] = m->elapsed;
	m->syncs++;
	o->iterations++;
}

static void stop(struct migration *m, struct precopy_outcome *o)
{
	const struct precopy_setup *s = m->setup;
	double left = m->pending;

	/* What the last interval would have found besides, had it been longer. */
	if (s->stop_s > 0)
		left += fmax(bytes_in(m, 0, m->last_interval + s->stop_s) -
			     bytes_in(m, 0, m->last_interval), 0);
	if (left > s->memory_bytes)
		left = s->memory_bytes;
	o->left_bytes = left;
	o->left_s = left / s->last_bandwidth;
	o->device_s = s->device_bytes / s->last_bandwidth;
	o->blackout_s = s->last_measured ? s->last_fixed_s : s->stop_s + s->sync_s + s->load_s;
	o->blackout_s += o->left_s + o->device_s;
	o->sent_bytes += left + s->device_bytes;
	o->total_s = s->start_s + m->elapsed + o->blackout_s;
}

void precopy__run(const struct precopy_setup *setup, const struct precopy_writers *writers,
		  struct precopy_outcome *outcome)
{
	struct migration m = {
		.setup = setup, .writers = writers, .pending = setup->pending_bytes,
		.last_interval = setup->pending_s,
	};

	*outcome = (struct precopy_outcome){ 0 };
	while (!outcome->converged && outcome->iterations < setup->most_iterations) {
		iterate(&m, outcome);
		outcome->converged = m.pending + setup->device_bytes <= precopy__threshold(setup);
	}
	stop(&m, outcome);
}
