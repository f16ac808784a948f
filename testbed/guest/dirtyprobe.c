// SPDX-License-Identifier: GPL-2.0-only
/*
 * dirtyprobe: checks the rules of dirty tracking on a running kernel, with real DMA. Every check
 * has its own IOVA space and memory and prints one line, "ok NAME", "ok NAME # SKIP why" or
 * "not ok NAME: why". It measures nothing and is no load test.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/iommufd.h>

#include "generator.h"
#include "iommu.h"
#include "knobs.h"
#include "memory.h"
#include "probe.h"
#include "runtime.h"

#define IOVA			UINT64_C(0x4000000000)
#define PAGES_2M		512
#define PAGES_1G		262144
#define BITMAP_WORDS(pages)	(((pages) + 63) / 64)

static const char *device = "/dev/vfio/devices/vfio0";
static bool unsplit;	/* this IOMMU cannot split (BBML 0): blocks have to be kept */
static int bbml = -1;	/* the level it was given, -1 = not told */

/* The device, an IOVA space, memory mapped at IOVA. */
struct bench {
	struct iommu iommu;
	struct generator gen;
	struct iommu_space space;
	struct memory mem;
};

#define BENCH_EMPTY	{ .iommu = IOMMU_CLOSED }
#define __cleanup_bench	__attribute__((cleanup(bench_close)))

static void bench_close(struct bench *b)
{
	generator_close(&b->gen);
	iommu_space_destroy(&b->space);
	iommu_close(&b->iommu);
	memory_destroy(&b->mem);
	knobs_restore();
}

/* Opens the device and takes 'bytes' of memory; nothing is mapped. False with a reason. */
static bool bench_prepare(struct bench *b, uint64_t bytes, uint64_t block)
{
	if (iommu_open(&b->iommu, device) || generator_open(&b->gen, &b->iommu) ||
	    memory_create(&b->mem, bytes, block) ||
	    iommu_space_create(&b->space, &b->iommu, block == SZ_4K)) {
		because(FAIL, "%s", problem_text());
		return false;
	}
	return true;
}

/* The same, with all memory mapped at IOVA and tracking on. */
static bool bench_open(struct bench *b, uint64_t bytes, uint64_t block)
{
	if (!bench_prepare(b, bytes, block))
		return false;
	if (iommu_space_map(&b->space, b->mem.va, IOVA, bytes) ||
	    iommu_space_track(&b->space, true)) {
		because(FAIL, "%s", problem_text());
		return false;
	}
	return true;
}

static bool ask_split(const char *mode, uint64_t granularity)
{
	if (!knobs_exist()) {
		because(SKIP, "this kernel has no split knobs");
		return false;
	}
	if (knobs_set(mode, granularity)) {
		because(SKIP, "%s", problem_text());
		return false;
	}
	return true;
}

/* One write of 8 bytes into the page at IOVA + page * 4K, done on return. */
static void dma_write(struct bench *b, uint64_t page)
{
	struct dma_slot slot = {
		.base = IOVA + page * SZ_4K + 64,
		.length = 8,
		.op_bytes = 8,
		.pattern = DMAGEN_OP_STRIDE,
		.count = 1,
	};

	generator_set_slot(&b->gen, 0, &slot);
	generator_ring(&b->gen, 1);
}

/* Random writes of 8 bytes over 'bytes' from IOVA on, 20 every 200 us, until generator_stop(). */
static void dma_run(struct bench *b, uint64_t bytes, uint64_t seed)
{
	struct dma_slot slot = {
		.base = IOVA,
		.length = bytes,
		.op_bytes = 8,
		.pattern = DMAGEN_OP_RANDOM,
		.seed = seed,
	};

	generator_set_slot(&b->gen, 1, &slot);
	generator_run(&b->gen, 1 << 1, 20, 200);
}

static uint64_t count(const uint64_t *bitmap, uint64_t from, uint64_t to)
{
	uint64_t n = 0;

	for (; from < to && from % 64; from++)
		n += has(bitmap, from);
	for (; from + 64 <= to; from += 64)
		n += __builtin_popcountll(bitmap[from / 64]);
	for (; from < to; from++)
		n += has(bitmap, from);
	return n;
}

/* Zeroes 'bitmap' and reads 'pages' pages from page 'first' on into it. 0 or -errno. */
static int sync_pages(struct bench *b, uint64_t first, uint64_t pages, uint64_t *bitmap)
{
	memset(bitmap, 0, BITMAP_WORDS(pages) * 8);
	return iommu_space_sync(&b->space, IOVA + first * SZ_4K, pages * SZ_4K, false, bitmap);
}

/* ---- checks ---- */

/* Writes a page and syncs, 'rounds' times. */
static enum outcome write_is_reported(uint64_t block, int rounds)
{
	__cleanup_bench struct bench b = BENCH_EMPTY;
	uint64_t bitmap[BITMAP_WORDS(PAGES_2M)];

	if (!bench_open(&b, SZ_2M, block))
		return FAIL;
	for (int round = 1; round <= rounds; round++) {
		int err;

		dma_write(&b, 5);
		err = sync_pages(&b, 0, PAGES_2M, bitmap);
		if (err)
			return because(FAIL, "sync %d: %s", round, strerror(-err));
		if (!has(bitmap, 5))
			return because(FAIL, "%s leaf: write %d to the same page is not in sync %d",
				       block == SZ_4K ? "4K" : "2M", round, round);
	}
	return PASS;
}

/* A page written again after a clear is reported again. */
static enum outcome lost_after_clear(void)
{
	enum outcome outcome = write_is_reported(SZ_2M, 4);

	return outcome == PASS ? write_is_reported(SZ_4K, 4) : outcome;
}

/* A clean memory reports nothing, a DMA read dirties nothing, NO_CLEAR keeps. */
static enum outcome clean_stays_clean(void)
{
	__cleanup_bench struct bench b = BENCH_EMPTY;
	uint64_t bitmap[BITMAP_WORDS(PAGES_2M)] = { 0 };
	struct dma_slot slot = {
		.base = IOVA,
		.length = SZ_2M,
		.op_bytes = 64,
		.pattern = DMAGEN_OP_STRIDE | DMAGEN_OP_READ,
		.stride = SZ_4K,
		.count = PAGES_2M,
	};

	if (!bench_open(&b, SZ_2M, SZ_2M))
		return FAIL;
	generator_set_slot(&b.gen, 0, &slot);
	generator_ring(&b.gen, 1);
	if (sync_pages(&b, 0, PAGES_2M, bitmap))
		return because(FAIL, "sync failed");
	if (count(bitmap, 0, PAGES_2M))
		return because(FAIL, "%" PRIu64 " pages reported after DMA reads only",
			       count(bitmap, 0, PAGES_2M));
	dma_write(&b, 7);
	if (iommu_space_sync(&b.space, IOVA, SZ_2M, true, bitmap) || !has(bitmap, 7))
		return because(FAIL, "a NO_CLEAR sync does not report the written page");
	if (sync_pages(&b, 0, PAGES_2M, bitmap) || !has(bitmap, 7))
		return because(FAIL, "a NO_CLEAR sync has cleared the written page");
	return PASS;
}

/* A part of four blocks that is synced, and pages of one block that are written before. */
struct part {
	uint64_t first, pages;
	uint64_t written;	/* its block is what may be reported */
	uint64_t outside;	/* a written page of the same block outside the part, 0 = none */
};

static enum outcome check_bits(const struct part *part, const uint64_t *bitmap, size_t bits)
{
	uint64_t block = part->written / PAGES_2M * PAGES_2M, last = block + PAGES_2M - 1;

	for (uint64_t i = 0; i < bits; i++) {
		if (!has(bitmap, i))
			continue;
		if (i >= part->pages)
			return because(FAIL, "sync of pages %" PRIu64 "+%" PRIu64 " set bit %" PRIu64 ", beyond the request",
				       part->first, part->pages, i);
		if (part->first + i < block || part->first + i > last)
			return because(FAIL, "sync of pages %" PRIu64 "+%" PRIu64 " reports page %" PRIu64 ", but only block %" PRIu64 "..%" PRIu64 " is dirty",
				       part->first, part->pages, part->first + i, block, last);
	}
	return PASS;
}

static enum outcome sync_part(struct bench *b, const struct part *part)
{
	uint64_t bitmap[BITMAP_WORDS(4 * PAGES_2M)] = { 0 };
	uint64_t at = part->written - part->first;
	enum outcome outcome;
	int err;

	dma_write(b, part->written);
	if (part->outside)
		dma_write(b, part->outside);
	/* All of 'bitmap' beyond the request is the canary. */
	err = iommu_space_sync(&b->space, IOVA + part->first * SZ_4K, part->pages * SZ_4K, false,
			       bitmap);
	if (err)
		return because(FAIL, "sync of pages %" PRIu64 "+%" PRIu64 ": %s", part->first,
			       part->pages, strerror(-err));
	outcome = check_bits(part, bitmap, ARRAY_SIZE(bitmap) * 64);
	if (outcome != PASS)
		return outcome;
	if (at < part->pages && !has(bitmap, at))
		return because(FAIL, "sync of pages %" PRIu64 "+%" PRIu64 " does not report written page %" PRIu64,
			       part->first, part->pages, part->written);
	err = sync_pages(b, 0, 4 * PAGES_2M, bitmap);
	if (err)
		return because(FAIL, "whole sync: %s", strerror(-err));
	if ((at >= part->pages && !has(bitmap, part->written)) ||
	    (part->outside && !has(bitmap, part->outside)))
		return because(FAIL, "after a sync of pages %" PRIu64 "+%" PRIu64 " a written page outside it is lost",
			       part->first, part->pages);
	return PASS;
}

