// SPDX-License-Identifier: GPL-2.0-only
/*
 * type1probe: checks the dirty log of VFIO's type1 IOMMU with real DMA, through the interface that
 * a VMM has always had, and the manual clear that is new. Every check has its own container and
 * memory and prints one line, "ok NAME", "ok NAME # SKIP why" or "not ok NAME: why".
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "generator.h"
#include "knobs.h"
#include "memory.h"
#include "probe.h"
#include "runtime.h"
#include "type1.h"

#define IOVA			UINT64_C(0x4000000000)
#define PAGES_2M		512
#define BITMAP_WORDS(pages)	(((pages) + 63) / 64)
#define BLOCKS			8
#define PAGES			(BLOCKS * PAGES_2M)
#define BYTES			(PAGES * SZ_4K)
#define TRACING			"/sys/kernel/tracing/"

static bool unsplit;	/* this IOMMU cannot split (BBML 0): blocks have to be kept */

/* ---- a container, a device or two, memory ---- */

struct port {
	int group;
	struct iommu io;
	struct generator gen;
};

#define PORT_CLOSED	{ .group = -1, .io = { .iommufd = -1, .fd = -1 } }

struct bench {
	int container;
	struct port port[2];
	struct memory mem;
};

#define BENCH_EMPTY	{ .container = -1, .port = { PORT_CLOSED, PORT_CLOSED } }
#define __cleanup_bench	__attribute__((cleanup(bench_close)))

static void port_close(struct port *p)
{
	generator_close(&p->gen);
	type1_detach(&p->group, &p->io);
}

static void bench_close(struct bench *b)
{
	port_close(&b->port[0]);
	port_close(&b->port[1]);
	cleanup_fd(&b->container);
	memory_destroy(&b->mem);
	knobs_restore();
	type1_knob_set("disable_hugepages", "N");
}

static bool knob_set(const char *name, const char *value)
{
	if (!type1_knob_set(name, value))
		return true;
	because(FAIL, "%s", problem_text());
	return false;
}

/* Attaches generator 'n' to the container, its IOMMU tracking dirty pages or not. */
static bool port_open(struct bench *b, unsigned int n, bool tracked)
{
	struct port *p = &b->port[n];
	char name[16];

	if (type1_knob_exists("dirty_tracking")) {
		if (!knob_set("dirty_tracking", tracked ? "Y" : "N"))
			return false;
	} else if (tracked) {
		because(FAIL, "this kernel's type1 has no parameter dirty_tracking");
		return false;
	}
	if (type1_find(DMAGEN_PCI_VENDOR_ID, DMAGEN_PCI_DEVICE_ID, n, name)) {
		because(FAIL, "there is no DMA generator %u", n);
		return false;
	}
	if (type1_attach(b->container, name, &p->group, &p->io) ||
	    generator_open(&p->gen, &p->io)) {
		because(FAIL, "%s", problem_text());
		return false;
	}
	generator_set(&p->gen, DMAGEN_TRUTH_BASE, IOVA);
	return true;
}

/* A container with the first generator and 'bytes' of memory, which is not mapped. */
static bool bench_prepare(struct bench *b, uint64_t bytes, uint64_t block, bool tracked)
{
	b->container = type1_container();
	if (b->container < 0 || memory_create(&b->mem, bytes, block)) {
		because(FAIL, "%s", problem_text());
		return false;
	}
	return port_open(b, 0, tracked);
}

static bool map_at(struct bench *b, uint64_t offset, uint64_t iova, uint64_t bytes)
{
	int err = type1_map(b->container, b->mem.va + offset, iova, bytes);

	if (err)
		because(FAIL, "mapping %" PRIu64 "K: %s", bytes >> 10, strerror(-err));
	return !err;
}

static bool log_start(struct bench *b)
{
	int err = type1_log_start(b->container);

	if (err)
		because(FAIL, "starting the log: %s", strerror(-err));
	return !err;
}

/*
 * The same, with all memory mapped at IOVA in leaves of 'leaf' (4K or 2M; the memory is of 2M
 * pages), and the log running.
 */
static bool bench_open(struct bench *b, uint64_t bytes, uint64_t leaf, bool tracked)
{
	if (!knob_set("disable_hugepages", leaf == SZ_4K ? "Y" : "N"))
		return false;
	return bench_prepare(b, bytes, SZ_2M, tracked) && map_at(b, 0, IOVA, bytes) && log_start(b);
}

/* ---- writes ---- */

static void dma_write_by(struct port *p, uint64_t page)
{
	struct dma_slot slot = {
		.base = IOVA + page * SZ_4K + 64,
		.length = 8,
		.op_bytes = 8,
		.pattern = DMAGEN_OP_STRIDE,
		.count = 1,
	};

	generator_set_slot(&p->gen, 0, &slot);
	generator_ring(&p->gen, 1);
}

/* One write of 8 bytes into the page at IOVA + page * 4K, done on return. */
static void dma_write(struct bench *b, uint64_t page)
{
	dma_write_by(&b->port[0], page);
}

/* 'count' random writes of 8 bytes over 'bytes' from IOVA on, done on return. */
static void dma_scatter(struct bench *b, uint64_t bytes, uint64_t seed, uint64_t count)
{
	struct dma_slot slot = {
		.base = IOVA,
		.length = bytes,
		.op_bytes = 8,
		.pattern = DMAGEN_OP_RANDOM,
		.seed = seed,
		.count = count,
	};

	generator_set_slot(&b->port[0].gen, 0, &slot);
	generator_ring(&b->port[0].gen, 1);
}

/* Random writes of 8 bytes over 'bytes' from IOVA on, 20 every 'tick_us', until generator_stop(). */
static void dma_run(struct bench *b, uint64_t bytes, uint64_t seed, uint32_t tick_us)
{
	struct dma_slot slot = {
		.base = IOVA,
		.length = bytes,
		.op_bytes = 8,
		.pattern = DMAGEN_OP_RANDOM,
		.seed = seed,
	};

	generator_set_slot(&b->port[0].gen, 1, &slot);
	generator_run(&b->port[0].gen, 1 << 1, 20, tick_us);
}

/* Makes gen.truth what was written since the last latch. Returns the number of pages. */
static uint64_t latch(struct bench *b)
{
	generator_set(&b->port[0].gen, DMAGEN_LATCH, 1);
	return generator_get(&b->port[0].gen, DMAGEN_LATCHED_PAGES);
}

static void dma_stop(struct bench *b)
{
	generator_stop(&b->port[0].gen);
}

/* ---- bitmaps ---- */

static uint64_t count(const uint64_t *bitmap, uint64_t pages)
{
	uint64_t n = 0;

	for (uint64_t i = 0; i < BITMAP_WORDS(pages); i++)
		n += __builtin_popcountll(bitmap[i]);
	return n;
}

