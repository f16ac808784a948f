/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which way of tracking suits a migration best, and which settings of the host would help:
 * first the tracker, then granularity and mode, then everything else, each tried by the
 * prediction (predict.h) for one objective. Pure. Not here: sentences and units
 * (output/advise.h), setting anything (commands/tune.c).
 *
 * Of ways that are as good as the best, within ADVISE_TIE, the one with the fewest tables is
 * taken if it saves half of them: it also leaves the IOTLB the widest reach. If none does, it
 * is the one that splits most: it reports least, whatever a prediction is off by. A way whose
 * tables do not fit into the VM's memory limit is none.
 */
#ifndef HWDBM_MODEL_ADVISE_H
#define HWDBM_MODEL_ADVISE_H

#include "outlook.h"
#include "why.h"

/* What a prediction cannot tell apart. */
#define ADVISE_TIE 0.03

/* What is gained by this or more is worth a word. */
#define ADVISE_WORTH 0.05

enum advise_objective {
	ADVISE_BLACKOUT,
	ADVISE_TOTAL,
	ADVISE_BROWNOUT,
	ADVISE_OBJECTIVES
};

/*
 * What a sampled estimate says of a granularity that the recording itself cannot tell about:
 * dirty bytes there, as a share of those that were reported. The middle is predicted with,
 * the upper end makes the bound.
 */
struct advise_estimate {
	uint64_t granularity_bytes;
	double low, middle, high;
};

#define ADVISE_ESTIMATES UNIT_SIZES

/* 0 and UNKNOWN as in struct why_settings; zero-initialised objectives are blackout. */
struct advise_settings {
	struct why_settings why;
	enum advise_objective objective;
	uint64_t block_bytes;		/* that the IOMMU maps, before anything is split; 0: as seen */
	uint64_t table_room_bytes;	/* that the VM's memory limit leaves; UNKNOWN: no limit known */
	double slowdown;		/* share of the guest's work lost while tracked; NaN: unknown */
	const struct outlook_facts *outlook;	/* of this host; NULL: a recording only */
	struct advise_estimate estimates[ADVISE_ESTIMATES];
	size_t estimate_count;
};

/* A granularity and a mode. Predicted, but for what is said to be recorded. */
struct advise_way {
	uint64_t granularity_bytes;
	char mode[8];			/* off, eager, lazy */
	char place[12];			/* advised, runner-up, too large, not judged; or nothing */
	char verdict[20];
	uint64_t blackout_ns;
	uint64_t blackout_bound_ns;
	uint64_t total_ns;
	uint64_t brownout_ns;		/* time lost; UNKNOWN without a slowdown */
	uint64_t table_bytes;		/* at most, in the end */
	uint64_t start_ns;		/* to split all at the start, by recorded costs; UNKNOWN */
	uint64_t lock_ns;		/* of it in one piece: for a GiB */
	uint64_t sync_ns;		/* recorded at this granularity; UNKNOWN */
	/* Not in the table. */
	enum tristate converges;	/* TRI_UNKNOWN also where it was not judged */
	bool is_judged;
	bool is_estimated;
	double score;			/* seconds; less is better */
	unsigned int levels;
	unsigned int units[PRECOPY_LEVELS];
};

extern const struct field_table advise_way_table;

#define ADVISE_WAYS 8

enum advise_effect {
	ADVISE_UNKNOWN,
	ADVISE_HELPS,		/* it would switch over then, and does not without */
	ADVISE_BETTER,
	ADVISE_SAME,
	ADVISE_WORSE,
	ADVISE_NOT_ENOUGH,
	ADVISE_CANNOT,		/* it has nothing to do with what is dirty here */
	ADVISE_EFFECTS
};

#define ADVISE_REASON 200

/* A setting on top of the way that was advised, alone. */
struct advise_lever {
	char setting[28];
	char value[24];
	char effect[16];
	uint64_t blackout_ns;
	uint64_t blackout_bound_ns;
	uint64_t total_ns;
	char reason[ADVISE_REASON];
	enum advise_effect how;		/* not in the table */
};

extern const struct field_table advise_lever_table;

#define ADVISE_LEVERS 16

struct advise_answer {
	enum advise_objective objective;
	struct why_answer why;		/* figures of the VM as recorded */
	char tracker[32];		/* iommu, device log, all dirty, vcpus only, unknown, none */
	char tracker_reason[REASON_TEXT];
	enum tristate splits;		/* splitting can change what is found dirty */
	enum tristate can_split;	/* the kernel of the recording can */
	uint64_t block_bytes;		/* UNKNOWN */
	uint64_t recorded_bytes;	/* granularity of the recording; UNKNOWN */
	uint64_t table_room_bytes;
	double slowdown;
	struct advise_way ways[ADVISE_WAYS];
	size_t way_count;
	const struct advise_way *advised;	/* NULL: nothing could be judged */
	const struct advise_way *second;	/* NULL: there is no other */
	const struct advise_way *as_mapped;	/* not split; NULL */
	size_t unjudged;		/* ways that are finer than the recording */
	struct advise_lever levers[ADVISE_LEVERS];
	size_t lever_count;
};

/* Begin with advise__init(). */
struct advise {
	struct why why;
	struct header_sample header;
	uint64_t largest_leaf;		/* seen; 0: none */
};

/** advise__init() - nothing seen yet; it must not be moved. Free with advise__release(). */
void advise__init(struct advise *advise);

/** advise__release() - free what it holds */
void advise__release(struct advise *advise);

/** advise__add() - take in a sample. Return: 0 or -ENOMEM. */
int advise__add(struct advise *advise, enum sample_kind kind, const union sample *sample);

/** advise__end() - a recording is complete; once for each. Return: 0 or -ENOMEM. */
int advise__end(struct advise *advise);

/**
 * advise__answer() - the best way, the second, and what settings would change
 *
 * @answer: refers to itself; not to be moved
 *
 * Return: 0 or -ENOMEM.
 */
int advise__answer(const struct advise *advise, const struct advise_settings *settings,
		   struct advise_answer *answer);

/** advise__objective() - blackout, total or brownout; ADVISE_OBJECTIVES if it is none */
enum advise_objective advise__objective(const char *name);

/** advise__objective_name() - the reverse */
const char *advise__objective_name(enum advise_objective objective);

#endif
