// SPDX-License-Identifier: GPL-2.0-only
/*
 * The loop around a collector. Not here: options of any one command.
 */
#define _GNU_SOURCE
#include "session.h"
#include "commands.h"
#include "../collect/vms.h"
#include "../lib/cleanup.h"
#include "../lib/log.h"
#include "../lib/stream.h"
#include "../output/units.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>

#define NS_PER_SECOND UINT64_C(1000000000)

static const char *name_of(const struct session *s)
{
	return s->options.collect.command;
}

int session__check(struct session_options *options, const char *avoid, bool has_command)
{
	static const char * const bases[] = { "emulated", "native", "hardware" };
	const char *basis = options->time_basis, *name = options->collect.command;
	bool known = !basis;

	for (size_t i = 0; i < sizeof(bases) / sizeof(bases[0]); i++)
		known |= basis && !strcmp(basis, bases[i]);
	if (!known)
		log__error("%s: --time-basis %s: it is emulated, native or hardware", name, basis);
	else if (avoid && probes__parse_kinds(avoid, &options->collect.avoid))
		log__error("%s: --avoid %s: it is a list of event, fentry, kprobe, syscall, syscalls and iter", name,
			   avoid);
	else if (!!options->collect.pid + !!options->vm + (has_command && !options->until_command) > 1)
		log__error("%s: %s exclude each other; follow one of them", name,
			   options->collect.pid && options->vm ? "-p and --vm" : options->vm ?
			   "--vm and a command" : "-p and a command");
	else
		return 0;
	return -EINVAL;
}

static int open_signals(struct session *s)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	/* A shell starts what it puts in the background with SIGINT ignored. */
	signal(SIGINT, SIG_DFL);
	/* A reader of our output that goes away is an error of write(). */
	signal(SIGPIPE, SIG_IGN);
	stream__guard();
	s->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return s->signals < 0 ? -errno : 0;
}

static int open_target(struct session *s)
{
	pid_t pid = s->options.collect.pid;
	struct vm_target vm = VM_TARGET_NONE;
	int err;

	if (s->options.vm) {
		err = vms__find(name_of(s), s->options.vm, &vm);
		s->options.collect.pid = vm.pid;
		s->target = vm.pidfd;
		return err;
	}
	if (!pid)
		return 0;
	err = vms__check_process(name_of(s), pid);
	if (err)
		return err;
	s->target = syscall(SYS_pidfd_open, pid, 0);
	if (s->target >= 0)
		return 0;
	log__error("%s: cannot follow process %d (%s)", name_of(s), pid,
		   errno == ESRCH ? "there is none" : strerror(errno));
	return -errno;
}

static int open_timer(int *timer, uint64_t ns, bool repeat)
{
	const struct timespec time = { .tv_sec = ns / NS_PER_SECOND, .tv_nsec = ns % NS_PER_SECOND };
	const struct itimerspec when = {
		.it_value = time, .it_interval = repeat ? time : (struct timespec){ 0 },
	};

	if (!ns)
		return 0;
	*timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	return *timer < 0 || timerfd_settime(*timer, 0, &when, NULL) ? -errno : 0;
}

int session__open(struct session *s, const struct session_options *options, char **command)
{
	struct collect_options collect;
	int err;

	s->options = *options;
	err = open_signals(s);
	err = err ?: open_target(s);
	if (!err && *command) {
		err = child__prepare(&s->child, command);
		if (err)
			log__error("%s: cannot start a process (%s)", name_of(s), strerror(-err));
	}
	if (err)
		return err;
	collect = s->options.collect;
	collect.pid = collect.pid ?: s->child.pid;
	/* What a command does first is not to be missed. */
	collect.follow = !*command && !options->always;
	err = collect__open(&s->collector, &collect, options->handler, options->context);
	/* A busy host takes long to attach; that is not what was asked for. */
	err = err ?: open_timer(&s->timer, options->duration_ns, false);
	return err ?: open_timer(&s->ticks, options->interval_ns, true);
}

int session__header(struct session *s)
{
	union sample sample;

	collect__describe(s->collector, &sample.header);
	if (s->options.time_basis)
		snprintf(sample.header.time_basis, sizeof(sample.header.time_basis), "%s",
			 s->options.time_basis);
	return s->options.handler(s->options.context, SAMPLE_HEADER, &sample);
}

/* Whether a signal means the end. */
static bool take_signal(struct session *s)
{
	struct signalfd_siginfo info;
	bool done = false;

	while (read(s->signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGCHLD) {
			done |= child__reap(&s->child);
		} else {
			s->signal = info.ssi_signo;
			stream__hurry();
			done = true;
		}
	}
	return done;
}

static int take_tick(struct session *s)
{
	uint64_t ticks;

	if (s->ticks < 0 || read(s->ticks, &ticks, sizeof(ticks)) != sizeof(ticks))
		return 0;
	return s->options.tick(s->options.context);
}

void session__watch(struct session *s, int fd, int (*ready)(void *context), void *context)
{
	if (s->watch_count < SESSION_WATCHES)
		s->watches[s->watch_count++] = (struct session_watch){ fd, ready, context };
}

void session__unwatch(struct session *s, int fd)
{
	for (size_t i = 0; i < s->watch_count; i++)
		if (s->watches[i].fd == fd)
			s->watches[i] = s->watches[--s->watch_count];
}

