// SPDX-License-Identifier: GPL-2.0-only
/*
 * Names from the model's table, values by their units. Not here: what a limit means.
 */
#define _GNU_SOURCE
#include "limits.h"

#include "../lib/cleanup.h"
#include "../lib/log.h"
#include "../lib/options.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

static int parse_value(enum quantity quantity, const char *text, uint64_t *value)
{
	switch (board__quantity(quantity)->unit) {
	case QUANTITY_NS:
		return options__seconds(text, value);
	case QUANTITY_BYTES:
		return options__bytes(text, value);
	case QUANTITY_SHARE:
		return options__percent(text, value);
	default:
		return options__u64(text, value);
	}
}

static int find_quantity(const char *text, size_t length)
{
	for (int q = 0; q < QUANTITIES; q++)
		if (strlen(board__quantity(q)->name) == length &&
		    !strncmp(board__quantity(q)->name, text, length))
			return q;
	return -EINVAL;
}

static int parse(struct limits *limits, const char *command, const char *text)
{
	const char *equals = strchr(text, '=');
	int quantity = equals ? find_quantity(text, (size_t)(equals - text)) : -EINVAL;
	uint64_t value;

	if (quantity < 0) {
		log__error("%s: --limit %s: it is NAME=VALUE, such as blackout=300ms; names are blackout, downtime, total, brownout, iterations, sent, missed, lost and overhead",
			   command, text);
		return -EINVAL;
	}
	if (parse_value(quantity, equals + 1, &value)) {
		log__error("%s: --limit %s: \"%s\" is no value of %s; see hwdbm %s --help", command, text,
			   equals + 1, board__quantity(quantity)->name, command);
		return -EINVAL;
	}
	if (limits->most[quantity] != UNKNOWN && limits->most[quantity] != value) {
		log__error("%s: --limit %s: there is another limit on %s beside it; give one", command, text,
			   board__quantity(quantity)->name);
		return -EINVAL;
	}
	limits->most[quantity] = value;
	return 0;
}

static void take(struct limits *limits, const struct limits *given)
{
	for (int q = 0; q < QUANTITIES; q++)
		if (given->most[q] != UNKNOWN)
			limits->most[q] = given->most[q];
}

int limits__parse(struct limits *limits, const char *command, const struct option_texts *texts)
{
	struct limits given;
	int err = 0;

	limits__init(&given);
	for (size_t i = 0; !err && i < texts->count; i++)
		err = parse(&given, command, texts->at[i]);
	if (!err)
		take(limits, &given);
	return err;
}

/* Without comment and blanks around it. */
static char *strip(char *line)
{
	char *end;

	line[strcspn(line, "#\n")] = '\0';
	while (isspace((unsigned char)*line))
		line++;
	end = line + strlen(line);
	while (end > line && isspace((unsigned char)end[-1]))
		*--end = '\0';
	return line;
}

int limits__load(struct limits *limits, const char *command, const char *path)
{
	_cleanup_fclose_ FILE *file = fopen(path, "re");
	_cleanup_free_ char *line = NULL;
	struct limits given;
	size_t size = 0;
	int err = 0;

	limits__init(&given);
	if (!file) {
		err = -errno;
		log__error("%s: cannot read %s (%s)", command, path, strerror(errno));
		return err;
	}
	while (!err && getline(&line, &size, file) > 0) {
		const char *limit = strip(line);

		if (*limit)
			err = parse(&given, command, limit);
	}
	if (!err && !limits__any(&given)) {
		log__error("%s: %s declares no limit", command, path);
		err = -EINVAL;
	}
	if (!err)
		take(limits, &given);
	return err;
}
