/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One command run under the tool's eyes: held back until the probes are attached,
 * stopped with all its children when the tool ends. Not here: what is recorded meanwhile.
 */
#ifndef HWDBM_LIB_CHILD_H
#define HWDBM_LIB_CHILD_H

#include <stdbool.h>
#include <sys/types.h>

struct child {
	pid_t pid;		/* 0: none */
	int go;			/* pipe end; closing or writing lets the child run */
	int failure;		/* pipe end; carries errno if the command cannot be run */
	bool ended;
	int status;		/* as a shell reports it, valid once ended */
};

#define CHILD_NONE { .go = -1, .failure = -1 }

/**
 * child__prepare() - fork; the child waits for child__start()
 *
 * The child leads its own process group, which has the terminal if there is one, and
 * gets SIGTERM if this process dies.
 *
 * @argv: NULL-terminated, as for execvp()
 *
 * Return: 0 or -errno.
 */
int child__prepare(struct child *child, char **argv);

/**
 * child__start() - let the command run
 * Return: 0, or the -errno of execvp() (the child is then gone).
 */
int child__start(struct child *child);

/** child__reap() - take the exit status if the child has ended; never blocks */
bool child__reap(struct child *child);

/** child__signal() - send a signal to the child's whole process group */
void child__signal(const struct child *child, int signal);

/** child__stop() - end what is left of the child and its group, and reap it */
void child__stop(struct child *child);

#endif
