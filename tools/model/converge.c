// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rounds from syncs, rates and a verdict from rounds. Not here: iterations of a single
 * slot or domain, which the samples bring along.
 */
#include "converge.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NS_PER_SECOND UINT64_C(1000000000)

/*
 * A display's memory is logged all the time, to see what to draw. QEMU's largest ones have
 * this size by default.
 */
#define DISPLAY_BYTES (UINT64_C(64) << 20)

/*
 * A sync so soon after the start of tracking, or one of KVM that reports all memory, comes
 * before anything is sent (QEMU). Others send all memory first, and sync then.
 */
#define AT_START_NS (100 * UINT64_C(1000000))

/* A slower sync of the same iteration may still come. */
#define SETTLE_NS (250 * UINT64_C(1000000))

/* Fewer bytes in an iteration than a handshake needs are no transfer: it takes another way. */
#define NO_TRANSFER_BYTES 4096

/* "As much as before" leaves room for chance. */
#define SHRINKS_TO 0.9

/* As much as this of what remained is all of it, but for chance. */
#define ALL_SENT 0.98

/* A share from which on one source is what it is about. */
#define MOST (2.0 / 3)

#define NONE UNIT_NONE
#define F FIELD

static const struct field row_fields[] = {
	F(converge_row, t_ns, "t_ns", NULL, FIELD_U64, UNIT_NS, "end of the iteration's last sync"),
	F(converge_row, pid, "pid", "pid", FIELD_U64, UNIT_ID, "the VMM"),
	F(converge_row, iteration, "iteration", "iter.", FIELD_U64, UNIT_COUNT,
	  "pre-copy iteration, from the first sync seen"),
	F(converge_row, after_ns, "after_ns", "after", FIELD_U64, UNIT_NS,
	  "since tracking began, or since the first sync seen"),
	F(converge_row, start_seen, "start_seen", NULL, FIELD_BOOL, NONE,
	  "whether the start of tracking was seen; if not, there may be earlier iterations"),
	F(converge_row, syncs, "syncs", NULL, FIELD_U64, UNIT_COUNT, "syncs of this iteration"),
	F(converge_row, took_ns, "took_ns", NULL, FIELD_U64, UNIT_NS, "what they took"),
	F(converge_row, interval_ns, "interval_ns", NULL, FIELD_U64, UNIT_NS,
	  "since the iteration before"),
	F(converge_row, remaining_bytes, "remaining_bytes", "remains", FIELD_U64, UNIT_BYTES,
	  "dirty bytes that these syncs have read; before anything is sent, all memory"),
	F(converge_row, exact, "exact", NULL, FIELD_BOOL, NONE,
	  "no if several trackers may report the same memory: it is their sum then, and of vhost what it had logged by then; unknown if the VMM may not have sent all of the iteration before: the rest comes on top"),
	F(converge_row, vcpu_rate, "vcpu_bytes_per_second", "vCPUs", FIELD_U64,
	  UNIT_BYTES_PER_SECOND, "dirty rate, by KVM"),
	F(converge_row, dma_rate, "dma_bytes_per_second", "DMA", FIELD_U64,
	  UNIT_BYTES_PER_SECOND, "dirty rate, by IOMMUs"),
	F(converge_row, device_rate, "device_bytes_per_second", "device", FIELD_U64,
	  UNIT_BYTES_PER_SECOND, "dirty rate, by devices that keep a log of their own"),
	F(converge_row, vhost_rate, "vhost_bytes_per_second", "vhost", FIELD_U64,
	  UNIT_BYTES_PER_SECOND, "dirty rate, by vhost, at least"),
	F(converge_row, sent_bytes, "sent_bytes", NULL, FIELD_U64, UNIT_BYTES,
	  "sent over TCP since the iteration before"),
	F(converge_row, transfer_rate, "transfer_bytes_per_second", "sent", FIELD_U64,
	  UNIT_BYTES_PER_SECOND, "transfer rate, over TCP"),
	F(converge_row, blackout_ns, "projected_blackout_ns", "proj.", FIELD_U64, UNIT_NS,
	  "projected, not measured: what remains at the transfer rate, without device states"),
	F(converge_row, verdict, "verdict", "verdict", FIELD_TEXT, NONE,
	  "converging, not converging, or unknown"),
	F(converge_row, why, "why", "why", FIELD_TEXT, NONE, "what holds it back, or why it cannot be told"),
};

