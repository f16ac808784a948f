/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which VMs of this host have their dirty log on, without a probe: a BPF iterator over the files
 * of one process finds one VM, and along KVM's own list all the others. Not here: what is done
 * about it (attach.h).
 */
#ifndef HWDBM_COLLECT_LOOK_H
#define HWDBM_COLLECT_LOOK_H

#include "../../bpf/records.h"

#include <stdbool.h>
#include <sys/types.h>

struct bpf_program;
struct look;

/**
 * look__open() - look at VMs from now on
 *
 * @program: the iterator
 * @result: where it leaves what it has found
 * @pid: of whom to see logs; 0: of all
 *
 * Return: 0, -EOPNOTSUPP if this kernel cannot (before 6.1), or another -errno.
 */
int look__open(struct look **out, struct bpf_program *program, struct hwdbm_look *result, pid_t pid);

void look__free(struct look *look);

/** look__fd() - becomes readable when a VM was made; -1 if nobody tells */
int look__fd(const struct look *look);

/** look__hear() - take what look__fd() has to tell; whether a VM was made */
bool look__hear(struct look *look);

/**
 * look__now() - how many followed VMs have their log on
 * Return: 0, or -errno; -EAGAIN if VMs come and go too fast to tell.
 */
int look__now(struct look *look, unsigned int *logging);

/** look__cost_ns() - processor time of the last look, but for a search of a process to begin with */
unsigned long look__cost_ns(const struct look *look);

#endif
