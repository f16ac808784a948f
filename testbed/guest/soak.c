// SPDX-License-Identifier: GPL-2.0-only
/*
 * soak: DMA without a pause, and everything that user space can do to the page table at once:
 * syncs of the whole and of parts, some that clear nothing, clears by bitmap where the kernel has
 * them, tracking stopped (which merges) and started (which splits), other ranges of the same IOVA
 * space mapped, split and unmapped. Every page that was written has to be reported. Public uAPI
 * only. It measures nothing; dirtyprobe has the rules one by one.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/iommufd.h>

#include "generator.h"
#include "iommu.h"
#include "knobs.h"
#include "ledger.h"
#include "memory.h"
#include "runtime.h"

/*
 * One IOVA space: memory in blocks, then memory in 4K pages, both written and judged all the time;
 * behind them places where other memory comes and goes.
 */
#define IOVA		UINT64_C(0x4000000000)
#define SMALL_BYTES	(8 * SZ_1M)
#define PLACES		8

#define WORD_BITS	64

/* Slots of the generator: 0 to 3 run on their own, the last is rung for the places. */
#define RUN_SLOTS	0xf
#define PLACE_SLOT	8
#define PLACE_WRITES	24

#define LAZY_STOP_US	60000	/* upper bounds of random pauses */
#define ROUND_SYNCS	24

#define CANNOT_CLEAR	1	/* what clear_named() returns without the ioctl */

struct soak {
	struct iommu iommu;
	struct generator gen;
	struct iommu_space space;
	struct memory blocks, small, other_blocks, other_pages;
	struct ledger ledger;
	const char *mode;
	uint64_t granularity, seed, pages;
	bool forgiving;		/* of ENOMEM: allocations are made to fail */
	volatile bool done;
	pthread_mutex_t lock;	/* of 'error' */
	char error[200];
	/* each counted by one thread */
	uint64_t syncs, partial_syncs, kept_syncs, clears, starts;
	uint64_t maps, unmaps, place_writes, place_syncs;
	uint64_t denied;	/* ENOMEM that was forgiven */
};

