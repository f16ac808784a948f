/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Settings that are held for a time and then put back, whatever happens: a watcher in a
 * session of its own sets them, waits, and undoes them when the time is up, a guard is
 * breached, the VM ends, or the command that started it is gone. Should the watcher itself
 * be killed, the command undoes them. Should both be, what was set is on record, and the
 * next "hwdbm tune --undo" puts it back. Not here: which settings (tune.c).
 */
#ifndef HWDBM_COMMANDS_TUNE_HOLD_H
#define HWDBM_COMMANDS_TUNE_HOLD_H

#include "../collect/knobs.h"

#define TUNE_MOST 24
#define TUNE_GUARDS 8

/* What a held setting went through; survives in shared memory. */
struct tune_setting {
	struct knob_place place;
	char wanted[KNOB_TEXT];
	char before[KNOB_TEXT];
	char set[KNOB_TEXT];		/* as the kernel shows what it took */
	enum { TUNE_UNTOUCHED, TUNE_WRITING, TUNE_SET, TUNE_UNDONE, TUNE_KEPT } state;
	char record[64];		/* its file under TUNE_DIR, which is locked */
	int lock;
};

enum tune_guard_kind { GUARD_CPU, GUARD_MEMORY, GUARD_PRESSURE, GUARD_SYNC, GUARD_KINDS };

struct tune_guard {
	enum tune_guard_kind kind;
	double limit;			/* percent, bytes, or nanoseconds */
};

enum tune_end { TUNE_NOT_ENDED, TUNE_TIME, TUNE_SIGNAL, TUNE_GONE, TUNE_BREACH, TUNE_VM_ENDED,
		TUNE_FAILED };

struct tune {
	struct tune_setting settings[TUNE_MOST];
	size_t count;
	struct tune_guard guards[TUNE_GUARDS];
	size_t guard_count;
	uint64_t for_ns;
	int pidfd;			/* of the VM; -1: the host's settings */
	pid_t pid;			/* the same; 0 */
	enum tune_end end;
	int signal;
};

/** tune__new() - in memory that a child shares; never freed. NULL without memory */
struct tune *tune__new(void);

/**
 * tune__parse_guard() - "cpu<80%", "memory>2G", "pressure<10%", "sync<50ms"
 * Return: 0, or -EINVAL after a message.
 */
int tune__parse_guard(const char *text, struct tune_guard *guard);

/**
 * tune__lock() - make sure nobody else holds these settings, and read what they are
 *
 * Says on stderr who does, or what is left of a tune that was killed.
 *
 * Return: 0 or -errno.
 */
int tune__lock(struct tune *tune);

/**
 * tune__hold() - set, wait, undo
 *
 * Says on stderr what happens, and the same in the journal.
 *
 * Return: 0 if all is as it was before; -ESTALE if somebody else has changed a setting
 * meanwhile, which then stays; -ECANCELED if a guard was breached; another -errno, and
 * then nothing is changed. tune->end and tune->signal say what ended it.
 */
int tune__hold(struct tune *tune);

/** tune__undo_left() - put back what tunes that were killed have left. Return: 0 or -errno */
int tune__undo_left(void);

/** tune__warn_left() - say on stderr what tunes that were killed have left, as far as it may be seen */
void tune__warn_left(void);

#endif
