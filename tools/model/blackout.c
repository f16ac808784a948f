// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which process was the source and which the target, how their clocks are related, and what was
 * when. See blackout.h.
 */
#include "blackout.h"
#include "../lib/strings.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define F FIELD

static const struct field row_fields[] = {
	F(blackout_row, event, "event", "event", FIELD_TEXT, UNIT_NONE, "what"),
	F(blackout_row, side, "side", "side", FIELD_TEXT, UNIT_NONE, "where it was measured"),
	F(blackout_row, begin_ns, "begin_ns", NULL, FIELD_I64, UNIT_NS,
	  "beginning, counted from that of the blackout"),
	F(blackout_row, end_ns, "end_ns", NULL, FIELD_I64, UNIT_NS, "end, likewise"),
	F(blackout_row, takes_ns, "takes_ns", NULL, FIELD_U64, UNIT_NS,
	  "duration; unknown of what is known as a moment"),
	F(blackout_row, error_ns, "error_ns", NULL, FIELD_U64, UNIT_NS,
	  "by how much begin_ns and end_ns may be wrong because two clocks are compared"),
	F(blackout_row, at_most, "at_most", NULL, FIELD_BOOL, UNIT_NONE,
	  "whether it is only known to have been by then"),
	F(blackout_row, below_error, "below_error", NULL, FIELD_BOOL, UNIT_NONE,
	  "whether the clocks are known less well than it takes"),
	F(blackout_row, note, "note", NULL, FIELD_TEXT, UNIT_NONE, "how it is known, or why not"),
};

const struct field_table blackout_row_table = FIELD_TABLE("blackout_event", blackout_row, row_fields);

static const struct field fields[] = {
	F(blackout, total_ns, "blackout_ns", NULL, FIELD_U64, UNIT_NS,
	  "from the first stop at the source to the start at the target"),
	F(blackout, error_ns, "error_ns", NULL, FIELD_U64, UNIT_NS, "by how much that may be wrong"),
	F(blackout, at_most, "at_most", NULL, FIELD_BOOL, UNIT_NONE, "whether it is only a bound"),
	F(blackout, below_error, "below_error", NULL, FIELD_BOOL, UNIT_NONE,
	  "whether the clocks are known less well than that"),
	F(blackout, from, "from", NULL, FIELD_TEXT, UNIT_NONE, "event that it begins with"),
	F(blackout, to, "to", NULL, FIELD_TEXT, UNIT_NONE, "event that it ends with"),
	F(blackout, why, "why_unknown", NULL, FIELD_TEXT, UNIT_NONE, "why it is unknown"),
	F(blackout, source_pid, "source.pid", NULL, FIELD_U64, UNIT_NONE, "the source's process"),
	F(blackout, target_pid, "target.pid", NULL, FIELD_U64, UNIT_NONE, "the target's process"),
	F(blackout, begun_ns, "source.begun_ns", NULL, FIELD_U64, UNIT_CLOCK,
	  "when it began, on the source's clock"),
	F(blackout, same_clock, "clock.same", NULL, FIELD_BOOL, UNIT_NONE,
	  "whether both recordings are of one boot of one host"),
	F(blackout, related, "clock.related", NULL, FIELD_BOOL, UNIT_NONE,
	  "whether the clocks could be related"),
	F(blackout, offset_ns, "clock.offset_ns", NULL, FIELD_I64, UNIT_NS,
	  "by how much the target's clock is ahead of the source's"),
	F(blackout, offset_error_ns, "clock.error_ns", NULL, FIELD_U64, UNIT_NS,
	  "by how much that may be wrong"),
	F(blackout, connections, "clock.connections", NULL, FIELD_U64, UNIT_COUNT,
	  "TCP connections that were seen at both ends"),
	F(blackout, looks, "clock.looks", NULL, FIELD_U64, UNIT_COUNT, "looks at these"),
	F(blackout, downtime_ns, "downtime_ns", NULL, FIELD_U64, UNIT_NS,
	  "what the source's VMM calls its downtime"),
};

const struct field_table blackout_table = FIELD_TABLE("blackout", blackout, fields);

/* ---- samples ----------------------------------------------------------------------- */