/* A sync of a part of a block: right range, nothing outside, the rest still dirty. */
static enum outcome partial_sync(void)
{
	static const struct part parts[] = {
		{ 5, 1, 100, 0 },		/* one page of a block, another is dirty */
		{ 100, 1, 100, 300 },		/* one dirty page of two */
		{ 256, 1536, 700, 0 },		/* from mid block, over the whole dirty block */
		{ 0, 768, 1000, 0 },		/* ends inside the dirty block, before the page */
		{ 0, 768, 600, 900 },		/* the same, a page on each side */
		{ 768, 768, 600, 0 },		/* begins inside it, after the page */
		{ 600, 64, 1023, 0 },		/* wholly inside it */
		{ 0, 513, 1023, 0 },		/* only its first page */
		{ 1023, 513, 512, 0 },		/* its last page, and all of the next block */
	};

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		__cleanup_bench struct bench b = BENCH_EMPTY;
		enum outcome outcome;

		if (!bench_open(&b, 4 * SZ_2M, SZ_2M))
			return FAIL;
		outcome = sync_part(&b, &parts[i]);
		if (outcome != PASS)
			return outcome;
	}
	return PASS;
}

/* After a sync failed with EFAULT a repeated one reports every written page. */
static enum outcome efault_then_retry(void)
{
	__cleanup_bench struct bench b = BENCH_EMPTY;
	uint64_t pages = 4 * PAGES_2M, bitmap[BITMAP_WORDS(4 * PAGES_2M)];
	uint8_t *two;
	int err;

	if (!bench_open(&b, 4 * SZ_2M, SZ_2M))
		return FAIL;
	for (uint64_t block = 0; block < 4; block++)
		dma_write(&b, block * PAGES_2M + 17);
	/* The bits of the first block lie in the writable page, the rest in the other one. */
	two = mmap(NULL, 2 * SZ_4K, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (two == MAP_FAILED || mprotect(two + SZ_4K, SZ_4K, PROT_NONE))
		return because(FAIL, "no memory for the bitmap");
	err = iommu_space_sync(&b.space, IOVA, pages * SZ_4K, false, two + SZ_4K - PAGES_2M / 8);
	munmap(two, 2 * SZ_4K);
	if (!err)
		return because(FAIL, "a sync into a bitmap that cannot be written returned success");
	err = sync_pages(&b, 0, pages, bitmap);
	if (err)
		return because(FAIL, "repeated sync: %s", strerror(-err));
	for (uint64_t block = 0; block < 4; block++)
		if (!has(bitmap, block * PAGES_2M + 17))
			return because(FAIL, "after EFAULT the repeated sync misses page %" PRIu64,
				       block * PAGES_2M + 17);
	return PASS;
}

/* After a sync over a hole failed, syncs of both sides report every written page. */
static enum outcome hole_then_retry(void)
{
	__cleanup_bench struct bench b = BENCH_EMPTY;
	uint64_t bitmap[BITMAP_WORDS(4 * PAGES_2M)];
	uint64_t left = 2 * PAGES_2M, right = 3 * PAGES_2M;
	int err;

	if (!bench_prepare(&b, 4 * SZ_2M, SZ_2M))
		return FAIL;
	if (iommu_space_map(&b.space, b.mem.va, IOVA, 2 * SZ_2M) ||
	    iommu_space_map(&b.space, b.mem.va + 3 * SZ_2M, IOVA + 3 * SZ_2M, SZ_2M) ||
	    iommu_space_track(&b.space, true))
		return because(FAIL, "%s", problem_text());
	dma_write(&b, 3);
	dma_write(&b, PAGES_2M + 3);
	dma_write(&b, right + 3);
	if (!sync_pages(&b, 0, 4 * PAGES_2M, bitmap))
		return because(FAIL, "a sync over an unmapped hole returned success");
	err = sync_pages(&b, 0, left, bitmap);
	if (err || !has(bitmap, 3) || !has(bitmap, PAGES_2M + 3))
		return because(FAIL, "before the hole the repeated sync (%s) misses a written page",
			       strerror(-err));
	err = sync_pages(&b, right, PAGES_2M, bitmap);
	if (err || !has(bitmap, 3))
		return because(FAIL, "behind the hole the repeated sync (%s) misses a written page",
			       strerror(-err));
	return PASS;
}

/* ---- concurrent syncs ---- */

#define CONCURRENT_BLOCKS	16
#define CONCURRENT_ROUNDS	40
#define CONCURRENT_SYNCS	4
#define CONCURRENT_PAGES	(CONCURRENT_BLOCKS * PAGES_2M)
#define CONCURRENT_WORDS	BITMAP_WORDS(CONCURRENT_PAGES)

struct syncer {
	struct bench *b;
	pthread_barrier_t *barrier;
	uint64_t sum[CONCURRENT_WORDS];
	int err;
};

static void *sync_often(void *arg)
{
	struct syncer *s = arg;
	uint64_t bitmap[CONCURRENT_WORDS];

	pthread_barrier_wait(s->barrier);
	for (int i = 0; i < CONCURRENT_SYNCS && !s->err; i++) {
		s->err = sync_pages(s->b, 0, CONCURRENT_PAGES, bitmap);
		for (size_t w = 0; w < CONCURRENT_WORDS; w++)
			s->sum[w] |= bitmap[w];
	}
	return NULL;
}

static enum outcome concurrent_round(struct bench *b, int round)
{
	static struct syncer syncers[2];
	uint64_t last[CONCURRENT_WORDS];
	pthread_barrier_t barrier;
	pthread_t threads[2];

	pthread_barrier_init(&barrier, NULL, 3);
	generator_set(&b->gen, DMAGEN_LATCH, 1);
	dma_run(b, CONCURRENT_BLOCKS * SZ_2M, round + 1);
	for (int i = 0; i < 2; i++) {
		syncers[i] = (struct syncer){ .b = b, .barrier = &barrier };
		pthread_create(&threads[i], NULL, sync_often, &syncers[i]);
	}
	pthread_barrier_wait(&barrier);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	usleep(2000);
	generator_stop(&b->gen);
	pthread_barrier_destroy(&barrier);
	generator_set(&b->gen, DMAGEN_LATCH, 1);
	if (syncers[0].err || syncers[1].err)
		return because(FAIL, "a sync failed: %s",
			       strerror(-(syncers[0].err ? syncers[0].err : syncers[1].err)));
	if (sync_pages(b, 0, CONCURRENT_PAGES, last))
		return because(FAIL, "the last sync failed");
	if (!generator_get(&b->gen, DMAGEN_LATCHED_PAGES))
		return because(FAIL, "round %d: the device wrote nothing", round);
	for (size_t w = 0; w < CONCURRENT_WORDS; w++) {
		uint64_t lost = b->gen.truth[w] &
				~(last[w] | syncers[0].sum[w] | syncers[1].sum[w]);

		if (lost)
			return because(FAIL, "round %d: page %zu was written and is in no report",
				       round, w * 64 + __builtin_ctzll(lost));
	}
	return PASS;
}

/*
 * Two threads sync the same range while DMA goes on. Every round starts clean, so each written
 * page has to be in at least one report of its round.
 */
static enum outcome concurrent_on(uint64_t block)
{
	__cleanup_bench struct bench b = BENCH_EMPTY;
	uint64_t bitmap[CONCURRENT_WORDS];
	enum outcome outcome = PASS;

	if (!bench_open(&b, CONCURRENT_BLOCKS * SZ_2M, block))
		return FAIL;
	generator_set(&b.gen, DMAGEN_TRUTH_BASE, IOVA);
	sync_pages(&b, 0, CONCURRENT_PAGES, bitmap);
	for (int round = 0; outcome == PASS && round < CONCURRENT_ROUNDS; round++)
		outcome = concurrent_round(&b, round);
	return outcome;
}

static enum outcome concurrent_syncs(void)
{
	enum outcome outcome;

	if (knobs_exist() && knobs_set("off", 0))
		return because(FAIL, "%s", problem_text());
	outcome = concurrent_on(SZ_2M);
	if (outcome == PASS)
		outcome = concurrent_on(SZ_4K);
	for (int lazy = 0; outcome == PASS && knobs_exist() && lazy < 2; lazy++) {
		if (!ask_split(lazy ? "lazy" : "eager", SZ_4K))
			return FAIL;
		outcome = concurrent_on(SZ_2M);
	}
	return outcome;
}

/* ---- splitting under DMA ---- */

#define SPLIT_ROUNDS	3
#define SPLIT_SYNCS	4

/* One start of tracking and some syncs while the device writes as fast as it can. */
static enum outcome split_busy(const char *mode, uint64_t block, uint64_t bytes, int round)
{
	__cleanup_bench struct bench b = BENCH_EMPTY;
	__cleanup_free uint64_t *bitmap = calloc(1, bytes / SZ_4K / 8);
	const char *size = block == SZ_1G ? "1G" : "2M";
	uint64_t conflicts, failed;

	if (!bitmap)
		return because(FAIL, "no memory");
	if (!ask_split(mode, SZ_4K))
		return SKIP;
	if (!bench_prepare(&b, bytes, block))
		return FAIL;
	if (iommu_space_map(&b.space, b.mem.va, IOVA, bytes))
		return because(FAIL, "%s", problem_text());
	conflicts = generator_get(&b.gen, DMAGEN_SMMU_TLB_CONFLICTS);
	dma_run(&b, bytes, round + 1);
	generator_run(&b.gen, 1 << 1, 100, 50);
	usleep(5000);
	if (iommu_space_track(&b.space, true))
		return because(FAIL, "%s", problem_text());
	for (int i = 0; i < SPLIT_SYNCS; i++) {
		usleep(2000);
		if (sync_pages(&b, 0, bytes / SZ_4K, bitmap))
			return because(FAIL, "%s %s: a sync failed", size, mode);
	}
	generator_stop(&b.gen);
	conflicts = generator_get(&b.gen, DMAGEN_SMMU_TLB_CONFLICTS) - conflicts;
	failed = generator_get(&b.gen, DMAGEN_FAILED);
	if (failed || conflicts)
		return because(FAIL, "%s %s: %" PRIu64 " DMA writes failed, %" PRIu64 " TLB conflicts",
			       size, mode, failed, conflicts);
	return PASS;
}

/* Splitting disturbs no DMA: nothing fails, no two TLB entries fight. */
static enum outcome split_under_dma(void)
{
	enum outcome outcome = PASS;

