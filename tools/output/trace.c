// SPDX-License-Identifier: GPL-2.0-only
/*
 * Events: complete ones ("X") from start to end, counters ("C"), moments ("i"), and names of
 * rows ("M"). Times are microseconds with a fraction. Not here: arithmetic.
 */
#include "trace.h"
#include "../lib/strings.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Rows of a process beside those of what it syncs: not ids of VMs */
#define ROW_VMM		(UNKNOWN - 1)
#define ROW_DEVICE	(UNKNOWN - 2)

/* A row of the trace: what is synced by one process. */
struct trace_track {
	uint64_t pid, vm, domain, slot;
	uint64_t number;		/* from 1 in order of appearance; 0: a free place */
};

void trace__begin(struct trace *trace, FILE *out)
{
	trace->any = false;
	trace->tracks = NULL;
	trace->track_count = trace->track_room = 0;
	trace->time_basis[0] = trace->kernel[0] = '\0';
	writer__init(&trace->writer, out);
	writer__text(&trace->writer, "{\"displayTimeUnit\":\"ns\",\"traceEvents\":[");
}

static void put_us(struct writer *w, uint64_t ns)
{
	unsigned int rest = ns % 1000;
	char digits[] = { '.', (char)('0' + rest / 100), (char)('0' + rest / 10 % 10),
			  (char)('0' + rest % 10), '\0' };

	writer__u64(w, ns / 1000);
	writer__text(w, digits);
}

static void begin_event(struct trace *trace, const char *phase, const char *name)
{
	struct writer *w = &trace->writer;

	writer__text(w, trace->any ? ",\n{\"ph\":\"" : "\n{\"ph\":\"");
	writer__text(w, phase);
	writer__text(w, "\",\"name\":");
	writer__json(w, name);
	trace->any = true;
}

static void put_member(struct writer *w, const char *name, uint64_t number)
{
	writer__text(w, ",\"");
	writer__text(w, name);
	writer__text(w, "\":");
	writer__u64(w, number);
}

static uint64_t known(uint64_t number)
{
	return number == UNKNOWN ? 0 : number;
}

static uint64_t hash_of(const struct trace_track *t)
{
	uint64_t hash = t->pid * 31 + t->vm * 1009 + t->domain * 65537 + t->slot;

	return hash * UINT64_C(0x9e3779b97f4a7c15) >> 17;
}

static struct trace_track *place_of(struct trace_track *tracks, size_t room,
				    const struct trace_track *t)
{
	size_t at = hash_of(t) & (room - 1);

	while (tracks[at].number && (tracks[at].pid != t->pid || tracks[at].vm != t->vm ||
				   tracks[at].domain != t->domain || tracks[at].slot != t->slot))
		at = (at + 1) & (room - 1);
	return &tracks[at];
}

