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

static void drop_text(char *text, size_t size)
{
	if (*text)
		string__copy(text, size, REDACTED);
}

/* ---- samples ----------------------------------------------------------------------- */

#define NAME(kind, member) redact__name(r, kind, member, sizeof(member))

static int redact_header(struct redact *r, struct header_sample *header)
{
	int err = redact_pid(r, &header->pid);

	for (size_t i = 0; i < header->probes.count; i++)
		redact__text(header->probes.at[i].text, sizeof(header->probes.at[i].text));
	return err ?: NAME(REDACTED_HOST, header->host_name);
}

static int redact_stack(struct redact *r, struct stack_sample *stack)
{
	drop_text(stack->frames, sizeof(stack->frames));
	return redact_pid(r, &stack->pid) ?: NAME(REDACTED_VM, stack->vm);
}

int redact__sample(struct redact *r, enum sample_kind kind, union sample *s)
{
	switch (kind) {
	case SAMPLE_HEADER:
		return redact_header(r, &s->header);
	case SAMPLE_TRACKING:
		return redact_pid(r, &s->tracking.pid);
	case SAMPLE_SYNC:
		return redact_pid(r, &s->sync.pid);
	case SAMPLE_CLEAR:
		return redact_pid(r, &s->clear.pid);
	case SAMPLE_TRANSFER:
		drop_text(s->transfer.why_unknown, sizeof(s->transfer.why_unknown));
		return redact_pid(r, &s->transfer.pid);
	case SAMPLE_SPLIT_LATENCY:
		return redact_pid(r, &s->split_latency.pid) ?: NAME(REDACTED_VM, s->split_latency.vm);
	case SAMPLE_TLB_COST:
		return redact_pid(r, &s->tlb_cost.pid) ?: NAME(REDACTED_VM, s->tlb_cost.vm) ?:
		       NAME(REDACTED_IOMMU, s->tlb_cost.iommu);
	case SAMPLE_STACK:
		return redact_stack(r, &s->stack);
	case SAMPLE_PLAN:
		return NAME(REDACTED_RUN, s->plan.name) ?: NAME(REDACTED_WORKLOAD, s->plan.workload_name);
	case SAMPLE_VMM_START:
		return redact_pid(r, &s->vmm_start.pid) ?:
		       NAME(REDACTED_WORKLOAD, s->vmm_start.workload_name);
	case SAMPLE_VMM_END:
		drop_text(s->vmm_end.error, sizeof(s->vmm_end.error));
		return 0;
	case SAMPLE_VMM_STATE:
		drop_text(s->vmm_state.error, sizeof(s->vmm_state.error));
		return redact_pid(r, &s->vmm_state.pid);
	default:
		return 0;
	}
}

void redact__release(struct redact *r)
{
	for (int kind = 0; kind < REDACTED_KINDS; kind++)
		free(r->names[kind].at);
	*r = (struct redact){ 0 };
}
