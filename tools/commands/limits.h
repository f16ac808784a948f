/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Limits as people write them: "blackout=300ms", one by one or as a file. Not here: judging.
 */
#ifndef HWDBM_COMMANDS_LIMITS_H
#define HWDBM_COMMANDS_LIMITS_H

#include "../lib/options.h"
#include "../model/board.h"

#define LIMITS_HELP								\
	"Limits are NAME=VALUE: blackout, downtime, total, brownout (times: 300ms, 2s), sent\n"	\
	"(bytes: 4G), iterations, missed, lost (counts), overhead (of a core: 0.1%). A file of\n"	\
	"them has one in a line; \"#\" begins a comment."

/**
 * limits__parse() - take limits, each instead of one that was there before
 *
 * Two different ones on the same quantity are refused: either could have been meant.
 *
 * Return: 0, or -EINVAL after a message.
 */
int limits__parse(struct limits *limits, const char *command, const struct option_texts *texts);

/** limits__load() - the same from a file. Return: 0, or -errno after a message. */
int limits__load(struct limits *limits, const char *command, const char *path);

#endif
