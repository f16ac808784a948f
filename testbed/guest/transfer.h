/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The way to the destination: a second process whose memory is filled by what it receives over a
 * socket and by nothing else, under a bandwidth cap. The accounting is that of a VMM's stream: a
 * page costs its content and an 8-byte header, a zero page 9 bytes.
 */
#ifndef GUEST_TRANSFER_H
#define GUEST_TRANSFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct transfer {
	int sock;		/* -1 when there is none */
	int memfd;		/* the destination's memory */
	pid_t child;		/* the destination, 0 when there is none */
	uint64_t bytes;		/* of that memory */
	uint64_t rate;		/* cap, bytes per second */
	uint64_t begun_ns;	/* of the present pass */
	uint64_t sent_bytes;	/* in the present pass, by the accounting above */
};

#define TRANSFER_NONE	((struct transfer){ .sock = -1, .memfd = -1 })

/*
 * Starts a destination with 'bytes' of empty memory. Call it before devices are opened, so that
 * the destination inherits none. 0 or -errno.
 */
int transfer_start(struct transfer *tr, uint64_t bytes, uint64_t rate);

/* Ends the destination, waits for it, frees its memory. Safe when there is none. */
void transfer_stop(struct transfer *tr);

/* Starts a pass: the cap and the accounting start anew. */
void transfer_begin(struct transfer *tr);

/* Sends 'pages' 4K pages of 'memory' from page 'first' on. 0 or -errno (-EINTR: interrupted). */
int transfer_pages(struct transfer *tr, const uint8_t *memory, uint64_t first, uint64_t pages);

/* Sends the pages whose bit is set. */
int transfer_bitmap(struct transfer *tr, const uint8_t *memory, const uint64_t *bitmap,
		    uint64_t pages);

/*
 * Waits until the destination has taken everything. With 'last' it is told to run; *when then is
 * the time (clock_ns) at which it does. 0 or -errno.
 */
int transfer_flush(struct transfer *tr, bool last, uint64_t *when);

/*
 * Compares the destination's memory with 'memory'. *identical tells, *first_difference is an
 * offset in bytes. 0 or -errno.
 */
int transfer_compare(struct transfer *tr, const uint8_t *memory, bool *identical,
		     uint64_t *first_difference);

#endif
