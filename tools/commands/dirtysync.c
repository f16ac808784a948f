// SPDX-License-Identifier: GPL-2.0-only
/*
 * hwdbm dirtysync: one line for each read of dirty state, as it happens or from a recording.
 * Not here: how syncs are seen (tools/collect/) or summed up (tools/model/sync_row.c).
 */
#define _GNU_SOURCE
#include "commands.h"
#include "kept.h"
#include "session.h"
#include "view.h"
#include "../lib/cleanup.h"
#include "../lib/log.h"
#include "../lib/options.h"
#include "../model/sync_row.h"
#include "../output/converge.h"
#include "../output/json.h"
#include "../output/recording.h"
#include "../output/rows.h"
#include "../output/table.h"
#include "../output/units.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define NS_PER_MS UINT64_C(1000000)

struct dirtysync_options {
	uint64_t pid;
	const char *vm;
	const char *qmp;
	const char *libvirt;
	uint64_t duration_ns;
	uint64_t interval_ms;
	uint64_t count_every;
	const char *input;
	const char *output;
	const char *avoid;
	bool iterations;
	bool json;
	uint64_t count_share;
	uint64_t max_overhead;
	bool always;
	bool no_count;
	bool verbose;
};

static const struct option_spec option_table[] = {
	{ "pid", 'p', OPTION_PID, offsetof(struct dirtysync_options, pid), "PID",
	  "follow this process and its children, until it ends" },
	{ "vm", 0, OPTION_TEXT, offsetof(struct dirtysync_options, vm), "NAME|UUID",
	  "follow the process of this VM" },
	VIEW_OPTIONS(dirtysync_options),
	{ "iterations", 'a', OPTION_FLAG, offsetof(struct dirtysync_options, iterations), NULL,
	  "a line for each pre-copy iteration: all slots or ranges of a VM" },
	{ "interval", 'I', OPTION_MS, offsetof(struct dirtysync_options, interval_ms), "MS",
	  "a line for each VM every so many milliseconds" },
	{ "json", 'j', OPTION_FLAG, offsetof(struct dirtysync_options, json), NULL,
	  "JSON lines, with sizes in bytes and times in nanoseconds" },
	{ "duration", 'd', OPTION_PERIOD, offsetof(struct dirtysync_options, duration_ns), "TIME",
	  "stop after this time: 10, 2.5s, 300ms, 5m" },
	{ "no-count", 0, OPTION_FLAG, offsetof(struct dirtysync_options, no_count), NULL,
	  "do not count bitmaps: costs nothing, and KVM's dirty bytes are unknown" },
	{ "count-every", 0, OPTION_U64, offsetof(struct dirtysync_options, count_every), "N",
	  "count the bitmap of every Nth sync of a slot or range, whatever it takes" },
	{ "count-share", 0, OPTION_SHARE, offsetof(struct dirtysync_options, count_share), "PERCENT",
	  "else count while it takes no more of a core for each VM (0.1)" },
	SESSION_OPTIONS(struct dirtysync_options),
	{ "output", 'o', OPTION_TEXT, offsetof(struct dirtysync_options, output), "FILE",
	  "write a recording too, for -i and for hwdbm report" },
	{ "input", 'i', OPTION_TEXT, offsetof(struct dirtysync_options, input), "FILE",
	  "show the syncs of a recording; - is stdin" },
	{ "avoid", 0, OPTION_TEXT, offsetof(struct dirtysync_options, avoid), "KINDS",
	  "do without these kinds of probe: event,fentry,kprobe,syscall,syscalls,iter" },
	{ "verbose", 'v', OPTION_FLAG, offsetof(struct dirtysync_options, verbose), NULL,
	  "show libbpf's and the verifier's messages" },
};

static const struct command_spec spec = {
	.name = "dirtysync",
	.usage = "[OPTIONS] [-- COMMAND [ARGUMENT...]]",
	.summary = "Shows every read of dirty state by KVM's dirty log or rings, by IOMMUs, by VFIO's type1\n"
		   "and by devices with a log of their own: when, how long, and how much was dirty at 4K,\n"
		   "64K, 2M and 1G. What cannot be known is \"-\".",
	.notes = "Without a COMMAND, -p, --vm or -d it runs until Ctrl-C.\n\n"
		 "Sizes say how much would have to be sent if memory were tracked in such units. Of an\n"
		 "IOMMU's larger leaf nothing is known about what is smaller, and its bitmap tells only\n"
		 "if the VMM has cleared it before: the kernel adds to it.\n"
		 "\"count\" is what it cost to count a bitmap, after the sync. A sync is not counted if that\n"
		 "would exceed --count-share; what it read is unknown then. \"clear\" is the\n"
		 "KVM_CLEAR_DIRTY_LOG that follows, in lines of several syncs.\n\n"
		 SESSION_NOTES
		 "Requirements: a kernel with BTF, and KVM, VFIO, iommufd or hwdbm's tracepoint patches;\n"
		 "root, or CAP_BPF and CAP_PERFMON.\n"
		 "Overhead: about 1 us for each sync, and 6 to 35 us for each GiB of a bitmap. Where KVM's\n"
		 "functions cannot be hooked, every system call of every task takes 60 ns longer while a\n"
		 "log is on, and every ioctl 300 ns; a warning says so.\n"
		 "Exit status: the command's own; 0; 1 if it failed; 2 for bad options; 3 if a recording\n"
		 "is cut off or --max-overhead was exceeded; 128 + signal if a signal stopped it.",
	.options = option_table,
	.option_count = sizeof(option_table) / sizeof(option_table[0]),
	.stop_at_first = true,
};

