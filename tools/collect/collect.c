// SPDX-License-Identifier: GPL-2.0-only
/*
 * The collector: one skeleton, one ring, and the translation of its records into
 * samples. Not here: the choice of probes (probes.c) and the totals (summary.c).
 */
#include "collect.h"
#include "attach.h"
#include "costs.h"
#include "domains.h"
#include "handover.h"
#include "host.h"
#include "summary.h"
#include "knobs.h"
#include "kvm.h"
#include "meter.h"
#include "kvmstat.h"
#include "stacks.h"
#include "hwdbm.skel.h"
#include "../../bpf/records.h"
#include "../lib/cleanup.h"
#include "../lib/log.h"
#include "../lib/strings.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

/* Files that may be open at once: 70 are where an IOMMU is missing and KVM has no functions to hook. */
#define FILES_HELD 256

struct collector {
	struct hwdbm_bpf *skeleton;
	struct attachments attachments;
	struct meter meter;
	struct ring_buffer *ring;
	int epoll;			/* of the ring and of the attachments */
	uint64_t records;		/* since the last look */
	bool gave_up;
	sample_handler handler;
	void *context;
	int error;			/* the handler's, of this read */
	struct collect_options options;
	struct probe_choice choice;
	struct domain_list domains;
	struct device_list devices;
	struct known_vms vms;
	struct owner_list owners;
	struct stack_list *stacks;	/* NULL: not asked for */
	struct kvmstat kvmstat;
	unsigned int looks_failed;
	uint64_t late_measures;		/* whose module came after the start, as was said */
	time_t modules_checked;
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
	[HWDBM_SYNC] = { SAMPLE_SYNC, HWDBM_SYNC_SHORT },
	[HWDBM_SPLIT] = { SAMPLE_SPLIT, sizeof(struct hwdbm_split) },
	[HWDBM_READ] = { SAMPLE_SYNC, HWDBM_READ_SHORT },
	[HWDBM_SAMPLED] = { SAMPLE_SAMPLED, sizeof(struct hwdbm_sampled) },
	[HWDBM_CLEAR] = { SAMPLE_CLEAR, sizeof(struct hwdbm_clear) },
	[HWDBM_DEVICE_STATE] = { SAMPLE_DEVICE_STATE, sizeof(struct hwdbm_device_state) },
	[HWDBM_INTERRUPT] = { SAMPLE_INTERRUPT, sizeof(struct hwdbm_interrupt) },
	/* No sample of its own */
	[HWDBM_START] = { SAMPLE_TRACKING, sizeof(struct hwdbm_start) },
};

/* Of a VM, by its slots */
static bool is_kvm(unsigned int source)
{
	return source == HWDBM_SOURCE_KVM || source == HWDBM_SOURCE_KVM_RING ||
	       source == HWDBM_SOURCE_VHOST;
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
	case HWDBM_SAMPLED:
		return domains__sampled(&c->domains, data, &sample->sampled);
	case HWDBM_CLEAR:
		return kvm__clear(&c->vms, data, &sample->clear);
	case HWDBM_DEVICE_STATE:
		return handover__device(&c->devices, data, &sample->device_state);
	case HWDBM_INTERRUPT:
		return handover__interrupt(&c->devices, data, &sample->interrupt);
	default:
		return domains__split(&c->domains, data, &sample->split);
	}
}

static struct stack_maps stack_maps(const struct collector *c)
{
	return (struct stack_maps){ .stacks = bpf_map__fd(c->skeleton->maps.stacks),
				    .chains = bpf_map__fd(c->skeleton->maps.chains),
				    .owners = bpf_map__fd(c->skeleton->maps.owners) };
}

static int take_stack(struct collector *c, const void *data)
{
	struct stack_maps maps = stack_maps(c);

	return c->stacks ? stacks__meet(c->stacks, &maps, data) : 0;
}

