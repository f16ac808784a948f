// SPDX-License-Identifier: GPL-2.0-only
/*
 * lockstep: a device writes so many times, stops, its memory is synced; and again. The same seed
 * gives the same writes, whatever the memory is mapped by and however blocks are split, so that
 * runs can be compared sync by sync. What was really written is the generator's bitmap. Memory is
 * mapped more than once, so that a few blocks do for thousands. Not a migration: nothing is sent.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "generator.h"
#include "iommu.h"
#include "knobs.h"
#include "log.h"
#include "memory.h"
#include "runtime.h"

/* 1G-aligned, beyond 32 bits */
#define MEMORY_IOVA	UINT64_C(0x4000000000)

#define EXIT_USAGE	2
#define UNITS		4
#define SLOTS_MAX	5

struct options {
	const char *device;
	const char *log;
	const char *split;
	const char *workload;
	uint64_t memory;
	uint64_t length;
	uint64_t small;
	uint64_t backing;
	uint64_t granularity;
	uint64_t seed;
	uint64_t ops;
	uint64_t syncs;
	uint64_t same_bitmap;
};

/* Of a workload: so many of 100 operations, in a part of the memory at a seeded place. */
struct part {
	uint32_t percent;
	uint32_t share;			/* of the memory: 1 / share */
	uint32_t op_bytes;
	uint64_t pattern;
};

static const struct workload {
	const char *name;
	struct part parts[SLOTS_MAX];
} workloads[] = {
	{ "uniform", { { 100, 1, 64, DMAGEN_OP_RANDOM } } },
	/* Packets through a ring, and some statistics elsewhere */
	{ "ring", { { 95, 8, 2048, DMAGEN_OP_STRIDE }, { 5, 1, 64, DMAGEN_OP_RANDOM } } },
	{ "hot-set", { { 80, 16, 64, DMAGEN_OP_RANDOM }, { 20, 1, 64, DMAGEN_OP_RANDOM } } },
	/* Ever smaller parts get as many operations: a heavy tail */
	{ "layers", { { 30, 1, 64, DMAGEN_OP_RANDOM }, { 25, 4, 64, DMAGEN_OP_RANDOM },
		      { 20, 16, 64, DMAGEN_OP_RANDOM }, { 15, 64, 64, DMAGEN_OP_RANDOM },
		      { 10, 256, 64, DMAGEN_OP_RANDOM } } },
	/* Some blocks full, others nearly empty */
	{ "dense-and-sparse", { { 85, 4, 4096, DMAGEN_OP_STRIDE }, { 15, 1, 64, DMAGEN_OP_RANDOM } } },
};

struct lockstep {
	const struct options *opt;
	struct iommu iommu;
	struct generator gen;
	struct memory memory, small;
	struct iommu_space space;
	uint64_t bytes;			/* that are mapped */
	uint64_t *report;
	uint64_t *written;
	uint64_t mask;			/* of the generator's slots */
	bool tracking;
};

static const char help[] =
"Usage: lockstep [OPTIONS]\n"
"Lets a device write, reads what is dirty, and again; logs what was really written beside it.\n"
"\n"
"  --device PATH            VFIO character device (/dev/vfio/devices/vfio0)\n"
"  --length BYTES           IOVAs to map, K/M/G allowed (2G)\n"
"  --memory BYTES           memory behind them, mapped again and again (64M)\n"
"  --backing 2M|1G          pages behind the memory (2M)\n"
"  --small BYTES            more IOVAs, mapped by 4K pages (0)\n"
"  --granularity 4K|2M|1G   leaf size to split to (4K)\n"
"  --split MODE             off, eager, lazy or sample=P%,SEED, as the kernel has it (off)\n"
"  --workload NAME          uniform, ring, hot-set, layers or dense-and-sparse (uniform)\n"
"  --ops N                  operations between two syncs (10000)\n"
"  --syncs N                (5)\n"
"  --seed N                 (1)\n"
"  --same-bitmap N          1: the bitmap is not cleared between syncs (0)\n"
"  --log FILE               JSON Lines (none)\n";

static const struct workload *find_workload(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(workloads); i++)
		if (!strcmp(name, workloads[i].name))
			return &workloads[i];
	return NULL;
}

static int check_options(const struct options *opt)
{
	if (opt->backing != SZ_2M && opt->backing != SZ_1G)
		return problem(EINVAL, "--backing: give 2M or 1G");
	if (!opt->memory || opt->memory % opt->backing || !opt->length || opt->length % opt->memory)
		return problem(EINVAL, "--memory: give a multiple of --backing that --length is a multiple of");
	if (opt->small % SZ_2M)
		return problem(EINVAL, "--small: give a multiple of 2M");
	if (!find_workload(opt->workload))
		return problem(EINVAL, "--workload: '%s' is unknown; see lockstep --help", opt->workload);
	if (!opt->ops || !opt->syncs)
		return problem(EINVAL, "--ops and --syncs: give at least 1");
	if (strcmp(opt->split, "off") && !knobs_exist())
		return problem(ENOTSUP, "--split %s: this kernel cannot split blocks; boot the patched kernel",
			       opt->split);
	return 0;
}

