// SPDX-License-Identifier: GPL-2.0-only
/*
 * hwdbm stat: the totals of one migration, when it is over. Not here: the sums
 * (tools/model/stat.c), or how they look (tools/output/stat.c).
 */
#define _GNU_SOURCE
#include "commands.h"
#include "kept.h"
#include "session.h"
#include "view.h"
#include "../lib/log.h"
#include "../lib/options.h"
#include "../model/stat.h"
#include "../output/json.h"
#include "../output/recording.h"
#include "../output/stat.h"

#include <errno.h>
#include <string.h>

struct stat_options {
	uint64_t pid;
	const char *vm;
	uint64_t duration_ns;
	const char *input;
	const char *output;
	const char *qmp;
	const char *libvirt;
	const char *avoid;
	bool json;
	bool no_count;
	uint64_t max_overhead;
	bool always;
	bool verbose;
};

static const struct option_spec option_table[] = {
	{ "pid", 'p', OPTION_PID, offsetof(struct stat_options, pid), "PID",
	  "follow this process and its children, until it ends" },
	{ "vm", 0, OPTION_TEXT, offsetof(struct stat_options, vm), "NAME|UUID",
	  "follow the process of this VM" },
	VIEW_OPTIONS(stat_options),
	{ "json", 'j', OPTION_FLAG, offsetof(struct stat_options, json), NULL,
	  "JSON lines, with sizes in bytes and times in nanoseconds" },
	{ "duration", 'd', OPTION_PERIOD, offsetof(struct stat_options, duration_ns), "TIME",
	  "stop after this time: 10, 2.5s, 300ms, 5m" },
	{ "no-count", 0, OPTION_FLAG, offsetof(struct stat_options, no_count), NULL,
	  "do not count bitmaps: costs nothing, and KVM's dirty bytes are unknown" },
	{ "output", 'o', OPTION_TEXT, offsetof(struct stat_options, output), "FILE",
	  "write a recording too, for -i and for hwdbm report" },
	{ "input", 'i', OPTION_TEXT, offsetof(struct stat_options, input), "FILE",
	  "show the totals of a recording; - is stdin" },
	{ "avoid", 0, OPTION_TEXT, offsetof(struct stat_options, avoid), "KINDS",
	  "do without these kinds of probe: event,fentry,kprobe,syscall,syscalls" },
	SESSION_OPTIONS(struct stat_options),
	{ "verbose", 'v', OPTION_FLAG, offsetof(struct stat_options, verbose), NULL,
	  "show libbpf's and the verifier's messages" },
};

static const struct command_spec spec = {
	.name = "stat",
	.usage = "[OPTIONS] [-- COMMAND [ARGUMENT...]]",
	.summary = "Shows the totals of a migration at its end: how long tracking was on, its iterations and\n"
		   "syncs, dirty bytes at 4K, 64K, 2M and 1G, splits, TLB invalidations, bytes sent over TCP.",
	.notes = "Without a COMMAND, -p, --vm or -d it runs until Ctrl-C, and shows the totals then. A\n"
		 "COMMAND is followed itself, or with -p or --vm it says how long they are:\n\n"
		 "  hwdbm stat --vm NAME -- virsh migrate --live NAME DESTINATION\n\n"
		 SESSION_NOTES
		 "Requirements: a kernel with BTF, and KVM, VFIO, iommufd or hwdbm's tracepoint patches;\n"
		 "root, or CAP_BPF and CAP_PERFMON.\n"
		 "Overhead: that of hwdbm record.\n"
		 "Exit status: the command's own; 0; 1 if it failed; 2 for bad options; 3 if a recording\n"
		 "is cut off; 128 + signal if a signal stopped it.",
	.options = option_table,
	.option_count = sizeof(option_table) / sizeof(option_table[0]),
	.stop_at_first = true,
};

struct totaller {
	struct stat_options options;
	struct session session;
	struct view view;
	struct stat_sums stat;
	struct header_sample header;
	struct end_sample end;
	struct vmm_state_sample vmm;
	struct kept kept;
	struct shown shown;
	bool has_vmm;
};