static void fail(struct soak *soak, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void fail(struct soak *soak, const char *fmt, ...)
{
	va_list args;

	pthread_mutex_lock(&soak->lock);
	va_start(args, fmt);
	if (!soak->error[0])
		vsnprintf(soak->error, sizeof(soak->error), fmt, args);
	va_end(args);
	pthread_mutex_unlock(&soak->lock);
	soak->done = true;
}

/* True when 'err' (0 or -errno) is nothing to stop for. */
static bool tolerable(struct soak *soak, int err, const char *what)
{
	if (!err)
		return true;
	if (soak->forgiving && err == -ENOMEM)
		__atomic_fetch_add(&soak->denied, 1, __ATOMIC_RELAXED);
	else
		fail(soak, "%s: %s", what, strerror(-err));
	return false;
}

static uint64_t below(uint64_t *random, uint64_t limit)
{
	return next_random(random) % limit;
}

static void pause_us(uint64_t *random, uint64_t most)
{
	usleep(below(random, most) + 1);
}

/* ---- clear by bitmap ---- */

#ifdef IOMMU_HWPT_CLEAR_DIRTY_BITMAP
static int clear_named(struct soak *soak, uint64_t first, uint64_t pages, const void *named)
{
	struct iommu_hwpt_clear_dirty_bitmap clear = {
		.size = sizeof(clear),
		.hwpt_id = soak->space.hwpt,
		.iova = IOVA + first * SZ_4K,
		.length = pages * SZ_4K,
		.page_size = SZ_4K,
		.data = (uintptr_t)named,
	};

	if (!ioctl(soak->iommu.iommufd, IOMMU_HWPT_CLEAR_DIRTY_BITMAP, &clear))
		return 0;
	return errno == ENOTTY || errno == EOPNOTSUPP ? CANNOT_CLEAR : -errno;
}
#else
static int clear_named(struct soak *soak, uint64_t first, uint64_t pages, const void *named)
{
	(void)soak;
	(void)first;
	(void)pages;
	(void)named;
	return CANNOT_CLEAR;
}
#endif

/* ---- threads ---- */

struct worker {
	struct soak *soak;
	void (*work)(struct worker *w);
	struct ledger_reader reader;
	uint64_t *bitmap;
	uint64_t random;
};

/* One judged sync. False when it was none: tracking is off, or it failed. */
static bool sync_once(struct worker *w, uint64_t first, uint64_t pages, bool keep,
		      uint64_t *counter)
{
	struct soak *soak = w->soak;
	int err;

	if (!ledger_begin(&soak->ledger, &w->reader, first, pages)) {
		usleep(500);
		return false;
	}
	memset(w->bitmap, 0, (pages / WORD_BITS + 1) * sizeof(*w->bitmap));
	err = iommu_space_sync(&soak->space, IOVA + first * SZ_4K, pages * SZ_4K, keep, w->bitmap);
	ledger_end(&soak->ledger, &w->reader, err ? NULL : w->bitmap, keep);
	if (!tolerable(soak, err, "sync"))
		return false;
	++*counter;
	return true;
}

/* Any range of whole pages, often one that begins and ends inside a block. */
static void any_range(struct worker *w, uint64_t *first, uint64_t *pages)
{
	static const uint64_t most[] = { 4, 600, 4000 };
	uint64_t all = w->soak->pages;

	*first = below(&w->random, all);
	*pages = 1 + below(&w->random, most[below(&w->random, 3)]);
	if (*pages > all - *first)
		*pages = all - *first;
}

static void sync_parts(struct worker *w)
{
	uint64_t first, pages;

	while (!w->soak->done) {
		bool keep = !below(&w->random, 8);

		any_range(w, &first, &pages);
		sync_once(w, first, pages, keep,
			  keep ? &w->soak->kept_syncs : &w->soak->partial_syncs);
		pause_us(&w->random, 400);
	}
}

/*
 * Manual clear as a VMM does it: read, keep; then clear what was read, all or half of it, in a
 * range that need not end where a block does.
 */
static void clear_parts(struct worker *w)
{
	struct soak *soak = w->soak;
	uint64_t first, pages;
	int err;

	while (!soak->done) {
		any_range(w, &first, &pages);
		if (!sync_once(w, first, pages, true, &soak->kept_syncs) ||
		    !ledger_begin(&soak->ledger, &w->reader, first, pages))
			continue;
		for (uint64_t i = 0; i < pages / WORD_BITS + 1; i++)
			if (below(&w->random, 2))
				w->bitmap[i] &= next_random(&w->random);
		err = clear_named(soak, first, pages, w->bitmap);
		ledger_end_clear(&soak->ledger, &w->reader, err ? NULL : w->bitmap);
		if (err == CANNOT_CLEAR)
			return;
		if (tolerable(soak, err, "clear by bitmap"))
			soak->clears++;
		pause_us(&w->random, 1000);
	}
}

/* ---- places where memory comes and goes ---- */

struct place {
	bool mapped, in_blocks;
};

static uint64_t place_iova(const struct soak *soak, unsigned int index)
{
	return IOVA + soak->pages * SZ_4K + index * SZ_2M;
}

static void place_toggle(struct soak *soak, struct place *place, unsigned int index, bool blocks)
{
	uint8_t *va = (blocks ? soak->other_blocks.va : soak->other_pages.va) + index * SZ_2M;

	int err;

	if (place->mapped)
		err = iommu_space_unmap(&soak->space, place_iova(soak, index), SZ_2M);
	else
		err = iommu_space_map(&soak->space, va, place_iova(soak, index), SZ_2M);
	problem_clear();
	if (!tolerable(soak, err, place->mapped ? "unmap" : "map"))
		return;
	place->mapped = !place->mapped;
	if (place->mapped)
		soak->maps++;
	else
		soak->unmaps++;
}

/* Only this thread writes and syncs a place: what was written before a sync is in its report. */
static void place_use(struct worker *w, unsigned int index)
{
	struct soak *soak = w->soak;
	uint64_t bitmap[SZ_2M / SZ_4K / WORD_BITS] = { 0 }, at = place_iova(soak, index);
	uint64_t stride = (1 + below(&w->random, 511)) * SZ_4K;
	struct dma_slot slot = {
		.base = at,
		.length = SZ_2M,
		.op_bytes = 8,
		.pattern = DMAGEN_OP_STRIDE,
		.stride = stride,
		.count = PLACE_WRITES,
	};
	uint32_t cycle = __atomic_load_n(&soak->ledger.cycle, __ATOMIC_ACQUIRE);
	int err;

	generator_set_slot(&soak->gen, PLACE_SLOT, &slot);
	generator_ring(&soak->gen, 1 << PLACE_SLOT);
	soak->place_writes += PLACE_WRITES;
	err = iommu_space_sync(&soak->space, at, SZ_2M, false, bitmap);
	if (!tolerable(soak, err, "sync of another range"))
		return;
	soak->place_syncs++;
	if (!(cycle & 1) || cycle != __atomic_load_n(&soak->ledger.cycle, __ATOMIC_ACQUIRE))
		return;
	for (uint64_t i = 0, page = 0; i < PLACE_WRITES; i++) {
		if (!(bitmap[page / WORD_BITS] >> page % WORD_BITS & 1))
			return fail(soak, "page %" PRIu64 " of place %u was written and is not in its report",
				    page, index);
		page = (page + stride / SZ_4K) % (SZ_2M / SZ_4K);
	}
}

static void change_places(struct worker *w)
{
	struct soak *soak = w->soak;
	struct place places[PLACES] = { 0 };

	while (!soak->done) {
		unsigned int index = below(&w->random, PLACES);

		if (places[index].mapped)
			place_use(w, index);
		if (!places[index].mapped || !below(&w->random, 3))
			place_toggle(soak, &places[index], index, below(&w->random, 2));
		pause_us(&w->random, 1500);
	}
	for (unsigned int i = 0; i < PLACES; i++)
		if (places[i].mapped)
			place_toggle(soak, &places[i], i, false);
}

/* ---- the DMA ---- */

/* Anywhere; two narrow ranges, so that translations stay cached; a ring that crosses pages. */
static void dma_start(struct soak *soak, uint32_t ops, uint32_t tick_us)
{
	uint64_t bytes = soak->pages * SZ_4K;
	struct dma_slot slots[] = {
		{ .base = IOVA, .length = bytes, .op_bytes = 8, .pattern = DMAGEN_OP_RANDOM },
		{ .base = IOVA, .length = bytes, .op_bytes = 8, .pattern = DMAGEN_OP_HOT_COLD,
		  .hot_bytes = 16 * SZ_4K, .hot_percent = 99 },
		{ .base = IOVA + bytes - SMALL_BYTES, .length = SMALL_BYTES, .op_bytes = 64,
		  .pattern = DMAGEN_OP_RANDOM },
		{ .base = IOVA + bytes / 4, .length = bytes / 2, .op_bytes = 1500,
		  .pattern = DMAGEN_OP_STRIDE, .stride = 1504 },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(slots); i++) {
		slots[i].seed = soak->seed * ARRAY_SIZE(slots) + i + 1;
		generator_set_slot(&soak->gen, i, &slots[i]);
	}
	generator_run(&soak->gen, RUN_SLOTS, ops, tick_us);
}

/* ---- events ---- */

#define EVENTS	"/sys/kernel/tracing/events/iommu/"
#define COUNTER	"/sys/kernel/tracing/instances/soak-%s"

static void count_events(const char *event, bool on)
{
	char path[128];

	snprintf(path, sizeof(path), EVENTS "iommu_%s", event);
	if (access(path, F_OK))
		return;
	snprintf(path, sizeof(path), COUNTER, event);
	if (on) {
		mkdir(path, 0700);
		snprintf(path, sizeof(path), COUNTER "/events/iommu/iommu_%s/enable", event,
			 event);
		write_text(path, "1");
	} else {
		rmdir(path);
	}
}

/* Events of that name so far; what the buffer has lost counts too. */
static uint64_t events_counted(const char *event)
{
	char path[128], text[512];
	uint64_t events = 0;

	for (unsigned int cpu = 0; ; cpu++) {
		static const char * const names[] = { "entries: ", "overrun: " };

		snprintf(path, sizeof(path), COUNTER "/per_cpu/cpu%u/stats", event, cpu);
		if (read_text(path, text, sizeof(text)))
			return events;
		for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
			char *at = strstr(text, names[i]);

			events += at ? strtoull(at + strlen(names[i]), NULL, 10) : 0;
		}
	}
}