struct dirtysync {
	struct dirtysync_options options;
	struct session session;
	struct view view;
	struct sync_rows rows;
	struct vmm_state_sample vmm;	/* as last shown */
	struct kept kept;
	uint64_t lines;
	bool emulated;
	struct shown shown;
};

static int note_output(struct dirtysync *d, int err)
{
	if (err)
		d->kept.output_error = err;
	return err;
}

static int put_row(void *context, const struct sync_row *row)
{
	struct dirtysync *d = context;
	int err = 0;

	if (d->options.json)
		return note_output(d, json__write_line(stdout, &sync_row_table, row));
	if (d->lines++ % rows__per_heading(stdout, &sync_row_table) == 0)
		err = rows__heading(stdout, &sync_row_table);
	return note_output(d, err ?: rows__put(stdout, &sync_row_table, row, d->emulated));
}

static int put_tracking(const struct dirtysync *d, const struct tracking_sample *tracking)
{
	char time[UNITS_TEXT], size[UNITS_TEXT], took[UNITS_TEXT], what[96];
	const char *does = tracking->enable == TRI_TRUE ? "starts" : "stops";

	if (tracking->slot != UNKNOWN)
		snprintf(what, sizeof(what), "vm%" PRIu64 "/%" PRIu64 " slot %" PRIu64 " (%s)",
			 tracking->vm, tracking->pid, tracking->slot,
			 units__bytes(tracking->length_bytes, size));
	else if (*tracking->device)
		snprintf(what, sizeof(what), "%s/%" PRIu64 " own log%s%s", tracking->device,
			 tracking->pid, tracking->granularity_bytes == UNKNOWN ? "" : " in pages of ",
			 tracking->granularity_bytes == UNKNOWN ? "" :
			 units__bytes(tracking->granularity_bytes, size));
	else
		snprintf(what, sizeof(what), "domain%" PRIu64 "/%" PRIu64, tracking->domain,
			 tracking->pid);
	errno = 0;
	printf("%14s  %s: tracking %s, in %s%s%s%s\n", units__clock(tracking->t_ns, time), what,
	       does, units__duration(tracking->total_ns, took), d->emulated ? "*" : "",
	       tracking->ret ? "; refused: " : "",
	       tracking->ret ? strerror((int)-tracking->ret) : "");
	return ferror(stdout) || fflush(stdout) ? -(errno ?: EIO) : 0;
}

static void tell_end(FILE *out, const struct dirtysync *d, const struct end_sample *end)
{
	const struct sync_rows *rows = &d->rows;
	char count[UNITS_TEXT], syncs[UNITS_TEXT];

	fprintf(out, "%" PRIu64 " syncs, %s in all%s; counting %" PRIu64 " bitmaps took %s%s", rows->syncs,
		units__duration(rows->sync_ns, syncs), d->emulated ? "*" : "", rows->counted,
		units__duration(rows->count_ns, count), d->emulated ? "*" : "");
	if (rows->counted_sync_ns)
		fprintf(out, ", %.1f %% of the time of those syncs and clears",
			100.0 * (double)rows->count_ns /
				(double)(rows->counted_sync_ns + rows->clear_ns));
	if (rows->uncounted)
		fprintf(out, "; %" PRIu64 " were not counted", rows->uncounted);
	fputs("; ", out);
	rows__lost(out, end);
}

/* The last line: what was seen, what it cost to see it, and what was missed. */
static int put_end(const struct dirtysync *d, const struct end_sample *end)
{
	char *text = NULL;
	size_t size;
	FILE *stream = open_memstream(&text, &size);
	int err;

	if (!stream)
		return -ENOMEM;
	tell_end(stream, d, end);
	err = table__finish_wrapped(stdout, stream, &text, 0);
	if (err || !d->emulated)
		return err;
	errno = 0;
	return puts("* emulated time: comparable within one run only, and never with hardware") == EOF ||
			       fflush(stdout) ? -(errno ?: EIO) : 0;
}

static int put_vmm(struct dirtysync *d, const struct vmm_state_sample *state)
{
	bool news = converge_text__is_news(&d->vmm, state);

	d->vmm = *state;
	return news ? converge_text__vmm(stdout, state) : 0;
}