static int make_room(struct trace *trace)
{
	size_t room = trace->track_room ? 2 * trace->track_room : 64;
	struct trace_track *grown;

	if (2 * trace->track_count < trace->track_room)
		return 0;
	grown = calloc(room, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	for (size_t i = 0; i < trace->track_room; i++)
		if (trace->tracks[i].number)
			*place_of(grown, room, &trace->tracks[i]) = trace->tracks[i];
	free(trace->tracks);
	trace->tracks = grown;
	trace->track_room = room;
	return 0;
}

/* Gives a row its number and its name when it is first seen. */
static int name_row(struct trace *trace, struct trace_track *wanted, const char *source)
{
	struct writer *w = &trace->writer;
	struct trace_track *track;
	char name[96];
	int err = make_room(trace);

	if (err)
		return err;
	track = place_of(trace->tracks, trace->track_room, wanted);
	if (track->number) {
		wanted->number = track->number;
		return 0;
	}
	wanted->number = ++trace->track_count;
	*track = *wanted;
	if (wanted->vm == ROW_DEVICE)
		snprintf(name, sizeof(name), "%s %" PRIu64, source, known(wanted->domain));
	else if (wanted->slot != UNKNOWN)
		snprintf(name, sizeof(name), "%s vm%" PRIu64 " slot %" PRIu64, source,
			 known(wanted->vm), wanted->slot);
	else if (wanted->domain != UNKNOWN)
		snprintf(name, sizeof(name), "%s domain%" PRIu64, source, wanted->domain);
	else
		snprintf(name, sizeof(name), "%s", source);
	begin_event(trace, "M", "thread_name");
	put_member(w, "pid", known(wanted->pid));
	put_member(w, "tid", wanted->number);
	writer__text(w, ",\"args\":{\"name\":");
	writer__json(w, name);
	writer__text(w, "}}");
	return 0;
}

/* From start to end; a call whose duration is unknown is a moment. */
static void put_span(struct trace *trace, const char *name, const struct trace_track *track,
		     uint64_t end_ns, uint64_t ns)
{
	struct writer *w = &trace->writer;
	bool timed = ns != UNKNOWN && ns <= end_ns;

	begin_event(trace, timed ? "X" : "i", name);
	writer__text(w, ",\"ts\":");
	put_us(w, timed ? end_ns - ns : end_ns);
	if (timed) {
		writer__text(w, ",\"dur\":");
		put_us(w, ns);
	} else {
		writer__text(w, ",\"s\":\"t\"");
	}
	put_member(w, "pid", known(track->pid));
	put_member(w, "tid", track->number);
}

/* All numbers and texts of a record that are known, as arguments. */
static void put_arguments(struct writer *w, const struct field_table *table, const void *record)
{
	const char *comma = "";

	writer__text(w, ",\"args\":{");
	for (size_t i = 0; i < table->count; i++) {
		const struct field *field = &table->fields[i];

		if (!field__known(field, record) ||
		    (field->type != FIELD_U64 && field->type != FIELD_I64 &&
		     field->type != FIELD_TEXT))
			continue;
		writer__text(w, comma);
		comma = ",";
		writer__text(w, "\"");
		writer__text(w, field->name);
		writer__text(w, "\":");
		if (field->type == FIELD_U64)
			writer__u64(w, field__u64(field, record));
		else if (field->type == FIELD_I64)
			writer__i64(w, field__i64(field, record));
		else
			writer__json(w, field__text(field, record));
	}
	writer__text(w, "}}");
}

static int add_span(struct trace *trace, const char *name, struct trace_track *track,
		    const char *source, enum sample_kind kind, const void *record, uint64_t end_ns,
		    uint64_t ns)
{
	int err;

	if (end_ns == UNKNOWN)
		return 0;
	err = name_row(trace, track, *source ? source : "iommufd");
	if (err)
		return err;
	put_span(trace, name, track, end_ns, ns);
	put_arguments(&trace->writer, sample__table(kind), record);
	return trace->writer.err;
}

/* A counter of a process: what its latest sync found. */
static void put_counter(struct trace *trace, const struct sync_sample *sync)
{
	static const char *const names[UNIT_SIZES] = { "4K", "64K", "2M", "1G" };
	struct writer *w = &trace->writer;

	if (sync->dirty_bytes == UNKNOWN || sync->t_ns == UNKNOWN)
		return;
	begin_event(trace, "C", "dirty bytes");
	writer__text(w, ",\"ts\":");
	put_us(w, sync->t_ns);
	put_member(w, "pid", known(sync->pid));
	writer__text(w, ",\"args\":{\"reported\":");
	writer__u64(w, sync->dirty_bytes);
	for (int i = 0; i < UNIT_SIZES; i++)
		if (sync->unit_bytes[i] != UNKNOWN)
			put_member(w, names[i], sync->unit_bytes[i]);
	writer__text(w, "}}");
}

/* Of a device with a log of its own the name says more than a number. */
static const char *name_of(const char *source, const char *device)
{
	return *device ? device : source;
}

static int add_sync(struct trace *trace, const struct sync_sample *s)
{
	struct trace_track track = { s->pid, s->vm, s->domain, s->slot, 0 };
	int err = add_span(trace, "sync", &track, name_of(s->source, s->device), SAMPLE_SYNC, s,
			   s->t_ns, s->total_ns);

	if (!err && !s->ret)
		put_counter(trace, s);
	return err ?: trace->writer.err;
}

static void put_moment(struct trace *trace, const char *name, uint64_t t_ns)
{
	begin_event(trace, "i", name);
	writer__text(&trace->writer, ",\"s\":\"g\",\"pid\":0,\"tid\":0,\"ts\":");
	put_us(&trace->writer, t_ns);
	writer__text(&trace->writer, "}");
}

/* What a VMM asked a VFIO device for when it was to stop or to go on; a size is not asked for then. */
static int add_device_state(struct trace *trace, const struct device_state_sample *s)
{
	struct trace_track track = { s->pid, ROW_DEVICE, s->device, UNKNOWN, 0 };

	if (!*s->state)
		return 0;
	return add_span(trace, s->state, &track, "VFIO device", SAMPLE_DEVICE_STATE, s, s->t_ns, s->total_ns);
}

/* A moment in a row of its process. */
static int add_moment(struct trace *trace, const char *name, uint64_t pid, enum sample_kind kind, const void *record,
		      uint64_t t_ns)
{
	struct trace_track track = { pid, ROW_VMM, UNKNOWN, UNKNOWN, 0 };

	return add_span(trace, name, &track, "VMM", kind, record, t_ns, UNKNOWN);
}

static int add_vcpus(struct trace *trace, const struct vcpus_sample *v)
{
	return add_moment(trace, "first return of a vCPU", v->pid, SAMPLE_VCPUS, v, v->first_ns) ?:
	       add_moment(trace, "last return of a vCPU", v->pid, SAMPLE_VCPUS, v, v->last_ns);
}

static int add_interrupt(struct trace *trace, const struct interrupt_sample *i)
{
	struct trace_track track = { i->pid, ROW_DEVICE, i->device, UNKNOWN, 0 };

	return add_span(trace, "first interrupt", &track, "VFIO device", SAMPLE_INTERRUPT, i, i->t_ns, UNKNOWN);
}

static int add_vmm_state(struct trace *trace, const struct vmm_state_sample *s)
{
	char name[sizeof("VMM: ") + sizeof(s->status) + sizeof(s->event)];

	snprintf(name, sizeof(name), "VMM: %s", *s->event ? s->event : s->status);
	return add_moment(trace, name, s->pid, SAMPLE_VMM_STATE, s, s->t_ns);
}

static int add_transfer(struct trace *trace, const struct transfer_sample *t)
{
	struct writer *w = &trace->writer;

	if (t->sent_bytes == UNKNOWN || t->t_ns == UNKNOWN)
		return 0;
	begin_event(trace, "C", "sent bytes");
	writer__text(w, ",\"ts\":");
	put_us(w, t->t_ns);
	put_member(w, "pid", known(t->pid));
	writer__text(w, ",\"args\":{\"sent\":");
	writer__u64(w, t->sent_bytes);
	writer__text(w, "}}");
	return w->err;
}

int trace__add(struct trace *trace, enum sample_kind kind, const union sample *sample)
{
	const struct clear_sample *c = &sample->clear;
	const struct tracking_sample *t = &sample->tracking;
	const struct split_sample *s = &sample->split;

	switch (kind) {
	case SAMPLE_HEADER:
		STRING_COPY(trace->time_basis, sample->header.time_basis);
		STRING_COPY(trace->kernel, sample->header.kernel_release);
		return 0;
	case SAMPLE_SYNC:
		return add_sync(trace, &sample->sync);
	case SAMPLE_CLEAR:
		return add_span(trace, "clear", &(struct trace_track){ c->pid, c->vm, UNKNOWN, c->slot, 0 },
				c->source, kind, c, c->t_ns, c->total_ns);
	case SAMPLE_TRACKING:
		return add_span(trace, t->enable == TRI_TRUE ? "tracking starts" : "tracking stops",
				&(struct trace_track){ t->pid, t->vm, t->domain, t->slot, 0 },
				name_of(t->source, t->device), kind, t, t->t_ns, t->total_ns);
	case SAMPLE_SPLIT:
		return add_span(trace, "split", &(struct trace_track){ UNKNOWN, UNKNOWN, s->domain, UNKNOWN, 0 },
				"splits", kind, s, s->t_ns, s->ns);
	case SAMPLE_DEVICE_STATE:
		return add_device_state(trace, &sample->device_state);
	case SAMPLE_INTERRUPT:
		return add_interrupt(trace, &sample->interrupt);
	case SAMPLE_VCPUS:
		return add_vcpus(trace, &sample->vcpus);
	case SAMPLE_VMM_STATE:
		return add_vmm_state(trace, &sample->vmm_state);
	case SAMPLE_TRANSFER:
		return add_transfer(trace, &sample->transfer);
	case SAMPLE_VMM_DEVICE_STOP:
	case SAMPLE_VMM_DESTINATION_RUNNING:
		if (sample->vmm_moment.t_ns != UNKNOWN)
			put_moment(trace, sample__table(kind)->record, sample->vmm_moment.t_ns);
		return trace->writer.err;
	default:
		return 0;
	}
}

int trace__end(struct trace *trace)
{
	struct writer *w = &trace->writer;

	writer__text(w, "\n],\"otherData\":{\"made_by\":\"hwdbm\",\"time_basis\":");
	writer__json(w, trace->time_basis);
	writer__text(w, ",\"kernel\":");
	writer__json(w, trace->kernel);
	writer__text(w, ",\"clock\":\"CLOCK_MONOTONIC\"}}\n");
	free(trace->tracks);
	trace->tracks = NULL;
	return writer__flush(w);
}
