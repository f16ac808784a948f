/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An unmodified QEMU, in the tree that mount-vmm has put under /vmm, with a DMA generator passed
 * through and the payload inside; and a look at both from outside: its memory through the file
 * behind it, its device through a copy of the descriptor. QEMU knows of neither.
 */
#ifndef GUEST_VMM_H
#define GUEST_VMM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "generator.h"
#include "iommu.h"
#include "memory.h"
#include "qmp.h"

#define VMM_ROOT	"/vmm"
#define VMM_QEMU	"/usr/bin/qemu-system-aarch64"

struct vmm_options {
	const char *name;		/* of its files under /vmm/tmp */
	bool iommufd;			/* or type1 */
	bool insist;			/* that it can be migrated, whatever QEMU thinks */
	uint64_t memory;
	uint64_t backing;		/* 4K or 2M */
	unsigned int generator;		/* which, from 0 */
	bool second;			/* the one after it, too; nothing switches that one on */
	bool incoming;
	bool autostart;			/* it runs as soon as it can */
	uint64_t payload[4];		/* see payload.h */
};

struct vmm {
	char name[32];
	pid_t pid;			/* 0 when there is none */
	struct qmp qmp;
	struct memory memory;		/* the VM's, seen from outside */
	char file[64];			/* behind it */
	struct iommu device;		/* fd only */
	struct generator gen;
};

#define VMM_NONE	((struct vmm){ .device = IOMMU_CLOSED })

/* Starts it, the CPU stopped, and connects to its monitor. 0 or -errno; vmm_end() in any case. */
int vmm_start(struct vmm *vmm, const struct vmm_options *opt);
/* Lets it go, by the monitor if it still answers, and removes what it left behind. */
void vmm_end(struct vmm *vmm);
/* Ends it the hard way; vmm_end() still has to follow. 0 or -errno. */
int vmm_kill(struct vmm *vmm);
/* True while the process lives. */
bool vmm_alive(struct vmm *vmm);

/* Maps the device's registers, once it has its memory switched on. Changes nothing. 0 or -errno. */
int vmm_watch(struct vmm *vmm);

/* A word of the payload's page */
uint64_t vmm_word(const struct vmm *vmm, unsigned int word);

#endif
