// SPDX-License-Identifier: GPL-2.0-only
/*
 * The probe table on the running kernel or on another one's type information, and what
 * follows for a BPF object. Not here: the choice itself and its tests.
 */
#include "probes.h"
#include "probe_test.h"
#include "probe_types.h"
#include "tracefs.h"
#include "../lib/strings.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <limits.h>
#include <linux/perf_event.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

int probes__test(const struct probe_table *table, const struct probe_options *options,
		 struct probe_choice *choice)
{
	struct probe_bench *bench;
	int err = probe_bench__open(&bench);

	if (err)
		return err;
	probes__choose(table, options, probe_bench__test, bench, choice);
	probe_bench__free(bench);
	return 0;
}

/* Type information of another kernel. */
struct library {
	const char *folder;	/* with its modules'; NULL: there is none */
	struct btf *vmlinux;
};

static enum probe_state look_up(const struct library *library, const struct probe *probe,
				const struct probe_target *target)
{
	enum probe_state state;
	char path[PATH_MAX];
	struct btf *btf;
	uint32_t type;

	/* Nor does type information tell whether the module is there that a system call is for. */
	if (probe->kind == PROBE_SYSCALL || (probe->kind == PROBE_SYSCALLS && probe->module))
		return PROBE_UNKNOWN;
	state = probe_types__find(library->vmlinux, probe->kind, target, &type);
	if (state != PROBE_ABSENT || !probe->module)
		return state;
	if (!library->folder)
		return PROBE_UNKNOWN;
	snprintf(path, sizeof(path), "%s/%s", library->folder, probe->module);
	btf = btf__parse_split(path, library->vmlinux);
	if (libbpf_get_error(btf))
		return PROBE_NOT_LOADED;
	state = probe_types__find(btf, probe->kind, target, &type);
	btf__free(btf);
	return state;
}

static enum probe_state look_up_all(void *context, const struct probe *probe,
				    struct probe_result *result)
{
	for (size_t i = 0; i < PROBE_TARGETS && probe->targets[i].name; i++) {
		enum probe_state state = look_up(context, probe, &probe->targets[i]);

		if (state == PROBE_SERVES)
			continue;
		result->target = probe->targets[i].name;
		return state;
	}
	if (probe->needs) {
		const struct probe function = {
			.kind = PROBE_KPROBE, .module = probe->needs_in ?: probe->module,
		};
		const struct probe_target needed = { .name = probe->needs };

		result->target = probe->needs;
		return look_up(context, &function, &needed);
	}
	return PROBE_SERVES;
}

int probes__compare(const char *path, const struct probe_table *table,
		    const struct probe_options *options, struct probe_choice *choice)
{
	struct library library = { 0 };
	char file[PATH_MAX];
	struct stat stat_;
	int err;

	if (stat(path, &stat_))
		return -errno;
	if (S_ISDIR(stat_.st_mode))
		library.folder = path;
	snprintf(file, sizeof(file), "%s%s", path, library.folder ? "/vmlinux" : "");
	library.vmlinux = btf__parse(file, NULL);
	err = libbpf_get_error(library.vmlinux);
	/* libbpf has numbers of its own for files that make no sense, and EIO for short ones. */
	if (err)
		return err == -EIO || err <= -__LIBBPF_ERRNO__START ? -EINVAL : err;
	probes__choose(table, options, look_up_all, &library, choice);
	btf__free(library.vmlinux);
	return 0;
}

static bool is_syscall(const struct probe *probe)
{
	return probe && (probe->kind == PROBE_SYSCALL || probe->kind == PROBE_SYSCALLS);
}

uint64_t probes__costly(const struct probe_choice *choice)
{
	uint64_t costly = 0;

	if (is_syscall(choice->chosen[HWDBM_MEASURE_KVM_SYNC])) {
		costly |= BIT_OF(HWDBM_MEASURE_KVM_SYNC);
		/* It is KVM's log that wakes. */
		if (is_syscall(choice->chosen[HWDBM_MEASURE_DEVICE_SYNC]))
			costly |= BIT_OF(HWDBM_MEASURE_DEVICE_SYNC);
	}
	if (choice->chosen[HWDBM_MEASURE_TLB])
		costly |= BIT_OF(HWDBM_MEASURE_TLB);
	return costly;
}