/* ---- the run ---- */

static bool start_tracking(struct soak *soak)
{
	while (!soak->done) {
		int err = iommu_space_track(&soak->space, true);

		problem_clear();
		if (tolerable(soak, err, "start of tracking")) {
			soak->starts++;
			ledger_started(&soak->ledger);
			return true;
		}
	}
	return false;
}

/* The main thread: rounds of whole syncs, each ended by a stop and begun by a start. */
static void rounds(struct worker *w, uint64_t writes, uint64_t deadline)
{
	struct soak *soak = w->soak;
	uint64_t said = clock_ns();
	int err;

	while (!soak->done && start_tracking(soak)) {
		for (uint64_t left = 1 + below(&w->random, ROUND_SYNCS); left && !soak->done; left--) {
			sync_once(w, 0, soak->pages, false, &soak->syncs);
			pause_us(&w->random, 6000);
		}
		if (generator_get(&soak->gen, DMAGEN_OPS) >= writes || clock_ns() >= deadline ||
		    interrupted)
			return;
		if (clock_ns() - said > 10 * NSEC_PER_SEC) {
			said = clock_ns();
			fprintf(stderr, "soak: %" PRIu64 " writes, %" PRIu64 " syncs, %" PRIu64 " starts, %" PRIu64 " missed\n",
				generator_get(&soak->gen, DMAGEN_OPS), soak->syncs, soak->starts,
				soak->ledger.missed);
		}
		ledger_stopping(&soak->ledger);
		/* The merge that this begins may go on when tracking starts again. */
		do {
			err = iommu_space_track(&soak->space, false);
			problem_clear();
		} while (!tolerable(soak, err, "stop of tracking") && !soak->done);
		pause_us(&w->random, LAZY_STOP_US);
	}
}

