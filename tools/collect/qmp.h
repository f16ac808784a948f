/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What QEMU itself says of a migration, over its monitor socket (QMP): asked, never told
 * to do anything. Not here: figures of ours, which need none of this.
 */
#ifndef HWDBM_COLLECT_QMP_H
#define HWDBM_COLLECT_QMP_H

#include "../model/sample.h"

struct qmp;

/**
 * qmp__open() - connect, and wait for the greeting
 *
 * A monitor serves one client at a time and lets others wait without a word, so that the
 * wait has an end. Says on stderr what is wrong when it fails.
 *
 * @command: who asks; begins the messages; kept, as @path is
 * @pid: for the samples; 0: unknown
 * @handler: called by qmp__read()
 * @out: set on success; free with qmp__free()
 *
 * Return: 0, -EBUSY, or another -errno.
 */
int qmp__open(struct qmp **out, const char *command, const char *path, uint64_t pid,
	      sample_handler handler, void *context);

/** qmp__fd() - becomes readable when there is something to read */
int qmp__fd(const struct qmp *qmp);

/**
 * qmp__ask() - ask how the migration stands, unless the last answer is still to come
 *
 * Warns, once, of a monitor that has been silent for too long. What cannot be sent now is asked the next time.
 */
void qmp__ask(struct qmp *qmp);

/* The monitor is not to be read or asked any more. */
#define QMP_GONE 1

/**
 * qmp__read() - take what is there, and hand on each answer
 *
 * What the monitor says that is not understood is skipped; that it refuses to answer is said once.
 *
 * Return: 0; QMP_GONE after a warning; or the handler's error.
 */
int qmp__read(struct qmp *qmp);

/** qmp__free() - close and free; NULL is fine */
void qmp__free(struct qmp *qmp);

/**
 * qmp__state() - fill a sample from the answer to query-migrate, one JSON text
 *
 * Members that are missing or of another type stay unknown.
 *
 * Return: 0, -EINVAL if it is no JSON object, or -ENOMEM.
 */
int qmp__state(const char *text, size_t length, struct vmm_state_sample *sample);

#endif
