/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a process has sent over TCP, as the kernel's own counters of each connection say:
 * no probe, no change, and nothing that other processes pay for. Not here: other kinds of
 * socket, whose bytes the kernel does not count.
 */
#ifndef HWDBM_COLLECT_TRANSFER_H
#define HWDBM_COLLECT_TRANSFER_H

#include "../model/sample.h"

#include <sys/types.h>

struct transfer_socket;

/* Begin with TRANSFER_NONE. */
struct transfer {
	pid_t pid;
	int process;			/* pidfd */
	int descriptors;		/* /proc/PID/fd; a stranger of that number is not taken for it */
	int netlink;			/* in the network namespace of the process */
	int farewells;			/* likewise: tells of connections that are closed; -1: nobody asked */
	int error;			/* why there is none of these; 0: there is */
	bool foreign;			/* another network namespace than ours */
	uint64_t listed_ns;		/* when its descriptors were looked through */
	uint64_t expected_ns;		/* until then its migration may still connect */
	struct transfer_socket *sockets;
	size_t count;
};

#define TRANSFER_NONE { .process = -1, .descriptors = -1, .netlink = -1, .farewells = -1 }

/** transfer__open() - get ready to look at a process; what fails is said in the samples */
void transfer__open(struct transfer *transfer, pid_t pid);

/**
 * transfer__begin() - a migration begins: connections that are older are not its own
 *
 * One that was seen up to 5 seconds before counts: a VMM connects first.
 */
void transfer__begin(struct transfer *transfer, uint64_t t_ns);

/**
 * transfer__listen() - hear of connections that are closed, with all that they have carried
 *
 * Without it, what one sent between the last look and its end is missing. The kernel then
 * tells of every TCP connection in the network namespace that is closed, which takes it a
 * few microseconds each: only for as long as a migration runs.
 */
void transfer__listen(struct transfer *transfer, bool on);

/**
 * transfer__read() - fill in a sample of how it stands
 *
 * Costs a question for each of its TCP connections; every two seconds, or as long as it has
 * none, also a readlink for each of its descriptors, and a list of all TCP sockets of the
 * network namespace if there is a new one among them.
 *
 * The sample says so once the process has ended.
 *
 * Return: 0 or -ENOMEM.
 */
int transfer__read(struct transfer *transfer, struct transfer_sample *sample);

/**
 * transfer__connections() - a sample of each TCP connection that has carried something since the last
 *
 * Of those that transfer__read() has found; costs a question for each.
 *
 * Return: 0 or the handler's error.
 */
int transfer__connections(struct transfer *transfer, sample_handler handler, void *context);

/** transfer__carried() - what they have carried when they were last looked at, in both directions */
uint64_t transfer__carried(const struct transfer *transfer);

/** transfer__close() - free what it holds */
void transfer__close(struct transfer *transfer);

#endif
