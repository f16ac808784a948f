/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Parts of the page that come from accounts: the first screen, for those who decide, and what each
 * recording holds. Not here: the comparison of granularities (html.c).
 */
#ifndef HWDBM_OUTPUT_HTML_BOARD_H
#define HWDBM_OUTPUT_HTML_BOARD_H

#include "board.h"

/*
 * What one page may weigh: it is mailed, and read where there is no network. Provenance, which is
 * never left out, comes on top: at most 30 KB.
 */
#define HTML_BYTES_MAX 265000

/** html_board__put() - the first screen */
void html_board__put(FILE *out, const struct report_document *document);

/**
 * html_recordings__put() - a section for each recording, as far as there is room, and where all
 * of them come from
 *
 * @room: bytes that the sections may take; recordings without room are named
 *
 * Return: 0 or -ENOMEM.
 */
int html_recordings__put(FILE *out, const struct report_document *document, size_t room);

/** html_blackout__put() - by both sides of a migration, under its timeline; @id of the picture */
void html_blackout__put(FILE *out, const struct blackout *blackout, const char *id);

/** html_recording__put() - one recording: timeline, iterations, what-if, time, histograms, heat */
void html_recording__put(FILE *out, const struct dossier *dossier, unsigned int number);

#endif
