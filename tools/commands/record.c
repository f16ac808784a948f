// SPDX-License-Identifier: GPL-2.0-only
/*
 * hwdbm record: attach, let the command run, write every sample as it comes. Not here:
 * how samples are made (tools/collect/) or written (tools/output/recording.c).
 */
#define _GNU_SOURCE
#include "commands.h"
#include "session.h"
#include "view.h"
#include "../lib/log.h"
#include "../lib/stream.h"
#include "../lib/options.h"
#include "../output/recording.h"

#include <errno.h>
#include <string.h>

struct record_options {
	const char *output;
	uint64_t pid;
	const char *vm;
	const char *qmp;
	const char *libvirt;
	uint64_t duration_ns;
	const char *time_basis;
	const char *avoid;
	uint64_t max_overhead;
	bool always;
	bool verbose;
};

static const struct option_spec option_table[] = {
	{ "output", 'o', OPTION_TEXT, offsetof(struct record_options, output), "FILE",
	  "where to write (recording.jsonl); - is stdout" },
	{ "pid", 'p', OPTION_PID, offsetof(struct record_options, pid), "PID",
	  "follow this process and its children, until it ends" },
	{ "vm", 0, OPTION_TEXT, offsetof(struct record_options, vm), "NAME|UUID",
	  "follow the process of this VM" },
	VIEW_OPTIONS(record_options),
	{ "duration", 'd', OPTION_PERIOD, offsetof(struct record_options, duration_ns), "TIME",
	  "stop after this time: 10, 2.5s, 300ms, 5m" },
	{ "time-basis", 0, OPTION_TEXT, offsetof(struct record_options, time_basis), "BASIS",
	  "what durations mean: emulated, native or hardware" },
	SESSION_OPTIONS(struct record_options),
	{ "avoid", 0, OPTION_TEXT, offsetof(struct record_options, avoid), "KINDS",
	  "do without these kinds of probe: event,fentry,kprobe,syscall,syscalls,iter" },
	{ "verbose", 'v', OPTION_FLAG, offsetof(struct record_options, verbose), NULL,
	  "show libbpf's and the verifier's messages" },
};

static const struct command_spec spec = {
	.name = "record",
	.usage = "[OPTIONS] [-- COMMAND [ARGUMENT...]]",
	.summary = "Records dirty tracking, syncs, splits and TLB invalidations of IOMMUs, the dirty log of\n"
		   "KVM, and what VMMs that migrate send over TCP; of a command, of a running process, of a\n"
		   "VM, or of the whole host.",
	.notes = "Without a COMMAND, -p, --vm or -d it runs until Ctrl-C.\n\n"
		 SESSION_NOTES
		 "Requirements: a kernel with BTF, and KVM, VFIO, iommufd or hwdbm's tracepoint patches;\n"
		 "root, or CAP_BPF and CAP_PERFMON.\n"
		 "Overhead: with the kernel's own events a few hundred ns for each sync, split and TLBI;\n"
		 "on a stock kernel also for each dirty leaf; 6 to 35 us for each GiB of a bitmap.\n"
		 "Exit status: the command's own; 0; 1 if recording failed; 2 for bad options; 3 if\n"
		 "--max-overhead was exceeded; 128 + signal if a signal stopped it. The recording can be\n"
		 "read in every case.",
	.options = option_table,
	.option_count = sizeof(option_table) / sizeof(option_table[0]),
	.stop_at_first = true,
};

struct recorder {
	struct record_options options;
	struct session session;
	struct view view;
	FILE *out;
	int write_error;
};

static int write_sample(void *context, enum sample_kind kind, union sample *sample)
{
	struct recorder *r = context;
	int err = recording__write(r->out, kind, sample);

	if (err)
		r->write_error = err;
	return err;
}

static int check_options(const struct record_options *o, struct session_options *session,
			 const struct view_options *view, bool has_command)
{
	session->collect.pid = o->pid;
	session->vm = o->vm;
	session->duration_ns = o->duration_ns;
	session->time_basis = o->time_basis;
	session->collect.max_overhead = o->max_overhead;
	session->always = o->always;
	/* All VMs of the host would pay for it, all the time. */
	if (!o->pid && !o->vm && !has_command)
		session->collect.measure &= ~BIT_OF(HWDBM_MEASURE_VCPUS);
	return session__check(session, o->avoid, has_command) ?: view__check(view, session);
}

static int open_output(struct recorder *r)
{
	r->out = recording__create(r->options.output);
	if (r->out)
		return 0;
	log__error("record: cannot write %s (%s)", r->options.output, strerror(errno));
	return -errno;
}

static int start(struct recorder *r, const struct view_options *view,
		 const struct session_options *options, char **command)
{
	int err = session__open(&r->session, options, command);

	err = err ?: view__open(&r->view, view, &r->session);

	err = err ?: open_output(r);
	err = err ?: session__header(&r->session);
	if (!err && !*command && !r->options.duration_ns)
		log__info("record: writing to %s until Ctrl-C%s", r->options.output,
			  r->session.target >= 0 ? " or the end of the process" : "");
	return err;
}

static int run(struct recorder *r, const struct view_options *view,
	       const struct session_options *options, char **command)
{
	int err = start(r, view, options, command), ended = 0;

	err = err ?: session__follow(&r->session, command);
	/* After a failed write there is no use in another. */
	if (r->session.collector && r->out && !r->write_error)
		ended = session__finish(&r->session);
	if (r->write_error)
		log__error("record: cannot write %s (%s); %swhat was written before can be read",
			   r->options.output, stream__error(r->write_error),
			   r->session.child.pid ? "the command was stopped; " : "");
	else if (!err && ended)
		log__error("record: cannot read the last events (%s)", strerror(-ended));
	return err ?: ended;
}

static int status_of(const struct recorder *r, int err)
{
	const struct child *child = &r->session.child;

	if (err)
		return session__status(&r->session, err);
	if (r->session.signal) {
		log__info("record: stopped by SIG%s; %s is complete up to here",
			  sigabbrev_np(r->session.signal), r->options.output);
		return 128 + r->session.signal;
	}
	if (r->session.gave_up)
		return COMMAND_UNSOUND;
	if (child->pid && child->status)
		log__info("record: the command ended with status %d; %s is complete", child->status,
			  r->options.output);
	return child->pid ? child->status : COMMAND_OK;
}

int record__main(int argc, char **argv)
{
	struct recorder r = {
		.options = { .output = "recording.jsonl" }, .session = SESSION_NONE, .view = VIEW_NONE,
	};
	struct session_options options = {
		.collect = {
			.command = "record", .measure = MEASURE_ALL, .count_every = 1,
			.count_share = COUNT_SHARE,
			.require = MEASURE_SYNCS,
		},
		.handler = view__take, .context = &r.view,
	};
	struct view_options view = {
		.command = "record", .transfer = true, .moments = true, .handler = write_sample, .context = &r,
	};
	int first = options__parse(&spec, &r.options, argc, argv);
	int err;

	if (first == -ECANCELED)
		return COMMAND_OK;
	view.qmp = r.options.qmp;
	view.libvirt = r.options.libvirt;
	if (first < 0 || check_options(&r.options, &options, &view, first < argc))
		return COMMAND_USAGE;
	log__set_verbose(r.options.verbose);

	err = run(&r, &view, &options, argv + first);
	view__close(&r.view);
	session__close(&r.session);
	if (r.out && fclose(r.out) && !err) {
		log__error("record: cannot write %s (%s)", r.options.output, strerror(errno));
		err = -errno;
	}
	return status_of(&r, err);
}
