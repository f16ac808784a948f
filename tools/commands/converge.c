// SPDX-License-Identifier: GPL-2.0-only
/*
 * hwdbm converge: one line for each pre-copy iteration, live or from a recording. Not
 * here: what a line says (tools/model/converge.c), or where its figures come from.
 */
#define _GNU_SOURCE
#include "commands.h"
#include "kept.h"
#include "session.h"
#include "view.h"
#include "../lib/log.h"
#include "../lib/options.h"
#include "../model/converge.h"
#include "../output/converge.h"
#include "../output/json.h"
#include "../output/recording.h"
#include "../output/rows.h"
#include "../output/units.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#define NS_PER_SECOND UINT64_C(1000000000)
#define NS_PER_MS UINT64_C(1000000)

/* How often to see whether the syncs of an iteration are over. */
#define TICK_MS 100

struct converge_options {
	uint64_t pid;
	const char *vm;
	uint64_t duration_ns;
	uint64_t interval_ms;
	const char *input;
	const char *output;
	const char *qmp;
	const char *libvirt;
	const char *avoid;
	bool json;
	uint64_t max_overhead;
	bool always;
	bool verbose;
};

static const struct option_spec option_table[] = {
	{ "pid", 'p', OPTION_PID, offsetof(struct converge_options, pid), "PID",
	  "follow this process and its children, until it ends" },
	{ "vm", 0, OPTION_TEXT, offsetof(struct converge_options, vm), "NAME|UUID",
	  "follow the process of this VM" },
	VIEW_OPTIONS(converge_options),
	{ "interval", 'I', OPTION_MS, offsetof(struct converge_options, interval_ms), "MS",
	  "between iterations, a line every so many milliseconds" },
	{ "json", 'j', OPTION_FLAG, offsetof(struct converge_options, json), NULL,
	  "JSON lines, with sizes in bytes and times in nanoseconds" },
	{ "duration", 'd', OPTION_PERIOD, offsetof(struct converge_options, duration_ns), "TIME",
	  "stop after this time: 10, 2.5s, 300ms, 5m" },
	{ "output", 'o', OPTION_TEXT, offsetof(struct converge_options, output), "FILE",
	  "write a recording too, for -i and for hwdbm report" },
	{ "input", 'i', OPTION_TEXT, offsetof(struct converge_options, input), "FILE",
	  "show the migration of a recording; - is stdin" },
	{ "avoid", 0, OPTION_TEXT, offsetof(struct converge_options, avoid), "KINDS",
	  "do without these kinds of probe: event,fentry,kprobe,syscall,syscalls" },
	SESSION_OPTIONS(struct converge_options),
	{ "verbose", 'v', OPTION_FLAG, offsetof(struct converge_options, verbose), NULL,
	  "show libbpf's and the verifier's messages" },
};

static const struct command_spec spec = {
	.name = "converge",
	.usage = "[OPTIONS] [-- COMMAND [ARGUMENT...]]",
	.summary = "Shows whether a migration gets anywhere: for each pre-copy iteration what remains, how\n"
		   "fast memory gets dirty and by whom, how fast it is sent, and what holds it back. What\n"
		   "cannot be known is \"-\".",
	.notes = "Without a COMMAND, -p, --vm or -d it runs until Ctrl-C. A COMMAND is followed itself, or\n"
		 "with -p or --vm it says how long they are.\n\n"
		 "\"remains\" is what the syncs of this iteration have read; \"sent\" is the rate at which the\n"
		 "other side has acknowledged data on the VMM's TCP connections; what goes another way\n"
		 "(Unix sockets, RDMA) the kernel does not count. \"proj.\" is a projection, not a measurement:\n"
		 "the blackout if the VM stopped now, without the states of its devices. The verdict takes\n"
		 "two iterations after the first copy.\n\n"
		 SESSION_NOTES
		 "Requirements: a kernel with BTF, and KVM, VFIO, iommufd or hwdbm's tracepoint patches;\n"
		 "root, or CAP_BPF and CAP_PERFMON.\n"
		 "Overhead: that of hwdbm dirtysync, and below 1 ms every second for each VM that migrates.\n"
		 "Exit status: the command's own; 0; 1 if it failed; 2 for bad options; 3 if a recording\n"
		 "is cut off; 128 + signal if a signal stopped it.",
	.options = option_table,
	.option_count = sizeof(option_table) / sizeof(option_table[0]),
	.stop_at_first = true,
};

struct converger {
	struct converge_options options;
	struct session session;
	struct view view;
	struct converge model;
	struct vmm_state_sample vmm;	/* as last shown */
	struct kept kept;
	uint64_t lines;
	uint64_t next_ns;		/* when the next line between iterations is due */
	bool emulated;
	struct shown shown;
};

static int note_output(struct converger *c, int err)
{
	if (err)
		c->kept.output_error = err;
	return err;
}

static int put_row(void *context, const struct converge_row *row)
{
	struct converger *c = context;
	int err = 0;

	if (c->options.json)
		return note_output(c, json__write_line(stdout, &converge_row_table, row));
	if (c->lines++ % rows__per_heading(stdout, &converge_row_table) == 0)
		err = rows__heading(stdout, &converge_row_table);
	return note_output(c, err ?: rows__put(stdout, &converge_row_table, row, c->emulated));
}

static int put_phase(void *context, const struct converge_phase *phase)
{
	struct converger *c = context;

	return note_output(c, c->options.json ?
				      json__write_line(stdout, &converge_phase_table, phase) :
				      converge_text__phase(stdout, phase));
}

