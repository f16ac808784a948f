// SPDX-License-Identifier: GPL-2.0-only
/*
 * The collector: one skeleton, one ring, and the translation of its records into
 * samples. Not here: the choice of probes (probes.c) and the totals (summary.c).
 */
#include "collect.h"
#include "domains.h"
#include "host.h"
#include "summary.h"
#include "kvm.h"
#include "hwdbm.skel.h"
#include "../../bpf/records.h"
#include "../lib/cleanup.h"
#include "../lib/log.h"
#include "../lib/strings.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

struct collector {
	struct hwdbm_bpf *skeleton;
	struct probe_links links;
	struct ring_buffer *ring;
	sample_handler handler;
	void *context;
	int error;			/* the handler's first */
	struct collect_options options;
	struct probe_choice choice;
	struct domain_list domains;
	struct known_vms vms;
};

static int print_libbpf(enum libbpf_print_level level, const char *format, va_list args)
{
	(void)level;
	log__debug_va(format, args);
	return 0;
}

static const struct {
	enum sample_kind kind;
	size_t size;
} kinds[] = {
	[HWDBM_TRACKING] = { SAMPLE_TRACKING, sizeof(struct hwdbm_tracking) },
	[HWDBM_SYNC] = { SAMPLE_SYNC, sizeof(struct hwdbm_sync) },
	[HWDBM_SPLIT] = { SAMPLE_SPLIT, sizeof(struct hwdbm_split) },
	[HWDBM_CLEAR] = { SAMPLE_CLEAR, sizeof(struct hwdbm_clear) },
};

static bool is_kvm(unsigned int source)
{
	return source == HWDBM_SOURCE_KVM || source == HWDBM_SOURCE_KVM_RING;
}

static int make_sample(struct collector *c, const void *data, union sample *sample)
{
	const struct hwdbm_record *record = data;
	const struct hwdbm_tracking *tracking = data;
	const struct hwdbm_sync *sync = data;

	switch (record->type) {
	case HWDBM_TRACKING:
		return is_kvm(tracking->source) ?
			       kvm__tracking(&c->vms, tracking, &sample->tracking) :
			       domains__tracking(&c->domains, tracking, &sample->tracking);
	case HWDBM_SYNC:
		return is_kvm(sync->source) ? kvm__sync(&c->vms, sync, &sample->sync) :
					      domains__sync(&c->domains, sync, &sample->sync);
	case HWDBM_CLEAR:
		return kvm__clear(&c->vms, data, &sample->clear);
	default:
		return domains__split(&c->domains, data, &sample->split);
	}
}

static int take_record(void *context, void *data, size_t size)
{
	const struct hwdbm_record *record = data;
	struct collector *c = context;
	enum sample_kind kind;
	union sample sample;
	int err;

	if (record->type >= sizeof(kinds) / sizeof(kinds[0]) || !kinds[record->type].size ||
	    size < kinds[record->type].size)
		return -EPROTO;
	kind = kinds[record->type].kind;
	field__clear(sample__table(kind), &sample);
	err = make_sample(c, data, &sample);
	err = err ?: c->handler(c->context, kind, &sample);
	field__release(sample__table(kind), &sample);
	c->error = err;
	return err;
}

/* How much a result explains; 0: this kernel just does not have it. */
static int rank_of(const struct probe_result *result)
{
	if (result->state == PROBE_ABSENT || result->state == PROBE_NO_MODULE)
		return 0;
	return result->state == PROBE_AVOIDED ? 1 : 2;
}

/* One sentence about the required measurement that says best why none of them is served. */
static void explain_choice(const struct collector *c)
{
	const struct probe_result *result = NULL, *why = NULL;
	const char *command = c->options.command;
	const struct probe *probe = NULL;
	char reason[PROBE_TEXT];
	struct utsname kernel = { 0 };

	for (unsigned int i = 0; i < HWDBM_MEASURES; i++) {
		const struct probe *at = c->options.require & BIT_OF(i) ?
						 probes__why_not(&c->choice, i, &why) : NULL;

		if (!at || (probe && rank_of(why) <= rank_of(result)))
			continue;
		probe = at;
		result = why;
	}
	uname(&kernel);
	if (probe && result->state == PROBE_UNPRIVILEGED)
		log__error("%s: no privilege to trace this kernel (%s); run as root, or with CAP_BPF and CAP_PERFMON",
			   command, strerror(-result->error));
	else if (probe && rank_of(result))
		log__error("%s: kernel %s offers nothing to measure \"%s\" with: %s; hwdbm doctor says more",
			   command, kernel.release, probes__measure_name(probe->measures),
			   probes__reason(probe, result, reason));
	else
		log__error("%s: kernel %s has nothing to measure dirty tracking with: neither KVM, nor the iommu_dirty_* events of hwdbm's kernel patches, nor iommufd with dirty tracking (Linux 6.7 or later, CONFIG_IOMMUFD); hwdbm doctor says more",
			   command, kernel.release);
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
	c->skeleton->rodata->page_shift = __builtin_ctzl(sysconf(_SC_PAGESIZE));
	c->skeleton->rodata->count_every = c->options.count_every;
	set_filter(c->skeleton, c->options.pid);
	err = hwdbm_bpf__load(c->skeleton);
	if (err) {
		explain_refusal(c, "load", err);
		return err;
	}
	err = hwdbm_bpf__attach(c->skeleton);
	err = err ?: probes__attach(&c->choice, c->skeleton->obj, &c->links);
	if (err)
		explain_refusal(c, "attach", err);
	c->skeleton->bss->is_listening = 1;
	return err;
}

/* The last resort has a price that others pay. */
static void warn_of_tax(const struct collector *c)
{
	char name[PROBE_TEXT];

	for (size_t i = 0; i < HWDBM_MEASURES; i++) {
		const struct probe *probe = c->choice.chosen[i];

		if (probe && (probe->kind == PROBE_SYSCALL || probe->kind == PROBE_SYSCALLS))
			log__warn("%s: \"%s\" is measured by %s on this host, which costs %s; --avoid syscall,syscalls does without",
				  c->options.command, probes__measure_name(i),
				  probes__name(probe, name), probe->cost);
	}
}

int collect__open(struct collector **out, const struct collect_options *options,
		  sample_handler handler, void *context)
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
		warn_of_tax(c);
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
	probes__detach(&c->links);
	hwdbm_bpf__destroy(c->skeleton);
	domains__release(&c->domains);
	kvm__release(&c->vms);
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
	err = err ?: summary__causes(bpf_map__fd(c->skeleton->maps.causes), c->handler,
				     c->context);
	return err ?: summary__rings(bpf_map__fd(c->skeleton->maps.rings), &c->vms, c->handler,
				     c->context);
}

/* Whether a program is asked about more than it is for, and knows by itself what it missed. */
static bool knows_its_losses(const struct collector *c, const struct bpf_program *program)
{
	const struct probe *probe = c->choice.chosen[HWDBM_MEASURE_KVM_SYNC];

	for (size_t i = 0; probe && i < PROBE_PROGRAMS && probe->programs[i]; i++)
		if (!strcmp(probe->programs[i], bpf_program__name(program)))
			return true;
	return false;
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

		if (fd >= 0 && !knows_its_losses(c, program) &&
		    !bpf_obj_get_info_by_fd(fd, &info, &length))
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

	c->skeleton->bss->is_listening = 0;
	probes__detach(&c->links);
	hwdbm_bpf__detach(c->skeleton);
	err = collect__read(c);
	return err ?: collect__summaries(c);
}
