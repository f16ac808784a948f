// SPDX-License-Identifier: GPL-2.0-only
/*
 * Figures by evidence, percentiles over runs, and the verdict. Not here: units.
 */
#include "board.h"

#include "compare.h"
#include "../lib/strings.h"

#include <errno.h>
#include <stdio.h>

static const struct quantity_info quantities[QUANTITIES] = {
	[QUANTITY_BLACKOUT] = { "blackout", "Blackout", QUANTITY_NS,
				"from stopping the source to the destination running" },
	[QUANTITY_DOWNTIME] = { "downtime", "Downtime", QUANTITY_NS,
				"as the VMM counts it: without the load at the target" },
	[QUANTITY_TOTAL] = { "total", "Total time", QUANTITY_NS,
			     "measured: from the start of tracking to its end, or to the last byte sent" },
	[QUANTITY_BROWNOUT] = { "brownout", "Brownout", QUANTITY_NS,
				"service lost, as time at the steady rate; blackout included" },
	[QUANTITY_ITERATIONS] = { "iterations", "Iterations", QUANTITY_COUNT, "rounds of syncs" },
	[QUANTITY_SENT] = { "sent", "Sent", QUANTITY_BYTES, "over TCP, or by the VMM's word" },
	[QUANTITY_MISSED] = { "missed", "Missed pages", QUANTITY_COUNT,
			      "written and not reported in time, by a truth check" },
	[QUANTITY_LOST] = { "lost", "Events lost", QUANTITY_COUNT, "by the recorder" },
	[QUANTITY_OVERHEAD] = { "overhead", "Overhead", QUANTITY_SHARE,
				"of hwdbm's probes: share of a core for each VM that logged" },
};

static const char *const evidences[EVIDENCES] = {
	[EVIDENCE_MEASURED] = "measured", [EVIDENCE_REPORTED] = "reported",
	[EVIDENCE_PREDICTED] = "predicted", [EVIDENCE_EMULATED] = "emulated",
	[EVIDENCE_EMULATED_REPORTED] = "emulated_reported",
	[EVIDENCE_EMULATED_PREDICTED] = "emulated_predicted",
};

const struct quantity_info *board__quantity(enum quantity quantity)
{
	return &quantities[quantity];
}

const char *board__evidence(enum evidence evidence)
{
	return evidences[evidence];
}

void limits__init(struct limits *limits)
{
	for (int q = 0; q < QUANTITIES; q++)
		limits->most[q] = UNKNOWN;
}

bool limits__any(const struct limits *limits)
{
	for (int q = 0; q < QUANTITIES; q++)
		if (limits->most[q] != UNKNOWN)
			return true;
	return false;
}

/* ---- one run ----------------------------------------------------------------------- */

static uint64_t span(uint64_t from, uint64_t to)
{
	return from == UNKNOWN || to == UNKNOWN || to < from ? UNKNOWN : to - from;
}

static uint64_t measured_figure(const struct board_run *run, enum quantity quantity)
{
	const struct account *a = run->account;

	switch (quantity) {
	case QUANTITY_BLACKOUT:
		if (run->blackout_ns != UNKNOWN)
			return run->blackout_ns;
		return span(a->device_stop_ns, a->destination_running_ns);
	case QUANTITY_TOTAL:
		return span(a->begin_ns, a->finish_ns);
	case QUANTITY_BROWNOUT:
		return run->no_brownout ? UNKNOWN : run->brownout.lost_ns;
	case QUANTITY_ITERATIONS:
		return a->syncs ? a->stat.total.iterations : UNKNOWN;
	case QUANTITY_SENT:
		return a->stat.total.sent_bytes != UNKNOWN ? a->stat.total.sent_bytes :
							     a->vmm_end.sent_bytes;
	case QUANTITY_MISSED:
		return a->missed_pages;
	case QUANTITY_LOST:
		return account__lost(a);
	case QUANTITY_OVERHEAD:
		return a->end.probe_share;
	default:
		return UNKNOWN;
	}
}

