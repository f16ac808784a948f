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

/* A run of pages, as it is on the wire. */
struct transfer_run {
	uint64_t offset;	/* bytes */
	uint64_t length;	/* bytes */
	uint64_t zero;		/* 1: the pages are zero, no content follows */
};

/* Runs go in batches: what costs under emulation is the system call, not the byte. */
#define TRANSFER_BATCH_RUNS	256

struct transfer {
	int sock;		/* -1 when there is none */
	int memfd;		/* the destination's memory */
	pid_t child;		/* the destination, 0 when there is none */
	uint64_t bytes;		/* of that memory */
	uint64_t rate;		/* cap, bytes per second */
	uint64_t begun_ns;	/* of the present pass */
	uint64_t sent_bytes;	/* in the present pass, by the accounting above */
	struct transfer_run batch[TRANSFER_BATCH_RUNS];	/* not sent yet */
	unsigned int batch_runs;
	uint64_t batch_bytes;	/* content of those */
	const uint8_t *batch_memory;
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

/*
 * Sends 'pages' 4K pages of 'memory' from page 'first' on; the last of them may wait for
 * transfer_flush(). 0 or -errno (-EINTR: interrupted).
 */
int transfer_pages(struct transfer *tr, const uint8_t *memory, uint64_t first, uint64_t pages);

/* Sends the pages whose bit is set. */
int transfer_bitmap(struct transfer *tr, const uint8_t *memory, const uint64_t *bitmap,
		    uint64_t pages);

/*
 * Sends what is still unsent and waits until the destination has taken everything; *when is the
 * time (clock_ns) at which it had, and could run. 0 or -errno.
 */
int transfer_flush(struct transfer *tr, uint64_t *when);

/*
 * Compares the destination's memory with 'memory'. *identical tells, *first_difference is an
 * offset in bytes. 0 or -errno.
 */
int transfer_compare(struct transfer *tr, const uint8_t *memory, bool *identical,
		     uint64_t *first_difference);

#endif
