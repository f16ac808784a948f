// SPDX-License-Identifier: GPL-2.0-only
/*
 * JSON Lines log. Formats and flushes; knows no record type. See log.h.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "log.h"
#include "runtime.h"

static FILE *stream;
static const char *stream_path;

int log_open(const char *path)
{
	if (!path)
		return 0;
	stream = fopen(path, "we");
	if (!stream)
		return problem(errno, "cannot create the log %s (%s); give a writable path to --log",
			       path, strerror(errno));
	stream_path = path;
	return 0;
}

void log_part(const char *fmt, ...)
{
	va_list args;

	if (!stream)
		return;
	va_start(args, fmt);
	vfprintf(stream, fmt, args);
	va_end(args);
}

void log_string(const char *text)
{
	if (!stream)
		return;
	if (!text) {
		fputs("null", stream);
		return;
	}
	putc('"', stream);
	for (; *text; text++) {
		unsigned char c = *text;

		if (c == '"' || c == '\\')
			fprintf(stream, "\\%c", c);
		else if (c < 0x20)
			fprintf(stream, "\\u%04x", c);
		else
			putc(c, stream);
	}
	putc('"', stream);
}

int log_end(void)
{
	int err;

	if (!stream)
		return 0;
	putc('\n', stream);
	if (!fflush(stream) && !ferror(stream))
		return 0;
	err = errno ? errno : EIO;
	fclose(stream);
	stream = NULL;
	return problem(err, "cannot write the log %s (%s); free some space and run again",
		       stream_path, strerror(err));
}

int log_close(void)
{
	FILE *closing = stream;

	stream = NULL;
	if (closing && fclose(closing))
		return problem(errno, "cannot write the log %s (%s); free some space and run again",
			       stream_path, strerror(errno));
	return 0;
}