static int set_up(struct soak *soak, const char *device, uint64_t memory, uint64_t backing)
{
	uint64_t block = backing > SZ_2M ? SZ_2M : backing;
	int err = iommu_open(&soak->iommu, device);

	if (!err)
		err = generator_open(&soak->gen, &soak->iommu);
	if (!err)
		err = memory_create(&soak->blocks, memory, backing);
	if (!err)
		err = memory_create(&soak->small, SMALL_BYTES, SZ_4K);
	if (!err)
		err = memory_create(&soak->other_blocks, PLACES * SZ_2M, block);
	if (!err)
		err = memory_create(&soak->other_pages, PLACES * SZ_2M, SZ_4K);
	if (!err)
		err = iommu_space_create(&soak->space, &soak->iommu, false);
	if (!err)
		err = iommu_space_map(&soak->space, soak->blocks.va, IOVA, memory);
	if (!err)
		err = iommu_space_map(&soak->space, soak->small.va, IOVA + memory, SMALL_BYTES);
	if (!err)
		err = ledger_create(&soak->ledger, &soak->gen, IOVA, soak->pages);
	if (!err && strcmp(soak->mode, "off"))
		err = knobs_set(soak->mode, soak->granularity);
	else if (!err && knobs_exist())
		err = knobs_set("off", 0);
	return err;
}

static void tear_down(struct soak *soak)
{
	ledger_destroy(&soak->ledger);
	generator_close(&soak->gen);
	iommu_space_destroy(&soak->space);
	iommu_close(&soak->iommu);
	memory_destroy(&soak->blocks);
	memory_destroy(&soak->small);
	memory_destroy(&soak->other_blocks);
	memory_destroy(&soak->other_pages);
	knobs_restore();
}

#define THREADS	4

/* Lets the kernel's fault injection fail allocations of this thread, or not any more. */
static void invite_failures(const struct soak *soak, bool on)
{
	/* Taking it back may fail for that very reason. */
	for (int i = 0; soak->forgiving && i < 100; i++)
		if (!write_text("/proc/thread-self/make-it-fail", on ? "1" : "0"))
			return;
}

static void *work_on(void *arg)
{
	struct worker *w = arg;

	invite_failures(w->soak, true);
	w->work(w);
	return NULL;
}