static int put_vmm(struct converger *c, const struct vmm_state_sample *state)
{
	bool news = converge_text__is_news(&c->vmm, state);

	c->vmm = *state;
	return news ? converge_text__vmm(stdout, state) : 0;
}

static int put_transfer(const struct transfer_sample *transfer)
{
	errno = 0;
	if (*transfer->why_unknown && transfer->ended != TRI_TRUE)
		printf("%" PRIu64 ": transfer rate unknown: %s\n", transfer->pid, transfer->why_unknown);
	return fflush(stdout) ? -(errno ?: EIO) : 0;
}

static int put_end(const struct converger *c, const struct end_sample *end)
{
	errno = 0;
	printf("%" PRIu64 " lines; ", c->lines);
	rows__lost(stdout, end);
	if (c->emulated)
		printf("\n* emulated time: comparable within one run only, and never with hardware");
	return putchar('\n') == EOF || fflush(stdout) ? -(errno ?: EIO) : 0;
}

static int show(struct converger *c, enum sample_kind kind, const union sample *sample)
{
	bool shown = kind == SAMPLE_HEADER || kind == SAMPLE_VMM_STATE || kind == SAMPLE_END;

	if (c->options.json)
		return shown ? json__write_line(stdout, sample__table(kind), sample) : 0;
	switch (kind) {
	case SAMPLE_VMM_STATE:
		return put_vmm(c, &sample->vmm_state);
	case SAMPLE_TRANSFER:
		return put_transfer(&sample->transfer);
	case SAMPLE_END:
		return put_end(c, &sample->end);
	default:
		return 0;
	}
}

static int take_sample(void *context, enum sample_kind kind, union sample *sample)
{
	struct converger *c = context;
	int err = kept__write(&c->kept, kind, sample);

	if (err || c->kept.output_error)
		return err;
	c->shown.has_header |= kind == SAMPLE_HEADER;
	c->shown.has_end |= kind == SAMPLE_END;
	if (kind == SAMPLE_HEADER)
		c->emulated = !strcmp(sample->header.time_basis, "emulated");
	err = converge__add(&c->model, kind, sample);
	return err ?: note_output(c, show(c, kind, sample));
}

static int tick(void *context)
{
	struct converger *c = ((struct view *)context)->options.context;
	struct timespec time;
	uint64_t now;
	int err;

	clock_gettime(CLOCK_MONOTONIC, &time);
	now = time.tv_sec * NS_PER_SECOND + time.tv_nsec;
	err = converge__settle(&c->model, now);
	if (err || !c->options.interval_ms || now < c->next_ns)
		return err;
	c->next_ns = now + c->options.interval_ms * NS_PER_MS;
	return converge__progress(&c->model);
}

static int show_recording(struct converger *c)
{
	int err = kept__read(&c->shown, take_sample, c);

	err = err ?: converge__settle(&c->model, UINT64_MAX);
	return kept__shown(&c->kept, &c->shown, err);
}

static int check_options(const struct converge_options *o, struct session_options *session,
			 const struct view_options *view, bool has_command)
{
	if (o->input && (o->pid || o->vm || o->qmp || o->libvirt || o->output || o->duration_ns ||
			 o->interval_ms || has_command)) {
		log__error("converge: -i shows a recording that exists; -p, --vm, -o, -d, -I, --qmp, --libvirt and a command are for a new one");
		return -EINVAL;
	}
	session->collect.pid = o->pid;
	session->vm = o->vm;
	session->collect.max_overhead = o->max_overhead;
	session->always = o->always;
	session->duration_ns = o->duration_ns;
	return kept__check("converge", o->output) ?: session__check(session, o->avoid, has_command) ?:
	       view__check(view, session);
}

int converge__main(int argc, char **argv)
{
	struct converger c = { .session = SESSION_NONE, .view = VIEW_NONE };
	struct session_options options = {
		.collect = {
			.command = "converge", .count_every = 1,
			.measure = MEASURE_MIGRATION,
			.require = MEASURE_SYNCS,
		},
		.interval_ns = TICK_MS * NS_PER_MS,
		.until_command = true, .handler = view__take, .tick = tick, .context = &c.view,
	};
	struct view_options view = {
		.command = "converge", .transfer = true, .handler = take_sample, .context = &c,
	};
	int first = options__parse(&spec, &c.options, argc, argv);
	int err, status;

	c.model.handlers = (struct converge_handlers){ put_row, put_phase, &c };
	view.qmp = c.options.qmp;
	view.libvirt = c.options.libvirt;
	view.interval_ns = c.options.interval_ms && c.options.interval_ms < TICK_MS ?
				   TICK_MS * NS_PER_MS : c.options.interval_ms * NS_PER_MS;
	if (first == -ECANCELED)
		return COMMAND_OK;
	if (first < 0 || check_options(&c.options, &options, &view, first < argc))
		return COMMAND_USAGE;
	log__set_verbose(c.options.verbose);

	c.kept = (struct kept){ .command = "converge", .path = c.options.output };
	c.shown = (struct shown){ .path = c.options.input, .missing = "what was lost is unknown" };
	if (c.options.input) {
		status = show_recording(&c);
		converge__release(&c.model);
		return status;
	}
	err = view__run(&c.view, &view, &c.session, &options, &c.kept, argv + first);
	kept__explain(&c.kept);
	status = session__status(&c.session, err);
	view__close(&c.view);
	session__close(&c.session);
	converge__release(&c.model);
	return kept__close(&c.kept, err) ? COMMAND_FAILED : status;
}
