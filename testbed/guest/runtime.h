/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What every part of the guest programs needs: sizes, the clock, one way to
 * report a problem, interruption. Knows nothing of devices or migration.
 */
#ifndef GUEST_RUNTIME_H
#define GUEST_RUNTIME_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SZ_4K	UINT64_C(0x1000)
#define SZ_1M	UINT64_C(0x100000)
#define SZ_2M	UINT64_C(0x200000)
#define SZ_1G	UINT64_C(0x40000000)

#define NSEC_PER_SEC	UINT64_C(1000000000)
#define NSEC_PER_MSEC	UINT64_C(1000000)

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

#define __cleanup_fd	__attribute__((cleanup(cleanup_fd)))
#define __cleanup_free	__attribute__((cleanup(cleanup_free)))

void cleanup_fd(int *fd);
void cleanup_free(void *ptr);

/* Set by SIGINT and SIGTERM once catch_interrupts() was called. */
extern volatile sig_atomic_t interrupted;

/*
 * SIGINT and SIGTERM only set 'interrupted'; blocking calls return EINTR. SIGPIPE is ignored, so
 * that a dead peer is an error of the call that met it.
 */
void catch_interrupts(void);

/* CLOCK_MONOTONIC in nanoseconds, the clock of the kernel's trace events. */
uint64_t clock_ns(void);

/* Sleeps until clock_ns() reaches 'when'. Returns 0, or -EINTR when interrupted. */
int sleep_until(uint64_t when);

/*
 * Says on stderr what failed and what to do, and keeps the first such sentence for
 * problem_text(). 'err' is a positive errno; returns -err.
 */
int problem(int err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The first sentence given to problem() since the last problem_clear(), or NULL. */
const char *problem_text(void);
void problem_clear(void);

/*
 * Parses "4096", "4K", "2M", "1G" into bytes. Returns 0, or -EINVAL with *bytes untouched.
 */
int parse_size(const char *text, uint64_t *bytes);

/* Reads / writes one short text file (sysfs). The newline is cut. 0 or -errno, silent. */
int read_text(const char *path, char *buf, size_t size);
int write_text(const char *path, const char *text);

#endif
