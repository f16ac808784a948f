/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Whether an alternative of the probe table works on the running kernel: a tiny program
 * of its kind is loaded and attached to its targets, and taken away again. Not here:
 * what is chosen.
 */
#ifndef HWDBM_COLLECT_PROBE_TEST_H
#define HWDBM_COLLECT_PROBE_TEST_H

#include "probes.h"

struct probe_bench;

/**
 * probe_bench__open() - get ready to test
 * Return: 0; -ENOENT if the kernel has no type information; -EINVAL if that makes no sense; -ENOMEM or another
 * -errno if it cannot be read.
 */
int probe_bench__open(struct probe_bench **out);

/** probe_bench__free() - NULL is fine */
void probe_bench__free(struct probe_bench *bench);

/** probe_bench__test() - a probe_tester; the context is the bench */
enum probe_state probe_bench__test(void *bench, const struct probe *probe,
				   struct probe_result *result);

/**
 * probe_bench__has() - whether the kernel has an event or a function, by its type information
 *
 * @kind: PROBE_EVENT, or any other for a function
 * @module: where it may be; NULL: nowhere but in the kernel itself
 */
enum tristate probe_bench__has(const struct probe_bench *bench, enum probe_kind kind,
			       const char *name, const char *module);

/**
 * probe_bench__returns() - whether a function of the kernel itself returns anything
 * Return: TRI_UNKNOWN if the kernel does not have it.
 */
enum tristate probe_bench__returns(const struct probe_bench *bench, const char *function);

#endif
