// SPDX-License-Identifier: GPL-2.0-only
/*
 * Looks at a VMM at each iteration, and every second while it migrates.
 */
#define _GNU_SOURCE
#include "view.h"
#include "../collect/vms.h"
#include "../lib/cleanup.h"
#include "../lib/log.h"
#include "../model/converge.h"

#include <errno.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>

#define NS_PER_SECOND UINT64_C(1000000000)
#define INTERVAL_NS NS_PER_SECOND

/* Slots of one iteration are synced one after the other; one look serves for all. */
#define SAME_NS (NS_PER_SECOND / 20)

/*
 * How far apart two looks at a connection that carries something are, at least and at most. They
 * come at random: that of two hosts, looks are close together now and then, is what relates their
 * clocks.
 */
#define MOMENTS_NS (NS_PER_SECOND / 40)
#define MOMENTS_SPREAD_NS (NS_PER_SECOND / 20)

/* How often to see whether the process that is followed has begun to receive a migration. */
#define IDLE_NS (NS_PER_SECOND / 4)

/* A connection that carries that much in this time may be a migration's, */
#define STREAM_BYTES (64 << 10)
/* and is not any more when it did not for so long. */
#define STREAM_NS (3 * NS_PER_SECOND)

struct view_process {
	struct transfer transfer;
	uint64_t pid;			/* 0: it has ended */
	uint64_t looked_ns;
	bool is_tracked;
	bool is_resuming;		/* a device of it loads its state */
	uint64_t carried;		/* over its connections, at the last look */
	uint64_t carried_ns;		/* when that last grew by what a migration carries */
	char why_unknown[sizeof(((struct transfer_sample *)0)->why_unknown)];	/* as last said */
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * NS_PER_SECOND + now.tv_nsec;
}

int view__check(const struct view_options *o, const struct session_options *session)
{
	if (o->qmp && o->libvirt)
		log__error("%s: --qmp and --libvirt exclude each other: a VMM is asked one way",
			   o->command);
	else if (o->libvirt && !session->vm && !session->collect.pid)
		log__error("%s: --libvirt needs the VM: --vm NAME|UUID, or -p PID", o->command);
	else
		return 0;
	return -EINVAL;
}

/* -p is of use with recordings, too: it says which of several VMMs. */
int view__check_input(const struct view_options *o, struct session_options *session, const char *avoid,
		      const char *output, bool has_recording)
{
	const bool is_live = session->vm || o->qmp || o->libvirt || output || session->duration_ns ||
			     avoid || session->collect.max_overhead || session->always;

	if (has_recording && is_live) {
		log__error("%s: recordings that exist are asked; --vm, -d, -o, --qmp, --libvirt, --avoid, --max-overhead and --always are for a migration that is watched",
			   o->command);
		return -EINVAL;
	}
	if (has_recording)
		return 0;
	if (!session->collect.pid && !session->vm) {
		log__error("%s: which recording, or which VM (-p, --vm)? see hwdbm %s --help", o->command,
			   o->command);
		return -EINVAL;
	}
	return kept__check(o->command, output) ?: session__check(session, avoid, false) ?:
	       view__check(o, session);
}

/* How long a VM stood still is what it says last, and it may not wait for another question. */
static int take_answer(void *context, enum sample_kind kind, union sample *sample)
{
	struct view *v = context;

	if (kind == SAMPLE_VMM_STATE && !strcmp(sample->vmm_state.event, "STOP"))
		v->is_stopped = true;
	if (kind == SAMPLE_VMM_STATE && sample->vmm_state.downtime_ns != UNKNOWN)
		v->is_stopped = false;
	return v->options.handler(v->options.context, kind, sample);
}

static int connect_to_vmm(struct view *v)
{
	const struct view_options *o = &v->options;
	const char *vm = v->session->options.vm;
	char name[VM_NAME] = "";

	if (o->qmp)
		return qmp__open(&v->qmp, o->command, o->qmp, v->pid, take_answer, v);
	if (!o->libvirt)
		return 0;
	if (!vm)
		vms__name(v->pid, name);
	return libvirt__open(&v->libvirt, o->command, o->libvirt, vm ? vm : name, v->pid, INTERVAL_NS / 2);
}

/* Return: the process, or NULL without memory. */
static struct view_process *find(struct view *v, uint64_t pid)
{
	struct view_process *process;

	for (size_t i = 0; i < v->count; i++)
		if (v->processes[i].pid == pid)
			return &v->processes[i];
	for (process = v->processes; process < v->processes + v->count && process->pid; process++)
		;
	if (process == v->processes + v->count) {
		process = realloc(v->processes, (v->count + 1) * sizeof(*process));
		if (!process)
			return NULL;
		v->processes = process;
		process = &process[v->count++];
	}
	*process = (struct view_process){ .pid = pid, .transfer = TRANSFER_NONE };
	transfer__open(&process->transfer, pid);
	return process;
}

static bool is_streaming(const struct view_process *process)
{
	return process->pid && (process->is_tracked || process->is_resuming ||
				(process->carried_ns && now_ns() < process->carried_ns + STREAM_NS));
}