	for (int round = 0; outcome == PASS && round < SPLIT_ROUNDS; round++) {
		outcome = split_busy("eager", SZ_2M, 16 * SZ_2M, round);
		if (outcome == PASS)
			outcome = split_busy("lazy", SZ_2M, 16 * SZ_2M, round);
		if (outcome == PASS)
			outcome = split_busy("eager", SZ_1G, SZ_1G, round);
		if (outcome == PASS)
			outcome = split_busy("lazy", SZ_1G, SZ_1G, round);
	}
	return outcome;
}

/* ---- unmapping what was split ---- */

static enum outcome unmap_after(const char *mode, uint64_t block)
{
	__cleanup_bench struct bench b = BENCH_EMPTY;
	const char *size = block == SZ_1G ? "1G" : "2M";
	enum outcome outcome = PASS;
	uint64_t before, failed, *word;
	__cleanup_free uint64_t *bitmap = NULL;
	struct memory other;
	int err;

	if (!ask_split(mode, SZ_4K))
		return SKIP;
	if (!bench_open(&b, block, block))
		return FAIL;
	bitmap = calloc(1, block / SZ_4K / 8);
	if (!bitmap)
		return because(FAIL, "no memory");
	dma_run(&b, block, 1);
	/* DMA and syncs before: translations and table descriptors are cached, levels are split. */
	for (int i = 0; i < 3; i++) {
		usleep(10000);
		err = sync_pages(&b, 0, block / SZ_4K, bitmap);
		if (err)
			return because(FAIL, "%s %s: sync: %s", size, mode, strerror(-err));
	}
	dma_write(&b, 9);
	word = (uint64_t *)(b.mem.va + 9 * SZ_4K + 64);
	if (iommu_space_unmap(&b.space, IOVA, block))
		return because(FAIL, "%s", problem_text());
	generator_stop(&b.gen);
	before = *word;
	failed = generator_get(&b.gen, DMAGEN_FAILED);
	dma_write(&b, 9);
	if (generator_get(&b.gen, DMAGEN_FAILED) != failed + 1)
		return because(FAIL, "%s %s: a DMA write after the unmap did not fail", size, mode);
	if (*word != before)
		return because(FAIL, "%s %s: a DMA write after the unmap changed memory", size,
			       mode);
	if (memory_create(&other, 2 * SZ_2M, SZ_2M))
		return because(FAIL, "%s", problem_text());
	err = iommu_space_map(&b.space, other.va, IOVA, 2 * SZ_2M);
	if (!err)
		dma_write(&b, 9);
	word = (uint64_t *)(other.va + 9 * SZ_4K + 64);
	if (err || !*word || *(uint64_t *)(b.mem.va + 9 * SZ_4K + 64) != before)
		outcome = because(FAIL, "%s %s: DMA after mapping other memory there %s", size, mode,
				  err ? "is impossible" : *word ? "changed the old memory too" :
				  "did not reach it");
	iommu_space_unmap(&b.space, IOVA, 2 * SZ_2M);
	memory_destroy(&other);
	return outcome;
}

/* DMA after the unmap of a split area fails and changes nothing; new mappings work. */
static enum outcome unmap_after_split(void)
{
	static const char * const modes[] = { "eager", "lazy" };
	static const uint64_t blocks[] = { SZ_2M, SZ_1G };
	enum outcome outcome = PASS;

	for (size_t i = 0; outcome == PASS && i < 4; i++)
		outcome = unmap_after(modes[i / 2], blocks[i % 2]);
	return outcome;
}

static enum outcome pages_return(const char *mode, uint64_t block)
{
	const char *size = block == SZ_1G ? "1G" : "2M";
	__cleanup_free uint64_t *bitmap = calloc(1, block / SZ_4K / 8);
	long before = memory_free_huge_pages(block), after;

	if (!ask_split(mode, SZ_4K))
		return SKIP;
	if (!bitmap)
		return because(FAIL, "no memory");
	for (int i = 0; i < 2; i++) {
		__cleanup_bench struct bench b = BENCH_EMPTY;

		if (i)	/* closing the first bench has restored the knobs */
			ask_split(mode, SZ_4K);
		if (!bench_open(&b, block, block))
			return FAIL;
		for (int writes = 0; writes < 3; writes++) {
			dma_write(&b, 9);
			sync_pages(&b, 0, block / SZ_4K, bitmap);
		}
		/* Once by an explicit unmap, once by destroying everything at the end. */
		if (!i && iommu_space_unmap(&b.space, IOVA, block))
			return because(FAIL, "%s", problem_text());
	}
	after = memory_free_huge_pages(block);
	if (after != before)
		return because(FAIL, "%s %s: %ld huge pages were free before, %ld after", size,
			       mode, before, after);
	return PASS;
}

/* All huge pages of a split area come back: the kernel unpinned exactly what it had pinned. */
static enum outcome page_accounting(void)
{
	static const char * const modes[] = { "eager", "lazy" };
	static const uint64_t blocks[] = { SZ_2M, SZ_1G };
	enum outcome outcome = PASS;

	for (size_t i = 0; outcome == PASS && i < 4; i++)
		outcome = pages_return(modes[i / 2], blocks[i % 2]);
	return outcome;
}

/* ---- killing ---- */

#define KILL_BYTES	SZ_1G
#define KILL_LIMIT_NS	(10 * NSEC_PER_SEC)	/* emulation on a busy machine included */

/* Child: syncs 1 GiB of 4K leaves, over and over, until it is killed. */
static void sync_forever(int ready)
{
	struct bench b = BENCH_EMPTY;
	uint64_t *bitmap = calloc(1, KILL_BYTES / SZ_4K / 8);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!bitmap || !bench_prepare(&b, KILL_BYTES, SZ_1G))
		_exit(1);
	iommu_space_destroy(&b.space);
	if (iommu_space_create(&b.space, &b.iommu, true) ||
	    iommu_space_map(&b.space, b.mem.va, IOVA, KILL_BYTES) ||
	    iommu_space_track(&b.space, true))
		_exit(1);
	dma_run(&b, KILL_BYTES, 1);
	if (write(ready, "r", 1) != 1)
		_exit(1);
	while (!sync_pages(&b, 0, KILL_BYTES / SZ_4K, bitmap))
		;
	_exit(1);
}

/* A process killed inside a sync ends promptly; the device and the memory are free again. */
static enum outcome kill_during_sync(void)
{
	long before = memory_free_huge_pages(SZ_1G), after;
	uint64_t start, took;
	int ready[2], status;
	char c;
	pid_t child;

	if (pipe(ready))
		return because(FAIL, "no pipe");
	child = fork();
	if (!child) {
		close(ready[0]);
		sync_forever(ready[1]);
	}
	close(ready[1]);
	if (read(ready[0], &c, 1) != 1) {
		close(ready[0]);
		waitpid(child, NULL, 0);
		return because(FAIL, "the syncing process could not start");
	}
	close(ready[0]);
	usleep(100000);
	start = clock_ns();
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	took = clock_ns() - start;
	if (!WIFSIGNALED(status))
		return because(FAIL, "the syncing process ended by itself");
	if (took > KILL_LIMIT_NS)
		return because(FAIL, "it took %" PRIu64 " ms to die", took / NSEC_PER_MSEC);
	/* Files and mappings of a killed process may be released a moment later. */
	for (int i = 0; i < 100; i++) {
		after = memory_free_huge_pages(SZ_1G);
		if (after == before)
			break;
		usleep(50000);
	}
	if (after != before)
		return because(FAIL, "%ld 1G pages were free before, %ld after", before, after);
	return write_is_reported(SZ_2M, 1);
}

/* ---- others, meanwhile ---- */

#define LONG_WALK_ALIASES	128	/* 64 MiB of 4K pages each: 8 GiB in a row */
#define LONG_WALK_PART		(32 * SZ_2M)
#define LONG_WALK_BYTES		(LONG_WALK_ALIASES * LONG_WALK_PART)
#define LONG_WALK_TRIES		15
#define LONG_WALK_LIMIT		65	/* %; an eighth of the walk and a wait for a processor are a third to a half */

struct walker {
	struct bench *b;
	uint64_t *bitmap;	/* of a sync; NULL: starts tracking */
	pthread_barrier_t barrier;
	uint64_t took_ns;
	atomic_bool ended;
	int err;
};

static void *walk_once(void *arg)
{
	struct walker *w = arg;
	uint64_t begin;

	pthread_barrier_wait(&w->barrier);
	begin = clock_ns();
	w->err = w->bitmap ? iommu_space_sync(&w->b->space, IOVA, LONG_WALK_BYTES, false, w->bitmap) :
			     iommu_space_track(&w->b->space, true);
	w->took_ns = clock_ns() - begin;
	w->ended = true;
	return NULL;
}

/*
 * Maps and unmaps a page without a pause while the other thread walks. Percents of the walk that the longest of them
 * took; nearly all if it had to wait for the end. Negative: -errno.
 */
static int longest_wait(struct walker *w)
{
	uint64_t longest = 0;
	pthread_t thread;
	int err = 0;

	w->ended = false;
	pthread_barrier_init(&w->barrier, NULL, 2);
	pthread_create(&thread, NULL, walk_once, w);
	pthread_barrier_wait(&w->barrier);
	while (!w->ended && !err) {
		uint64_t begin = clock_ns(), took;

		err = iommu_space_map(&w->b->space, w->b->mem.va, IOVA + 2 * LONG_WALK_BYTES, SZ_4K);
		err = err ? err : iommu_space_unmap(&w->b->space, IOVA + 2 * LONG_WALK_BYTES, SZ_4K);
		took = clock_ns() - begin;
		longest = took > longest ? took : longest;
	}
	pthread_join(thread, NULL);
	pthread_barrier_destroy(&w->barrier);
	err = err ? err : w->err;
	return err ? err : (int)(longest * 100 / w->took_ns);
}