static int append(void *list, size_t *count, const void *item, size_t size)
{
	void **at = list;
	/* Room doubles at each power of two. */
	void *grown = *count & (*count - 1) ? *at : realloc(*at, (*count ? 2 * *count : 1) * size);

	if (!grown)
		return -ENOMEM;
	*at = grown;
	memcpy((char *)grown + (*count)++ * size, item, size);
	return 0;
}

#define APPEND(list, count, item) append(&(list), &(count), &(item), sizeof(item))

int blackout__add(struct blackout_side *side, enum sample_kind kind, const union sample *sample)
{
	switch (kind) {
	case SAMPLE_HEADER:
		side->header = sample->header;
		side->has_header = true;
		return 0;
	case SAMPLE_CONNECTION:
		return APPEND(side->looks, side->look_count, sample->connection);
	case SAMPLE_DEVICE_STATE:
		return APPEND(side->states, side->state_count, sample->device_state);
	case SAMPLE_INTERRUPT:
		return APPEND(side->interrupts, side->interrupt_count, sample->interrupt);
	case SAMPLE_SYNC:
		return APPEND(side->syncs, side->sync_count, sample->sync);
	case SAMPLE_VCPUS:
		return APPEND(side->vcpus, side->vcpu_count, sample->vcpus);
	case SAMPLE_VMM_STATE:
		return APPEND(side->answers, side->answer_count, sample->vmm_state);
	case SAMPLE_END:
		side->has_end = true;
		side->lost += sample__lost(&sample->end);
		return 0;
	default:
		return 0;
	}
}

void blackout__release(struct blackout_side *side)
{
	free(side->looks);
	free(side->states);
	free(side->interrupts);
	free(side->syncs);
	free(side->vcpus);
	free(side->answers);
	*side = (struct blackout_side){ 0 };
}

/* ---- who --------------------------------------------------------------------------- */

static bool is(const struct device_state_sample *state, const char *name)
{
	return !state->ret && !strcmp(state->state, name);
}

static bool stops(const struct device_state_sample *state)
{
	return is(state, "stop-copy") || is(state, "stop");
}

static bool runs(const struct device_state_sample *state)
{
	return is(state, "running") || is(state, "running-p2p") || is(state, "pre-copy") ||
	       is(state, "pre-copy-p2p");
}

/* The process that was last asked for that state, UNKNOWN: none. */
static uint64_t last_with(const struct blackout_side *side, const char *name)
{
	for (size_t i = side->state_count; i-- > 0;)
		if (is(&side->states[i], name))
			return side->states[i].pid;
	return UNKNOWN;
}

/* Without a device that is migrated: the only process that there is. */
static uint64_t only_process(const struct blackout_side *side)
{
	if (side->header.pid != UNKNOWN)
		return side->header.pid;
	return side->vcpu_count == 1 ? side->vcpus[0].pid : UNKNOWN;
}

static int find_sides(const struct blackout_side *source, const struct blackout_side *target,
		      struct blackout *out, char why[2 * BLACKOUT_REASON])
{
	uint64_t saves = last_with(source, "stop-copy"), loads = last_with(target, "resuming");

	out->source_pid = saves;
	out->target_pid = loads;
	if (saves == UNKNOWN && loads == UNKNOWN && last_with(source, "resuming") != UNKNOWN &&
	    last_with(target, "stop-copy") != UNKNOWN) {
		snprintf(why, 2 * BLACKOUT_REASON,
			 "the recordings are swapped: --src has a device that loads its state, and --dst one that saves it");
		return -ENODATA;
	}
	if (saves == UNKNOWN)
		out->source_pid = source->state_count ? UNKNOWN : only_process(source);
	if (loads == UNKNOWN)
		out->target_pid = target->state_count ? UNKNOWN : only_process(target);
	if (out->source_pid == UNKNOWN)
		snprintf(why, 2 * BLACKOUT_REASON, source->state_count ?
			 "--src has no switch-over: no device of it was asked to stop and copy" :
			 "--src does not tell which process migrated: it has no device, and was not made with -p or --vm");
	else if (out->target_pid == UNKNOWN)
		snprintf(why, 2 * BLACKOUT_REASON, target->state_count ?
			 "--dst has no device that loads a state: it is not the target of a migration" :
			 "--dst does not tell which process was the target: it has no device, and was not made with -p or --vm");
	else
		return 0;
	return -ENODATA;
}

/* ---- clocks ------------------------------------------------------------------------ */

