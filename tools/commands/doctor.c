// SPDX-License-Identifier: GPL-2.0-only
/*
 * hwdbm doctor: what this host can measure, and why not the rest; whether it can lose
 * dirty pages. Not here: how that is found out (tools/collect/examine.c).
 */
#include "commands.h"
#include "../collect/collect.h"
#include "../collect/examine.h"
#include "../collect/host.h"
#include "../collect/probes.h"
#include "../collect/vms.h"
#include "../lib/cleanup.h"
#include "../lib/log.h"
#include "../lib/options.h"
#include "../output/diagnosis.h"

#include <errno.h>
#include <string.h>

struct doctor_options {
	uint64_t pid;
	const char *vm;
	const char *types;
	const char *avoid;
	bool safety;
	bool json;
	bool ask_devices;
	bool verbose;
};

static const struct option_spec option_table[] = {
	{ "pid", 'p', OPTION_PID, offsetof(struct doctor_options, pid), "PID",
	  "of VMs, look only at that of this process" },
	{ "vm", 0, OPTION_TEXT, offsetof(struct doctor_options, vm), "NAME|UUID",
	  "of VMs, look only at this one" },
	{ "safety", 0, OPTION_FLAG, offsetof(struct doctor_options, safety), NULL,
	  "whether this host can lose dirty pages, and nothing else" },
	{ "ask-devices", 0, OPTION_FLAG, offsetof(struct doctor_options, ask_devices), NULL,
	  "open VFIO devices that nobody uses, which resets them, and ask" },
	{ "btf", 0, OPTION_TEXT, offsetof(struct doctor_options, types), "FILE",
	  "another kernel's /sys/kernel/btf/vmlinux, or a copy of that folder" },
	{ "avoid", 0, OPTION_TEXT, offsetof(struct doctor_options, avoid), "KINDS",
	  "do without these kinds of probe: event,fentry,kprobe,syscall,syscalls,iter" },
	{ "json", 'j', OPTION_FLAG, offsetof(struct doctor_options, json), NULL,
	  "JSON, with everything that was found" },
	{ "verbose", 'v', OPTION_FLAG, offsetof(struct doctor_options, verbose), NULL,
	  "every alternative, and what came of its test" },
};

static const struct command_spec spec = {
	.name = "doctor",
	.usage = "[OPTIONS]",
	.summary = "Says what can be measured on this host and by which probe, and why not the rest;\n"
		   "which IOMMUs and devices can track dirty pages, and what a migration of each VM would\n"
		   "use; whether dirty pages can get lost.",
	.notes = "Each probe is tried: a tiny program is loaded, attached, and taken away again.\n\n"
		 "Requirements: none; without root, or CAP_BPF and CAP_PERFMON, it says that.\n"
		 "Exit status, for scripts; the first that is true, from the top:\n"
		 "  2  bad options\n"
		 "  1  there is no such VM, or it could not be found out\n"
		 "  4  QEMU would refuse to migrate a VM that runs here (with --vm or -p: that VM)\n"
		 "  3  nothing can be measured, this host refuses what its kernel has, or dirty pages can\n"
		 "     get lost\n"
		 "  0  none of these\n"
		 "With --safety: 0 no known way to lose dirty pages is open, 1 that is not known, 3 one is.\n"
		 "With --btf: 0 that kernel has something to measure with, 1 that is not known, 3 nothing.",
	.options = option_table,
	.option_count = sizeof(option_table) / sizeof(option_table[0]),
};

static int examine(const struct doctor_options *o, const struct examine_options *options,
		   struct diagnosis *diagnosis)
{
	int err;

	if (!o->types) {
		/* What cannot even be tried would be said to be refused. */
		err = collect__check_files("doctor");
		if (err)
			return err;
		err = examine__host(options, diagnosis);
		if (err)
			log__error("doctor: cannot examine this host (%s)%s", strerror(-err),
				   err == -ENOMEM ? "; is memory limited (ulimit -v)?" : "");
		return err;
	}
	err = examine__types(o->types, options, diagnosis);
	if (err)
		log__error("doctor: cannot read the type information of a kernel from %s (%s)",
			   o->types, err == -EINVAL ? "it is none, or damaged" : strerror(-err));
	return err;
}

