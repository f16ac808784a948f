// SPDX-License-Identifier: GPL-2.0-only
/*
 * QEMU's version in its executable. See qemu_version.h.
 */
#define _GNU_SOURCE
#include "qemu_version.h"
#include "../lib/cleanup.h"
#include "../model/field.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

static const char intro[] = "QEMU emulator version ";

static uint64_t parse(const char *text, size_t length)
{
	const char *found = memmem(text, length, intro, sizeof(intro) - 1);
	unsigned int major, minor;
	char number[16] = "";

	if (!found)
		return UNKNOWN;
	found += sizeof(intro) - 1;
	length -= found - text;
	memcpy(number, found, length < sizeof(number) - 1 ? length : sizeof(number) - 1);
	return sscanf(number, "%3u.%2u", &major, &minor) == 2 ? major * UINT64_C(100) + minor : UNKNOWN;
}

uint64_t qemu_version__of(pid_t pid)
{
	_cleanup_close_ int fd = -1;
	uint64_t version = UNKNOWN;
	struct stat info;
	char path[32];
	void *text;

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &info) || !info.st_size)
		return UNKNOWN;
	text = mmap(NULL, info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (text == MAP_FAILED)
		return UNKNOWN;
	version = parse(text, info.st_size);
	munmap(text, info.st_size);
	return version;
}
