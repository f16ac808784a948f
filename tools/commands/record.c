// SPDX-License-Identifier: GPL-2.0-only
/*
 * hwdbm record: attach, let the command run, write every sample as it comes. Not here:
 * how samples are made (tools/collect/) or written (tools/output/recording.c).
 */
#define _GNU_SOURCE
#include "commands.h"
#include "../collect/collect.h"
#include "../lib/child.h"
#include "../lib/cleanup.h"
#include "../lib/log.h"
#include "../lib/options.h"
#include "../output/recording.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>

#define NS_PER_SECOND UINT64_C(1000000000)

struct record_options {
	const char *output;
	uint64_t pid;
	uint64_t duration_ns;
	const char *time_basis;
	const char *avoid;
	bool verbose;
};

static const struct option_spec option_table[] = {
	{ "output", 'o', OPTION_TEXT, offsetof(struct record_options, output), "FILE",
	  "where to write (recording.jsonl); - is stdout" },
	{ "pid", 'p', OPTION_U64, offsetof(struct record_options, pid), "PID",
	  "follow this process and its children, until it ends" },
	{ "duration", 'd', OPTION_SECONDS, offsetof(struct record_options, duration_ns), "TIME",
	  "stop after this time: 10, 2.5s, 300ms, 5m" },
	{ "time-basis", 0, OPTION_TEXT, offsetof(struct record_options, time_basis), "BASIS",
	  "what durations mean: emulated, native or hardware" },
	{ "avoid", 0, OPTION_TEXT, offsetof(struct record_options, avoid), "KINDS",
	  "do without these kinds of probe: event,fentry,kprobe,syscall,syscalls" },
	{ "verbose", 'v', OPTION_FLAG, offsetof(struct record_options, verbose), NULL,
	  "show libbpf's and the verifier's messages" },
};

static const struct command_spec spec = {
	.name = "record",
	.usage = "[OPTIONS] [-- COMMAND [ARGUMENT...]]",
	.summary = "Records dirty tracking, syncs, splits and TLB invalidations of a command, of a\n"
		   "running process, or of the whole host.",
	.notes = "Without a COMMAND, -p or -d it runs until Ctrl-C.\n\n"
		 "Requirements: a kernel with BTF and either hwdbm's tracepoint patches or iommufd;\n"
		 "root, or CAP_BPF and CAP_PERFMON.\n"
		 "Overhead: with the kernel's own events a few hundred ns for each sync, split and TLBI;\n"
		 "on a stock kernel also for each dirty leaf.\n"
		 "Exit status: the command's own; 1 if recording failed; 2 for bad options;\n"
		 "128 + signal if a signal stopped it. The recording can be read in every case.",
	.options = option_table,
	.option_count = sizeof(option_table) / sizeof(option_table[0]),
	.stop_at_first = true,
};

struct session {
	struct record_options options;
	struct collector *collector;
	struct child child;
	FILE *out;
	int write_error;
	int signals;		/* signalfd */
	int timer;		/* timerfd, -1 if no duration */
	int target;		/* pidfd of -p, -1 if none */
	int signal;		/* that stopped us, 0 if none */
};

static int write_sample(void *context, enum sample_kind kind, union sample *sample)
{
	struct session *s = context;
	int err = recording__write(s->out, kind, sample);

	if (err)
		s->write_error = err;
	return err;
}

static int check_options(const struct record_options *o, bool has_command)
{
	static const char * const bases[] = { "emulated", "native", "hardware" };
	bool known = !o->time_basis;
	unsigned int kinds;

	for (size_t i = 0; i < sizeof(bases) / sizeof(bases[0]); i++)
		known |= o->time_basis && !strcmp(o->time_basis, bases[i]);
	if (!known)
		log__error("record: --time-basis %s: it is emulated, native or hardware",
			   o->time_basis);
	else if (o->avoid && probes__parse_kinds(o->avoid, &kinds))
		log__error("record: --avoid %s: it is a list of event, fentry, kprobe, syscall and syscalls",
			   o->avoid);
	else if (o->pid && has_command)
		log__error("record: -p and a command exclude each other; follow one of them");
	else if (o->pid > INT32_MAX)
		log__error("record: --pid %" PRIu64 " is no process id", o->pid);
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
	s->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return s->signals < 0 ? -errno : 0;
}

static int open_target(struct session *s)
{
	if (!s->options.pid)
		return 0;
	s->target = syscall(SYS_pidfd_open, (pid_t)s->options.pid, 0);
	if (s->target >= 0)
		return 0;
	log__error("record: cannot follow process %" PRIu64 " (%s)", s->options.pid,
		   errno == ESRCH ? "there is none" : strerror(errno));
	return -errno;
}

static int open_timer(struct session *s)
{
	struct itimerspec when = {
		.it_value = { .tv_sec = s->options.duration_ns / NS_PER_SECOND,
			      .tv_nsec = s->options.duration_ns % NS_PER_SECOND },
	};

	if (!s->options.duration_ns)
		return 0;
	s->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	if (s->timer < 0 || timerfd_settime(s->timer, 0, &when, NULL))
		return -errno;
	return 0;
}

static int open_output(struct session *s)
{
	if (!strcmp(s->options.output, "-"))
		s->out = fdopen(fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0), "w");
	else
		s->out = fopen(s->options.output, "we");
	if (s->out)
		return 0;
	log__error("record: cannot write %s (%s)", s->options.output, strerror(errno));
	return -errno;
}

