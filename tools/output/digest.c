// SPDX-License-Identifier: GPL-2.0-only
/*
 * A pipe and a process. The file is its standard input: names have no meaning to it then.
 */
#define _GNU_SOURCE
#include "digest.h"

#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static int spawn(struct digest *digest, int file, int output)
{
	char *const argv[] = { "sha256sum", NULL };
	posix_spawn_file_actions_t actions;
	int err = posix_spawn_file_actions_init(&actions);

	if (err)
		return err;
	err = posix_spawn_file_actions_adddup2(&actions, file, STDIN_FILENO);
	err = err ?: posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
	err = err ?: posix_spawnp(&digest->pid, "sha256sum", &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	return err;
}

/* What comes out of a pipe comes out of it once, and is for others. */
static int open_file(const char *path)
{
	struct stat info;

	if (stat(path, &info) || !S_ISREG(info.st_mode))
		return -1;
	return open(path, O_RDONLY | O_CLOEXEC);
}

void digest__start(struct digest *digest, const char *path)
{
	int file = open_file(path), ends[2] = { -1, -1 };

	*digest = (struct digest)DIGEST_NONE;
	if (file >= 0 && !pipe2(ends, O_CLOEXEC)) {
		if (spawn(digest, file, ends[1]))
			digest->pid = -1;
		digest->pipe = ends[0];
		close(ends[1]);
	}
	if (file >= 0)
		close(file);
}

void digest__finish(struct digest *digest, char text[DIGEST_TEXT])
{
	size_t used = 0;
	ssize_t got = 1;
	int status = -1;

	while (digest->pipe >= 0 && got > 0 && used < DIGEST_TEXT - 1) {
		got = read(digest->pipe, text + used, DIGEST_TEXT - 1 - used);
		used += got > 0 ? (size_t)got : 0;
	}
	text[used] = '\0';
	if (digest->pipe >= 0)
		close(digest->pipe);
	if (digest->pid > 0)
		waitpid(digest->pid, &status, 0);
	if (status || strspn(text, "0123456789abcdef") != DIGEST_TEXT - 1)
		text[0] = '\0';
	*digest = (struct digest)DIGEST_NONE;
}