/* TLB invalidations that were made before their probe was attached. */
static void forget_unseen(const struct collector *c, struct sync_sample *sync)
{
	uint64_t start = sync->total_ns == UNKNOWN ? sync->t_ns : sync->t_ns - sync->total_ns;

	if (attachments__sees_tlb(&c->attachments, start))
		return;
	sync->tlb_invalidations = UNKNOWN;
	sync->tlb_commands = UNKNOWN;
}

/* Starts that nobody saw end. @vm: of this one, whose log is read; 0: those that are old. */
static int take_late(struct collector *c, uint64_t vm)
{
	struct foretold late;
	int err = 0;

	while (!err && attachments__take_late(&c->attachments, vm, &late))
		err = kvm__late(&c->vms, late.vm, late.pid, late.slot, late.length);
	return err;
}

/* What follows from a record for what has to be attached. */
static int follow(struct collector *c, const void *data)
{
	const struct hwdbm_tracking *tracking = data;
	const struct hwdbm_record *record = data;
	const struct hwdbm_sync *sync = data;

	switch (record->type) {
	case HWDBM_TRACKING:
		if (!is_kvm(tracking->source))
			return attachments__domain(&c->attachments, record->domain,
						   tracking->enable && !record->ret);
		if (tracking->enable)
			attachments__fulfil(&c->attachments, record->domain, tracking->slot);
		return 0;
	case HWDBM_SYNC:
		if (!is_kvm(sync->source))
			return attachments__domain(&c->attachments, record->domain, true);
		return take_late(c, record->domain);
	case HWDBM_CLEAR:
		return take_late(c, record->domain);
	case HWDBM_DEVICE_STATE:
		return attachments__device(&c->attachments, data);
	case HWDBM_INTERRUPT:
		attachments__interrupted(&c->attachments, record->domain);
		return 0;
	default:
		return 0;
	}
}