static int write_header(struct session *s)
{
	union sample sample;

	collect__describe(s->collector, &sample.header);
	if (s->options.time_basis)
		snprintf(sample.header.time_basis, sizeof(sample.header.time_basis), "%s",
			 s->options.time_basis);
	return write_sample(s, SAMPLE_HEADER, &sample);
}

/* Whether a signal means that recording ends. */
static bool take_signal(struct session *s)
{
	struct signalfd_siginfo info;
	bool done = false;

	while (read(s->signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGCHLD) {
			done |= child__reap(&s->child);
		} else {
			s->signal = info.ssi_signo;
			done = true;
		}
	}
	return done;
}

static int follow(struct session *s)
{
	struct pollfd fds[] = {
		{ .fd = s->signals, .events = POLLIN },
		{ .fd = collect__fd(s->collector), .events = POLLIN },
		{ .fd = s->timer, .events = POLLIN },
		{ .fd = s->target, .events = POLLIN },
	};

	for (;;) {
		int err;

		if (poll(fds, sizeof(fds) / sizeof(fds[0]), -1) < 0 && errno != EINTR)
			return -errno;
		err = collect__read(s->collector);
		if (err)
			return err;
		if (take_signal(s) || fds[2].revents || fds[3].revents)
			return 0;
	}
}

static int write_end(struct session *s)
{
	struct timespec now;
	union sample sample;

	field__clear(sample__table(SAMPLE_END), &sample);
	clock_gettime(CLOCK_MONOTONIC, &now);
	sample.end.t_ns = now.tv_sec * NS_PER_SECOND + now.tv_nsec;
	collect__lost(s->collector, &sample.end.lost);
	if (s->child.ended)
		sample.end.child_status = s->child.status;
	for (size_t i = 0; i < sample.end.lost.count; i++)
		if (sample.end.lost.at[i].number)
			log__warn("record: %" PRIu64 " events were lost (%s); the recording says so",
				  sample.end.lost.at[i].number, sample.end.lost.at[i].name);
	return write_sample(s, SAMPLE_END, &sample);
}

static int open_collector(struct session *s)
{
	struct collect_options options = {
		.command = "record",
		.measure = MEASURE_ALL,
		.require = BIT_OF(HWDBM_MEASURE_SYNC) | BIT_OF(HWDBM_MEASURE_KVM_SYNC),
		.count_every = 1,
		.pid = s->child.pid ?: (pid_t)s->options.pid,
	};

	if (s->options.avoid)
		probes__parse_kinds(s->options.avoid, &options.avoid);
	return collect__open(&s->collector, &options, write_sample, s);
}

static int start(struct session *s, char **command)
{
	int err = open_signals(s);

	err = err ?: open_target(s);
	err = err ?: open_timer(s);
	if (!err && *command) {
		err = child__prepare(&s->child, command);
		if (err)
			log__error("record: cannot start a process (%s)", strerror(-err));
	}
	if (err)
		return err;
	err = open_collector(s);
	err = err ?: open_output(s);
	err = err ?: write_header(s);
	if (!err && !*command && !s->options.duration_ns)
		log__info("record: writing to %s until Ctrl-C%s", s->options.output,
			  s->options.pid ? " or the end of the process" : "");
	if (err || !*command)
		return err;
	err = child__start(&s->child);
	if (err)
		log__error("record: cannot run %s (%s)", command[0], strerror(-err));
	return err;
}

/* Stops the command first: what it does while ending is recorded too. */
static int finish(struct session *s)
{
	int err, ended;

	child__stop(&s->child);
	err = collect__finish(s->collector);
	ended = write_end(s);
	return err ?: ended;
}

static int run(struct session *s, char **command)
{
	int err = start(s, command), ended = 0;

	err = err ?: follow(s);
	/* After a failed write there is no use in another. */
	if (s->collector && s->out && !s->write_error)
		ended = finish(s);
	if (s->write_error)
		log__error("record: cannot write %s (%s); %swhat was written before can be read",
			   s->options.output, strerror(-s->write_error),
			   s->child.pid ? "the command was stopped; " : "");
	else if (!err && ended)
		log__error("record: cannot read the last events (%s)", strerror(-ended));
	child__stop(&s->child);
	return err ?: ended;
}

static int status_of(const struct session *s, int err)
{
	if (err)
		return COMMAND_FAILED;
	if (s->signal) {
		log__info("record: stopped by SIG%s; %s is complete up to here",
			  sigabbrev_np(s->signal), s->options.output);
		return 128 + s->signal;
	}
	if (s->child.pid && s->child.status)
		log__info("record: the command ended with status %d; %s is complete",
			  s->child.status, s->options.output);
	return s->child.pid ? s->child.status : COMMAND_OK;
}

int record__main(int argc, char **argv)
{
	struct session s = {
		.options = { .output = "recording.jsonl" }, .child = CHILD_NONE,
		.signals = -1, .timer = -1, .target = -1,
	};
	int first = options__parse(&spec, &s.options, argc, argv);
	int err;

	if (first == -ECANCELED)
		return COMMAND_OK;
	if (first < 0 || check_options(&s.options, first < argc))
		return COMMAND_USAGE;
	log__set_verbose(s.options.verbose);

	err = run(&s, argv + first);
	collect__free(s.collector);
	if (s.out && fclose(s.out) && !err) {
		log__error("record: cannot write %s (%s)", s.options.output, strerror(errno));
		err = -errno;
	}
	cleanup__close(&s.signals);
	cleanup__close(&s.timer);
	cleanup__close(&s.target);
	return status_of(&s, err);
}
