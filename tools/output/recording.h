/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Recordings: JSON Lines, one sample per line, each with its kind as "type". Not here:
 * what the samples mean.
 */
#ifndef HWDBM_OUTPUT_RECORDING_H
#define HWDBM_OUTPUT_RECORDING_H

#include "../model/blackout.h"
#include "../model/run.h"

#include <stdio.h>

/**
 * recording__create() - open a file for writing; "-" is stdout
 * Return: the file, or NULL with errno set.
 */
FILE *recording__create(const char *path);

/** recording__is_same() - whether two paths lead to one file, which must not be read and written at once */
bool recording__is_same(const char *one, const char *other);

/** recording__is_one() - whether a file begins as recordings, and logs of VMMs, do; pipes are not looked into */
bool recording__is_one(const char *path);

/**
 * recording__write() - write one sample as one line, and flush it
 * Return: 0, -ENOMEM, or the -errno of the write. The sample stays the caller's.
 */
int recording__write(FILE *out, enum sample_kind kind, const union sample *sample);

/* What is wrong with a recording that was read, beside a line at which reading stopped. */
struct recording_flaws {
	bool cut;			/* its last line is cut off */
	bool skewed;			/* its clock goes backwards somewhere */
	bool detached;			/* it ends before what it is of, for --max-overhead */
};

/** recording__is_flawed() - whether what was read is not the whole truth */
static inline bool recording__is_flawed(const struct recording_flaws *flaws)
{
	return flaws->cut || flaws->skewed || flaws->detached;
}

/** recording__label() - what to call it in a message: "-" is stdin */
const char *recording__label(const char *path);

/** recording__is_folder() - whether it is a directory; stdin is none */
bool recording__is_folder(const char *path);

/**
 * recording__load() - give a run all samples of a recording or of a VMM's log
 *
 * @cut: set to true if the last line was cut off, else untouched
 *
 * Return: as recording__read().
 */
int recording__load(const char *path, struct run *run, bool *cut);

/**
 * recording__read() - hand on all samples of a recording, in order
 *
 * Each file that samples are read from goes through here, so that whatever can be wrong with one is said here,
 * once: a line that is none, a second recording behind the first (reading stops at both), a
 * last line that is cut off (it is skipped), a clock that goes backwards. Empty lines and lines of
 * unknown types are skipped, the latter come from newer versions.
 *
 * @path: "-" is stdin
 * @flaws: set where there are any, else untouched
 *
 * Return: 0; -EINVAL after a message; -errno of the file (no message); the handler's error.
 */
int recording__read(const char *path, sample_handler handler, void *context,
		    struct recording_flaws *flaws);

/**
 * recording__add_line() - give a run the sample in one whole line; unknown types are skipped
 * @path, @number: for messages
 * Return: 0; -EINVAL after a message about a line that is no sample; -ENOMEM.
 */
int recording__add_line(const char *path, size_t number, const char *line, size_t length,
			struct run *run);

/**
 * recording__load_plan() - give a run what its run.json says; none is fine
 * Return: 0; -EINVAL after a message; -ENOMEM.
 */
int recording__load_plan(const char *path, struct run *run);

/** recording__name_run() - without a plan a run is called as its file or folder is */
void recording__name_run(const char *path, struct run *run);

/**
 * recording__blackout() - how long the VM stood still, where a folder has target.jsonl, too
 *
 * That is the recording of the side that recording.jsonl is not of.
 *
 * Return: 0; -ENOENT without one; -ENODATA if the two do not tell, with the reason in @out's why;
 * -EINVAL after a message; -errno. All figures are unknown then.
 */
int recording__blackout(const char *folder, struct blackout *out);

/**
 * recording__load_run() - make a run of a recording file, or of a folder of a test-bed run
 *
 * A folder holds run.json, recording.jsonl and vmm.jsonl; the recording must exist. All
 * messages are given here. The run is updated.
 *
 * @out: set on success; free with run__free()
 * @cut: as above; also set when the recording has no end
 *
 * Return: 0 or -errno.
 */
int recording__load_run(const char *path, struct run **out, bool *cut);

#endif