const struct field_table converge_row_table = FIELD_TABLE("converge", converge_row, row_fields);

static const struct field phase_fields[] = {
	F(converge_phase, t_ns, "t_ns", NULL, FIELD_U64, UNIT_NS, "when"),
	F(converge_phase, pid, "pid", NULL, FIELD_U64, NONE, "the VMM"),
	F(converge_phase, phase, "phase", NULL, FIELD_TEXT, NONE,
	  "start, late, stop, process-ended or unfinished"),
	F(converge_phase, iterations, "iterations", NULL, FIELD_U64, UNIT_COUNT,
	  "iterations seen so far"),
	F(converge_phase, meaning, "meaning", NULL, FIELD_TEXT, NONE, "what follows from it"),
};

const struct field_table converge_phase_table = FIELD_TABLE("phase", converge_phase, phase_fields);

enum tracker_class { CLASS_KVM, CLASS_IOMMU, CLASS_DEVICE, CLASS_VHOST, CLASSES };

/* A slot of KVM, or an IOMMU domain, whose tracking is on or that was synced. */
struct place {
	enum tracker_class class;
	uint64_t owner;			/* VM or domain */
	uint64_t slot;
	uint64_t length;
	bool on;
};

/* A VM or a domain that is in the current round. */
struct member {
	enum tracker_class class;
	uint64_t owner;
	uint64_t iteration;
	uint64_t length;
};

struct round {
	uint64_t number;
	uint64_t begin_ns;
	uint64_t end_ns;
	uint64_t syncs;
	uint64_t took_ns;
	uint64_t bytes[CLASSES];
	uint64_t block_bytes;		/* reported by IOMMU leaves of 2M or more */
	uint64_t block_size;		/* the largest of them */
	uint64_t sent;			/* when it began */
	uint64_t sent_ns;
	bool present[CLASSES];
	bool is_migration;
	bool failed;
	bool is_soon;			/* after the start of tracking */
	bool at_start;
	bool is_ring;
	bool is_repeated;		/* KVM was read again, and nothing cleared in between */
	bool shown;
};

struct migration {
	uint64_t pid;
	struct place *places;
	size_t place_count;
	struct member *members;
	size_t member_count;
	struct round round;
	bool has_round;
	struct round before;		/* the one before it; number 0: none */
	uint64_t remaining[2];		/* of the last two that were shown, the newer first */
	uint64_t shown_bytes;		/* what remained at the round before */
	uint64_t start_ns;
	uint64_t started_ns;		/* end of the last start */
	uint64_t rounds;
	uint64_t sent;			/* as last heard */
	uint64_t sent_ns;
	bool is_on;
	bool is_cleared;		/* since KVM's log was read: what it will say is new */
	bool start_seen;
};

static void add(uint64_t *sum, uint64_t part)
{
	*sum = *sum == UNKNOWN || part == UNKNOWN ? UNKNOWN : *sum + part;
}

static enum tracker_class class_of(const char *source)
{
	if (sample__is_iommu(source))
		return CLASS_IOMMU;
	if (!strcmp(source, "vhost"))
		return CLASS_VHOST;
	return !strncmp(source, "kvm", 3) ? CLASS_KVM : CLASS_DEVICE;
}

/* vhost's log is seen where KVM's of a slot has been read, and at no other time. */
static bool is_of_slots(enum tracker_class class)
{
	return class == CLASS_KVM || class == CLASS_VHOST;
}

bool converge__is_migration(const char *source, uint64_t length)
{
	return !is_of_slots(class_of(source)) || (length != UNKNOWN && length > DISPLAY_BYTES);
}

static int grow(void **list, size_t count, size_t size)
{
	void *grown;

	if (count & (count - 1))
		return 0;
	grown = realloc(*list, (count ? 2 * count : 1) * size);
	if (!grown)
		return -ENOMEM;
	*list = grown;
	return 0;
}

static int find_migration(struct converge *c, uint64_t pid, struct migration **out)
{
	for (size_t i = 0; i < c->count; i++) {
		*out = &c->migrations[i];
		if ((*out)->pid == pid)
			return 0;
	}
	if (grow((void **)&c->migrations, c->count, sizeof(*c->migrations)))
		return -ENOMEM;
	*out = &c->migrations[c->count++];
	**out = (struct migration){ .pid = pid, .sent = UNKNOWN };
	return 0;
}

