/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which hook measures what on this kernel. A measurement has alternatives, the cheapest
 * first; the first that passes a test is chosen, and why each other one was passed over
 * is kept. Not here: loading the real programs, or what they count.
 *
 *	probe_table.c	the alternatives
 *	probe_choice.c	the choice among them, and reasons in words (pure)
 *	probe_types.c	what type information says about a target
 *	probe_test.c	the tests on the running kernel
 *	probes.c	the three together, for a BPF object
 */
#ifndef HWDBM_COLLECT_PROBES_H
#define HWDBM_COLLECT_PROBES_H

#include "../../bpf/records.h"
#include "../model/field.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bpf_link;
struct bpf_object;

/* A set of measurements, or of kinds of probe, is a word of these bits. */
#define BIT_OF(number) (UINT64_C(1) << (number))
#define MEASURE_ALL (BIT_OF(HWDBM_MEASURES) - 1)

/* Any of these tells of reads of dirty state, by whoever keeps it. */
#define MEASURE_SYNCS (BIT_OF(HWDBM_MEASURE_SYNC) | BIT_OF(HWDBM_MEASURE_KVM_SYNC) | \
		       BIT_OF(HWDBM_MEASURE_TYPE1_SYNC) | BIT_OF(HWDBM_MEASURE_DEVICE_SYNC))

/* What there is to know of the dirty state of a migration, and of when it is tracked. */
#define MEASURE_MIGRATION (MEASURE_SYNCS | BIT_OF(HWDBM_MEASURE_TRACKING) | \
			   BIT_OF(HWDBM_MEASURE_DIRTY) | BIT_OF(HWDBM_MEASURE_KVM_RING) | \
			   BIT_OF(HWDBM_MEASURE_VHOST_SYNC))

enum probe_kind {
	PROBE_EVENT,		/* tp_btf: a tracepoint, its arguments typed by BTF */
	PROBE_FENTRY,		/* fentry and fexit of a function, by BPF trampoline */
	PROBE_KPROBE,		/* kprobe and kretprobe of a function */
	PROBE_SYSCALL,		/* tracepoints of one system call; all others pay a little, too */
	PROBE_SYSCALLS,		/* tp_btf on the events of all system calls; all pay twice as much */
	PROBE_ITER,		/* no hook: an iterator that is run to read what the kernel counts itself */
	PROBE_KINDS
};

#define PROBE_TARGETS 4
#define PROBE_PROGRAMS 8

/*
 * An event, a function or a system call. A program that reads arguments says which it
 * expects, as a kernel may have another function of that name: in order, "iommu_domain*"
 * is a pointer to that struct, "*" any pointer, "8", "4", "2" or "1" an integer of so many
 * bytes, and "8 size" one whose name is size. The type information of the kernel has to agree.
 */
struct probe_target {
	const char *name;
	const char *takes;			/* "*, 8, 4"; NULL: none is read */
};

/* One alternative. */
struct probe {
	enum hwdbm_measure measures;
	enum probe_kind kind;
	struct probe_target targets[PROBE_TARGETS];	/* all are needed */
	const char *module;			/* where they are if not built in, or NULL */
	const char *programs[PROBE_PROGRAMS];	/* BPF programs; probes may share one */
	const char *needs;			/* a function without which nothing reaches the targets */
	const char *needs_in;			/* its module, if not that of the targets */
	const char *unproven;			/* why nobody has seen it at work yet; NULL: it was run */
	const char *cost;			/* what it costs, in a few words */
	const char *blind;			/* what it cannot see; NULL: nothing */
};

struct probe_table {
	const struct probe *at;			/* of a measurement, in order of choice */
	size_t count;				/* at most PROBES_MAX */
};

#define PROBES_MAX 80

extern const struct probe_table probe_table;

/* One probe of each kind on a target that every kernel has, in the order of enum probe_kind. */
extern const struct probe_table kind_table;

/* What came of a test. */
enum probe_state {
	PROBE_UNTRIED,		/* not wanted, or one before it serves */
	PROBE_SERVES,
	PROBE_AVOIDED,		/* the user does without its kind */
	PROBE_ABSENT,		/* this kernel does not have the target */
	PROBE_NO_MODULE,	/* nor the module that would have it */
	PROBE_CHANGED,		/* it takes other arguments than the programs read */
	PROBE_NOT_LOADED,	/* the module that has it is not loaded */
	PROBE_UNTYPED,		/* that module has no type information, or it may not be opened */
	PROBE_UNSUPPORTED,	/* this kernel or machine lacks that kind of probe */
	PROBE_UNPRIVILEGED,	/* this process lacks capabilities */
	PROBE_LOCKED_DOWN,	/* lockdown=confidentiality */
	PROBE_REFUSED,		/* EPERM with every capability and without that lockdown: policy */
	PROBE_DEAF,		/* it attaches, and the kernel never calls it */
	PROBE_FAILED,		/* see the error */
	PROBE_UNKNOWN,		/* of another kernel: its type information alone does not tell */
};

struct probe_result {
	enum probe_state state;
	int error;			/* -errno of the test; 0 if none was made */
	const char *target;		/* the target it is about; NULL: all */
};

struct probe_options {
	uint64_t measure;		/* wanted measurements, bits of enum hwdbm_measure */
	unsigned int avoid;		/* do without these kinds, bits of enum probe_kind */
	bool all;			/* test the alternatives behind the chosen one too */
};

