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
 * Return: 0; -ENOENT if the kernel has no type information; -ENOMEM.
 */
int probe_bench__open(struct probe_bench **out);

/** probe_bench__free() - NULL is fine */
void probe_bench__free(struct probe_bench *bench);

/** probe_bench__test() - a probe_tester; the context is the bench */
enum probe_state probe_bench__test(void *bench, const struct probe *probe,
				   struct probe_result *result);

#endif
