// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tests. A kernel may have a hook and still refuse it: by policy, for want of
 * privilege, under lockdown, or because its architecture has no trampolines. Only an
 * attempt tells. Not here: words for people (probe_choice.c).
 */
#include "probe_test.h"
#include "probe_types.h"
#include "host.h"
#include "tracefs.h"
#include "../lib/cleanup.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#ifndef ENOTSUPP
#define ENOTSUPP 524	/* the kernel's own; what arm64 before 6.4 says to fentry */
#endif

#define KPROBE_PMU "/sys/bus/event_source/devices/kprobe"

struct probe_bench {
	struct btf *vmlinux;
};

/* Where a target's type is. */
struct place {
	__u32 type;
	int module_fd;		/* of the module's type information; 0: the kernel's own */
};

/* Reads kernel memory as every real program does: lockdown allows less than nothing else. */
static const struct bpf_insn reading[] = {
	{ .code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = BPF_REG_1, .src_reg = BPF_REG_10 },
	{ .code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = BPF_REG_1, .imm = -8 },
	{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_2, .imm = 8 },
	{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_3, .imm = 0 },
	{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_probe_read_kernel },
	{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 0 },
	{ .code = BPF_JMP | BPF_EXIT },
};

/* The last two of them: does nothing. */
#define IDLE 5

#define INSNS (sizeof(reading) / sizeof(reading[0]))

/* libbpf says that there is none, whatever has kept it from reading what there is. */
static int why_untyped(void)
{
	static const char path[] = "/sys/kernel/btf/vmlinux";
	struct btf *btf;
	int err;

	if (access(path, R_OK))
		return -ENOENT;
	btf = btf__parse(path, NULL);
	err = libbpf_get_error(btf);
	if (!err)
		btf__free(btf);
	/* libbpf has numbers of its own for what makes no sense. */
	if (err <= -__LIBBPF_ERRNO__START)
		return -EINVAL;
	return err == -ENOENT || !err ? -EIO : err;
}

int probe_bench__open(struct probe_bench **out)
{
	struct probe_bench *bench = calloc(1, sizeof(*bench));

	if (!bench)
		return -ENOMEM;
	bench->vmlinux = btf__load_vmlinux_btf();
	if (libbpf_get_error(bench->vmlinux)) {
		free(bench);
		return why_untyped();
	}
	*out = bench;
	return 0;
}

void probe_bench__free(struct probe_bench *bench)
{
	if (!bench)
		return;
	btf__free(bench->vmlinux);
	free(bench);
}

/* Opens the type information of a loaded module. Return: a file descriptor or -errno. */
static int open_module_btf(const char *module)
{
	__u32 id = 0;

	while (!bpf_btf_get_next_id(id, &id)) {
		char name[64] = "";
		struct bpf_btf_info info = { .name = (uintptr_t)name, .name_len = sizeof(name) };
		__u32 length = sizeof(info);
		int fd = bpf_btf_get_fd_by_id(id);

		/* Unloaded meanwhile */
		if (fd == -ENOENT)
			continue;
		if (fd < 0)
			return fd;
		if (!bpf_obj_get_info_by_fd(fd, &info, &length) && info.kernel_btf &&
		    !strcmp(name, module))
			return fd;
		close(fd);
	}
	return errno == ENOENT ? -ENOENT : -errno;
}

/* What the lack of a target means: its module may be missing. */
static enum probe_state absent(const struct probe *probe)
{
	enum module_state module = probe->module ? host__module(probe->module) : MODULE_LOADED;

	if (module == MODULE_LOADED)
		return PROBE_ABSENT;
	return module == MODULE_ABSENT ? PROBE_NO_MODULE : PROBE_NOT_LOADED;
}

/* Whether a loaded module was ever a file of its own: only then it is in some state of loading. */
static bool is_separate(const char *module)
{
	char path[96];

	snprintf(path, sizeof(path), "/sys/module/%s/initstate", module);
	return !access(path, F_OK);
}

/*
 * Finds a target in the type information of the kernel or of its module, and checks its
 * arguments. The module's is opened only for programs that are typed by it.
 */
