/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Takes what identifies anybody out of samples before anything is made of them: names of hosts,
 * VMs, IOMMUs, runs and workloads, process ids, addresses, paths, UUIDs. Numbers take the
 * place of names, so that what belonged together still does. Not here: sizes, times and
 * releases of kernels, which a report is about.
 */
#ifndef HWDBM_OUTPUT_REDACT_H
#define HWDBM_OUTPUT_REDACT_H

#include "../model/sample.h"

enum redacted {
	REDACTED_HOST, REDACTED_VM, REDACTED_RUN, REDACTED_WORKLOAD, REDACTED_IOMMU,
	REDACTED_PID,
	REDACTED_KINDS
};

struct redact_names {
	char (*at)[96];
	size_t count;
};

/* Names met so far. Zero-initialised: none. */
struct redact {
	struct redact_names names[REDACTED_KINDS];
};

/** redact__sample() - the same sample without names; addresses stay. Return: 0 or -ENOMEM. */
int redact__sample(struct redact *redact, enum sample_kind kind, union sample *sample);

/**
 * redact__name() - "VM 2" for the second name of its kind; "" stays ""
 * Return: 0 or -ENOMEM.
 */
int redact__name(struct redact *redact, enum redacted kind, char *text, size_t size);

/** redact__text() - replace paths, addresses and UUIDs in a text by "[redacted]" */
void redact__text(char *text, size_t size);

/** redact__release() - forget all names */
void redact__release(struct redact *redact);

#endif