static int by_value(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

/* Others map and unmap in the middle of a long sync, and of the walk that starts tracking. */
static enum outcome map_during_walk(void)
{
	__cleanup_bench struct bench b = BENCH_EMPTY;
	__cleanup_free uint64_t *bitmap = calloc(1, LONG_WALK_BYTES / SZ_4K / 8);

	if (!bitmap)
		return because(FAIL, "no memory");
	if (!knobs_exist())
		return because(SKIP, "this kernel has no split knobs");
	if (!bench_prepare(&b, LONG_WALK_PART, SZ_4K))
		return FAIL;
	for (uint64_t at = 0; at < LONG_WALK_BYTES; at += LONG_WALK_PART)
		if (iommu_space_map(&b.space, b.mem.va, IOVA + at, LONG_WALK_PART))
			return because(FAIL, "%s", problem_text());
	for (int start = 0; start <= 1; start++) {
		struct walker w = { .b = &b, .bitmap = start ? NULL : bitmap };
		const char *what = start ? "start" : "sync";
		int waits[LONG_WALK_TRIES];

		for (int i = 0; i < LONG_WALK_TRIES; i++) {
			waits[i] = longest_wait(&w);
			if (waits[i] < 0)
				return because(FAIL, "a %s: %s", what, strerror(-waits[i]));
		}
		/* The median: the host may halt either thread at any time. */
		qsort(waits, LONG_WALK_TRIES, sizeof(waits[0]), by_value);
		if (waits[LONG_WALK_TRIES / 2] > LONG_WALK_LIMIT)
			return because(FAIL, "a map during a %s waits for %d %% of it (%" PRIu64 " us)", what,
				       waits[LONG_WALK_TRIES / 2], w.took_ns / 1000);
	}
	return PASS;
}

/* ---- levels ---- */

/*
 * Lazy split of 1G to 4K takes one level per sync: 1 GiB, 2 MiB, 4 KiB are reported. Where no
 * split is possible it is 1 GiB every time.
 */
static enum outcome split_levels(void)
{
	static const uint64_t expected[] = { PAGES_1G, PAGES_2M, 1, 1 };
	__cleanup_bench struct bench b = BENCH_EMPTY;
	__cleanup_free uint64_t *bitmap = calloc(1, PAGES_1G / 8);

	if (!bitmap)
		return because(FAIL, "no memory");
	if (!ask_split("lazy", SZ_4K))
		return SKIP;
	if (!bench_open(&b, SZ_1G, SZ_1G))
		return FAIL;
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		uint64_t pages, want = unsplit ? PAGES_1G : expected[i];

		dma_write(&b, 1234);
		if (sync_pages(&b, 0, PAGES_1G, bitmap))
			return because(FAIL, "sync %zu failed", i + 1);
		pages = count(bitmap, 0, PAGES_1G);
		if (pages != want || !has(bitmap, 1234))
			return because(FAIL, "sync %zu reports %" PRIu64 " pages%s, %" PRIu64 " expected",
				       i + 1, pages,
				       has(bitmap, 1234) ? "" : " without the written one", want);
	}
	return PASS;
}

static enum outcome eager_reports(uint64_t block, uint64_t granularity)
{
	__cleanup_bench struct bench b = BENCH_EMPTY;
	__cleanup_free uint64_t *bitmap = calloc(1, block / SZ_4K / 8);
	uint64_t pages, want = (unsplit ? block : granularity) / SZ_4K;

	if (!bitmap)
		return because(FAIL, "no memory");
	if (!ask_split("eager", granularity))
		return SKIP;
	if (!bench_open(&b, block, block))
		return FAIL;
	for (int i = 0; i < 3; i++) {
		dma_write(&b, 77);
		if (sync_pages(&b, 0, block / SZ_4K, bitmap))
			return because(FAIL, "sync failed");
		pages = count(bitmap, 0, block / SZ_4K);
		if (pages != want || !has(bitmap, 77))
			return because(FAIL, "block of %" PRIu64 "M at granularity %" PRIu64 "K: %" PRIu64 " pages reported, %" PRIu64 " expected",
				       block >> 20, granularity >> 10, pages, want);
	}
	return PASS;
}

/*
 * Eager split: from the first sync on exactly one leaf of the wanted size is reported; where no
 * split is possible, the block.
 */
static enum outcome eager_granularity(void)
{
	enum outcome outcome = eager_reports(SZ_2M, SZ_4K);

	if (outcome == PASS)
		outcome = eager_reports(SZ_1G, SZ_2M);
	if (outcome == PASS)
		outcome = eager_reports(SZ_1G, SZ_4K);
	return outcome;
}

/* ---- merging ---- */

#define MERGE_LIMIT_NS	(10 * NSEC_PER_SEC)

/* Waits until there are no more page tables than that: the merge that a stop began has ended. */
static bool tables_down_to(long pages)
{
	uint64_t start = clock_ns();

	while (table_pages() > pages) {
		if (clock_ns() - start > MERGE_LIMIT_NS)
			return false;
		usleep(20000);
	}
	return true;
}

/* Writes one page; how many the sync of the whole reports, 0 if not the one that was written. */
static uint64_t pages_for_one_write(struct bench *b, uint64_t bytes, uint64_t *bitmap)
{
	dma_write(b, 77);
	if (sync_pages(b, 0, bytes / SZ_4K, bitmap) || !has(bitmap, 77))
		return 0;
	return count(bitmap, 0, bytes / SZ_4K);
}

/* Stops tracking, waits for the merge, starts it as it was mapped. False with a reason. */
static bool merge_and_restart(struct bench *b, long tables)
{
	if (iommu_space_track(&b->space, false)) {
		because(FAIL, "%s", problem_text());
		return false;
	}
	if (tables_down_to(tables)) {
		if (!knobs_set("off", 0) && !iommu_space_track(&b->space, true))
			return true;
		because(FAIL, "%s", problem_text());
		return false;
	}
	because(FAIL, "%ld pages are page tables a while after tracking was stopped, %ld were before it was started",
		table_pages(), tables);
	return false;
}

static enum outcome merged_after(const char *mode, uint64_t block, uint64_t bytes)
{
	__cleanup_bench struct bench b = BENCH_EMPTY;
	__cleanup_free uint64_t *bitmap = calloc(1, bytes / SZ_4K / 8);
	const char *size = block == SZ_1G ? "1G" : "2M";
	uint64_t pages;
	long tables;

	if (!ask_split(mode, SZ_4K))
		return SKIP;
	if (!bitmap || !bench_prepare(&b, bytes, block))
		return FAIL;
	if (iommu_space_map(&b.space, b.mem.va, IOVA, bytes))
		return because(FAIL, "%s", problem_text());
	tables = table_pages();
	if (iommu_space_track(&b.space, true))
		return because(FAIL, "%s", problem_text());
	/* DMA all the while: translations of pages, and of their tables, are cached. */
	dma_run(&b, bytes, 5);
	for (int i = 0; i < 4; i++) {
		usleep(5000);
		if (sync_pages(&b, 0, bytes / SZ_4K, bitmap))
			return because(FAIL, "sync failed");
	}
	if (!unsplit && table_pages() <= tables)
		return because(FAIL, "%s %s: nothing was split", size, mode);
	if (!merge_and_restart(&b, tables))
		return FAIL;
	usleep(5000);
	generator_stop(&b.gen);
	if (generator_get(&b.gen, DMAGEN_FAILED) ||
	    generator_get(&b.gen, DMAGEN_SMMU_TLB_CONFLICTS))
		return because(FAIL, "%s %s: %" PRIu64 " DMA writes failed, %" PRIu64 " TLB conflicts",
			       size, mode, generator_get(&b.gen, DMAGEN_FAILED),
			       generator_get(&b.gen, DMAGEN_SMMU_TLB_CONFLICTS));
	if (sync_pages(&b, 0, bytes / SZ_4K, bitmap))
		return because(FAIL, "sync failed");
	pages = pages_for_one_write(&b, bytes, bitmap);
	if (pages != block / SZ_4K)
		return because(FAIL, "%s %s: after the merge %" PRIu64 " pages are reported for one write, %" PRIu64 " expected",
			       size, mode, pages, block / SZ_4K);
	return PASS;
}

/* When tracking stops, blocks are what they were before, under DMA and with all tables freed. */
static enum outcome merge_after_stop(void)
{
	static const char * const modes[] = { "eager", "lazy" };
	enum outcome outcome = PASS;

	for (size_t i = 0; outcome == PASS && i < ARRAY_SIZE(modes); i++) {
		outcome = merged_after(modes[i], SZ_2M, 16 * SZ_2M);
		if (outcome == PASS)
			outcome = merged_after(modes[i], SZ_1G, SZ_1G);
	}
	return outcome;
}

/* A merge makes no leaf larger than the one that was mapped. */
static enum outcome merge_not_beyond(void)
{
	__cleanup_bench struct bench b = BENCH_EMPTY;
	uint64_t pages, bitmap[BITMAP_WORDS(PAGES_2M)];

	if (!ask_split("eager", SZ_4K))
		return SKIP;
	/* Contiguous memory, in 4K leaves */
	if (iommu_open(&b.iommu, device) || generator_open(&b.gen, &b.iommu) ||
	    memory_create(&b.mem, SZ_2M, SZ_2M) || iommu_space_create(&b.space, &b.iommu, true) ||
	    iommu_space_map(&b.space, b.mem.va, IOVA, SZ_2M) || iommu_space_track(&b.space, true) ||
	    iommu_space_track(&b.space, false))
		return because(FAIL, "%s", problem_text());
	usleep(300000);
	if (knobs_set("off", 0) || iommu_space_track(&b.space, true))
		return because(FAIL, "%s", problem_text());
	pages = pages_for_one_write(&b, SZ_2M, bitmap);
	if (pages != 1)
		return because(FAIL, "%" PRIu64 " pages are reported for one write, though each was mapped by itself",
			       pages);
	return PASS;
}

/* A start of tracking ends the merge that the last stop began: nothing merges while it is on. */
static enum outcome restart_during_merge(void)
{
	__cleanup_bench struct bench b = BENCH_EMPTY;
	__cleanup_free uint64_t *bitmap = calloc(1, PAGES_1G / 8);
	const uint64_t part = 16 * SZ_1M, page = PAGES_1G - 77;