static int print(const struct doctor_options *o, const struct diagnosis *diagnosis)
{
	int err;

	errno = 0;
	if (o->json)
		err = diagnosis__json(stdout, diagnosis);
	else if (o->safety)
		err = diagnosis__safety_text(stdout, diagnosis);
	else
		err = diagnosis__text(stdout, diagnosis, o->verbose);
	if (err)
		log__error("doctor: cannot write to stdout (%s)",
			   strerror(err == -EIO && errno ? errno : -err));
	return err;
}

static int status_of(const struct doctor_options *o, const struct diagnosis *d)
{
	if (o->safety && d->safety == SAFETY_UNKNOWN)
		return COMMAND_FAILED;
	if (o->safety)
		return d->safety == SAFETY_SAFE ? COMMAND_OK : COMMAND_UNSOUND;
	if (diagnosis__refuses(d))
		return COMMAND_REFUSED;
	if (d->safety == SAFETY_UNSAFE || diagnosis__is_complete(d) == TRI_FALSE)
		return COMMAND_UNSOUND;
	return diagnosis__is_complete(d) == TRI_TRUE ? COMMAND_OK : COMMAND_FAILED;
}

static int check_options(const struct doctor_options *o, struct examine_options *options,
			 bool has_operand)
{
	if (has_operand)
		log__error("doctor: it takes no operands; see hwdbm doctor --help");
	else if (o->types && (o->safety || o->ask_devices || o->vm || o->pid))
		log__error("doctor: --btf is about another host; --safety, --ask-devices, --vm and -p are about this one");
	else if (o->safety && (o->vm || o->pid))
		log__error("doctor: --safety is about the host; --vm and -p are about a VM");
	else if (o->vm && o->pid)
		log__error("doctor: --vm and -p exclude each other; choose by one of them");
	else if (o->avoid && probes__parse_kinds(o->avoid, &options->avoid))
		log__error("doctor: --avoid %s: it is a list of event, fentry, kprobe, syscall, syscalls and iter",
			   o->avoid);
	else
		return 0;
	return -EINVAL;
}

/* Sets the VM that was asked for. */
static int find_vm(const struct doctor_options *o, struct examine_options *options)
{
	struct vm_target target = VM_TARGET_NONE;
	int err = o->vm ? vms__find("doctor", o->vm, &target) :
		  o->pid ? vms__check_process("doctor", o->pid) : 0;

	cleanup__close(&target.pidfd);
	options->vm = o->vm ? target.pid : (int)o->pid;
	return err;
}

int doctor__main(int argc, char **argv)
{
	struct doctor_options o = { 0 };
	struct examine_options options = { 0 };
	struct diagnosis diagnosis;
	int first = options__parse(&spec, &o, argc, argv), status;

	if (first == -ECANCELED)
		return COMMAND_OK;
	if (first < 0)
		return COMMAND_USAGE;
	if (check_options(&o, &options, first < argc))
		return COMMAND_USAGE;
	log__set_verbose(o.verbose);
	options.all = o.verbose || o.json;
	options.ask_devices = o.ask_devices;

	if (!o.types && (host__check_proc("doctor") || host__check_sys("doctor")))
		return COMMAND_FAILED;
	if (find_vm(&o, &options) || examine(&o, &options, &diagnosis))
		return COMMAND_FAILED;
	if (options.vm && !diagnosis.outlooks.count) {
		log__error("doctor: process %d holds no VM, and no device as its driver", options.vm);
		diagnosis__release(&diagnosis);
		return COMMAND_FAILED;
	}
	status = print(&o, &diagnosis) ? COMMAND_FAILED : status_of(&o, &diagnosis);
	diagnosis__release(&diagnosis);
	return status;
}