static int take_record(void *context, void *data, size_t size)
{
	const struct hwdbm_record *record = data;
	struct hwdbm_sync whole = { 0 };
	struct collector *c = context;
	enum sample_kind kind;
	union sample sample;
	int err;

	if (record->type == HWDBM_STACK && size >= sizeof(struct hwdbm_stack))
		return take_stack(c, data);
	if (record->type >= sizeof(kinds) / sizeof(kinds[0]) || !kinds[record->type].size ||
	    size < kinds[record->type].size)
		return -EPROTO;
	c->records++;
	if (record->type == HWDBM_READ) {
		kvm__whole(data, size, &whole);
		data = &whole;
	} else if (record->type == HWDBM_SYNC && size < sizeof(whole)) {
		memcpy(&whole, data, HWDBM_SYNC_SHORT);
		data = &whole;
	}
	if (record->type == HWDBM_START)
		return attachments__foretell(&c->attachments, data);
	kind = kinds[record->type].kind;
	field__clear(sample__table(kind), &sample);
	err = follow(c, data);
	err = err ?: make_sample(c, data, &sample);
	if (!err && kind == SAMPLE_SYNC)
		forget_unseen(c, &sample.sync);
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

static void refuse_privilege(const char *command, int err)
{
	log__error("%s: no privilege to trace this kernel (%s); run as root%s, or with CAP_BPF and CAP_PERFMON",
		   command, strerror(-err), host__is_namespace_root() ? " of the host, not of a user namespace" : "");
}

/* One sentence about the required measurement that says best why none of them is served. */
static void explain_choice(const struct collector *c)
{
	const struct probe_result *result = NULL, *why = NULL;
	const char *command = c->options.command;
	const struct probe *probe = NULL;
	char reason[PROBE_TEXT], names[PROBE_TEXT] = "";
	struct utsname kernel = { 0 };

	for (unsigned int i = 0; i < HWDBM_MEASURES; i++) {
		const struct probe *at = c->options.require & BIT_OF(i) ?
						 probes__why_not(&c->choice, i, &why) : NULL;
		size_t length = strlen(names);

		if (at)
			snprintf(names + length, sizeof(names) - length, "%s\"%s\"",
				 length ? ", " : "", probes__measure_name(i));
		if (!at || (probe && rank_of(why) <= rank_of(result)))
			continue;
		probe = at;
		result = why;
	}
	uname(&kernel);
	if (probe && result->state == PROBE_UNPRIVILEGED)
		refuse_privilege(command, result->error);
	else if (probe && (rank_of(result) || !(c->options.require & BIT_OF(HWDBM_MEASURE_SYNC))))
		log__error("%s: kernel %s offers nothing to measure %s with: %s; hwdbm doctor says more",
			   command, kernel.release, names,
			   probes__explain(&c->choice, probe->measures, reason));
	else
		log__error("%s: kernel %s has nothing to measure dirty tracking with: neither KVM, nor the iommu_dirty_* events of hwdbm's kernel patches, nor iommufd with dirty tracking (Linux 6.7 or later, CONFIG_IOMMUFD); hwdbm doctor says more",
			   command, kernel.release);
}

/* The probes passed their tests, so this is about the programs themselves. */
static void explain_refusal(const struct collector *c, const char *what, int err)
{
	const char *command = c->options.command;

	if (!host__may_trace())
		refuse_privilege(command, err);
	else if (err == -ENOMEM)
		log__error("%s: no memory for the BPF programs and their maps; is memory limited (ulimit -v, or the limit of a cgroup)?",
			   command);
	else
		log__error("%s: cannot %s the BPF programs (%s), though this kernel took the tests of hwdbm doctor; --verbose shows the kernel's words",
			   command, what, strerror(-err));
}

/* Whether /proc tells times since boot as the kernel does; in a time namespace it may not. */
static bool is_time_shifted(void)
{
	char text[256];
	const char *boot;
	long long seconds;

	if (host__read("/proc/self/timens_offsets", text, sizeof(text)))
		return false;
	boot = strstr(text, "boottime");
	return boot && (sscanf(boot, "boottime %lld", &seconds) != 1 || seconds);
}

/* In ticks since boot; 0 if nobody knows. */
static uint64_t start_of(pid_t pid)
{
	char path[32], text[1024];
	unsigned long long start;
	const char *at;

	if (is_time_shifted())
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	/* The second field, its command, may have anything in it but ends with the last bracket. */
	if (host__read(path, text, sizeof(text)) || !(at = strrchr(text, ')')))
		return 0;
	return sscanf(at, ") %*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %llu",
		      &start) == 1 ? start : 0;
}

/* Nothing would be seen of it, and nothing would say so (set_filter()). */
static int check_namespace(const char *command, pid_t pid)
{
	struct stat own, its;
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d/ns/pid", pid);
	if (!pid || host__sees_all_processes() || stat("/proc/self/ns/pid", &own) || stat(path, &its) ||
	    own.st_ino == its.st_ino)
		return 0;
	log__error("%s: process %d is in a PID namespace below this one, where it cannot be followed from here; run hwdbm in the host's",
		   command, pid);
	return -EOPNOTSUPP;
}

static void set_filter(struct hwdbm_bpf *skeleton, pid_t pid)
{
	struct stat ns = { 0 };

	/*
	 * The BPF side compares process ids as this process's namespace numbers them. The kernel tells those of tasks in
	 * the very namespace only, and a container's VM is in one below; the host's are those that all tasks have.
	 */
	if (!host__sees_all_processes() && !stat("/proc/self/ns/pid", &ns)) {
		skeleton->rodata->pidns_dev = ns.st_dev;
		skeleton->rodata->pidns_ino = ns.st_ino;
	}
	skeleton->rodata->target_pid = pid;
	skeleton->rodata->target_start = pid ? start_of(pid) : 0;
	bpf_program__set_autoload(skeleton->progs.on_fork, pid);
	bpf_program__set_autoload(skeleton->progs.on_free, pid);
}

static int choose(struct collector *c)
{
	struct probe_options options = {
		.measure = c->options.measure, .avoid = c->options.avoid,
	};
	int err;

	if (c->options.follow && options.measure & BIT_OF(HWDBM_MEASURE_KVM_SYNC))
		options.measure |= BIT_OF(HWDBM_MEASURE_KVM_START);
	err = probes__test(&probe_table, &options, &c->choice);

	if (err == -ENOENT && !host__check_sys(c->options.command))
		log__error("%s: this kernel has no type information (/sys/kernel/btf/vmlinux); it takes one built with CONFIG_DEBUG_INFO_BTF=y",
			   c->options.command);
	else if (err == -EINVAL)
		log__error("%s: this kernel has no type information that makes sense (/sys/kernel/btf/vmlinux is damaged); it takes one built with CONFIG_DEBUG_INFO_BTF=y",
			   c->options.command);
	else if (err && err != -ENOENT)
		log__error("%s: cannot read this kernel's type information (%s)%s", c->options.command,
			   strerror(-err), err == -ENOMEM ? "; is memory limited (ulimit -v)?" : "");
	if (err)
		return err;
	if (!c->options.require || probes__served(&c->choice) & c->options.require)
		return 0;
	explain_choice(c);
	return -EOPNOTSUPP;
}

static int load(struct collector *c)
{
	LIBBPF_OPTS(bpf_object_open_opts, options, .btf_custom_path = host__types());
	int err = check_namespace(c->options.command, c->options.pid);

	err = err ?: choose(c);
	if (err)
		return err;
	c->skeleton = hwdbm_bpf__open_opts(&options);
	if (!c->skeleton) {
		err = -errno;
		log__error("%s: cannot open the BPF programs (%s)", c->options.command,
			   strerror(-err));
		return err;
	}
	attachments__prepare(&c->attachments, c->skeleton, &c->choice, c->options.follow);
	c->skeleton->rodata->measured = probes__served(&c->choice);
	c->skeleton->rodata->page_shift = __builtin_ctzl(sysconf(_SC_PAGESIZE));
	c->skeleton->rodata->count_every = c->options.count_every;
	c->skeleton->rodata->want_stacks = c->options.stacks;
	if (!c->options.stacks) {
		bpf_map__set_max_entries(c->skeleton->maps.chains, 1);
		bpf_map__set_max_entries(c->skeleton->maps.stacks, 1);
	}
	c->skeleton->rodata->count_share = c->options.count_share;
	set_filter(c->skeleton, c->options.pid);
	err = hwdbm_bpf__load(c->skeleton);
	if (err) {
		explain_refusal(c, "load", err);
		return err;
	}
	meter__open(&c->meter, bpf_map__fd(c->skeleton->maps.meters),
		    c->choice.chosen[HWDBM_MEASURE_KVM_SYNC], c->options.max_overhead);
	err = attachments__open(&c->attachments, c->options.pid);
	if (err)
		explain_refusal(c, "attach", err);
	return err;
}

static int open_ring(struct collector *c)
{
	int fds[2], err = 0;

	c->ring = ring_buffer__new(bpf_map__fd(c->skeleton->maps.ring), take_record, c, NULL);
	if (!c->ring)
		return -errno;
	c->epoll = epoll_create1(EPOLL_CLOEXEC);
	fds[0] = ring_buffer__epoll_fd(c->ring);
	fds[1] = attachments__fd(&c->attachments);
	for (int i = 0; !err && i < 2; i++) {
		struct epoll_event event = { .events = EPOLLIN };

		if (c->epoll < 0 || epoll_ctl(c->epoll, EPOLL_CTL_ADD, fds[i], &event))
			err = -errno;
	}
	return err;
}

/* The last resort has a price that others pay. */
static void warn_of_tax(const struct collector *c)
{
	char name[PROBE_TEXT];

	for (size_t i = 0; i < HWDBM_MEASURES; i++) {
		const struct probe *probe = c->choice.chosen[i];

		/* Some come along with another's. */
		if (probe && *probe->programs && (probe->kind == PROBE_SYSCALL || probe->kind == PROBE_SYSCALLS))
			log__warn("%s: \"%s\" is measured by %s on this host, which costs %s%s; --avoid syscall,syscalls does without",
				  c->options.command, probes__measure_name(i),
				  probes__name(probe, name), probe->cost,
				  c->options.follow ? " while a log is on" : "");
	}
}

static bool counts_by_iterator(const struct collector *c)
{
	const struct probe *probe = c->choice.chosen[HWDBM_MEASURE_KVM_TLB];

	return probe && probe->kind == PROBE_ITER;
}

/* What cannot be looked at is missing, and nothing else. */
static int look_at_kvm(struct collector *c)
{
	int err = counts_by_iterator(c) ? kvmstat__look(&c->kvmstat) : 0;

	if (!err || err == -ENOMEM)
		return err;
	if (!c->looks_failed++)
		log__warn("%s: cannot read what KVM counts (%s); flushes of VMs are missing",
			  c->options.command, strerror(-err));
	return 0;
}

int collect__check_files(const char *command)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur >= FILES_HELD)
		return 0;
	log__error("%s: only %ju files may be open here, and it takes %d; raise that with ulimit -n %d",
		   command, (uintmax_t)limit.rlim_cur, FILES_HELD, FILES_HELD);
	return -EMFILE;
}

