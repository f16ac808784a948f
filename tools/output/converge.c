// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lines between the rows of hwdbm converge. Not here: the rows (rows.c).
 */
#include "converge.h"
#include "table.h"
#include "units.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define VMM_INDENT 2

static int end_line(FILE *out)
{
	errno = 0;
	if (fputc('\n', out) == EOF || fflush(out))
		return errno ? -errno : -EIO;
	return 0;
}

int converge_text__phase(FILE *out, const struct converge_phase *phase)
{
	static const struct {
		const char *name;
		const char *text;
	} phases[] = {
		{ "start", "tracking starts" },
		{ "late", "is being tracked" },
		{ "stop", "tracking stops" },
		{ "process-ended", "the process ended" },
		{ "unfinished", "watching ends" },
	};
	const char *text = phase->phase;
	char time[UNITS_TEXT];

	for (size_t i = 0; i < sizeof(phases) / sizeof(phases[0]); i++)
		if (!strcmp(phases[i].name, phase->phase))
			text = phases[i].text;
	fprintf(out, "%s  %" PRIu64 ": %s", units__clock(phase->t_ns, time), phase->pid, text);
	if (phase->iterations)
		fprintf(out, " after %" PRIu64 " iteration%s", phase->iterations,
			phase->iterations == 1 ? "" : "s");
	if (*phase->meaning)
		fprintf(out, "; %s", phase->meaning);
	return end_line(out);
}

bool converge_text__is_news(const struct vmm_state_sample *last, const struct vmm_state_sample *state)
{
	return strcmp(last->status, state->status) || last->syncs != state->syncs || *state->event ||
	       strcmp(last->error, state->error);
}

static void put(FILE *out, const char *before, uint64_t known, const char *value, const char *after)
{
	if (known != UNKNOWN)
		fprintf(out, ", %s%s%s", before, value, after);
}

static void tell_vmm(FILE *out, const struct vmm_state_sample *s)
{
	char text[UNITS_TEXT];

	/* Words of others. */
	fputs("VMM (", out);
	table__text(out, s->via);
	fputs("): ", out);
	if (*s->event) {
		table__text(out, s->event);
		fputs(", ", out);
	}
	table__text(out, s->status);
	put(out, "sync ", s->syncs, units__count(s->syncs, text), "");
	put(out, "remains ", s->remaining_bytes, units__bytes(s->remaining_bytes, text), "");
	put(out, "sent ", s->transferred_bytes, units__bytes(s->transferred_bytes, text), "");
	put(out, "at ", s->bytes_per_second, units__bytes(s->bytes_per_second, text), "/s");
	put(out, "dirty rate ", s->dirty_bytes_per_second, units__bytes(s->dirty_bytes_per_second, text),
	    "/s");
	put(out, "device states ", s->device_bytes, units__bytes(s->device_bytes, text), "");
	put(out, "throttle ", s->throttle_percent, units__count(s->throttle_percent, text), " %");
	put(out, "expects a downtime of ", s->expected_downtime_ns,
	    units__duration(s->expected_downtime_ns, text), "");
	put(out, "downtime ", s->downtime_ns, units__duration(s->downtime_ns, text), "");
	if (*s->error) {
		fputs(": ", out);
		table__text(out, s->error);
	}
}

int converge_text__vmm(FILE *out, const struct vmm_state_sample *s)
{
	char *text = NULL;
	size_t size;
	FILE *stream = open_memstream(&text, &size);

	if (!stream)
		return -ENOMEM;
	tell_vmm(stream, s);
	fprintf(out, "%*s", VMM_INDENT, "");
	return table__finish_wrapped(out, stream, &text, VMM_INDENT);
}
