/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A migration played through with one thing changed. Shared by the two files behind why.h,
 * and by nobody else.
 */
#ifndef HWDBM_MODEL_WHY_PLAY_H
#define HWDBM_MODEL_WHY_PLAY_H

#include "forecast.h"
#include "why.h"

struct why_play {
	const struct history *history;
	struct precopy_setup setup;
};

/* 0 and FORECAST_AS_RECORDED: as it is. */
struct why_change {
	double bandwidth;		/* with the VM stopped, too */
	double limit_s;
	unsigned int unit;		/* of IOMMUs */
	unsigned int without;		/* classes that write nothing, as bits */
	bool no_state;			/* devices have none */
};

/* All but vCPUs */
#define WHY_DEVICES (1u << WHY_DMA | 1u << WHY_DEVICE | 1u << WHY_VHOST)

#define WHY_NO_CHANGE { .unit = FORECAST_AS_RECORDED }

/** why__play_init() - the setup with nothing changed; the rule is filled */
void why__play_init(struct why_play *play, const struct why *why,
		    const struct why_settings *settings, const struct why_rule *rule);

/**
 * why__play() - predict with a change
 *
 * Return: 0 or -ENOMEM. Where the recording cannot tell, all of @out is unknown.
 */
int why__play(const struct why_play *play, const struct why_change *change,
	      struct prediction *out);

/** why__levers() - what each lever would bring. Return: 0 or -ENOMEM. */
int why__levers(const struct why_play *play, struct why_answer *answer);

/** why__class_of() - who writes what this source reports */
enum why_class why__class_of(const char *source);

/** why__writer() - of an answer; NULL if there is none of that class */
const struct why_writer *why__writer(const struct why_answer *answer, enum why_class class);

/** why__is_blind() - whether its tracker reports all memory, whatever is written */
bool why__is_blind(const struct why_writer *writer);

/** why__has_blocks() - whether more than the pages written is reported */
bool why__has_blocks(const struct why_writer *writer);

#endif
