/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a change board asks of a set of runs: whether they keep declared limits, what they
 * cost, whether they were safe, and what is different from the run before. Figures that were
 * measured, that a VMM reports, that are predicted and that come from an emulated machine are
 * never mixed. Pure. Not here: how limits are written, how any of it looks.
 */
#ifndef HWDBM_MODEL_BOARD_H
#define HWDBM_MODEL_BOARD_H

#include "account.h"
#include "brownout.h"

enum evidence {
	EVIDENCE_MEASURED,		/* on this machine, by its clock */
	EVIDENCE_REPORTED,		/* the VMM's word */
	EVIDENCE_PREDICTED,
	EVIDENCE_EMULATED,		/* measured inside an emulated machine */
	EVIDENCE_EMULATED_REPORTED,	/* the word of a VMM in there */
	EVIDENCE_EMULATED_PREDICTED,	/* from what was measured in there */
	EVIDENCES
};

enum quantity {
	QUANTITY_BLACKOUT,
	QUANTITY_DOWNTIME,
	QUANTITY_TOTAL,
	QUANTITY_BROWNOUT,
	QUANTITY_ITERATIONS,
	QUANTITY_SENT,
	QUANTITY_MISSED,
	QUANTITY_LOST,
	QUANTITY_OVERHEAD,
	QUANTITIES
};

/* How a quantity is written. */
enum quantity_unit { QUANTITY_NS, QUANTITY_BYTES, QUANTITY_COUNT, QUANTITY_SHARE };

struct quantity_info {
	const char *name;		/* in limits, CSV and JSON */
	const char *title;
	enum quantity_unit unit;
	const char *note;
};

/** board__quantity() - what there is to know of a quantity */
const struct quantity_info *board__quantity(enum quantity quantity);

/** board__evidence() - "measured", "reported", "predicted", "emulated", "emulated_reported" or "emulated_predicted" */
const char *board__evidence(enum evidence evidence);

/* At most so much; UNKNOWN: no limit declared. */
struct limits {
	uint64_t most[QUANTITIES];
};

/** limits__init() - none declared */
void limits__init(struct limits *limits);

/** limits__any() - whether one was declared */
bool limits__any(const struct limits *limits);

/* One run, and what is given besides its recording. */
struct board_run {
	const struct account *account;
	bool damaged;			/* cut off, or without an end */
	struct brownout brownout;
	const char *no_brownout;	/* why there is none; NULL: there is */
	/* Measured across both ends, with the error of joining their clocks; UNKNOWN: it was not. */
	uint64_t blackout_ns, blackout_error_ns;
};

/** board__figure() - one quantity of one run by one kind of evidence; UNKNOWN if there is none */
uint64_t board__figure(const struct board_run *run, enum quantity quantity, enum evidence evidence);

/* Of so many runs; all UNKNOWN if no run tells. */
struct board_figure {
	size_t runs;
	uint64_t p50, p99, max;
};

enum outcome { OUTCOME_NONE, OUTCOME_PASS, OUTCOME_FAIL, OUTCOME_UNDECIDED };

struct board_row {
	struct board_figure at[EVIDENCES];
	uint64_t limit;
	enum outcome outcome;
	char why[200];
};

enum safety { SAFETY_NOT_VERIFIED, SAFETY_HELD, SAFETY_BROKEN, SAFETY_PARTLY };

struct board_change {
	char before[SETTING_TEXT];
	char after[SETTING_TEXT];
	bool changed;
};

struct board {
	size_t runs;
	enum outcome verdict;
	char why[240];			/* one sentence */
	struct board_row rows[QUANTITIES];
	uint64_t clock_error_ns;	/* of the measured blackout: largest; UNKNOWN */
	enum safety safety;
	size_t checked;			/* runs that were checked against truth */
	char safety_text[240];
	bool compared;
	struct board_change changes[SETTINGS];
	char settings[SETTINGS][SETTING_TEXT];	/* of these runs: all that occur */
	char brownout_text[200];
};

/**
 * board__judge() - the board's first screen
 *
 * A run that failed, or in which truth shows that pages were missed, fails. Nothing passes that
 * could not be told: a limit without a figure, a recording that is cut off, events that were
 * lost. A VMM's downtime leaves out a part of the blackout: where nobody measured that, above the
 * limit it fails, below it does not pass. Above it beside a blackout within it: undecided.
 *
 * @compared: the run before; NULL if there is none
 * @excluded: recordings that could not be read and are in none of the figures
 *
 * Return: 0 or -ENOMEM.
 */
int board__judge(struct board *board, const struct board_run *runs, size_t count,
		 const struct limits *limits, const struct account *compared, size_t excluded);

#endif