/* Zeroes 'bitmap' and gets the log of all PAGES or of the first 'pages' into it. 0 or -errno. */
static int get_log(struct bench *b, enum type1_log what, uint64_t pages, uint64_t *bitmap)
{
	memset(bitmap, 0, BITMAP_WORDS(pages) * 8);
	return type1_log(b->container, what, IOVA, pages * SZ_4K, bitmap);
}

static int clear_page(struct bench *b, uint64_t pages, uint64_t page)
{
	uint64_t bitmap[BITMAP_WORDS(PAGES)] = { 0 };

	bitmap[page / 64] = UINT64_C(1) << page % 64;
	return type1_log(b->container, TYPE1_CLEAR, IOVA, pages * SZ_4K, bitmap);
}

/* Fails if a page of the last latch is not in 'report'. */
static enum outcome nothing_lost(struct bench *b, const uint64_t *report, uint64_t pages,
				 const char *what, int round)
{
	for (uint64_t w = 0; w < BITMAP_WORDS(pages); w++) {
		uint64_t lost = b->port[0].gen.truth[w] & ~report[w];

		if (lost)
			return because(FAIL, "%s, round %d: page %" PRIu64 " was written and is in no report",
				       what, round, w * 64 + __builtin_ctzll(lost));
	}
	return PASS;
}

/* Fails if a page is in 'report' and nothing of its leaf is in the last latch. */
static enum outcome nothing_made_up(struct bench *b, const uint64_t *report, uint64_t pages,
				    uint64_t leaf, const char *what, int round)
{
	for (uint64_t page = 0; page < pages; page++) {
		uint64_t first = page / (leaf / SZ_4K) * (leaf / SZ_4K), i;

		if (!has(report, page))
			continue;
		for (i = first; i < first + leaf / SZ_4K; i++)
			if (b->port[0].gen.truth[i / 64] >> i % 64 & 1)
				break;
		if (i == first + leaf / SZ_4K)
			return because(FAIL, "%s, round %d: page %" PRIu64 " is reported and nothing of its leaf was written",
				       what, round, page);
	}
	return PASS;
}

/* ---- the tracepoint ---- */

#define FALLBACK	TRACING "events/iommu/vfio_dirty_fallback/enable"

static bool fallback_listen(void)
{
	int fd = open(TRACING "trace", O_WRONLY | O_TRUNC | O_CLOEXEC);

	cleanup_fd(&fd);
	if (!write_text(FALLBACK, "1"))
		return true;
	because(FAIL, "there is no tracepoint vfio_dirty_fallback");
	return false;
}

/* True if it told of 'reason' since fallback_listen(), and stops listening. NULL: of anything. */
static bool fallback_heard(const char *reason)
{
	static char text[65536];
	char want[64];

	write_text(FALLBACK, "0");
	if (read_text(TRACING "trace", text, sizeof(text)))
		return false;
	snprintf(want, sizeof(want), "vfio_dirty_fallback: container=");
	if (!reason)
		return strstr(text, want);
	snprintf(want, sizeof(want), "reason=%s", reason);
	return strstr(text, want);
}

/* ---- checks of what always was ---- */

/* Without the knob all that is mapped is dirty each time, written or not: stock behaviour. */
static enum outcome off_is_stock(void)
{
	__cleanup_bench struct bench b = BENCH_EMPTY;
	uint64_t bitmap[BITMAP_WORDS(PAGES)];
	bool listen = type1_knob_exists("dirty_tracking");

	if (listen && !fallback_listen())
		return FAIL;
	if (!bench_open(&b, BYTES, SZ_2M, false))
		return FAIL;
	if (listen && !fallback_heard("untracked"))
		return because(FAIL, "all pages count as dirty and vfio_dirty_fallback says nothing");
	for (int i = 1; i <= 3; i++) {
		if (get_log(&b, TYPE1_GET, PAGES, bitmap))
			return because(FAIL, "getting the log failed");
		if (count(bitmap, PAGES) != PAGES)
			return because(FAIL, "%" PRIu64 " of %d pages are dirty in get %d",
				       count(bitmap, PAGES), PAGES, i);
	}
	memset(bitmap, 0, sizeof(bitmap));
	if (type1_unmap(b.container, IOVA, BYTES, bitmap) || count(bitmap, PAGES) != PAGES)
		return because(FAIL, "an unmap reports %" PRIu64 " of %d pages",
			       count(bitmap, PAGES), PAGES);
	return PASS;
}

/* Where the hardware cannot track, the knob changes nothing, and that is told. */
static enum outcome no_hardware(void)
{
	__cleanup_bench struct bench b = BENCH_EMPTY;
	uint64_t bitmap[BITMAP_WORDS(PAGES)];

	if (!fallback_listen() || !bench_open(&b, BYTES, SZ_2M, true))
		return FAIL;
	if (!fallback_heard("unsupported"))
		return because(FAIL, "vfio_dirty_fallback does not tell that tracking is not to be had");
	for (int i = 1; i <= 2; i++)
		if (get_log(&b, TYPE1_GET, PAGES, bitmap) || count(bitmap, PAGES) != PAGES)
			return because(FAIL, "%" PRIu64 " of %d pages are dirty in get %d",
				       count(bitmap, PAGES), PAGES, i);
	return PASS;
}

/* Errors are those of stock. */
static enum outcome errors_as_stock(void)
{
	__cleanup_bench struct bench b = BENCH_EMPTY;
	uint64_t bitmap[BITMAP_WORDS(PAGES)] = { 0 };

	if (!knob_set("disable_hugepages", "N") || !bench_prepare(&b, BYTES, SZ_2M, true) ||
	    !map_at(&b, 0, IOVA, BYTES))
		return FAIL;
	if (type1_log(b.container, TYPE1_GET, IOVA, BYTES, bitmap) != -EINVAL)
		return because(FAIL, "the log can be had before it was started");
	if (type1_unmap(b.container, IOVA, BYTES, bitmap) != -EINVAL)
		return because(FAIL, "an unmap gives a bitmap before the log was started");
	if (!log_start(&b) || !log_start(&b))
		return FAIL;
	if (type1_log(b.container, TYPE1_GET, IOVA, BYTES - SZ_4K, bitmap) != -EINVAL ||
	    type1_log(b.container, TYPE1_GET, IOVA + SZ_4K, BYTES - SZ_4K, bitmap) != -EINVAL)
		return because(FAIL, "the log of a part of a mapping can be had");
	if (type1_log(b.container, TYPE1_GET, IOVA + 64, BYTES, bitmap) != -EINVAL)
		return because(FAIL, "the log of an unaligned range can be had");
	if (type1_log_stop(b.container) || type1_log_stop(b.container))
		return because(FAIL, "stopping the log twice failed");
	if (type1_log(b.container, TYPE1_GET, IOVA, BYTES, bitmap) != -EINVAL)
		return because(FAIL, "the log can be had after it was stopped");
	return PASS;
}

