// SPDX-License-Identifier: GPL-2.0-only
/*
 * hwdbm why: why a migration does not switch over, and which lever would help, from a
 * recording or live. Not here: how that is found (tools/model/why.h).
 */
#include "commands.h"
#include "kept.h"
#include "load.h"
#include "session.h"
#include "view.h"
#include "../lib/log.h"
#include "../lib/options.h"
#include "../output/units.h"
#include "../output/why.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* As hwdbm predict assumes it. */
#define STOP_NS UINT64_C(5000000)
#define ITERATIONS 30

struct why_options {
	const char *input;
	const char *rule;
	uint64_t pid;
	const char *vm;
	const char *qmp;
	const char *libvirt;
	const char *output;
	const char *avoid;
	uint64_t duration_ns;
	uint64_t max_overhead;
	struct why_settings settings;
	bool json;
	bool always;
	bool verbose;
};

static const struct option_spec option_table[] = {
	{ "input", 'i', OPTION_TEXT, offsetof(struct why_options, input), "FILE",
	  "a recording (- is stdin), or the folder of a test-bed run" },
	{ "bandwidth", 'b', OPTION_SIZE, offsetof(struct why_options, settings.bandwidth), "BYTES",
	  "of the transfer, per second: 1.2G, 25Gbit (as measured, or as the VMM says)" },
	{ "link", 0, OPTION_SIZE, offsetof(struct why_options, settings.link), "BYTES",
	  "what the path could carry, per second (not known)" },
	{ "downtime-limit", 'l', OPTION_SECONDS, offsetof(struct why_options, settings.limit_ns),
	  "TIME", "what is pending must fit into this (as the VMM says, or 300ms)" },
	{ "device-state", 0, OPTION_BYTES, offsetof(struct why_options, settings.device_bytes),
	  "BYTES", "state that devices send with the VM stopped (as they say, else counted as 0)" },
	{ "load-delay", 0, OPTION_SECONDS, offsetof(struct why_options, settings.load_ns), "TIME",
	  "from the last byte to the VM running (0)" },
	{ "stop-delay", 0, OPTION_SECONDS, offsetof(struct why_options, settings.stop_ns), "TIME",
	  "from the decision to the VM standing still (5ms)" },
	{ "rule", 0, OPTION_TEXT, offsetof(struct why_options, rule), "RULE",
	  "qemu, or passes: each pass is sent whole (qemu)" },
	{ "max-iterations", 0, OPTION_U64, offsetof(struct why_options, settings.iterations), "N",
	  "it does not switch over if that takes more (30)" },
	{ "pid", 'p', OPTION_PID, offsetof(struct why_options, pid), "PID",
	  "watch the migration of this VMM; with a recording: the VMM, if that has several" },
	{ "vm", 0, OPTION_TEXT, offsetof(struct why_options, vm), "NAME|UUID",
	  "watch the migration of this VM" },
	VIEW_OPTIONS(why_options),
	{ "duration", 'd', OPTION_PERIOD, offsetof(struct why_options, duration_ns), "TIME",
	  "answer after watching for this time: 10, 2.5s, 300ms, 5m" },
	{ "output", 'o', OPTION_TEXT, offsetof(struct why_options, output), "FILE",
	  "write what was watched as a recording too" },
	{ "avoid", 0, OPTION_TEXT, offsetof(struct why_options, avoid), "KINDS",
	  "do without these kinds of probe: event,fentry,kprobe,syscall,syscalls" },
	SESSION_OPTIONS(struct why_options),
	{ "json", 'j', OPTION_FLAG, offsetof(struct why_options, json), NULL,
	  "one JSON document, with sizes in bytes and times in nanoseconds" },
	{ "verbose", 'v', OPTION_FLAG, offsetof(struct why_options, verbose), NULL,
	  "show libbpf's and the verifier's messages" },
};

static const struct command_spec spec = {
	.name = "why",
	.usage = "[OPTIONS] RECORDING | -p PID | --vm NAME",
	.summary = "Says why a migration does not switch over, or that it will: the VMM's rule with the\n"
		   "figures of this VM, what pending memory is made of, and for each lever whether it\n"
		   "would help. The recording is one by converge, record or dirtysync -o.",
	.notes = "A VMM stops the VM when what is pending is no more than bandwidth x downtime limit. The\n"
		 "cause is what is enough to take away for that to happen; levers are judged by the model\n"
		 "of hwdbm predict, one change at a time, and what it cannot tell is said to be unknown.\n\n"
		 "With -p or --vm it watches a migration until -d is over, the process ends or Ctrl-C, and\n"
		 "answers then. Two iterations after the first copy are the least that tells anything.\n\n"
		 SESSION_NOTES
		 "Requirements: of a recording none; live, those of hwdbm converge.\n"
		 "Overhead: live, that of hwdbm converge.\n"
		 "Exit status: 0; 1 if it failed; 2 for bad options; 3 if a recording is damaged or cut\n"
		 "off: what is good of it was used; 128 + signal if a signal ended the watch.",
	.options = option_table,
	.option_count = sizeof(option_table) / sizeof(option_table[0]),
};