static int take_sample(void *context, enum sample_kind kind, union sample *sample)
{
	struct totaller *t = context;
	int err = kept__write(&t->kept, kind, sample);

	if (err)
		return err;
	if (kind == SAMPLE_HEADER) {
		t->header = sample->header;
		t->shown.has_header = true;
	} else if (kind == SAMPLE_END) {
		t->end = sample->end;
		t->shown.has_end = true;
	} else if (kind == SAMPLE_VMM_STATE) {
		t->vmm = sample->vmm_state;
		t->has_vmm = true;
	}
	return stat__add(&t->stat, kind, sample);
}

static int write_json(const struct totaller *t)
{
	int err = json__write_line(stdout, sample__table(SAMPLE_HEADER), &t->header);

	err = err ?: json__write_line(stdout, &stat_total_table, &t->stat.total);
	for (size_t i = 0; !err && i < t->stat.source_count; i++)
		err = json__write_line(stdout, &stat_source_table, &t->stat.sources[i]);
	if (!err && t->has_vmm)
		err = json__write_line(stdout, sample__table(SAMPLE_VMM_STATE), &t->vmm);
	if (!err && t->shown.has_end)
		err = json__write_line(stdout, sample__table(SAMPLE_END), &t->end);
	return err;
}

static int write_totals(struct totaller *t)
{
	int err;

	stat__finish(&t->stat);
	err = t->options.json ? write_json(t) :
				stat_text__write(stdout, &t->stat, &t->header, t->has_vmm ? &t->vmm : NULL);
	if (err)
		t->kept.output_error = err;
	return err;
}

static int show_recording(struct totaller *t)
{
	int err = kept__read(&t->shown, take_sample, t);

	if (!err && t->shown.has_header)
		err = write_totals(t);
	return kept__shown(&t->kept, &t->shown, err);
}

static int check_options(const struct stat_options *o, struct session_options *session,
			 const struct view_options *view, bool has_command)
{
	if (o->input && (o->pid || o->vm || o->qmp || o->libvirt || o->output || o->duration_ns || has_command)) {
		log__error("stat: -i shows a recording that exists; -p, --vm, -o, -d, --qmp, --libvirt and a command are for a new one");
		return -EINVAL;
	}
	session->collect.pid = o->pid;
	session->vm = o->vm;
	session->collect.max_overhead = o->max_overhead;
	session->always = o->always;
	session->collect.count_every = o->no_count ? 0 : 1;
	session->duration_ns = o->duration_ns;
	return kept__check("stat", o->output) ?: session__check(session, o->avoid, has_command) ?:
	       view__check(view, session);
}

int stat__main(int argc, char **argv)
{
	struct totaller t = { .session = SESSION_NONE, .view = VIEW_NONE };
	struct session_options options = {
		.collect = {
			.command = "stat", .measure = MEASURE_ALL & ~BIT_OF(HWDBM_MEASURE_VCPUS),
			.require = MEASURE_SYNCS,
		},
		.until_command = true, .handler = view__take, .context = &t.view,
	};
	struct view_options view = {
		.command = "stat", .transfer = true, .handler = take_sample, .context = &t,
	};
	int first = options__parse(&spec, &t.options, argc, argv);
	int err, status;

	view.qmp = t.options.qmp;
	view.libvirt = t.options.libvirt;
	if (first == -ECANCELED)
		return COMMAND_OK;
	if (first < 0 || check_options(&t.options, &options, &view, first < argc))
		return COMMAND_USAGE;
	log__set_verbose(t.options.verbose);
	stat__init(&t.stat);

	t.kept = (struct kept){ .command = "stat", .path = t.options.output };
	t.shown = (struct shown){ .path = t.options.input, .missing = "totals that come with the end, and what was lost, are unknown" };
	if (t.options.input) {
		status = show_recording(&t);
		stat__release(&t.stat);
		return status;
	}
	err = view__run(&t.view, &view, &t.session, &options, &t.kept, argv + first);
	err = err ?: write_totals(&t);
	kept__explain(&t.kept);
	status = session__status(&t.session, err);
	view__close(&t.view);
	session__close(&t.session);
	stat__release(&t.stat);
	return kept__close(&t.kept, err) ? COMMAND_FAILED : status;
}