static int hand_on_phase(const struct converge *c, const struct migration *m,
			 enum converge_phase_kind kind, uint64_t t_ns)
{
	static const struct {
		const char *name;
		const char *meaning;
	} words[] = {
		[PHASE_START] = { "start", "" },
		[PHASE_LATE] = { "late", "tracking was on before: earlier iterations are missing here" },
		[PHASE_STOP] = { "stop",
				 "the process goes on here: cancelled, failed, or no migration but a dump or snapshot" },
		[PHASE_PROCESS_ENDED] = { "process-ended",
					  "with tracking on: completed, or killed; only the VMM could tell" },
		[PHASE_UNFINISHED] = { "unfinished", "tracking is still on" },
	};
	struct converge_phase phase;

	field__clear(&converge_phase_table, &phase);
	phase.t_ns = t_ns;
	phase.pid = m->pid;
	phase.iterations = m->rounds;
	snprintf(phase.phase, sizeof(phase.phase), "%s", words[kind].name);
	snprintf(phase.meaning, sizeof(phase.meaning), "%s", words[kind].meaning);
	return c->handlers.phase(c->handlers.context, &phase);
}

static bool is_main(const struct place *place)
{
	return place->class != CLASS_KVM || place->length > DISPLAY_BYTES;
}

static bool any_on(const struct migration *m)
{
	for (size_t i = 0; i < m->place_count; i++)
		if (m->places[i].on && is_main(&m->places[i]))
			return true;
	return false;
}

static int note_place(struct migration *m, enum tracker_class class, uint64_t owner,
		      uint64_t slot, uint64_t length, bool on)
{
	struct place *place = NULL;

	for (size_t i = 0; i < m->place_count && !place; i++)
		if (m->places[i].class == class && m->places[i].owner == owner &&
		    m->places[i].slot == slot)
			place = &m->places[i];
	if (!place) {
		if (grow((void **)&m->places, m->place_count, sizeof(*m->places)))
			return -ENOMEM;
		place = &m->places[m->place_count++];
	}
	*place = (struct place){ class, owner, slot, length == UNKNOWN ? 0 : length, on };
	return 0;
}

static uint64_t rate(uint64_t bytes, uint64_t ns)
{
	if (bytes == UNKNOWN || ns == UNKNOWN || !ns)
		return UNKNOWN;
	return (uint64_t)((double)bytes * NS_PER_SECOND / (double)ns + 0.5);
}

/* Guest memory, as the trackers of one owner saw it; several see the same. */
static uint64_t whole_memory(const struct migration *m)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < m->member_count; i++) {
		if (m->members[i].length == UNKNOWN)
			return UNKNOWN;
		if (m->members[i].length > bytes)
			bytes = m->members[i].length;
	}
	return bytes ? bytes : UNKNOWN;
}

static uint64_t sum_of(const struct round *round)
{
	uint64_t sum = 0;

	for (int i = 0; i < CLASSES; i++)
		if (round->present[i])
			add(&sum, round->bytes[i]);
	return sum;
}

/* Whatever several trackers report, there is no more than all memory. */
static uint64_t remaining(const struct migration *m)
{
	uint64_t all = whole_memory(m), sum = sum_of(&m->round);

	if (m->round.is_ring)
		return UNKNOWN;
	if (m->round.at_start)
		return all;
	return m->member_count > 1 && sum != UNKNOWN && sum > all ? all : sum;
}

/* Whom it is about, in the words of an engineer who asks which lever helps. */
static const char *culprit(const struct round *round)
{
	double sum = (double)sum_of(round);
	bool others = round->present[CLASS_IOMMU] || round->present[CLASS_DEVICE];
	bool vhost = round->present[CLASS_VHOST];

	if (round->present[CLASS_KVM] && (double)round->bytes[CLASS_KVM] >= MOST * sum)
		return others ? "vCPUs, not DMA" : vhost ? "vCPUs, not vhost" : "vCPUs";
	if (round->present[CLASS_IOMMU] && (double)round->bytes[CLASS_IOMMU] >= MOST * sum)
		return "DMA, not vCPUs";
	if (round->present[CLASS_DEVICE] && (double)round->bytes[CLASS_DEVICE] >= MOST * sum)
		return "the device, not vCPUs";
	if (vhost && (double)round->bytes[CLASS_VHOST] >= MOST * sum)
		return "vhost, not vCPUs";
	return others ? "vCPUs and DMA" : "vCPUs and vhost";
}

