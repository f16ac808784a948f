// SPDX-License-Identifier: GPL-2.0-only
/*
 * The one logger. Not here: a choice of what to say.
 */
#include "log.h"

#include <stdio.h>

static bool is_verbose;

void log__set_verbose(bool verbose)
{
	is_verbose = verbose;
}

static void put(const char *label, const char *format, va_list args)
{
	fprintf(stderr, "hwdbm: %s", label);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
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
