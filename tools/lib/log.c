// SPDX-License-Identifier: GPL-2.0-only
/*
 * The one logger. Not here: a choice of what to say.
 */
#define _GNU_SOURCE
#include "log.h"
#include "cleanup.h"
#include "utf8.h"

#include <stdio.h>

static bool is_verbose;

void log__set_verbose(bool verbose)
{
	is_verbose = verbose;
}

/* Messages quote what others chose: names, paths, a VMM's words. None may move the cursor. */
static void put(const char *label, const char *format, va_list args)
{
	_cleanup_free_ char *text = NULL;

	if (vasprintf(&text, format, args) < 0) {
		text = NULL;
		fputs("hwdbm: no memory for a message\n", stderr);
		return;
	}
	utf8__clean(text);
	fprintf(stderr, "hwdbm: %s%s\n", label, text);
}

#define PUT(label)					\
	do {						\
		va_list args;				\
							\
		va_start(args, format);			\
		put(label, format, args);		\
		va_end(args);				\
	} while (0)

void log__error(const char *format, ...)
{
	PUT("");
}

void log__warn(const char *format, ...)
{
	PUT("warning: ");
}

void log__info(const char *format, ...)
{
	PUT("");
}

void log__debug(const char *format, ...)
{
	if (is_verbose)
		PUT("");
}

void log__debug_va(const char *format, va_list args)
{
	if (is_verbose)
		vfprintf(stderr, format, args);
}
