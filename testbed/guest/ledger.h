/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Ground truth against reports when several threads sync at once: what the device really wrote,
 * from the generator's latched bitmap, and which report answered for it. Time is counted in
 * latches. The rule, page by page:
 *
 *   a page written before a sync of it began has to be in the report of that sync, or in that of
 *   another one which had not ended when the page was written and began before that sync ended.
 *
 * A write between two latches can be before or after the read of a sync between the same two; it
 * is taken to be before, as nobody can tell. Knows nothing of ioctls or threads' work.
 */
#ifndef GUEST_LEDGER_H
#define GUEST_LEDGER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "generator.h"

#define LEDGER_READERS	8
#define LEDGER_LISTED	16	/* missed pages kept by number */

struct ledger {
	struct generator *gen;
	uint64_t pages;			/* 4K pages from the truth window's base on */
	pthread_mutex_t lock;		/* all below, and the generator's latch */
	uint32_t now;			/* latches so far, 1 at first */
	uint32_t cycle;			/* changes when tracking starts or stops; odd = it is on */
	uint32_t *written;		/* latch that ended the last interval with a write, 0 = none */
	uint32_t *reported;		/* latch at the end of the last report that held the page */
	unsigned int readers;
	struct ledger_reader *busy[LEDGER_READERS];
	uint64_t missed;
	uint64_t missed_list[LEDGER_LISTED];
	uint64_t answered;		/* written pages that a judged report answered for */
	uint32_t failures;		/* syncs that failed */
	uint64_t judged;		/* syncs that were judged */
	uint64_t void_reports;		/* that a start, a stop or a failed sync overlapped */
};

/* One thread that syncs; to be passed to ledger_begin() and what follows it. */
struct ledger_reader {
	uint32_t *before;		/* 'written' when the sync began */
	uint64_t first, pages;
	uint32_t cycle, failures;
	volatile uint32_t turn;		/* odd while a sync of this reader goes on */
};

/* Puts the truth window over 'pages' 4K pages from 'iova' on. 0 or -errno. */
int ledger_create(struct ledger *ledger, struct generator *gen, uint64_t iova, uint64_t pages);
void ledger_destroy(struct ledger *ledger);

/* At most LEDGER_READERS, before any thread begins. 0 or -errno. */
int ledger_add_reader(struct ledger *ledger, struct ledger_reader *reader);
void ledger_free_reader(struct ledger_reader *reader);

/* True while tracking is on, as far as ledger_started() and ledger_stopping() say. */
bool ledger_tracking(struct ledger *ledger);

/* After tracking was started: what was written until now counts no more. Waits for running syncs. */
void ledger_started(struct ledger *ledger);
/* Right before tracking is stopped: reports that have not been judged by now are void. */
void ledger_stopping(struct ledger *ledger);

/* Begins a sync of 'pages' pages from 'first' on. False when tracking is off: do not sync. */
bool ledger_begin(struct ledger *ledger, struct ledger_reader *reader, uint64_t first,
		  uint64_t pages);
/*
 * Ends it. 'report' (bit 0 is 'first') is NULL when the sync failed; it puts back what it had
 * cleared, which another one that goes on meanwhile may not see. With 'kept' it has cleared
 * nothing, so that it answers for nothing later.
 */
void ledger_end(struct ledger *ledger, struct ledger_reader *reader, const uint64_t *report,
		bool kept);
/*
 * The same for a clear by bitmap, which 'named' (bit 0 is 'first'), or NULL when it failed: it
 * answers for the pages it names, and is not judged, for it reports nothing.
 */
void ledger_end_clear(struct ledger *ledger, struct ledger_reader *reader, const uint64_t *named);

#endif
