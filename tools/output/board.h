/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The first screen of a report, for people and programs: text, Markdown, CSV and JSON. Not
 * here: how it looks as a page (html_board.c), any figure of its own.
 */
#ifndef HWDBM_OUTPUT_BOARD_H
#define HWDBM_OUTPUT_BOARD_H

#include "dossier.h"
#include "units.h"
#include "../model/board.h"

#include <jansson.h>
#include <stdio.h>

/* All that a report is made of. */
struct report_document {
	const struct dossiers *dossiers;
	struct board board;
	struct board_run *runs;		/* one for each dossier */
	struct run **sync_runs;		/* of dossiers that have one with syncs of an IOMMU */
	size_t sync_run_count;
	const char *answer;		/* of these; may be NULL */
	const char *command;		/* to make the report again */
	const struct dossier *compared;	/* may be NULL */
};

#define BOARD_TEXT 160

/** board__verdict() - "PASS", "FAIL", "UNDECIDED", "NOT JUDGED" */
const char *board__verdict(enum outcome outcome);

/** board__value() - one value of a quantity, with its unit */
const char *board__value(enum quantity quantity, uint64_t value, char text[UNITS_TEXT]);

/** board__cell() - "p50 1 ms, p99 2 ms, max 2 ms", or what stands there instead */
const char *board__cell(const struct board *board, enum quantity quantity, enum evidence evidence,
			char text[BOARD_TEXT]);

/** board__has_column() - whether any figure is of this evidence; measured ones have one always */
bool board__has_column(const struct board *board, enum evidence evidence);

/** board__has_row() - whether a quantity is told, judged, or of those a board always asks for */
bool board__has_row(const struct board *board, enum quantity quantity);

/** board__clock_error() - what is known of the clocks' error of the blackout */
void board__clock_error(const struct report_document *document, char text[BOARD_TEXT]);

/** board__cost() - what watching took */
void board__cost(const struct report_document *document, char *text, size_t size);

/** board__undo() - how to go back, one line for each step from @step 0 on; false if there is none */
bool board__undo(const struct report_document *document, unsigned int step, char *text, size_t size);

/** board__text() - for a terminal. Return: 0 or -EIO. */
int board__text(FILE *out, const struct report_document *document);

/** board__markdown() - the whole report as Markdown. Return: 0 or -EIO. */
int board__markdown(FILE *out, const struct report_document *document);

/** board__csv() - a row for each recording and quantity, a column for each evidence. Return: 0 or -EIO. */
int board__csv(FILE *out, const struct report_document *document);

/** board__json() - "board" and "recordings" of the JSON report. Return: 0 or -ENOMEM. */
int board__json(json_t *into, const struct report_document *document);

#endif
