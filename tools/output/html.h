/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The report as one self-contained HTML file: inline pictures, no scripts, nothing from
 * a network. Not here: numbers of its own; every one comes from the model.
 */
#ifndef HWDBM_OUTPUT_HTML_H
#define HWDBM_OUTPUT_HTML_H

#include "board.h"
#include "../model/model.h"

#include <stdio.h>

/**
 * html__write() - write the whole page
 *
 * The same runs give the same bytes. All text is escaped.
 *
 * @runs: updated runs (run__update()), in the order of the table
 * @answer: the opening sentences (answer__write()); NULL leaves them out
 * @command: the command line that made the report, for its provenance; may be NULL
 *
 * Return: 0, -ENOMEM, or -EIO if @stream refused something.
 */
int html__write(FILE *stream, struct run *const *runs, size_t count, const char *answer,
		const char *command);

/**
 * html__report() - the same after a first screen for those who decide, and with a section for
 * each recording
 *
 * No larger than HTML_BYTES_MAX (html_board.h) but for the first screen and the comparison of runs:
 * recordings without room have no section, and that is said.
 *
 * Return: as html__write().
 */
int html__report(FILE *stream, const struct report_document *document);

#endif
