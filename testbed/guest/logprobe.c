// SPDX-License-Identifier: GPL-2.0-only
/*
 * logprobe: checks the dirty log that a DMA generator keeps itself, by hand, against the generator's
 * own truth: nothing that was written is missing from the log, nothing else is in it. Every check
 * prints one line, "ok NAME" or "not ok NAME: why". With --log, every report that it got is told:
 * what whoever watches has to have seen.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "devlog.h"
#include "generator.h"
#include "iommu.h"
#include "log.h"
#include "memory.h"
#include "migration.h"
#include "probe.h"
#include "runtime.h"
#include "truth.h"
#include "type1.h"

/* Not aligned to 1 GiB, nor to 2 MiB: units are cut at the ends. */
#define IOVA		(UINT64_C(0x4000000000) + 64 * SZ_4K)
#define BYTES		(64 * SZ_1M)
#define PAGES		(BYTES / SZ_4K)
#define PARAMETER	"/sys/module/dmagen_vfio_pci/parameters/log_page_shift"
#define ALL_SLOTS	7

struct side {
	char device[16];
	struct iommu io;
	struct iommu_space space;
	struct generator gen;
	uint64_t page;			/* of the log, once it was started */
};

/* One generator, or two that write the same memory. */
struct bench {
	struct side sides[2];
	struct memory mem;
	struct truth truth;		/* of the first */
	uint64_t *bitmap;		/* touched by nobody before the first report */
};

#define BENCH_EMPTY	{ .sides = { { .io = IOMMU_CLOSED }, { .io = IOMMU_CLOSED } } }
#define __cleanup_bench	__attribute__((cleanup(bench_close)))

#define FAIL_UNLESS(condition, ...) \
	do { \
		if (!(condition)) \
			return because(FAIL, __VA_ARGS__); \
	} while (0)

static const struct vfio_device_feature_dma_logging_range whole = { IOVA, BYTES };

static void page_shift(const char *shift)
{
	int err = write_text(PARAMETER, shift);

	if (err)
		problem(-err, "cannot write %s to " PARAMETER, shift);
}

static void bench_close(struct bench *b)
{
	truth_destroy(&b->truth);
	for (unsigned int i = 0; i < ARRAY_SIZE(b->sides); i++) {
		generator_close(&b->sides[i].gen);
		iommu_space_destroy(&b->sides[i].space);
		iommu_close(&b->sides[i].io);
	}
	if (b->bitmap)
		munmap(b->bitmap, PAGES / 8);
	memory_destroy(&b->mem);
	page_shift("0");
}

static int side_open(struct side *s, unsigned int n, struct memory *mem)
{
	char path[64];
	int err = type1_find(DMAGEN_PCI_VENDOR_ID, DMAGEN_PCI_DEVICE_ID, n, s->device);

	if (err)
		return problem(-err, "there is no DMA generator %u", n);
	err = iommu_find(s->device, path, sizeof(path));
	if (!err)
		err = iommu_open(&s->io, path);
	if (!err)
		err = generator_open(&s->gen, &s->io);
	if (!err)
		err = iommu_space_create(&s->space, &s->io, false);
	return err ? err : iommu_space_map(&s->space, mem->va, IOVA, mem->bytes);
}