static const char *blocks(const struct round *round)
{
	if ((double)round->block_bytes < MOST * (double)sum_of(round))
		return "";
	return round->block_size >= UINT64_C(1) << 30 ? ", reported by 1G blocks" :
							", reported by 2M blocks";
}

/* Return: why it cannot be told, or NULL if it can. */
static const char *why_unknown(const struct migration *m, const struct converge_row *row)
{
	const struct round *round = &m->round;

	if (round->failed)
		return "a sync failed";
	if (round->is_ring)
		return "a dirty ring is read whenever it fills up, not once an iteration";
	if (row->remaining_bytes == UNKNOWN)
		return "dirty bytes are not known";
	if (round->at_start)
		return "first copy, of all memory";
	if (round->is_repeated)
		return "read again before anything was sent";
	if (!m->before.number && !m->start_seen)
		return "earlier iterations are missing";
	if (!m->before.number || m->before.at_start || m->remaining[0] == UNKNOWN)
		return "takes one more iteration to tell";
	return NULL;
}

static bool shrinks(const struct migration *m, uint64_t remaining)
{
	uint64_t newest = m->remaining[0], older = m->remaining[1];

	if (!remaining || (double)remaining <= SHRINKS_TO * (double)newest)
		return true;
	return older != UNKNOWN && newest <= older && (double)remaining <= SHRINKS_TO * (double)older;
}

static void judge(const struct migration *m, struct converge_row *row)
{
	const char *what = why_unknown(m, row);
	bool has_rate = row->transfer_rate != UNKNOWN;

	if (what || shrinks(m, row->remaining_bytes)) {
		snprintf(row->verdict, sizeof(row->verdict), "%s", what ? "unknown" : "converging");
		snprintf(row->why, sizeof(row->why), "%s", what ? what : "");
		return;
	}
	snprintf(row->verdict, sizeof(row->verdict), "not converging");
	what = has_rate && (double)rate(sum_of(&m->round), row->interval_ns) >=
				   SHRINKS_TO * (double)row->transfer_rate ?
		       "dirty rate not below transfer rate" : "as much is dirty as before";
	snprintf(row->why, sizeof(row->why), "%s: %s%s%s", what, culprit(&m->round), blocks(&m->round),
		 has_rate ? "" : "; transfer rate unknown");
}

static void fill_transfer(const struct migration *m, struct converge_row *row)
{
	const struct round *round = &m->round, *before = &m->before;

	if (!before->number || before->sent == UNKNOWN || round->sent == UNKNOWN ||
	    round->sent_ns <= before->sent_ns || round->sent < before->sent + NO_TRANSFER_BYTES)
		return;
	row->sent_bytes = round->sent - before->sent;
	row->transfer_rate = rate(row->sent_bytes, round->sent_ns - before->sent_ns);
	if (row->remaining_bytes != UNKNOWN)
		row->blackout_ns = (uint64_t)((double)row->remaining_bytes * NS_PER_SECOND /
					      (double)row->transfer_rate + 0.5);
}

/* A VMM syncs again when what is left seems small to it, not when nothing is left. */
static enum tristate exactness(const struct migration *m, const struct converge_row *row)
{
	if (m->round.at_start)
		return TRI_TRUE;
	if (m->member_count > 1)
		return TRI_FALSE;
	if (row->sent_bytes == UNKNOWN || m->shown_bytes == UNKNOWN ||
	    (double)row->sent_bytes < ALL_SENT * (double)m->shown_bytes)
		return TRI_UNKNOWN;
	return TRI_TRUE;
}

