// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ground truth against reports of several threads. See ledger.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ledger.h"
#include "runtime.h"

#define WORD_BITS	64

int ledger_create(struct ledger *ledger, struct generator *gen, uint64_t iova, uint64_t pages)
{
	*ledger = (struct ledger){ .gen = gen, .pages = pages, .now = 1 };
	pthread_mutex_init(&ledger->lock, NULL);
	if (pages > gen->truth_bytes * 8)
		return problem(EINVAL, "the generator's truth bitmap covers %llu pages, %llu are asked for; start QEMU with a larger truth-bytes",
			       (unsigned long long)gen->truth_bytes * 8,
			       (unsigned long long)pages);
	ledger->written = calloc(pages, sizeof(*ledger->written));
	ledger->reported = calloc(pages, sizeof(*ledger->reported));
	if (!ledger->written || !ledger->reported)
		return problem(ENOMEM, "no memory for the ledger; ask for less --memory");
	generator_set(gen, DMAGEN_TRUTH_BASE, iova);
	return 0;
}

void ledger_destroy(struct ledger *ledger)
{
	free(ledger->written);
	free(ledger->reported);
	ledger->written = NULL;
	ledger->reported = NULL;
}

int ledger_add_reader(struct ledger *ledger, struct ledger_reader *reader)
{
	*reader = (struct ledger_reader){ 0 };
	reader->before = calloc(ledger->pages, sizeof(*reader->before));
	if (!reader->before || ledger->readers == LEDGER_READERS)
		return problem(ENOMEM, "no memory for one more thread that syncs");
	ledger->busy[ledger->readers++] = reader;
	return 0;
}

void ledger_free_reader(struct ledger_reader *reader)
{
	free(reader->before);
	reader->before = NULL;
}

/* Ends an interval; ledger->lock is held. */
static void latch(struct ledger *ledger)
{
	const volatile uint64_t *truth = ledger->gen->truth;

	generator_set(ledger->gen, DMAGEN_LATCH, 1);
	ledger->now++;
	if (!generator_get(ledger->gen, DMAGEN_LATCHED_PAGES))
		return;
	for (uint64_t i = 0; i < ledger->pages; i += WORD_BITS)
		for (uint64_t word = truth[i / WORD_BITS]; word; word &= word - 1)
			ledger->written[i + __builtin_ctzll(word)] = ledger->now;
}

/* Waits until every sync of another reader that goes on now has ended. The lock is not held. */
static void wait_for_others(struct ledger *ledger, const struct ledger_reader *self)
{
	for (unsigned int i = 0; i < ledger->readers; i++) {
		struct ledger_reader *other = ledger->busy[i];
		uint32_t turn = __atomic_load_n(&other->turn, __ATOMIC_ACQUIRE);

		if (other == self || !(turn & 1))
			continue;
		while (__atomic_load_n(&other->turn, __ATOMIC_ACQUIRE) == turn)
			usleep(50);
	}
}

bool ledger_tracking(struct ledger *ledger)
{
	return __atomic_load_n(&ledger->cycle, __ATOMIC_ACQUIRE) & 1;
}

void ledger_started(struct ledger *ledger)
{
	wait_for_others(ledger, NULL);
	pthread_mutex_lock(&ledger->lock);
	latch(ledger);
	memset(ledger->written, 0, ledger->pages * sizeof(*ledger->written));
	memset(ledger->reported, 0, ledger->pages * sizeof(*ledger->reported));
	__atomic_fetch_add(&ledger->cycle, 1, __ATOMIC_RELEASE);
	pthread_mutex_unlock(&ledger->lock);
}

void ledger_stopping(struct ledger *ledger)
{
	pthread_mutex_lock(&ledger->lock);
	__atomic_fetch_add(&ledger->cycle, 1, __ATOMIC_RELEASE);
	pthread_mutex_unlock(&ledger->lock);
}

bool ledger_begin(struct ledger *ledger, struct ledger_reader *reader, uint64_t first,
		  uint64_t pages)
{
	bool on;

	pthread_mutex_lock(&ledger->lock);
	on = ledger_tracking(ledger);
	if (on) {
		latch(ledger);
		reader->first = first;
		reader->pages = pages;
		reader->cycle = ledger->cycle;
		reader->failures = ledger->failures;
		memcpy(reader->before, ledger->written + first, pages * sizeof(*reader->before));
		__atomic_fetch_add(&reader->turn, 1, __ATOMIC_RELEASE);
	}
	pthread_mutex_unlock(&ledger->lock);
	return on;
}

/* Enters what a report, or a clear, answers for. */
static void enter(struct ledger *ledger, struct ledger_reader *reader, const uint64_t *bits)
{
	pthread_mutex_lock(&ledger->lock);
	latch(ledger);
	for (uint64_t i = 0; bits && i < reader->pages; i += WORD_BITS) {
		for (uint64_t word = bits[i / WORD_BITS]; word; word &= word - 1) {
			uint64_t page = i + __builtin_ctzll(word);

			if (page < reader->pages)
				ledger->reported[reader->first + page] = ledger->now;
		}
	}
	__atomic_fetch_add(&reader->turn, 1, __ATOMIC_RELEASE);
	pthread_mutex_unlock(&ledger->lock);
}

static bool has(const uint64_t *bitmap, uint64_t bit)
{
	return bitmap[bit / WORD_BITS] >> bit % WORD_BITS & 1;
}

static void judge(struct ledger *ledger, struct ledger_reader *reader, const uint64_t *report)
{
	for (uint64_t i = 0; i < reader->pages; i++) {
		uint64_t page = reader->first + i;

		if (!reader->before[i])
			continue;
		if (has(report, i) || ledger->reported[page] >= reader->before[i]) {
			ledger->answered++;
			continue;
		}
		if (ledger->missed < LEDGER_LISTED)
			ledger->missed_list[ledger->missed] = page;
		ledger->missed++;
		/* Once is enough. */
		ledger->reported[page] = reader->before[i];
	}
}

void ledger_end(struct ledger *ledger, struct ledger_reader *reader, const uint64_t *report,
		bool kept)
{
	if (!report)
		__atomic_fetch_add(&ledger->failures, 1, __ATOMIC_RELEASE);
	enter(ledger, reader, kept ? NULL : report);
	if (!report)
		return;
	wait_for_others(ledger, reader);
	pthread_mutex_lock(&ledger->lock);
	if (reader->cycle == ledger->cycle && reader->failures == ledger->failures) {
		ledger->judged++;
		judge(ledger, reader, report);
	} else {
		ledger->void_reports++;
	}
	pthread_mutex_unlock(&ledger->lock);
}

void ledger_end_clear(struct ledger *ledger, struct ledger_reader *reader, const uint64_t *named)
{
	enter(ledger, reader, named);
}
