/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A file that is there as a whole or not at all: what was there before stays until the new
 * one is complete. Not here: recordings, which have to be readable while they grow.
 */
#ifndef HWDBM_OUTPUT_DRAFT_H
#define HWDBM_OUTPUT_DRAFT_H

#include <stdio.h>

struct draft {
	FILE *out;
	char *path;			/* that it will have; NULL: it is written where it stands */
	char *scratch;			/* that it has until then */
};

/**
 * draft__open() - a stream for what @path is to hold
 *
 * "-" is stdout. What is no regular file (a pipe, a device) is written directly, and so is a
 * file in a folder where no other can be made.
 *
 * Return: 0 or -errno. End with draft__finish().
 */
int draft__open(struct draft *draft, const char *path);

/**
 * draft__finish() - put it in its place, or remove it
 * @err: of what was written; if that failed, nothing is put in its place
 *
 * Return: @err, or -errno of the rest.
 */
int draft__finish(struct draft *draft, int err);

#endif
