// SPDX-License-Identifier: GPL-2.0-only
/*
 * A pipe is written in pieces that do not block once there is room, and room is waited for in steps.
 */
#define _GNU_SOURCE
#include "stream.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATIENCE_MS 500
#define STEP_MS 50

struct pipe_end {
	int fd;
	bool is_given_up;
};

static bool hurries;

int stream__stop_signal(void)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	sigset_t pending;

	sigpending(&pending);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		if (sigismember(&pending, signals[i]))
			return signals[i];
	return 0;
}

void stream__hurry(void)
{
	hurries = true;
}

/* Whether there is room, or an error that write() will name. */
static bool await_room(int fd)
{
	struct pollfd room = { .fd = fd, .events = POLLOUT };

	for (int waited = 0; waited < PATIENCE_MS;) {
		int ready = poll(&room, 1, STEP_MS);

		if (ready > 0 || (ready < 0 && errno != EINTR))
			return true;
		if (hurries || stream__stop_signal())
			waited += STEP_MS;
	}
	return false;
}

static ssize_t put(void *cookie, const char *text, size_t size)
{
	struct pipe_end *end = cookie;
	size_t done = 0;

	while (done < size) {
		size_t piece = size - done < PIPE_BUF ? size - done : PIPE_BUF;
		ssize_t put;

		end->is_given_up = end->is_given_up || !await_room(end->fd);
		if (end->is_given_up) {
			errno = ETIMEDOUT;
			break;
		}
		put = write(end->fd, text + done, piece);
		if (put >= 0)
			done += put;
		else if (errno != EINTR && errno != EAGAIN)
			break;
	}
	/* What a stream takes for an error is that it is less. */
	return done;
}

static int put_away(void *cookie)
{
	struct pipe_end *end = cookie;
	int err = close(end->fd);

	free(end);
	return err;
}

static FILE *open_pipe(int fd)
{
	static const cookie_io_functions_t functions = { .write = put, .close = put_away };
	struct pipe_end *end = calloc(1, sizeof(*end));
	FILE *stream = end ? fopencookie(end, "w", functions) : NULL;

	if (stream)
		end->fd = fd;
	else
		free(end);
	return stream;
}

/* A terminal is not one: Ctrl-C lets it go on. */
static bool is_pipe(int fd)
{
	struct stat info;

	return !fstat(fd, &info) && (S_ISFIFO(info.st_mode) || S_ISSOCK(info.st_mode));
}

FILE *stream__open(int fd)
{
	return is_pipe(fd) ? open_pipe(fd) : fdopen(fd, "w");
}

/* Without memory for it a stream stays as it was. */
static void guard(FILE **stream, int fd, int buffering)
{
	FILE *guarded = is_pipe(fd) ? open_pipe(fd) : NULL;

	if (!guarded)
		return;
	setvbuf(guarded, NULL, buffering, BUFSIZ);
	fflush(*stream);
	*stream = guarded;
}

void stream__guard(void)
{
	guard(&stdout, STDOUT_FILENO, _IOFBF);
	guard(&stderr, STDERR_FILENO, _IONBF);
}

const char *stream__error(int err)
{
	return err == -ETIMEDOUT ? "nobody reads what is there" : strerror(-err);
}
