/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The recording that a command keeps with -o beside what it shows, and the one that it shows
 * with -i: the same messages and exit status everywhere. Not here: what is in a recording
 * (output/recording.h).
 */
#ifndef HWDBM_COMMANDS_KEPT_H
#define HWDBM_COMMANDS_KEPT_H

#include "../output/recording.h"

#include <stdbool.h>
#include <stdio.h>

struct kept {
	const char *command;		/* whose messages these are */
	const char *path;		/* of -o; NULL: nothing is kept */
	FILE *file;
	int error;			/* -errno of a write to it */
	int output_error;		/* the command's own, of a write to stdout */
};

/**
 * kept__check() - whether -o goes together with what the command shows, which is on stdout
 * Return: 0, or -EINVAL after a message.
 */
int kept__check(const char *command, const char *path);

/** kept__open() - create the recording. Return: 0, or -errno after a message. */
int kept__open(struct kept *kept);

/** kept__write() - keep a sample. Return: 0, or the error that kept__explain() tells. */
int kept__write(struct kept *kept, enum sample_kind kind, const union sample *sample);

/** kept__failed() - whether nobody is left to be told what was seen; a recording is made whole without stdout, too */
static inline bool kept__failed(const struct kept *kept)
{
	return kept->error || (kept->output_error && !kept->file);
}

/** kept__explain() - say which write has failed, if one has */
void kept__explain(const struct kept *kept);

/**
 * kept__close() - close the recording
 * @err: what has failed before; there is one message, not two
 * Return: 0, or -errno after a message.
 */
int kept__close(struct kept *kept, int err);

/* A recording that was read to its end, or as far as it goes. */
struct shown {
	const char *path;
	bool has_header;
	bool has_end;
	bool damaged;			/* it was read up to a line that is none */
	struct recording_flaws flaws;
	const char *missing;		/* what is without an end: "what was lost is unknown" */
};

/**
 * kept__read() - hand on the samples of the recording, as far as they are good
 *
 * The handler says in @shown which of header and end it was given.
 *
 * Return: 0 if anything is to be shown, else the error that kept__shown() explains.
 */
int kept__read(struct shown *shown, sample_handler handler, void *context);

/**
 * kept__shown() - explain what was wrong with a recording
 * @err: of kept__read() and all that followed; -EINVAL has been said
 * Return: the exit status.
 */
int kept__shown(const struct kept *kept, const struct shown *shown, int err);

#endif
