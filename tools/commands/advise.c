// SPDX-License-Identifier: GPL-2.0-only
/*
 * hwdbm advise: by which granularity and mode to track a VM, and which settings would help,
 * from recordings or live. Not here: how that is found (tools/model/advise.h), setting
 * anything (tune.c).
 */
#include "commands.h"
#include "kept.h"
#include "load.h"
#include "session.h"
#include "view.h"
#include "../collect/examine.h"
#include "../collect/memory_limit.h"
#include "../lib/log.h"
#include "../lib/options.h"
#include "../lib/strings.h"
#include "../model/estimate.h"
#include "../model/whatif.h"
#include "../output/advise.h"
#include "../output/units.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* As hwdbm predict assumes it. */
#define STOP_NS UINT64_C(5000000)
#define ITERATIONS 30

struct advise_options {
	const char *input;
	const char *objective;
	const char *rule;
	const char *finer;
	uint64_t pid;
	const char *vm;
	const char *qmp;
	const char *libvirt;
	const char *output;
	const char *avoid;
	uint64_t duration_ns;
	uint64_t max_overhead;
	uint64_t memory_limit;
	uint64_t slowdown;
	struct advise_settings settings;
	bool json;
	bool always;
	bool verbose;
};

static const struct option_spec option_table[] = {
	{ "input", 'i', OPTION_TEXT, offsetof(struct advise_options, input), "FILE",
	  "a recording (- is stdin), or the folder of a test-bed run; more may follow as operands" },
	{ "objective", 0, OPTION_TEXT, offsetof(struct advise_options, objective), "WHAT",
	  "blackout, total (time), or brownout (time lost): what is to be least (blackout)" },
	{ "bandwidth", 'b', OPTION_SIZE, offsetof(struct advise_options, settings.why.bandwidth),
	  "BYTES", "of the transfer, per second: 1.2G, 25Gbit (as measured, or as the VMM says)" },
	{ "link", 0, OPTION_SIZE, offsetof(struct advise_options, settings.why.link), "BYTES",
	  "what the path could carry, per second (not known)" },
	{ "downtime-limit", 'l', OPTION_SECONDS, offsetof(struct advise_options, settings.why.limit_ns),
	  "TIME", "what is pending must fit into this (as the VMM says, or 300ms)" },
	{ "backing", 0, OPTION_SIZE, offsetof(struct advise_options, settings.block_bytes), "BYTES",
	  "blocks by which the IOMMU maps the VM: 4K, 2M or 1G (as recorded)" },
	{ "finer", 0, OPTION_TEXT, offsetof(struct advise_options, finer), "SIZE=LOW..HIGH",
	  "dirty bytes at a finer size, in percent of those recorded, as hwdbm estimate found: 4K=0.8..1.4" },
	{ "memory-limit", 0, OPTION_BYTES, offsetof(struct advise_options, memory_limit), "BYTES",
	  "what page tables may take of the VM's memory limit (live: as its cgroup says)" },
	{ "slowdown", 0, OPTION_PERCENT, offsetof(struct advise_options, slowdown), "PERCENT",
	  "work that the guest loses while it is tracked, if it was measured; for brownout" },
	{ "device-state", 0, OPTION_BYTES, offsetof(struct advise_options, settings.why.device_bytes),
	  "BYTES", "state that devices send with the VM stopped (not known, counted as 0)" },
	{ "load-delay", 0, OPTION_SECONDS, offsetof(struct advise_options, settings.why.load_ns), "TIME",
	  "from the last byte to the VM running (0)" },
	{ "stop-delay", 0, OPTION_SECONDS, offsetof(struct advise_options, settings.why.stop_ns), "TIME",
	  "from the decision to the VM standing still (5ms)" },
	{ "rule", 0, OPTION_TEXT, offsetof(struct advise_options, rule), "RULE",
	  "qemu, or passes: each pass is sent whole (qemu)" },
	{ "max-iterations", 0, OPTION_U64, offsetof(struct advise_options, settings.why.iterations), "N",
	  "it does not switch over if that takes more (30)" },
	{ "pid", 'p', OPTION_PID, offsetof(struct advise_options, pid), "PID",
	  "watch the migration of this VMM; with recordings: the VMM, if these have several" },
	{ "vm", 0, OPTION_TEXT, offsetof(struct advise_options, vm), "NAME|UUID",
	  "watch the migration of this VM" },
	VIEW_OPTIONS(advise_options),
	{ "duration", 'd', OPTION_PERIOD, offsetof(struct advise_options, duration_ns), "TIME",
	  "answer after watching for this time: 10, 2.5s, 300ms, 5m" },
	{ "output", 'o', OPTION_TEXT, offsetof(struct advise_options, output), "FILE",
	  "write what was watched as a recording too" },
	{ "avoid", 0, OPTION_TEXT, offsetof(struct advise_options, avoid), "KINDS",
	  "do without these kinds of probe: event,fentry,kprobe,syscall,syscalls" },
	SESSION_OPTIONS(struct advise_options),
	{ "json", 'j', OPTION_FLAG, offsetof(struct advise_options, json), NULL,
	  "one JSON document, with sizes in bytes and times in nanoseconds" },
	{ "verbose", 'v', OPTION_FLAG, offsetof(struct advise_options, verbose), NULL,
	  "show libbpf's and the verifier's messages" },
};

