/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What type information (BTF) says about the targets of probes. Not here: whether the
 * kernel lets anybody attach to them.
 */
#ifndef HWDBM_COLLECT_PROBE_TYPES_H
#define HWDBM_COLLECT_PROBE_TYPES_H

#include "probes.h"

struct btf;

/**
 * probe_types__find() - look a target up and compare its arguments
 *
 * @type: set to the type's number unless it is absent
 *
 * Return: PROBE_SERVES, PROBE_ABSENT or PROBE_CHANGED.
 */
enum probe_state probe_types__find(const struct btf *btf, enum probe_kind kind,
				   const struct probe_target *target, uint32_t *type);

#endif