struct asker {
	struct why_options options;
	struct why why;
	struct why_document document;
	struct session session;
	struct view view;
	struct kept kept;
	struct load load;
};

static int take_sample(void *context, enum sample_kind kind, union sample *sample)
{
	struct asker *a = context;
	int err = kept__write(&a->kept, kind, sample);

	if (err)
		return err;
	return why__add(&a->why, kind, sample);
}

static int load(struct asker *a, const char *path)
{
	return load__recording(&a->load, path) ?: why__end(&a->why);
}

/* ---- what to say besides ------------------------------------------------------------ */

static void put_assumed(struct asker *a)
{
	const struct why_settings *s = &a->options.settings;
	struct prediction_notes *n = &a->document.assumed;
	char one[UNITS_TEXT], two[UNITS_TEXT];

	prediction__note(n, "the load stays as recorded");
	prediction__note(n, s->passes ? "the VM is stopped once a pass that was sent whole leaves no more dirty than may be" :
					"the VM is stopped by QEMU's rule: see hwdbm predict");
	prediction__note(n, "%s to stop the VM, %s to load state; at most %" PRIu64 " iterations",
			 units__duration(s->stop_ns, one), units__duration(s->load_ns, two),
			 s->iterations);
	prediction__note(n, "every page is sent whole: zero pages and compression would send less");
	if (a->document.answer.writer_count > 1)
		prediction__note(n, "no page is written by two sources: their dirty bytes add up");
}

static void put_unknown(struct asker *a)
{
	const struct why_answer *answer = &a->document.answer;
	const struct history *h = &a->why.history;
	struct prediction_notes *n = &a->document.unknown;
	bool vcpus = false, vhost = false, devices = false;

	for (size_t i = 0; i < answer->writer_count; i++)
		if (!strcmp(answer->writers[i].class, "vCPUs"))
			vcpus = true;
		else if (!strcmp(answer->writers[i].class, "vhost"))
			vhost = true;
		else
			devices = true;
	if (answer->rule.device_bytes == UNKNOWN)
		prediction__note(n, "the size of the devices' state: counted as 0 (--device-state)");
	if (answer->writer_count && !vcpus)
		prediction__note(n, "what vCPUs write: KVM's log is not in the recording");
	if (!strcmp(answer->rule.bandwidth_from, "measured") && a->why.vmm.max_bandwidth == UNKNOWN &&
	    !a->options.settings.link && answer->verdict != WHY_WILL && answer->cause != CAUSE_BANDWIDTH)
		prediction__note(n, "whether it could be sent faster: the VMM may have been told not to (--qmp says), or the path carries no more (--link)");
	if (vhost)
		prediction__note(n, "what vhost writes between KVM's read of its log and the VMM's of vhost's, and while it stops: more than was seen");
	if (vcpus && !devices)
		prediction__note(n, "what devices write, if there are any: no IOMMU's or device's log is in the recording");
	for (size_t i = 0; i < answer->writer_count; i++)
		if (answer->writers[i].rounding_most_bytes != UNKNOWN &&
		    answer->writers[i].rounding_most_bytes)
			prediction__note(n, "how much of what %s reports is rounding: blocks do not tell what was written in them",
					 answer->writers[i].source);
	for (size_t i = 0; i < answer->writer_count; i++)
		if (!answer->writers[i].pending_bytes && strcmp(answer->writers[i].class, "vCPUs") &&
		    strcmp(answer->writers[i].class, "vhost"))
			prediction__note(n, "whether %s really wrote nothing: a tracker that loses pages reports the same (see hwdbm doctor --safety)",
					 answer->writers[i].class);
	if (answer->rule.start_seen == TRI_FALSE)
		prediction__note(n, "iterations before this was recorded: tracking was on already");
	if (h->lost)
		prediction__note(n, "%" PRIu64 " events lost by the recorder: what they would have told",
				 h->lost);
	if (!h->lost_known)
		prediction__note(n, "what the recorder lost: the recording has no end");
	if (h->others)
		prediction__note(n, "%" PRIu64 " other VMs or processes in the recording left out (see -p)",
				 h->others);
}

