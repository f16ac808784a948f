/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fills a diagnosis: asks the kernel, sysfs and, if told to, devices. Leaves nothing
 * attached and changes nothing. Not here: verdicts (tools/model/).
 */
#ifndef HWDBM_COLLECT_EXAMINE_H
#define HWDBM_COLLECT_EXAMINE_H

#include "../model/diagnosis.h"

struct examine_options {
	unsigned int avoid;	/* kinds of probe to do without, bits of enum probe_kind */
	bool all;		/* test every alternative, also behind the chosen one */
	bool ask_devices;	/* open devices that nobody uses, which resets them */
	int vm;			/* the outlook of this process only; 0: of all VMs */
};

/**
 * examine__host() - this host
 *
 * A host without type information is a finding, not an error.
 *
 * Return: 0, or -errno.
 */
int examine__host(const struct examine_options *options, struct diagnosis *out);

/**
 * examine__types() - the probe table against another kernel's type information
 *
 * @path: its /sys/kernel/btf/vmlinux, or a folder that has this and its modules'
 *
 * Return: 0, or -errno if there is none.
 */
int examine__types(const char *path, const struct examine_options *options,
		   struct diagnosis *out);

#endif