static int take_watches(struct session *s)
{
	struct session_watch watches[SESSION_WATCHES];
	struct pollfd fds[SESSION_WATCHES];
	size_t count = s->watch_count;
	int err = 0;

	/* One that is ready may end itself or another. */
	memcpy(watches, s->watches, sizeof(watches));
	for (size_t i = 0; i < count; i++)
		fds[i] = (struct pollfd){ .fd = watches[i].fd, .events = POLLIN };
	if (!count || poll(fds, count, 0) <= 0)
		return 0;
	for (size_t i = 0; !err && i < count; i++)
		if (fds[i].revents)
			err = watches[i].ready(watches[i].context);
	return err;
}

#define OWN_FDS 5

static int follow(struct session *s)
{
	struct pollfd fds[OWN_FDS + SESSION_WATCHES] = {
		{ .fd = s->signals, .events = POLLIN },
		{ .fd = collect__fd(s->collector), .events = POLLIN },
		{ .fd = s->timer, .events = POLLIN },
		{ .fd = s->target, .events = POLLIN },
		{ .fd = s->ticks, .events = POLLIN },
	};

	for (;;) {
		int err;

		for (size_t i = 0; i < s->watch_count; i++)
			fds[OWN_FDS + i] = (struct pollfd){ .fd = s->watches[i].fd, .events = POLLIN };
		if (poll(fds, OWN_FDS + s->watch_count, -1) < 0 && errno != EINTR)
			return -errno;
		err = collect__read(s->collector);
		err = err ?: take_watches(s);
		err = err ?: take_tick(s);
		if (err)
			return err;
		/* A command goes on to its end. */
		if (collect__gave_up(s->collector) && !s->child.pid)
			return 0;
		s->target_ended |= !!fds[3].revents;
		if (take_signal(s) || fds[2].revents || (s->target_ended && !s->child.pid))
			return 0;
		/* The command may have something to do after it. */
		if (s->target_ended)
			fds[3].fd = -1;
	}
}

int session__follow(struct session *s, char **command)
{
	int err = *command ? child__start(&s->child) : 0;

	s->has_begun = !err;
	if (!err)
		return follow(s);
	log__error("%s: cannot run %s (%s)", name_of(s), command[0], strerror(-err));
	return err;
}

/* What it has cost. */
static void tell_overhead(struct session *s, struct end_sample *end)
{
	char probes[UNITS_TEXT], time[UNITS_TEXT], self[UNITS_TEXT];
	struct collect_overhead overhead;

	collect__overhead(s->collector, &overhead);
	s->gave_up = collect__gave_up(s->collector);
	end->attached_ns = overhead.attached_ns;
	end->probe_ns = overhead.probe_ns;
	end->probe_share = overhead.share;
	end->foreign_runs = overhead.foreign_runs;
	end->foreign_ns = overhead.foreign_ns;
	end->process_ns = overhead.process_ns;
	end->gave_up = s->gave_up ? TRI_TRUE : TRI_FALSE;
	log__info("%s: probes took %s, %.2g %% of a core for each VM that logged; they were attached for %s, and hwdbm itself took %s",
		  name_of(s), units__duration(overhead.probe_ns, probes),
		  (double)overhead.share / 1e4, units__duration(overhead.attached_ns, time),
		  units__duration(overhead.process_ns, self));
}

static int hand_on_end(struct session *s)
{
	struct timespec now;
	union sample sample;

	field__clear(sample__table(SAMPLE_END), &sample);
	clock_gettime(CLOCK_MONOTONIC, &now);
	sample.end.t_ns = now.tv_sec * NS_PER_SECOND + now.tv_nsec;
	collect__lost(s->collector, &sample.end.lost);
	tell_overhead(s, &sample.end);
	if (s->child.ended)
		sample.end.child_status = s->child.status;
	if (s->target >= 0)
		sample.end.target_ended = s->target_ended ? TRI_TRUE : TRI_FALSE;
	for (size_t i = 0; i < sample.end.lost.count; i++)
		if (sample.end.lost.at[i].number)
			log__warn("%s: %" PRIu64 " events were lost (%s)", name_of(s),
				  sample.end.lost.at[i].number, sample.end.lost.at[i].name);
	return s->options.handler(s->options.context, SAMPLE_END, &sample);
}

int session__finish(struct session *s)
{
	int err, ended;

	child__stop(&s->child);
	/* Of what has not begun there is nothing to tell: the message that says why is the last. */
	if (!s->has_begun)
		return 0;
	err = collect__finish(s->collector);
	ended = hand_on_end(s);
	return err ?: ended;
}

int session__status(const struct session *s, int err)
{
	/* What is waited for before a session begins gives up on a signal, and leaves it to be seen. */
	const int signal = err == -EINTR ? stream__stop_signal() : s->signal;

	if (err && !(err == -EINTR && signal))
		return COMMAND_FAILED;
	if (signal)
		return 128 + signal;
	if (s->gave_up)
		return COMMAND_UNSOUND;
	return s->child.pid ? s->child.status : COMMAND_OK;
}

void session__close(struct session *s)
{
	child__stop(&s->child);
	collect__free(s->collector);
	s->collector = NULL;
	cleanup__close(&s->signals);
	cleanup__close(&s->timer);
	cleanup__close(&s->ticks);
	cleanup__close(&s->target);
}