/* ---- checks of the log ---- */

/* A started log is clean, DMA reads dirty nothing, no fallback is told of. */
static enum outcome clean_stays_clean(void)
{
	__cleanup_bench struct bench b = BENCH_EMPTY;
	uint64_t bitmap[BITMAP_WORDS(PAGES)];
	struct dma_slot slot = {
		.base = IOVA,
		.length = BYTES,
		.op_bytes = 64,
		.pattern = DMAGEN_OP_STRIDE | DMAGEN_OP_READ,
		.stride = SZ_4K,
		.count = PAGES,
	};

	if (!fallback_listen() || !bench_open(&b, BYTES, SZ_2M, true))
		return FAIL;
	generator_set_slot(&b.port[0].gen, 0, &slot);
	generator_ring(&b.port[0].gen, 1);
	if (get_log(&b, TYPE1_GET, PAGES, bitmap))
		return because(FAIL, "getting the log failed");
	if (count(bitmap, PAGES))
		return because(FAIL, "%" PRIu64 " pages are dirty after DMA reads only",
			       count(bitmap, PAGES));
	if (fallback_heard(NULL))
		return because(FAIL, "vfio_dirty_fallback tells of a fallback");
	return PASS;
}

static enum outcome rounds_equal_truth(struct bench *b, uint64_t pages, uint64_t leaf,
				       const char *what)
{
	__cleanup_free uint64_t *bitmap = calloc(1, BITMAP_WORDS(pages) * 8);
	enum outcome outcome;

	if (!bitmap)
		return because(FAIL, "no memory");
	for (int round = 1; round <= 20; round++) {
		latch(b);
		dma_scatter(b, pages * SZ_4K, round, round % 4 ? 7 : 300);
		if (!latch(b))
			return because(FAIL, "the device wrote nothing");
		if (get_log(b, TYPE1_GET, pages, bitmap))
			return because(FAIL, "%s, round %d: getting the log failed", what, round);
		outcome = nothing_lost(b, bitmap, pages, what, round);
		if (outcome == PASS)
			outcome = nothing_made_up(b, bitmap, pages, leaf, what, round);
		if (outcome != PASS)
			return outcome;
	}
	return PASS;
}

/* What get reports is what was written since the last one, leaf by leaf. */
static enum outcome get_equals_truth(void)
{
	static const uint64_t leaves[] = { SZ_4K, SZ_2M };
	enum outcome outcome = PASS;

	for (int i = 0; i < 2 && outcome == PASS; i++) {
		__cleanup_bench struct bench b = BENCH_EMPTY;

		if (!bench_open(&b, BYTES, leaves[i], true))
			return FAIL;
		outcome = rounds_equal_truth(&b, PAGES, leaves[i], i ? "2M leaves" : "4K leaves");
	}
	return outcome;
}

/* The same page written again and again is in every report: no TLB keeps it dirty. */
static enum outcome written_again(void)
{
	__cleanup_bench struct bench b = BENCH_EMPTY;
	uint64_t bitmap[BITMAP_WORDS(PAGES)];

	if (!bench_open(&b, BYTES, SZ_2M, true))
		return FAIL;
	for (int round = 1; round <= 6; round++) {
		dma_write(&b, 5);
		dma_write(&b, 3 * PAGES_2M);
		if (get_log(&b, TYPE1_GET, PAGES, bitmap))
			return because(FAIL, "getting the log failed");
		if (!has(bitmap, 5) || !has(bitmap, 3 * PAGES_2M))
			return because(FAIL, "write %d to the same page is not in report %d", round,
				       round);
	}
	return PASS;
}

/* What is written while the log is read is in that report, or in the next. */
static enum outcome get_under_dma(void)
{
	static const uint64_t leaves[] = { SZ_4K, SZ_2M };
	uint64_t bitmap[BITMAP_WORDS(PAGES)], sum[BITMAP_WORDS(PAGES)];
	enum outcome outcome = PASS;

	for (int round = 0; round < 40 && outcome == PASS; round++) {
		__cleanup_bench struct bench b = BENCH_EMPTY;

		if (!bench_open(&b, BYTES, leaves[round % 2], true))
			return FAIL;
		memset(sum, 0, sizeof(sum));
		latch(&b);
		dma_run(&b, BYTES, round + 1, 100);
		for (int i = 0; i < 12; i++) {
			if (i == 11)
				dma_stop(&b);
			if (get_log(&b, TYPE1_GET, PAGES, bitmap))
				return because(FAIL, "getting the log failed");
			for (size_t w = 0; w < BITMAP_WORDS(PAGES); w++)
				sum[w] |= bitmap[w];
			usleep(300);
		}
		if (!latch(&b))
			return because(FAIL, "the device wrote nothing");
		outcome = nothing_lost(&b, sum, PAGES, "reports", round);
	}
	return outcome;
}

/*
 * Mappings of any number of pages, with holes between them, in one get: bits are where they belong,
 * and nowhere else, also beyond the end of the bitmap.
 */
static enum outcome odd_mappings(void)
{
	static const struct { uint64_t page, pages; } maps[] = {
		{ 0, 1 }, { 1, 5 }, { 6, 58 }, { 64, 3 }, { 70, 123 }, { 200, 1 }, { 201, 312 },
		{ 515, 700 }, { 1300, 2700 },
	};
	const uint64_t last = maps[ARRAY_SIZE(maps) - 1].page + maps[ARRAY_SIZE(maps) - 1].pages;
	__cleanup_bench struct bench b = BENCH_EMPTY;
	uint64_t bitmap[BITMAP_WORDS(PAGES) + 8], words = BITMAP_WORDS(last);

	if (!knob_set("disable_hugepages", "Y") || !bench_prepare(&b, BYTES, SZ_2M, true))
		return FAIL;
	for (size_t i = 0; i < ARRAY_SIZE(maps); i++)
		if (!map_at(&b, maps[i].page * SZ_4K, IOVA + maps[i].page * SZ_4K,
			    maps[i].pages * SZ_4K))
			return FAIL;
	if (!log_start(&b))
		return FAIL;
	for (int round = 1; round <= 10; round++) {
		uint64_t seed = round;

		latch(&b);
		for (size_t i = 0; i < ARRAY_SIZE(maps); i++) {
			dma_write(&b, maps[i].page);
			dma_write(&b, maps[i].page + maps[i].pages - 1);
			dma_write(&b, maps[i].page + next_random(&seed) % maps[i].pages);
		}
		latch(&b);
		memset(bitmap, 0, sizeof(bitmap));
		if (type1_log(b.container, TYPE1_GET, IOVA, last * SZ_4K, bitmap))
			return because(FAIL, "getting the log failed");
		for (uint64_t w = 0; w < ARRAY_SIZE(bitmap); w++) {
			uint64_t want = w < words ? b.port[0].gen.truth[w] : 0;

			if (bitmap[w] != want)
				return because(FAIL, "round %d: word %" PRIu64 " of the bitmap is %#" PRIx64 ", not %#" PRIx64,
					       round, w, bitmap[w], want);
		}
	}
	return PASS;
}

