// SPDX-License-Identifier: GPL-2.0-only
/*
 * The sentences. They are made only from runs that can be compared: same backing, same
 * workload, same patched kernel. Not here: durations of different time bases.
 */
#define _GNU_SOURCE
#include "answer.h"
#include "units.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Below this a difference in bytes sent is called none. */
#define SAME_WITHIN 0.02

struct contrast {
	const struct run_result *off;
	const struct run_result *split;
	double sent;		/* split / off */
};

static bool comparable(const struct run_result *a, const struct run_result *b)
{
	return a->backing_bytes == b->backing_bytes && a->workload_seed == b->workload_seed &&
	       a->memory_bytes == b->memory_bytes && !strcmp(a->workload_name, b->workload_name) &&
	       !strcmp(a->time_basis, b->time_basis);
}

static bool usable(const struct run_result *r)
{
	return r->kernel_patched == TRI_TRUE && r->sent_bytes != UNKNOWN && r->sent_bytes &&
	       !r->error[0];
}

static size_t make_contrasts(struct run *const *runs, size_t count, struct contrast *out)
{
	size_t n = 0;

	for (size_t i = 0; i < count; i++) {
		const struct run_result *split = &runs[i]->result;

		if (!run__splits(runs[i]) || !usable(split))
			continue;
		for (size_t k = 0; k < count; k++) {
			const struct run_result *off = &runs[k]->result;

			if (run__splits(runs[k]) || !usable(off) || !comparable(off, split))
				continue;
			out[n].off = off;
			out[n].split = split;
			out[n++].sent = (double)split->sent_bytes / (double)off->sent_bytes;
			break;
		}
	}
	return n;
}

static void put_number(FILE *out, double value)
{
	char text[UNITS_TEXT];

	fputs(isnan(value) ? "an unknown number" : units__ratio(value, text), out);
}

static void put_run(FILE *out, const struct run_result *r)
{
	char backing[UNITS_TEXT], granularity[UNITS_TEXT];

	fprintf(out, "%s on %s blocks at %s %s", r->workload_name,
		units__leaf(r->backing_bytes, backing),
		units__leaf(r->granularity_bytes, granularity), r->split_mode);
}

static void put_gain(FILE *out, const struct contrast *best, size_t wins, size_t total)
{
	char off[UNITS_TEXT], split[UNITS_TEXT];

	fprintf(out, "Splitting sent fewer bytes in %zu of %zu comparisons with the same patched kernel left off; at best (",
		wins, total);
	put_run(out, best->split);
	fprintf(out, ") %s instead of %s, dirty reports ",
		units__bytes(best->split->sent_bytes, split),
		units__bytes(best->off->sent_bytes, off));
	put_number(out, best->split->amplification);
	fputs("x the truth instead of ", out);
	put_number(out, best->off->amplification);
	fputs("x", out);
	if (best->split->converged == TRI_TRUE && best->off->converged == TRI_FALSE)
		fputs(", and it converged where it did not before", out);
}

static void put_price(FILE *out, const struct run_result *r)
{
	char count[UNITS_TEXT], of[UNITS_TEXT];

	fputs(". The price there: ", out);
	if (r->split_tables == UNKNOWN || r->split_operations == UNKNOWN)
		fputs("an unknown number of tables", out);
	else
		fprintf(out, "%s tables from %s splits", units__count(r->split_tables, count),
			units__count(r->split_operations, of));
	if (r->tlb_invalidations == UNKNOWN || r->tlb_commands == UNKNOWN)
		fputs(", an unknown number of TLBIs", out);
	else
		fprintf(out, ", %s TLBIs with %s commands", units__count(r->tlb_invalidations, count),
			units__count(r->tlb_commands, of));
	fputs(", per 1,000 DMA ", out);
	put_number(out, r->misses_before);
	fputs(" IOTLB misses before and ", out);
	put_number(out, r->misses_after);
	fputs(" after, ", out);
	put_number(out, r->reads_before);
	fputs(" descriptor reads before and ", out);
	put_number(out, r->reads_after);
	fputs(" after.", out);
}

static void put_losses(FILE *out, const struct contrast *contrasts, size_t count)
{
	size_t losses = 0;

	for (size_t i = 0; i < count; i++)
		if (contrasts[i].sent > 1 - SAME_WITHIN)
			losses++;
	if (!losses) {
		fputs(" No comparison here was a loss.", out);
		return;
	}
	fprintf(out, " Splitting loses in %zu: it pays that price and sends no less for ", losses);
	for (size_t i = 0, shown = 0; i < count; i++) {
		if (contrasts[i].sent <= 1 - SAME_WITHIN)
			continue;
		if (shown)
			fputs(shown + 1 == losses ? " and " : ", ", out);
		put_run(out, contrasts[i].split);
		shown++;
	}
	fputs(".", out);
}

static void put_missed(FILE *out, struct run *const *runs, size_t count)
{
	char text[UNITS_TEXT];
	uint64_t missed = 0;
	size_t stock = 0;

	for (size_t i = 0; i < count; i++) {
		const struct run_result *r = &runs[i]->result;

		if (r->kernel_patched != TRI_FALSE || r->missed_pages == UNKNOWN)
			continue;
		stock++;
		missed += r->missed_pages;
	}
	if (missed)
		fprintf(out, " The stock kernel missed %s dirty pages in %zu runs: it clears dirty state without invalidating the TLB, so later writes through a cached dirty entry leave no mark.",
			units__count(missed, text), stock);
}

char *answer__write(struct run *const *runs, size_t count)
{
	struct contrast *contrasts = calloc(count ?: 1, sizeof(*contrasts));
	const struct contrast *best = NULL;
	char *text = NULL;
	size_t length, n, wins = 0;
	FILE *out = contrasts ? open_memstream(&text, &length) : NULL;

	if (!out) {
		free(contrasts);
		return NULL;
	}
	n = make_contrasts(runs, count, contrasts);
	for (size_t i = 0; i < n; i++) {
		wins += contrasts[i].sent <= 1 - SAME_WITHIN;
		if (!best || contrasts[i].sent < best->sent)
			best = &contrasts[i];
	}
	if (!best) {
		fputs("These runs do not say what splitting buys: it takes one with splitting and one without, on the same patched kernel, backing and workload.",
		      out);
	} else if (!wins) {
		fprintf(out, "Splitting bought nothing in %zu comparisons.", n);
		put_losses(out, contrasts, n);
	} else {
		put_gain(out, best, wins, n);
		put_price(out, best->split);
		put_losses(out, contrasts, n);
	}
	put_missed(out, runs, count);
	free(contrasts);
	if (fclose(out)) {
		free(text);
		return NULL;
	}
	return text;
}
