// SPDX-License-Identifier: GPL-2.0-only
/*
 * vmmigrate: a live migration by two unmodified QEMUs, each with DMA generators passed through,
 * and the judgement of it: whether the memory that arrived is the memory that left, byte for byte,
 * and what the devices had written of that which is not. It looks at both from outside and helps
 * neither. This file has the options and the order of the steps.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "distant.h"
#include "knobs.h"
#include "log.h"
#include "payload.h"
#include "probe.h"
#include "runtime.h"
#include "type1.h"
#include "vmm.h"
#include "workload.h"

#define EXIT_USAGE	2
#define EXIT_LOST	3	/* the migration went well, and memory was lost */
#define LISTED		16	/* differing pages that are named */
#define SYNCS		64	/* of which it is known what the device had written */

struct options {
	bool iommufd;
	bool automatic;			/* type1: without enable-migration=on */
	uint64_t first;			/* of the generators, from 0, that the source has */
	uint64_t devices;		/* of each VM */
	const char *workload_name;
	const struct workload *workload;
	const char *split;
	uint64_t memory;
	uint64_t backing;
	uint64_t granularity;
	uint64_t bandwidth;
	uint64_t downtime_ms;
	uint64_t max_iterations;
	uint64_t dirty_pages;		/* by the VM's CPU, per tick of 10 ms */
	uint64_t seed;
	uint64_t state_bytes;
	uint64_t early_bytes;
	uint64_t load_delay_ms;
	uint64_t channels;		/* of multifd, 0 = without */
	bool postcopy;
	bool throttle;
	bool release;			/* the target runs as soon as it can: nothing is compared */
	const char *role;
	const char *peer;
	const char *end;
	const char *log;
	const char *pid_file;
	const char *ready_file;
};

/* A 4K page that did not arrive as it left. A write stores the number of its operation. */
struct difference {
	uint64_t page;
	uint64_t source, target;	/* the first word that differs */
	bool written;			/* by a device */
};

struct migration {
	const struct options *opt;
	struct vmm source, target;
	struct memory range;		/* of the source, that the device writes */
	uint64_t *written;		/* bit per 4K page of the range */
	uint64_t pages_written;
	uint64_t iterations;
	uint64_t seq_at[SYNCS];		/* the only device's last operation when sync i was seen to be over */
	uint64_t tables_before, tables_most, tables_after;	/* IOMMU page tables, in pages */
	uint64_t downtime_ms;		/* as QEMU has it */
	uint64_t state_sent_bytes;	/* of the device, as QEMU has it */
	uint64_t resume_ns;		/* from letting the target go to QEMU's answer: the load is in it */
	uint64_t held_ns;		/* how long the target stood still to be compared */
	uint64_t resumed_ns;		/* when QEMU had answered, on the target's clock */
	uint64_t first_dma_ns;		/* of the target's device after that, on the same clock */
	struct distant other;		/* the other guest, if this is one of two */
	int64_t clock_least, clock_most;	/* its clock is ahead by so much; 0: there is none */
	uint64_t sent_bytes;
	char refusal[256];		/* QEMU's reason, where it was to refuse */
	char type1_knob[8];		/* as it was, "" when it is not to be put back */
	uint64_t differ;		/* 4K pages */
	uint64_t differ_written;	/* of these, what the device wrote */
	struct difference listed[LISTED];
};

static const char help[] =
"Usage: vmmigrate [OPTIONS]\n"
"Migrates a VM with a DMA generator from one unmodified QEMU to another and compares.\n"
"\n"
"  --backend iommufd|type1  (iommufd)\n"
"  --auto                   leave it to QEMU whether the device can be migrated by type1\n"
"  --first N                generator of the source, from 0; half of all are the target's (0)\n"
"  --second                 each VM has the generator after that, too\n"
"  --memory BYTES           of the VM, K/M/G allowed (64M)\n"
"  --backing 4K|2M          pages behind it (2M)\n"
"  --granularity 4K|2M|0    leaf size to report at, 0 = as mapped (0)\n"
"  --split off|eager|lazy   (off)\n"
"  --workload NAME          scattered or nic-ring (scattered)\n"
"  --seed N                 (1)\n"
"  --dirty-pages N          that the VM's CPU writes every 10 ms (0)\n"
"  --bandwidth BYTES        per second (64M)\n"
"  --downtime-limit MS      (300)\n"
"  --max-iterations N       then the limits are lifted (8)\n"
"  --state BYTES            that the device's state is padded by, at most 1G (0)\n"
"  --early BYTES            how many of these go while the device runs (0)\n"
"  --load-delay MS          that the device takes to load its state (0)\n"
"  --multifd N              channels for pages, 0 = none (0)\n"
"  --postcopy               ask for postcopy, too\n"
"  --throttle               let QEMU slow the VM's CPU down (auto-converge)\n"
"  --end HOW                complete, cancel, kill-source or kill-target, after the iterations, or\n"
"                           refused, by QEMU at once (complete)\n"
"  --release                the target runs as soon as it can; its memory is not compared\n"
"  --role source|target     of two guests, with the same options; both are here without it\n"
"  --peer ADDRESS           of the target's guest, for the source\n"
"  --pid-file FILE          where the processes are told: source PID, target PID (none)\n"
"  --ready-file FILE        it begins when this exists (at once)\n"
"  --log FILE               JSON Lines (none)\n"
"Exit status: 0 all is well, 3 memory was lost, 1 something failed, 2 bad options.\n";

