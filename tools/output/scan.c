// SPDX-License-Identifier: GPL-2.0-only
/*
 * One pass over a line. Fields come in the order of their table, so that none has to be looked
 * for. Not here: what the library can do.
 */
#include "scan.h"

#include <string.h>

/* More digits could overflow, or be a fraction's. */
#define DIGITS_MAX 18

struct cursor {
	const char *at;
	const char *end;
};

/* Zero bytes end everything: none can be in a line that is understood. */
static char next_char(struct cursor *c)
{
	while (c->at < c->end && *c->at == ' ')
		c->at++;
	return c->at < c->end ? *c->at : '\0';
}

static bool take(struct cursor *c, char wanted)
{
	if (next_char(c) != wanted)
		return false;
	c->at++;
	return true;
}

static bool take_word(struct cursor *c, const char *word, size_t length)
{
	if ((size_t)(c->end - c->at) < length || memcmp(c->at, word, length))
		return false;
	c->at += length;
	return true;
}

/* Escapes, control characters and all that is not ASCII are the library's. */
static bool take_text(struct cursor *c, const char **text, size_t *length)
{
	if (!take(c, '"'))
		return false;
	*text = c->at;
	for (; c->at < c->end && *c->at != '"'; c->at++)
		if (*c->at == '\\' || (signed char)*c->at < ' ' || *c->at == 0x7f)
			return false;
	*length = c->at - *text;
	return take(c, '"');
}

static bool take_number(struct cursor *c, uint64_t *number)
{
	const char *first;

	next_char(c);
	first = c->at;
	*number = 0;
	for (; c->at < c->end && *c->at >= '0' && *c->at <= '9'; c->at++)
		*number = *number * 10 + (uint64_t)(*c->at - '0');
	if (c->at == first || c->at - first > DIGITS_MAX || (*first == '0' && c->at - first > 1))
		return false;
	return c->at < c->end && (*c->at == ',' || *c->at == '}' || *c->at == ' ');
}

static bool take_signed(struct cursor *c, int64_t *number)
{
	uint64_t value;
	bool negative = next_char(c) == '-';

	c->at += negative;
	if (c->at == c->end || *c->at == ' ' || !take_number(c, &value))
		return false;
	*number = negative ? -(int64_t)value : (int64_t)value;
	return true;
}

/* {"4096":12,"2097152":3} */
static bool take_leaves(struct cursor *c, uint64_t *leaves)
{
	memset(leaves, 0, LEAF_SIZES * sizeof(*leaves));
	if (!take(c, '{'))
		return false;
	if (take(c, '}'))
		return true;
	do {
		const char *key;
		size_t length;
		uint64_t bytes = 0, count;

		if (!take_text(c, &key, &length) || length > DIGITS_MAX || !length)
			return false;
		for (size_t i = 0; i < length; i++) {
			if (key[i] < '0' || key[i] > '9')
				return false;
			bytes = bytes * 10 + (uint64_t)(key[i] - '0');
		}
		if (bytes < UINT64_C(1) << LEAF_SHIFT || bytes & (bytes - 1) ||
		    bytes >= UINT64_C(1) << (LEAF_SHIFT + LEAF_SIZES) || !take(c, ':') ||
		    !take_number(c, &count))
			return false;
		leaves[__builtin_ctzll(bytes) - LEAF_SHIFT] = count;
	} while (take(c, ','));
	return take(c, '}');
}

static bool take_bool(struct cursor *c, enum tristate *value)
{
	*value = take_word(c, "true", 4) ? TRI_TRUE : TRI_FALSE;
	return *value == TRI_TRUE || take_word(c, "false", 5);
}

static bool take_value(struct cursor *c, const struct field *field, void *record)
{
	void *at = field__place(field, record);
	const char *text;
	size_t length;

	if (next_char(c) == 'n')
		return take_word(c, "null", 4);
	switch (field->type) {
	case FIELD_U64:
		return take_number(c, at);
	case FIELD_I64:
		return take_signed(c, at);
	case FIELD_BOOL:
		return take_bool(c, at);
	case FIELD_LEAVES:
		return take_leaves(c, at);
	case FIELD_TEXT:
		if (!take_text(c, &text, &length))
			return false;
		if (length >= field->size)
			length = field->size - 1;
		memcpy(at, text, length);
		((char *)at)[length] = '\0';
		return true;
	default:
		return false;
	}
}

static bool is_named(const struct field *field, const char *name, size_t length)
{
	return !strncmp(field->name, name, length) && !field->name[length];
}

/* Names have to come in the order of the table, so that none can come twice. */
static const struct field *find(const struct field_table *table, size_t *from, const char *name,
				size_t length)
{
	while (*from < table->count) {
		const struct field *field = &table->fields[(*from)++];

		if (is_named(field, name, length))
			return field;
	}
	return NULL;
}

/* The name that comes next as a rule, with its colon. */
static bool take_name(struct cursor *c, const char *name)
{
	const char *at = c->at;

	if (at == c->end || *at++ != '"')
		return false;
	for (; *name && at < c->end && *at == *name; name++)
		at++;
	if (*name || c->end - at < 2 || at[0] != '"' || at[1] != ':')
		return false;
	c->at = at + 2;
	return true;
}

static const struct field *take_field(struct cursor *c, const struct field_table *table, size_t *from)
{
	const char *name;
	size_t length;

	next_char(c);
	if (*from < table->count && take_name(c, table->fields[*from].name))
		return &table->fields[(*from)++];
	if (!take_text(c, &name, &length) || !take(c, ':'))
		return NULL;
	return find(table, from, name, length);
}

static bool take_members(struct cursor *c, const struct field_table *table, void *record)
{
	size_t from = 0;

	while (take(c, ',')) {
		const struct field *field = take_field(c, table, &from);

		if (!field || !take_value(c, field, record))
			return false;
	}
	return take(c, '}') && !next_char(c) && c->at == c->end;
}

static bool is_frequent(enum sample_kind kind)
{
	return kind == SAMPLE_SYNC || kind == SAMPLE_CLEAR || kind == SAMPLE_SPLIT ||
	       kind == SAMPLE_TRACKING;
}

bool scan__sample(const char *line, size_t length, enum sample_kind *kind, union sample *sample)
{
	struct cursor c = { line, line + length };
	char type[16];
	const char *text;
	size_t size;

	if (!take(&c, '{') || !take_text(&c, &text, &size) || size != 4 || memcmp(text, "type", 4) ||
	    !take(&c, ':') || !take_text(&c, &text, &size) || size >= sizeof(type))
		return false;
	memcpy(type, text, size);
	type[size] = '\0';
	*kind = sample__kind(type);
	if (!is_frequent(*kind))
		return false;
	field__clear(sample__table(*kind), sample);
	return take_members(&c, sample__table(*kind), sample);
}