/* A bitmap that cannot be written costs no dirty page, in whatever part of it. */
static enum outcome efault_then_retry(void)
{
	__cleanup_bench struct bench b = BENCH_EMPTY;
	const uint64_t pages = 64 * PAGES_2M;	/* a bitmap of 4 KiB */
	uint64_t *bitmap = mmap(NULL, 3 * SZ_4K, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint8_t *middle = (uint8_t *)bitmap + SZ_4K / 2 + 512;	/* ends inside the second mapping */
	enum outcome outcome = PASS;

	if (bitmap == MAP_FAILED)
		return because(FAIL, "no memory");
	/* Four mappings: the first are handed out before one fails. */
	if (!knob_set("disable_hugepages", "N") ||
	    !bench_prepare(&b, pages * SZ_4K, SZ_2M, true))
		return FAIL;
	for (int i = 0; i < 4; i++)
		if (!map_at(&b, i * pages / 4 * SZ_4K, IOVA + i * pages / 4 * SZ_4K,
			    pages / 4 * SZ_4K))
			return FAIL;
	if (!log_start(&b))
		return FAIL;
	for (int round = 0; round < 3 && outcome == PASS; round++) {
		static const char * const names[] = { "get", "get without clear", "clear" };
		int err;

		latch(&b);
		dma_scatter(&b, pages * SZ_4K, round + 1, 500);
		latch(&b);
		if (round && !type1_has_manual_clear(b.container))
			break;
		memset(bitmap, round == 2 ? 0xff : 0, 2 * SZ_4K);
		mprotect((uint8_t *)bitmap + SZ_4K, SZ_4K, PROT_NONE);
		err = type1_log(b.container, (enum type1_log)round, IOVA, pages * SZ_4K, middle);
		mprotect((uint8_t *)bitmap + SZ_4K, SZ_4K, PROT_READ | PROT_WRITE);
		if (err != -EFAULT)
			outcome = because(FAIL, "%s with a bitmap that is not there: %s",
					  names[round], strerror(-err));
		else if (get_log(&b, TYPE1_GET, pages, bitmap))
			outcome = because(FAIL, "getting the log failed");
		else
			outcome = nothing_lost(&b, bitmap, pages, names[round], round);
	}
	munmap(bitmap, 3 * SZ_4K);
	return outcome;
}

/* The log is clean, memory is mapped by 2M blocks: one write makes one block dirty. */
static enum outcome write_dirties_a_block(struct bench *b, uint64_t page, const char *when)
{
	uint64_t bitmap[BITMAP_WORDS(PAGES)];

	dma_write(b, page);
	if (get_log(b, TYPE1_GET, PAGES, bitmap) || !has(bitmap, page))
		return because(FAIL, "a page written %s is missing", when);
	if (count(bitmap, PAGES) != PAGES_2M)
		return because(FAIL, "a page written %s makes %" PRIu64 " pages dirty, not one block",
			       when, count(bitmap, PAGES));
	return PASS;
}

/* A stopped log forgets; what is written before the next start is not in it. */
static enum outcome stop_and_start(void)
{
	__cleanup_bench struct bench b = BENCH_EMPTY;
	uint64_t bitmap[BITMAP_WORDS(PAGES)];

	if (!bench_open(&b, BYTES, SZ_2M, true))
		return FAIL;
	for (int round = 0; round < 3; round++) {
		dma_write(&b, 100);
		if (type1_log_stop(b.container))
			return because(FAIL, "stopping the log failed");
		dma_write(&b, 700);
		if (!log_start(&b))
			return FAIL;
		dma_write(&b, 1500);
		if (get_log(&b, TYPE1_GET, PAGES, bitmap))
			return because(FAIL, "getting the log failed");
		if (!has(bitmap, 1500))
			return because(FAIL, "round %d: a page written after the start is missing",
				       round);
		if (count(bitmap, PAGES) != PAGES_2M)
			return because(FAIL, "round %d: %" PRIu64 " pages are dirty, not one block",
				       round, count(bitmap, PAGES));
	}
	return PASS;
}

/* What is mapped during a log is dirty once, then tracked like the rest. */
static enum outcome map_during_log(void)
{
	__cleanup_bench struct bench b = BENCH_EMPTY;
	uint64_t bitmap[BITMAP_WORDS(PAGES)], half = PAGES / 2;

	if (!knob_set("disable_hugepages", "N") || !bench_prepare(&b, BYTES, SZ_2M, true) ||
	    !map_at(&b, 0, IOVA, BYTES / 2) || !log_start(&b) ||
	    !map_at(&b, BYTES / 2, IOVA + BYTES / 2, BYTES / 2))
		return FAIL;
	dma_write(&b, half + 3);
	if (get_log(&b, TYPE1_GET, PAGES, bitmap))
		return because(FAIL, "getting the log failed");
	if (!has(bitmap, half + 3))
		return because(FAIL, "a page written in the new mapping is missing");
	if (count(bitmap, half))
		return because(FAIL, "pages of the old mapping are dirty");
	return write_dirties_a_block(&b, half + 3, "again in the new mapping");
}

/* ---- unmap ---- */

/* What was written since the last get is in the bitmap of the unmap. */
static enum outcome unmap_reports(void)
{
	static const uint64_t leaves[] = { SZ_4K, SZ_2M };
	uint64_t bitmap[BITMAP_WORDS(PAGES)];
	enum outcome outcome = PASS;

	for (int i = 0; i < 2 && outcome == PASS; i++) {
		__cleanup_bench struct bench b = BENCH_EMPTY;

		if (!fallback_listen() || !bench_open(&b, BYTES, leaves[i], true))
			return FAIL;
		dma_scatter(&b, BYTES, 1, 100);
		if (get_log(&b, TYPE1_GET, PAGES, bitmap))
			return because(FAIL, "getting the log failed");
		latch(&b);
		dma_scatter(&b, BYTES, 2, i ? 3 : 100);
		latch(&b);
		memset(bitmap, 0, sizeof(bitmap));
		if (type1_unmap(b.container, IOVA, BYTES, bitmap))
			return because(FAIL, "the unmap failed");
		outcome = nothing_lost(&b, bitmap, PAGES, "unmap", i);
		if (outcome == PASS)
			outcome = nothing_made_up(&b, bitmap, PAGES, leaves[i], "unmap", i);
		if (outcome == PASS && fallback_heard(NULL))
			return because(FAIL, "vfio_dirty_fallback tells of a fallback");
	}
	return outcome;
}

/* Leaves of several sizes in one mapping, of which an unmap makes more than one step. */
static enum outcome unmap_mixed(void)
{
	static const uint64_t written[] = { 509, 511, 512 + 33, 1024 + 7, 1536, 1538 };
	__cleanup_bench struct bench b = BENCH_EMPTY;
	uint64_t bitmap[BITMAP_WORDS(PAGES)] = { 0 };
	const uint64_t first = 509, pages = 3 + 2 * PAGES_2M + 3;

