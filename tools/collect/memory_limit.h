/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the memory cgroup of a process leaves: page tables are charged to it. Not here: who
 * else is in it.
 */
#ifndef HWDBM_COLLECT_MEMORY_LIMIT_H
#define HWDBM_COLLECT_MEMORY_LIMIT_H

#include <stdint.h>
#include <sys/types.h>

/**
 * memory_limit__left() - bytes until the nearest limit of the process's cgroups (version 2)
 *
 * @bytes: untouched on failure
 *
 * Return: 0; -ENOENT if there is no limit, or no cgroup of version 2; another -errno.
 */
int memory_limit__left(pid_t pid, uint64_t *bytes);

#endif
