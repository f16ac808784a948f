/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * TLB flushes as KVM counts them itself, for hosts where its functions cannot be probed: how many,
 * and nothing else. Not here: reading a VM (vms.h).
 */
#ifndef HWDBM_COLLECT_KVMSTAT_H
#define HWDBM_COLLECT_KVMSTAT_H

#include "../model/sample.h"

#include <sys/types.h>

/* One VM. */
struct kvmstat_vm {
	uint64_t pid;
	uint64_t identity;		/* a process may have several */
	char name[SAMPLE_VM_NAME];
	uint64_t last;			/* KVM's counter */
	uint64_t flushes;		/* since the first look; UNKNOWN if this kernel does not tell */
	bool was_seen;			/* by the last look */
	bool ended;
};

/* Zero-initialised: nobody has looked yet. */
struct kvmstat {
	struct kvmstat_vm *at;
	size_t count;
	bool has_looked;
};

/**
 * kvmstat__look() - read the counters of all VMs
 *
 * VMs that came since the last look are counted from their start. Of one that has ended
 * meanwhile what it did since then is missing, and it is counted as ended.
 *
 * Return: 0 or -errno.
 */
int kvmstat__look(struct kvmstat *stat);

/**
 * kvmstat__put() - one tlb_cost sample for each VM that has flushed
 * @is_wanted: whether a process is to be told about
 * Return: 0 or the handler's error.
 */
int kvmstat__put(const struct kvmstat *stat, bool (*is_wanted)(void *of, pid_t pid), void *of,
		 sample_handler handler, void *context);

/** kvmstat__ended() - how many VMs were known, are wanted, and have ended */
size_t kvmstat__ended(const struct kvmstat *stat, bool (*is_wanted)(void *of, pid_t pid), void *of);

/** kvmstat__release() - free the list's memory and zero it */
void kvmstat__release(struct kvmstat *stat);

#endif