	if (unsplit)
		return because(SKIP, "this IOMMU cannot split");
	if (!ask_split("eager", SZ_4K))
		return SKIP;
	if (!bitmap || !bench_prepare(&b, SZ_1G, SZ_1G))
		return FAIL;
	/* A merge lets others in between two areas. Only the last one is looked at. */
	for (uint64_t at = 0; at < SZ_1G; at += part)
		if (iommu_space_map(&b.space, b.mem.va + at, IOVA + at, part))
			return because(FAIL, "%s", problem_text());
	if (iommu_space_track(&b.space, true))
		return because(FAIL, "%s", problem_text());
	for (int i = 0; i < 10; i++) {
		uint64_t pages;

		if (iommu_space_track(&b.space, false))
			return because(FAIL, "%s", problem_text());
		usleep(i * 100);
		if (iommu_space_track(&b.space, true))
			return because(FAIL, "%s", problem_text());
		usleep(100000);
		dma_write(&b, page);
		if (sync_pages(&b, 0, PAGES_1G, bitmap))
			return because(FAIL, "sync failed");
		pages = count(bitmap, 0, PAGES_1G);
		if (pages != 1 || !has(bitmap, page))
			return because(FAIL, "start %d: %" PRIu64 " pages are reported for one write, 1 expected",
				       i + 1, pages);
	}
	return PASS;
}

/*
 * Child: starts tracking of many blocks in its parent's domain, says "r" before and "s" after.
 */
static void start_once(struct bench *b, int fd)
{
	if (write(fd, "r", 1) != 1 || iommu_space_track(&b->space, true))
		_exit(1);
	_exit(write(fd, "s", 1) != 1);
}

#define ALIASES		128	/* the same memory, mapped that often */
#define ALIAS_BLOCKS	16
#define KILL_TRIES	5

/* Kills a process in the middle of its start of tracking. SKIP if that was over before. */
static enum outcome kill_a_start(struct bench *b, long tables)
{
	char text[2] = { 0 };
	int fds[2], status;
	uint64_t begin;
	pid_t child;

	if (pipe(fds))
		return because(FAIL, "no pipe");
	child = fork();
	if (!child) {
		close(fds[0]);
		start_once(b, fds[1]);
	}
	close(fds[1]);
	begin = clock_ns();
	if (read(fds[0], text, 1) == 1)
		while (table_pages() < tables + 16 && clock_ns() - begin < MERGE_LIMIT_NS)
			;
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	if (read(fds[0], text + 1, 1) != 1)
		text[1] = '\0';
	close(fds[0]);
	/* It may have been over before its process could say so. */
	if (text[1] == 's' || table_pages() >= tables + ALIASES * ALIAS_BLOCKS)
		return SKIP;
	if (text[0] == 'r' && WIFSIGNALED(status))
		return PASS;
	return because(FAIL, "tracking does not start in another process");
}

/*
 * A start of tracking that fails half way, since its process is killed, leaves no table behind;
 * neither does a domain of which the process is gone while tracking is on.
 */
static enum outcome merge_after_failed_start(void)
{
	__cleanup_bench struct bench b = BENCH_EMPTY;
	uint64_t pages, bitmap[BITMAP_WORDS(ALIAS_BLOCKS * PAGES_2M)];
	enum outcome killed = SKIP;
	long tables;

	if (unsplit)
		return because(SKIP, "this IOMMU cannot split");
	if (!ask_split("eager", SZ_4K))
		return SKIP;
	if (!bench_prepare(&b, ALIAS_BLOCKS * SZ_2M, SZ_2M))
		return FAIL;
	/* Each in a GiB of its own: a killed start ends between two tables of the upper level. */
	for (uint64_t i = 0; i < ALIASES; i++)
		if (iommu_space_map(&b.space, b.mem.va, IOVA + i * SZ_1G, ALIAS_BLOCKS * SZ_2M))
			return because(FAIL, "%s", problem_text());
	tables = table_pages();
	for (int i = 0; i < KILL_TRIES && killed == SKIP; i++) {
		killed = kill_a_start(&b, tables);
		if (killed == SKIP &&
		    (iommu_space_track(&b.space, false) || !tables_down_to(tables)))
			return because(FAIL, "a start of tracking that was not killed in time cannot be undone");
	}
	if (killed == FAIL)
		return FAIL;
	if (killed == SKIP)
		return because(SKIP, "no start of tracking could be killed before its end");
	if (!tables_down_to(tables))
		return because(FAIL, "%ld pages are page tables a while after a start of tracking was killed, %ld were before",
			       table_pages(), tables);
	if (knobs_set("off", 0) || iommu_space_track(&b.space, true))
		return because(FAIL, "%s", problem_text());
	pages = pages_for_one_write(&b, ALIAS_BLOCKS * SZ_2M, bitmap);
	if (pages != PAGES_2M)
		return because(FAIL, "after the merge %" PRIu64 " pages are reported for one write, %d expected",
			       pages, PAGES_2M);
	return PASS;
}

/* Child: tracks 1 GiB in pages, and is gone without an end of tracking. */
static void track_and_exit(int fd)
{
	struct bench b = BENCH_EMPTY;

	if (!bench_open(&b, SZ_1G, SZ_1G))
		_exit(1);
	dma_run(&b, SZ_1G, 1);
	if (write(fd, "r", 1) != 1)
		_exit(1);
	pause();
	_exit(1);
}

/* A process that goes while its memory is split leaves no page table behind. */
static enum outcome tables_after_exit(void)
{
	long tables = table_pages(), split, huge = memory_free_huge_pages(SZ_1G);
	enum outcome outcome = PASS;
	int fds[2];
	pid_t child;
	char c;

	if (!ask_split("eager", SZ_4K))
		return SKIP;
	if (pipe(fds))
		return because(FAIL, "no pipe");
	child = fork();
	if (!child) {
		close(fds[0]);
		track_and_exit(fds[1]);
	}
	close(fds[1]);
	if (read(fds[0], &c, 1) != 1)
		outcome = because(FAIL, "the tracking process could not start");
	close(fds[0]);
	split = table_pages();
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	knobs_restore();
	if (outcome != PASS)
		return outcome;
	if (!unsplit && split < tables + PAGES_2M)
		return because(FAIL, "nothing was split");
	if (!tables_down_to(tables))
		return because(FAIL, "%ld pages are page tables a while after the process was killed, %ld were before it came",
			       table_pages(), tables);
	/* The file of the page table is closed a moment later than the process ends. */
	for (int i = 0; i < 100 && memory_free_huge_pages(SZ_1G) != huge; i++)
		usleep(50000);
	if (memory_free_huge_pages(SZ_1G) != huge)
		return because(FAIL, "a 1G page did not come back");
	return PASS;
}

/* ---- who decides ---- */

/* A value of IOMMU_OPTION_DIRTY_SPLIT; order is log2 of the size. */
static uint64_t option_value(uint64_t mode, uint64_t order)
{
	return mode | order << 8;
}

static bool set_option(struct bench *b, uint64_t value)
{
	int err = iommu_space_option(&b->space, IOMMU_OPTION_DIRTY_SPLIT, true, &value);

	if (err)
		because(FAIL, "option %#" PRIx64 ": %s", value, strerror(-err));
	return !err;
}

static enum outcome option_refuses(struct bench *b)
{
	static const uint64_t bad[] = {
		IOMMU_DIRTY_SPLIT_MODE_SAMPLE + 1,
		IOMMU_DIRTY_SPLIT_MODE_LAZY,			/* no size */
		IOMMU_DIRTY_SPLIT_MODE_EAGER | 64 << 8,		/* no such size */
		IOMMU_DIRTY_SPLIT_MODE_OFF | 12 << 8,		/* a size for nothing */
		IOMMU_DIRTY_SPLIT_MODE_EAGER | 12 << 8 | 1 << 16,
		IOMMU_DIRTY_SPLIT_MODE_LAZY | 12 << 8 | UINT64_C(1) << 32,
		IOMMU_DIRTY_SPLIT_MODE_SAMPLE | 12 << 8 | UINT64_C(7) << 32,	/* 0 % */
		IOMMU_DIRTY_SPLIT_MODE_SAMPLE | 12 << 8 | 10001 << 16,
	};
	uint64_t value = 0;
	int err;

	err = iommu_space_option(&b->space, IOMMU_OPTION_DIRTY_SPLIT, false, &value);
	if (err || value)
		return because(FAIL, "a new space has option %#" PRIx64 " (%s)", value,
			       strerror(-err));
	if (!set_option(b, option_value(IOMMU_DIRTY_SPLIT_MODE_LAZY, 21)))
		return FAIL;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		value = bad[i];
		err = iommu_space_option(&b->space, IOMMU_OPTION_DIRTY_SPLIT, true, &value);
		if (err != -EINVAL)
			return because(FAIL, "option %#" PRIx64 " is not refused: %s", bad[i],
				       strerror(-err));
	}
	iommu_space_option(&b->space, IOMMU_OPTION_DIRTY_SPLIT, false, &value);
	if (value != option_value(IOMMU_DIRTY_SPLIT_MODE_LAZY, 21))
		return because(FAIL, "a refused option has become %#" PRIx64, value);
	if (iommu_space_option(&b->space, IOMMU_OPTION_DIRTY_GRANULARITIES, true, &value) !=
	    -EOPNOTSUPP)
		return because(FAIL, "the granularities of a page table can be set");
	return PASS;
}

/* What the host, the option and the flags of the call say, and the pages reported for one write. */
struct decision {
	const char *host;
	uint64_t option;
	uint32_t flags;
	uint64_t pages;
};

static enum outcome decide(const struct decision *d)
{
	__cleanup_bench struct bench b = BENCH_EMPTY;
	__cleanup_free uint64_t *bitmap = calloc(1, PAGES_1G / 8);
	uint64_t pages, want = unsplit ? PAGES_1G : d->pages;

