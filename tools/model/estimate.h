/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How dirty memory would be at a finer granularity, from a recording in which the kernel split a
 * seeded share of the blocks when tracking started (sampling mode). Of the blocks that were not
 * split it is known exactly which are dirty; how much of each is, is estimated from those that
 * were split. Not here: coarser granularities, which are exact (whatif.h).
 *
 * Every dirty block belongs to the sample with the same chance, so that the mean of the sampled
 * dirty ones stands for the others. Where neighbours are alike, and only there, the sampled
 * neighbours of a block stand for it. The interval has three parts: Student's, for the spread that
 * the sample shows; that of one more block half as dirty as the mean, for samples that show none;
 * and upwards that of full blocks so few that a sample misses them in one case of three.
 */
#ifndef HWDBM_MODEL_ESTIMATE_H
#define HWDBM_MODEL_ESTIMATE_H

#include "sample.h"

/* Below so many sampled dirty blocks nothing is said. */
#define ESTIMATE_BLOCKS_MIN 10

/* Units of one size in the dirty blocks of one size. */
struct estimate_blocks {
	double whole;			/* dirty blocks that are not split */
	double least;			/* units that a dirty block has at least */
	double most;			/* units in a block */
	double sampled;			/* split blocks that are dirty */
	double units;			/* dirty ones in these */
	const struct pair *at;		/* [units of a block: upper bound, blocks] */
	size_t count;
	double gap_blocks;		/* as in struct sampled_sample */
	double gap_units;
	double gap_inner;		/* sum of squares; NaN if not known */
	double gap_outer;
};

/* With 95 % it is no less than low and no more than high. */
struct estimate_value {
	double middle;
	double low;
	double high;
};

/**
 * estimate__whole() - units in the dirty blocks that are not split
 * Return: false if there are some and too few are sampled; @out is then what they can hold.
 */
bool estimate__whole(const struct estimate_blocks *blocks, struct estimate_value *out);

/** estimate__add() - the sum of two that are independent of each other */
void estimate__add(struct estimate_value *sum, const struct estimate_value *more);

/* Why an iteration has no estimate. */
enum estimate_reason {
	ESTIMATE_KNOWN,
	ESTIMATE_NOT_COUNTED,		/* the bitmap of a sync was not counted */
	ESTIMATE_BITMAP_SHARED,		/* or has bits of other syncs */
	ESTIMATE_TOO_FEW,		/* sampled blocks that are dirty */
	ESTIMATE_MAPPED_BY_PAGES,	/* a large part of what is dirty was not mapped by blocks */
	ESTIMATE_OTHER_BLOCKS,		/* or by smaller blocks than those that were sampled */
	ESTIMATE_REASONS
};

/* One iteration of one IOMMU domain. */
struct estimate_row {
	uint64_t pid;
	uint64_t domain;
	uint64_t iteration;
	uint64_t t_ns;
	uint64_t interval_ns;		/* since the iteration before, or the start of tracking */
	uint64_t reported_bytes;
	uint64_t block_bytes;
	uint64_t dirty_blocks;		/* sampled or not */
	uint64_t sampled_blocks;	/* dirty ones of the sample */
	uint64_t bytes[UNIT_SIZES];	/* UNKNOWN but for sizes finer than the blocks */
	uint64_t low_bytes[UNIT_SIZES];
	uint64_t high_bytes[UNIT_SIZES];
	double half_width;		/* of the finest size, as a share of the estimate */
	char unknown[40];		/* why, if it is; see estimate__reason() */
};

extern const struct field_table estimate_row_table;

/* The blocks of one size in the iteration that is being added up. */
struct estimate_part {
	uint64_t whole;
	uint64_t sampled;
	uint64_t bytes[2];		/* at the granularity, and at 64K */
	uint64_t gap_blocks;
	double gap_bytes[2];
	double gap_inner[2];		/* squares of bytes */
	double gap_outer[2];
	struct pairs values[2];
	uint64_t others;
	uint64_t other_bytes;
};

struct estimate_open {
	struct estimate_row row;
	uint64_t small_bytes;		/* in leaves that were never blocks, or are smaller ones */
	uint64_t middling_bytes;	/* of these, in leaves larger than the granularity */
	uint64_t page_bytes;
	unsigned int order;		/* of the blocks that were sampled */
	bool sync_is_open;		/* its sample is still to come */
	struct sync_sample sync;
	enum estimate_reason reason;
	struct estimate_part part;
};

/* Of one domain. */
struct estimate_domain {
	uint64_t pid;
	uint64_t domain;
	uint64_t since_ns;		/* start or last iteration; UNKNOWN */
	uint64_t granularity_bytes;
	struct estimate_open open;
	bool is_sampled;		/* what its tracking was started with; unknown: false */
};

/* Zero-initialise with estimate__init(). */
struct estimator {
	struct estimate_domain *domains;
	size_t domain_count;
	struct estimate_row *rows;
	size_t count;
	uint64_t wanted_pid;		/* 0: all */
	uint64_t starts;		/* of tracking, with and without sampling */
	uint64_t sampled_starts;
	uint64_t syncs;			/* that cleared dirty state of an IOMMU */
	uint64_t failed;
	uint64_t type1;			/* of these two, what VFIO's type1 has read */
	uint64_t syncs_without;		/* of domains that are not sampled, as far as was seen */
	uint64_t late;			/* samples of a domain whose start was not seen */
	double share;			/* asked for; NaN */
	uint64_t seed;			/* of the last start */
	uint64_t blocks;		/* that could be split, at the last start; UNKNOWN */
	uint64_t splits;		/* of them that were */
	uint64_t lost;
	bool lost_known;
	char time_basis[16];
};

/** estimate__init() - nothing is known yet */
void estimate__init(struct estimator *e);

/** estimate__release() - free all */
void estimate__release(struct estimator *e);

/** estimate__take() - take in a sample of a recording. Return: 0 or -ENOMEM. */
int estimate__take(struct estimator *e, enum sample_kind kind, const union sample *sample);

/** estimate__end() - the recording is complete: rows are final. Return: 0 or -ENOMEM. */
int estimate__end(struct estimator *e);

/** estimate__reason() - a reason in words */
const char *estimate__reason(enum estimate_reason reason);

/** estimate__finest() - index of the finest size that a row tells about; UNIT_SIZES if none */
unsigned int estimate__finest(const struct estimate_row *row);

#endif