static int run(struct soak *soak, uint64_t writes, uint64_t deadline, uint32_t ops,
	       uint32_t tick_us)
{
	static void (*const work[THREADS])(struct worker *) = {
		NULL, sync_parts, clear_parts, change_places,
	};
	struct worker workers[THREADS];
	pthread_t threads[THREADS];
	int err;

	for (unsigned int i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){
			.soak = soak,
			.work = work[i],
			.bitmap = calloc(soak->pages / WORD_BITS + 1, sizeof(uint64_t)),
			.random = soak->seed * THREADS + i,
		};
		err = ledger_add_reader(&soak->ledger, &workers[i].reader);
		if (err || !workers[i].bitmap)
			return err ? err : problem(ENOMEM, "no memory for a bitmap");
	}
	dma_start(soak, ops, tick_us);
	for (unsigned int i = 1; i < THREADS; i++) {
		err = pthread_create(&threads[i], NULL, work_on, &workers[i]);
		if (err)
			return problem(err, "no thread (%s)", strerror(err));
	}
	invite_failures(soak, true);
	rounds(&workers[0], writes, deadline);
	soak->done = true;
	for (unsigned int i = 1; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	invite_failures(soak, false);
	/* All that is left, with the device at rest */
	generator_stop(&soak->gen);
	sync_once(&workers[0], 0, soak->pages, false, &soak->syncs);
	for (unsigned int i = 0; i < THREADS; i++) {
		ledger_free_reader(&workers[i].reader);
		free(workers[i].bitmap);
	}
	return 0;
}

static void report(struct soak *soak, uint64_t start, FILE *out)
{
	const struct ledger *ledger = &soak->ledger;

	fprintf(out, "{\"mode\":\"%s\",\"granularity_bytes\":%" PRIu64 ",\"seed\":%" PRIu64
		",\"pages\":%" PRIu64 ",\"seconds\":%.1f,\"writes\":%" PRIu64 ",\"bytes_written\":%" PRIu64
		",\"place_writes\":%" PRIu64,
		soak->mode, soak->granularity, soak->seed, soak->pages,
		(clock_ns() - start) / 1e9, generator_get(&soak->gen, DMAGEN_OPS),
		generator_get(&soak->gen, DMAGEN_BYTES_WRITTEN), soak->place_writes);
	fprintf(out, ",\"syncs\":%" PRIu64 ",\"partial_syncs\":%" PRIu64 ",\"kept_syncs\":%" PRIu64
		",\"clears\":%" PRIu64 ",\"starts\":%" PRIu64 ",\"maps\":%" PRIu64 ",\"unmaps\":%" PRIu64
		",\"place_syncs\":%" PRIu64 ",\"splits\":%" PRIu64 ",\"merges\":%" PRIu64
		",\"denied\":%" PRIu64,
		soak->syncs, soak->partial_syncs, soak->kept_syncs, soak->clears, soak->starts,
		soak->maps, soak->unmaps, soak->place_syncs, events_counted("split"),
		events_counted("merge"), soak->denied);
	fprintf(out, ",\"judged\":%" PRIu64 ",\"void\":%" PRIu64 ",\"answered\":%" PRIu64
		",\"missed\":%" PRIu64 ",\"missed_list\":[",
		ledger->judged, ledger->void_reports, ledger->answered, ledger->missed);
	for (uint64_t i = 0; i < ledger->missed && i < LEDGER_LISTED; i++)
		fprintf(out, "%s%" PRIu64, i ? "," : "", ledger->missed_list[i]);
	fprintf(out, "],\"dma_failed\":%" PRIu64 ",\"tlb_conflicts\":%" PRIu64 ",\"error\":%s%s%s}\n",
		generator_get(&soak->gen, DMAGEN_FAILED),
		generator_get(&soak->gen, DMAGEN_SMMU_TLB_CONFLICTS),
		soak->error[0] ? "\"" : "", soak->error[0] ? soak->error : "null",
		soak->error[0] ? "\"" : "");
}