	if (!bitmap || !bench_prepare(&b, SZ_1G, SZ_1G))
		return FAIL;
	if (!ask_split(d->host, SZ_4K))
		return SKIP;
	if (iommu_space_map(&b.space, b.mem.va, IOVA, SZ_1G) || !set_option(&b, d->option) ||
	    iommu_space_track_flags(&b.space, d->flags | IOMMU_HWPT_DIRTY_TRACKING_ENABLE))
		return because(FAIL, "%s", problem_text());
	/* Too late for this session */
	if (!set_option(&b, option_value(IOMMU_DIRTY_SPLIT_MODE_OFF, 0)) || knobs_set("off", 0))
		return because(FAIL, "%s", problem_text());
	for (int i = 0; i < 3; i++)
		pages = pages_for_one_write(&b, SZ_1G, bitmap);
	if (pages != want)
		return because(FAIL, "host %s, option %#" PRIx64 ", flags %#x: %" PRIu64 " pages for one write, %" PRIu64 " expected",
			       d->host, d->option, d->flags, pages, want);
	return PASS;
}

/* The option of an IOAS goes before the flags of the call, these before the host; at the start. */
static enum outcome ioas_option(void)
{
	static const struct decision decisions[] = {
		{ "eager", 0, 0, 1 },
		{ "eager", IOMMU_DIRTY_SPLIT_MODE_OFF, 0, PAGES_1G },
		{ "eager", IOMMU_DIRTY_SPLIT_MODE_EAGER | 21 << 8, 0, PAGES_2M },
		{ "off", IOMMU_DIRTY_SPLIT_MODE_EAGER | 12 << 8, 0, 1 },
		{ "off", IOMMU_DIRTY_SPLIT_MODE_LAZY | 12 << 8, 0, 1 },
		{ "off", IOMMU_DIRTY_SPLIT_MODE_LAZY | 13 << 8, 0, PAGES_2M },	/* rounded up */
		{ "off", 0, IOMMU_HWPT_DIRTY_TRACKING_EAGER, 1 },
		{ "eager", IOMMU_DIRTY_SPLIT_MODE_OFF, IOMMU_HWPT_DIRTY_TRACKING_EAGER, PAGES_1G },
		{ "off", IOMMU_DIRTY_SPLIT_MODE_EAGER | 21 << 8, IOMMU_HWPT_DIRTY_TRACKING_LAZY,
		  PAGES_2M },
	};
	enum outcome outcome = PASS;

	if (!knobs_exist())
		return because(SKIP, "this kernel has no split knobs");
	for (size_t i = 0; outcome == PASS && i < ARRAY_SIZE(decisions); i++)
		outcome = decide(&decisions[i]);
	if (outcome == PASS) {
		__cleanup_bench struct bench b = BENCH_EMPTY;

		outcome = bench_prepare(&b, SZ_2M, SZ_2M) ? option_refuses(&b) : FAIL;
	}
	return outcome;
}

/* What user space is told of the IOMMU is what this machine was given. */
static enum outcome feature_reporting(void)
{
	__cleanup_bench struct bench b = BENCH_EMPTY;
	uint64_t caps, want, sizes = 0;
	uint32_t idr[6];
	unsigned int level;
	int type;

	if (!knobs_exist())
		return because(SKIP, "this kernel has no split knobs");
	if (!bench_prepare(&b, SZ_2M, SZ_2M))
		return FAIL;
	type = iommu_hardware(&b.iommu, &caps, idr);
	if (type != IOMMU_HW_INFO_TYPE_ARM_SMMUV3)
		return because(FAIL, "the hardware information is of type %d, that of an SMMUv3 expected",
			       type);
	level = idr[3] >> 11 & 3;
	if (bbml >= 0 ? level != (unsigned int)bbml : !level != unsplit)
		return because(FAIL, "IDR3.BBML is %u, not what the machine was given", level);
	if ((idr[0] >> 6 & 3) != 2)
		return because(FAIL, "IDR0.HTTU is %u, but there is dirty tracking", idr[0] >> 6 & 3);
	want = IOMMU_HW_CAP_DIRTY_TRACKING | IOMMU_HW_CAP_DIRTY_CLEAR |
	       (unsplit ? 0 : IOMMU_HW_CAP_DIRTY_SPLIT);
	caps &= IOMMU_HW_CAP_DIRTY_TRACKING | IOMMU_HW_CAP_DIRTY_CLEAR | IOMMU_HW_CAP_DIRTY_SPLIT;
	if (caps != want)
		return because(FAIL, "capabilities %#" PRIx64 ", %#" PRIx64 " expected", caps, want);
	want = unsplit ? 0 : SZ_4K | SZ_2M | SZ_1G;
	if (iommu_space_option(&b.space, IOMMU_OPTION_DIRTY_GRANULARITIES, false, &sizes) ||
	    sizes != want)
		return because(FAIL, "granularities %#" PRIx64 ", %#" PRIx64 " expected", sizes, want);
	return PASS;
}

/* ---- sampling ---- */

#define SAMPLE_MAPS	32	/* the same 16 blocks, mapped that often */
#define SAMPLE_BLOCKS	(SAMPLE_MAPS * 16)
#define SAMPLE_BYTES	(SAMPLE_BLOCKS * SZ_2M)

/* Writes each block once; those of which one page is reported are split. 'split' has a bit each. */
static bool find_split(struct bench *b, uint64_t *bitmap, uint64_t *split)
{
	struct dma_slot slot = {
		.base = IOVA + 64,
		.length = SAMPLE_BYTES,
		.op_bytes = 8,
		.pattern = DMAGEN_OP_STRIDE,
		.stride = SZ_2M,
		.count = SAMPLE_BLOCKS,
	};

	generator_set_slot(&b->gen, 0, &slot);
	generator_ring(&b->gen, 1);
	if (sync_pages(b, 0, SAMPLE_BYTES / SZ_4K, bitmap)) {
		because(FAIL, "sync failed");
		return false;
	}
	memset(split, 0, SAMPLE_BLOCKS / 8);
	for (uint64_t i = 0; i < SAMPLE_BLOCKS; i++) {
		uint64_t pages = count(bitmap, i * PAGES_2M, (i + 1) * PAGES_2M);

		if (pages != 1 && pages != PAGES_2M) {
			because(FAIL, "block %" PRIu64 ": %" PRIu64 " pages are reported for one write",
				i, pages);
			return false;
		}
		split[i / 64] |= (uint64_t)(pages == 1) << i % 64;
	}
	return true;
}

/* One session with the host's knob; which blocks were split, and that they are merged after it. */
static enum outcome sample(const char *mode, uint64_t *split)
{
	__cleanup_bench struct bench b = BENCH_EMPTY;
	__cleanup_free uint64_t *bitmap = calloc(1, SAMPLE_BYTES / SZ_4K / 8);
	uint64_t again[SAMPLE_BLOCKS / 64];
	long tables;

	if (!bitmap || !bench_prepare(&b, 16 * SZ_2M, SZ_2M))
		return FAIL;
	if (knobs_set(mode, SZ_4K))
		return because(FAIL, "%s", problem_text());
	for (uint64_t i = 0; i < SAMPLE_MAPS; i++)
		if (iommu_space_map(&b.space, b.mem.va, IOVA + i * 16 * SZ_2M, 16 * SZ_2M))
			return because(FAIL, "%s", problem_text());
	tables = table_pages();
	if (iommu_space_track(&b.space, true))
		return because(FAIL, "%s", problem_text());
	if (!find_split(&b, bitmap, split) || !find_split(&b, bitmap, again))
		return FAIL;
	if (memcmp(split, again, sizeof(again)))
		return because(FAIL, "%s: a sync has split a block", mode);
	if (!merge_and_restart(&b, tables) || !find_split(&b, bitmap, again))
		return FAIL;
	if (count(again, 0, SAMPLE_BLOCKS))
		return because(FAIL, "%s: %" PRIu64 " blocks are split after a stop and a start without",
			       mode, count(again, 0, SAMPLE_BLOCKS));
	return PASS;
}

/* A seeded share of the blocks is split when tracking starts, the others stay; merged after it. */
static enum outcome sampling(void)
{
	static const struct {
		const char *mode;
		uint64_t low, high;	/* of 512 blocks: four standard deviations each way */
	} runs[] = {
		{ "sample=25%,1", 89, 167 },
		{ "sample=25%,1", 89, 167 },
		{ "sample=25%,2", 89, 167 },
		{ "sample=3.5%,1", 2, 34 },
		{ "sample=100%,1", 512, 512 },
	};
	uint64_t split[ARRAY_SIZE(runs)][SAMPLE_BLOCKS / 64];

	if (!knobs_exist())
		return because(SKIP, "this kernel has no split knobs");
	for (size_t i = 0; i < ARRAY_SIZE(runs); i++) {
		enum outcome outcome = sample(runs[i].mode, split[i]);
		uint64_t n;

		if (outcome != PASS)
			return outcome;
		n = count(split[i], 0, SAMPLE_BLOCKS);
		if (unsplit ? n : n < runs[i].low || n > runs[i].high)
			return because(FAIL, "%s splits %" PRIu64 " of %d blocks", runs[i].mode, n,
				       SAMPLE_BLOCKS);
	}
	if (memcmp(split[0], split[1], sizeof(split[0])))
		return because(FAIL, "the same seed splits other blocks");
	if (!unsplit && !memcmp(split[0], split[2], sizeof(split[0])))
		return because(FAIL, "another seed splits the same blocks");
	return PASS;
}

/* ---- clearing by name ---- */

static void name_pages(uint64_t *bitmap, uint64_t from, uint64_t to)
{
	for (; from < to; from++)
		bitmap[from / 64] |= UINT64_C(1) << from % 64;
}

/* Reads without clearing. False with a reason. */
static bool peek(struct bench *b, uint64_t pages, uint64_t *bitmap)
{
	memset(bitmap, 0, BITMAP_WORDS(pages) * 8);
	if (!iommu_space_sync(&b->space, IOVA, pages * SZ_4K, true, bitmap))
		return true;
	because(FAIL, "a NO_CLEAR sync failed");
	return false;
}