static void set_load(struct bpf_object *object, const struct probe *probe, bool load, bool attach)
{
	for (size_t i = 0; i < PROBE_PROGRAMS && probe->programs[i]; i++) {
		struct bpf_program *program;

		program = bpf_object__find_program_by_name(object, probe->programs[i]);
		if (!program)
			continue;
		bpf_program__set_autoload(program, load);
		bpf_program__set_autoattach(program, attach);
	}
}

void probes__apply(const struct probe_choice *choice, struct bpf_object *object, uint64_t later)
{
	for (size_t i = 0; i < choice->table->count; i++)
		set_load(object, &choice->table->at[i], false, false);
	/* Afterwards: a program may serve more than one measurement. */
	for (size_t i = 0; i < HWDBM_MEASURES; i++)
		if (choice->chosen[i])
			set_load(object, choice->chosen[i], true, !(later & BIT_OF(i)));
}

/* libbpf looks for tracefs where it is mounted only. */
static int event_of(const struct probe *probe, size_t side, struct probe_links *links)
{
	if (links->events[side] <= 0)
		links->events[side] = tracefs__syscall(side ? "exit" : "enter",
						       probe->targets[0].name);
	return links->events[side];
}

void probes__look_up(const struct probe_choice *choice, uint64_t measures, struct probe_links *links)
{
	for (size_t i = 0; i < HWDBM_MEASURES; i++) {
		const struct probe *probe = choice->chosen[i];

		for (size_t side = 0; side < 2 && measures & BIT_OF(i); side++)
			if (probe && probe->kind == PROBE_SYSCALL)
				event_of(probe, side, links);
	}
}

static struct bpf_link *attach_event(const struct bpf_program *program, int id)
{
	struct perf_event_attr attr = { .type = PERF_TYPE_TRACEPOINT, .size = sizeof(attr) };
	struct bpf_link *link;
	int event;

	errno = -id;
	if (id < 0)
		return NULL;
	attr.config = id;
	/* The program is called for every task, whichever the event is for: of this one it counts, and costs the others nothing. */
	event = syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
	if (event < 0)
		return NULL;
	link = bpf_program__attach_perf_event(program, event);
	if (!link)
		close(event);
	return link;
}

/* Of a system call, the first program is for the beginning of the call, the second for its end. */
static struct bpf_link *attach_program(const struct probe *probe, size_t which,
				       const struct bpf_object *object, struct probe_links *links)
{
	const struct bpf_program *program =
		bpf_object__find_program_by_name(object, probe->programs[which]);

	if (probe->kind == PROBE_SYSCALL)
		return attach_event(program, event_of(probe, which, links));
	return bpf_program__attach(program);
}

static int attach_probe(const struct probe *probe, const struct bpf_object *object,
			struct probe_links *links)
{
	size_t count = 0;

	while (count < PROBE_PROGRAMS && probe->programs[count])
		count++;
	/* The end of a call before its beginning: no call is seen to begin only, which is a loss. */
	while (count--) {
		struct bpf_link *link = attach_program(probe, count, object, links);

		if (!link)
			return -errno;
		links->at[links->count++] = link;
	}
	return 0;
}

int probes__attach(const struct probe_choice *choice, const struct bpf_object *object,
		   uint64_t measures, struct probe_links *links)
{
	int err = 0;

	for (size_t i = 0; !err && i < HWDBM_MEASURES; i++)
		if (choice->chosen[i] && measures & BIT_OF(i))
			err = attach_probe(choice->chosen[i], object, links);
	return err;
}

void probes__detach(struct probe_links *links)
{
	while (links->count)
		bpf_link__destroy(links->at[--links->count]);
}

void probes__list(const struct probe_choice *choice, struct named_list *used)
{
	char text[PROBE_TEXT];

	memset(used, 0, sizeof(*used));
	for (size_t i = 0; i < HWDBM_MEASURES && used->count < NAMED_MAX; i++) {
		struct named *named = &used->at[used->count];

		if (!choice->chosen[i])
			continue;
		used->count++;
		STRING_COPY(named->name, probes__measure_name(i));
		STRING_COPY(named->text, probes__name(choice->chosen[i], text));
	}
}

_Static_assert(HWDBM_MEASURES <= NAMED_MAX, "a recording's header has no room for all probes");
