// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reads and writes /sys/module/iommu/parameters. See knobs.h.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "knobs.h"
#include "runtime.h"

#define KNOB_SPLIT		"/sys/module/iommu/parameters/dirty_split"
#define KNOB_GRANULARITY	"/sys/module/iommu/parameters/dirty_granularity"

static char old_split[32], old_granularity[32];
static bool changed;

bool knobs_exist(void)
{
	return !access(KNOB_SPLIT, F_OK) && !access(KNOB_GRANULARITY, F_OK);
}

static int set_knob(const char *path, const char *value)
{
	int err = write_text(path, value);

	if (err)
		return problem(-err, "cannot write %s to %s (%s); run as root", value, path,
			       strerror(-err));
	return 0;
}

int knobs_set(const char *split, uint64_t granularity_bytes)
{
	char bytes[32];
	int err;

	if (!changed) {
		err = read_text(KNOB_SPLIT, old_split, sizeof(old_split));
		if (!err)
			err = read_text(KNOB_GRANULARITY, old_granularity,
					sizeof(old_granularity));
		if (err)
			return problem(-err, "cannot read the dirty_split knobs (%s); run as root",
				       strerror(-err));
	}
	changed = true;
	snprintf(bytes, sizeof(bytes), "%llu", (unsigned long long)granularity_bytes);
	err = set_knob(KNOB_GRANULARITY, bytes);
	return err ? err : set_knob(KNOB_SPLIT, split);
}

void knobs_restore(void)
{
	if (!changed)
		return;
	set_knob(KNOB_SPLIT, old_split);
	set_knob(KNOB_GRANULARITY, old_granularity);
	changed = false;
}