static int parse_number(const char *name, const char *text, uint64_t *number)
{
	char *end;

	errno = 0;
	*number = strtoull(text, &end, 0);
	if (*text >= '0' && *text <= '9' && !*end && !errno)
		return 0;
	return problem(EINVAL, "--%s: '%s' is not a number", name, text);
}

static int parse_options(int argc, char **argv, struct options *opt)
{
	enum kind { TEXT, SIZE, NUMBER };
	const struct {
		const char *name;
		enum kind kind;
		void *to;
	} known[] = {
		{ "device", TEXT, &opt->device }, { "log", TEXT, &opt->log },
		{ "split", TEXT, &opt->split }, { "workload", TEXT, &opt->workload },
		{ "length", SIZE, &opt->length }, { "memory", SIZE, &opt->memory },
		{ "small", SIZE, &opt->small }, { "backing", SIZE, &opt->backing },
		{ "granularity", SIZE, &opt->granularity }, { "ops", NUMBER, &opt->ops },
		{ "syncs", NUMBER, &opt->syncs }, { "seed", NUMBER, &opt->seed },
		{ "same-bitmap", NUMBER, &opt->same_bitmap },
	};
	struct option table[ARRAY_SIZE(known) + 2] = { { "help", no_argument, NULL, 'h' } };
	int c, index, err = 0;

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		table[i + 1] = (struct option){ known[i].name, required_argument, NULL, 'o' };
	while (!err && (c = getopt_long(argc, argv, "h", table, &index)) != -1) {
		if (c == 'h') {
			fputs(help, stdout);
			exit(0);
		}
		if (c != 'o')
			return problem(EINVAL, "unknown option; see lockstep --help");
		index--;
		if (known[index].kind == NUMBER)
			err = parse_number(known[index].name, optarg, known[index].to);
		else if (known[index].kind == TEXT)
			*(const char **)known[index].to = optarg;
		else if (parse_size(optarg, known[index].to))
			err = problem(EINVAL, "--%s: '%s' is not a size", known[index].name, optarg);
	}
	if (err)
		return err;
	if (optind < argc)
		return problem(EINVAL, "'%s' is not an option; see lockstep --help", argv[optind]);
	return check_options(opt);
}

/* Each part at a seeded place that is a multiple of its size. */
static void program(struct lockstep *l)
{
	const struct workload *workload = find_workload(l->opt->workload);
	uint64_t seed = l->opt->seed;

	for (unsigned int i = 0; i < SLOTS_MAX && workload->parts[i].percent; i++) {
		const struct part *part = &workload->parts[i];
		uint64_t length = l->opt->length / part->share;
		struct dma_slot slot = {
			.length = length,
			.op_bytes = part->op_bytes,
			.pattern = part->pattern,
			.stride = part->op_bytes,
			.count = l->opt->ops * part->percent / 100,
		};

		slot.base = MEMORY_IOVA + next_random(&seed) % part->share * length;
		slot.seed = next_random(&seed) | 1;
		generator_set_slot(&l->gen, i, &slot);
		l->mask |= UINT64_C(1) << i;
	}
	if (l->opt->small) {
		struct dma_slot slot = {
			.base = MEMORY_IOVA + l->opt->length, .length = l->opt->small,
			.op_bytes = 64, .pattern = DMAGEN_OP_RANDOM, .count = l->opt->ops / 20,
			.seed = next_random(&seed) | 1,
		};

		generator_set_slot(&l->gen, SLOTS_MAX, &slot);
		l->mask |= UINT64_C(1) << SLOTS_MAX;
	}
}

static int map_all(struct lockstep *l)
{
	const struct options *opt = l->opt;
	int err = memory_create(&l->memory, opt->memory, opt->backing);

	for (uint64_t at = 0; !err && at < opt->length; at += opt->memory)
		err = iommu_space_map(&l->space, l->memory.va, MEMORY_IOVA + at, opt->memory);
	if (err || !opt->small)
		return err;
	err = memory_create(&l->small, opt->small, SZ_4K);
	/* Page by page: neighbours would be mapped as one. */
	for (uint64_t at = 0; !err && at < opt->small; at += SZ_4K)
		err = iommu_space_map(&l->space, l->small.va + at,
				      MEMORY_IOVA + opt->length + at, SZ_4K);
	return err;
}