static int set_moments(struct view *v, uint64_t ns)
{
	const struct itimerspec when = { .it_value = { .tv_nsec = ns } };

	return timerfd_settime(v->moments, 0, &when, NULL) ? -errno : 0;
}

static int look_soon(struct view *v)
{
	return set_moments(v, MOMENTS_NS + now_ns() % MOMENTS_SPREAD_NS);
}

/* What its connections have carried tells whether it migrates, where nothing else does. */
static void note_carried(struct view_process *process)
{
	uint64_t carried = transfer__carried(&process->transfer);

	if (carried >= process->carried + STREAM_BYTES)
		process->carried_ns = now_ns();
	process->carried = carried;
}

static int look_at_connections(struct view *v, struct view_process *process)
{
	struct transfer_sample unused;
	int err;

	if (is_streaming(process))
		return transfer__connections(&process->transfer, v->options.handler, v->options.context);
	if (!process->pid || process->pid != v->pid)
		return 0;
	err = transfer__read(&process->transfer, &unused);
	note_carried(process);
	if (err || !is_streaming(process))
		return err;
	transfer__listen(&process->transfer, true);
	return transfer__connections(&process->transfer, v->options.handler, v->options.context);
}

static int take_moments(void *context)
{
	struct view *v = context;
	bool soon = false;
	uint64_t ticks;
	int err = 0;

	if (read(v->moments, &ticks, sizeof(ticks)) != sizeof(ticks))
		return 0;
	for (size_t i = 0; !err && i < v->count; i++) {
		err = look_at_connections(v, &v->processes[i]);
		soon |= is_streaming(&v->processes[i]);
	}
	if (soon && v->is_stopped && v->qmp)
		qmp__ask(v->qmp);
	if (err)
		return err;
	return soon ? look_soon(v) : v->pid ? set_moments(v, IDLE_NS) : 0;
}

static int look(struct view *v, struct view_process *process)
{
	union sample sample;
	int err = transfer__read(&process->transfer, &sample.transfer);

	process->looked_ns = now_ns();
	if (err)
		return err;
	note_carried(process);
	if (sample.transfer.ended == TRI_TRUE) {
		transfer__close(&process->transfer);
		process->pid = 0;
		process->is_tracked = false;
		process->is_resuming = false;
		process->carried_ns = 0;
		return v->options.handler(v->options.context, SAMPLE_TRANSFER, &sample);
	}
	/* Why nothing is known is said once, and only when there is something to be known. */
	if (sample.transfer.sent_bytes == UNKNOWN &&
	    (!process->is_tracked || !strcmp(process->why_unknown, sample.transfer.why_unknown)))
		return 0;
	memcpy(process->why_unknown, sample.transfer.why_unknown, sizeof(process->why_unknown));
	return v->options.handler(v->options.context, SAMPLE_TRANSFER, &sample);
}

static int take_timer(void *context)
{
	struct view *v = context;
	uint64_t ticks;
	int err = 0;

	if (read(v->timer, &ticks, sizeof(ticks)) != sizeof(ticks))
		return 0;
	for (size_t i = 0; !err && i < v->count; i++) {
		struct view_process *process = &v->processes[i];

		if (!process->pid)
			continue;
		if (is_streaming(process) || process->transfer.farewells >= 0 ||
		    process->pid == v->pid)
			err = look(v, process);
		/* Connections are closed after tracking has stopped, if anything is. */
		if (!is_streaming(process))
			transfer__listen(&process->transfer, false);
	}
	if (!err && v->qmp)
		qmp__ask(v->qmp);
	return err;
}

/* Whether it was the VMM that ended, the figures of ours go on. */
static int take_qmp(void *context)
{
	struct view *v = context;
	int err = v->qmp ? qmp__read(v->qmp) : 0;

	if (err != QMP_GONE)
		return err;
	session__unwatch(v->session, qmp__fd(v->qmp));
	qmp__free(v->qmp);
	v->qmp = NULL;
	return 0;
}

static int take_libvirt(void *context)
{
	struct view *v = context;
	int err = libvirt__read(v->libvirt, v->options.handler, v->options.context);

	if (err != LIBVIRT_GONE)
		return err;
	session__unwatch(v->session, libvirt__fd(v->libvirt));
	log__warn("%s: libvirt says no more", v->options.command);
	return 0;
}

/* What connections there are before anything else happens; those that come later are another matter. */
static int know_connections(struct view *v)
{
	struct view_process *process = v->options.transfer && v->pid ? find(v, v->pid) : NULL;
	struct transfer_sample sample;

	if (!process)
		return v->options.transfer && v->pid ? -ENOMEM : 0;
	return transfer__read(&process->transfer, &sample);
}

