// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lines of hwdbm stat, after those of perf stat. Not here: JSON (the field tables).
 */
#include "stat.h"
#include "converge.h"
#include "table.h"
#include "units.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* The figures stand in one column. */
#define COLUMN 14

/* Columns on the screen: bytes that continue a UTF-8 character take none. */
static int width_of(const char *text)
{
	int width = 0;

	for (; *text; text++)
		width += (*text & 0xc0) != 0x80;
	return width;
}

static void begin(FILE *out, const char *figure)
{
	int padding = COLUMN - width_of(figure);

	fprintf(out, "%*s%s   ", padding > 0 ? padding : 0, "", figure);
}

static void put(FILE *out, const char *figure, const char *what)
{
	begin(out, figure);
	fprintf(out, "%s\n", what);
}

static void put_count(FILE *out, uint64_t number, const char *what)
{
	char text[UNITS_TEXT];

	if (number != UNKNOWN)
		put(out, units__count(number, text), what);
}

static void put_count_time(FILE *out, uint64_t number, const char *what, uint64_t ns, const char *mark)
{
	char text[UNITS_TEXT];

	if (number == UNKNOWN)
		return;
	begin(out, units__count(number, text));
	fprintf(out, "%s, %s%s in all\n", what, units__duration(ns, text), ns == UNKNOWN ? "" : mark);
}

static void put_source(FILE *out, const struct stat_source *s, const char *mark)
{
	static const char *const names[UNIT_SIZES] = { "4K", "64K", "2M", "1G" };
	char text[UNITS_TEXT];

	putc('\n', out);
	begin(out, units__count(s->syncs, text));
	fprintf(out, "syncs by %s, ", s->source);
	fprintf(out, "%s%s in all: ", units__duration(s->total_ns, text), mark);
	fprintf(out, "median %s%s, ", units__duration(s->median_ns, text), mark);
	fprintf(out, "p99 %s%s, ", units__duration(s->p99_ns, text), mark);
	fprintf(out, "max %s%s\n", units__duration(s->max_ns, text), mark);
	if (s->failed)
		put_count(out, s->failed, "of them failed");
	begin(out, units__bytes(s->dirty_bytes, text));
	/* vhost's log is seen a little before the VMM takes it. */
	fprintf(out, "reported dirty%s; if tracked in units of", strcmp(s->source, "vhost") ? "" : ", at least");
	for (int i = 0; i < UNIT_SIZES; i++)
		fprintf(out, " %s: %s%s", names[i], units__bytes(s->unit_bytes[i], text),
			i + 1 < UNIT_SIZES ? "," : "\n");
	if (s->clears)
		put_count_time(out, s->clears, "clears of what they had read", s->clear_ns, mark);
	if (s->count_ns != UNKNOWN) {
		begin(out, units__duration(s->count_ns, text));
		fprintf(out, "spent by this tool on counting bitmaps%s\n", mark);
	}
}

static void put_iommu(FILE *out, const struct stat_total *t, const char *mark)
{
	put_count_time(out, t->splits, "blocks split", t->split_ns, mark);
	if (t->splits != UNKNOWN && t->splits)
		put_count(out, t->split_tables, "page tables built for them");
	if (t->split_failed != UNKNOWN && t->split_failed)
		put_count(out, t->split_failed, "blocks kept because their split failed");
	put_count_time(out, t->merges, "blocks put back", t->merge_ns, mark);
	put_count_time(out, t->tlb_invalidations, "TLB invalidations of IOMMUs", t->tlb_ns, mark);
	put_count(out, t->ring_pushed, "entries in dirty rings");
	if (t->ring_full != UNKNOWN && t->ring_full)
		put_count(out, t->ring_full, "exits of a vCPU because its ring was full");
}

static void put_transfer(FILE *out, const struct stat_total *t)
{
	char text[UNITS_TEXT];

	begin(out, units__bytes(t->sent_bytes, text));
	fputs("sent over TCP while tracking was on", out);
	if (t->transfer_rate != UNKNOWN)
		fprintf(out, ", %s/s", units__bytes(t->transfer_rate, text));
	fputs(t->sent_bytes == UNKNOWN ? "; what goes another way is not counted\n" : "\n", out);
}

static void put_probes(FILE *out, const struct header_sample *header)
{
	fputs("\nprobes:", out);
	for (size_t i = 0; i < header->probes.count; i++) {
		fputs(i ? ", " : " ", out);
		table__text(out, header->probes.at[i].name);
		fputs(" by ", out);
		table__text(out, header->probes.at[i].text);
	}
	putc('\n', out);
}

int stat_text__write(FILE *out, const struct stat_sums *stat, const struct header_sample *header,
		     const struct vmm_state_sample *vmm)
{
	const struct stat_total *t = &stat->total;
	bool emulated = !strcmp(header->time_basis, "emulated");
	const char *mark = emulated ? "*" : "";
	char text[UNITS_TEXT];

	errno = 0;
	putc('\n', out);
	begin(out, units__duration(t->tracking_ns, text));
	fprintf(out, "tracking was on%s%s\n", mark,
		!t->migrations ? ": no migration was seen" :
		t->start_seen == TRI_FALSE ? "; since before this began, so that earlier syncs are missing" : "");
	begin(out, units__count(t->iterations, text));
	fputs("iterations", out);
	if (t->active_ns != UNKNOWN && t->iterations > 1)
		fprintf(out, ", %s%s from the first one's syncs to the last one's",
			units__duration(t->active_ns, text), mark);
	putc('\n', out);
	if (t->starts)
		put_count_time(out, t->starts, "slots, domains and devices whose tracking was started", t->start_ns, mark);
	for (size_t i = 0; i < stat->source_count; i++)
		put_source(out, &stat->sources[i], mark);
	putc('\n', out);
	put_iommu(out, t, mark);
	put_transfer(out, t);
	put_count(out, t->lost, "events lost");
	put_probes(out, header);
	if (emulated)
		fputs("* emulated time: comparable within one run only, and never with hardware\n", out);
	if (vmm)
		return converge_text__vmm(out, vmm);
	return ferror(out) || fflush(out) ? -(errno ? errno : EIO) : 0;
}