static bool clear_names(struct bench *b, uint64_t pages, const uint64_t *names)
{
	int err = iommu_space_clear(&b->space, IOVA, pages * SZ_4K, SZ_4K, names);

	if (err)
		because(FAIL, "clear: %s", strerror(-err));
	return !err;
}

/* What is dirty of 'pages' pages has to be [from, to), and nothing else. */
static bool only_dirty(struct bench *b, const char *what, uint64_t pages, uint64_t from,
		       uint64_t to)
{
	__cleanup_free uint64_t *bitmap = calloc(1, BITMAP_WORDS(pages) * 8);

	if (!bitmap || !peek(b, pages, bitmap))
		return false;
	if (count(bitmap, 0, pages) == to - from && count(bitmap, from, to) == to - from)
		return true;
	because(FAIL, "%s: %" PRIu64 " pages are dirty, %" PRIu64 " of them of the %" PRIu64 " that should be",
		what, count(bitmap, 0, pages), count(bitmap, from, to), to - from);
	return false;
}

/* Pages of their own: exactly those named are cleaned, across the border of two copies. */
static enum outcome clear_pages(void)
{
	static const uint64_t written[] = { 3, 64, 2047, 2048, 2049, 4094 };
	__cleanup_bench struct bench b = BENCH_EMPTY;
	/* The kernel takes names by the aligned GiB; here the second begins at bit 2047. */
	uint64_t half = SZ_1G - 4 * SZ_2M, pages = 8 * PAGES_2M;
	uint64_t bitmap[BITMAP_WORDS(8 * PAGES_2M)], names[BITMAP_WORDS(8 * PAGES_2M)] = { 0 };
	int err;

	if (iommu_open(&b.iommu, device) || generator_open(&b.gen, &b.iommu) ||
	    memory_create(&b.mem, 8 * SZ_2M, SZ_2M) ||
	    iommu_space_create(&b.space, &b.iommu, true) ||
	    iommu_space_map(&b.space, b.mem.va, IOVA + half, 8 * SZ_2M) ||
	    iommu_space_track(&b.space, true))
		return because(FAIL, "%s", problem_text());
	for (size_t i = 0; i < ARRAY_SIZE(written); i++)
		dma_write(&b, half / SZ_4K + 1 + written[i]);
	name_pages(names, 3, 4);
	name_pages(names, 10, 20);	/* clean already */
	name_pages(names, 2048, 2049);
	name_pages(names, 4092, 4094);
	err = iommu_space_clear(&b.space, IOVA + half + SZ_4K, (pages - 1) * SZ_4K, SZ_4K, names);
	memset(bitmap, 0, sizeof(bitmap));
	if (err || iommu_space_sync(&b.space, IOVA + half + SZ_4K, (pages - 1) * SZ_4K, true, bitmap))
		return because(FAIL, "clear of 4K leaves: %s", strerror(-err));
	for (size_t i = 0; i < ARRAY_SIZE(written); i++)
		if (has(bitmap, written[i]) == has(names, written[i]))
			return because(FAIL, "4K leaves: page %" PRIu64 " is %s though it was %snamed",
				       written[i], has(bitmap, written[i]) ? "dirty" : "clean",
				       has(names, written[i]) ? "" : "not ");
	if (count(bitmap, 0, pages) != ARRAY_SIZE(written) - 2)
		return because(FAIL, "4K leaves: %" PRIu64 " pages are dirty", count(bitmap, 0, pages));
	return PASS;
}

/* A block that is not split: it is cleaned if all of it is named, and else not at all. */
static enum outcome clear_kept_block(void)
{
	__cleanup_bench struct bench b = BENCH_EMPTY;
	uint64_t names[BITMAP_WORDS(2 * PAGES_2M)] = { 0 }, two = 2;

	if (knobs_set("off", 0) || !bench_open(&b, 2 * SZ_2M, SZ_2M))
		return because(FAIL, "%s", problem_text());
	dma_write(&b, 5);
	dma_write(&b, PAGES_2M + 5);
	name_pages(names, 0, PAGES_2M - 1);
	if (!clear_names(&b, 2 * PAGES_2M, names) ||
	    !only_dirty(&b, "2M, all but its last page", 2 * PAGES_2M, 0, 2 * PAGES_2M))
		return FAIL;
	/* All of what is asked for is named, but that is not all of the block. */
	name_pages(names, 0, PAGES_2M);
	if (!clear_names(&b, PAGES_2M - 1, names) ||
	    !only_dirty(&b, "2M, cut off", 2 * PAGES_2M, 0, 2 * PAGES_2M) ||
	    !clear_names(&b, 2 * PAGES_2M, names) ||
	    !only_dirty(&b, "2M, the first of two", 2 * PAGES_2M, PAGES_2M, 2 * PAGES_2M))
		return FAIL;
	/* The same with a bit for 2M */
	if (iommu_space_clear(&b.space, IOVA, 2 * SZ_2M, SZ_2M, &two))
		return because(FAIL, "clear with a bit for 2M failed");
	if (!only_dirty(&b, "2M, the second of two", 2 * PAGES_2M, 0, 0))
		return FAIL;
	return PASS;
}

/* The same where blocks are split: what is not named of a block is dirty, what is named clean. */
static enum outcome clear_split_block(void)
{
	__cleanup_bench struct bench b = BENCH_EMPTY;
	uint64_t names[BITMAP_WORDS(2 * PAGES_2M)] = { 0 };
	uint64_t first = unsplit ? 0 : 256;
	long tables;

	if (!ask_split("lazy", SZ_4K))
		return SKIP;
	if (!bench_open(&b, 2 * SZ_2M, SZ_2M))
		return FAIL;
	tables = table_pages();
	name_pages(names, 0, 256);
	if (!clear_names(&b, 2 * PAGES_2M, names))
		return FAIL;
	if (table_pages() != tables)
		return because(FAIL, "2M: a clear has split a clean block");
	dma_write(&b, 5);
	dma_write(&b, PAGES_2M + 5);
	if (!clear_names(&b, 2 * PAGES_2M, names))
		return FAIL;
	if (table_pages() != tables + !unsplit)
		return because(FAIL, "2M: %ld tables for a block named in part", table_pages() - tables);
	if (!only_dirty(&b, "2M, its first half", 2 * PAGES_2M, first, 2 * PAGES_2M))
		return FAIL;
	/* What is named reaches out of a block: that is taken out of it */
	name_pages(names, 0, 2 * PAGES_2M);
	if (!clear_names(&b, PAGES_2M + 256, names) ||
	    !only_dirty(&b, "2M, cut off", 2 * PAGES_2M, PAGES_2M + first, 2 * PAGES_2M))
		return FAIL;
	/* Pages that were cleaned as part of a block: they are dirty again, then clean */
	for (uint64_t page = 0; page < 8; page++)
		dma_write(&b, page * 64 + 5);
	if (!clear_names(&b, 2 * PAGES_2M, names) || !only_dirty(&b, "2M, all", 2 * PAGES_2M, 0, 0))
		return FAIL;
	return PASS;
}

#define KNOB_BUDGET	"/sys/module/iommu/parameters/dirty_split_budget"

/* A block that has to be kept though it should be split, as the budget is spent, is dirty. */
static enum outcome clear_without_budget(void)
{
	__cleanup_bench struct bench b = BENCH_EMPTY;
	uint64_t names[BITMAP_WORDS(PAGES_2M)] = { 0 };
	char old[32];
	bool open;

	if (!ask_split("lazy", SZ_4K))
		return SKIP;
	if (read_text(KNOB_BUDGET, old, sizeof(old)) || write_text(KNOB_BUDGET, "0"))
		return because(FAIL, "the budget of a sync cannot be set");
	open = bench_open(&b, SZ_2M, SZ_2M);
	write_text(KNOB_BUDGET, old);
	if (!open)
		return FAIL;
	dma_write(&b, 5);
	name_pages(names, 0, 256);
	if (!clear_names(&b, PAGES_2M, names) ||
	    !only_dirty(&b, "2M, no budget, its first half", PAGES_2M, 0, PAGES_2M))
		return FAIL;
	name_pages(names, 256, PAGES_2M);
	if (!clear_names(&b, PAGES_2M, names) ||
	    !only_dirty(&b, "2M, no budget, all", PAGES_2M, 0, 0))
		return FAIL;
	return PASS;
}

/* 1G: by one level a clear, as in a sync. */
static enum outcome clear_levels(void)
{
	static const struct {
		uint64_t from, to;
	} left[] = { { 2 * PAGES_2M, 3 * PAGES_2M }, { 1234, 1235 }, { 1234, 1235 } };
	__cleanup_bench struct bench b = BENCH_EMPTY;
	__cleanup_free uint64_t *names = malloc(PAGES_1G / 8);

	if (!ask_split("lazy", SZ_4K))
		return SKIP;
	if (!names || !bench_open(&b, SZ_1G, SZ_1G))
		return FAIL;
	memset(names, 0xff, PAGES_1G / 8);
	names[1234 / 64] &= ~(UINT64_C(1) << 1234 % 64);
	dma_write(&b, 99);
	for (size_t i = 0; i < ARRAY_SIZE(left); i++)
		if (!clear_names(&b, PAGES_1G, names) ||
		    !only_dirty(&b, "1G, all but one page", PAGES_1G, unsplit ? 0 : left[i].from,
				unsplit ? PAGES_1G : left[i].to))
			return FAIL;
	return PASS;
}

/* What cannot be done is said so, and changes nothing. */
static enum outcome clear_errors(void)
{
	static const struct {
		uint64_t iova, bytes, page;
		int err;
	} bad[] = {
		{ IOVA, SZ_2M, 0, -EINVAL },
		{ IOVA, SZ_2M, 3 * SZ_4K, -EINVAL },
		{ IOVA, SZ_2M, SZ_4K / 2, -EINVAL },
		{ IOVA, 0, SZ_4K, -EINVAL },
		{ IOVA + 1, SZ_2M, SZ_4K, -EINVAL },
		{ IOVA, SZ_2M, SZ_1G, -EINVAL },
		{ IOVA - SZ_2M, SZ_2M, SZ_4K, -EINVAL },	/* not mapped */
		{ UINT64_MAX - SZ_4K + 1, SZ_2M, SZ_4K, -EOVERFLOW },
	};
	__cleanup_bench struct bench b = BENCH_EMPTY;
	uint64_t names[BITMAP_WORDS(4 * PAGES_2M)];
	int err;

