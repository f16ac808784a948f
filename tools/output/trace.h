/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A recording as a trace in Chrome's JSON format, which Perfetto's page and chrome://tracing
 * open: syncs, clears, splits and starts of tracking on a row for each slot or domain, and
 * dirty bytes as counters. Not here: VMMs' logs but for their moments.
 */
#ifndef HWDBM_OUTPUT_TRACE_H
#define HWDBM_OUTPUT_TRACE_H

#include "writer.h"
#include "../model/sample.h"

struct trace {
	struct writer writer;
	bool any;			/* an event was written */
	struct trace_track *tracks;	/* hash table; rows that have got a name */
	size_t track_count, track_room;
	char time_basis[16];
	char kernel[64];
};

/** trace__begin() - the document's start; end with trace__end() in every case */
void trace__begin(struct trace *trace, FILE *out);

/** trace__add() - the events of a sample; kinds without any are skipped. Return: 0 or -errno. */
int trace__add(struct trace *trace, enum sample_kind kind, const union sample *sample);

/** trace__end() - the document's end, and free. Return: 0, or the first -errno. */
int trace__end(struct trace *trace);

#endif