static int fresh_bitmap(struct bench *b)
{
	void *at = mmap(NULL, PAGES / 8, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		return problem(errno, "no memory for a bitmap");
	if (b->bitmap)
		munmap(b->bitmap, PAGES / 8);
	b->bitmap = at;
	return 0;
}

static bool bench_open(struct bench *b, unsigned int sides)
{
	int err = memory_create(&b->mem, BYTES, SZ_4K);

	for (unsigned int i = 0; !err && i < sides; i++)
		err = side_open(&b->sides[i], i, &b->mem);
	if (!err)
		err = truth_create(&b->truth, &b->sides[0].gen, IOVA, PAGES);
	if (!err)
		err = fresh_bitmap(b);
	if (err)
		because(FAIL, "%s", problem_text());
	return !err;
}

/* A strided, a random and a hot and cold slot; @seed makes others of them. */
static void program(struct side *s, uint64_t seed)
{
	struct dma_slot slots[] = {
		{ .op_bytes = 8, .pattern = DMAGEN_OP_STRIDE, .stride = seed * SZ_4K + 8, .count = 37 },
		{ .op_bytes = 24, .pattern = DMAGEN_OP_RANDOM, .seed = seed + 5, .count = 11 },
		{ .op_bytes = 4096, .pattern = DMAGEN_OP_HOT_COLD, .seed = seed + 9, .count = 13,
		  .hot_bytes = 4 * SZ_4K, .hot_percent = 70 },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(slots); i++) {
		slots[i].base = IOVA;
		slots[i].length = BYTES;
		generator_set_slot(&s->gen, i, &slots[i]);
	}
}

/* Bytes of the units of this size that hold a dirty page, cut at the ends of the range. */
static uint64_t unit_bytes(const uint64_t *bitmap, uint64_t unit)
{
	uint64_t bytes = 0, end = IOVA + BYTES;

	for (uint64_t first = IOVA; first < end;) {
		uint64_t next = (first / unit + 1) * unit, at;

		next = next < end ? next : end;
		for (at = first; at < next && !has(bitmap, (at - IOVA) / SZ_4K); at += SZ_4K)
			;
		bytes += at < next ? next - first : 0;
		first = next;
	}
	return bytes;
}

/* One report, and what it has added to the bitmap. */
static int report(struct bench *b, unsigned int side)
{
	static const struct {
		const char *name;
		uint64_t bytes;
	} units[] = { { "4k", SZ_4K }, { "64k", 16 * SZ_4K }, { "2m", SZ_2M }, { "1g", SZ_1G } };
	const struct side *s = &b->sides[side];
	uint64_t before[ARRAY_SIZE(units)];
	uint64_t start, end;
	int err;

	for (unsigned int i = 0; i < ARRAY_SIZE(units); i++)
		before[i] = unit_bytes(b->bitmap, units[i].bytes);
	start = clock_ns();
	err = devlog_report(&s->io, IOVA, BYTES, b->bitmap);
	end = clock_ns();
	log_part("{\"type\":\"logprobe.report\",\"device\":\"%s\",\"page_bytes\":%" PRIu64
		 ",\"ret\":%d,\"start_ns\":%" PRIu64 ",\"end_ns\":%" PRIu64 ",\"iova\":%" PRIu64
		 ",\"length_bytes\":%" PRIu64, s->device, s->page, err, start, end, IOVA, BYTES);
	for (unsigned int i = 0; i < ARRAY_SIZE(units); i++)
		log_part(",\"dirty_%s_bytes\":%" PRIu64, units[i].name,
			 unit_bytes(b->bitmap, units[i].bytes) - before[i]);
	log_part("}");
	return log_end() ? -EIO : err;
}

static uint64_t count(const uint64_t *bitmap)
{
	uint64_t pages = 0;

	for (uint64_t i = 0; i < PAGES / 64; i++)
		pages += __builtin_popcountll(bitmap[i]);
	return pages;
}

static int start(struct bench *b, unsigned int side)
{
	b->sides[side].page = SZ_4K;
	return devlog_start(&b->sides[side].io, &whole, 1, &b->sides[side].page);
}

/* ---- what a VMM finds ---- */

static enum outcome what_it_takes(void)
{
	struct vfio_device_feature_dma_logging_range twice[] = { whole, { IOVA + SZ_4K, SZ_4K } };
	struct vfio_device_feature_dma_logging_range odd = { IOVA + 8, SZ_4K };
	__cleanup_bench struct bench b = BENCH_EMPTY;
	uint64_t page = SZ_4K;
	const struct iommu *io = &b.sides[0].io;
	int err;

	if (!bench_open(&b, 1))
		return FAIL;
	err = devlog_probe(io);
	FAIL_UNLESS(!err, "it offers no log: %s", strerror(-err));
	FAIL_UNLESS(report(&b, 0) == -EINVAL, "it reports what it does not log");
	FAIL_UNLESS(!devlog_stop(io), "it cannot be stopped before it was started");
	FAIL_UNLESS(devlog_start(io, &whole, 0, &page) == -EINVAL, "it takes no range");
	FAIL_UNLESS(devlog_start(io, twice, 2, &page) == -EINVAL, "it takes one range twice");
	FAIL_UNLESS(devlog_start(io, &odd, 1, &page) == -EINVAL, "it takes a part of a page");
	page = 12345;
	FAIL_UNLESS(devlog_start(io, &whole, 1, &page) == -EINVAL, "it takes 12345 bytes for a page");
	page = SZ_4K;
	err = devlog_start(io, &whole, 1, &page);
	FAIL_UNLESS(!err && page == SZ_4K, "it does not start: %s, %" PRIu64, strerror(-err), page);
	FAIL_UNLESS(start(&b, 0) == -EINVAL, "it starts twice");
	FAIL_UNLESS(!devlog_stop(io), "it does not stop");
	FAIL_UNLESS(!start(&b, 0), "it does not start again");
	return PASS;
}

/* ---- the log is the truth ---- */

/* Nothing is written during a report: the log is what was written, page by page. */
static enum outcome exact(void)
{
	__cleanup_bench struct bench b = BENCH_EMPTY;
	struct generator *gen = &b.sides[0].gen;
	int err;

	if (!bench_open(&b, 1))
		return FAIL;
	program(&b.sides[0], 1);
	generator_ring(gen, ALL_SLOTS);
	err = start(&b, 0);
	FAIL_UNLESS(!err, "it does not start: %s", strerror(-err));
	generator_set(gen, DMAGEN_LATCH, 1);
	err = report(&b, 0);
	FAIL_UNLESS(!err && !count(b.bitmap), "what was before is in it: %s, %" PRIu64 " pages",
		    strerror(-err), count(b.bitmap));
	for (unsigned int i = 0; i < 6; i++) {
		for (unsigned int ring = 0; ring < 1U << i; ring++)
			generator_ring(gen, ALL_SLOTS);
		generator_set(gen, DMAGEN_LATCH, 1);
		if (fresh_bitmap(&b))
			return because(FAIL, "%s", problem_text());
		err = report(&b, 0);
		FAIL_UNLESS(!err, "report %u: %s", i, strerror(-err));
		FAIL_UNLESS(!memcmp(b.bitmap, (const void *)gen->truth, PAGES / 8),
			    "report %u has %" PRIu64 " pages, %" PRIu64 " were written", i, count(b.bitmap),
			    generator_get(gen, DMAGEN_LATCHED_PAGES));
	}
	memset(b.bitmap, 0, PAGES / 8);
	err = report(&b, 0);
	FAIL_UNLESS(!err && !count(b.bitmap), "what was read is still dirty");
	err = devlog_stop(&b.sides[0].io);
	FAIL_UNLESS(!err && !generator_get(gen, DMAGEN_FAILED), "the end: %s", strerror(-err));
	return PASS;
}

/* It writes all the time: nothing is missing, by the rule that every tracker is held against. */
static enum outcome paced(void)
{
	__cleanup_bench struct bench b = BENCH_EMPTY;
	struct generator *gen = &b.sides[0].gen;
	uint64_t reported = 0;
	int err;

	if (!bench_open(&b, 1))
		return FAIL;
	program(&b.sides[0], 1);
	generator_run(gen, ALL_SLOTS, 20, 500);
	truth_start(&b.truth);
	err = start(&b, 0);
	truth_tracked(&b.truth);
	for (unsigned int i = 0; !err && i < 20; i++) {
		usleep(20000);
		memset(b.bitmap, 0, PAGES / 8);
		if (i == 19)
			generator_stop(gen);
		truth_latch(&b.truth);
		truth_collect(&b.truth);
		err = report(&b, 0);
		truth_latch(&b.truth);
		truth_judge(&b.truth, 0, PAGES, b.bitmap);
		truth_collect(&b.truth);
		truth_settle(&b.truth, 0, PAGES, b.bitmap);
		reported += count(b.bitmap);
	}
	FAIL_UNLESS(!err, "a report: %s", strerror(-err));
	for (uint64_t i = 0; i < PAGES / 64; i++)
		b.truth.missed += __builtin_popcountll(b.truth.must[i]);
	FAIL_UNLESS(!b.truth.missed, "%" PRIu64 " pages were missed, the first is %" PRIu64,
		    b.truth.missed, b.truth.missed_list[0]);
	FAIL_UNLESS(reported && reported >= b.truth.pages_written, "%" PRIu64 " pages were reported, %"
		    PRIu64 " written", reported, b.truth.pages_written);
	return PASS;
}

/* One bitmap for two devices, as QEMU does it: the second adds what the first has not. */
static enum outcome one_bitmap(void)
{
	__cleanup_bench struct bench b = BENCH_EMPTY;
	__cleanup_free uint64_t *both = calloc(1, PAGES / 8);
	int err = 0;

	if (!both || !bench_open(&b, 2))
		return FAIL;
	for (unsigned int i = 0; i < 2 && !err; i++) {
		generator_set(&b.sides[i].gen, DMAGEN_TRUTH_BASE, IOVA);
		program(&b.sides[i], 1 + i);
		err = start(&b, i);
		generator_set(&b.sides[i].gen, DMAGEN_LATCH, 1);
	}
	FAIL_UNLESS(!err, "they do not start: %s", strerror(-err));
	for (unsigned int n = 0; n < 4; n++) {
		memset(b.bitmap, 0, PAGES / 8);
		memset(both, 0, PAGES / 8);
		for (unsigned int i = 0; i < 2; i++) {
			struct generator *gen = &b.sides[i].gen;

			generator_ring(gen, ALL_SLOTS);
			generator_set(gen, DMAGEN_LATCH, 1);
			err = report(&b, i);
			FAIL_UNLESS(!err, "report %u of device %u: %s", n, i, strerror(-err));
			for (uint64_t word = 0; word < PAGES / 64; word++)
				both[word] |= gen->truth[word];
		}
		FAIL_UNLESS(!memcmp(b.bitmap, both, PAGES / 8), "report %u is not what both wrote", n);
	}
	return PASS;
}

/* ---- ranges and pages ---- */

static enum outcome ranges(void)
{
	struct vfio_device_feature_dma_logging_range six[6];
	__cleanup_bench struct bench b = BENCH_EMPTY;
	struct generator *gen = &b.sides[0].gen;
	uint64_t *page = &b.sides[0].page, inside = 0, outside = 0;
	int err;

	if (!bench_open(&b, 1))
		return FAIL;
	program(&b.sides[0], 1);
	*page = SZ_4K;
	/* Only this one range: the rest is nobody's. */
	err = devlog_start(&b.sides[0].io, &(struct vfio_device_feature_dma_logging_range)
			   { IOVA + BYTES / 4, BYTES / 2 }, 1, page);
	FAIL_UNLESS(!err, "one range: %s", strerror(-err));
	generator_set(gen, DMAGEN_LATCH, 1);
	for (unsigned int i = 0; i < 16; i++)
		generator_ring(gen, ALL_SLOTS);
	generator_set(gen, DMAGEN_LATCH, 1);
	err = report(&b, 0);
	FAIL_UNLESS(!err, "the report: %s", strerror(-err));
	for (uint64_t i = 0; i < PAGES; i++) {
		bool is_inside = i >= PAGES / 4 && i < PAGES / 4 * 3;
		bool is_written = has((const uint64_t *)gen->truth, i);

		inside += is_inside && is_written != has(b.bitmap, i);
		outside += !is_inside && has(b.bitmap, i);
	}
	FAIL_UNLESS(!inside && !outside, "%" PRIu64 " pages of the range are wrong, %" PRIu64
		    " are outside", inside, outside);
	FAIL_UNLESS(!devlog_stop(&b.sides[0].io), "it does not stop");

	/* More than the device can hold are made fewer, and none is left out. */
	for (unsigned int i = 0; i < ARRAY_SIZE(six); i++)
		six[i] = (struct vfio_device_feature_dma_logging_range)
			 { IOVA + i * (BYTES / 8), BYTES / 16 };
	err = devlog_start(&b.sides[0].io, six, ARRAY_SIZE(six), page);
	FAIL_UNLESS(!err, "six ranges: %s", strerror(-err));
	for (unsigned int i = 0; i < 16; i++)
		generator_ring(gen, ALL_SLOTS);
	generator_set(gen, DMAGEN_LATCH, 1);
	memset(b.bitmap, 0, PAGES / 8);
	err = report(&b, 0);
	FAIL_UNLESS(!err, "the report of six: %s", strerror(-err));
	for (uint64_t i = 0; i < PAGES; i++)
		inside += i / (PAGES / 8) < ARRAY_SIZE(six) && i % (PAGES / 8) < PAGES / 16 &&
			  has((const uint64_t *)gen->truth, i) && !has(b.bitmap, i);
	FAIL_UNLESS(!inside, "%" PRIu64 " pages of six ranges are missing", inside);
	return PASS;
}

/* A log with pages of 64K reports all of one of which a byte was written. */
static enum outcome larger_pages(void)
{
	__cleanup_bench struct bench b = BENCH_EMPTY;
	struct generator *gen = &b.sides[0].gen;
	int err;

	if (!bench_open(&b, 1))
		return FAIL;
	program(&b.sides[0], 1);
	page_shift("16");
	err = start(&b, 0);
	FAIL_UNLESS(!err && b.sides[0].page == 16 * SZ_4K, "the log has pages of %" PRIu64 " bytes: %s",
		    b.sides[0].page, strerror(-err));
	generator_set(gen, DMAGEN_LATCH, 1);
	generator_ring(gen, ALL_SLOTS);
	generator_set(gen, DMAGEN_LATCH, 1);
	err = report(&b, 0);
	FAIL_UNLESS(!err, "the report: %s", strerror(-err));
	FAIL_UNLESS(count(b.bitmap) * SZ_4K == unit_bytes((const uint64_t *)gen->truth, 16 * SZ_4K),
		    "%" PRIu64 " pages are reported", count(b.bitmap));
	return PASS;
}

/* ---- the end of a log ---- */

static enum outcome reset_stops_it(void)
{
	__cleanup_bench struct bench b = BENCH_EMPTY;
	int err;

	if (!bench_open(&b, 1))
		return FAIL;
	err = start(&b, 0);
	FAIL_UNLESS(!err, "it does not start: %s", strerror(-err));
	FAIL_UNLESS(!migration_reset(&b.sides[0].io), "the device cannot be reset");
	FAIL_UNLESS(report(&b, 0) == -EINVAL, "it reports after a reset");
	err = start(&b, 0);
	FAIL_UNLESS(!err, "it does not start again: %s", strerror(-err));
	return PASS;
}

static enum outcome close_stops_it(void)
{
	for (unsigned int i = 0; i < 3; i++) {
		__cleanup_bench struct bench b = BENCH_EMPTY;
		int err;

		if (!bench_open(&b, 1))
			return FAIL;
		err = start(&b, 0);
		FAIL_UNLESS(!err, "it does not start after it was closed: %s", strerror(-err));
	}
	return PASS;
}

/* For those who come when it is on already: it is reported once there is a file "go". */
static enum outcome late(void)
{
	__cleanup_bench struct bench b = BENCH_EMPTY;
	uint64_t end = clock_ns() + 60 * NSEC_PER_SEC;
	__cleanup_fd int started = -1;
	int err;

	if (!bench_open(&b, 1))
		return FAIL;
	program(&b.sides[0], 1);
	err = start(&b, 0);
	started = err ? -1 : open("started", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	FAIL_UNLESS(started >= 0, "it does not start: %s", strerror(-err));
	while (access("go", F_OK) && clock_ns() < end)
		usleep(20000);
	for (unsigned int i = 0; !err && i < 3; i++) {
		generator_ring(&b.sides[0].gen, ALL_SLOTS);
		memset(b.bitmap, 0, PAGES / 8);
		err = report(&b, 0);
	}
	FAIL_UNLESS(!err && count(b.bitmap), "the reports: %s", strerror(-err));
	return PASS;
}

static const struct check checks[] = {
	{ "what-it-takes", what_it_takes },
	{ "exact", exact },
	{ "paced", paced },
	{ "one-bitmap", one_bitmap },
	{ "ranges", ranges },
	{ "larger-pages", larger_pages },
	{ "reset-stops-it", reset_stops_it },
	{ "close-stops-it", close_stops_it },
	{ "kernel-log-clean", kernel_log_clean },
	{ "late", late },
};

static const struct probe probe = {
	.name = "logprobe",
	.checks = checks,
	.n = ARRAY_SIZE(checks),
	.by_name = 1,
};

static const char help[] =
"Usage: logprobe [--log FILE] [CHECK...]\n"
"Checks the dirty logs of the first two DMA generators, which have to be bound to dmagen_vfio_pci\n"
"and to have one; without CHECK, everything. Exit status 0 when nothing failed.\n"
"  --log FILE               every report, JSON Lines (none)\n"
"Checks:\n";

int main(int argc, char **argv)
{
	static const struct option table[] = {
		{ "log", required_argument, NULL, 'l' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	const char *path = NULL;
	int c, status;

	while ((c = getopt_long(argc, argv, "h", table, NULL)) != -1) {
		if (c == 'h') {
			fputs(help, stdout);
			probe_list(&probe);
			return 0;
		}
		if (c != 'l') {
			problem(EINVAL, "unknown option; see logprobe --help");
			return 2;
		}
		path = optarg;
	}
	if (log_open(path))
		return 1;
	status = probe_run(&probe, argc, argv);
	return log_close() ? 1 : status;
}
