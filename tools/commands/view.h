/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is looked at beside the kernel's events while a session runs: the connections of a
 * VMM that migrates, and what the VMM itself says. Its samples join the others on their
 * way to the command. Not here: the loop (session.h).
 */
#ifndef HWDBM_COMMANDS_VIEW_H
#define HWDBM_COMMANDS_VIEW_H

#include "kept.h"
#include "session.h"
#include "../collect/libvirt.h"
#include "../collect/qmp.h"
#include "../collect/transfer.h"

struct view_options {
	const char *command;		/* whose messages these are */
	const char *qmp;		/* socket, or NULL */
	const char *libvirt;		/* URI, or NULL */
	uint64_t interval_ns;		/* between two looks, if less than a second; 0: a second */
	bool transfer;			/* whether connections are wanted */
	bool moments;			/* and at which moment each had carried how much */
	const char *outcome;		/* what follows when it is over, to be announced; or NULL */
	sample_handler handler;		/* of the command */
	int (*begun)(void *context);	/* all is open, and nothing was seen yet; may be NULL */
	void *context;			/* of both */
};

struct view_process;

struct view {
	struct view_options options;
	struct session *session;
	struct qmp *qmp;
	struct libvirt *libvirt;
	struct view_process *processes;
	size_t count;
	uint64_t pid;			/* that the session follows; 0: all */
	bool is_stopped;		/* the VMM has said so, and not yet how long it was */
	int timer;
	int moments;			/* the next look at connections that carry something */
};

#define VIEW_NONE { .timer = -1, .moments = -1 }

/* Lines of an option table; @type is the struct that has the members qmp and libvirt. */
#define VIEW_OPTIONS(type)									\
	{ "qmp", 0, OPTION_TEXT, offsetof(struct type, qmp), "SOCKET",				\
	  "show beside it what QEMU says on this monitor" },					\
	{ "libvirt", 0, OPTION_TEXT, offsetof(struct type, libvirt), "URI",			\
	  "show beside it what libvirt says of the VM" }

/**
 * view__check() - whether the options go together, and with those of the session
 * Return: 0, or -EINVAL after a message.
 */
int view__check(const struct view_options *options, const struct session_options *session);

/**
 * view__check_input() - view__check() and session__check() for a command that draws its answer from
 * recordings or from a VM that it watches, but not from both
 *
 * @avoid, @output: what --avoid and -o say, or NULL
 *
 * Return: 0, or -EINVAL after a message.
 */
int view__check_input(const struct view_options *options, struct session_options *session,
		      const char *avoid, const char *output, bool has_recording);

/**
 * view__open() - connect to the VMM, and watch in this session, which is open
 *
 * The session's handler has to be view__take(), its context, and so that of the tick, the
 * view. No sample comes before session__follow(). Says on stderr what is wrong when it
 * fails. End with view__close() in every case.
 *
 * Return: 0 or -errno.
 */
int view__open(struct view *view, const struct view_options *options, struct session *session);

/**
 * view__run() - a whole session with a view and with what is kept of it: from opening all three
 * until the end sample, and what there is to be said meanwhile
 *
 * What is kept is left open, and a write that failed is left to kept__explain(). End with
 * view__close() and session__close() in every case.
 *
 * @command: as that of session__open(); NULL: none
 *
 * Return: 0 or -errno.
 */
int view__run(struct view *view, const struct view_options *options, struct session *session,
	      const struct session_options *session_options, struct kept *kept, char **command);

/** view__take() - a sample_handler that passes on to the command what it gets and what it sees */
int view__take(void *view, enum sample_kind kind, union sample *sample);

/** view__close() - free what it holds */
void view__close(struct view *view);

#endif
