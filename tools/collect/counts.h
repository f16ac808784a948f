/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Parts of records that all sources share. Not here: whole samples (domains.c, kvm.c).
 */
#ifndef HWDBM_COLLECT_COUNTS_H
#define HWDBM_COLLECT_COUNTS_H

#include "../../bpf/records.h"
#include "../model/field.h"

/** counts__source() - "iommufd", "type1", "device", "kvm", "kvm-ring" or "vhost" */
const char *counts__source(unsigned int source);

/**
 * counts__bytes() - the bytes of a counted bitmap's units that lie inside its range
 * @bytes: UNKNOWN for what was not counted
 */
void counts__bytes(const struct hwdbm_count *count, uint64_t iova, uint64_t length,
		   uint64_t bytes[UNIT_SIZES]);

#endif