	if (!bench_open(&b, 2 * SZ_2M, SZ_2M))
		return FAIL;
	memset(names, 0xff, sizeof(names));
	dma_write(&b, 5);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		err = iommu_space_clear(&b.space, bad[i].iova, bad[i].bytes, bad[i].page, names);
		if (err != bad[i].err)
			return because(FAIL, "clear of %#" PRIx64 "+%#" PRIx64 " by %#" PRIx64 ": %s",
				       bad[i].iova, bad[i].bytes, bad[i].page, strerror(-err));
	}
	err = iommu_space_clear(&b.space, IOVA, SZ_2M, SZ_4K, NULL);
	if (err != -EFAULT)
		return because(FAIL, "clear with names that cannot be read: %s", strerror(-err));
	if (!only_dirty(&b, "refused clears", 2 * PAGES_2M, 0, PAGES_2M))
		return FAIL;
	/* Into a hole */
	err = iommu_space_clear(&b.space, IOVA, 4 * SZ_2M, SZ_4K, names);
	if (err != -EINVAL)
		return because(FAIL, "clear over unmapped memory: %s", strerror(-err));
	return PASS;
}

static enum outcome clear_by_bitmap(void)
{
	enum outcome (* const parts[])(void) = { clear_pages, clear_kept_block, clear_split_block,
						 clear_without_budget, clear_levels,
						 clear_errors };
	enum outcome outcome = PASS;

	if (!knobs_exist())
		return because(SKIP, "this kernel has no split knobs");
	for (size_t i = 0; outcome == PASS && i < ARRAY_SIZE(parts); i++)
		outcome = parts[i]();
	return outcome;
}

/*
 * Write, clear, write again, 'rounds' times: the second write is reported. The clear names all of
 * the memory or, if half, every second page of it, without the written one.
 */
static enum outcome write_after_clear(const char *mode, uint64_t block, bool half, int rounds)
{
	__cleanup_bench struct bench b = BENCH_EMPTY;
	uint64_t bitmap[BITMAP_WORDS(PAGES_2M)], names[BITMAP_WORDS(PAGES_2M)];

	if (!bench_prepare(&b, SZ_2M, block))
		return FAIL;
	if (!ask_split(mode, SZ_4K))
		return SKIP;
	if (iommu_space_map(&b.space, b.mem.va, IOVA, SZ_2M) || iommu_space_track(&b.space, true))
		return because(FAIL, "%s", problem_text());
	memset(names, half ? 0xaa : 0xff, sizeof(names));
	for (int i = 0; i < rounds; i++) {
		uint64_t page = 2 * i + 1;	/* a named one */

		dma_write(&b, page);
		if (!clear_names(&b, PAGES_2M, names))
			return FAIL;
		dma_write(&b, page);
		if (!peek(&b, PAGES_2M, bitmap))
			return FAIL;
		if (!has(bitmap, page))
			return because(FAIL, "%s, %s leaves: a write after clear %d is not reported",
				       mode, block == SZ_4K ? "4K" : "2M", i + 1);
	}
	return PASS;
}

#define CLEAR_ROUNDS	24

/*
 * DMA goes on. Half of what is dirty is named and cleared. What was written after the clear had
 * returned, and what was dirty before and not named, has to be dirty.
 */
static enum outcome clear_round(struct bench *b, const char *mode, int round, uint64_t *random)
{
	uint64_t before[CONCURRENT_WORDS], names[CONCURRENT_WORDS], after[CONCURRENT_WORDS];

	dma_run(b, CONCURRENT_BLOCKS * SZ_2M, round + 1);
	usleep(2000);
	if (!peek(b, CONCURRENT_PAGES, before))
		return FAIL;
	for (size_t w = 0; w < CONCURRENT_WORDS; w++)
		names[w] = before[w] & (w % 3 ? next_random(random) : ~UINT64_C(0));
	if (!clear_names(b, CONCURRENT_PAGES, names))
		return FAIL;
	generator_set(&b->gen, DMAGEN_LATCH, 1);
	usleep(2000);
	generator_stop(&b->gen);
	generator_set(&b->gen, DMAGEN_LATCH, 1);
	if (!generator_get(&b->gen, DMAGEN_LATCHED_PAGES))
		return because(FAIL, "round %d: the device wrote nothing", round);
	if (!peek(b, CONCURRENT_PAGES, after))
		return FAIL;
	for (size_t w = 0; w < CONCURRENT_WORDS; w++) {
		uint64_t lost = b->gen.truth[w] & ~after[w];
		uint64_t forgotten = before[w] & ~names[w] & ~after[w];

		if (lost)
			return because(FAIL, "%s, round %d: page %zu was written after the clear and is not dirty",
				       mode, round, w * 64 + __builtin_ctzll(lost));
		if (forgotten)
			return because(FAIL, "%s, round %d: page %zu was dirty and not named, and is clean",
				       mode, round, w * 64 + __builtin_ctzll(forgotten));
	}
	return PASS;
}

static enum outcome clear_under_dma(const char *mode)
{
	__cleanup_bench struct bench b = BENCH_EMPTY;
	enum outcome outcome = PASS;
	uint64_t random = 1;

	if (!bench_prepare(&b, CONCURRENT_BLOCKS * SZ_2M, SZ_2M))
		return FAIL;
	if (!ask_split(mode, SZ_4K))
		return SKIP;
	if (iommu_space_map(&b.space, b.mem.va, IOVA, CONCURRENT_BLOCKS * SZ_2M) ||
	    iommu_space_track(&b.space, true))
		return because(FAIL, "%s", problem_text());
	generator_set(&b.gen, DMAGEN_TRUTH_BASE, IOVA);
	for (int round = 0; outcome == PASS && round < CLEAR_ROUNDS; round++)
		outcome = clear_round(&b, mode, round, &random);
	if (outcome == PASS && generator_get(&b.gen, DMAGEN_FAILED))
		outcome = because(FAIL, "%s: %" PRIu64 " DMA writes failed", mode,
				  generator_get(&b.gen, DMAGEN_FAILED));
	return outcome;
}

/* When a clear returns it is done: no TLB entry lets a later write pass unseen. */
static enum outcome clear_is_synchronous(void)
{
	static const char * const modes[] = { "off", "lazy", "eager" };
	enum outcome outcome = PASS;

	if (!knobs_exist())
		return because(SKIP, "this kernel has no split knobs");
	outcome = write_after_clear("off", SZ_4K, true, 16);
	for (size_t i = 0; outcome == PASS && i < ARRAY_SIZE(modes); i++) {
		outcome = write_after_clear(modes[i], SZ_2M, false, 16);
		if (outcome == PASS)
			outcome = write_after_clear(modes[i], SZ_2M, true, 16);
		if (outcome == PASS)
			outcome = clear_under_dma(modes[i]);
	}
	return outcome;
}

static const struct check checks[] = {
	{ "clean-stays-clean", clean_stays_clean },
	{ "lost-after-clear", lost_after_clear },
	{ "partial-sync", partial_sync },
	{ "efault-then-retry", efault_then_retry },
	{ "hole-then-retry", hole_then_retry },
	{ "concurrent-syncs", concurrent_syncs },
	{ "split-under-dma", split_under_dma },
	{ "unmap-after-split", unmap_after_split },
	{ "page-accounting", page_accounting },
	{ "kill-during-sync", kill_during_sync },
	{ "map-during-walk", map_during_walk },
	{ "split-levels", split_levels },
	{ "eager-granularity", eager_granularity },
	{ "merge-after-stop", merge_after_stop },
	{ "merge-not-beyond", merge_not_beyond },
	{ "restart-during-merge", restart_during_merge },
	{ "merge-after-failed-start", merge_after_failed_start },
	{ "tables-after-exit", tables_after_exit },
	{ "ioas-option", ioas_option },
	{ "feature-reporting", feature_reporting },
	{ "sampling", sampling },
	{ "clear-by-bitmap", clear_by_bitmap },
	{ "clear-is-synchronous", clear_is_synchronous },
	{ "kernel-log-clean", kernel_log_clean },
};

static const struct probe probe = {
	.name = "dirtyprobe",
	.checks = checks,
	.n = ARRAY_SIZE(checks),
};

static const char help[] =
"Usage: dirtyprobe [--device PATH] [--unsplit] [--bbml N] [CHECK...]\n"
"Checks dirty tracking on this kernel with DMA of the generator; without CHECK, everything.\n"
"With --unsplit the IOMMU is one that cannot split (BBML 0): blocks have to be kept. With --bbml\n"
"it has this level, and has to say so; 0 is --unsplit.\n"
"Needs two free 1G huge pages and 32 of 2M. Exit status 0 when nothing failed.\n"
"Checks:\n";

static int parse_options(int argc, char **argv)
{
	static const struct option table[] = {
		{ "device", required_argument, NULL, 'd' },
		{ "unsplit", no_argument, NULL, 'u' },
		{ "bbml", required_argument, NULL, 'b' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	int c;

	while ((c = getopt_long(argc, argv, "h", table, NULL)) != -1) {
		switch (c) {
		case 'd':
			device = optarg;
			break;
		case 'u':
			unsplit = true;
			break;
		case 'b':
			bbml = atoi(optarg);
			unsplit = unsplit || !bbml;
			break;
		case 'h':
			fputs(help, stdout);
			probe_list(&probe);
			exit(0);
		default:
			return problem(EINVAL, "unknown option; see dirtyprobe --help");
		}
	}
	return 0;
}

int main(int argc, char **argv)
{
	if (parse_options(argc, argv))
		return 2;
	return probe_run(&probe, argc, argv);
}