	if (!knob_set("disable_hugepages", "N") || !bench_prepare(&b, BYTES, SZ_2M, true) ||
	    !map_at(&b, first * SZ_4K, IOVA + first * SZ_4K, pages * SZ_4K) || !log_start(&b))
		return FAIL;
	for (size_t i = 0; i < ARRAY_SIZE(written); i++)
		dma_write(&b, written[i]);
	if (type1_unmap(b.container, IOVA + first * SZ_4K, pages * SZ_4K, bitmap))
		return because(FAIL, "the unmap failed");
	for (size_t i = 0; i < ARRAY_SIZE(written); i++)
		if (!has(bitmap, written[i] - first))
			return because(FAIL, "page %" PRIu64 " of the mapping was written and is not reported",
				       written[i] - first);
	if (count(bitmap, PAGES) != 4 + 2 * PAGES_2M)
		return because(FAIL, "%" PRIu64 " pages are reported, not two blocks and 4 pages",
			       count(bitmap, PAGES));
	return PASS;
}

/* One unmap while DMA goes on: what reached memory since the last get has to be in its bitmap. */
static enum outcome unmap_busy(uint64_t leaf, int round)
{
	__cleanup_bench struct bench b = BENCH_EMPTY;
	uint64_t bitmap[BITMAP_WORDS(PAGES)], sum[BITMAP_WORDS(PAGES)];
	int err;

	if (!bench_open(&b, BYTES, leaf, true))
		return FAIL;
	latch(&b);
	/* A few pages only, so that most writes go through entries of the TLB. */
	dma_run(&b, round % 3 ? BYTES : 64 * SZ_4K, round + 1, 50);
	usleep(500 + round % 7 * 400);
	if (get_log(&b, TYPE1_GET, PAGES, sum))
		return because(FAIL, "getting the log failed");
	usleep(round % 5 * 200);
	memset(bitmap, 0, sizeof(bitmap));
	err = type1_unmap(b.container, IOVA, BYTES, bitmap);
	usleep(200);
	dma_stop(&b);
	if (err)
		return because(FAIL, "the unmap failed: %s", strerror(-err));
	if (!latch(&b))
		return because(FAIL, "the device wrote nothing");
	for (size_t w = 0; w < BITMAP_WORDS(PAGES); w++)
		bitmap[w] |= sum[w];
	return nothing_lost(&b, bitmap, PAGES, leaf == SZ_4K ? "unmap of 4K leaves" :
							       "unmap of 2M leaves", round);
}

static enum outcome unmap_under_dma(void)
{
	enum outcome outcome = PASS;

	for (int round = 0; round < 60 && outcome == PASS; round++)
		outcome = unmap_busy(round % 2 ? SZ_2M : SZ_4K, round);
	return outcome;
}

/* An unmap whose bitmap cannot be written fails, and nothing is unmapped or lost. */
static enum outcome unmap_efault(void)
{
	__cleanup_bench struct bench b = BENCH_EMPTY;
	uint64_t bitmap[BITMAP_WORDS(PAGES)];
	int err;

	if (!bench_open(&b, BYTES, SZ_2M, true))
		return FAIL;
	dma_write(&b, 9);
	err = type1_unmap(b.container, IOVA, BYTES, (void *)SZ_4K);
	if (err != -EFAULT)
		return because(FAIL, "with a bitmap that is not there: %s", strerror(-err));
	latch(&b);
	dma_write(&b, 600);
	if (!latch(&b))
		return because(FAIL, "the memory is unmapped though the unmap failed");
	if (get_log(&b, TYPE1_GET, PAGES, bitmap) || !has(bitmap, 9) || !has(bitmap, 600))
		return because(FAIL, "after the unmap has failed a written page is missing");
	return PASS;
}

/* ---- groups come and go ---- */

static bool second_device(void)
{
	char name[16];

	if (!type1_find(DMAGEN_PCI_VENDOR_ID, DMAGEN_PCI_DEVICE_ID, 1, name))
		return true;
	because(SKIP, "there is one DMA generator only");
	return false;
}

/* A tracked group joins a running log and leaves again: both devices' writes are in it. */
static enum outcome group_joins(void)
{
	__cleanup_bench struct bench b = BENCH_EMPTY;
	uint64_t bitmap[BITMAP_WORDS(PAGES)];

	if (!second_device())
		return SKIP;
	if (!fallback_listen() || !bench_open(&b, BYTES, SZ_4K, true))
		return FAIL;
	dma_write(&b, 11);
	if (!port_open(&b, 1, true))
		return FAIL;
	dma_write_by(&b.port[1], 1000);
	dma_write(&b, 12);
	if (get_log(&b, TYPE1_GET, PAGES, bitmap))
		return because(FAIL, "getting the log failed");
	if (!has(bitmap, 11) || !has(bitmap, 12) || !has(bitmap, 1000))
		return because(FAIL, "after a group has joined a written page is missing");
	if (count(bitmap, PAGES) != 3)
		return because(FAIL, "after a group has joined %" PRIu64 " pages are dirty, not 3",
			       count(bitmap, PAGES));
	dma_write_by(&b.port[1], 2000);
	dma_write(&b, 13);
	port_close(&b.port[1]);
	if (get_log(&b, TYPE1_GET, PAGES, bitmap))
		return because(FAIL, "getting the log failed");
	if (!has(bitmap, 13) || !has(bitmap, 2000))
		return because(FAIL, "after a group has left a written page is missing");
	if (count(bitmap, PAGES) != 2)
		return because(FAIL, "after a group has left %" PRIu64 " pages are dirty, not 2",
			       count(bitmap, PAGES));
	if (fallback_heard(NULL))
		return because(FAIL, "vfio_dirty_fallback tells of a fallback");
	return PASS;
}

static bool all_dirty(struct bench *b, const char *when)
{
	uint64_t bitmap[BITMAP_WORDS(PAGES)];

	if (!get_log(b, TYPE1_GET, PAGES, bitmap) && count(bitmap, PAGES) == PAGES)
		return true;
	because(FAIL, "%s: %" PRIu64 " of %d pages are dirty", when, count(bitmap, PAGES), PAGES);
	return false;
}

/*
 * A group that is not tracked makes all pages dirty while it is there and once more when it has
 * left, and it is told of. Then the log is exact again.
 */
static enum outcome untracked_group(void)
{
	__cleanup_bench struct bench b = BENCH_EMPTY;
	uint64_t bitmap[BITMAP_WORDS(PAGES)];