static int check_options(const struct why_options *o)
{
	if (strcmp(o->rule, "qemu") && strcmp(o->rule, "passes"))
		log__error("why: --rule %s: it is qemu or passes", o->rule);
	else if (!o->settings.iterations || o->settings.iterations > PRECOPY_ITERATIONS_MOST)
		log__error("why: --max-iterations %" PRIu64 ": give 1 to %d",
			  o->settings.iterations, PRECOPY_ITERATIONS_MOST);
	else if (!o->settings.limit_ns)
		log__error("why: --downtime-limit 0: nothing can be sent in no time");
	else
		return 0;
	return -EINVAL;
}

static int answer(struct asker *a)
{
	struct why_document *d = &a->document;
	int err = why__answer(&a->why, &a->options.settings, &d->answer);
	if (err)
		return err;
	d->emulated = !strcmp(a->why.history.time_basis, "emulated");
	if (d->answer.verdict != WHY_OVER) {
		put_assumed(a);
		put_unknown(a);
	}
	errno = 0;
	err = a->options.json ? why__json(stdout, d) : why__text(stdout, d);
	if (err)
		log__error("why: cannot write the answer (%s)",
			   strerror(err == -EIO && errno ? errno : -err));
	return err;
}

static int answer_recording(struct asker *a, const char *path)
{
	int err;

	a->why.history.wanted_pid = a->options.pid;
	err = load(a, path);
	err = err ?: answer(a);
	if (err)
		return COMMAND_FAILED;
	return a->load.unsound ? COMMAND_UNSOUND : COMMAND_OK;
}

/* ---- live -------------------------------------------------------------------------- */

static int answer_live(struct asker *a, const struct view_options *view,
		       const struct session_options *options)
{
	int err = view__run(&a->view, view, &a->session, options, &a->kept, NULL), closed;

	kept__explain(&a->kept);
	closed = kept__close(&a->kept, err);
	err = err ?: closed;
	err = err ?: why__end(&a->why);
	err = err ?: answer(a);
	return session__status(&a->session, err);
}

/* What the session and the view of a live VM need to know. */
static int check_live(const struct why_options *o, struct session_options *session,
		      struct view_options *view, bool has_recording)
{
	session->collect.pid = o->pid;
	session->collect.max_overhead = o->max_overhead;
	session->vm = o->vm;
	session->always = o->always;
	session->duration_ns = o->duration_ns;
	view->qmp = o->qmp;
	view->libvirt = o->libvirt;
	return view__check_input(view, session, o->avoid, o->output, has_recording);
}

int why__main(int argc, char **argv)
{
	struct asker a = {
		.options = { .rule = "qemu",
			     .settings = { .limit_ns = UNKNOWN, .device_bytes = UNKNOWN,
					   .stop_ns = STOP_NS, .iterations = ITERATIONS } },
		.session = SESSION_NONE, .view = VIEW_NONE,
	};
	struct session_options options = {
		.collect = {
			.command = "why", .count_every = 1,
			.measure = MEASURE_MIGRATION | BIT_OF(HWDBM_MEASURE_DEVICE_STATE),
			.require = MEASURE_SYNCS,
		},
		.handler = view__take, .context = &a.view,
	};
	struct view_options view = {
		.command = "why", .transfer = true, .outcome = "; the answer comes then",
		.handler = take_sample, .context = &a,
	};
	int first = options__parse(&spec, &a.options, argc, argv), recordings, status;

	if (first == -ECANCELED)
		return COMMAND_OK;
	if (first < 0 || check_options(&a.options))
		return COMMAND_USAGE;
	recordings = argc - first + !!a.options.input;
	if (recordings > 1) {
		log__error("why: which recording? give one; see hwdbm why --help");
		return COMMAND_USAGE;
	}
	if (check_live(&a.options, &options, &view, recordings))
		return COMMAND_USAGE;
	log__set_verbose(a.options.verbose);
	a.options.settings.passes = !strcmp(a.options.rule, "passes");
	a.kept = (struct kept){ .command = "why", .path = a.options.output };
	a.load = (struct load){
		.command = "why", .handler = take_sample, .context = &a, .wants_settings = true,
		.syncs = &a.why.history.rows.syncs,
	};
	why__init(&a.why);
	if (recordings)
		status = answer_recording(&a, a.options.input ?: argv[first]);
	else
		status = answer_live(&a, &view, &options);
	view__close(&a.view);
	session__close(&a.session);
	why__release(&a.why);
	return status;
}
