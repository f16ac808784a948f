// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guests and plans by seed. Not here: what is made of them.
 */
#include "combination.h"

#include <string.h>

#define MIB (1024.0 * 1024)

static double log_uniform(struct random *random, double low, double high)
{
	return low * pow(high / low, random__share(random));
}

static void choose_writer(struct random *random, struct writer *w, uint64_t pages, double rate)
{
	static const uint64_t parts[] = { 1, 1, 2, 4, 16 };

	w->kind = random__below(random, WRITER_KINDS);
	w->pages = pages / parts[random__below(random, 5)];
	w->first = random__below(random, pages / w->pages) * w->pages;
	w->rate = rate;
	w->skew = random__share(random) < 0.5 ? 0.6 + 0.35 * random__share(random) :
						1.05 + 0.35 * random__share(random);
	w->hot_share = 0.5 + 0.49 * random__share(random);
	w->hot_pages = (uint64_t)log_uniform(random, 64, (double)w->pages / 4);
	if (w->kind == WRITER_RING)
		w->pages = (uint64_t)log_uniform(random, 64, (double)w->pages) & ~UINT64_C(63);
}

static void choose_phases(struct random *random, struct combination *c, double pass_s)
{
	c->phases = random__share(random) < 0.2;
	for (size_t i = 0; c->phases && i < c->guest.writer_count; i++) {
		c->guest.writers[i].period = pass_s * log_uniform(random, 0.05, 0.7);
		c->guest.writers[i].duty = 0.3 + 0.5 * random__share(random);
		c->guest.writers[i].rest = 0.5 * random__share(random);
	}
}

static void choose_leaves(struct random *random, struct plan *plan)
{
	static const struct {
		uint64_t leaves[3];
		unsigned int levels;
	} ways[] = { { { 1 }, 1 }, { { 1 }, 1 }, { { 16 }, 1 }, { { 512 }, 1 },
		     { { 1, 512 }, 2 } };
	size_t which = random__below(random, sizeof(ways) / sizeof(ways[0]));

	memcpy(plan->leaves, ways[which].leaves, sizeof(plan->leaves));
	plan->levels = ways[which].levels;
}

void combination__choose(struct combination *c, uint64_t seed)
{
	struct random random = { seed * 1000003 };
	struct plan *plan = &c->plan;
	double memory, rate;

	memset(c, 0, sizeof(*c));
	c->guest.pages = UINT64_C(1) << (15 + random__below(&random, 4));
	c->guest.random.state = random__next(&random);
	plan->bandwidth = log_uniform(&random, 20 * MIB, 400 * MIB);
	plan->last_bandwidth = plan->bandwidth;
	/* All memory must not fit into it, in no rehearsal either. */
	memory = (double)(c->guest.pages * GUEST_PAGE);
	plan->downtime_limit_s = fmin(log_uniform(&random, 0.03, 1.0),
				      memory / plan->bandwidth / 4);
	plan->most_iterations = 30;
	plan->stop_s = 0.002;
	if (random__share(&random) < 0.3) {
		plan->device_bytes = plan->bandwidth * plan->downtime_limit_s *
				     random__share(&random);
		plan->load_s = 0.1 * random__share(&random);
	}
	plan->whole_passes = random__share(&random) < 0.3;
	choose_leaves(&random, plan);
	rate = plan->bandwidth / (double)GUEST_PAGE * log_uniform(&random, 0.01, 2.5);
	c->guest.writer_count = 1 + random__below(&random, GUEST_WRITERS);
	for (size_t i = 0; i < c->guest.writer_count; i++)
		choose_writer(&random, &c->guest.writers[i], c->guest.pages,
			      rate / (double)c->guest.writer_count);
	choose_phases(&random, c, memory / plan->bandwidth);
	for (int i = 0; i < COMBINATION_REHEARSALS; i++)
		c->rehearsal_bandwidth[i] = plan->bandwidth * log_uniform(&random, 0.4, 2.5);
}