static const struct command_spec spec = {
	.name = "advise",
	.usage = "[OPTIONS] RECORDING... | -p PID | --vm NAME",
	.summary = "Says by which granularity dirty memory of a VM had best be tracked, split when, and\n"
		   "which settings would help: for the least blackout, time or brownout, with the reason,\n"
		   "the price, what comes second, and the bound that is predicted.",
	.notes = "Every way is played through by the model of hwdbm predict. Of those that are as good as\n"
		 "the best, within 3 %, the one with the fewest page tables is advised if it saves half of\n"
		 "them. A recording made with 2M or 1G leaves does not tell what was written in them: finer\n"
		 "ways are then \"not judged\", and hwdbm estimate can sample what they would be.\n\n"
		 "With -p or --vm it also looks at this host: what would track the VM (as hwdbm doctor), and\n"
		 "what its memory limit leaves for tables. It watches until -d is over, the process ends or\n"
		 "Ctrl-C. It changes nothing; hwdbm tune does.\n\n"
		 SESSION_NOTES
		 "Requirements: of recordings none; live, those of hwdbm converge.\n"
		 "Overhead: live, that of hwdbm converge.\n"
		 "Exit status: 0; 1 if it failed, or nothing could be advised; 2 for bad options; 3 if a\n"
		 "recording is damaged or cut off: what is good of it was used; 128 + signal if a signal\n"
		 "ended the watch.",
	.options = option_table,
	.option_count = sizeof(option_table) / sizeof(option_table[0]),
};

struct adviser {
	struct advise_options options;
	struct advise advise;
	struct estimator estimator;	/* of what a kernel that samples has split */
	struct advise_document document;
	struct outlook_facts outlook;
	struct session session;
	struct view view;
	struct kept kept;
	struct load load;
};

/* ---- recordings -------------------------------------------------------------------- */

static int take_sample(void *context, enum sample_kind kind, union sample *sample)
{
	struct adviser *a = context;
	int err = kept__write(&a->kept, kind, sample);

	if (err)
		return err;
	err = estimate__take(&a->estimator, kind, sample);
	return err ?: advise__add(&a->advise, kind, sample);
}

static int load(struct adviser *a, const char *path)
{
	int err = load__recording(&a->load, path);

	err = err ?: estimate__end(&a->estimator);
	return err ?: advise__end(&a->advise);
}

/* Of a recording with sampled blocks, unless somebody knows better. */
static void take_estimates(struct adviser *a)
{
	static const unsigned int shifts[UNIT_SIZES] = UNIT_SIZE_SHIFTS;
	struct advise_settings *s = &a->options.settings;

	for (unsigned int unit = 0; !a->options.finer && unit < UNIT_SIZES; unit++) {
		struct advise_estimate sum = { .granularity_bytes = UINT64_C(1) << shifts[unit] };
		uint64_t reported = 0;

		for (size_t i = 0; i < a->estimator.count; i++) {
			const struct estimate_row *row = &a->estimator.rows[i];

			if (row->bytes[unit] == UNKNOWN)
				continue;
			reported += row->reported_bytes;
			sum.low += (double)row->low_bytes[unit];
			sum.middle += (double)row->bytes[unit];
			sum.high += (double)row->high_bytes[unit];
		}
		if (!reported)
			continue;
		sum.low /= (double)reported;
		sum.middle /= (double)reported;
		sum.high /= (double)reported;
		s->estimates[s->estimate_count++] = sum;
	}
}

/* ---- what to say besides ------------------------------------------------------------ */

