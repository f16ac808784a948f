/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The whole model in one include, for tools/output/ and tools/commands/. Pure C:
 * no I/O, no clock, no mutable globals. Not here: anything of its own.
 */
#ifndef HWDBM_MODEL_MODEL_H
#define HWDBM_MODEL_MODEL_H

#include "field.h"
#include "histogram.h"
#include "run.h"
#include "sample.h"

#endif