int collect__open(struct collector **out, const struct collect_options *options,
		  sample_handler handler, void *context)
{
	struct collector *c = calloc(1, sizeof(*c));
	int err;

	if (!c)
		return -ENOMEM;
	c->epoll = -1;
	c->options = *options;
	c->handler = handler;
	c->context = context;
	libbpf_set_print(print_libbpf);
	err = collect__check_files(options->command);
	err = err ?: load(c);
	err = err ?: options->stacks ? stacks__open(&c->stacks) : 0;
	err = err ?: look_at_kvm(c);
	if (!err) {
		warn_of_tax(c);
		err = open_ring(c);
		if (err)
			log__error("%s: cannot read the ring buffer (%s)", options->command,
				   strerror(-err));
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
	attachments__close(&c->attachments);
	cleanup__close(&c->epoll);
	hwdbm_bpf__destroy(c->skeleton);
	domains__release(&c->domains);
	handover__release(&c->devices);
	kvm__release(&c->vms);
	owners__release(&c->owners);
	stacks__free(c->stacks);
	kvmstat__release(&c->kvmstat);
	free(c);
}

int collect__fd(const struct collector *c)
{
	return c->epoll;
}

/* Too dear is too dear: what was measured until now stays. */
static void watch_overhead(struct collector *c)
{
	struct collect_overhead overhead;
	uint64_t vm_ns;

	if (c->attachments.since)
		meter__calibrate(&c->meter);
	if (!c->options.max_overhead || c->gave_up)
		return;
	meter__read(&c->meter, &overhead);
	attachments__time(&c->attachments, &overhead.attached_ns, &vm_ns);
	if (!meter__exceeds(&c->meter, overhead.probe_ns, vm_ns))
		return;
	log__error("%s: the probes took %.3g %% of a core for each VM that logs, more than the %.3g %% of --max-overhead: they are detached, and nothing is measured from here on",
		   c->options.command, (double)c->meter.recent_share / 1e4,
		   (double)c->options.max_overhead / 1e4);
	attachments__detach(&c->attachments);
	c->gave_up = true;
}

/* Measurements that the probes of a module would have served; said once. */
static void warn_of_module(struct collector *c, const char *module)
{
	char names[PROBE_TEXT] = "";

	for (size_t i = 0; i < c->choice.table->count; i++) {
		const struct probe *probe = &c->choice.table->at[i];
		size_t length = strlen(names);

		if (c->choice.results[i].state != PROBE_NOT_LOADED ||
		    strcmp(probes__module(probe, &c->choice.results[i]), module) ||
		    c->choice.chosen[probe->measures] || c->late_measures & BIT_OF(probe->measures))
			continue;
		c->late_measures |= BIT_OF(probe->measures);
		snprintf(names + length, sizeof(names) - length, "%s\"%s\"", length ? ", " : "",
			 probes__measure_name(probe->measures));
	}
	if (*names)
		log__warn("%s: module %s was loaded after the start: %s cannot be measured until hwdbm is started again",
			  c->options.command, module, names);
}

/* Probes are chosen at the start, by what is there. */
static void watch_modules(struct collector *c)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	if (now.tv_sec == c->modules_checked)
		return;
	c->modules_checked = now.tv_sec;
	for (size_t i = 0; i < c->choice.table->count; i++) {
		const struct probe *probe = &c->choice.table->at[i];

		if (c->choice.results[i].state == PROBE_NOT_LOADED &&
		    !c->choice.chosen[probe->measures] &&
		    !(c->late_measures & BIT_OF(probe->measures)) &&
		    host__has_loaded(probes__module(probe, &c->choice.results[i])))
			warn_of_module(c, probes__module(probe, &c->choice.results[i]));
	}
}