static void put_tables(struct adviser *a)
{
	const struct advise_answer *answer = &a->document.answer;
	struct prediction_notes *n = &a->document.price;
	const struct advise_way *way = answer->advised;
	char one[UNITS_TEXT], two[UNITS_TEXT];

	units__bytes(way->table_bytes, one);
	if (!way->table_bytes)
		prediction__note(n, "no page tables are added");
	else if (answer->table_room_bytes == UNKNOWN)
		prediction__note(n, "up to %s of page tables, charged to the VMM's memory limit, which is not known (--memory-limit)",
				 one);
	else
		prediction__note(n, "up to %s of page tables, of the %s that the VM's memory limit leaves",
				 one, units__bytes(answer->table_room_bytes, two));
}

static void put_price(struct adviser *a)
{
	const struct advise_way *way = a->document.answer.advised;
	struct prediction_notes *n = &a->document.price;
	char one[UNITS_TEXT], two[UNITS_TEXT];

	put_tables(a);
	if (!strcmp(way->mode, "eager") && way->start_ns != UNKNOWN)
		prediction__note(n, "splitting takes %s when tracking starts, by the recorded cost; locks are held for %s of it at a time (with speed/ of the series, else for all)",
				 units__duration(way->start_ns, one), units__duration(way->lock_ns, two));
	else if (!strcmp(way->mode, "eager"))
		prediction__note(n, "how long locks are held while everything is split at the start is not known: the recording has no splits of such blocks");
	else if (!strcmp(way->mode, "lazy"))
		prediction__note(n, "syncs also split what they find dirty, with the lock of a sync: how much longer they take is not known");
	if (strcmp(way->mode, "off"))
		prediction__note(n, "IOTLB misses where DMA is scattered, until tracking stops: how many is not known");
}

static void put_assumed(struct adviser *a)
{
	const struct advise_settings *s = &a->options.settings;
	const struct why_rule *r = &a->document.answer.why.rule;
	struct prediction_notes *n = &a->document.assumed;
	char one[UNITS_TEXT], two[UNITS_TEXT], three[UNITS_TEXT];

	prediction__note(n, "the load stays as recorded");
	prediction__note(n, "%s of memory, sent at %s/s (%s), downtime limit %s (%s)",
			 units__bytes(r->memory_bytes, one), units__bytes(r->bandwidth, two), r->bandwidth_from,
			 units__duration(r->limit_ns, three), r->limit_from);
	prediction__note(n, s->why.passes ? "the VM is stopped once a pass that was sent whole leaves no more dirty than may be" :
					    "the VM is stopped by QEMU's rule: see hwdbm predict");
	prediction__note(n, "%s to stop the VM, %s to load state; at most %" PRIu64 " iterations",
			 units__duration(s->why.stop_ns, one), units__duration(s->why.load_ns, two),
			 s->why.iterations);
	prediction__note(n, "every page is sent whole: zero pages and compression would send less");
	prediction__note(n, "syncs take as long as recorded, at every granularity");
	for (size_t i = 0; i < s->estimate_count; i++)
		prediction__note(n, "at %s, %.3g %% of what was reported is dirty, %.3g %% for the bound, %s",
				 units__leaf(s->estimates[i].granularity_bytes, one),
				 100 * s->estimates[i].middle, 100 * s->estimates[i].high,
				 a->options.finer ? "as given" : "as the sampled blocks say (see hwdbm estimate)");
}

static void put_unknown(struct adviser *a)
{
	const struct advise_answer *answer = &a->document.answer;
	const struct history *h = &a->advise.why.history;
	struct prediction_notes *n = &a->document.unknown;
	char one[UNITS_TEXT];

	if (answer->unjudged)
		prediction__note(n, "what finer leaves would find: blocks of %s do not tell what was written in them; record once with the kernel's sampling mode (see hwdbm estimate), or give --finer",
				 units__leaf(answer->block_bytes, one));
	if (answer->why.rule.device_bytes == UNKNOWN)
		prediction__note(n, "the size of the devices' state: counted as 0 (--device-state)");
	if (answer->objective == ADVISE_BROWNOUT && isnan(answer->slowdown))
		prediction__note(n, "what tracking costs the guest while it runs: counted as 0 (--slowdown), so that brownout is blackout here");
	if (answer->can_split == TRI_FALSE && answer->advised && strcmp(answer->advised->mode, "off"))
		prediction__note(n, "whether this VM's kernel can split: the one recorded cannot; it takes kernel-patches/ (split/), or one of the settings");
	if (history__may_lack(h))
		prediction__note(n, HISTORY_MAY_LACK);
	if (h->lost)
		prediction__note(n, "%" PRIu64 " events lost by the recorder: what they would have told", h->lost);
	if (!h->lost_known)
		prediction__note(n, "what the recorder lost: the recording has no end");
	if (h->others)
		prediction__note(n, "%" PRIu64 " other VMs or processes in the recordings left out (see -p)",
				 h->others);
}