static void fill_row(const struct migration *m, struct converge_row *row)
{
	const struct round *round = &m->round;

	field__clear(&converge_row_table, row);
	row->t_ns = round->end_ns;
	/* A clock that is skewed may put a sync before the start. */
	row->after_ns = round->begin_ns > m->start_ns ? round->begin_ns - m->start_ns : 0;
	row->pid = m->pid;
	row->iteration = round->is_ring ? UNKNOWN : round->number;
	row->start_seen = m->start_seen ? TRI_TRUE : TRI_FALSE;
	row->syncs = round->syncs;
	row->took_ns = round->took_ns;
	if (m->before.number)
		row->interval_ns = sample__between(m->before.begin_ns, round->begin_ns);
	else if (m->start_seen && !round->at_start)
		row->interval_ns = sample__between(m->start_ns, round->begin_ns);
	row->remaining_bytes = remaining(m);
	/* What is on record when tracking begins says nothing about a time. */
	if (!round->at_start) {
		row->vcpu_rate = round->present[CLASS_KVM] && !round->is_repeated ?
					 rate(round->bytes[CLASS_KVM], row->interval_ns) : UNKNOWN;
		row->dma_rate = round->present[CLASS_IOMMU] ?
					rate(round->bytes[CLASS_IOMMU], row->interval_ns) : UNKNOWN;
		row->device_rate = round->present[CLASS_DEVICE] ?
					   rate(round->bytes[CLASS_DEVICE], row->interval_ns) : UNKNOWN;
		row->vhost_rate = round->present[CLASS_VHOST] ?
					  rate(round->bytes[CLASS_VHOST], row->interval_ns) : UNKNOWN;
	}
	fill_transfer(m, row);
	row->exact = exactness(m, row);
	judge(m, row);
}

static int show_round(const struct converge *c, struct migration *m)
{
	struct converge_row row;

	fill_row(m, &row);
	m->round.shown = true;
	return c->handlers.row(c->handlers.context, &row);
}

static int close_round(const struct converge *c, struct migration *m)
{
	int err = 0;

	if (!m->has_round)
		return 0;
	m->has_round = false;
	/* A look at what to draw. */
	if (!m->round.is_migration)
		return 0;
	if (!m->round.shown)
		err = show_round(c, m);
	m->remaining[1] = m->before.number && !m->before.at_start ? m->remaining[0] : UNKNOWN;
	m->shown_bytes = remaining(m);
	m->remaining[0] = m->round.failed || m->round.at_start ? UNKNOWN : m->shown_bytes;
	m->before = m->round;
	return err;
}

static void restart(struct migration *m)
{
	m->rounds = 0;
	m->before.number = 0;
	m->remaining[0] = m->remaining[1] = m->shown_bytes = UNKNOWN;
}

/* The start of the first of many; those of the others are part of it. */
static int start(const struct converge *c, struct migration *m, const struct tracking_sample *t)
{
	int err = close_round(c, m);

	restart(m);
	m->is_on = m->start_seen = true;
	m->start_ns = t->total_ns == UNKNOWN ? t->t_ns : t->t_ns - t->total_ns;
	return err ?: hand_on_phase(c, m, PHASE_START, t->t_ns);
}

static int stop(const struct converge *c, struct migration *m, enum converge_phase_kind kind,
		uint64_t t_ns)
{
	int err = close_round(c, m);

	if (m->is_on)
		err = err ?: hand_on_phase(c, m, kind, t_ns);
	m->is_on = m->start_seen = false;
	restart(m);
	return err;
}

static int take_tracking(struct converge *c, const struct tracking_sample *t)
{
	enum tracker_class class = class_of(t->source);
	bool on = t->enable == TRI_TRUE;
	struct migration *m;
	int err;

	if (t->ret)
		return 0;
	err = find_migration(c, t->pid, &m);
	err = err ?: note_place(m, class, class == CLASS_KVM ? t->vm : t->domain, t->slot,
				t->length_bytes, on);
	if (err)
		return err;
	if (on && any_on(m)) {
		m->started_ns = t->t_ns;
		return m->is_on ? 0 : start(c, m, t);
	}
	return !on && !any_on(m) ? stop(c, m, PHASE_STOP, t->t_ns) : 0;
}

/* Resets of rings are no iterations; what they add up to is shown each second. */
static uint64_t iteration_of(const struct migration *m, const struct sync_sample *sync)
{
	uint64_t start = m->start_ns ? m->start_ns : sync->t_ns;

	if (strcmp(sync->source, "kvm-ring"))
		return sync->iteration;
	return sync->t_ns > start ? (sync->t_ns - start) / NS_PER_SECOND + 1 : 1;
}

static struct member *find_member(const struct migration *m, enum tracker_class class,
				  uint64_t owner)
{
	for (size_t i = 0; i < m->member_count; i++)
		if (m->members[i].class == class && m->members[i].owner == owner)
			return &m->members[i];
	return NULL;
}

