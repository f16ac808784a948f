/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The other guest of a migration between two: a connection beside the migration's own, over which
 * the two sides agree on what is next and compare what arrived with what left. Both run the same
 * program, so that numbers go as they are. Not here: what is asked for and when.
 */
#ifndef GUEST_DISTANT_H
#define GUEST_DISTANT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "memory.h"

#define DISTANT_MIGRATION_PORT	4444
#define DISTANT_PORT		4445

struct distant {
	FILE *in, *out;		/* NULL when there is none */
};

#define DISTANT_NONE	((struct distant){ NULL, NULL })

/* Waits up to 'seconds' for the other side. 0 or -errno. */
int distant_accept(struct distant *other, unsigned int seconds);
/* Connects to it, trying again for so long. 0 or -errno. */
int distant_connect(struct distant *other, const char *address, unsigned int seconds);
void distant_close(struct distant *other);

/* 0 or -errno; what is sent goes at once. */
int distant_send(struct distant *other, const void *data, size_t bytes);
int distant_receive(struct distant *other, void *data, size_t bytes);

/* Sends a VM's memory, and of each 4K page from 'first' on whether its bit is set. 0 or -errno. */
int distant_send_memory(struct distant *other, const struct memory *memory, uint64_t first,
			const uint64_t *written);
/*
 * Receives it, page by page: 'take' gets each that differs from 'memory'. 0 or -errno.
 */
int distant_compare(struct distant *other, const struct memory *memory,
		    void (*take)(void *context, uint64_t page, const void *source,
				 const void *target, bool written),
		    void *context);

/*
 * How far the other's CLOCK_MONOTONIC is ahead of this one's: at least *least, at most *most, by
 * what was asked and answered in between. The other side has to be in distant_answer_clock().
 */
int distant_ask_clock(struct distant *other, int64_t *least, int64_t *most);
int distant_answer_clock(struct distant *other);

#endif