static int size_option(const char *name, const char *text, uint64_t *bytes)
{
	if (!parse_size(text, bytes))
		return 0;
	return problem(EINVAL, "--%s: '%s' is not a size; give bytes or a number with K, M or G",
		       name, text);
}

static int check_options(struct options *opt, const char *backend)
{
	opt->iommufd = !strcmp(backend, "iommufd");
	if (!opt->iommufd && strcmp(backend, "type1"))
		return problem(EINVAL, "--backend: give iommufd or type1");
	if (opt->backing != SZ_4K && opt->backing != SZ_2M)
		return problem(EINVAL, "--backing: give 4K or 2M");
	if (opt->memory % SZ_2M || opt->memory < 2 * PAYLOAD_RESERVED)
		return problem(EINVAL, "--memory: give a multiple of 2M, 32M or more");
	opt->workload = workload_find(opt->workload_name);
	if (!opt->workload || !strcmp(opt->workload_name, "one-byte"))
		return problem(EINVAL, "--workload: give scattered or nic-ring");
	if (strcmp(opt->end, "complete") && strcmp(opt->end, "cancel") &&
	    strcmp(opt->end, "kill-source") && strcmp(opt->end, "kill-target") &&
	    strcmp(opt->end, "refused"))
		return problem(EINVAL, "--end: give complete, cancel, kill-source, kill-target or refused");
	if (opt->state_bytes > SZ_1G || opt->early_bytes > opt->state_bytes)
		return problem(EINVAL, "--state: give at most 1G, and --early no more than that");
	if (opt->channels > 16)
		return problem(EINVAL, "--multifd: give at most 16");
	if (opt->role && strcmp(opt->role, "source") && strcmp(opt->role, "target"))
		return problem(EINVAL, "--role: give source or target");
	if (opt->role && strcmp(opt->end, "complete") && strcmp(opt->end, "cancel"))
		return problem(EINVAL, "--role: two guests migrate with --end complete or cancel");
	if (!!opt->peer != (opt->role && !strcmp(opt->role, "source")))
		return problem(EINVAL, "--peer: the source of two guests needs it, and nobody else");
	if (!opt->bandwidth || !opt->max_iterations)
		return problem(EINVAL, "--bandwidth and --max-iterations: give more than 0");
	if (strcmp(opt->split, "off") && !knobs_exist())
		return problem(ENOTSUP, "--split %s: this kernel cannot split blocks; boot the patched kernel or use --split off",
			       opt->split);
	return 0;
}

