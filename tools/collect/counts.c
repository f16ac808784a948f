// SPDX-License-Identifier: GPL-2.0-only
/*
 * Names and units of records. Not here: where they come from.
 */
#include "counts.h"
#include "../model/dirty.h"

_Static_assert(HWDBM_UNITS == UNIT_SIZES, "the BPF programs count what the model shows");

const char *counts__source(unsigned int source)
{
	static const char * const names[HWDBM_SOURCES] = {
		[HWDBM_SOURCE_IOMMUFD] = "iommufd", [HWDBM_SOURCE_TYPE1] = "type1",
		[HWDBM_SOURCE_DEVICE] = "device", [HWDBM_SOURCE_KVM] = "kvm",
		[HWDBM_SOURCE_KVM_RING] = "kvm-ring", [HWDBM_SOURCE_VHOST] = "vhost",
	};

	return source < HWDBM_SOURCES ? names[source] : "unknown";
}

void counts__bytes(const struct hwdbm_count *count, uint64_t iova, uint64_t length,
		   uint64_t bytes[UNIT_SIZES])
{
	static const unsigned int shifts[UNIT_SIZES] = UNIT_SIZE_SHIFTS;

	for (int i = 0; i < UNIT_SIZES; i++) {
		struct dirty_units units = { count->units[i], count->first, count->last };

		bytes[i] = UNKNOWN;
		if (count->state != HWDBM_COUNT_DONE || count->units[i] == HWDBM_UNKNOWN)
			continue;
		bytes[i] = dirty__bytes(&units, shifts[i], iova, length);
	}
}
