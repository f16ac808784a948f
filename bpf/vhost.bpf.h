/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How the reads of KVM's log lead to vhost's. Not here: how that is counted (vhost.bpf.c).
 */
#ifndef HWDBM_BPF_VHOST_BPF_H
#define HWDBM_BPF_VHOST_BPF_H

#include "hwdbm.bpf.h"

/* A read of KVM's log of a slot by the running task, which is over. */
struct vhost_read {
	__u64 vm;
	__u64 base;			/* where the slot is in guest memory */
	__u64 bytes;
	__u32 slot;
	__u32 pid;
	__u32 state;			/* enum hwdbm_count_state: vhost's log is counted if KVM's was */
	__u32 reserved;
};

/* Tells what is in the log of the VM's vhost devices, if they have one; returns 0. */
int count_vhost(const struct vhost_read *read);

#endif