static int answer(struct adviser *a)
{
	struct advise_document *d = &a->document;
	int err;

	take_estimates(a);
	err = advise__answer(&a->advise, &a->options.settings, &d->answer);

	if (err) {
		log__error("advise: cannot work it out (%s)", strerror(-err));
		return err;
	}
	d->emulated = !strcmp(a->advise.why.history.time_basis, "emulated");
	if (d->answer.advised)
		put_price(a);
	if (d->answer.way_count) {
		put_assumed(a);
		put_unknown(a);
	}
	errno = 0;
	err = a->options.json ? advise__json(stdout, d) : advise__text(stdout, d);
	if (err)
		log__error("advise: cannot write the advice (%s)",
			   strerror(err == -EIO && errno ? errno : -err));
	return err;
}

static int status_of(const struct adviser *a)
{
	if (!a->document.answer.advised)
		return COMMAND_FAILED;
	return a->load.unsound || a->session.gave_up ? COMMAND_UNSOUND : COMMAND_OK;
}

static int advise_recordings(struct adviser *a, int count, char **paths)
{
	int err = 0;

	a->advise.why.history.wanted_pid = a->options.pid;
	if (a->options.input)
		err = load(a, a->options.input);
	for (int i = 0; !err && i < count; i++)
		err = load(a, paths[i]);
	err = err ?: answer(a);
	return err ? COMMAND_FAILED : status_of(a);
}

/* ---- live -------------------------------------------------------------------------- */

/* What would track the VM here. A host that cannot be examined is no reason to say nothing. */
static int look_at_host(void *context)
{
	struct adviser *a = context;
	uint64_t pid = a->session.options.collect.pid;
	const struct examine_options options = { 0 };
	struct advise_settings *s = &a->options.settings;
	struct diagnosis diagnosis;
	int err = examine__host(&options, &diagnosis);

	if (err) {
		log__warn("advise: cannot examine this host (%s): its trackers are not known", strerror(-err));
		return 0;
	}
	for (size_t i = 0; i < diagnosis.outlooks.count; i++) {
		const struct outlook_facts *outlook = facts__at(&diagnosis.outlooks, i);

		if (outlook->pid != pid)
			continue;
		a->outlook = *outlook;
		s->outlook = &a->outlook;
	}
	diagnosis__release(&diagnosis);
	if (s->table_room_bytes == UNKNOWN)
		memory_limit__left((pid_t)pid, &s->table_room_bytes);
	return 0;
}

static int advise_live(struct adviser *a, const struct view_options *view,
		       const struct session_options *options)
{
	int err = view__run(&a->view, view, &a->session, options, &a->kept, NULL), closed;

	kept__explain(&a->kept);
	closed = kept__close(&a->kept, err);
	err = err ?: closed;
	err = err ?: advise__end(&a->advise);
	err = err ?: answer(a);
	if (err)
		return session__status(&a->session, err);
	return a->session.signal ? 128 + a->session.signal : status_of(a);
}

/* ---- options ----------------------------------------------------------------------- */

/* Up to @end; 1..2 is two numbers, of which strtod() would take the first dot, too. */
static bool parse_number(const char *text, const char *end, double *value)
{
	char number[32], *rest;

	if (end <= text || (size_t)(end - text) >= sizeof(number))
		return false;
	memcpy(number, text, (size_t)(end - text));
	number[end - text] = '\0';
	*value = strtod(number, &rest);
	return !*rest || !strcmp(rest, "%");
}

static bool parse_estimate(const char *text, struct advise_estimate *estimate)
{
	const char *equals = strchr(text, '='), *dots = equals ? strstr(equals, "..") : NULL;
	char size[16];

	if (!dots || (size_t)(equals - text) >= sizeof(size))
		return false;
	memcpy(size, text, (size_t)(equals - text));
	size[equals - text] = '\0';
	return !options__bytes(size, &estimate->granularity_bytes) &&
	       parse_number(equals + 1, dots, &estimate->low) &&
	       parse_number(dots + 2, dots + strlen(dots), &estimate->high);
}

