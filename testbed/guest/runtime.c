// SPDX-License-Identifier: GPL-2.0-only
/*
 * Clock, problem reports, interruption, small text files. See runtime.h.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "runtime.h"

volatile sig_atomic_t interrupted;

static char first_problem[512];

void cleanup_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

void cleanup_free(void *ptr)
{
	free(*(void **)ptr);
}

static void on_interrupt(int sig)
{
	interrupted = sig;
}

void catch_interrupts(void)
{
	struct sigaction act = { .sa_handler = on_interrupt };

	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	act.sa_handler = SIG_IGN;
	sigaction(SIGPIPE, &act, NULL);
}

uint64_t clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * NSEC_PER_SEC + now.tv_nsec;
}

int sleep_until(uint64_t when)
{
	struct timespec at = {
		.tv_sec = when / NSEC_PER_SEC,
		.tv_nsec = when % NSEC_PER_SEC,
	};

	while (!interrupted) {
		if (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) != EINTR)
			return 0;
	}
	return -EINTR;
}

int problem(int err, const char *fmt, ...)
{
	char text[sizeof(first_problem)];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	fprintf(stderr, "%s: %s\n", program_invocation_short_name, text);
	if (!first_problem[0])
		memcpy(first_problem, text, sizeof(first_problem));
	return -err;
}

const char *problem_text(void)
{
	return first_problem[0] ? first_problem : NULL;
}

void problem_clear(void)
{
	first_problem[0] = '\0';
}

int parse_size(const char *text, uint64_t *bytes)
{
	static const char units[] = "KMGT";
	unsigned long long n;
	const char *unit;
	char *end;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	n = strtoull(text, &end, 0);
	if (errno)
		return -EINVAL;
	if (*end) {
		unit = strchr(units, *end & ~0x20);
		if (!unit || end[1])
			return -EINVAL;
		int shift = 10 * (unit - units + 1);

		if (n << shift >> shift != n)
			return -EINVAL;
		n <<= shift;
	}
	*bytes = n;
	return 0;
}

int read_text(const char *path, char *buf, size_t size)
{
	__cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, buf, size - 1);
	if (n < 0)
		return -errno;
	if (n && buf[n - 1] == '\n')
		n--;
	buf[n] = '\0';
	return 0;
}

int write_text(const char *path, const char *text)
{
	__cleanup_fd int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return write(fd, text, strlen(text)) < 0 ? -errno : 0;
}