static uint64_t reported_figure(const struct account *a, enum quantity quantity)
{
	switch (quantity) {
	case QUANTITY_DOWNTIME:
		return a->vmm_state.downtime_ns;
	case QUANTITY_TOTAL:
		return a->vmm_state.elapsed_ns;
	case QUANTITY_ITERATIONS:
		return a->vmm_state.syncs;
	case QUANTITY_SENT:
		return a->vmm_state.transferred_bytes;
	default:
		return UNKNOWN;
	}
}

/* What the last iteration that could tell left over, at its transfer rate. */
static uint64_t predicted_blackout(const struct account *a)
{
	const struct converge_row *rows = a->iterations.at;

	for (size_t i = a->iterations.count; i-- > 0;)
		if (rows[i].blackout_ns != UNKNOWN)
			return rows[i].blackout_ns;
	return UNKNOWN;
}

uint64_t board__figure(const struct board_run *run, enum quantity quantity, enum evidence evidence)
{
	const bool emulated = evidence == EVIDENCE_EMULATED || evidence == EVIDENCE_EMULATED_REPORTED ||
			      evidence == EVIDENCE_EMULATED_PREDICTED;

	if (emulated != account__is_emulated(run->account))
		return UNKNOWN;
	switch (evidence) {
	case EVIDENCE_MEASURED:
	case EVIDENCE_EMULATED:
		return measured_figure(run, quantity);
	case EVIDENCE_REPORTED:
	case EVIDENCE_EMULATED_REPORTED:
		return reported_figure(run->account, quantity);
	case EVIDENCE_PREDICTED:
	case EVIDENCE_EMULATED_PREDICTED:
		return quantity == QUANTITY_BLACKOUT ? predicted_blackout(run->account) : UNKNOWN;
	default:
		return UNKNOWN;
	}
}

/* ---- all runs ---------------------------------------------------------------------- */

static int fill_figure(struct board_figure *figure, const struct board_run *runs, size_t count,
		       enum quantity quantity, enum evidence evidence)
{
	struct measured values = { 0 };
	int err = 0;

	for (size_t i = 0; !err && i < count; i++)
		err = measured__add(&values, board__figure(&runs[i], quantity, evidence));
	measured__sort(&values);
	figure->runs = values.count;
	figure->p50 = measured__percentile(&values, 50);
	figure->p99 = measured__percentile(&values, 99);
	figure->max = measured__percentile(&values, 100);
	measured__release(&values);
	return err;
}

/* What is seen of a migration whose beginning was missed is less than all of it. */
static bool is_floor(const struct board_run *run, enum quantity quantity)
{
	if (run->damaged)
		return quantity != QUANTITY_OVERHEAD;
	if (quantity == QUANTITY_TOTAL && run->account->finish_seen != TRI_TRUE)
		return true;
	return run->account->begin_seen == TRI_FALSE &&
	       (quantity == QUANTITY_TOTAL || quantity == QUANTITY_ITERATIONS ||
		quantity == QUANTITY_SENT);
}

/* What is told of a migration is told of one of several VMs, or added up. */
static bool is_mixed(const struct board_run *run, enum quantity quantity)
{
	return run->account->several_vms && quantity != QUANTITY_MISSED && quantity != QUANTITY_LOST &&
	       quantity != QUANTITY_OVERHEAD;
}

/* Of the evidence that may pass a run. */
static uint64_t proof(const struct board_run *run, enum quantity quantity)
{
	uint64_t value = board__figure(run, quantity, EVIDENCE_MEASURED);

	if (value == UNKNOWN)
		value = board__figure(run, quantity, EVIDENCE_EMULATED);
	if (value == UNKNOWN && quantity != QUANTITY_BLACKOUT)
		value = reported_figure(run->account, quantity);
	return value;
}

