/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The recordings that a command draws its conclusions from, be it a file or the folder of a
 * test-bed run: the same messages everywhere, and what is before a damage is used. Not here: what
 * the samples are for, nor recordings that are shown as they are (kept.h).
 */
#ifndef HWDBM_COMMANDS_LOAD_H
#define HWDBM_COMMANDS_LOAD_H

#include "../output/recording.h"

#include <stdbool.h>

struct load {
	const char *command;		/* whose messages these are */
	sample_handler handler;
	void *context;			/* of the handler */
	const uint64_t *syncs;		/* that the handler has counted so far */
	bool needs_sync;		/* before a damage, or nothing of that recording is used */
	bool wants_settings;		/* of a folder: a test bed's VMM logs its settings apart */
	bool has_header, has_end;	/* the recording that was read last */
	bool unsound;			/* any of them was damaged or cut off */
};

/**
 * load__recording() - hand on all samples of a recording, as far as they are good
 *
 * All messages are given here.
 *
 * @path: of a file, or of the folder of a test-bed run
 *
 * Return: 0, also if only what is before a damage was used; -EINVAL or -errno if it cannot be used.
 */
int load__recording(struct load *load, const char *path);

#endif