static int join(struct migration *m, enum tracker_class class, const struct sync_sample *sync,
		uint64_t iteration)
{
	uint64_t owner = is_of_slots(class) ? sync->vm : sync->domain;
	struct member *member = find_member(m, class, owner);

	if (!member) {
		if (grow((void **)&m->members, m->member_count, sizeof(*m->members)))
			return -ENOMEM;
		member = &m->members[m->member_count++];
		*member = (struct member){ class, owner, iteration, 0 };
	}
	add(&member->length, sync->length_bytes);
	return 0;
}

/*
 * KVM may report all pages at first, because none was sent yet. An IOMMU's blocks are often
 * dirty without exception, for another reason.
 */
static bool is_all_set(const struct migration *m)
{
	uint64_t length = 0;

	for (size_t i = 0; i < m->member_count; i++)
		if (m->members[i].class == CLASS_KVM)
			add(&length, m->members[i].length);
	return length && length != UNKNOWN && m->round.bytes[CLASS_KVM] == length;
}

static int open_round(const struct converge *c, struct migration *m)
{
	int err = close_round(c, m);

	m->round = (struct round){ 0 };
	m->member_count = 0;
	m->has_round = true;
	return err;
}

static int start_late(const struct converge *c, struct migration *m, uint64_t t_ns)
{
	m->is_on = true;
	m->start_seen = false;
	m->start_ns = 0;
	return hand_on_phase(c, m, PHASE_LATE, t_ns);
}

/* The first sync of this round that is about more than a display. */
static void begin(struct migration *m, const struct sync_sample *sync)
{
	struct round *round = &m->round;

	round->is_migration = true;
	round->begin_ns = sync->total_ns == UNKNOWN ? sync->t_ns : sync->t_ns - sync->total_ns;
	round->number = ++m->rounds;
	round->sent = m->sent;
	round->sent_ns = m->sent_ns;
	round->is_repeated = m->before.number && class_of(sync->source) == CLASS_KVM &&
			     sync->clear == TRI_FALSE && !m->is_cleared;
	round->is_soon = round->begin_ns <= m->started_ns + AT_START_NS;
	if (!m->start_ns)
		m->start_ns = round->begin_ns;
}

static void note_blocks(struct round *round, const struct sync_sample *sync)
{
	for (unsigned int i = 21 - LEAF_SHIFT; sync->dirty_entries[0] != UNKNOWN && i < LEAF_SIZES; i++) {
		if (!sync->dirty_entries[i])
			continue;
		round->block_bytes += sync->dirty_entries[i] << (i + LEAF_SHIFT);
		round->block_size = UINT64_C(1) << (i + LEAF_SHIFT);
	}
}

static void extend(struct round *round, enum tracker_class class, const struct sync_sample *sync)
{
	round->end_ns = sync->t_ns;
	round->syncs++;
	round->shown = false;
	/* The VMM reads vhost's without a call. */
	if (class != CLASS_VHOST)
		add(&round->took_ns, sync->total_ns);
	if (sync->ret) {
		round->failed = true;
		return;
	}
	round->present[class] = true;
	add(&round->bytes[class], sync->dirty_bytes);
	if (class == CLASS_IOMMU)
		note_blocks(round, sync);
}

static int take_sync(struct converge *c, const struct sync_sample *sync)
{
	enum tracker_class class = class_of(sync->source);
	uint64_t iteration, owner = is_of_slots(class) ? sync->vm : sync->domain;
	bool is_ring = !strcmp(sync->source, "kvm-ring"), is_main;
	const struct member *member;
	struct migration *m;
	int err = find_migration(c, sync->pid, &m);

	if (err)
		return err;
	is_main = is_ring || converge__is_migration(sync->source, sync->length_bytes);
	iteration = iteration_of(m, sync);
	/* A sync that failed is no part of an iteration, but it is of its time. */
	member = find_member(m, class, owner);
	if (!m->has_round || (member && iteration != UNKNOWN && member->iteration != iteration))
		err = open_round(c, m);
	if (!err && is_main && !m->is_on)
		err = start_late(c, m, sync->t_ns);
	if (err)
		return err;
	if (is_main && !m->round.is_migration)
		begin(m, sync);
	if (is_main && !is_ring && class != CLASS_VHOST)
		err = note_place(m, class, owner, sync->slot, sync->length_bytes, true);
	err = err ?: join(m, class, sync, iteration);
	m->round.is_ring |= is_ring;
	if (is_main && class == CLASS_KVM)
		m->is_cleared = false;
	extend(&m->round, class, sync);
	m->round.at_start = m->round.number == 1 && m->start_seen &&
			    (m->round.is_soon || is_all_set(m));
	return err;
}