/* Between what the true value is: joined clocks err both ways, an end that was seen late one way. */
static void bounds_of(const struct board_run *run, enum quantity quantity, uint64_t value, uint64_t *low,
		      uint64_t *high)
{
	uint64_t below = 0, above = 0;

	if (quantity == QUANTITY_BLACKOUT && run->blackout_ns != UNKNOWN && run->blackout_error_ns != UNKNOWN)
		below = above = run->blackout_error_ns;
	else if (quantity == QUANTITY_TOTAL)
		below = run->account->finish_error_ns;
	*low = value > below ? value - below : 0;
	*high = value + above;
}

static bool downtime_is_above(const struct board_run *run, uint64_t limit)
{
	uint64_t downtime = reported_figure(run->account, QUANTITY_DOWNTIME);

	return downtime != UNKNOWN && downtime > limit;
}

static enum outcome judge_run(const struct board_run *run, enum quantity quantity, uint64_t limit)
{
	uint64_t value = proof(run, quantity), low, high;
	bool above = quantity == QUANTITY_BLACKOUT && downtime_is_above(run, limit);

	if (is_mixed(run, quantity))
		return OUTCOME_UNDECIDED;
	if (value == UNKNOWN)
		return above ? OUTCOME_FAIL : OUTCOME_UNDECIDED;
	bounds_of(run, quantity, value, &low, &high);
	if (low > limit)
		return OUTCOME_FAIL;
	/* A VMM's clock stops when its thread gets to it, which may be after the target has begun to run. */
	return above || high > limit || is_floor(run, quantity) ? OUTCOME_UNDECIDED : OUTCOME_PASS;
}

static const char *why_unknown(const struct board_run *run, enum quantity quantity, uint64_t limit)
{
	if (run->damaged)
		return "a recording is cut off or damaged: what came after is not known";
	if (is_mixed(run, quantity))
		return "several VMs migrate in a recording, and its figures are of all: record each by itself (-p, --vm)";
	switch (quantity) {
	case QUANTITY_BLACKOUT:
		if (downtime_is_above(run, limit))
			return "it was measured to be within the limit, and the VMM's own downtime is above it";
		if (run->blackout_ns != UNKNOWN)
			return "nearer to the limit than the clocks of both ends are to each other";
		if (reported_figure(run->account, QUANTITY_DOWNTIME) != UNKNOWN)
			return "no blackout was measured; the VMM's downtime leaves out the load at the target and cannot prove it";
		return "no blackout was measured";
	case QUANTITY_DOWNTIME:
		return "no VMM was asked (--qmp, --libvirt of hwdbm record)";
	case QUANTITY_TOTAL:
		if (run->account->finish_seen == TRI_TRUE && run->account->begin_seen == TRI_TRUE)
			return "the end was seen too late to tell: ask the VMM, too (--qmp, --libvirt)";
		return "the beginning or the end of the migration was not seen";
	case QUANTITY_ITERATIONS:
		return "the beginning or the end of tracking was not seen";
	case QUANTITY_BROWNOUT:
		return run->no_brownout ? run->no_brownout : "not given";
	case QUANTITY_MISSED:
		return "cannot be verified on this host";
	default:
		return "the recordings do not tell";
	}
}

static void judge_row(struct board_row *row, const struct board_run *runs, size_t count,
		      enum quantity quantity)
{
	size_t failed = 0, undecided = 0, measured = 0, first = 0, used = 0;

	row->outcome = OUTCOME_NONE;
	if (row->limit == UNKNOWN)
		return;
	for (size_t i = 0; i < count; i++) {
		enum outcome outcome = judge_run(&runs[i], quantity, row->limit);

		failed += outcome == OUTCOME_FAIL;
		measured += outcome == OUTCOME_FAIL && proof(&runs[i], quantity) != UNKNOWN;
		if (outcome == OUTCOME_UNDECIDED && !undecided++)
			first = i;
	}
	if (failed) {
		row->outcome = OUTCOME_FAIL;
		snprintf(row->why, sizeof(row->why), "%zu of %zu run%s above the limit%s", failed, count,
			 count == 1 ? "" : "s",
			 quantity == QUANTITY_BLACKOUT && !measured ? ", by the VMM's downtime, which leaves out the load at the target" : "");
	} else if (undecided || !count) {
		row->outcome = OUTCOME_UNDECIDED;
		if (undecided && undecided < count)
			used = (size_t)snprintf(row->why, sizeof(row->why), "in %zu of %zu runs: ", undecided, count);
		snprintf(row->why + used, sizeof(row->why) - used, "%s",
			 count ? why_unknown(&runs[first], quantity, row->limit) : "no recording could be read");
	} else {
		row->outcome = OUTCOME_PASS;
	}
}