static enum probe_state find(const struct probe_bench *bench, const struct probe *probe,
			     const struct probe_target *target, struct place *place, int *error)
{
	enum probe_state state = probe_types__find(bench->vmlinux, probe->kind, target,
						   &place->type);
	struct btf *btf;

	place->module_fd = 0;
	if (state != PROBE_ABSENT)
		return state;
	if (!probe->module || host__module(probe->module) != MODULE_LOADED)
		return absent(probe);

	btf = btf__load_module_btf(probe->module, bench->vmlinux);
	if (libbpf_get_error(btf)) {
		*error = libbpf_get_error(btf);
		/* Built in, its types are the kernel's. */
		if (*error == -ENOENT && !is_separate(probe->module)) {
			*error = 0;
			return PROBE_ABSENT;
		}
		return PROBE_UNTYPED;
	}
	state = probe_types__find(btf, probe->kind, target, &place->type);
	btf__free(btf);
	if (state != PROBE_SERVES || probe->kind == PROBE_KPROBE)
		return state;
	place->module_fd = open_module_btf(probe->module);
	if (place->module_fd >= 0)
		return PROBE_SERVES;
	*error = place->module_fd;
	return PROBE_UNTYPED;
}

/* Return: a file descriptor or -errno. */
static int load(enum bpf_prog_type type, enum bpf_attach_type attach, const struct place *place,
		const struct bpf_insn *insns, size_t count)
{
	LIBBPF_OPTS(bpf_prog_load_opts, options);
	struct bpf_insn copy[INSNS];

	if (type == BPF_PROG_TYPE_TRACEPOINT) {
		/* What is returned: the event is for perf's other users, too. */
		memcpy(copy, insns, count * sizeof(*insns));
		copy[count - 2].imm = 1;
		insns = copy;
	}
	if (place) {
		options.expected_attach_type = attach;
		options.attach_btf_id = place->type;
		options.attach_btf_obj_fd = place->module_fd;
	}
	return bpf_prog_load(type, "hwdbm_test", "GPL", insns, count, &options);
}

static enum probe_state refused(int error)
{
	if (error != -EPERM && error != -EACCES)
		return error == -ENOTSUPP || error == -EOPNOTSUPP ? PROBE_UNSUPPORTED :
								      PROBE_FAILED;
	if (!host__may_trace())
		return PROBE_UNPRIVILEGED;
	return host__is_confidential() ? PROBE_LOCKED_DOWN : PROBE_REFUSED;
}

/* Loads a program of one type. Return: a file descriptor, or -1 with the state set. */
static int try_load(enum bpf_prog_type type, enum bpf_attach_type attach,
		    const struct place *place, enum probe_state *state, int *error)
{
	int fd = load(type, attach, place, reading, INSNS), idle;

	if (fd >= 0)
		return fd;
	*error = fd;
	*state = refused(fd);
	if (*state == PROBE_UNPRIVILEGED)
		return -1;
	/* If what reads nothing is let through, reading is what is forbidden. */
	idle = load(type, attach, place, reading + IDLE, INSNS - IDLE);
	if (idle >= 0) {
		*state = PROBE_LOCKED_DOWN;
		close(idle);
	}
	return -1;
}

/* A line of enabled_functions: "name [module] (number) FLAGS", then a tab and trampolines. */
static bool calls_directly(const char *line)
{
	const char *flags = strchr(line, ')');
	const char *found = flags ? strpbrk(flags, "D\t\n") : NULL;

	return found && *found == 'D';
}

/*
 * Whether the kernel has patched a function that a program was just attached to. It may look up
 * the address wrongly and patch nothing: where the code of a weak function, whose symbol is gone,
 * follows the function, its own patch site may be found instead. So for kvm_vm_ioctl in Linux
 * 6.12 and 7.3. A kprobe of somebody else patches it too, but not with a direct call (D).
 */
static enum tristate is_patched(const char *function)
{
	_cleanup_fclose_ FILE *file = tracefs__open("enabled_functions");
	_cleanup_free_ char *line = NULL;
	size_t size = 0, length = strlen(function);
	bool found = false;

	if (!file)
		return TRI_UNKNOWN;
	errno = 0;
	while (!found && getline(&line, &size, file) > 0)
		found = !strncmp(line, function, length) && line[length] == ' ' && calls_directly(line);
	if (ferror(file))
		return TRI_UNKNOWN;
	return found ? TRI_TRUE : TRI_FALSE;
}