int collect__read(struct collector *c)
{
	int got, err;

	/* What stopped the last read does not keep what is left from those who have use for it. */
	c->error = 0;
	got = ring_buffer__consume(c->ring);
	err = c->error ?: got < 0 ? got : 0;
	if (err)
		return err;
	err = attachments__work(&c->attachments, c->records);
	c->records = 0;
	err = err ?: take_late(c, 0);
	if (err)
		log__error("%s: cannot attach the probes again (%s)", c->options.command,
			   strerror(-err));
	watch_overhead(c);
	watch_modules(c);
	return err;
}

bool collect__gave_up(const struct collector *c)
{
	return c->gave_up;
}

void collect__overhead(const struct collector *c, struct collect_overhead *overhead)
{
	uint64_t vm_ns;

	meter__read(&c->meter, overhead);
	attachments__time(&c->attachments, &overhead->attached_ns, &vm_ns);
	overhead->share = vm_ns ? overhead->probe_ns * 1000000 / vm_ns : 0;
}

static void name_program(pid_t pid, char *name, size_t size)
{
	char link[32], path[PATH_MAX];
	const char *slash;
	ssize_t length;

	snprintf(link, sizeof(link), "/proc/%d/exe", (int)pid);
	length = readlink(link, path, sizeof(path) - 1);
	if (length < 0)
		return;
	path[length] = '\0';
	slash = strrchr(path, '/');
	string__copy(name, size, slash ? slash + 1 : path);
}

