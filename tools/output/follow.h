/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A recording that may still be written: each update reads only what is new. Not here:
 * waiting; the caller decides when to look.
 */
#ifndef HWDBM_OUTPUT_FOLLOW_H
#define HWDBM_OUTPUT_FOLLOW_H

#include "../model/run.h"

struct follow;

/**
 * follow__open() - begin to follow a recording, or the folder of a test-bed run
 *
 * The file itself must exist; in a folder it may still be to come.
 *
 * @out: set on success; end with follow__close()
 *
 * Return: 0, or -errno of the path, or -ENOMEM; no message.
 */
int follow__open(const char *path, struct follow **out);

/**
 * follow__update() - take in what was written since, and update the run
 *
 * A last line without its end waits for the rest. A file that was replaced, cut or begun
 * anew starts a new run. A line that is no sample is skipped with a message.
 *
 * Return: 0, -errno of a file that exists and cannot be read, or -ENOMEM.
 */
int follow__update(struct follow *follow);

/** follow__run() - the run as of the last update; valid until the next */
struct run *follow__run(const struct follow *follow);

/** follow__path() - what was opened */
const char *follow__path(const struct follow *follow);

/** follow__close() - forget all; NULL is fine */
void follow__close(struct follow *follow);

#endif