/* Loads and attaches a program typed by BTF. */
static enum probe_state try_typed(enum bpf_attach_type attach, const struct place *place,
				  const char *function, int *error)
{
	enum probe_state state = PROBE_SERVES;
	_cleanup_close_ int program = try_load(BPF_PROG_TYPE_TRACING, attach, place, &state, error);
	_cleanup_close_ int link = -1;

	if (program < 0)
		return state;
	link = bpf_raw_tracepoint_open(NULL, program);
	if (link < 0) {
		*error = link;
		return refused(link);
	}
	return function && is_patched(function) == TRI_FALSE ? PROBE_DEAF : PROBE_SERVES;
}

/* Loads an iterator and makes a link of it; it is not run. */
static enum probe_state try_iterator(const struct place *place, int *error)
{
	enum probe_state state = PROBE_SERVES;
	_cleanup_close_ int program = try_load(BPF_PROG_TYPE_TRACING, BPF_TRACE_ITER, place, &state,
					       error);
	_cleanup_close_ int link = -1;

	if (program < 0)
		return state;
	link = bpf_link_create(program, 0, BPF_TRACE_ITER, NULL);
	if (link >= 0)
		return PROBE_SERVES;
	*error = link;
	return refused(link);
}

static enum probe_state test_typed(const struct probe_bench *bench, const struct probe *probe,
				   const struct probe_target *target, int *error)
{
	struct place place;
	enum probe_state state = find(bench, probe, target, &place, error);

	if (state != PROBE_SERVES)
		return state;
	if (probe->kind == PROBE_ITER) {
		state = try_iterator(&place, error);
	} else if (probe->kind != PROBE_FENTRY) {
		state = try_typed(BPF_TRACE_RAW_TP, &place, NULL, error);
	} else {
		state = try_typed(BPF_TRACE_FENTRY, &place, target->name, error);
		if (state == PROBE_SERVES)
			state = try_typed(BPF_TRACE_FEXIT, &place, NULL, error);
	}
	if (place.module_fd)
		close(place.module_fd);
	return state;
}

/* Return: whether a file holds a number, possibly behind a word and a colon. */
static bool read_number(const char *path, unsigned int *number)
{
	_cleanup_fclose_ FILE *file = fopen(path, "re");

	return file && (fscanf(file, "config:%u", number) == 1 ||
			fscanf(file, "%u", number) == 1);
}