static int show(struct dirtysync *d, enum sample_kind kind, const union sample *sample)
{
	bool shown = kind == SAMPLE_HEADER || kind == SAMPLE_TRACKING || kind == SAMPLE_END ||
		     kind == SAMPLE_VMM_STATE;

	d->shown.has_header |= kind == SAMPLE_HEADER;
	d->shown.has_end |= kind == SAMPLE_END;
	if (kind == SAMPLE_HEADER)
		d->emulated = !strcmp(sample->header.time_basis, "emulated");
	if (d->options.json)
		return shown ? json__write_line(stdout, sample__table(kind), sample) : 0;
	if (kind == SAMPLE_TRACKING)
		return put_tracking(d, &sample->tracking);
	if (kind == SAMPLE_VMM_STATE)
		return put_vmm(d, &sample->vmm_state);
	return kind == SAMPLE_END ? put_end(d, &sample->end) : 0;
}

static int take_sample(void *context, enum sample_kind kind, union sample *sample)
{
	struct dirtysync *d = context;
	int err = kept__write(&d->kept, kind, sample);

	if (err || d->kept.output_error)
		return err;
	err = sync_rows__add(&d->rows, kind, sample);
	if (kind == SAMPLE_END)
		err = err ?: sync_rows__flush(&d->rows);
	return err ?: note_output(d, show(d, kind, sample));
}

static int tick(void *context)
{
	struct dirtysync *d = ((struct view *)context)->options.context;

	return sync_rows__flush(&d->rows);
}

static int check_own(const struct dirtysync_options *o, bool has_command)
{
	bool watches = o->pid || o->vm || o->qmp || o->libvirt || o->output || o->duration_ns ||
		       o->interval_ms || has_command;

	if (o->iterations && o->interval_ms)
		log__error("dirtysync: -a and -I exclude each other: a line is for an iteration or for a time");
	else if (o->input && watches)
		log__error("dirtysync: -i shows a recording that exists; -p, --vm, -o, -d, -I, --qmp, --libvirt and a command are for a new one");
	else if (o->count_every != UNKNOWN && (!o->count_every || o->count_every > UINT32_MAX))
		log__error("dirtysync: --count-every %" PRIu64 ": count every sync (1), every second one (2), ...; see --no-count",
			   o->count_every);
	else
		return 0;
	return -EINVAL;
}

static int check_options(const struct dirtysync_options *o, struct session_options *session,
			 const struct view_options *view, bool has_command)
{
	if (check_own(o, has_command))
		return -EINVAL;
	session->collect.pid = o->pid;
	session->vm = o->vm;
	session->collect.count_every = o->no_count ? 0 : o->count_every == UNKNOWN ? 1 : o->count_every;
	session->collect.count_share = o->count_every == UNKNOWN ? o->count_share : 0;
	session->collect.max_overhead = o->max_overhead;
	session->always = o->always;
	session->duration_ns = o->duration_ns;
	session->interval_ns = o->interval_ms * NS_PER_MS;
	return kept__check("dirtysync", o->output) ?: session__check(session, o->avoid, has_command) ?:
	       view__check(view, session);
}

static int show_recording(struct dirtysync *d)
{
	int err = kept__read(&d->shown, take_sample, d);

	err = err ?: sync_rows__flush(&d->rows);
	return kept__shown(&d->kept, &d->shown, err);
}

int dirtysync__main(int argc, char **argv)
{
	struct dirtysync d = {
		.options = { .count_every = UNKNOWN, .count_share = COUNT_SHARE },
		.session = SESSION_NONE, .view = VIEW_NONE,
		.rows = { .handler = put_row, .context = &d },
	};
	struct session_options options = {
		.collect = {
			.command = "dirtysync",
			.measure = MEASURE_MIGRATION | BIT_OF(HWDBM_MEASURE_WALK),
			.require = MEASURE_SYNCS,
		},
		.handler = view__take, .tick = tick, .context = &d.view,
	};
	struct view_options view = {
		.command = "dirtysync", .handler = take_sample, .context = &d,
	};
	int first = options__parse(&spec, &d.options, argc, argv);
	int err, status;

	if (first == -ECANCELED)
		return COMMAND_OK;
	view.qmp = d.options.qmp;
	view.libvirt = d.options.libvirt;
	/* Rows show none of it; a recording is for others, too. */
	view.transfer = d.options.output;
	if (first < 0 || check_options(&d.options, &options, &view, first < argc))
		return COMMAND_USAGE;
	log__set_verbose(d.options.verbose);
	d.rows.grouping = d.options.iterations ? SYNC_ITERATION :
			  d.options.interval_ms ? SYNC_INTERVAL : SYNC_EACH;

	d.kept = (struct kept){ .command = "dirtysync", .path = d.options.output };
	d.shown = (struct shown){ .path = d.options.input, .missing = "what was lost is unknown" };
	if (d.options.input) {
		status = show_recording(&d);
		sync_rows__release(&d.rows);
		return status;
	}
	err = view__run(&d.view, &view, &d.session, &options, &d.kept, argv + first);
	kept__explain(&d.kept);
	status = session__status(&d.session, err);
	view__close(&d.view);
	session__close(&d.session);
	sync_rows__release(&d.rows);
	return kept__close(&d.kept, err) ? COMMAND_FAILED : status;
}
