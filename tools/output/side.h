/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What hwdbm diff compares: the syncs of a recording, of a test-bed run's folder, or of each
 * run in a report's JSON, with the settings they were made under. Not here: comparing.
 */
#ifndef HWDBM_OUTPUT_SIDE_H
#define HWDBM_OUTPUT_SIDE_H

#include "../model/compare.h"

#include <stdbool.h>

enum measure {
	MEASURE_SYNC_NS,
	MEASURE_DIRTY_BYTES,
	MEASURE_SPLITS,
	MEASURE_TLB,
	MEASURES
};

/* What may explain a difference; text that is empty is not known. */
struct side_settings {
	char kernel_release[64];
	char kernel_patched[8];
	char host_machine[32];
	char vmm[96];
	char time_basis[16];
	char tracker[48];		/* sources of the syncs */
	char leaf[24];			/* granularity in force */
	char split_mode[8];
	char backing[24];
	char workload[48];
};

struct side {
	char name[96];
	struct side_settings settings;
	struct measured measured[MEASURES];	/* of each sync; sorted */
	uint64_t syncs;
	uint64_t failed;		/* syncs: nothing is known of what they found */
	uint64_t lost;			/* events; UNKNOWN */
	bool damaged;			/* or cut off: what was before that is here */
};

struct sides {
	struct side *at;
	size_t count;
};

/**
 * sides__load() - add what a file or folder holds
 *
 * All messages are given here.
 *
 * Return: 0; -EINVAL after a message; -errno after a message.
 */
int sides__load(struct sides *sides, const char *path);

/** sides__release() - free all */
void sides__release(struct sides *sides);

/* Names and places of the settings, for those that print or compare them. */
struct side_setting {
	const char *name;
	size_t offset;
};

extern const struct side_setting side_settings[];
extern const size_t side_setting_count;

/** side__setting() - the text of a setting; "" if it is not known */
const char *side__setting(const struct side *side, size_t which);

#endif