	if (!second_device())
		return SKIP;
	if (!bench_open(&b, BYTES, SZ_2M, true))
		return FAIL;
	if (!fallback_listen() || !port_open(&b, 1, false))
		return FAIL;
	if (!fallback_heard("untracked"))
		return because(FAIL, "a group that is not tracked joins and vfio_dirty_fallback says nothing");
	if (!all_dirty(&b, "with an untracked group") || !all_dirty(&b, "the same, again"))
		return FAIL;
	dma_write_by(&b.port[1], 2222);
	if (!fallback_listen())
		return FAIL;
	port_close(&b.port[1]);
	if (!fallback_heard("detached"))
		return because(FAIL, "it leaves and vfio_dirty_fallback says nothing");
	if (!all_dirty(&b, "after an untracked group has left"))
		return FAIL;
	/* What the tracked device wrote meanwhile is still to come. */
	get_log(&b, TYPE1_GET, PAGES, bitmap);
	return write_dirties_a_block(&b, 7, "after it has left");
}

/* The tracked group of two leaves: nothing is known any more, all is dirty. */
static enum outcome tracked_leaves(void)
{
	__cleanup_bench struct bench b = BENCH_EMPTY;

	if (!second_device())
		return SKIP;
	if (!bench_open(&b, BYTES, SZ_2M, true) || !port_open(&b, 1, false))
		return FAIL;
	dma_write(&b, 5);
	port_close(&b.port[0]);
	if (!all_dirty(&b, "with only the untracked group left"))
		return FAIL;
	if (!port_open(&b, 0, true) || !all_dirty(&b, "with both again"))
		return FAIL;
	return PASS;
}

/* The last group leaves a running log, and one comes: it is tracked, as if it had been there. */
static enum outcome last_leaves(void)
{
	__cleanup_bench struct bench b = BENCH_EMPTY;
	uint64_t bitmap[BITMAP_WORDS(PAGES)];

	if (!bench_open(&b, BYTES, SZ_2M, true))
		return FAIL;
	dma_write(&b, 5);
	port_close(&b.port[0]);
	if (!port_open(&b, 0, true) || !map_at(&b, 0, IOVA, BYTES))
		return FAIL;
	type1_log_start(b.container);	/* the container may have been made anew */
	get_log(&b, TYPE1_GET, PAGES, bitmap);
	return write_dirties_a_block(&b, 700, "when the group is back");
}

/* A process ends while its log is running and its device writes: all memory comes back. */
static enum outcome exit_during_log(void)
{
	long before = memory_free_huge_pages(SZ_2M), after = -1;
	int status;
	pid_t child = fork();

	if (!child) {
		struct bench b = BENCH_EMPTY;

		if (!bench_open(&b, BYTES, SZ_2M, true))
			_exit(1);
		dma_run(&b, BYTES, 1, 100);
		usleep(2000);
		_exit(0);
	}
	waitpid(child, &status, 0);
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		return because(FAIL, "the process could not start its log");
	for (int i = 0; i < 100 && after != before; i++) {
		after = memory_free_huge_pages(SZ_2M);
		usleep(20000);
	}
	if (after != before)
		return because(FAIL, "%ld 2M pages were free before, %ld after", before, after);
	return PASS;
}

/* ---- manual clear ---- */

static bool manual(struct bench *b)
{
	if (type1_has_manual_clear(b->container))
		return true;
	because(FAIL, "the extension VFIO_DIRTY_LOG_MANUAL_CLEAR is missing");
	return false;
}

/* A get without clear keeps; a clear takes the named pages away, no others; a write brings back. */
static enum outcome manual_clear(void)
{
	__cleanup_bench struct bench b = BENCH_EMPTY;
	uint64_t bitmap[BITMAP_WORDS(PAGES)];

	if (!bench_open(&b, BYTES, SZ_2M, true) || !manual(&b))
		return FAIL;
	dma_write(&b, 5);
	dma_write(&b, 3 * PAGES_2M + 9);
	for (int i = 0; i < 3; i++)
		if (get_log(&b, TYPE1_GET_NOCLEAR, PAGES, bitmap) ||
		    count(bitmap, PAGES) != 2 * PAGES_2M)
			return because(FAIL, "get %d without clear reports %" PRIu64 " pages, not two blocks",
				       i + 1, count(bitmap, PAGES));
	if (clear_page(&b, PAGES, 5) || clear_page(&b, PAGES, 2500))
		return because(FAIL, "a clear failed");
	if (get_log(&b, TYPE1_GET_NOCLEAR, PAGES, bitmap))
		return because(FAIL, "getting the log failed");
	if (has(bitmap, 5))
		return because(FAIL, "a page that was cleared is dirty");
	if (count(bitmap, PAGES) != 2 * PAGES_2M - 1)
		return because(FAIL, "one page was cleared of 1024, %" PRIu64 " are left",
			       count(bitmap, PAGES));
	for (int i = 0; i < 4; i++) {
		dma_write(&b, 5);
		if (get_log(&b, TYPE1_GET_NOCLEAR, PAGES, bitmap) || !has(bitmap, 5))
			return because(FAIL, "written after it was cleared %d times, a page is missing",
				       i + 1);
		clear_page(&b, PAGES, 5);
	}
	/* What the hardware knows and nobody has asked for is cleared too, but for the rest of the block. */
	dma_write(&b, 5 * PAGES_2M + 1);
	clear_page(&b, PAGES, 5 * PAGES_2M + 1);
	if (get_log(&b, TYPE1_GET_NOCLEAR, PAGES, bitmap) || has(bitmap, 5 * PAGES_2M + 1) ||
	    !has(bitmap, 5 * PAGES_2M + 2))
		return because(FAIL, "a page that was cleared before a get is %s, another of its block %s",
			       has(bitmap, 5 * PAGES_2M + 1) ? "dirty" : "clean",
			       has(bitmap, 5 * PAGES_2M + 2) ? "dirty" : "clean");
	memset(bitmap, 0, sizeof(bitmap));
	for (int page = 5 * PAGES_2M; page < 6 * PAGES_2M; page++)
		bitmap[page / 64] |= UINT64_C(1) << page % 64;
	type1_log(b.container, TYPE1_CLEAR, IOVA, BYTES, bitmap);
	/* All of one block by name, the other stays. */
	memset(bitmap, 0, sizeof(bitmap));
	for (int w = 0; w < PAGES_2M / 64; w++)
		bitmap[w] = UINT64_MAX;
	if (type1_log(b.container, TYPE1_CLEAR, IOVA, BYTES, bitmap))
		return because(FAIL, "a clear failed");
	if (get_log(&b, TYPE1_GET, PAGES, bitmap) || count(bitmap, PAGES) != PAGES_2M ||
	    !has(bitmap, 3 * PAGES_2M + 9))
		return because(FAIL, "one block of two was cleared, %" PRIu64 " pages are left",
			       count(bitmap, PAGES));
	if (get_log(&b, TYPE1_GET_NOCLEAR, PAGES, bitmap) || count(bitmap, PAGES))
		return because(FAIL, "%" PRIu64 " pages are dirty after a get", count(bitmap, PAGES));
	return PASS;
}

/*
 * A migration in small: while DMA goes on, read the log, and for each dirty page clear it, then
 * copy it. With the device at rest, once more. The copy has to be the memory.
 */
static enum outcome manual_copy(uint64_t leaf, const char *split, int round)
{
	__cleanup_bench struct bench b = BENCH_EMPTY;
	__cleanup_free uint8_t *copy = malloc(BYTES);
	uint64_t bitmap[BITMAP_WORDS(PAGES)];

