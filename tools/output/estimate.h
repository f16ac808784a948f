/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An estimate for people and for programs. Not here: figures (model/estimate.h).
 */
#ifndef HWDBM_OUTPUT_ESTIMATE_H
#define HWDBM_OUTPUT_ESTIMATE_H

#include "prediction.h"
#include "../model/estimate.h"

#define ESTIMATE_SCHEMA "hwdbm.estimate/1"

struct estimate_document {
	const struct estimator *estimator;
	bool emulated;
	struct prediction_notes unknown;
};

/** estimate__text() - for a terminal. Return: 0, -ENOMEM, or -EIO. */
int estimate__text(FILE *out, const struct estimate_document *document);

/** estimate__json() - as one document. Return: 0, -ENOMEM, or -EIO. */
int estimate__json(FILE *out, const struct estimate_document *document);

#endif