struct probe_choice {
	const struct probe_table *table;
	struct probe_result results[PROBES_MAX];	/* one for each row of the table */
	const struct probe *chosen[HWDBM_MEASURES];	/* NULL: nothing serves */
};

/** probe_tester - test one alternative; fills in error and target of the result */
typedef enum probe_state (*probe_tester)(void *context, const struct probe *probe,
					 struct probe_result *result);

/** probes__choose() - the first alternative of each wanted measurement that passes its test */
void probes__choose(const struct probe_table *table, const struct probe_options *options,
		    probe_tester test, void *context, struct probe_choice *choice);

/** probes__served() - the measurements that have a probe, as bits of enum hwdbm_measure */
uint64_t probes__served(const struct probe_choice *choice);

/**
 * probes__why_not() - the result that says best why nothing serves a measurement
 *
 * What a person can change (privilege, policy, a module to load) goes before what the
 * kernel lacks.
 *
 * Return: the alternative, its result in @result; NULL if the table has none or one serves.
 */
const struct probe *probes__why_not(const struct probe_choice *choice, enum hwdbm_measure measure,
				    const struct probe_result **result);

#define PROBE_TEXT 256

/** probes__reason() - a result in words, to stand behind the probe's name and a colon */
const char *probes__reason(const struct probe *probe, const struct probe_result *result,
			   char buffer[PROBE_TEXT]);

/**
 * probes__explain() - why nothing serves a measurement, in words
 *
 * As probes__why_not(); and if some kinds of probe were left out as asked, that too.
 *
 * Return: @buffer, empty if the table has nothing for the measurement or something serves.
 */
const char *probes__explain(const struct probe_choice *choice, enum hwdbm_measure measure,
			    char buffer[PROBE_TEXT]);

/** probes__module() - the module that a result is about; NULL: the kernel itself */
const char *probes__module(const struct probe *probe, const struct probe_result *result);

/** probes__name() - "tp_btf/iommu_dirty_sync"; several targets are joined by "+" */
const char *probes__name(const struct probe *probe, char buffer[PROBE_TEXT]);

/** probes__measure_name() - "sync" */
const char *probes__measure_name(enum hwdbm_measure measure);

/** probes__measure_about() - what it counts, in a few words */
const char *probes__measure_about(enum hwdbm_measure measure);

/** probes__state_name() - "serves", "absent", ...: a word for programs to read */
const char *probes__state_name(enum probe_state state);

/** probes__kind_name() - "event", "fentry", "kprobe", "syscall", "syscalls" or "iter" */
const char *probes__kind_name(enum probe_kind kind);

/**
 * probes__parse_kinds() - "fentry,kprobe" as bits of enum probe_kind
 * Return: 0 or -EINVAL with @kinds untouched.
 */
int probes__parse_kinds(const char *text, unsigned int *kinds);

/**
 * probes__is_denied() - whether the kernel has a hook for a measurement, but nobody lets us use it
 *
 * By policy, for want of privilege, under lockdown, or for want of trampolines.
 */
bool probes__is_denied(const struct probe_choice *choice, enum hwdbm_measure measure);

/**
 * probes__test() - choose on the running kernel; each test loads and attaches a tiny program
 *
 * Nothing stays attached.
 *
 * Return: 0; -ENOENT if the kernel has no type information; -EINVAL if that makes no sense; -ENOMEM or another
 * -errno if it cannot be read.
 */
int probes__test(const struct probe_table *table, const struct probe_options *options,
		 struct probe_choice *choice);

/**
 * probes__compare() - choose by the type information of another kernel
 *
 * A chosen probe has its target there; whether it could be used is not known.
 *
 * @path: its /sys/kernel/btf/vmlinux, or a folder that has this and its modules'
 *
 * Return: 0, or -errno if the file is not type information.
 */
int probes__compare(const char *path, const struct probe_table *table,
		    const struct probe_options *options, struct probe_choice *choice);

/**
 * probes__costly() - the chosen probes that others pay for while nothing is tracked
 *
 * Those of system calls, and of TLB invalidations, which unmapping makes too. All others run
 * only for work on dirty state.
 *
 * Return: bits of enum hwdbm_measure.
 */
uint64_t probes__costly(const struct probe_choice *choice);

/**
 * probes__apply() - let the programs of the chosen probes be loaded, and no other of the table
 *
 * @later: measurements that are attached by probes__attach(), and not by libbpf with the rest
 */
void probes__apply(const struct probe_choice *choice, struct bpf_object *object, uint64_t later);

/* What was attached by probes__attach(). Zero-initialised: nothing. */
struct probe_links {
	struct bpf_link *at[2 * PROBE_PROGRAMS];
	size_t count;
	int events[2];			/* numbers of a system call's; 0: not looked up yet */
};

/** probes__look_up() - what probes__attach() would have to look up first, if it is in a hurry later */
void probes__look_up(const struct probe_choice *choice, uint64_t measures, struct probe_links *links);

/**
 * probes__attach() - attach the probes of these measurements
 *
 * @links: end with probes__detach(), whatever is returned
 *
 * Return: 0 or -errno.
 */
int probes__attach(const struct probe_choice *choice, const struct bpf_object *object,
		   uint64_t measures, struct probe_links *links);

/** probes__detach() - detach them */
void probes__detach(struct probe_links *links);

/** probes__list() - what was chosen, for a recording's header */
void probes__list(const struct probe_choice *choice, struct named_list *used);

#endif