	if (split && knobs_set(split, SZ_4K))
		return because(FAIL, "%s", problem_text());
	if (!copy || !bench_open(&b, BYTES, leaf, true) || !manual(&b))
		return FAIL;
	memcpy(copy, b.mem.va, BYTES);
	dma_run(&b, BYTES, round + 1, 500);
	for (int pass = 0; pass < 4; pass++) {
		int cleared = 0;

		if (pass == 3)
			dma_stop(&b);
		if (get_log(&b, TYPE1_GET_NOCLEAR, PAGES, bitmap))
			return because(FAIL, "getting the log failed");
		for (uint64_t page = 0; page < PAGES; page++) {
			if (!has(bitmap, page) || (pass < 3 && cleared++ > 200))
				continue;
			if (clear_page(&b, PAGES, page))
				return because(FAIL, "a clear failed");
			memcpy(copy + page * SZ_4K, b.mem.va + page * SZ_4K, SZ_4K);
		}
	}
	for (uint64_t page = 0; page < PAGES; page++)
		if (memcmp(copy + page * SZ_4K, b.mem.va + page * SZ_4K, SZ_4K))
			return because(FAIL, "round %d: the copy of page %" PRIu64 " is old", round, page);
	return PASS;
}

static enum outcome manual_under_dma(void)
{
	enum outcome outcome = PASS;

	for (int round = 0; round < 4 && outcome == PASS; round++)
		outcome = manual_copy(round % 2 ? SZ_2M : SZ_4K, NULL, round);
	if (outcome == PASS && knobs_exist())
		outcome = manual_copy(SZ_2M, "lazy", 4);
	return outcome;
}

/* A clear with odd bounds hits the pages that are named, bit for bit. */
static enum outcome clear_bits(void)
{
	static const struct { uint64_t page, pages; } maps[] = {
		{ 0, 3 }, { 3, 64 }, { 67, 130 }, { 197, 59 }, { 256, 1000 },
	};
	const uint64_t last = 1256;
	__cleanup_bench struct bench b = BENCH_EMPTY;
	uint64_t before[BITMAP_WORDS(PAGES)], clear[BITMAP_WORDS(PAGES)] = { 0 };
	uint64_t after[BITMAP_WORDS(PAGES)], seed = 5;

	if (!knob_set("disable_hugepages", "Y") || !bench_prepare(&b, BYTES, SZ_2M, true) ||
	    !manual(&b))
		return FAIL;
	for (size_t i = 0; i < ARRAY_SIZE(maps); i++)
		if (!map_at(&b, maps[i].page * SZ_4K, IOVA + maps[i].page * SZ_4K,
			    maps[i].pages * SZ_4K))
			return FAIL;
	if (!log_start(&b))
		return FAIL;
	for (int round = 1; round <= 8; round++) {
		dma_scatter(&b, last * SZ_4K, round, 400);
		if (get_log(&b, TYPE1_GET_NOCLEAR, last, before))
			return because(FAIL, "getting the log failed");
		for (size_t w = 0; w < BITMAP_WORDS(last); w++)
			clear[w] = next_random(&seed) & next_random(&seed);
		if (type1_log(b.container, TYPE1_CLEAR, IOVA, last * SZ_4K, clear))
			return because(FAIL, "a clear failed");
		if (get_log(&b, TYPE1_GET_NOCLEAR, last, after))
			return because(FAIL, "getting the log failed");
		for (size_t w = 0; w < BITMAP_WORDS(last); w++)
			if (after[w] != (before[w] & ~clear[w]))
				return because(FAIL, "round %d: word %zu is %#" PRIx64 " after a clear, not %#" PRIx64,
					       round, w, after[w], before[w] & ~clear[w]);
	}
	return PASS;
}

/* ---- splitting ---- */

/* The host's knobs hold for type1: blocks are split for the log, and merged when it stops. */
static enum outcome split_for_log(const char *mode)
{
	__cleanup_bench struct bench b = BENCH_EMPTY;
	uint64_t bitmap[BITMAP_WORDS(PAGES)];
	long before, split, after = -1;
	enum outcome outcome;

	if (knobs_set(mode, SZ_4K))
		return because(FAIL, "%s", problem_text());
	if (!bench_open(&b, BYTES, SZ_2M, true))
		return FAIL;
	if (type1_log_stop(b.container))
		return because(FAIL, "stopping the log failed");
	usleep(100000);		/* merge */
	before = table_pages();
	if (!log_start(&b))
		return FAIL;
	if (!strcmp(mode, "lazy")) {
		/* The first report of a block is the block. */
		for (int block = 0; block < BLOCKS; block++)
			dma_write(&b, block * PAGES_2M);
		get_log(&b, TYPE1_GET, PAGES, bitmap);
	}
	outcome = rounds_equal_truth(&b, PAGES, unsplit ? SZ_2M : SZ_4K, mode);
	if (outcome != PASS)
		return outcome;
	split = table_pages();
	if (!unsplit && split < before + BLOCKS)
		return because(FAIL, "%s: %ld tables before the log, %ld during it", mode, before,
			       split);
	/* Stopped and merged under DMA, and what is dirty then does not matter. */
	dma_run(&b, BYTES, 3, 100);
	if (type1_log_stop(b.container))
		return because(FAIL, "stopping the log failed");
	for (int i = 0; i < 100 && after != before; i++) {
		usleep(20000);
		after = table_pages();
	}
	dma_stop(&b);
	if (after != before)
		return because(FAIL, "%s: %ld tables before the log, %ld after it", mode, before,
			       after);
	/* A log that starts again at once, before or while blocks are merged */
	if (!log_start(&b) || type1_log_stop(b.container) || !log_start(&b))
		return because(FAIL, "stop and start failed");
	dma_write(&b, 5);
	if (get_log(&b, TYPE1_GET, PAGES, bitmap) || !has(bitmap, 5))
		return because(FAIL, "%s: a page written after a second start is missing", mode);
	return PASS;
}

static enum outcome split_and_merge(void)
{
	enum outcome outcome;

