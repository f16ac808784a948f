/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which bytes are UTF-8. Text from recordings may be cut off in a character. Not here:
 * what a character means.
 */
#ifndef HWDBM_LIB_UTF8_H
#define HWDBM_LIB_UTF8_H

#include <stddef.h>
#include <string.h>

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

/**
 * utf8__printable() - length of the character at @text, which ends with a NUL
 * Return: 1 to 4; 0 if it must not reach a terminal: none, or a control (those of C1, too).
 */
static inline size_t utf8__printable(const char *text)
{
	size_t length = utf8__length(text, strlen(text));

	if (length == 1)
		return (unsigned char)*text >= ' ' && *text != 0x7f;
	if (length == 2 && (unsigned char)text[0] == 0xc2 && (unsigned char)text[1] < 0xa0)
		return 0;
	return length;
}

/** utf8__clean() - put "?" in the place of each byte that must not reach a terminal */
static inline void utf8__clean(char *text)
{
	while (*text) {
		size_t length = utf8__printable(text);

		if (!length)
			*text = '?';
		text += length ?: 1;
	}
}

#endif
