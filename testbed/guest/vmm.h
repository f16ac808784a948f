/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An unmodified QEMU, in the tree that mount-vmm has put under /vmm, with DMA generators passed
 * through and the payload inside; and a look at both from outside: its memory through the file
 * behind it, its devices through copies of the descriptors. QEMU knows of neither.
 */
#ifndef GUEST_VMM_H
#define GUEST_VMM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "generator.h"
#include "iommu.h"
#include "memory.h"
#include "payload.h"
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
	unsigned int devices;		/* so many from that one on, at most PAYLOAD_SLOTS */
	bool incoming;
	bool autostart;			/* it runs as soon as it can */
	uint64_t payload[4];		/* see payload.h */
};

struct vmm_device {
	struct iommu io;		/* fd only */
	struct generator gen;
};

struct vmm {
	char name[32];
	pid_t pid;			/* 0 when there is none */
	struct qmp qmp;
	struct memory memory;		/* the VM's, seen from outside */
	char file[64];			/* behind it */
	struct vmm_device devices[PAYLOAD_SLOTS];
	unsigned int device_count;	/* of these that are watched */
};

#define VMM_NONE	((struct vmm){ .pid = 0 })

/* Starts it, the CPU stopped, and connects to its monitor. 0 or -errno; vmm_end() in any case. */
int vmm_start(struct vmm *vmm, const struct vmm_options *opt);
/* Lets it go, by the monitor if it still answers, and removes what it left behind. */
void vmm_end(struct vmm *vmm);
/* Ends it the hard way; vmm_end() still has to follow. 0 or -errno. */
int vmm_kill(struct vmm *vmm);
/* The last line that it wrote by itself, "" when there is none. */
void vmm_last_words(const struct vmm *vmm, char *words, size_t size);
/* True while the process lives. */
bool vmm_alive(struct vmm *vmm);

/* Maps the devices' registers, once they have their memory switched on. Changes nothing. 0 or -errno. */
int vmm_watch(struct vmm *vmm, unsigned int devices);
/* Undoes it: nothing holds the devices but QEMU. */
void vmm_leave(struct vmm *vmm);

/* A word of the payload's page */
uint64_t vmm_word(const struct vmm *vmm, unsigned int word);

#endif
