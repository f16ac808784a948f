/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What every command that measures does: attach, follow a command, a process or the whole
 * host until something ends it, detach. Not here: what becomes of the samples.
 */
#ifndef HWDBM_COMMANDS_SESSION_H
#define HWDBM_COMMANDS_SESSION_H

#include "../collect/collect.h"
#include "../lib/child.h"

#include <stdbool.h>

/* Counting bitmaps takes no more of a core for each VM, unless asked for more; in millionths. */
#define COUNT_SHARE 1000

struct session_options {
	struct collect_options collect;	/* pid is that of -p */
	const char *vm;			/* name or UUID of the VM to follow instead, or NULL */
	uint64_t duration_ns;		/* 0: no limit */
	uint64_t interval_ns;		/* between two ticks; 0: none */
	const char *time_basis;		/* NULL: as found */
	bool until_command;		/* -p and a command go together: it says only how long */
	bool always;			/* attach everything at once, though no log is on */
	sample_handler handler;
	int (*tick)(void *context);	/* NULL: none */
	void *context;			/* of both */
};

/* Something else to wait for. */
struct session_watch {
	int fd;
	int (*ready)(void *context);	/* 0, or -errno to end the session */
	void *context;
};

#define SESSION_WATCHES 4

struct session {
	struct session_options options;
	struct collector *collector;
	struct child child;
	int signals;			/* signalfd */
	int timer;			/* timerfd, -1 if no duration */
	int ticks;			/* timerfd, -1 if no interval */
	int target;			/* pidfd of -p or --vm, -1 if none */
	int signal;			/* that stopped us, 0 if none */
	bool has_begun;			/* session__follow() was called */
	bool target_ended;		/* the process of -p */
	struct session_watch watches[SESSION_WATCHES];
	size_t watch_count;
	bool gave_up;			/* --max-overhead was exceeded */
};

/* Options that all such commands have; each has a uint64_t max_overhead and a bool always. */
#define SESSION_OPTIONS(type)								\
	{ "max-overhead", 0, OPTION_SHARE, offsetof(type, max_overhead), "PERCENT",	\
	  "detach if the probes take more of a core for each VM that logs" },		\
	{ "always", 0, OPTION_FLAG, offsetof(type, always), NULL,			\
	  "attach everything at once, not only while a log is on" }

/* What of the above to say under --help. */
#define SESSION_NOTES									\
	"Without a COMMAND, probes that cost others something are attached only while a log is on.\n"	\
	"Its start is seen as it happens; where nothing tells of it VMs are looked at, and a warning\n"	\
	"says how often. What may have been missed until the probes are there is counted as lost\n"	\
	"(\"late\"). A log of display memory alone does not count. If --max-overhead is exceeded,\n"	\
	"everything is detached, a message and the recording say so, and the exit status is 3.\n\n"

#define SESSION_NONE { .child = CHILD_NONE, .signals = -1, .timer = -1, .ticks = -1, .target = -1 }

/**
 * session__check() - the options that all such commands have
 *
 * @avoid: the text of --avoid, or NULL; parsed into the options
 * @has_command: whether there is a command to run
 *
 * Return: 0, or -EINVAL after a message.
 */
int session__check(struct session_options *options, const char *avoid, bool has_command);

/**
 * session__open() - hold the command back, then attach
 *
 * Says on stderr what is wrong when it fails. End with session__close() in every case.
 *
 * @command: NULL-terminated; empty: none
 *
 * Return: 0 or -errno.
 */
int session__open(struct session *session, const struct session_options *options, char **command);

/** session__watch() - call @ready whenever @fd is readable, at most SESSION_WATCHES of them */
void session__watch(struct session *session, int fd, int (*ready)(void *context), void *context);

/** session__unwatch() - and no more; may be called from @ready */
void session__unwatch(struct session *session, int fd);

/** session__header() - hand on the header sample. Return: 0 or the handler's error. */
int session__header(struct session *session);

/**
 * session__follow() - let the command run, and hand on samples until the end
 *
 * That is the end of the command, without one that of the process, of the duration, or a
 * signal.
 *
 * Return: 0, or -errno (of the handler, of the tick, or after a message).
 */
int session__follow(struct session *session, char **command);

/**
 * session__finish() - stop the command, detach, hand on what is left and the end sample
 *
 * The command is stopped first: what it does while ending is recorded too. Warns of losses. Without session__follow()
 * before it nothing is handed on.
 *
 * Return: 0 or -errno.
 */
int session__finish(struct session *session);

/**
 * session__status() - what a command that followed a session ends with
 * @err: of the command, which has been explained
 * Return: an exit status.
 */
int session__status(const struct session *session, int err);

/** session__close() - stop and free what is left, whatever state the session is in */
void session__close(struct session *session);

#endif
