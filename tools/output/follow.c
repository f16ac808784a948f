// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files that grow, line by line. A replaced file is known by its inode, one that was begun
 * anew by its size or its first bytes. Not here: what a line means (recording.c).
 */
#define _GNU_SOURCE
#include "follow.h"
#include "recording.h"
#include "../lib/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define CHUNK 65536
#define HEAD 256		/* first bytes that tell one recording from the next */

struct tail {
	char *path;
	int fd;			/* -1: not there yet */
	off_t offset;		/* of the first byte not read yet */
	size_t number;		/* of the last whole line */
	char *line;		/* what was read of the line after that */
	size_t length;
	size_t size;
	char head[HEAD];
	size_t head_length;
};

struct follow {
	char *path;
	char *plan;		/* NULL: a recording alone */
	bool planned;
	struct tail tails[2];	/* the recording, the VMM's log */
	size_t tail_count;
	struct run *run;
};

/* ---- one file ---------------------------------------------------------------------- */

static void tail__rewind(struct tail *tail)
{
	if (tail->fd >= 0)
		close(tail->fd);
	tail->fd = -1;
	tail->offset = 0;
	tail->number = 0;
	tail->length = 0;
	tail->head_length = 0;
}

static bool starts_differently(const struct tail *tail)
{
	char head[HEAD];

	return pread(tail->fd, head, tail->head_length, 0) != (ssize_t)tail->head_length ||
	       memcmp(head, tail->head, tail->head_length);
}

/* Whether the path names other content than what was read so far. */
static bool was_replaced(const struct tail *tail)
{
	struct stat named, opened;

	if (tail->fd < 0 || fstat(tail->fd, &opened))
		return false;
	if (opened.st_size < tail->offset || starts_differently(tail))
		return true;
	/* A file that was moved away is still the migration that was followed. */
	if (stat(tail->path, &named))
		return false;
	return named.st_dev != opened.st_dev || named.st_ino != opened.st_ino;
}

static int tail__open(struct tail *tail)
{
	if (tail->fd >= 0)
		return 0;
	tail->fd = open(tail->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	return tail->fd >= 0 || errno == ENOENT ? 0 : -errno;
}

static int keep(struct tail *tail, const char *from, size_t length)
{
	if (tail->size - tail->length < length) {
		size_t size = (tail->length + length) * 2;
		char *line = realloc(tail->line, size);

		if (!line)
			return -ENOMEM;
		tail->line = line;
		tail->size = size;
	}
	memcpy(tail->line + tail->length, from, length);
	tail->length += length;
	return 0;
}

static int take_lines(struct tail *tail, const char *chunk, size_t length, struct run *run)
{
	while (length) {
		const char *end = memchr(chunk, '\n', length);
		size_t part = end ? (size_t)(end - chunk) + 1 : length;
		int err = keep(tail, chunk, part);

		if (!err && end) {
			err = recording__add_line(tail->path, ++tail->number, tail->line,
						  tail->length, run);
			tail->length = 0;
		}
		/* A line that is no sample was named in a message; those after it may be good. */
		if (err && err != -EINVAL)
			return err;
		chunk += part;
		length -= part;
	}
	return 0;
}

static void keep_head(struct tail *tail, const char *chunk, size_t length)
{
	size_t room = sizeof(tail->head) - tail->head_length;
	size_t part = length < room ? length : room;

	memcpy(tail->head + tail->head_length, chunk, part);
	tail->head_length += part;
}

static int tail__read(struct tail *tail, struct run *run)
{
	_cleanup_free_ char *chunk = malloc(CHUNK);
	int err = chunk ? tail__open(tail) : -ENOMEM;
	ssize_t length = 0;

	while (!err && tail->fd >= 0 &&
	       (length = pread(tail->fd, chunk, CHUNK, tail->offset)) > 0) {
		tail->offset += length;
		keep_head(tail, chunk, (size_t)length);
		err = take_lines(tail, chunk, (size_t)length, run);
	}
	return err ? err : length < 0 ? -errno : 0;
}

/* ---- the run ----------------------------------------------------------------------- */

static int start_run(struct follow *follow)
{
	struct run *run;
	int err = run__new(&run);

	if (err)
		return err;
	recording__name_run(follow->path, run);
	run__free(follow->run);
	follow->run = run;
	follow->planned = false;
	for (size_t i = 0; i < follow->tail_count; i++)
		tail__rewind(&follow->tails[i]);
	return 0;
}

static int add_tail(struct follow *follow, const char *name)
{
	struct tail *tail = &follow->tails[follow->tail_count];

	*tail = (struct tail){ .fd = -1 };
	if (!name)
		tail->path = strdup(follow->path);
	else if (asprintf(&tail->path, "%s/%s", follow->path, name) < 0)
		tail->path = NULL;
	if (!tail->path)
		return -ENOMEM;
	follow->tail_count++;
	return 0;
}

static int add_folder(struct follow *follow)
{
	if (asprintf(&follow->plan, "%s/run.json", follow->path) < 0) {
		follow->plan = NULL;
		return -ENOMEM;
	}
	return add_tail(follow, "recording.jsonl") ?: add_tail(follow, "vmm.jsonl");
}

int follow__open(const char *path, struct follow **out)
{
	struct follow *follow;
	struct stat info;
	int err;

	if (stat(path, &info))
		return -errno;
	if (!S_ISDIR(info.st_mode) && access(path, R_OK))
		return -errno;
	follow = calloc(1, sizeof(*follow));
	if (!follow)
		return -ENOMEM;
	follow->path = strdup(path);
	err = !follow->path ? -ENOMEM : S_ISDIR(info.st_mode) ? add_folder(follow) :
								add_tail(follow, NULL);
	err = err ?: start_run(follow);
	err = err ?: run__update(follow->run);
	if (err) {
		follow__close(follow);
		return err;
	}
	*out = follow;
	return 0;
}

int follow__update(struct follow *follow)
{
	bool replaced = false;
	int err = 0;

	for (size_t i = 0; i < follow->tail_count; i++)
		replaced = replaced || was_replaced(&follow->tails[i]);
	if (replaced)
		err = start_run(follow);
	if (!err && follow->plan && !follow->planned && !access(follow->plan, R_OK)) {
		err = recording__load_plan(follow->plan, follow->run);
		/* A plan that cannot be read was named in a message; once is enough. */
		follow->planned = !err || err == -EINVAL;
		err = err == -EINVAL ? 0 : err;
	}
	for (size_t i = 0; !err && i < follow->tail_count; i++)
		err = tail__read(&follow->tails[i], follow->run);
	return err ?: run__update(follow->run);
}

struct run *follow__run(const struct follow *follow)
{
	return follow->run;
}

const char *follow__path(const struct follow *follow)
{
	return follow->path;
}

void follow__close(struct follow *follow)
{
	if (!follow)
		return;
	for (size_t i = 0; i < follow->tail_count; i++) {
		tail__rewind(&follow->tails[i]);
		free(follow->tails[i].path);
		free(follow->tails[i].line);
	}
	run__free(follow->run);
	free(follow->plan);
	free(follow->path);
	free(follow);
}
