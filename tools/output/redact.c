// SPDX-License-Identifier: GPL-2.0-only
/*
 * By field name for what is a name, by form for what stands in free text. What others wrote
 * freely, such as a VMM's error, may hold any name: none of it is kept.
 */
#include "redact.h"

#include "../lib/strings.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define REDACTED "[redacted]"

static const char *const kinds[REDACTED_KINDS] = {
	[REDACTED_HOST] = "host", [REDACTED_VM] = "VM", [REDACTED_RUN] = "recording",
	[REDACTED_WORKLOAD] = "workload", [REDACTED_IOMMU] = "IOMMU", [REDACTED_PID] = "process",
};

/* Its number, from 1. */
static int number_of(struct redact *r, enum redacted kind, const char *name, size_t *number)
{
	struct redact_names *names = &r->names[kind];
	char (*grown)[96];

	for (*number = 1; *number <= names->count; (*number)++)
		if (!strncmp(names->at[*number - 1], name, sizeof(*names->at) - 1))
			return 0;
	grown = realloc(names->at, (names->count + 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	names->at = grown;
	STRING_COPY(grown[names->count], name);
	names->count++;
	return 0;
}

int redact__name(struct redact *r, enum redacted kind, char *text, size_t size)
{
	size_t number;
	int err;

	if (!*text)
		return 0;
	err = number_of(r, kind, text, &number);
	if (!err)
		snprintf(text, size, "%s %zu", kinds[kind], number);
	return err;
}

static int redact_pid(struct redact *r, uint64_t *pid)
{
	char text[24];
	size_t number;
	int err;

	if (*pid == UNKNOWN || !*pid)
		return 0;
	snprintf(text, sizeof(text), "%" PRIu64, *pid);
	err = number_of(r, REDACTED_PID, text, &number);
	if (!err)
		*pid = number;
	return err;
}

/* ---- free text --------------------------------------------------------------------- */

static bool ends_word(char c)
{
	return !c || isspace((unsigned char)c) || strchr("\"'`(),;<>[]{}|=", c);
}

/* Hexadecimal digits in groups: UUIDs, MAC and IPv6 addresses. */
static bool is_grouped_hex(const char *word, size_t length)
{
	size_t digits = 0, groups = 0;

	for (size_t i = 0; i < length; i++) {
		if (isxdigit((unsigned char)word[i]))
			digits++;
		else if (word[i] == ':' || word[i] == '-' || word[i] == '%')
			groups++;
		else
			return false;
	}
	return groups >= 2 && digits >= 1;
}

static bool is_dotted(const char *word, size_t length)
{
	size_t dots = 0, digits = 0;

	for (size_t i = 0; i < length && word[i] != ':'; i++) {
		if (word[i] == '.')
			dots++;
		else if (isdigit((unsigned char)word[i]))
			digits++;
		else
			return false;
	}
	return dots == 3 && digits >= 4;
}

static bool has_hex_number(const char *word, size_t length)
{
	for (size_t i = 0; i + 2 < length; i++)
		if (word[i] == '0' && (word[i + 1] == 'x' || word[i + 1] == 'X') &&
		    isxdigit((unsigned char)word[i + 2]))
			return true;
	return false;
}

static bool has_path(const char *word, size_t length)
{
	for (size_t i = 0; i + 1 < length; i++)
		if (word[i] == '/' && (!i || word[i - 1] == ':') && word[i + 1] != ' ')
			return true;
	return length > 2 && (!strncmp(word, "./", 2) || !strncmp(word, "../", 3) || *word == '~');
}

static bool identifies(const char *word, size_t length)
{
	return has_path(word, length) || has_hex_number(word, length) ||
	       is_grouped_hex(word, length) || is_dotted(word, length);
}

void redact__text(char *text, size_t size)
{
	char out[1024];
	size_t used = 0;

	out[0] = '\0';
	for (const char *at = text; *at && used < sizeof(out) - 1;) {
		size_t length = 0;

		while (!ends_word(at[length]))
			length++;
		if (length && identifies(at, length))
			used += (size_t)snprintf(out + used, sizeof(out) - used, REDACTED);
		else if (length)
			used += (size_t)snprintf(out + used, sizeof(out) - used, "%.*s", (int)length, at);
		at += length;
		if (*at && used < sizeof(out) - 1) {
			out[used++] = *at++;
			out[used] = '\0';
		}
	}
	string__copy(text, size, out);
}

/* ---- samples ----------------------------------------------------------------------- */

/* Text that is none of anybody's: words of this tool, of a kernel or of a VMM. */
static const char *const plain[] = {
	"schema", "host.machine", "kernel.release", "vmm", "vmm_version", "clock", "time_basis", "source",
	"scope", "mode", "range", "cause", "split_mode", "kept_reason", "kernel", "via", "status", "event",
	"when", "state",
};

static const struct {
	const char *field;
	enum redacted kind;
} names[] = {
	{ "host.name", REDACTED_HOST }, { "vm", REDACTED_VM }, { "name", REDACTED_RUN },
	{ "workload.name", REDACTED_WORKLOAD }, { "iommu", REDACTED_IOMMU },
};

static bool is_plain(const char *field)
{
	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
		if (!strcmp(plain[i], field))
			return true;
	return false;
}

/* Fields that nobody thought of here lose their text: a leak cannot be taken back. */
static int redact_field(struct redact *r, const struct field *field, char *text)
{
	if (is_plain(field->name) || !*text)
		return 0;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(names[i].field, field->name))
			return redact__name(r, names[i].kind, text, field->size);
	string__copy(text, field->size, REDACTED);
	return 0;
}

int redact__sample(struct redact *r, enum sample_kind kind, union sample *sample)
{
	const struct field_table *table = sample__table(kind);
	int err = 0;

	for (size_t i = 0; !err && i < table->count; i++) {
		const struct field *field = &table->fields[i];
		void *at = field__place(field, sample);

		if (field->type == FIELD_TEXT)
			err = redact_field(r, field, at);
		else if (field->type == FIELD_U64 && !strcmp(field->name, "pid"))
			err = redact_pid(r, at);
	}
	for (size_t i = 0; kind == SAMPLE_HEADER && i < sample->header.probes.count; i++)
		redact__text(sample->header.probes.at[i].text, sizeof(sample->header.probes.at[i].text));
	return err;
}

void redact__release(struct redact *r)
{
	for (int kind = 0; kind < REDACTED_KINDS; kind++)
		free(r->names[kind].at);
	*r = (struct redact){ 0 };
}
