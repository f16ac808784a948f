// SPDX-License-Identifier: GPL-2.0-only
/*
 * precopy: the pre-copy phase of a live migration, as a VMM does it, of a VM that has nothing but
 * memory and one device that writes it by DMA. Public uAPI only (iommufd, VFIO character device).
 * This file has the options and the order of the steps; it is not a VMM and runs no guest code.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "generator.h"
#include "iommu.h"
#include "knobs.h"
#include "log.h"
#include "memory.h"
#include "runtime.h"
#include "transfer.h"
#include "truth.h"
#include "workload.h"

/* Where the memory is mapped for the device: 1G-aligned, beyond 32 bits. */
#define MEMORY_IOVA		UINT64_C(0x4000000000)

#define EXIT_USAGE		2

struct options {
	const char *device;
	const char *log;
	const char *split;
	const struct workload *workload;
	const char *workload_name;
	uint64_t memory;
	uint64_t content;		/* not zero at the start, so that the comparison has teeth */
	uint64_t backing;
	uint64_t granularity;
	uint64_t seed;
	uint64_t bandwidth;
	uint64_t downtime_ms;
	uint64_t max_iterations;
	uint64_t sync_chunk;		/* 0 = all memory at once */
};

struct migration {
	const struct options *opt;
	struct transfer transfer;
	struct iommu iommu;
	struct generator gen;
	struct memory memory;
	struct iommu_space space;
	struct truth truth;
	uint64_t pages;
	uint64_t *report;		/* what the present iteration's syncs reported */
	uint64_t *pending;		/* what is to be sent */
	bool tracking;
	bool converged;
	bool compared;
	bool identical;
	uint64_t first_difference;
	uint64_t iterations;
	uint64_t sent_bytes;
	uint64_t conflicts_before;
};

static const char help[] =
"Usage: precopy [OPTIONS]\n"
"Migrates memory that a device writes by DMA to a process on this machine.\n"
"\n"
"  --device PATH            VFIO character device (/dev/vfio/devices/vfio0)\n"
"  --memory BYTES           size, K/M/G allowed (2G)\n"
"  --content BYTES          so much of it is not zero at the start (16M)\n"
"  --backing 4K|2M|1G       pages behind the memory (1G)\n"
"  --granularity 4K|2M|1G|0 leaf size to report at, 0 = as mapped (0)\n"
"  --split off|eager|lazy   when blocks are split; needs a kernel with the knobs (off)\n"
"  --workload NAME          one-byte, scattered or nic-ring (one-byte)\n"
"  --seed N                 of workload and memory content (1)\n"
"  --bandwidth BYTES        per second, K/M/G allowed (256M)\n"
"  --downtime-limit MS      stop when the rest fits this (100)\n"
"  --max-iterations N       syncs before the device is stopped anyway (8)\n"
"  --sync-chunk BYTES       one sync per chunk, a multiple of 2M; 0 = all memory (0)\n"
"  --log FILE               JSON Lines (none)\n";

static int size_option(const char *name, const char *text, uint64_t *bytes)
{
	if (!parse_size(text, bytes))
		return 0;
	return problem(EINVAL, "--%s: '%s' is not a size; give bytes or a number with K, M or G",
		       name, text);
}

static int number_option(const char *name, const char *text, uint64_t *number)
{
	char *end;

	errno = 0;
	*number = strtoull(text, &end, 0);
	if (*text >= '0' && *text <= '9' && !*end && !errno)
		return 0;
	return problem(EINVAL, "--%s: '%s' is not a number", name, text);
}

static bool is_leaf_size(uint64_t bytes)
{
	return bytes == SZ_4K || bytes == SZ_2M || bytes == SZ_1G;
}

static int check_options(const struct options *opt)
{
	if (!is_leaf_size(opt->backing))
		return problem(EINVAL, "--backing: give 4K, 2M or 1G");
	if (opt->granularity && !is_leaf_size(opt->granularity))
		return problem(EINVAL, "--granularity: give 4K, 2M, 1G or 0 for as mapped");
	if (!opt->memory || opt->memory % opt->backing || opt->memory % SZ_2M)
		return problem(EINVAL, "--memory: give a multiple of --backing and of 2M");
	if (strcmp(opt->split, "off") && strcmp(opt->split, "eager") && strcmp(opt->split, "lazy"))
		return problem(EINVAL, "--split: '%s' is unknown; give off, eager or lazy",
			       opt->split);
	if (!opt->workload)
		return problem(EINVAL, "--workload: '%s' is unknown; give %s", opt->workload_name,
			       workload_names());
	if (!opt->bandwidth)
		return problem(EINVAL, "--bandwidth: give more than 0 bytes per second");
	if (!opt->max_iterations)
		return problem(EINVAL, "--max-iterations: give at least 1");
	if (opt->sync_chunk % SZ_2M)
		return problem(EINVAL, "--sync-chunk: give a multiple of 2M, or 0 for all memory");
	if (strcmp(opt->split, "off") && !knobs_exist())
		return problem(ENOTSUP, "--split %s: this kernel cannot split blocks (no dirty_split in /sys/module/iommu/parameters); boot the patched kernel or use --split off",
			       opt->split);
	return 0;
}

