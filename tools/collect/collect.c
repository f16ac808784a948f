// SPDX-License-Identifier: GPL-2.0-only
/*
 * The collector: one skeleton, one ring, and the translation of its records into
 * samples. Not here: the choice of probes (probes.c) and the totals (summary.c).
 */
#include "collect.h"
#include "host.h"
#include "summary.h"
#include "hwdbm.skel.h"
#include "../../bpf/records.h"
#include "../lib/cleanup.h"
#include "../lib/log.h"
#include "../lib/strings.h"
#include "../model/iteration.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>

struct known_domain {
	uint64_t address;
	bool tracked;
};

struct collector {
	struct hwdbm_bpf *skeleton;
	struct ring_buffer *ring;
	collect_handler handler;
	void *context;
	int error;			/* the handler's first */
	struct collect_options options;
	struct probe_choice choice;
	struct iteration_tracker iterations;
	struct known_domain *domains;
	size_t domain_count;
};

static int print_libbpf(enum libbpf_print_level level, const char *format, va_list args)
{
	(void)level;
	log__debug_va(format, args);
	return 0;
}

/* Kernel addresses stay here: a recording has domain 1, 2, ... Returns 0 without memory. */
static uint64_t number_of(struct collector *c, uint64_t address)
{
	struct known_domain *domains;

	for (size_t i = 0; i < c->domain_count; i++)
		if (c->domains[i].address == address)
			return i + 1;
	domains = realloc(c->domains, (c->domain_count + 1) * sizeof(*domains));
	if (!domains)
		return 0;
	c->domains = domains;
	c->domains[c->domain_count++] = (struct known_domain){ .address = address };
	return c->domain_count;
}

/* A migration starts when the first domain of the VM is tracked. */
static void note_tracking(struct collector *c, uint64_t number, bool enable)
{
	bool any = false;

	for (size_t i = 0; i < c->domain_count; i++)
		any |= c->domains[i].tracked;
	if (enable && !any)
		iteration__restart(&c->iterations);
	if (number)
		c->domains[number - 1].tracked = enable;
}

static void copy_leaves(uint64_t *to, const __u32 *from, bool known)
{
	for (int i = 0; i < LEAF_SIZES; i++)
		to[i] = known ? from[i] : UNKNOWN;
}

static const char *mode_name(unsigned int mode)
{
	static const char * const names[] = { "off", "eager", "lazy", "sample" };

	return mode < sizeof(names) / sizeof(names[0]) ? names[mode] : "unknown";
}

static const char *kept_name(int error)
{
	static const struct {
		int error;
		char name[12];
	} names[] = { { 0, "" }, { -EOPNOTSUPP, "bbml0" }, { -ENOMEM, "nomem" },
		      { -EBUSY, "budget" }, { INT_MIN, "other" } };
	size_t i = 0;

	while (names[i].error != error && names[i].error != INT_MIN)
		i++;
	return names[i].name;
}

static void make_tracking(struct collector *c, const struct hwdbm_tracking *in,
			  struct tracking_sample *out)
{
	const struct hwdbm_stats *stats = &in->stats;

	out->t_ns = in->record.t_ns;
	out->pid = in->record.pid;
	out->domain = number_of(c, in->record.domain);
	out->enable = in->enable ? TRI_TRUE : TRI_FALSE;
	out->ret = in->record.ret;
	out->granularity_bytes = stats->granularity;
	STRING_COPY(out->split_mode, mode_name(stats->mode));
	out->total_ns = stats->total_ns;
	out->walk_ns = stats->walk_ns;
	out->flush_ns = stats->flush_ns;
	copy_leaves(out->leaves, stats->leaves, stats->leaves_known);
	/* Each split builds one table. */
	out->splits = stats->splits;
	out->tables = stats->splits;
	out->kept = stats->kept;
	STRING_COPY(out->kept_reason, kept_name(stats->kept_error));
	if (!in->record.ret)
		note_tracking(c, out->domain, in->enable);
}

static int make_sync(struct collector *c, const struct hwdbm_sync *in, struct sync_sample *out)
{
	const struct hwdbm_stats *stats = &in->stats;

	out->t_ns = in->record.t_ns;
	out->pid = in->record.pid;
	out->domain = number_of(c, in->record.domain);
	out->iova = in->iova;
	out->length_bytes = in->length;
	out->page_bytes = in->page_size;
	out->clear = in->flags & HWDBM_NO_CLEAR ? TRI_FALSE : TRI_TRUE;
	out->ret = in->record.ret;
	out->total_ns = stats->total_ns;
	out->walk_ns = stats->walk_ns;
	out->flush_ns = stats->flush_ns;
	out->entries = stats->entries;
	copy_leaves(out->dirty_entries, stats->dirty, stats->dirty_bytes != HWDBM_UNKNOWN);
	out->dirty_bytes = stats->dirty_bytes;
	out->splits = stats->splits;
	out->tables = stats->splits;
	out->kept = stats->kept;
	out->tlb_invalidations = in->tlb_invalidations;
	out->tlb_commands = in->tlb_commands;
	/* A failed sync or one that clears nothing is no part of an iteration. */
	if (out->ret || out->clear == TRI_FALSE)
		return 0;
	return iteration__next(&c->iterations, out->domain, out->iova, out->length_bytes,
			       &out->iteration);
}

