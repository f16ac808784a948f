/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copying text into fixed places. Not here: formatting.
 */
#ifndef HWDBM_LIB_STRINGS_H
#define HWDBM_LIB_STRINGS_H

#include <string.h>

/** string__copy() - copy what fits, always terminated; @size must not be 0 */
static inline void string__copy(char *to, size_t size, const char *from)
{
	size_t length = strlen(from);

	if (length >= size)
		length = size - 1;
	memcpy(to, from, length);
	to[length] = '\0';
}

#define STRING_COPY(array, from) string__copy(array, sizeof(array), from)

#endif