/* What one side had carried at a moment between two of its own times. */
struct look {
	uint64_t first;
	uint64_t last;
	uint64_t bytes;
};

enum counter { SENT, ACKED, RECEIVED };

static uint64_t bytes_of(const struct connection_sample *c, enum counter counter)
{
	return counter == SENT ? c->sent_bytes : counter == ACKED ? c->acked_bytes : c->received_bytes;
}

/* One connection as one side has seen it. */
struct strand {
	const struct blackout_side *side;
	uint64_t pid;
	const char *local;
	const char *remote;
};

static bool on_strand(const struct strand *s, const struct connection_sample *c)
{
	return c->pid == s->pid && !strcmp(c->local, s->local) && !strcmp(c->remote, s->remote);
}

static size_t next_look(const struct strand *s, size_t from)
{
	while (from < s->side->look_count && !on_strand(s, &s->side->looks[from]))
		from++;
	return from;
}

static uint64_t distance(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

/* The SYN and the FIN take a number each, and some counters have them. */
#define NUMBERS 2

/*
 * What the one side had sent (or received) when the other side's counter was already above it, it
 * did before: the least time from such a look to the other's. In the clocks of both: the other's
 * minus the one's. INT64_MAX: there are no such looks.
 */
static int64_t least_gap(const struct strand *one, enum counter before, const struct strand *other,
			 enum counter after, uint64_t reference, bool one_is_source)
{
	size_t i = next_look(one, 0), latest = SIZE_MAX;
	int64_t least = INT64_MAX;

	for (size_t j = next_look(other, 0); j < other->side->look_count; j = next_look(other, j + 1)) {
		const struct connection_sample *b = &other->side->looks[j], *a;
		uint64_t bytes = bytes_of(b, after), at;
		int64_t gap;

		if (bytes == UNKNOWN)
			continue;
		while (i < one->side->look_count &&
		       bytes_of(&one->side->looks[i], before) + NUMBERS < bytes) {
			latest = i;
			i = next_look(one, i + 1);
		}
		if (latest == SIZE_MAX)
			continue;
		a = &one->side->looks[latest];
		at = one_is_source ? a->t_ns : b->t_ns;
		gap = (int64_t)(b->t_ns - (a->t_ns - a->total_ns));
		gap += (int64_t)(distance(at, reference) / 1000000 * BLACKOUT_DRIFT_MILLIONTHS);
		if (gap < least)
			least = gap;
	}
	return least;
}

static int64_t lesser(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

struct bounds {
	int64_t most;			/* the offset is at most this, INT64_MAX: unknown */
	int64_t least;			/* and at least minus this */
};

static void add_connection(const struct strand *s, const struct strand *t, uint64_t reference,
			   struct bounds *bounds)
{
	bounds->most = lesser(bounds->most, least_gap(s, SENT, t, RECEIVED, reference, true));
	bounds->most = lesser(bounds->most, least_gap(s, RECEIVED, t, ACKED, reference, true));
	bounds->least = lesser(bounds->least, least_gap(t, SENT, s, RECEIVED, reference, false));
	bounds->least = lesser(bounds->least, least_gap(t, RECEIVED, s, ACKED, reference, false));
}

static bool is_first(const struct blackout_side *side, size_t at)
{
	const struct connection_sample *c = &side->looks[at];
	const struct strand strand = { side, c->pid, c->local, c->remote };

	return next_look(&strand, 0) == at;
}

static uint64_t count_looks(const struct strand *s)
{
	uint64_t count = 0;

	for (size_t i = next_look(s, 0); i < s->side->look_count; i = next_look(s, i + 1))
		count++;
	return count;
}

static void add_connections(const struct blackout_side *source, const struct blackout_side *target,
			    uint64_t reference, struct bounds *bounds, struct blackout *out)
{
	for (size_t i = 0; i < source->look_count; i++) {
		const struct connection_sample *c = &source->looks[i];
		const struct strand s = { source, out->source_pid, c->local, c->remote };
		const struct strand t = { target, out->target_pid, c->remote, c->local };

		if (c->pid != out->source_pid || !is_first(source, i) ||
		    next_look(&t, 0) == target->look_count)
			continue;
		out->connections++;
		out->looks += count_looks(&s) + count_looks(&t);
		add_connection(&s, &t, reference, bounds);
	}
}

static bool has_looks(const struct blackout_side *side, uint64_t pid)
{
	for (size_t i = 0; i < side->look_count; i++)
		if (side->looks[i].pid == pid)
			return true;
	return false;
}

static void relate(const struct blackout_side *source, const struct blackout_side *target,
		   uint64_t reference, struct blackout *out)
{
	struct bounds bounds = { INT64_MAX, INT64_MAX };

	out->connections = 0;
	out->looks = 0;
	out->same_clock = *source->header.host_boot &&
			  !strcmp(source->header.host_boot, target->header.host_boot) ?
			  TRI_TRUE : TRI_FALSE;
	add_connections(source, target, reference, &bounds, out);
	out->related = TRI_TRUE;
	if (out->same_clock == TRI_TRUE) {
		out->offset_ns = 0;
		out->offset_error_ns = 0;
		/* One clock would join any two migrations of a host. */
		if (!out->connections && has_looks(source, out->source_pid) &&
		    has_looks(target, out->target_pid)) {
			out->related = TRI_FALSE;
			STRING_COPY(out->why, "no TCP connection is in both recordings: they seem to be of two migrations");
		}
		return;
	}
	out->related = TRI_FALSE;
	if (!out->connections)
		snprintf(out->why, sizeof(out->why), source->look_count && target->look_count ?
			 "the clocks cannot be related: no TCP connection is in both recordings, so that they may be of two migrations" :
			 "the clocks cannot be related: %s saw no TCP connection of its process that carried anything",
			 source->look_count ? "--dst" : "--src");
	else if (bounds.most == INT64_MAX || bounds.least == INT64_MAX)
		snprintf(out->why, sizeof(out->why),
			 "the clocks cannot be related: of %" PRIu64 " looks at %" PRIu64 " TCP connections none shows bytes that arrived %s",
			 out->looks, out->connections,
			 bounds.most == INT64_MAX ? "after they were sent" : "before they were acknowledged");
	else if (bounds.most < -bounds.least)
		snprintf(out->why, sizeof(out->why),
			 "the recordings contradict each other: bytes would have arrived before they were sent; a clock was changed while they were made, or drifts by more than %d millionths",
			 BLACKOUT_DRIFT_MILLIONTHS);
	else
		out->related = TRI_TRUE;
	if (out->related != TRI_TRUE)
		return;
	out->offset_ns = (bounds.most - bounds.least) / 2;
	out->offset_error_ns = (uint64_t)(bounds.most + bounds.least + 1) / 2;
}

/* ---- what was when ----------------------------------------------------------------- */

/* On the clock of its side. */
struct span {
	uint64_t begin;			/* UNKNOWN: nothing is known */
	uint64_t end;
	bool at_most;
	char note[BLACKOUT_REASON];
};

struct facts {
	struct span spans[BLACKOUT_EVENTS];
	bool runs_on;			/* the source does, after it had stopped */
};

#define UNSEEN(span_, ...) ((void)snprintf((span_)->note, sizeof((span_)->note), __VA_ARGS__))

static void set_span(struct span *span, uint64_t begin, uint64_t end)
{
	span->begin = begin;
	span->end = end;
}

/* The call that has stopped a device for good; UNKNOWN: it runs. */
static struct span last_stop(const struct blackout_side *side, uint64_t pid, uint64_t device)
{
	struct span span = { .begin = UNKNOWN, .end = UNKNOWN };

	for (size_t i = 0; i < side->state_count; i++) {
		const struct device_state_sample *s = &side->states[i];

		if (s->pid != pid || s->device != device)
			continue;
		if (runs(s))
			set_span(&span, UNKNOWN, UNKNOWN);
		else if (stops(s) && span.begin == UNKNOWN)
			set_span(&span, s->t_ns - s->total_ns, s->t_ns);
	}
	return span;
}

/* The call that lets a device run after it has loaded, and the one before, in which it loads. */
static void last_start(const struct blackout_side *side, uint64_t pid, uint64_t device,
		       struct span *load, struct span *start)
{
	bool is_loading = false;

	for (size_t i = 0; i < side->state_count; i++) {
		const struct device_state_sample *s = &side->states[i];

		if (s->pid != pid || s->device != device || s->ret || !*s->state)
			continue;
		if (is(s, "resuming")) {
			is_loading = true;
			set_span(load, UNKNOWN, UNKNOWN);
			set_span(start, UNKNOWN, UNKNOWN);
		} else if (is_loading && load->begin == UNKNOWN) {
			set_span(load, s->t_ns - s->total_ns, s->t_ns);
		}
		if (is_loading && is(s, "running")) {
			set_span(start, s->t_ns - s->total_ns, s->t_ns);
			is_loading = false;
		}
	}
}

/* From the first to the last of several devices. */
static void widen(struct span *span, const struct span *by)
{
	if (by->begin == UNKNOWN)
		return;
	if (span->begin == UNKNOWN || by->begin < span->begin)
		span->begin = by->begin;
	if (span->end == UNKNOWN || by->end > span->end)
		span->end = by->end;
}

static uint64_t most_devices(const struct blackout_side *side)
{
	uint64_t most = 0;

	for (size_t i = 0; i < side->state_count; i++)
		if (side->states[i].device > most && side->states[i].device != UNKNOWN)
			most = side->states[i].device;
	return most;
}

static bool is_probed(const struct blackout_side *side, const char *what)
{
	for (size_t i = 0; i < side->header.probes.count; i++)
		if (!strcmp(side->header.probes.at[i].name, what))
			return true;
	return false;
}

static void explain_devices(const struct blackout_side *side, const char *event, struct span *span)
{
	if (span->begin == UNKNOWN)
		UNSEEN(span, is_probed(side, "device-state") ? "no VFIO device of it %s" :
			     "nothing on that host tells when VFIO devices stop and go", event);
}

static void find_devices(const struct blackout_side *source, const struct blackout_side *target,
			 const struct blackout *out, struct facts *facts)
{
	struct span *stop = &facts->spans[BLACKOUT_DEVICE_STOP];
	struct span *load = &facts->spans[BLACKOUT_LOAD], *start = &facts->spans[BLACKOUT_START];

	for (uint64_t device = 1; device <= most_devices(source); device++) {
		struct span one = last_stop(source, out->source_pid, device);

		widen(stop, &one);
	}
	for (uint64_t device = 1; device <= most_devices(target); device++) {
		struct span loads = { .begin = UNKNOWN }, starts = { .begin = UNKNOWN };

		last_start(target, out->target_pid, device, &loads, &starts);
		widen(load, &loads);
		widen(start, &starts);
	}
	facts->runs_on = stop->begin == UNKNOWN && last_with(source, "stop-copy") != UNKNOWN;
	explain_devices(source, "was stopped", stop);
	explain_devices(target, "has loaded a state", load);
	explain_devices(target, "was started", start);
}

/* When QEMU told of an event: at the latest then it was. */
static uint64_t told(const struct blackout_side *side, uint64_t pid, const char *event, bool last)
{
	uint64_t t_ns = UNKNOWN;

	for (size_t i = 0; i < side->answer_count; i++)
		if ((side->answers[i].pid == pid || side->answers[i].pid == UNKNOWN) &&
		    !strcmp(side->answers[i].event, event) && (last || t_ns == UNKNOWN))
			t_ns = side->answers[i].t_ns;
	return t_ns;
}

static void find_vcpus(const struct blackout_side *side, uint64_t pid, bool stop, struct span *span)
{
	const char *event = stop ? "STOP" : "RESUME";
	uint64_t t_ns = UNKNOWN;

	for (size_t i = 0; i < side->vcpu_count; i++)
		if (side->vcpus[i].pid == pid)
			t_ns = stop ? side->vcpus[i].last_ns : side->vcpus[i].first_ns;
	span->at_most = !stop;
	if (t_ns != UNKNOWN)
		UNSEEN(span, stop ? "last return of a vCPU to the VMM" : "first return of a vCPU to the VMM");
	else if ((t_ns = told(side, pid, event, stop)) != UNKNOWN) {
		span->at_most = true;
		UNSEEN(span, "when QEMU told of %s", event);
	} else {
		UNSEEN(span, !side->has_end ? "that recording is cut off before it tells of vCPUs" :
			     is_probed(side, "vcpus") ? "its vCPUs are not KVM's; --qmp would tell" :
			     "vCPUs were not measured, which takes KVM and record -p or --vm; --qmp would tell");
	}
	set_span(span, t_ns, t_ns);
}

static bool is_copied(const struct sync_sample *sync, uint64_t pid)
{
	/* An IOMMU that is read without being cleared is read again; KVM's log is cleared apart. */
	return sync->pid == pid && !sync->ret &&
	       (sync->clear != TRI_FALSE || !sample__is_iommu(sync->source));
}

static void find_last_sync(const struct blackout_side *side, uint64_t pid, struct span *span)
{
	const struct sync_sample *last = NULL;

	/* Several domains and slots make one; what it begins with is known by its number. */
	for (size_t i = 0; i < side->sync_count; i++)
		if (is_copied(&side->syncs[i], pid) && (!last || side->syncs[i].t_ns > last->t_ns))
			last = &side->syncs[i];
	for (size_t i = 0; last && i < side->sync_count; i++) {
		const struct sync_sample *s = &side->syncs[i];
		const struct span one = { .begin = s->t_ns - (s->total_ns == UNKNOWN ? 0 : s->total_ns),
					  .end = s->t_ns };

		if (is_copied(s, pid) && s->iteration == last->iteration &&
		    s->t_ns + UINT64_C(1000000000) > last->t_ns)
			widen(span, &one);
	}
	if (!last)
		UNSEEN(span, "no sync of its process was seen");
}

/* The first look at which all connections together had carried so much, and the look before. */
static void find_bytes(const struct blackout_side *side, uint64_t pid, enum counter counter,
		       uint64_t less, struct span *span)
{
	uint64_t total = 0, sum, before;

	for (int pass = 0; pass < 2; pass++) {
		sum = 0;
		before = UNKNOWN;
		for (size_t i = 0; i < side->look_count; i++) {
			const struct connection_sample *c = &side->looks[i];

			if (c->pid != pid)
				continue;
			/* What this connection had carried at the look before is in the sum. */
			for (size_t j = i; j-- > 0;)
				if (side->looks[j].pid == pid && !strcmp(side->looks[j].local, c->local) &&
				    !strcmp(side->looks[j].remote, c->remote)) {
					sum -= bytes_of(&side->looks[j], counter);
					break;
				}
			sum += bytes_of(c, counter);
			if (pass && sum + less >= total) {
				set_span(span, before == UNKNOWN ? c->t_ns : before, c->t_ns);
				return;
			}
			before = c->t_ns - c->total_ns;
		}
		total = sum;
	}
}

/* What its devices say they have when they stand still, UNKNOWN: nobody asked. */
static uint64_t state_bytes(const struct blackout_side *side, uint64_t pid)
{
	uint64_t sum = UNKNOWN;

	for (uint64_t device = 1; device <= most_devices(side); device++) {
		uint64_t bytes = UNKNOWN;

		for (size_t i = 0; i < side->state_count; i++)
			if (side->states[i].pid == pid && side->states[i].device == device &&
			    side->states[i].size_bytes != UNKNOWN)
				bytes = side->states[i].size_bytes;
		if (bytes != UNKNOWN)
			sum = (sum == UNKNOWN ? 0 : sum) + bytes;
	}
	return sum;
}

static void find_transfer(const struct blackout_side *source, const struct blackout_side *target,
			  const struct blackout *out, struct facts *facts)
{
	struct span *ram = &facts->spans[BLACKOUT_LAST_RAM], *save = &facts->spans[BLACKOUT_SAVE];
	struct span *arrive = &facts->spans[BLACKOUT_ARRIVE];
	uint64_t state = state_bytes(source, out->source_pid);

	find_bytes(source, out->source_pid, SENT, 0, save);
	find_bytes(target, out->target_pid, RECEIVED, 0, arrive);
	if (save->begin != UNKNOWN && state != UNKNOWN) {
		find_bytes(source, out->source_pid, SENT, state, ram);
		UNSEEN(ram, "between two looks: all is sent but the %" PRIu64 " bytes that the devices had left",
		       state);
	} else {
		UNSEEN(ram, save->begin == UNKNOWN ? "nothing was seen to go over TCP" :
		       "how much of the last that was sent is state of devices was not asked");
	}
	UNSEEN(save, save->begin == UNKNOWN ? "nothing was seen to go over TCP" :
	       "between two looks: its last byte is sent");
	UNSEEN(arrive, arrive->begin == UNKNOWN ? "nothing was seen to come over TCP" :
	       "between two looks: the last byte is received");
}

/* A message is itself written to memory by the device; a line is raised for something it did. */
static bool is_message(const struct interrupt_sample *interrupt)
{
	return !strncmp(interrupt->name, "vfio-msi", strlen("vfio-msi"));
}

/* No kernel tells of single DMA. What a device interrupts for it has done before. */
static void find_first_dma(const struct blackout_side *side, uint64_t pid, struct span *span)
{
	const struct interrupt_sample *first = NULL;

	for (size_t i = 0; i < side->interrupt_count; i++) {
		const struct interrupt_sample *interrupt = &side->interrupts[i];
		struct span load = { .begin = UNKNOWN }, start = { .begin = UNKNOWN };

		last_start(side, pid, interrupt->device, &load, &start);
		if (interrupt->pid == pid && load.begin != UNKNOWN && interrupt->t_ns >= load.begin &&
		    (!first || interrupt->t_ns < first->t_ns))
			first = interrupt;
	}
	if (first) {
		set_span(span, first->t_ns, first->t_ns);
		span->at_most = true;
		UNSEEN(span, "by the first interrupt, %s, which %s", first->name, is_message(first) ?
		       "is a write itself" : "a device sends for what it has done");
	} else {
		UNSEEN(span, is_probed(side, "interrupt") && is_probed(side, "device-state") ?
		       "no interrupt of it was seen: it had none, or hardware took it straight to the vCPUs" :
		       "nothing on that host tells of its interrupts, and no kernel of single DMA");
	}
}

static void find_facts(const struct blackout_side *source, const struct blackout_side *target,
		       const struct blackout *out, struct facts *facts)
{
	for (int i = 0; i < BLACKOUT_EVENTS; i++)
		facts->spans[i] = (struct span){ .begin = UNKNOWN, .end = UNKNOWN };
	find_devices(source, target, out, facts);
	find_vcpus(source, out->source_pid, true, &facts->spans[BLACKOUT_VCPU_STOP]);
	find_vcpus(target, out->target_pid, false, &facts->spans[BLACKOUT_VCPU_START]);
	find_last_sync(source, out->source_pid, &facts->spans[BLACKOUT_LAST_SYNC]);
	find_transfer(source, target, out, facts);
	find_first_dma(target, out->target_pid, &facts->spans[BLACKOUT_FIRST_DMA]);
}

/* ---- both together ----------------------------------------------------------------- */

static const struct {
	const char *name;
	bool on_target;
} events[BLACKOUT_EVENTS] = {
	[BLACKOUT_VCPU_STOP] = { "vCPUs stop", false },
	[BLACKOUT_DEVICE_STOP] = { "device stops", false },
	[BLACKOUT_LAST_SYNC] = { "last sync", false },
	[BLACKOUT_LAST_RAM] = { "last RAM sent", false },
	[BLACKOUT_SAVE] = { "state saved", false },
	[BLACKOUT_ARRIVE] = { "all received", true },
	[BLACKOUT_LOAD] = { "device loads", true },
	[BLACKOUT_START] = { "device starts", true },
	[BLACKOUT_VCPU_START] = { "vCPUs run", true },
	[BLACKOUT_FIRST_DMA] = { "first DMA", true },
};

/* A stop that QEMU told of later than the device's is no beginning. */
static enum blackout_event first_stop(const struct facts *facts)
{
	const struct span *vcpus = &facts->spans[BLACKOUT_VCPU_STOP];
	const struct span *device = &facts->spans[BLACKOUT_DEVICE_STOP];

	if (device->begin == UNKNOWN)
		return BLACKOUT_VCPU_STOP;
	return vcpus->begin == UNKNOWN || device->begin < vcpus->begin ? BLACKOUT_DEVICE_STOP :
									BLACKOUT_VCPU_STOP;
}

static enum blackout_event last_start_of(const struct facts *facts)
{
	return facts->spans[BLACKOUT_START].begin != UNKNOWN ? BLACKOUT_START : BLACKOUT_VCPU_START;
}

static void put_row(const struct facts *facts, enum blackout_event event, struct blackout *out)
{
	const struct span *span = &facts->spans[event];
	struct blackout_row *row = &out->rows[event];
	bool moved = events[event].on_target && out->same_clock != TRI_TRUE;
	int64_t offset = moved ? out->offset_ns : 0;

	field__clear(&blackout_row_table, row);
	row->begin_ns = UNKNOWN_I64;
	row->end_ns = UNKNOWN_I64;
	STRING_COPY(row->event, events[event].name);
	STRING_COPY(row->side, events[event].on_target ? "target" : "source");
	STRING_COPY(row->note, span->note);
	if (span->begin == UNKNOWN)
		return;
	if (span->end != span->begin)
		row->takes_ns = span->end - span->begin;
	row->at_most = span->at_most ? TRI_TRUE : TRI_FALSE;
	if (moved && out->related != TRI_TRUE)
		return;
	row->begin_ns = (int64_t)(span->begin - out->begun_ns) - offset;
	row->end_ns = (int64_t)(span->end - out->begun_ns) - offset;
	row->error_ns = moved ? out->offset_error_ns : 0;
	if (row->takes_ns != UNKNOWN && moved)
		row->below_error = row->takes_ns < row->error_ns ? TRI_TRUE : TRI_FALSE;
}

static void sum_up(const struct facts *facts, enum blackout_event from, enum blackout_event to,
		   struct blackout *out)
{
	const struct blackout_row *row = &out->rows[to];

	STRING_COPY(out->from, events[from].name);
	STRING_COPY(out->to, events[to].name);
	if (facts->spans[to].begin == UNKNOWN) {
		snprintf(out->why, sizeof(out->why), "it was not seen to run at the target: %.100s",
			 facts->spans[to].note);
		return;
	}
	if (out->related != TRI_TRUE)
		return;
	if (row->end_ns + (int64_t)row->error_ns < 0) {
		snprintf(out->why, sizeof(out->why),
			 "the target ran before the source stopped: these are not the two sides of one migration");
		return;
	}
	out->total_ns = row->end_ns < 0 ? 0 : (uint64_t)row->end_ns;
	out->error_ns = row->error_ns;
	out->at_most = facts->spans[to].at_most || facts->spans[from].at_most ? TRI_TRUE : TRI_FALSE;
	out->below_error = out->total_ns < out->error_ns ? TRI_TRUE : TRI_FALSE;
}

static void find_downtime(const struct blackout_side *source, struct blackout *out)
{
	for (size_t i = 0; i < source->answer_count; i++)
		if (source->answers[i].downtime_ns != UNKNOWN &&
		    (source->answers[i].pid == out->source_pid || source->answers[i].pid == UNKNOWN))
			out->downtime_ns = source->answers[i].downtime_ns;
}

/* What the VMM said last of how the migration stands; "" if nothing. */
static const char *last_word(const struct blackout_side *side, uint64_t pid)
{
	const char *word = "";

	for (size_t i = 0; i < side->answer_count; i++)
		if (*side->answers[i].status && (side->answers[i].pid == pid || side->answers[i].pid == UNKNOWN))
			word = side->answers[i].status;
	return word;
}

int blackout__join(const struct blackout_side *source, const struct blackout_side *target,
		   struct blackout *out, char why[2 * BLACKOUT_REASON])
{
	enum blackout_event from;
	struct facts facts = { 0 };
	const char *ended;
	int err;

	field__clear(&blackout_table, out);
	err = find_sides(source, target, out, why);
	if (err)
		return err;
	find_facts(source, target, out, &facts);
	ended = last_word(source, out->source_pid);
	if (!strcmp(ended, "cancelled") || !strcmp(ended, "failed")) {
		snprintf(why, 2 * BLACKOUT_REASON, "--src has no switch-over: its VMM says that the migration %s",
			 *ended == 'c' ? "was cancelled" : "has failed");
		return -ENODATA;
	}
	from = first_stop(&facts);
	if (facts.runs_on || facts.spans[from].begin == UNKNOWN) {
		snprintf(why, 2 * BLACKOUT_REASON, facts.runs_on ?
			 "--src has no switch-over: its device was stopped and let run again, so the migration was given up" :
			 "--src does not tell when the VM stopped: %.100s", facts.spans[from].note);
		return -ENODATA;
	}
	out->begun_ns = facts.spans[from].begin;
	relate(source, target, out->begun_ns, out);
	find_downtime(source, out);
	for (int event = 0; event < BLACKOUT_EVENTS; event++)
		put_row(&facts, event, out);
	sum_up(&facts, from, last_start_of(&facts), out);
	return 0;
}