static void make_split(struct collector *c, const struct hwdbm_split *in, struct split_sample *out)
{
	out->t_ns = in->record.t_ns;
	out->domain = number_of(c, in->record.domain);
	out->iova = in->iova;
	out->from_bytes = in->from;
	out->to_bytes = in->to;
	out->tables = !in->record.ret;
	out->ret = in->record.ret;
	out->ns = in->ns;
}

static int take_record(void *context, void *data, size_t size)
{
	const struct hwdbm_record *record = data;
	struct collector *c = context;
	enum sample_kind kind;
	union sample sample;
	int err = 0;

	if (record->type == HWDBM_TRACKING && size >= sizeof(struct hwdbm_tracking))
		kind = SAMPLE_TRACKING;
	else if (record->type == HWDBM_SYNC && size >= sizeof(struct hwdbm_sync))
		kind = SAMPLE_SYNC;
	else if (record->type == HWDBM_SPLIT && size >= sizeof(struct hwdbm_split))
		kind = SAMPLE_SPLIT;
	else
		return -EPROTO;

	field__clear(sample__table(kind), &sample);
	if (kind == SAMPLE_TRACKING)
		make_tracking(c, data, &sample.tracking);
	else if (kind == SAMPLE_SYNC)
		err = make_sync(c, data, &sample.sync);
	else
		make_split(c, data, &sample.split);
	err = err ?: c->handler(c->context, kind, &sample);
	field__release(sample__table(kind), &sample);
	c->error = err;
	return err;
}

/* One sentence about the first required measurement that nothing serves. */
static void explain_choice(const struct collector *c)
{
	const struct probe_result *result = NULL;
	const char *command = c->options.command;
	const struct probe *probe = NULL;
	char reason[PROBE_TEXT];
	struct utsname kernel = { 0 };
	unsigned int measure = 0;

	while (measure < HWDBM_MEASURES && !(c->options.require & BIT_OF(measure)))
		measure++;
	if (measure < HWDBM_MEASURES)
		probe = probes__why_not(&c->choice, measure, &result);
	uname(&kernel);
	if (probe && result->state == PROBE_UNPRIVILEGED)
		log__error("%s: no privilege to trace this kernel (%s); run as root, or with CAP_BPF and CAP_PERFMON",
			   command, strerror(-result->error));
	else if (probe && result->state != PROBE_ABSENT &&
		 result->state != PROBE_NO_MODULE)
		log__error("%s: kernel %s offers nothing to measure \"%s\" with: %s; hwdbm doctor says more",
			   command, kernel.release, probes__measure_name(measure),
			   probes__reason(probe, result, reason));
	else
		log__error("%s: kernel %s has nothing to measure \"%s\" with: neither the iommu_dirty_* events of hwdbm's kernel patches nor iommufd with dirty tracking (Linux 6.7 or later, CONFIG_IOMMUFD); hwdbm doctor says more",
			   command, kernel.release,
			   measure < HWDBM_MEASURES ? probes__measure_name(measure) : "");
}

/* The probes passed their tests, so this is about the programs themselves. */
static void explain_refusal(const struct collector *c, const char *what, int err)
{
	const char *command = c->options.command;

	if (!host__may_trace())
		log__error("%s: no privilege to trace this kernel (%s); run as root, or with CAP_BPF and CAP_PERFMON",
			   command, strerror(-err));
	else
		log__error("%s: cannot %s the BPF programs (%s), though this kernel took the tests of hwdbm doctor; --verbose shows the kernel's words",
			   command, what, strerror(-err));
}

static void set_filter(struct hwdbm_bpf *skeleton, pid_t pid)
{
	struct stat ns = { 0 };

	/* The BPF side compares process ids as this process's namespace numbers them. */
	if (!stat("/proc/self/ns/pid", &ns)) {
		skeleton->rodata->pidns_dev = ns.st_dev;
		skeleton->rodata->pidns_ino = ns.st_ino;
	}
	skeleton->rodata->target_pid = pid;
	bpf_program__set_autoload(skeleton->progs.on_fork, pid);
	bpf_program__set_autoload(skeleton->progs.on_free, pid);
}