/* ---- the verdict ------------------------------------------------------------------- */

static bool any_emulated(const struct board_run *runs, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (account__is_emulated(runs[i].account))
			return true;
	return false;
}

/* Return: why the first of them failed; *alike of the *failed did for the same reason */
static const char *find_failure(const struct board_run *runs, size_t count, size_t *failed, size_t *alike)
{
	const char *first = NULL;

	*failed = 0;
	*alike = 0;
	for (size_t i = 0; i < count; i++) {
		const char *failure = account__failure(runs[i].account);

		if (!failure)
			continue;
		first = first ? first : failure;
		*failed += 1;
		*alike += !strcmp(first, failure);
	}
	return first;
}

static size_t count_damaged(const struct board_run *runs, size_t count)
{
	size_t damaged = 0;

	for (size_t i = 0; i < count; i++)
		damaged += runs[i].damaged;
	return damaged;
}

static bool lost_unlimited(const struct board *board)
{
	const struct board_row *row = &board->rows[QUANTITY_LOST];

	if (row->limit != UNKNOWN)
		return false;
	for (int e = 0; e < EVIDENCES; e++)
		if (row->at[e].runs && row->at[e].max)
			return true;
	return false;
}

static void name_rows(const struct board *board, enum outcome outcome, char *text, size_t size)
{
	size_t used = 0;

	*text = '\0';
	for (int q = 0; q < QUANTITIES && used < size; q++)
		if (board->rows[q].outcome == outcome)
			used += (size_t)snprintf(text + used, size - used, "%s%s: %s", used ? "; " : "",
						 quantities[q].name, board->rows[q].why);
}

static bool has_outcome(const struct board *board, enum outcome outcome)
{
	for (int q = 0; q < QUANTITIES; q++)
		if (board->rows[q].outcome == outcome)
			return true;
	return false;
}

#define SAY(...) snprintf(board->why, sizeof(board->why), __VA_ARGS__)

static enum outcome decide(struct board *board, const struct board_run *runs, size_t count,
			   const struct limits *limits, size_t excluded)
{
	size_t failed, alike;
	const char *failure = find_failure(runs, count, &failed, &alike);
	size_t damaged = count_damaged(runs, count);

	if (!limits__any(limits)) {
		SAY("No limits were declared, so nothing is judged.");
		return OUTCOME_NONE;
	}
	if (failed) {
		SAY("%zu of %zu migration%s did not complete: %s%s", failed, count, count == 1 ? "" : "s",
		    failure, alike < failed ? "; others for other reasons, which stand with them" : "");
		return OUTCOME_FAIL;
	}
	if (board->safety == SAFETY_BROKEN) {
		SAY("Dirty pages were missed: %.180s", board->safety_text);
		return OUTCOME_FAIL;
	}
	if (has_outcome(board, OUTCOME_FAIL)) {
		name_rows(board, OUTCOME_FAIL, board->why, sizeof(board->why));
		return OUTCOME_FAIL;
	}
	if (has_outcome(board, OUTCOME_UNDECIDED)) {
		name_rows(board, OUTCOME_UNDECIDED, board->why, sizeof(board->why));
		return OUTCOME_UNDECIDED;
	}
	if (damaged || excluded) {
		SAY("%zu recording%s cut off, damaged or not readable: what is missing could be above a limit.",
		    damaged + excluded, damaged + excluded == 1 ? " is" : "s are");
		return OUTCOME_UNDECIDED;
	}
	if (lost_unlimited(board)) {
		SAY("Events were lost: what they would have told could be above a limit (--limit lost=N allows it).");
		return OUTCOME_UNDECIDED;
	}
	SAY("All declared limits hold in %zu run%s%s.", count, count == 1 ? "" : "s",
	    any_emulated(runs, count) ? ", in emulated time" : "");
	return OUTCOME_PASS;
}

