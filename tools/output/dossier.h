/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A recording, or the folder of a test-bed run, with all that a report says of it: the account,
 * the run with its syncs while these are few, where it comes from, and what is wrong
 * with it. Not here: what several of them come to (model/board.h).
 */
#ifndef HWDBM_OUTPUT_DOSSIER_H
#define HWDBM_OUTPUT_DOSSIER_H

#include "digest.h"
#include "redact.h"
#include "../model/account.h"
#include "../model/blackout.h"
#include "../model/run.h"

/* Of more syncs a report has sums and samples only: nobody reads more, and memory is finite. */
#define DOSSIER_SYNCS_MAX 10000

struct dossier {
	char *path;
	char name[64];			/* to show: of the file, or a number if redacted */
	char digest[DIGEST_TEXT];
	char log_digest[DIGEST_TEXT];	/* of a folder's VMM log */
	uint64_t bytes;
	struct account account;
	struct run *run;		/* NULL if it has more syncs than that */
	struct blackout *blackout;	/* by both sides; NULL: one of them was recorded */
	bool damaged;			/* what is before the damage is here */
	bool redacted;			/* no address of it may be shown */
	char trouble[200];		/* what is wrong, for people; "" if nothing is */
};

struct dossiers {
	struct dossier **at;
	size_t count;
	struct redact redact;
	bool redacted;
	const char *truth;		/* a VMM's log, for a recording that is no folder; may be NULL */
	/* Those that could not be used at all. */
	char (*excluded)[200];
	size_t excluded_count;
};

/**
 * dossiers__load() - read one more
 *
 * All messages are given here. What cannot be used at all is noted as excluded.
 *
 * @command: whose messages these are
 *
 * Return: 0; -EINVAL if it was excluded; -ENOMEM.
 */
int dossiers__load(struct dossiers *dossiers, const char *command, const char *path);

/** dossiers__release() - free all */
void dossiers__release(struct dossiers *dossiers);

#endif
