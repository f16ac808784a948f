/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From what recordings tell (history.h) to predictions (predict.h): points at a granularity,
 * prices as measured, and from which iteration on the verdict was known. Pure. Not here:
 * settings and words.
 */
#ifndef HWDBM_MODEL_FORECAST_H
#define HWDBM_MODEL_FORECAST_H

#include "history.h"
#include "predict.h"

/* A granularity besides the units: whatever the tracking of the recording reported. */
#define FORECAST_AS_RECORDED UNIT_SIZES

struct forecast {
	const struct history *history;
	double memory_bytes;
	unsigned int units[PRECOPY_LEVELS];	/* granularity of each level */
	unsigned int levels;
};

/**
 * forecast__run() - predict a migration
 *
 * An IOMMU's granularity is none of KVM's business: where recordings have both, KVM's points
 * are taken as recorded.
 *
 * @until: points up to this iteration, or UNKNOWN: all
 *
 * Return: 0; -EINVAL if no iteration tells about the granularities, or as predict__run();
 * -ENOMEM.
 */
int forecast__run(const struct forecast *forecast, const struct precopy_setup *setup,
		  uint64_t until, struct prediction *out);

/** forecast__makeup() - of the bound that forecast__run() gives from all points; returns as it does */
int forecast__makeup(const struct forecast *forecast, const struct precopy_setup *setup,
		     struct prediction_makeup *out);

/**
 * forecast__known_from() - the first iteration from which on the verdict would have been the same
 *
 * @verdict: from all iterations
 * @iteration: set to it; to UNKNOWN if there is none, or the verdict cannot be told
 *
 * Return: 0 or -ENOMEM.
 */
int forecast__known_from(const struct forecast *forecast, const struct precopy_setup *setup,
			 const struct prediction *verdict, uint64_t *iteration);

/* Dirty bytes per iteration at one granularity. */
struct forecast_dirty {
	uint64_t count;
	uint64_t median;
	uint64_t most;
};

/** forecast__dirty() - what was recorded at a unit, of sources that it is for. 0 or -ENOMEM */
int forecast__dirty(const struct history *history, unsigned int unit, struct forecast_dirty *out);

/**
 * forecast__written() - bytes written at least once in a time, at a unit, as an IOMMU reports them
 *
 * Of sources that the unit is for; what grows beyond the recorded times goes on growing.
 *
 * Return: 0; -EINVAL if the recording does not tell; -ENOMEM.
 */
int forecast__written(const struct forecast *forecast, unsigned int unit, double seconds,
		      double *bytes);

/** forecast__sync_ns() - median time of a source's iterations' syncs; UNKNOWN */
uint64_t forecast__sync_ns(const struct history_source *source);

/** forecast__split_ns() - time to split one block, invalidations included; UNKNOWN */
uint64_t forecast__split_ns(const struct history *history, uint64_t block_bytes);

/** forecast__last_interval() - seconds before the last sync of the source with most points */
double forecast__last_interval(const struct history *history);

#endif
