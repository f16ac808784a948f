/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Messages to people, on stderr: "hwdbm: what failed, on what, why, what to do".
 * Not here: results, which go to stdout or files.
 */
#ifndef HWDBM_LIB_LOG_H
#define HWDBM_LIB_LOG_H

#include <stdarg.h>
#include <stdbool.h>

/** log__set_verbose() - show debug messages, libbpf's own among them */
void log__set_verbose(bool verbose);

/** log__error() - one line about a failure; "hwdbm: " and a line end are added */
__attribute__((format(printf, 1, 2))) void log__error(const char *format, ...);

/** log__warn() - one line about something that works less well than it could */
__attribute__((format(printf, 1, 2))) void log__warn(const char *format, ...);

/** log__info() - one line about progress */
__attribute__((format(printf, 1, 2))) void log__info(const char *format, ...);

/** log__debug() - shown only when verbose */
__attribute__((format(printf, 1, 2))) void log__debug(const char *format, ...);

/** log__debug_va() - shown only when verbose; @format brings its own line end */
void log__debug_va(const char *format, va_list args);

#endif
