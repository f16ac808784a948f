/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * SHA-256 of a file, by coreutils' sha256sum in a process of its own, so that it is computed
 * while the file is read. Not here: any cryptography.
 */
#ifndef HWDBM_OUTPUT_DIGEST_H
#define HWDBM_OUTPUT_DIGEST_H

#include <stdbool.h>
#include <sys/types.h>

#define DIGEST_TEXT 65

struct digest {
	pid_t pid;
	int pipe;
};

#define DIGEST_NONE { .pid = -1, .pipe = -1 }

/** digest__start() - begin with a file, which has to be a regular one; what fails is told by digest__finish() */
void digest__start(struct digest *digest, const char *path);

/**
 * digest__finish() - wait for the digest
 * @text: 64 hexadecimal digits, or "" if there is none
 */
void digest__finish(struct digest *digest, char text[DIGEST_TEXT]);

#endif