int view__open(struct view *v, const struct view_options *options, struct session *session)
{
	uint64_t ns = options->interval_ns && options->interval_ns < INTERVAL_NS ?
			      options->interval_ns : INTERVAL_NS;
	const struct timespec interval = { .tv_sec = ns / NS_PER_SECOND, .tv_nsec = ns % NS_PER_SECOND };
	const struct itimerspec when = { .it_value = interval, .it_interval = interval };
	int err;

	v->options = *options;
	v->session = session;
	v->pid = session->options.collect.pid;
	err = connect_to_vmm(v);
	err = err ?: know_connections(v);
	if (err)
		return err;
	v->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (v->timer < 0 || timerfd_settime(v->timer, 0, &when, NULL)) {
		err = -errno;
		log__error("%s: cannot make a timer (%s)", options->command, strerror(-err));
		return err;
	}
	session__watch(session, v->timer, take_timer, v);
	if (options->moments) {
		v->moments = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
		if (v->moments < 0) {
			err = -errno;
			log__error("%s: cannot make a timer (%s)", options->command, strerror(-err));
			return err;
		}
		session__watch(session, v->moments, take_moments, v);
		if (v->pid && set_moments(v, IDLE_NS))
			return -errno;
	}
	if (v->qmp) {
		session__watch(session, qmp__fd(v->qmp), take_qmp, v);
		qmp__ask(v->qmp);
	}
	if (v->libvirt)
		session__watch(session, libvirt__fd(v->libvirt), take_libvirt, v);
	return 0;
}

int view__run(struct view *view, const struct view_options *options, struct session *session,
	      const struct session_options *session_options, struct kept *kept, char **command)
{
	char *nothing[] = { NULL };
	int err, ended = 0;

	command = command ?: nothing;
	err = session__open(session, session_options, command);
	err = err ?: view__open(view, options, session);
	err = err ?: kept__open(kept);
	err = err ?: session__header(session);
	if (!err && options->begun)
		err = options->begun(options->context);
	if (!err && !*command && !session_options->duration_ns)
		log__info("%s: watching until Ctrl-C%s%s", options->command,
			  session->target >= 0 ? " or the end of the process" : "",
			  options->outcome ?: "");
	err = err ?: session__follow(session, command);
	if (session->collector && !kept__failed(kept))
		ended = session__finish(session);
	return err ?: ended;
}

/* Before the sync is handed on: what was sent until then belongs to the iteration before. */
static int note_sync(struct view *v, const struct sync_sample *sync)
{
	struct view_process *process;

	if (!converge__is_migration(sync->source, sync->length_bytes))
		return 0;
	if (v->qmp)
		qmp__ask(v->qmp);
	if (!v->options.transfer)
		return 0;
	process = find(v, sync->pid);
	if (!process)
		return -ENOMEM;
	if (!is_streaming(process) && v->moments >= 0 && look_soon(v))
		return -errno;
	process->is_tracked = true;
	transfer__listen(&process->transfer, true);
	return now_ns() - process->looked_ns < SAME_NS ? 0 : look(v, process);
}

static int note_tracking(struct view *v, const struct tracking_sample *tracking)
{
	struct view_process *process;

	if (tracking->ret || !converge__is_migration(tracking->source, tracking->length_bytes))
		return 0;
	if (v->qmp)
		qmp__ask(v->qmp);
	if (!v->options.transfer)
		return 0;
	process = find(v, tracking->pid);
	if (!process)
		return -ENOMEM;
	if (tracking->enable == TRI_TRUE && !process->is_tracked)
		transfer__begin(&process->transfer, tracking->t_ns);
	process->is_tracked = tracking->enable == TRI_TRUE;
	if (process->is_tracked)
		transfer__listen(&process->transfer, true);
	if (process->is_tracked && v->moments >= 0 && look_soon(v))
		return -errno;
	return now_ns() - process->looked_ns < SAME_NS ? 0 : look(v, process);
}

/* What a migration's target does first with a device is to let it load, and last to let it run. */
static int note_device(struct view *v, const struct device_state_sample *device)
{
	bool is_resuming = !strcmp(device->state, "resuming");
	struct view_process *process;

	if (device->ret || v->moments < 0 ||
	    (!is_resuming && strcmp(device->state, "running")))
		return 0;
	process = find(v, device->pid);
	if (!process)
		return -ENOMEM;
	process->is_resuming = is_resuming;
	transfer__listen(&process->transfer, is_resuming);
	return is_resuming ? look(v, process) ?: look_soon(v) : 0;
}

static int note_end(struct view *v)
{
	int err = 0;

	for (size_t i = 0; !err && i < v->count; i++)
		err = v->processes[i].pid ? look(v, &v->processes[i]) : 0;
	return err;
}

int view__take(void *context, enum sample_kind kind, union sample *sample)
{
	struct view *v = context;
	int err = 0;

	if (kind == SAMPLE_SYNC)
		err = note_sync(v, &sample->sync);
	else if (kind == SAMPLE_TRACKING)
		err = note_tracking(v, &sample->tracking);
	else if (kind == SAMPLE_DEVICE_STATE)
		err = note_device(v, &sample->device_state);
	else if (kind == SAMPLE_END)
		err = note_end(v);
	return err ?: v->options.handler(v->options.context, kind, sample);
}

void view__close(struct view *v)
{
	for (size_t i = 0; i < v->count; i++)
		transfer__close(&v->processes[i].transfer);
	free(v->processes);
	qmp__free(v->qmp);
	libvirt__free(v->libvirt);
	cleanup__close(&v->timer);
	cleanup__close(&v->moments);
}
