// SPDX-License-Identifier: GPL-2.0-only
/*
 * A buffer before a stream. Not here: what is written.
 */
#include "writer.h"

#include <errno.h>
#include <string.h>

void writer__init(struct writer *writer, FILE *out)
{
	writer->out = out;
	writer->used = 0;
	writer->err = 0;
}

static void empty(struct writer *writer)
{
	errno = 0;
	if (!writer->err && writer->used &&
	    fwrite(writer->text, 1, writer->used, writer->out) != writer->used)
		writer->err = -(errno ?: EIO);
	writer->used = 0;
}

static void put(struct writer *writer, const char *text, size_t length)
{
	while (length > WRITER_ROOM - writer->used) {
		size_t part = WRITER_ROOM - writer->used;

		memcpy(writer->text + writer->used, text, part);
		writer->used += part;
		text += part;
		length -= part;
		empty(writer);
	}
	memcpy(writer->text + writer->used, text, length);
	writer->used += length;
}

void writer__text(struct writer *writer, const char *text)
{
	put(writer, text, strlen(text));
}

void writer__u64(struct writer *writer, uint64_t number)
{
	char digits[20], *at = digits + sizeof(digits);

	do
		*--at = (char)('0' + number % 10);
	while (number /= 10);
	put(writer, at, digits + sizeof(digits) - at);
}

void writer__i64(struct writer *writer, int64_t number)
{
	if (number < 0)
		put(writer, "-", 1);
	writer__u64(writer, number < 0 ? -(uint64_t)number : (uint64_t)number);
}

void writer__json(struct writer *writer, const char *text)
{
	put(writer, "\"", 1);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			put(writer, "\\", 1);
		put(writer, (signed char)*text < ' ' || *text == 0x7f ? "?" : text, 1);
	}
	put(writer, "\"", 1);
}

void writer__csv(struct writer *writer, const char *text)
{
	if (!strpbrk(text, ",\"\r\n")) {
		writer__text(writer, text);
		return;
	}
	put(writer, "\"", 1);
	for (; *text; text++) {
		if (*text == '"')
			put(writer, "\"", 1);
		put(writer, text, 1);
	}
	put(writer, "\"", 1);
}

int writer__flush(struct writer *writer)
{
	empty(writer);
	errno = 0;
	if (!writer->err && fflush(writer->out))
		writer->err = -(errno ?: EIO);
	return writer->err;
}
