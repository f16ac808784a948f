/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Settings that hwdbm tune knows: what each changes, and which values it takes. Pure. Not
 * here: reading and writing them (collect/knobs.h).
 */
#ifndef HWDBM_MODEL_KNOB_H
#define HWDBM_MODEL_KNOB_H

#include "field.h"

#define KNOB_TEXT 64
#define KNOB_REASON 160

enum knob_type {
	KNOB_BOOL,		/* Y or N */
	KNOB_CHOICE,		/* one of a list; the kernel may show all, with the present one in [] */
	KNOB_SPLIT,		/* off, eager, lazy, sample=P%,SEED */
	KNOB_SIZE,		/* of leaves */
	KNOB_NUMBER,
	KNOB_NONE,		/* can be read only, or is the VMM's alone */
};

struct knob {
	const char *name;
	const char *path;	/* in sysfs; NULL: only the VMM can set it */
	enum knob_type type;
	const char *values;	/* for people; of a choice, the list */
	const char *changes;	/* what it would change, for whom, and what stays */
};

/* A knob as it is, for output. */
struct knob_row {
	char name[48];
	char scope[20];		/* host, VM, or VMM */
	char value[KNOB_TEXT];
	enum tristate settable;
	char values[80];
	char changes[256];
	char reason[KNOB_REASON];	/* why it cannot be set; "" if it can */
};

extern const struct field_table knob_table;

/** knob__count(), knob__at() - all knobs */
size_t knob__count(void);
const struct knob *knob__at(size_t index);

/** knob__find() - by its name, or by the part after the dot if only one ends so; NULL */
const struct knob *knob__find(const char *name);

/**
 * knob__check() - whether a value makes sense, and what to write for it
 *
 * @out: what the kernel is to be given
 * Return: 0 or -EINVAL.
 */
int knob__check(const struct knob *knob, const char *value, char out[KNOB_TEXT]);

/** knob__clean() - the value of what the kernel shows: without a line end, of a list the one in [] */
void knob__clean(char text[KNOB_TEXT]);

/*
 * IOMMU_OPTION_DIRTY_SPLIT of an IOAS: mode in bits 0 to 7, log2 of the size in 8 to 15,
 * share in units of 0.01 % in 16 to 31, seed in 32 to 63.
 */

/**
 * knob__pack() - the option's value
 * @mode: as KNOB_SPLIT takes it, or "default"
 * @bytes: size to split to; not looked at where nothing is split
 * Return: 0 or -EINVAL.
 */
int knob__pack(const char *mode, uint64_t bytes, uint64_t *value);

/** knob__unpack() - that in words: "default", "off", "lazy to 4K", "sample=5.00%,7 to 4K" */
void knob__unpack(uint64_t value, char text[KNOB_TEXT]);

#endif