static void judge_safety(struct board *board, const struct board_run *runs, size_t count)
{
	uint64_t missed = 0;
	size_t different = 0;

	for (size_t i = 0; i < count; i++) {
		const struct account *a = runs[i].account;

		different += a->vmm_end.memory_identical == TRI_FALSE;
		if (a->missed_pages == UNKNOWN)
			continue;
		board->checked++;
		missed += a->missed_pages;
	}
	if (missed || different) {
		board->safety = SAFETY_BROKEN;
		snprintf(board->safety_text, sizeof(board->safety_text),
			 "%llu page%s missed, checked against truth; %zu of %zu destinations ended with other memory",
			 (unsigned long long)missed, missed == 1 ? "" : "s", different, count);
	} else if (!board->checked) {
		board->safety = SAFETY_NOT_VERIFIED;
		STRING_COPY(board->safety_text,
			    "cannot be verified on this host: nothing there knows which pages were really written (hwdbm doctor --safety says whether its kernel can lose any)");
	} else if (board->checked < count) {
		board->safety = SAFETY_PARTLY;
		snprintf(board->safety_text, sizeof(board->safety_text),
			 "0 missed, checked against truth, in %zu of %zu runs; cannot be verified in the others",
			 board->checked, count);
	} else {
		board->safety = SAFETY_HELD;
		STRING_COPY(board->safety_text, "0 missed, checked against truth");
	}
}

/* All that occur, in order: "6.12, 6.13". */
static void join_settings(struct board *board, const struct board_run *runs, size_t count)
{
	for (int s = 0; s < SETTINGS; s++) {
		char *to = board->settings[s];

		for (size_t i = 0; i < count; i++) {
			const char *text = runs[i].account->settings[s];
			size_t used = strlen(to);
			bool seen = false;

			for (size_t k = 0; k < i && !seen; k++)
				seen = !strcmp(runs[k].account->settings[s], text);
			if (!seen && *text)
				snprintf(to + used, SETTING_TEXT - used, "%s%s", used ? " | " : "", text);
		}
	}
}

static void compare_settings(struct board *board, const struct account *compared)
{
	board->compared = true;
	for (int s = 0; s < SETTINGS; s++) {
		struct board_change *change = &board->changes[s];

		STRING_COPY(change->before, compared->settings[s]);
		STRING_COPY(change->after, board->settings[s]);
		change->changed = strcmp(change->before, change->after) != 0;
	}
}

static void sum_up_brownout(struct board *board, const struct board_run *runs, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (runs[i].no_brownout) {
			STRING_COPY(board->brownout_text, runs[i].no_brownout);
			return;
		}
}

int board__judge(struct board *board, const struct board_run *runs, size_t count,
		 const struct limits *limits, const struct account *compared, size_t excluded)
{
	memset(board, 0, sizeof(*board));
	board->runs = count;
	board->clock_error_ns = UNKNOWN;
	for (int q = 0; q < QUANTITIES; q++) {
		struct board_row *row = &board->rows[q];

		row->limit = limits->most[q];
		for (int e = 0; e < EVIDENCES; e++) {
			int err = fill_figure(&row->at[e], runs, count, q, e);

			if (err)
				return err;
		}
		judge_row(row, runs, count, q);
	}
	for (size_t i = 0; i < count; i++)
		if (runs[i].blackout_ns != UNKNOWN && runs[i].blackout_error_ns != UNKNOWN &&
		    (board->clock_error_ns == UNKNOWN || runs[i].blackout_error_ns > board->clock_error_ns))
			board->clock_error_ns = runs[i].blackout_error_ns;
	judge_safety(board, runs, count);
	sum_up_brownout(board, runs, count);
	join_settings(board, runs, count);
	if (compared)
		compare_settings(board, compared);
	board->verdict = decide(board, runs, count, limits, excluded);
	return 0;
}
