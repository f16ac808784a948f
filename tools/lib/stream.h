/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Writing to a reader that may not read, by a process that has blocked the signals that stop it: one
 * that is to stop does not wait for that reader any more. Not here: what to do when told to stop.
 */
#ifndef HWDBM_LIB_STREAM_H
#define HWDBM_LIB_STREAM_H

#include <stdio.h>

/** stream__stop_signal() - Return: a signal to stop that has come, is blocked and was not taken; 0: none */
int stream__stop_signal(void);

/** stream__hurry() - such a signal was taken: nobody is waited for from here on */
void stream__hurry(void);

/**
 * stream__open() - write to a file descriptor
 * @fd: goes with the stream when it is closed
 *
 * If it is a pipe or a socket that stays full for half a second after a signal to stop, this write and
 * all later ones fail, with ETIMEDOUT.
 *
 * Return: the stream, or NULL with errno, and @fd is still the caller's.
 */
FILE *stream__open(int fd);

/** stream__guard() - the same for the standard streams, which stay what they are if they are no pipes */
void stream__guard(void);

/** stream__error() - Return: why a write failed with -@err, in words */
const char *stream__error(int err);

#endif
