/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * QEMU's monitor protocol over a unix socket: one command at a time. It does not know JSON, only
 * how QEMU writes it: one answer per line, "name": value.
 */
#ifndef GUEST_QMP_H
#define GUEST_QMP_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

struct qmp {
	FILE *file;		/* NULL when closed */
	char *line;		/* the last answer */
	size_t room;
};

/*
 * Connects to the socket at 'path' and ends the greeting, waiting for it up to 'seconds'. 0, -ECHILD
 * when the child that it is of has ended meanwhile (nothing is said), or -errno.
 */
int qmp_open(struct qmp *qmp, const char *path, pid_t child, unsigned int seconds);
void qmp_close(struct qmp *qmp);

/*
 * Runs a command; 'arguments' is a JSON object. Events are skipped. The answer stays in qmp->line.
 * 0, -EPROTO when QEMU refuses (its reason is said), or -errno.
 */
int qmp_call(struct qmp *qmp, const char *command, const char *arguments, ...)
	__attribute__((format(printf, 3, 4)));

/* Asks it to end, and does not wait for that. */
void qmp_quit(struct qmp *qmp);

/* Looks into the last answer for the first "name": value; "outer.name" is the first behind outer. */
bool qmp_number(const struct qmp *qmp, const char *name, uint64_t *value);
bool qmp_is(const struct qmp *qmp, const char *name, const char *text);
/* The text of it, cut at 'size'; "" when there is none. */
void qmp_text(const struct qmp *qmp, const char *name, char *text, size_t size);

#endif