static int parse_options(int argc, char **argv, struct options *opt)
{
	static const struct option table[] = {
		{ "device", required_argument, NULL, 'd' },
		{ "memory", required_argument, NULL, 'm' },
		{ "content", required_argument, NULL, 'C' },
		{ "backing", required_argument, NULL, 'b' },
		{ "granularity", required_argument, NULL, 'g' },
		{ "split", required_argument, NULL, 's' },
		{ "workload", required_argument, NULL, 'w' },
		{ "seed", required_argument, NULL, 'S' },
		{ "bandwidth", required_argument, NULL, 'B' },
		{ "downtime-limit", required_argument, NULL, 'D' },
		{ "max-iterations", required_argument, NULL, 'i' },
		{ "sync-chunk", required_argument, NULL, 'c' },
		{ "log", required_argument, NULL, 'l' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	int c, index, err = 0;

	while (!err && (c = getopt_long(argc, argv, "h", table, &index)) != -1) {
		const char *name = c == '?' || c == 'h' ? "" : table[index].name;

		switch (c) {
		case 'd': opt->device = optarg; break;
		case 'm': err = size_option(name, optarg, &opt->memory); break;
		case 'C': err = size_option(name, optarg, &opt->content); break;
		case 'b': err = size_option(name, optarg, &opt->backing); break;
		case 'g': err = size_option(name, optarg, &opt->granularity); break;
		case 's': opt->split = optarg; break;
		case 'w': opt->workload_name = optarg; break;
		case 'S': err = number_option(name, optarg, &opt->seed); break;
		case 'B': err = size_option(name, optarg, &opt->bandwidth); break;
		case 'D': err = number_option(name, optarg, &opt->downtime_ms); break;
		case 'i': err = number_option(name, optarg, &opt->max_iterations); break;
		case 'c': err = size_option(name, optarg, &opt->sync_chunk); break;
		case 'l': opt->log = optarg; break;
		case 'h':
			fputs(help, stdout);
			exit(0);
		default:
			return problem(EINVAL, "unknown option; see precopy --help");
		}
	}
	if (err)
		return err;
	if (optind < argc)
		return problem(EINVAL, "'%s' is not an option; see precopy --help", argv[optind]);
	opt->workload = workload_find(opt->workload_name);
	return check_options(opt);
}

static int log_start(const struct options *opt)
{
	return log_line("{\"type\":\"vmm.start\",\"t_ns\":%" PRIu64 ",\"pid\":%d,\"memory_bytes\":%" PRIu64
			",\"backing_bytes\":%" PRIu64 ",\"granularity_bytes\":%" PRIu64
			",\"split_mode\":\"%s\",\"workload\":{\"name\":\"%s\",\"seed\":%" PRIu64
			"},\"bandwidth_bytes_per_second\":%" PRIu64 ",\"downtime_limit_ns\":%" PRIu64
			",\"iova\":%" PRIu64 ",\"zero_pages\":true}",
			clock_ns(), getpid(), opt->memory, opt->backing, opt->granularity,
			opt->split, opt->workload_name, opt->seed, opt->bandwidth,
			opt->downtime_ms * NSEC_PER_MSEC, MEMORY_IOVA);
}

/* Destination first: it must not inherit the device. Then everything the source needs. */
static int set_up(struct migration *mig)
{
	const struct options *opt = mig->opt;
	int err;

	err = transfer_start(&mig->transfer, opt->memory, opt->bandwidth);
	if (!err)
		err = iommu_open(&mig->iommu, opt->device);
	if (!err)
		err = generator_open(&mig->gen, &mig->iommu);
	if (!err)
		err = memory_create(&mig->memory, opt->memory, opt->backing);
	if (err)
		return err;
	memory_seed(&mig->memory, opt->content, opt->seed);
	/* 4K backing means 4K leaves, even where pages happen to be neighbours. */
	err = iommu_space_create(&mig->space, &mig->iommu, opt->backing == SZ_4K);
	if (!err)
		err = iommu_space_map(&mig->space, mig->memory.va, MEMORY_IOVA, opt->memory);
	if (!err)
		err = truth_create(&mig->truth, &mig->gen, MEMORY_IOVA, mig->pages);
	if (err)
		return err;
	mig->report = calloc(1, mig->pages / 8);
	mig->pending = calloc(1, mig->pages / 8);
	if (!mig->report || !mig->pending)
		return problem(ENOMEM, "no memory for the dirty bitmaps; ask for less --memory");
	workload_program(opt->workload, &mig->gen, &mig->memory, MEMORY_IOVA, opt->seed);
	mig->conflicts_before = generator_get(&mig->gen, DMAGEN_SMMU_TLB_CONFLICTS);
	return knobs_exist() ? knobs_set(opt->split, opt->granularity) : 0;
}

static int measure_iotlb(struct migration *mig, const char *when)
{
	struct iotlb_cost cost = workload_read_cost(&mig->gen);

	return log_line("{\"type\":\"vmm.iotlb\",\"when\":\"%s\",\"dma\":%" PRIu64 ",\"misses\":%" PRIu64
			",\"descriptor_reads\":%" PRIu64 ",\"tlbi_commands\":%" PRIu64
			",\"cmd_syncs\":%" PRIu64 "}", when, cost.dma, cost.misses, cost.descriptor_reads,
			generator_get(&mig->gen, DMAGEN_SMMU_TLBI_COMMANDS),
			generator_get(&mig->gen, DMAGEN_SMMU_CMD_SYNCS));
}

static int set_tracking(struct migration *mig, bool enable)
{
	uint64_t start = clock_ns(), end;
	int err;

	mig->tracking = enable;
	err = iommu_space_track(&mig->space, enable);
	end = clock_ns();
	if (err) {
		mig->tracking = false;
		return err;
	}
	return log_line("{\"type\":\"vmm.tracking\",\"t_ns\":%" PRIu64 ",\"enable\":%s,\"duration_ns\":%"
			PRIu64 "}", start, enable ? "true" : "false", end - start);
}

static int log_sync(const struct migration *mig, uint64_t start, uint64_t duration, uint64_t iova,
		    uint64_t length, uint64_t dirty_bytes, struct verdict verdict)
{
	const char *comma = "";

	log_part("{\"type\":\"vmm.sync\",\"t_ns\":%" PRIu64 ",\"iteration\":%" PRIu64 ",\"iova\":%" PRIu64
		 ",\"length\":%" PRIu64 ",\"duration_ns\":%" PRIu64 ",\"dirty_bytes\":%" PRIu64
		 ",\"true_bytes\":%" PRIu64
		 ",\"missed_pages\":%" PRIu64 ",\"true_regions\":[",
		 start, mig->iterations, iova, length, duration, dirty_bytes,
		 verdict.true_pages * SZ_4K, verdict.missed_pages);
	for (uint64_t i = 0; i < mig->pages / TRUTH_REGION_PAGES; i++) {
		if (!mig->truth.regions[i])
			continue;
		log_part("%s[%" PRIu64 ",%u]", comma, i, mig->truth.regions[i]);
		comma = ",";
	}
	log_part("]}");
	return log_end();
}

/* One sync, its truth and its line in the log. Adds to *dirty_bytes. */
static int sync_range(struct migration *mig, uint64_t offset, uint64_t length,
		      uint64_t *dirty_bytes)
{
	uint64_t first = offset / SZ_4K, pages = length / SZ_4K, start, duration, dirty = 0;
	uint64_t *report = mig->report + first / 64;
	struct verdict verdict;
	int err;

	memset(report, 0, pages / 8);
	truth_latch(&mig->truth);
	truth_collect(&mig->truth);
	start = clock_ns();
	err = iommu_space_sync(&mig->space, MEMORY_IOVA + offset, length, false, report);
	duration = clock_ns() - start;
	truth_latch(&mig->truth);
	if (err)
		return problem(-err, "the kernel failed to read the dirty bitmap (%s); see the kernel log",
			       strerror(-err));
	verdict = truth_judge(&mig->truth, first, pages, report);
	truth_collect(&mig->truth);
	truth_settle(&mig->truth, first, pages, report);
	for (uint64_t i = 0; i < pages / 64; i++)
		dirty += __builtin_popcountll(report[i]);
	*dirty_bytes += dirty * SZ_4K;
	return log_sync(mig, start, duration, MEMORY_IOVA + offset, length, dirty * SZ_4K,
			verdict);
}

/* All syncs of one iteration. */
static int sync_all(struct migration *mig, uint64_t *dirty_bytes)
{
	uint64_t chunk = mig->opt->sync_chunk, size = mig->memory.bytes;
	int err = 0;

	if (!chunk || chunk > size)
		chunk = size;
	mig->iterations++;
	*dirty_bytes = 0;
	for (uint64_t at = 0; !err && at < size; at += chunk) {
		if (interrupted)
			return -EINTR;
		err = sync_range(mig, at, chunk < size - at ? chunk : size - at, dirty_bytes);
	}
	for (uint64_t i = 0; i < mig->pages / 64; i++)
		mig->pending[i] |= mig->report[i];
	return err;
}

static int log_iteration(struct migration *mig, uint64_t sent, uint64_t transfer_ns)
{
	mig->sent_bytes += sent;
	return log_line("{\"type\":\"vmm.iteration\",\"iteration\":%" PRIu64 ",\"sent_bytes\":%" PRIu64
			",\"transfer_ns\":%" PRIu64 "}", mig->iterations, sent, transfer_ns);
}

/* Sends what is pending; *when is the time at which the destination has it all. */
static int send_pending(struct migration *mig, uint64_t *when)
{
	int err;

	transfer_begin(&mig->transfer);
	err = transfer_bitmap(&mig->transfer, mig->memory.va, mig->pending, mig->pages);
	if (!err)
		err = transfer_flush(&mig->transfer, when);
	if (err)
		return err;
	memset(mig->pending, 0, mig->pages / 8);
	return log_iteration(mig, mig->transfer.sent_bytes, *when - mig->transfer.begun_ns);
}

/*
 * Iterations while the device works. As in a VMM, what the last sync reported is not sent once
 * it is known to fit the downtime limit: it goes along with the last copy.
 */
static int precopy(struct migration *mig)
{
	const struct options *opt = mig->opt;
	uint64_t budget = opt->bandwidth / 1000 * opt->downtime_ms, remaining, when;
	int err;

	memset(mig->pending, 0xff, mig->pages / 8);
	err = send_pending(mig, &when);
	while (!err) {
		workload_between_syncs(opt->workload, &mig->gen);
		err = sync_all(mig, &remaining);
		if (err)
			return err;
		mig->converged = remaining <= budget;
		if (mig->converged || mig->iterations == opt->max_iterations)
			return log_iteration(mig, 0, 0);
		err = send_pending(mig, &when);
	}
	return err;
}

/* From stopping the device to the destination's acknowledgement. */
static int switch_over(struct migration *mig)
{
	uint64_t remaining, when;
	int err;

	workload_between_syncs(mig->opt->workload, &mig->gen);
	when = clock_ns();
	generator_stop(&mig->gen);
	err = log_line("{\"type\":\"vmm.device_stop\",\"t_ns\":%" PRIu64 "}", when);
	if (!err)
		err = sync_all(mig, &remaining);
	if (!err)
		err = send_pending(mig, &when);
	if (!err)
		err = log_line("{\"type\":\"vmm.destination_running\",\"t_ns\":%" PRIu64 "}", when);
	return err;
}

/*
 * A VMM's threads have processors to run on. On the only one there is, whoever records would
 * now and then run for milliseconds in the middle of a blackout.
 */
static void run_before_others(bool before)
{
	const struct sched_param param = { .sched_priority = before };

	if (sysconf(_SC_NPROCESSORS_ONLN) == 1)
		sched_setscheduler(0, before ? SCHED_FIFO : SCHED_OTHER, &param);
}

static int migrate(struct migration *mig)
{
	int err = log_start(mig->opt);

	if (!err)
		err = set_up(mig);
	if (!err)
		err = measure_iotlb(mig, "before");
	if (err)
		return err;
	run_before_others(true);
	workload_start(mig->opt->workload, &mig->gen);
	truth_start(&mig->truth);
	err = set_tracking(mig, true);
	if (err)
		return err;
	truth_tracked(&mig->truth);
	err = precopy(mig);
	if (!err)
		err = switch_over(mig);
	/* The kernel's thread that merges blocks is one of the others. */
	run_before_others(false);
	if (!err)
		err = transfer_compare(&mig->transfer, mig->memory.va, &mig->identical,
				       &mig->first_difference);
	if (err)
		return err;
	mig->compared = true;
	return measure_iotlb(mig, "after");
}

static void log_missed(const struct truth *truth)
{
	const char *comma = "";

	log_part(",\"missed_list\":[");
	for (uint64_t i = 0; i < truth->missed && i < TRUTH_LISTED; i++) {
		log_part("%s%" PRIu64, comma, truth->missed_list[i]);
		comma = ",";
	}
	log_part("]");
}

static int log_outcome(const struct migration *mig, int err)
{
	const struct truth *truth = &mig->truth;
	const char *text = problem_text();
	bool open = mig->gen.regs;

	log_part("{\"type\":\"vmm.end\",\"t_ns\":%" PRIu64 ",\"converged\":%s,\"iterations\":%" PRIu64
		 ",\"sent_bytes\":%" PRIu64 ",\"pages_written\":%" PRIu64 ",\"bytes_written\":%" PRIu64
		 ",\"missed_pages\":%" PRIu64, clock_ns(), mig->converged ? "true" : "false",
		 mig->iterations, mig->sent_bytes, truth->pages_written, truth->bytes_written,
		 truth->missed);
	log_missed(truth);
	log_part(",\"memory_identical\":%s,\"first_difference\":",
		 mig->identical ? "true" : "false");
	if (mig->compared && !mig->identical)
		log_part("%" PRIu64, mig->first_difference);
	else
		log_part("null");
	log_part(",\"dma_failed\":%" PRIu64 ",\"dma_outside\":%" PRIu64 ",\"tlb_conflicts\":%" PRIu64
		 ",\"error\":",
		 open ? generator_get(&mig->gen, DMAGEN_FAILED) : 0,
		 open ? generator_get(&mig->gen, DMAGEN_OUTSIDE) : 0,
		 open ? generator_get(&mig->gen, DMAGEN_SMMU_TLB_CONFLICTS) -
			mig->conflicts_before : 0);
	log_string(err ? text ? text : strerror(-err) : NULL);
	log_part("}");
	return log_end();
}

/* Runs after success and after every failure alike; every step is safe when there is nothing. */
static int tear_down(struct migration *mig, int err)
{
	int end_err;

	if (mig->gen.regs)
		generator_stop(&mig->gen);
	if (mig->tracking) {
		int off_err = set_tracking(mig, false);

		if (!err)
			err = off_err;
	}
	end_err = log_outcome(mig, err);
	generator_close(&mig->gen);
	iommu_space_destroy(&mig->space);
	iommu_close(&mig->iommu);
	memory_destroy(&mig->memory);
	transfer_stop(&mig->transfer);
	knobs_restore();
	truth_destroy(&mig->truth);
	free(mig->report);
	free(mig->pending);
	return err ? err : end_err;
}

static void print_outcome(const struct migration *mig)
{
	printf("precopy: %s after %" PRIu64 " syncs, %" PRIu64 " bytes sent, %" PRIu64
	       " pages written, %" PRIu64 " missed, memory %s\n",
	       mig->converged ? "converged" : "did not converge", mig->iterations,
	       mig->sent_bytes, mig->truth.pages_written, mig->truth.missed,
	       mig->identical ? "identical" : "DIFFERENT");
}

int main(int argc, char **argv)
{
	struct options opt = {
		.device = "/dev/vfio/devices/vfio0",
		.split = "off",
		.workload_name = "one-byte",
		.memory = 2 * SZ_1G,
		.content = 16 * SZ_1M,
		.backing = SZ_1G,
		.seed = 1,
		.bandwidth = 256 * SZ_1M,
		.downtime_ms = 100,
		.max_iterations = 8,
	};
	struct migration mig = {
		.opt = &opt,
		.transfer = TRANSFER_NONE,
		.iommu = IOMMU_CLOSED,
	};
	int err;

	if (parse_options(argc, argv, &opt))
		return EXIT_USAGE;
	catch_interrupts();
	mig.pages = opt.memory / SZ_4K;
	err = log_open(opt.log);
	if (err)
		return EXIT_FAILURE;
	err = migrate(&mig);
	if (interrupted) {
		problem(EINTR, "interrupted by signal %d", (int)interrupted);
		err = -EINTR;
	}
	err = tear_down(&mig, err);
	if (log_close() && !err)
		err = -EIO;
	if (err)
		return EXIT_FAILURE;
	print_outcome(&mig);
	return EXIT_SUCCESS;
}
