// SPDX-License-Identifier: GPL-2.0-only
/*
 * A file is written under another name beside its own, and renamed. Not here: what is in it.
 */
#define _GNU_SOURCE
#include "draft.h"
#include "recording.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A name for something that is open already: renamed over, that would go on without a name. */
static bool is_open_file(const char *path)
{
	return !strncmp(path, "/dev/std", 8) || !strncmp(path, "/dev/fd/", 8) || !strncmp(path, "/proc/", 6);
}

/* Whoever may write the file decides, not whoever may write its folder. */
static int look(const char *path, struct stat *before, bool *direct)
{
	if (stat(path, before)) {
		before->st_mode = 0;
		return errno == ENOENT ? 0 : -errno;
	}
	*direct = !S_ISREG(before->st_mode);
	return *direct || !access(path, W_OK) ? 0 : -errno;
}

/* A link stays one: what it points to is replaced. */
static int name_it(struct draft *draft, const char *path, bool exists)
{
	draft->path = exists ? realpath(path, NULL) : strdup(path);
	if (!draft->path)
		return -errno;
	if (asprintf(&draft->scratch, "%s.%d.part", draft->path, (int)getpid()) >= 0)
		return 0;
	draft->scratch = NULL;
	return -ENOMEM;
}

static void forget(struct draft *draft)
{
	free(draft->path);
	free(draft->scratch);
	draft->path = NULL;
	draft->scratch = NULL;
}

static int open_scratch(struct draft *draft, const struct stat *before)
{
	int fd = open(draft->scratch, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666), err;

	if (fd < 0)
		return -errno;
	/* As far as we may; the old file's owner and rights are no reason to have no new one. */
	if (before->st_mode && (fchown(fd, before->st_uid, before->st_gid) || fchmod(fd, before->st_mode & 07777)))
		errno = 0;
	draft->out = fdopen(fd, "w");
	if (draft->out)
		return 0;
	err = -errno;
	close(fd);
	unlink(draft->scratch);
	return err;
}

int draft__open(struct draft *draft, const char *path)
{
	bool direct = !strcmp(path, "-") || is_open_file(path);
	struct stat before = { 0 };
	int err = direct ? 0 : look(path, &before, &direct);

	*draft = (struct draft){ 0 };
	if (!err && !direct) {
		err = name_it(draft, path, before.st_mode) ?: open_scratch(draft, &before);
		if (!err)
			return 0;
		forget(draft);
		if (!before.st_mode || (err != -EACCES && err != -EROFS && err != -EPERM))
			return err;
		err = 0;
	}
	if (!err)
		draft->out = recording__create(path);
	return err ?: draft->out ? 0 : -errno;
}

int draft__finish(struct draft *draft, int err)
{
	errno = 0;
	if (draft->out && fclose(draft->out) && !err)
		err = -(errno ?: EIO);
	if (draft->path && !err && rename(draft->scratch, draft->path))
		err = -errno;
	if (draft->path && err)
		unlink(draft->scratch);
	forget(draft);
	draft->out = NULL;
	return err;
}
