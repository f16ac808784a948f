/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * VMs of KVM by number, and the samples that their records make. Not here: the ring the
 * records come through.
 */
#ifndef HWDBM_COLLECT_KVM_H
#define HWDBM_COLLECT_KVM_H

#include "../../bpf/records.h"
#include "../model/iteration.h"
#include "../model/sample.h"

/* A VM is known by the address of its struct kvm, in one process: kernel addresses stay here. */
struct known_vm {
	uint64_t address;
	uint64_t pid;
	struct slot_tracker slots;
};

/* Zero-initialised: none. */
struct known_vms {
	struct known_vm *at;
	size_t count;
};

/** kvm__tracking() - logging of a slot starts or stops. Return: 0 or -ENOMEM. */
int kvm__tracking(struct known_vms *vms, const struct hwdbm_tracking *in,
		  struct tracking_sample *out);

/** kvm__late() - logging of a slot has started, and its first reads may have been missed */
int kvm__late(struct known_vms *vms, uint64_t vm, uint64_t pid, uint32_t slot, uint64_t length);

/** kvm__whole() - the sync that a read of @size bytes tells of */
void kvm__whole(const struct hwdbm_read *in, size_t size, struct hwdbm_sync *out);

/** kvm__sync() - a slot's log, or the dirty rings, were read. Return: 0 or -ENOMEM. */
int kvm__sync(struct known_vms *vms, const struct hwdbm_sync *in, struct sync_sample *out);

/** kvm__clear() - a slot's log was cleared. Return: 0 or -ENOMEM. */
int kvm__clear(struct known_vms *vms, const struct hwdbm_clear *in, struct clear_sample *out);

/** kvm__number() - of the VM at an address, whichever process it is of; UNKNOWN if none was seen */
uint64_t kvm__number(const struct known_vms *vms, uint64_t address);

/** kvm__release() - free the list's memory and zero it */
void kvm__release(struct known_vms *vms);

#endif
