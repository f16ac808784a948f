/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Files of tracefs, whether it is mounted or not. Not here: anything that changes what is
 * traced.
 */
#ifndef HWDBM_COLLECT_TRACEFS_H
#define HWDBM_COLLECT_TRACEFS_H

#include <stdio.h>

/**
 * tracefs__open() - open a file for reading, through a mount of our own that nobody else sees
 * Return: the file, or NULL with errno set.
 */
FILE *tracefs__open(const char *name);

/**
 * tracefs__syscall() - the number of the event where a system call begins or ends
 *
 * @side: "enter" or "exit"
 *
 * Return: the number, or -errno.
 */
int tracefs__syscall(const char *side, const char *name);

#endif