static int choose(struct collector *c)
{
	const struct probe_options options = {
		.measure = c->options.measure, .avoid = c->options.avoid,
	};
	int err = probes__test(&probe_table, &options, &c->choice);

	if (err == -ENOENT)
		log__error("%s: this kernel has no type information (/sys/kernel/btf/vmlinux); it takes one built with CONFIG_DEBUG_INFO_BTF=y",
			   c->options.command);
	if (err)
		return err;
	if (!c->options.require || probes__served(&c->choice) & c->options.require)
		return 0;
	explain_choice(c);
	return -EOPNOTSUPP;
}

static int load(struct collector *c)
{
	int err = choose(c);

	if (err)
		return err;
	c->skeleton = hwdbm_bpf__open();
	if (!c->skeleton) {
		err = -errno;
		log__error("%s: cannot open the BPF programs (%s)", c->options.command,
			   strerror(-err));
		return err;
	}
	probes__apply(&c->choice, c->skeleton->obj);
	c->skeleton->rodata->measured = probes__served(&c->choice);
	set_filter(c->skeleton, c->options.pid);
	err = hwdbm_bpf__load(c->skeleton);
	if (err) {
		explain_refusal(c, "load", err);
		return err;
	}
	err = hwdbm_bpf__attach(c->skeleton);
	if (err)
		explain_refusal(c, "attach", err);
	return err;
}

int collect__open(struct collector **out, const struct collect_options *options,
		  collect_handler handler, void *context)
{
	struct collector *c = calloc(1, sizeof(*c));
	int err;

	if (!c)
		return -ENOMEM;
	c->options = *options;
	c->handler = handler;
	c->context = context;
	libbpf_set_print(print_libbpf);
	err = load(c);
	if (!err) {
		c->ring = ring_buffer__new(bpf_map__fd(c->skeleton->maps.ring), take_record, c,
					   NULL);
		if (!c->ring) {
			err = -errno;
			log__error("%s: cannot read the ring buffer (%s)", options->command,
				   strerror(-err));
		}
	}
	if (err) {
		collect__free(c);
		return err;
	}
	*out = c;
	return 0;
}

const struct probe_choice *collect__probes(const struct collector *c)
{
	return &c->choice;
}

void collect__free(struct collector *c)
{
	if (!c)
		return;
	ring_buffer__free(c->ring);
	hwdbm_bpf__destroy(c->skeleton);
	iteration__release(&c->iterations);
	free(c->domains);
	free(c);
}

int collect__fd(const struct collector *c)
{
	return ring_buffer__epoll_fd(c->ring);
}

int collect__read(struct collector *c)
{
	int got = ring_buffer__consume(c->ring);

	return c->error ?: got < 0 ? got : 0;
}

void collect__describe(const struct collector *c, struct header_sample *header)
{
	struct utsname name = { 0 };

	uname(&name);
	field__clear(sample__table(SAMPLE_HEADER), header);
	STRING_COPY(header->schema, RECORDING_SCHEMA);
	STRING_COPY(header->host_name, name.nodename);
	STRING_COPY(header->host_machine, name.machine);
	STRING_COPY(header->kernel_release, name.release);
	header->kernel_patched = c->choice.chosen[HWDBM_MEASURE_SPLIT] ? TRI_TRUE : TRI_FALSE;
	STRING_COPY(header->clock, "CLOCK_MONOTONIC");
	STRING_COPY(header->time_basis, host__time_basis());
	header->pid = c->options.pid ? (uint64_t)c->options.pid : UNKNOWN;
	probes__list(&c->choice, &header->probes);
}

int collect__summaries(struct collector *c)
{
	int err = summary__sizes(bpf_map__fd(c->skeleton->maps.splits), SAMPLE_SPLIT_SUMMARY,
				 c->handler, c->context);

	err = err ?: summary__sizes(bpf_map__fd(c->skeleton->maps.merges), SAMPLE_MERGE_SUMMARY,
				    c->handler, c->context);
	return err ?: summary__causes(bpf_map__fd(c->skeleton->maps.causes), c->handler,
				      c->context);
}

/* Runs of a program that the kernel skipped because it was already running on that CPU. */
static uint64_t recursion_misses(const struct collector *c)
{
	struct bpf_program *program;
	uint64_t misses = 0;

	bpf_object__for_each_program(program, c->skeleton->obj) {
		struct bpf_prog_info info = { 0 };
		__u32 length = sizeof(info);
		int fd = bpf_program__fd(program);

		if (fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &length))
			misses += info.recursion_misses;
	}
	return misses;
}

void collect__lost(const struct collector *c, struct named_list *lost)
{
	struct named *named;

	memset(lost, 0, sizeof(*lost));
	summary__losses(bpf_map__fd(c->skeleton->maps.losses), lost);
	named = &lost->at[lost->count++];
	STRING_COPY(named->name, "recursion");
	named->number = recursion_misses(c);
}

int collect__finish(struct collector *c)
{
	int err;

	hwdbm_bpf__detach(c->skeleton);
	err = collect__read(c);
	return err ?: collect__summaries(c);
}