static int parse_options(int argc, char **argv, struct options *opt)
{
	static const struct option table[] = {
		{ "backend", required_argument, NULL, 'k' },
		{ "auto", no_argument, NULL, 'a' },
		{ "first", required_argument, NULL, 'f' },
		{ "second", no_argument, NULL, '2' },
		{ "memory", required_argument, NULL, 'm' },
		{ "backing", required_argument, NULL, 'b' },
		{ "granularity", required_argument, NULL, 'g' },
		{ "split", required_argument, NULL, 's' },
		{ "workload", required_argument, NULL, 'w' },
		{ "seed", required_argument, NULL, 'S' },
		{ "dirty-pages", required_argument, NULL, 'd' },
		{ "bandwidth", required_argument, NULL, 'B' },
		{ "downtime-limit", required_argument, NULL, 'D' },
		{ "max-iterations", required_argument, NULL, 'i' },
		{ "state", required_argument, NULL, 't' },
		{ "early", required_argument, NULL, 'E' },
		{ "load-delay", required_argument, NULL, 'L' },
		{ "multifd", required_argument, NULL, 'M' },
		{ "postcopy", no_argument, NULL, 'P' },
		{ "throttle", no_argument, NULL, 'T' },
		{ "release", no_argument, NULL, 'R' },
		{ "role", required_argument, NULL, 'o' },
		{ "peer", required_argument, NULL, 'A' },
		{ "end", required_argument, NULL, 'e' },
		{ "pid-file", required_argument, NULL, 'p' },
		{ "ready-file", required_argument, NULL, 'r' },
		{ "log", required_argument, NULL, 'l' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	const char *backend = "iommufd";
	int c, index, err = 0;

	while (!err && (c = getopt_long(argc, argv, "h", table, &index)) != -1) {
		const char *name = c == '?' || c == 'h' ? "" : table[index].name;

		switch (c) {
		case 'k': backend = optarg; break;
		case 'a': opt->automatic = true; break;
		case 'f': err = size_option(name, optarg, &opt->first); break;
		case '2': opt->devices = 2; break;
		case 'm': err = size_option(name, optarg, &opt->memory); break;
		case 'b': err = size_option(name, optarg, &opt->backing); break;
		case 'g': err = size_option(name, optarg, &opt->granularity); break;
		case 's': opt->split = optarg; break;
		case 'w': opt->workload_name = optarg; break;
		case 'S': err = size_option(name, optarg, &opt->seed); break;
		case 'd': err = size_option(name, optarg, &opt->dirty_pages); break;
		case 'B': err = size_option(name, optarg, &opt->bandwidth); break;
		case 'D': err = size_option(name, optarg, &opt->downtime_ms); break;
		case 'i': err = size_option(name, optarg, &opt->max_iterations); break;
		case 't': err = size_option(name, optarg, &opt->state_bytes); break;
		case 'E': err = size_option(name, optarg, &opt->early_bytes); break;
		case 'L': err = size_option(name, optarg, &opt->load_delay_ms); break;
		case 'M': err = size_option(name, optarg, &opt->channels); break;
		case 'P': opt->postcopy = true; break;
		case 'T': opt->throttle = true; break;
		case 'R': opt->release = true; break;
		case 'o': opt->role = optarg; break;
		case 'A': opt->peer = optarg; break;
		case 'e': opt->end = optarg; break;
		case 'p': opt->pid_file = optarg; break;
		case 'r': opt->ready_file = optarg; break;
		case 'l': opt->log = optarg; break;
		case 'h':
			fputs(help, stdout);
			exit(0);
		default:
			return problem(EINVAL, "unknown option; see vmmigrate --help");
		}
	}
	if (err)
		return err;
	if (optind < argc)
		return problem(EINVAL, "'%s' is not an option; see vmmigrate --help", argv[optind]);
	return check_options(opt, backend);
}

static bool has_source(const struct options *opt)
{
	return !opt->role || !strcmp(opt->role, "source");
}

static bool has_target(const struct options *opt)
{
	return !opt->role || !strcmp(opt->role, "target");
}

/* Waits up to 'seconds' until the payload has done what makes 'word' larger than 'than'. */
static int wait_word(struct vmm *vmm, unsigned int word, uint64_t than, unsigned int seconds)
{
	uint64_t end = clock_ns() + seconds * NSEC_PER_SEC;

	while (vmm_word(vmm, word) <= than) {
		if (interrupted)
			return -EINTR;
		if (!vmm_alive(vmm))
			return problem(ECHILD, "QEMU, as the %s, has ended, though nobody asked it to", vmm->name);
		if (clock_ns() > end)
			return problem(ETIMEDOUT, "what runs in the VM of %s makes no progress", vmm->name);
		usleep(20000);
	}
	return 0;
}

static unsigned int count_generators(void)
{
	unsigned int count = 0;
	char name[16];

	while (!type1_find(DMAGEN_PCI_VENDOR_ID, DMAGEN_PCI_DEVICE_ID, count, name))
		count++;
	return count;
}

static int start_vms(struct migration *mig)
{
	const struct options *opt = mig->opt;
	struct vmm_options vm = {
		.iommufd = opt->iommufd,
		.insist = !opt->iommufd && !opt->automatic,
		.devices = opt->devices,
		.memory = opt->memory,
		.backing = opt->backing,
		.payload = {
			[PAYLOAD_DIRTY_BASE] = PAYLOAD_RAM + PAYLOAD_RESERVED / 2,
			[PAYLOAD_DIRTY_PAGES] = PAYLOAD_RESERVED / 2 / SZ_4K,
			[PAYLOAD_PER_TICK] = opt->dirty_pages,
			[PAYLOAD_TICK_US] = 10000,
		},
	};
	unsigned int count = count_generators() / (opt->role ? 1 : 2);
	int err;

	if (opt->first >= count || opt->first + opt->devices > count)
		return problem(ENODEV, "--first and --second ask for generator %" PRIu64 ", from 0, and each VM has %u here",
			       opt->first + opt->devices - 1, count);
	vm.name = "target";
	vm.generator = opt->first + (opt->role ? 0 : count);
	vm.incoming = true;
	vm.autostart = opt->release;
	err = has_target(opt) ? vmm_start(&mig->target, &vm) : 0;
	if (err || !has_source(opt))
		return err;
	vm.name = "source";
	vm.generator = opt->first;
	vm.incoming = false;
	vm.autostart = false;
	err = vmm_start(&mig->source, &vm);
	if (!err)
		err = qmp_call(&mig->source.qmp, "cont", "{}");
	if (!err)
		err = wait_word(&mig->source, PAYLOAD_HEARTBEAT, 1, 30);
	if (!err && vmm_word(&mig->source, PAYLOAD_DEVICE) !=
		    (DMAGEN_PCI_DEVICE_ID << 16 | DMAGEN_PCI_VENDOR_ID))
		err = problem(ENODEV, "the VM finds device %#llx, not the DMA generator",
			      (unsigned long long)vmm_word(&mig->source, PAYLOAD_DEVICE));
	if (!err)
		err = vmm_watch(&mig->source, opt->devices);
	return err;
}

static struct generator *generator_of(struct vmm *vmm, unsigned int n)
{
	return &vmm->devices[n].gen;
}

/* The devices write all of the VM's memory but what the payload needs. */
static int start_devices(struct migration *mig)
{
	struct vmm *vmm = &mig->source;

	mig->range = mig->source.memory;
	mig->range.va += PAYLOAD_RESERVED;
	mig->range.bytes -= PAYLOAD_RESERVED;
	mig->written = calloc(1, mig->range.bytes / SZ_4K / 8);
	if (!mig->written || mig->range.bytes / SZ_4K / 8 > generator_of(vmm, 0)->truth_bytes)
		return problem(ENOMEM, "no room for the truth bitmap; ask for less --memory");
	memory_seed(&mig->range, mig->range.bytes / 4, mig->opt->seed);
	for (unsigned int n = 0; n < vmm->device_count; n++) {
		struct generator *gen = generator_of(vmm, n);

		generator_set(gen, DMAGEN_RESET, 1);
		generator_set(gen, DMAGEN_TRUTH_BASE, PAYLOAD_RAM + PAYLOAD_RESERVED);
		workload_program(mig->opt->workload, gen, &mig->range,
				 PAYLOAD_RAM + PAYLOAD_RESERVED, mig->opt->seed + n);
		workload_start(mig->opt->workload, gen);
	}
	return 0;
}

static int set_limits(struct migration *mig, uint64_t bandwidth, uint64_t downtime_ms)
{
	return qmp_call(&mig->source.qmp, "migrate-set-parameters",
			"{\"max-bandwidth\": %" PRIu64 ", \"downtime-limit\": %" PRIu64 "}", bandwidth,
			downtime_ms);
}

/* What the device had written when a sync was over is known to within one look at QEMU. */
static int note_iteration(struct migration *mig)
{
	uint64_t seq = generator_get(generator_of(&mig->source, 0), DMAGEN_LAST_SEQ);
	uint64_t before = mig->iterations;
	long tables = table_pages();

	if (tables > 0 && (uint64_t)tables > mig->tables_most)
		mig->tables_most = tables;
	qmp_number(&mig->source.qmp, "ram.dirty-sync-count", &mig->iterations);
	qmp_number(&mig->source.qmp, "ram.transferred", &mig->sent_bytes);
	if (mig->iterations == before)
		return 0;
	for (uint64_t i = before; i < mig->iterations && i < SYNCS; i++)
		mig->seq_at[i] = mig->opt->devices == 1 ? seq : 0;
	return log_line("{\"type\":\"vmmigrate.sync\",\"t_ns\":%" PRIu64 ",\"sync\":%" PRIu64
			",\"last_operation\":%" PRIu64 ",\"sent_bytes\":%" PRIu64 "}", clock_ns(),
			mig->iterations, seq, mig->sent_bytes);
}

/* Ends the iterations, the way that was asked for. */
static int end_iterations(struct migration *mig)
{
	const char *how = mig->opt->end;

	if (!strcmp(how, "cancel"))
		return qmp_call(&mig->source.qmp, "migrate_cancel", "{}");
	if (!strcmp(how, "kill-source"))
		return vmm_kill(&mig->source);
	if (!strcmp(how, "kill-target"))
		return vmm_kill(&mig->target);
	return set_limits(mig, UINT64_C(8) << 30, 60000);
}

/* Until the source says that it is over, or is gone; looks ten times a second. */
static int follow(struct migration *mig, char *status, size_t size)
{
	struct qmp *qmp = &mig->source.qmp;
	bool ended = false;
	int err;

	for (;;) {
		if (interrupted)
			return -EINTR;
		snprintf(status, size, "gone");
		if (!vmm_alive(&mig->source))
			return 0;
		err = qmp_call(qmp, "query-migrate", "{}");
		if (!err)
			err = note_iteration(mig);
		if (err)
			return err;
		qmp_text(qmp, "status", status, size);
		if (!strcmp(status, "completed") || !strcmp(status, "failed") ||
		    !strcmp(status, "cancelled"))
			return 0;
		if (!ended && mig->iterations > mig->opt->max_iterations) {
			err = end_iterations(mig);
			if (err)
				return err;
			ended = true;
		}
		usleep(100000);
	}
}

static int set_capability(struct qmp *qmp, const char *name)
{
	return qmp_call(qmp, "migrate-set-capabilities",
			"{\"capabilities\": [{\"capability\": \"%s\", \"state\": true}]}", name);
}

/* On the source; and on the target, where it has to be the same. */
static int set_capabilities(struct qmp *qmp, const struct options *opt)
{
	int err = 0;

	if (opt->postcopy)
		err = set_capability(qmp, "postcopy-ram");
	if (!err && opt->throttle)
		err = set_capability(qmp, "auto-converge");
	if (!err && opt->channels)
		err = set_capability(qmp, "multifd");
	if (!err && opt->channels)
		err = qmp_call(qmp, "migrate-set-parameters", "{\"multifd-channels\": %" PRIu64 "}",
			       opt->channels);
	return err;
}

/* QEMU's no, and its reason, are what was asked for. */
static int begin(struct migration *mig)
{
	bool refused = !strcmp(mig->opt->end, "refused");
	int err = qmp_call(&mig->source.qmp, "migrate", "{\"uri\": \"tcp:%s:%d\"}",
			   mig->opt->peer ? mig->opt->peer : "127.0.0.1", DISTANT_MIGRATION_PORT);

	if (!refused)
		return err;
	if (err != -EPROTO)
		return err ? err : problem(EIO, "QEMU does not refuse to migrate");
	snprintf(mig->refusal, sizeof(mig->refusal), "%s", problem_text());
	problem_clear();
	return 0;
}

/* An observer is told whom to look at, and waited for. */
static int wait_observer(struct migration *mig)
{
	uint64_t end = clock_ns() + 60 * NSEC_PER_SEC;

	if (mig->opt->pid_file) {
		FILE *file = fopen(mig->opt->pid_file, "w");

		if (!file || (mig->source.pid && fprintf(file, "source %d\n", (int)mig->source.pid) < 0) ||
		    (mig->target.pid && fprintf(file, "target %d\n", (int)mig->target.pid) < 0) || fclose(file))
			return problem(EIO, "cannot write %s", mig->opt->pid_file);
	}
	while (mig->opt->ready_file && access(mig->opt->ready_file, F_OK)) {
		if (interrupted)
			return -EINTR;
		if (clock_ns() > end)
			return problem(ETIMEDOUT, "there is no %s", mig->opt->ready_file);
		usleep(20000);
	}
	return 0;
}

static const char *wanted_status(const struct options *opt)
{
	if (!strcmp(opt->end, "cancel"))
		return "cancelled";
	if (!strcmp(opt->end, "kill-source"))
		return "gone";
	return !strcmp(opt->end, "kill-target") ? "failed" : "completed";
}

static int listen_for_source(struct migration *mig)
{
	int err = set_capabilities(&mig->target.qmp, mig->opt);

	return err ? err : qmp_call(&mig->target.qmp, "migrate-incoming",
				    "{\"uri\": \"tcp:%s:%d\"}",
				    mig->opt->role ? "0.0.0.0" : "127.0.0.1",
				    DISTANT_MIGRATION_PORT);
}

/* What one guest asks the other for, and what is answered when it is done */
enum request { LISTEN = 'l', CLOCK = 't', COMPARE = 'c', GO_ON = 'g', DONE = 'd' };

static int ask(struct migration *mig, enum request request)
{
	char letter = request;

	return distant_send(&mig->other, &letter, 1);
}

/* The target's error is in its own log. */
static int answered(struct migration *mig, void *answer, size_t bytes)
{
	return distant_receive(&mig->other, answer, bytes);
}

static int have_target_listen(struct migration *mig)
{
	char done;
	int err;

	if (!mig->opt->role)
		return listen_for_source(mig);
	err = ask(mig, LISTEN);
	return err ? err : answered(mig, &done, 1);
}

/* A target that gives up ends by itself, a moment after the source has heard of it. */
static bool has_ended_soon(struct vmm *vmm)
{
	uint64_t end = clock_ns() + 2 * NSEC_PER_SEC;

	while (vmm_alive(vmm) && clock_ns() < end)
		usleep(20000);
	return !vmm_alive(vmm);
}

static int migrate(struct migration *mig)
{
	struct qmp *source = &mig->source.qmp;
	char status[32], text[256], words[256] = "";
	int err;

	err = set_capabilities(source, mig->opt);
	if (!err)
		err = wait_observer(mig);
	if (!err)
		err = have_target_listen(mig);
	if (!err)
		err = set_limits(mig, mig->opt->bandwidth, mig->opt->downtime_ms);
	mig->tables_before = table_pages();
	if (!err)
		err = begin(mig);
	if (err || !strcmp(mig->opt->end, "refused"))
		return err;
	err = follow(mig, status, sizeof(status));
	if (err)
		return err;
	qmp_number(source, "downtime", &mig->downtime_ms);
	qmp_number(source, "vfio.transferred", &mig->state_sent_bytes);
	if (!strcmp(status, wanted_status(mig->opt)))
		return 0;
	qmp_text(source, "error-desc", text, sizeof(text));
	if (has_target(mig->opt) && has_ended_soon(&mig->target))
		vmm_last_words(&mig->target, words, sizeof(words));
	return problem(EPROTO, "the migration is %s, not %s: %s%s%s", status, wanted_status(mig->opt), text,
		       *words ? "; the target has ended: " : "", words);
}

/* The target has everything once it says that it is paused. */
static int wait_target(struct migration *mig)
{
	uint64_t end = clock_ns() + 30 * NSEC_PER_SEC;
	int err;

	for (;;) {
		err = qmp_call(&mig->target.qmp, "query-status", "{}");
		if (err)
			return err;
		if (!qmp_is(&mig->target.qmp, "status", "inmigrate"))
			return 0;
		if (clock_ns() > end)
			return problem(ETIMEDOUT, "the target does not come to an end");
		usleep(20000);
	}
}

static struct difference difference_of(uint64_t page, const void *source, const void *target,
				       bool written)
{
	const uint64_t *from = source, *to = target;

	while (*from == *to)
		from++, to++;
	return (struct difference){ page, *from, *to, written };
}

static void take_difference(void *context, uint64_t page, const void *source, const void *target,
			    bool written)
{
	struct migration *mig = context;

	if (mig->differ < LISTED)
		mig->listed[mig->differ] = difference_of(page, source, target, written);
	mig->differ++;
	mig->differ_written += written;
}

/* What a device wrote in its whole life is one latch of its bitmap. */
static void latch_truth(struct migration *mig)
{
	uint64_t words = mig->range.bytes / SZ_4K / 64;

	for (unsigned int n = 0; n < mig->source.device_count; n++) {
		struct generator *gen = generator_of(&mig->source, n);

		generator_set(gen, DMAGEN_LATCH, 1);
		for (uint64_t i = 0; i < words; i++)
			mig->written[i] |= gen->truth[i];
	}
	for (uint64_t i = 0; i < words; i++)
		mig->pages_written += __builtin_popcountll(mig->written[i]);
}

/* Both stand still. */
static void compare(struct migration *mig)
{
	const uint8_t *source = mig->source.memory.va, *target = mig->target.memory.va;
	uint64_t reserved = PAYLOAD_RESERVED / SZ_4K;

	latch_truth(mig);
	for (uint64_t page = 0; page < mig->opt->memory / SZ_4K; page++) {
		uint64_t own = page - reserved;

		if (memcmp(source + page * SZ_4K, target + page * SZ_4K, SZ_4K))
			take_difference(mig, page, source + page * SZ_4K, target + page * SZ_4K,
					page >= reserved && mig->written[own / 64] >> own % 64 & 1);
	}
}

/* What the source's devices had done, where the target's have to go on from. */
struct device_end {
	uint64_t seq;
	uint64_t ops;
	uint64_t failed;
};

struct ends {
	struct device_end at[PAYLOAD_SLOTS];
};

static struct ends device_ends(struct migration *mig)
{
	struct ends ends = { 0 };

	for (unsigned int n = 0; n < mig->source.device_count; n++) {
		const struct generator *gen = generator_of(&mig->source, n);

		ends.at[n] = (struct device_end){ generator_get(gen, DMAGEN_LAST_SEQ),
						  generator_get(gen, DMAGEN_OPS),
						  generator_get(gen, DMAGEN_FAILED) };
	}
	return ends;
}

/* With so many operations more it has interrupted, too. */
static int device_goes_on(struct generator *target, const struct device_end *from)
{
	uint64_t end = clock_ns() + 30 * NSEC_PER_SEC, enough = from->ops + 2 * DMAGEN_MSI_OPS;

	while (generator_get(target, DMAGEN_OPS) < enough && clock_ns() < end)
		usleep(10000);
	generator_stop(target);
	if (generator_get(target, DMAGEN_OPS) < enough)
		return problem(EIO, "the target's device does not go on: it has done %" PRIu64 " operations, the source's %" PRIu64,
			       generator_get(target, DMAGEN_OPS), from->ops);
	if (generator_get(target, DMAGEN_LAST_SEQ) - generator_get(target, DMAGEN_OPS) !=
	    from->seq - from->ops)
		return problem(EIO, "the target's device goes on elsewhere than the source's stopped");
	if (generator_get(target, DMAGEN_FAILED) != from->failed)
		return problem(EIO, "the target's device cannot reach its memory");
	return 0;
}

/*
 * The target's devices go on from where the source's stopped. QEMU has them load their state only
 * when the VM is let go, so that they cannot be seen to stand there first.
 */
static int target_goes_on(struct migration *mig, const struct ends *from)
{
	uint64_t heartbeat = vmm_word(&mig->target, PAYLOAD_HEARTBEAT), start = clock_ns();
	int err = mig->opt->release ? 0 : qmp_call(&mig->target.qmp, "cont", "{}");

	mig->resumed_ns = clock_ns();
	mig->resume_ns = mig->resumed_ns - start;
	if (!err && !mig->opt->release && mig->resume_ns < mig->opt->load_delay_ms * NSEC_PER_MSEC)
		err = problem(EIO, "the target's device did not take the time it was told to load its state");
	if (!err)
		err = wait_word(&mig->target, PAYLOAD_HEARTBEAT, heartbeat, 30);
	if (!err)
		err = vmm_watch(&mig->target, mig->opt->devices);
	for (unsigned int n = 0; !err && n < mig->target.device_count; n++) {
		struct generator *target = generator_of(&mig->target, n);
		uint64_t first;

		err = device_goes_on(target, &from->at[n]);
		first = generator_first_ns(target);
		if (!n || first < mig->first_dma_ns)
			mig->first_dma_ns = first;
	}
	return err;
}

/* And the source's do not. */
static int source_stays_put(struct migration *mig, const struct ends *from)
{
	if (mig->state_sent_bytes < mig->opt->state_bytes)
		return problem(EIO, "QEMU has sent %" PRIu64 " bytes of the device's state, which has %" PRIu64 " more",
			       mig->state_sent_bytes, mig->opt->state_bytes);
	for (unsigned int n = 0; n < mig->source.device_count; n++)
		if (generator_get(generator_of(&mig->source, n), DMAGEN_LAST_SEQ) != from->at[n].seq)
			return problem(EIO, "the source's device goes on after the migration");
	return 0;
}

/* What the target has found out, for the source's log */
struct finding {
	uint64_t differ, differ_written;
	uint64_t held_ns, resume_ns, resumed_ns, first_dma_ns;
	struct difference listed[LISTED];
};

/* The other guest's part, from here. */
static int finish_with_other(struct migration *mig)
{
	struct ends from = device_ends(mig);
	struct finding found;
	int err = ask(mig, CLOCK);

	if (!err)
		err = distant_ask_clock(&mig->other, &mig->clock_least, &mig->clock_most);
	latch_truth(mig);
	if (!err && !mig->opt->release)
		err = ask(mig, COMPARE);
	if (!err && !mig->opt->release)
		err = distant_send_memory(&mig->other, &mig->source.memory,
					  PAYLOAD_RESERVED / SZ_4K, mig->written);
	if (!err)
		err = ask(mig, GO_ON);
	if (!err)
		err = distant_send(&mig->other, &from, sizeof(from));
	if (!err)
		err = answered(mig, &found, sizeof(found));
	if (err)
		return err;
	mig->differ = found.differ;
	mig->differ_written = found.differ_written;
	mig->held_ns = found.held_ns;
	mig->resume_ns = found.resume_ns;
	mig->resumed_ns = found.resumed_ns;
	mig->first_dma_ns = found.first_dma_ns;
	memcpy(mig->listed, found.listed, sizeof(mig->listed));
	return source_stays_put(mig, &from);
}

static int finish(struct migration *mig)
{
	struct ends from;
	uint64_t paused;
	int err;

	if (mig->opt->role)
		return finish_with_other(mig);
	err = wait_target(mig);
	if (err)
		return err;
	paused = clock_ns();
	if (!mig->opt->release)
		compare(mig);
	mig->held_ns = clock_ns() - paused;
	from = device_ends(mig);
	err = target_goes_on(mig, &from);
	return err ? err : source_stays_put(mig, &from);
}

static int let_go(struct migration *mig, uint64_t paused)
{
	struct ends from;
	struct finding found;
	int err = distant_receive(&mig->other, &from, sizeof(from));

	mig->held_ns = clock_ns() - paused;
	if (!err)
		err = wait_target(mig);
	if (!err)
		err = target_goes_on(mig, &from);
	if (err)
		return err;
	found = (struct finding){ mig->differ, mig->differ_written, mig->held_ns, mig->resume_ns,
				  mig->resumed_ns, mig->first_dma_ns, { { 0 } } };
	memcpy(found.listed, mig->listed, sizeof(found.listed));
	return distant_send(&mig->other, &found, sizeof(found));
}

/* The target of two guests does what it is asked for, until there is nothing more. */
static int serve(struct migration *mig)
{
	uint64_t paused = 0;
	char request;
	int err = wait_observer(mig);

	while (!err && !(err = distant_receive(&mig->other, &request, 1))) {
		switch ((enum request)request) {
		case LISTEN:
			err = listen_for_source(mig);
			if (!err)
				err = distant_send(&mig->other, &request, 1);
			break;
		case CLOCK:
			paused = clock_ns();
			err = distant_answer_clock(&mig->other);
			break;
		case COMPARE:
			err = wait_target(mig);
			if (!err)
				err = distant_compare(&mig->other, &mig->target.memory,
						      take_difference, mig);
			break;
		case GO_ON:
			err = let_go(mig, paused);
			break;
		case DONE:
			return 0;
		}
	}
	return err;
}

/* Whether each of the source's devices has done more than that. */
static bool all_go_on(struct migration *mig, const struct ends *than)
{
	for (unsigned int n = 0; n < mig->source.device_count; n++)
		if (generator_get(generator_of(&mig->source, n), DMAGEN_OPS) == than->at[n].ops)
			return false;
	return true;
}

/*
 * A migration that did not come to its end leaves the source as it was: the VM runs, its devices
 * write, and the tables that splitting has made are gone again.
 */
static int stays(struct migration *mig)
{
	uint64_t end = clock_ns() + 10 * NSEC_PER_SEC;
	struct ends than = device_ends(mig);
	int err = qmp_call(&mig->source.qmp, "query-status", "{}");

	if (err)
		return err;
	if (!qmp_is(&mig->source.qmp, "status", "running"))
		return problem(EIO, "the source does not run: %s", mig->source.qmp.line);
	err = wait_word(&mig->source, PAYLOAD_HEARTBEAT, vmm_word(&mig->source, PAYLOAD_HEARTBEAT), 30);
	if (err)
		return err;
	while (clock_ns() < end && (!all_go_on(mig, &than) || (uint64_t)table_pages() > mig->tables_before))
		usleep(20000);
	mig->tables_after = table_pages();
	if (!all_go_on(mig, &than))
		return problem(EIO, "the source's device does not go on");
	if (mig->tables_after > mig->tables_before)
		return problem(EIO, "%" PRIu64 " pages were page tables before, %" PRIu64 " are after",
			       mig->tables_before, mig->tables_after);
	return 0;
}

/* Of a source that was killed nothing is left: its page tables are freed. */
static int leaves_nothing(struct migration *mig)
{
	uint64_t end = clock_ns() + 10 * NSEC_PER_SEC;

	/* The copies of its devices' descriptors are the last that hold them. */
	vmm_leave(&mig->source);
	while (clock_ns() < end && (uint64_t)table_pages() >= mig->tables_before)
		usleep(20000);
	mig->tables_after = table_pages();
	if (mig->tables_after < mig->tables_before)
		return 0;
	return problem(EIO, "%" PRIu64 " pages were page tables with the source, %" PRIu64 " are without it",
		       mig->tables_before, mig->tables_after);
}

/* The sync that was the first to be over after operation 'seq', or 0 when none was. */
static uint64_t sync_after(const struct migration *mig, uint64_t seq)
{
	for (uint64_t i = 0; i < mig->iterations && i < SYNCS; i++)
		if (seq && mig->seq_at[i] >= seq)
			return i + 1;
	return 0;
}

static int log_outcome(const struct migration *mig, int err)
{
	log_part("{\"type\":\"vmmigrate.end\",\"backend\":\"%s\",\"backing_bytes\":%" PRIu64
		 ",\"memory_bytes\":%" PRIu64 ",\"split_mode\":\"%s\",\"granularity_bytes\":%" PRIu64
		 ",\"workload\":\"%s\",\"devices\":%" PRIu64 ",\"cpu_pages\":%" PRIu64 ",\"channels\":%" PRIu64
		 ",\"end\":\"%s\",\"iterations\":%" PRIu64 ",\"sent_bytes\":%" PRIu64
		 ",\"downtime_ms\":%" PRIu64 ",\"state_bytes\":%" PRIu64 ",\"state_sent_bytes\":%" PRIu64
		 ",\"load_delay_ms\":%" PRIu64 ",\"resume_ns\":%" PRIu64 ",\"resumed_ns\":%" PRIu64
		 ",\"first_dma_ns\":%" PRIu64 ",\"held_ns\":%" PRIu64 ",\"compared\":%s"
		 ",\"tables_before\":%" PRIu64 ",\"tables_most\":%" PRIu64
		 ",\"pages_written\":%" PRIu64 ",\"pages_differ\":%" PRIu64 ",\"pages_lost\":%" PRIu64
		 ",\"differing\":[",
		 mig->opt->iommufd ? "iommufd" : "type1", mig->opt->backing, mig->opt->memory,
		 mig->opt->split, mig->opt->granularity, mig->opt->workload_name,
		 mig->opt->devices, mig->opt->dirty_pages, mig->opt->channels, mig->opt->end, mig->iterations,
		 mig->sent_bytes, mig->downtime_ms, mig->opt->state_bytes, mig->state_sent_bytes,
		 mig->opt->load_delay_ms, mig->resume_ns, mig->resumed_ns, mig->first_dma_ns,
		 mig->held_ns,
		 mig->opt->release ? "false" : "true", mig->tables_before, mig->tables_most,
		 mig->pages_written, mig->differ, mig->differ_written);
	for (uint64_t i = 0; i < mig->differ && i < LISTED; i++) {
		const struct difference *d = &mig->listed[i];

		log_part("%s{\"page\":%" PRIu64 ",\"written\":%s,\"source\":%" PRIu64 ",\"target\":%" PRIu64
			 ",\"source_before_sync\":%" PRIu64 ",\"target_before_sync\":%" PRIu64 "}",
			 i ? "," : "", d->page, d->written ? "true" : "false", d->source, d->target,
			 sync_after(mig, d->source), sync_after(mig, d->target));
	}
	log_part("]");
	if (mig->clock_most)
		log_part(",\"clock_least_ns\":%" PRId64 ",\"clock_most_ns\":%" PRId64,
			 mig->clock_least, mig->clock_most);
	log_part(",\"refusal\":");
	log_string(mig->refusal[0] ? mig->refusal : NULL);
	log_part(",\"error\":");
	log_string(err ? problem_text() : NULL);
	log_part("}");
	return log_end();
}

/* How the generator's driver pads a state, and how long it takes to load it */
static int set_state(const char *parameter, uint64_t value)
{
	char path[96], text[32];
	int err;

	snprintf(path, sizeof(path), "/sys/module/dmagen_vfio_pci/parameters/%s", parameter);
	snprintf(text, sizeof(text), "%" PRIu64, value);
	err = write_text(path, text);
	return err ? problem(-err, "cannot write %s (%s)", path, strerror(-err)) : 0;
}

static int set_states(uint64_t bytes, uint64_t early, uint64_t delay_ms)
{
	int err = set_state("padding_bytes", bytes);

	if (!err)
		err = set_state("precopy_bytes", early);
	return err ? err : set_state("load_delay_ms", delay_ms);
}

static int set_knobs(struct migration *mig)
{
	const struct options *opt = mig->opt;
	int err = set_states(opt->state_bytes, opt->early_bytes, opt->load_delay_ms);

	if (!err && knobs_exist())
		err = knobs_set(opt->split, opt->granularity);
	if (err || mig->opt->iommufd || !type1_knob_exists("dirty_tracking"))
		return err;
	read_text("/sys/module/vfio_iommu_type1/parameters/dirty_tracking", mig->type1_knob,
		  sizeof(mig->type1_knob));
	return type1_knob_set("dirty_tracking", "Y");
}

static void restore_knobs(struct migration *mig)
{
	knobs_restore();
	set_states(0, 0, 0);
	if (mig->type1_knob[0])
		type1_knob_set("dirty_tracking", mig->type1_knob);
}

static int meet(struct migration *mig)
{
	if (!mig->opt->role)
		return 0;
	return mig->opt->peer ? distant_connect(&mig->other, mig->opt->peer, 120) :
				distant_accept(&mig->other, 120);
}

static int run_source(struct migration *mig)
{
	int err = start_devices(mig);

	if (!err)
		err = migrate(mig);
	if (err)
		return err;
	if (!strcmp(mig->opt->end, "kill-source"))
		return leaves_nothing(mig);
	err = strcmp(mig->opt->end, "complete") ? stays(mig) : finish(mig);
	if (!err && mig->opt->role)
		err = ask(mig, DONE);
	return err;
}

static int run(struct migration *mig)
{
	int err = set_knobs(mig);

	if (!err)
		err = start_vms(mig);
	if (!err)
		err = meet(mig);
	if (err)
		return err;
	return has_source(mig->opt) ? run_source(mig) : serve(mig);
}

static void print_outcome(const struct migration *mig)
{
	if (!has_source(mig->opt)) {
		printf("vmmigrate: the target's part is done, %" PRIu64 " pages differ\n", mig->differ);
		return;
	}
	if (!strcmp(mig->opt->end, "refused")) {
		puts("vmmigrate: refused, and the source runs on");
		return;
	}
	printf("vmmigrate: %s after %" PRIu64 " syncs, %" PRIu64 " bytes sent", wanted_status(mig->opt),
	       mig->iterations, mig->sent_bytes);
	if (!strcmp(mig->opt->end, "complete"))
		printf(", downtime %" PRIu64 " ms, %" PRIu64 " pages written by the device, %" PRIu64
		       " lost, memory %s", mig->downtime_ms, mig->pages_written, mig->differ_written,
		       mig->opt->release ? "not compared" : mig->differ ? "DIFFERENT" : "identical");
	putchar('\n');
}

int main(int argc, char **argv)
{
	struct options opt = {
		.devices = 1,
		.workload_name = "scattered",
		.split = "off",
		.memory = 64 * SZ_1M,
		.backing = SZ_2M,
		.bandwidth = 64 * SZ_1M,
		.downtime_ms = 300,
		.max_iterations = 8,
		.seed = 1,
		.end = "complete",
	};
	struct migration mig = { .opt = &opt, .source = VMM_NONE, .target = VMM_NONE };
	int err;

	if (parse_options(argc, argv, &opt))
		return EXIT_USAGE;
	catch_interrupts();
	if (log_open(opt.log))
		return EXIT_FAILURE;
	err = run(&mig);
	if (log_outcome(&mig, err) && !err)
		err = -EIO;
	vmm_end(&mig.source);
	vmm_end(&mig.target);
	distant_close(&mig.other);
	restore_knobs(&mig);
	free(mig.written);
	if (log_close() && !err)
		err = -EIO;
	if (err)
		return EXIT_FAILURE;
	print_outcome(&mig);
	return mig.differ ? EXIT_LOST : EXIT_SUCCESS;
}