static int set_up(struct lockstep *l)
{
	const struct options *opt = l->opt;
	int err = iommu_open(&l->iommu, opt->device);

	err = err ? err : generator_open(&l->gen, &l->iommu);
	err = err ? err : iommu_space_create(&l->space, &l->iommu, false);
	err = err ? err : map_all(l);
	if (err)
		return err;
	l->bytes = opt->length + opt->small;
	if (l->bytes / SZ_4K > l->gen.truth_bytes * 8)
		return problem(EINVAL, "--length: the generator's bitmap has room for %llu MiB",
			       (unsigned long long)l->gen.truth_bytes * 8 * SZ_4K / SZ_1M);
	l->report = calloc(1, l->bytes / SZ_4K / 8);
	l->written = calloc(1, l->bytes / SZ_4K / 8);
	if (!l->report || !l->written)
		return problem(ENOMEM, "no memory for the bitmaps");
	generator_set(&l->gen, DMAGEN_TRUTH_BASE, MEMORY_IOVA);
	program(l);
	return knobs_exist() ? knobs_set(opt->split, opt->granularity) : 0;
}

/* Bytes of the units of 4K, 64K, 2M and 1G that hold a page; page by page, so as to be plain. */
static void coarsen(const uint64_t *bitmap, uint64_t bytes, uint64_t units[UNITS])
{
	static const unsigned int shifts[UNITS] = { 12, 16, 21, 30 };

	for (unsigned int i = 0; i < UNITS; i++) {
		uint64_t size = UINT64_C(1) << shifts[i], last = UINT64_MAX;

		units[i] = 0;
		for (uint64_t page = 0; page < bytes / SZ_4K; page++) {
			uint64_t unit = page * SZ_4K >> shifts[i];

			if (!(bitmap[page / 64] >> page % 64 & 1) || unit == last)
				continue;
			last = unit;
			units[i] += bytes - unit * size < size ? bytes - unit * size : size;
		}
	}
}

static void log_units(const char *name, const uint64_t units[UNITS])
{
	log_part(",\"%s_4k_bytes\":%" PRIu64 ",\"%s_64k_bytes\":%" PRIu64 ",\"%s_2m_bytes\":%" PRIu64
		 ",\"%s_1g_bytes\":%" PRIu64, name, units[0], name, units[1], name, units[2], name,
		 units[3]);
}

/* Nothing is written from the latch on. */
static int step(struct lockstep *l, uint64_t number)
{
	uint64_t words = l->bytes / SZ_4K / 64, missed = 0, units[UNITS];
	int err;

	generator_ring(&l->gen, l->mask);
	generator_set(&l->gen, DMAGEN_LATCH, 1);
	for (uint64_t i = 0; i < words; i++)
		l->written[i] = l->gen.truth[i];
	if (!l->opt->same_bitmap)
		memset(l->report, 0, words * 8);
	err = iommu_space_sync(&l->space, MEMORY_IOVA, l->bytes, false, l->report);
	if (err)
		return problem(-err, "the sync failed (%s); see the kernel log", strerror(-err));
	for (uint64_t i = 0; i < words; i++)
		missed += __builtin_popcountll(l->written[i] & ~l->report[i]);
	log_part("{\"type\":\"lockstep.sync\",\"sync\":%" PRIu64 ",\"missed_pages\":%" PRIu64, number,
		 missed);
	coarsen(l->written, l->bytes, units);
	log_units("true", units);
	coarsen(l->report, l->bytes, units);
	log_units("reported", units);
	log_part("}");
	return log_end();
}

static int run(struct lockstep *l)
{
	int err = set_up(l);

	if (err)
		return err;
	l->tracking = true;
	err = iommu_space_track(&l->space, true);
	for (uint64_t i = 1; !err && i <= l->opt->syncs; i++)
		err = interrupted ? -EINTR : step(l, i);
	if (!err && (generator_get(&l->gen, DMAGEN_FAILED) || generator_get(&l->gen, DMAGEN_OUTSIDE)))
		err = problem(EIO, "some DMA failed; see the kernel log");
	return err;
}

int main(int argc, char **argv)
{
	struct options opt = {
		.device = "/dev/vfio/devices/vfio0", .split = "off", .workload = "uniform",
		.memory = 64 * SZ_1M, .length = 2 * SZ_1G, .backing = SZ_2M, .granularity = SZ_4K,
		.seed = 1, .ops = 10000, .syncs = 5,
	};
	struct lockstep l = { .opt = &opt, .iommu = IOMMU_CLOSED };
	int err;

	if (parse_options(argc, argv, &opt))
		return EXIT_USAGE;
	catch_interrupts();
	if (log_open(opt.log))
		return EXIT_FAILURE;
	err = run(&l);
	if (l.tracking)
		iommu_space_track(&l.space, false);
	generator_close(&l.gen);
	iommu_space_destroy(&l.space);
	iommu_close(&l.iommu);
	memory_destroy(&l.memory);
	memory_destroy(&l.small);
	knobs_restore();
	free(l.report);
	free(l.written);
	return log_close() || err ? EXIT_FAILURE : EXIT_SUCCESS;
}
