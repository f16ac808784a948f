// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ground truth against reports. See truth.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime.h"
#include "truth.h"

#define WORD_BITS	64

int truth_create(struct truth *truth, struct generator *gen, uint64_t iova, uint64_t pages)
{
	uint64_t words = pages / WORD_BITS;

	*truth = (struct truth){ .gen = gen, .pages = pages };
	if (pages > gen->truth_bytes * 8)
		return problem(EINVAL, "the generator's truth bitmap covers %llu MiB, --memory asks for %llu MiB; start QEMU with a larger truth-bytes",
			       (unsigned long long)gen->truth_bytes * 8 >> 8,
			       (unsigned long long)pages >> 8);
	truth->must = calloc(words, sizeof(*truth->must));
	truth->since = calloc(words, sizeof(*truth->since));
	truth->ever = calloc(words, sizeof(*truth->ever));
	truth->regions = calloc(pages / TRUTH_REGION_PAGES, sizeof(*truth->regions));
	if (!truth->must || !truth->since || !truth->ever || !truth->regions) {
		truth_destroy(truth);
		return problem(ENOMEM, "no memory for the truth bitmaps; ask for less --memory");
	}
	generator_set(gen, DMAGEN_TRUTH_BASE, iova);
	return 0;
}

void truth_destroy(struct truth *truth)
{
	free(truth->must);
	free(truth->since);
	free(truth->ever);
	free(truth->regions);
	truth->must = NULL;
	truth->since = NULL;
	truth->ever = NULL;
	truth->regions = NULL;
}

void truth_start(struct truth *truth)
{
	truth_latch(truth);
	memset(truth->must, 0, truth->pages / 8);
	memset(truth->since, 0, truth->pages / 8);
	memset(truth->ever, 0, truth->pages / 8);
	truth->pages_written = 0;
	truth->bytes_written = 0;
}

void truth_latch(struct truth *truth)
{
	generator_set(truth->gen, DMAGEN_LATCH, 1);
}

static void collect(struct truth *truth, uint64_t must)
{
	truth->bytes_written += generator_get(truth->gen, DMAGEN_LATCHED_BYTES);
	if (!generator_get(truth->gen, DMAGEN_LATCHED_PAGES))
		return;
	for (uint64_t i = 0; i < truth->pages / WORD_BITS; i++) {
		uint64_t written = truth->gen->truth[i];

		truth->pages_written += __builtin_popcountll(written & ~truth->ever[i]);
		truth->ever[i] |= written;
		truth->must[i] |= written & must;
		truth->since[i] |= written;
	}
}

void truth_collect(struct truth *truth)
{
	collect(truth, ~UINT64_C(0));
}

void truth_tracked(struct truth *truth)
{
	truth_latch(truth);
	collect(truth, 0);
}

static void list_missed(struct truth *truth, uint64_t word, uint64_t missed)
{
	for (; missed; missed &= missed - 1) {
		if (truth->missed < TRUTH_LISTED)
			truth->missed_list[truth->missed] =
				word * WORD_BITS + __builtin_ctzll(missed);
		truth->missed++;
	}
}

struct verdict truth_judge(struct truth *truth, uint64_t first, uint64_t pages,
			   const uint64_t *report)
{
	uint64_t start = first / WORD_BITS;
	struct verdict verdict = { 0 };

	memset(truth->regions, 0, truth->pages / TRUTH_REGION_PAGES * sizeof(*truth->regions));
	for (uint64_t i = 0; i < pages / WORD_BITS; i++) {
		uint64_t written = truth->since[start + i] | truth->gen->truth[start + i];
		uint64_t missed = truth->must[start + i] & ~report[i];
		uint64_t true_pages = __builtin_popcountll((written & report[i]) | missed);

		truth->since[start + i] = 0;
		truth->must[start + i] = 0;
		if (!true_pages)
			continue;
		verdict.true_pages += true_pages;
		verdict.missed_pages += __builtin_popcountll(missed);
		truth->regions[(start + i) * WORD_BITS / TRUTH_REGION_PAGES] += true_pages;
		list_missed(truth, start + i, missed);
	}
	return verdict;
}

void truth_settle(struct truth *truth, uint64_t first, uint64_t pages, const uint64_t *report)
{
	uint64_t start = first / WORD_BITS;

	for (uint64_t i = 0; i < pages / WORD_BITS; i++)
		truth->must[start + i] &= ~report[i];
}
