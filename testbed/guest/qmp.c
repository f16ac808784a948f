// SPDX-License-Identifier: GPL-2.0-only
/*
 * QEMU's monitor protocol. See qmp.h.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "qmp.h"
#include "runtime.h"

static int connect_once(const char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
	if (!connect(fd, (struct sockaddr *)&at, sizeof(at)))
		return fd;
	close(fd);
	return -errno;
}

/* A child that nobody has waited for still has a number that can be signalled. */
static bool has_ended(pid_t child)
{
	siginfo_t info = { 0 };

	return waitid(P_PID, child, &info, WEXITED | WNOHANG | WNOWAIT) || info.si_pid;
}

/* 0, -EPIPE when QEMU has ended, of which nothing is said, or -errno. */
static int ask(struct qmp *qmp, const char *command, const char *arguments)
{
	char reason[256];

	/* Not by the stream: it may hold an event that was not read yet. */
	if (dprintf(fileno(qmp->file), "{\"execute\": \"%s\", \"arguments\": %s}\n", command, arguments) < 0)
		return errno == EPIPE ? -EPIPE :
			problem(errno, "QEMU's monitor takes no '%s' (%s)", command, strerror(errno));
	do {
		if (getline(&qmp->line, &qmp->room, qmp->file) < 0)
			return -EPIPE;
	} while (!strncmp(qmp->line, "{\"timestamp\"", 12));
	if (!strncmp(qmp->line, "{\"error\"", 8)) {
		qmp_text(qmp, "desc", reason, sizeof(reason));
		return problem(EPROTO, "QEMU refuses '%s': %s", command, reason);
	}
	return 0;
}

int qmp_open(struct qmp *qmp, const char *path, pid_t child, unsigned int seconds)
{
	uint64_t end = clock_ns() + seconds * NSEC_PER_SEC;
	int fd, err;

	*qmp = (struct qmp){ 0 };
	while ((fd = connect_once(path)) < 0) {
		if (interrupted)
			return -EINTR;
		if (has_ended(child))
			return -ECHILD;
		if (clock_ns() > end)
			return problem(ETIMEDOUT, "QEMU does not open its monitor %s", path);
		usleep(50000);
	}
	qmp->file = fdopen(fd, "r");
	if (!qmp->file) {
		close(fd);
		return -ENOMEM;
	}
	if (getline(&qmp->line, &qmp->room, qmp->file) < 0) {
		qmp_close(qmp);
		return -ECHILD;
	}
	err = ask(qmp, "qmp_capabilities", "{}");
	return err == -EPIPE ? -ECHILD : err;
}

void qmp_close(struct qmp *qmp)
{
	if (qmp->file)
		fclose(qmp->file);
	free(qmp->line);
	*qmp = (struct qmp){ 0 };
}

int qmp_call(struct qmp *qmp, const char *command, const char *arguments, ...)
{
	__cleanup_free char *text = NULL;
	va_list args;
	int err;

	if (!qmp->file)
		return -ENOTCONN;
	va_start(args, arguments);
	err = vasprintf(&text, arguments, args);
	va_end(args);
	if (err < 0)
		return -ENOMEM;
	err = ask(qmp, command, text);
	return err == -EPIPE ? problem(EPIPE, "QEMU has ended at '%s'", command) : err;
}

void qmp_quit(struct qmp *qmp)
{
	if (qmp->file)
		dprintf(fileno(qmp->file), "{\"execute\": \"quit\"}\n");
}

/* Of "outer.name", the first 'name' behind 'outer' */
static const char *value_of(const struct qmp *qmp, const char *name)
{
	const char *at = qmp->line;

	while (at && *name) {
		size_t bytes = strcspn(name, ".");
		char key[64];

		snprintf(key, sizeof(key), "\"%.*s\": ", (int)bytes, name);
		at = strstr(at, key);
		at += at ? strlen(key) : 0;
		name += bytes + (name[bytes] == '.');
	}
	return at;
}

bool qmp_number(const struct qmp *qmp, const char *name, uint64_t *value)
{
	const char *at = value_of(qmp, name);
	char *end;

	if (!at)
		return false;
	*value = strtoull(at, &end, 10);
	return end != at;
}

void qmp_text(const struct qmp *qmp, const char *name, char *text, size_t size)
{
	const char *at = value_of(qmp, name);
	size_t used = 0;

	if (at && *at == '"')
		for (at++; *at && *at != '"' && used + 1 < size; at++) {
			if (*at == '\\' && at[1])
				at++;
			text[used++] = *at;
		}
	text[used] = '\0';
}

bool qmp_is(const struct qmp *qmp, const char *name, const char *text)
{
	char value[64];

	qmp_text(qmp, name, value, sizeof(value));
	return !strcmp(value, text);
}
