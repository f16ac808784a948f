/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Text in large pieces, for outputs with a line per sync: printf() would take most of their
 * time. Not here: rounding, units.
 */
#ifndef HWDBM_OUTPUT_WRITER_H
#define HWDBM_OUTPUT_WRITER_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define WRITER_ROOM 65536

struct writer {
	FILE *out;
	size_t used;
	int err;			/* the first; all else is dropped */
	char text[WRITER_ROOM];
};

/** writer__init() - nothing was written yet; the stream stays the caller's */
void writer__init(struct writer *writer, FILE *out);

/** writer__text() - a text as it is */
void writer__text(struct writer *writer, const char *text);

/** writer__u64() - in decimal */
void writer__u64(struct writer *writer, uint64_t number);

/** writer__i64() - in decimal */
void writer__i64(struct writer *writer, int64_t number);

/** writer__json() - a text as a JSON string, with its quotes; what is not ASCII becomes "?" */
void writer__json(struct writer *writer, const char *text);

/** writer__csv() - a text as a cell, quoted where it has to be (RFC 4180) */
void writer__csv(struct writer *writer, const char *text);

/** writer__flush() - hand all on. Return: 0, or the first -errno. */
int writer__flush(struct writer *writer);

#endif