static int parse_finer(const char *text, struct advise_settings *s)
{
	struct advise_estimate *estimate = &s->estimates[0];

	if (!text)
		return 0;
	if (!parse_estimate(text, estimate) || !(estimate->low >= 0) ||
	    !(estimate->high >= estimate->low) || !(estimate->high <= 100) ||
	    whatif__unit(estimate->granularity_bytes) == UNIT_SIZES) {
		log__error("advise: --finer %s: it is a size and percents from 0 to 100, as 4K=0.8..1.4", text);
		return -EINVAL;
	}
	estimate->low /= 100;
	estimate->high /= 100;
	estimate->middle = (estimate->low + estimate->high) / 2;
	s->estimate_count = 1;
	return 0;
}

static int check_options(struct advise_options *o)
{
	struct advise_settings *s = &o->settings;
	char text[UNITS_TEXT];

	s->objective = advise__objective(o->objective);
	if (s->objective == ADVISE_OBJECTIVES)
		log__error("advise: --objective %s: it is blackout, total or brownout", o->objective);
	else if (strcmp(o->rule, "qemu") && strcmp(o->rule, "passes"))
		log__error("advise: --rule %s: it is qemu or passes", o->rule);
	else if (!s->why.iterations || s->why.iterations > PRECOPY_ITERATIONS_MOST)
		log__error("advise: --max-iterations %" PRIu64 ": give 1 to %d",
			  s->why.iterations, PRECOPY_ITERATIONS_MOST);
	else if (!s->why.limit_ns)
		log__error("advise: --downtime-limit 0: nothing can be sent in no time");
	else if (s->block_bytes && s->block_bytes != 4096 && s->block_bytes != UINT64_C(2) << 20 &&
		 s->block_bytes != UINT64_C(1) << 30)
		log__error("advise: --backing %s: blocks are of 4K, 2M or 1G",
			   units__bytes(s->block_bytes, text));
	else
		return parse_finer(o->finer, s);
	return -EINVAL;
}

/* What the session and the view of a live VM need to know. */
static int check_live(const struct advise_options *o, struct session_options *session,
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

int advise__main(int argc, char **argv)
{
	struct adviser a = {
		.options = { .rule = "qemu", .objective = "blackout", .memory_limit = UNKNOWN,
			     .slowdown = UNKNOWN,
			     .settings = { .why = { .limit_ns = UNKNOWN, .device_bytes = UNKNOWN,
						    .stop_ns = STOP_NS, .iterations = ITERATIONS } } },
		.session = SESSION_NONE, .view = VIEW_NONE,
	};
	struct session_options options = {
		.collect = {
			.command = "advise", .count_every = 1,
			.measure = MEASURE_MIGRATION,
			.require = MEASURE_SYNCS,
		},
		.handler = view__take, .context = &a.view,
	};
	struct view_options view = {
		.command = "advise", .transfer = true, .outcome = "; the advice comes then",
		.handler = take_sample, .begun = look_at_host, .context = &a,
	};
	int first = options__parse(&spec, &a.options, argc, argv), status;
	bool has_recording;

	if (first == -ECANCELED)
		return COMMAND_OK;
	if (first < 0 || check_options(&a.options))
		return COMMAND_USAGE;
	has_recording = first < argc || a.options.input;
	if (check_live(&a.options, &options, &view, has_recording))
		return COMMAND_USAGE;
	log__set_verbose(a.options.verbose);
	a.options.settings.why.passes = !strcmp(a.options.rule, "passes");
	a.options.settings.table_room_bytes = a.options.memory_limit;
	a.options.settings.slowdown = a.options.slowdown == UNKNOWN ? NAN :
				      (double)a.options.slowdown / 1e6;
	a.kept = (struct kept){ .command = "advise", .path = a.options.output };
	a.load = (struct load){
		.command = "advise", .handler = take_sample, .context = &a, .wants_settings = true,
		.syncs = &a.advise.why.history.rows.syncs,
	};
	advise__init(&a.advise);
	estimate__init(&a.estimator);
	status = has_recording ? advise_recordings(&a, argc - first, argv + first) :
				 advise_live(&a, &view, &options);
	view__close(&a.view);
	session__close(&a.session);
	estimate__release(&a.estimator);
	advise__release(&a.advise);
	return status;
}