/* Attaches a program through a perf event. */
static enum probe_state try_perf(enum bpf_prog_type type, struct perf_event_attr *attr,
				 const struct probe *probe, int *error)
{
	enum probe_state state = PROBE_SERVES;
	_cleanup_close_ int program = try_load(type, 0, NULL, &state, error);
	_cleanup_close_ int event = -1;

	if (program < 0)
		return state;
	event = syscall(SYS_perf_event_open, attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
	if (event < 0) {
		*error = -errno;
		return *error == -ENOENT ? absent(probe) : refused(*error);
	}
	if (ioctl(event, PERF_EVENT_IOC_SET_BPF, program) ||
	    ioctl(event, PERF_EVENT_IOC_ENABLE, 0)) {
		*error = -errno;
		return refused(*error);
	}
	return PROBE_SERVES;
}

static enum probe_state test_kprobe(const struct probe_bench *bench, const struct probe *probe,
				    const struct probe_target *target, int *error)
{
	struct perf_event_attr attr = { .size = sizeof(attr), .config1 = (uintptr_t)target->name };
	enum probe_state state = PROBE_SERVES;
	unsigned int type, bit;
	struct place place;

	/* A probe that reads no argument needs no types, but its module. */
	if (target->takes)
		state = find(bench, probe, target, &place, error);
	else if (absent(probe) != PROBE_ABSENT)
		state = absent(probe);
	if (state != PROBE_SERVES)
		return state;
	/* What is not there could not be probed in any way. */
	if (!read_number(KPROBE_PMU "/type", &type) ||
	    !read_number(KPROBE_PMU "/format/retprobe", &bit))
		return PROBE_UNSUPPORTED;
	attr.type = type;
	state = try_perf(BPF_PROG_TYPE_KPROBE, &attr, probe, error);
	if (state != PROBE_SERVES)
		return state;
	attr.config = BIT_OF(bit);
	return try_perf(BPF_PROG_TYPE_KPROBE, &attr, probe, error);
}

/* A system call is traced where it begins and where it ends. */
static enum probe_state test_syscall(const struct probe *probe, const struct probe_target *target,
				     int *error)
{
	static const char * const sides[] = { "enter", "exit" };
	struct perf_event_attr attr = { .type = PERF_TYPE_TRACEPOINT, .size = sizeof(attr) };
	enum probe_state state = PROBE_SERVES;
	/*
	 * Where lockdown lets no program read, it leaves tracefs empty and without a user: Linux 7.3
	 * crashes when such a tracefs is let go.
	 */
	_cleanup_close_ int program = try_load(BPF_PROG_TYPE_TRACEPOINT, 0, NULL, &state, error);

	for (size_t i = 0; state == PROBE_SERVES && i < sizeof(sides) / sizeof(sides[0]); i++) {
		int id = tracefs__syscall(sides[i], target->name);

		if (id < 0) {
			*error = id;
			/* Either the kernel has no tracefs, or no events of system calls. */
			if (id == -ENODEV || id == -ENOENT)
				return PROBE_UNSUPPORTED;
			return id == -EPERM && !host__capability(CAP_SYS_ADMIN) ? PROBE_UNPRIVILEGED :
										 refused(id);
		}
		attr.config = id;
		state = try_perf(BPF_PROG_TYPE_TRACEPOINT, &attr, probe, error);
	}
	return state;
}

static enum probe_state test_target(const struct probe_bench *bench, const struct probe *probe,
				    const struct probe_target *target, int *error)
{
	/* The calls can be traced without the module that they are for, at everybody's expense. */
	if ((probe->kind == PROBE_SYSCALL || probe->kind == PROBE_SYSCALLS) &&
	    absent(probe) != PROBE_ABSENT)
		return absent(probe);
	switch (probe->kind) {
	case PROBE_KPROBE:
		return test_kprobe(bench, probe, target, error);
	case PROBE_SYSCALL:
		return test_syscall(probe, target, error);
	default:
		return test_typed(bench, probe, target, error);
	}
}

/* What nobody hooks has to be there; a module without types is given the benefit of the doubt, unless they are read. */
static enum probe_state test_needed(const struct probe_bench *bench, const struct probe *probe,
				    struct probe_result *result)
{
	const struct probe needed = {
		.kind = PROBE_KPROBE, .module = probe->needs_in ?: probe->module,
	};
	const struct probe_target target = { .name = probe->needs };
	struct place place;
	int error = 0;
	enum probe_state state = find(bench, &needed, &target, &place, &error);

	if (state == PROBE_SERVES || (state == PROBE_UNTYPED && !probe->needs_in))
		return PROBE_SERVES;
	result->target = probe->needs;
	result->error = error;
	return state;
}

enum probe_state probe_bench__test(void *context, const struct probe *probe,
				   struct probe_result *result)
{
	enum probe_state state = probe->needs ? test_needed(context, probe, result) : PROBE_SERVES;

	for (size_t i = 0; state == PROBE_SERVES && i < PROBE_TARGETS && probe->targets[i].name; i++) {
		state = test_target(context, probe, &probe->targets[i], &result->error);
		if (state != PROBE_SERVES)
			result->target = probe->targets[i].name;
	}
	return state;
}

enum tristate probe_bench__has(const struct probe_bench *bench, enum probe_kind kind,
			       const char *name, const char *module)
{
	const struct probe probe = { .kind = kind, .module = module };
	const struct probe_target target = { .name = name };
	struct place place;
	int error;

	switch (find(bench, &probe, &target, &place, &error)) {
	case PROBE_SERVES:
		return TRI_TRUE;
	case PROBE_UNTYPED:
		return TRI_UNKNOWN;
	default:
		return TRI_FALSE;
	}
}

enum tristate probe_bench__returns(const struct probe_bench *bench, const char *function)
{
	__s32 id = btf__find_by_name_kind(bench->vmlinux, function, BTF_KIND_FUNC);
	const struct btf_type *type = id > 0 ? btf__type_by_id(bench->vmlinux, id) : NULL;

	type = type ? btf__type_by_id(bench->vmlinux, type->type) : NULL;
	if (!type)
		return TRI_UNKNOWN;
	return type->type ? TRI_TRUE : TRI_FALSE;
}