void collect__describe(const struct collector *c, struct header_sample *header)
{
	struct utsname name = { 0 };

	uname(&name);
	field__clear(sample__table(SAMPLE_HEADER), header);
	STRING_COPY(header->schema, RECORDING_SCHEMA);
	STRING_COPY(header->host_name, name.nodename);
	STRING_COPY(header->host_machine, name.machine);
	/* Without it two recordings are taken for those of two hosts. */
	if (host__read("/proc/sys/kernel/random/boot_id", header->host_boot, sizeof(header->host_boot)))
		*header->host_boot = '\0';
	STRING_COPY(header->kernel_release, name.release);
	/* The event is ours; openEuler's kernels split, too. */
	if (c->choice.chosen[HWDBM_MEASURE_SPLIT] &&
	    c->choice.chosen[HWDBM_MEASURE_SPLIT]->kind == PROBE_EVENT)
		header->kernel_patched = TRI_TRUE;
	else if (c->options.measure & BIT_OF(HWDBM_MEASURE_SPLIT))
		header->kernel_patched = TRI_FALSE;
	STRING_COPY(header->clock, "CLOCK_MONOTONIC");
	STRING_COPY(header->time_basis, host__time_basis());
	header->pid = c->options.pid ? (uint64_t)c->options.pid : UNKNOWN;
	if (c->options.pid)
		name_program(c->options.pid, header->vmm, sizeof(header->vmm));
	knobs__held(header->tuned, sizeof(header->tuned));
	probes__list(&c->choice, &header->probes);
}