	if (!knobs_exist())
		return because(SKIP, "this kernel has no split knobs");
	outcome = split_for_log("eager");
	return outcome == PASS ? split_for_log("lazy") : outcome;
}

/* As unmap_under_dma, with blocks that are split while the log runs */
static enum outcome unmap_split(void)
{
	enum outcome outcome = PASS;

	if (!knobs_exist())
		return because(SKIP, "this kernel has no split knobs");
	for (int round = 0; round < 20 && outcome == PASS; round++) {
		if (knobs_set(round % 2 ? "eager" : "lazy", SZ_4K))
			return because(FAIL, "%s", problem_text());
		outcome = unmap_busy(SZ_2M, round);
	}
	return outcome;
}

/* ---- locks are dropped ---- */

#define BIG_BYTES	(2 * SZ_1G)
#define BIG_PAGES	(BIG_BYTES / SZ_4K)

struct churn {
	struct bench *b;
	int err;
	bool stop;
};

/* Maps and unmaps, behind the two large mappings and between every two steps of a get */
static void *map_often(void *arg)
{
	struct churn *c = arg;
	uint64_t bitmap[BITMAP_WORDS(PAGES_2M)];

	while (!__atomic_load_n(&c->stop, __ATOMIC_RELAXED) && !c->err) {
		c->err = type1_map(c->b->container, c->b->mem.va, IOVA + BIG_BYTES, SZ_2M);
		if (c->err)
			break;
		memset(bitmap, 0, sizeof(bitmap));
		c->err = type1_unmap(c->b->container, IOVA + BIG_BYTES, SZ_2M, bitmap);
		/* A new mapping is dirty. */
		if (!c->err && count(bitmap, PAGES_2M) != PAGES_2M)
			c->err = -ENODATA;
	}
	return NULL;
}

/* Gets of 2 GiB that drop the lock on the way, with DMA and another thread that maps and unmaps. */
static enum outcome map_during_get(void)
{
	__cleanup_bench struct bench b = BENCH_EMPTY;
	__cleanup_free uint64_t *bitmap = calloc(2, BIG_PAGES / 8);
	uint64_t *sum = bitmap + BIG_PAGES / 64;
	struct churn churn = { .b = &b };
	enum outcome outcome = PASS;
	pthread_t thread;

	if (!bitmap)
		return because(FAIL, "no memory");
	if (!knob_set("disable_hugepages", "N") || !bench_prepare(&b, BIG_BYTES, SZ_1G, true) ||
	    !map_at(&b, 0, IOVA, SZ_1G) || !map_at(&b, SZ_1G, IOVA + SZ_1G, SZ_1G) ||
	    !log_start(&b))
		return FAIL;
	latch(&b);
	dma_run(&b, BIG_BYTES, 9, 100);
	if (pthread_create(&thread, NULL, map_often, &churn))
		return because(FAIL, "no thread");
	for (int i = 0; i < 30 && outcome == PASS; i++) {
		if (i == 29)
			dma_stop(&b);
		if (get_log(&b, TYPE1_GET, BIG_PAGES, bitmap))
			outcome = because(FAIL, "getting the log failed");
		for (uint64_t w = 0; w < BIG_PAGES / 64; w++)
			sum[w] |= bitmap[w];
	}
	__atomic_store_n(&churn.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	if (outcome == PASS && churn.err)
		outcome = because(FAIL, "the other thread: %s", strerror(-churn.err));
	if (outcome == PASS && !latch(&b))
		outcome = because(FAIL, "the device wrote nothing");
	return outcome == PASS ? nothing_lost(&b, sum, BIG_PAGES, "2 GiB", 0) : outcome;
}

static const struct check checks[] = {
	{ "off-is-stock", off_is_stock },
	{ "errors-as-stock", errors_as_stock },
	{ "clean-stays-clean", clean_stays_clean },
	{ "get-equals-truth", get_equals_truth },
	{ "written-again", written_again },
	{ "get-under-dma", get_under_dma },
	{ "odd-mappings", odd_mappings },
	{ "efault-then-retry", efault_then_retry },
	{ "stop-and-start", stop_and_start },
	{ "map-during-log", map_during_log },
	{ "unmap-reports", unmap_reports },
	{ "unmap-mixed", unmap_mixed },
	{ "unmap-under-dma", unmap_under_dma },
	{ "unmap-efault", unmap_efault },
	{ "group-joins", group_joins },
	{ "untracked-group", untracked_group },
	{ "tracked-leaves", tracked_leaves },
	{ "last-leaves", last_leaves },
	{ "exit-during-log", exit_during_log },
	{ "manual-clear", manual_clear },
	{ "manual-under-dma", manual_under_dma },
	{ "clear-bits", clear_bits },
	{ "split-and-merge", split_and_merge },
	{ "unmap-split", unmap_split },
	{ "map-during-get", map_during_get },
	{ "kernel-log-clean", kernel_log_clean },
	{ "no-hardware", no_hardware },
};

/* For an IOMMU without hardware dirty state, on which most others fail: only when it is named */
static const struct probe probe = {
	.name = "type1probe",
	.checks = checks,
	.n = ARRAY_SIZE(checks),
	.by_name = 1,	/* no-hardware, for an IOMMU without hardware dirty state */
	.settle_ms = 1000,	/* a container is released a moment after its last user has gone */
};

static const char help[] =
"Usage: type1probe [--unsplit] [CHECK...]\n"
"Checks the dirty log of VFIO's type1 IOMMU with DMA of the generator; without CHECK, everything.\n"
"With --unsplit the IOMMU is one that cannot split (BBML 0): blocks have to be kept.\n"
"Needs two free 1G huge pages and 64 of 2M; some checks want a second generator. Exit status 0\n"
"when nothing failed. Checks:\n";

static int parse_options(int argc, char **argv)
{
	static const struct option table[] = {
		{ "unsplit", no_argument, NULL, 'u' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	int c;

	while ((c = getopt_long(argc, argv, "h", table, NULL)) != -1) {
		switch (c) {
		case 'u':
			unsplit = true;
			break;
		case 'h':
			fputs(help, stdout);
			probe_list(&probe);
			exit(0);
		default:
			return problem(EINVAL, "unknown option; see type1probe --help");
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
