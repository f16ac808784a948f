/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A migration played through by one way of tracking, with settings changed. Shared by the two
 * files behind advise.h, and by nobody else.
 */
#ifndef HWDBM_MODEL_ADVISE_PLAY_H
#define HWDBM_MODEL_ADVISE_PLAY_H

#include "advise.h"
#include "forecast.h"

struct advise_play {
	const struct advise *advise;
	const struct advise_settings *settings;
	struct advise_answer *answer;
	struct precopy_setup setup;
};

/* 0 where nothing is changed. */
struct advise_change {
	double bandwidth;
	double limit_s;
	double vcpu_speed;		/* of the recorded speed at which vCPUs write */
	double device_speed;
};

/**
 * advise__play() - predict, with the score in seconds; @way says how, and is not changed
 *
 * Return: 0, -EINVAL where the recording cannot tell, or -ENOMEM.
 */
int advise__play(const struct advise_play *play, const struct advise_way *way,
		 const struct advise_change *change, struct prediction *out, double *score);

/** advise__levers() - try each setting on top of a way. Return: 0 or -ENOMEM. */
int advise__levers(const struct advise_play *play, const struct advise_way *way);

#endif
