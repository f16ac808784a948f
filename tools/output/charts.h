/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The report's pictures. Each shows the runs of one workload on one backing size, and
 * each reads without colours. Not here: the page around them and the same data as
 * tables (html.c).
 */
#ifndef HWDBM_OUTPUT_CHARTS_H
#define HWDBM_OUTPUT_CHARTS_H

#include "../model/model.h"

#include <stdio.h>

/* How a run looks in every picture: colour and mark say granularity, hollow says lazy. */
struct series {
	const struct run *run;
	char label[64];		/* "4K lazy", "as mapped", "stock" */
	const char *colour;	/* class in report.css */
	const char *mark;	/* of svg__marks() */
	bool lazy;
};

struct panel {
	const struct series *series;
	size_t count;
	const char *subject;	/* "scattered, 1G blocks": part of every title */
	const char *time_basis;	/* of all its runs */
};

/* What one iteration of a run came to. */
struct pass {
	uint64_t iteration;
	uint64_t dirty_bytes;	/* UNKNOWN in the first full copy */
	uint64_t true_bytes;
	uint64_t missed_pages;
	uint64_t sent_bytes;
};

/* More than any migration that is meant to end; a picture has no room for more. */
#define PASSES_MAX 200

/** series__describe() - choose label, colour and mark of a run */
void series__describe(struct series *series, const struct run *run);

/** series__classes() - the style's names for a series: colour, and "lazy" */
const char *series__classes(const struct series *series, char text[32]);

/**
 * passes__collect() - sum a run's syncs by iteration
 * Return: how many passes there are in @passes, in order of iteration.
 */
size_t passes__collect(const struct run *run, struct pass passes[PASSES_MAX]);

enum latency_of { LATENCY_SPLIT, LATENCY_TLB };

/**
 * latency__collect() - one histogram of all splits, or of all TLBIs that tracking causes
 * @out: by half octaves, without empty ones; free @out->at
 * Return: 0 or -ENOMEM.
 */
int latency__collect(const struct run *run, enum latency_of what, struct pairs *out);

/** chart__dirty() - bytes reported dirty by iteration, with the truth and what would fit */
int chart__dirty(FILE *out, const char *id, const struct panel *panel);

/** chart__amplification() - reported / true bytes */
int chart__amplification(FILE *out, const char *id, const struct panel *panel);

/** chart__sent() - bytes sent so far, by iteration */
int chart__sent(FILE *out, const char *id, const struct panel *panel);

/** chart__iotlb() - IOTLB misses and descriptor reads, before and after */
int chart__iotlb(FILE *out, const char *id, const struct panel *panel);

/** chart__latency() - one histogram for each run; all of one time basis */
int chart__latency(FILE *out, const char *id, const struct panel *panel, enum latency_of what);

#endif
