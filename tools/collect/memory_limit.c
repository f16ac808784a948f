// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reads /proc/PID/cgroup and memory.max on the way up. Not here: version 1.
 */
#define _GNU_SOURCE
#include "memory_limit.h"
#include "../lib/cleanup.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define CGROUP "/sys/fs/cgroup"

/* "0::/path" is the line of version 2. */
static int read_group(pid_t pid, char *group, size_t size)
{
	_cleanup_fclose_ FILE *file = NULL;
	char path[64], line[4096];

	snprintf(path, sizeof(path), "/proc/%d/cgroup", pid);
	file = fopen(path, "re");
	if (!file)
		return -errno;
	while (fgets(line, sizeof(line), file)) {
		if (strncmp(line, "0::/", 4))
			continue;
		line[strcspn(line, "\n")] = '\0';
		snprintf(group, size, "%s", line + 3);
		return 0;
	}
	return -ENOENT;
}

/* "max" and files that are not there are no number. */
static int read_number(const char *group, const char *name, uint64_t *number)
{
	_cleanup_fclose_ FILE *file = NULL;
	char path[4200];

	snprintf(path, sizeof(path), CGROUP "%s/%s", group, name);
	file = fopen(path, "re");
	if (!file)
		return -errno;
	return fscanf(file, "%" SCNu64, number) == 1 ? 0 : -ENOENT;
}

int memory_limit__left(pid_t pid, uint64_t *bytes)
{
	char group[4096];
	uint64_t least = UINT64_MAX;
	int err = read_group(pid, group, sizeof(group));

	if (err)
		return err;
	while (*group) {
		uint64_t most, used;

		if (!read_number(group, "memory.max", &most) &&
		    !read_number(group, "memory.current", &used)) {
			uint64_t left = most > used ? most - used : 0;

			least = left < least ? left : least;
		}
		*strrchr(group, '/') = '\0';
	}
	if (least == UINT64_MAX)
		return -ENOENT;
	*bytes = least;
	return 0;
}