/* Children of the followed process are known by their global number. */
static bool is_wanted(void *context, pid_t pid)
{
	const struct collector *c = context;
	__u32 tgid = pid;
	__u8 yes;

	return !c->options.pid || c->options.pid == pid ||
	       !bpf_map_lookup_elem(bpf_map__fd(c->skeleton->maps.followed), &tgid, &yes);
}

static int hand_on_kvmstat(struct collector *c)
{
	int err = look_at_kvm(c);

	return err ?: kvmstat__put(&c->kvmstat, is_wanted, c, c->handler, c->context);
}

int collect__look(struct collector *c)
{
	int map_fd = bpf_map__fd(c->skeleton->maps.owners);
	__u32 key, *previous = NULL;

	for (; !bpf_map_get_next_key(map_fd, previous, &key); previous = &key)
		if (!owners__find(&c->owners, map_fd, key))
			return -ENOMEM;
	return look_at_kvm(c);
}

static struct totals_maps totals_maps(const struct bpf_map *map, const struct bpf_map *spare)
{
	return (struct totals_maps){ .map = bpf_map__fd(map), .spare = bpf_map__fd(spare) };
}

#define TOTALS_MAPS(c, of) totals_maps((c)->skeleton->maps.of, (c)->skeleton->maps.spare_##of)

/* By all that is known of them. */
static int hand_on_costs(struct collector *c)
{
	struct totals_maps splits = TOTALS_MAPS(c, splits), flushes = TOTALS_MAPS(c, flushes);
	int owners = bpf_map__fd(c->skeleton->maps.owners), err;
	struct stack_maps maps = stack_maps(c);

	err = costs__splits(&splits, owners, &c->owners, c->handler, c->context);
	err = err ?: costs__flushes(&flushes, bpf_map__fd(c->skeleton->maps.units), owners,
				    &c->owners, c->handler, c->context);
	err = err ?: hand_on_kvmstat(c);
	if (!err && c->stacks)
		err = stacks__put(c->stacks, &maps, &c->owners, c->handler, c->context);
	return err;
}

int collect__summaries(struct collector *c)
{
	uint64_t tlb = BIT_OF(HWDBM_MEASURE_TLB) | BIT_OF(HWDBM_MEASURE_VTD_TLB) |
		       BIT_OF(HWDBM_MEASURE_AMD_TLB);
	struct totals_maps splits = TOTALS_MAPS(c, splits), merges = TOTALS_MAPS(c, merges);
	struct totals_maps flushes = TOTALS_MAPS(c, flushes);
	int err = summary__sizes(&splits, SAMPLE_SPLIT_SUMMARY, c->handler, c->context);

	err = err ?: summary__sizes(&merges, SAMPLE_MERGE_SUMMARY, c->handler, c->context);
	/* Of what nobody looked at there is no total, not 0. */
	if (!err && probes__served(&c->choice) & tlb)
		err = summary__causes(&flushes, c->handler, c->context);
	err = err ?: hand_on_costs(c);
	err = err ?: handover__vcpus(bpf_map__fd(c->skeleton->maps.vcpus), c->handler, c->context);
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
	/* Those that were foretold or found are user space's to count. */
	for (size_t i = 0; i < lost->count; i++)
		if (!strcmp(lost->at[i].name, "late"))
			lost->at[i].number += c->attachments.late;
	named = &lost->at[lost->count++];
	STRING_COPY(named->name, "call");
	named->number = meter__lost_calls(&c->meter);
	named = &lost->at[lost->count++];
	STRING_COPY(named->name, "recursion");
	named->number = recursion_misses(c);
}

int collect__finish(struct collector *c)
{
	size_t ended;
	int err;

	attachments__detach(&c->attachments);
	c->modules_checked = 0;
	err = collect__read(c);
	err = err ?: collect__summaries(c);
	ended = kvmstat__ended(&c->kvmstat, is_wanted, c);
	if (ended)
		log__warn("%s: %zu VM%s ended after KVM's counters were last looked at: the flushes of up to a second before that are missing",
			  c->options.command, ended, ended == 1 ? "" : "s");
	return err;
}
