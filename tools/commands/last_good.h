/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * --last-good: which recording of a folder is the last good one. Not here: comparing.
 */
#ifndef HWDBM_COMMANDS_LAST_GOOD_H
#define HWDBM_COMMANDS_LAST_GOOD_H

#include "../model/board.h"

/**
 * last_good__find() - the newest recording of a folder that is good
 *
 * Newest is by the time of its last change. Good is one that passes the limits; without limits, one
 * that is whole, lost no event, did not fail and in which no truth check found a missed page.
 * Recordings are the files and test-bed runs directly in the folder.
 *
 * @folder: a recording, or a test-bed run, is taken as it is
 * @operands: not to be compared with themselves
 * @path: set to the path; free it
 *
 * Return: 0; -ENOENT after a message if none is good; -errno after a message.
 */
int last_good__find(const char *command, const char *folder, const struct limits *limits,
		    const char *const *operands, size_t count, char **path);

#endif
