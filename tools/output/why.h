/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Why a migration does not switch over, for people and for programs: the answer in one
 * sentence, the figures, the levers. Not here: how it is found (model/why.h).
 */
#ifndef HWDBM_OUTPUT_WHY_H
#define HWDBM_OUTPUT_WHY_H

#include "../model/why.h"
#include "prediction.h"

#include <stdio.h>

#define WHY_SCHEMA "hwdbm.why/1"

struct why_document {
	struct why_answer answer;
	struct prediction_notes assumed;
	struct prediction_notes unknown;
	bool emulated;			/* recorded times are */
};

#define WHY_SENTENCE 768

/** why__sentence() - the answer; to @text */
const char *why__sentence(const struct why_answer *answer, char text[WHY_SENTENCE]);

/** why__text() - for a terminal. Return: 0, -ENOMEM, or -EIO. */
int why__text(FILE *out, const struct why_document *document);

/** why__json() - as one document. Return: 0, -ENOMEM, or -EIO. */
int why__json(FILE *out, const struct why_document *document);

#endif