static int take_clear(struct converge *c, const struct clear_sample *clear)
{
	struct migration *m;
	int err = find_migration(c, clear->pid, &m);

	/* QEMU clears small slots over and over, whether anything is to be sent or not. */
	for (size_t i = 0; !err && !clear->ret && i < m->place_count; i++)
		m->is_cleared |= m->places[i].class == CLASS_KVM && is_main(&m->places[i]) &&
				 m->places[i].owner == clear->vm && m->places[i].slot == clear->slot;
	return err;
}

static int take_transfer(struct converge *c, const struct transfer_sample *transfer)
{
	struct migration *m;
	int err = find_migration(c, transfer->pid, &m);

	if (err)
		return err;
	if (transfer->ended == TRI_TRUE)
		return stop(c, m, PHASE_PROCESS_ENDED, transfer->t_ns);
	m->sent = transfer->sent_bytes;
	m->sent_ns = transfer->t_ns;
	return 0;
}

static int take_end(struct converge *c, const struct end_sample *end)
{
	int err = 0;

	for (size_t i = 0; !err && i < c->count; i++)
		err = stop(c, &c->migrations[i],
			   end->target_ended == TRI_TRUE ? PHASE_PROCESS_ENDED : PHASE_UNFINISHED,
			   end->t_ns);
	return err;
}

int converge__add(struct converge *c, enum sample_kind kind, const union sample *sample)
{
	switch (kind) {
	case SAMPLE_TRACKING:
		return take_tracking(c, &sample->tracking);
	case SAMPLE_SYNC:
		return take_sync(c, &sample->sync);
	case SAMPLE_CLEAR:
		return take_clear(c, &sample->clear);
	case SAMPLE_TRANSFER:
		return take_transfer(c, &sample->transfer);
	case SAMPLE_END:
		return take_end(c, &sample->end);
	default:
		return 0;
	}
}

int converge__settle(struct converge *c, uint64_t now)
{
	int err = 0;

	for (size_t i = 0; !err && i < c->count; i++) {
		struct migration *m = &c->migrations[i];
		uint64_t before = m->before.number ? m->before.end_ns - m->before.begin_ns : 0;

		if (m->has_round && m->round.is_migration && !m->round.shown &&
		    now > m->round.end_ns + (before > SETTLE_NS ? before : SETTLE_NS))
			err = show_round(c, m);
	}
	return err;
}

/* Return: false if nothing is known, or nothing is left. */
static bool fill_progress(const struct migration *m, struct converge_row *row)
{
	const struct round *round = &m->round;
	uint64_t sent = m->sent == UNKNOWN || round->sent == UNKNOWN ? UNKNOWN : m->sent - round->sent;

	fill_row(m, row);
	if (row->remaining_bytes == UNKNOWN || sent == UNKNOWN || sent < NO_TRANSFER_BYTES ||
	    sent >= row->remaining_bytes || m->sent_ns <= round->sent_ns)
		return false;
	row->t_ns = m->sent_ns;
	row->after_ns = sample__between(m->start_ns, row->t_ns);
	row->syncs = row->took_ns = row->interval_ns = UNKNOWN;
	row->vcpu_rate = row->dma_rate = row->device_rate = row->vhost_rate = UNKNOWN;
	row->blackout_ns = UNKNOWN;
	row->exact = TRI_FALSE;
	snprintf(row->verdict, sizeof(row->verdict), "in progress");
	snprintf(row->why, sizeof(row->why), "remains at most");
	row->remaining_bytes -= sent;
	row->sent_bytes = sent;
	row->transfer_rate = rate(sent, m->sent_ns - round->sent_ns);
	return true;
}

int converge__progress(const struct converge *c)
{
	int err = 0;

	for (size_t i = 0; !err && i < c->count; i++) {
		const struct migration *m = &c->migrations[i];
		struct converge_row row;

		if (m->is_on && m->has_round && m->round.shown && fill_progress(m, &row))
			err = c->handlers.row(c->handlers.context, &row);
	}
	return err;
}

void converge__release(struct converge *c)
{
	for (size_t i = 0; i < c->count; i++) {
		free(c->migrations[i].places);
		free(c->migrations[i].members);
	}
	free(c->migrations);
	c->migrations = NULL;
	c->count = 0;
}
