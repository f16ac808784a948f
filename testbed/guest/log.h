/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The driver's log: JSON Lines, one object per line, every line flushed so that what was written
 * stays readable whatever happens next.
 */
#ifndef GUEST_LOG_H
#define GUEST_LOG_H

/* Creates (or truncates) 'path'; NULL means no log, all calls succeed. 0 or -errno. */
int log_open(const char *path);

/* Adds text to the line being built. Errors show at log_end(). */
void log_part(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Adds a JSON string, quoted and escaped; NULL gives null. */
void log_string(const char *text);

/* Closes the line and flushes it. 0, or -errno when the log cannot be written (disk full). */
int log_end(void);

/* One whole line. */
#define log_line(...) (log_part(__VA_ARGS__), log_end())

/* 0 or -errno. */
int log_close(void);

#endif