static const char help[] =
"Usage: soak [OPTIONS]\n"
"DMA against everything that user space can do to dirty tracking at once; prints one JSON object.\n"
"Exit status 0 when no page was missed and nothing failed.\n"
"\n"
"  --device PATH          VFIO character device (/dev/vfio/devices/vfio0)\n"
"  --mode MODE            off, eager or lazy (lazy)\n"
"  --granularity SIZE     leaf size to split to (4K)\n"
"  --memory BYTES         memory in blocks, K/M/G allowed (64M)\n"
"  --backing 2M|1G        blocks behind it (2M)\n"
"  --writes N             DMA writes to do (1000000)\n"
"  --seconds N            stop after this time in any case (no limit)\n"
"  --seed N               (1)\n"
"  --pace OPS,US          DMA writes per tick, its length (200,500)\n"
"  --forgive-nomem        ENOMEM is no failure; the kernel's fault injection is asked to fail\n"
"                         allocations of this program's threads (/proc/thread-self/make-it-fail)\n";

struct options {
	const char *device;
	uint64_t memory, backing, writes, seconds;
	unsigned int ops, tick_us;
};

static int parse_options(int argc, char **argv, struct soak *soak, struct options *opt)
{
	static const struct option table[] = {
		{ "device", required_argument, NULL, 'd' },
		{ "mode", required_argument, NULL, 'M' },
		{ "granularity", required_argument, NULL, 'g' },
		{ "memory", required_argument, NULL, 'm' },
		{ "backing", required_argument, NULL, 'b' },
		{ "writes", required_argument, NULL, 'w' },
		{ "seconds", required_argument, NULL, 's' },
		{ "seed", required_argument, NULL, 'S' },
		{ "pace", required_argument, NULL, 'p' },
		{ "forgive-nomem", no_argument, NULL, 'f' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	int c, err = 0;

	while (!err && (c = getopt_long(argc, argv, "h", table, NULL)) != -1) {
		switch (c) {
		case 'd': opt->device = optarg; break;
		case 'M': soak->mode = optarg; break;
		case 'g': err = parse_size(optarg, &soak->granularity); break;
		case 'm': err = parse_size(optarg, &opt->memory); break;
		case 'b': err = parse_size(optarg, &opt->backing); break;
		case 'w': err = parse_size(optarg, &opt->writes); break;
		case 's': err = parse_size(optarg, &opt->seconds); break;
		case 'S': err = parse_size(optarg, &soak->seed); break;
		case 'p':
			err = sscanf(optarg, "%u,%u", &opt->ops, &opt->tick_us) == 2 ? 0 : -EINVAL;
			break;
		case 'f': soak->forgiving = true; break;
		case 'h':
			fputs(help, stdout);
			exit(0);
		default:
			return problem(EINVAL, "unknown option; see soak --help");
		}
	}
	if (err || optind < argc || !opt->backing || !opt->memory || opt->memory % opt->backing ||
	    opt->memory % SZ_2M)
		return problem(EINVAL, "a wrong value; see soak --help");
	return 0;
}

int main(int argc, char **argv)
{
	struct options opt = {
		.device = "/dev/vfio/devices/vfio0",
		.memory = 64 * SZ_1M,
		.backing = SZ_2M,
		.writes = 1000000,
		.ops = 200,
		.tick_us = 500,
	};
	static struct soak soak = {
		.iommu = IOMMU_CLOSED,
		.mode = "lazy",
		.granularity = SZ_4K,
		.seed = 1,
		.lock = PTHREAD_MUTEX_INITIALIZER,
	};
	uint64_t start = clock_ns();
	bool good;
	int err = parse_options(argc, argv, &soak, &opt);

	if (err)
		return 2;
	catch_interrupts();
	soak.pages = (opt.memory + SMALL_BYTES) / SZ_4K;
	count_events("split", true);
	count_events("merge", true);
	err = set_up(&soak, opt.device, opt.memory, opt.backing);
	if (!err)
		err = run(&soak, opt.writes,
			  opt.seconds ? start + opt.seconds * NSEC_PER_SEC : UINT64_MAX, opt.ops,
			  opt.tick_us);
	if (err)
		fail(&soak, "%s", problem_text());
	if (soak.gen.regs)
		report(&soak, start, stdout);
	good = !soak.error[0] && !soak.ledger.missed && soak.ledger.judged &&
	       !generator_get(&soak.gen, DMAGEN_FAILED) &&
	       !generator_get(&soak.gen, DMAGEN_SMMU_TLB_CONFLICTS);
	tear_down(&soak);
	count_events("split", false);
	count_events("merge", false);
	return good ? 0 : 1;
}
