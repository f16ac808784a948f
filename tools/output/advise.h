/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Advice for people and for programs: what to do, why, at what price, what comes second. Not
 * here: how it is found (model/advise.h).
 */
#ifndef HWDBM_OUTPUT_ADVISE_H
#define HWDBM_OUTPUT_ADVISE_H

#include "../model/advise.h"
#include "prediction.h"

#include <stdio.h>

#define ADVICE_SCHEMA "hwdbm.advice/1"

struct advise_document {
	struct advise_answer answer;
	struct prediction_notes price;
	struct prediction_notes assumed;
	struct prediction_notes unknown;
	bool emulated;			/* recorded times are */
};

#define ADVISE_SENTENCE 512

/** advise__sentence() - what to do; to @text */
const char *advise__sentence(const struct advise_answer *answer, char text[ADVISE_SENTENCE]);

/** advise__reason() - and why; to @text */
const char *advise__reason(const struct advise_answer *answer, char text[ADVISE_SENTENCE]);

/** advise__text() - for a terminal. Return: 0, -ENOMEM, or -EIO. */
int advise__text(FILE *out, const struct advise_document *document);

/** advise__json() - as one document. Return: 0, -ENOMEM, or -EIO. */
int advise__json(FILE *out, const struct advise_document *document);

#endif
