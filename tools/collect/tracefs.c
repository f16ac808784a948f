// SPDX-License-Identifier: GPL-2.0-only
/*
 * A mount that is never attached to any folder. Not here: what the files say.
 */
#include "tracefs.h"
#include "../lib/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>

FILE *tracefs__open(const char *name)
{
	_cleanup_close_ int context = fsopen("tracefs", FSOPEN_CLOEXEC);
	_cleanup_close_ int mount = -1;
	int file;

	if (context < 0 || fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		return NULL;
	mount = fsmount(context, FSMOUNT_CLOEXEC, 0);
	file = mount < 0 ? -1 : openat(mount, name, O_RDONLY | O_CLOEXEC);
	return file < 0 ? NULL : fdopen(file, "r");
}

int tracefs__syscall(const char *side, const char *name)
{
	_cleanup_fclose_ FILE *file = NULL;
	char path[96];
	int id;

	snprintf(path, sizeof(path), "events/syscalls/sys_%s_%s/id", side, name);
	file = tracefs__open(path);
	if (!file)
		return -errno;
	return fscanf(file, "%d", &id) == 1 ? id : -EIO;
}
