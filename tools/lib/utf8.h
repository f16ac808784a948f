/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which bytes are UTF-8. Text from recordings may be cut off in a character. Not here:
 * what a character means.
 */
#ifndef HWDBM_LIB_UTF8_H
#define HWDBM_LIB_UTF8_H

#include <stddef.h>

#define UTF8_REPLACEMENT "\xef\xbf\xbd"	/* U+FFFD, for bytes that are no character */

/**
 * utf8__length() - length of the character at @text
 * Return: 1 to 4; 0 if it is none, or longer than the @left bytes.
 */
static inline size_t utf8__length(const char *text, size_t left)
{
	unsigned char first = (unsigned char)*text;
	size_t length = first < 0x80 ? 1 : first >= 0xf0 && first < 0xf5 ? 4 :
			first >= 0xe0 && first < 0xf0 ? 3 : first >= 0xc2 && first < 0xe0 ? 2 : 0;

	if (length > left)
		return 0;
	for (size_t i = 1; i < length; i++)
		if (((unsigned char)text[i] & 0xc0) != 0x80)
			return 0;
	return length;
}

#endif
